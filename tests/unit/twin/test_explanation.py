"""Why a source is trusted: which evidence, when."""

import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.security.attacks import Attack
from qdt_env.twin.state import EVIDENCE_KEPT


def test_explanation_adds_up_to_the_trust_that_robots_see() -> None:
    env = hospital_rescue_v0.parallel_env(threats=Attack("insider", intensity=5.0, targets=0.4), max_cycles=60)
    env.reset(seed=3)
    judged = 0
    while env.agents:
        env.step({})
        for r, agent in enumerate(env.possible_agents):
            told = env.explain_trust(agent)
            record = env._episodes.state.twin.robots[0, r]
            assert told.belief + told.disbelief + told.uncertainty == pytest.approx(1.0)
            assert told.trust == pytest.approx(told.belief + told.uncertainty / 2, abs=1e-5)
            assert len(told.judgements) == min(int(record["judged"]), EVIDENCE_KEPT)
            assert [one.step for one in told.judgements] == sorted(one.step for one in told.judgements)
            if told.judgements:
                judged += 1
                assert told.evidence_step == told.judgements[-1].step
                assert told.judgements[-1].gained > 0 or told.judgements[-1].lost >= 0
                assert f"step {told.evidence_step}" in str(told)
    assert judged > 0


def test_evidence_replayed_by_hand_gives_the_same_r_and_s() -> None:
    env = hospital_rescue_v0.parallel_env(max_cycles=40)
    env.reset(seed=5)
    twin = env.scenario.twin
    replayed = {agent: (twin.admission_evidence, 0.0, 0) for agent in env.possible_agents}
    while env.agents:
        env.step({})
        for agent in env.possible_agents:
            positive, negative, seen = replayed[agent]
            told = env.explain_trust(agent)
            if told.judgements and told.judgements[-1].step == env._episodes.state.clock["step"][0] - 1:
                last = told.judgements[-1]
                positive = twin.positive_decay * positive + last.gained
                negative = twin.negative_decay * negative + last.lost
                replayed[agent] = positive, negative, seen + 1
            assert told.positive == pytest.approx(positive, rel=1e-4)
            assert told.negative == pytest.approx(negative, rel=1e-4, abs=1e-6)
    assert np.max([seen for _, _, seen in replayed.values()]) > 3


def test_unknown_agents_are_refused_by_name() -> None:
    env = hospital_rescue_v0.parallel_env(max_cycles=2)
    env.reset(seed=1)
    with pytest.raises(ValueError, match="robot_9"):
        env.explain_trust("robot_9")
