"""What the rows alone do not show: seeds, masks of resets, copies, spaces, errors, pickling, true states, infos."""

import copy
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

from qdt_env import hospital_rescue_v0
from qdt_env.engine.metrics import METRICS
from qdt_env.gym_env import HospitalRescueVectorEnv
from qdt_env.scenario import load_scenario
from qdt_env.spaces import ROBOT_INFO
from qdt_env.vector_env import Condition, RescueVectorEnv

WAIT = np.full((3, 3), 30)


def made(**kinds: Any) -> RescueVectorEnv:
    """Three short wards."""
    return RescueVectorEnv(3, **{"max_cycles": 4, **kinds})


def test_shapes_and_spaces() -> None:
    env = made()
    obs, infos = env.reset(seed=1)
    size, n = env.layout.size, env.codec.n
    assert obs["observation"].shape == (3, 3, size) and obs["action_mask"].shape == (3, 3, n)
    assert obs in env.observation_space and env.action_space.contains(env.action_space.sample())
    row = {name: value[0] for name, value in obs.items()}
    assert row in env.single_observation_space
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert "autoreset_mode" not in RescueVectorEnv.metadata, "metadata of one env must not become that of all"
    assert {*ROBOT_INFO, "alive", "seed", "episode_number"} == infos.keys()
    assert {value.shape[0] for value in infos.values()} == {3}
    _, rewards, terminations, truncations, _ = env.step(WAIT)
    assert rewards.shape == terminations.shape == truncations.shape == (3, 3)
    assert rewards.dtype == np.float32 and terminations.dtype == truncations.dtype == np.bool_


def test_seeds_of_rows() -> None:
    one, other = made(), made()
    first, infos = one.reset(seed=40)
    assert infos["seed"].tolist() == [40, 41, 42] and infos["episode_number"].tolist() == [0, 0, 0]
    listed, _ = other.reset(seed=[42, 41, 40])
    for name, values in first.items():
        assert (values == listed[name][::-1]).all()
        assert (values[0] != values[1]).any() or name == "action_mask"
    again, infos = one.reset()
    assert infos["seed"].tolist() == [40, 41, 42] and infos["episode_number"].tolist() == [1, 1, 1]
    third, _ = other.reset(seed=40, options={"episode": [1, 0, 1]})
    assert (again["observation"][[0, 2]] == third["observation"][[0, 2]]).all()
    assert (again["observation"][1] != third["observation"][1]).any()
    assert (first["observation"][1] == third["observation"][1]).all()
    unseeded = [made().reset()[1]["seed"].tolist() for _ in range(2)]
    assert unseeded[0] != unseeded[1], "without a seed two envs must differ"


def test_reset_mask_touches_its_rows_only() -> None:
    env = made(autoreset_mode="Disabled")
    env.reset(seed=3)
    before, *_ = env.step(WAIT)
    obs, infos = env.reset(seed=90, options={"reset_mask": np.array([False, True, False])})
    assert infos["seed"].tolist() == [3, 91, 5] and infos["step"][:, 0].tolist() == [1, 0, 1]
    assert (obs["observation"][[0, 2]] == before["observation"][[0, 2]]).all()
    *_, truncations, infos = [env.step(WAIT) for _ in range(3)][-1]
    assert truncations[:, 0].tolist() == [True, False, True] and infos["_metrics"].tolist() == [True, False, True]
    _, rewards, _, truncations, infos = env.step(WAIT)
    assert truncations.all() and not rewards[[0, 2]].any(), "rows that are over stand still"
    assert infos["_metrics"].tolist() == [False, True, False], "metrics come once"
    *_, infos = env.step(WAIT)
    assert "metrics" not in infos and not infos["alive"].any()


@pytest.mark.parametrize("kind", [RescueVectorEnv, HospitalRescueVectorEnv])
def test_copies_and_shared_arrays(kind: type[RescueVectorEnv]) -> None:
    for copied in (True, False):
        env = kind(2, copy=copied)
        first, _ = env.reset(seed=1)
        kept = {name: values.copy() for name, values in first.items()}
        for _ in range(3):
            later, *_ = env.step(np.full((2, 3), 25))
        for name, values in first.items():
            assert np.shares_memory(values, later[name]) != copied
        unchanged = (kept["observation"] == first["observation"]).all()
        assert unchanged == copied, "a shared array shows the present, a copy what was"


