"""When a robot on an errand should decide anew: its patient turned out to need longer work than it thought.

Before a patient is seen, robots go by what is usual; the first look can say that freeing takes an hour. Hand-written
and learned policies that think again share this rule.
"""

import numpy as np

from qdt_env.spaces import CONTINUE, WORK_SCALE_MIN, ObservationLayout

LEAST_MIN = 0.1  # the believed work only falls while somebody digs; by less than this it rises by rounding


class SecondThoughts:
    """Remembers what robots on an errand expected, and says whose patient needs longer; one mission per row."""

    def __init__(self, layout: ObservationLayout) -> None:
        """For observations of ``layout`` under task control."""
        self.layout = layout
        self.reset()

    def reset(self) -> None:
        """New missions: nobody expects anything."""
        self._expected: np.ndarray | None = None

    def due(self, observation: np.ndarray) -> np.ndarray:
        """Robots whose errand turned out longer since the last :meth:`note`, (B, R) bool, of observations (B, R, F)."""
        work = self.layout.feature(observation, "self", "work_left")[..., 0]
        if self._expected is None:
            return np.zeros(work.shape, bool)
        carrying = self.layout.feature(observation, "self", "carrying")[..., 0] > 0.5
        return np.asarray((work > self._expected + LEAST_MIN / WORK_SCALE_MIN) & ~carrying)

    def note(self, observation: np.ndarray, actions: np.ndarray) -> None:
        """What the robots expect now; whom ``actions`` (B, R) give another errand, waits for its first figure."""
        work = self.layout.feature(observation, "self", "work_left")[..., 0]
        self._expected = np.where(actions == CONTINUE, work, np.inf)
