"""When a robot on an errand should decide anew: its patient turned out to need longer work than it thought.

Before a patient is seen, robots go by what is usual; the first look can say that freeing takes an hour. Hand-written
and learned policies that think again share this rule.
"""

import numpy as np

from qdt_env.spaces import CONTINUE, WORK_SCALE_MIN, ObservationLayout

_LEAST_MIN = 0.1  # the believed work only falls while somebody digs; by less than this it rises by rounding


class SecondThoughts:
    """Remembers what robots on an errand expected, and says whose patient needs longer; one mission per row.

    A mission's start is read off the time elapsed, so that one object serves mission after mission.
    """

    def __init__(self, layout: ObservationLayout) -> None:
        """For observations of ``layout`` under task control."""
        self.layout = layout
        self._expected = np.zeros((0, 0))

    def due(self, observation: np.ndarray) -> np.ndarray:
        """Robots whose errand turned out longer since the last :meth:`note`, (B, R) bool, of observations (B, R, F)."""
        work, carrying, elapsed = (
            self.layout.feature(observation, block, name)[..., 0]
            for block, name in (("self", "work_left"), ("self", "carrying"), ("time", "elapsed"))
        )
        if self._expected.shape != work.shape:
            self._expected = np.full(work.shape, np.inf)
        longer = work > self._expected + _LEAST_MIN / WORK_SCALE_MIN
        return np.asarray(longer & ~(carrying > 0.5) & (elapsed > 0.0))

    def note(self, observation: np.ndarray, actions: np.ndarray) -> None:
        """What the robots that go on with an errand expect now; whoever begins one waits for its first figure.

        Args:
            observation: (B, R, F), as for :meth:`due`.
            actions: (B, R), what they do next.
        """
        work, busy = (self.layout.feature(observation, "self", name)[..., 0] for name in ("work_left", "busy"))
        self._expected = np.where((actions == CONTINUE) & (busy > 0.5), work, np.inf)
