"""A training run: a mix of missions, a learner, and a folder with curve, checkpoint and policy; it can be resumed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agents.hiding import hidden_columns
from agents.learned import one_thread
from agents.planning import planner_names
from agents.policies import make_policy, trained_network
from agents.policy import Policy
from qdt_env.records import require
from qdt_env.scenario import PRESET_NAMES, ScenarioConfig, load_scenario, with_horizon
from qdt_env.vector_env import Condition, RescueVectorEnv
from training.advised import AdvisedTask
from training.checkpoints import (
    CHECKPOINT,
    CURVE,
    Curve,
    bring_back,
    load_checkpoint,
    save_checkpoint,
    save_result,
    state_of,
)
from training.collect import Rollout, VectorTask
from training.graph_missions import GraphMissions
from training.ppo import Diverged, Learner, PpoConfig, train

SHOWN = ("score", "lives_saved", "survivors", "handed_over", "robots_lost", "stale_decisions", "key_bits")

_ROWS_BY_ZONES = ((60, 256), (450, 64), (10**9, 16))


@dataclass(frozen=True)
class MissionMix:
    """What is trained on; every row of the batch keeps its building and threats.

    Attributes:
        scenario: preset or building file.
        buildings: how many generated buildings of the preset.
        first_building: seed of the first of them; evaluation uses others.
        suite: cipher suite.
        threats: presets, shared out among the rows of each building.
        rows: missions per iteration B.
        max_cycles: length of the missions where not the scenario's own.
        advisor: planner whose advice is part of what the robots observe, see ``agents.planning``; None without advice.
    """

    scenario: str = "ward"
    buildings: int = 1
    first_building: int = 0
    suite: str = "qkd"
    threats: tuple[str, ...] = ("mixed",)
    rows: int = 256
    max_cycles: int | None = None
    advisor: str | None = None

    def __post_init__(self) -> None:
        """Reject what cannot be laid out.

        Raises:
            ValueError: naming the field and what is allowed.
        """
        require(self.buildings >= 1, "buildings", self.buildings, "1 or more")
        generated = self.scenario in PRESET_NAMES or self.buildings == 1
        require(generated, "buildings", self.buildings, f"1 for a building file; more for {', '.join(PRESET_NAMES)}")
        named = self.advisor is None or self.advisor in planner_names()
        require(named, "advisor", self.advisor, f"one of {', '.join(planner_names())}")
        need = self.buildings * len(self.threats)
        require(self.rows >= need, "rows", self.rows, f"{need} or more: one per building and threat")

    def scenarios(self) -> list[ScenarioConfig]:
        """The buildings' scenarios, with one number of patient slots."""
        seeds = range(self.first_building, self.first_building + self.buildings)
        each = [load_scenario(self.scenario, building_seed=seed) for seed in seeds]
        slots = max(one.patient_slots for one in each)
        return [with_horizon(replace(one, patients=slots), self.max_cycles) for one in each]

    def make_env(self, threads: int = 1, graph: bool = False) -> VectorTask:
        """The batch of missions; with ``graph`` the robots' maps are part of their observations.

        Raises:
            ValueError: advice together with maps.
        """
        require(not (graph and self.advisor), "advisor", self.advisor, "None for a policy that reads the map")
        conditions = [
            Condition(scenario, self.suite, threats) for scenario in self.scenarios() for threats in self.threats
        ]
        kinds: dict[str, Any] = {"autoreset_mode": "Disabled", "copy": False, "threads": threads}
        if graph:
            return GraphMissions(RescueVectorEnv(self.rows, conditions=conditions, observation="graph", **kinds))
        env = RescueVectorEnv(self.rows, conditions=conditions, **kinds)
        return env if self.advisor is None else AdvisedTask(env, self.advisor)


def _check(mixes: Sequence[MissionMix], repeats: int) -> None:
    """Reject mixes that one learner cannot play, or whose rows are not whole groups of ``repeats``.

    Raises:
        ValueError: naming the setting and what is allowed.
    """
    require(len(mixes) >= 1, "mixes", mixes, "one or more")
    for mix in mixes:
        apart = mix.buildings * len(mix.threats) * repeats
        require(mix.rows % apart == 0, "rows", mix.rows, f"a multiple of {apart}, buildings x threats x repeats")
        advisor = mixes[0].advisor
        require(mix.advisor == advisor, "advisor", mix.advisor, f"{advisor!r}, as that of the first mix")


def _teacher(name: str, env: VectorTask) -> Policy:
    """Whom a learner of this task imitates."""
    return make_policy(name, env.layout, env.codec)


def _tasks(
    mixes: Sequence[MissionMix], config: PpoConfig, make_teacher: Callable[[VectorTask], Policy] | None, threads: int
) -> list[VectorTask]:
    """What is trained on; refuses here what else would come up in the first batch, with a folder written already.

    Raises:
        ValueError: no such teacher, or no such feature to hide.
    """
    tasks = [mix.make_env(threads, config.network.graph > 0) for mix in mixes]
    for task in tasks:
        hidden_columns(task.layout, config.network.without, "without")
        if make_teacher is not None:
            make_teacher(task)
    return tasks


def _described(mixes: Sequence[MissionMix]) -> list[dict[str, Any]]:
    """What is trained on, as plain data that JSON leaves as it is."""
    return [asdict(mix) | {"threats": list(mix.threats)} for mix in mixes]


