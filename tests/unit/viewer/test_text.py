"""The text: what it says is what the state holds."""

import re

import numpy as np
import pytest

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.state import CARRIED, FREE, HANDED_OVER, ROBOT_KINDS, TRAPPED
from qdt_env.scenario import load_scenario
from qdt_env.security.attacks import Attack
from qdt_env.viewer import describe
from qdt_env.viewer.moment import headline_score, moment_of, threats_name


@pytest.fixture(scope="module")
def episodes() -> Episodes:
    made = Episodes(load_scenario("clinic"), GameConfig(suite="plaintext", threats="mixed"))
    made.reset(np.array([0]), np.array([3]), np.array([0]))
    rng = np.random.Generator(np.random.Philox(5))
    actions = np.zeros((1, 8), np.int32)
    for step in range(200):
        for r in range(8):
            allowed = np.flatnonzero(made.out.mask[0, r])
            actions[0, r] = rng.choice(allowed) if step % 40 == 0 else 0
        made.step(actions)
    return made


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9]+m", "", text)


def row_of(text: str, first: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.split()[:1] == [first])
    return line.split()


def test_header_equals_the_clock(episodes):
    text, clock = describe(episodes), episodes.state.clock[0]
    gained = float(clock["e_now"] - clock["e_none"])
    score = gained / float(clock["e_instant"] - clock["e_none"])
    assert f"step {clock['step']}/720" in text
    assert "time 33:20" in text
    assert f"lives saved {gained:+.2f}   score {score:.3f}" in text
    assert "clinic   suite plaintext   threats mixed" in text
    assert f"aftershocks {clock['aftershocks']}" in text
    assert f"killed at once {clock['dead']}" in text
    assert f"robots lost {clock['lost']}" in text
    assert f"handed over {(episodes.state.world.patients[0]['status'] == HANDED_OVER).sum()}/{clock['listed']}" in text


def test_patients_equal_truth_and_twin(episodes):
    text, listed = describe(episodes), int(episodes.state.clock[0]["listed"])
    for name, patients in (("truth", episodes.state.world.patients), ("twin", episodes.state.twin.patients)):
        status = patients[0]["status"][:listed]
        expected = [str((status == s).sum()) for s in (TRAPPED, FREE, CARRIED, HANDED_OVER)]
        assert row_of(text, name)[1:5] == expected
    unseen = (episodes.state.twin.patients[0]["known"] == 0) & (
        episodes.state.twin.patients[0]["status"] != HANDED_OVER
    )
    assert row_of(text, "twin")[8] == str(unseen[:listed].sum())


def test_robots_equal_the_state(episodes):
    text = describe(episodes)
    world, minds = episodes.state.world.robots[0], episodes.state.belief.minds[0]
    for r, robot in enumerate(world):
        cells = row_of(text, str(r))
        assert cells[1] == ROBOT_KINDS[robot["kind"]]
        assert episodes.scenario.building.zone_id[robot["zone"]].startswith(cells[2].rstrip("…"))
        if not robot["alive"]:
            assert "lost" in cells
            continue
        line = " ".join(cells)
        assert f" {robot['energy']:.0%} " in line
        assert f" {(200 - minds[r]['view_step']) * 10} s" in line
        assert f" {episodes.state.twin.robots[0, r]['trust']:.2f} " in line
        assert (episodes.codec.names[minds[r]["task"]] if minds[r]["task"] else "idle") in line


def test_messages_equal_the_links(episodes):
    text, links = describe(episodes), episodes.state.channel.links[0]
    assert f"messages  {links['sent'].sum()} sent" in text
    for word, field in (("delivered", "delivered"), ("lost", "lost"), ("rejected", "rejected"), ("no key", "no_key"),
                        ("forged", "forged")):  # fmt: skip
        assert re.search(rf"messages.* {word} {links[field].sum()}\b", text)


def test_it_fits_a_terminal_and_colours_only_when_asked(episodes):
    text, coloured = describe(episodes), describe(episodes, colour=True)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert "\x1b[" in coloured
    assert plain(coloured) == text


def test_moments_say_what_is_known(episodes):
    moment = moment_of(episodes)
    assert np.array_equal(moment.truth.damage, episodes.state.world.zones[0]["damage"])
    assert not moment.twin.burning.any()
    assert ((moment.truth.patient_rpm >= 0) & (moment.truth.patient_rpm <= 12)).all()
    assert ((moment.twin.patient_rpm >= 0) & (moment.twin.patient_rpm <= 12)).all()
    assert set(moment.attacks) == {"intercept", "tamper", "replay", "drop", "key-compromise", "insider"}


def test_scores_and_names():
    assert headline_score(2.0, 1.0, 5.0) == 0.25
    assert headline_score(2.0, 5.0, 5.0) == 0.0
    assert threats_name("tamper+jam") == "tamper+jam"
    assert threats_name((Attack("jam"), "drop")) == "jam+drop"
    assert threats_name(()) == "none"


def test_wrong_rows_are_refused(episodes):
    with pytest.raises(ValueError, match="row: got 1, allowed: 0 to 0"):
        describe(episodes, row=1)
