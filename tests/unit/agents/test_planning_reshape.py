"""Cutting a problem and scaling its couplings changes nothing else."""

import itertools

import numpy as np
import pytest

from agents.planning import PlanningError, Problem
from agents.planning.reshape import centred, restrict, with_coupling


def random_problem(seed, groups=3, options=4):
    rng = np.random.default_rng(seed)
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = rng.normal(size=(groups, options))
    linear[0, 1] = np.inf
    return Problem.from_costs(linear, pairwise, features={"rpm": rng.random((groups, options))})


def choices(problem):
    return np.array(list(itertools.product(range(problem.options), repeat=problem.groups)))


def test_a_cut_problem_costs_what_the_whole_one_does():
    whole = random_problem(1)
    part = restrict(whole, [2, 0], [3, 0, 2])
    assert part.group_ids.tolist() == [2, 0] and part.option_ids.tolist() == [3, 0, 2]
    assert part.features["rpm"][1, 2] == whole.features["rpm"][0, 2]
    expected = whole.linear[2, 0] + whole.linear[0, 2] + whole.pairwise[2, 0, 0, 2]
    assert part.cost(np.array([1, 2])) == pytest.approx(expected, abs=1e-14)
    with pytest.raises(PlanningError, match="group 0 has no allowed option"):
        restrict(whole, [0, 1], [1])


def test_centring_moves_the_mean_couplings_into_the_linear_costs():
    problem = random_problem(2)
    pure, constant = centred(problem)
    every = choices(problem)
    assert pure.costs(every) + constant == pytest.approx(problem.costs(every), abs=1e-12)
    assert pure.moments == pytest.approx(problem.moments, rel=1e-12)
    for g, h in itertools.combinations(range(problem.groups), 2):
        table = pure.pairwise[g, problem.allowed[g]][:, h][:, problem.allowed[h]]
        assert np.abs(table.mean(axis=0)).max() < 1e-12 and np.abs(table.mean(axis=1)).max() < 1e-12


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.5, 20.0])
def test_the_coupling_strength_asked_for_is_reached(strength):
    problem = random_problem(3)
    scaled, factor = with_coupling(problem, strength)
    assert scaled.coupling_strength == pytest.approx(strength, rel=1e-9)
    assert factor == pytest.approx(strength / problem.coupling_strength, rel=1e-12)
    same, one = with_coupling(problem, problem.coupling_strength)
    allowed = choices(problem)[np.isfinite(problem.costs(choices(problem)))]
    assert one == pytest.approx(1.0) and np.ptp(same.costs(allowed) - problem.costs(allowed)) < 1e-12


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(PlanningError, match="has strength 0, which no factor changes"):
        with_coupling(Problem.from_costs(np.eye(2)), 1.0)
    with pytest.raises(PlanningError, match="must be > 0 and finite, got 0"):
        with_coupling(random_problem(4), 0.0)
