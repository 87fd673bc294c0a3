"""Simulated annealing and tabu: right on small problems, repeatable, and honest about budgets and failures."""

import itertools

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.planning.classical import greedy_choice

SAMPLERS = ("sa", "tabu")


def random_problem(seed, groups, options, *, distinct=True):
    rng = np.random.default_rng(seed)
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    return Problem.from_costs(rng.normal(size=(groups, options)), pairwise, distinct=distinct)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("distinct", [False, True])
def test_small_problems_are_solved_and_repeat(name, distinct):
    for seed in range(2):
        problem = random_problem(seed, 4, 5, distinct=distinct)
        best = make_planner("exact").plan(problem, Budget(), np.random.default_rng(0)).value
        plan = make_planner(name).plan(problem, Budget(), np.random.default_rng(seed))
        again = make_planner(name).plan(problem, Budget(), np.random.default_rng(seed))
        assert plan.value == pytest.approx(best, abs=1e-9) and plan.note == ""
        assert plan.feasible and plan.optimum is None and plan.choice.dtype == np.int64
        assert again.choice.tolist() == plan.choice.tolist() and again.evaluations == plan.evaluations > 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_exhausted_time_budget_is_said(name):
    problem = random_problem(7, 6, 8)
    plan = make_planner(name, reads=10_000).plan(problem, Budget(time_s=0.1), np.random.default_rng(0))
    assert plan.feasible and plan.wall_s < 3.0
    assert "time budget 0.1 s exceeded" in plan.note and "of 10000" in plan.note


def test_an_evaluation_budget_cuts_reads_then_sweeps():
    problem = random_problem(8, 3, 4)

    def sa(evaluations):
        planner = make_planner("sa", reads=10, sweeps=100)
        return planner.plan(problem, Budget(evaluations=evaluations), np.random.default_rng(0))

    assert sa(12 * 1000).note == "" and sa(12 * 1000).evaluations == 12 * 1000
    assert sa(5000).note == "evaluation budget 5000 allows 4 reads of 100 sweeps" and sa(5000).evaluations == 4800
    assert sa(120).evaluations == 120 and "1 reads of 10 sweeps" in sa(120).note
    assert "evaluation budget 5 exceeded by a single sweep" in sa(5).note and sa(5).feasible
    tabu = make_planner("tabu", reads=4, restarts=9, moves=100)
    assert tabu.plan(problem, Budget(), np.random.default_rng(0)).evaluations == 4000
    cut = tabu.plan(problem, Budget(evaluations=2500), np.random.default_rng(0))
    assert cut.evaluations == 2000 and cut.note == "evaluation budget 2500 allows 2 reads of 10 searches of 100 moves"
    assert tabu.plan(problem, Budget(evaluations=3), np.random.default_rng(0)).evaluations == 3


def test_shots_set_the_reads():
    problem = random_problem(9, 3, 4)
    plan = make_planner("sa", sweeps=10).plan(problem, Budget(shots=7), np.random.default_rng(0))
    assert plan.evaluations == 7 * 10 * 12
    assert (
        make_planner("tabu", restarts=0, moves=50).plan(problem, Budget(shots=3), np.random.default_rng(0)).evaluations
        == 150
    )


def test_without_a_feasible_sample_the_greedy_answer_is_given_and_said():
    problem = random_problem(10, 6, 7)
    plan = make_planner("sa", deviations=(1e-3,)).plan(problem, Budget(), np.random.default_rng(0))
    assert plan.note == "none of 32 samples was feasible; greedy answer"
    assert plan.choice.tolist() == greedy_choice(problem).tolist() and plan.feasible


@pytest.mark.parametrize("name", SAMPLERS)
def test_nothing_to_choose(name):
    empty = make_planner(name).plan(Problem.from_costs(np.zeros((0, 1))), Budget(), np.random.default_rng(0))
    assert empty.choice.shape == (0,) and empty.value == 0.0 and empty.feasible
    single = make_planner(name).plan(Problem.from_costs(np.ones((2, 1))), Budget(), np.random.default_rng(0))
    assert single.choice.tolist() == [0, 0] and single.value == 2.0


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("sa", {"reads": 0}, "sa reads: must be an integer >= 1, got 0"),
        ("sa", {"sweeps": 1.5}, "sa sweeps: must be an integer >= 1, got 1.5"),
        ("sa", {"deviations": (2.0, 0.0)}, "sa deviations: must be a finite number > 0, got 0.0"),
        ("tabu", {"restarts": -1}, "tabu restarts: must be an integer >= 0"),
        ("tabu", {"moves": 0}, "tabu moves"),
    ],
)
def test_bad_settings_name_themselves(name, settings, message):
    with pytest.raises(PlanningError, match=message):
        make_planner(name, **settings)
