"""Intervals against scipy, and sentences that claim no more than the interval."""

import numpy as np
import pytest
from scipy import stats

from training.statistics import Interval, mean_interval, paired_difference, said


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 7, 40])
def test_the_mean_interval_is_scipys(n: int, level: float) -> None:
    samples = np.random.default_rng(n).normal(3.0, 2.0, n)
    ours = mean_interval(samples, level)
    theirs = stats.ttest_1samp(samples, 0.0).confidence_interval(level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert ours.mean == pytest.approx(samples.mean()) and ours.n == n
    assert ours.half_width == pytest.approx(0.5 * (theirs.high - theirs.low))


def test_the_paired_difference_is_scipys() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=25), rng.normal(size=25)
    ours = paired_difference(first, second)
    theirs = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """2000 normal samples of 8: hits ~ Binomial(2000, .95); outside 1847..1945 has a probability below 1e-6."""
    samples = np.random.default_rng(11).normal(1.0, 1.0, (2000, 8))
    hits = sum(i.low <= 1.0 <= i.high for i in (mean_interval(row) for row in samples))
    low, high = stats.binom.interval(1 - 1e-6, 2000, 0.95)
    assert low <= hits <= high


def test_a_single_sample_has_no_interval() -> None:
    one = mean_interval(np.array([0.3]))
    assert one.mean == 0.3 and np.isnan(one.low) and one.verdict == 0
    assert one.to_dict() == {"mean": 0.3, "low": None, "high": None, "n": 1, "level": 0.95}


def test_equal_samples_differ_by_nothing() -> None:
    same = paired_difference(np.ones(5), np.ones(5))
    assert (same.mean, same.low, same.high, same.verdict) == (0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("interval", "verb"),
    [
        (Interval(0.2, 0.1, 0.3, 9), "beats"),
        (Interval(-0.2, -0.3, -0.1, 9), "is beaten by"),
        (Interval(0.1, -0.1, 0.3, 9), "cannot be told apart from"),
        (Interval(0.1, float("nan"), float("nan"), 1), "one seed tells nothing"),
    ],
)
def test_a_sentence_says_what_the_interval_does(interval: Interval, verb: str) -> None:
    assert verb in said(interval, "a", "b")


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 2)), np.array([1.0, np.nan])])
def test_samples_that_are_none_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="samples: got shape"):
        mean_interval(samples)


def test_bad_levels_and_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"level=1\.0 is not allowed"):
        mean_interval(np.ones(3), 1.0)
    with pytest.raises(ValueError, match="paired samples"):
        paired_difference(np.ones(3), np.ones(4))
