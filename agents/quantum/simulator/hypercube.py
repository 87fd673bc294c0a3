"""The transverse-field mixer exp(i b sum X) on all 2^n bit strings.

Everything is seen in the frame of S = diag(1, i) on each qubit: the start |+>^n becomes S|+>^n, the cost stays diagonal
and exp(i b X) becomes the real rotation [[cos b, sin b], [-sin b, cos b]], which the real and the imaginary plane
undergo separately. The factor cos b of each qubit is left to the phase layer.

Where the planes do not fit the second-level cache they are gone through in blocks. The low qubits are rotated in
blocks of neighbours, the high ones on gathered columns, the first and the last of them on the way in and out; since the
mixers of one layer commute, a pass finishes one layer on its qubits, takes the next phase and begins the next layer on
the same qubits. So p layers take p + 1 passes over the memory, alternately low and high.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from agents.quantum.simulator.columns import gather, gather_rotated, scatter, scatter_rotated
from agents.quantum.simulator.phases import ELEMENTWISE, mean_of, rotate_phases, unrotate_phases
from agents.quantum.simulator.rotations import rotate_block, rotate_strided, unrotate_block, unrotate_strided
from agents.quantum.simulator.vectors import aligned

_LOW = 14  # qubits of a block at most: 128 KiB a plane
_GATHERED = 13  # gathered columns hold 2^13 amplitudes: 64 KiB a plane, 320 KiB of a gradient
_NARROWEST = 16  # neighbours of a column at least: two cache lines


@dataclass(frozen=True)
class TransverseField:
    """The mixer of the textbook QAOA on ``qubits`` qubits, of ``lanes`` instances side by side."""

    qubits: int
    lanes: int = 1
    nbytes: int = 0

    def start(self, states: int) -> tuple[np.ndarray, np.ndarray]:
        """The planes (2^n x lanes,) of S|+>^n: amplitude i^(number of ones) / sqrt(2^n)."""
        re, im = planes = aligned(2, states)
        _start(re, im)
        if self.lanes == 1:
            return re, im
        side_by_side = aligned(2, states * self.lanes)
        side_by_side.reshape(2, states, -1)[:] = planes[:, :, None]
        return side_by_side[0], side_by_side[1]

    def same_as(self, other: object) -> bool:
        """Whether the number of qubits is the same."""
        return self == other

    def in_lanes(self, lanes: int) -> "TransverseField":
        """So many instances side by side."""
        return TransverseField(self.qubits, lanes)

    def evolve(
        self,
        re: np.ndarray,
        im: np.ndarray,
        turns: np.ndarray,
        gammas: np.ndarray,
        betas: np.ndarray,
        observable: np.ndarray,
    ) -> float:
        """Apply all layers to the planes (2^n,) in place; the mean of the observable, 0 where it is empty."""
        gammas, betas, _ = _small_angles(gammas, betas)
        if self.lanes > 1:
            _evolve_lanes(re, im, turns, gammas, betas, self.qubits, self.lanes)
            return 0.0
        return float(_evolve(re, im, turns, gammas, betas, self.qubits, self._low, observable, self._columns(3)))

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
        gammas_, betas_, layer = _small_angles(gammas, betas)
        by_gamma, by_beta = np.zeros(layer.size), np.zeros(layer.size)
        _slopes(
            re,
            im,
            left_re,
            left_im,
            turns,
            gammas_,
            betas_,
            self.qubits,
            self._low,
            by_gamma,
            by_beta,
            self._columns(5),
        )
        parts = np.bincount(layer, minlength=betas.size)
        first = np.searchsorted(layer, np.arange(betas.size))
        return by_gamma[first], np.bincount(layer, by_beta, minlength=betas.size) / parts

    @property
    def _low(self) -> int:
        return min(self.qubits, _LOW)

    def _columns(self, planes: int) -> np.ndarray:
        """Room for the gathered columns of so many planes."""
        high = self.qubits - self._low
        return aligned(planes, _width(self._low, high) << high if high else 0)


def _width(low: int, high: int) -> int:
    """Neighbours gathered from each row."""
    return min(1 << low, max(_NARROWEST, 1 << max(_GATHERED - high, 0)))


def _small_angles(gammas: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers with |beta| <= pi/4, where tan is small: the same up to a sign, each old one as one or two new ones.

    Returns:
        gammas (q,), betas (q,) and the old layer of each new one (q,) int64. exp(i pi sum X) = (-1)^n.
    """
    reduced = betas - math.pi * np.round(betas / math.pi)
    if (np.abs(reduced) <= 0.25 * math.pi).all():
        return gammas, reduced, np.arange(betas.size)
    parts = np.where(np.abs(reduced) > 0.25 * math.pi, 2, 1)
    layer = np.repeat(np.arange(betas.size), parts)
    first = np.concatenate([np.ones(1, bool), np.diff(layer) > 0])[: layer.size]
    return np.where(first, gammas[layer], 0.0), (reduced / parts)[layer], layer


