"""A fresh process plays the same episodes: nothing depends on hashing, addresses, caches or what ran before."""

from functools import partial
from typing import Any

import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.testing import check_fresh_process

MISSIONS: list[dict[str, Any]] = [
    {"scenario": "ward", "suite": "qkd", "threats": "mixed", "action_mask": "info"},
    {"scenario": "ward", "suite": "hybrid", "threats": "random", "control": "move", "observation": "graph"},
    {"scenario": "clinic", "suite": "qkd", "threats": "insider"},
]


@pytest.mark.parametrize("mission", MISSIONS, ids=lambda mission: "-".join(map(str, mission.values())))
def test_a_fresh_process_plays_the_same_episodes(mission: dict[str, Any]) -> None:
    """Whole episodes: rewards, observations, masks, infos and state, bit by bit."""
    steps = 720 if mission["scenario"] == "clinic" else 200
    assert check_fresh_process(partial(hospital_rescue_v0.parallel_env, **mission), steps=steps, seed=11) > steps


def test_a_fresh_process_plays_the_same_in_the_real_clinic(clinic_path: Any) -> None:
    make = partial(hospital_rescue_v0.parallel_env, clinic_path, threats="eavesdrop")
    assert check_fresh_process(make, steps=200, seed=11) > 200
