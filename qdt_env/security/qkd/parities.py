"""The two ends of Cascade as compiled code: Alice answers parities, Bob searches his errors by them.

Every *row* is an order of the frame's bits: row 0 as they came, rows 1 and 2 shuffled, the others random subsets of row
0. Over a row stands a binary tree: node (level, j) covers the positions j 2^level .. (j + 1) 2^level - 1. A node is
*known* once Alice's parity of it is, asked or inferred, and *odd* while Bob's parity differs: it then holds an error.
Correcting one bit turns every known node above it, in every row, so all that was ever disclosed stays in use
("sub-block reuse").

Bob's bits never meet Alice's: ``disclose`` alone reads her words, gives one parity and writes it in the transcript.
"""

from typing import NamedTuple

import numpy as np

from qdt_env.compiled import phase, rule

SHUFFLED_ROWS = 3  # row 0 counts as one, its order is that of the bits
KNOWN, ODD, WAITING = 1, 2, 4  # flags of a node
LEAKED, CORRECTED, ROUNDS = 0, 1, 2  # entries of the tally
_ONE, _NONE, _WORD = np.uint64(1), np.uint64(0), np.uint64(63)
_ODD_NIBBLES = np.uint64(0x6996)  # bit v is the parity of the four bits of v


class Alice(NamedTuple):
    """Her frame, and the same bits in the order of each row, packed; pads are 0.

    bits: (n,) uint8; words: (rows, capacity / 64) uint64.
    """

    bits: np.ndarray
    words: np.ndarray


class Transcript(NamedTuple):
    """What went over the classical channel.

    questions: (2 n, 3) int32, row, first position and log2 of the size of what was asked; answers: (2 n,) uint8,
    Alice's parities in the same order; tally: (3,) int64, how many answers, errors corrected, rounds (a round is a
    message of questions and its answer).
    """

    questions: np.ndarray
    answers: np.ndarray
    tally: np.ndarray


class Bob(NamedTuple):
    """His frame and what he knows of it.

    bits: (n,) uint8, corrected in place.
    words: (rows, capacity / 64) uint64, the bits in the order of each row; unknown: the same shape, 1 where the row has
        a bit that no parity has settled.
    order, place: (3, capacity) int32, bit at a position (-1 for a pad), and position of a bit.
    state: (rows, 2 capacity) uint8, flags by node; valid for the topmost known nodes and below known nodes.
    queue: (2 rows capacity,) int32, waiting: (levels,) int64: odd nodes to search and how many, by level.
    found: (capacity,) int32, where the searches of a round ended.
    kind: (n,) int8, level of the smallest known node of row 0 over a bit, 0 for settled bits.
    kind_counts, kind_starts, joined: (levels,) int64, by kind: bits, where they begin in row 1, the kind they go with.
    tops: (rows,) int64, level of the asked blocks of a row; kind_tops: (levels,) int64, the same for row 1 by kind;
        second: (levels,) int64, what kind_tops begins with.
    """

    bits: np.ndarray
    words: np.ndarray
    unknown: np.ndarray
    order: np.ndarray
    place: np.ndarray
    state: np.ndarray
    queue: np.ndarray
    waiting: np.ndarray
    found: np.ndarray
    kind: np.ndarray
    kind_counts: np.ndarray
    kind_starts: np.ndarray
    tops: np.ndarray
    kind_tops: np.ndarray
    second: np.ndarray
    joined: np.ndarray


@rule
def word_parity(word):
    """Parity of 64 bits, 0 or 1."""
    word ^= word >> np.uint64(32)
    word ^= word >> np.uint64(16)
    word ^= word >> np.uint64(8)
    word ^= word >> np.uint64(4)
    return np.int64((_ODD_NIBBLES >> (word & np.uint64(15))) & _ONE)


