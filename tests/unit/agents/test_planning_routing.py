"""Routes, their risk and what they cost each other, recomputed by hand on a small block of rooms."""

from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest

from agents.planning import Budget, PlanningError, RoutingConfig, make_planner, routing
from agents.planning.passage_risk import blocked_probability, collapse_rate_per_min
from agents.planning.route_couplings import clearing_saved
from qdt_env.hospital.graph import DOOR, ELEVATOR, OPENING
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import AERIAL, BLOCKED, COMPLETE, LEGGED, OPEN, TRACKED

CONFIG = PhysicalConfig()
# Zones 0 - 1 - 3 and 0 - 2 - 3, and an elevator 0 - 3; 3 - 4 is the only way to zone 4.
PASSAGES = [(0, 1), (1, 3), (0, 2), (2, 3), (0, 3), (3, 4)]
LENGTHS = [30.0, 30.0, 60.0, 60.0, 3.0, 30.0]


def snapshot(robot_zones, kinds=None, *, width_m=2.0, **changes):
    robots = len(robot_zones)
    building = SimpleNamespace(
        n_zones=5,
        n_passages=len(PASSAGES),
        passage_zones=np.array(PASSAGES),
        passage_kind=np.array([OPENING, OPENING, OPENING, OPENING, ELEVATOR, DOOR]),
        length_m=np.array(LENGTHS, dtype=np.float32),
        width_m=np.full(len(PASSAGES), width_m, dtype=np.float32),
        indoor=np.ones(5, dtype=bool),
    )
    fields = {
        "step": 60,
        "dt_s": 10.0,
        "horizon_steps": 720,
        "building": building,
        "physical": CONFIG,
        "patient_rpm": np.array([6.0], dtype=np.float32),
        "robot_kind": np.array(kinds or [TRACKED] * robots, dtype=np.int8),
        "robot_zone": np.array(robot_zones, dtype=np.int32),
        "robot_alive": np.ones(robots, dtype=bool),
        "robot_patient": np.full(robots, -1, dtype=np.int32),
        "passage_condition": np.zeros(len(PASSAGES), dtype=np.int8),
        "passage_age_steps": np.zeros(len(PASSAGES), dtype=np.int32),
        "zone_damage": np.zeros(5, dtype=np.int8),
        "zone_smoke": np.zeros(5, dtype=np.float32),
    }
    return SimpleNamespace(**{**fields, **changes})


def per_min(world, worth):
    """Price of a minute in an undamaged building."""
    collapse = collapse_rate_per_min(world, CONFIG)[0]
    left_min = (world.horizon_steps - world.step) / 6.0
    return worth + CONFIG.lost_probability * collapse * (CONFIG.cost_robot_lost + worth * left_min)


def test_routes_are_the_cheapest_and_leave_the_elevator_out():
    world = snapshot([0])
    found = routing(world, {0: 3}, routes=5)
    assert [route.zones for route in found.routes[0]] == [(0, 1, 3), (0, 2, 3)]
    assert [route.passages for route in found.routes[0]] == [(0, 1), (2, 3)]
    assert [route.minutes for route in found.routes[0]] == pytest.approx([2.0, 4.0])  # tracked, .5 m/s
    price = per_min(world, 0.01)
    assert found.problem.linear[0].tolist() == pytest.approx([2.0 * price, 4.0 * price], rel=1e-6)
    assert found.problem.features["travel_min"][0].tolist() == pytest.approx([2.0, 4.0])
    assert found.problem.option_ids.tolist() == [0, 1] and not found.problem.distinct
    assert found.routes[0][0].enter_min.tolist() == pytest.approx([0.0, 1.0])
    assert found.routes[0][0].leave_min.tolist() == pytest.approx([1.0, 2.0])


def test_a_robot_that_is_there_and_one_that_cannot_get_there():
    condition = np.array([OPEN, OPEN, OPEN, OPEN, OPEN, BLOCKED], dtype=np.int8)
    world = snapshot([4, 0, 0], [TRACKED, LEGGED, TRACKED], passage_condition=condition)
    found = routing(world, {0: 4, 1: 4, 2: 4}, routes=3)
    assert found.problem.group_ids.tolist() == [0, 2]  # the legged robot cannot clear the way
    assert found.routes[0][0].passages == () and found.problem.linear[0, 0] == 0.0
    assert not np.isfinite(found.problem.linear[0, 1])
    assert found.routes[1][0].minutes == pytest.approx(2.0 + 1.0 + CONFIG.clear_median_min)


def test_old_news_of_a_damaged_passage_costs_a_detour():
    damage = np.array([0, COMPLETE, 0, 0, 0], dtype=np.int8)
    seen_now = snapshot([0], zone_damage=damage)
    assert not blocked_probability(seen_now, CONFIG).any()
    age = np.full(len(PASSAGES), 30, dtype=np.int32)  # five minutes, at ten minutes of the mission
    older = blocked_probability(snapshot([0], zone_damage=damage, passage_age_steps=age), CONFIG)
    assert older[:2].tolist() == pytest.approx([0.35 * (1 - np.exp(-5 / 60))] * 2)
    assert not older[2:].any()
    never = snapshot([0], zone_damage=damage, passage_age_steps=np.full(len(PASSAGES), 60, dtype=np.int32))
    blocked = blocked_probability(never, CONFIG)
    assert blocked[0] == pytest.approx(0.35 * (1 - np.exp(-70 / 60)))  # ten minutes and the hour before
    found = routing(never, {0: 3}, routes=2)
    assert found.routes[0][0].zones == (0, 2, 3)  # four sure minutes beat two with a risk
    assert found.routes[0][1].minutes == pytest.approx(2.0 + 2 * blocked[0] * CONFIG.clear_median_min)


