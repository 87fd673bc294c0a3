"""Supply delivery: kits' values, sources, stock and order recomputed by hand on a corridor."""

from types import SimpleNamespace

import numpy as np
import pytest

from agents.planning import NO_TASK, Budget, PlanningError, make_planner, positions, supply_delivery
from agents.planning.supply import OWN_LOAD
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import FREE, LEGGED, TRACKED, TRAPPED

CONFIG = PhysicalConfig()
HOP_MIN = 2.0
ZONES = 8


def snapshot(robot_zones, patient_zones, rpm, *, kits=None, status=None, depots=(0,), **changes):
    """Zones 0 .. 7 in a row, two minutes apart."""
    times = (np.abs(np.arange(ZONES)[:, None] - np.arange(ZONES)) * HOP_MIN * 60.0).astype(np.float32)
    robots, patients = len(robot_zones), len(patient_zones)
    fields = {
        "step": 0,
        "dt_s": 10.0,
        "horizon_steps": 720,
        "physical": CONFIG,
        "building": SimpleNamespace(depots=np.array(depots, dtype=np.int32)),
        "patient_zone": np.array(patient_zones, dtype=np.int32),
        "patient_status": np.array(status or [FREE] * patients, dtype=np.int8),
        "patient_rpm": np.array(rpm, dtype=np.float32),
        "patient_trust": np.ones(patients, dtype=np.float32),
        "patient_known": np.ones(patients, dtype=bool),
        "patient_kitted": np.zeros(patients, dtype=bool),
        "robot_kind": np.full(robots, LEGGED, dtype=np.int8),
        "robot_energy": np.ones(robots, dtype=np.float32),
        "robot_alive": np.ones(robots, dtype=bool),
        "robot_kits": np.array(kits if kits is not None else [4] * robots, dtype=np.int8),
        "travel_time_s": lambda robot: times[robot_zones[robot]],
        "times_from_s": lambda zone, kind: times[zone],
    }
    return SimpleNamespace(**{**fields, **changes})


def after(rpm, clock_min):
    return float(survival(rpm_after(np.float32(rpm), np.float32(clock_min))))


def exact(problem):
    return make_planner("exact").plan(problem, Budget(), np.random.default_rng(0))


def test_a_kit_slows_the_clock_for_half_an_hour():
    found = supply_delivery(snapshot([1], [3], [7.0]))
    gain = after(7.0, 120.0 - 0.7 * 30.0) - after(7.0, 120.0)
    assert gain > 0.05
    assert found.problem.linear[0].tolist() == [0.0, pytest.approx(-gain / 4.0, rel=1e-5)]
    assert found.problem.option_ids.tolist() == [NO_TASK, 0] and found.source.tolist() == [OWN_LOAD]
    assert found.problem.distinct and found.problem.name == "supply delivery"


def test_a_trapped_patient_runs_faster_and_is_spared_the_crush():
    trapped = {"status": [TRAPPED]}
    left = supply_delivery(snapshot([1], [3], [9.0], **trapped)).problem
    gain = after(9.0, 1.5 * 120.0 - 0.7 * 1.5 * 30.0) - after(9.0, 1.5 * 120.0)
    assert left.linear[0, 1] == pytest.approx(-gain / 4.0, rel=1e-5)
    dug_out = supply_delivery(snapshot([1], [3], [9.0], **trapped), freed_min={0: 20.0}).problem
    clock = 1.5 * 20.0 + CONFIG.crush_min + 100.0
    spared = 0.7 * (1.5 * 16.0 + 14.0) + CONFIG.crush_min  # there at 4, freed at 20, works until 34
    assert dug_out.linear[0, 1] == pytest.approx(-(after(9.0, clock - spared) - after(9.0, clock)) / 4.0, rel=1e-5)
    late = supply_delivery(snapshot([1], [3], [9.0], **trapped), freed_min={0: 3.0}).problem
    clock = 1.5 * 3.0 + CONFIG.crush_min + 117.0
    assert late.linear[0, 1] == pytest.approx(-(after(9.0, clock - 21.0) - after(9.0, clock)) / 4.0, rel=1e-5)


def test_an_empty_robot_fills_up_at_the_nearest_depot_that_has_kits():
    world = snapshot([2], [3], [7.0], kits=[0], depots=(0, 6))
    found = supply_delivery(world)
    assert found.source.tolist() == [0]
    assert found.problem.features["travel_min"][0, 1] == 4.0 + 6.0
    other = supply_delivery(world, stock={0: 0})
    assert other.source.tolist() == [6] and other.problem.features["travel_min"][0, 1] == 8.0 + 6.0
    assert supply_delivery(world, stock={0: 0, 6: 0}).problem.groups == 0


