"""Where to plan: the change of the mission score against greedy at home, by problem size, latency and noise.

For each size (patients offered to the planner) the same missions are played with greedy plans at home, exact plans at
home, and plans of an edge computer; and for each size, latency and noise with QAOA on a QPU of that queue and those
error rates. Differences are paired by seed. In each cell the place that helps most is the one of highest mean
difference, if its interval lies above zero; else greedy at home is enough, and the cell says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.offload import OffloadPlanner, Timetable, size_class
from agents.planning import Budget, Problem
from agents.planning.classical import ExactPlanner, GreedyPlanner, LinearAssignmentPlanner
from agents.quantum.calibrations import CALIBRATIONS, calibration
from agents.quantum.qpu import Qpu
from agents.quantum.remote import RemotePlanner
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from training.advice_study import FLOOR, Begin, Line
from training.rollout import run_missions
from training.statistics import Interval, paired_difference

SIZES = (3, 6, 9)
LATENCIES_S = (1.0, 10.0, 60.0, 300.0)
NOISES = ("ideal", "heron", "heron-worst")
NOBODY = "greedy at home"


@dataclass(frozen=True)
class Grid:
    """Which cells are played.

    Attributes:
        sizes: patients offered to the planner, each >= 1.
        latencies_s: median queue times of the QPU [s], each >= 0; log-sd .5, no other latency but the shots'.
        noises: names of calibrations.
        max_qubits: largest circuit; larger problems are cut to it.
        offload: whether the adaptive planner is played in every cell as well.

    Raises:
        ValueError: an empty axis, or a value out of range.
    """

    sizes: tuple[int, ...] = SIZES
    latencies_s: tuple[float, ...] = LATENCIES_S
    noises: tuple[str, ...] = NOISES
    max_qubits: int = 10
    offload: bool = True

    def __post_init__(self) -> None:
        for axis in ("sizes", "latencies_s", "noises"):
            require(len(getattr(self, axis)) > 0, axis, getattr(self, axis), "one value or more")
        require(min(self.sizes) >= 1, "sizes", self.sizes, "1 patient or more")
        in_range = all(0.0 <= latency_s < float("inf") for latency_s in self.latencies_s)
        require(in_range, "latencies_s", self.latencies_s, "0 seconds or more")
        for noise in self.noises:
            require(noise in CALIBRATIONS, "noises", noise, f"one of {', '.join(CALIBRATIONS)}")

    @property
    def runs(self) -> int:
        """How many lines are played."""
        cells = len(self.sizes) * len(self.latencies_s) * len(self.noises)
        return 3 * len(self.sizes) + cells * (2 if self.offload else 1)


QUICK = Grid(sizes=(3, 6), latencies_s=(1.0, 60.0), noises=("ideal", "heron-worst"))


@dataclass(frozen=True, eq=False)
class Cell:
    """One size, latency and noise.

    Attributes:
        size, latency_s, noise: see :class:`Grid`.
        differences: paired difference of the score to greedy at home, by place: "local", "edge", "qpu" and, where it
            was played, "offload".
        delay_steps: mean steps until a QPU's plan was there; NaN without requests.
        failures: share of requests without a usable answer; NaN without requests.
        key_bits: key bits per mission spent on requests.
    """

    size: int
    latency_s: float
    noise: str
    differences: dict[str, Interval] = field(default_factory=dict)
    delay_steps: float = float("nan")
    failures: float = float("nan")
    key_bits: float = 0.0

    @property
    def best(self) -> str:
        """Who helps most: the highest mean difference whose interval lies above 0; else ``NOBODY``."""
        sure = {place: interval for place, interval in self.differences.items() if interval.verdict > 0}
        return max(sure, key=lambda place: sure[place].mean) if sure else NOBODY

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, for JSON."""
        numbers = {
            name: None if value != value else value
            for name, value in (("delay_steps", self.delay_steps), ("failures", self.failures))
        }
        return {
            "size": self.size,
            "latency_s": self.latency_s,
            "noise": self.noise,
            "best": self.best,
            "differences": {place: one.to_dict() for place, one in self.differences.items()},
            "key_bits": self.key_bits,
            **numbers,
        }


def offload_study(
    scenario: ScenarioConfig,
    grid: Grid | None = None,
    seeds: Sequence[int] = range(32),
    *,
    quick: bool = False,
    game: GameConfig | None = None,
    policy: str = "gain",
    begin: Begin | None = None,
) -> list[Cell]:
    """Play the grid.

    Args:
        scenario: what is played.
        grid: cells; None for the whole, or :data:`QUICK` with ``quick``.
        seeds: one per mission, 2 or more; ``quick`` takes the first eight.
        quick: a small grid on few seeds.
        game: suite and threats, of the requests' channel too; None for QKD under the mixed threats.
        policy: of robots without advice.
        begin: starts a progress bar, see ``cli.report.progress_bar``.

    Raises:
        ValueError: fewer than two seeds, or more patients than the scenario has places for.
    """
    grid = grid or (QUICK if quick else Grid())
    most = scenario.patient_slots
    require(max(grid.sizes) <= most, "sizes", grid.sizes, f"at most {most} patients in {scenario.name}")
    seeds = list(seeds)[:8] if quick else list(seeds)
    require(len(seeds) >= 2, "seeds", len(seeds), "2 or more")
    game = game or GameConfig("qkd", "mixed")

    def play(line: Line) -> tuple[np.ndarray, Any]:
        progress = None if begin is None else begin(line.name, scenario.horizon_steps)
        settings = dict(line.settings)
        missions = run_missions(
            scenario, game, policy, line.advisor, seeds, planner=line.planner, qpu=line.qpu, progress=progress,
            **settings,
        )  # fmt: skip
        return missions.metrics["score"], missions.spent

    cells = []
    for size in grid.sizes:
        floor, _ = play(Line(f"{FLOOR}, {size} patients", FLOOR, settings={"max_options": size}))
        at_home = {place: paired_difference(play(line)[0], floor) for place, line in home_lines(size).items()}
        for latency_s in grid.latencies_s:
            for noise in grid.noises:
                cells.append(_cell(size, latency_s, noise, grid, floor, at_home, play))
    return cells


