"""The compiled kernels of the bit-string simulator against NumPy, at every size that takes a path of its own."""

import numpy as np
import pytest

from agents.quantum.simulator.phases import rotate_phases, unrotate_phases
from agents.quantum.simulator.rotations import rotate_block, rotate_rows, rotate_strided, unrotate_block
from agents.quantum.simulator.vectors import WIDTH, aligned

TAN = 0.3


def rotated(x, strides, tan):
    """[[1, tan], [-tan, 1]] on the qubits of these strides, by reshaping."""
    for stride in strides:
        a, b = np.moveaxis(x.reshape(-1, 2, stride), 1, 0)
        x = np.stack([a + tan * b, b - tan * a], axis=1).reshape(-1)
    return x


@pytest.mark.parametrize("qubits", range(13))
def test_block_rotations_equal_reshaped_ones_and_are_undone(qubits):
    rng = np.random.default_rng([1, qubits])
    x, left = rng.normal(size=(2, 1 << qubits))
    strides = [1 << k for k in range(qubits)]
    turned, other = rotated(x, strides, TAN), rotated(left, strides, TAN)
    ours = x.copy()
    rotate_block(ours, qubits, TAN)
    assert ours == pytest.approx(turned, rel=0, abs=1e-12)

    slope = 0.0
    for stride in strides:
        (a, b), (e, f) = (np.moveaxis(plane.reshape(-1, 2, stride), 1, 0) for plane in (x, left))
        slope += float((e * b - f * a).sum())
    cos2 = 1.0 / (1.0 + TAN * TAN)
    found = unrotate_block(turned, other, qubits, TAN, cos2)
    assert np.array([turned, other]) * cos2**qubits == pytest.approx(np.array([x, left]), rel=0, abs=1e-12)
    # The planes given were 1 / cos too large per qubit, each of the two.
    assert found * cos2**qubits == pytest.approx(slope, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("qubits", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [8, 24])
def test_strided_rotations_equal_reshaped_ones(qubits, stride):
    x = np.random.default_rng([2, qubits, stride]).normal(size=stride << qubits)
    expected = rotated(x, [stride << k for k in range(qubits)], TAN)
    rotate_strided(x, stride, qubits, TAN)
    assert x == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("qubits", [1, 2, 3, 4])
def test_rows_are_rotated_on_the_way_into_another_plane(qubits):
    rows = 1 << qubits
    x, to = np.random.default_rng([3, qubits]).normal(size=(rows, 40)), np.zeros((rows + 1, 16))
    expected = rotated(x[:, 5:21].reshape(-1), [16 << k for k in range(qubits)], TAN)
    rotate_rows(x.reshape(-1), 5, 40, to.reshape(-1), 16, 16, 16, qubits, TAN)
    assert to[1:].reshape(-1) == pytest.approx(expected, rel=0, abs=1e-12)
    assert not to[0].any()


@pytest.mark.parametrize("size", [1, 8, 15, 16, 37])
def test_phases_are_exact_to_a_hundred_turns_and_undone(size):
    rng = np.random.default_rng([4, size])
    turns = rng.integers(-100, 100, size) + rng.integers(0, 1 << 20, size) / (1 << 20)  # exact in float64
    state, left = rng.normal(size=(2, size)) + 1j * rng.normal(size=(2, size))
    # NumPy is given the fraction of a turn only, where 2 pi turns rounds by no more than 1e-15.
    phase = 0.5 * np.exp(-2j * np.pi * (turns - np.round(turns)))
    re, im = state.real.copy(), state.imag.copy()
    rotate_phases(re, im, turns, 1.0, 0.5)
    assert re + 1j * im == pytest.approx(state * phase, rel=0, abs=2e-14)

    le, li = (left * phase).real.copy(), (left * phase).imag.copy()
    slope = 4.0 * np.pi * float((turns * np.imag(np.conj(left * phase) * (state * phase))).sum())
    found = unrotate_phases(re, im, le, li, turns, 1.0, 2.0)
    assert found == pytest.approx(slope, rel=1e-11, abs=1e-10)
    assert re + 1j * im == pytest.approx(state, rel=0, abs=4e-14)
    assert le + 1j * li == pytest.approx(left, rel=0, abs=4e-14)


def test_planes_begin_at_a_cache_line():
    for size in (1, 8, 1000, 1 << 16):
        planes = aligned(2, size)
        assert planes.shape == (2, size)
        assert planes.ctypes.data % (8 * WIDTH) == 0
