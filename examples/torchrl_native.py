"""TorchRL: the learner of torchrl_mappo.py on the batched environment; nothing but the environment differs.

python examples/torchrl_native.py --steps 100000
"""

import argparse

from torchrl_mappo import train

from training.torchrl_env import RescueTorchEnv

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MAPPO of TorchRL on the batched environment.")
    parser.add_argument("--steps", type=int, default=7680, help="environment steps, of all robots at once")
    if (steps := parser.parse_args().steps) < 1:
        parser.error(f"--steps: got {steps}, allowed is 1 or more")
    env = RescueTorchEnv(64, threats="mixed", max_cycles=60)
    print(f"mean return {train(env, steps, frames=64 * 60):.3f}")
