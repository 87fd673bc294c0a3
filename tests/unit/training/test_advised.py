"""Missions with advice: the batch observes what the wrapper around one environment does, bit for bit."""

from typing import Any

import numpy as np
import pytest

from agents.advice import NO_ADVICE
from agents.advisor import ADVICE_FEATURES, AdvisorWrapper
from agents.heuristics import make_policy
from qdt_env import hospital_rescue_v0
from qdt_env.vector_env import Condition, RescueVectorEnv
from training.advised import AdvisedTask

SEEDS, SUITES = (3, 4, 11), ("qkd", "psk", "qkd")
STEPS = 180  # a whole mission on the ward; with a near horizon there is nothing to gain and so no advice
PARTS = ("observation", "action_mask")


def batch(planner: str = "exact", scenario: str = "ward", **kinds: Any) -> AdvisedTask:
    conditions = [Condition(scenario, suite, "mixed") for suite in SUITES]
    kinds = {"conditions": conditions, "autoreset_mode": "Disabled", "copy": False} | kinds
    return AdvisedTask(RescueVectorEnv(3, **kinds), planner, unseen=True)


def actions(env: Any, observation: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A rule that hears no advice, of robots that idle, and so ask for some, for two thirds of the time."""
    chosen = make_policy("nearest", env.layout, env.codec).act(observation, mask, np.random.default_rng(0))
    step = np.round(env.layout.feature(observation, "time", "elapsed")[..., 0] * STEPS)
    return np.where(step % 12 < 8, 0, chosen)


def advance(env: AdvisedTask, seen: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What is observed after one step of the rule, and which rows are over."""
    seen, _, terminations, truncations, _ = env.step(actions(env, seen["observation"], seen["action_mask"]))
    return seen, (terminations | truncations).all(1)


def episode(env: AdvisedTask, length: int = STEPS) -> np.ndarray:
    """Observations of a batch at its first steps."""
    seen, _ = env.reset(seed=list(SEEDS))
    steps = [seen["observation"].copy()]
    for _ in range(length):
        seen, _ = advance(env, seen)
        steps.append(seen["observation"].copy())
    return np.array(steps)


def alone(seed: int, suite: str, planner: str, scenario: str, length: int) -> list[dict[str, np.ndarray]]:
    """Observations of the wrapped environment at its first steps."""
    inner = hospital_rescue_v0.parallel_env(scenario, suite=suite, threats="mixed")
    env = AdvisorWrapper(inner, planner, unseen=True)
    observations, _ = env.reset(seed=seed)
    seen = [{agent: one["observation"] for agent, one in observations.items()}]
    for _ in range(length):
        both = (np.stack([observations[agent][part] for agent in env.agents])[None] for part in PARTS)
        observations, *_ = env.step(dict(zip(env.agents, actions(inner, *both)[0].tolist(), strict=True)))
        seen.append({agent: one["observation"] for agent, one in observations.items()})
    return seen


@pytest.mark.parametrize(
    ("planner", "scenario", "length", "least"), [("greedy", "clinic", 20, 60), ("random", "ward", STEPS, 3)]
)
def test_every_row_observes_what_the_wrapped_environment_does(
    planner: str, scenario: str, length: int, least: int
) -> None:
    env = batch(planner, scenario)
    steps, given = episode(env, length), 0
    for row, (seed, suite) in enumerate(zip(SEEDS, SUITES, strict=True)):
        for together, apart in zip(steps, alone(seed, suite, planner, scenario, length), strict=True):
            for agent, observation in apart.items():
                assert np.array_equal(observation, together[row, int(agent[-1])])
                given += int(env.layout.feature(observation, "advice", "given")[0])
    assert given > least and all(one.plans > 0 for one in env.spent)


def test_a_batch_with_advice_starts_anew_and_repeats() -> None:
    env = batch("random")

    assert np.array_equal(episode(env), episode(env))


def test_a_row_that_is_over_is_asked_nothing() -> None:
    env = batch()
    seen, _ = env.reset(seed=list(SEEDS))
    for _ in range(STEPS):
        seen, over = advance(env, seen)
    assert over.all()
    plans, last = [one.plans for one in env.spent], seen["observation"].copy()
    seen, _ = advance(env, seen)
    assert [one.plans for one in env.spent] == plans and np.array_equal(seen["observation"], last)


def test_advice_that_the_mask_rules_out_is_not_shown() -> None:
    env = batch()
    seen, _ = env.reset(seed=list(SEEDS))
    while not env.layout.feature(seen["observation"], "advice", "given").any():
        seen, _ = advance(env, seen)
    held, flat, mask = env._held, env.env._mixture.out.observation, seen["action_mask"].copy()
    row, robot = np.argwhere(env.layout.feature(seen["observation"], "advice", "given")[..., 0] > 0.5)[0]
    assert held.patient[row, robot] != NO_ADVICE
    mask[row, robot, held.action[row, robot]] = 0
    assert not held.block(flat, mask)[row, robot].any()
    assert held.block(flat, mask).shape == (3, 3, len(ADVICE_FEATURES))


def test_batches_that_cannot_be_advised_are_named() -> None:
    with pytest.raises(ValueError, match="autoreset_mode='NextStep' is not allowed: 'Disabled'"):
        batch(autoreset_mode="NextStep")
    with pytest.raises(ValueError, match="action_mask='info' is not allowed: 'obs'"):
        batch(action_mask="info")
    with pytest.raises(ValueError, match="unknown planner 'oracle'"):
        batch("oracle")


def test_a_row_has_its_own_picture_of_the_twin() -> None:
    env = batch()
    env.reset(seed=list(SEEDS))
    env.step(np.zeros((3, 3), np.int32))
    pictures = [env.snapshot(row) for row in range(3)]
    assert [picture.step for picture in pictures] == [1, 1, 1]
    assert (pictures[0].patient_status > 0).sum() != (pictures[2].patient_status > 0).sum()
    with pytest.raises(ValueError, match="row=3 is not allowed: a whole number in 0..2"):
        env.snapshot(3)
