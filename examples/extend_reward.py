"""A reward of your own: a PettingZoo wrapper that charges robots for acting on old views."""

from typing import Any

import numpy as np
from pettingzoo.utils.wrappers import BaseParallelWrapper

from qdt_env import hospital_rescue_v0


class FreshViews(BaseParallelWrapper):
    """Subtracts ``price`` for every step on which a robot's view is older than ``patience_steps``."""

    def __init__(self, env: Any, price: float = 0.001, patience_steps: int = 3) -> None:
        super().__init__(env)
        self.price, self.patience_steps = price, patience_steps

    def step(self, actions: dict[str, Any]) -> tuple[Any, dict[str, float], Any, Any, dict[str, Any]]:
        """See the environment; the infos say how old each robot's view is."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        for agent, info in infos.items():
            if info["view_age_steps"] > self.patience_steps:
                rewards[agent] -= self.price
        return observations, rewards, terminations, truncations, infos


def play(env: Any, seed: int) -> float:
    """Sum of all robots' rewards of one mission of random allowed actions."""
    observations, _ = env.reset(seed=seed)
    rng, total = np.random.default_rng(seed), 0.0
    while env.agents:
        masks = {agent: np.flatnonzero(observations[agent]["action_mask"]) for agent in env.agents}
        actions = {agent: rng.choice(allowed) for agent, allowed in masks.items()}
        observations, rewards, *_ = env.step(actions)
        total += sum(rewards.values())
    return total


if __name__ == "__main__":
    for threats in ("none", "drop+jam"):
        plain, priced = (wrap(hospital_rescue_v0.parallel_env(threats=threats)) for wrap in (lambda e: e, FreshViews))
        print(f"{threats:<9} {play(plain, seed=3):+.3f} as it is, {play(priced, seed=3):+.3f} with the price")
