"""Properties of buildings: exact round trips, and invariants of everything the generator makes."""

import tempfile
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.hospital import (
    PASSAGE_KINDS,
    ZONE_KINDS,
    BuildingError,
    GeneratorConfig,
    HospitalGraph,
    generate_building,
    load_building,
    save_building,
)
from qdt_env.hospital.programme import DEPARTMENTS

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
SIZES = st.floats(1e-3, 1e4, allow_nan=False)
PLACES = st.lists(st.floats(-1e4, 1e4, allow_nan=False), min_size=3, max_size=3)


@st.composite
def buildings(draw: st.DrawFn) -> Any:
    """A small connected multigraph with an entrance and an indoor zone, otherwise anything."""
    zones = draw(st.lists(NAMES, min_size=2, max_size=8, unique=True))
    graph = nx.MultiGraph(building=draw(NAMES))
    for row, zone in enumerate(zones):
        function = ("entry", "corridor")[row] if row < 2 else draw(st.sampled_from(ZONE_KINDS))
        graph.add_node(
            zone,
            name=draw(NAMES),
            function=function,
            department=draw(st.sampled_from(["none", "Dental", "Logistics"])),
            level=0 if row == 0 else draw(st.integers(0, 1)),
            area=draw(SIZES),
            centroid=draw(PLACES),
            columns=draw(st.integers(0, 9)),
        )
    extra = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=8))
    tree = [(draw(st.integers(0, row - 1)), row) for row in range(1, len(zones))]
    pairs = tree + [(a % len(zones), b % len(zones)) for a, b in extra]
    for number, (first, second) in enumerate(pairs):
        if first != second:
            kind = draw(st.sampled_from(PASSAGE_KINDS))
            ends = zones[first], zones[second]
            graph.add_edge(*ends, key=f"p{number}", kind=kind, length=draw(SIZES), width=draw(SIZES))
    return graph


@given(buildings())
@settings(max_examples=60)
def test_networkx_json_and_graphml_round_trips_are_exact(graph: Any) -> None:
    building = HospitalGraph.from_networkx(graph)
    again = HospitalGraph.from_networkx(building.to_networkx())
    assert again.digest() == building.digest()
    assert again.passage_id == building.passage_id
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("json", "graphml"):
            path = Path(folder) / f"b.{suffix}"
            save_building(building, path)
            assert load_building(path).digest() == building.digest()


@given(buildings())
@settings(max_examples=60)
def test_slots_and_gateways_are_complete(graph: Any) -> None:
    building = HospitalGraph.from_networkx(graph)
    filled = building.neighbour_passage >= 0
    assert (filled == (building.neighbour_zone >= 0)).all()
    counts = np.bincount(building.neighbour_passage[filled], minlength=building.n_passages)
    assert (counts == 2).all()
    assert (np.diff(np.where(filled, building.neighbour_passage, 10**6), axis=1) >= 0).all()
    assert building.zone_gateway.min() >= 0 and building.zone_gateway.max() < len(building.gateways)
    assert building.indoor[building.gateways].all()
    assert (building.zone_gateway[building.gateways] == np.arange(len(building.gateways))).all()


configs = st.builds(
    dict,
    zones=st.integers(8, 400),
    storeys=st.integers(1, 4),
    wings=st.integers(1, 7),
    entrances=st.integers(1, 9),
    stairs=st.integers(0, 4),
    elevators=st.integers(0, 2),
    departments=st.lists(st.sampled_from(list(DEPARTMENTS)), min_size=1, max_size=8).map(tuple),
    mean_zone_m2=st.floats(10.0, 60.0),
    loop_share=st.floats(0.0, 0.3),
    annex_share=st.floats(0.0, 0.5),
)


@given(configs, st.integers(0, 2**64))
@settings(max_examples=80)
def test_a_config_is_built_as_asked_or_refused_by_name(fields: dict[str, Any], seed: int) -> None:
    try:
        building = generate_building(GeneratorConfig("any", **fields), seed)
    except BuildingError as error:
        assert str(error).split(":")[0] in fields
        return
    assert building.n_zones == fields["zones"]
    assert building.n_storeys == fields["storeys"]
    assert len(building.entrances) == fields["entrances"]
    assert len(building.depots) >= 1
    box = building.bbox_m[building.indoor].astype(float)
    assert (box[:, 2] - box[:, 0] > 0.2).all() and (box[:, 3] - box[:, 1] > 0.2).all()
    assert nx.is_connected(building.to_networkx())


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_generation_is_a_function_of_the_seed(seed: int) -> None:
    assert generate_building("ward", seed).digest() == generate_building("ward", seed).digest()