def test_a_zone_about_to_fall_is_avoided_by_a_precious_robot():
    damage = np.array([0, COMPLETE, 0, 0, 0], dtype=np.int8)
    world = snapshot([0], zone_damage=damage)
    rate = collapse_rate_per_min(world, CONFIG)
    assert rate[1] > 2 * rate[0] > 0.0
    assert rate[1] < 1e-2
    first = [routing(world, {0: 3}, routes=1).routes[0][0].cost, routing(snapshot([0]), {0: 3}).routes[0][0].cost]
    assert first[0] > first[1]


def test_a_carried_patient_makes_time_and_smoke_dearer():
    smoke = np.array([0.0, 0.9, 0.0, 0.0, 0.0], dtype=np.float32)
    carrying = np.array([0], dtype=np.int32)
    plain = routing(snapshot([0]), {0: 3}).problem.linear[0]
    clear = routing(snapshot([0], robot_patient=carrying), {0: 3}).problem.linear[0]
    smoky = routing(snapshot([0], robot_patient=carrying, zone_smoke=smoke), {0: 3}).problem.linear[0]

    def after(minutes):
        return float(survival(rpm_after(np.float32(6.0), np.float32(minutes))))

    decline = (after(0.0) - after(10.0)) / 10.0
    assert clear[0] - plain[0] == pytest.approx(2.0 * decline, rel=1e-5)
    assert smoky[0] - clear[0] == pytest.approx(0.5 * 2.0 * decline, rel=1e-5)  # one end of each passage smoky
    assert smoky[1] == pytest.approx(clear[1])


def test_two_robots_in_a_narrow_passage_lose_the_overlap():
    found = routing(snapshot([0, 0], width_m=0.9), {0: 3, 1: 3}, routes=2)
    wide = routing(snapshot([0, 0]), {0: 3, 1: 3}, routes=2)
    assert not wide.problem.pairwise.any()
    overlap = 1.0 + 2 * RoutingConfig().margin_min  # the minute in a passage of 30 m
    assert found.problem.pairwise[0, 0, 1, 0] == pytest.approx(0.01 * overlap, rel=1e-6)
    assert found.problem.pairwise[0, 0, 1, 1] == 0.0
    assert found.problem.coupling_strength > 0.0
    flying = routing(snapshot([0, 0], [TRACKED, AERIAL], width_m=0.9), {0: 3, 1: 3}, routes=2)
    assert not flying.problem.pairwise.any()
    dear = routing(snapshot([0, 0], width_m=0.9), {0: 3, 1: 3}, routes=2, worth_per_min={0: 0.5, 1: 0.2})
    assert dear.problem.pairwise[0, 0, 1, 0] == pytest.approx(0.2 * overlap, rel=1e-6)


def test_rubble_is_cleared_once():
    condition = np.array([OPEN, OPEN, OPEN, OPEN, OPEN, BLOCKED], dtype=np.int8)
    world = snapshot([3, 0], passage_condition=condition)
    found = routing(world, {0: 4, 1: 4}, routes=1)
    # The first begins at once, the other comes two minutes later: 8 of 10 minutes are done by both in 4.
    assert found.problem.pairwise[0, 0, 1, 0] == pytest.approx(-0.01 * (6.0 + 4.0), rel=1e-6)
    assert clearing_saved(10.0, 0.0, (1.0, 1.0)) == 10.0
    assert clearing_saved(10.0, 12.0, (3.0, 1.0)) == 30.0  # the first of the two finds it open
    assert clearing_saved(10.0, -12.0, (3.0, 1.0)) == 10.0


def test_planners_choose_between_routes():
    world = snapshot([0, 0], width_m=0.9)
    found = routing(world, {0: 3, 1: 3}, routes=2, worth_per_min={0: 0.5, 1: 0.5})
    for name in ("nearest", "critical", "greedy", "exact"):
        plan = make_planner(name).plan(found.problem, Budget(), np.random.default_rng(0))
        assert plan.feasible
    assert make_planner("nearest").plan(found.problem, Budget(), np.random.default_rng(0)).choice.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"destinations": {0: 3}, "routes": 0}, "routes: must be >= 1, got 0"),
        ({"destinations": {5: 3}}, r"robot 5 is not in \[0, 1\)"),
        ({"destinations": {0: 9}}, r"zone 9 of robot 0 is not in \[0, 5\)"),
        ({"destinations": {0: 3}, "worth_per_min": {0: 0.0}}, "worth_per_min: of robot 0 must be > 0"),
    ],
)
def test_bad_arguments_name_themselves(arguments, message):
    with pytest.raises(PlanningError, match=message):
        routing(snapshot([0]), **arguments)
    with pytest.raises(PlanningError, match="routing narrow_m"):
        RoutingConfig(narrow_m=-1.0)


def test_routes_agree_with_a_plain_shortest_path():
    graph = nx.Graph()
    for (a, b), length in zip(PASSAGES, LENGTHS, strict=True):
        if (a, b) != (0, 3):
            graph.add_edge(a, b, length=length)
    best = nx.shortest_path(graph, 0, 4, weight="length")
    assert list(routing(snapshot([0]), {0: 4}).routes[0][0].zones) == best
