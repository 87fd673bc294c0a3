"""Trainer and evaluation show a policy the same map; a policy that reads it is trained, saved, loaded and played."""

from pathlib import Path

import numpy as np
import pytest

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario, with_horizon
from qdt_env.vector_env import Condition, RescueVectorEnv
from training.entries import Entry, made_policy
from training.graph_missions import GraphMissions, GraphSight


def test_training_and_evaluation_see_the_same() -> None:
    scenario, seeds = with_horizon(load_scenario("ward"), 5), np.array([7, 8, 9], np.uint64)
    env = GraphMissions(RescueVectorEnv(3, conditions=[Condition(scenario, "psk", "drop")], observation="graph"))
    episodes = Episodes(scenario, GameConfig("psk", "drop"), 3)
    sight = GraphSight(episodes)
    assert vars(env.layout) == vars(sight.layout)
    seen, _ = env.reset(seed=seeds.tolist())
    episodes.reset(np.arange(3), seeds, np.zeros(3, np.int64))
    wait = np.full((3, 3), env.codec.wait)
    for _ in range(4):
        assert seen["observation"].tobytes() == sight.look().tobytes()
        assert (seen["action_mask"] == episodes.out.mask).all()
        seen, *_ = env.step(wait)
        episodes.step(wait)
    assert (env.state() == env.env.state()).all() and env.metrics().keys() == env.env.metrics().keys()


def test_a_policy_that_reads_the_map_can_be_evaluated(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="learned policies need PyTorch: make setup-all")
    from agents.learned import save_policy
    from agents.networks import NetworkConfig, TeamPolicy

    path = tmp_path / "map.safetensors"
    save_policy(path, TeamPolicy(NetworkConfig(graph=1)), {})
    scenario = load_scenario("ward")
    for advisor in ("none", "greedy"):  # it was not trained with advice and is not shown any
        policy, layout = made_policy(Entry(str(path), advisor), scenario, GameConfig("qkd", "mixed"))
        assert policy.graph and "zones" in layout.blocks and "advice" not in layout.blocks


@pytest.mark.slow
def test_a_policy_that_reads_the_map_is_trained_saved_and_played(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the trainer needs PyTorch: make setup-all")
    from agents.networks import NetworkConfig
    from training.ppo import PpoConfig
    from training.rollout import run_missions
    from training.run import MissionMix, train_run

    mix = MissionMix("ward", buildings=2, threats=("mixed", "none"), rows=4, max_cycles=12)
    config = PpoConfig(iterations=2, imitated=1, epochs=1, network=NetworkConfig(graph=2))
    path = train_run(tmp_path, mix, config)
    game, scenario = GameConfig("qkd", "mixed"), with_horizon(load_scenario("ward", building_seed=5), 12)
    first, again = (run_missions(scenario, game, str(path), seeds=range(3)) for _ in range(2))
    assert first.episodes.state.clock["over"].all()
    assert first.episodes.out.observation.tobytes() == again.episodes.out.observation.tobytes()
    advised = run_missions(scenario, game, str(path), "greedy", seeds=range(2))
    assert advised.spent is not None and advised.episodes.state.clock["over"].all()
