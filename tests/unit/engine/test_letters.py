"""What the wire channel sends are the codec's messages, and what makes no sense is as if it had not come."""

import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.engine.mail import MESSAGE, NO_MESSAGE
from qdt_env.security.delivery import Delivery
from qdt_env.security.outcomes import DELIVERED, GENUINE
from qdt_env.security.wire import UPLINK, parse_frame
from qdt_env.twin.codec import READING, decode_readings, encode_readings, encode_report


@pytest.fixture(scope="module")
def played():
    """An environment some steps into a mission without ciphers, and the frames of its last step by direction."""
    env = hospital_rescue_v0.parallel_env(channel="wire", suite="plaintext", max_cycles=40)
    env.reset(seed=4)
    heard = []
    for step in range(25):
        if step == 24:
            for link in env._episodes._wire._links[0]:
                link._wiretap = lambda frame, direction: heard.append((direction, parse_frame(frame)))
        env.step({})
    return env._episodes, heard


def test_reports_are_what_the_codec_makes_of_them(played):
    episodes, heard = played
    sent = {frame.link: frame.sealed for direction, frame in heard if direction == UPLINK}
    step = next(frame.step for _, frame in heard)
    robots = np.flatnonzero(episodes.state.world.robots["alive"][0])
    assert robots.size > 0
    for r in robots:
        assert sent[r] == encode_report(episodes.state.reports, 0, r, step)


def test_readings_are_what_the_codec_makes_of_them(played):
    episodes, heard = played
    wire, robots = episodes._wire, episodes.state.world.robots.shape[1]
    sent = {frame.link - robots: frame for direction, frame in heard if direction == UPLINK and frame.link >= robots}
    assert sent
    for g, frame in sent.items():
        due = wire._due(g, frame.step)
        rows = np.zeros(due.size, READING)
        decode_readings(frame.sealed, rows, due, gateway=g, now=frame.step, capacity=wire._most_due)
        readings = episodes.state.readings[0, due]
        silent = np.isnan(readings[:, 0])
        assert np.array_equal(rows["present"], ~silent)
        assert np.array_equal(rows["reading"][~silent], readings[~silent])
        assert encode_readings(rows, g, frame.step, wire._most_due) == frame.sealed


def arrived(payload: bytes, step: int) -> Delivery:
    return Delivery(DELIVERED, GENUINE, payload, 0, 0, 0, step, None, "")


def test_bytes_without_a_header_are_no_message(played):
    episodes, _ = played
    letters = episodes._wire._letters
    robots = episodes.state.world.robots.shape[1]
    good = letters.reports(24)[0]
    for payload, kind in ((good, MESSAGE), (b"", NO_MESSAGE), (good[:-1], NO_MESSAGE), (b"x" + good[1:], NO_MESSAGE)):
        letters.take(0, arrived(payload, 24), 24)
        assert letters.come.kinds[0] == kind
    letters.take(robots, arrived(b"noise", 24), 24)
    assert letters.come.kinds[robots] == NO_MESSAGE
    assert letters.take_view(b"noise", [0], 24) is None
    letters.come.kinds[:] = 0


@pytest.mark.parametrize("spoilt", [False, True])
def test_rows_that_make_no_sense_are_not_taken(spoilt):
    """A report whose header is right and whose battery is more than full, and readings of a zone that is not due."""
    env = hospital_rescue_v0.parallel_env(channel="wire", suite="plaintext", max_cycles=40)
    env.reset(seed=4)
    env.step({})
    episodes = env._episodes
    letters, robots = episodes._wire._letters, episodes.state.world.robots.shape[1]
    take = letters.take

    def spoil(link, delivery, step):
        take(link, delivery, step)
        if spoilt and link == 0:
            letters.come.heads["energy"][0] = 1.5
        if spoilt and link == robots:
            letters.come.readings["zone"][0, 0] += 1

    letters.take = spoil
    env.step({})
    assert (episodes.state.inbox.heads["valid"][0, :2] == ([0, 1] if spoilt else [1, 1])).all()
    due = episodes._wire._due(0, 1)
    assert np.isnan(episodes.state.inbox_readings[0, due]).all() == spoilt
