"""Exact detection counts of a block: a multinomial draw over the detection cells, and what error correction leaks.

For independent pulses the numbers of detections by basis, intensity and {right, wrong} are multinomial, and those of
two stretches of time with different loss simply add. So a block of 1e9 pulses costs a dozen binomial draws, done one
after another: each cell is binomial in the pulses that no cell before it took.

The binomial sampler is exact for every n and p: inversion for small means, otherwise the transformed rejection of
Hoermann 1993, "The generation of binomial random variates", J. Stat. Comput. Simul. 46, algorithm BTRS.
Draws are counter-based like all of the project's (``qdt_env.random``).
"""

import math
from collections.abc import Sequence

import numpy as np
from numba import uint32, uint64

from qdt_env import random
from qdt_env.compiled import phase, rule
from qdt_env.security.qkd.detection import KEY_BASIS, RIGHT, WRONG
from qdt_env.security.qkd.finite_key import binary_entropy

# A block, or part of one. Axes: basis (0 key, 1 test) x intensity (0 signal, 1 decoy, 2 second decoy; unused: 0).
COUNTS = np.dtype(
    [
        ("pulses", "f8"),  # pulses sent, whole, >= 0
        ("n", "i8", (2, 3)),  # detections in matching bases, >= 0
        ("m", "i8", (2, 3)),  # of these wrong, 0 .. n
    ],
    align=True,
)

# Draw numbers of the channel stream: above all others there. A call owns 2^16 of them, each cell 2^12.
_BLOCK_DRAWS = 0x40000000
_INVERSION_BELOW = 10.0  # mean from which rejection is quicker and valid
_INVERSION_END = 1000.0  # a mean below 10 never gets there; the guard against rounding in the last term
_MOST_TRIES = _DRAWS_PER_CELL = 1 << 12
_DRAWS_PER_BLOCK = 1 << 16
_TO_UNIT53 = 2.0**-53
_TAIL = np.array(
    [math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + (k + 1) - 0.5 * math.log(2 * math.pi) for k in range(10)]
)


@rule
def uniform53(high, low):
    """Two random words as float64 in (0, 1), never 0 or 1: 53 bits, in the middle of their cells."""
    bits = (uint64(high) << uint64(21)) ^ (uint64(low) >> uint64(11))
    return (float(bits & uint64(0x1FFFFFFFFFFFFF)) + 0.5) * _TO_UNIT53


@rule
def _stirling_tail(k):
    """Give ln k! - [(k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi)/2], k >= 0: tabulated below 10, else its series."""
    if k < 10.0:
        return _TAIL[int(k)]
    x = k + 1.0
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / (x * x)) / (x * x)) / x


@phase
def _by_inversion(n, p, u):
    """The quantile of the binomial distribution at u, by summing from 0; for small means."""
    odds = p / (1.0 - p)
    term = math.exp(n * math.log1p(-p))
    k = 0.0
    while u > term and k < n and k < _INVERSION_END:
        u -= term
        k += 1.0
        term *= (n - k + 1.0) / k * odds
    return k


@rule
def _log_density_ratio(k, mode, n, p):
    """Log of Binomial(n, p) at k over its value at the mode, exact to rounding (Hoermann 1993)."""
    odds = p / (1.0 - p)
    return (
        (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0)))
        + (n + 1.0) * math.log1p((k - mode) / (n - k + 1.0))
        + (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
        + _stirling_tail(mode)
        + _stirling_tail(n - mode)
        - _stirling_tail(k)
        - _stirling_tail(n - k)
    )


@phase
def _by_rejection(n, p, seed, episode, step, entity, first):
    """Algorithm BTRS: n p >= 10, p <= 1/2; try t takes the words at index ``first`` + t."""
    spread = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre, squeeze = n * p + 0.5, 0.92 - 4.2 / b
    alpha, mode = (2.83 + 5.1 / b) * spread, math.floor((n + 1.0) * p)
    for attempt in range(_MOST_TRIES):
        w, x, y, z = random.words(seed, episode, step, random.CHANNEL, entity, uint32(first + attempt))
        u, v = uniform53(w, x) - 0.5, uniform53(y, z)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + centre)
        if us >= 0.07 and v <= squeeze:
            return k
        if k < 0.0 or k > n:
            continue
        if math.log(v * alpha / (a / (us * us) + b)) <= _log_density_ratio(k, mode, n, p):
            return k
    return mode  # after 2^12 tries of which each succeeds with more than one half: never


