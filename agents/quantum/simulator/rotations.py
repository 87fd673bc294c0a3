"""Real rotations of qubits on planes of amplitudes: the inner loops of the transverse-field mixer.

A qubit of stride s pairs x[i] with x[i + s]. [[1, tan], [-tan, 1]] leaves out the factor cos b per qubit, which the
callers carry. The three lowest qubits are rotated within vectors of eight, and up to four more between vectors that
stay in registers (radix 16), so that seven qubits take one load and one store of each amplitude.
"""

from functools import reduce

import numba

from agents.quantum.simulator.phases import ELEMENTWISE
from agents.quantum.simulator.vectors import WIDTH, Vector, vectorised

_LANE_BITS = (1, 2, 4)  # strides within a vector
_WITHIN = len(_LANE_BITS)


def _turned(rows: list[Vector], tan: Vector) -> list[Vector]:
    """The qubits that tell the rows apart, rotated; the rows are 2^qubits."""
    rows, distance = list(rows), 1
    while distance < len(rows):
        for j, k in _pairs(len(rows), distance):
            rows[j], rows[k] = rows[j] + tan * rows[k], rows[k] - tan * rows[j]
        distance *= 2
    return rows


def _turned_within(rows: list[Vector], tan: Vector) -> list[Vector]:
    """The qubits that tell the lanes of a vector apart, rotated."""
    for distance in _LANE_BITS:
        signed = tan.signed(distance)
        rows = [row + signed * row.exchanged(distance) for row in rows]
    return rows


def _pairs(count: int, distance: int) -> list[tuple[int, int]]:
    return [(j, j + distance) for j in range(count) if not j & distance]


def _between(scalars: list[Vector], x: list[Vector]) -> tuple[list[list[Vector]], None]:
    return [_turned(x, scalars[0])], None


def _all(scalars: list[Vector], x: list[Vector]) -> tuple[list[list[Vector]], None]:
    return [_turned(_turned_within(x, scalars[0]), scalars[0])], None


_ALL1, _ALL2, _ALL4, _ALL8, _ALL16 = (vectorised(_all, 1 << k) for k in range(5))
_TWO, _FOUR, _EIGHT, _SIXTEEN = (vectorised(_between, 1 << k) for k in range(1, 5))


@numba.njit(**ELEMENTWISE)
def share(qubits, most):
    """Qubits of the next pass, so that the passes over so many qubits are as few and as equal as can be."""
    passes = (qubits + most - 1) // most
    return (qubits + passes - 1) // passes if passes else 0


@numba.njit(**ELEMENTWISE)
def rotate_block(x, qubits, tan):
    """Rotate the ``qubits`` lowest qubits of a plane of 2^qubits amplitudes."""
    if qubits < _WITHIN:
        _rotate_few(x, qubits, tan)
        return
    first = share(qubits - _WITHIN, 4)
    for i in range(0, x.size, WIDTH << first):
        if first == 0:
            _ALL1((x,), i, WIDTH, (x,), i, WIDTH, (tan,))
        elif first == 1:
            _ALL2((x,), i, WIDTH, (x,), i, WIDTH, (tan,))
        elif first == 2:
            _ALL4((x,), i, WIDTH, (x,), i, WIDTH, (tan,))
        elif first == 3:
            _ALL8((x,), i, WIDTH, (x,), i, WIDTH, (tan,))
        else:
            _ALL16((x,), i, WIDTH, (x,), i, WIDTH, (tan,))
    rotate_strided(x, WIDTH << first, qubits - _WITHIN - first, tan)


@numba.njit(**ELEMENTWISE)
def rotate_strided(x, stride, qubits, tan):
    """Rotate ``qubits`` qubits of strides stride, 2 stride, 4 stride, ... on a plane of 2^qubits x stride numbers.

    The stride is a multiple of eight.
    """
    s = stride
    while qubits > 0:
        step = share(qubits, 4)
        for base in range(0, x.size, s << step):
            rotate_rows(x, base, s, x, base, s, s, step, tan)
        s <<= step
        qubits -= step


@numba.njit(**ELEMENTWISE)
def rotate_rows(x, start, stride, to, to_start, to_stride, width, qubits, tan):
    """Rotate 2, 4, 8 or 16 rows of ``width`` neighbours (a multiple of eight), in place or into another plane."""
    for k in range(0, width, WIDTH):
        i, j = start + k, to_start + k
        if qubits == 1:
            _TWO((x,), i, stride, (to,), j, to_stride, (tan,))
        elif qubits == 2:
            _FOUR((x,), i, stride, (to,), j, to_stride, (tan,))
        elif qubits == 3:
            _EIGHT((x,), i, stride, (to,), j, to_stride, (tan,))
        else:
            _SIXTEEN((x,), i, stride, (to,), j, to_stride, (tan,))


