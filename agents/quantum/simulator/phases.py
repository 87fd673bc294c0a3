"""Phases exp(-2 pi i g t) on separate real and imaginary planes: the cost layer of every ansatz.

Costs are kept in turns, t = (C - mean C) / (2 pi sigma), so that an angle of g radians per standard deviation turns an
amplitude by g t full turns; taking the mean off only changes the global phase and keeps the arguments small.
"""

import math
from typing import Any

import numba
import numpy as np

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


@numba.njit(forceinline=True, **ELEMENTWISE)
def cos_sin(turns):
    """Cosine and sine of 2 pi turns without branches or calls, so that loops vectorise; error < 5e-15 to 100 turns.

    With f = turns - round(turns) in [-1/2, 1/2], sin(pi f) / f and cos(pi f) are polynomials in z = f^2 (Chebyshev
    interpolation on [0, 1/4] in 60 digits: errors 7e-19 and 4e-18), summed in pairs (Estrin) so that additions need
    not wait for one another; the double angle gives the rest.
    """
    f = turns - ((turns + _ROUNDING) - _ROUNDING)
    z = f * f
    w = z * z
    v = w * w
    s = (3.141592653589793 - 5.167712780049969 * z) + w * (2.5501640398773007 - 0.5992645293189447 * z)
    s += v * (
        (0.0821458865731029 - 0.007370430505916944 * z) + w * (0.0004662998161898394 - 2.1903497074626018e-05 * z)
    )
    s = (s + v * v * 7.697826768224191e-07) * f
    c = (1.0 - 4.934802200544676 * z) + w * (4.058712126416497 - 1.335262768843447 * z)
    c += v * (
        (0.23533063012953284 - 0.025806888737002202 * z) + w * (0.0019295562724817132 - 0.00010456655338748738 * z)
    )
    c += v * v * 4.149564353942586e-06
    return 1.0 - 2.0 * s * s, 2.0 * s * c


@numba.njit(**ELEMENTWISE)
def rotate_phases(re, im, turns, angle, scale=1.0):
    """Multiply amplitudes re + i im (N,) by scale exp(-2 pi i angle turns)."""
    for x in range(np.uint64(re.size)):  # unsigned, so that no index is tested for its sign
        c, s = cos_sin(angle * turns[x])
        c, s = scale * c, scale * s
        real, imaginary = re[x], im[x]
        re[x] = real * c + imaginary * s
        im[x] = imaginary * c - real * s


@numba.njit(**SUMMING)
def unrotate_phases(re, im, left_re, left_im, turns, angle, scale=1.0):
    """Undo a phase layer on a state and on its left state, both times ``scale``.

    Returns:
        d/d angle of <left| phase layer |..>, 2 sum 2 pi turns Im(conj(left) state), as it is before the scale.
    """
    total = 0.0
    for x in range(np.uint64(re.size)):
        c, s = cos_sin(angle * turns[x])
        c, s = scale * c, scale * s
        a, b, d, e = re[x], im[x], left_re[x], left_im[x]
        total += turns[x] * (d * b - e * a)
        re[x], im[x] = a * c - b * s, b * c + a * s
        left_re[x], left_im[x] = d * c - e * s, e * c + d * s
    return 4.0 * math.pi * total


@numba.njit(**SUMMING)
def mean_of(re, im, observable):
    """Expectation sum observable |amplitude|^2; 0 for an empty observable."""
    total = 0.0
    for x in range(np.uint64(observable.size)):
        total += observable[x] * (re[x] * re[x] + im[x] * im[x])
    return total
