"""The QUBO view: energies equal costs, and with safe penalties the ground state is the optimum."""

import itertools

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.planning.qubo import choice_from_sample, soft_bqm, to_bqm
from agents.quantum.ising import encode, penalised


def random_problem(rng, groups=3, options=4, *, distinct=False):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    return Problem.from_costs(rng.normal(size=(groups, options)), pairwise, distinct=distinct)


def ground_state(bqm):
    """Energy and bits of the lowest state, by enumeration."""
    n = bqm.num_variables
    bits = ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    linear = np.array([bqm.linear[i] for i in range(n)])
    matrix = np.zeros((n, n))
    for (i, j), weight in bqm.quadratic.items():
        matrix[i, j] = weight
    energies = bits @ linear + ((bits @ matrix) * bits).sum(axis=1) + bqm.offset
    row = int(energies.argmin())
    return float(energies[row]), bits[row]


def optimum(problem):
    return make_planner("exact").plan(problem, Budget(), np.random.default_rng(0)).value


@pytest.mark.parametrize("model", [to_bqm, lambda problem: soft_bqm(problem, 3.5)])
@pytest.mark.parametrize("distinct", [False, True])
def test_energy_of_a_feasible_sample_is_the_cost(model, distinct):
    problem = random_problem(np.random.default_rng(1), distinct=distinct)
    bqm = model(problem)
    assert bqm.num_variables == 12
    checked = 0
    for choice in itertools.product(range(4), repeat=3):
        if problem.feasible(np.array(choice)):
            sample = np.eye(4, dtype=np.int8)[list(choice)].ravel()
            assert bqm.energy(dict(enumerate(sample))) == pytest.approx(problem.cost(np.array(choice)), abs=1e-9)
            assert choice_from_sample(problem, sample).tolist() == list(choice)
            checked += 1
    assert checked == (24 if distinct else 64)


def test_variables_are_the_qubits_of_the_ising_form():
    rng = np.random.default_rng(2)
    linear = rng.normal(size=(3, 4))
    linear[0, 1:] = np.inf  # no choice, no variable
    linear[2, 0] = np.inf
    problem = Problem.from_costs(linear, distinct=True)
    ising = encode(penalised(problem))
    bqm = to_bqm(problem)
    assert sorted(bqm.variables) == list(range(ising.qubits)) == list(range(7))
    meaning = zip(ising.qubit_group.tolist(), ising.qubit_option.tolist(), strict=True)
    sample = {i: int(pair in {(1, 1), (2, 3)}) for i, pair in enumerate(meaning)}
    assert choice_from_sample(problem, sample).tolist() == [0, 1, 3]
    assert bqm.energy(sample) == pytest.approx(problem.cost(np.array([0, 1, 3])), abs=1e-12)
    assert choice_from_sample(problem, {**sample, 0: 1}) is None


def test_safe_penalties_make_the_ground_state_the_optimum_and_weak_ones_do_not():
    right = {0.2: 0, 1.0: 0}
    rng = np.random.default_rng(3)
    instances = 40
    for index in range(instances):
        problem = random_problem(rng, distinct=bool(index % 2))
        best = optimum(problem)
        for factor in right:
            energy, bits = ground_state(to_bqm(problem, factor))
            choice = choice_from_sample(problem, bits)
            right[factor] += choice is not None and problem.cost(choice) == pytest.approx(best, abs=1e-9)
            if factor == 1.0:
                assert energy == pytest.approx(best, abs=1e-9)
    assert right[1.0] == instances
    # 61 % on 120 instances of other seeds; Hoeffding with n = 40: P(off by more than .41) <= 2 exp(-2 n .41^2) = 3e-6.
    assert 0.2 < right[0.2] / instances < 1.0


def test_leaving_a_group_out_never_pays_however_dear_its_options():
    problem = Problem.from_costs(np.array([[1000.0, 1001.0], [-5.0, -4.0]]))
    energy, bits = ground_state(to_bqm(problem))
    assert energy == pytest.approx(995.0) and bits.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_penalties_that_are_none_are_refused(factor):
    problem = Problem.from_costs(np.zeros((1, 2)))
    with pytest.raises(PlanningError, match="penalty_factor: must be > 0"):
        to_bqm(problem, factor)
    with pytest.raises(PlanningError, match="deviations: must be > 0"):
        soft_bqm(problem, factor)
    with pytest.raises(PlanningError, match="sample: expected 2 variables, got 3"):
        choice_from_sample(problem, np.zeros(3, dtype=np.int8))
