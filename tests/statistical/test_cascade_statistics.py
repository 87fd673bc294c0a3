"""What Cascade promises: at n = 2^14 it leaks at most 1.06 n h(Q), and at most one frame in a thousand stays wrong."""

import numpy as np
import pytest
from scipy import stats

from qdt_env.security.qkd.cascade import FRAME_BITS, measure_leak, reconcile, shannon_bits
from qdt_env.security.qkd.counts import leak_table, leaked_bits

FRAMES, AT_ONCE = 3_000, 100
MOST_WRONG = 1e-3
RATES = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10]


@pytest.mark.slow
@pytest.mark.parametrize("qber", RATES)
def test_efficiency_and_frame_errors(qber):
    """3,000 frames with binomial errors: mean leakage, and the exact 95 % bound on the share of wrong frames.

    The bound stays below 1e-3 only if not one of the 3,000 frames is wrong.
    """
    rng = np.random.Generator(np.random.Philox(key=int(qber * 10_000)))
    n, leaked, errors, wrong = FRAME_BITS * AT_ONCE, 0, 0, 0
    for part in range(FRAMES // AT_ONCE):
        alice = np.unpackbits(np.frombuffer(rng.bytes(n // 8), np.uint8))
        flips = (rng.random(n, dtype=np.float32) < qber).astype(np.uint8)
        done = reconcile(alice, alice ^ flips, qber, seed=part)
        leaked, errors = leaked + done.leaked_bits, errors + int(flips.sum())
        wrong += int((done.corrected != alice).reshape(FRAME_BITS, AT_ONCE).any(axis=0).sum())
    bits = n * (FRAMES // AT_ONCE)
    assert stats.binomtest(errors, bits, qber).pvalue > 1e-6
    assert leaked / shannon_bits(qber, bits) <= 1.06
    assert stats.binomtest(wrong, FRAMES).proportion_ci(0.90, "exact").high <= MOST_WRONG


def test_leakage_given_the_error_count_follows_the_table_of_the_statistical_channel():
    """Blocks of 1e5 with as many errors as a link makes: the table drawn from predicts the mean within five sigma."""
    measured = measure_leak([0.02, 0.03, 0.05], blocks=12)
    table = leak_table([(q, f) for q, f, _ in measured])
    again = measure_leak([0.02, 0.03, 0.05], blocks=12, seed=1)
    for (qber, _, _), (_, mean, deviation) in zip(measured, again, strict=True):
        predicted = leaked_bits(round(qber * 1e5), 100_000, table) / shannon_bits(qber, 100_000)
        assert abs(mean - predicted) < 5 * deviation * np.sqrt(2 / 12)
