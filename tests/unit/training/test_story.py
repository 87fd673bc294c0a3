"""A told mission is the mission that was played, step by step."""

import numpy as np
import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import load_scenario, with_horizon
from training.rollout import run_missions
from training.story import MESSAGES, tell

WARD = with_horizon(load_scenario("ward"), 60)


@pytest.fixture(scope="module")
def story():
    return tell(WARD, GameConfig("qkd", "mixed"), "gain", seed=4, pictured=(30,))


def test_it_is_the_mission_that_run_missions_plays(story):
    played = run_missions(WARD, GameConfig("qkd", "mixed"), "gain", seeds=[4])
    assert story.metrics == {name: values[0] for name, values in played.metrics.items()}


def test_its_last_step_is_what_the_metrics_say(story):
    steps, robots = story.minutes.size, len(WARD.team)
    assert steps == 60 and story.minutes[-1] == pytest.approx(10.0)
    assert story.lives_saved[-1] == pytest.approx(story.metrics["lives_saved"], abs=1e-6)
    assert story.handed_over[-1] == story.metrics["handed_over"]
    for name in MESSAGES:
        assert story.messages[name][-1] == story.metrics[f"messages_{name}"]
        assert (np.diff(story.messages[name]) >= 0).all()
    assert story.trust.shape == story.view_age_min.shape == (steps, robots)
    assert np.nanmin(story.trust) >= 0.0 and np.nanmax(story.trust) <= 1.0
    assert (np.diff(story.zones_seen) >= 0.0).all() and 0.0 < story.zones_seen[-1] <= 1.0
    assert list(story.pictures) == [30] and story.pictures[30].shape == (900, 1600, 3)
    assert story.explain_trust(0).step == 60 and story.snapshot().step == 60
