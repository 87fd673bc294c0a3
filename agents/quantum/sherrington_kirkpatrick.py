"""QAOA on the Sherrington-Kirkpatrick model at infinite size: exact energies per spin, without a state vector.

C = n^(-1/2) sum_{i<j} J_ij Z_i Z_j with standard normal J, maximised (J -> -J turns that into minimising). Averaged
over J and for n -> infinity, the energy per spin at depth p is a closed sum over the 2p + 1 path-integral spins of one
site (Farhi, Goldstone, Gutmann, Zhou 2022, arXiv 1910.08187). The same number is the large-degree limit of MaxCut on
regular graphs, cut fraction 1/2 + nu / sqrt(degree) (arXiv 2110.14206, section 4). No depth exceeds Parisi's .7632.

The sum needs the correlations g_jk, k < j, of a site's ket spins before mixer j and k, which layer j alone can find
from those of the layers before it: the layers after it cancel, and its own ket and bra spins agree. With
M_jk = conj(g_jk), M_kj = g_jk, M_jj = 1, ket spins u and bra spins v, the site's weight is

    A(u) conj(A(v)) exp(sum_jk gamma_j gamma_k u_j M_jk v_k),

A the mixers' amplitudes times exp(-1/2 sum_jk gamma_j gamma_k g_jk u_j u_k). For fixed u the exponential is a product
over v's spins, so that the sum over v takes 2 2^p steps: 2 4^p in all.
"""

from typing import Any

import numba
import numpy as np

from agents.planning.problem import PlanningError
from agents.quantum.ising import bits_of

MAX_SK_DEPTH = 14
PARISI = 0.763166726  # best energy per spin, infinite n (Crisanti and Rizzo 2002, cond-mat/0111037)


def infinite_size_energy(gammas: np.ndarray, betas: np.ndarray) -> float:
    """Energy per spin that QAOA reaches on the infinite Sherrington-Kirkpatrick model (V_p of arXiv 1910.08187).

    Args:
        gammas: (p,) float64 cost angles [rad], p in [1, 14].
        betas: (p,) float64 mixer angles [rad].

    Returns:
        <C> / n, C being maximised; .3033 at the best angles of p = 1.

    Raises:
        PlanningError: p out of range or unequal numbers of angles.
    """
    gammas, betas = np.asarray(gammas, dtype=np.float64), np.asarray(betas, dtype=np.float64)
    if gammas.shape != betas.shape or gammas.ndim != 1 or not 1 <= gammas.size <= MAX_SK_DEPTH:
        raise PlanningError(
            f"angles: expected as many gammas as betas, 1 to {MAX_SK_DEPTH}, got {gammas.shape}, {betas.shape}"
        )
    depth = gammas.size
    correlations = np.eye(depth + 1, dtype=np.complex128)  # row depth: the measured spin
    for row in range(1, depth + 1):
        correlations[row, :row] = site_sums(gammas[:row], betas[:row], correlations[:row, :row])[1:]
    return float(np.sum(gammas * np.imag(correlations[depth, :depth] ** 2)))


def site_sums(gammas: np.ndarray, betas: np.ndarray, correlations: np.ndarray) -> np.ndarray:
    """Sums over one site's spins, its spin after these m layers being +.

    Args:
        gammas: (m,) cost angles.
        betas: (m,) mixer angles.
        correlations: (m, m) complex128 g_jk below the diagonal, ones on it.

    Returns:
        (m + 1,) complex128: the norm, 1 up to rounding, then the mean of each ket spin.
    """
    lower = np.tril(correlations, -1)
    ket = _ket_amplitudes(gammas, betas, lower)
    mixed = gammas[:, None] * (np.eye(gammas.size) + lower.conj() + lower.T) * gammas[None, :]
    return np.asarray(_sum_site(ket, mixed))


def _ket_amplitudes(gammas: np.ndarray, betas: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """(2^m,) complex128 A(u), first spin most significant, bit 1 = spin -."""
    m = gammas.size
    spins = 1.0 - 2.0 * bits_of(np.arange(1 << m), m)
    following = np.column_stack([spins[:, 1:], np.ones(1 << m)])
    mixers = np.where(spins == following, np.cos(betas), -1j * np.sin(betas)).prod(axis=1)
    scaled = spins * gammas
    exponent = np.einsum("ij,ij->i", scaled @ lower, scaled) + 0.5 * np.sum(gammas**2)
    return np.asarray(mixers * np.exp(-exponent))


def _compile(kernel: Any) -> Any:
    """Plain compiled loops."""
    return numba.njit(cache=True, fastmath=True)(kernel)


@_compile
def _sum_site(ket: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Sum over u and v of A(u) conj(A(v)) exp(u M v) times 1 and each u_j."""
    m, size = mixed.shape[0], ket.size
    bra, folded = np.conj(ket), np.empty(max(size // 2, 1), dtype=np.complex128)
    sums, spins = np.zeros(m + 1, dtype=np.complex128), np.empty(m)
    for index in range(size):
        for j in range(m):
            spins[j] = 1.0 - 2.0 * ((index >> (m - 1 - j)) & 1)
        half = size // 2
        for k in range(m):
            field = 0j
            for j in range(m):
                field += spins[j] * mixed[j, k]
            plus = np.exp(field)
            minus = 1.0 / plus
            source = bra if k == 0 else folded
            for i in range(half):
                folded[i] = plus * source[i] + minus * source[i + half]
            half //= 2
        term = ket[index] * folded[0]
        sums[0] += term
        for j in range(m):
            sums[j + 1] += spins[j] * term
    return sums
