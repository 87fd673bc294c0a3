"""The triage assignment: values, roles and couplings recomputed by hand on small fake snapshots."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from agents.planning import NO_TASK, Budget, PlanningError, make_planner, triage_assignment
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import AERIAL, FREE, TRACKED, TRAPPED

CONFIG = PhysicalConfig()
MINUTES = 60.0


def snapshot(travel_min, *, status, rpm, work_min=None, exit_min=2.0, step=0, horizon_steps=720, **changes):
    """Robots in the rows of travel_min, one patient per zone in the columns."""
    travel_min = np.asarray(travel_min, dtype=np.float32)
    robots, patients = travel_min.shape
    fields = {
        "step": step,
        "dt_s": 10.0,
        "physical": PhysicalConfig(),
        "horizon_steps": horizon_steps,
        "patient_zone": np.arange(patients, dtype=np.int32),
        "patient_status": np.asarray(status, dtype=np.int8),
        "patient_rpm": np.asarray(rpm, dtype=np.float32),
        "patient_work_min": np.asarray(work_min if work_min is not None else np.zeros(patients), dtype=np.float32),
        "patient_trust": np.ones(patients, dtype=np.float32),
        "patient_age_steps": np.zeros(patients, dtype=np.int64),
        "patient_known": np.ones(patients, dtype=bool),
        "robot_kind": np.full(robots, TRACKED, dtype=np.int8),
        "robot_zone": np.zeros(robots, dtype=np.int32),
        "robot_energy": np.ones(robots, dtype=np.float32),
        "robot_alive": np.ones(robots, dtype=bool),
        "robot_task": np.zeros(robots, dtype=np.int32),
        "robot_patient": np.full(robots, -1, dtype=np.int32),
        "travel_time_s": lambda robot: travel_min[robot] * np.float32(MINUTES),
        "exit_time_s": lambda robot: np.full(patients, exit_min * MINUTES, dtype=np.float32),
    }
    return SimpleNamespace(**{**fields, **changes})


def after(rpm, clock_min):
    return float(survival(rpm_after(np.float32(rpm), np.float32(clock_min))))


def test_value_of_a_free_patient_is_survival_gain_per_minute():
    problem = triage_assignment(snapshot([[5.0]], status=[FREE], rpm=[7.0]))
    gain = after(7.0, 5.0 + 2.0) - after(7.0, 120.0)
    assert gain > 0.1
    assert problem.linear[0].tolist() == [0.0, pytest.approx(-gain / 7.0, rel=1e-6)]
    assert problem.option_ids.tolist() == [NO_TASK, 0] and problem.group_ids.tolist() == [0]
    assert problem.name == "triage assignment" and not problem.distinct


def test_value_of_a_trapped_patient_counts_compression_and_crush():
    problem = triage_assignment(snapshot([[4.0]], status=[TRAPPED], rpm=[8.0], work_min=[20.0]))
    clock = CONFIG.pace_trapped * 24.0 + CONFIG.crush_min + 2.0
    gain = after(8.0, clock) - after(8.0, CONFIG.pace_trapped * 120.0)
    assert problem.linear[0, 1] == pytest.approx(-gain / 26.0, rel=1e-6)


def test_what_cannot_be_handed_over_in_time_is_worth_nothing():
    late = snapshot([[5.0, 1.0]], status=[FREE, FREE], rpm=[7.0, 7.0], step=720 - 36)  # 6 minutes left
    problem = triage_assignment(late)
    columns = {int(patient): column for column, patient in enumerate(problem.option_ids)}
    assert problem.linear[0, columns[0]] == 0.0
    assert problem.linear[0, columns[1]] < 0.0


def test_an_empty_battery_and_an_unreachable_patient():
    tired = snapshot([[5.0]], status=[FREE], rpm=[7.0], robot_energy=np.array([0.05], dtype=np.float32))
    assert triage_assignment(tired).linear[0, 1] == 0.0  # 6 of the 7 minutes needed
    cut_off = triage_assignment(snapshot([[np.inf], [3.0]], status=[FREE], rpm=[7.0]))
    assert cut_off.linear[0, 1] == np.inf and np.isfinite(cut_off.linear[1, 1])


def test_two_robots_on_a_free_patient_lose_the_second_gain():
    problem = triage_assignment(snapshot([[5.0], [9.0]], status=[FREE], rpm=[7.0]))
    assert problem.options == 2  # nothing to assist
    assert problem.cost(np.array([1, 1])) == pytest.approx(problem.cost(np.array([1, 0])))


def test_assistance_is_worth_what_it_adds():
    problem = triage_assignment(snapshot([[4.0], [10.0]], status=[TRAPPED], rpm=[8.0], work_min=[40.0]))
    assert problem.option_ids.tolist() == [NO_TASK, 0, 0]
    lead, assist = 1, 2
    freed = (40.0 + 4.0 + 10.0) / 2.0

    def gain(freed_min):
        clock = CONFIG.pace_trapped * freed_min + CONFIG.crush_min + 2.0
        return after(8.0, clock) - after(8.0, CONFIG.pace_trapped * 120.0)

    rate = gain(44.0) / 46.0
    added = (gain(freed) - gain(44.0) + rate * (46.0 - (freed + 2.0))) / freed
    assert added > 0.0
    alone = problem.cost(np.array([lead, 0]))
    assert alone == pytest.approx(-rate, rel=1e-5)
    assert problem.cost(np.array([lead, assist])) == pytest.approx(-rate - added, rel=1e-5)
    assert problem.cost(np.array([0, assist])) == 0.0
    assert problem.coupling_strength > 0.0


def test_a_third_robot_on_one_patient_adds_nothing():
    one = snapshot([[4.0], [4.0], [5.0], [6.0]], status=[TRAPPED], rpm=[8.0], work_min=[40.0])
    problem = triage_assignment(one)
    plan = make_planner("exact").plan(problem, Budget(), np.random.default_rng(0))
    assert sorted(problem.option_ids[plan.choice].tolist()) == [NO_TASK, NO_TASK, 0, 0]
    for choice in itertools.product(range(3), repeat=4):
        if sum(option > 0 for option in choice) > 2:
            assert problem.cost(np.array(choice)) > plan.value


def test_work_too_long_for_one_robot_is_worth_it_for_two():
    problem = triage_assignment(
        snapshot([[1.0], [1.0]], status=[TRAPPED], rpm=[10.0], work_min=[100.0], step=720 - 570)  # 95 minutes left
    )
    assert problem.cost(np.array([1, 0])) == 0.0
    assert problem.cost(np.array([1, 2])) < 0.0


def test_groups_and_patients_that_do_not_count_are_left_out():
    world = snapshot(
        [[1.0] * 5] * 4,
        status=[FREE, 0, 3, 4, TRAPPED],
        rpm=[7.0] * 5,
        work_min=[0, 0, 0, 0, 10.0],
        patient_known=np.array([True, True, True, True, False]),
        robot_kind=np.array([TRACKED, AERIAL, TRACKED, TRACKED], dtype=np.int8),
        robot_alive=np.array([True, True, False, True]),
        robot_patient=np.array([-1, -1, -1, 3], dtype=np.int32),
    )
    problem = triage_assignment(world)
    assert problem.group_ids.tolist() == [0] and problem.option_ids.tolist() == [NO_TASK, 0]
    distrusted = snapshot([[1.0, 1.0]], status=[FREE] * 2, rpm=[7.0] * 2, patient_trust=np.array([0.4, 0.9]))
    assert triage_assignment(distrusted, minimum_trust=0.5).option_ids.tolist() == [NO_TASK, 1]
    unknown_place = snapshot([[1.0]], status=[FREE], rpm=[7.0], patient_zone=np.array([-1], dtype=np.int32))
    assert triage_assignment(unknown_place).option_ids.tolist() == [NO_TASK]


def test_the_shortlist_keeps_each_robots_best():
    near, far = [1.0, 1.5, 2.0, 50.0], [50.0, 50.0, 50.0, 1.0]
    problem = triage_assignment(snapshot([near, far], status=[FREE] * 4, rpm=[7.0] * 4), max_options=2)
    assert set(problem.option_ids.tolist()) == {NO_TASK, 0, 3}


def test_no_free_robot_gives_a_problem_without_groups():
    busy = snapshot([[1.0]], status=[FREE], rpm=[7.0], robot_patient=np.array([0], dtype=np.int32))
    problem = triage_assignment(busy)
    assert problem.groups == 0
    assert make_planner("exact").plan(problem, Budget(), np.random.default_rng(0)).value == 0.0


def test_bad_arguments_name_themselves():
    world = snapshot([[1.0]], status=[FREE], rpm=[7.0])
    with pytest.raises(PlanningError, match="max_options: must be >= 1, got 0"):
        triage_assignment(world, max_options=0)
    with pytest.raises(PlanningError, match=r"robots: 4 is not in \[0, 1\)"):
        triage_assignment(world, robots=[4])
    world.robot_alive[0] = False
    with pytest.raises(PlanningError, match="robot 0 cannot take a patient"):
        triage_assignment(world, robots=[0])
