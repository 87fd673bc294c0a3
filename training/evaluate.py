"""Evaluation: any list of policies on the same seeds, in chunks that can be spread, kept, and gone on with.

What a chunk gives depends on its seeds alone and not on what else is played, where, or in which order. So chunks may
run in one process or on a cluster, and an evaluation that was interrupted goes on with the missions that are missing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import qdt_env
from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.metrics import METRICS, NOT_YET
from qdt_env.random import seed_array
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from training.cluster import Spread, in_process
from training.entries import Entry, applied, check_entry, checkpoint_digest, scenario_digest
from training.journal import Journal, Record
from training.rollout import run_missions

CHUNK = 16
FIRST_SEED = 1_000_000  # held out: training takes its seeds from 2^40 on (training.ppo)
JOURNAL = "missions.jsonl"
# Where these say NOT_YET there was nothing to measure (no such patient, nobody treated): the mission counts elsewhere.
_OF_NOTHING = frozenset({
    "reds_treated_60min", "find_median_min", "treat_median_min", "handover_median_min", "overtriage", "undertriage",
})  # fmt: skip

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Job:
    """One chunk as plain data that travels: the missions of some seeds.

    Attributes:
        scenario, game: what is played, the entry's changes made.
        policy, advisor, settings, hidden: as of ``training.rollout.run_missions``.
        seeds: one per mission.
        digest: of the policy's checkpoint, "" for a policy by name.
    """

    scenario: ScenarioConfig
    game: GameConfig
    policy: str
    advisor: str
    seeds: tuple[int, ...]
    digest: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


def play_chunk(job: Job) -> Record:
    """The missions of a chunk as plain data: metrics by name, (N,) each, what the planners spent, wall time [s].

    Raises:
        ValueError: the checkpoint is not the one it was when the evaluation began.
    """
    same = checkpoint_digest(job.policy) == job.digest
    require(same, "policy", job.policy, "a checkpoint that stays as it is, and is the same everywhere")
    played = run_missions(job.scenario, job.game, job.policy, job.advisor, job.seeds, hidden=job.hidden, **job.settings)
    return {
        "metrics": {name: values.tolist() for name, values in played.metrics.items()},
        "spent": {} if played.spent is None else played.spent.to_dict(),
        "wall_s": played.wall_s,
    }


@dataclass(frozen=True, eq=False)
class Trial:
    """What is played, whoever plays.

    Attributes:
        scenarios: by the names they have in tables; one or more.
        game: suite, threats, channel and control, unless an entry changes them.
        settings: of every advisor, such as ``every_steps``; see :class:`agents.advice.Advisor`.
    """

    scenarios: Mapping[str, ScenarioConfig]
    game: GameConfig
    settings: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> Record:
        """What the missions of an entry and a seed depend on, as plain data; equal where results may be mixed."""
        game = asdict(self.game)
        return {
            "version": qdt_env.__version__,
            "scenarios": {name: scenario_digest(scenario) for name, scenario in self.scenarios.items()},
            **{name: value if isinstance(value, str | bool) else repr(value) for name, value in game.items()},
            "advisor_settings": {name: repr(value) for name, value in sorted(self.settings.items())},
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Missions of some entries on the same N seeds of one or more scenarios.

    Attributes:
        scenarios: names in order.
        entries: in order.
        seeds: (N,) uint64, of every scenario.
        metrics: by (scenario, name of the entry), then by metric: (N,) float64 in the order of the seeds.
        spent: by (scenario, name of the entry), sums over the missions, see ``Spent.to_dict``; empty without advisor.
            Of a chunk that holds other missions, too, the share of those asked for.
        wall_s: by (scenario, name of the entry), wall time of the missions [s], likewise.
        digests: SHA-256 (hex) of the checkpoint, by name of the entry; "" for a policy by name.
    """

    scenarios: tuple[str, ...]
    entries: tuple[Entry, ...]
    seeds: np.ndarray
    metrics: dict[tuple[str, str], dict[str, np.ndarray]]
    spent: dict[tuple[str, str], dict[str, float]]
    wall_s: dict[tuple[str, str], float]
    digests: dict[str, str] = field(default_factory=dict)

    def samples(self, entry: Entry, metric: str, scenarios: Sequence[str] = ()) -> list[np.ndarray]:
        """A metric, one (n,) array per scenario (all, if none is named); missions without it are left out."""
        found = (self.metrics[name, entry.name][metric] for name in scenarios or self.scenarios)
        kept = [values[measured(metric, values)] for values in found]
        return [values for values in kept if values.size]

    def pairs(self, first: Entry, second: Entry, metric: str, scenarios: Sequence[str] = ()) -> list[np.ndarray]:
        """A metric of two entries on the same seeds, one (2, n) array per scenario; as :meth:`samples`."""
        found = (
            np.stack([self.metrics[name, entry.name][metric] for entry in (first, second)])
            for name in scenarios or self.scenarios
        )
        kept = [pair[:, measured(metric, pair).all(0)] for pair in found]
        return [pair for pair in kept if pair.size]