def test_kits_of_one_robot_are_delivered_one_after_the_other():
    found = supply_delivery(snapshot([1], [3, 6], [7.0, 6.0]), kits_per_robot=2)
    problem = found.problem
    assert problem.group_ids.tolist() == [0, 0] and positions(problem).tolist() == [0, 1]
    column = {int(patient): t for t, patient in enumerate(problem.option_ids)}

    def value(rpm, arrive):
        return (after(rpm, 120.0 - 21.0) - after(rpm, 120.0)) / arrive

    near_first = value(7.0, 4.0) + value(6.0, 4.0 + 6.0)
    far_first = value(6.0, 10.0) + value(7.0, 10.0 + 6.0)
    both = problem.cost(np.array([column[0], column[1]]))
    assert both == pytest.approx(-max(near_first, far_first), rel=1e-5)
    assert both == problem.cost(np.array([column[1], column[0]]))
    assert problem.cost(np.array([column[0], column[0]])) == np.inf


def test_payload_and_stock_hold_by_construction():
    zones, rpm = [2, 3, 4, 5, 6], [7.0] * 5
    assert supply_delivery(snapshot([1], zones, rpm, kits=[3]), kits_per_robot=9).problem.groups == 3
    empty = snapshot([1, 2], zones, rpm, kits=[0, 0])
    assert supply_delivery(empty, kits_per_robot=9).problem.group_ids.tolist() == [0] * 4 + [1] * 4
    short = supply_delivery(empty, kits_per_robot=4, stock={0: 5})
    assert short.problem.group_ids.tolist() == [0] * 4 + [1]


def test_the_last_kit_of_a_depot_goes_to_one_robot():
    world = snapshot([1, 2], [2, 3, 4], [7.0, 7.5, 6.0], kits=[0, 0])
    problem = supply_delivery(world, kits_per_robot=2, stock={0: 1}).problem
    assert problem.group_ids.tolist() == [0, 1]
    alone = [problem.linear[g].min() for g in range(2)]
    assert exact(problem).value == pytest.approx(min(alone))
    assert problem.cost(np.array([1, 2])) == pytest.approx(min(problem.linear[0, 1], problem.linear[1, 2]))
    three = supply_delivery(world, kits_per_robot=2, stock={0: 3}).problem
    assert three.group_ids.tolist() == [0, 0, 1] and not three.pairwise[0, :, 2].any()
    contested = supply_delivery(world, kits_per_robot=2, stock={0: 2}).problem
    assert contested.group_ids.tolist() == [0, 0, 1]
    assert contested.pairwise[1, 1, 2, 2] > 0.0 and not contested.pairwise[0, :, 2].any()


def test_who_needs_no_kit_and_who_brings_none_are_left_out():
    world = snapshot(
        [1, 1, 1],
        [2, 3, 4],
        [7.0] * 3,
        patient_kitted=np.array([True, False, False]),
        status=[FREE, FREE, 4],
        robot_kind=np.array([LEGGED, TRACKED, LEGGED], dtype=np.int8),
        robot_alive=np.array([True, True, False]),
    )
    problem = supply_delivery(world).problem
    assert problem.group_ids.tolist() == [0] and problem.option_ids.tolist() == [NO_TASK, 1]


def test_too_late_or_too_far_is_worth_nothing():
    late = supply_delivery(snapshot([0], [7], [7.0], step=720 - 60)).problem  # ten minutes left, fourteen needed
    assert late.linear[0, 1] == 0.0
    tired = supply_delivery(snapshot([0], [7], [7.0], robot_energy=np.array([0.1], dtype=np.float32))).problem
    assert tired.linear[0, 1] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_options": 0}, "max_options: must be >= 1, got 0"),
        ({"kits_per_robot": 0}, "kits_per_robot: must be >= 1, got 0"),
        ({"stock": {0: -1}}, "stock: kits left must be >= 0"),
        ({"robots": [3]}, r"robots: 3 is not in \[0, 1\)"),
    ],
)
def test_bad_arguments_name_themselves(arguments, message):
    with pytest.raises(PlanningError, match=message):
        supply_delivery(snapshot([1], [3], [7.0]), **arguments)
    dead = snapshot([1], [3], [7.0], robot_alive=np.array([False]))
    with pytest.raises(PlanningError, match="robot 0 cannot bring kits"):
        supply_delivery(dead, robots=[0])
