"""Our own suite, for every scenario, control, observation and place of the mask."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.scenario import ScenarioConfig
from qdt_env.testing import CHECKS, check_lost_agents, check_parallel_env, check_render

ELSEWHERE = {"render", "fresh_process", "lost_agents"}  # the same for all of these: tested below and in integration/
Load = Callable[[str], ScenarioConfig]


def test_contract(scenario_named: Load, scenario: str, control: str, observation: str, action_mask: str) -> None:
    make = partial(
        hospital_rescue_v0.parallel_env,
        scenario_named(scenario),
        control=control,
        observation=observation,
        action_mask=action_mask,
        threats="random",
        max_cycles=15,
    )
    unmasked = {"masks"} if action_mask == "none" else set()
    cases = check_parallel_env(make, steps=40, seed=5, skip=ELSEWHERE | unmasked)
    assert min(cases.values()) > 0, cases
    assert cases["rewards_and_ends"] >= 2


@pytest.mark.parametrize(
    "kinds",
    [
        {"suite": "qkd", "threats": "mixed"},
        {"suite": "plaintext", "threats": "tamper+drop", "control": "move", "observation": "graph"},
        pytest.param(
            {"suite": "qkd-otp", "threats": "random", "reward": "individual", "action_mask": "info"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"suite": "psk", "threats": "delay", "keep_dead": True, "perfect_information": True}, marks=pytest.mark.slow
        ),
    ],
    ids=["attacked", "forged", "randomised", "privileged"],
)
def test_contract_in_whole_missions(scenario_named: Load, kinds: dict[str, Any]) -> None:
    """Several whole missions with aftershocks, fires and robots lost."""
    make = partial(hospital_rescue_v0.parallel_env, scenario_named("shaking"), **kinds)
    cases = check_parallel_env(make, steps=400, seed=0, skip={"render", "fresh_process"})
    assert set(cases) == set(CHECKS) - {"render", "fresh_process"}
    assert min(cases.values()) > 0, cases
    assert cases["lost_agents"] >= 2


@pytest.mark.parametrize("observation", ["flat", "graph"])
@pytest.mark.parametrize("control", ["task", "move"])
def test_lost_robots(scenario_named: Load, control: str, observation: str) -> None:
    make = partial(
        hospital_rescue_v0.parallel_env,
        scenario_named("shaking"),
        control=control,
        observation=observation,
        threats="mixed",
    )
    assert check_lost_agents(make, steps=900) >= 3


def test_rendering(scenario_named: Load, scenario: str) -> None:
    make = partial(hospital_rescue_v0.parallel_env, scenario_named(scenario), threats="mixed")
    assert check_render(make, steps=3) == 12
