"""The Grover mixer exp(i b |s><s|) about the uniform superposition |s>: a rank-one update.

Source: Baertschi and Eidenbenz 2020, "Grover mixers for QAOA" (arXiv 2006.00354).
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from agents.quantum.simulator.phases import ELEMENTWISE, SUMMING, mean_of, rotate_phases, unrotate_phases


@dataclass(frozen=True)
class UniformReflection:
    """|x> -> |x> + (exp(i b) - 1) |s><s|x>: every amplitude is shifted by a multiple of their mean."""

    nbytes: int = 0

    def start(self, states: int) -> tuple[np.ndarray, np.ndarray]:
        """The planes (N,) of the uniform superposition."""
        return np.full(states, 1.0 / np.sqrt(states)), np.zeros(states)

    def same_as(self, other: object) -> bool:
        """Whether the other is one too."""
        return self == other

    def in_lanes(self, lanes: int) -> None:
        """Not done: the mean over an instance's amplitudes would be summed in another order."""

    def evolve(
        self,
        re: np.ndarray,
        im: np.ndarray,
        turns: np.ndarray,
        gammas: np.ndarray,
        betas: np.ndarray,
        observable: np.ndarray,
    ) -> float:
        """Apply all layers to the planes (N,) in place; the mean of the observable, 0 where it is empty."""
        _evolve(re, im, turns, gammas, betas)
        return float(mean_of(re, im, observable))

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
        by_gamma, by_beta = np.zeros(gammas.size), np.zeros(betas.size)
        _slopes(re, im, left_re, left_im, turns, gammas, betas, by_gamma, by_beta)
        return by_gamma, by_beta


@numba.njit(**SUMMING)
def _sum(values):
    total = 0.0
    for x in range(values.size):
        total += values[x]
    return total


@numba.njit(**ELEMENTWISE)
def _mix(re, im, beta):
    """One mixer; exp(i b) - 1 = 2 i sin(b/2) exp(i b/2), which loses no digits at small angles."""
    factor_re = -2.0 * math.sin(0.5 * beta) ** 2
    factor_im = math.sin(beta)
    mean_re, mean_im = _sum(re) / re.size, _sum(im) / re.size
    shift_re = factor_re * mean_re - factor_im * mean_im
    shift_im = factor_re * mean_im + factor_im * mean_re
    for x in range(re.size):
        re[x] += shift_re
        im[x] += shift_im


@numba.njit(**ELEMENTWISE)
def _evolve(re, im, turns, gammas, betas):
    for layer in range(gammas.size):
        rotate_phases(re, im, turns, gammas[layer])
        _mix(re, im, betas[layer])


@numba.njit(**ELEMENTWISE)
def _slopes(re, im, left_re, left_im, turns, gammas, betas, by_gamma, by_beta):
    for layer in range(gammas.size - 1, -1, -1):
        # d<C>/db = 2 Re <left| i |s><s| |state> = -2 Im <left|s><s|state>; <s|x> is the sum over sqrt(N).
        overlap = _sum(left_re) * _sum(im) - _sum(left_im) * _sum(re)
        by_beta[layer] = -2.0 * overlap / re.size
        _mix(re, im, -betas[layer])
        _mix(left_re, left_im, -betas[layer])
        by_gamma[layer] = unrotate_phases(re, im, left_re, left_im, turns, gammas[layer])
