"""Means, interquartile means and paired differences with their intervals; performance profiles.

Missions of one seed have the same building, quake and patients whatever plays them, so differences are taken seed by
seed: the interval of a difference is then far narrower than those of the two means suggest.

Interquartile mean, stratified bootstrap, probability of improvement and performance profiles are as defined by Agarwal
et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021 (arXiv 2108.13264). A
stratum is what they call a task, here a scenario, and a sample is a mission. The samples lie along the last axis: a
stratum is (n,), or (2, n) for the missions of two policies on the same seeds, which are then drawn together.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

RESAMPLES = 4000
_ROUND_NUMBERS = 4_000_000  # of one round of resampling: bounds the memory to some 100 MB

Strata = Sequence[np.ndarray]
Statistic = Callable[[Strata], np.ndarray]  # strata (..., n) each -> (...), or with axes of its own after these


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided confidence interval.

    Attributes:
        mean: the estimate: a mean, or what the function says that made it (an interquartile mean, a probability).
        low, high: ends of the interval; NaN for fewer than two samples.
        n: number of samples, >= 1.
        level: confidence in (0, 1).
    """

    mean: float
    low: float
    high: float
    n: int
    level: float = 0.95

    @property
    def known(self) -> bool:
        """Whether there were samples enough for an interval."""
        return self.low == self.low

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return 0.5 * (self.high - self.low)

    @property
    def verdict(self) -> int:
        """1 where the interval lies above 0, -1 where below, 0 where it holds 0 or is unknown."""
        return self.side_of(0.0)

    def side_of(self, value: float) -> int:
        """1 where the interval lies above ``value``, -1 where below, 0 where it holds it or is unknown."""
        return int(self.low > value) - int(self.high < value)

    def to_dict(self) -> dict[str, float | None]:
        """As plain numbers; None for NaN."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def mean_interval(samples: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of the mean; exact for normal samples, good for the means of some ten others.

    Args:
        samples: (n,) finite numbers, n >= 1.
        level: confidence in (0, 1).

    Raises:
        ValueError: no samples, samples that are not finite, or a level out of range.
    """
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
        raise ValueError(f"samples: got shape {samples.shape}, allowed: (n,) finite numbers with n >= 1")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} is not allowed: between 0 and 1")
    n = samples.size
    mean = float(samples.mean())
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), 1, level)
    reach = float(stdtrit(n - 1, 0.5 + 0.5 * level) * samples.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - reach, mean + reach, n, level)


def paired_difference(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of the mean of ``first - second``, sample by sample (the same seeds in the same order).

    Raises:
        ValueError: shapes that differ, or as in :func:`mean_interval`.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"paired samples: got shapes {first.shape} and {second.shape}, allowed: equal ones")
    return mean_interval(first - second, level)


def said(difference: Interval, first: str, second: str, of: str = "seeds") -> str:
    """One honest sentence about a paired difference, ``of`` what it has ``n`` of."""
    if not difference.known:
        return f"{first} against {second}: one seed tells nothing."
    verb = {1: "beats", -1: "is beaten by", 0: "cannot be told apart from"}[difference.verdict]
    return f"{first} {verb} {second} on these {difference.n} {of}."


def mean(strata: Strata) -> np.ndarray:
    """Mean over the strata of their means."""
    return np.mean([stratum.mean(-1) for stratum in strata], axis=0)


def interquartile_mean(strata: Strata) -> np.ndarray:
    """Mean of the middle half of all samples: a quarter of them, rounded down, is left out at each end."""
    pooled = np.sort(np.concatenate(list(strata), axis=-1), axis=-1)
    left_out = pooled.shape[-1] // 4
    return np.asarray(pooled[..., left_out : pooled.shape[-1] - left_out].mean(-1))


def difference_of(statistic: Statistic) -> Statistic:
    """The statistic of the first less that of the second, of strata (2, ..., n)."""

    def difference(strata: Strata) -> np.ndarray:
        return np.asarray(statistic([pair[0] for pair in strata]) - statistic([pair[1] for pair in strata]))

    return difference


def wins(strata: Strata) -> np.ndarray:
    """Share of the seeds on which the first did better, ties half: mean over strata (2, ..., n), in [0, 1]."""
    return np.mean([((pair[0] > pair[1]) + 0.5 * (pair[0] == pair[1])).mean(-1) for pair in strata], axis=0)


def probability_of_improvement(strata: Strata) -> np.ndarray:
    """Chance that a mission of the first does better than one of the second on *any* seed, ties half.

    Mean over strata (2, ..., n) of the Mann-Whitney U / n^2, in [0, 1]. Where seeds differ more than policies it stays
    near a half even if the first is better on every seed; :func:`wins` compares seed by seed.
    """
    return np.mean([_above(pair[0], pair[1]) for pair in strata], axis=0)


