"""Hospital rescue: the PettingZoo face. It translates dicts to arrays and back, and holds no rule of the game.

| | |
|---|---|
| Import | ``from qdt_env import hospital_rescue_v0`` |
| Actions | Discrete, masked |
| Parallel API | yes |
| Manual control | no |
| Agents | ``robot_0`` ... |
| Observation | Box float32 in [0, 1], in named blocks |

Robots rescue patients in a collapsed hospital. What a robot knows is the last view of the digital twin that a
(simulated) QKD-secured channel delivered, merged with what it sees itself. Attackers and the failing building work
against that.

**Observation.** With ``action_mask="obs"`` a dict ``{"observation": (F,) float32, "action_mask": (A,) int8}``; the flat
vector is made of the blocks ``self``, ``passages``, ``tasks``, ``services``, ``team``, ``channel``, ``time``, which
``env.unwrapped.layout.slice(obs, name)`` cuts out (features listed in ``qdt_env.spaces``). ``observation="graph"`` adds
the robot's believed map to the dict: ``zones`` (Z, 6) and ``passages`` (E, 3) float32 (features in
``qdt_env.graph_layout``), ``edges`` (E, 2) int32, the zones that a passage joins, and ``patient_zones`` (P,) int32, the
zone where each patient is believed, -1 for an empty slot or where nobody knows.

**Actions.** ``control="task"``: 0 continue; 1..P go to that patient and do the next useful thing (triage, extricate,
give a kit, carry out); then scout, kit, clear, recharge, refresh (keys), wait. ``control="move"``: 0 continue; 1..D
the passage slots of the own zone; then give kit, extricate, pick up, hand over, take kit, clear, recharge, refresh
keys, wait. An action outside the mask is executed as "continue" and counted in the infos; one outside the space raises.

**Reward.** Shared (``reward="team"``): the change of expected survivors against doing nothing, minus small costs; it
telescopes to lives saved. ``reward="individual"`` credits a handover to the robot that made it.

**Start.** One hour after the main shock; the twin holds the pre-shock plan and the bed census (who was where).

**End.** Truncated at the horizon. A robot destroyed or out of power terminates alone and leaves ``agents``
(``keep_dead=True`` keeps it, with zeros and only "wait", until the end).

**Arguments.** See :class:`parallel_env`. **References.** ``docs/``. **Version history.** v0: first release.
"""

import operator
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from qdt_env.engine.belief_graph import BeliefGraphs, edges_of, empty_graphs, write_graphs
from qdt_env.engine.chronicle import open_ledger
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.engine.metrics import METRICS, NOT_YET
from qdt_env.engine.privileged import state_layout, state_of
from qdt_env.graph_layout import GRAPH_PASSAGE_FEATURES, GRAPH_ZONE_FEATURES
from qdt_env.random import EPISODES, SEEDS, whole_number
from qdt_env.records import require, require_begun, require_flag
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from qdt_env.spaces import CONTINUE, ROBOT_INFO, ActionCodec, ObservationLayout
from qdt_env.twin.explanation import TrustExplanation
from qdt_env.twin.snapshot import TwinSnapshot

_MASK_MODES = ("obs", "info", "rllib", "none")
_RENDER_MODES = ("rgb_array", "human", "ansi")
_INFO = {**dict.fromkeys(ROBOT_INFO, 0.0), **{f"episode_{name}": NOT_YET for name in METRICS}}  # every key, always