@numba.njit(**ELEMENTWISE)
def _start(re, im):
    re[0], im[0] = 1.0 / math.sqrt(re.size), 0.0
    size = 1
    while size < re.size:
        for x in range(np.uint64(size)):
            re[np.uint64(size) + x], im[np.uint64(size) + x] = -im[x], re[x]
        size *= 2


@numba.njit(**ELEMENTWISE)
def _low_pass(re, im, turns, seen, low, before, angle, scale, after):
    """Rotate by ``before``, take the phase, rotate by ``after``, block by block; scale 0 means no phase."""
    block, total = 1 << low, 0.0
    for b in range(0, re.size, block):
        r, i = re[b : b + block], im[b : b + block]
        if before != 0.0:
            rotate_block(r, low, before)
            rotate_block(i, low, before)
        if scale != 0.0:
            rotate_phases(r, i, turns[b : b + block], angle, scale)
            rotate_block(r, low, after)
            rotate_block(i, low, after)
        total += mean_of(r, i, seen[b : b + block])
    return total


@numba.njit(**ELEMENTWISE)
def _high_pass(re, im, turns, seen, columns, low, high, before, angle, scale, after):
    """As ``_low_pass`` on the high qubits."""
    block, rows, total = 1 << low, 1 << high, 0.0
    width = columns.shape[1] // rows
    r, i = columns[0], columns[1]
    for b in range(0, block, width):
        gather_rotated(re, low, high, b, r, before)
        gather_rotated(im, low, high, b, i, before)
        if scale != 0.0:
            for row in range(rows):
                there, here = row * block + b, row * width
                part = slice(here, here + width)
                rotate_phases(r[part], i[part], turns[there : there + width], angle, scale)
            scatter_rotated(r, low, high, b, re, after)
            scatter_rotated(i, low, high, b, im, after)
        else:
            scatter(r, rows, block, b, re)
            scatter(i, rows, block, b, im)
    for b in range(0, seen.size, block):
        part = slice(b, b + block)
        total += mean_of(re[part], im[part], seen[part])
    return total


@numba.njit(**ELEMENTWISE)
def _evolve(re, im, turns, gammas, betas, qubits, low, observable, columns):
    """Pass k finishes layer k - 1 on its half of the qubits and begins layer k there; the last pass only finishes."""
    layers, high, total = gammas.size, qubits - low, 0.0
    last = layers if high or layers == 0 else layers - 1
    for k in range(last + 1):
        before = math.tan(betas[k - 1]) if high and k > 0 else 0.0
        angle, scale, after = 0.0, 0.0, 0.0
        if k < layers:
            angle, scale, after = gammas[k], math.cos(betas[k]) ** qubits, math.tan(betas[k])
        seen = observable if k == last else observable[:0]
        if high and k % 2 == 1:
            total += _high_pass(re, im, turns, seen, columns, low, high, before, angle, scale, after)
        else:
            total += _low_pass(re, im, turns, seen, low, before, angle, scale, after)
    return total


