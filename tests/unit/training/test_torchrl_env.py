"""The TorchRL environment passes TorchRL's checks and shows what RescueVectorEnv shows, without a copy where asked."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torchrl", reason="needs the extra 'clients'")

import torch
from torchrl.envs.utils import check_env_specs

from qdt_env.scenario import ScenarioConfig
from qdt_env.spaces import ROBOT_INFO
from qdt_env.vector_env import RescueVectorEnv
from training.torchrl_env import RescueTorchEnv

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("more", [{}, {"copy": False}, {"state": True, "info": ROBOT_INFO}, {"info": ()}])
def test_it_passes_torchrls_checks(more: dict[str, Any]) -> None:
    check_env_specs(RescueTorchEnv(3, threats="mixed", max_cycles=40, **more), seed=1)


def test_a_rollout_is_that_of_the_vector_env_across_resets_and_losses(shaking_ward: ScenarioConfig) -> None:
    game: dict[str, Any] = {"scenario": shaking_ward, "threats": "mixed", "max_cycles": 60}
    env = RescueTorchEnv(4, info=("score", "step"), state=True, **game)
    env.set_seed(5)
    torch.manual_seed(0)
    seen = env.rollout(130, break_when_any_done=False)
    plain = RescueVectorEnv(4, autoreset_mode="Disabled", **game)
    shown, infos = plain.reset(seed=5)
    for step in range(130):
        now = seen[:, step]
        np.testing.assert_array_equal(now["robot", "observation"], shown["observation"])
        np.testing.assert_array_equal(now["robot", "action_mask"], shown["action_mask"] == 1)
        np.testing.assert_array_equal(now["robot", "mask"], infos["alive"])
        actions = now["robot", "action"].numpy()
        assert np.take_along_axis(shown["action_mask"], actions[..., None], -1).all(), "random actions are legal"
        shown, rewards, lost, late, infos = plain.step(actions)
        over = (lost | late).all(1)
        after = now["next"]
        np.testing.assert_array_equal(after["robot", "observation"], shown["observation"])
        np.testing.assert_array_equal(after["robot", "reward"][..., 0], rewards)
        np.testing.assert_array_equal(after["robot", "terminated"][..., 0], lost)
        np.testing.assert_array_equal(after["robot", "truncated"][..., 0], late)
        np.testing.assert_array_equal(after["done"][:, 0], over)
        np.testing.assert_array_equal(after["robot", "info", "score"], infos["score"])
        np.testing.assert_array_equal(after["state"], plain.state())
        if over.any():
            shown, infos = plain.reset(options={"reset_mask": over})
    robots, rows = seen["next", "robot", "terminated"], seen["next", "done"]
    assert rows.sum() >= 8, "each of four rows ended twice"
    assert (robots[..., 0] & ~rows).any(), "robots were lost while others went on"


def test_tensors_share_the_engines_memory_only_when_asked() -> None:
    for copy in (True, False):
        env = RescueTorchEnv(2, copy=copy)
        first = env.reset()["robot", "observation"]
        kept = first.clone()
        out = env.vector_env._mixture.out.observation
        assert np.shares_memory(first.numpy(), out) is not copy
        env.step(env.rand_action(env.reset()))
        assert (torch.equal(first, kept)) is copy, "the engine writes into what it shared"


def test_seeds_name_the_episode() -> None:
    env = RescueTorchEnv(2, max_cycles=5)
    env.set_seed(3)
    first = env.reset()["robot", "observation"].clone()
    assert not torch.equal(first, env.reset()["robot", "observation"]), "the next episode"
    env.set_seed(3)
    assert torch.equal(first, env.reset()["robot", "observation"])


@pytest.mark.filterwarnings("ignore:Creating .*WeightUpdater:DeprecationWarning")  # TorchRL's own
def test_a_collector_collects_from_it() -> None:
    from tensordict.nn import TensorDictModule
    from torchrl.collectors import Collector
    from torchrl.modules import MaskedCategorical, ProbabilisticActor

    env = RescueTorchEnv(8, max_cycles=20)
    net = TensorDictModule(
        torch.nn.Linear(env.vector_env.layout.size, env.vector_env.codec.n),
        in_keys=[("robot", "observation")], out_keys=[("robot", "logits")],
    )  # fmt: skip
    actor = ProbabilisticActor(
        net,
        in_keys={"logits": ("robot", "logits"), "mask": ("robot", "action_mask")},
        out_keys=[("robot", "action")],
        distribution_class=MaskedCategorical,
    )
    limits = {"frames_per_batch": 8 * 30, "total_frames": 8 * 60}
    collector = Collector(env, actor, auto_register_policy_transforms=False, **limits)
    batches = [batch.clone() for batch in collector]
    collector.shutdown()
    assert [tuple(batch.shape) for batch in batches] == [(8, 30), (8, 30)]
    for batch in batches:
        chosen = batch["robot", "action"][..., None]
        assert batch["robot", "action_mask"].gather(-1, chosen).all()
    assert sum(int(batch["next", "done"].sum()) for batch in batches) == 8 * 3


def test_unknown_infos_are_refused() -> None:
    with pytest.raises(ValueError, match="info='lives' is not allowed: of uplink_verdict"):
        RescueTorchEnv(1, info=("lives",))
