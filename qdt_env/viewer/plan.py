"""Floor plans: the storeys of a hospital side by side, zones by function or by any colour, passages by kind.

matplotlib is imported inside the functions, so that importing this module costs nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdt_env.hospital.graph import ELEVATOR, OUTDOOR, PASSAGE_KINDS, STAIR, ZONE_KINDS, HospitalGraph

Array = np.ndarray[Any, Any]

# Zone functions in the groups a reader of a plan looks for, each with its colour.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "care": (
        "#9ecae1",
        ("clinical", "exam", "treatment", "imaging", "lab", "ward", "operating", "emergency", "intensive_care"),
    ),
    "office": ("#fbe3a8", ("office", "meeting", "staff", "changing")),
    "waiting": ("#c9b8e8", ("waiting", "reception")),
    "supply": ("#a8d5a2", ("storage", "clean_supply", "pharmacy")),
    "service": ("#d9c7b8", ("toilet", "soiled", "electrical", "plant", "hazmat", "mechanical")),
    "corridor": ("#f4f4f2", ("corridor",)),
    "stair, elevator": ("#f2a07b", ("stair", "elevator")),
    "outside": ("#e4efe0", ("entry", "outdoor", "roof")),
}
# Colour, line width and dash pattern by kind of passage; stairs and lifts leave the storey and are marks instead.
PASSAGE_STYLES: dict[str, tuple[str, float, Any]] = {
    "door": ("#6b6b6b", 0.7, "-"),
    "opening": ("#2a8c82", 1.1, "-"),
    "hall": ("#1f4e9c", 1.8, "-"),
    "elevator_door": ("#a0348f", 1.2, "-"),
    "outdoor": ("#4f8a3a", 1.2, (0, (4, 2))),
}
_WALL = "#555555"


@dataclass(frozen=True, eq=False)
class StoreyArtists:
    """What was drawn on a storey, to recolour it later: ``zones.set_facecolor(colours[zone_rows])``."""

    level: int
    axes: Any  # matplotlib Axes
    zones: Any  # matplotlib PatchCollection
    zone_rows: Array  # (n,) int, zone behind each patch
    passages: Any  # matplotlib LineCollection, passages outdoors not among them
    passage_rows: Array  # (m,) int, passage behind each line


def draw_storeys(
    graph: HospitalGraph,
    axes: Any,
    *,
    zone_colour: Any = None,
    passage_colour: Any = None,
    labels: bool = False,
    marks: bool = True,
) -> tuple[StoreyArtists, ...]:
    """Draw every storey, lowest first, on the axes given.

    Args:
        graph: the building.
        axes: one matplotlib Axes per storey, or a single one for a building of one storey.
        zone_colour: (Z,) colour names or (Z, 3) or (Z, 4) floats in 0 .. 1; by default the function's colour.
        passage_colour: likewise for the E passages; by default the kind's colour.
        labels: write each zone's id into it.
        marks: mark entrances, depots, gateways, stairs and elevators.

    Returns:
        What was drawn, per storey.

    Raises:
        ValueError: There are not as many axes as storeys, or a colour array has another length.
    """
    panels = list(np.ravel(np.array(axes, dtype=object)))
    if len(panels) != graph.n_storeys:
        raise ValueError(f"axes: got {len(panels)}, the building has {graph.n_storeys} storeys")
    zone_rgba = _rgba(_function_colours(graph) if zone_colour is None else zone_colour, graph.n_zones, "zone_colour")
    kinds = [PASSAGE_STYLES.get(PASSAGE_KINDS[kind], ("#888888", 0.0, "-"))[0] for kind in graph.passage_kind]
    passage_rgba = _rgba(kinds if passage_colour is None else passage_colour, graph.n_passages, "passage_colour")
    lowest = int(graph.storey.min())
    drawn = []
    for level, panel in enumerate(panels, start=lowest):
        patches, zone_rows = _draw_zones(graph, panel, level, zone_rgba)
        lines, passage_rows = _draw_passages(graph, panel, level, passage_rgba)
        if marks:
            _draw_marks(graph, panel, level)
        if labels:
            _draw_labels(graph, panel, zone_rows)
        _frame_panel(graph, panel, level)
        drawn.append(StoreyArtists(level, panel, patches, zone_rows, lines, passage_rows))
    return tuple(drawn)


def draw_building(graph: HospitalGraph, path: str | Path | None = None, *, labels: bool = False) -> Any:
    """Draw the plan of a building with its legend.

    Args:
        graph: the building.
        path: picture to write (.png, .svg, .pdf ...); None writes nothing.
        labels: write each zone's id into it.

    Returns:
        The matplotlib Figure, not shown and not registered with pyplot.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(graph.n_storeys, 3)
    rows = math.ceil(graph.n_storeys / columns)
    xmin, ymin, xmax, ymax = plan_extent(graph)
    ratio = (ymax - ymin) / (xmax - xmin)
    width = 5.6 * columns if columns > 1 else 9.0
    height = min(max(rows * width / columns * ratio, 2.0), 20.0) + 1.5
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in panels[graph.n_storeys :]:
        unused.set_axis_off()
    draw_storeys(graph, panels[: graph.n_storeys], labels=labels)
    total = float(graph.area_m2[graph.indoor].sum())
    figure.suptitle(
        f"{graph.name}: {graph.n_zones} zones, {graph.n_passages} passages, {total:,.0f} m² indoors", fontsize=11
    )
    figure.legend(
        handles=legend_handles(graph),
        loc="outside lower center",
        ncols=7 if columns > 1 else 5,
        fontsize=8,
        frameon=False,
    )
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def legend_handles(graph: HospitalGraph) -> list[Any]:
    """Legend entries of what the building has: groups of zones, kinds of passages, marks."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    functions = {ZONE_KINDS[kind] for kind in graph.zone_kind}
    handles: list[Any] = [
        Patch(facecolor=colour, edgecolor=_WALL, linewidth=0.6, label=group)
        for group, (colour, members) in GROUPS.items()
        if functions & set(members)
    ]
    present = {PASSAGE_KINDS[kind] for kind in graph.passage_kind}
    for kind, (colour, width, dash) in PASSAGE_STYLES.items():
        if kind in present:
            line = Line2D([], [], color=colour, linewidth=max(width, 1.0), linestyle=dash, label=kind.replace("_", " "))
            handles.append(line)
    for label, rows, style in building_marks(graph):
        if rows.size:
            handles.append(Line2D([], [], linestyle="", markeredgecolor="white", label=label, **style))
    return handles


def _function_colours(graph: HospitalGraph) -> list[str]:
    """Colour of each zone's group."""
    colour = {member: shade for shade, members in GROUPS.values() for member in members}
    return [colour[ZONE_KINDS[kind]] for kind in graph.zone_kind]


