"""HospitalGraph: what it holds, and that every fault of a building is named."""

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from qdt_env.hospital import ELEVATOR, PASSAGE_KINDS, ZONE_KINDS, BuildingError, HospitalGraph, load_building

ARRAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "zone_kind": ("int8", ("Z",)),
    "storey": ("int16", ("Z",)),
    "area_m2": ("float32", ("Z",)),
    "position_m": ("float32", ("Z", "3")),
    "bbox_m": ("float32", ("Z", "4")),
    "columns": ("int16", ("Z",)),
    "indoor": ("bool", ("Z",)),
    "passage_zones": ("int32", ("E", "2")),
    "passage_kind": ("int8", ("E",)),
    "length_m": ("float32", ("E",)),
    "width_m": ("float32", ("E",)),
    "neighbour_zone": ("int32", ("Z", "D")),
    "neighbour_passage": ("int32", ("Z", "D")),
    "entrances": ("int32", ("N",)),
    "depots": ("int32", ("M",)),
    "gateways": ("int32", ("G",)),
    "zone_gateway": ("int32", ("Z",)),
}


def small_building() -> Any:
    """An entrance, a corridor, two rooms, and a second way into one of them."""
    graph = nx.MultiGraph(building="small")
    zones = {
        "out": ("entry", "none", (0, -5, 0)),
        "hall": ("corridor", "Circulation", (0, 0, 0)),
        "room": ("exam", "Dental", (5, 0, 0)),
        "store": ("storage", "Dental", (9, 0, 0)),
    }
    for zone, (function, department, centroid) in zones.items():
        graph.add_node(zone, function=function, department=department, area=16.0, centroid=list(centroid), level=0)
    for key, first, second in (("d1", "out", "hall"), ("d2", "hall", "room"), ("d3", "hall", "room")):
        graph.add_edge(first, second, key=key, kind="door", length=5.0, width=0.9)
    graph.add_edge("room", "store", key="d4", kind="opening", length=4.0, width=2.0)
    return graph


def test_arrays_have_the_stated_types_and_cannot_be_written() -> None:
    graph = HospitalGraph.from_networkx(small_building())
    sizes = {"Z": 4, "E": 4, "D": graph.max_degree, "3": 3, "4": 4, "2": 2}
    for name, (dtype, shape) in ARRAYS.items():
        array = getattr(graph, name)
        assert array.dtype == np.dtype(dtype), name
        assert array.ndim == len(shape), name
        assert all(sizes.get(size, length) == length for size, length in zip(shape, array.shape, strict=True)), name
        assert array.flags.c_contiguous and not array.flags.writeable, name
        with pytest.raises(ValueError):
            array[...] = 0


def test_the_parts_of_a_small_building() -> None:
    graph = HospitalGraph.from_networkx(small_building())
    assert (graph.n_zones, graph.n_passages, graph.max_degree, graph.n_storeys) == (4, 4, 3, 1)
    assert graph.indoor.tolist() == [False, True, True, True]
    assert graph.entrances.tolist() == [0]
    assert graph.depots.tolist() == [3]
    assert graph.neighbour_zone[1].tolist() == [0, 2, 2]
    assert [graph.passage_id[p] for p in graph.neighbour_passage[1]] == ["d1", "d2", "d3"]
    assert graph.neighbour_zone[3].tolist() == [2, -1, -1]
    # Gateways in order of department name: Circulation in the corridor, Dental in one of its two rooms.
    assert [graph.zone_id[g] for g in graph.gateways] == ["hall", "room"]
    assert graph.zone_gateway.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(graph.bbox_m[1], [-2, -2, 2, 2])


def test_neighbour_slots_lead_back() -> None:
    graph = HospitalGraph.from_networkx(small_building())
    for zone, slot in np.argwhere(graph.neighbour_zone >= 0):
        other = graph.neighbour_zone[zone, slot]
        assert set(graph.passage_zones[graph.neighbour_passage[zone, slot]].tolist()) == {zone, other}


def test_digest_changes_with_any_field_and_not_otherwise() -> None:
    one = HospitalGraph.from_networkx(small_building())
    assert one.digest() == HospitalGraph.from_networkx(one.to_networkx()).digest()
    for change in ({"area": 17.0}, {"department": "Other"}, {"columns": 2}, {"name": "x"}):
        graph = small_building()
        graph.nodes["room"].update(change)
        assert HospitalGraph.from_networkx(graph).digest() != one.digest(), change


