"""Whole missions through the wire codec: a decoded view does to belief and observation what the twin's own rows do.

The view is decoded into records full of other values, so whatever the receiver reads must have come over the wire.
"""

from typing import Any

import numpy as np
import pytest

from qdt_env.engine.downlink import take_view
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.engine.observe import observe
from qdt_env.engine.state import State
from qdt_env.frames import Frame
from qdt_env.scenario import load_scenario
from qdt_env.twin.codec import decode_report, decode_view, encode_report, encode_view
from qdt_env.twin.state import Reports, Twin, empty_reports, empty_twin

_NOISE = 0x5A  # a byte of the records before a message is decoded into them


def copied(fields: Any) -> Any:
    """A named tuple of arrays with all arrays copied."""
    return type(fields)(*(f.copy() if isinstance(f, np.ndarray) else copied(f) for f in fields))


def over_the_wire(episodes: Episodes) -> Twin:
    """The twin's rows as a receiver has them after decoding a view."""
    state, site = episodes.state, episodes.setup.site
    sizes = site.zones.size, site.passages.size, state.twin.patients.shape[1], site.team.size
    taken = empty_twin(1, *sizes)
    for array in taken:
        array.view(np.uint8)[:] = _NOISE
    sent, now = state.twin, int(state.clock["step"][0])
    data = encode_view(sent.patients[0], sent.passages[0], sent.zones[0], sent.robots[0], now)
    rows = taken.patients[0], taken.passages[0], taken.zones[0], taken.robots[0]
    assert decode_view(data, *rows, actions=episodes.codec.n, now=now) == now
    return taken


def believed(episodes: Episodes, twin: Twin, since: int, full: int) -> tuple[State, Any]:
    """Belief and output after every robot takes this view over what it believes now."""
    state, out = copied(episodes.state), copied(episodes.out)
    state.belief.minds["taken_step"], state.belief.minds["full_view"] = since, full
    setup, frame = Frame(episodes.setup), Frame(state)
    for r in range(episodes.setup.site.team.size):
        take_view(0, r, twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], setup, frame)
    observe(0, setup, frame, Frame(out))
    return state, out


def check_views(episodes: Episodes, since: int) -> None:
    wire = over_the_wire(episodes)
    for full in (0, 1):
        direct, seen = believed(episodes, episodes.state.twin, since, full)
        decoded, seen_over_the_wire = believed(episodes, wire, since, full)
        for name in direct.belief._fields:
            if name != "team":  # of the team a view carries what is read, not the whole record
                assert np.array_equal(getattr(direct.belief, name), getattr(decoded.belief, name)), name
        assert seen.observation.tobytes() == seen_over_the_wire.observation.tobytes()
        assert seen.mask.tobytes() == seen_over_the_wire.mask.tobytes()


def check_reports(episodes: Episodes) -> int:
    """Every report sent in the last step, over the wire and back; returns how many sightings they held."""
    state, site = episodes.state, episodes.setup.site
    sent, now = state.reports, int(state.clock["step"][0]) - 1
    taken: Reports = empty_reports(*sent.passages.shape)
    sightings = 0
    for r in range(site.team.size):
        if sent.heads["valid"][0, r] == 0:
            continue
        data = encode_report(sent, 0, r, now)
        patients, zones = state.twin.patients.shape[1], site.zones.size
        written = decode_report(data, taken, 0, r, patients=patients, zones=zones, actions=episodes.codec.n, now=now)
        count = int(sent.heads["sightings"][0, r])
        expected = sent.heads[0, r].copy()
        expected["written"] = written
        assert taken.heads[0, r] == expected
        assert np.array_equal(taken.passages[0, r], sent.passages[0, r])
        assert np.array_equal(taken.sightings[0, r, :count], sent.sightings[0, r, :count])
        sightings += count
    return sightings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "suite", "threats", "control", "steps"),
    [
        ("ward", "qkd", "none", "task", 180),
        ("ward", "qkd", "insider", "task", 180),
        ("ward", "plaintext", "mixed", "task", 180),
        ("ward", "plaintext", "tamper", "move", 120),
        ("clinic", "qkd", "mixed", "task", 60),
    ],
)
def test_nothing_that_is_used_gets_lost(scenario: str, suite: str, threats: str, control: str, steps: int) -> None:
    episodes = Episodes(load_scenario(scenario), GameConfig(suite=suite, threats=threats, control=control))
    episodes.reset(np.array([0]), np.array([11]), np.array([0]))
    draw = np.random.Generator(np.random.Philox(key=11))
    sightings = 0
    for _ in range(steps):
        weights = draw.random(episodes.out.mask.shape) * episodes.out.mask
        weights[:, :, [0, -1]] *= 1e-3
        busy = episodes.state.belief.minds["task"] > 0
        episodes.step(np.where(busy, 0, weights.argmax(axis=2)).astype(np.int32))
        if episodes.state.clock["over"][0]:
            break
        sightings += check_reports(episodes)
        check_views(episodes, since=int(episodes.state.clock["step"][0]) - int(draw.integers(1, 30)))
    assert sightings > 0 or control == "move", "who only wanders may meet nobody"
