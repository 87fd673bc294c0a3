"""Means and paired differences with t intervals.

Missions of one seed have the same building, quake and patients whatever plays them, so differences are taken seed by
seed: the interval of a difference is then far narrower than those of the two means suggest.
"""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A mean with its two-sided confidence interval.

    Attributes:
        mean, low, high: in the unit of the samples; low and high are NaN for fewer than two samples.
        n: number of samples, >= 1.
        level: confidence in (0, 1).
    """

    mean: float
    low: float
    high: float
    n: int
    level: float = 0.95

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return 0.5 * (self.high - self.low)

    @property
    def verdict(self) -> int:
        """1 where the interval lies above 0, -1 where below, 0 where it holds 0 or is unknown."""
        return int(self.low > 0.0) - int(self.high < 0.0)

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


def said(difference: Interval, first: str, second: str) -> str:
    """One honest sentence about a paired difference."""
    if difference.n < 2:
        return f"{first} against {second}: one seed tells nothing."
    verb = {1: "beats", -1: "is beaten by", 0: "cannot be told apart from"}[difference.verdict]
    return f"{first} {verb} {second} on these {difference.n} seeds."