def _rgba(colours: Any, count: int, name: str) -> Array:
    """(count, 4) float colours."""
    from matplotlib.colors import to_rgba_array

    rgba = np.asarray(to_rgba_array(colours))
    if len(rgba) != count:
        raise ValueError(f"{name}: got {len(rgba)} colours, expected {count}")
    return rgba


def _draw_zones(graph: HospitalGraph, axes: Any, level: int, rgba: Array) -> tuple[Any, Array]:
    """Zones as rectangles, entrances as circles of their area; large ones first so that none hides another."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle, Rectangle

    rows = np.flatnonzero(graph.storey == level)
    boxes = graph.bbox_m.astype(float)
    size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    rows = rows[np.lexsort((-size[rows], graph.indoor[rows]))]
    patches: list[Any] = []
    for row in rows:
        xmin, ymin, xmax, ymax = boxes[row]
        if ZONE_KINDS[graph.zone_kind[row]] == "entry":
            x, y = graph.position_m[row, :2].tolist()
            patches.append(Circle((x, y), 0.8 * math.sqrt(float(graph.area_m2[row]) / math.pi)))
        else:
            patches.append(Rectangle((xmin, ymin), xmax - xmin, ymax - ymin))
    edges = [_WALL if graph.indoor[row] else "#a9bfa2" for row in rows]
    collection = PatchCollection(patches, facecolors=rgba[rows], edgecolors=edges, linewidths=0.7, zorder=1)
    axes.add_collection(collection)
    return collection, rows


def _draw_passages(graph: HospitalGraph, axes: Any, level: int, rgba: Array) -> tuple[Any, Array]:
    """Passages within the storey as lines between centroids; returns those indoors."""
    ends = graph.passage_zones
    inside = (graph.storey[ends] == level).all(axis=1) & ~np.isin(graph.passage_kind, [STAIR, ELEVATOR])
    # Paths round the building are known by their ends only: beneath the zones, their chords do not cross rooms.
    beneath = np.flatnonzero(inside & (graph.passage_kind == OUTDOOR))
    _add_lines(graph, axes, beneath, rgba, zorder=0.5)
    rows = np.flatnonzero(inside & (graph.passage_kind != OUTDOOR))
    return _add_lines(graph, axes, rows, rgba, zorder=2), rows


def _add_lines(graph: HospitalGraph, axes: Any, rows: Array, rgba: Array, zorder: float) -> Any:
    """Straight lines for the passages of these rows."""
    from matplotlib.collections import LineCollection

    styles = [PASSAGE_STYLES[PASSAGE_KINDS[kind]] for kind in graph.passage_kind[rows]]
    lines = LineCollection(
        list(graph.position_m[graph.passage_zones[rows]][:, :, :2]),
        colors=rgba[rows],
        linewidths=[width for _, width, _ in styles],
        linestyles=[dash for _, _, dash in styles],
        alpha=0.75,
        zorder=zorder,
    )
    axes.add_collection(lines)
    return lines


def building_marks(graph: HospitalGraph) -> Iterable[tuple[str, Array, dict[str, Any]]]:
    """Label, zone indices and marker style of everything that is marked."""
    yield "entrance", graph.entrances, {"marker": "P", "color": "#1d7a2e", "markersize": 8}
    yield "depot", graph.depots, {"marker": "s", "color": "#1d7a2e", "markersize": 5.5}
    yield "gateway", graph.gateways, {"marker": "D", "color": "#b3202c", "markersize": 5.5}
    for function, marker in (("stair", "^"), ("elevator", "v")):
        rows = np.flatnonzero(graph.zone_kind == ZONE_KINDS.index(function))
        yield function, rows, {"marker": marker, "color": "#8a3d16", "markersize": 6}


def _draw_marks(graph: HospitalGraph, axes: Any, level: int) -> None:
    """Markers at zone centroids; a gateway stands a little aside, since a depot may share its zone."""
    for label, rows, style in building_marks(graph):
        here = rows[graph.storey[rows] == level]
        x, y, _ = graph.position_m[here].T if here.size else np.empty((3, 0))
        aside = 0.9 if label == "gateway" else 0.0
        axes.plot(x + aside, y + aside, linestyle="", markeredgecolor="white", markeredgewidth=0.6, zorder=4, **style)


def _draw_labels(graph: HospitalGraph, axes: Any, rows: Sequence[int] | Array) -> None:
    """Zone ids at the lower edge of the zones."""
    for row in rows:
        x, y = float(graph.position_m[row, 0]), float(graph.bbox_m[row, 1])
        axes.text(x, y + 0.2, graph.zone_id[row], fontsize=3.5, ha="center", va="bottom", color="#333333", zorder=3)


def plan_extent(graph: HospitalGraph) -> tuple[float, float, float, float]:
    """Plan rectangle of the whole building with a margin, in m."""
    low, high = graph.bbox_m[:, :2].min(axis=0) - 1.5, graph.bbox_m[:, 2:].max(axis=0) + 1.5
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _frame_panel(graph: HospitalGraph, axes: Any, level: int) -> None:
    """Same limits on every storey, equal scale, a 10 m bar instead of ticks."""
    xmin, ymin, xmax, ymax = plan_extent(graph)
    axes.set(xlim=(xmin, xmax), ylim=(ymin, ymax), xticks=[], yticks=[], aspect="equal")
    axes.set_title("ground floor" if level == 0 else f"storey {level}", fontsize=10)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.plot([xmin + 0.5, xmin + 10.5], [ymin + 0.3, ymin + 0.3], color="black", linewidth=1.5, zorder=5)
    axes.text(xmin + 11.0, ymin + 0.3, "10 m", fontsize=7, va="center", zorder=5)
