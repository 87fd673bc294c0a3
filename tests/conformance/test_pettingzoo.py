"""PettingZoo's own tests, for every scenario, control, observation and place of the mask."""

import warnings
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
    state_test,
)

from qdt_env import hospital_rescue_v0
from qdt_env.scenario import ScenarioConfig

# api_test accepts a Dict observation in silence only from seven of PettingZoo's own games, which it knows by name.
ABOUT_DICTS = {
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete",
}
# A lost robot sees zeros, as agents of PettingZoo's knights_archers_zombies do, which api_test exempts by name.
ABOUT_ZEROS = {"Observation numpy array is all zeros."}
CYCLES = 40
Load = Callable[[str], ScenarioConfig]


def seeded(env: Any) -> Any:
    """The same environment with seeded action spaces: PettingZoo's tests sample from them."""
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    return env


def warnings_of_api_test(env: Any, cycles: int) -> set[str]:
    """What PettingZoo's api_test warns about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        api_test(seeded(env), num_cycles=cycles)
    return {str(warning.message) for warning in caught}


def test_apis_seeds_and_state(
    scenario_named: Load, scenario: str, control: str, observation: str, action_mask: str
) -> None:
    """No warning but those that PettingZoo raises about every Dict observation."""
    config = scenario_named(scenario)
    kinds = {"control": control, "observation": observation, "action_mask": action_mask, "max_cycles": CYCLES // 2}
    make = partial(hospital_rescue_v0.parallel_env, config, **kinds)
    make_aec = partial(hospital_rescue_v0.env, scenario=config, **kinds)
    make_raw = partial(hospital_rescue_v0.raw_env, scenario=config, **kinds)
    parallel_api_test(seeded(make()), num_cycles=CYCLES)
    parallel_seed_test(make, num_cycles=CYCLES)
    seed_test(make_aec, num_cycles=CYCLES)
    state_test(seeded(make_aec()), make())
    is_dict = observation == "graph" or action_mask in ("obs", "rllib")
    for env in (make_aec(), make_raw()):
        assert warnings_of_api_test(env, CYCLES) == (ABOUT_DICTS if is_dict else set())


@pytest.mark.parametrize("control", ["task", "move"])
def test_mission_length(scenario_named: Load, scenario: str, control: str) -> None:
    config = scenario_named(scenario)
    module = SimpleNamespace(
        parallel_env=partial(hospital_rescue_v0.parallel_env, config, control=control),
        env=partial(hospital_rescue_v0.env, scenario=config, control=control),
    )
    max_cycles_test(module)


@pytest.mark.slow
def test_rendering(scenario_named: Load, scenario: str) -> None:
    """Slow since our own check draws the same, and more."""
    render_test(partial(hospital_rescue_v0.env, scenario=scenario_named(scenario)))


@pytest.mark.parametrize("action_mask", ["obs", "info"])
def test_lost_robots(scenario_named: Load, action_mask: str) -> None:
    """Whole episodes in which robots are lost, alone and all together."""
    kinds: dict[str, Any] = {"scenario": scenario_named("shaking"), "action_mask": action_mask}
    for keep_dead in (False, True):
        env = hospital_rescue_v0.parallel_env(**kinds, keep_dead=keep_dead)
        parallel_api_test(seeded(env), num_cycles=1000)
        raised = warnings_of_api_test(hospital_rescue_v0.env(**kinds, keep_dead=keep_dead), 1000)
        assert raised - ABOUT_ZEROS == (ABOUT_DICTS if action_mask == "obs" else set())
