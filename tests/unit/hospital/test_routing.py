"""Routing: the hierarchy is exact, against networkx' Dijkstra, on any graph, weights and closures."""

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.frames import Frame
from qdt_env.hospital import HospitalGraph, generate_building, load_building
from qdt_env.hospital.routing import build_hierarchy, customise, travel_times, travel_times_to_any

REL = 64 * 2.0**-24  # at most some sixty float32 additions along a way


def dijkstra(graph: HospitalGraph, passage_s: np.ndarray[Any, Any], sources: set[int]) -> np.ndarray[Any, Any]:
    """Seconds from the nearest source to every zone, by networkx in float64; inf where there is no way."""
    weighted = nx.MultiGraph()
    weighted.add_nodes_from(range(graph.n_zones))
    for (a, b), seconds in zip(graph.passage_zones.tolist(), passage_s.tolist(), strict=True):
        if np.isfinite(seconds):
            weighted.add_edge(a, b, s=seconds)
    times = np.full(graph.n_zones, np.inf)
    for zone, seconds in nx.multi_source_dijkstra_path_length(weighted, sources, weight="s").items():
        times[zone] = seconds
    return times


def random_passage_s(graph: HospitalGraph, rng: np.random.Generator, closed: float) -> np.ndarray[Any, Any]:
    """Random crossing times over four decades, a share of the passages closed."""
    seconds = (10.0 ** rng.uniform(-1, 3, graph.n_passages)).astype(np.float32)
    seconds[rng.random(graph.n_passages) < closed] = np.inf
    return seconds


def check_exact(graph: HospitalGraph, passage_s: np.ndarray[Any, Any], sources: list[int]) -> None:
    hierarchy = build_hierarchy(graph)
    arc_s = np.empty(hierarchy.arc_zone.size, np.float32)
    time_s = np.empty(graph.n_zones, np.float32)
    frame = Frame(hierarchy)
    customise(frame, passage_s, arc_s)
    for source in sources:
        travel_times(frame, arc_s, source, time_s)
        np.testing.assert_allclose(time_s, dijkstra(graph, passage_s, {source}), rtol=REL, atol=0)
        assert time_s[source] == 0.0
    travel_times_to_any(frame, arc_s, np.array(sources, np.int32), time_s)
    np.testing.assert_allclose(time_s, dijkstra(graph, passage_s, set(sources)), rtol=REL, atol=0)


@st.composite
def tangles(draw: st.DrawFn) -> tuple[HospitalGraph, np.ndarray[Any, Any]]:
    """A connected multigraph, much denser than a building, with crossing times of which some are inf or equal."""
    n = draw(st.integers(2, 14))
    graph = nx.MultiGraph()
    for z in range(n):
        function = "entry" if z == 0 else "corridor"
        graph.add_node(str(z), function=function, department="none", area=9.0, centroid=[float(z), 0.0, 0.0], level=0)
    pairs = [(draw(st.integers(0, z - 1)), z) for z in range(1, n)]
    pairs += draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30))
    for number, (a, b) in enumerate(pairs):
        if a != b:
            graph.add_edge(str(a), str(b), key=f"p{number}", kind="door", length=1.0, width=1.0)
    building = HospitalGraph.from_networkx(graph)
    e = building.n_passages
    weight = st.one_of(st.just(float("inf")), st.integers(1, 5).map(float), st.floats(2.0**-6, 1e4, width=32))
    return building, np.array(draw(st.lists(weight, min_size=e, max_size=e)), np.float32)


@given(tangles())
@settings(max_examples=150)
def test_exact_on_any_tangle(case: tuple[HospitalGraph, np.ndarray[Any, Any]]) -> None:
    graph, passage_s = case
    check_exact(graph, passage_s, list(range(graph.n_zones)))


@pytest.mark.parametrize(("preset", "sources"), [("ward", 24), ("clinic", 12), ("hospital", 6)])
@pytest.mark.parametrize("closed", [0.0, 0.1, 0.4])
def test_exact_on_generated_buildings(preset: str, sources: int, closed: float) -> None:
    rng = np.random.default_rng(20)
    graph = generate_building(preset, 3)
    for _ in range(3):
        picked = rng.choice(graph.n_zones, min(sources, graph.n_zones), replace=False)
        check_exact(graph, random_passage_s(graph, rng, closed), picked.tolist())


@pytest.mark.parametrize("closed", [0.0, 0.2])
def test_exact_on_the_real_clinic(clinic_path: Path, closed: float) -> None:
    rng = np.random.default_rng(21)
    graph = load_building(clinic_path)
    for _ in range(3):
        passage_s = random_passage_s(graph, rng, closed)
        check_exact(
            graph, passage_s, [*graph.entrances.tolist(), *rng.choice(graph.n_zones, 20, replace=False).tolist()]
        )


def test_the_hierarchy_is_an_elimination_order_with_all_its_triangles() -> None:
    graph = generate_building("clinic", 1)
    hierarchy = build_hierarchy(graph)
    assert sorted(hierarchy.order.tolist()) == list(range(graph.n_zones))
    assert (hierarchy.rank[hierarchy.order] == np.arange(graph.n_zones)).all()
    ends = {}
    for k, v in enumerate(hierarchy.order.tolist()):
        first, last = hierarchy.first_arc[k : k + 2]
        later = hierarchy.arc_zone[first:last].tolist()
        assert all(hierarchy.rank[u] > k for u in later) and len(set(later)) == len(later)
        assert hierarchy.parent[v] == (later[0] if later else -1)
        ends |= {(v, u): first + i for i, u in enumerate(later)}
        # What is left of a zone's neighbours when it goes is a clique: without this the sweeps would not be exact.
        for i, u in enumerate(later):
            assert all((u, w) in ends or (w, u) in ends or hierarchy.rank[u] > k for w in later[i + 1 :])
    for a, b, c in hierarchy.triangles.tolist():
        assert 0 <= a < b < hierarchy.arc_zone.size and c > b
    for (a, b), arc in zip(graph.passage_zones.tolist(), hierarchy.passage_arc.tolist(), strict=True):
        assert ends[(a, b) if hierarchy.rank[a] < hierarchy.rank[b] else (b, a)] == arc


def test_buildings_need_few_shortcuts() -> None:
    """The reason for this algorithm: the number of arcs stays near the number of passages."""
    for preset in ("ward", "clinic", "hospital"):
        graph = generate_building(preset, 0)
        hierarchy = build_hierarchy(graph)
        assert hierarchy.arc_zone.size <= 2 * graph.n_passages
        assert len(hierarchy.triangles) <= 4 * graph.n_passages


def test_parallel_passages_take_the_quicker_one() -> None:
    graph = nx.MultiGraph()
    for z, function in enumerate(("entry", "corridor")):
        graph.add_node(str(z), function=function, department="none", area=9.0, centroid=[float(z), 0.0, 0.0], level=0)
    for key in ("slow", "quick", "shut"):
        graph.add_edge("0", "1", key=key, kind="door", length=1.0, width=1.0)
    building = HospitalGraph.from_networkx(graph)
    seconds = {"slow": 9.0, "quick": 4.0, "shut": np.inf}
    check_exact(building, np.array([seconds[p] for p in building.passage_id], np.float32), [0, 1])
