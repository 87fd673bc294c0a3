"""The transverse-field mixer exp(i b sum X) on all 2^n bit strings.

Everything is seen in the frame of S = diag(1, i) on each qubit: the start |+>^n becomes S|+>^n, the cost stays diagonal
and exp(i b X) becomes the real rotation [[cos b, sin b], [-sin b, cos b]], which the real and the imaginary plane
undergo separately. The factor cos b of each qubit is left to the phase layer, so that a rotation is one multiply-add a
number, with tan b.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from agents.quantum.simulator.phases import ELEMENTWISE, SUMMING, cos_sin, phase_slope


@dataclass(frozen=True)
class TransverseField:
    """The mixer of the textbook QAOA on ``qubits`` qubits."""

    qubits: int
    nbytes: int = 0

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """The planes (2^n,) of S|+>^n: amplitude i^(number of ones) / sqrt(2^n)."""
        re, im = np.empty(1 << self.qubits), np.empty(1 << self.qubits)
        _start(re, im)
        return re, im

    def evolve(self, re: np.ndarray, im: np.ndarray, turns: np.ndarray, gammas: np.ndarray, betas: np.ndarray) -> None:
        """Apply all layers to the planes (2^n,) in place."""
        gammas, betas, _ = _small_angles(gammas, betas)
        _evolve(re, im, turns, gammas, betas, self.qubits)

    def slopes(
        self,
        re: np.ndarray,
        im: np.ndarray,
        left_re: np.ndarray,
        left_im: np.ndarray,
        turns: np.ndarray,
        gammas: np.ndarray,
        betas: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Adjoint gradient from the final state and observable x state; both are run back to the start in place."""
        small_gammas, small_betas, layer = _small_angles(gammas, betas)
        by_gamma, by_beta = np.zeros(layer.size), np.zeros(layer.size)
        _slopes(re, im, left_re, left_im, turns, small_gammas, small_betas, self.qubits, by_gamma, by_beta)
        parts = np.bincount(layer, minlength=betas.size)
        first = np.searchsorted(layer, np.arange(betas.size))
        return by_gamma[first], np.bincount(layer, by_beta, minlength=betas.size) / parts


def _small_angles(gammas: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers with |beta| <= pi/4, where tan is small: the same up to a sign, each old one as one or two new ones.

    Returns:
        gammas (q,), betas (q,) and the old layer of each new one (q,) int64. exp(i pi sum X) = (-1)^n.
    """
    reduced = betas - math.pi * np.round(betas / math.pi)
    parts = np.where(np.abs(reduced) > 0.25 * math.pi, 2, 1)
    layer = np.repeat(np.arange(betas.size), parts)
    first = np.concatenate([np.ones(1, bool), np.diff(layer) > 0])[: layer.size]
    return np.where(first, gammas[layer], 0.0), (reduced / parts)[layer], layer


@numba.njit(**ELEMENTWISE)
def _start(re, im):
    amplitude = 1.0 / math.sqrt(re.size)
    re[0], im[0] = amplitude, 0.0
    size = 1
    while size < re.size:
        for x in range(size):
            re[size + x], im[size + x] = -im[x], re[x]
        size *= 2


@numba.njit(**ELEMENTWISE)
def _phases(re, im, turns, angle, scale):
    for x in range(re.size):
        c, s = cos_sin(angle * turns[x])
        c, s = scale * c, scale * s
        real, imaginary = re[x], im[x]
        re[x] = real * c + imaginary * s
        im[x] = imaginary * c - real * s


@numba.njit(**ELEMENTWISE)
def _rotate(x, qubits, tan):
    """All qubits of one plane, two in a pass."""
    q = 0
    if qubits % 2 == 1:
        for i in range(0, x.size, 2):
            a, b = x[i], x[i + 1]
            x[i], x[i + 1] = a + tan * b, b - tan * a
        q = 1
    while q < qubits:
        s = 1 << q
        for base in range(0, x.size, 4 * s):
            for i in range(base, base + s):
                a, b, c, d = x[i], x[i + s], x[i + 2 * s], x[i + 3 * s]
                a, b = a + tan * b, b - tan * a
                c, d = c + tan * d, d - tan * c
                x[i], x[i + 2 * s] = a + tan * c, c - tan * a
                x[i + s], x[i + 3 * s] = b + tan * d, d - tan * b
        q += 2


@numba.njit(**ELEMENTWISE)
def _evolve(re, im, turns, gammas, betas, qubits):
    for layer in range(gammas.size):
        tan = math.tan(betas[layer])
        _phases(re, im, turns, gammas[layer], math.cos(betas[layer]) ** qubits)
        _rotate(re, qubits, tan)
        _rotate(im, qubits, tan)


@numba.njit(**SUMMING)
def _mixer_slope(x, left, qubits):
    """Sum over qubits of <left| iY |x> for one plane."""
    total = 0.0
    for q in range(qubits):
        s = 1 << q
        for base in range(0, x.size, 2 * s):
            for i in range(base, base + s):
                total += left[i] * x[i + s] - left[i + s] * x[i]
    return total


@numba.njit(**ELEMENTWISE)
def _slopes(re, im, left_re, left_im, turns, gammas, betas, qubits, by_gamma, by_beta):
    for layer in range(gammas.size - 1, -1, -1):
        tan = math.tan(betas[layer])
        scale = math.cos(betas[layer]) ** qubits
        by_beta[layer] = 2.0 * (_mixer_slope(re, left_re, qubits) + _mixer_slope(im, left_im, qubits))
        for plane in (re, im, left_re, left_im):
            _rotate(plane, qubits, -tan)
        by_gamma[layer] = scale * scale * phase_slope(re, im, left_re, left_im, turns)
        _phases(re, im, turns, -gammas[layer], scale)
        _phases(left_re, left_im, turns, -gammas[layer], scale)
