"""Agreement of the two fidelities over whole missions: what the wire channel does is what the statistical one says.

Verdicts come from the same draws, and the codec loses nothing: so missions agree bit for bit, for every suite, under
every threat. The one thing that may differ is how full a store of quantum keys is: what a block is worth is known in
the wire channel only after its errors have really been corrected. One-time pads drain their stores, so that such a
difference decides which message is the first without key; there the wire is given just the bits that are credited
(what real blocks are worth is proof 2, in tests/unit/security/test_bb84.py).
"""

from typing import Any

import numpy as np
import pytest

from agents.heuristics import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.engine.letters import Letters
from qdt_env.scenario import load_scenario, with_horizon
from qdt_env.security import secure_link
from qdt_env.security.attacks import THREATS
from qdt_env.security.epochs import random_material
from qdt_env.security.replay import ReplayWindow
from qdt_env.security.suites import SUITE_NAMES, suite_by_name

STEPS = 60
SEEDS = (3, 8)


def play(suite: str, threats: str, channel: str, steps: int = STEPS) -> tuple[list[np.ndarray], Episodes]:
    """What robots see and earn at every step of a mission per seed."""
    scenario = with_horizon(load_scenario("ward"), steps)
    episodes = Episodes(scenario, GameConfig(suite, threats, channel=channel), episodes=len(SEEDS))
    policy = make_policy("gain", episodes.layout, episodes.codec)
    episodes.reset(np.arange(len(SEEDS)), np.array(SEEDS, np.uint64), np.zeros(len(SEEDS), np.int64))
    seen = []
    for _ in range(steps):
        episodes.step(policy.act(episodes.out.observation, episodes.out.mask, np.random.default_rng(0)))
        observation = episodes.out.observation.copy()
        if suite_by_name(suite).quantum_keys:
            episodes.layout.feature(observation, "channel", "key_bits")[:] = 0.0
        seen.append(observation)
        seen.append(episodes.out.reward.copy())
        seen.append(np.array(episodes.state.channel.outcomes.tolist(), np.float64))
    return seen, episodes


def assert_same_missions(suite: str, threats: str) -> None:
    fast, fast_end = play(suite, threats, "statistical")
    with pytest.MonkeyPatch.context() as patch:
        if suite_by_name(suite).one_time_pad:
            patch.setattr(secure_link, "Bb84Source", lambda *link: random_material)
        real, real_end = play(suite, threats, "wire")
    for moment, (one, other) in enumerate(zip(fast, real, strict=True)):
        assert np.array_equal(one, other), (suite, threats, moment // 3, np.argwhere(one != other)[:5].tolist())
    for row in range(len(SEEDS)):
        assert fast_end.metrics(row) == real_end.metrics(row)


@pytest.mark.parametrize(
    ("suite", "threats"),
    [("plaintext", "tamper"), ("plaintext", "delay"), ("psk", "key-compromise"), ("qkd", "mixed")],
)
def test_missions_in_the_wire_channel_are_those_of_the_statistical_one(suite: str, threats: str) -> None:
    assert_same_missions(suite, threats)


exact_view = Letters.view


def lossy_view(self: Letters, step: int) -> bytes:
    """A codec that rounds."""
    self.sent.patients["rpm"] = np.round(self.sent.patients["rpm"])
    return exact_view(self, step)


def skip_replay_window(self: ReplayWindow, counter: int) -> bool:
    """A receiver that takes every counter as new."""
    return True


@pytest.mark.parametrize(
    ("threats", "where", "bug"),
    [
        ("none", "qdt_env.engine.letters.Letters.view", lossy_view),
        ("replay", "qdt_env.security.replay.ReplayWindow.is_fresh", skip_replay_window),
    ],
)
def test_planted_bugs_make_missions_differ(threats: str, where: str, bug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, bug)
    with pytest.raises(AssertionError):
        assert_same_missions("qkd", threats)


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("threats", sorted(THREATS))
def test_missions_agree_for_every_suite_and_threat(suite: str, threats: str) -> None:
    assert_same_missions(suite, threats)
