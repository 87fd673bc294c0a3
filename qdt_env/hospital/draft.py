"""A building while it is being generated: zones and passages added one by one, joined through a point in space."""

import math
from typing import Any

import networkx as nx
import numpy as np

from qdt_env.hospital.layout import Box, Point

# Structural columns by floor area; clinic: 309 on 4254 m2 indoors.
_COLUMNS_PER_M2 = 0.0726

# Clear widths in m: a single and a double door (clinic: .915 and 1.83, about one in thirty), stair, lift.
SINGLE_DOOR_M = 0.915
DOUBLE_DOOR_M = 1.83
STAIR_M = 1.2
LIFT_M = 0.9
OUTDOOR_M = 4.0


class Draft:
    """Zones and passages so far, as a networkx graph, and the draws they need."""

    def __init__(self, name: str, rng: np.random.Generator) -> None:
        """An empty building; ``rng`` is drawn from in the order of the calls."""
        self.graph: Any = nx.MultiGraph(building=name, units="m")
        self.rng = rng
        self._passages = 0

    def add_zone(self, zone: str, function: str, department: str, level: int, box: Box, height_m: float) -> str:
        """Add a rectangular zone (box in m, floor at ``height_m``) and return its id."""
        area = (box[2] - box[0]) * (box[3] - box[1])
        self.graph.add_node(
            zone,
            name=f"{department} {function}".replace("_", " ").upper(),
            function=function,
            department=department,
            level=level,
            area=area,
            centroid=[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, height_m],
            bbox=list(box),
            columns=int(self.rng.poisson(_COLUMNS_PER_M2 * area)),
        )
        return zone

    def add_entry(self, zone: str, at: Point, area_m2: float, height_m: float) -> str:
        """Add an entrance: an outdoor place with an area and no known outline."""
        self.graph.add_node(
            zone,
            name=f"entrance {zone.removeprefix('OUT:')}",
            function="entry",
            department="none",
            level=0,
            area=area_m2,
            centroid=[at[0], at[1], height_m],
            columns=0,
        )
        return zone

    def join(
        self, first: str, second: str, kind: str, *, at: Point | None = None, width_m: float, length_m: float = 0.0
    ) -> None:
        """Add a passage; its length is centroid to centroid through ``at`` unless it is given."""
        if at is not None:
            length_m = math.dist(self.place(first), at) + math.dist(at, self.place(second))
        key = f"{kind}:{self._passages:04d}"
        self._passages += 1
        self.graph.add_edge(first, second, key=key, kind=kind, width=width_m, length=max(length_m, 0.5))

    def join_door(self, first: str, second: str, at: Point) -> None:
        """Add a door, one in thirty of them double."""
        self.join(first, second, "door", at=at, width_m=DOUBLE_DOOR_M if self.rng.random() < 1 / 30 else SINGLE_DOOR_M)

    def join_opening(self, first: str, second: str, at: Point) -> None:
        """Add an opening without a door (clinic: .75 to 8.95 m wide, mean 2.1)."""
        width = float(np.clip(self.rng.lognormal(math.log(1.8), 0.5), 0.75, 5.0))
        self.join(first, second, "opening", at=at, width_m=width)

    def join_corridors(self, first: str, second: str, at: Point, width_m: float) -> None:
        """Join two pieces of corridor: run through, narrowed by an opening, or parted by a fire door.

        Clinic: 11 halls, 20 openings, 17 doors; more halls here, since its openings mostly lead into alcoves.
        """
        draw = self.rng.random()
        if draw < 0.5:
            self.join(first, second, "hall", at=at, width_m=width_m)
        elif draw < 0.75:
            self.join_opening(first, second, at)
        else:
            self.join(first, second, "door", at=at, width_m=DOUBLE_DOOR_M)

    def place(self, zone: str) -> Point:
        """Plan position of a zone's centroid, in m."""
        x, y, _ = self.graph.nodes[zone]["centroid"]
        return x, y

    def box(self, zone: str) -> Box:
        """Plan rectangle of a zone that has one, in m."""
        xmin, ymin, xmax, ymax = self.graph.nodes[zone]["bbox"]
        return xmin, ymin, xmax, ymax

    @property
    def n_cycles(self) -> int:
        """Independent cycles of the (connected) graph so far."""
        return int(self.graph.number_of_edges() - self.graph.number_of_nodes() + 1)
