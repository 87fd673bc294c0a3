"""Real rotations of qubits on planes of amplitudes: the inner loops of the transverse-field mixer.

A qubit of stride s pairs x[i] with x[i + s]. Two qubits are taken in a pass (radix 4), which halves the loads and
stores; [[1, tan], [-tan, 1]] leaves out the factor cos b per qubit, which the callers carry. The three lowest strides
have loops of their own, with fixed strides and unsigned indices, because only so does the compiler vectorise them.
"""

import numba
import numpy as np

from agents.quantum.simulator.phases import ELEMENTWISE, SUMMING

_U1, _U2, _U3, _U4 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_U16, _U32, _U48, _U64 = np.uint64(16), np.uint64(32), np.uint64(48), np.uint64(64)


@numba.njit(forceinline=True, **ELEMENTWISE)
def _two_qubits(a, b, c, d, tan):
    """Both qubits of four amplitudes."""
    a, b = a + tan * b, b - tan * a
    c, d = c + tan * d, d - tan * c
    return a + tan * c, b + tan * d, c - tan * a, d - tan * b


@numba.njit(**ELEMENTWISE)
def rotate_block(x, qubits, tan):
    """Rotate the ``qubits`` lowest qubits of a plane of 2^qubits amplitudes."""
    if qubits >= 2:
        for m in range(np.uint64(x.size // 4)):
            i = _U4 * np.uint64(m)
            x[i], x[i + _U1], x[i + _U2], x[i + _U3] = _two_qubits(x[i], x[i + _U1], x[i + _U2], x[i + _U3], tan)
    if qubits >= 4:
        for base in range(0, x.size, 16):
            y = x[base : base + 16]
            for k in range(4):
                y[k], y[k + 4], y[k + 8], y[k + 12] = _two_qubits(y[k], y[k + 4], y[k + 8], y[k + 12], tan)
    if qubits >= 6:
        for m in range(np.uint64(x.size // 64)):
            for low in range(_U16):
                j = _U64 * np.uint64(m) + np.uint64(low)
                x[j], x[j + _U16], x[j + _U32], x[j + _U48] = _two_qubits(
                    x[j], x[j + _U16], x[j + _U32], x[j + _U48], tan
                )
    done = min(qubits // 2, 3) * 2
    rotate_strided(x, 1 << done, qubits - done, tan)


@numba.njit(**ELEMENTWISE)
def rotate_strided(x, stride, qubits, tan):
    """Rotate ``qubits`` qubits of strides stride, 2 stride, 4 stride, ... on a plane of 2^qubits x stride numbers."""
    s = stride
    for _ in range(qubits // 2):
        for base in range(0, x.size, 4 * s):
            w, x_, y, z = x[base:][:s], x[base + s :][:s], x[base + 2 * s :][:s], x[base + 3 * s :][:s]
            for i in range(np.uint64(s)):
                w[i], x_[i], y[i], z[i] = _two_qubits(w[i], x_[i], y[i], z[i], tan)
        s *= 4
    if qubits % 2 == 1:
        for base in range(0, x.size, 2 * s):
            w, y = x[base:][:s], x[base + s :][:s]
            for i in range(np.uint64(s)):
                a, b = w[i], y[i]
                w[i], y[i] = a + tan * b, b - tan * a


@numba.njit(forceinline=True, **SUMMING)
def _two_slopes(a, b, c, d, e, f, g, h):
    """Sum over both qubits of <left| iY |x> for x = (a, b, c, d) and left = (e, f, g, h)."""
    return (e * b - f * a) + (g * d - h * c) + (e * c - g * a) + (f * d - h * b)


@numba.njit(**SUMMING)
def unrotate_block(x, left, qubits, tan, cos2):
    """Undo ``rotate_block`` on a plane and its left plane; returns the sum of <left| iY |x> over the qubits.

    The undone rotations leave out 1 / cos as well: after m qubits both planes are 1 / cos^m too large, which the
    slopes of later qubits are freed of by cos2 = cos^2 a qubit.
    """
    total, weight = 0.0, 1.0
    if qubits >= 2:
        part = 0.0
        for m in range(np.uint64(x.size // 4)):
            i = _U4 * np.uint64(m)
            a, b, c, d = x[i], x[i + _U1], x[i + _U2], x[i + _U3]
            e, f, g, h = left[i], left[i + _U1], left[i + _U2], left[i + _U3]
            part += _two_slopes(a, b, c, d, e, f, g, h)
            x[i], x[i + _U1], x[i + _U2], x[i + _U3] = _two_qubits(a, b, c, d, -tan)
            left[i], left[i + _U1], left[i + _U2], left[i + _U3] = _two_qubits(e, f, g, h, -tan)
        total += part
        weight *= cos2 * cos2
    done = 2 if qubits >= 2 else 0
    return total + weight * unrotate_strided(x, left, 1 << done, qubits - done, tan, cos2)


@numba.njit(**SUMMING)
def unrotate_strided(x, left, stride, qubits, tan, cos2):
    """Undo ``rotate_strided`` on a plane and its left plane; returns as ``unrotate_block``."""
    total, weight, s = 0.0, 1.0, stride
    for _ in range(qubits // 2):
        part = 0.0
        for base in range(0, x.size, 4 * s):
            xa, xb, xc, xd = x[base:][:s], x[base + s :][:s], x[base + 2 * s :][:s], x[base + 3 * s :][:s]
            la, lb = left[base:][:s], left[base + s :][:s]
            lc, ld = left[base + 2 * s :][:s], left[base + 3 * s :][:s]
            for i in range(np.uint64(s)):
                a, b, c, d = xa[i], xb[i], xc[i], xd[i]
                e, f, g, h = la[i], lb[i], lc[i], ld[i]
                part += _two_slopes(a, b, c, d, e, f, g, h)
                xa[i], xb[i], xc[i], xd[i] = _two_qubits(a, b, c, d, -tan)
                la[i], lb[i], lc[i], ld[i] = _two_qubits(e, f, g, h, -tan)
        total += weight * part
        weight *= cos2 * cos2
        s *= 4
    if qubits % 2 == 1:
        part = 0.0
        for base in range(0, x.size, 2 * s):
            xa, xb, la, lb = x[base:][:s], x[base + s :][:s], left[base:][:s], left[base + s :][:s]
            for i in range(np.uint64(s)):
                a, b, e, f = xa[i], xb[i], la[i], lb[i]
                part += e * b - f * a
                xa[i], xb[i] = a - tan * b, b + tan * a
                la[i], lb[i] = e - tan * f, f + tan * e
        total += weight * part
    return total
