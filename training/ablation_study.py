"""Ablations: one learner without one part of what it is given, against the whole one on the same held-out missions.

A variant is trained anew without the part. Several training runs of each may be made: a line is then their mean,
mission by mission, and the runs' own differences stand beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from agents.hiding import reads_advice
from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.metrics import NOT_YET
from qdt_env.scenario import PRESET_NAMES, ScenarioConfig, load_scenario
from training.comparison import SCORE, scopes
from training.entries import HIDE, Entry, made_policy
from training.evaluate import Evaluation, measured
from training.rollout import NO_ADVISOR
from training.statistics import Interval, bootstrap_interval, difference_of, mean, mean_interval

UNSEEN_BUILDING = 1000  # seed of a generated building that no study trains on
Players = Mapping[str, Sequence[Entry]]  # the entries of each variant, one per training run; the reference first


@dataclass(frozen=True)
class Variant:
    """What a learner is given.

    Attributes:
        name: in tables.
        advised: whether it observes advice.
        hidden: groups of ``agents.hiding`` that it does not observe.
        suite: cipher suite where not that of the whole one.
    """

    name: str
    advised: bool = True
    hidden: tuple[str, ...] = ()
    suite: str | None = None

    @property
    def folder(self) -> str:
        """Its name as part of a path."""
        return self.name.replace(" ", "-")

    def entry(self, policy: str, advisor: str | None) -> Entry:
        """How a policy that was trained so is played."""
        changes = () if self.suite is None else (("suite", self.suite),)
        return Entry(policy, advisor if advisor and self.advised else NO_ADVISOR, changes)


FULL = Variant("full")
_VARIANTS = (
    FULL,
    Variant("without advice", advised=False),
    Variant("without trust", hidden=("trust",)),
    Variant("without ages", hidden=("ages",)),
    Variant("plaintext", suite="plaintext"),
)


def variants(advisor: str | None, suite: str) -> tuple[Variant, ...]:
    """The whole learner first, then those without a part that this one has."""
    return tuple(
        one for one in _VARIANTS if (one.advised or advisor is not None) and (one.suite is None or one.suite != suite)
    )


def hiding_players(entry: Entry, scenario: ScenarioConfig, game: GameConfig) -> Players:
    """A policy as it is, and the same with parts hidden while it plays; nothing is trained.

    Raises:
        ValueError: the policy cannot play.
    """
    policy, _ = made_policy(entry, scenario, game)
    advisor = None if entry.advisor == NO_ADVISOR else entry.advisor
    suite = dict(entry.changes).get("suite", game.suite)
    players = {}
    for variant in variants(advisor, suite):
        changed = entry
        if not variant.advised:
            changed = _hidden(entry, "advice") if reads_advice(policy) else replace(entry, advisor=NO_ADVISOR)
        elif variant.hidden:
            changed = _hidden(entry, *variant.hidden)
        elif variant.suite is not None:
            changes = {**dict(entry.changes), "suite": variant.suite}
            changed = replace(entry, changes=tuple(changes.items()))
        players[variant.name] = [changed]
    return players


def _hidden(entry: Entry, *names: str) -> Entry:
    """The entry with more hidden from its policy."""
    changes = dict(entry.changes)
    before = [changes[HIDE]] if HIDE in changes else []
    return replace(entry, changes=tuple({**changes, HIDE: "+".join([*before, *names])}.items()))


def held_out(scenario: str) -> dict[str, ScenarioConfig]:
    """What is played unless something else is asked for: the scenario, and of a preset a building nobody trained on."""
    known = load_scenario(scenario)
    if scenario not in PRESET_NAMES:
        return {known.name: known}
    return {known.name: known, f"{known.name} (new building)": load_scenario(scenario, building_seed=UNSEEN_BUILDING)}


def by_variant(evaluation: Evaluation, players: Players) -> Evaluation:
    """One entry per variant, under its name: the mean over its training runs, mission by mission.

    A mission in which one of the runs had nothing to measure has nothing to measure.
    """
    metrics, spent, wall_s = {}, {}, {}
    for scenario in evaluation.scenarios:
        for name, runs in players.items():
            found = [evaluation.metrics[scenario, run.name] for run in runs]
            metrics[scenario, name] = {one: _mean(one, np.stack([of[one] for of in found])) for one in found[0]}
            costs = [evaluation.spent[scenario, run.name] for run in runs]
            kinds = dict.fromkeys(kind for cost in costs for kind in cost)
            spent[scenario, name] = {kind: float(np.mean([cost.get(kind, 0.0) for cost in costs])) for kind in kinds}
            wall_s[scenario, name] = float(np.mean([evaluation.wall_s[scenario, run.name] for run in runs]))
    entries = tuple(Entry(name) for name in players)
    return Evaluation(evaluation.scenarios, entries, evaluation.seeds, metrics, spent, wall_s)


def _mean(metric: str, values: np.ndarray) -> np.ndarray:
    """Mean (n,) over the runs of a metric (runs, n)."""
    return np.asarray(np.where(measured(metric, values).all(0), values.mean(0), NOT_YET))


@dataclass(frozen=True)
class RunDifferences:
    """One variant against the whole learner, training run by training run.

    Attributes:
        variant, scope: who, and where: a scenario, or all.
        by_run: mean paired difference of the score in each run, intervals over missions.
        over_runs: mean of these differences with Student's interval over the runs: what another run would give.
    """

    variant: str
    scope: str
    by_run: tuple[Interval, ...]
    over_runs: Interval

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        by_run = [one.to_dict() for one in self.by_run]
        return asdict(self) | {"by_run": by_run, "over_runs": self.over_runs.to_dict()}


def run_differences(evaluation: Evaluation, players: Players) -> list[RunDifferences]:
    """Every variant but the first against the first, run by run."""
    reference, *others = players
    found = []
    for scope, scenarios in scopes(evaluation).items():
        for name in others:
            by_run = tuple(
                bootstrap_interval(
                    evaluation.pairs(run, whole, SCORE, scenarios), difference_of(mean), np.random.default_rng(0)
                )
                for run, whole in zip(players[name], players[reference], strict=True)
            )
            over_runs = mean_interval(np.array([one.mean for one in by_run]))
            found.append(RunDifferences(name, scope, by_run, over_runs))
    return found