@numba.njit(**ELEMENTWISE)
def _rotate_few(x, qubits, tan):
    """``rotate_block`` of fewer qubits than a vector holds."""
    s = 1
    for _ in range(qubits):
        for base in range(0, x.size, 2 * s):
            for i in range(base, base + s):
                a, b = x[i], x[i + s]
                x[i], x[i + s] = a + tan * b, b - tan * a
        s *= 2


def _slopes(rows: list[Vector], left: list[Vector]) -> list[Vector]:
    """<left| iY |rows> of each qubit that tells rows apart, by lane."""
    slopes, distance = [], 1
    while distance < len(rows):
        terms = [left[j] * rows[k] - left[k] * rows[j] for j, k in _pairs(len(rows), distance)]
        slopes.append(_sum(terms))
        distance *= 2
    return slopes


def _slopes_within(rows: list[Vector], left: list[Vector]) -> list[Vector]:
    """<left| iY |rows> of each qubit that tells lanes apart, by lane."""
    return [
        _sum([other * row.exchanged(distance).signed(distance) for row, other in zip(rows, left, strict=True)])
        for distance in _LANE_BITS
    ]


def _sum(terms: list[Vector]) -> Vector:
    return reduce(Vector.__add__, terms)


def _undo_between(scalars: list[Vector], x: list[Vector], left: list[Vector]) -> tuple[list[list[Vector]], Vector]:
    return [_turned(x, scalars[0]), _turned(left, scalars[0])], _sum(_slopes(x, left))


def _undo_all(scalars: list[Vector], x: list[Vector], left: list[Vector]) -> tuple[list[list[Vector]], Vector]:
    back = [_turned(_turned_within(rows, scalars[0]), scalars[0]) for rows in (x, left)]
    return back, _sum(_slopes(x, left) + _slopes_within(x, left))


_UNDO_ALL1, _UNDO_ALL2, _UNDO_ALL4, _UNDO_ALL8 = (vectorised(_undo_all, 1 << k) for k in range(4))
_UNDO_TWO, _UNDO_FOUR, _UNDO_EIGHT = (vectorised(_undo_between, 1 << k) for k in range(1, 4))


@numba.njit(**ELEMENTWISE)
def unrotate_block(x, left, qubits, tan, cos2):
    """Undo ``rotate_block`` on a plane and its left plane; returns the sum of <left| iY |x> over the qubits.

    The undone rotations leave out 1 / cos as well: after m qubits both planes are 1 / cos^m too large, which the
    slopes of later qubits are freed of by cos2 = cos^2 a qubit.
    """
    if qubits < _WITHIN:
        return _unrotate_few(x, left, qubits, tan, cos2)
    total, first = 0.0, share(qubits - _WITHIN, 3)
    both = (x, left)
    for i in range(0, x.size, WIDTH << first):
        if first == 0:
            total += _UNDO_ALL1(both, i, WIDTH, both, i, WIDTH, (-tan,))
        elif first == 1:
            total += _UNDO_ALL2(both, i, WIDTH, both, i, WIDTH, (-tan,))
        elif first == 2:
            total += _UNDO_ALL4(both, i, WIDTH, both, i, WIDTH, (-tan,))
        else:
            total += _UNDO_ALL8(both, i, WIDTH, both, i, WIDTH, (-tan,))
    done = _WITHIN + first
    return total + cos2**done * unrotate_strided(x, left, 1 << done, qubits - done, tan, cos2)


@numba.njit(**ELEMENTWISE)
def unrotate_strided(x, left, stride, qubits, tan, cos2):
    """Undo ``rotate_strided`` on a plane and its left plane; returns as ``unrotate_block``."""
    total, weight, s, both = 0.0, 1.0, stride, (x, left)
    while qubits > 0:
        step, part = share(qubits, 3), 0.0
        for base in range(0, x.size, s << step):
            for i in range(base, base + s, WIDTH):
                if step == 1:
                    part += _UNDO_TWO(both, i, s, both, i, s, (-tan,))
                elif step == 2:
                    part += _UNDO_FOUR(both, i, s, both, i, s, (-tan,))
                else:
                    part += _UNDO_EIGHT(both, i, s, both, i, s, (-tan,))
        total += weight * part
        weight *= cos2**step
        s <<= step
        qubits -= step
    return total


@numba.njit(**ELEMENTWISE)
def _unrotate_few(x, left, qubits, tan, cos2):
    """``unrotate_block`` of fewer qubits than a vector holds."""
    total, weight, s = 0.0, 1.0, 1
    for _ in range(qubits):
        part = 0.0
        for base in range(0, x.size, 2 * s):
            for i in range(base, base + s):
                a, b, e, f = x[i], x[i + s], left[i], left[i + s]
                part += e * b - f * a
                x[i], x[i + s] = a - tan * b, b + tan * a
                left[i], left[i + s] = e - tan * f, f + tan * e
        total += weight * part
        weight *= cos2
        s *= 2
    return total
