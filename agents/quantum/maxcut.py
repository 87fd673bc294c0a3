"""MaxCut QAOA on regular graphs of large girth: the exact expected cut of an edge, without a state vector.

The state is prod_k exp(-i beta_k sum X) exp(-i gamma_k C) |+>, C the number of cut edges. At depth p the reduced
state of an edge depends on its neighbourhood of radius p alone, a tree where the girth exceeds 2p + 1. On a tree the
path integral over all spins factorises: a vertex carries its spin before each of the p mixers in the ket (u) and in
the bra (v), and the sum over a branch is a function of the spins (u, v) of the vertex that it hangs on (Basso, Farhi,
Marwaha, Villalonga, Zhou 2022, arXiv 2110.14206, section 3).

Two facts make the sums small. Layers outside the light cone cancel: d edges away from the root edge only the first
p - d layers count, so level m of the recursion has 4^m entries. And the coupling of two vertices is a product over the
layers, so that a sum over a neighbour is a 2 x 2 butterfly per spin, never a matrix. The cost is O(p 4^p).
"""

from typing import Any

import numba
import numpy as np

from agents.planning.problem import PlanningError

MAX_TREE_DEPTH = 12  # 4^12 / 2 complex numbers are 128 MiB, twice


def tree_cut_fraction(degree: int, gammas: np.ndarray, betas: np.ndarray) -> float:
    """Expected fraction of cut edges on any graph of this degree without cycles shorter than 2p + 2.

    For 3-regular graphs it is the guarantee of the fixed angle conjecture (Wurtz and Lykov 2021, arXiv 2107.00677).

    Args:
        degree: of every vertex, >= 2.
        gammas: (p,) float64 cost angles [rad], p in [1, 12].
        betas: (p,) float64 mixer angles [rad].

    Returns:
        <(1 - Z Z') / 2> of an edge, in [0, 1].

    Raises:
        PlanningError: degree below 2, p out of range, or unequal numbers of angles.
    """
    gammas, betas = np.asarray(gammas, dtype=np.float64), np.asarray(betas, dtype=np.float64)
    if degree < 2:
        raise PlanningError(f"degree: must be >= 2, got {degree}")
    if gammas.shape != betas.shape or gammas.ndim != 1 or not 1 <= gammas.size <= MAX_TREE_DEPTH:
        raise PlanningError(
            f"angles: expected as many gammas as betas, 1 to {MAX_TREE_DEPTH}, got {gammas.shape}, {betas.shape}"
        )
    weights = np.array([0.5 + 0j, 0.5 + 0j])  # digits (+,+) and (+,-) of the first layer; the rest by symmetry
    branches = np.ones(1, dtype=np.complex128)  # no layer, no dependence
    for layer in range(gammas.size):
        if layer > 0:
            weights = _extend(weights, _transfer(betas[layer - 1]))
        branches = _hang(_pinned(weights, branches), gammas[: layer + 1], +1.0) ** (degree - 1)
    root = weights * branches * _root_factor(betas[-1], weights.size)
    correlation = 2.0 * np.sum(root * _hang(root, gammas, -1.0))
    return float(0.5 * (1.0 - correlation.real))


def _transfer(beta: float) -> np.ndarray:
    """(4, 4): mixer amplitudes from digit (u, v) to (u', v'), ket times conjugate bra; digit = 2 [u = -] + [v = -]."""
    step = np.array([[np.cos(beta), -1j * np.sin(beta)], [-1j * np.sin(beta), np.cos(beta)]])
    return np.kron(step, step.conj())


def _extend(weights: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Weights of one more layer: spins are base-4 digits, the newest last; the first ket spin is + throughout."""
    last = np.arange(weights.size) % 4
    return np.asarray((weights[:, None] * transfer[last]).ravel())


def _pinned(weights: np.ndarray, branches: np.ndarray) -> np.ndarray:
    """Weights times the branches of the level below, where the newest ket and bra spins agree.

    They agree because nothing after them is measured on this vertex: later layers cancel.
    """
    product = weights * np.repeat(branches, weights.size // branches.size)
    digit = np.arange(weights.size) % 4
    return np.where((digit == 0) | (digit == 3), product, 0.0)


def _root_factor(beta: float, size: int) -> np.ndarray:
    """Sum over the measured spin of its sign times the last mixer's amplitudes, per newest digit."""
    factor = np.array([np.cos(2.0 * beta), 1j * np.sin(2.0 * beta), -1j * np.sin(2.0 * beta), -np.cos(2.0 * beta)])
    return factor[np.arange(size) % 4]


def _hang(values: np.ndarray, gammas: np.ndarray, parity: float) -> np.ndarray:
    """Sum over a neighbour's spins x' of values(x') prod exp(i/2 gamma (u u' - v v')), for the half with first u = +.

    Args:
        values: (4^m / 2,) complex128, the half with first ket spin +.
        gammas: (m,) angles of those layers.
        parity: +1.0 where values do not change under a flip of all spins, -1.0 where they change sign.
    """
    out = np.empty_like(values)
    angles = np.empty(2 * gammas.size)
    angles[0::2], angles[1::2] = 0.5 * gammas, -0.5 * gammas
    _fold(values, out, np.exp(1j * angles[0]), parity * np.exp(-1j * angles[0]))
    for bit in range(1, angles.size):
        _butterfly(out, 1 << (angles.size - 1 - bit), np.cos(angles[bit]), np.sin(angles[bit]))
    return out


def _compile(kernel: Any) -> Any:
    """Plain compiled loops; reassociation is safe because every sum here has two terms."""
    return numba.njit(cache=True, fastmath=True)(kernel)


@_compile
def _fold(values: np.ndarray, out: np.ndarray, same: complex, other: complex) -> None:
    """The first spin's sum: flipping every spin reverses the order of the half that is stored."""
    size = values.size
    for i in range(size):
        out[i] = same * values[i] + other * values[size - 1 - i]


@_compile
def _butterfly(values: np.ndarray, stride: int, c: float, s: float) -> None:
    """(a, b) -> (e a + e* b, e* a + e b) with e = c + i s on the pairs that differ in one spin."""
    even, odd = complex(2.0 * c, 0.0), complex(0.0, 2.0 * s)
    for start in range(0, values.size, 2 * stride):
        for i in range(start, start + stride):
            half_sum = 0.5 * (values[i] + values[i + stride])
            half_difference = 0.5 * (values[i] - values[i + stride])
            values[i] = even * half_sum + odd * half_difference
            values[i + stride] = even * half_sum - odd * half_difference
