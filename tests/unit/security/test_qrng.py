"""The random generator: its health tests notice a source that fails, and nothing is given out afterwards."""

import numpy as np
import pytest
from scipy import stats

from qdt_env.security.qrng import (
    STARTUP_BITS,
    WINDOW,
    HealthTestFailed,
    HealthTests,
    RandomGenerator,
    SimulatedSource,
    proportion_cutoff,
    repetition_cutoff,
    system_source,
)


def generator(key=0):
    return np.random.Generator(np.random.Philox(key=key))


class Switched:
    """A source that can be broken and mended."""

    def __init__(self, broken_bits):
        self.source, self.broken_bits, self.broken = SimulatedSource(generator(1)), broken_bits, False

    def __call__(self, n):
        return self.broken_bits(n) if self.broken else self.source(n)


def test_a_run_fails_at_its_cutoff_and_not_before():
    cutoff = repetition_cutoff(0.8)
    alternating = np.tile(np.array([0, 1], np.uint8), 40)
    tests = HealthTests(0.8)
    tests.watch(
        np.concatenate([alternating, np.full(cutoff - 2, 1, np.uint8), alternating])
    )  # after a 1: C - 1 in a row
    with pytest.raises(HealthTestFailed, match="repetition count test"):
        tests.watch(np.full(cutoff, 0, np.uint8))


def test_a_run_is_counted_across_calls():
    tests = HealthTests(1.0)
    for _ in range(20):
        tests.watch(np.ones(1, np.uint8))
    with pytest.raises(HealthTestFailed, match="repetition"):
        tests.watch(np.ones(1, np.uint8))


