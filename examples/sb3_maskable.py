"""Stable-Baselines3: MaskablePPO on the batched environment; one policy for all robots, masks are obeyed.

python examples/sb3_maskable.py --steps 100000
"""

import argparse

import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecMonitor

from training.sb3_env import RescueVecEnv

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MaskablePPO of Stable-Baselines3's contrib.")
    parser.add_argument("--steps", type=int, default=11520, help="agent-steps")
    if (steps := parser.parse_args().steps) < 1:
        parser.error(f"--steps: got {steps}, allowed is 1 or more")
    env = VecMonitor(RescueVecEnv(32, threats="mixed", max_cycles=60))
    model = MaskablePPO("MlpPolicy", env, n_steps=60, batch_size=480, gamma=1.0, seed=0, device="cpu")
    model.learn(steps)
    print(f"mean return {np.mean([mission['r'] for mission in model.ep_info_buffer]):.3f}")
