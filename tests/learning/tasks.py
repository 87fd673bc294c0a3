"""Tasks that fit on a page, each unsolvable for a learner with one particular fault."""

from typing import Any

import numpy as np

from qdt_env.spaces import PATIENT_FEATURES, SELF_FEATURES, ActionCodec, ObservationLayout


class TinyTask:
    """B rows of R robots choosing among P patients for T steps; the same face as ``RescueVectorEnv``.

    Subclasses draw a row's secret, show features and pay rewards. The score is the share of what could be earned.
    """

    patients, robots, steps = 2, 1, 1
    best = 1.0  # what a perfect team earns

    def __init__(self, rows: int) -> None:
        self.num_envs = rows
        self.layout = ObservationLayout(self.patients, 1, self.robots)
        self.codec = ActionCodec("task", self.patients, 1)
        self.state_sizes = (1, 1, self.patients, self.robots)
        self.earned = np.zeros(rows)
        self.first = np.zeros((rows, self.robots), np.int64)

    def reset(self, *, seed: Any = None) -> tuple[Any, dict[str, Any]]:
        rng = np.random.default_rng(list(seed))
        self.secret = rng.integers(0, self.patients, self.num_envs)
        self.noise = rng.random((self.num_envs, self.patients))
        self.step_number = 0
        self.earned[:] = 0.0
        return self._seen(), {"alive": np.ones((self.num_envs, self.robots), bool)}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        mask = self._mask()
        chosen = np.take_along_axis(mask, np.asarray(actions)[..., None], -1)
        assert (chosen == 1).all(), "a masked action was taken"
        if self.step_number == 0:
            self.first = np.asarray(actions) - 1
        reward = self.reward(np.asarray(actions) - 1)
        self.earned += reward
        self.step_number += 1
        over = np.full((self.num_envs, self.robots), self.step_number >= self.steps)
        rewards = np.repeat(reward[:, None], self.robots, 1).astype(np.float32)
        return self._seen(), rewards, np.zeros_like(over), over, {}

    def state(self) -> np.ndarray:
        """Truth for a central critic: which patient is right, and the time."""
        state = np.zeros((self.num_envs, 3 + 1 + 8 * self.patients + 9 * self.robots + 1), np.float32)
        patients = state[:, 4 : 4 + 8 * self.patients].reshape(self.num_envs, self.patients, 8)
        patients[..., 0] = 0.5
        patients[np.arange(self.num_envs), self.secret, 1] = 1.0
        state[:, -1] = self.step_number / self.steps
        return state

    def metrics(self) -> dict[str, np.ndarray]:
        return {"score": self.earned / self.best}

    def show(self, name: str, values: np.ndarray, observation: np.ndarray) -> None:
        """Write patient feature ``name``, values (B, P), for every robot."""
        block = self.layout.blocks["tasks"]
        each = observation[..., block.start : block.stop].reshape(*observation.shape[:-1], block.rows, -1)
        each[..., PATIENT_FEATURES.index(name)] = values[:, None]

    def _seen(self) -> dict[str, np.ndarray]:
        observation = np.zeros((self.num_envs, self.robots, self.layout.size), np.float32)
        self.show("open", np.ones((self.num_envs, self.patients)), observation)
        start = self.layout.blocks["time"].start
        observation[..., start] = self.step_number / self.steps
        self.features(observation)
        return {"observation": observation, "action_mask": self._mask()}

    def _mask(self) -> np.ndarray:
        mask = np.zeros((self.num_envs, self.robots, self.codec.n), np.int8)
        mask[..., -1] = 1
        self.allow(mask[..., 1 : 1 + self.patients])
        return mask

    def right(self) -> np.ndarray:
        """(B, P): 1 for the secret patient."""
        return np.eye(self.patients)[self.secret]

    def features(self, observation: np.ndarray) -> None:
        raise NotImplementedError

    def allow(self, mask: np.ndarray) -> None:
        mask[:] = 1

    def reward(self, chosen: np.ndarray) -> np.ndarray:
        return (chosen[:, 0] == self.secret).astype(float)


class Credit(TinyTask):
    """The first of 25 steps decides; it is paid for at the last one, and other pay comes in between."""

    patients, steps = 4, 25

    def features(self, observation: np.ndarray) -> None:
        self.show("survival_now", self.right(), observation)

    def reward(self, chosen: np.ndarray) -> np.ndarray:
        if self.step_number < self.steps - 1:
            return 0.2 * (self.noise[:, self.step_number % self.patients] - 0.5)
        return (self.first[:, 0] == self.secret).astype(float)


class Memory(TinyTask):
    """What is shown at the first step, which colour of patient is right, is asked for at the fourth."""

    steps = 4

    def features(self, observation: np.ndarray) -> None:
        self.show("rpm", np.tile([0.0, 1.0], (self.num_envs, 1)), observation)
        if self.step_number == 0:
            start = self.layout.blocks["self"].start
            observation[..., start + SELF_FEATURES.index("energy")] = self.secret[:, None]

    def reward(self, chosen: np.ndarray) -> np.ndarray:
        return super().reward(chosen) if self.step_number == self.steps - 1 else np.zeros(self.num_envs)


class Masks(TinyTask):
    """The best-looking patients may not be chosen."""

    patients = 6

    def features(self, observation: np.ndarray) -> None:
        self.show("survival_now", self.noise, observation)

    def allow(self, mask: np.ndarray) -> None:
        mask[:] = (self.noise <= np.sort(self.noise, 1)[:, 2:3])[:, None]

    def reward(self, chosen: np.ndarray) -> np.ndarray:
        return (chosen[:, 0] == np.argsort(self.noise, 1)[:, 2]).astype(float)


class Trust(TinyTask):
    """Two reports about the patients contradict each other; the trusted one is true."""

    def features(self, observation: np.ndarray) -> None:
        lie = self.noise[:, :1] < 0.5
        self.show("survival_now", np.where(lie, 1.0 - self.right(), self.right()), observation)
        self.show("trust", np.where(lie, 0.1, 0.9) * np.ones(2), observation)


class Turns(TinyTask):
    """Two robots that see the same must not choose the same."""

    robots = 2

    def features(self, observation: np.ndarray) -> None:
        self.show("survival_now", np.ones((self.num_envs, self.patients)), observation)

    def reward(self, chosen: np.ndarray) -> np.ndarray:
        both = np.sort(chosen, 1)
        return ((both[:, 0] == 0) & (both[:, 1] == 1)).astype(float)
