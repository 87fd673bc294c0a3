"""Missions with advice: a batch whose robots observe what an advisor tells them, for learners that decide with it."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from agents.advice import Advisor, Spent
from agents.advice_held import HeldAdvice
from agents.planning import Planner
from agents.quantum.remote import on_qpu, remote_settings
from qdt_env.records import require
from qdt_env.spaces import ActionCodec, ObservationLayout
from qdt_env.twin.snapshot import TwinSnapshot
from qdt_env.vector_env import RescueVectorEnv


class AdvisedTask:
    """A :class:`RescueVectorEnv` whose observations end with the block ``advice``, one advisor per row.

    The same seed and actions give, row by row, the observations of ``agents.advisor.AdvisorWrapper`` around one
    environment. Everything else is that of the batch underneath.

    Attributes:
        num_envs: rows B.
        env: the batch underneath.
        layout: of the longer observation.
    """

    def __init__(self, env: RescueVectorEnv, planner: Planner | str = "greedy", **settings: Any) -> None:
        """Advice for every row of ``env``.

        Args:
            env: whose rows stand still when they are over (autoreset disabled), masks in the observations.
            planner: a planner, or the name of one; the rows share it.
            **settings: of :class:`agents.advice.Advisor`, such as ``every_steps``.

        Raises:
            ValueError: a batch of another kind; PlanningError (a ValueError) for an unknown planner or setting.
        """
        mode = env.metadata["autoreset_mode"]
        require(mode is AutoresetMode.DISABLED, "autoreset_mode", mode.value, "'Disabled' for missions with advice")
        masks = hasattr(env.single_observation_space, "spaces")
        require(masks, "action_mask", "info", "'obs' for missions with advice")
        self.env, self.num_envs = env, env.num_envs
        solver = on_qpu(planner, None)
        advisors = [
            Advisor(solver, env.codec, **remote_settings(solver, row.suite, row.threats) | settings)
            for row in env.conditions
        ]
        self._held = HeldAdvice(advisors, env.layout)
        self.layout: ObservationLayout = self._held.layout
        self._over: np.ndarray = np.zeros(self.num_envs, bool)

    @property
    def codec(self) -> ActionCodec:
        """Action numbers and names."""
        return self.env.codec

    @property
    def state_sizes(self) -> tuple[int, int, int, int]:
        """Zones, passages, patients and robots that the true state has room for."""
        return self.env.state_sizes

    @property
    def spent(self) -> list[Spent]:
        """What each row's planner has spent in its episode."""
        return [advisor.spent for advisor in self._held.advisors]

    def reset(self, *, seed: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every row, see :meth:`RescueVectorEnv.reset`."""
        observations, infos = self.env.reset(seed=seed)
        for advisor in self._held.advisors:
            advisor.spent = Spent()  # a training run would gather the records of a million plans
        for row, (of_row, episode) in enumerate(zip(infos["seed"], infos["episode_number"], strict=True)):
            self._held.reset(row, int(of_row), int(episode))
        self._over[:] = False
        return self._extended(observations), infos

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every row by one step, see :meth:`RescueVectorEnv.step`."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        self._over = np.asarray((terminations | truncations).all(1))
        return self._extended(observations), rewards, terminations, truncations, infos

    def state(self) -> np.ndarray:
        """Privileged: the truth of every row, (B, S) float32."""
        return self.env.state()

    def snapshot(self, row: int = 0) -> TwinSnapshot:
        """The twin's picture of one row."""
        return self.env.snapshot(row)

    def metrics(self) -> dict[str, np.ndarray]:
        """Metrics of every row's episode as it stands, (B,) float64 each."""
        return self.env.metrics()

    def _extended(self, observations: dict[str, Any]) -> dict[str, Any]:
        """Ask the advisors of the rows that go on, and add the block to the observations."""
        flat, mask = observations["observation"], observations["action_mask"]
        self._held.listen(flat, self.env.snapshot, ~self._over)
        return {**observations, "observation": self._held.extended(flat, mask)}