@numba.njit(**ELEMENTWISE)
def _evolve_lanes(re, im, turns, gammas, betas, qubits, lanes):
    for k in range(gammas.size):
        rotate_phases(re, im, turns, gammas[k], math.cos(betas[k]) ** qubits)
        rotate_strided(re, lanes, qubits, math.tan(betas[k]))
        rotate_strided(im, lanes, qubits, math.tan(betas[k]))


@numba.njit(**ELEMENTWISE)
def _undo_low(re, im, left_re, left_im, turns, low, after, cos2_after, angle, scale, before, cos2_before):
    """The reverse of ``_low_pass`` on both states; slopes by the mixer after, the phase and the mixer before."""
    block = 1 << low
    by_after, by_phase, by_before = 0.0, 0.0, 0.0
    for b in range(0, re.size, block):
        part = slice(b, b + block)
        r, i, u, v = re[part], im[part], left_re[part], left_im[part]
        if scale != 0.0:
            by_after += unrotate_block(r, u, low, after, cos2_after) + unrotate_block(i, v, low, after, cos2_after)
            by_phase += unrotate_phases(r, i, u, v, turns[part], angle, scale)
        if before != 0.0:
            by_before += unrotate_block(r, u, low, before, cos2_before)
            by_before += unrotate_block(i, v, low, before, cos2_before)
    return by_after, by_phase, by_before


@numba.njit(**ELEMENTWISE)
def _undo_high(
    re, im, left_re, left_im, turns, columns, low, high, after, cos2_after, angle, scale, before, cos2_before
):
    """As ``_undo_low`` on the high qubits."""
    block, rows = 1 << low, 1 << high
    width = columns.shape[1] // rows
    by_after, by_phase, by_before = 0.0, 0.0, 0.0
    r, i, u, v, other = columns[0], columns[1], columns[2], columns[3], columns[4]
    for b in range(0, block, width):
        for plane, column in ((re, r), (im, i), (left_re, u), (left_im, v)):
            gather(plane, rows, block, b, column)
        if scale != 0.0:
            by_after += unrotate_strided(r, u, width, high, after, cos2_after)
            by_after += unrotate_strided(i, v, width, high, after, cos2_after)
            gather(turns, rows, block, b, other)
            by_phase += unrotate_phases(r, i, u, v, other, angle, scale)
        by_before += unrotate_strided(r, u, width, high, before, cos2_before)
        by_before += unrotate_strided(i, v, width, high, before, cos2_before)
        for plane, column in ((re, r), (im, i), (left_re, u), (left_im, v)):
            scatter(column, rows, block, b, plane)
    return by_after, by_phase, by_before


@numba.njit(**ELEMENTWISE)
def _slopes(re, im, left_re, left_im, turns, gammas, betas, qubits, low, by_gamma, by_beta, columns):
    """The passes of ``_evolve`` in reverse.

    A layer's first half undone leaves both states 1 / cos too large per qubit, which weighs on the second half's slope,
    and both halves on the phase's.
    """
    layers, high = gammas.size, qubits - low
    for k in range(layers if high else layers - 1, -1, -1):
        here = high if high and k % 2 == 1 else low
        before, cos2_before = 0.0, 1.0
        if high and k > 0:
            before, cos2_before = math.tan(betas[k - 1]), math.cos(betas[k - 1]) ** 2
        angle, scale, after, cos2_after = 0.0, 0.0, 0.0, 1.0
        if k < layers:
            cos = math.cos(betas[k])
            angle, scale, after, cos2_after = gammas[k], cos**qubits, math.tan(betas[k]), cos * cos
        rest = (after, cos2_after, angle, scale, before, cos2_before)
        if high and k % 2 == 1:
            slopes = _undo_high(re, im, left_re, left_im, turns, columns, low, high, *rest)
        else:
            slopes = _undo_low(re, im, left_re, left_im, turns, low, *rest)
        if k < layers:
            by_beta[k] += 2.0 * slopes[0] * cos2_after ** (qubits - here)
            by_gamma[k] = slopes[1] * cos2_after**qubits
        if k > 0:
            by_beta[k - 1] += 2.0 * slopes[2]
