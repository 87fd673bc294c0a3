"""One storey of one side (truth or twin): artists made once, changed from moment to moment."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qdt_env.hospital.graph import ELEVATOR, OUTDOOR, HospitalGraph
from qdt_env.physical.state import BLOCKED, CARRIED, FREE, TRAPPED
from qdt_env.security.outcomes import DELIVERED
from qdt_env.viewer import symbols
from qdt_env.viewer.geometry import door_points, door_segments, push_apart, stand, walk
from qdt_env.viewer.moment import NO_MESSAGE, Moment, Side
from qdt_env.viewer.plan import StoreyArtists, building_marks

Array = np.ndarray[Any, Any]
_SMOKY = 0.05  # concentration from which smoke is drawn


@dataclass(frozen=True, eq=False)
class Plan:
    """What all panels of a building share.

    Attributes:
        graph: the building.
        team: (R,) robot kinds.
        doors: (E, 2) where passages cross walls, in m.
        segments: (E, 2, 2) lines across them, in m.
        px_per_m: scale of the picture.
        size: of the symbols, 1 = normal.
        dense_smoke: concentration above which smoke is dense.
    """

    graph: HospitalGraph
    team: Array
    doors: Array
    segments: Array
    px_per_m: float
    size: float
    dense_smoke: float

    @classmethod
    def of(cls, graph: HospitalGraph, team: Array, px_per_m: float, dense_smoke: float) -> "Plan":
        """The plan at a scale; symbols grow with it, within limits."""
        doors = door_points(graph)
        size = float(np.clip(px_per_m / 11.0, 0.75, 1.5))
        segments = door_segments(graph, doors, max(1.0, 9.0 * size / px_per_m))
        return cls(graph, team, doors, segments, px_per_m, size, dense_smoke)

    def metres(self, px: float) -> float:
        """Length of so many pixels of a symbol of normal size, in m."""
        return px * self.size / self.px_per_m


@dataclass(frozen=True, eq=False)
class Places:
    """Where everybody is drawn, in m; NaN for those not shown."""

    robots: Array  # (R, 2)
    patients: Array  # (P, 2)
    carried: Array  # (P,) bool, beside the robot that carries


def places_of(plan: Plan, side: Side) -> Places:
    """Places for everybody of one side; the handed over are not drawn."""
    graph = plan.graph
    carried = np.zeros(len(side.patient_zone), bool)
    waiting = np.isin(side.patient_status, (TRAPPED, FREE, CARRIED))
    zones = np.where(waiting, side.patient_zone, -1)
    loads = [
        (r, p) for r, p in enumerate(side.robot_patient) if 0 <= p < len(zones) and side.patient_status[p] == CARRIED
    ]
    for _, p in loads:
        carried[p], zones[p] = True, -1
    robots, patients = stand(graph, side.robot_zone, zones, plan.metres(24.0), plan.metres(14.5))
    for r, (zone, after) in enumerate(zip(side.robot_zone, side.robot_next, strict=True)):
        robots[r] = walk(graph, plan.doors, robots[r], int(zone), int(after), float(side.robot_fraction[r]))
    if (side.robot_next >= 0).any():
        robots = push_apart(robots, graph.storey[side.robot_zone], plan.metres(14.0))
    for r, p in loads:
        patients[p] = robots[r] + plan.metres(10.0) * np.array([1.0, -0.75])
    return Places(robots, patients, carried)


class StoreyPanel:
    """The artists of one storey; ``artists`` lists, from bottom to top, those that change."""

    def __init__(self, plan: Plan, storey: StoreyArtists, twin: bool) -> None:
        """Make the artists on the axes of ``storey``."""
        from matplotlib.collections import LineCollection, PolyCollection

        self.plan, self.storey, self.twin = plan, storey, twin
        self.axes = storey.axes
        graph = plan.graph
        storey.passages.remove()
        here = (graph.storey[graph.passage_zones] == storey.level).any(axis=1)
        self._passages, self._crosses = self._passage_marks(np.flatnonzero(here))
        size = plan.size
        boxes = graph.bbox_m.astype(float)
        self._boxes = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        grey: dict[str, Any] = {
            "facecolors": "none",
            "edgecolors": symbols.SMOKE_COLOUR,
            "linewidths": 0.0,
            "zorder": 1.5,
        }
        self._smoke = [self._add(PolyCollection([], hatch=hatch, **grey)) for hatch in ("///", "//////")]
        self._doors = self._add(LineCollection(list(plan.segments[self._passages]), linewidths=2.4 * size, zorder=2))
        self._fires = self._scatter("*", 130, 3, face=symbols.FIRE_COLOUR)
        self._blocked = self._scatter("x", 26, 3.1, face=symbols.BLOCKED_COLOUR, width=1.7 * size)
        self._free = self._scatter("o", 50, 4)
        self._trapped = self._scatter("D", 40, 4)
        self._unknown = self._scatter("o", 50, 4)
        self._questions = self._scatter(symbols.question_mark(), 22, 4.1, face=symbols.INK, width=0.3)
        self._halos = self._scatter("o", 420, 4.9, width=1.1)
        self._kinds = [self._scatter(m, 215, 5) for m in symbols.ROBOT_MARKERS]
        self._batteries = self._add(LineCollection([], linewidths=3.0 * size, capstyle="butt", zorder=5.2))
        self._bolts = self._scatter(symbols.bolt(), 130, 6, width=0.5)
        self._draw_corner_marks()
        self._labels = [self._label(r) for r in range(len(plan.team))]
        self.artists: list[Any] = [
            storey.zones, *self._smoke, *self._corner_marks, self._doors, self._fires, self._blocked, self._free,
            self._trapped, self._unknown, self._questions, self._halos, *self._kinds, self._batteries, *self._labels,
            self._bolts,
        ]  # fmt: skip

    def update(self, side: Side, places: Places, moment: Moment) -> None:
        """Show ``side`` of ``moment``."""
        self._show_building(side)
        self._show_patients(side, places)
        self._show_robots(side, places, moment)
        self._show_attacks(side, places, moment)

    def _add(self, collection: Any) -> Any:
        return self.axes.add_collection(collection)

    def _scatter(self, marker: Any, area: float, zorder: float, *, face: Any = "none", width: float = 0.9) -> Any:
        """An empty set of marks; ``area`` in points squared at normal size."""
        line_only = marker == "x" if isinstance(marker, str) else False
        edge = {} if line_only else {"edgecolors": symbols.INK}
        return self.axes.scatter(
            [],
            [],
            s=area * self.plan.size**2,
            marker=marker,
            color=None,
            facecolors=face,
            linewidths=width,
            zorder=zorder,
            **edge,
        )

    def _label(self, robot: int) -> Any:
        """The robot's number, white on its symbol."""
        return self.axes.text(
            0.0, 0.0, str(robot), color="white", fontsize=7.5 * self.plan.size, fontweight="bold", ha="center",
            va="center_baseline", zorder=5.3, clip_on=True, visible=False,
        )  # fmt: skip

    def _passage_marks(self, rows: Array) -> tuple[Array, Array]:
        """Passages drawn as doors of this storey, and (E, 2) where one is crossed out when blocked (NaN elsewhere)."""
        graph, level = self.plan.graph, self.storey.level
        ends = graph.passage_zones
        crosses = np.full((graph.n_passages, 2), np.nan)
        crosses[rows] = self.plan.doors[rows]
        between = rows[graph.storey[ends[rows, 0]] != graph.storey[ends[rows, 1]]]
        own = np.where(graph.storey[ends[between, 0]] == level, ends[between, 0], ends[between, 1])
        crosses[between] = graph.position_m[own, :2]
        inside = np.setdiff1d(rows, between)
        # A path round the building is known by its ends only: its middle would be a bar in some room.
        return inside[~np.isin(graph.passage_kind[inside], (ELEVATOR, OUTDOOR))], crosses

    def _draw_corner_marks(self) -> None:
        """Entrances, depots, gateways, stairs and elevators, small, in the corners of their zones."""
        graph = self.plan.graph
        self._corner_marks = []
        for label, zones, style in building_marks(graph):
            here = zones[graph.storey[zones] == self.storey.level]
            inset = self.plan.metres(7.0)
            x = graph.bbox_m[here, 2] - inset if label == "gateway" else graph.bbox_m[here, 0] + inset
            y = graph.bbox_m[here, 3] - inset if label != "depot" else graph.bbox_m[here, 1] + inset
            small = {**style, "markersize": style["markersize"] * 0.8 * self.plan.size}
            self._corner_marks += self.axes.plot(
                x, y, linestyle="", markeredgecolor="white", markeredgewidth=0.6, zorder=2.5, **small
            )

    def _show_building(self, side: Side) -> None:
        """Damage, smoke, fire, doors."""
        graph, level = self.plan.graph, self.storey.level
        colours = symbols.damage_rgb(side.damage, graph.indoor)
        self.storey.zones.set_facecolor(colours[self.storey.zone_rows])
        here = (graph.storey == level) & graph.indoor
        dense = side.smoke > self.plan.dense_smoke
        self._smoke[0].set_verts(self._boxes[here & ~dense & (side.smoke > _SMOKY)])
        self._smoke[1].set_verts(self._boxes[here & dense])
        self._fires.set_offsets(graph.position_m[here & side.burning, :2])
        condition = side.condition[self._passages]
        colour = symbols.rgb((symbols.OPEN_COLOUR, symbols.SLOW_COLOUR, symbols.BLOCKED_COLOUR))[condition]
        self._doors.set_color(colour)
        self._doors.set_linewidth(np.array([2.4, 4.0, 1.4])[condition] * self.plan.size)
        shut = (side.condition == BLOCKED) & ~np.isnan(self._crosses[:, 0])
        self._blocked.set_offsets(self._crosses[shut])

    def _here(self, zones: Array, places: Array) -> Array:
        """Which entities are drawn on this storey."""
        return (zones >= 0) & (self.plan.graph.storey[zones] == self.storey.level) & ~np.isnan(places[:, 0])

    def _show_patients(self, side: Side, places: Places) -> None:
        """Patients by status and triage; in the twin with rings by trust, and pale when the news is old."""
        here = self._here(side.patient_zone, places.patients)
        colour = np.concatenate([symbols.triage_rgb(side.patient_rpm), np.ones((len(here), 1))], axis=1)
        ring = np.tile([*symbols.rgb((symbols.INK,))[0], 1.0], (len(here), 1))
        if self.twin:
            colour[:, 3] = symbols.opacity(side.patient_age)
            ring[:, :3] = np.where(
                np.isnan(side.patient_trust)[:, None], ring[:, :3], symbols.trust_rgb(side.patient_trust)
            )
            colour[~side.patient_known] = (1.0, 1.0, 1.0, 0.75)
        trapped = side.patient_status == TRAPPED
        groups = ((self._free, ~trapped & side.patient_known), (self._trapped, trapped & side.patient_known),
                  (self._unknown, ~side.patient_known))  # fmt: skip
        for scatter, chosen in groups:
            scatter.set_offsets(places.patients[here & chosen])
            scatter.set_facecolor(colour[here & chosen])
            scatter.set_edgecolor(ring[here & chosen])
            scatter.set_linewidth(2.0 if self.twin else 0.9)
        self._unknown.set_linewidth(0.7)
        self._questions.set_offsets(places.patients[here & ~side.patient_known])

    def _show_robots(self, side: Side, places: Places, moment: Moment) -> None:
        """Robots by kind, with number and battery; in the twin where last reported, with a ring by trust."""
        here = self._here(side.robot_zone, places.robots)
        face = np.where(
            moment.alive[:, None], symbols.rgb((symbols.ROBOT_COLOUR,)), symbols.rgb((symbols.LOST_COLOUR,))
        )
        alpha = symbols.opacity(side.robot_age) if self.twin else np.ones(len(here))
        face = np.concatenate([face, alpha[:, None]], axis=1)
        ring = symbols.trust_rgb(side.robot_trust)
        for kind, scatter in enumerate(self._kinds):
            chosen = here & (self.plan.team == kind)
            scatter.set_offsets(places.robots[chosen])
            scatter.set_facecolor(face[chosen])
            scatter.set_edgecolor(ring[chosen])
            scatter.set_linewidth(2.2 if self.twin else 1.0)
        for r, label in enumerate(self._labels):
            label.set_visible(bool(here[r]))
            if here[r]:
                label.set_position(places.robots[r] - [0.0, self.plan.metres(2.0 if self.plan.team[r] == 2 else 0.5)])
        self._show_batteries(side.robot_energy, places.robots, here)

    def _show_batteries(self, energy: Array, robots: Array, here: Array) -> None:
        """A bar below each robot: dark ground, then the charge."""
        left = robots[here] - self.plan.metres(8.0) * np.array([1.0, 1.55])
        full = left + [self.plan.metres(16.0), 0.0]
        charge = left + (full - left) * np.clip(energy[here], 0.0, 1.0)[:, None]
        self._batteries.set_segments([*np.stack([left, full], axis=1), *np.stack([left, charge], axis=1)])
        ground = np.tile(symbols.rgb((symbols.INK,)), (len(left), 1))
        self._batteries.set_color(np.concatenate([ground, symbols.battery_rgb(energy[here])]))

    def _show_attacks(self, side: Side, places: Places, moment: Moment) -> None:
        """Halos round what is under attack and bolts for messages that went wrong; drawn on the twin's side only."""
        if not self.twin:
            return
        graph, robots = self.plan.graph, len(self.plan.team)
        gateways = graph.bbox_m[graph.gateways, 2:].astype(float) - self.plan.metres(7.0)
        spots = np.concatenate([places.robots, gateways])
        zones = np.concatenate([side.robot_zone, graph.gateways])
        here = self._here(zones, spots)
        attacked = here & moment.attacked
        attacked[:robots] &= moment.alive
        self._halos.set_offsets(spots[attacked])
        self._halos.set_edgecolor(symbols.VERDICT_COLOURS[5])
        area = np.where(np.arange(len(spots)) < robots, 420.0, 90.0) * self.plan.size**2
        self._halos.set_sizes(area[attacked])
        offsets, areas, colours = [], [], []
        for verdicts, side_of in ((moment.up, 1.0), (moment.down, -1.0)):
            wrong = here & (verdicts != NO_MESSAGE) & (verdicts != DELIVERED)
            reach = np.where(np.arange(len(spots)) < robots, 10.0, 5.0)[wrong, None]
            offsets.append(spots[wrong] + self.plan.metres(1.0) * reach * np.array([side_of, 1.0]))
            areas.append(np.where(np.arange(len(spots)) < robots, 130.0, 70.0)[wrong] * self.plan.size**2)
            colours += [symbols.VERDICT_COLOURS[v] for v in verdicts[wrong]]
        self._bolts.set_offsets(np.concatenate(offsets))
        self._bolts.set_sizes(np.concatenate(areas))
        self._bolts.set_facecolor(colours or "none")
        self._bolts.set_edgecolor("white")
