"""RescueVectorEnv: B episodes at once as arrays, for learners. It translates, and holds no rule of the game.

| | |
|---|---|
| Import | ``from qdt_env.vector_env import RescueVectorEnv`` |
| Base class | ``gymnasium.vector.VectorEnv`` |
| Actions | (B, R) integers in 0 .. A-1, masked |
| Observations | ``observation`` (B, R, F) float32 in [0, 1], ``action_mask`` (B, R, A) int8; "graph" adds arrays |

Every row is an episode of :mod:`qdt_env.hospital_rescue_v0`, bit for bit: the same seed, episode number and actions
give the same observations, masks, rewards and infos as ``parallel_env(..., keep_dead=True)``, whatever the other rows
do and however many threads share the work. B is ``num_envs``, R the robots, F ``env.layout.size``, A ``env.codec.n``.

**Step.** ``observations, rewards, terminations, truncations, infos = env.step(actions)``:

- ``observations``: a dict, or with ``action_mask="info"`` the array alone. A lost robot sees zeros and may only wait.
- ``rewards`` (B, R) float32: what this step was worth; under ``reward="team"`` the same for all robots of a row.
- ``terminations`` (B, R) bool: robot is lost, in this step or before. Its value is 0 from then on.
- ``truncations`` (B, R) bool: the horizon came while the robot was in play. Its value is that of the final observation.
- A row is over when each of its robots is one or the other: ``(terminations | truncations).all(1)``.

**Graphs.** ``observation="graph"`` adds what each robot believes of the building, as the PettingZoo face does:
``zones`` (B, R, Z, 6) and ``passages`` (B, R, E, 3) float32, ``patient_zones`` (B, R, P) int32, and ``edges`` (B, E, 2)
int32, which never change and cannot be written. Z and E are those of the largest building. In rows of a smaller one the
last zones and passages are 0 and the edges of passages that are not there (-1, -1); a zone is there if it has an edge.

**Infos.** Arrays, first axis B: ``alive`` (B, R) bool, whose next action counts; one array (B, R) float32 for each name
in ``qdt_env.spaces.ROBOT_INFO``; ``seed`` (B,) uint64 and ``episode_number`` (B,) int64, which episode the row is in;
``action_mask`` where asked for. In the step that ends a row ``metrics`` is there, a dict of (B,) float64 arrays by name
(``qdt_env.engine.metrics.METRICS``), with ``_metrics`` (B,) bool saying whose.

**Rows that are over**, by ``autoreset_mode`` (``env.metadata["autoreset_mode"]``), as Gymnasium defines it:

- next step: the next call of ``step`` starts the row's next episode; its actions are ignored, rewards and flags 0.
- same step: the next episode starts at once and the step returns its first observation. What ended is in
  ``infos["final_obs"]`` (B,), objects, and ``infos["final_info"]``, a dict like infos, with ``metrics``; ``_final_obs``
  and ``_final_info`` (B,) bool say whose.
- disabled: the row stands still, with rewards 0 and its flags as they are, until
  ``reset(options={"reset_mask": (B,) bool})``.

A row's next episode is the next number under the row's seed, as ``parallel_env.reset()`` counts.

**Conditions** let rows differ (domain randomisation): scenario, generated building, suite and threats may vary from row
to row, threats "random" also from episode to episode. Number of robots and patient slots must agree, since actions and
observations are numbered by them; a building with fewer passages at its zones than another leaves the last rows of
the block ``passages`` 0 (under ``control="move"`` they must agree too). Control, reward, channel and information are
those of the whole env.

**No copies.** ``copy=False`` returns the engine's own arrays: ``torch.from_numpy`` shares them, and the next step
overwrites them. By default observations, masks and infos are copied, as Gymnasium's own vector environments do.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.mixture import Mixture
from qdt_env.engine.privileged import StateLayout
from qdt_env.graph_layout import GRAPH_PASSAGE_FEATURES, GRAPH_ZONE_FEATURES
from qdt_env.random import EPISODES, SEEDS, whole_number
from qdt_env.records import require, require_begun, require_flag
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from qdt_env.spaces import ROBOT_INFO, ActionCodec, ObservationLayout
from qdt_env.twin.snapshot import TwinSnapshot

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Condition:
    """What may differ from row to row.

    Attributes:
        scenario, building_seed: as of ``parallel_env``.
        suite: cipher suite of every link.
        threats: preset name, "random" (drawn anew each episode), or attacks.
    """

    scenario: str | Path | ScenarioConfig = "ward"
    suite: str = "qkd"
    threats: Any = "none"
    building_seed: int = 0


class RescueVectorEnv(VectorEnv[Any, Any, Any]):
    """B episodes as arrays; see the module's docstring for what a step returns.

    Args:
        num_envs: rows B.
        scenario, suite, threats, building_seed: of every row, as of ``parallel_env``.
        conditions: what rows play instead of these four, in equal stretches: row b plays condition b * n // B of n.
        channel, control, observation, reward, max_cycles, perfect_information: as of ``parallel_env``.
        action_mask: "obs" (in the observations) or "info" (in the infos).
        autoreset_mode: an ``AutoresetMode``, or its value: "NextStep", "SameStep" or "Disabled".
        copy: return copies, not the engine's arrays.
        threads: that share each step, with the same results.

    Attributes:
        num_envs, observation_space, action_space, single_observation_space, single_action_space, metadata: Gymnasium's.
        conditions: (B,) tuple, the condition of each row.
        layout, codec: named blocks of the observation, action numbers and names.

    Raises:
        ValueError: an unknown name or an impossible size; the message names the parameter and what is allowed.
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: str | Path | ScenarioConfig = "ward",
        *,
        suite: str = "qkd",
        threats: Any = "none",
        building_seed: int = 0,
        conditions: Sequence[Condition] | None = None,
        channel: str = "statistical",
        control: str = "task",
        observation: str = "flat",
        reward: str = "team",
        max_cycles: int | None = None,
        perfect_information: bool = False,
        action_mask: str = "obs",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        threads: int = 1,
    ) -> None:
        whole = isinstance(num_envs, int) and not isinstance(num_envs, bool)
        require(whole and num_envs >= 1, "num_envs", num_envs, "1 or more")
        require_flag(copy, "copy")
        require(action_mask in ("obs", "info"), "action_mask", action_mask, "'obs' or 'info'")
        require(observation in ("flat", "graph"), "observation", observation, "'flat' or 'graph'")
        listed = (Condition(scenario, suite, threats, building_seed),) if conditions is None else _listed(conditions)
        require(1 <= len(listed) <= num_envs, "conditions", len(listed), f"1 to num_envs={num_envs}")
        self.num_envs, self._mode, self._copy = num_envs, _autoreset_mode(autoreset_mode), copy
        self._mask_in_info, self._graph = action_mask == "info", observation == "graph"
        self.metadata = {**self.metadata, "autoreset_mode": self._mode}
        of_row = [b * len(listed) // num_envs for b in range(num_envs)]
        scenarios, games = _load(listed, max_cycles), []
        for one in listed:
            games.append(GameConfig(one.suite, one.threats, control, reward, perfect_information, channel))
        self.conditions = tuple(listed[k] for k in of_row)
        self._mixture = Mixture([scenarios[k] for k in of_row], [games[k] for k in of_row], threads)
        robots = len(scenarios[0].team)
        self._seeds = np.zeros(num_envs, np.uint64)
        self._episodes = np.full(num_envs, -1, np.int64)  # -1: the row was never reset
        self._over = np.zeros(num_envs, bool)
        self._lost = np.zeros((num_envs, robots), bool)  # before the step
        shape = (robots, self.layout.size)
        self.single_observation_space = space_of_row(
            shape, robots, self.codec.n, self._mask_in_info, self._mixture.state_layout if self._graph else None
        )
        self.single_action_space = spaces.MultiDiscrete(np.full(robots, self.codec.n))

    @cached_property
    def observation_space(self) -> spaces.Space[Any]:  # type: ignore[override]  # made when asked for: bounds are large
        """The space of all rows."""
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> spaces.Space[Any]:  # type: ignore[override]
        """The action space of all rows."""
        return batch_space(self.single_action_space, self.num_envs)

    @property
    def layout(self) -> ObservationLayout:
        """Named blocks of the observation."""
        return self._mixture.layout

    @property
    def codec(self) -> ActionCodec:
        """Action numbers and names."""
        return self._mixture.codec

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every row.

        Args:
            seed: of the first row, the others' follow on; or one per row; 0 .. 2^64-1. None: the next episode under
                each row's last seed (fresh random seeds the first time).
            options: {"episode": n}, one number or one per row, chooses the n-th episode under the seed;
                {"reset_mask": (B,) bool} resets these rows only. Other keys are ignored.

        Returns:
            Observations and infos.

        Raises:
            ValueError: seeds, episodes or a mask of a wrong number or out of range.
        """
        require(options is None or isinstance(options, dict), "options", options, "None or a dict")
        options = options or {}
        rows = np.flatnonzero(self._reset_mask(options.get("reset_mask")))
        if seed is None and (self._episodes[rows] < 0).any():
            seed = secrets.randbits(32)
        if seed is not None:
            if np.ndim(seed) == 0:  # the others' follow on
                first = whole_number(seed, "seed", SEEDS - self.num_envs + 1)
                seed = range(first, first + self.num_envs)
            self._seeds[rows] = self._whole_numbers(seed, "seed", SEEDS, np.uint64)[rows]
            self._episodes[rows] = -1
        self._episodes[rows] += 1
        if "episode" in options:
            numbers = options["episode"]
            if np.ndim(numbers) == 0:
                numbers = [whole_number(numbers, "options['episode']", EPISODES)] * self.num_envs
            self._episodes[rows] = self._whole_numbers(numbers, "options['episode']", EPISODES, np.int64)[rows]
        self._begin(rows)
        return self._observations(), self._infos()

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Advance every row by one step; see the module's docstring.

        Args:
            actions: (B, R) integers, each in 0 .. A-1; those of lost robots and of rows that are over are ignored.

        Raises:
            ValueError: another shape or type, an action outside the action space, or a row that was never reset.
        """
        actions = self._checked(actions)
        out, over_before = self._mixture.out, self._over
        self._mixture.step(actions)
        if self._mode is AutoresetMode.NEXT_STEP and over_before.any():
            self._begin_next(np.flatnonzero(over_before))
            over_before = np.zeros_like(over_before)
        lost = out.terminated == 1
        truncations = (out.truncated == 1)[:, None] & ~self._lost
        terminations = lost & ~truncations
        rewards = out.reward.copy()
        self._over = (out.truncated == 1) | lost.all(1)
        np.copyto(self._lost, lost, where=~self._over[:, None])
        ended = np.flatnonzero(self._over & ~over_before)
        final: dict[str, Any] = {}
        if ended.size and self._mode is AutoresetMode.SAME_STEP:
            final = self._final(ended)
            self._begin_next(ended)
        elif ended.size:
            final = self._metrics(ended)
        return self._observations(), rewards, terminations, truncations, {**self._infos(), **final}

    def state(self) -> Array:
        """Privileged: the truth of every row, (B, S) float32 in [0, 1], fresh; a smaller building's rest is 0."""
        return self._mixture.state()

    @cached_property
    def state_space(self) -> spaces.Box:
        """Space of :meth:`state`."""
        return spaces.Box(0.0, 1.0, (self.num_envs, self._mixture.state_layout.size), np.float32)

    @property
    def state_sizes(self) -> tuple[int, int, int, int]:
        """Zones, passages, patients and robots that :meth:`state` has room for, in its order."""
        layout = self._mixture.state_layout
        return layout.zones, layout.passages, layout.patients, layout.robots

    def snapshot(self, row: int = 0) -> TwinSnapshot:
        """Read-only picture of one row's twin, for planners.

        Raises:
            ValueError: no such row, or one that was never reset.
        """
        whole_number(row, "row", self.num_envs)
        require_begun(bool(self._episodes[row] >= 0), "snapshot")
        return self._mixture.snapshot(row)

    def metrics(self) -> dict[str, Array]:
        """Metrics of every row's episode as it stands (ground truth, for scoring), (B,) float64 each.

        Raises:
            ValueError: a row was never reset.
        """
        require_begun(bool((self._episodes >= 0).all()), "metrics")
        return self._mixture.metrics_of(np.arange(self.num_envs))

    # arrays <-> what Gymnasium hands about

    def _begin(self, rows: Array) -> None:
        """Start the episodes that seeds and numbers say."""
        self._mixture.reset(rows, self._seeds[rows], self._episodes[rows])
        self._over[rows] = False
        self._lost[rows] = False

    def _begin_next(self, rows: Array) -> None:
        """The next episode of ``rows`` under their seeds."""
        self._episodes[rows] += 1
        self._begin(rows)

    @property
    def _observation(self) -> Array:
        """The engine's observations in the shape that this face hands out."""
        return self._mixture.out.observation

    def _shown(self) -> dict[str, Array]:
        """What the rows see now, in the engine's own arrays."""
        shown = {"observation": self._observation}
        if not self._mask_in_info:
            shown["action_mask"] = self._mixture.out.mask
        if self._graph:
            shown |= self._mixture.graphs()._asdict()
            shown["edges"] = self._mixture.edges
        return shown

    def _observations(self) -> Any:
        """Observations of all rows."""
        shown = self._shown()
        if self._copy:
            shown = {name: part.copy() if part.flags.writeable else part for name, part in shown.items()}
        return shown if len(shown) > 1 else shown["observation"]

    def _infos(self) -> dict[str, Any]:
        """Infos of all rows as they stand."""
        out = self._mixture.out
        table = out.info.copy() if self._copy else out.info
        infos: dict[str, Any] = {name: table[:, :, k] for k, name in enumerate(ROBOT_INFO)}
        infos["alive"] = (out.terminated == 0) & ~self._over[:, None]
        infos["seed"], infos["episode_number"] = self._seeds.copy(), self._episodes.copy()
        if self._mask_in_info:
            infos["action_mask"] = out.mask.copy() if self._copy else out.mask
        return infos

    def _metrics(self, rows: Array) -> dict[str, Any]:
        """Metrics of rows that have just ended, as infos."""
        there = np.zeros(self.num_envs, bool)
        there[rows] = True
        metrics = {}
        for name, values in self._mixture.metrics_of(rows).items():
            metrics[name] = np.zeros(self.num_envs)
            metrics[name][rows] = values
        return {"metrics": metrics, "_metrics": there}

    def _final(self, rows: Array) -> dict[str, Any]:
        """What rows that have just ended saw last, before they are reset."""
        final_obs = np.full(self.num_envs, None, object)
        shown = {name: part[rows] for name, part in self._shown().items()}
        for k, row in enumerate(rows):
            last = {name: part[k] for name, part in shown.items()}
            final_obs[row] = last if len(last) > 1 else last["observation"]
        metrics = self._metrics(rows)
        there = metrics["_metrics"]
        infos = {name: np.array(value) for name, value in self._infos().items()}  # copies: the arrays go on
        for value in infos.values():
            value[~there] = 0
        return {
            "final_obs": final_obs,
            "_final_obs": there,
            "final_info": {**infos, **metrics},
            "_final_info": there.copy(),
        }

    def _checked(self, actions: Any) -> Array:
        """Actions as (B, R) int32 within the action space."""
        given = np.asarray(actions)
        require(given.shape == self._lost.shape, "actions.shape", given.shape, f"{self._lost.shape}")
        require(np.issubdtype(given.dtype, np.integer), "actions.dtype", given.dtype, "integers")
        if given.min() < 0 or given.max() >= self.codec.n:
            b, r = np.argwhere((given < 0) | (given >= self.codec.n))[0]
            require(False, f"actions[{b}, {r}]", int(given[b, r]), f"an integer in 0..{self.codec.n - 1}")
        require_begun(bool((self._episodes >= 0).all()), "step")
        return given.astype(np.int32, copy=False)

    def _reset_mask(self, mask: Any) -> Array:
        """Which rows to reset."""
        if mask is None:
            return np.ones(self.num_envs, bool)
        given = np.asarray(mask)
        fits = given.shape == (self.num_envs,) and given.dtype == np.bool_
        require(fits, "options['reset_mask']", mask, f"a bool array of shape ({self.num_envs},)")
        return given

    def _whole_numbers(self, numbers: Any, name: str, below: int, dtype: Any) -> Array:
        """One whole number per row, each in 0 .. below-1."""
        require(len(numbers) == self.num_envs, name, numbers, f"one whole number, or {self.num_envs}, one per row")
        return np.array([whole_number(x, f"{name}[{b}]", below) for b, x in enumerate(numbers)], dtype)


def space_of_row(
    shape: tuple[int, ...], robots: int, actions: int, mask_in_info: bool, graph: StateLayout | None = None
) -> spaces.Space[Any]:
    """Space of a row's observation of this shape, with the mask unless it is in the infos, and room for a graph."""
    flat = spaces.Box(0.0, 1.0, shape, np.float32)
    parts: dict[str, spaces.Space[Any]] = {"observation": flat}
    if not mask_in_info:
        parts["action_mask"] = spaces.Box(0, 1, (robots, actions), np.int8)
    if graph is not None:
        last, zone, passage = graph.zones - 1, len(GRAPH_ZONE_FEATURES), len(GRAPH_PASSAGE_FEATURES)
        parts["zones"] = spaces.Box(0.0, 1.0, (robots, graph.zones, zone), np.float32)
        parts["passages"] = spaces.Box(0.0, 1.0, (robots, graph.passages, passage), np.float32)
        parts["patient_zones"] = spaces.Box(-1, last, (robots, graph.patients), np.int32)
        parts["edges"] = spaces.Box(-1, last, (graph.passages, 2), np.int32)
    return spaces.Dict(parts) if len(parts) > 1 else flat


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """The mode by itself or by its value."""
    values = [one.value for one in AutoresetMode]
    require(isinstance(mode, AutoresetMode) or mode in values, "autoreset_mode", mode, f"one of {', '.join(values)}")
    return AutoresetMode(mode)


def _listed(conditions: Any) -> tuple[Condition, ...]:
    """Conditions as a tuple of them."""
    fits = isinstance(conditions, Iterable)
    listed = tuple(conditions) if fits else ()
    fits = fits and all(isinstance(one, Condition) for one in listed)
    require(fits, "conditions", conditions, "None or a list of Condition, as Condition(suite='qkd', threats='tamper')")
    return listed


def _load(conditions: Sequence[Condition], max_cycles: int | None) -> list[ScenarioConfig]:
    """The scenario of each condition; the same one is loaded once, so that its rows share an engine."""
    loaded: dict[Any, ScenarioConfig] = {}
    scenarios = []
    for one in conditions:
        config = isinstance(one.scenario, ScenarioConfig)
        key = (id(one.scenario) if config else str(one.scenario), one.building_seed)
        if key not in loaded:
            loaded[key] = with_horizon(load_scenario(one.scenario, building_seed=one.building_seed), max_cycles)
        scenarios.append(loaded[key])
    return scenarios
