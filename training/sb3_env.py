"""Many missions as one Stable-Baselines3 ``VecEnv``: each robot of each row is a sub-environment.

Sub-environment ``b * R + r`` is robot r of row b of a ``RescueVectorEnv``: its observation (F,), its ``Discrete``
actions, its mask. One policy is shared by all robots, and each decides by what was delivered to it alone. (A dispatcher
per row would read all robots' minds; who wants that wraps ``gymnasium.make("qdt_env:HospitalRescue-v0")`` with
Stable-Baselines3's own ``make_vec_env``.) ``sb3_contrib.MaskablePPO`` finds the masks by itself.

Stable-Baselines3 starts a sub-environment anew as soon as it is done, which a robot whose team is still at work cannot.
So all robots of a row are done together, when the row is over; a lost robot stays until then, sees zeros, may only
wait and gets the team's reward, as with ``parallel_env(keep_dead=True)``. ``infos[i]`` then holds
``terminal_observation``, ``TimeLimit.truncated`` and the mission's ``metrics`` as a dict; at other steps it is empty.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from qdt_env.vector_env import RescueVectorEnv


class RescueVecEnv(VecEnv):
    """See the module's docstring.

    Args:
        rows: missions B at once; ``num_envs`` is B * R.
        scenario: of every row.
        **game: as of :class:`RescueVectorEnv`, but for ``action_mask``, ``autoreset_mode`` and ``copy``: what is
            handed out is always copied, since Stable-Baselines3 keeps observations across a step.

    Attributes:
        vector_env: the environment below, for layout, codec and metrics.

    Raises:
        ValueError: an unknown name or an impossible size; the message names the parameter and what is allowed.
    """

    render_mode = None

    def __init__(self, rows: int = 1, scenario: Any = "ward", **game: Any) -> None:
        kinds: dict[str, Any] = {"action_mask": "info", "autoreset_mode": "SameStep", "copy": True}
        self.vector_env = RescueVectorEnv(rows, scenario, **kinds, **game)
        self._robots, self._actions = self.vector_env.layout.robots, np.zeros(0, np.int64)
        self._seed: int | None = None  # of the next reset
        self._mask = np.zeros((rows * self._robots, self.vector_env.codec.n), bool)
        flat = spaces.Box(0.0, 1.0, (self.vector_env.layout.size,), np.float32)
        super().__init__(rows * self._robots, flat, spaces.Discrete(self.vector_env.codec.n))

    def action_masks(self) -> np.ndarray:
        """Which actions are allowed now, (B * R, A) bool."""
        return self._mask

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The next reset starts the first episode under this seed, row b under that b later.

        Returns:
            The seed of each sub-environment, the same for all robots of a row.
        """
        first = int(np.random.default_rng().integers(2**32)) if seed is None else seed
        self._seed = first
        self._seeds = [first + i // self._robots for i in range(self.num_envs)]
        return self._seeds

    def reset(self) -> np.ndarray:
        """Start an episode in every row: the first under the last seed given, else the next."""
        seen, infos = self.vector_env.reset(seed=self._seed)
        self._seed = None
        self._reset_seeds()
        self._reset_options()
        self._take_mask(infos)
        return self._by_robot(seen)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions, (B * R,) integers."""
        self._actions = np.asarray(actions)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Advance every row by one step.

        Returns:
            Observations (B * R, F), rewards (B * R,) float32, dones (B * R,) bool, infos.
        """
        actions = self._actions.reshape(-1, self._robots)
        seen, rewards, lost, late, infos = self.vector_env.step(actions)
        self._take_mask(infos)
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        over = np.zeros(len(seen), bool)
        if "final_obs" in infos:
            over = infos["_final_obs"]
            metrics = infos["final_info"]["metrics"]
            for row in np.flatnonzero(over):
                mission = {name: float(values[row]) for name, values in metrics.items()}
                for r in range(self._robots):
                    told[row * self._robots + r] = {
                        "terminal_observation": infos["final_obs"][row][r],
                        "TimeLimit.truncated": bool(late[row].any()),
                        "metrics": mission,
                    }
        return self._by_robot(seen), rewards.reshape(-1), np.repeat(over, self._robots), told

    def _take_mask(self, infos: dict[str, Any]) -> None:
        """Remember the masks for whoever asks before the next step."""
        self._mask = self._by_robot(infos["action_mask"]).view(bool)

    def _by_robot(self, array: np.ndarray) -> np.ndarray:
        """(B, R, ...) as (B * R, ...), a view."""
        return array.reshape(self.num_envs, *array.shape[2:])

    # what Stable-Baselines3 asks of sub-environments, answered by the one environment

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, once per sub-environment.

        Raises:
            AttributeError: there is none.
        """
        owner = self if hasattr(self, attr_name) else self.vector_env
        return [getattr(owner, attr_name)] * len(self._chosen(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the environment below, for all at once.

        Raises:
            ValueError: only some were meant.
        """
        self._refuse_some(indices, f"set_attr({attr_name!r})")
        setattr(self.vector_env, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method once; what it gives, split by sub-environments for ``action_masks``, else repeated.

        Raises:
            AttributeError: there is no such method.
        """
        chosen = self._chosen(indices)
        if method_name == "action_masks":
            return list(self._mask if indices is None else self._mask[chosen])
        owner = self if hasattr(self, method_name) else self.vector_env
        return [getattr(owner, method_name)(*method_args, **method_kwargs)] * len(chosen)

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """No sub-environment is wrapped."""
        return [False] * len(self._chosen(indices))

    def close(self) -> None:
        """Nothing is held open."""

    def _chosen(self, indices: Any) -> list[int]:
        """The sub-environments that are meant."""
        if indices is None:
            return list(range(self.num_envs))
        return list(indices) if isinstance(indices, Iterable) else [int(indices)]

    def _refuse_some(self, indices: Any, what: str) -> None:
        """Sub-environments share one environment, so some cannot be changed without the others.

        Raises:
            ValueError: not all are meant.
        """
        if sorted(self._chosen(indices)) != list(range(self.num_envs)):
            raise ValueError(f"indices={indices!r} is not allowed for {what}: None, sub-environments share everything")
