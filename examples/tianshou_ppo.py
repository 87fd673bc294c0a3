"""Tianshou: masked PPO on the PettingZoo face, robot after robot with one shared policy.

python examples/tianshou_ppo.py --steps 20000

Tianshou plays turn by turn, and the team's reward comes at the turn of its last robot. Its multi-agent algorithms would
credit that to the last robot alone; as one stream of turns it is credited to all. No robot may leave: keep_dead=True.
"""

import argparse

import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, PettingZooEnv
from tianshou.trainer import OnPolicyTrainerParams

from qdt_env import hospital_rescue_v0


class Turns(PettingZooEnv):
    """The robots' turns with the team's reward as one number."""

    def step(self, action):
        """A turn; the reward is the same for all robots."""
        observation, rewards, *ends = super().step(action)
        return observation, rewards[0], *ends


class Net(torch.nn.Module):
    """Logits that obey the mask, or with one output the value."""

    def __init__(self, size: int, outputs: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(size, 64), torch.nn.Tanh(), torch.nn.Linear(64, outputs))
        self.masked = outputs > 1

    def forward(self, obs, state=None, info=None):
        """Called with what ``PettingZooEnv`` makes of the observation."""
        out = self.layers(torch.as_tensor(obs.obs))
        return (out.masked_fill(~torch.as_tensor(obs.mask), -1e9), state) if self.masked else out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="PPO of Tianshou.")
    parser.add_argument("--steps", type=int, default=1440, help="turns, one robot's each")
    if (steps := parser.parse_args().steps) < 1:
        parser.error(f"--steps: got {steps}, allowed is 1 or more")
    turns, game = 4 * 3 * 60, {"threats": "mixed", "keep_dead": True, "max_cycles": 60}  # a mission in each environment
    envs = DummyVectorEnv([lambda: Turns(hospital_rescue_v0.env(**game)) for _ in range(4)])
    size, actions = envs.observation_space[0]["observation"].shape[0], envs.action_space[0]
    policy = DiscreteActorPolicy(actor=Net(size, int(actions.n)), action_space=actions)
    ppo = PPO(policy=policy, critic=Net(size, 1), optim=AdamOptimizerFactory(lr=3e-4), gamma=1.0)
    collector = Collector(ppo, envs, VectorReplayBuffer(turns, 4))
    how = {"max_epochs": 1, "epoch_num_steps": max(turns, steps), "collection_step_num_env_steps": turns}
    how |= {"batch_size": 180, "update_step_num_repetitions": 4, "show_progress": False, "verbose": False}
    ppo.run_training(OnPolicyTrainerParams(training_collector=collector, **how))
    print(f"mean return {collector.collect(n_episode=4, reset_before_collect=True).returns.mean():.3f}")
