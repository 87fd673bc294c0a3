"""A tiny task that only the map answers."""

from typing import Any

import numpy as np

from qdt_env.graph_layout import GraphLayout
from tests.learning.tasks import TinyTask

HALLS, ROOMS = (1, 2), (3, 4)  # the robot stands at 0; 0-1-3 and 0-2-4, the same way but for what is blocked
PASSAGES = np.array([(0, 1), (0, 2), (1, 3), (2, 4)])


class Ways(TinyTask):
    """One patient's way is blocked two passages from the bed; zones are numbered anew in every row."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.layout = GraphLayout(self.layout, 1 + len(HALLS) + len(ROOMS), len(PASSAGES))

    def features(self, observation: np.ndarray) -> None:
        rng = np.random.default_rng((1e9 * self.noise[:, 0]).astype(np.int64).tolist())
        number = rng.permuted(np.tile(np.arange(self.layout.zones), (self.num_envs, 1)), axis=1)
        side = rng.integers(0, 2, self.num_envs)  # which way leads to patient 0
        rows = np.arange(self.num_envs)
        self.block("edges", observation)[:] = number[:, None, PASSAGES]
        self.block("zones", observation)[rows, 0, number[:, 0], -1] = 1.0
        ways = self.block("ways", observation)
        ways[..., -1] = 0.5
        ways[rows, 0, (1 - self.secret) ^ side, 0] = 1.0  # passage 0 or 1
        beds = np.stack([3 + side, 4 - side], 1)
        self.block("patient_zones", observation)[:, 0, :, 0] = np.take_along_axis(number, beds, 1)

    def block(self, name: str, observation: np.ndarray) -> Any:
        """A block, to be written."""
        view = self.layout.slice(observation, name)
        assert np.shares_memory(view, observation)
        return view
