"""Cutoffs of NIST SP 800-90B's health tests for alpha = 2^-20 and W = 1024 at five assessed entropies (4-security)."""

import pytest
from scipy.stats import binom

from qdt_env.security.qrng import ALPHA, LEAST_ALPHA, WINDOW, proportion_cutoff, repetition_cutoff

ENTROPIES = (0.5, 0.6, 0.8, 0.9, 1.0)


def test_repetition_count_cutoffs():
    assert [repetition_cutoff(h) for h in ENTROPIES] == [41, 35, 26, 24, 21]


def test_adaptive_proportion_cutoffs():
    assert [proportion_cutoff(h) for h in ENTROPIES] == [793, 748, 664, 625, 589]


@pytest.mark.parametrize("alpha", [ALPHA, LEAST_ALPHA])
@pytest.mark.parametrize("entropy", ENTROPIES)
def test_cutoffs_keep_the_false_alarm_rate_and_are_the_smallest_that_do(entropy, alpha):
    likeliest = 2.0**-entropy
    runs = repetition_cutoff(entropy, alpha)
    assert likeliest ** (runs - 1) <= alpha * (1 + 1e-9) and likeliest ** (runs - 2) > alpha
    hits = proportion_cutoff(entropy, alpha)
    assert binom.sf(hits - 1, WINDOW, likeliest) <= alpha < binom.sf(hits - 2, WINDOW, likeliest)
