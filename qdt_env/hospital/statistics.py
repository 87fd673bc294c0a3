"""What a building's graph is like, as numbers that two buildings can be compared by."""

from dataclasses import asdict, dataclass
from typing import Any

import networkx as nx
import numpy as np

from qdt_env.hospital.graph import HospitalGraph
from qdt_env.hospital.vocabulary import ZONE_KINDS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BuildingStatistics:
    """Statistics of one building."""

    name: str
    zones: int
    passages: int
    storeys: int
    entrances: int
    depots: int
    gateways: int
    degree_mean: float  # passages at a zone, parallel ones counted each
    degree_max: int
    leaves_share: float  # 0 .. 1, zones with one passage
    bridges: int  # passages whose loss cuts the building in two
    bridges_share: float  # 0 .. 1 of the passages
    cycles: int  # independent cycles, passages - zones + 1
    hop_diameter: int  # most passages between two zones by the shortest way
    area_total_m2: float
    area_mean_m2: float
    indoor_area_m2: float
    entrance_m_p50: float  # walking distance to the nearest entrance over all zones, entrances included (0 m)
    entrance_m_p90: float
    entrance_m_max: float
    area_shares: dict[str, float]  # by zone function, of the indoor area; sums to 1

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and texts, for JSON."""
        return asdict(self)


def entrance_distance_m(graph: HospitalGraph) -> Array:
    """Walking distance of every zone to the nearest entrance along passage lengths, (Z,) float64 in m, all >= 0."""
    network = graph.to_networkx()
    sources = {graph.zone_id[row] for row in graph.entrances}
    reached = nx.multi_source_dijkstra_path_length(network, sources, weight="length")
    return np.array([reached[zone] for zone in graph.zone_id])


def count_bridges(graph: HospitalGraph) -> int:
    """Passages whose loss cuts the building in two; a pair joined by parallel passages has none."""
    network = graph.to_networkx()
    return sum(network.number_of_edges(first, second) == 1 for first, second in nx.bridges(nx.Graph(network)))


def area_shares(graph: HospitalGraph) -> dict[str, float]:
    """Share of the indoor area by zone function, largest first; sums to 1."""
    area = graph.area_m2.astype(np.float64) * graph.indoor
    by_kind = np.bincount(graph.zone_kind, weights=area, minlength=len(ZONE_KINDS)) / area.sum()
    return {ZONE_KINDS[kind]: float(by_kind[kind]) for kind in np.argsort(-by_kind, kind="stable") if by_kind[kind] > 0}


def measure_building(graph: HospitalGraph) -> BuildingStatistics:
    """Measure a building; seconds for some thousand zones, since the diameter takes a search from every zone."""
    degree = (graph.neighbour_zone >= 0).sum(axis=1)
    bridges = count_bridges(graph)
    p50, p90, most = np.percentile(entrance_distance_m(graph), [50, 90, 100])
    area = graph.area_m2.astype(np.float64)
    return BuildingStatistics(
        name=graph.name,
        zones=graph.n_zones,
        passages=graph.n_passages,
        storeys=graph.n_storeys,
        entrances=len(graph.entrances),
        depots=len(graph.depots),
        gateways=len(graph.gateways),
        degree_mean=float(degree.mean()),
        degree_max=int(degree.max()),
        leaves_share=float((degree == 1).mean()),
        bridges=bridges,
        bridges_share=bridges / max(graph.n_passages, 1),
        cycles=graph.n_passages - graph.n_zones + 1,
        hop_diameter=int(nx.diameter(nx.Graph(graph.to_networkx()))),
        area_total_m2=float(area.sum()),
        area_mean_m2=float(area.mean()),
        indoor_area_m2=float(area[graph.indoor].sum()),
        entrance_m_p50=float(p50),
        entrance_m_p90=float(p90),
        entrance_m_max=float(most),
        area_shares=area_shares(graph),
    )