@pytest.mark.parametrize("reference", [0, 1])
def test_a_lopsided_window_fails_at_its_cutoff_and_not_before(reference):
    """Pairs of the reference, singles of the other, so that no run is long."""
    cutoff = proportion_cutoff(0.8)
    pattern = np.tile(np.array([reference, reference, reference, 1 - reference], np.uint8), WINDOW // 4)
    assert (pattern == reference).sum() == 768 > cutoff == 664
    below = pattern.copy()
    places = np.flatnonzero(below == reference)[1::2]
    below[places[: 768 - cutoff + 1]] = 1 - reference
    assert (below == reference).sum() == cutoff - 1
    tests = HealthTests(0.8)
    tests.watch(below)
    with pytest.raises(HealthTestFailed, match="adaptive proportion test"):
        tests.watch(pattern)


def test_windows_do_not_overlap():
    """Each window is counted by itself, with its own first sample as reference."""
    tests = HealthTests(1.0)
    ones_first = np.tile(np.array([1, 1, 0, 1, 0, 0], np.uint8), 171)[:WINDOW]
    for _ in range(50):
        tests.watch(ones_first)


def test_bits_come_from_one_stream_however_they_are_asked_for():
    one, other = (RandomGenerator(SimulatedSource(generator(2)), generator(3), min_entropy=0.9) for _ in range(2))
    at_once = one.bits(40_000)
    in_parts = np.concatenate([other.bits(n) for n in (1, 0, 12_345, 27_654)])
    assert np.array_equal(at_once, in_parts)
    assert one.bytes(16) == other.bytes(16) != one.bytes(16)


def test_a_failed_generator_stays_failed_until_reset():
    source = Switched(lambda n: np.zeros(n, np.uint8))
    made = RandomGenerator(source, generator(4), min_entropy=0.9, block_bits=2_048)
    made.bits(100)
    source.broken = True
    with pytest.raises(HealthTestFailed, match="repetition count test of the noise source failed"):
        made.bits(100_000)
    source.broken = False
    for _ in range(2):
        with pytest.raises(HealthTestFailed, match=r"reset\(\) starts it again"):
            made.bits(1)  # even what was in store is gone
    made.reset()
    assert len(made.bits(1_000)) == 1_000


def test_reset_on_a_broken_source_fails_and_leaves_it_out_of_service():
    source = Switched(lambda n: np.ones(n, np.uint8))
    made = RandomGenerator(source, generator(5), min_entropy=0.9)
    source.broken = True
    with pytest.raises(HealthTestFailed):
        made.reset()
    with pytest.raises(HealthTestFailed):
        made.bits(1)


def test_startup_bits_are_tested_and_not_used():
    asked = []

    def source(n):
        asked.append(n)
        return SimulatedSource(generator(len(asked)))(n)

    made = RandomGenerator(source, generator(6), min_entropy=1.0, block_bits=1_000)
    assert asked == [STARTUP_BITS] and STARTUP_BITS >= 1_024
    made.bits(1)
    assert asked == [STARTUP_BITS, 1_000]
    with pytest.raises(HealthTestFailed):
        RandomGenerator(lambda n: np.zeros(n, np.uint8), generator(6), min_entropy=0.5)


def test_output_is_what_the_leftover_hash_lemma_allows():
    made = RandomGenerator(
        SimulatedSource(generator(7)), generator(8), min_entropy=0.8, block_bits=10_000, eps=2.0**-40
    )
    assert made.output_bits == 10_000 * 0.8 - 80


def test_simulated_source_has_the_share_the_correlation_and_the_entropy_it_says():
    source = SimulatedSource(generator(9), ones=0.6, correlation=0.2)
    bits = source(1_000_000).astype(float)
    after_one, after_zero = bits[1:][bits[:-1] == 1], bits[1:][bits[:-1] == 0]
    assert stats.binomtest(int(after_one.sum()), len(after_one), 0.6 + 0.2 * 0.4).pvalue > 1e-6
    assert stats.binomtest(int(after_zero.sum()), len(after_zero), 0.6 - 0.2 * 0.6).pvalue > 1e-6
    assert source.min_entropy == pytest.approx(-np.log2(0.68))
    assert SimulatedSource(generator()).min_entropy == 1.0
    assert SimulatedSource(generator(), ones=1.0).min_entropy == 0.0


def test_extracted_bits_of_a_biased_source_are_balanced():
    made = RandomGenerator(SimulatedSource(generator(10), ones=0.6, correlation=0.1), generator(11), min_entropy=0.64)
    bits = made.bits(400_000)
    assert stats.binomtest(int(bits.sum()), len(bits)).pvalue > 1e-6
    same = int((bits[1:] == bits[:-1]).sum())
    assert stats.binomtest(same, len(bits) - 1).pvalue > 1e-6


def test_false_alarms_come_as_often_as_expected():
    """A fair source at H = 1: a run of 21 begins at a bit with probability 2^-21; 96 stretches of 2^20 bits."""
    stretches, length = 96, 2**20
    tests, alarms, rng = HealthTests(1.0), 0, generator(12)
    for _ in range(stretches):
        tests.restart()
        try:
            tests.watch(np.unpackbits(np.frombuffer(rng.bytes(length // 8), np.uint8)))
        except HealthTestFailed:
            alarms += 1
    by_runs = 1 - np.exp(-length * 2.0**-21)
    by_windows = length / WINDOW * stats.binom.sf(proportion_cutoff(1.0) - 1, WINDOW, 0.5)
    assert by_windows < 0.001
    assert stats.binomtest(alarms, stretches, by_runs + by_windows).pvalue > 1e-6


def test_the_system_source_gives_fresh_bits():
    first, second = system_source(1_001), system_source(1_001)
    assert first.shape == (1_001,) and set(np.unique(first)) == {0, 1}
    assert not np.array_equal(first, second)
    # At the smallest alpha, as the system's bits differ in every run: a false alarm in 2^-26 of them, not in 2^-7.
    made = RandomGenerator(system_source, generator(13), min_entropy=1.0, alpha=2.0**-40)
    assert len(made.bytes(32)) == 32


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"min_entropy": 0.0}, r"min_entropy: got 0.0, allowed: \(0, 1\]"),
        ({"min_entropy": 1.1}, "min_entropy: got 1.1"),
        ({"eps": 0.0}, "eps: got 0.0"),
        ({"alpha": 2.0**-19}, r"alpha: got .*, allowed: \[2\^-40, 2\^-20\]"),
        ({"alpha": 2.0**-41}, "alpha: got"),
        ({"block_bits": 100}, "block_bits: got 100, allowed: more than 142"),
    ],
)
def test_wrong_arguments_are_refused_by_name(changed, message):
    with pytest.raises(ValueError, match=message):
        RandomGenerator(system_source, generator(), **{"min_entropy": 0.9, **changed})


def test_impossible_sources_are_refused():
    with pytest.raises(ValueError, match="ones: got 1.5"):
        SimulatedSource(generator(), ones=1.5)
    with pytest.raises(ValueError, match="correlation: got -0.9"):
        SimulatedSource(generator(), ones=0.9, correlation=-0.9)
