"""Episodes: B missions of one scenario in lockstep, as arrays. Every face of the environment stands on this."""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np

from qdt_env.engine.chronicle import Chronicle
from qdt_env.engine.mail import begin_step
from qdt_env.engine.metrics import episode_metrics, metrics_of
from qdt_env.engine.picture import take_snapshot
from qdt_env.engine.setup import GameConfig, build_setup
from qdt_env.engine.state import Output, State, empty_state
from qdt_env.engine.step import reset_rows, step_rows
from qdt_env.engine.wire import BLOCKS_REMEMBERED, WireChannel
from qdt_env.frames import Frame
from qdt_env.random import seed_array
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.attacks import DELAY, REPLAY, attack_table, threats_by_name
from qdt_env.security.suites import suite_by_name
from qdt_env.spaces import ROBOT_INFO, ActionCodec, ObservationLayout
from qdt_env.threads import Threads
from qdt_env.twin.explanation import TrustExplanation, explain_trust
from qdt_env.twin.ledger import Ledger
from qdt_env.twin.snapshot import TwinSnapshot

__all__ = ["Episodes", "GameConfig", "empty_output"]
_ANNOUNCED = "QDT_COMPILING_ANNOUNCED"  # in the environment
_RANDOM_LOOK_BACK = 16  # steps, enough for every preset that "random" draws from


