"""The threat matrix: every suite under every attack, on the same missions, and what each attack came to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agents.policies import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.random import seed_array
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.attacks import KEY_COMPROMISE, LINK_KINDS_MASK, threats_by_name
from qdt_env.security.suites import SUITE_NAMES
from training.cluster import Spread
from training.rollout import Progress, cores, play
from training.statistics import Interval, mean_interval, paired_difference

NO_THREATS = "none"
MATRIX_THREATS = (
    NO_THREATS, "eavesdrop", "pns", "blinding", "mitm", "tamper", "spoof", "replay", "delay", "drop", "jam",
    "key-compromise", "quantum-adversary", "insider",
)  # fmt: skip
SIGNS = ("alarm", "rejected", "late", "gaps", "distrust")  # what a defence shows, see Cell
GAP_RATE = 0.35  # of the moving loss rate: four losses in a row, by chance once in 10^8 messages at 1 %
_LEAST_TRUST = 0.5
_NEVER = -1

Begin = Callable[[str, int], Progress]


@dataclass(frozen=True, eq=False)
class Cell:
    """One suite under one attack: N missions of at most T steps, one per seed.

    A defence shows a *sign* when a link raises its alarm (QBER or monitor), a message does not verify ("rejected", the
    genuine one spoilt or another one injected), an authenticated message arrives with an old time stamp ("late"),
    messages are missing (``GAP_RATE``, "gaps"), or a robot's trust falls below 0.5 ("distrust"). An empty key store is
    none of them: qkd-otp runs dry without any attacker.

    Attributes:
        suite, threats: names.
        seeds: (N,) uint64.
        metrics: (N,) float64 by name, see ``qdt_env.engine.metrics``.
        onset_step: (N,) int32, step of the first attack, 0 without attacks.
        hit: (N,) bool, whether any link or robot was a target; who is one is drawn, in a small team perhaps nobody.
        forged: (N, T) int32, forgeries accepted in each step, >= 0.
        signs: (N, len(SIGNS)) int32, steps from onset to each first sign, 0 within the step of the onset, -1 never.
    """

    suite: str
    threats: str
    seeds: np.ndarray
    metrics: dict[str, np.ndarray]
    onset_step: np.ndarray
    hit: np.ndarray
    forged: np.ndarray
    signs: np.ndarray

    def mean(self, metric: str) -> float:
        """Mean of a metric per mission."""
        return float(self.metrics[metric].mean())

    @property
    def noticed(self) -> np.ndarray:
        """(N,) float64: steps from onset to the first sign of any kind, inf where there was none."""
        return np.where(self.signs == _NEVER, np.inf, self.signs).min(1)

    @property
    def steps_to_detect(self) -> float:
        """Median of ``noticed`` over the missions that were hit: inf where fewer than half of them showed a sign."""
        return float(np.median(self.noticed[self._counted]))

    @property
    def missions_noticed(self) -> int:
        """How many of the missions that were hit showed a sign; of all, where none was: then the signs are false."""
        return int(np.isfinite(self.noticed[self._counted]).sum())

    @property
    def first_sign(self) -> str:
        """The kind of sign that was first in most missions, "" without any; of equals the first of ``SIGNS``."""
        when = np.where(self.signs == _NEVER, np.inf, self.signs)[self._counted]
        first = (when == when.min(1, keepdims=True)) & np.isfinite(when)
        return SIGNS[int(first.sum(0).argmax())] if first.any() else ""

    @property
    def _counted(self) -> np.ndarray:
        """(N,) bool, the missions that were hit, or all where none was."""
        return self.hit if self.hit.any() else ~self.hit

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return {
            "suite": self.suite,
            "threats": self.threats,
            "seeds": self.seeds,
            "metrics": self.metrics,
            "score": mean_interval(self.metrics["score"]).to_dict(),
            "onset_step": self.onset_step,
            "steps_to_detect": None if np.isinf(self.steps_to_detect) else self.steps_to_detect,
            "first_sign": self.first_sign,
            "hit": self.hit,
            "missions_noticed": self.missions_noticed,
            "signs": dict(zip(SIGNS, self.signs.T, strict=True)),
            "forged_by_step": forgeries_by_step(self),
        }


@dataclass(frozen=True, eq=False)
class Matrix:
    """All cells on the same seeds; every suite has its cell without threats.

    Attributes:
        suites, threats: rows and columns in order, threats with ``NO_THREATS`` first.
        cells: by (suite, threats).
        epoch_steps: steps between two rekeyings.
    """

    suites: tuple[str, ...]
    threats: tuple[str, ...]
    cells: dict[tuple[str, str], Cell]
    epoch_steps: int

    def cost(self, suite: str, threats: str) -> Interval:
        """Score under a threat minus that of the same suite and seeds without threats, 95 %."""
        quiet = self.cells[suite, NO_THREATS].metrics["score"]
        return paired_difference(self.cells[suite, threats].metrics["score"], quiet)


def forgeries_by_step(cell: Cell) -> np.ndarray:
    """Forgeries accepted in each step, mean per mission: (T,) float64, >= 0."""
    return cell.forged.mean(0)


def forgeries_by_epoch(cell: Cell, epoch_steps: int, onset_step: int | None = None) -> np.ndarray:
    """Forgeries accepted in each epoch's length from an attack's onset on, mean per mission: (E,) float64.

    Args:
        cell: with one onset in all missions.
        epoch_steps: length of an epoch, >= 1.
        onset_step: where to begin; None for the cell's own. What is left over at the end makes the last, shorter one.

    Raises:
        ValueError: onsets that differ, or an epoch of no length.
    """
    require(epoch_steps >= 1, "epoch_steps", epoch_steps, "1 or more")
    onsets = np.unique(cell.onset_step)
    require(onset_step is not None or onsets.size == 1, "onset_step", onset_step, "a step, where onsets differ")
    first = int(onsets[0]) if onset_step is None else onset_step
    by_step = forgeries_by_step(cell)[first:]
    return np.add.reduceat(by_step, np.arange(0, by_step.size, epoch_steps)) if by_step.size else by_step


def play_matrix(
    scenario: ScenarioConfig,
    suites: Sequence[str] = SUITE_NAMES,
    threats: Sequence[str] = MATRIX_THREATS,
    policy: str = "gain",
    seeds: Iterable[int] = range(20),
    *,
    channel: str = "statistical",
    begin: Begin | None = None,
    spread: Spread | None = None,
) -> Matrix:
    """Play every suite under every threat, and without any, on the same seeds.

    Args:
        scenario: what is played.
        suites: names of ``security.suites``.
        threats: presets of ``security.attacks``, several joined with "+" count as one.
        policy: one of ``agents.heuristics.POLICY_NAMES``.
        seeds: one per mission.
        channel: "statistical" or "wire".
        begin: starts a progress bar, see ``cli.report.progress_bar``.
        spread: where the cells are played, a job each; None for one after the other here, with a bar for each.

    Raises:
        ValueError: unknown names, or none.
    """
    numbers = seed_array(seeds)
    for name, given in (("suites", suites), ("threats", threats), ("seeds", numbers)):
        require(len(given) > 0, name, len(given), "1 or more")
    rows = tuple(dict.fromkeys(suites))
    columns = (NO_THREATS, *(name for name in dict.fromkeys(threats) if name != NO_THREATS))
    games = {(s, t): GameConfig(s, t, channel=channel) for s in rows for t in columns}  # refuses unknown names first
    cells = {}
    if spread is None:
        for (suite, name), game in games.items():
            progress = None if begin is None else begin(f"{suite}, {name}", scenario.horizon_steps)
            cells[suite, name] = play_cell(scenario, game, policy, numbers, progress)
    else:
        progress = None if begin is None else begin("cells", len(games))
        jobs = [(scenario, game, policy, numbers) for game in games.values()]
        done = dict(spread(_cell_of, jobs, progress=progress))
        cells = {key: done[k] for k, key in enumerate(games)}
    return Matrix(rows, columns, cells, scenario.channel.epoch_steps)


def play_cell(
    scenario: ScenarioConfig, game: GameConfig, policy: str, seeds: Iterable[int], progress: Progress | None = None
) -> Cell:
    """Play one suite under one attack and watch its links.

    Args:
        scenario, game: what is played; a policy named "perfect-..." turns perfect information on.
        policy: one of ``agents.heuristics.POLICY_NAMES``.
        seeds: one per mission, at least one.
        progress: called after every step with the number of steps done.
    """
    if policy.startswith("perfect-"):
        game = replace(game, perfect_information=True)
    numbers = seed_array(seeds)
    threads = max(1, min(cores(), numbers.size // 4))
    episodes = Episodes(scenario, game, episodes=numbers.size, threads=threads)
    watch = _Watch(episodes, progress)
    play(episodes, make_policy(policy, episodes.layout, episodes.codec), numbers, watch)
    metrics = episodes.metrics_of(np.arange(episodes.n))
    return Cell(game.suite, str(game.threats), numbers, metrics, watch.onsets(), watch.hit(), watch.forged, watch.signs)


def _cell_of(job: tuple[ScenarioConfig, GameConfig, str, np.ndarray]) -> Cell:
    """A cell as a job for :func:`training.cluster.spread`."""
    return play_cell(*job)


class _Watch:
    """Looks at the links after every step: forgeries that came in, signs that show."""

    def __init__(self, episodes: Episodes, progress: Progress | None) -> None:
        self._episodes, self._progress = episodes, progress
        self._forged_so_far = np.zeros(episodes.n, np.int64)
        self.forged = np.zeros((episodes.n, episodes.scenario.horizon_steps), np.int32)
        self.signs = np.full((episodes.n, len(SIGNS)), _NEVER, np.int32)

    def __call__(self, steps_done: int) -> None:
        """After a step."""
        links = self._episodes.state.channel.links
        forged = links["forged"].sum(1, dtype=np.int64)
        self.forged[:, steps_done - 1] = forged - self._forged_so_far
        self._forged_so_far = forged
        since_onset = steps_done - 1 - self.onsets()
        new = self._showing() & (self.signs == _NEVER) & (since_onset >= 0)[:, None]
        self.signs = np.where(new, since_onset[:, None], self.signs).astype(np.int32)
        if self._progress is not None:
            self._progress(steps_done)

    def onsets(self) -> np.ndarray:
        """(N,) step of each mission's first attack, 0 without attacks."""
        table = self._episodes.state.channel.attacks
        first = np.where(table["intensity"] > 0.0, table["onset"], np.iinfo(np.int32).max).min(1)
        return np.where((table["intensity"] > 0.0).any(1), first, 0).astype(np.int32)

    def hit(self) -> np.ndarray:
        """(N,) whether the mission's attacks have a target."""
        channel = self._episodes.state.channel
        return (channel.links["targets"] & LINK_KINDS_MASK != 0).any(1) | (channel.liars != 0).any(1)

    def _showing(self) -> np.ndarray:
        """(N, len(SIGNS)) bool, which signs show."""
        state = self._episodes.state
        links, robots = state.channel.links, state.twin.robots
        shown = (
            links["alarm"] != 0,
            links["rejected"] + links["injected_rejected"] > 0,
            links["delayed"] > 0,
            links["loss_rate"] > GAP_RATE,
            robots["trust"] < _LEAST_TRUST,
        )
        return np.stack([sign.any(1) for sign in shown], axis=1)


def theft_step(threats: str) -> int | None:
    """Step at which keys are stolen under a preset, None where they are not."""
    thefts = [attack.onset_step for attack in threats_by_name(threats) if attack.code == KEY_COMPROMISE]
    return min(thefts, default=None)
