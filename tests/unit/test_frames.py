"""Frames: compiled code reads and writes the very arrays of the tuple, through one pointer."""

import copy
import gc
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from qdt_env.frames import Frame

RECORD = np.dtype([("a", "f4"), ("b", "i2"), ("v", "f4", (3,))], align=True)


class Inner(NamedTuple):
    """A nested tuple."""

    counts: np.ndarray[Any, Any]


class Outer(NamedTuple):
    """Arrays of several kinds around a nested tuple."""

    first: np.ndarray[Any, Any]
    inner: Inner
    records: np.ndarray[Any, Any]
    last: np.ndarray[Any, Any]


@numba.njit
def touch(frame: Any) -> Any:
    """Write one element of every array; return sums and shapes."""
    frame.first[1, 2] = 7.0
    frame.inner.counts[0] += 5
    frame.records[1].a = 2.5
    frame.records[1].b = -3
    frame.records[1].v[2] = 9.0
    frame.last[2, 1, 0] = 1
    return frame.first.shape[1], frame.inner.counts.size, frame.records.shape[0], frame.last.ndim, frame.last.shape[2]


def example() -> Outer:
    return Outer(np.zeros((2, 3), np.float32), Inner(np.arange(4)), np.zeros(2, RECORD), np.zeros((3, 2, 5), np.int8))


def test_compiled_code_writes_into_the_arrays() -> None:
    fields = example()
    assert touch(Frame(fields)) == (3, 4, 2, 3, 5)
    assert fields.first.tolist() == [[0, 0, 0], [0, 0, 7]]
    assert fields.inner.counts.tolist() == [5, 1, 2, 3]
    assert fields.records[1].tolist()[:2] == (2.5, -3) and fields.records[1]["v"].tolist() == [0, 0, 9]
    assert fields.records[0].tolist()[:2] == (0.0, 0)
    assert fields.last.sum() == 1 and fields.last[2, 1, 0] == 1


def test_one_compilation_serves_all_sizes() -> None:
    touch(Frame(example()))
    before = len(touch.signatures)
    larger = Outer(
        np.zeros((9, 8), np.float32), Inner(np.arange(40)), np.zeros(20, RECORD), np.zeros((4, 3, 6), np.int8)
    )
    assert touch(Frame(larger)) == (8, 40, 20, 3, 6)
    assert len(touch.signatures) == before


def test_the_frame_keeps_its_arrays_alive() -> None:
    frame = Frame(example())
    gc.collect()
    hold = [np.full((2, 3), 99, np.float32) for _ in range(100)]
    touch(frame)
    assert frame.first[1, 2] == 7.0
    assert all((block == 99).all() for block in hold)


def test_attributes_are_the_tuples() -> None:
    fields = example()
    frame = Frame(fields)
    assert frame.first is fields.first
    assert frame.inner.counts is fields.inner.counts
    with pytest.raises(AttributeError):
        frame.nothing  # noqa: B018


def test_arrays_cannot_be_replaced() -> None:
    frame = Frame(example())
    with pytest.raises(AttributeError, match="first"):
        frame.first = np.zeros((2, 3), np.float32)


def test_what_is_no_array_or_not_contiguous_is_refused_by_name() -> None:
    fields = example()
    with pytest.raises(TypeError, match=r"Outer\.last is not C-contiguous"):
        Frame(fields._replace(last=np.zeros((4, 2, 10), np.int8)[:, :, ::2]))
    with pytest.raises(TypeError, match=r"Outer\.first is neither"):
        Frame(fields._replace(first=3.0))


def test_a_deep_copy_stands_on_its_own_arrays() -> None:
    """An address copied along with its frame would let the copy's kernels write into the original."""
    frame = Frame(example())
    twin = copy.deepcopy(frame)
    touch(twin)
    assert twin.first[1, 2] == 7.0
    assert frame.first[1, 2] == 0.0
