"""The trainer solves each tiny task, and a learner with the fault that the task is about does not."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the trainer needs PyTorch: make setup-all")

from agents.learned import one_thread  # noqa: E402
from agents.networks import NetworkConfig  # noqa: E402
from tests.learning.tasks import Credit, Masks, Memory, TinyTask, Trust, Turns  # noqa: E402
from training.ppo import Learner, PpoConfig, train  # noqa: E402

ROWS = 128
SOLVED = 0.95


def trained(task: type[TinyTask], at_most: int = 120, algorithm: str = "mappo", seed: int = 0, **network: Any) -> float:
    """Mean score of the last three batches (384 episodes, exploration included) when solved or after ``at_most``."""
    shape = NetworkConfig(**{"width": 16, "hidden": 32, "commits": False, "patience": 1, **network})
    config = PpoConfig(
        algorithm=algorithm, iterations=200, learning_rate=5e-3, entropy=1e-3, epochs=4, minibatches=4, trace=0.95,
        network=shape, seed=seed,
    )  # fmt: skip
    scores: list[float] = []
    for rollout, _ in train([task(ROWS)], Learner(config)):
        scores.append(float(rollout.metrics["score"].mean()))
        if len(scores) == at_most or np.mean(scores[-3:]) > SOLVED:
            break
    return float(np.mean(scores[-3:]))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with one_thread():
        yield


@pytest.mark.parametrize("algorithm", ["mappo", "ippo"])
@pytest.mark.parametrize("task", [Masks, Trust])
def test_choices_are_learned(task: type[TinyTask], algorithm: str) -> None:
    assert trained(task, algorithm=algorithm) > SOLVED


@pytest.mark.slow
def test_a_choice_is_credited_24_steps_later() -> None:
    assert trained(Credit) > SOLVED


@pytest.mark.parametrize("seed", [0, 1])
def test_a_cue_is_remembered(seed: int) -> None:
    assert trained(Memory, 40, memory=True, seed=seed) > SOLVED


@pytest.mark.slow
def test_a_cue_is_not_remembered_without_memory() -> None:
    assert trained(Memory, 40, memory=False) < 0.6


@pytest.mark.slow
def test_trust_cannot_be_guessed() -> None:
    assert trained(Trust, 40, without=("tasks.trust",)) < 0.6


def test_robots_that_see_each_other_choose_share_the_work() -> None:
    assert trained(Turns) > SOLVED


@pytest.mark.slow
def test_robots_that_choose_at_once_get_in_each_others_way() -> None:
    assert trained(Turns, 40, in_turn=False) < 0.65
