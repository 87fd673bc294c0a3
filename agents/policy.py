"""What a policy is: delivered observations and masks in, actions out. It never sees the engine's state."""

from typing import Protocol

import numpy as np

from qdt_env.spaces import ActionCodec, ObservationLayout


class Policy(Protocol):
    """Chooses the team's actions.

    Attributes:
        name: for tables and the command line.
        perfect_information: the policy is meant for an environment with ``perfect_information=True``, an explicit
            privilege; its name says so.
    """

    name: str
    perfect_information: bool

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Actions of all robots in all episodes.

        Args:
            observation: (B, R, F) float32, as delivered to each robot.
            mask: (B, R, A) int8, 1 where an action is allowed.
            rng: source of randomness; the only one.

        Returns:
            (B, R) int32 action numbers, allowed by the mask.
        """
        ...


class RandomPolicy:
    """A uniformly random allowed task whenever a robot has none; otherwise it continues."""

    def __init__(self, layout: ObservationLayout, codec: ActionCodec, perfect_information: bool = False) -> None:
        """For observations and actions of the given layout and codec (either control)."""
        self.layout = layout
        self.perfect_information = perfect_information
        self.name = "perfect-random" if perfect_information else "random"

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`Policy`."""
        score = rng.random(mask.shape) * mask
        score[..., 0] = np.minimum(score[..., 0], 1e-9)  # continue only where nothing else is allowed
        actions = score.argmax(-1)
        busy = self.layout.feature(observation, "self", "busy")[..., 0] > 0.5
        return np.where(busy & (mask[..., 0] == 1), 0, actions).astype(np.int32)


class WaitPolicy:
    """Does nothing: the zero of every score."""

    name = "wait"
    perfect_information = False

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`Policy`."""
        return np.where(mask[..., -1] == 1, mask.shape[-1] - 1, 0).astype(np.int32)
