"""The passes of Cascade over one frame: which parities are asked for, in which order of the bits.

The scheme and its sources are in :mod:`qdt_env.security.qkd.cascade`.
"""

import math
from dataclasses import dataclass

import numpy as np

from qdt_env.compiled import batch, phase, rule
from qdt_env.random import CHANNEL, words
from qdt_env.security.qkd.parities import (
    KNOWN,
    ROUNDS,
    SHUFFLED_ROWS,
    Alice,
    Bob,
    Transcript,
    ask_blocks,
    begin_row,
    node,
    pack_row,
    search,
)

CHECKS = 16
QBER_RANGE = (1e-4, 0.25)
_FIRST, _SECOND, _THIRD = 1.0, 2.0, 80.0
_FEWEST_BLOCKS = 2  # a kind of bits that fills fewer blocks joins the next kind


@dataclass(frozen=True)
class BlockSizes:
    """Block sizes of the passes, as powers of two.

    Attributes:
        first: log2 of the block size of pass 1, >= 1.
        second: log2 of the block sizes of pass 2 by log2 of the smallest known sub-block of a bit, (first + 1,); the
            entry 0 is unused.
        third: log2 of the block size of pass 3.
    """

    first: int
    second: tuple[int, ...]
    third: int


def block_sizes(qber: float, bits: int) -> BlockSizes:
    """Block sizes for an expected error rate.

    Args:
        qber: expected share of wrong bits, in ``QBER_RANGE``.
        bits: length of the frame, >= 64.

    Raises:
        ValueError: an error rate outside the range.
    """
    if not QBER_RANGE[0] <= qber <= QBER_RANGE[1]:
        raise ValueError(f"qber: got {qber}, allowed: {QBER_RANGE[0]} to {QBER_RANGE[1]}")
    largest = (bits - 1).bit_length() - 1

    def level(size: float) -> int:
        return min(max(round(math.log2(size)), 1), largest)

    r = 1.0 - 2.0 * qber
    first = level(_FIRST / qber)
    wrong = [qber * (1.0 - r ** (2**s - 1)) / (1.0 + r ** (2**s)) for s in range(1, first + 1)]
    return BlockSizes(first, (0, *(level(_SECOND / p) for p in wrong)), level(_THIRD / qber))


