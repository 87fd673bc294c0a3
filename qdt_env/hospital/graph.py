"""The building as frozen arrays, made from and turned back into a networkx graph."""

import hashlib
from dataclasses import dataclass, fields
from typing import Any

import networkx as nx
import numpy as np

from qdt_env.hospital.reading import check_connected, check_graph, read_passages, read_zones
from qdt_env.hospital.services import find_depots, find_entrances, is_indoor, place_gateways
from qdt_env.hospital.vocabulary import (
    DOOR,
    ELEVATOR,
    ELEVATOR_DOOR,
    HALL,
    OPENING,
    OUTDOOR,
    PASSAGE_KINDS,
    STAIR,
    ZONE_KINDS,
    BuildingError,
)

__all__ = [
    "DOOR",
    "ELEVATOR",
    "ELEVATOR_DOOR",
    "HALL",
    "OPENING",
    "OUTDOOR",
    "PASSAGE_KINDS",
    "STAIR",
    "ZONE_KINDS",
    "BuildingError",
    "HospitalGraph",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class HospitalGraph:
    """Zones and passages of a hospital; every array is C-contiguous and cannot be written to.

    Two buildings are the same when their :meth:`digest` is. Build one with :meth:`from_networkx`, which checks
    everything; the constructor itself checks nothing.
    """

    name: str
    zone_id: tuple[str, ...]  # (Z,) unique
    zone_name: tuple[str, ...]  # (Z,)
    department: tuple[str, ...]  # (Z,) "none" where there is no department
    zone_kind: Array  # (Z,) int8 index into ZONE_KINDS
    storey: Array  # (Z,) int16 level number, 0 = ground, contiguous
    area_m2: Array  # (Z,) float32 > 0
    position_m: Array  # (Z, 3) float32 centroid
    bbox_m: Array  # (Z, 4) float32 xmin, ymin, xmax, ymax
    columns: Array  # (Z,) int16 >= 0, structural columns in the zone
    indoor: Array  # (Z,) bool, False for entry, outdoor and roof zones
    passage_id: tuple[str, ...]  # (E,) unique
    passage_zones: Array  # (E, 2) int32 zone indices, first < second
    passage_kind: Array  # (E,) int8 index into PASSAGE_KINDS
    length_m: Array  # (E,) float32 > 0, centroid to centroid through the passage
    width_m: Array  # (E,) float32 > 0, clear width
    neighbour_zone: Array  # (Z, D) int32 zone index, -1 padded, slots in passage order
    neighbour_passage: Array  # (Z, D) int32 passage index, -1 padded
    entrances: Array  # (N,) int32 zone indices, N >= 1
    depots: Array  # (N,) int32 zone indices, may be empty
    gateways: Array  # (G,) int32 zone indices, G >= 1
    zone_gateway: Array  # (Z,) int32 index into gateways, 0 .. G-1

    @property
    def n_zones(self) -> int:
        """Number of zones, Z."""
        return len(self.zone_id)

    @property
    def n_passages(self) -> int:
        """Number of passages, E."""
        return len(self.passage_id)

    @property
    def max_degree(self) -> int:
        """Most passages at one zone, D; parallel passages count each."""
        return int(self.neighbour_zone.shape[1])

    @property
    def n_storeys(self) -> int:
        """Number of storeys."""
        return int(self.storey.max() - self.storey.min()) + 1

    @classmethod
    def from_networkx(cls, graph: Any, *, name: str | None = None) -> "HospitalGraph":
        """Check a networkx graph and freeze it.

        Args:
            graph: undirected Graph or MultiGraph. Nodes have ``function``, ``area`` (m2), ``centroid`` (x, y, z in m)
                and ``level`` or ``storey``, and may have ``name``, ``department``, ``bbox``, ``columns``; edges have
                ``kind``, ``length`` and ``width`` (m). The node is the zone's id, a text edge key the passage's.
            name: of the building; by default the graph attribute ``building`` or ``name``.

        Raises:
            BuildingError: The graph is no building; the message names the element at fault.
        """
        check_graph(graph)
        zones = read_zones(graph)
        passages = read_passages(graph)
        entrances = find_entrances(zones.zone_kind)
        check_connected(graph)
        indoor = is_indoor(zones.zone_kind)
        gateways, zone_gateway = place_gateways(zones, indoor)
        neighbour_zone, neighbour_passage = _neighbour_slots(len(zones.zone_id), passages.passage_zones)
        derived = {
            "indoor": indoor,
            "neighbour_zone": neighbour_zone,
            "neighbour_passage": neighbour_passage,
            "entrances": entrances,
            "depots": find_depots(zones),
            "gateways": gateways,
            "zone_gateway": zone_gateway,
        }
        title = name or graph.graph.get("building") or graph.graph.get("name") or "building"
        columns = {**vars(zones), **vars(passages), **derived}
        return cls(name=str(title), **{key: _frozen(value) for key, value in columns.items()})

    def to_networkx(self) -> Any:
        """A new ``nx.MultiGraph`` that :meth:`from_networkx` reads back to the same arrays.

        Values are plain Python numbers and lists, so the graph can be written as JSON as it is.
        """
        graph = nx.MultiGraph(building=self.name, units="m")
        for row, zone in enumerate(self.zone_id):
            graph.add_node(
                zone,
                name=self.zone_name[row],
                function=ZONE_KINDS[self.zone_kind[row]],
                department=self.department[row],
                level=int(self.storey[row]),
                area=float(self.area_m2[row]),
                centroid=self.position_m[row].tolist(),
                bbox=self.bbox_m[row].tolist(),
                columns=int(self.columns[row]),
            )
        for row, (first, second) in enumerate(self.passage_zones.tolist()):
            graph.add_edge(
                self.zone_id[first],
                self.zone_id[second],
                key=self.passage_id[row],
                kind=PASSAGE_KINDS[self.passage_kind[row]],
                length=float(self.length_m[row]),
                width=float(self.width_m[row]),
            )
        return graph

    def digest(self) -> str:
        """SHA-256 (hex) over every field: equal exactly when two buildings are the same."""
        state = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                # Little-endian, so that the digest is the same on every machine.
                content = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).tobytes()
                head = f"{field.name}:{value.dtype.name}:{value.shape}"
            else:
                texts = (value,) if isinstance(value, str) else value
                content = b"".join(len(raw).to_bytes(8, "little") + raw for raw in map(str.encode, texts))
                head = f"{field.name}:text:{len(texts)}"
            state.update(f"{head}:{len(content)}\n".encode())
            state.update(content)
        return state.hexdigest()


def _frozen(value: Any) -> Any:
    """The value; arrays as own, contiguous, read-only copies."""
    if not isinstance(value, np.ndarray):
        return value
    copy = np.array(value, order="C", copy=True)
    copy.setflags(write=False)
    return copy


def _neighbour_slots(n_zones: int, passage_zones: Array) -> tuple[Array, Array]:
    """Padded neighbour lists (Z, D): zone and passage behind each slot, -1 where there is none."""
    slots: list[list[tuple[int, int]]] = [[] for _ in range(n_zones)]
    for passage, (first, second) in enumerate(passage_zones.tolist()):
        slots[first].append((second, passage))
        slots[second].append((first, passage))
    degree = max(map(len, slots))
    padded = np.full((2, n_zones, degree), -1, np.int32)
    for zone, filled in enumerate(slots):
        for slot, pair in enumerate(filled):
            padded[:, zone, slot] = pair
    return padded[0], padded[1]
