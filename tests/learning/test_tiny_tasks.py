"""The trainer solves each tiny task, and a learner with the fault that the task is about does not."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the trainer needs PyTorch: make setup-all")

from agents.networks import NetworkConfig  # noqa: E402
from tests.learning.tasks import Credit, Masks, Memory, TinyTask, Trust, Turns  # noqa: E402
from training.ppo import Learner, PpoConfig, train  # noqa: E402

ROWS = 128


def score_after(task: type[TinyTask], iterations: int = 40, algorithm: str = "mappo", **network: Any) -> float:
    """Mean score of the last five batches (640 episodes), exploration included."""
    shape = NetworkConfig(**{"width": 16, "hidden": 32, "commits": False, "patience": 1, **network})
    config = PpoConfig(
        algorithm=algorithm, iterations=iterations, learning_rate=5e-3, entropy=1e-3, epochs=4, minibatches=4,
        trace=0.95, network=shape,
    )  # fmt: skip
    scores = [rollout.metrics["score"].mean() for rollout, _ in train(task(ROWS), Learner(config))]
    return float(np.mean(scores[-5:]))


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("algorithm", ["mappo", "ippo"])
@pytest.mark.parametrize("task", [Masks, Trust])
def test_choices_are_learned(task: type[TinyTask], algorithm: str) -> None:
    assert score_after(task, algorithm=algorithm) > 0.9


def test_a_choice_is_credited_24_steps_later() -> None:
    assert score_after(Credit, 60) > 0.9


def test_memory_carries_a_cue_and_nothing_else_does() -> None:
    assert score_after(Memory, 60, memory=True) > 0.9
    assert score_after(Memory, 60, memory=False) < 0.6


def test_trust_cannot_be_guessed() -> None:
    assert score_after(Trust, without=("tasks.trust",)) < 0.6


def test_robots_that_see_each_other_choose_share_the_work() -> None:
    assert score_after(Turns) > 0.9
    assert score_after(Turns, in_turn=False) < 0.65
