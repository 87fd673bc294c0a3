"""The Stable-Baselines3 VecEnv: rows and robots as sub-environments, ends, masks, seeds; MaskablePPO trains on it."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the extra 'clients'")

from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.vec_env import VecMonitor

from qdt_env.scenario import ScenarioConfig
from qdt_env.vector_env import RescueVectorEnv
from training.sb3_env import RescueVecEnv

pytestmark = pytest.mark.slow


def legal(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random actions that the masks allow."""
    return (rng.random(masks.shape) * masks).argmax(-1)


def test_it_shows_what_the_vector_env_shows_and_says_how_missions_end(shaking_ward: ScenarioConfig) -> None:
    game: dict[str, Any] = {"scenario": shaking_ward, "threats": "mixed", "max_cycles": 60}
    ended, lost_alone = 0, 0
    env, plain = RescueVecEnv(3, **game), RescueVectorEnv(3, autoreset_mode="SameStep", **game)
    assert env.num_envs == 9 and env.seed(4) == [4, 4, 4, 5, 5, 5, 6, 6, 6]
    rng = np.random.default_rng(0)
    seen = env.reset()
    shown, _ = plain.reset(seed=4)
    for _ in range(130):
        np.testing.assert_array_equal(seen, shown["observation"].reshape(9, -1))
        masks = get_action_masks(env)
        np.testing.assert_array_equal(masks, shown["action_mask"].reshape(9, -1) == 1)
        actions = legal(masks, rng)
        seen, rewards, dones, infos = env.step(actions)
        shown, same, lost, late, told = plain.step(actions.reshape(3, 3))
        np.testing.assert_array_equal(rewards, same.reshape(-1))
        over = told.get("_final_obs", np.zeros(3, bool))
        np.testing.assert_array_equal(dones, np.repeat(over, 3))
        ended, lost_alone = ended + int(over.sum()), lost_alone + int((lost & ~over[:, None]).sum())
        for i, info in enumerate(infos):
            row, robot = divmod(i, 3)
            assert bool(info) == bool(over[row])
            if info:
                np.testing.assert_array_equal(
                    info["terminal_observation"], told["final_obs"][row]["observation"][robot]
                )
                assert info["TimeLimit.truncated"] == late[row].any()
                assert info["metrics"]["score"] == told["final_info"]["metrics"]["score"][row]
    assert ended >= 6 and lost_alone > 0


def test_what_was_handed_out_stays_and_seeds_repeat() -> None:
    env = RescueVecEnv(2, max_cycles=10)
    env.seed(1)
    first, mask = env.reset(), env.action_masks()
    kept, kept_mask = first.copy(), mask.copy()
    env.step(legal(env.action_masks(), np.random.default_rng(0)))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(mask, kept_mask)
    assert not np.array_equal(env.reset(), kept), "the next episode"
    env.seed(1)
    np.testing.assert_array_equal(env.reset(), kept)
    assert len(set(env.seed(None))) == 2


def test_sub_environments_are_asked_as_stable_baselines3_asks() -> None:
    env = RescueVecEnv(2)
    env.seed(0)
    env.reset()
    assert is_masking_supported(env) and env.has_attr("layout") and not env.has_attr("no such thing")
    assert env.get_attr("codec", [0, 5]) == [env.vector_env.codec] * 2
    masks = env.env_method("action_masks", indices=[4])
    np.testing.assert_array_equal(masks, env.action_masks()[4:5])
    assert len(env.env_method("metrics")) == 6
    assert env.env_is_wrapped(VecMonitor) == [False] * 6
    with pytest.raises(ValueError, match="indices=.0. is not allowed for set_attr"):
        env.set_attr("threads", 1, [0])


def test_maskable_ppo_trains_on_it_and_never_breaks_a_mask() -> None:
    env = VecMonitor(RescueVecEnv(4, max_cycles=30))
    model = MaskablePPO("MlpPolicy", env, n_steps=32, batch_size=96, n_epochs=2, seed=0, device="cpu")
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(768)
    assert model.num_timesteps == 768
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))
    rollout = model.rollout_buffer
    taken = rollout.actions.reshape(-1).astype(int)
    assert rollout.action_masks.reshape(len(taken), -1)[np.arange(len(taken)), taken].all()
    assert len(model.ep_info_buffer) == 2 * env.num_envs, "two missions of 30 steps in 64"


@pytest.mark.parametrize("name", ["copy", "autoreset_mode", "action_mask"])
def test_what_stable_baselines_needs_cannot_be_taken_away(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        RescueVecEnv(2, **{name: False})
