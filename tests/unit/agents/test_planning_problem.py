"""The problem: its cost by definition, its moments against enumeration, and one clear error per bad input."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner, planner_names


def random_problem(rng, groups, options, *, distinct=False, shareable=None):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = rng.normal(size=(groups, options))
    return Problem.from_costs(linear, pairwise, distinct=distinct, shareable=shareable)


def test_cost_is_linear_plus_each_pair_once():
    problem = random_problem(np.random.default_rng(1), 3, 4)
    choice = np.array([3, 0, 2])
    expected = problem.linear[0, 3] + problem.linear[1, 0] + problem.linear[2, 2]
    expected += problem.pairwise[0, 3, 1, 0] + problem.pairwise[0, 3, 2, 2] + problem.pairwise[1, 0, 2, 2]
    assert problem.cost(choice) == pytest.approx(expected, abs=1e-14)


def test_distinct_lets_only_shareable_options_repeat():
    problem = random_problem(np.random.default_rng(2), 2, 3, distinct=True, shareable=np.array([True, False, False]))
    assert problem.feasible(np.array([0, 0]))
    assert not problem.feasible(np.array([1, 1]))
    assert problem.cost(np.array([1, 1])) == np.inf


def test_moments_equal_enumeration():
    problem = random_problem(np.random.default_rng(3), 3, 4)
    costs = problem.costs(np.array(list(itertools.product(range(4), repeat=3))))
    assert problem.spread == pytest.approx(costs.std(), rel=1e-12)
    assert problem.coupling_strength > 0.0


def test_coupling_strength_of_separable_and_pure_interactions():
    rng = np.random.default_rng(4)
    problem = random_problem(rng, 2, 3)
    rows, columns = rng.normal(size=3), rng.normal(size=3)
    additive = np.zeros((2, 3, 2, 3))
    additive[0, :, 1, :] = rows[:, None] + columns[None, :]
    additive[1, :, 0, :] = additive[0, :, 1, :].T
    assert Problem.from_costs(problem.linear, additive).coupling_strength == 0.0
    assert Problem.from_costs(problem.linear).coupling_strength == 0.0
    interaction = np.zeros((2, 2, 2, 2))
    interaction[0, :, 1, :] = interaction[1, :, 0, :] = [[1.0, -1.0], [-1.0, 1.0]]
    assert Problem.from_costs(np.zeros((2, 2)), interaction).coupling_strength == np.inf


def test_arrays_are_copied_and_read_only():
    linear = np.zeros((2, 2))
    problem = Problem.from_costs(linear)
    linear[0, 0] = 7.0
    assert problem.cost(np.array([0, 0])) == 0.0
    with pytest.raises(ValueError, match="read-only"):
        problem.linear[0, 0] = 1.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda linear, pair: linear.__setitem__((1, 2), np.nan), "linear: cost nan of group 1, option 2"),
        (lambda linear, pair: linear.__setitem__((0, 1), -np.inf), "linear: cost -inf of group 0, option 1"),
        (lambda linear, pair: linear.__setitem__(1, np.inf), "group 1 has no allowed option"),
        (lambda linear, pair: pair.__setitem__((0, 1, 1, 2), np.nan), "group 0, option 1 .* with group 1, option 2"),
        (lambda linear, pair: pair.__setitem__((0, 1, 1, 2), np.inf), "not finite"),
        (lambda linear, pair: pair.__setitem__((0, 1, 1, 2), 1.0), "not symmetric for group 0, option 1"),
        (lambda linear, pair: pair.__setitem__((1, 2, 1, 2), 1.0), "group 1, option 2 .* own option"),
    ],
)
def test_bad_costs_name_group_and_option(spoil, message):
    linear, pairwise = np.zeros((2, 3)), np.zeros((2, 3, 2, 3))
    spoil(linear, pairwise)
    with pytest.raises(PlanningError, match=message):
        Problem.from_costs(linear, pairwise)


def test_wrong_shapes_are_refused():
    with pytest.raises(PlanningError, match=re.escape("linear: expected shape (groups, options), got (3,)")):
        Problem.from_costs(np.zeros(3))
    with pytest.raises(PlanningError, match=r"pairwise: expected shape \(2, 3, 2, 3\)"):
        Problem.from_costs(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(PlanningError, match="shareable: expected shape"):
        Problem.from_costs(np.zeros((2, 3)), shareable=np.zeros(2, dtype=bool))
    with pytest.raises(PlanningError, match="options >= 1"):
        Problem.from_costs(np.zeros((2, 0)))


def test_distinct_that_cannot_be_met_names_a_group():
    linear = np.full((3, 3), np.inf)
    linear[:, :2] = 0.0
    with pytest.raises(PlanningError, match=r"distinct: group [012] finds no option of its own among \[0, 1\]"):
        Problem.from_costs(linear, distinct=True)
    Problem.from_costs(linear, distinct=True, shareable=np.array([True, False, False]))


@pytest.mark.parametrize("choice", [[0], [0, 3], [0, -1], [0.0, 1.0], [[0, 1]]])
def test_bad_choices_are_refused(choice):
    with pytest.raises(PlanningError, match="choices"):
        Problem.from_costs(np.zeros((2, 3))).cost(np.array(choice))


@pytest.mark.parametrize(
    "limits", [{"shots": 0}, {"evaluations": 0}, {"time_s": 0.0}, {"time_s": float("nan")}, {"shots": 1.5}]
)
def test_empty_budgets_are_refused(limits):
    with pytest.raises(PlanningError, match=f"budget {next(iter(limits))}"):
        Budget(**limits)


def test_registry_names_what_is_allowed():
    assert planner_names() == (
        "random",
        "nearest",
        "critical",
        "greedy",
        "linear",
        "exact",
        "sa",
        "tabu",
        "qaoa",
        "vqe",
        "gas",
        "qpu",
        "offload",
    )
    with pytest.raises(PlanningError, match="unknown planner 'anneal'; allowed: random, nearest, critical, greedy,"):
        make_planner("anneal")
    with pytest.raises(PlanningError, match="planner 'greedy': .*depth"):
        make_planner("greedy", depth=3)
    assert make_planner("random", samples=4).name == "random"


@pytest.mark.parametrize("module", ["agents.quantum.ising", "agents.planning.qubo", "agents.offload"])
def test_each_part_can_be_imported_first(module):
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {module}"], check=True)


def test_importing_planning_loads_no_solver():
    code = (
        "import sys, agents.planning, agents.quantum, agents.quantum.qaoa; "
        "print([name for name in ('ortools', 'pennylane', 'dimod', 'dwave') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
