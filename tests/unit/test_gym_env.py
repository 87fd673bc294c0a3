"""The dispatcher's env: Gymnasium's own checks, what a step returns, what it refuses. Its rows: tests/conformance."""

import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from qdt_env import hospital_rescue_v0
from qdt_env.engine.metrics import METRICS
from qdt_env.gym_env import HospitalRescueEnv, HospitalRescueVectorEnv
from qdt_env.spaces import ROBOT_INFO

ID = "qdt_env:HospitalRescue-v0"


@pytest.mark.parametrize("game", [{}, {"action_mask": "info"}, {"control": "move", "threats": "mixed"}], ids=str)
def test_gymnasiums_checks(game: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, **game).unwrapped, skip_render_check=True)


@pytest.mark.slow
def test_gymnasiums_checks_of_rendering() -> None:
    check_env(gymnasium.make(ID, render_mode="rgb_array").unwrapped)


def test_one_mission_is_the_robots_mission() -> None:
    """Joint observation, masks, infos and the team's reward are the robots', end to end; metrics come at the end."""
    env, face = gymnasium.make(ID, max_cycles=5), hospital_rescue_v0.parallel_env(max_cycles=5)
    (obs, info), (theirs, infos) = env.reset(seed=4), face.reset(seed=4)
    env.action_space.seed(0)
    for step in range(5):
        assert (obs["observation"] == np.concatenate([one["observation"] for one in theirs.values()])).all()
        assert (obs["action_mask"] == np.stack([one["action_mask"] for one in theirs.values()])).all()
        assert {*ROBOT_INFO, "alive"} == info.keys()
        assert all(info["view_age_steps"] == [one["view_age_steps"] for one in infos.values()])
        actions = env.action_space.sample(mask=tuple(obs["action_mask"]))
        obs, reward, terminated, truncated, info = env.step(actions)
        theirs, rewards, _, _, infos = face.step(dict(zip(face.agents, actions, strict=True)))
        assert reward == rewards["robot_0"] and terminated is False and truncated is (step == 4)
    assert info["metrics"] == face.metrics() and info["metrics"].keys() == set(METRICS)
    assert not info["alive"].any() and (env.unwrapped.state() == face.state()).all()


def test_the_vector_env_is_found_by_name_and_by_default() -> None:
    for mode in ("vector_entry_point", None):
        env = gymnasium.make_vec(ID, num_envs=2, vectorization_mode=mode, suite="psk", copy=False)
        assert isinstance(env, HospitalRescueVectorEnv) and env.num_envs == 2
        assert env.spec is not None and env.spec.id == "HospitalRescue-v0"
        assert env.reset(seed=1)[0] in env.observation_space
    sync = gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync", suite="psk")
    assert sync.observation_space == env.observation_space and sync.action_space == env.action_space


@pytest.mark.parametrize("kind", [HospitalRescueEnv, HospitalRescueVectorEnv])
def test_what_is_not_a_dispatchers_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="reward='individual' is not allowed: a dispatcher gets the team's reward"):
        kind(reward="individual")
    with pytest.raises(TypeError, match="observation='graph' is not allowed"):
        kind(observation="graph")


def test_impossible_arguments_and_actions_are_refused() -> None:
    with pytest.raises(ValueError, match="action_mask='rllib' is not allowed: 'obs' or 'info'"):
        HospitalRescueEnv(action_mask="rllib")
    env = HospitalRescueEnv(max_cycles=1)
    with pytest.raises(ValueError, match="before reset"):
        env.step([0, 0, 0])
    env.reset(seed=0)
    for actions in ([0, 0], [0, 0, 31], [0, 0, 0.5]):
        with pytest.raises(ValueError, match="action"):
            env.step(actions)
    env.step([0, 0, 0])
    with pytest.raises(ValueError, match="after the end"):
        env.step([0, 0, 0])


def test_importing_the_package_loads_no_environment() -> None:
    """Registered by name only: kernels are loaded when an env is made."""
    code = "import sys, qdt_env; print('numba' in sys.modules, 'qdt_env.gym_env' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
