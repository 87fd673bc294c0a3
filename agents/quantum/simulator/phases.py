"""Phases exp(-2 pi i g t) on separate real and imaginary planes: the cost layer of every ansatz.

Costs are kept in turns, t = (C - mean C) / (2 pi sigma), so that an angle of g radians per standard deviation turns an
amplitude by g t full turns; taking the mean off only changes the global phase and keeps the arguments small.
"""

import math
from typing import Any

import numba

# "contract" (fused multiply-add) rounds less, not more; only where SUMMING is used may sums be reordered.
ELEMENTWISE: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
SUMMING: dict[str, Any] = {**ELEMENTWISE, "fastmath": {"contract", "nsz", "reassoc"}}


@numba.njit(forceinline=True, **ELEMENTWISE)
def cos_sin(turns):
    """Cosine and sine of 2 pi turns without branches or calls, so that loops vectorise.

    With f = turns - round(turns) in [-1/2, 1/2], sin(pi f) / f and cos(pi f) are polynomials in f^2 (Chebyshev
    interpolation on [0, 1/4] in 60 digits: errors 7e-19 and 4e-18); the double angle gives the rest.
    """
    f = turns - math.floor(turns + 0.5)
    z = f * f
    s = 7.697826768224191e-07 * z - 2.1903497074626018e-05
    s = s * z + 0.0004662998161898394
    s = s * z - 0.007370430505916944
    s = s * z + 0.0821458865731029
    s = s * z - 0.5992645293189447
    s = s * z + 2.5501640398773007
    s = s * z - 5.167712780049969
    s = (s * z + 3.141592653589793) * f
    c = 4.149564353942586e-06 * z - 0.00010456655338748738
    c = c * z + 0.0019295562724817132
    c = c * z - 0.025806888737002202
    c = c * z + 0.23533063012953284
    c = c * z - 1.335262768843447
    c = c * z + 4.058712126416497
    c = c * z - 4.934802200544676
    c = c * z + 1.0
    return 1.0 - 2.0 * s * s, 2.0 * s * c


@numba.njit(**ELEMENTWISE)
def rotate_phases(re, im, turns, angle):
    """Multiply amplitudes re + i im (N,) by exp(-2 pi i angle turns)."""
    for x in range(re.size):
        c, s = cos_sin(angle * turns[x])
        real, imaginary = re[x], im[x]
        re[x] = real * c + imaginary * s
        im[x] = imaginary * c - real * s


@numba.njit(**SUMMING)
def phase_slope(re, im, left_re, left_im, turns):
    """d/d angle of <left| ... |state> for the phase layer just applied: 2 sum 2 pi turns Im(conj(left) state)."""
    total = 0.0
    for x in range(re.size):
        total += turns[x] * (left_re[x] * im[x] - left_im[x] * re[x])
    return 4.0 * math.pi * total


@numba.njit(**SUMMING)
def mean_of(re, im, observable):
    """Expectation sum observable |amplitude|^2."""
    total = 0.0
    for x in range(re.size):
        total += observable[x] * (re[x] * re[x] + im[x] * im[x])
    return total
