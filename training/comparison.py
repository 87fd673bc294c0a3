"""What an evaluation says: each policy's figures, and each policy against the first, per scenario and over all.

Every interval is made from the same random numbers, so a line does not depend on which others stand beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.entries import Entry
from training.evaluate import Evaluation
from training.statistics import (
    Interval,
    Profile,
    Statistic,
    Strata,
    bootstrap_interval,
    difference_of,
    interquartile_mean,
    mean,
    performance_profile,
    probability_of_improvement,
    wins,
)

SCORE = "score"
METRICS = (
    "score", "lives_saved", "survivors", "handed_over", "reds_treated_60min", "overtriage", "undertriage",
    "robots_lost", "stale_decisions", "deceived_decisions", "messages_rejected", "messages_forged",
    "messages_exposed", "key_bits",
)  # fmt: skip
ALL_SCENARIOS = "all scenarios"
_POINTS = 101  # thresholds of a profile
_BOOTSTRAP_SEED = 0


@dataclass(frozen=True, eq=False)
class Standing:
    """One policy in one scope.

    Attributes:
        entry: who.
        scope: a scenario, or ``ALL_SCENARIOS``: then every scenario is a stratum.
        mean: of each of ``METRICS`` the mean per mission; None where no mission has the metric.
        iqm: the interquartile mean likewise.
    """

    entry: Entry
    scope: str
    mean: dict[str, Interval | None]
    iqm: dict[str, Interval | None]

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        kinds = {"mean": self.mean, "iqm": self.iqm}
        return {"policy": self.entry.name, "scope": self.scope, **{kind: _plain(of) for kind, of in kinds.items()}}


@dataclass(frozen=True, eq=False)
class Contest:
    """One policy against the reference in one scope, seed by seed.

    Attributes:
        entry, reference: who against whom.
        scope: as of :class:`Standing`.
        difference: of each of ``METRICS`` the mean paired difference, entry less reference; None where no mission of
            both has the metric. That of the score decides, see :attr:`verdict`.
        iqm_difference: interquartile mean of the score less that of the reference, seeds drawn together.
        wins: share of the seeds with the higher score, ties half.
        improvement: probability of improvement: chance of a higher score on any seed than the reference on any.
    """

    entry: Entry
    reference: Entry
    scope: str
    difference: dict[str, Interval | None]
    iqm_difference: Interval
    wins: Interval
    improvement: Interval

    @property
    def score(self) -> Interval:
        """The mean paired difference of the score."""
        return _there(self.difference[SCORE])

    @property
    def verdict(self) -> int:
        """1 where the interval of the score's mean paired difference lies above 0, -1 below, 0 where it holds 0."""
        return self.score.verdict

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return {
            "policy": self.entry.name,
            "reference": self.reference.name,
            "scope": self.scope,
            "difference": _plain(self.difference),
            "iqm_difference": self.iqm_difference.to_dict(),
            "wins": self.wins.to_dict(),
            "improvement": self.improvement.to_dict(),
            "verdict": self.verdict,
        }


def scopes(evaluation: Evaluation) -> dict[str, tuple[str, ...]]:
    """Scenarios by scope: each alone, and all together where there are several."""
    alone: dict[str, tuple[str, ...]] = {name: (name,) for name in evaluation.scenarios}
    return alone if len(alone) == 1 else {**alone, ALL_SCENARIOS: evaluation.scenarios}


def standings(evaluation: Evaluation) -> list[Standing]:
    """Every policy's figures, scope by scope."""
    found = []
    for scope, scenarios in scopes(evaluation).items():
        for entry in evaluation.entries:
            samples = {metric: evaluation.samples(entry, metric, scenarios) for metric in METRICS}
            means = {metric: _interval(strata, mean) for metric, strata in samples.items()}
            trimmed = {metric: _interval(strata, interquartile_mean) for metric, strata in samples.items()}
            found.append(Standing(entry, scope, means, trimmed))
    return found


def contests(evaluation: Evaluation) -> list[Contest]:
    """Every policy but the first against the first, scope by scope."""
    reference, *others = evaluation.entries
    return [
        _contest(evaluation, entry, reference, scope, scenarios)
        for scope, scenarios in scopes(evaluation).items()
        for entry in others
    ]


def _contest(evaluation: Evaluation, entry: Entry, reference: Entry, scope: str, scenarios: Sequence[str]) -> Contest:
    """One policy against the reference."""
    pairs = {metric: evaluation.pairs(entry, reference, metric, scenarios) for metric in METRICS}
    statistics = (difference_of(interquartile_mean), wins, probability_of_improvement)
    return Contest(
        entry,
        reference,
        scope,
        {metric: _interval(strata, difference_of(mean)) for metric, strata in pairs.items()},
        *(_there(_interval(pairs[SCORE], statistic)) for statistic in statistics),
    )


def profiles(evaluation: Evaluation) -> dict[Entry, Profile]:
    """Performance profiles of the score over all scenarios, at thresholds that span every policy's scores."""
    scores = {entry: evaluation.samples(entry, SCORE) for entry in evaluation.entries}
    every = np.concatenate([stratum for strata in scores.values() for stratum in strata])
    thresholds = np.linspace(min(0.0, float(every.min())), max(float(every.max()), 0.0), _POINTS)
    return {
        entry: performance_profile(strata, thresholds, np.random.default_rng(_BOOTSTRAP_SEED))
        for entry, strata in scores.items()
    }


def _interval(strata: Strata, statistic: Statistic) -> Interval | None:
    """The statistic with its bootstrap interval, None of nothing."""
    return bootstrap_interval(strata, statistic, np.random.default_rng(_BOOTSTRAP_SEED)) if strata else None


def _there(interval: Interval | None) -> Interval:
    """What every mission has: a score."""
    assert interval is not None
    return interval


def _plain(intervals: dict[str, Interval | None]) -> dict[str, Any]:
    """Intervals as plain numbers, by metric."""
    return {metric: None if one is None else one.to_dict() for metric, one in intervals.items()}
