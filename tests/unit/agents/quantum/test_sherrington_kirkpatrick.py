"""The infinite Sherrington-Kirkpatrick model against plain sums and the large-degree limit."""

import numpy as np
import pytest

from agents.planning.problem import PlanningError
from agents.quantum.maxcut import tree_cut_fraction
from agents.quantum.optimal_angles import optimal_angles
from agents.quantum.sherrington_kirkpatrick import PARISI, infinite_size_energy, site_sums


def plain_energy(gammas, betas):
    """The iteration over all 2^(2p + 1) spins of a site and all pairs of layers, as published."""
    p = len(gammas)
    spins = 1 - 2 * ((np.arange(1 << (2 * p + 1))[:, None] >> np.arange(2 * p + 1)) & 1)
    ket, middle, bra = spins[:, :p], spins[:, p], spins[:, :p:-1]
    weight = np.full(len(spins), 0.5 + 0j)
    for k in range(p):
        for side, sign in ((ket, -1j), (bra, 1j)):
            after = side[:, k + 1] if k + 1 < p else middle
            weight *= np.where(side[:, k] == after, np.cos(betas[k]), sign * np.sin(betas[k]))
    signed = np.concatenate([gammas, [0.0], -gammas[::-1]])
    scaled, correlations = spins * signed, np.ones((2 * p + 1, 2 * p + 1), complex)
    for _ in range(p + 1):
        site = weight * np.exp(-0.5 * np.einsum("ij,jk,ik->i", scaled, correlations, scaled))
        correlations = np.einsum("i,ij,ik->jk", site, spins, spins)
    return (0.5j * np.sum(signed * correlations[p] ** 2)).real * -1.0


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_energy_equals_the_published_iteration(depth):
    gammas, betas = np.random.default_rng(depth).uniform(0.1, 0.7, (2, depth))
    assert infinite_size_energy(gammas, betas) == pytest.approx(plain_energy(gammas, betas), abs=1e-12)


def test_depth_one_is_the_closed_form():
    for gamma, beta in ((0.5, np.pi / 8), (0.3, 0.2), (-0.4, 0.9)):
        expected = gamma * np.exp(-2.0 * gamma**2) * np.sin(4.0 * beta)
        assert infinite_size_energy([gamma], [beta]) == pytest.approx(expected, abs=1e-12)


def test_weights_of_a_site_add_up_to_one():
    rng = np.random.default_rng(1)
    gammas, betas = rng.uniform(0.1, 0.7, (2, 4))
    correlations = np.eye(4, dtype=complex)
    for row in range(1, 4):
        sums = site_sums(gammas[:row], betas[:row], correlations[:row, :row])
        assert sums[0] == pytest.approx(1.0, abs=1e-12)
        correlations[row, :row] = sums[1:]


def test_regular_trees_tend_to_it():
    gammas, betas = optimal_angles("sherrington-kirkpatrick", 3)
    limit = infinite_size_energy(gammas, betas)
    # C counts cut edges, of which Z Z is twice the negative: gamma' = 2 gamma / sqrt(degree).
    errors = []
    for degree in (100, 400, 1600):
        fraction = tree_cut_fraction(degree, 2.0 * gammas / np.sqrt(degree), betas)
        errors.append(abs((fraction - 0.5) * np.sqrt(degree) - limit))
    assert errors[0] < 0.02 and errors[1] == pytest.approx(errors[0] / 4, rel=0.1)
    assert errors[2] == pytest.approx(errors[1] / 4, rel=0.1)


def test_kept_angles_climb_towards_parisi():
    energies = [infinite_size_energy(*optimal_angles("sherrington-kirkpatrick", p)) for p in range(1, 9)]
    assert np.all(np.diff(energies) > 0.0) and energies[-1] < PARISI


def test_unusable_angles_are_refused():
    with pytest.raises(PlanningError, match=r"as many gammas as betas, 1 to 14, got \(0,\), \(0,\)"):
        infinite_size_energy(np.zeros(0), np.zeros(0))
