"""Batteries: whoever is low goes for a fresh one, by the same rule in hand-written and learned policies."""

import numpy as np
import pytest

from agents.heuristics import make_policy
from agents.recharging import must_recharge
from qdt_env.spaces import ActionCodec, ObservationLayout

LAYOUT, CODEC = ObservationLayout(4, 3, 2), ActionCodec("task", 4, 3)


def seen(energy: float, travel: float, carrying: float) -> np.ndarray:
    """(1, 2, F): robot 0 as given, robot 1 with a full battery."""
    observation = np.zeros((1, 2, LAYOUT.size), np.float32)
    LAYOUT.feature(observation, "self", "energy")[:] = [[[energy], [1.0]]]
    LAYOUT.feature(observation, "self", "carrying")[0, 0] = carrying
    place = CODEC.service("recharge") - CODEC.first_service
    LAYOUT.feature(observation, "services", "travel")[..., place] = travel
    return observation


@pytest.mark.parametrize(
    ("energy", "travel", "carrying", "low"),
    [
        (0.11, 0.0, 0.0, True),  # below the least share
        (0.13, 0.0, 0.0, False),
        (0.3, 0.7, 0.0, True),  # enough nearby, not for so long a way
        (0.11, 0.0, 1.0, False),  # whoever carries a patient brings him out first
    ],
)
def test_a_low_battery_is_low_for_the_way(energy: float, travel: float, carrying: float, low: bool) -> None:
    mask = np.ones((1, 2, len(CODEC.names)), np.int8)
    assert must_recharge(LAYOUT, CODEC, seen(energy, travel, carrying), mask).tolist() == [[low, False]]
    mask[..., CODEC.service("recharge")] = 0
    assert not must_recharge(LAYOUT, CODEC, seen(energy, travel, carrying), mask).any()


def test_ranks_and_networks_recharge_alike() -> None:
    torch = pytest.importorskip("torch")
    from agents.learned import Actor
    from agents.networks import NetworkConfig, TeamPolicy

    observation, mask = seen(0.05, 0.2, 0.0), np.ones((1, 2, len(CODEC.names)), np.int8)
    LAYOUT.feature(observation, "self", "busy")[:] = 1.0
    recharge = CODEC.service("recharge")
    ranked = make_policy("gain", LAYOUT, CODEC).act(observation, mask, np.random.default_rng(0))
    assert ranked[0, 0] == recharge and ranked[0, 1] != recharge
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        minding, careless = (TeamPolicy(NetworkConfig(8, 16, recharges=on)) for on in (True, False))
    actions, made = Actor(minding, LAYOUT, CODEC, 1).decide(observation, mask, np.zeros(mask.shape))
    assert actions[0, 0] == recharge and not made, "a reflex is no decision to learn from"
    actions, _ = Actor(careless, LAYOUT, CODEC, 1).decide(observation, mask, np.zeros(mask.shape))
    assert actions[0].tolist() == [0, 0], "busy robots go on"