def home_lines(size: int) -> dict[str, Line]:
    """Exact plans on the command post's computer, and linear assignment on one four times slower."""
    edge = OffloadPlanner(local=None, edge=LinearAssignmentPlanner(), qpu=None)
    late = {"max_options": size, "delay_steps": None, "interim": GreedyPlanner()}
    return {
        "local": Line(f"exact at home, {size} patients", "exact", ExactPlanner(time_s=1.0), settings=late),
        "edge": Line(f"edge, {size} patients", "edge", edge, settings=late),
    }


def cell_qpu(latency_s: float, noise: str, max_qubits: int) -> Qpu:
    """The QPU of a cell."""
    return Qpu(
        name="qpu",
        calibration=calibration(noise),
        queue_median_s=latency_s,
        queue_log_sd=0.5,
        max_qubits=max_qubits,
        noisy=noise != "ideal",
    )


def _cell(
    size: int,
    latency_s: float,
    noise: str,
    grid: Grid,
    floor: np.ndarray,
    at_home: dict[str, Interval],
    play: Any,
) -> Cell:
    qpu = cell_qpu(latency_s, noise, grid.max_qubits)
    title = f"{size} patients, {latency_s:g} s, {noise}"
    settings = {"max_options": size}
    scores, spent = play(Line(f"qpu, {title}", "qpu", RemotePlanner(), qpu, settings))
    differences = {**at_home, "qpu": paired_difference(scores, floor)}
    if grid.offload:
        planner = OffloadPlanner(qpu=RemotePlanner(qpu))
        line = Line(f"offload, {title}", "offload", planner, None, settings)
        differences["offload"] = paired_difference(play(line)[0], floor)
    asked = [record for record in spent.records if record.requests]
    return Cell(
        size,
        latency_s,
        noise,
        differences,
        delay_steps=float(np.mean([record.delay_steps for record in asked])) if asked else float("nan"),
        failures=float(np.mean([record.failures for record in asked])) if asked else float("nan"),
        key_bits=spent.total("key_bits") / floor.size,
    )


def measure_timetable(
    shapes: Sequence[tuple[int, int]] = ((2, 4), (3, 5), (4, 6), (4, 9), (5, 9), (6, 10)),
    problems: int = 12,
    seed: int = 0,
) -> Timetable:
    """What local, edge and QPU take and gain on random problems; the table of ``agents.offload`` is one.

    Option values are uniform in [0, 1], couplings normal with standard deviation .3, and two groups on one option lose
    the lesser value.

    Args:
        shapes: groups and options.
        problems: per shape, >= 1.
        seed: of the problems and planners.
    """
    rng = np.random.default_rng(seed)
    table = Timetable()
    remote = RemotePlanner()
    for groups, options in shapes:
        seen: dict[str, list[tuple[float, float]]] = {"local": [], "edge": [], "qpu": []}
        for _ in range(problems):
            linear = -rng.uniform(0.0, 1.0, (groups, options))
            problem = _coupled(linear, rng)
            floor = GreedyPlanner().plan(problem, Budget(), rng).value
            for place, planner in (("local", ExactPlanner()), ("edge", LinearAssignmentPlanner()), ("qpu", remote)):
                plan = planner.plan(problem, Budget(), rng)
                slowdown = OffloadPlanner.edge_slowdown if place == "edge" else 1.0
                seen[place].append((plan.modelled_latency_s * slowdown, max(0.0, (floor - plan.value) / abs(floor))))
        for place, both in seen.items():
            seconds, gains = np.median(both, axis=0)[0], np.mean(both, axis=0)[1]
            table.seconds[place, size_class(problem)] = float(seconds)
            table.gains[place, size_class(problem)] = float(gains)
    return table


def _coupled(linear: np.ndarray, rng: np.random.Generator) -> Problem:
    """Random couplings between options of the given linear costs (G, T), duplicates at the lesser value."""
    groups, options = linear.shape
    shared = np.minimum(-linear[:, :, None, None], -linear[None, None]) * np.eye(options)[None, :, None, :]
    random = 0.3 * rng.standard_normal((groups, options, groups, options))
    couplings = shared + 0.5 * (random + random.transpose(2, 3, 0, 1))
    return Problem.from_costs(linear, couplings * ~np.eye(groups, dtype=bool)[:, None, :, None])
