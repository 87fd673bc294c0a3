"""Phases exp(-2 pi i g t) on separate real and imaginary planes: the cost layer of every ansatz.

Costs are kept in turns, t = (C - mean C) / (2 pi sigma), so that an angle of g radians per standard deviation turns an
amplitude by g t full turns; taking the mean off only changes the global phase and keeps the arguments small.
"""

import math
from typing import Any

import numba
import numpy as np

from agents.quantum.simulator.vectors import WIDTH, Vector, vectorised

# "contract" (fused multiply-add) rounds less, not more; only where SUMMING is used may sums be reordered.
# Without reference counting (_nrt) nothing may be allocated inside, and compilation takes a third less time.
ELEMENTWISE: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    "fastmath": {"contract", "nsz"},
}
SUMMING: dict[str, Any] = {**ELEMENTWISE, "fastmath": {"contract", "nsz", "reassoc"}}


# Adding and taking off 1.5 x 2^52 rounds to the nearest integer; must not be compiled with "reassoc".
_ROUNDING = 6755399441055744.0


def _cos_sin(turns: Vector) -> tuple[Vector, Vector]:
    """Cosine and sine of 2 pi turns without branches or calls; error < 5e-15 to 100 turns.

    With f = turns - round(turns) in [-1/2, 1/2], sin(pi f) / f and cos(pi f) are polynomials in z = f^2 (Chebyshev
    interpolation on [0, 1/4] in 60 digits: errors 6e-16 and 2e-15), summed in pairs (Estrin) so that additions need
    not wait for one another; the double angle gives the rest.
    """
    f = turns - ((turns + _ROUNDING) - _ROUNDING)
    z = f * f
    w = z * z
    v = w * w
    low = (3.1415926535897927 - 5.1677127800497855 * z) + w * (2.5501640398618677 - 0.599264528825224 * z)
    high = (0.08214587881631043 - 0.0073703643265304155 * z) + w * (0.0004659870158043378 - 2.113362735205297e-05 * z)
    s = (low + v * high) * f
    low = (0.9999999999999981 - 4.934802200543686 * z) + w * (4.058712126333295 - 1.3352627661817635 * z)
    high = (0.23533058831317874 - 0.025806531975921563 * z) + w * (0.0019278700526981333 - 0.0001004164642205389 * z)
    c = low + v * high
    return 1.0 - 2.0 * s * s, 2.0 * s * c


def _phased(scalars: list[Vector], *planes: list[Vector]) -> tuple[list[list[Vector]], None]:
    (re,), (im,), (turns,) = planes
    angle, scale = scalars
    c, s = _cos_sin(angle * turns)
    c, s = scale * c, scale * s
    return [[re * c + im * s], [im * c - re * s]], None


def _unphased(scalars: list[Vector], *planes: list[Vector]) -> tuple[list[list[Vector]], Vector]:
    (a,), (b,), (d,), (e,), (turns,) = planes
    angle, scale = scalars
    c, s = _cos_sin(angle * turns)
    c, s = scale * c, scale * s
    return [[a * c - b * s], [b * c + a * s], [d * c - e * s], [e * c + d * s]], turns * (d * b - e * a)


# Two vectors at a time keep both arithmetic units busy; the last few amplitudes are done one by one.
_PAIR = 2 * WIDTH
_PHASED, _PHASED_ONE = vectorised(_phased, width=_PAIR), vectorised(_phased, width=1)
_UNPHASED, _UNPHASED_ONE = vectorised(_unphased, width=_PAIR), vectorised(_unphased, width=1)


@numba.njit(**ELEMENTWISE)
def rotate_phases(re, im, turns, angle, scale=1.0):
    """Multiply amplitudes re + i im (N,) by scale exp(-2 pi i angle turns)."""
    paired = re.size // _PAIR * _PAIR
    for x in range(0, paired, _PAIR):
        _PHASED((re, im, turns), x, 0, (re, im), x, 0, (angle, scale))
    for x in range(paired, re.size):
        _PHASED_ONE((re, im, turns), x, 0, (re, im), x, 0, (angle, scale))


@numba.njit(**ELEMENTWISE)
def unrotate_phases(re, im, left_re, left_im, turns, angle, scale=1.0):
    """Undo a phase layer on a state and on its left state, both times ``scale``.

    Returns:
        d/d angle of <left| phase layer |..>, 2 sum 2 pi turns Im(conj(left) state), as it is before the scale.
    """
    total, paired, both = 0.0, re.size // _PAIR * _PAIR, (re, im, left_re, left_im)
    for x in range(0, paired, _PAIR):
        total += _UNPHASED((re, im, left_re, left_im, turns), x, 0, both, x, 0, (angle, scale))
    for x in range(paired, re.size):
        total += _UNPHASED_ONE((re, im, left_re, left_im, turns), x, 0, both, x, 0, (angle, scale))
    return 4.0 * math.pi * total


@numba.njit(**SUMMING)
def mean_of(re, im, observable):
    """Expectation sum observable |amplitude|^2; 0 for an empty observable."""
    total = 0.0
    for x in range(np.uint64(observable.size)):
        total += observable[x] * (re[x] * re[x] + im[x] * im[x])
    return total
