"""From a sifted block to a key: error correction, verification, finite-key length, privacy amplification.

Both ends are here in one process, but what passes between them is only what the classical channel would carry:
parities, a tag, seeds. The channel must be authenticated, else whoever sits in the middle makes two keys, one with each
end; the first tags take an initial pre-shared key or signatures.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from qdt_env.security.qkd.amplification import seed_bits, toeplitz
from qdt_env.security.qkd.cascade import BLOCK_FRAME_BITS, BLOCK_SEARCHES, Reconciliation, reconcile
from qdt_env.security.qkd.finite_key import FiniteKey, finite_key
from qdt_env.security.qkd.passes import QBER_RANGE
from qdt_env.security.qkd.transmission import SiftedBlock
from qdt_env.security.qkd.verification import VerificationFailed, draw_hash_key, tag_bits, verification_tag, verify
from qdt_env.units import BITS_PER_BYTE

AUTHENTICATION_BITS = 256  # one Wegman-Carter tag of 128 bits each way, over all messages of the block
ROUND_TRIP_S = 1e-3  # assumed: a classical radio or network link within a building
_FEWEST_BITS = 64  # shorter blocks are not worth a Cascade frame
_TEST = 1
_OTHER_ROUNDS = 3  # bases and intensities; the tag; the seed of the amplification


@dataclass(frozen=True)
class BlockAccount:
    """What a block cost and gave; everything that is needed to check its key length by hand.

    Attributes:
        pulses: pulses sent, >= 0.
        sifted: n_Z, key-basis bits, >= 0.
        errors: of these wrong; Bob knows after error correction, >= 0.
        leaked_bits: parities disclosed by Cascade, >= 0.
        verification_bits: t, bits of the verification tag, 0 if it did not come to that.
        length_bits: l, secret bits of the key, >= 0; 0 if there is none.
        authentication_bits: key bits that authenticating the block's messages takes from older key, >= 0.
        eps_secret: eps_sec, the key's distance from a perfect one.
        eps_correct: eps_cor, probability that the ends differ and do not notice.
        rounds: messages one after the other over the classical channel, each way and back, >= 0.
        latency_s: these rounds' time, >= 0 s; blocks may overlap, so it delays key without making it less.
        seconds: time that the pulses took, >= 0 s.
        accepted: whether there is a key.
        reason: "" for a key, else why there is none.
    """

    pulses: float
    sifted: int
    errors: int
    leaked_bits: int
    verification_bits: int
    length_bits: int
    authentication_bits: int
    eps_secret: float
    eps_correct: float
    rounds: int
    latency_s: float
    seconds: float
    accepted: bool
    reason: str


@dataclass(frozen=True)
class KeyBlock:
    """A block's key at both ends, if there is one.

    Attributes:
        key: Alice's key, account.length_bits // 8 bytes; empty if the block was not accepted. Not shown by ``repr``.
        peer_key: Bob's; equal to ``key`` but for a chance below eps_cor. Not shown by ``repr``.
        account: what it cost.
        bound: every bound that leads to the length, None if it did not come to that.
        known_to_eve: the adversary knows every sifted bit and so the key. Ground truth, for scoring only.
    """

    key: bytes = field(repr=False)
    peer_key: bytes = field(repr=False)
    account: BlockAccount
    bound: FiniteKey | None
    known_to_eve: bool


def distil(
    sifted: SiftedBlock,
    rng: np.random.Generator | int,
    *,
    authentication_bits: int = AUTHENTICATION_BITS,
    round_trip_s: float = ROUND_TRIP_S,
    frame_bits: int = BLOCK_FRAME_BITS,
    searches: int = BLOCK_SEARCHES,
) -> KeyBlock:
    """Make a key of a sifted block, or say why there is none.

    The error rate of the test basis sets Cascade's block sizes. The key length is that of the finite-key bound with the
    parities really disclosed, and of the verification tag what its length exceeds log2(2/eps_cor), which the bound
    already takes off. The gate is l > 0 and the tag, not a threshold on the QBER.

    Args:
        sifted: bits at both ends and counts.
        rng: shuffles, hash key and amplification seed, or a seed for them. The same inputs give the same key. For real
            keys take one from :func:`~qdt_env.security.qrng.system_source`, not from a simulation.
        authentication_bits: what the messages' tags take from older key, >= 0; accounted for, not taken off the key.
        round_trip_s: time of a message and its answer, >= 0 s.
        frame_bits, searches: as in :func:`~qdt_env.security.qkd.cascade.reconcile`.

    Raises:
        ValueError: an argument outside its range, or counts that are not those of the bits.
    """
    _check(sifted, authentication_bits, round_trip_s)
    if not isinstance(rng, np.random.Generator):
        rng = np.random.Generator(np.random.Philox(key=rng))
    account = _Entries(sifted, authentication_bits, round_trip_s)
    nothing_leaked = finite_key(sifted.counts, sifted.hardware, 0.0)
    qber = _test_basis_qber(sifted)
    if len(sifted.alice) < _FEWEST_BITS or nothing_leaked.length_bits == 0:
        return account.refused(nothing_leaked.reason or "too few sifted bits", nothing_leaked)
    if qber > QBER_RANGE[1]:
        return account.refused(f"QBER of the test basis {qber:.3f} is above {QBER_RANGE[1]}", nothing_leaked)
    shuffles = int(rng.integers(2**64, dtype=np.uint64))
    done = reconcile(sifted.alice, sifted.bob, qber, shuffles, frame_bits=frame_bits, searches=searches)
    account.corrected(done)
    length = tag_bits(len(sifted.alice), sifted.hardware.eps_correct)
    account.verification_bits = length
    hash_key = draw_hash_key(rng)  # only now, when both strings are fixed
    try:
        verify(done.corrected, hash_key, verification_tag(sifted.alice, hash_key, length), length)
    except VerificationFailed as failure:
        return account.refused(str(failure), None)
    more_than_counted = length - math.log2(2 / sifted.hardware.eps_correct)
    bound = finite_key(sifted.counts, sifted.hardware, done.leaked_bits + more_than_counted)
    if bound.length_bits == 0:
        return account.refused(bound.reason, bound)
    return account.amplified(done.corrected, bound, rng)


def _check(sifted: SiftedBlock, authentication_bits: int, round_trip_s: float) -> None:
    """Refuse what cannot be accounted for."""
    counted = int(sifted.counts["n"][0].sum())
    if not len(sifted.alice) == len(sifted.bob) == counted:
        raise ValueError(
            f"sifted: got {len(sifted.alice)} and {len(sifted.bob)} bits, allowed: {counted} as its counts say"
        )
    if authentication_bits < 0:
        raise ValueError(f"authentication_bits: got {authentication_bits}, allowed: 0 or more")
    if not round_trip_s >= 0:
        raise ValueError(f"round_trip_s: got {round_trip_s}, allowed: 0 or more")


def _test_basis_qber(sifted: SiftedBlock) -> float:
    """Error rate seen in the test basis, at least the smallest that Cascade plans for."""
    seen, wrong = int(sifted.counts["n"][_TEST].sum()), int(sifted.counts["m"][_TEST].sum())
    return max(wrong / seen if seen else 0.0, QBER_RANGE[0])


class _Entries:
    """The account of a block while it is being worked on."""

    def __init__(self, sifted: SiftedBlock, authentication_bits: int, round_trip_s: float) -> None:
        """Nothing has been disclosed yet."""
        self._sifted = sifted
        self._authentication_bits, self._round_trip_s = authentication_bits, round_trip_s
        self._leaked_bits, self._rounds = 0, 1
        self.verification_bits = 0

    def corrected(self, done: Reconciliation) -> None:
        """Enter what Cascade took."""
        self._leaked_bits, self._rounds = done.leaked_bits, done.rounds + _OTHER_ROUNDS

    def refused(self, reason: str, bound: FiniteKey | None) -> KeyBlock:
        """No key."""
        return self._close(b"", b"", 0, reason, bound)

    def amplified(self, corrected: np.ndarray, bound: FiniteKey, rng: np.random.Generator) -> KeyBlock:
        """Both ends shorten their bits with the same fresh seed."""
        alice, length = self._sifted.alice, bound.length_bits
        wanted = seed_bits(len(alice), length)
        seed = np.unpackbits(np.frombuffer(rng.bytes(-(-wanted // BITS_PER_BYTE)), np.uint8), count=wanted)
        key = _packed(toeplitz(alice, seed, length))
        # The same function of the same bits; only after an unnoticed failure Bob's key is another.
        peer_key = key if np.array_equal(corrected, alice) else _packed(toeplitz(corrected, seed, length))
        return self._close(key, peer_key, length, "", bound)

    def _close(self, key: bytes, peer_key: bytes, length: int, reason: str, bound: FiniteKey | None) -> KeyBlock:
        """The finished block."""
        sifted = self._sifted
        account = BlockAccount(
            pulses=float(sifted.counts["pulses"]),
            sifted=len(sifted.alice),
            errors=int(sifted.counts["m"][0].sum()),
            leaked_bits=self._leaked_bits,
            verification_bits=self.verification_bits,
            length_bits=length,
            authentication_bits=self._authentication_bits,
            eps_secret=bound.eps_secret if bound else sifted.hardware.eps_secret,
            eps_correct=sifted.hardware.eps_correct,
            rounds=self._rounds,
            latency_s=self._rounds * self._round_trip_s,
            seconds=sifted.seconds,
            accepted=not reason,
            reason=reason,
        )
        known = len(sifted.known_to_eve) > 0 and bool(sifted.known_to_eve.all())
        return KeyBlock(key, peer_key, account, bound, known)


def _packed(bits: np.ndarray) -> bytes:
    """Whole bytes of the bits; up to seven at the end are dropped."""
    return np.packbits(bits[: len(bits) // BITS_PER_BYTE * BITS_PER_BYTE]).tobytes()
