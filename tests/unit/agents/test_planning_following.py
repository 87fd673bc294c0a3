"""Triage ordering: the second patient's value recomputed by hand, and doubling that never pays."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from agents.planning import NO_TASK, Budget, PlanningError, make_planner, positions, triage_assignment
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import FREE, TRACKED, TRAPPED

# A corridor of zones 0 .. 6, two minutes apart; the entrance is zone 0.
HOP_MIN = 2.0
ZONES = 7


def snapshot(robot_zones, patient_zones, rpm, *, status=None, work_min=None, **changes):
    distance = np.abs(np.arange(ZONES)[:, None] - np.arange(ZONES)[None, :]) * HOP_MIN * 60.0
    times = distance.astype(np.float32)
    robots, patients = len(robot_zones), len(patient_zones)
    fields = {
        "step": 0,
        "dt_s": 10.0,
        "physical": PhysicalConfig(),
        "horizon_steps": 720,
        "building": SimpleNamespace(entrances=np.array([0])),
        "patient_zone": np.array(patient_zones, dtype=np.int32),
        "patient_status": np.array(status or [FREE] * patients, dtype=np.int8),
        "patient_rpm": np.array(rpm, dtype=np.float32),
        "patient_work_min": np.array(work_min or [0.0] * patients, dtype=np.float32),
        "patient_trust": np.ones(patients, dtype=np.float32),
        "patient_known": np.ones(patients, dtype=bool),
        "robot_kind": np.full(robots, TRACKED, dtype=np.int8),
        "robot_energy": np.ones(robots, dtype=np.float32),
        "robot_alive": np.ones(robots, dtype=bool),
        "robot_patient": np.full(robots, -1, dtype=np.int32),
        "travel_time_s": lambda robot: times[robot_zones[robot]],
        "exit_time_s": lambda robot: times[0],
        "times_from_s": lambda zone, kind: times[zone],
    }
    return SimpleNamespace(**{**fields, **changes})


def gain(rpm, handover_min):
    def after(minutes):
        return float(survival(rpm_after(np.float32(rpm), np.float32(minutes))))

    return after(handover_min) - after(120.0)


def test_the_second_starts_from_the_entrance_where_the_first_was_handed_over():
    problem = triage_assignment(snapshot([3], [2, 5], [6.0, 9.0]), positions=2)
    assert problem.name == "triage ordering" and problem.group_ids.tolist() == [0, 0]
    assert positions(problem).tolist() == [0, 1]
    column = {int(patient): t for t, patient in enumerate(problem.option_ids)}
    # Patient 0: one hop there, two hops out. Then patient 1: five hops there and five back.
    first = gain(6.0, 6.0) / 6.0
    second = gain(9.0, 26.0) / 26.0
    cost = problem.cost(np.array([column[0], column[1]]))
    assert cost == pytest.approx(-first - second, rel=1e-6)
    # The other way round: two hops there, five out; then two there and two back.
    swapped = problem.cost(np.array([column[1], column[0]]))
    assert swapped == pytest.approx(-gain(9.0, 14.0) / 14.0 - gain(6.0, 22.0) / 22.0, rel=1e-6)
    assert problem.cost(np.array([column[0], 0])) == pytest.approx(-first, rel=1e-6)
    assert problem.cost(np.array([0, column[1]])) == 0.0
    assert problem.cost(np.array([column[0], column[0]])) == pytest.approx(-first, rel=1e-6)
    assert problem.features["travel_min"][:, column[1]].tolist() == [4.0, 6.0 + 10.0]


def test_after_an_assistance_the_robot_starts_at_the_patient():
    world = snapshot([1, 1], [2, 4], [8.0, 6.0], status=[TRAPPED, FREE], work_min=[40.0, 0.0])
    problem = triage_assignment(world, positions=2)
    assist = int(np.flatnonzero(problem.option_ids == 0)[-1])
    assert problem.option_ids.tolist().count(0) == 2
    then = int(np.flatnonzero(problem.option_ids == 1)[0])
    handover = 2.0 + 20.0 + 4.0 + 8.0  # one hop, half the work, two hops, four hops out
    assert problem.pairwise[0, assist, 1, then] == pytest.approx(-gain(6.0, handover) / handover, rel=1e-6)
    assert not np.isfinite(problem.linear[1, assist]) and not np.isfinite(problem.linear[3, assist])


def test_doubling_a_patient_never_pays():
    world = snapshot([1, 3, 5], [2, 4, 6], [6.0, 8.0, 7.0])
    problem = triage_assignment(world, positions=2)
    best_without = np.inf
    doubled = []
    for choice in itertools.product(range(problem.options), repeat=problem.groups):
        taken = [int(problem.option_ids[t]) for t in choice if problem.option_ids[t] != NO_TASK]
        cost = problem.cost(np.array(choice))
        if len(set(taken)) == len(taken):
            best_without = min(best_without, cost)
        else:
            doubled.append(cost)
    assert min(doubled) >= best_without - 1e-12
    assert problem.coupling_strength > 0.0


def test_without_sharing_all_patients_differ():
    world = snapshot([1, 3], [2, 4, 6], [6.0, 8.0, 7.0], status=[TRAPPED, FREE, FREE], work_min=[30.0, 0.0, 0.0])
    problem = triage_assignment(world, positions=2, sharing=False)
    assert problem.distinct and problem.options == 4
    assert not problem.pairwise[0, :, 2].any() and not problem.pairwise[1, :, 3].any()
    plan = make_planner("exact").plan(problem, Budget(), np.random.default_rng(0))
    taken = problem.option_ids[plan.choice]
    assert len(set(taken[taken != NO_TASK].tolist())) == np.sum(taken != NO_TASK)


def test_robots_at_work_have_one_group_and_keep_their_patient():
    world = snapshot([1, 3, 3], [2, 4], [6.0, 8.0])
    for sharing in (True, False):
        problem = triage_assignment(world, at_work={2: 1}, positions=2, sharing=sharing)
        assert problem.group_ids.tolist() == [0, 0, 1, 1, 2]
        plan = make_planner("exact").plan(problem, Budget(), np.random.default_rng(0))
        taken = problem.option_ids[plan.choice].tolist()
        assert taken[-1] == 1
        without = problem.cost(np.array([1, 0, 0, 0, 2]))
        assert problem.option_ids[[1, 2]].tolist() == [0, 1]
        for doubled in ([1, 2, 0, 0, 2], [1, 0, 2, 0, 2]):  # second or first: who is at work has the patient already
            assert problem.cost(np.array(doubled)) >= without - 1e-12
    both = triage_assignment(world, at_work={1: 1, 2: 1}, sharing=False)
    assert both.group_ids.tolist() == [0, 1]


def test_positions_other_than_one_and_two_are_refused():
    with pytest.raises(PlanningError, match="positions: must be 1 or 2, got 3"):
        triage_assignment(snapshot([1], [2], [7.0]), positions=3)


def test_no_free_robot_leaves_no_groups():
    world = snapshot([1], [2], [7.0], robot_patient=np.array([0], dtype=np.int32))
    assert triage_assignment(world, positions=2).groups == 0
