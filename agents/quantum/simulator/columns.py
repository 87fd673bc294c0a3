"""Columns of the high qubits: the same few neighbours of every block, copied side by side and back."""

import numba
import numpy as np

from agents.quantum.simulator.phases import ELEMENTWISE
from agents.quantum.simulator.rotations import rotate_rows, rotate_strided, share


@numba.njit(**ELEMENTWISE)
def gather(plane, rows, block, start, columns):
    """Copy neighbours from ``start`` on of every block."""
    width = columns.size // rows
    for row in range(np.uint64(rows)):
        here, there = np.uint64(width) * row, np.uint64(block) * row + np.uint64(start)
        for k in range(np.uint64(width)):
            columns[here + k] = plane[there + k]


@numba.njit(**ELEMENTWISE)
def scatter(columns, rows, block, start, plane):
    """Undo ``gather``."""
    width = columns.size // rows
    for row in range(np.uint64(rows)):
        here, there = np.uint64(width) * row, np.uint64(block) * row + np.uint64(start)
        for k in range(np.uint64(width)):
            plane[there + k] = columns[here + k]


@numba.njit(**ELEMENTWISE)
def gather_rotated(plane, low, high, start, columns, tan):
    """Gather and rotate the high qubits, the first of them on the way."""
    width, first = columns.size >> high, share(high, 4)
    for row in range(0, 1 << high, 1 << first):
        rotate_rows(plane, (row << low) + start, 1 << low, columns, row * width, width, width, first, tan)
    rotate_strided(columns, width << first, high - first, tan)


@numba.njit(**ELEMENTWISE)
def scatter_rotated(columns, low, high, start, plane, tan):
    """Rotate the high qubits and scatter, the last of them on the way."""
    width, last = columns.size >> high, share(high, 4)
    rotate_strided(columns, width, high - last, tan)
    stride = 1 << (high - last)
    for row in range(stride):
        there = (row << low) + start
        rotate_rows(columns, row * width, stride * width, plane, there, stride << low, width, last, tan)
