"""Classical planners: each is optimal where it claims to be, and honest about a budget it did not keep."""

import itertools

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.planning.classical import ExactPlanner, greedy_choice


def random_problem(rng, groups, options, *, distinct=False, coupled=True, blocked=0.0):
    pairwise = np.zeros((groups, options, groups, options))
    if coupled:
        for g, h in itertools.combinations(range(groups), 2):
            pairwise[g, :, h, :] = rng.normal(size=(options, options)) * (rng.random((options, options)) < 0.5)
            pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = np.where(rng.random((groups, options)) < blocked, np.inf, rng.normal(size=(groups, options)))
    linear[np.arange(groups), np.arange(groups) % options] = 0.1  # keeps every group placed
    return Problem.from_costs(linear, pairwise, distinct=distinct)


def brute_force(problem):
    choices = itertools.product(range(problem.options), repeat=problem.groups)
    return min(problem.cost(np.array(choice, dtype=int)) for choice in choices)


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_enumeration_and_cp_sat_give_the_optimum(seed, distinct):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, 4, 5, distinct=distinct, blocked=0.2)
    optimum = brute_force(problem)
    for limit in (10**6, 0):
        plan = ExactPlanner(enumeration_limit=limit).plan(problem, Budget(), rng)
        assert plan.value == pytest.approx(optimum, abs=1e-8)
        assert plan.optimum == plan.value and plan.gap == 0.0
        assert plan.feasible and plan.note == ""


def test_exact_turns_to_cp_sat_beyond_the_enumeration_limit():
    problem = random_problem(np.random.default_rng(5), 7, 8)  # 2 097 152 joint choices
    plan = make_planner("exact").plan(problem, Budget(time_s=0.05), np.random.default_rng(0))
    assert plan.feasible
    assert plan.optimum is not None or "time budget 0.05 s exceeded" in plan.note
    assert plan.value <= problem.cost(greedy_choice(problem))


def test_enumeration_over_budget_returns_its_best_and_says_so():
    problem = random_problem(np.random.default_rng(6), 5, 6)
    plan = make_planner("exact").plan(problem, Budget(evaluations=100), np.random.default_rng(0))
    assert plan.feasible and plan.optimum is None and plan.evaluations == 100
    assert plan.note == "budget exceeded after 100 of 7776 joint choices"
    hurried = make_planner("exact").plan(
        random_problem(np.random.default_rng(7), 6, 9), Budget(time_s=1e-4), np.random.default_rng(0)
    )
    assert hurried.feasible and "budget exceeded" in hurried.note


@pytest.mark.parametrize("seed", range(5))
def test_linear_assignment_is_exact_without_couplings(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, 4, 6, distinct=True, coupled=False, blocked=0.2)
    plan = make_planner("linear").plan(problem, Budget(), rng)
    assert plan.value == pytest.approx(brute_force(problem), abs=1e-12)
    assert plan.optimum == plan.value


def test_linear_assignment_says_that_it_ignores_couplings():
    problem = random_problem(np.random.default_rng(8), 3, 4)
    plan = make_planner("linear").plan(problem, Budget(), np.random.default_rng(0))
    assert plan.note == "pairwise costs ignored" and plan.optimum is None
    assert len(set(plan.choice.tolist())) == 3


def test_linear_assignment_of_more_groups_than_options():
    problem = Problem.from_costs(np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 1.0]]))
    plan = make_planner("linear").plan(problem, Budget(), np.random.default_rng(0))
    assert plan.choice.tolist() == [0, 0, 1] and "no one-to-one choice" in plan.note


def test_greedy_sees_couplings_to_those_already_placed():
    pairwise = np.zeros((2, 2, 2, 2))
    pairwise[0, 0, 1, 0] = pairwise[1, 0, 0, 0] = 3.0
    problem = Problem.from_costs(np.array([[-4.0, 0.0], [-3.0, -1.0]]), pairwise)
    assert greedy_choice(problem).tolist() == [0, 1]


def test_greedy_does_not_strand_a_group():
    # Group 0 likes option 0 best, but group 1 has nothing else.
    problem = Problem.from_costs(np.array([[-5.0, 0.0], [-1.0, np.inf]]), distinct=True)
    assert greedy_choice(problem).tolist() == [1, 0]


def test_random_is_uniform_over_feasible_choices():
    problem = Problem.from_costs(np.zeros((2, 3)), distinct=True)
    rng = np.random.default_rng(9)
    planner = make_planner("random")
    draws = 3000
    counts = np.zeros((3, 3))
    for _ in range(draws):
        counts[tuple(planner.plan(problem, Budget(), rng).choice)] += 1
    assert np.trace(counts) == 0.0
    off_diagonal = counts[~np.eye(3, dtype=bool)]
    # Hoeffding, six cells: P(|share - 1/6| > t) <= 12 exp(-2 n t^2) = 1e-6.
    assert np.abs(off_diagonal / draws - 1 / 6).max() < np.sqrt(np.log(12e6) / (2 * draws))


def test_random_counts_its_samples():
    problem = random_problem(np.random.default_rng(10), 3, 4)
    rng = np.random.default_rng(0)
    assert make_planner("random").plan(problem, Budget(shots=20), rng).evaluations == 20
    assert make_planner("random", samples=50).plan(problem, Budget(evaluations=7), rng).evaluations == 7
    hurried = make_planner("random").plan(problem, Budget(shots=10**6, time_s=1e-3), rng)
    assert hurried.feasible and "time budget 0.001 s exceeded after" in hurried.note
    with pytest.raises(PlanningError, match="samples"):
        make_planner("random", samples=0)


@pytest.mark.parametrize("name", ["random", "greedy", "linear", "exact"])
def test_no_groups_is_an_empty_plan(name):
    plan = make_planner(name).plan(Problem.from_costs(np.zeros((0, 1))), Budget(), np.random.default_rng(0))
    assert plan.choice.shape == (0,) and plan.value == 0.0 and plan.feasible


CLASSICAL = ("random", "nearest", "critical", "greedy", "linear", "exact", "sa", "tabu")


@pytest.mark.parametrize("name", CLASSICAL)
def test_every_planner_over_its_time_budget_answers_and_says_so(name):
    rng = np.random.default_rng(11)
    for groups, options in ((4, 5), (7, 8)):  # enumerated, and beyond it
        plain = random_problem(rng, groups, options, distinct=True)
        features = {feature: rng.random((groups, options)) for feature in ("travel_min", "rpm")}
        problem = Problem.from_costs(plain.linear, plain.pairwise, distinct=True, features=features)
        plan = make_planner(name).plan(problem, Budget(time_s=1e-6), np.random.default_rng(0))
        assert plan.feasible and plan.value == problem.cost(plan.choice)
        assert "budget" in plan.note and "exceeded" in plan.note


@pytest.mark.parametrize("name", CLASSICAL)
def test_an_evaluation_budget_is_kept(name):
    rng = np.random.default_rng(12)
    plain = random_problem(rng, 4, 5)
    features = {feature: rng.random((4, 5)) for feature in ("travel_min", "rpm")}
    problem = Problem.from_costs(plain.linear, plain.pairwise, features=features)
    for evaluations in (20, 100):
        plan = make_planner(name).plan(problem, Budget(evaluations=evaluations), np.random.default_rng(0))
        assert plan.feasible and plan.evaluations <= evaluations
