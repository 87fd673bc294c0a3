"""Intervals against scipy, and sentences that claim no more than the interval."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from training.statistics import (
    RESAMPLES,
    Interval,
    bootstrap_interval,
    difference_of,
    interquartile_mean,
    mean,
    mean_interval,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    said,
    tail,
    wins,
)


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


def theirs_bootstrap(
    data: tuple[np.ndarray, ...], statistic: Callable[..., Any], seed: int, paired: bool = False
) -> tuple[float, float]:
    """Scipy's percentile interval of the level that :func:`tail` widens 95 % to, with the same draws as ours."""
    found = stats.bootstrap(
        data,
        statistic,
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=1.0 - 2.0 * tail(min(part.size for part in data), 0.95),
        rng=np.random.default_rng(seed),
        paired=paired,
        vectorized=True,
    )
    return found.confidence_interval.low, found.confidence_interval.high


@pytest.mark.parametrize("n", [1, 3, 4, 7, 64, 101])
def test_the_interquartile_mean_is_scipys_trimmed_mean(n: int) -> None:
    strata = list(np.random.default_rng(n).exponential(size=(3, n)))
    assert interquartile_mean(strata) == pytest.approx(stats.trim_mean(np.concatenate(strata), 0.25), rel=1e-12)
    assert interquartile_mean(strata[:1]) == pytest.approx(stats.trim_mean(strata[0], 0.25), rel=1e-12)


def test_bootstrap_intervals_are_scipys() -> None:
    x = np.random.default_rng(1).exponential(size=30)
    for ours, theirs in ((mean, np.mean), (interquartile_mean, partial(stats.trim_mean, proportiontocut=0.25))):
        interval = bootstrap_interval([x], ours, np.random.default_rng(5))
        assert (interval.low, interval.high) == pytest.approx(theirs_bootstrap((x,), theirs, 5), rel=1e-12)
        assert interval.mean == pytest.approx(theirs(x, axis=0)) and interval.n == 30


def test_strata_are_resampled_apart_as_scipys_samples_are() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0.0, 1.0, 20), rng.normal(5.0, 3.0, 20)
    interval = bootstrap_interval([x, y], mean, np.random.default_rng(5))
    theirs = theirs_bootstrap((x, y), lambda a, b, axis: 0.5 * (a.mean(axis) + b.mean(axis)), 5)
    assert (interval.low, interval.high) == pytest.approx(theirs, rel=1e-12)


def test_pairs_are_resampled_together_as_scipys_are() -> None:
    rng = np.random.default_rng(3)
    seeds = rng.normal(0.0, 10.0, 25)
    pair = np.stack([seeds + rng.normal(1.0, 0.5, 25), seeds])
    trimmed = partial(stats.trim_mean, proportiontocut=0.25)
    for ours, theirs in ((mean, np.mean), (interquartile_mean, trimmed)):
        interval = bootstrap_interval([pair], difference_of(ours), np.random.default_rng(5))
        found = theirs_bootstrap(
            tuple(pair), lambda a, b, axis, of=theirs: of(a, axis=axis) - of(b, axis=axis), 5, paired=True
        )
        assert (interval.low, interval.high) == pytest.approx(found, rel=1e-12)
    assert bootstrap_interval([pair], difference_of(mean), rng).half_width < 0.4  # apart it would be 4 and more


def test_the_paired_bootstrap_is_nearly_students() -> None:
    pair = np.random.default_rng(4).normal(size=(2, 12))
    ours = bootstrap_interval([pair], difference_of(mean), np.random.default_rng(0), resamples=40_000)
    students = paired_difference(*pair)
    assert ours.mean == pytest.approx(students.mean)
    assert ours.half_width == pytest.approx(students.half_width, rel=0.08)


def test_the_bootstrap_covers_as_often_as_it_says() -> None:
    """400 samples of 8: hits ~ Binomial(400, .95) if it is Student's; outside has a probability below 1e-6 each."""
    samples = np.random.default_rng(11).normal(1.0, 1.0, (400, 8))
    rng = np.random.default_rng(12)
    hits = sum(
        i.low <= 1.0 <= i.high for i in (bootstrap_interval([row], mean, rng, resamples=1000) for row in samples)
    )
    low, high = stats.binom.interval(1 - 2e-6, 400, 0.95)
    assert low <= hits <= high
    plain = sum(
        np.quantile(row, 0.025) <= 1.0 <= np.quantile(row, 0.975)
        for row in (one[rng.integers(0, 8, (1000, 8))].mean(-1) for one in samples)
    )
    assert plain < hits  # what the widening is for


