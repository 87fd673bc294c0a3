"""Stable-Baselines3: PPO on the PettingZoo face through SuperSuit, which knows no masks.

python examples/sb3_supersuit.py --steps 20000

An action that the mask forbids is carried out as "continue". SuperSuit takes no robots that leave: keep_dead=True.
"""

import argparse

import numpy as np
import supersuit
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from qdt_env import hospital_rescue_v0

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="PPO of Stable-Baselines3 through SuperSuit.")
    parser.add_argument("--steps", type=int, default=1440, help="agent-steps")
    if (steps := parser.parse_args().steps) < 1:
        parser.error(f"--steps: got {steps}, allowed is 1 or more")
    face = hospital_rescue_v0.parallel_env(threats="mixed", action_mask="none", keep_dead=True, max_cycles=60)
    robots = supersuit.pettingzoo_env_to_vec_env_v1(face)
    env = VecMonitor(supersuit.concat_vec_envs_v1(robots, 4, num_cpus=0, base_class="stable_baselines3"))
    model = PPO("MlpPolicy", env, n_steps=60, batch_size=240, gamma=1.0, device="cpu")
    model.learn(steps)
    print(f"mean return {np.mean([mission['r'] for mission in model.ep_info_buffer]):.3f}")
