"""Nearest and most critical first: what they pick, and what they need."""

import numpy as np
import pytest

from agents.planning import NO_TASK, Budget, PlanningError, Problem, make_planner

INF = np.inf


def problem(travel_min, rpm, *, option_ids=None, distinct=False, allowed=None):
    """Costs that say the opposite of the ranks; option 0 is "no task"."""
    travel_min, rpm = np.asarray(travel_min, dtype=float), np.asarray(rpm, dtype=float)
    groups, options = travel_min.shape
    linear = -np.where(np.isfinite(travel_min), travel_min, 0.0)
    if allowed is not None:
        linear = np.where(allowed, linear, INF)
    ids = [NO_TASK, *range(options - 1)] if option_ids is None else option_ids
    return Problem(
        name="test",
        linear=linear,
        pairwise=np.zeros((groups, options, groups, options)),
        distinct=distinct,
        shareable=np.arange(options) == 0,
        group_ids=np.arange(groups),
        option_ids=np.array(ids),
        features={"travel_min": travel_min, "rpm": rpm},
    )


def choose(name, given):
    plan = make_planner(name).plan(given, Budget(), np.random.default_rng(0))
    assert plan.planner == name and plan.feasible and plan.value == given.cost(plan.choice) and plan.note == ""
    return plan.choice.tolist()


def test_nearest_first_and_nobody_twice():
    given = problem([[INF, 1.0, 5.0], [INF, 2.0, 9.0]], [[INF, 9.0, 3.0]] * 2)
    assert choose("nearest", given) == [1, 2]
    assert choose("critical", given) == [2, 1]


def test_among_equally_critical_the_nearer_robot_goes():
    given = problem([[INF, 4.0, 1.0], [INF, 3.0, 1.0]], [[INF, 3.0, 3.1]] * 2)
    assert choose("critical", given) == [2, 1]


def test_no_task_rather_than_a_patient_who_is_taken():
    given = problem([[INF, 1.0], [INF, 2.0]], [[INF, 5.0]] * 2)
    assert choose("nearest", given) == [1, 0]
    lead_and_assist = problem([[INF, 1.0, 1.0], [INF, 2.0, 2.0]], [[INF, 5.0, 5.0]] * 2, option_ids=[NO_TASK, 4, 4])
    assert choose("nearest", lead_and_assist) == [1, 0]


def test_what_is_taken_is_shared_where_there_is_nothing_else():
    only = np.array([[False, True], [False, True]])
    assert choose("nearest", problem([[INF, 1.0], [INF, 2.0]], [[INF, 5.0]] * 2, allowed=only)) == [1, 1]


def test_a_distinct_problem_strands_nobody():
    allowed = np.array([[False, True, True], [False, True, False]])
    given = problem([[INF, 1.0, 5.0], [INF, 2.0, INF]], [[INF, 5.0, 6.0]] * 2, distinct=True, allowed=allowed)
    assert choose("nearest", given) == [2, 1]


@pytest.mark.parametrize(("name", "feature"), [("nearest", "travel_min"), ("critical", "rpm")])
def test_a_problem_without_the_feature_is_refused(name, feature):
    with pytest.raises(
        PlanningError, match=f"planner '{name}' ranks by the feature '{feature}'; 'assignment' has none"
    ):
        make_planner(name).plan(Problem.from_costs(np.zeros((1, 2))), Budget(), np.random.default_rng(0))


def test_features_are_checked_and_frozen():
    with pytest.raises(PlanningError, match=r"feature 'rpm': expected shape \(1, 2\), got \(2,\)"):
        Problem.from_costs(np.zeros((1, 2)), features={"rpm": np.zeros(2)})
    with pytest.raises(PlanningError, match="feature 'rpm': nan for group 0, column 1"):
        Problem.from_costs(np.zeros((1, 2)), features={"rpm": np.array([[0.0, np.nan]])})
    made = Problem.from_costs(np.zeros((1, 2)), features={"rpm": np.zeros((1, 2))})
    with pytest.raises(ValueError, match="read-only"):
        made.features["rpm"][0, 0] = 1.0
