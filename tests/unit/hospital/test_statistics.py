"""Building statistics: by hand on a small graph, published figures on the real clinic."""

from pathlib import Path

import networkx as nx
import pytest

from qdt_env.hospital import HospitalGraph, load_building, measure_building


def test_a_building_counted_by_hand() -> None:
    """Entrance - corridor =2= room - store: one bridge to each leaf, none between the doubly joined pair."""
    graph = nx.MultiGraph()
    for row, (zone, function) in enumerate([("o", "entry"), ("c", "corridor"), ("r", "exam"), ("s", "storage")]):
        graph.add_node(zone, function=function, area=10.0 * (row + 1), centroid=[5.0 * row, 0, 0], level=0)
    for key, first, second, length in (("1", "o", "c", 5), ("2", "c", "r", 6), ("3", "c", "r", 5), ("4", "r", "s", 7)):
        graph.add_edge(first, second, key=key, kind="door", length=length, width=1)
    measured = measure_building(HospitalGraph.from_networkx(graph))
    assert (measured.degree_mean, measured.degree_max, measured.leaves_share) == (2.0, 3, 0.5)
    assert (measured.bridges, measured.bridges_share, measured.cycles, measured.hop_diameter) == (2, 0.5, 1, 3)
    assert (measured.area_total_m2, measured.area_mean_m2, measured.indoor_area_m2) == (100.0, 25.0, 90.0)
    assert measured.entrance_m_max == 17.0
    assert measured.entrance_m_p50 == 7.5
    assert measured.area_shares == pytest.approx({"storage": 4 / 9, "exam": 3 / 9, "corridor": 2 / 9})


def test_the_real_clinic_has_its_known_statistics(clinic_path: Path) -> None:
    """191 adjacent pairs are bridges; one of them is joined twice, so 190 passages are."""
    measured = measure_building(load_building(clinic_path))
    assert measured.degree_mean == pytest.approx(664 / 292)
    assert (measured.degree_max, measured.hop_diameter, measured.bridges) == (11, 18, 190)
    assert measured.leaves_share == pytest.approx(174 / 292)
    assert measured.area_total_m2 == pytest.approx(5263.51, abs=0.05)
    assert measured.entrance_m_max == pytest.approx(79.96, abs=0.01)
    assert sum(measured.area_shares.values()) == pytest.approx(1.0)
