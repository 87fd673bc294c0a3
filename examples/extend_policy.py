"""A policy of your own: a rank of patients, compared with the package's policies on the same missions."""

import numpy as np

from agents.heuristics import GreedyPolicy, Outlook
from agents.policies import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario
from training.rollout import play
from training.statistics import paired_difference, said


def rank_certain(outlook: Outlook) -> np.ndarray:
    """(B, P): survival gained per minute; patients whom nobody has seen count half."""
    gain = outlook.survival_at_handover - outlook.survival_if_left
    return np.where(outlook.known, 1.0, 0.5) * gain / np.maximum(outlook.handover_min, 0.5)


def scores(name: str, seeds: np.ndarray) -> np.ndarray:
    """(N,) scores of the ward under mixed threats, one per seed."""
    episodes = Episodes(load_scenario("ward"), GameConfig("qkd", "mixed"), episodes=seeds.size)
    if name == "certain":
        policy = GreedyPolicy(rank_certain, name, episodes.layout, episodes.codec)
    else:
        policy = make_policy(name, episodes.layout, episodes.codec)
    play(episodes, policy, seeds)
    return np.array([episodes.metrics(row)["score"] for row in range(episodes.n)])


if __name__ == "__main__":
    seeds = np.arange(1_000_000, 1_000_032, dtype=np.uint64)
    found = {name: scores(name, seeds) for name in ("certain", "gain", "nearest")}
    for name, values in found.items():
        print(f"{name:<8} {values.mean():.3f}")
    print(said(paired_difference(found["certain"], found["gain"]), "certain", "gain"))