def measured(metric: str, values: np.ndarray) -> np.ndarray:
    """Where there was something to measure, bool like ``values`` (...), float64."""
    return values != NOT_YET if metric in _OF_NOTHING else np.ones(values.shape, bool)


def evaluate(
    trial: Trial,
    entries: Iterable[Entry],
    seeds: Iterable[int],
    *,
    chunk: int = CHUNK,
    spread: Spread = in_process,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Play every entry on the same seeds of every scenario.

    Args:
        trial: what is played.
        entries: who plays, names differing.
        seeds: one per mission and scenario, all different.
        chunk: missions per job, >= 1.
        spread: where the jobs run.
        out: folder in which every finished chunk is kept at once; made if it is not there.
        resume: take what ``out`` already holds of the same configuration, and play what is missing. There may be more
            entries and seeds than before.
        progress: called with the number of missions that are there, of scenarios x entries x seeds.

    Raises:
        ValueError: nothing to play, names or seeds that repeat, an entry that cannot play, or an ``out`` that cannot
            be gone on with, see :class:`training.journal.Journal`.
    """
    entries, numbers = tuple(entries), seed_array(seeds).tolist()
    _check(trial, entries, numbers, chunk)
    require(out is not None or not resume, "resume", resume, "only with a folder that results are kept in")
    digests = {entry: checkpoint_digest(entry.policy) for entry in entries}
    if out is None:
        board = _Board(trial, digests, ())
        _fill(board, numbers, chunk, spread, None, progress)
        return board.evaluation(numbers)
    out.mkdir(parents=True, exist_ok=True)
    with Journal(out / JOURNAL, trial.config(), resume, _check_record) as journal:
        board = _Board(trial, digests, journal.records)
        _fill(board, numbers, chunk, spread, journal, progress)
        return board.evaluation(numbers)


def _check(trial: Trial, entries: tuple[Entry, ...], seeds: list[int], chunk: int) -> None:
    """Refuse what cannot be played before anything is."""
    names = [entry.name for entry in entries]
    require(bool(trial.scenarios), "scenarios", list(trial.scenarios), "one or more")
    require(bool(names) and len(set(names)) == len(names), "policies", names, "one or more, all different")
    require(bool(seeds) and len(set(seeds)) == len(seeds), "seeds", len(seeds), "one or more, all different")
    require(chunk >= 1, "chunk", chunk, "1 or more")
    for entry in entries:
        for scenario in trial.scenarios.values():
            check_entry(entry, scenario, trial.game)


def _check_record(record: Record) -> None:
    """Refuse a line of the journal that is not a whole chunk; see :func:`play_chunk`.

    Raises:
        ValueError: naming what it lacks. Without the line its missions are played anew.
    """
    again = "; delete the line, and its missions are played anew"
    kinds = {"scenario": str, "entry": str, "seeds": list, "metrics": dict, "spent": dict, "wall_s": float}
    for name, kind in kinds.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(f"{name}: got {record.get(name)!r}, allowed is a {kind.__name__}{again}")
    for name in METRICS:
        values = record["metrics"].get(name)
        numbers = isinstance(values, list) and all(isinstance(value, int | float) for value in values)
        if not numbers or len(values) != len(record["seeds"]):
            allowed = f"{len(record['seeds'])} numbers, one for each of its seeds"
            raise ValueError(f"metric {name}: got {values!r}, allowed is {allowed}{again}")


def _fill(
    board: "_Board", seeds: list[int], chunk: int, spread: Spread, journal: Journal | None, progress: Progress | None
) -> None:
    """Play what the board lacks of ``seeds``."""
    whole = len(seeds) * len(board.cells)
    tasks = list(board.missing(seeds, chunk))
    done = whole - sum(len(task[2]) for task in tasks)
    jobs = [board.job(*task) for task in tasks]
    if progress is not None:
        progress(done)
    lost = set(range(len(jobs)))
    for index, result in spread(play_chunk, jobs):
        lost.remove(index)
        scenario, entry, chosen = tasks[index]
        record = {"scenario": scenario, "entry": board.keys[entry], "seeds": list(chosen), **result}
        if journal is not None:
            journal.append(record)
        board.take(record)
        done += len(chosen)
        if progress is not None:
            progress(done)
    if lost:
        raise RuntimeError(f"{len(lost)} of {len(jobs)} chunks were played without a result")


class _Board:
    """What is there by scenario, entry and seed."""

    def __init__(self, trial: Trial, digests: dict[Entry, str], records: Iterable[Record]) -> None:
        """The records of these entries and digests of their checkpoints; others are left where they are."""
        self.trial, self.digests = trial, digests
        # Another checkpoint under the same path is another key.
        self.keys = {entry: f"{entry.name}#{digest}" if digest else entry.name for entry, digest in digests.items()}
        self.cells: dict[tuple[str, str], dict[int, tuple[Record, int]]] = {
            (scenario, key): {} for scenario in trial.scenarios for key in self.keys.values()
        }
        for record in records:
            if (record["scenario"], record["entry"]) in self.cells:
                self.take(record)

    def take(self, record: Record) -> None:
        """Enter a chunk."""
        cell = self.cells[record["scenario"], record["entry"]]
        for place, seed in enumerate(record["seeds"]):
            cell.setdefault(seed, (record, place))

    def missing(self, seeds: list[int], chunk: int) -> Iterator[tuple[str, Entry, tuple[int, ...]]]:
        """Chunks to play. Everybody's first chunk comes first: what is there after an interruption is comparable."""
        rests = []
        for scenario in self.trial.scenarios:
            for entry, key in self.keys.items():
                rests.append((scenario, entry, [seed for seed in seeds if seed not in self.cells[scenario, key]]))
        for first in range(0, max(len(rest) for _, _, rest in rests), chunk):
            for scenario, entry, rest in rests:
                if rest[first:]:
                    yield scenario, entry, tuple(rest[first : first + chunk])

    def job(self, scenario: str, entry: Entry, seeds: tuple[int, ...]) -> Job:
        """A chunk as a job."""
        played, game = applied(entry, self.trial.scenarios[scenario], self.trial.game)
        digest = self.digests[entry]
        own = Path(entry.policy).is_file()  # a worker may stand elsewhere
        policy = str(Path(entry.policy).absolute()) if digest and own else entry.policy
        return Job(played, game, policy, entry.advisor, seeds, digest, dict(self.trial.settings), entry.hidden)

    def evaluation(self, seeds: list[int]) -> Evaluation:
        """Everything about ``seeds``, in their order."""
        metrics, spent, wall_s = {}, {}, {}
        for scenario in self.trial.scenarios:
            for entry, key in self.keys.items():
                rows = [self.cells[scenario, key][seed] for seed in seeds]
                names = rows[0][0]["metrics"]
                place = scenario, entry.name
                metrics[place] = {name: np.array([one["metrics"][name][k] for one, k in rows]) for name in names}
                shares = [_share(one) for one, _ in rows]
                spending = dict.fromkeys(name for share in shares for name in share)
                costs = {name: math.fsum(share.get(name, 0.0) for share in shares) for name in spending}
                wall_s[place] = costs.pop("mission_s")
                spent[place] = costs
        scenarios, entries = tuple(self.trial.scenarios), tuple(self.keys)
        digests = {entry.name: digest for entry, digest in self.digests.items()}
        return Evaluation(scenarios, entries, np.array(seeds, np.uint64), metrics, spent, wall_s, digests)


def _share(record: Record) -> dict[str, float]:
    """What one mission of a chunk has cost on average: what the planners spent, and "mission_s", its wall time [s]."""
    costs = record["spent"] | {"mission_s": record["wall_s"]}
    return {name: value / len(record["seeds"]) for name, value in costs.items()}
