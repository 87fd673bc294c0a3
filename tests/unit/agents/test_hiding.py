"""Hidden features: which they are, that they alone are gone, and that a policy without them plays by the rest."""

import numpy as np
import pytest

from agents.advice_held import with_advice
from agents.heuristics import make_policy
from agents.hiding import FEATURE_GROUPS, HidingPolicy, features_of, hidden_columns, reads_advice
from agents.policy import RandomPolicy
from qdt_env.spaces import ActionCodec, ObservationLayout

LAYOUT = ObservationLayout(patients=5, slots=3, robots=2)
CODEC = ActionCodec("task", 5, 3)


class Recorder(RandomPolicy):
    """Keeps what it was shown."""

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        self.seen = observation
        return super().act(observation, mask, rng)


def test_exactly_the_named_features_are_hidden() -> None:
    base = Recorder(LAYOUT, CODEC)
    observation = np.full((2, 2, LAYOUT.size), 0.5, np.float32)
    mask = np.ones((2, 2, CODEC.n), np.int8)
    HidingPolicy(base, LAYOUT, ("tasks.trust", "team")).act(observation, mask, np.random.default_rng(0))
    assert (observation == 0.5).all(), "the caller's array was changed"
    assert not LAYOUT.feature(base.seen, "tasks", "trust").any() and not LAYOUT.slice(base.seen, "team").any()
    assert (base.seen == 0.0).sum() == 2 * 2 * (5 + 9)


def test_groups_hold_what_exists_and_leave_advice_out_where_there_is_none() -> None:
    advised = with_advice(LAYOUT)
    for group in FEATURE_GROUPS:
        assert hidden_columns(advised, [group]).size > hidden_columns(LAYOUT, [group]).size > 0
    assert features_of(["ages", "team"], advised=False) == ("tasks.age", "channel.view_age", "team")
    assert features_of(["advice.age"], advised=False) == ("advice.age",)  # asked for by name: refused later, not lost


def test_a_hidden_feature_changes_what_a_rule_decides_by() -> None:
    rng = np.random.default_rng(3)
    observation = rng.random((64, 2, LAYOUT.size), np.float32)
    LAYOUT.feature(observation, "tasks", "open")[:] = 1.0
    LAYOUT.feature(observation, "self", "busy")[:] = 0.0
    mask = np.ones((64, 2, CODEC.n), np.int8)
    base = make_policy("nearest", LAYOUT, CODEC)
    seeing = base.act(observation, mask, rng)
    assert np.array_equal(HidingPolicy(base, LAYOUT, ("tasks.trust",)).act(observation, mask, rng), seeing)
    assert not np.array_equal(HidingPolicy(base, LAYOUT, ("tasks.travel",)).act(observation, mask, rng), seeing)


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="hide='weather' is not allowed: trust or ages, a block of self, passages"):
        hidden_columns(LAYOUT, ("weather",))
    with pytest.raises(ValueError, match=r"hide='tasks.colour' is not allowed: tasks. with one of open"):
        hidden_columns(LAYOUT, ("tasks.colour",))
    with pytest.raises(ValueError, match="without='advice'"):
        hidden_columns(LAYOUT, ("advice",), "without")


def test_only_policies_that_say_so_read_advice() -> None:
    class Advised(Recorder):
        advised = True

    assert reads_advice(HidingPolicy(Advised(LAYOUT, CODEC), LAYOUT, ())) and not reads_advice(Recorder(LAYOUT, CODEC))
