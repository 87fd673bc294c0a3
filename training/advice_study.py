"""What advice is worth in missions: by planner, by delay, and from a QPU that fails or lies, on the same seeds.

Every line plays the same buildings, quakes and patients; its score is compared seed by seed with that of the line
"greedy", the plan that a computer at home has in a millisecond. Late and remote advice has that plan as its interim.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from agents.advice import Spent
from agents.planning import Planner, planner_names
from agents.planning.classical import GreedyPlanner
from agents.quantum.qpu import Qpu, make_qpu
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from training.cluster import Spread
from training.rollout import NO_ADVISOR, Progress, run_missions
from training.statistics import Interval, mean_interval, paired_difference

FLOOR = "greedy"
PLANNERS = (NO_ADVISOR, FLOOR, "linear", "sa", "exact", "qaoa", "vqe", "gas")
DELAYS = (0, 1, 6, 30)

Begin = Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True, eq=False)
class Line:
    """One way to get advice.

    Attributes:
        name: for tables.
        advisor: name of the planner, ``NO_ADVISOR`` for none.
        planner: the planner where it is not the one of that name as it comes.
        qpu: runs the planner's circuits; None: they run at home.
        settings: of :class:`agents.advice.Advisor`.
    """

    name: str
    advisor: str
    planner: Planner | None = None
    qpu: Qpu | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Job:
    """One line's missions, as another process can be told of them."""

    scenario: ScenarioConfig
    game: GameConfig
    policy: str
    line: Line
    seeds: tuple[int, ...]


class Played(NamedTuple):
    """What a line's missions came to: seeds (N,), metrics (N,) by name, the advisors' budget, wall time [s]."""

    seeds: np.ndarray
    metrics: dict[str, np.ndarray]
    spent: Spent | None
    wall_s: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one line did.

    Attributes:
        line: which.
        seeds: (N,) uint64.
        scores: (N,) float64 mission scores.
        survivors: (N,) float64 expected survivors.
        score: mean with interval.
        to_floor: paired difference of the score to the line "greedy".
        to_none: paired difference to missions without advice; None where that was not played.
        spent: budget sums over all missions, see ``Spent.to_dict``; empty without advice.
        wall_s: wall time of the missions [s].
    """

    line: Line
    seeds: np.ndarray
    scores: np.ndarray
    survivors: np.ndarray
    score: Interval
    to_floor: Interval
    to_none: Interval | None
    spent: dict[str, float]
    wall_s: float

    @property
    def below_floor(self) -> bool:
        """Whether it is worse than greedy beyond the interval."""
        return self.to_floor.verdict < 0

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, for JSON."""
        return {
            "line": self.line.name,
            "score": self.score.to_dict(),
            "to_greedy": self.to_floor.to_dict(),
            "to_none": None if self.to_none is None else self.to_none.to_dict(),
            "below_greedy": self.below_floor,
            "survivors": float(self.survivors.mean()),
            "spent": self.spent,
            "wall_s": self.wall_s,
        }


def planner_lines(names: Sequence[str] = PLANNERS) -> list[Line]:
    """Advice at once from each planner that is there; the line "greedy" comes with them."""
    known = [name for name in names if name == NO_ADVISOR or name in planner_names()]
    return [Line(name, name) for name in known]


def delay_lines(planner: str = "exact", delays: Sequence[int] = DELAYS) -> list[Line]:
    """One planner's advice after a number of steps, greedy advice standing in; the last line without it, waiting."""
    interim = {"interim": GreedyPlanner()}
    lines = [
        Line(f"{planner}, {steps} steps late", planner, settings={"delay_steps": steps, **interim}) for steps in delays
    ]
    waiting = Line(f"{planner}, {delays[-1]} steps late, robots wait", planner, settings={"delay_steps": delays[-1]})
    return [*lines, waiting]


def hostile_lines(qpu: str = "heron") -> list[Line]:
    """QAOA on a QPU that is honest, answers at random, with the worst, with false claims, one time in two, or never."""
    changes: dict[str, dict[str, Any]] = {
        "honest": {},
        "random": {"behaviour": "random"},
        "worst": {"behaviour": "worst"},
        "inflated": {"behaviour": "inflated"},
        "half of the requests fail": {"failure_rate": 0.5},
        "all requests fail": {"failure_rate": 1.0},
    }
    return [Line(f"{qpu}, {name}", "qaoa", qpu=make_qpu(qpu, **change)) for name, change in changes.items()]


def advice_study(
    scenario: ScenarioConfig,
    lines: Iterable[Line],
    seeds: Sequence[int] = range(32),
    *,
    game: GameConfig | None = None,
    policy: str = "gain",
    begin: Begin | None = None,
    spread: Spread | None = None,
) -> list[Outcome]:
    """Play every line on the same seeds, the line "greedy" always among them.

    Args:
        scenario: what is played.
        lines: ways to get advice, names differing.
        seeds: one per mission, 2 or more.
        game: suite and threats; None for QKD under the mixed threats.
        policy: of robots without advice.
        begin: starts a progress bar, see ``cli.report.progress_bar``.
        spread: where the lines are played, a job each; None for one after the other here, with a bar for each.

    Raises:
        ValueError: fewer than two seeds, or names that repeat.
    """
    require(len(seeds) >= 2, "seeds", len(seeds), "2 or more")
    game = game or GameConfig("qkd", "mixed")
    lines = list(lines)
    names = [line.name for line in lines]
    require(len(set(names)) == len(names), "lines", names, "names that differ")
    if FLOOR not in names:
        lines.insert(0, Line(FLOOR, FLOOR))
    jobs = [Job(scenario, game, policy, line, tuple(seeds)) for line in lines]
    played: dict[str, Played] = {}
    if spread is None:
        for job in jobs:
            progress = None if begin is None else begin(job.line.name, scenario.horizon_steps)
            played[job.line.name] = play_line(job, progress)
    else:
        progress = None if begin is None else begin("lines", len(jobs))
        played = {lines[k].name: line_played for k, line_played in spread(play_line, jobs, progress=progress)}
    floor, none = played[FLOOR].metrics["score"], played.get(NO_ADVISOR)
    return [outcome(line, played[line.name], floor, none) for line in lines]


def play_line(job: Job, progress: Progress | None = None) -> Played:
    """The missions of one line; ``progress`` is called after every step."""
    line = job.line
    missions = run_missions(
        job.scenario,
        job.game,
        job.policy,
        line.advisor,
        job.seeds,
        planner=line.planner,
        qpu=line.qpu,
        progress=progress,
        **line.settings,
    )
    return Played(missions.seeds, missions.metrics, missions.spent, missions.wall_s)


def outcome(line: Line, missions: Played, floor: np.ndarray, none: Played | None) -> Outcome:
    """One line's missions as figures, against the scores (N,) of the floor and those without advice."""
    scores = missions.metrics["score"]
    return Outcome(
        line=line,
        seeds=missions.seeds,
        scores=scores,
        survivors=missions.metrics["survivors"],
        score=mean_interval(scores),
        to_floor=paired_difference(scores, floor),
        to_none=None if none is None else paired_difference(scores, none.metrics["score"]),
        spent={} if missions.spent is None else missions.spent.to_dict(),
        wall_s=missions.wall_s,
    )
