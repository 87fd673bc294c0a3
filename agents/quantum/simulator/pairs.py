"""Mixers made of two-state rotations, [[cos b, i sin b], [i sin b, cos b]] on disjoint pairs of basis states.

The XY ring and the swap mixer are both an ordered product of such factors. A factor's pairs are stored for one period
of the basis (the states repeat with the outer digits) and for runs of neighbours that move together (the inner
digits), so that eight options on eight groups need 1 MB of tables rather than one entry per pair and factor.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from agents.quantum.simulator.phases import ELEMENTWISE, SUMMING, mean_of, rotate_phases, unrotate_phases


@dataclass(frozen=True, eq=False)
class PairFactors:
    """An ordered product of pair rotations over N basis states.

    Attributes:
        period: (F,) int64, states after which factor f repeats; divides N.
        run: (F,) int64, neighbouring states that move together.
        start_of: (F + 1,) int64, first pair of each factor.
        first, second: (M,) int64, states of each pair in the first period, < period - run + 1. Pairs of one factor
            are taken in order; where they share states the order matters.
        lanes: instances side by side; the other fields count all their amplitudes.
    """

    period: np.ndarray
    run: np.ndarray
    start_of: np.ndarray
    first: np.ndarray
    second: np.ndarray
    lanes: int = 1

    @classmethod
    def from_lists(cls, factors: list[tuple[int, int, np.ndarray]]) -> "PairFactors":
        """From (period, run, pairs (m, 2)) of each factor in order."""
        pairs = [np.asarray(pairs, dtype=np.int64).reshape(-1, 2) for _, _, pairs in factors]
        joined = np.concatenate([*pairs, np.zeros((0, 2), np.int64)])
        return cls(
            period=np.array([period for period, _, _ in factors], dtype=np.int64),
            run=np.array([run for _, run, _ in factors], dtype=np.int64),
            start_of=np.cumsum([0, *(len(some) for some in pairs)]).astype(np.int64),
            first=np.ascontiguousarray(joined[:, 0]),
            second=np.ascontiguousarray(joined[:, 1]),
        )

    def start(self, states: int) -> tuple[np.ndarray, np.ndarray]:
        """The planes (N x lanes,) of the uniform superposition."""
        return np.full(states * self.lanes, 1.0 / np.sqrt(states)), np.zeros(states * self.lanes)

    def same_as(self, other: object) -> bool:
        """Whether the factors are the same."""
        return isinstance(other, PairFactors) and all(map(np.array_equal, self._tables, other._tables))

    def in_lanes(self, lanes: int) -> "PairFactors":
        """So many instances side by side: the pairs move in runs that are longer by that factor."""
        return PairFactors(
            self.period * lanes, self.run * lanes, self.start_of, self.first * lanes, self.second * lanes, lanes
        )

    @property
    def nbytes(self) -> int:
        """Memory of the tables."""
        return sum(array.nbytes for array in self._tables)

    @property
    def _tables(self) -> tuple[np.ndarray, ...]:
        return self.period, self.run, self.start_of, self.first, self.second

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
        _evolve(re, im, turns, gammas, betas, *self._tables)
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
        _slopes(re, im, left_re, left_im, turns, gammas, betas, *self._tables, by_gamma, by_beta)
        return by_gamma, by_beta


@numba.njit(**ELEMENTWISE)
def _rotate(re, im, c, s, period, run, first, second):
    """One factor on all its pairs."""
    for base in range(0, re.size, period):
        for m in range(first.size):
            i, j = base + first[m], base + second[m]
            for k in range(run):
                a, b = re[i + k], im[i + k]
                d, e = re[j + k], im[j + k]
                re[i + k] = c * a - s * e
                im[i + k] = c * b + s * d
                re[j + k] = c * d - s * b
                im[j + k] = c * e + s * a


@numba.njit(**SUMMING)
def _rotate_back(re, im, left_re, left_im, c, s, period, run, first, second):
    """Undo one factor on the state and on the left state; returns the factor's share of d/d beta.

    With F = exp(i b X): d<C>/db = 2 Re <left| i X |state> = -2 Im <left| X |state>.
    """
    total = 0.0
    for base in range(0, re.size, period):
        for m in range(first.size):
            i, j = base + first[m], base + second[m]
            for k in range(run):
                a, b, d, e = re[i + k], im[i + k], re[j + k], im[j + k]
                p, q, r, t = left_re[i + k], left_im[i + k], left_re[j + k], left_im[j + k]
                total += p * e - q * d + r * b - t * a
                re[i + k] = c * a + s * e
                im[i + k] = c * b - s * d
                re[j + k] = c * d + s * b
                im[j + k] = c * e - s * a
                left_re[i + k] = c * p + s * t
                left_im[i + k] = c * q - s * r
                left_re[j + k] = c * r + s * q
                left_im[j + k] = c * t - s * p
    return -2.0 * total


@numba.njit(**ELEMENTWISE)
def _evolve(re, im, turns, gammas, betas, period, run, start, first, second):
    for layer in range(gammas.size):
        rotate_phases(re, im, turns, gammas[layer])
        c, s = math.cos(betas[layer]), math.sin(betas[layer])
        for f in range(period.size):
            pairs = slice(start[f], start[f + 1])
            _rotate(re, im, c, s, period[f], run[f], first[pairs], second[pairs])


@numba.njit(**ELEMENTWISE)
def _slopes(re, im, left_re, left_im, turns, gammas, betas, period, run, start, first, second, by_gamma, by_beta):
    for layer in range(gammas.size - 1, -1, -1):
        c, s = math.cos(betas[layer]), math.sin(betas[layer])
        for f in range(period.size - 1, -1, -1):
            # Reversed, because pairs of one factor may share states (a ring's neighbours do).
            pairs = slice(start[f], start[f + 1])
            by_beta[layer] += _rotate_back(
                re, im, left_re, left_im, c, s, period[f], run[f], first[pairs][::-1], second[pairs][::-1]
            )
        by_gamma[layer] = unrotate_phases(re, im, left_re, left_im, turns, gammas[layer])


def ring_factors(registers: tuple[int, ...]) -> PairFactors:
    """The XY ring on one-hot registers: one factor per register, neighbours in order, the closing pair last.

    Basis states are the products of the registers' options, first register slowest. A register of two has one pair.
    """
    factors = []
    run = 1
    for length in reversed(registers):
        ring = [(t, t + 1) for t in range(length - 1)] + ([(length - 1, 0)] if length > 2 else [])
        factors.append((run * length, run, run * np.array(ring)))
        run *= length
    return PairFactors.from_lists(factors[::-1])
