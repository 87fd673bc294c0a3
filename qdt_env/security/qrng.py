"""Random bits from a noise source: health tests while it runs, and an extractor.

A source is any function that returns so many bits: :class:`SimulatedSource` for experiments, :func:`system_source` (the
operating system's generator) for keys that are to be secret outside a simulation.

The entropy of a source is a claim about its physics, made by whoever assessed it; nothing here estimates it. The health
tests of NIST SP 800-90B (2018), section 4.4, notice when the source has failed since, with a false alarm rate alpha per
test: a good source of full entropy stops about every 2^21 bits at alpha = 2^-20, every 2^41 at 2^-40, and its user then
calls :meth:`RandomGenerator.reset`. Statistical test suites such as SP 800-22 say nothing about entropy (a seeded
generator passes them), so none is used for a claim.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from qdt_env.compiled import batch
from qdt_env.security.qkd.amplification import seed_bits, toeplitz

Source = Callable[[int], np.ndarray]

ALPHA = 2.0**-20  # false alarms per test, the standard's largest
LEAST_ALPHA = 2.0**-40
WINDOW = 1024  # W of the adaptive proportion test for binary sources
STARTUP_BITS = 4096  # tested and thrown away after a start; at least 1,024 are asked for
_LAST, _RUN, _REFERENCE, _HITS, _POSITION = range(5)
_PASSED, _REPEATED, _LOPSIDED = range(3)
_FAILURES = {_REPEATED: "repetition count test", _LOPSIDED: "adaptive proportion test"}


class HealthTestFailed(Exception):
    """The noise source does not behave as assessed; no bits are given out until :meth:`RandomGenerator.reset`."""


def repetition_cutoff(min_entropy: float, alpha: float = ALPHA) -> int:
    """C = 1 + ceil(-log2(alpha) / H): so many equal samples in a row are a failure (SP 800-90B, 4.4.1).

    Args:
        min_entropy: assessed entropy H per bit, (0, 1].
        alpha: chance of a false alarm per test, [2^-40, 2^-20].

    Raises:
        ValueError: an argument outside its range.
    """
    return 1 + math.ceil(-math.log2(_checked_alpha(alpha)) / _checked_entropy(min_entropy))


def proportion_cutoff(min_entropy: float, alpha: float = ALPHA) -> int:
    """C = 1 + critbinom(W, 2^-H, 1 - alpha): so many equal samples among W are a failure (SP 800-90B, 4.4.2).

    Args:
        min_entropy: assessed entropy H per bit, (0, 1].
        alpha: chance of a false alarm per test, [2^-40, 2^-20].

    Raises:
        ValueError: an argument outside its range.
    """
    return 1 + int(binom.isf(_checked_alpha(alpha), WINDOW, 2.0 ** -_checked_entropy(min_entropy)))


def _checked_entropy(min_entropy: float) -> float:
    """The entropy, if it is one of a bit."""
    if not 0 < min_entropy <= 1:
        raise ValueError(f"min_entropy: got {min_entropy}, allowed: (0, 1]")
    return min_entropy


def _checked_alpha(alpha: float) -> float:
    """The rate of false alarms, if the standard allows it."""
    if not LEAST_ALPHA <= alpha <= ALPHA:
        raise ValueError(f"alpha: got {alpha}, allowed: [2^-40, 2^-20]")
    return alpha


@dataclass(frozen=True)
class SimulatedSource:
    """A noise source with bias and memory: a two-state Markov chain.

    P(1 | last bit x) = p + c (x - p): ones come with probability p, and neighbours have correlation c.

    Attributes:
        rng: source of the simulation's chance.
        ones: p, share of ones, [0, 1]; 0 or 1 is a source that got stuck.
        correlation: c of successive bits, such that both probabilities above lie in [0, 1].

    Raises:
        ValueError: a share or a correlation that no chain has.
    """

    rng: np.random.Generator
    ones: float = 0.5
    correlation: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.ones <= 1:
            raise ValueError(f"ones: got {self.ones}, allowed: [0, 1]")
        if not all(-1e-12 <= chance <= 1 + 1e-12 for chance in self._chances()):
            raise ValueError(f"correlation: got {self.correlation}, allowed: P(1 | 0) and P(1 | 1) within [0, 1]")

    def _chances(self) -> tuple[float, float]:
        """P(1 | 0) and P(1 | 1)."""
        return self.ones * (1 - self.correlation), self.ones + self.correlation * (1 - self.ones)

    @property
    def min_entropy(self) -> float:
        """Min-entropy per bit given all bits before it, -log2 of the likeliest transition's probability, [0, 1]."""
        after_0, after_1 = self._chances()
        return max(0.0, -math.log2(max(after_0, 1 - after_0, after_1, 1 - after_1)))

    def __call__(self, n: int) -> np.ndarray:
        """(n,) uint8, the next bits; each call starts a fresh chain in its stationary state."""
        bits = np.empty(n, np.uint8)
        _run_chain(self.rng.random(n), self.ones, *self._chances(), bits)
        return bits


@batch
def _run_chain(draws, ones, after_0, after_1, bits):
    """A two-state chain from uniforms in [0, 1)."""
    chance = ones
    for i in range(bits.shape[0]):
        bits[i] = draws[i] < chance
        chance = after_1 if bits[i] else after_0


