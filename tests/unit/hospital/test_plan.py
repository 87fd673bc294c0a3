"""Floor plans: written, one panel per storey, recolourable."""

from pathlib import Path

import numpy as np
import pytest

from qdt_env.hospital import generate_building
from qdt_env.viewer.plan import GROUPS, draw_building, draw_storeys


def test_every_function_has_a_colour() -> None:
    from qdt_env.hospital import ZONE_KINDS

    assert sorted(member for _, members in GROUPS.values() for member in members) == sorted(ZONE_KINDS)


@pytest.mark.parametrize("preset", ["ward", "clinic"])
def test_a_picture_is_written(tmp_path: Path, preset: str) -> None:
    figure = draw_building(generate_building(preset), tmp_path / "plan.png", labels=True)
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert sum(axes.get_title() != "" for axes in figure.axes) == {"ward": 1, "clinic": 2}[preset]


def test_colours_follow_the_zones() -> None:
    from matplotlib.figure import Figure

    building = generate_building("clinic")
    colours = np.random.Generator(np.random.Philox(0)).random((building.n_zones, 3))
    drawn = draw_storeys(building, Figure().subplots(1, 2), zone_colour=colours)
    assert sorted(np.concatenate([storey.zone_rows for storey in drawn])) == list(range(building.n_zones))
    for storey in drawn:
        np.testing.assert_allclose(storey.zones.get_facecolor()[:, :3], colours[storey.zone_rows])
        assert (building.storey[storey.zone_rows] == storey.level).all()


def test_wrong_numbers_of_axes_and_colours_are_refused() -> None:
    from matplotlib.figure import Figure

    building = generate_building("clinic")
    with pytest.raises(ValueError, match="axes: got 1"):
        draw_storeys(building, Figure().subplots())
    with pytest.raises(ValueError, match="zone_colour: got 3"):
        draw_storeys(building, Figure().subplots(1, 2), zone_colour=np.zeros((3, 3)))
