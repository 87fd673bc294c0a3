"""The scenarios that the environment must hold its contract in."""

import functools
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import networkx as nx
import pytest

from qdt_env.hospital import HospitalGraph
from qdt_env.physical.config import PhysicalConfig
from qdt_env.scenario import ScenarioConfig, load_scenario

# Many aftershocks, and a robot in a collapsing zone is lost.
SHAKING = PhysicalConfig(
    magnitude_gap=4.2, aftershock_pga_g=0.6, ignition=0.05, collapse_probability=0.3, lost_probability=1.0
)


def small_building() -> HospitalGraph:
    """Two storeys, eight zones: an entry, halls, rooms and a store."""
    graph = nx.Graph(building="small")
    zones = {
        "out": ("entry", 0, 0.0, 0.0), "hall": ("corridor", 0, 6.0, 0.0), "bed a": ("ward", 0, 6.0, 5.0),
        "store": ("storage", 0, 11.0, 0.0), "stair": ("stair", 0, 6.0, -5.0), "landing": ("stair", 1, 6.0, -5.0),
        "upper hall": ("corridor", 1, 6.0, 0.0), "bed b": ("ward", 1, 6.0, 5.0),
    }  # fmt: skip
    for zone, (function, level, x, y) in zones.items():
        graph.add_node(
            zone,
            function=function,
            area=60.0,
            centroid=(x, y, 4.0 * level),
            level=level,
            name=zone,
            department="nursing",
        )
    for a, b, kind in (
        ("out", "hall", "door"), ("hall", "bed a", "door"), ("hall", "store", "door"), ("hall", "stair", "opening"),
        ("stair", "landing", "stair"), ("landing", "upper hall", "opening"), ("upper hall", "bed b", "door"),
    ):  # fmt: skip
        graph.add_edge(a, b, kind=kind, length=5.0, width=1.2)
    return HospitalGraph.from_networkx(graph)


@pytest.fixture(scope="session")
def scenario_named(request: pytest.FixtureRequest) -> Callable[[str], ScenarioConfig]:
    """Scenarios by name: the presets, "real clinic", "small", "solo" (one robot, one patient) and "shaking"."""

    @functools.cache
    def load(name: str) -> ScenarioConfig:
        if name == "real clinic":
            path: Path = request.getfixturevalue("clinic_path")
            return load_scenario(path)
        if name == "small":
            return ScenarioConfig("small", small_building(), ("tracked", "aerial"), 60)
        if name == "solo":
            return ScenarioConfig("solo", small_building(), ("legged",), 60, patients=1)
        if name == "shaking":
            return replace(load_scenario("ward"), name="shaking", physical=SHAKING)
        return load_scenario(name)

    return load


# Every scenario x control x observation x place of the mask, in this order. These are quick or telling enough for the
# fast set, all others are slow.
KINDS = ("scenario", "control", "observation", "action_mask")
SCENARIOS = ("ward", "small", "solo", "real clinic", "clinic", "hospital")
CONTROLS, OBSERVATIONS, MASKS = ("task", "move"), ("flat", "graph"), ("obs", "info", "rllib", "none")
FAST = {
    *product(("ward",), CONTROLS, OBSERVATIONS, ("obs", "info")),
    ("ward", "task", "flat", "rllib"),
    ("ward", "move", "graph", "none"),
    *(
        (name, *kinds)
        for name in ("small", "real clinic")
        for kinds in (("task", "flat", "obs"), ("move", "graph", "info"))
    ),
    ("solo", "task", "graph", "obs"),
    ("solo", "move", "flat", "info"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for all four kinds get every combination; those that ask for the scenario alone get each."""
    if set(KINDS) <= set(metafunc.fixturenames):
        every = product(SCENARIOS, CONTROLS, OBSERVATIONS, MASKS)
        marked = [pytest.param(*case, marks=() if case in FAST else pytest.mark.slow) for case in every]
        metafunc.parametrize(KINDS, marked)
    elif "scenario" in metafunc.fixturenames:
        fast = {case[0] for case in FAST}
        marks = {name: () if name in fast else pytest.mark.slow for name in SCENARIOS}
        metafunc.parametrize("scenario", [pytest.param(name, marks=marks[name]) for name in SCENARIOS])