def usual_rows(scenario: str, apart: int) -> int:
    """Missions of a batch that learn fast and fit into memory, fewer the larger the building; a multiple of ``apart``.

    Raises:
        ValueError: no such scenario.
    """
    zones = load_scenario(scenario).building.n_zones
    usual = next(rows for most, rows in _ROWS_BY_ZONES if zones < most)
    return max(usual // apart, 1) * apart


class Scalars(Protocol):
    """Where figures go besides the CSV; ``torch.utils.tensorboard.SummaryWriter`` has it."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...  # noqa: D102


@one_thread()
def train_run(
    folder: Path,
    mixes: MissionMix | Sequence[MissionMix],
    config: PpoConfig,
    *,
    teacher: str = "gain",
    start: str | None = None,
    resume: bool = False,
    minutes: float | None = None,
    stop_after: int | None = None,
    save_every_s: float = 60.0,
    threads: int = 1,
    scalars: Scalars | None = None,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> Path:
    """Train until the config's iterations are done or the time is up; what was reached is saved either way.

    Also on KeyboardInterrupt, and where the learner diverges: then what the last whole batch came to is saved first.

    Args:
        folder: of the run; made if it is not there.
        mixes: missions; of several mixes each iteration plays the next.
        config: learner.
        teacher: policy to imitate in the first ``config.imitated`` iterations.
        start: begin with the weights of this trained policy, a file or "learned"; None: from nothing, or imitating.
        resume: go on with the run in ``folder``.
        minutes: stop after this long; None: not before all iterations are done.
        stop_after: stop when this many iterations are done, though the config's schedule is longer.
        save_every_s: seconds between two checkpoints.
        threads: of the environment; from 2 on policy and critic also learn side by side. They change nothing but the
            time: torch itself keeps to one, since its operations here are too small to be shared.
        scalars: gets every figure of every iteration too.
        progress: called after each iteration with its number and figures.

    Returns:
        The file of the policy.

    Raises:
        ValueError: settings that are not allowed, a run already in the folder, or one that cannot be resumed.
        Diverged: losses or weights became infinite or no numbers.
    """
    taken = (folder / CHECKPOINT).exists()
    require(resume or not taken, "out", str(folder), "a folder without a run, or --resume to go on with it")
    require(minutes is None or minutes >= 0.0, "minutes", minutes, "0 or more")
    alone = start is None or config.imitated == 0
    require(alone, "start", start, "None where a teacher is imitated (--imitate): take one of the two")
    mixes = (mixes,) if isinstance(mixes, MissionMix) else tuple(mixes)
    _check(mixes, config.repeats)
    make_teacher = partial(_teacher, teacher) if config.imitated else None
    tasks = _tasks(mixes, config, make_teacher, threads)
    learner = Learner(config, mixes[0].advisor is not None, threads, len(tasks))
    about: dict[str, Any] = {"missions": _described(mixes), "teacher": teacher}
    if start is not None:
        about["start"] = start
    totals = {"agent_steps": 0.0, "seconds": 0.0, "missions": 0.0}
    if resume:
        totals = load_checkpoint(folder, learner, about)
    elif start is not None:
        learner.start_from(trained_network(start))
    folder.mkdir(parents=True, exist_ok=True)
    run, curve = _Run(folder, learner, about, totals), Curve(folder / CURVE, learner.iteration)
    started = saved = time.monotonic()
    until = config.iterations if stop_after is None else stop_after
    batches = train(tasks, learner, make_teacher)
    try:
        for rollout, figures in batches if learner.iteration < until else ():
            line = run.counted(rollout) | figures
            curve.add(line)
            run.note()
            for name, value in line.items():
                if scalars is not None:
                    scalars.add_scalar(name, value, learner.iteration)
            if progress is not None:
                progress(learner.iteration, line)
            if time.monotonic() - saved > save_every_s:
                run.save_checkpoint()
                saved = time.monotonic()
            late = minutes is not None and time.monotonic() - started > 60.0 * minutes
            if learner.iteration >= until or late:
                break
    except (KeyboardInterrupt, Diverged) as error:
        run.save_last()
        if isinstance(error, Diverged):
            raise Diverged(f"{error}; {run.words()}") from None
        raise
    finally:
        curve.close()
    return run.save()


class _Run:
    """A run on disk: what was counted, and how it stood after the last whole batch."""

    def __init__(self, folder: Path, learner: Learner, about: dict[str, Any], totals: dict[str, float]) -> None:
        """The learner goes on to change; nothing is written before it is asked for."""
        self.folder, self.learner, self.about, self.totals = folder, learner, about, totals
        self._started = time.monotonic() - totals["seconds"]
        self._last: dict[str, Any] | None = None

    def counted(self, rollout: Rollout) -> dict[str, float]:
        """Add a batch to the totals; what the curve says of its missions."""
        self.totals["agent_steps"] += rollout.agent_steps
        self.totals["missions"] += len(rollout.end_step)
        self.totals["seconds"] = time.monotonic() - self._started
        shown = {name: float(rollout.metrics[name].mean()) for name in SHOWN}
        return {"iteration": self.learner.iteration, **self.totals, "decisions": rollout.action.size, **shown}

    def note(self) -> None:
        """A batch is whole."""
        self._last = state_of(self.learner, self.totals)

    def save_checkpoint(self) -> None:
        """Write what the run needs to go on."""
        save_checkpoint(self.folder, self.learner, self.about, self.totals)

    def save(self) -> Path:
        """Write checkpoint and policy; returns the policy's file."""
        self.save_checkpoint()
        return save_result(self.folder, self.learner, self.about | {"totals": self.totals})

    def save_last(self) -> None:
        """Drop what was begun after the last whole batch, and save that; without one there is nothing new."""
        if self._last is not None:
            self.totals = bring_back(self.learner, self._last)
            self.save()

    def words(self) -> str:
        """What is kept."""
        made = self.learner.iteration
        return f"batch {made}, the last good one, is kept in {str(self.folder)!r}" if made else "nothing is kept"
