"""Charts beside the pictures of a mission: lines over time or layers, and a floor plan coloured by a number per zone.

Both return a matplotlib Figure that is neither shown nor registered with pyplot; a notebook displays it as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qdt_env.records import require
from qdt_env.viewer.plan import draw_storeys, plan_extent

if TYPE_CHECKING:
    from qdt_env.hospital.graph import HospitalGraph

Array = np.ndarray[Any, Any]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1b1b1b", "#8a8a8a")
# Beside the colours: 24 lines differ, and neighbours do without colour; "--" is for references.
_STYLES = ("-", "-.", ":")
_LINES_INSIDE = 5  # with more, the key stands beside the chart, where it hides none
_INK, _GRID = "#333333", "#e4e4e4"


@dataclass(frozen=True, eq=False)
class Panel:
    """One chart: lines over a common abscissa.

    Attributes:
        title: what the reader should see; ``x_label`` and ``y_label`` name the axes with their units.
        x: (N,) abscissa.
        lines: (N,) ordinates by name; NaN leaves a gap.
        dashed: names of lines that are drawn dashed, such as references.
        marks: names of moments by their x, drawn as upright lines.
        y_range: of the axis; None fits the lines.
    """

    title: str
    x_label: str
    y_label: str
    x: Array
    lines: Mapping[str, Array]
    dashed: Sequence[str] = ()
    marks: Mapping[str, float] = field(default_factory=dict)
    y_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse lines that do not fit the abscissa.

        Raises:
            ValueError: naming the line.
        """
        for name, values in self.lines.items():
            require(len(values) == len(self.x), f"lines[{name!r}]", len(values), f"{len(self.x)} values, one per x")


def draw_panels(panels: Sequence[Panel], columns: int = 2) -> Any:
    """Draw charts side by side.

    Args:
        panels: one or more.
        columns: charts in a row.

    Returns:
        The matplotlib Figure.

    Raises:
        ValueError: no panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    require(len(panels) > 0, "panels", len(panels), "1 or more")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.4 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, panel in zip(places, panels, strict=False):
        _draw_panel(place, panel)
    for unused in places[len(panels) :]:
        unused.set_axis_off()
    return figure


def _draw_panel(axes: Any, panel: Panel) -> None:
    """One chart."""
    for k, (name, values) in enumerate(panel.lines.items()):
        style = "--" if name in panel.dashed else _STYLES[k % len(_STYLES)]
        axes.plot(panel.x, values, style, color=COLOURS[k % len(COLOURS)], linewidth=1.6, label=name)
    for name, x in panel.marks.items():
        axes.axvline(x, color="#8a8a8a", linewidth=0.9, linestyle=":")
        axes.annotate(name, (x, 1.0), (3.0, -2.0), ("data", "axes fraction"), "offset points", va="top", fontsize=8,
                      color="#666666")  # fmt: skip
    axes.set_title(panel.title, loc="left", fontsize=10, color=_INK)
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    if panel.y_range is not None:
        axes.set_ylim(*panel.y_range)
    if np.array_equal(panel.x, np.round(panel.x)):  # there is no batch 2.5
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if panel.lines and list(panel.lines) != [""]:
        beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(panel.lines) > _LINES_INSIDE else {}
        axes.legend(frameon=False, fontsize=8, **beside)


def draw_values(
    graph: "HospitalGraph",
    values: Array,
    title: str,
    label: str,
    *,
    colours: str = "viridis_r",
    value_range: tuple[float, float] | None = None,
) -> Any:
    """Draw the storeys with every zone coloured by a number.

    Args:
        graph: the building.
        values: (Z,) numbers; zones where they are not finite stay grey.
        title: above the plan.
        label: of the colour scale, with the unit.
        colours: name of a matplotlib colour map.
        value_range: ends of the scale; None takes those of the finite values.

    Returns:
        The matplotlib Figure.

    Raises:
        ValueError: not one value per zone, or none that is finite.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    values = np.asarray(values, float)
    require(values.shape == (graph.n_zones,), "values", values.shape, f"({graph.n_zones},), one per zone")
    known = np.isfinite(values)
    require(bool(known.any()), "values", "no finite number", "one or more")
    low, high = value_range or (float(values[known].min()), float(values[known].max()))
    scale = Normalize(low, max(high, low + 1e-9))
    chosen = matplotlib.colormaps[colours]
    rgba = np.where(known[:, None], chosen(scale(np.where(known, values, low))), (0.85, 0.85, 0.85, 1.0))
    xmin, ymin, xmax, ymax = plan_extent(graph)
    width = 9.0 if graph.n_storeys == 1 else 5.6 * graph.n_storeys
    height = width / graph.n_storeys * (ymax - ymin) / (xmax - xmin) + 0.6
    figure = Figure(figsize=(width, max(height, 2.2)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, graph.n_storeys, squeeze=False).ravel()
    draw_storeys(graph, panels, zone_colour=rgba)
    if graph.n_storeys == 1:
        panels[0].set_title("")
    figure.colorbar(ScalarMappable(scale, chosen), ax=list(panels), label=label, shrink=0.85)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
