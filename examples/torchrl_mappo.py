"""TorchRL: MAPPO on the PettingZoo face; actors see their own robot, the critic sees all, masks are obeyed.

python examples/torchrl_mappo.py --steps 6000
"""

import argparse

import torch
from tensordict.nn import TensorDictModule
from torchrl.collectors import Collector
from torchrl.envs.libs.pettingzoo import PettingZooWrapper
from torchrl.modules import MaskedCategorical, MultiAgentMLP, ProbabilisticActor
from torchrl.objectives import ClipPPOLoss, ValueEstimators

from qdt_env import hospital_rescue_v0

SEEN, MASK, ACTION, LOGITS, VALUE, LOG_PROB, REWARD, DONE, TERMINATED = (
    ("robot", name)
    for name in (
        "observation", "action_mask", "action", "logits", "state_value", "log_prob", "reward", "done", "terminated",
    )
)  # fmt: skip


def train(env, steps: int, frames: int) -> float:
    """Collect ``frames``, learn, again, until ``steps``; the mean return of the last batch's missions."""
    robots, size = env.observation_spec[SEEN].shape[-2:]
    shape = {"n_agents": robots, "share_params": True, "depth": 2, "num_cells": 64}
    net = MultiAgentMLP(size, env.full_action_spec[ACTION].space.n, centralized=False, **shape)
    actor = ProbabilisticActor(
        TensorDictModule(net, [SEEN], [LOGITS]), in_keys={"logits": LOGITS, "mask": MASK}, out_keys=[ACTION],
        distribution_class=MaskedCategorical, return_log_prob=True, log_prob_key=LOG_PROB,
    )  # fmt: skip
    critic = TensorDictModule(MultiAgentMLP(size, 1, centralized=True, **shape), [SEEN], [VALUE])
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.01)
    loss.set_keys(reward=REWARD, action=ACTION, value=VALUE, done=DONE, terminated=TERMINATED, sample_log_prob=LOG_PROB)
    loss.make_value_estimator(ValueEstimators.GAE, gamma=1.0, lmbda=0.95)
    learner, mean_return = torch.optim.Adam(loss.parameters(), 3e-4), float("nan")
    limits = {"frames_per_batch": frames, "total_frames": steps, "auto_register_policy_transforms": False}
    for batch in Collector(env, actor, **limits):
        loss.value_estimator(batch)
        rows = batch.reshape(-1)
        for part in [part for _ in range(4) for part in rows[torch.randperm(len(rows))].split(256)]:
            losses = loss(part)
            learner.zero_grad()
            sum(losses[name] for name in ("loss_objective", "loss_critic", "loss_entropy")).backward()
            learner.step()
        mean_return = float(batch["next"][REWARD].sum()) / robots / max(1, int(batch["next", "done"].sum()))
    return mean_return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MAPPO of TorchRL.")
    parser.add_argument("--steps", type=int, default=1200, help="environment steps, of all robots at once")
    if (steps := parser.parse_args().steps) < 1:
        parser.error(f"--steps: got {steps}, allowed is 1 or more")
    face = hospital_rescue_v0.parallel_env(threats="mixed", action_mask="info", keep_dead=True, max_cycles=60)
    env = PettingZooWrapper(face, use_mask=True, done_on_any=False)
    print(f"mean return {train(env, steps, frames=600):.3f}")