def _above(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of the pairs of samples (..., n), (..., m) in which the first is larger, ties half."""
    n, m = first.shape[-1], second.shape[-1]
    rows = zip(first.reshape(-1, n), np.sort(second, axis=-1).reshape(-1, m), strict=True)
    halves = [sum(np.searchsorted(below, x, side).sum() for side in ("left", "right")) for x, below in rows]
    return np.reshape(halves, first.shape[:-1]) / (2.0 * n * m)


def bootstrap_interval(
    strata: Strata,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """Stratified bootstrap interval of a statistic: samples are drawn anew within each stratum.

    The ends are percentiles, widened for few samples as in :func:`tail`.

    Args:
        strata: one or more of (n,) or (2, n) finite numbers, n >= 1 of its own in each.
        statistic: such as :func:`mean` or ``difference_of(interquartile_mean)``; one number per set of strata.
        rng: draws the resamples.
        resamples: how many, >= 1.
        level: confidence in (0, 1).

    Raises:
        ValueError: no strata, an empty one, samples that are not finite, or a level out of range.
    """
    strata = _checked(strata, level)
    sizes = [stratum.shape[-1] for stratum in strata]
    estimate = float(statistic(strata))
    if min(sizes) < 2:
        return Interval(estimate, float("nan"), float("nan"), sum(sizes), level)
    share = tail(min(sizes), level)
    low, high = np.quantile(_resampled(strata, statistic, rng, resamples), [share, 1.0 - share])
    return Interval(estimate, float(low), float(high), sum(sizes), level)


def tail(n: int, level: float) -> float:
    """The percentile, in [0, 1/2], at which a bootstrap interval of ``n`` samples begins.

    A plain percentile interval is too narrow for few samples: its spread is that of the sample, divided by n and not by
    n - 1, and it takes the normal quantile for Student's. Hesterberg's expanded percentile (The American Statistician
    69:371, 2015) makes up for both; for normal samples the interval of the mean is then Student's.
    """
    return float(ndtr(-np.sqrt(n / (n - 1.0)) * stdtrit(n - 1, 0.5 + 0.5 * level)))


@dataclass(frozen=True, eq=False)
class Profile:
    """How often a policy did better than each of T thresholds.

    Attributes:
        thresholds: (T,) float64, in the unit of the samples.
        share: (T,) float64, share of the samples above each threshold, mean over the strata, [0, 1].
        low, high: (T,) float64, ends of the interval at each threshold (not a band for the whole curve); NaN for
            fewer than two samples in a stratum.
    """

    thresholds: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def performance_profile(
    strata: Strata,
    thresholds: np.ndarray,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Profile:
    """The performance profile of samples, with stratified bootstrap intervals; see :func:`bootstrap_interval`."""
    strata, thresholds = _checked(strata, level), np.asarray(thresholds, np.float64)

    def shares(parts: Strata) -> np.ndarray:
        return np.mean([(part[..., None] > thresholds).mean(-2) for part in parts], axis=0)

    fewest = min(stratum.shape[-1] for stratum in strata)
    if fewest < 2:
        unknown = np.full(thresholds.shape, np.nan)
        return Profile(thresholds, shares(strata), unknown, unknown)
    ends = [tail(fewest, level), 1.0 - tail(fewest, level)]
    low, high = np.quantile(_resampled(strata, shares, rng, resamples), ends, axis=0)
    return Profile(thresholds, shares(strata), low, high)


def _checked(strata: Strata, level: float) -> list[np.ndarray]:
    """The strata as float64, refused where nothing can be said of them."""
    checked = [np.asarray(stratum, np.float64) for stratum in strata]
    if not checked or any(part.ndim not in (1, 2) or not part.size or not np.isfinite(part).all() for part in checked):
        shapes = [part.shape for part in checked]
        raise ValueError(f"strata: got shapes {shapes}, allowed: one or more, each (n,) or (2, n) finite, n >= 1")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} is not allowed: between 0 and 1")
    return checked


def _resampled(strata: Strata, statistic: Statistic, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """The statistic (resamples, ...) of samples drawn with replacement within each stratum."""
    numbers = sum(stratum.size for stratum in strata) * np.size(statistic(strata))
    rows = max(1, min(resamples, _ROUND_NUMBERS // numbers))
    found = []
    for first in range(0, resamples, rows):
        many = min(rows, resamples - first)
        drawn = [part[..., rng.integers(0, part.shape[-1], (many, part.shape[-1]))] for part in strata]
        found.append(statistic(drawn))
    return np.concatenate(found)