def test_final_info_is_kept_when_arrays_are_shared() -> None:
    env = made(copy=False, autoreset_mode="SameStep", max_cycles=2)
    env.reset(seed=1)
    env.step(WAIT)
    obs, *_, infos = env.step(WAIT)
    last = infos["final_obs"][1]["observation"].copy()
    assert infos["final_info"]["step"].tolist() == [[2, 2, 2]] * 3 and infos["step"].tolist() == [[0, 0, 0]] * 3
    assert infos["final_info"]["episode_number"].tolist() == [0, 0, 0] and infos["episode_number"].tolist() == [1, 1, 1]
    assert (last != obs["observation"][1]).any()
    env.step(WAIT)
    assert (infos["final_obs"][1]["observation"] == last).all() and infos["final_info"]["step"][0, 0] == 2


def test_mask_in_infos_and_torch_like_actions() -> None:
    env = made(action_mask="info")
    obs, infos = env.reset(seed=1)
    assert obs.shape == (3, 3, env.layout.size) and obs in env.observation_space
    assert infos["action_mask"].dtype == np.int8 and infos["action_mask"].shape == (3, 3, env.codec.n)
    env.step(WAIT.astype(np.uint8))
    env.step(WAIT.tolist())


def test_true_state() -> None:
    env, face = made(), hospital_rescue_v0.parallel_env(max_cycles=4)
    env.reset(seed=9)
    face.reset(seed=10)
    env.step(WAIT)
    face.step(dict.fromkeys(face.agents, 30))
    assert env.state() in env.state_space and env.state().dtype == np.float32
    assert (env.state()[1] == face.state()).all()
    assert env.metrics().keys() == set(METRICS)
    assert {name: values[1] for name, values in env.metrics().items()} == face.metrics()


def test_true_state_of_buildings_of_two_sizes() -> None:
    """Each block of the smaller building's state stands where the larger one's does, with zeros behind it."""
    ward = load_scenario("ward")
    large = replace(load_scenario("clinic"), team=ward.team, patients=ward.patient_slots)
    env = RescueVectorEnv(2, conditions=[Condition(ward), Condition(large)])
    env.reset(seed=[5, 6])
    small = hospital_rescue_v0.parallel_env(ward)
    small.reset(seed=5)
    ours, theirs = env.state()[0], small.state()
    assert env.state() in env.state_space
    zones, passages = ward.building.n_zones, ward.building.n_passages
    room, room_passages = large.building.n_zones, large.building.n_passages
    assert (ours[: 3 * zones] == theirs[: 3 * zones]).all() and not ours[3 * zones : 3 * room].any()
    assert (ours[3 * room : 3 * room + passages] == theirs[3 * zones : 3 * zones + passages]).all()
    assert not ours[3 * room + passages : 3 * room + room_passages].any()
    assert (ours[3 * room + room_passages :] == theirs[3 * zones + passages :]).all()


def test_conditions_are_shared_out_evenly() -> None:
    env = RescueVectorEnv(5, conditions=[Condition(suite="psk"), Condition(suite="qkd", threats="mixed")])
    assert [one.suite for one in env.conditions] == ["psk", "psk", "psk", "qkd", "qkd"]


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"num_envs": 0}, "num_envs=0"),
        ({"action_mask": "rllib"}, "action_mask='rllib'"),
        ({"autoreset_mode": "later"}, "autoreset_mode='later' is not allowed: one of NextStep, SameStep, Disabled"),
        ({"threads": 0}, "threads=0"),
        ({"suite": "rot13"}, "rot13"),
        ({"conditions": []}, "conditions=0 is not allowed: 1 to num_envs=3"),
        (
            {"conditions": [Condition("ward"), Condition("clinic")]},
            "'clinic' with 8 robots is not allowed beside 'ward'",
        ),
        (
            {"control": "move", "conditions": [Condition(), Condition(building_seed=1)]},
            "8 passages at a zone is not allowed beside 'ward' with 7",
        ),
    ],
)
def test_impossible_envs_are_refused(kinds: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        RescueVectorEnv(**{"num_envs": 3, **kinds})


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((3, 2), int), r"actions.shape=\(3, 2\) is not allowed: \(3, 3\)"),
        (np.zeros((3, 3)), "actions.dtype"),
        (np.array([[0] * 3, [0, 0, 31], [0] * 3]), r"actions\[1, 2\]=31 is not allowed: an integer in 0..30"),
        (np.full((3, 3), -1), r"actions\[0, 0\]=-1"),
        (np.full((3, 3), 2**32), r"actions\[0, 0\]=4294967296"),
    ],
)
def test_impossible_actions_are_refused(actions: np.ndarray, message: str) -> None:
    env = made()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)