class parallel_env(ParallelEnv):  # the name is PettingZoo's convention
    """The parallel environment; see the module's docstring for observations, actions and reward.

    Args:
        scenario: "ward", "clinic", "hospital", a building file (.json, .graphml) or a ``ScenarioConfig``.
        suite: "plaintext", "psk", "ecdh", "pqc", "qkd", "qkd-otp" or "hybrid".
        threats: preset name ("none", "tamper", "mixed", ..., joined with "+"), "random", or ``Attack`` objects.
        channel: "statistical" (outcomes of messages drawn by rule, fast) or "wire" (bytes, keys and ciphers are real).
        control: "task" or "move".
        observation: "flat" or "graph".
        action_mask: "obs", "info", "rllib" (key ``observations``) or "none".
        reward: "team" or "individual".
        keep_dead: keep lost robots in ``agents`` until the end.
        max_cycles: mission length in steps instead of the scenario's.
        perfect_information: robots know the truth (an explicit privilege, for upper bounds).
        building_seed: which generated building of a preset.
        ledger: file of a transparency ledger that every step is written to (made if there is none, closed by
            :meth:`close`); None for none.
        record: new file that the mission is recorded in, for ``qdt replay``; the n-th mission goes into one with
            ``-n`` before the suffix. A recorded mission keeps a ledger, in memory unless ``ledger`` names a file.
        render_mode: None, "rgb_array", "human" or "ansi".

    Raises:
        ValueError: an unknown name or an impossible size; the message names the parameter and what is allowed.
    """

    metadata: dict[str, Any] = {
        "name": "hospital_rescue_v0",
        "render_modes": list(_RENDER_MODES),
        "render_fps": 6,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scenario: str | Path | ScenarioConfig = "ward",
        *,
        suite: str = "qkd",
        threats: Any = "none",
        channel: str = "statistical",
        control: str = "task",
        observation: str = "flat",
        action_mask: str = "obs",
        reward: str = "team",
        keep_dead: bool = False,
        max_cycles: int | None = None,
        perfect_information: bool = False,
        building_seed: int = 0,
        ledger: str | Path | None = None,
        record: str | Path | None = None,
        render_mode: str | None = None,
    ) -> None:
        require(observation in ("flat", "graph"), "observation", observation, "'flat' or 'graph'")
        require(action_mask in _MASK_MODES, "action_mask", action_mask, f"one of {', '.join(_MASK_MODES)}")
        allowed = f"None or one of {', '.join(_RENDER_MODES)}"
        require(render_mode is None or render_mode in _RENDER_MODES, "render_mode", render_mode, allowed)
        require_flag(keep_dead, "keep_dead")
        config = with_horizon(load_scenario(scenario, building_seed=building_seed), max_cycles)
        game = GameConfig(suite, threats, control, reward, perfect_information, channel)
        self.render_mode = render_mode
        self._ledger = None if ledger is None and record is None else open_ledger(ledger, config)
        self._episodes = Episodes(config, game, ledger=self._ledger)
        self._recorder = None if record is None else _recorder(record, self._episodes)
        self._observation, self._action_mask, self._keep_dead = observation, action_mask, keep_dead
        self.possible_agents = [f"robot_{r}" for r in range(len(config.team))]
        self.agents: list[str] = []
        self._row = {agent: r for r, agent in enumerate(self.possible_agents)}
        self._actions = np.zeros((1, len(config.team)), np.int32)
        self._seed: int | None = None
        self._episode = 0
        self._renderer: Any = None
        self._build_spaces()

    # What an experimenter reads

    @property
    def layout(self) -> ObservationLayout:
        """Named blocks of the flat observation."""
        return self._episodes.layout

    @property
    def codec(self) -> ActionCodec:
        """Action numbers and names."""
        return self._episodes.codec

    @property
    def scenario(self) -> ScenarioConfig:
        """The scenario being played."""
        return self._episodes.scenario

    @property
    def game(self) -> GameConfig:
        """Suite, threats, control and reward."""
        return self._episodes.game

    @property
    def alive(self) -> np.ndarray:
        """Which robots' next actions count, (R,) bool in the order of ``possible_agents``."""
        return (self._episodes.out.terminated[0] == 0) & bool(self.agents)

    def snapshot(self) -> TwinSnapshot:
        """Read-only picture of the twin for planners and notebooks.

        Raises:
            ValueError: before the first reset.
        """
        require_begun(self._seed is not None, "snapshot")
        return self._episodes.snapshot()

    def metrics(self) -> dict[str, float]:
        """Metrics of the episode as it stands (ground truth, for scoring).

        Raises:
            ValueError: before the first reset.
        """
        require_begun(self._seed is not None, "metrics")
        return self._episodes.metrics()

    def explain_trust(self, agent: str) -> TrustExplanation:
        """Why the twin trusts a robot as it does: which evidence, when.

        Raises:
            ValueError: an agent that never was, or before the first reset.
        """
        require_begun(self._seed is not None, "explain_trust")
        require(agent in self._row, "agent", agent, f"one of {', '.join(self.possible_agents)}")
        return self._episodes.explain_trust(self._row[agent])

    # PettingZoo

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The space of one agent, the same object every time."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """The action space of one agent, the same object every time."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: 0 .. 2^64-1; the same seed gives the same quake, patients and attacks. None: the next episode under
                the last seed (a fresh random seed the first time).
            options: {"episode": n} chooses the n-th episode under the seed; other keys are ignored.

        Raises:
            ValueError: a seed or episode out of range.
        """
        require(options is None or isinstance(options, dict), "options", options, "None or a dict")
        if seed is not None:
            self._seed, self._episode = whole_number(seed, "seed", SEEDS), 0
        elif self._seed is None:
            self._seed, self._episode = secrets.randbits(32), 0
        else:
            self._episode += 1
        if options and "episode" in options:
            self._episode = whole_number(options["episode"], "options['episode']", EPISODES)
        if self._recorder is not None:
            self._recorder.close()
        self._episodes.reset(np.zeros(1, np.int64), np.array([self._seed], np.uint64), np.array([self._episode]))
        if self._recorder is not None:
            self._recorder.begin()
        self.agents = self.possible_agents[:]
        rows = self._episodes.out.info[0].tolist()
        return self._observations(self.agents), self._infos(self.agents, rows, {})

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Advance by one step.

        Args:
            actions: action number by agent; a missing agent continues, one that is gone is ignored.

        Raises:
            ValueError: an action outside the action space, an agent that never was, or before the first reset.
        """
        agents = self.agents
        if not agents:
            require_begun(self._seed is not None, "step")
            return {}, {}, {}, {}, {}
        self._take_actions(actions)
        self._episodes.step(self._actions)
        if self._recorder is not None:
            self._recorder.record()
        out = self._episodes.out
        over = bool(self._episodes.state.clock["over"][0])
        truncated = bool(out.truncated[0])
        dead = out.terminated[0].tolist()
        rewards_row, info_rows = out.reward[0].tolist(), out.info[0].tolist()
        observations = self._observations(agents)
        metrics = {f"episode_{name}": value for name, value in self._episodes.metrics().items()} if over else {}
        infos = self._infos(agents, info_rows, metrics)
        rewards, terminations, truncations = {}, {}, {}
        for agent in agents:
            r = self._row[agent]
            rewards[agent] = rewards_row[r]
            truncations[agent] = truncated
            terminations[agent] = not truncated and (over or (dead[r] == 1 and not self._keep_dead))
        if over:
            self.agents = []
        elif not self._keep_dead and any(dead):
            self.agents = [a for a in agents if not terminations[a]]
        if self.render_mode == "human":
            self.render()
        return observations, rewards, terminations, truncations, infos

    def state(self) -> np.ndarray:
        """Privileged: the true state of the building, patients and robots as one vector, float32 in [0, 1]."""
        return state_of(self._episodes)[0]

    def render(self) -> np.ndarray | str | None:
        """The present moment, truth beside twin: an image, a text, or a window ("human"; nothing without a display)."""
        if self.render_mode is None:
            return None
        from qdt_env.viewer import FrameRenderer, describe, show_frame

        if self.render_mode == "ansi":
            return describe(self._episodes)
        if self._renderer is None:
            self._renderer = FrameRenderer(self._episodes)
        image: np.ndarray = self._renderer.draw()
        if self.render_mode == "rgb_array":
            return image
        show_frame(image, self.metadata["name"])
        return None

    def _repr_html_(self) -> str:
        """What is played and how it stands, for notebooks."""
        from qdt_env.viewer.html import episode_card

        return episode_card(self._episodes, started=self._seed is not None)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave the renderer, the ledger and the recorder behind."""
        return {**vars(self), "_renderer": None, "_ledger": None, "_recorder": None}

    def close(self) -> None:
        """Release the renderer; close the recording; close the ledger with a signed head over its last leaves."""
        if self._recorder is not None:
            self._recorder.close()
        if self._ledger is not None:
            self._ledger.close()
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # arrays <-> dicts

    def _take_actions(self, actions: dict[str, Any]) -> None:
        """Actions by agent into the row for the kernels; who says nothing continues, who is gone is not heard."""
        row, n = self._actions[0], self._episodes.codec.n
        row[:] = CONTINUE
        try:  # costs nothing at every step, isinstance does
            given = actions.items()
        except AttributeError:
            raise ValueError(f"actions={actions!r} is not allowed: a dict, action number by agent") from None
        for agent, action in given:
            if agent not in self._row:
                raise ValueError(f"agent {agent!r} is not allowed: one of {', '.join(self.possible_agents)}")
            if agent not in self.agents:
                continue
            try:
                number = operator.index(action)
            except TypeError:
                number = -1
            if not 0 <= number < n:
                raise ValueError(f"actions[{agent!r}]={action!r} is not allowed: an integer in 0..{n - 1}")
            row[self._row[agent]] = number

    def _build_spaces(self) -> None:
        """One observation and one action space per agent, kept for good."""
        n, size = self.codec.n, self.layout.size
        graph = self.scenario.building

        def observation_space() -> spaces.Space[Any]:
            flat = spaces.Box(0.0, 1.0, (size,), np.float32)
            parts: dict[str, spaces.Space[Any]] = {}
            if self._observation == "graph":
                zones, passages = graph.n_zones, graph.n_passages
                parts["zones"] = spaces.Box(0.0, 1.0, (zones, len(GRAPH_ZONE_FEATURES)), np.float32)
                parts["passages"] = spaces.Box(0.0, 1.0, (passages, len(GRAPH_PASSAGE_FEATURES)), np.float32)
                parts["edges"] = spaces.Box(0, zones - 1, (passages, 2), np.int32)
                parts["patient_zones"] = spaces.Box(-1, zones - 1, (self.layout.patients,), np.int32)
            if self._action_mask in ("obs", "rllib"):
                parts["action_mask"] = spaces.Box(0, 1, (n,), np.int8)
            if not parts:
                return flat
            return spaces.Dict({self._flat_key: flat, **parts})

        self._flat_key = "observations" if self._action_mask == "rllib" else "observation"
        self._observation_spaces = {agent: observation_space() for agent in self.possible_agents}
        self._action_spaces: dict[str, spaces.Discrete] = {agent: spaces.Discrete(n) for agent in self.possible_agents}
        self.state_space = spaces.Box(0.0, 1.0, (state_layout(self._episodes).size,), np.float32)

    def _observations(self, agents: list[str]) -> dict[str, Any]:
        """Fresh observations: copies, since clients keep them."""
        flat, masks = self._episodes.out.observation[0].copy(), self._episodes.out.mask[0].copy()
        in_dict = self._action_mask in ("obs", "rllib")
        if self._observation == "flat":
            if not in_dict:
                return {agent: flat[self._row[agent]] for agent in agents}
            key = self._flat_key
            return {a: {key: flat[r], "action_mask": masks[r]} for a in agents if (r := self._row[a]) >= 0}
        observations: dict[str, Any] = {}
        building = self.scenario.building
        graphs = empty_graphs(1, len(flat), building.n_zones, building.n_passages, self.layout.patients)
        write_graphs(self._episodes, graphs)
        for agent in agents:
            r = self._row[agent]
            own = {name: part[0, r] for name, part in zip(BeliefGraphs._fields, graphs, strict=True)}
            observations[agent] = {self._flat_key: flat[r], **own, "edges": edges_of(self._episodes)}
            if in_dict:
                observations[agent]["action_mask"] = masks[r]
        return observations

    def _infos(self, agents: list[str], rows: list[list[float]], metrics: dict[str, float]) -> dict[str, Any]:
        """Fresh infos with the same keys at every step."""
        infos = {}
        masks = self._episodes.out.mask[0].copy() if self._action_mask == "info" else None
        for agent in agents:
            r = self._row[agent]
            info: dict[str, Any] = _INFO.copy()
            for name, value in zip(ROBOT_INFO, rows[r], strict=True):  # faster than update() from pairs
                info[name] = value
            info.update(metrics)
            if masks is not None:
                info["action_mask"] = masks[r]
            infos[agent] = info
        return infos


def _recorder(path: str | Path, episodes: Episodes) -> Any:
    """The recorder, imported only by those who record."""
    from qdt_env.viewer.recorder import Recorder

    return Recorder(path, episodes)


def raw_env(**kwargs: Any) -> Any:
    """The AEC environment without PettingZoo's wrappers; arguments as :class:`parallel_env`."""
    return parallel_to_aec(parallel_env(**kwargs))


def env(**kwargs: Any) -> Any:
    """The AEC environment with PettingZoo's wrappers; arguments as :class:`parallel_env`."""
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(raw_env(**kwargs)))