class Episodes:
    """B episodes of one scenario, reset and stepped by compiled kernels.

    Attributes:
        scenario, game: what is played.
        codec, layout: action numbers and observation offsets.
        setup: the immutable side of the kernels' arguments.
        state: the episodes' state, named tuples of arrays (B, ...). Privileged: policies never see it.
        out: observation (B, R, F), mask (B, R, A), info (B, R, K), reward (B, R), terminated (B, R), truncated (B,).
    """

    def __init__(
        self,
        scenario: ScenarioConfig,
        game: GameConfig,
        episodes: int = 1,
        threads: int = 1,
        ledger: Ledger | None = None,
        *,
        rows: Sequence[GameConfig] | None = None,
        slots: int | None = None,
        out: Output | None = None,
    ) -> None:
        """Allocate ``episodes`` rows.

        Args:
            scenario, game: what is played, and how.
            episodes: rows B.
            threads: 1 or more that share each step, with the same results.
            ledger: every step of every row becomes a leaf of it; the caller closes it.
            rows: the game of each row where suite and threats differ from row to row; nothing else may.
            slots: passage slots in the observation, where another building's need more than this one's.
            out: arrays to hand out in, of the shapes that :func:`empty_output` gives, instead of own ones.

        Raises:
            ValueError: naming the parameter, what was given and what is allowed.
        """
        require(episodes >= 1, "episodes", episodes, "1 or more")
        self.scenario, self.game = scenario, game
        self._games = _games_of_rows(game, rows, episodes)
        robots, own_slots = len(scenario.team), scenario.building.max_degree
        wide_enough = slots is None or slots == own_slots or (slots > own_slots and game.control == "task")
        require(wide_enough, "slots", slots, f"{own_slots}, or more under control 'task'")
        self.codec = ActionCodec(game.control, scenario.patient_slots, own_slots)
        self.layout = ObservationLayout(scenario.patient_slots, slots or own_slots, robots)
        self.setup = build_setup(scenario, game, self.layout, self.codec)
        wire = game.channel == "wire"
        history, blocks = (1, BLOCKS_REMEMBERED) if wire else (self._history_steps(), 1)
        self.state: State = empty_state(episodes, self.setup, scenario.patient_slots, history, blocks)
        self.out = empty_output(episodes, self.layout, self.codec) if out is None else out
        self._wire = WireChannel(scenario, game, self.codec.n, self.setup, self.state, self.out) if wire else None
        self.chronicle = None if ledger is None else Chronicle(ledger, self.setup, self.state)
        self._suites = np.array([suite_by_name(one.suite).code for one in self._games], np.int64)
        self._threads = Threads(threads)
        self._start()
        _announce_compilation(begin_step if wire else step_rows)

    def _start(self) -> None:
        """What cannot be copied or pickled."""
        self._frames = Frame(self.setup), Frame(self.state), Frame(self.out)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but addresses."""
        kept = {name: value for name, value in vars(self).items() if name not in ("_frames", "_step_rows")}
        return {**kept, "chronicle": None}  # two writers would make a ledger of neither

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy goes on where the original stood."""
        vars(self).update(state)
        self._start()

    @functools.cached_property
    def _step_rows(self) -> Callable[..., None]:
        """The machine code of ``step_rows`` for this engine: to look the types up at every call takes 2 us."""
        kinds = tuple(numba.typeof(one) for one in (0, 0, np.zeros((0, 0), np.int32), *self._frames))
        step_rows.compile(kinds)
        return step_rows.get_overload(kinds)

    @property
    def frame(self) -> Frame:
        """The state as compiled code takes it."""
        return self._frames[1]

    @property
    def n(self) -> int:
        """Number of rows B."""
        return int(self.state.clock.shape[0])

    def _history_steps(self) -> int:
        """How far attackers look back: 1 (nothing) unless they delay or replay in some row."""
        return max(_steps_looked_back(game) for game in _distinct(self._games))

    def reset(self, rows: np.ndarray, seeds: np.ndarray, episode_numbers: np.ndarray) -> None:
        """Start fresh episodes in ``rows``.

        Args:
            rows: (n,) row indices.
            seeds: (n,) seeds, 0 .. 2^64-1; equal seeds and episode numbers give equal buildings, quakes and patients.
            episode_numbers: (n,) which episode under the seed, 0 .. 2^32-1.

        Raises:
            ValueError: a seed out of range.
        """
        rows, seeds = np.asarray(rows, np.int64), seed_array(seeds)
        for row, seed, number in zip(rows, seeds, episode_numbers, strict=True):
            self.state.channel.attacks[row] = attack_table(self._games[row].attacks(int(seed), int(number)))
        reset_rows(
            rows,
            seeds,
            np.asarray(episode_numbers, np.int64),
            self._suites[rows],
            *self._frames,
        )
        for row in rows:
            if self._wire is not None:
                self._wire.reset(int(row))
            if self.chronicle is not None:
                self.chronicle.begin(int(row))

    def step(self, actions: np.ndarray) -> None:
        """Advance every row that is not over.

        Args:
            actions: (B, R) integers, each in 0 .. A-1 (the range is not checked here: the faces do).

        Raises:
            ValueError: another shape.
        """
        actions = np.ascontiguousarray(actions, np.int32)
        if actions.shape != self.out.reward.shape:
            raise ValueError(f"actions.shape={actions.shape} is not allowed: {self.out.reward.shape}")
        running = np.flatnonzero(self.state.clock["over"] == 0) if self.chronicle is not None else ()
        if self._wire is not None:
            self._wire.step(actions)
        else:
            parts = self._threads.parts(self.n)
            self._threads.do([partial(self.step_part, first, last, actions) for first, last in parts])
        for row in running:
            self.chronicle.record(int(row))  # type: ignore[union-attr]  # there are rows only with a chronicle

    def step_part(self, first: int, last: int, actions: np.ndarray) -> None:
        """Advance rows ``first`` .. ``last - 1`` that are not over, by ``actions`` (B, R) int32 of all rows.

        Several threads may do so at once for different rows. There is no chronicle and no wire channel then.
        """
        self._step_rows(first, last, actions, *self._frames)

    def snapshot(self, row: int = 0) -> TwinSnapshot:
        """The twin's picture of row ``row`` for planners (the truth, marked so, under perfect information)."""
        return take_snapshot(self.scenario, self.setup, self.state, row, privileged=self.game.perfect_information)

    def explain_trust(self, source: int, row: int = 0) -> TrustExplanation:
        """Why the twin trusts robot ``source`` of row ``row`` as it does: evidence, opinion, last judgements.

        Raises:
            ValueError: no such robot.
        """
        step = int(self.state.clock["step"][row])
        return explain_trust(self.state.twin, row, source, self.setup.twin[0], self.scenario.twin, step)

    def metrics(self, row: int = 0) -> dict[str, float]:
        """Metrics of the episode in ``row`` as it stands, see ``engine.metrics``."""
        return episode_metrics(self.setup, self.state, row)

    def metrics_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of the episodes in ``rows`` (n,) as they stand, float64 (n,) each, see ``engine.metrics``."""
        return metrics_of(self.setup, self.state, rows)


def empty_output(episodes: int, layout: ObservationLayout, codec: ActionCodec) -> Output:
    """Zeroed arrays to hand out in."""
    robots = layout.robots
    return Output(
        observation=np.zeros((episodes, robots, layout.size), np.float32),
        mask=np.zeros((episodes, robots, codec.n), np.int8),
        info=np.zeros((episodes, robots, len(ROBOT_INFO)), np.float32),
        reward=np.zeros((episodes, robots), np.float32),
        terminated=np.zeros((episodes, robots), np.int8),
        truncated=np.zeros(episodes, np.int8),
    )


def _games_of_rows(game: GameConfig, rows: Sequence[GameConfig] | None, episodes: int) -> tuple[GameConfig, ...]:
    """The game of every row; checks that the kernels and the channel can play them side by side."""
    if rows is None:
        return (game,) * episodes
    require(len(rows) == episodes, "rows", len(rows), f"{episodes}, one game for each row")
    for one in _distinct(rows):
        alike = replace(one, suite=game.suite, threats=game.threats) == game
        require(alike, "rows", one, "games that differ in suite and threats only")
        one_suite = game.channel != "wire" or one.suite == game.suite
        require(one_suite, "rows", one.suite, f"{game.suite!r} in all rows of channel 'wire'")
    return tuple(rows)


def _distinct(games: Sequence[GameConfig]) -> list[GameConfig]:
    """Each object once (games need not be hashable)."""
    return list({id(game): game for game in games}.values())


def _steps_looked_back(game: GameConfig) -> int:
    """How many steps back the messages lie that attackers of ``game`` use, and this one."""
    if game.threats == "random":
        return _RANDOM_LOOK_BACK
    looking_back = [a.delay_steps for a in threats_by_name(game.threats) if a.code in (DELAY, REPLAY)]
    return max(looking_back, default=0) + 1


@functools.cache
def _announce_compilation(kernel: Any) -> None:
    """Say so where the step's kernel is not on disk yet: compiling is slow and must not look like a hang.

    Once for this process and those it starts, which inherit the note, whichever of the channels' kernels comes first.
    """
    cached = Path(kernel.stats.cache_path).glob(f"*.{kernel.py_func.__name__}-*.nbc")
    if not kernel.signatures and not any(cached) and not os.environ.get(_ANNOUNCED):
        os.environ[_ANNOUNCED] = "1"
        print("Compiling the kernels, once per installation: about a minute ...", file=sys.stderr, flush=True)
