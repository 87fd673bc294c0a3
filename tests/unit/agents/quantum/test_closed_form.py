"""Closed forms against state vectors."""

import numpy as np
import pytest

from agents.quantum.closed_form import depth_one_ising, grover_success
from agents.quantum.ising import Ising
from agents.quantum.simulator.simulation import IsingSimulation


@pytest.mark.parametrize("n", [2, 3, 7])
def test_depth_one_means_equal_the_state_vector(n):
    rng = np.random.default_rng(n)
    h, couplings = rng.normal(size=n), np.triu(rng.normal(size=(n, n)), 1)
    gamma, beta = rng.uniform(-1.0, 1.0, 2)
    pairs = np.argwhere(np.triu(np.ones((n, n)), 1))
    ising = Ising(
        h=h, pairs=pairs, J=couplings[pairs[:, 0], pairs[:, 1]], offset=0.0,
        registers=(), qubit_group=np.zeros(0, int), qubit_option=np.zeros(0, int), fixed=np.zeros(0, int),
    )  # fmt: skip
    # The simulator mixes with exp(+i beta X): the conjugate of this state is that of -beta and -gamma.
    probabilities = IsingSimulation(ising).probabilities(np.array([gamma]), np.array([-beta]))
    z = 1 - 2 * ((np.arange(1 << n)[:, None] >> np.arange(n - 1, -1, -1)) & 1)
    means, products = depth_one_ising(h, couplings + couplings.T, gamma, beta)
    np.testing.assert_allclose(means, probabilities @ z, atol=1e-12)
    np.testing.assert_allclose(products, z.T @ (probabilities[:, None] * z), atol=1e-12)


def test_grover_success_equals_the_reflected_vector():
    marked = np.zeros(50, bool)
    marked[[3, 17, 44]] = True
    start = np.full(50, 50**-0.5)
    state = start.copy()
    for rotations in range(12):
        assert grover_success(3, 50, rotations) == pytest.approx(np.sum(state[marked] ** 2), abs=1e-12)
        state = np.where(marked, -state, state)
        state = 2.0 * start * (start @ state) - state
    assert grover_success(0, 50, 7) == 0.0 and grover_success(50, 50, 4) == pytest.approx(1.0, abs=1e-12)