@rule
def _bits_of(start, size):
    """Mask of ``size`` < 64 positions from ``start`` within their word."""
    return ((_ONE << np.uint64(size)) - _ONE) << (np.uint64(start) & _WORD)


@rule
def range_parity(words, row, start, size):
    """Parity of an aligned range of a row, 0 or 1; size a power of two."""
    if size < 64:
        return word_parity(words[row, start >> 6] & _bits_of(start, size))
    total = _NONE
    for w in range(start >> 6, (start + size) >> 6):
        total ^= words[row, w]
    return word_parity(total)


@rule
def _any_set(words, row, start, size):
    """Whether an aligned range of a row has a bit set."""
    if size < 64:
        return (words[row, start >> 6] & _bits_of(start, size)) != _NONE
    for w in range(start >> 6, (start + size) >> 6):
        if words[row, w] != _NONE:
            return True
    return False


@rule
def disclose(alice, said, row, start, level):
    """Alice's parity of a node, over the channel: the only way from her bits to Bob's, counted and written down."""
    answer = range_parity(alice.words, row, start, 1 << level)
    asked = said.tally[LEAKED]
    said.questions[asked, 0] = row
    said.questions[asked, 1] = start
    said.questions[asked, 2] = level
    said.answers[asked] = answer
    said.tally[LEAKED] = asked + 1
    return answer


@rule
def node(capacity, level, j):
    """Index of a node in a row's state: the leaves, then their pairs, and so on."""
    return 2 * capacity - ((2 * capacity) >> level) + j


