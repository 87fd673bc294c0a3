"""Tree values of MaxCut QAOA against the plain path integral, state vectors and rings."""

import numpy as np
import pytest

from agents.planning.problem import PlanningError
from agents.quantum.ising import Ising
from agents.quantum.maxcut import tree_cut_fraction
from agents.quantum.optimal_angles import optimal_angles
from agents.quantum.simulator.simulation import IsingSimulation


def simulated_cut_fraction(vertices, edges, gammas, betas):
    ising = Ising(
        h=np.zeros(vertices), pairs=np.array(edges), J=np.full(len(edges), 0.5), offset=-0.5 * len(edges),
        registers=(), qubit_group=np.zeros(0, int), qubit_option=np.zeros(0, int), fixed=np.zeros(0, int),
    )  # fmt: skip
    return -IsingSimulation(ising).expectation(gammas, betas) / len(edges)


def path_integral_cut_fraction(degree, gammas, betas):
    """All 2^(2p + 1) spins of a vertex, every layer at every vertex: no light cone, no butterflies."""
    p = len(gammas)
    spins = 1 - 2 * ((np.arange(1 << (2 * p + 1))[:, None] >> np.arange(2 * p + 1)) & 1)
    ket, middle, bra = spins[:, :p], spins[:, p], spins[:, :p:-1]
    weight = np.full(len(spins), 0.5 + 0j)
    for k in range(p):
        for side, sign in ((ket, -1j), (bra, 1j)):
            after = side[:, k + 1] if k + 1 < p else middle
            weight *= np.where(side[:, k] == after, np.cos(betas[k]), sign * np.sin(betas[k]))
    exponent = 0.5 * ((ket * gammas) @ ket.T - (bra * gammas) @ bra.T)
    kernel, branch = np.exp(1j * exponent), np.ones(len(spins), complex)
    for _ in range(p):
        branch = (kernel @ (weight * branch)) ** (degree - 1)
    root = weight * branch
    assert (root @ kernel @ root).real == pytest.approx(1.0, abs=1e-12)
    root = root * middle
    return 0.5 * (1.0 - (root @ kernel @ root).real)


@pytest.mark.parametrize(("degree", "depth"), [(2, 4), (3, 1), (3, 2), (3, 4), (4, 3), (5, 2)])
def test_recursion_equals_the_plain_path_integral(degree, depth):
    rng = np.random.default_rng(10 * degree + depth)
    gammas, betas = rng.uniform(-1.5, 1.5, (2, depth))
    expected = path_integral_cut_fraction(degree, gammas, betas)
    assert tree_cut_fraction(degree, gammas, betas) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_ring_longer_than_the_light_cone_is_a_tree(depth):
    gammas, betas = np.random.default_rng(depth).uniform(-1.0, 1.0, (2, depth))
    n = 2 * depth + 2
    simulated = simulated_cut_fraction(n, [(i, (i + 1) % n) for i in range(n)], gammas, betas)
    assert tree_cut_fraction(2, gammas, betas) == pytest.approx(simulated, abs=1e-12)


def test_heawood_graph_of_girth_6_is_a_tree_up_to_depth_2():
    edges = [(i, (i + 1) % 14) for i in range(14)] + [(i, (i + 5) % 14) for i in range(0, 14, 2)]
    gammas, betas = np.random.default_rng(3).uniform(-1.0, 1.0, (2, 3))
    near, far = (simulated_cut_fraction(14, edges, gammas[:p], betas[:p]) for p in (2, 3))
    assert tree_cut_fraction(3, gammas[:2], betas[:2]) == pytest.approx(near, abs=1e-12)
    assert abs(tree_cut_fraction(3, gammas, betas) - far) > 1e-6  # depth 3 sees the cycles


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_kept_angles_are_maxima(depth):
    gammas, betas = optimal_angles("regular-3", depth)
    top = tree_cut_fraction(3, gammas, betas)
    for k in range(depth):
        for shift in (-0.01, 0.01):
            moved = gammas.copy()
            moved[k] += shift
            assert tree_cut_fraction(3, moved, betas) < top
            moved = betas.copy()
            moved[k] += shift
            assert tree_cut_fraction(3, gammas, moved) < top


def test_unusable_angles_are_refused():
    with pytest.raises(PlanningError, match="degree: must be >= 2, got 1"):
        tree_cut_fraction(1, np.zeros(1), np.zeros(1))
    with pytest.raises(PlanningError, match=r"as many gammas as betas, 1 to 12, got \(2,\), \(1,\)"):
        tree_cut_fraction(3, np.zeros(2), np.zeros(1))
    with pytest.raises(PlanningError, match="1 to 12"):
        tree_cut_fraction(3, np.zeros(13), np.zeros(13))
    with pytest.raises(PlanningError, match="no angles for 'regular-3' at depth 12; kept are regular-3: p = 1..11"):
        optimal_angles("regular-3", 12)
