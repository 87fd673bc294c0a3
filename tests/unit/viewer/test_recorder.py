"""Recording a mission: nothing of the mission changes, and what was recorded is what was so."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.engine.chronicle import open_ledger
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario
from qdt_env.security.outcomes import VERDICTS
from qdt_env.twin.leaf import decode_leaf, encode_leaf
from qdt_env.viewer.columns import COLUMNS, Instant
from qdt_env.viewer.moment import moment_of
from qdt_env.viewer.playback import check_history, read_recording
from qdt_env.viewer.recorder import Recorder
from qdt_env.viewer.recording import END, HEADER, STEP, TREE_HEAD, RecordingError, RecordingWriter, scan


def played(steps: int | None = None, **settings: object) -> hospital_rescue_v0.parallel_env:
    """A mission of the ward by masked random actions, from a fixed seed."""
    env = hospital_rescue_v0.parallel_env("ward", max_cycles=30, **settings)  # type: ignore[arg-type]
    observations, _ = env.reset(seed=11)
    rng = np.random.default_rng(3)
    made = 0
    while env.agents and made != steps:
        masks = {agent: np.flatnonzero(observations[agent]["action_mask"]) for agent in env.agents}
        observations, *_ = env.step({agent: int(rng.choice(mask)) for agent, mask in masks.items()})
        made += 1
    return env


def state_bytes(episodes: Episodes) -> list[bytes]:
    found = []
    for part in episodes.state:
        arrays = part if isinstance(part, tuple) else (part,)
        for array in arrays:
            inner = array if isinstance(array, tuple) else (array,)
            found += [one.tobytes() for one in inner]
    return found


@pytest.mark.parametrize("channel", ["statistical", "wire"])
def test_recording_changes_nothing(tmp_path: Path, channel: str) -> None:
    settings = {"threats": "mixed", "channel": channel}
    plain, recorded = played(**settings), played(**settings, record=tmp_path / "m.qdr")
    assert state_bytes(plain._episodes) == state_bytes(recorded._episodes)
    for ours, theirs in zip(plain._episodes.out, recorded._episodes.out, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(("suite", "threats"), [("qkd", "mixed"), ("plaintext", "tamper+delay"), ("qkd-otp", "drop")])
def test_the_recording_counts_what_the_metrics_count(tmp_path: Path, suite: str, threats: str) -> None:
    env = played(suite=suite, threats=threats, record=tmp_path / "m.qdr")
    recording, metrics = read_recording(tmp_path / "m.qdr"), env.metrics()
    assert recording.metrics == metrics and recording.over and not recording.cut and recording.steps == 30
    verdicts = [recording.columns[f"{way}.verdict"] for way in ("up", "down")]
    for code, name in enumerate(VERDICTS):
        counted = sum(int((one == code).sum()) for one in verdicts)
        assert counted == metrics[f"messages_{name.replace(' ', '_')}"], name
    injected = sum(int(recording.columns[f"{way}.injected"].sum()) for way in ("up", "down"))
    assert injected == metrics["messages_injected_rejected"]
    for name in ("lives_saved", "survivors", "survivors_none", "survivors_instant", "return", "key_bits"):
        assert recording.exact[name][-1] == metrics[name]
    assert int((recording.columns["patient.status"][-1] == 4).sum()) == metrics["handed_over"]
    spent = recording.columns["link.spent"][-1].sum()
    assert abs(spent - metrics["key_bits"]) <= len(recording.columns["link.spent"][-1])
    assert check_history(recording).problem == "" and check_history(recording).signed == 30


def test_every_state_is_the_moment_that_pictures_show(tmp_path: Path) -> None:
    env = hospital_rescue_v0.parallel_env("ward", threats="mixed", max_cycles=12, record=tmp_path / "m.qdr")
    env.reset(seed=5)
    moments = [moment_of(env._episodes)]
    while env.agents:
        env.step({})
        moments.append(moment_of(env._episodes))
    recording = read_recording(tmp_path / "m.qdr")
    for t, moment in enumerate(moments):
        for side, before in ((moment.truth, ""), (moment.twin, "twin.")):
            np.testing.assert_allclose(recording.values(f"{before}zone.damage")[t], side.damage, atol=0.0101)
            assert (recording.columns[f"{before}patient.zone"][t] == side.patient_zone).all()
            np.testing.assert_allclose(recording.values(f"{before}patient.rpm")[t], side.patient_rpm, atol=0.0251)
            assert (recording.columns[f"{before}robot.zone"][t] == side.robot_zone).all()
            assert (recording.columns[f"{before}passage.condition"][t] == side.condition).all()
        np.testing.assert_allclose(recording.values("twin.robot.trust")[t], moment.twin.robot_trust, atol=5.1e-5)
        assert recording.exact["survivors"][t] == moment.e_now
        assert (t - recording.columns["view.step"][t] == moment.view_age).all()


def test_fixed_sensors_trust_is_that_of_the_twins_rule(tmp_path: Path) -> None:
    from qdt_env.twin.trust import trust_score

    episodes = played(threats="insider", record=tmp_path / "m.qdr")._episodes
    zones, config = episodes.state.twin.zones[0], episodes.setup.twin[0]
    told = next(c for c in COLUMNS if c.name == "twin.zone.sensor_trust").take(Instant(episodes, 0))
    step = int(episodes.state.clock["step"][0])
    by_rule = [trust_score(z["positive"], z["negative"], step - z["evidence_step"], config) for z in zones]
    np.testing.assert_allclose(told, by_rule, atol=1e-5)


def test_each_mission_has_its_file_and_its_part_of_the_ledger(tmp_path: Path) -> None:
    env = hospital_rescue_v0.parallel_env("ward", max_cycles=8, record=tmp_path / "m.qdr", ledger=tmp_path / "m.sqlite")
    env.reset(seed=1)
    env.reset(seed=2)  # no step was made: no file of its own
    while env.agents:
        env.step({})
    env.reset(seed=3)
    for _ in range(3):
        env.step({})
    env.reset()
    env.step({})
    env.close()
    assert sorted(path.name for path in tmp_path.glob("*.qdr")) == ["m-2.qdr", "m-3.qdr", "m.qdr"]
    found = [read_recording(tmp_path / name) for name in ("m.qdr", "m-2.qdr", "m-3.qdr")]
    assert [one.header["mission"]["seed"] for one in found] == ["2", "3", "3"]
    assert [(one.steps, one.over, one.cut) for one in found] == [(8, True, False), (3, False, False), (1, False, False)]
    for one, before in zip(found, (0, 8, 11), strict=True):
        history = check_history(one)
        assert (history.problem, history.signed, history.leaves) == ("", one.steps, one.steps)
        assert one.header["ledger"]["size"] == before


def test_copies_do_not_write(tmp_path: Path) -> None:
    env = hospital_rescue_v0.parallel_env("ward", max_cycles=9, record=tmp_path / "m.qdr")
    env.reset(seed=1)
    env.step({})
    twin = copy.deepcopy(env)
    twin.step({})
    while env.agents:
        env.step({})
    assert read_recording(tmp_path / "m.qdr").steps == 9


def rewritten(path: Path, change: str, to: Path) -> Path:
    """The recording with one thing changed and a chain that fits again, as a forger would make it."""
    writer = RecordingWriter(to)
    records = [(record.kind, record.payload) for record in scan(path.read_bytes()).records]
    header = json.loads(records[0][1])
    sizes = {one["name"]: (np.dtype(one["type"]).itemsize, one["n"]) for one in header["columns"]}
    seen = 0
    for kind, payload in records:
        seen += kind == STEP
        if change in sizes and kind == STEP and seen == 6:
            names = [one["name"] for one in header["columns"]]
            at = sum(sizes[name][0] * sizes[name][1] for name in names[: names.index(change)])
            altered = bytearray(payload)
            altered[at + (sizes[change][0] - 1)] ^= 1
            payload = bytes(altered)
        if change == "signature" and kind == TREE_HEAD:
            head = json.loads(payload)
            payload = json.dumps({**head, "signature": head["signature"][:-2] + "00"}).encode()
        if change == "leaf" and kind == STEP and seen == 6:
            payload = payload[:-1] + bytes([payload[-1] ^ 1])
        writer.append(kind, payload)
    writer.close()
    return to


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("up.verdict", "the verdicts recorded are not those of the ledger"),
        ("twin.robot.trust", "the trust recorded is not that of the ledger"),
        ("leaf", "leaf|not that of the ledger|does not fit"),
        ("signature", "the signature of 'server' is not good"),
    ],
)
def test_a_forgery_with_a_fitting_chain_is_found_by_the_ledger(tmp_path: Path, change: str, words: str) -> None:
    played(steps=8, record=tmp_path / "m.qdr").close()
    forged = read_recording(rewritten(tmp_path / "m.qdr", change, tmp_path / "f.qdr"))
    assert re.search(words, check_history(forged).problem)
    assert check_history(read_recording(rewritten(tmp_path / "m.qdr", "nothing", tmp_path / "n.qdr"))).problem == ""


def json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def change_columns(header: bytes, **change: object) -> bytes:
    """A header of which every column says something else."""
    given = json.loads(header)
    return json_bytes({**given, "columns": [{**one, **change} for one in given["columns"]]})


FORGED = {
    "no header": (HEADER, lambda _: b"{}"),
    "no text": (HEADER, lambda _: b"\xff"),
    "deep": (HEADER, lambda _: b"[" * 100_000),
    "no columns": (HEADER, lambda old: json_bytes({**json.loads(old), "columns": "x"})),
    "type of columns": (HEADER, lambda old: change_columns(old, type="O")),
    "odd type": (HEADER, lambda old: change_columns(old, type=["u1"])),
    "length of columns": (HEADER, lambda old: change_columns(old, n=-1)),
    "long columns": (HEADER, lambda old: change_columns(old, n=10**30)),
    "scale": (HEADER, lambda old: change_columns(old, scale=0)),
    "exact": (HEADER, lambda old: json_bytes({**json.loads(old), "exact": []})),
    "ledger": (HEADER, lambda old: json_bytes({**json.loads(old), "ledger": 5})),
    "ledger of nothing": (HEADER, lambda old: json_bytes({**json.loads(old), "ledger": {}})),
    "leaves of no ledger": (HEADER, lambda old: json_bytes({**json.loads(old), "ledger": None})),
    "short step": (STEP, lambda old: old[:10]),
    "end": (END, lambda _: b"[]"),
    "metrics": (END, lambda _: b'{"over": true, "metrics": 3}'),
    "head": (TREE_HEAD, lambda _: b"{}"),
    "head of nothing": (TREE_HEAD, lambda old: json_bytes({**json.loads(old), "size": 0})),
}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of three steps."""
    path = tmp_path_factory.mktemp("short") / "m.qdr"
    played(steps=3, record=path).close()
    return path


