"""What only the map tells is learned from the map, as far as the messages carry, and from nothing else."""

import pytest

ITERATIONS = 12  # the map alone solves it in 5

pytest.importorskip("torch", reason="the trainer needs PyTorch: make setup-all")

from tests.learning.graph_tasks import Ways  # noqa: E402
from tests.learning.test_tiny_tasks import alone, trained  # noqa: E402, F401


def test_the_way_that_is_blocked_is_read_off_the_map() -> None:
    assert trained(Ways, ITERATIONS, graph=2) > 0.9


@pytest.mark.parametrize("rounds", [0, 1])
def test_what_lies_beyond_the_messages_cannot_be_guessed(rounds: int) -> None:
    assert trained(Ways, ITERATIONS, graph=rounds) < 0.65


@pytest.mark.slow
def test_the_critic_of_one_robot_reads_the_map_too() -> None:
    assert trained(Ways, ITERATIONS, algorithm="ippo", graph=2) > 0.9
