"""The ledger of a mission: a leaf per step, the same whichever channel wrote it, good until somebody edits it."""

import hashlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.engine.state import DOWNLINK
from qdt_env.scenario import load_scenario
from qdt_env.security.outcomes import DELAYED
from qdt_env.twin.codec import encode_view
from qdt_env.twin.ledger import Ledger, audit_file, decode_leaf


def play(path: Path | None, channel: str = "statistical", seed: int = 4, **kwargs):
    env = hospital_rescue_v0.parallel_env(
        channel=channel, suite="psk", threats="tamper", max_cycles=20, ledger=path, **kwargs
    )
    env.reset(seed=seed)
    while env.agents:
        env.step({})
    env.close()
    return env


def leaves_of(path: Path) -> list:
    with sqlite3.connect(path) as rows:
        return [decode_leaf(bytes(data)) for (data,) in rows.execute("SELECT data FROM leaves ORDER BY position")]


def test_every_step_is_a_leaf_under_a_signed_head(tmp_path: Path) -> None:
    play(tmp_path / "mission.sqlite")
    audit = audit_file(tmp_path / "mission.sqlite")
    assert audit and audit.leaves == audit.signed == 20
    leaves = leaves_of(tmp_path / "mission.sqlite")
    assert [leaf.step for leaf in leaves] == list(range(20))
    assert any(leaf.reports for leaf in leaves) and any(leaf.trust for leaf in leaves)
    assert any(len(leaf.views) < 3 for leaf in leaves), "tampered views are not acknowledged"


def test_both_fidelities_write_the_same_history(tmp_path: Path) -> None:
    for channel in ("statistical", "wire"):
        play(tmp_path / channel, channel)
    one, other = leaves_of(tmp_path / "statistical"), leaves_of(tmp_path / "wire")
    assert one == other


@pytest.mark.parametrize("channel", ["statistical", "wire"])
def test_a_late_view_has_the_digest_of_what_was_sent_then(channel: str) -> None:
    ledger = Ledger(None)
    episodes = Episodes(load_scenario("ward"), GameConfig(threats="delay", channel=channel), ledger=ledger)
    chronicle, twin = episodes.chronicle, episodes.state.twin
    assert chronicle is not None
    late = 0
    for mission in range(2):  # in the second, nothing of the first is looked back at
        episodes.reset(np.array([0]), np.array([3 + mission]), np.array([0]))
        sent = []
        for step in range(25):
            episodes.step(np.full((1, 3), episodes.codec.wait, np.int32))
            view = encode_view(twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], step)
            sent.append(hashlib.sha256(view).digest())
            assert chronicle.last is not None
            outcomes = episodes.state.channel.outcomes[0, DOWNLINK]
            for robot, digest in chronicle.last.views:
                assert digest == sent[step - outcomes["age_steps"][robot]]
                late += outcomes["verdict"][robot] == DELAYED
    assert late > 20


def test_an_edited_step_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mission.sqlite"
    play(path)
    with sqlite3.connect(path) as rows:
        data = bytearray(rows.execute("SELECT data FROM leaves WHERE position = 7").fetchone()[0])
        data[40] ^= 1
        rows.execute("DROP TRIGGER leaves_update")  # whoever owns the file can do that
        rows.execute("UPDATE leaves SET data = ? WHERE position = 7", (bytes(data),))
    audit = audit_file(path)
    assert not audit and audit.problem is not None and audit.problem.number == 7


def test_missions_of_one_ledger_are_told_apart(tmp_path: Path) -> None:
    env = hospital_rescue_v0.parallel_env(max_cycles=5, ledger=tmp_path / "two.sqlite")
    for _ in range(2):
        env.reset(seed=1)
        while env.agents:
            env.step({})
    env.close()
    with Ledger.read(tmp_path / "two.sqlite") as ledger:
        assert len(ledger.missions) == 2 and set(ledger.missions.values()) == {4}


def test_a_ledger_whose_keys_are_gone_is_not_continued(tmp_path: Path) -> None:
    play(tmp_path / "mission.sqlite")
    with pytest.raises(ValueError, match="exists already, allowed is a new file: close the environment"):
        play(tmp_path / "mission.sqlite")