def system_source(n: int) -> np.ndarray:
    """(n,) uint8 bits of the operating system's generator: for real keys, not repeatable."""
    return np.unpackbits(np.frombuffer(os.urandom(-(-n // 8)), np.uint8), count=n)


@batch
def _watch(bits, repetition, proportion, state):
    """Both health tests over the next bits; ``state`` (5,) int64 goes on from call to call. Returns a status."""
    for i in range(bits.shape[0]):
        bit = np.int64(bits[i])
        if bit == state[_LAST]:
            state[_RUN] += 1
        else:
            state[_LAST], state[_RUN] = bit, 1
        if state[_RUN] >= repetition:
            return _REPEATED
        if state[_POSITION] == 0:
            state[_REFERENCE], state[_HITS] = bit, 0
        if bit == state[_REFERENCE]:
            state[_HITS] += 1
            if state[_HITS] >= proportion:
                return _LOPSIDED
        state[_POSITION] = (state[_POSITION] + 1) % WINDOW
    return _PASSED


class HealthTests:
    """The continuous tests of SP 800-90B on a stream of bits: repetition count and adaptive proportion."""

    def __init__(self, min_entropy: float, alpha: float = ALPHA) -> None:
        """Begin with a source of an assessed entropy (0, 1] per bit; alpha as for :func:`repetition_cutoff`."""
        self.repetition_cutoff = repetition_cutoff(min_entropy, alpha)
        self.proportion_cutoff = proportion_cutoff(min_entropy, alpha)
        self._state = np.zeros(5, np.int64)
        self.restart()

    def restart(self) -> None:
        """Forget the stream so far."""
        self._state[:] = 0
        self._state[_LAST] = -1

    def watch(self, bits: np.ndarray) -> None:
        """Test the next (n,) uint8 bits of the stream.

        Raises:
            HealthTestFailed: a cutoff was reached.
        """
        status = _watch(bits, self.repetition_cutoff, self.proportion_cutoff, self._state)
        if status != _PASSED:
            raise HealthTestFailed(f"{_FAILURES[status]} of the noise source failed")


class RandomGenerator:
    """Nearly uniform bits from a noise source: health tests, then a Toeplitz extractor.

    By the leftover hash lemma l = floor(n H - 2 log2(1/eps)) bits extracted from n with min-entropy H each are within
    eps of uniform. The extractor is strong, so its seed may be public and used for every block, but it must not depend
    on the source.
    """

    def __init__(
        self,
        source: Source,
        extractor_seed: np.random.Generator,
        *,
        min_entropy: float,
        block_bits: int = 16_384,
        eps: float = 2.0**-64,
        alpha: float = ALPHA,
    ) -> None:
        """Start the source and test its first ``STARTUP_BITS`` bits, which are not used.

        Args:
            source: function that returns (n,) uint8 bits.
            extractor_seed: draws the seed of the extractor; independent of the source.
            min_entropy: assessed entropy H per bit of the source given those before it, (0, 1].
            block_bits: n, raw bits of a block.
            eps: distance from uniform of a block, (0, 1).
            alpha: chance of a false alarm per health test, [2^-40, 2^-20].

        Raises:
            HealthTestFailed: the start-up test failed.
            ValueError: an argument outside its range, or a block from which nothing can be extracted.
        """
        if not 0 < eps < 1:
            raise ValueError(f"eps: got {eps}, allowed: (0, 1)")
        self.output_bits = math.floor(block_bits * _checked_entropy(min_entropy) - 2 * math.log2(1 / eps))
        if self.output_bits < 1:
            raise ValueError(f"block_bits: got {block_bits}, allowed: more than {2 * math.log2(1 / eps) / min_entropy}")
        self._source, self._block_bits = source, block_bits
        self._seed = extractor_seed.integers(0, 2, seed_bits(block_bits, self.output_bits), dtype=np.uint8)
        self._tests = HealthTests(min_entropy, alpha)
        self._ready = np.empty(0, np.uint8)
        self.reset()

    def reset(self) -> None:
        """Start again after a failure (or at any time): the bits in store are dropped, the start-up test is run.

        Raises:
            HealthTestFailed: it failed; the generator stays out of service.
        """
        self.failed = True
        self._ready = np.empty(0, np.uint8)
        self._tests.restart()
        self._tests.watch(self._source(STARTUP_BITS))
        self.failed = False

    def _block(self) -> np.ndarray:
        """The next extracted block; a failed test takes the generator out of service."""
        raw = self._source(self._block_bits)
        try:
            self._tests.watch(raw)
        except HealthTestFailed:
            self.failed = True
            self._ready = np.empty(0, np.uint8)
            raise
        return toeplitz(raw, self._seed, self.output_bits)

    def bits(self, n: int) -> np.ndarray:
        """The next (n,) uint8 random bits; none is given out twice.

        Raises:
            HealthTestFailed: a health test failed now, or earlier without a reset since.
        """
        if self.failed:
            raise HealthTestFailed("the noise source failed a health test; reset() starts it again")
        parts = [self._ready]
        while sum(map(len, parts)) < n:
            parts.append(self._block())
        ready = np.concatenate(parts)
        self._ready = ready[n:]
        return ready[:n]

    def bytes(self, n: int) -> bytes:
        """The next n random bytes.

        Raises:
            HealthTestFailed: as in :meth:`bits`.
        """
        return np.packbits(self.bits(8 * n)).tobytes()
