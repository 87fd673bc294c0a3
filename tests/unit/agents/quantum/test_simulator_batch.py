"""Many instances at once give what each gives alone, to the last bit."""

import numpy as np
import pytest

from agents.planning import PlanningError
from agents.quantum.ising import Ising
from agents.quantum.simulator import ANSAETZE, Batch, IsingSimulation, Simulation, simulate_batch
from agents.quantum.tune_ramps import random_instance

GAMMAS, BETAS = np.array([0.3, 0.9, 1.4]), np.array([0.9, 0.5, -2.0])


def instances(count, groups=3, options=3, **settings):
    rng = np.random.default_rng(3)
    return [random_instance(groups, options, rng, **settings) for _ in range(count)]


@pytest.mark.parametrize("ansatz", ANSAETZE)
@pytest.mark.parametrize("count", [1, 2, 70])
def test_batch_equals_single_bit_for_bit(ansatz, count):
    problems = instances(count)
    alone = [Simulation(problem, ansatz) for problem in problems]
    together = simulate_batch(problems, ansatz, GAMMAS, BETAS)
    assert np.array_equal(together, [simulation.probabilities(GAMMAS, BETAS) for simulation in alone])
    means = Batch(alone).expectations(GAMMAS, BETAS)
    assert np.array_equal(means, [simulation.expectation(GAMMAS, BETAS) for simulation in alone])


@pytest.mark.parametrize("qubits", [1, 2, 5, 8, 11])
def test_ising_batch_equals_single_bit_for_bit(qubits):
    rng = np.random.default_rng(qubits)
    first, second = np.triu_indices(qubits, 1)
    none = np.zeros(0, int)
    pairs = np.stack([first, second], axis=1)
    energies = [
        Ising(rng.normal(size=qubits), pairs, rng.normal(size=first.size), 0.0, (), *3 * [none]) for _ in range(9)
    ]
    alone = [IsingSimulation(ising) for ising in energies]
    batch = Batch(alone)
    assert np.array_equal(batch.probabilities(GAMMAS, BETAS), [one.probabilities(GAMMAS, BETAS) for one in alone])
    assert np.array_equal(batch.expectations(GAMMAS, BETAS), [one.expectation(GAMMAS, BETAS) for one in alone])


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(PlanningError, match="no simulation"):
        Batch([])
    different = [*instances(1, 3, 3), *instances(1, 2, 4)]
    for ansatz in ANSAETZE:
        with pytest.raises(PlanningError, match="simulation 1 has another basis or mixer"):
            simulate_batch(different, ansatz, GAMMAS, BETAS)
    same_count = [instances(1, 2, 3)[0], instances(1, 1, 6)[0]]
    with pytest.raises(PlanningError, match="simulation 1 has another basis or mixer"):
        simulate_batch(same_count, "swap", GAMMAS, BETAS)
    with pytest.raises(PlanningError, match="angles"):
        simulate_batch(instances(20), "swap", GAMMAS, BETAS[:2])
