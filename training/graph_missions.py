"""Missions for policies that read the map: each robot's observation and believed building as one vector."""

from typing import Any

import numpy as np

from qdt_env.engine.belief_graph import BeliefGraphs, edges_of, empty_graphs, write_graphs
from qdt_env.engine.episodes import Episodes
from qdt_env.graph_layout import GraphLayout
from qdt_env.spaces import ActionCodec
from qdt_env.vector_env import RescueVectorEnv


class GraphMissions:
    """A ``RescueVectorEnv`` with graphs, whose ``observation`` is of a :class:`GraphLayout`; what the trainer takes.

    Attributes:
        env: the environment.
        num_envs, codec, state_sizes: the environment's.
        layout: of the observations, (B, R, size) float32, overwritten by the next step.
    """

    def __init__(self, env: RescueVectorEnv) -> None:
        """Of an environment with ``observation="graph"`` and the mask in the observations."""
        self.env, self.num_envs, self.state_sizes = env, env.num_envs, env.state_sizes
        self.codec: ActionCodec = env.codec
        self.layout = GraphLayout(env.layout, *env.state_sizes[:2])
        self._joined: np.ndarray | None = None

    def reset(self, *, seed: Any = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """As the environment's."""
        seen, infos = self.env.reset(seed=seed)
        return self._in_line(seen), infos

    def step(self, actions: Any) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """As the environment's."""
        seen, rewards, terminations, truncations, infos = self.env.step(actions)
        return self._in_line(seen), rewards, terminations, truncations, infos

    def state(self) -> np.ndarray:
        """Privileged: the truth of every row."""
        return self.env.state()

    def metrics(self) -> dict[str, np.ndarray]:
        """Metrics of every row's episode as it stands."""
        return self.env.metrics()

    def _in_line(self, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The observations as one vector a robot, and the masks."""
        self._joined = self.layout.join(seen, self._joined)
        return {"observation": self._joined, "action_mask": seen["action_mask"]}


class GraphSight:
    """The same of bare :class:`Episodes`.

    Attributes:
        layout: of the observations.
    """

    def __init__(self, episodes: Episodes) -> None:
        """Of these rows."""
        building, flat = episodes.scenario.building, episodes.layout
        self.layout = GraphLayout(flat, building.n_zones, building.n_passages)
        self._episodes = episodes
        self._graphs: BeliefGraphs | None = None
        self._joined: np.ndarray | None = None

    def look(self) -> np.ndarray:
        """What the robots observe now, (B, R, size) float32, overwritten by the next call."""
        rows, layout = self._episodes.n, self.layout
        if self._graphs is None:
            self._graphs = empty_graphs(rows, layout.robots, layout.zones, layout.ways, layout.patients)
        write_graphs(self._episodes, self._graphs)
        edges = np.broadcast_to(edges_of(self._episodes), (rows, layout.ways, 2))
        seen = {"observation": self._episodes.out.observation, "edges": edges, **self._graphs._asdict()}
        self._joined = self.layout.join(seen, self._joined)
        return self._joined
