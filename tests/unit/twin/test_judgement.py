"""Judgement: what was said of a zone's beds follows whom the robots carry."""

from dataclasses import replace

import numpy as np
import pytest

from agents.heuristics import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.config import PhysicalConfig
from qdt_env.records import as_record
from qdt_env.scenario import load_scenario
from qdt_env.security.channel import ChannelConfig
from qdt_env.twin.config import TwinConfig
from qdt_env.twin.judgement import follow_carrier
from qdt_env.twin.state import Twin, empty_twin

CFG = as_record(TwinConfig())[0]
A, B, C = 0, 1, 2  # zones
NOBODY, PATIENT = -1, 4
WRITTEN = 20


def told() -> Twin:
    """Three robots and a sensor in each of three zones, all of whom counted five beds at step 10."""
    twin = empty_twin(1, zones=3, passages=1, patients=6, robots=4)
    twin.robots["reading"][0, :, 2] = 5.0
    twin.robots["reading_zone"][0] = [A, A, B, C]
    twin.robots["reading_step"][0] = 10
    twin.robots["zone"][0] = A
    twin.robots["patient"][0] = NOBODY
    twin.robots["trust"][0] = 0.8
    for field in ("sensor_mean", "robot_mean"):
        twin.zones[field][0, :, 2] = 5.0
    twin.zones["sensor_step"][0] = twin.zones["robot_step"][0] = 10
    return twin


def beds(twin: Twin) -> tuple[list[float], ...]:
    """What robots, sensors and the robots' estimate say."""
    return (
        twin.robots["reading"][0, :, 2].tolist(),
        twin.zones["sensor_mean"][0, :, 2].tolist(),
        twin.zones["robot_mean"][0, :, 2].tolist(),
    )


@pytest.mark.parametrize(
    ("carried", "zone", "patient", "change"),
    [
        (NOBODY, A, PATIENT, (0, 0)),  # picked up: still here
        (PATIENT, A, PATIENT, (0, 0)),  # stands with him
        (PATIENT, B, PATIENT, (-1, 1)),  # carried over
        (NOBODY, B, PATIENT, (-1, 1)),  # the same, where the report in between was lost
        (PATIENT, A, NOBODY, (-1, 0)),  # handed over
        (NOBODY, B, NOBODY, (0, 0)),  # walks alone
    ],
)
def test_beds_follow_the_carrier(carried: int, zone: int, patient: int, change: tuple[int, int]) -> None:
    twin = told()
    twin.robots["patient"][0, 0] = carried
    follow_carrier(0, 0, zone, patient, CFG, twin, WRITTEN)
    a, b = 5.0 + change[0], 5.0 + change[1]
    assert beds(twin) == ([a, a, b, 5.0], [a, b, 5.0], [a, b, 5.0])


def test_what_was_said_since_stands() -> None:
    twin = told()
    twin.robots["patient"][0, 0] = PATIENT
    twin.robots["reading_step"][0, 1] = twin.zones["sensor_step"][0, A] = twin.zones["robot_step"][0, B] = WRITTEN
    follow_carrier(0, 0, B, PATIENT, CFG, twin, WRITTEN)
    assert beds(twin) == ([4.0, 5.0, 6.0, 5.0], [5.0, 6.0, 5.0], [4.0, 5.0, 5.0])


def test_a_distrusted_robot_moves_nobody() -> None:
    twin = told()
    twin.robots["patient"][0, 0] = PATIENT
    twin.robots["trust"][0, 0] = 0.49
    follow_carrier(0, 0, B, PATIENT, CFG, twin, WRITTEN)
    assert beds(twin) == beds(told())


def test_old_counts_stay_true_while_robots_carry_patients_away() -> None:
    """Eyes that count without error, no message lost: every count of any age equals the beds taken now."""
    scenario = replace(
        load_scenario("ward"),
        physical=PhysicalConfig(robot_sigma=(0.25, 0.03, 0.0)),
        channel=ChannelConfig(natural_loss=0.0),
        twin=TwinConfig(trust_on=False),
    )
    episodes = Episodes(scenario, GameConfig("psk"), 4)
    episodes.reset(np.arange(4), np.arange(4), np.zeros(4, np.int64))
    policy = make_policy("gain", episodes.layout, episodes.codec)
    world, robots = episodes.state.world, episodes.state.twin.robots
    rows = np.arange(4)[:, None]
    changed = 0
    while (episodes.state.clock["over"] == 0).all():
        before = world.zones["occupants"].copy()
        episodes.step(policy.act(episodes.out.observation, episodes.out.mask, np.random.default_rng(0)))
        spoke = robots["reading_step"] >= 0
        zone = robots["reading_zone"]
        now = world.zones["occupants"][rows, zone]
        np.testing.assert_allclose(robots["reading"][..., 2][spoke], now[spoke], atol=1e-4)
        old = spoke & (robots["reading_step"] < episodes.state.clock["step"][:, None] - 1)
        changed += int((old & (before[rows, zone] != now)).sum())
    assert changed > 10  # counts were old when the beds changed