@phase
def draw_binomial(n, p, seed, episode, step, entity, first):
    """One binomial number, exact for all n and p.

    Args:
        n: trials, a whole number 0 .. 2^53 as float64.
        p: probability, [0, 1].
        seed, episode, step, entity, first: address of the draws in the channel stream; 2^12 indices from ``first`` on
            belong to this number.

    Returns:
        Successes, a whole number 0 .. n as float64.
    """
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if p >= 1.0:
        return float(n)
    rare = min(p, 1.0 - p)
    if n * rare < _INVERSION_BELOW:
        w, x, _, _ = random.words(seed, episode, step, random.CHANNEL, entity, uint32(first))
        k = _by_inversion(n, rare, uniform53(w, x))
    else:
        k = _by_rejection(n, rare, seed, episode, step, entity, first)
    return k if p <= 0.5 else n - k


@phase
def draw_counts(counts, cells, pulses, seed, episode, step, entity, index):
    """Add the detections of some pulses to a block, drawn exactly; a pure function of its arguments and the block.

    Args:
        counts: ``COUNTS`` record; added to.
        cells: (2, 3, 2) probabilities per pulse of ``detection.detection_cells``.
        pulses: how many pulses, whole, >= 0.
        seed, episode, step, entity: address of the draws; entity is the link's number.
        index: which draw of this step, 0 .. 2^14 - 1.
    """
    left, mass = float(pulses), 1.0
    first = _BLOCK_DRAWS + index * _DRAWS_PER_BLOCK
    n, m = counts["n"], counts["m"]
    for basis in range(2):
        for k in range(3):
            for side in (RIGHT, WRONG):
                p = cells[basis, k, side]
                if p > 0.0:
                    drawn = draw_binomial(left, min(p / mass, 1.0), seed, episode, step, entity, first)
                    left -= drawn
                    mass = max(mass - p, p * 1e-12)
                    n[basis, k] += int(drawn)
                    if side == WRONG:
                        m[basis, k] += int(drawn)
                first += _DRAWS_PER_CELL
    counts["pulses"] += float(pulses)


@phase
def clear_counts(counts):
    """Empty a block."""
    counts["pulses"] = 0.0
    n, m = counts["n"], counts["m"]
    for basis in range(2):
        for k in range(3):
            n[basis, k] = 0
            m[basis, k] = 0


@rule
def pulses_for(n_z_missing, cells):
    """How many pulses bring the *expected* key-basis detections up by ``n_z_missing``: whole, >= 0, inf without light.

    A block ends after a number of pulses that conditions alone decide, not when the counts happen to reach n_Z: so
    its counts are multinomial, as the bounds assume.
    """
    per_pulse = 0.0
    for k in range(3):
        per_pulse += cells[KEY_BASIS, k, RIGHT] + cells[KEY_BASIS, k, WRONG]
    if n_z_missing <= 0.0:
        return 0.0
    return math.ceil(n_z_missing / per_pulse) if per_pulse > 0.0 else math.inf


def leak_table(efficiencies: Sequence[tuple[float, float]]) -> np.ndarray:
    """Efficiency of error correction by QBER for :func:`leaked_bits`.

    Args:
        efficiencies: (QBER, f_EC) pairs, QBER rising in (0, 0.5), f_EC >= 1.

    Returns:
        (K, 2) float64: QBER, f_EC; constant beyond its ends.

    Raises:
        ValueError: no pairs, QBER not rising or an f_EC below Shannon's limit.
    """
    table = np.array(efficiencies, np.float64).reshape(-1, 2)
    rising = len(table) > 0 and np.all(np.diff(table[:, 0]) > 0) and 0 < table[0, 0] and table[-1, 0] < 0.5
    if not rising or np.any(table[:, 1] < 1):
        raise ValueError(f"efficiencies: got {efficiencies!r}, allowed: (QBER, f_EC) with rising QBER and f_EC >= 1")
    return table


@rule
def correction_efficiency(qber, table):
    """f_EC at a QBER: linear between the rows of a :func:`leak_table`, constant beyond them."""
    last = table.shape[0] - 1
    if qber <= table[0, 0]:
        return table[0, 1]
    for row in range(last):
        if qber <= table[row + 1, 0]:
            share = (qber - table[row, 0]) / (table[row + 1, 0] - table[row, 0])
            return table[row, 1] + share * (table[row + 1, 1] - table[row, 1])
    return table[last, 1]


@rule
def leaked_bits(errors, n, table):
    """lambda_EC given the number of errors: f_EC(Q) n h(Q) with Q = errors/n.

    Args:
        errors: wrong bits of the sifted key, 0 .. n.
        n: sifted bits, >= 0.
        table: a :func:`leak_table`.

    Returns:
        Bits given away, whole, >= 0. Past one half it stays at n: then all is given away.
    """
    if n <= 0:
        return 0.0
    qber = min(errors / n, 0.5)
    return math.ceil(min(correction_efficiency(qber, table) * n * binary_entropy(qber), float(n)))