@pytest.mark.parametrize(
    ("seed", "options", "message"),
    [
        (-1, {}, "seed"),
        ([1, 2], {}, r"seed=\[1, 2\] is not allowed: one whole number, or 3, one per row"),
        (2**64 - 2, {}, "seed"),
        ([1, 2, 0.5], {}, "seed"),
        (1, {"episode": 2**32}, r"options\['episode'\]"),
        (1, {"reset_mask": np.ones(2, bool)}, "reset_mask"),
        (1, {"reset_mask": np.ones(3)}, "reset_mask"),
    ],
)
def test_impossible_resets_are_refused(seed: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made().reset(seed=seed, options=options)


def test_what_infos_say_of_an_episode_starts_it_again() -> None:
    env = made()
    env.reset(seed=np.arange(3))
    first, infos = env.reset(seed=[7, 2**64 - 1, 5], options={"episode": [0, 4, 2]})
    again, infos_again = env.reset(seed=infos["seed"], options={"episode": infos["episode_number"]})
    assert (first["observation"] == again["observation"]).all()
    assert infos_again["seed"].tolist() == [7, 2**64 - 1, 5] and infos_again["episode_number"].tolist() == [0, 4, 2]
    with pytest.raises(
        ValueError, match=r"seed\[0\]=np.float64\(0\.5\) is not allowed: a whole number in 0\.\.2\^64-1"
    ):
        env.reset(seed=np.array([0.5, 1.0, 2.0]))


def test_steps_before_a_reset_are_refused() -> None:
    env = made()
    with pytest.raises(ValueError, match="before reset"):
        env.step(WAIT)
    env.reset(seed=1, options={"reset_mask": np.array([True, False, False])})
    with pytest.raises(ValueError, match="before reset"):
        env.step(WAIT)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("kind", [RescueVectorEnv, HospitalRescueVectorEnv])
def test_copies_go_on_where_the_original_stood(copied: Any, kind: type[RescueVectorEnv]) -> None:
    env = kind(3, max_cycles=4, threats="mixed", threads=2)
    env.reset(seed=1)
    env.step(WAIT)
    other = copied(env)
    for _ in range(6):
        ours, theirs = env.step(WAIT), other.step(WAIT)
        assert (ours[0]["observation"] == theirs[0]["observation"]).all()
        assert all((one == two).all() for one, two in zip(ours[1:4], theirs[1:4], strict=True))


def test_a_mixture_of_buildings_refuses_to_be_copied() -> None:
    env = RescueVectorEnv(2, conditions=[Condition(), Condition(building_seed=2)])
    with pytest.raises(TypeError, match="2 engines cannot be copied"):
        copy.deepcopy(env)


def test_gymnasiums_vector_wrappers() -> None:
    """Statistics of episodes, and infos as lists, for all three modes."""
    for mode in AutoresetMode:
        env = DictInfoToList(RecordEpisodeStatistics(HospitalRescueVectorEnv(3, max_cycles=4, autoreset_mode=mode)))
        _, infos = env.reset(seed=2)
        assert len(infos) == 3
        total = np.zeros(3)
        for _ in range(4):
            _, rewards, _, truncations, infos = env.step(WAIT)
            total += rewards
        assert truncations.all()
        for b, info in enumerate(infos):
            assert info["episode"]["l"] == 4 and info["episode"]["r"] == pytest.approx(total[b])
            ended = info["final_info"] if mode is AutoresetMode.SAME_STEP else info
            assert ended["metrics"]["return"] == pytest.approx(total[b], abs=1e-5)
