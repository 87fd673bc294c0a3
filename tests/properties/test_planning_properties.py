"""Properties that hold for every planner on any problem."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planning import Budget, Problem, make_planner
from agents.planning.qubo import to_bqm

COSTS = st.floats(-10.0, 10.0, allow_nan=False, width=32)


@st.composite
def problems(draw):
    groups, options = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    scale = draw(st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
    linear = scale * rng.normal(size=(groups, options))
    linear[rng.random(linear.shape) < draw(st.sampled_from([0.0, 0.3]))] = np.inf
    linear[np.arange(groups), np.arange(groups) % options] = draw(COSTS)  # a one-to-one choice exists if G <= T
    pairwise = np.zeros((groups, options, groups, options))
    for g in range(groups):
        for h in range(g):
            table = scale * draw(st.sampled_from([0.0, 0.3, 3.0])) * rng.normal(size=(options, options))
            pairwise[g, :, h, :], pairwise[h, :, g, :] = table, table.T
    return Problem.from_costs(
        linear,
        pairwise,
        distinct=draw(st.booleans()) and groups <= options,
        shareable=rng.random(options) < draw(st.sampled_from([0.0, 0.5])),
        features={name: rng.random((groups, options)) for name in ("travel_min", "rpm")},
    )


def close(a, b, problem):
    """Equal to rounding in the size of the costs; CP-SAT rounds to 1e-9 of the largest."""
    finite = np.abs(problem.linear[problem.allowed]).max() + np.abs(problem.pairwise).max()
    return abs(a - b) <= 1e-7 * finite + 1e-12


@given(problem=problems(), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_planners_return_feasible_choices_of_the_value_they_claim(problem, seed):
    exact = make_planner("exact").plan(problem, Budget(), np.random.default_rng(seed))
    for name in ("exact", "random", "nearest", "critical", "greedy", "linear", "sa", "tabu"):
        plan = make_planner(name).plan(problem, Budget(), np.random.default_rng(seed))
        assert plan.planner == name and plan.choice.shape == (problem.groups,) and plan.choice.dtype == np.int64
        assert plan.feasible and problem.feasible(plan.choice)
        assert plan.value == problem.cost(plan.choice)
        assert exact.value <= plan.value or close(exact.value, plan.value, problem)
        assert plan.optimum is None or close(plan.optimum, exact.value, problem)


@given(problem=problems(), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_cp_sat_agrees_with_enumeration(problem, seed):
    exact = make_planner("exact").plan(problem, Budget(), np.random.default_rng(seed))
    solved = make_planner("exact", enumeration_limit=0).plan(problem, Budget(), np.random.default_rng(seed))
    assert solved.feasible and solved.value == problem.cost(solved.choice)
    assert close(solved.value, exact.value, problem)


@given(problem=problems())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_ground_state_of_the_qubo_is_the_optimum(problem):
    bqm = to_bqm(problem)
    n = bqm.num_variables
    bits = ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    energies = np.full(len(bits), bqm.offset)
    for i, weight in bqm.linear.items():
        energies += weight * bits[:, i]
    for (i, j), weight in bqm.quadratic.items():
        energies += weight * (bits[:, i] & bits[:, j])
    exact = make_planner("exact").plan(problem, Budget(), np.random.default_rng(0))
    assert close(float(energies.min()), exact.value, problem)


@given(problem=problems(), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_qaoa_returns_feasible_choices_of_the_value_it_claims(problem, seed):
    exact = make_planner("exact").plan(problem, Budget(), np.random.default_rng(seed))
    plan = make_planner("qaoa", depth=2, shots=16).plan(problem, Budget(), np.random.default_rng(seed))
    assert plan.feasible and problem.feasible(plan.choice)
    assert plan.value == problem.cost(plan.choice)
    assert exact.value <= plan.value or close(exact.value, plan.value, problem)
    assert plan.optimum is None
