"""Who thinks again: robots whose patient needs longer than they thought, by the same rule in ranks and networks."""

import numpy as np
import pytest

from agents.heuristics import make_policy
from agents.second_thoughts import SecondThoughts
from qdt_env.spaces import ActionCodec, ObservationLayout

LAYOUT, CODEC = ObservationLayout(4, 3, 2), ActionCodec("task", 4, 3)
MASK = np.ones((1, 2, len(CODEC.names)), np.int8)
GOES_ON = np.zeros((1, 2), np.int32)


def seen(work: float, carrying: float = 0.0, elapsed: float = 0.5, busy: float = 1.0) -> np.ndarray:
    """(1, 2, F): tracked robots on errands, robot 0 with ``work`` ahead, robot 1 with .1; the third patient is best."""
    observation = np.zeros((1, 2, LAYOUT.size), np.float32)
    for name, value in (("tracked", 1.0), ("energy", 1.0), ("busy", busy)):
        LAYOUT.feature(observation, "self", name)[:] = value
    LAYOUT.feature(observation, "self", "work_left")[..., 0] = work, 0.1
    LAYOUT.feature(observation, "self", "carrying")[0, 0] = carrying
    LAYOUT.feature(observation, "time", "elapsed")[:] = elapsed
    LAYOUT.feature(observation, "tasks", "open")[:] = 1.0
    LAYOUT.feature(observation, "tasks", "handover")[:] = 0.5
    LAYOUT.feature(observation, "tasks", "survival_at_handover")[..., 2] = 0.9
    return observation


@pytest.mark.parametrize(
    ("before", "after", "due"),
    [
        (seen(0.1), seen(0.3), True),
        (seen(0.1), seen(0.0999), False),  # digging
        (seen(0.1), seen(0.1), False),
        (seen(0.1), seen(0.3, carrying=1.0), False),  # on the way out
        (seen(0.1), seen(0.3, elapsed=0.0), False),  # another mission
        (seen(0.0, busy=0.0), seen(0.3), False),  # an errand that just began
    ],
)
def test_longer_work_is_a_reason(before: np.ndarray, after: np.ndarray, due: bool) -> None:
    thoughts = SecondThoughts(LAYOUT)
    assert not thoughts.due(before).any()
    thoughts.note(before, GOES_ON)
    assert thoughts.due(after).tolist() == [[due, False]]
    thoughts.note(after, GOES_ON)
    assert not thoughts.due(after).any(), "once"


def test_a_new_errand_is_no_news() -> None:
    thoughts = SecondThoughts(LAYOUT)
    thoughts.note(seen(0.1), np.array([[2, 0]]))
    assert not thoughts.due(seen(0.3)).any()
    thoughts.note(seen(0.3), GOES_ON)
    assert thoughts.due(seen(0.5)).tolist() == [[True, False]]


def test_ranks_and_networks_think_again_alike() -> None:
    torch = pytest.importorskip("torch")
    from agents.learned import Actor
    from agents.networks import NetworkConfig, TeamPolicy

    rng = np.random.default_rng(0)
    steadfast, thinking = (make_policy(name, LAYOUT, CODEC) for name in ("gain", "gain-replan"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = [TeamPolicy(NetworkConfig(8, 16, reconsiders=on)) for on in (False, True)]
    stubborn, open_minded = (Actor(network, LAYOUT, CODEC, 1) for network in networks)
    for work, again in ((0.1, False), (0.3, True), (0.3, False)):
        observation = seen(work)
        assert steadfast.act(observation, MASK, rng).tolist() == [[0, 0]]
        assert thinking.act(observation, MASK, rng).tolist() == [[3 if again else 0, 0]]
        assert stubborn.decide(observation, MASK, np.zeros(MASK.shape))[1] == []
        actions, made = open_minded.decide(observation, MASK, np.zeros(MASK.shape))
        asked = [(int(one.row[0]), int(one.robot[0])) for one in made]
        assert asked == ([(0, 0)] if again else []) and actions[0, 1] == 0
        assert all(one.mask[0, 0] == 0 for one in made), "going on is choosing the same patient again"


@pytest.mark.slow
def test_thinking_again_saves_lives_on_clinics() -> None:
    from qdt_env.engine.episodes import GameConfig
    from qdt_env.scenario import load_scenario
    from training.rollout import run_missions
    from training.statistics import paired_difference

    game, scores = GameConfig("qkd", "mixed"), {}
    for policy in ("gain", "gain-replan"):
        parts = [
            run_missions(load_scenario("clinic", building_seed=seed), game, policy, seeds=range(16)).metrics["score"]
            for seed in range(20, 24)
        ]
        scores[policy] = np.concatenate(parts)
    difference = paired_difference(scores["gain-replan"], scores["gain"])
    assert difference.low > 0.0
