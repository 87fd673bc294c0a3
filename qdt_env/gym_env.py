"""Hospital rescue for one agent: a dispatcher who sees what all robots see and gives all of them their actions.

| | |
|---|---|
| One mission | ``gymnasium.make("qdt_env:HospitalRescue-v0", scenario="ward", ...)`` |
| Many at once | ``gymnasium.make_vec("qdt_env:HospitalRescue-v0", num_envs=64, scenario="ward", ...)`` |
| Actions | MultiDiscrete([A] * R): an action for each robot, masked |
| Observations | ``observation`` (R * F,) float32 in [0, 1], ``action_mask`` (R, A) int8 |

The observation is that of the robots, end to end, each laid out as ``env.unwrapped.layout`` says (zeros for a lost
robot); ``env.action_space.sample(mask=tuple(observation["action_mask"]))`` draws legal actions. With
``action_mask="info"`` the mask is in the infos and the observation a plain Box.

**Reward.** The team's: the change of expected survivors against doing nothing, minus small costs.
**End.** Truncated at the horizon, terminated when all robots are lost. **Infos.** ``alive`` (R,) bool and an array
(R,) float32 for each name in ``qdt_env.spaces.ROBOT_INFO``; in the last step also ``metrics``, the episode's by name.

The dispatcher is privileged in one way: it reads every robot's mind at once, over a line that nobody attacks. What a
robot knows still came to it over its own attacked link. For robots that decide alone use the PettingZoo face.

Games, rules and arguments are those of :class:`qdt_env.hospital_rescue_v0.parallel_env`; row b of the vector env is the
single one, bit for bit.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from qdt_env.hospital_rescue_v0 import parallel_env
from qdt_env.random import SEEDS, whole_number
from qdt_env.records import require
from qdt_env.spaces import ROBOT_INFO, ActionCodec, ObservationLayout
from qdt_env.vector_env import Array, RescueVectorEnv, space_of_row


class HospitalRescueEnv(gymnasium.Env[Any, Any]):
    """One mission under one dispatcher; see the module's docstring.

    Args:
        scenario: "ward", "clinic", "hospital", a building file or a ``ScenarioConfig``.
        action_mask: "obs" (in the observations) or "info" (in the infos).
        render_mode: None, "rgb_array", "human" or "ansi".
        **game: suite, threats, channel, control, max_cycles, perfect_information, building_seed and ledger, as of
            ``parallel_env``.

    Raises:
        ValueError: an unknown name or an impossible size; the message names the parameter and what is allowed.
        TypeError: an argument that ``parallel_env`` has not, or that is not a dispatcher's (reward, keep_dead).
    """

    metadata: dict[str, Any] = {
        "render_modes": parallel_env.metadata["render_modes"],
        "render_fps": parallel_env.metadata["render_fps"],
    }

    def __init__(
        self, scenario: Any = "ward", *, action_mask: str = "obs", render_mode: str | None = None, **game: Any
    ) -> None:
        require(action_mask in ("obs", "info"), "action_mask", action_mask, "'obs' or 'info'")
        _refuse(game, "reward", "observation")
        self._robots_env = parallel_env(scenario, keep_dead=True, render_mode=render_mode, **game)
        self.render_mode, self._mask_in_info = render_mode, action_mask == "info"
        robots, n = self.layout.robots, self.codec.n
        self.observation_space = space_of_row((robots * self.layout.size,), robots, n, self._mask_in_info)
        self.action_space = spaces.MultiDiscrete(np.full(robots, n))

    @property
    def layout(self) -> ObservationLayout:
        """Named blocks of each robot's part of the observation."""
        return self._robots_env.layout

    @property
    def codec(self) -> ActionCodec:
        """Action numbers and names of each robot."""
        return self._robots_env.codec

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; seed and options as of ``parallel_env.reset``."""
        super().reset(seed=None if seed is None else whole_number(seed, "seed", SEEDS))
        return self._joined(*self._robots_env.reset(seed, options))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Give every robot its action, (R,) integers each in 0 .. A-1.

        Raises:
            ValueError: an action outside the action space.
        """
        agents = self._robots_env.possible_agents
        require(np.shape(action) == (len(agents),), "action.shape", np.shape(action), f"({len(agents)},)")
        actions = dict(zip(agents, np.asarray(action), strict=True))
        require(bool(self._robots_env.agents), "step", "before reset() or after the end", "in an episode")
        observations, rewards, terminations, truncations, infos = self._robots_env.step(actions)
        joined, info = self._joined(observations, infos)
        terminated, truncated = all(terminations.values()), all(truncations.values())
        if terminated or truncated:
            info["metrics"] = self._robots_env.metrics()
        return joined, rewards[agents[0]], terminated, truncated, info

    def state(self) -> Array:
        """Privileged: the truth, (S,) float32 in [0, 1]."""
        return self._robots_env.state()

    def render(self) -> Any:
        """The present moment, as of ``parallel_env.render``."""
        return self._robots_env.render()

    def close(self) -> None:
        """Close the renderer and the ledger."""
        self._robots_env.close()

    def _joined(self, observations: dict[str, Any], infos: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Observation and infos of all robots as the dispatcher's."""
        flat = np.concatenate([one["observation"] for one in observations.values()])
        mask = np.stack([one["action_mask"] for one in observations.values()])
        info = {name: np.array([one[name] for one in infos.values()], np.float32) for name in ROBOT_INFO}
        info["alive"] = self._robots_env.alive
        if self._mask_in_info:
            return flat, {**info, "action_mask": mask}
        return {"observation": flat, "action_mask": mask}, info


class HospitalRescueVectorEnv(RescueVectorEnv):
    """Many missions, each under a dispatcher of its own: :class:`RescueVectorEnv` with one agent to a row.

    Observations are ``observation`` (B, R * F) and ``action_mask`` (B, R, A); rewards (B,) float64, terminations and
    truncations (B,) bool are of rows. Infos, autoreset modes, conditions, copies and threads are as there.

    Args:
        num_envs: rows B.
        scenario: of every row.
        **game: as of :class:`RescueVectorEnv`, but for ``reward`` (a dispatcher's is the team's) and ``observation``.
    """

    def __init__(self, num_envs: int = 1, scenario: Any = "ward", **game: Any) -> None:
        _refuse(game, "reward", "observation")
        super().__init__(num_envs, scenario, **game)
        shape = self._observation.shape[1:]
        self.single_observation_space = space_of_row(shape, self.layout.robots, self.codec.n, self._mask_in_info)

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Advance every row by one step; ``actions`` (B, R) integers, each in 0 .. A-1.

        Raises:
            ValueError: another shape or type, an action outside the action space, or a row that was never reset.
        """
        observations, rewards, terminations, truncations, infos = super().step(actions)
        terminated, truncated = np.all(terminations, axis=1), np.any(truncations, axis=1)
        return observations, rewards[:, 0].astype(np.float64), terminated, truncated, infos

    @property
    def _observation(self) -> Array:
        """The robots' observations end to end, a view."""
        return super()._observation.reshape(self.num_envs, -1)


def _refuse(game: dict[str, Any], *names: str) -> None:
    """Some arguments of the robots' envs are not a dispatcher's.

    Raises:
        TypeError: one of them was given.
    """
    for name in names:
        if name in game:
            allowed = "a dispatcher gets the team's reward and a flat observation"
            raise TypeError(f"{name}={game[name]!r} is not allowed: {allowed}")
