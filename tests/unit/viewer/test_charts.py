"""Charts and coloured plans: what is drawn is what was given, and what does not fit is refused."""

import numpy as np
import pytest

from qdt_env.hospital import generate_building
from qdt_env.viewer import Panel, draw_panels, draw_values


def panel(**changes):
    given = {
        "title": "t",
        "x_label": "minutes",
        "y_label": "lives",
        "x": np.arange(3.0),
        "lines": {"a": np.arange(3.0)},
    }
    return Panel(**(given | changes))


def test_lines_are_those_given_and_empty_places_are_off():
    lines = {"a": np.array([0.0, 1.0, 4.0]), "b": np.array([2.0, np.nan, 2.0])}
    figure = draw_panels([panel(lines=lines, dashed=("b",), marks={"onset": 1.0}, y_range=(0.0, 5.0))] * 3)
    first, *_, last = figure.axes
    assert len(figure.axes) == 4 and not last.axison and first.get_title(loc="left") == "t"
    a, b, mark = first.lines
    np.testing.assert_array_equal(a.get_ydata(), lines["a"])
    assert (a.get_linestyle(), b.get_linestyle()) == ("-", "--") and mark.get_xdata()[0] == 1.0
    assert first.get_ylim() == (0.0, 5.0) and first.get_legend() is not None
    assert draw_panels([panel(lines={"": np.arange(3.0)})]).axes[0].get_legend() is None


def test_many_lines_all_differ_and_their_key_stands_beside_the_chart():
    lines = {f"robot_{k}": np.arange(3.0) for k in range(24)}
    figure = draw_panels([panel(lines=lines), panel()])
    many, few = figure.axes
    assert len({(line.get_color(), line.get_linestyle()) for line in many.lines}) == 24
    figure.draw_without_rendering()
    assert many.get_legend().get_window_extent().x0 >= many.get_window_extent().x1
    assert few.get_legend().get_window_extent().x1 <= few.get_window_extent().x1


def test_whole_numbers_are_not_split():
    axes = draw_panels([panel(x=np.arange(1.0, 21.0), lines={"": np.arange(20.0)})]).axes[0]
    assert np.array_equal(axes.get_xticks(), np.round(axes.get_xticks()))


def test_zones_take_the_colour_of_their_value_and_grey_without_one():
    import matplotlib

    ward = generate_building("ward", 0)
    values = np.linspace(0.0, 1.0, ward.n_zones)
    values[3] = np.nan
    figure = draw_values(ward, values, "title", "scale", colours="viridis")
    zones = figure.axes[0].collections[0]
    colours = {tuple(np.round(colour, 6)) for colour in zones.get_facecolor()}
    assert (0.85, 0.85, 0.85, 1.0) in colours
    assert tuple(np.round(matplotlib.colormaps["viridis"](1.0), 6)) in colours
    assert len(figure.axes) == 2 and figure.axes[1].get_ylabel() == "scale"


def test_what_does_not_fit_is_refused():
    ward = generate_building("ward", 0)
    with pytest.raises(ValueError, match="one per x"):
        panel(lines={"a": np.arange(2.0)})
    with pytest.raises(ValueError, match="panels"):
        draw_panels([])
    with pytest.raises(ValueError, match="one per zone"):
        draw_values(ward, np.zeros(3), "t", "l")
    with pytest.raises(ValueError, match="no finite number"):
        draw_values(ward, np.full(ward.n_zones, np.nan), "t", "l")