@pytest.mark.parametrize(
    ("zone", "attribute", "value", "words"),
    [
        ("room", "area", -1.0, ["room", "area", "-1.0"]),
        ("room", "area", 0, ["room", "area"]),
        ("room", "area", float("nan"), ["room", "area", "finite"]),
        ("room", "area", "big", ["room", "area", "'big'"]),
        ("room", "area", None, ["room", "area", "missing"]),
        ("room", "area", 1e-60, ["room", "area"]),
        ("room", "area", 1e60, ["room", "area"]),
        ("room", "centroid", [0, 1], ["room", "centroid", "3"]),
        ("room", "centroid", [0, 1, float("inf")], ["room", "centroid", "finite"]),
        ("room", "function", "cinema", ["room", "cinema", "office"]),
        ("room", "function", None, ["room", "function", "missing"]),
        ("room", "bbox", [1, 1, 0, 2], ["room", "bbox", "xmin"]),
        ("room", "columns", -1, ["room", "columns"]),
        ("room", "columns", 1.5, ["room", "columns", "whole"]),
        ("room", "level", 2, ["contiguous", "'1'"]),
        ("room", "level", 0.5, ["room", "level"]),
        ("out", "function", "corridor", ["no entrance", "entry"]),
    ],
)
def test_a_bad_zone_is_named(zone: str, attribute: str, value: Any, words: list[str]) -> None:
    graph = small_building()
    graph.nodes[zone][attribute] = value
    with pytest.raises(BuildingError) as error:
        HospitalGraph.from_networkx(graph)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("kind", "portal", ["portal", "door, opening"]),
        ("kind", None, ["kind", "missing"]),
        ("length", -2.0, ["length", "-2.0"]),
        ("length", 0.0, ["length", "above 0"]),
        ("length", float("nan"), ["length", "finite"]),
        ("width", 0.0, ["width", "above 0"]),
        ("width", None, ["width", "missing"]),
    ],
)
def test_a_bad_passage_is_named(attribute: str, value: Any, words: list[str]) -> None:
    graph = small_building()
    graph.edges["hall", "room", "d2"][attribute] = value
    with pytest.raises(BuildingError) as error:
        HospitalGraph.from_networkx(graph)
    assert all(word in str(error.value) for word in ["'d2'", "hall", "room", *words]), str(error.value)


def test_faults_of_the_whole_graph_are_named() -> None:
    cut = small_building()
    cut.remove_edge("room", "store")
    with pytest.raises(BuildingError, match="disconnected: 2 parts.*'store'"):
        HospitalGraph.from_networkx(cut)
    loop = small_building()
    loop.add_edge("room", "room", key="d9", kind="door", length=1.0, width=1.0)
    with pytest.raises(BuildingError, match="'d9'.*itself"):
        HospitalGraph.from_networkx(loop)
    twice = small_building()
    twice.add_edge("room", "store", key="d1", kind="door", length=1.0, width=1.0)
    with pytest.raises(BuildingError, match="passage ids must be unique.*'d1'"):
        HospitalGraph.from_networkx(twice)
    same = small_building()
    same.add_node(1, **same.nodes["room"])
    same.add_node("1", **same.nodes["room"])
    with pytest.raises(BuildingError, match="zone ids must be unique.*'1'"):
        HospitalGraph.from_networkx(same)
    with pytest.raises(BuildingError, match="no zones"):
        HospitalGraph.from_networkx(nx.MultiGraph())
    with pytest.raises(BuildingError, match="undirected"):
        HospitalGraph.from_networkx(small_building().to_directed())
    with pytest.raises(BuildingError, match="expected a networkx.*dict"):
        HospitalGraph.from_networkx({})
    with pytest.raises(BuildingError, match="no indoor zone"):
        yard = nx.Graph()
        yard.add_node("out", function="entry", area=1.0, centroid=[0, 0, 0], level=0)
        HospitalGraph.from_networkx(yard)


def test_a_simple_graph_and_storey_labels_do() -> None:
    graph = nx.Graph(small_building())
    for zone, data in graph.nodes(data=True):
        del data["level"]
        data["storey"] = "Upper" if zone == "store" else "Lower"
    graph.nodes["store"]["centroid"] = [9, 0, 4]
    building = HospitalGraph.from_networkx(graph, name="labels")
    assert building.storey.tolist() == [0, 0, 0, 1]
    assert building.name == "labels"
    assert building.n_passages == 3


def test_the_vocabulary_keeps_its_order() -> None:
    assert PASSAGE_KINDS == ("door", "opening", "hall", "stair", "elevator", "elevator_door", "outdoor")
    assert PASSAGE_KINDS[ELEVATOR] == "elevator"
    assert len(set(ZONE_KINDS)) == len(ZONE_KINDS) < 128


def test_the_real_clinic(clinic_path: Path) -> None:
    graph = load_building(clinic_path)
    assert (graph.n_zones, graph.n_passages, len(graph.entrances), graph.n_storeys) == (292, 332, 13, 2)
    assert graph.name == "Medical-Dental Clinic"
    assert graph.max_degree == 11
    pairs = np.unique(np.sort(graph.passage_zones, axis=1), axis=0)
    assert len(pairs) == 332 - 4  # four pairs of zones are joined twice
    depots = {graph.zone_id[row] for row in graph.depots}
    assert depots == {"1A16#0", "1A16#1", "1B08", "1D03", "1D37", "2C19"}
    groups = {(s, d) for s, d, i in zip(graph.storey, graph.department, graph.indoor, strict=True) if i}
    assert len(graph.gateways) == len(groups) == 24
    served = graph.gateways[graph.zone_gateway]
    assert (graph.storey[served] == graph.storey).all()
    assert graph.indoor[graph.gateways].all()