@rule
def _await_search(bob, row, level, j):
    """Queue an odd node."""
    rows, nodes = bob.state.shape
    bob.state[row, node(nodes // 2, level, j)] |= WAITING
    bob.queue[rows * node(nodes // 2, level, 0) + bob.waiting[level]] = row * (nodes // 2) + j
    bob.waiting[level] += 1


@phase
def pack_row(bits, order, row, positions, words):
    """One end brings its bits into the order of a row (``positions`` of them, pads are -1)."""
    for w in range(words.shape[1]):
        word = _NONE
        for x in range(64 * w, min(64 * w + 64, positions)):
            i = order[row, x]
            bit = np.uint64(bits[max(i, 0)]) & np.uint64(i >= 0)  # no branch: it would be mispredicted half of the time
            word |= bit << (np.uint64(x) & _WORD)
        words[row, w] = word


@phase
def begin_row(bob, row, positions):
    """Bob notes the bits of a row as unknown and where they stand."""
    for w in range(bob.unknown.shape[1]):
        word = _NONE
        for x in range(64 * w, min(64 * w + 64, positions)):
            i = bob.order[row, x]
            if i >= 0:
                word |= _ONE << (np.uint64(x) & _WORD)
                bob.place[row, i] = x
        bob.unknown[row, w] = word


@rule
def _know(bob, row, level, j, odd):
    """A node's parity is known from now on, those of its halves are not."""
    capacity = bob.state.shape[1] // 2
    bob.state[row, node(capacity, level, j)] = KNOWN + ODD * odd
    if level > 0:
        half = node(capacity, level - 1, 2 * j)
        bob.state[row, half] = 0
        bob.state[row, half + 1] = 0


@phase
def ask_blocks(alice, said, bob, row, level, first, last, even_in_all):
    """Parities of the nodes ``first`` .. ``last`` - 1, one message; odd ones are queued.

    Where all errors of these nodes together are known to be even in number, the last parity follows from the others.
    """
    total = np.int64(0)
    for j in range(first, last):
        if even_in_all and j == last - 1:
            odd = total
        else:
            start = j << level
            odd = disclose(alice, said, row, start, level) ^ range_parity(bob.words, row, start, 1 << level)
        total ^= odd
        _know(bob, row, level, j, odd)
        if odd:
            _await_search(bob, row, level, j)


@phase
def _settle(bob, rows, i, wrong):
    """Bit i is known for sure from now on; if it was wrong it is turned, and every known node above it with it."""
    capacity = bob.state.shape[1] // 2
    if wrong:
        bob.bits[i] ^= 1
    for row in range(rows):
        x = np.int64(bob.place[row if row < SHUFFLED_ROWS else 0, i])
        bit = _ONE << (np.uint64(x) & _WORD)
        if bob.unknown[row, x >> 6] & bit == _NONE:
            continue  # not in this subset
        bob.unknown[row, x >> 6] ^= bit
        if not wrong:
            continue
        bob.words[row, x >> 6] ^= bit
        level = bob.kind_tops[bob.kind[i]] if row == 1 else bob.tops[row]
        while level >= 0:
            k = node(capacity, level, x >> level)
            if not bob.state[row, k] & KNOWN:
                break
            bob.state[row, k] ^= ODD
            if bob.state[row, k] & (ODD | WAITING) == ODD:
                _await_search(bob, row, level, x >> level)
            level -= 1


@phase
def _descend(alice, said, bob, row, level, j):
    """Halve an odd node down to one bit; returns its position. A half without unknown bits is even: not asked."""
    while level > 0:
        level -= 1
        j *= 2
        start, half = j << level, 1 << level
        if not _any_set(bob.unknown, row, start, half):
            odd = np.int64(0)
        elif not _any_set(bob.unknown, row, start + half, half):
            odd = np.int64(1)
        else:
            odd = disclose(alice, said, row, start, level) ^ range_parity(bob.words, row, start, half)
        _know(bob, row, level, j, odd)
        _know(bob, row, level, j + 1, 1 - odd)
        j += 1 - odd
    return j


@phase
def _smallest_waiting(bob):
    """Level of the smallest queued nodes; past the end if there are none."""
    level = 1
    while level < bob.waiting.shape[0] and bob.waiting[level] == 0:
        level += 1
    return level


@phase
def search(alice, said, bob, rows, at_once):
    """Correct until no known node is odd: always the smallest odd nodes next, ``at_once`` of them side by side.

    One at a time leaks least; more at a time need fewer rounds, and now and then two of them find what one would have.

    Returns:
        Whether all known nodes are even; False for a hopeless frame, in which Alice would disclose more than her bits.
    """
    capacity = bob.state.shape[1] // 2
    n_levels = bob.waiting.shape[0]
    while True:
        level = _smallest_waiting(bob)
        if level == n_levels:
            return True
        found, depth = 0, 0
        while found < at_once and bob.waiting[level] > 0:
            bob.waiting[level] -= 1
            entry = np.int64(bob.queue[bob.state.shape[0] * node(capacity, level, 0) + bob.waiting[level]])
            row, j = entry // capacity, entry % capacity
            bob.state[row, node(capacity, level, j)] &= KNOWN + ODD
            if not bob.state[row, node(capacity, level, j)] & ODD:
                continue
            before = said.tally[LEAKED]
            if before + level > bob.bits.shape[0]:
                return False
            bob.found[found] = row * capacity + _descend(alice, said, bob, row, level, j)
            found += 1
            depth = max(depth, said.tally[LEAKED] - before)
        said.tally[ROUNDS] += depth
        for f in range(found):
            _correct_found(said, bob, rows, np.int64(bob.found[f]) // capacity, np.int64(bob.found[f]) % capacity)


@rule
def _correct_found(said, bob, rows, row, x):
    """Turn the bit at a position, unless another search of the round did; its neighbour is then known as well."""
    layout = row if row < SHUFFLED_ROWS else 0
    if bob.state[row, x] & ODD:
        said.tally[CORRECTED] += 1
        _settle(bob, rows, np.int64(bob.order[layout, x]), True)
    y = x ^ 1
    if bob.unknown[row, y >> 6] & (_ONE << (np.uint64(y) & _WORD)) != _NONE:
        _settle(bob, rows, np.int64(bob.order[layout, y]), False)
