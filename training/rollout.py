"""Missions by policy and advisor: all seeds as rows of one batch, metrics per seed out.

A result depends on the seed alone, not on how many others run beside it: the engine's rows do not know each other,
every row has its own advisor, and policies that draw random numbers are asked row by row, each with its own stream. For
a network that holds to rounding: matrix products of other sizes differ in the last bits, which now and then, about once
in a million draws, choose another action.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.advice import Advisor, Spent
from agents.advice_held import with_advice
from agents.advisor import AdvisedPolicy, AdvisorPolicy
from agents.hiding import HidingPolicy, reads_advice
from agents.planning import Planner, planner_names
from agents.policies import make_policy
from agents.policy import Policy
from agents.quantum.qpu import Qpu
from agents.quantum.remote import on_qpu, remote_settings
from qdt_env.engine.chronicle import open_ledger
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.graph_layout import GraphLayout
from qdt_env.hospital.graph import HospitalGraph
from qdt_env.random import seed_array
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from qdt_env.spaces import ActionCodec, ObservationLayout
from qdt_env.twin.ledger import Ledger
from qdt_env.viewer.recorder import Recorder
from training.graph_missions import GraphSight

NO_ADVISOR = "none"
POLICY_STREAM = 0x90  # keeps a policy's draws apart from the planners'

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Missions:
    """N missions, one per seed.

    Attributes:
        policy, advisor: who played.
        game: suite, threats and control.
        seeds: (N,) uint64.
        metrics: (N,) float64 by name, see ``qdt_env.engine.metrics``.
        spent: the advisors' budget over all missions, None without advisor.
        wall_s: wall time of the missions [s], planning included, reset and compilation not.
        episodes: the final state, row i for seed i.
    """

    policy: str
    advisor: str
    game: GameConfig
    seeds: np.ndarray
    metrics: dict[str, np.ndarray]
    spent: Spent | None
    wall_s: float
    episodes: Episodes

    def total(self, metric: str) -> float:
        """Sum of a metric over the missions."""
        return float(self.metrics[metric].sum())

    def mean(self, metric: str) -> float:
        """Mean of a metric over the missions."""
        return float(self.metrics[metric].mean())


def advisor_names() -> tuple[str, ...]:
    """Names that :func:`run_missions` takes for the advisor."""
    return (NO_ADVISOR, *planner_names())


def run_missions(
    scenario: ScenarioConfig,
    game: GameConfig,
    policy: str,
    advisor: str = NO_ADVISOR,
    seeds: Iterable[int] = range(10),
    *,
    planner: Planner | None = None,
    qpu: Qpu | str | None = None,
    hidden: Sequence[str] = (),
    progress: Progress | None = None,
    ledger: Ledger | None = None,
    record: Path | None = None,
    **settings: Any,
) -> Missions:
    """Play one mission per seed to its end.

    Args:
        scenario: what is played.
        game: how; a policy named "perfect-..." turns perfect information on.
        policy: see ``agents.policies.make_policy``.
        advisor: one of :func:`advisor_names`; robots with advice follow it, the others the policy. A network that was
            trained with advice is shown it, and decides itself.
        seeds: one per mission, each 0 .. 2^64-1.
        planner: the advisor's planner where it is not the one of that name as it comes; ``advisor`` names the result.
        qpu: a QPU or the name of a preset that runs the advisor's circuits, see ``AdvisorWrapper``.
        hidden: blocks, or "block.feature", of the observation that the policy does not see, see ``agents.hiding``.
        progress: called after every step with the number of steps done.
        ledger: gets a leaf per step and mission; the caller closes it.
        record: new file to record the mission in, for one seed only; it keeps a ledger, in memory if none is given.
        **settings: of the advisor, such as ``every_steps``; see :class:`agents.advice.Advisor`.

    Raises:
        ValueError: unknown names or no seeds; PlanningError (a ValueError) where a planner cannot be made.
    """
    require(
        isinstance(scenario, ScenarioConfig), "scenario", scenario, "a ScenarioConfig, as load_scenario('ward') gives"
    )
    require(isinstance(game, GameConfig), "game", game, "a GameConfig, as GameConfig(suite='qkd')")
    require(isinstance(policy, str), "policy", policy, "a name or the path of a .safetensors file")
    named = planner is not None or advisor in advisor_names()
    require(named, "advisor", advisor, f"one of {', '.join(advisor_names())}")
    require(not (policy == "wait" and advisor != NO_ADVISOR), "advisor", advisor, "'none' with policy 'wait'")
    numbers = seed_array(seeds)
    require(numbers.size > 0, "seeds", numbers.size, "1 or more")
    require(record is None or numbers.size == 1, "seeds", numbers.size, "1 where the mission is recorded")
    if policy.startswith("perfect-"):
        game = replace(game, perfect_information=True)
    threads = max(1, min(cores(), numbers.size // 4))
    if record is not None and ledger is None:
        ledger = open_ledger(None, scenario)
    episodes = Episodes(scenario, game, episodes=numbers.size, threads=threads, ledger=ledger)
    player, layout = fitting_policy(policy, episodes.layout, scenario.building, episodes.codec, advisor != NO_ADVISOR)
    sight = GraphSight(episodes) if getattr(player, "graph", False) else None
    if hidden:
        player = HidingPolicy(player, layout, hidden)
    recorder = None if record is None else Recorder(record, episodes, player={"policy": policy, "advisor": advisor})
    spent = None
    if advisor != NO_ADVISOR:
        solver = on_qpu(planner or advisor, qpu)
        settings = remote_settings(solver, game.suite, game.threats) | settings
        advisors = _advisors(solver, episodes, numbers, settings)
        if reads_advice(player):
            player = AdvisedPolicy(advisors, player, episodes.layout, episodes.snapshot)
        else:
            player = AdvisorPolicy(advisors, player, episodes.layout, episodes.codec, episodes.snapshot)
    wall_s = play(episodes, player, numbers, progress, sight, recorder)
    if advisor != NO_ADVISOR:
        spent = _sum([one.spent for one in advisors])
    metrics = episodes.metrics_of(np.arange(episodes.n))
    return Missions(policy, advisor, game, numbers, metrics, spent, wall_s, episodes)


def fitting_policy(
    name: str, flat: ObservationLayout, building: HospitalGraph, codec: ActionCodec, advised: bool
) -> tuple[Policy, ObservationLayout]:
    """A policy by its name and the layout of what it is shown: the robots' maps and advice, if it reads them.

    Args:
        name: see ``agents.policies.make_policy``.
        flat: layout of the plain observation.
        building: what the maps are of.
        codec: of the actions.
        advised: whether there is advice to be shown.

    Raises:
        ValueError: no such policy, or one that cannot play this.
    """
    for layout in (GraphLayout(flat, building.n_zones, building.n_passages), flat):
        # Advice comes last, so a policy that does not read it finds everything where it is without.
        longer = with_advice(layout) if advised else layout
        policy = make_policy(name, longer, codec)
        if getattr(policy, "graph", False):
            break
    return policy, longer if reads_advice(policy) else layout


def play(
    episodes: Episodes,
    policy: Policy,
    seeds: np.ndarray,
    progress: Progress | None = None,
    sight: GraphSight | None = None,
    recorder: Recorder | None = None,
) -> float:
    """Reset every row of ``episodes`` to its seed and let ``policy`` play to the end; returns the wall time [s].

    With a ``sight`` the policy observes by that, else the flat observation.
    """
    rng = RowStreams([np.random.default_rng([int(seed), POLICY_STREAM]) for seed in seeds])
    episodes.reset(np.arange(episodes.n), seeds, np.zeros(episodes.n, np.int64))
    if recorder is not None:
        recorder.begin()
    started_s = time.perf_counter()
    step = 0
    while not (episodes.state.clock["over"] == 1).all():
        observation = episodes.out.observation if sight is None else sight.look()
        episodes.step(policy.act(observation, episodes.out.mask, rng))
        if recorder is not None:
            recorder.record()
        step += 1
        if progress is not None:
            progress(step)
    return time.perf_counter() - started_s


class RowStreams(np.random.Generator):
    """A generator whose ``random`` draws the i-th row of an array from the i-th stream, so that rows do not interact.

    Only ``random`` does so; it is what policies draw from.
    """

    def __init__(self, streams: list[np.random.Generator]) -> None:
        """One generator per row."""
        super().__init__(streams[0].bit_generator)
        self._streams = streams

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Uniform numbers (B, ...) in [0, 1), row by row.

        Raises:
            ValueError: the first extent of ``size`` is not the number of rows.
        """
        if not isinstance(size, tuple) or size[:1] != (len(self._streams),):
            raise ValueError(f"size={size!r} is not allowed: ({len(self._streams)}, ...), one row per stream")
        return np.stack([stream.random(size[1:], dtype) for stream in self._streams])


def _advisors(planner: Planner, episodes: Episodes, seeds: np.ndarray, settings: dict[str, Any]) -> list[Advisor]:
    """One advisor per row; they share the planner, which keeps nothing between plans but compiled circuits."""
    advisors = []
    for seed in seeds:
        advisors.append(Advisor(planner, episodes.codec, **settings))
        advisors[-1].reset(int(seed))
    return advisors


def cores() -> int:
    """Cores this process may use; the engine's results do not depend on it.

    OMP_NUM_THREADS is how whoever starts many processes on one machine (Ray does) tells each its share.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = os.environ.get("OMP_NUM_THREADS", "")
    return min(there, max(1, int(share))) if share.isdecimal() else there


def _sum(parts: list[Spent]) -> Spent:
    """The budgets of several advisors as one."""
    records = [record for part in parts for record in part.records]
    return Spent(records, sum(part.extraction_s for part in parts))
