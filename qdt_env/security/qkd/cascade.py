"""Error correction of a sifted key by Cascade: Bob finds his errors from parities that Alice discloses.

Brassard and Salvail 1994 ("Secret-key reconciliation by public discussion"), with all known sub-blocks kept in use and
always the smallest odd one searched next (Martinez-Mateo, Pacher, Peev, Ciurana, Martin 2015, "Demystifying the
information reconciliation protocol Cascade"), and with the second pass laid out by what the first one showed (the idea
of Pacher, Grabenweger, Martinez-Mateo, Martin 2015, "An information reconciliation protocol for secret-key agreement
with small leakage"). Passes:

1. Blocks of about 1/Q bits, so that about half of them are odd and a parity is worth its bit. Every error that is found
   leaves a trail of even sub-blocks.
2. A bit in an even sub-block of s bits is wrong with probability Q (1 - r^(s-1)) / (1 + r^s), r = 1 - 2Q. Bits of equal
   s are shuffled among themselves into blocks of about 2 over that probability. Bits that are certain are left out.
3. All bits still open, shuffled, in blocks of about 80/Q.
4. Parities of ``CHECKS`` random subsets. Errors that are left show in each of them with probability 1/2, so that a
   frame stays wrong with probability 2^-CHECKS times that of having errors left after pass 3.

The block sizes' constants (1, 2, 80) were chosen by trial over Q = 1 .. 10 % at n = 2^14. An error position that is
known from the parities is never asked for, and of blocks whose total is known the last is not asked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdt_env.security.qkd.parities import CORRECTED, LEAKED, ROUNDS
from qdt_env.security.qkd.passes import block_sizes, correct_frame, scratch, shortened

FRAME_BITS = 2**14  # longer keys are cut into frames of at most this size
# For whole blocks of key: one long frame, whose many errors allow searches side by side at little cost.
BLOCK_FRAME_BITS, BLOCK_SEARCHES = 2**17, 64


@dataclass(frozen=True)
class Reconciliation:
    """Bob's key after error correction, and what it cost.

    Attributes:
        corrected: (n,) uint8 bits, Bob's key; equal to Alice's unless a frame failed, which verification must tell.
        answers: (leaked_bits,) uint8, every parity that Alice disclosed, in order.
        corrections: how many of Bob's bits were turned.
        rounds: messages of questions, one after the other; frames go side by side, so that the slowest counts.
        frames: how many frames the key was cut into.
        hopeless_frames: frames given up because the parities would have been as many as the bits.
    """

    corrected: np.ndarray
    answers: np.ndarray
    corrections: int
    rounds: int
    frames: int
    hopeless_frames: int

    @property
    def leaked_bits(self) -> int:
        """Parities disclosed: lambda_EC of the key length formula."""
        return len(self.answers)


def reconcile(
    alice: np.ndarray, bob: np.ndarray, qber: float, seed: int, *, frame_bits: int = FRAME_BITS, searches: int = 1
) -> Reconciliation:
    """Correct Bob's sifted key by Cascade.

    Args:
        alice, bob: (n,) uint8 bits, n >= 64. Alice's are used for the parities that she discloses and for nothing else.
        qber: expected share of wrong bits, in ``QBER_RANGE``; it sets the block sizes, an error in it costs leakage.
        seed: of the public shuffles, 0 .. 2^64-1; the same inputs give the same transcript.
        frame_bits: longest frame, 64 .. 2^20. Bits are dealt to the frames in turn, so bursts of errors are shared out.
        searches: binary searches side by side from pass 2 on, >= 1: one leaks least, more take fewer rounds.

    Raises:
        ValueError: keys of different length, too short or not bits, or another argument outside its range.
    """
    n = _checked_length(alice, bob)
    if not 64 <= frame_bits <= 2**20:
        raise ValueError(f"frame_bits: got {frame_bits}, allowed: 64 to {2**20}")
    if searches < 1:
        raise ValueError(f"searches: got {searches}, allowed: 1 or more")
    frames = -(-n // frame_bits)
    sizes = block_sizes(qber, n // frames)
    corrected = np.empty(n, np.uint8)
    answers, corrections, rounds, hopeless = [], 0, 0, 0
    ends = scratch(-(-n // frames), sizes)
    for f in range(frames):
        her, said, his = shortened(ends, len(range(f, n, frames)))
        her.bits[:], his.bits[:] = alice[f::frames], bob[f::frames]
        hopeless += not correct_frame(her, said, his, np.uint64(seed), f, searches)
        corrected[f::frames] = his.bits
        answers.append(said.answers[: said.tally[LEAKED]].copy())
        corrections += int(said.tally[CORRECTED])
        rounds = max(rounds, int(said.tally[ROUNDS]))
    return Reconciliation(corrected, np.concatenate(answers), corrections, rounds, frames, hopeless)


def _checked_length(alice: np.ndarray, bob: np.ndarray) -> int:
    """Length of two keys that can be reconciled."""
    for name, key in (("alice", alice), ("bob", bob)):
        if key.ndim != 1 or key.dtype != np.uint8 or (len(key) and key.max() > 1):
            raise ValueError(f"{name}: got {key.dtype} of shape {key.shape}, allowed: (n,) uint8 of 0 and 1")
    if len(alice) != len(bob):
        raise ValueError(f"bob: got {len(bob)} bits, allowed: as many as alice, {len(alice)}")
    if len(alice) < 64:
        raise ValueError(f"alice: got {len(alice)} bits, allowed: 64 or more")
    return len(alice)


def shannon_bits(qber: float, bits: int) -> float:
    """N h(Q), the least that any error correction leaks on average, Q in (0, 1)."""
    return -bits * (qber * math.log2(qber) + (1 - qber) * math.log2(1 - qber))


def measure_leak(
    qbers: Sequence[float],
    *,
    bits: int = 100_000,
    blocks: int = 40,
    seed: int = 0,
    frame_bits: int = BLOCK_FRAME_BITS,
    searches: int = BLOCK_SEARCHES,
) -> np.ndarray:
    """Leakage of Cascade by error rate, for channels that draw it instead of running it.

    Every block has exactly round(Q n) errors, so the spread is that of the leakage given the error count.

    Args:
        qbers: error rates, each in ``QBER_RANGE``.
        bits: n, length of a block.
        blocks: how many are corrected at each rate.
        seed: of bits, errors and shuffles.
        frame_bits, searches: as in :func:`reconcile`.

    Returns:
        (len(qbers), 3) float64: Q = errors / n, mean and standard deviation of leaked bits / (n h(Q)).

    Raises:
        ValueError: an error rate outside the range.
    """
    table = np.empty((len(qbers), 3))
    for row, qber in enumerate(qbers):
        rng = np.random.Generator(np.random.Philox(key=[seed, round(qber * bits)]))
        errors = np.zeros(bits, np.uint8)
        errors[: round(qber * bits)] = 1
        leaked = []
        for block in range(blocks):
            alice = rng.integers(0, 2, bits, dtype=np.uint8)
            bob = alice ^ rng.permutation(errors)
            done = reconcile(alice, bob, qber, seed + block, frame_bits=frame_bits, searches=searches)
            leaked.append(done.leaked_bits)
        ratios = np.array(leaked) / shannon_bits(errors.mean(), bits)
        table[row] = errors.mean(), ratios.mean(), ratios.std(ddof=1)
    return table


# What :func:`measure_leak` gave for blocks of 1e5 bits, for channels that draw the leakage: Q, mean and standard
# deviation of leaked bits / (n h(Q)). Made, and made again, by
#     from qdt_env.security.qkd.cascade import LEAK_TABLE, measure_leak
#     measure_leak([qber for qber, _, _ in LEAK_TABLE], blocks=60)
# fmt: off
LEAK_TABLE = (
    (0.005, 1.0336, 0.0122), (0.0075, 1.0286, 0.0058), (0.01, 1.0278, 0.0040), (0.0125, 1.0264, 0.0057),
    (0.015, 1.0288, 0.0027), (0.0175, 1.0261, 0.0027), (0.02, 1.0281, 0.0031), (0.025, 1.0249, 0.0020),
    (0.03, 1.0290, 0.0021), (0.035, 1.0273, 0.0022), (0.04, 1.0297, 0.0024), (0.045, 1.0300, 0.0022),
    (0.05, 1.0269, 0.0024), (0.055, 1.0254, 0.0017), (0.06, 1.0311, 0.0016), (0.065, 1.0300, 0.0019),
    (0.07, 1.0299, 0.0022), (0.075, 1.0295, 0.0023), (0.08, 1.0320, 0.0016), (0.085, 1.0325, 0.0018),
    (0.09, 1.0319, 0.0019), (0.095, 1.0298, 0.0018), (0.1, 1.0295, 0.0019), (0.105, 1.0286, 0.0016),
    (0.11, 1.0280, 0.0021), (0.115, 1.0315, 0.0022), (0.12, 1.0335, 0.0014),
)
# fmt: on
