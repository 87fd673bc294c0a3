"""What the public calls refuse: the argument is named, with what was given and what is allowed."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.random import SEEDS, seed_array, whole_number
from qdt_env.scenario import load_scenario, with_horizon
from qdt_env.security.simulate import simulate_link
from qdt_env.vector_env import Condition, RescueVectorEnv
from training.rollout import run_missions
from training.story import tell

GYM = "qdt_env:HospitalRescue-v0"
FACES: dict[str, Callable[..., Any]] = {
    "parallel": hospital_rescue_v0.parallel_env,
    "raw": hospital_rescue_v0.raw_env,
    "vector": lambda **given: RescueVectorEnv(2, **given),
    "gym": lambda **given: gymnasium.make(GYM, **given),
    "gym vector": lambda **given: gymnasium.make_vec(GYM, 2, vectorization_mode="vector_entry_point", **given),
}
SHORT = with_horizon(load_scenario("ward"), 2)
NO_SEEDS = (-1, 1.5, "a", SEEDS, None)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scenario": 3}, "scenario=3 is not allowed: ward, clinic, hospital, the path of a building file"),
        ({"scenario": None}, "scenario=None"),
        ({"building_seed": -1}, r"building_seed=-1 is not allowed: a whole number in 0..2\^128-1"),
        ({"suite": ["qkd"]}, r"suite: got \['qkd'\], allowed: plaintext"),
        ({"threats": None}, "threats: got None, allowed: none, eavesdrop"),
        ({"threats": [3]}, "threats: got 3, allowed: none, eavesdrop"),
        ({"max_cycles": 0}, "max_cycles=0 is not allowed: None or 1 to 30000 steps"),
        ({"max_cycles": "9"}, "max_cycles='9'"),
        ({"perfect_information": "no"}, "perfect_information='no' is not allowed: True or False"),
    ],
)
def test_wrong_arguments_are_named_by_every_face(face: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FACES[face](**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"keep_dead": "yes"}, "keep_dead='yes' is not allowed: True or False"),
        ({"ledger": 3}, "ledger=3 is not allowed: the path of a file"),
        ({"record": []}, r"record=\[\] is not allowed: the path of a file"),
    ],
)
def test_wrong_arguments_of_the_parallel_env_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hospital_rescue_v0.parallel_env(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"conditions": ["ward"]}, r"conditions=\['ward'\] is not allowed: None or a list of Condition"),
        ({"conditions": Condition()}, "conditions=Condition.* is not allowed"),
        ({"copy": "yes"}, "copy='yes' is not allowed: True or False"),
        ({"threads": 1.5}, "threads=1.5 is not allowed: 1 or more"),
        ({"num_envs": True}, "num_envs=True is not allowed: 1 or more"),
    ],
)
def test_wrong_arguments_of_the_vector_env_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RescueVectorEnv(**({"num_envs": 2} | given))


def test_what_needs_an_episode_is_refused_before_the_first() -> None:
    env, vector = hospital_rescue_v0.parallel_env(SHORT), RescueVectorEnv(2, SHORT)
    aec = hospital_rescue_v0.env(scenario=SHORT).unwrapped
    calls = {
        "step": [lambda: env.step({}), lambda: vector.step(np.zeros((2, 3), int))],
        "metrics": [env.metrics, aec.metrics, vector.metrics],
        "snapshot": [env.snapshot, aec.snapshot, vector.snapshot],
        "explain_trust": [lambda: env.explain_trust("robot_0")],
    }
    for name, some in calls.items():
        for call in some:
            with pytest.raises(ValueError, match=rf"{name}\(\) before reset\(\) is not allowed: call reset\(\) first"):
                call()
    env.reset(seed=1)
    while env.agents:
        env.step({})
    assert env.step({}) == ({}, {}, {}, {}, {}) and env.metrics() and env.snapshot(), "after the end there is one"


def test_actions_and_options_that_are_no_dicts_are_refused() -> None:
    env = hospital_rescue_v0.parallel_env(SHORT)
    for face in (env, RescueVectorEnv(1, SHORT)):
        with pytest.raises(ValueError, match="options=3 is not allowed: None or a dict"):
            face.reset(seed=1, options=3)  # type: ignore[arg-type]
    env.reset(seed=1)
    with pytest.raises(ValueError, match="actions=None is not allowed: a dict, action number by agent"):
        env.step(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", NO_SEEDS)
def test_no_call_takes_a_seed_out_of_range(seed: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: Episodes(SHORT, GameConfig()).reset(np.zeros(1, int), [seed], [0]),  # type: ignore[arg-type]
        lambda: run_missions(SHORT, GameConfig(), "gain", seeds=[seed]),
        lambda: tell(SHORT, GameConfig(), seed=seed),
        lambda: simulate_link("qkd", "none", seed=seed),
    ]
    if seed is not None:
        faces = (
            hospital_rescue_v0.parallel_env(SHORT),
            RescueVectorEnv(2, SHORT),
            FACES["gym"](scenario=SHORT).unwrapped,
        )
        calls += [lambda face=face: face.reset(seed=seed) for face in faces]  # type: ignore[misc]
    for call in calls:
        with pytest.raises(
            ValueError, match=r"seed.* is not allowed: a whole number in 0\.\.(2\^64-1|1844674407370955161)"
        ):
            call()


@pytest.mark.parametrize("face", ["parallel", "vector", "gym"])
def test_every_seed_up_to_the_last_is_played(face: str) -> None:
    """With "random" threats, too, after a small one, whose type compiled code had kept."""
    env = FACES[face](scenario=SHORT, threats="random")
    for seed in (1, 2**63, SEEDS - 2):
        env.reset(seed=seed)


def test_seeds_and_whole_numbers() -> None:
    assert whole_number(np.uint64(7), "n", 8) == 7 and type(whole_number(np.int8(7), "n", 8)) is int
    assert seed_array(range(3)).tolist() == [0, 1, 2] and seed_array([SEEDS - 1]).dtype == np.uint64
    given = np.array([1, 2], np.uint64)
    assert not np.shares_memory(seed_array(given), given)
    for shaped in (np.array(5), np.zeros((2, 2), np.uint64)):
        with pytest.raises(ValueError, match=r"seeds=array[^:]* is not allowed: one whole number in 0\.\.2\^64-1"):
            seed_array(shaped)
    with pytest.raises(ValueError, match=r"seeds=3 is not allowed: one whole number in 0..2\^64-1 for each mission"):
        seed_array(3)
    with pytest.raises(ValueError, match=r"n=8 is not allowed: a whole number in 0..7"):
        whole_number(8, "n", 8)


def test_missions_need_a_scenario_and_a_game_and_a_policy() -> None:
    for given, words in (
        (("ward", GameConfig(), "gain"), "scenario='ward' is not allowed: a ScenarioConfig, as load_scenario"),
        ((SHORT, "qkd", "gain"), "game='qkd' is not allowed: a GameConfig"),
        ((SHORT, GameConfig(), None), "policy=None is not allowed: a name or the path"),
    ):
        with pytest.raises(ValueError, match=words):
            run_missions(*given)  # type: ignore[arg-type]