def with_payloads(path: Path, to: Path, kind: bytes, change: Callable[[bytes], bytes]) -> Path:
    """The recording with other payloads in the records of a kind, and a chain that fits."""
    writer = RecordingWriter(to)
    for record in scan(path.read_bytes()).records:
        writer.append(record.kind, change(record.payload) if record.kind == kind else record.payload)
    writer.close()
    return to


@pytest.mark.parametrize("name", FORGED)
def test_what_no_recorder_writes_is_refused_though_its_chain_fits(short: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="header|step|end|head"):
        read_recording(with_payloads(short, tmp_path / "f.qdr", *FORGED[name]))


@pytest.mark.parametrize("change", [{"size": "x"}, {"header": 5}, {"frontier": None}, {"header": "zz"}])
def test_a_ledger_that_makes_no_sense_is_a_problem_and_no_crash(
    short: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    def ledger(old: bytes) -> bytes:
        given = json.loads(old)
        return json_bytes({**given, "ledger": {**given["ledger"], **change}})

    forged = read_recording(with_payloads(short, tmp_path / "f.qdr", HEADER, ledger))
    assert "the ledger within is not what a recorder writes" in check_history(forged).problem


def test_a_leaf_that_trusts_nobody_there_is_a_problem_and_no_crash(short: Path, tmp_path: Path) -> None:
    first = read_recording(short).leaves[0]
    other = encode_leaf(replace(decode_leaf(first), trust=((60_000, 0.5),)))
    forged = with_payloads(short, tmp_path / "f.qdr", STEP, lambda old: old.replace(first, other))
    assert check_history(read_recording(forged)).problem == "step 1: its leaf trusts a source that there is not"


def test_cut_and_altered_files(tmp_path: Path) -> None:
    played(steps=20, record=tmp_path / "m.qdr").close()
    data = (tmp_path / "m.qdr").read_bytes()
    (tmp_path / "cut.qdr").write_bytes(data[: len(data) - 5000])
    cut = read_recording(tmp_path / "cut.qdr")
    assert cut.cut and cut.metrics is None and 0 < cut.steps < 20
    whole = read_recording(tmp_path / "m.qdr")
    assert all((cut.columns[name] == whole.columns[name][: cut.steps + 1]).all() for name in whole.columns)
    (tmp_path / "head.qdr").write_bytes(data[:100])
    with pytest.raises(RecordingError, match="cut before its first state"):
        read_recording(tmp_path / "head.qdr")
    (tmp_path / "bad.qdr").write_bytes(data[:3000] + bytes([data[3000] ^ 1]) + data[3001:])
    with pytest.raises(RecordingError, match=r"altered after it was written: record \d+"):
        read_recording(tmp_path / "bad.qdr")


def test_without_a_ledger_there_is_no_history(tmp_path: Path) -> None:
    scenario = replace(load_scenario("ward"), horizon_steps=3)
    episodes = Episodes(scenario, GameConfig(), episodes=2)
    recorder = Recorder(tmp_path / "m.qdr", episodes, row=1)
    episodes.reset(np.arange(2), np.array([1, 2], np.uint64), np.zeros(2, np.int64))
    recorder.begin()
    with pytest.raises(ValueError, match="one mission at a time"):
        recorder.begin()
    while not episodes.state.clock["over"].all():
        episodes.step(np.zeros((2, 3), np.int32))
        recorder.record()
    recording = read_recording(tmp_path / "m.qdr")
    assert recording.header["mission"]["seed"] == "2" and recording.header["ledger"] is None
    assert recording.metrics == episodes.metrics(1)
    assert check_history(recording).log_id == "" and recording.leaves == ()
    with pytest.raises(ValueError, match="name='zone.colour' is not allowed: one of zone.damage"):
        recording.values("zone.colour")


def test_mistakes_name_the_parameter(tmp_path: Path) -> None:
    scenario = load_scenario("ward")
    with pytest.raises(ValueError, match="record=2 is not allowed: 1 mission at a time with a ledger"):
        Recorder(tmp_path / "m.qdr", Episodes(scenario, GameConfig(), episodes=2, ledger=open_ledger(None, scenario)))
    with pytest.raises(ValueError, match="row=3 is not allowed"):
        Recorder(tmp_path / "m.qdr", Episodes(scenario, GameConfig()), row=3)
    (tmp_path / "m.qdr").write_bytes(b"")
    with pytest.raises(ValueError, match="a new file: this is a folder"):
        Recorder(tmp_path, Episodes(scenario, GameConfig()))
    with pytest.raises(ValueError, match="a new file: this one exists"):
        hospital_rescue_v0.parallel_env(record=tmp_path / "m.qdr")
