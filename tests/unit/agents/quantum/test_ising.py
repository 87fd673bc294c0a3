"""Ising forms: the penalised one over all bit strings keeps costs and the optimum."""

import itertools

import numpy as np
import pytest

from agents.planning import PlanningError, Problem
from agents.quantum.ising import encode, penalised, penalty_ising


def random_problem(rng, groups, options, *, distinct=False, blocked=()):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = 5.0 + 3.0 * rng.normal(size=(groups, options))
    for cell in blocked:
        linear[cell] = np.inf
    return Problem.from_costs(linear, pairwise, distinct=distinct)


def energies_and_costs(problem, factor):
    ising = penalty_ising(problem, factor)
    bits = (np.arange(2**ising.qubits)[:, None] >> np.arange(ising.qubits - 1, -1, -1)) & 1
    choices, valid = ising.decode(bits)
    costs = np.where(valid, problem.costs(np.where(valid[:, None], choices, 0)), np.inf)
    return ising.energies(bits), costs


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("blocked", [(), ((0, 0),), ((0, 1), (0, 2), (0, 3))])
@pytest.mark.parametrize("seed", range(6))
def test_penalties_keep_the_costs_of_feasible_strings_and_the_optimum_lowest(distinct, blocked, seed):
    problem = random_problem(np.random.default_rng(seed), 3, 4, distinct=distinct, blocked=blocked)
    energies, costs = energies_and_costs(problem, 1.0)
    feasible = np.isfinite(costs)
    assert np.abs(energies[feasible] - costs[feasible]).max() <= 1e-10
    assert energies.argmin() == costs.argmin()


def test_without_penalty_some_broken_string_lies_below_the_optimum():
    # The floor of each cost is in the constant, so an empty register costs nothing and the optimum no less.
    problem = random_problem(np.random.default_rng(3), 3, 4)
    energies, costs = energies_and_costs(problem, 0.0)
    assert energies.min() < costs.min()


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("blocked", [(), ((0, 1), (0, 3), (2, 2)), ((1, 0), (1, 1), (1, 3))])
def test_one_hot_strings_have_the_cost_and_the_distinct_penalty_keeps_the_optimum_lowest(distinct, blocked):
    problem = random_problem(np.random.default_rng(14), 3, 4, distinct=distinct, blocked=blocked)
    ising = encode(penalised(problem))
    bits = (np.arange(2**ising.qubits)[:, None] >> np.arange(ising.qubits - 1, -1, -1)) & 1
    choices, valid = ising.decode(bits)
    assert valid.sum() == problem.states
    energies, costs = ising.energies(bits[valid]), problem.costs(choices[valid])
    feasible = np.isfinite(costs)
    assert np.abs(energies[feasible] - costs[feasible]).max() <= 1e-10
    assert energies.argmin() == costs.argmin()


def test_distinct_problems_have_to_be_penalised_first():
    with pytest.raises(PlanningError, match="penalised"):
        encode(random_problem(np.random.default_rng(0), 2, 3, distinct=True))