def test_the_probability_of_improvement_is_mann_whitneys() -> None:
    pair = np.random.default_rng(6).integers(0, 5, (2, 40)).astype(float)  # with ties
    u = stats.mannwhitneyu(pair[0], pair[1]).statistic
    assert probability_of_improvement([pair]) == pytest.approx(u / 40**2, rel=1e-12)
    other = pair + np.array([[0.5], [0.0]])
    both = probability_of_improvement([pair, other])
    assert both == pytest.approx(0.5 * (probability_of_improvement([pair]) + probability_of_improvement([other])))
    resampled = np.random.default_rng(7).integers(0, 5, (2, 9, 40)).astype(float)
    assert probability_of_improvement([resampled])[3] == pytest.approx(probability_of_improvement([resampled[:, 3]]))


def test_wins_count_seed_by_seed() -> None:
    seeds = np.arange(20.0)
    better = np.stack([seeds + 0.1, seeds])
    assert wins([better]) == 1.0 and wins([better[::-1]]) == 0.0 and wins([np.stack([seeds, seeds])]) == 0.5
    assert probability_of_improvement([better]) == pytest.approx(0.525)  # seeds differ more than the two do
    assert wins([better, better[::-1]]) == 0.5


def test_a_performance_profile_is_the_share_above_each_threshold() -> None:
    rng = np.random.default_rng(8)
    strata = [rng.random(30), rng.random(30) ** 2]
    thresholds = np.linspace(-0.1, 1.1, 13)
    profile = performance_profile(strata, thresholds, rng)
    ecdf = [stats.ecdf(part).sf.evaluate(thresholds) for part in strata]
    assert profile.share == pytest.approx(np.mean(ecdf, axis=0))
    assert profile.share[0] == 1.0 and profile.share[-1] == 0.0
    assert (profile.low <= profile.share).all() and (profile.share <= profile.high).all()
    k = 6
    point = bootstrap_interval(
        [(part > thresholds[k]).astype(float) for part in strata], mean, np.random.default_rng(9)
    )
    assert (profile.low[k], profile.high[k]) == pytest.approx((point.low, point.high), abs=0.03)


def test_resampling_in_rounds_changes_nothing_but_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).exponential(size=30)
    whole = bootstrap_interval([x], mean, np.random.default_rng(5))
    monkeypatch.setattr("training.statistics._ROUND_NUMBERS", 1000)
    rounds = bootstrap_interval([x], mean, np.random.default_rng(5))
    assert (rounds.low, rounds.high) == pytest.approx((whole.low, whole.high), rel=1e-12)  # one stratum: same stream


def test_one_sample_has_an_estimate_and_no_interval() -> None:
    one = bootstrap_interval([np.array([0.3]), np.ones(5)], mean, np.random.default_rng(0))
    assert one.mean == pytest.approx(0.65) and np.isnan(one.low) and one.side_of(0.5) == 0
    profile = performance_profile([np.array([0.3])], np.array([0.2, 0.4]), np.random.default_rng(0))
    assert list(profile.share) == [1.0, 0.0] and np.isnan(profile.low).all()


def test_an_interval_knows_on_which_side_it_lies() -> None:
    interval = Interval(0.6, 0.55, 0.65, 9)
    assert (interval.side_of(0.5), interval.side_of(0.6), interval.side_of(0.7)) == (1, 0, -1)


@pytest.mark.parametrize("strata", [[], [np.zeros(0)], [np.ones(3), np.array([np.nan])], [np.zeros((2, 2, 2))]])
def test_strata_that_say_nothing_are_refused(strata: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="strata: got shapes"):
        bootstrap_interval(strata, mean, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"level=0\.0 is not allowed"):
        performance_profile([np.ones(3)], np.zeros(1), np.random.default_rng(0), level=0.0)