def scratch(n: int, sizes: BlockSizes) -> tuple[Alice, Transcript, Bob]:
    """Fresh arrays for one frame of ``n`` bits; see the classes."""
    capacity = 2 ** (max(n - 1, 63).bit_length() + 1)  # row 1 has pads
    rows, levels = SHUFFLED_ROWS + CHECKS, capacity.bit_length()
    packed = (rows, capacity // 64)
    second = np.zeros(levels, np.int64)
    second[: len(sizes.second)] = sizes.second
    tops = np.full(rows, (n - 1).bit_length(), np.int64)
    tops[:SHUFFLED_ROWS] = sizes.first, 0, sizes.third
    bob = Bob(
        bits=np.empty(n, np.uint8),
        words=np.empty(packed, np.uint64),
        unknown=np.empty(packed, np.uint64),
        order=np.empty((SHUFFLED_ROWS, capacity), np.int32),
        place=np.empty((SHUFFLED_ROWS, capacity), np.int32),
        state=np.empty((rows, 2 * capacity), np.uint8),
        queue=np.empty(2 * rows * capacity, np.int32),
        waiting=np.zeros(levels, np.int64),
        found=np.empty(capacity, np.int32),
        kind=np.empty(n, np.int8),
        kind_counts=np.empty(levels, np.int64),
        kind_starts=np.empty(levels, np.int64),
        tops=tops,
        kind_tops=second.copy(),
        second=second,
        joined=np.empty(levels, np.int64),
    )
    said = Transcript(np.empty((2 * n, 3), np.int32), np.empty(2 * n, np.uint8), np.zeros(3, np.int64))
    return Alice(np.empty(n, np.uint8), np.empty(packed, np.uint64)), said, bob


def shortened(ends: tuple[Alice, Transcript, Bob], n: int) -> tuple[Alice, Transcript, Bob]:
    """The same arrays for a frame of ``n`` bits, which must not be longer than theirs."""
    alice, said, bob = ends
    return alice._replace(bits=alice.bits[:n]), said, bob._replace(bits=bob.bits[:n], kind=bob.kind[:n])


@batch
def correct_frame(alice, said, bob, seed, frame, searches):
    """Correct one frame in place.

    Args:
        alice, said, bob: as :func:`scratch` makes them, the bits filled in; all are changed.
        seed, frame: address of the shuffles.
        searches: binary searches side by side from pass 2 on.

    Returns:
        Whether all parities that were disclosed agree in the end; False if the frame was given up.
    """
    said.tally[:] = 0
    bob.waiting[:] = 0
    for row in range(SHUFFLED_ROWS + 1):
        rows = _open_pass(alice, said, bob, row, seed, frame)
        # The blocks of pass 1 share no bits: searching all of them at once costs nothing.
        if not search(alice, said, bob, rows, bob.bits.shape[0] if row == 0 else searches):
            return False
    return True


@phase
def _open_pass(alice, said, bob, row, seed, frame):
    """Lay out the next row and ask for its blocks, one message; returns how many rows are in use then."""
    said.tally[ROUNDS] += 1
    if row == SHUFFLED_ROWS:
        _ask_subsets(alice, said, bob, seed, frame)
        return bob.words.shape[0]
    if row == 0:
        positions = _lay_out_as_is(bob)
    elif row == 1:
        positions = _lay_out_by_kind(bob, seed, frame)
    else:
        positions = _lay_out_open(bob, seed, frame)
    pack_row(alice.bits, bob.order, row, positions, alice.words)
    pack_row(bob.bits, bob.order, row, positions, bob.words)
    begin_row(bob, row, positions)
    _ask_row(alice, said, bob, row, positions)
    return row + 1


@phase
def _ask_row(alice, said, bob, row, positions):
    """Parities of a row's blocks. After pass 1 the errors among bits of a kind, or among all, are even in number."""
    first, last = (1, bob.tops[0]) if row == 1 else (0, 0)
    for kind in range(first, last + 1):
        level, start, bits = bob.tops[row], np.int64(0), positions
        if row == 1:
            level, start, bits = bob.kind_tops[kind], bob.kind_starts[kind], bob.kind_counts[kind]
        ask_blocks(alice, said, bob, row, level, start >> level, (start >> level) + _blocks(bits, level), row > 0)


@rule
def _blocks(bits, level):
    """How many blocks of 2^level cover the bits."""
    return (bits + (1 << level) - 1) >> level


@phase
def _lay_out_as_is(bob):
    """Order of row 0; the block sizes of row 1 are as planned."""
    for i in range(bob.bits.shape[0]):
        bob.order[0, i] = i
    for kind in range(bob.second.shape[0]):
        bob.kind_tops[kind] = bob.second[kind]
    return bob.bits.shape[0]


@phase
def _tell_kinds(bob):
    """Level of the smallest known node of row 0 over each bit, 0 for settled bits; counts them."""
    capacity, size = bob.state.shape[1] // 2, bob.bits.shape[0]
    bob.kind_counts[:] = 0
    i = np.int64(0)
    while i < size:  # nodes whose halves are not known lie side by side
        kind = bob.tops[0]
        while kind > 0 and bob.state[0, node(capacity, kind - 1, i >> (kind - 1))] & KNOWN:
            kind -= 1
        counted = np.int64(0)
        for k in range(i, min(i + (1 << kind), size)):
            open_bit = np.int64((bob.unknown[0, k >> 6] >> np.uint64(k & 63)) & np.uint64(1))
            bob.kind[k] = kind * open_bit
            counted += open_bit
        bob.kind_counts[kind] += counted
        i += 1 << kind


@phase
def _join_kinds(bob):
    """Kinds too small to fill blocks join the next larger one; where each begins in row 1, padded to whole blocks.

    Returns:
        The positions that row 1 takes, at most twice the bits.
    """
    top = bob.tops[0]
    for kind in range(1, top):
        bob.joined[kind] = kind
        if bob.kind_counts[kind] < _FEWEST_BLOCKS << bob.kind_tops[kind]:
            bob.joined[kind] = kind + 1
            bob.kind_counts[kind + 1] += bob.kind_counts[kind]
            bob.kind_counts[kind] = 0
    bob.joined[top] = top
    while bob.kind_tops[top] > 1 and (1 << bob.kind_tops[top]) > bob.kind_counts[top]:
        bob.kind_tops[top] -= 1
    positions = np.int64(0)
    for kind in range(1, top + 1):
        bob.kind_starts[kind] = positions
        positions += _blocks(bob.kind_counts[kind], bob.kind_tops[kind]) << bob.kind_tops[kind]
    for kind in range(top - 1, 0, -1):
        bob.joined[kind] = bob.joined[bob.joined[kind]]
    return positions


@phase
def _lay_out_by_kind(bob, seed, frame):
    """Order of row 1: the bits of a kind together and shuffled (inside out); returns the positions used."""
    _tell_kinds(bob)
    positions = _join_kinds(bob)
    bob.order[1, :positions] = -1
    bob.kind_counts[:] = 0
    drawn, draws = 0, words(seed, frame, 1, CHANNEL, 0, 0)
    for i in range(bob.bits.shape[0]):
        if bob.kind[i] == 0:
            continue
        kind = bob.joined[bob.kind[i]]
        bob.kind[i] = kind
        first, placed = bob.kind_starts[kind], bob.kind_counts[kind]
        if drawn & 3 == 0:
            draws = words(seed, frame, 1, CHANNEL, 0, drawn >> 2)
        other = first + _below(draws[drawn & 3], placed + 1)
        bob.order[1, first + placed] = bob.order[1, other]
        bob.order[1, other] = i
        bob.kind_counts[kind] += 1
        drawn += 1
    return positions


@rule
def _below(word, size):
    """A uint32 word as an integer in [0, size), by multiplication (bias below size / 2^32)."""
    return np.int64((np.uint64(word) * np.uint64(size)) >> np.uint64(32))


@phase
def _lay_out_open(bob, seed, frame):
    """Order of row 2: all bits that are not settled, shuffled; returns how many."""
    drawn, draws = 0, words(seed, frame, 2, CHANNEL, 0, 0)
    for i in range(bob.bits.shape[0]):
        if (bob.unknown[0, i >> 6] >> np.uint64(i & 63)) & np.uint64(1):
            if drawn & 3 == 0:
                draws = words(seed, frame, 2, CHANNEL, 0, drawn >> 2)
            other = _below(draws[drawn & 3], drawn + 1)
            bob.order[2, drawn] = bob.order[2, other]
            bob.order[2, other] = i
            drawn += 1
    return drawn


@phase
def _ask_subsets(alice, said, bob, seed, frame):
    """Rows of random subsets: both ends mask their bits, and the subsets' parities are asked in one message."""
    for row in range(SHUFFLED_ROWS, bob.words.shape[0]):
        for w in range(bob.words.shape[1]):
            subset = np.uint64(0)
            if 64 * w < bob.bits.shape[0]:
                a, b, _, _ = words(seed, frame, row, CHANNEL, 0, w)
                subset = (np.uint64(a) << np.uint64(32)) | np.uint64(b)
            alice.words[row, w] = alice.words[0, w] & subset
            bob.words[row, w] = bob.words[0, w] & subset
            bob.unknown[row, w] = bob.unknown[0, w] & subset
        ask_blocks(alice, said, bob, row, bob.tops[row], 0, 1, False)
