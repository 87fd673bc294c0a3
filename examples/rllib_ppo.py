"""RLlib: PPO on the PettingZoo face with RLlib's own masking module; training/rllib.py does it over a cluster.

python examples/rllib_ppo.py --steps 20000
"""

import argparse

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
from ray.tune.registry import register_env

from qdt_env import hospital_rescue_v0

GAME = {"threats": "mixed", "action_mask": "rllib", "max_cycles": 60}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="PPO of RLlib.")
    parser.add_argument("--steps", type=int, default=1200, help="environment steps, of all robots at once")
    if (steps := parser.parse_args().steps) < 1:
        parser.error(f"--steps: got {steps}, allowed is 1 or more")
    ray.init(num_cpus=1, include_dashboard=False)
    register_env("rescue", lambda config: ParallelPettingZooEnv(hospital_rescue_v0.parallel_env(**config)))
    algorithm = (
        PPOConfig()
        .environment("rescue", env_config=GAME, disable_env_checking=True)
        .env_runners(num_env_runners=0)
        .multi_agent(policies={"robot"}, policy_mapping_fn=lambda agent, episode, **kwargs: "robot")
        .rl_module(rl_module_spec=RLModuleSpec(module_class=ActionMaskingTorchRLModule))
        .training(train_batch_size_per_learner=600, minibatch_size=300, num_epochs=4, gamma=1.0)
        .build_algo()
    )
    taken = 0
    while taken < steps:
        played = algorithm.train()["env_runners"]
        taken = played["num_env_steps_sampled_lifetime"]
    robots = len(played["agent_episode_returns_mean"])
    print(f"mean return {played['episode_return_mean'] / robots:.3f}")
    algorithm.stop()
    ray.shutdown()
