"""``qdt run --record`` and ``qdt replay`` as a user meets them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qdt_env.viewer.playback import read_recording
from training.cli.main import main


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("record") / "m.qdr"
    report = path.with_suffix(".json")
    arguments = ["run", "--threats", "mixed", "--seed", "3", "--advisor", "greedy"]
    assert main([*arguments, "--record", str(path), "--json", str(report)]) == 0
    return path


def test_run_records_the_mission_that_it_reports(recorded: Path) -> None:
    results = json.loads(recorded.with_suffix(".json").read_text())["results"]
    recording = read_recording(recorded)
    assert results["seeds"] == [3] and recording.metrics is not None
    assert {name: values[0] for name, values in results["metrics"].items()} == recording.metrics
    assert recording.header["mission"]["player"] == {"policy": "gain", "advisor": "greedy"}


def test_replay_writes_the_page_and_says_what_it_checked(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, report = tmp_path / "p.html", tmp_path / "r.json"
    assert main(["replay", str(recorded), "-o", str(page), "--json", str(report)]) == 0
    said = capsys.readouterr().out
    assert "good: 180 steps" in said and "4 signed heads reach to step 180" in said and f"Wrote {page}" in said
    results = json.loads(report.read_text())["results"]
    assert results["ok"] and results["ledger"]["leaves"] == 180 and not results["cut"]
    assert page.stat().st_size < 1_000_000


def test_an_altered_recording_is_reported_with_exit_code_1(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(recorded.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.qdr").write_bytes(data)
    assert main(["replay", str(tmp_path / "bad.qdr")]) == 1
    said = capsys.readouterr().out
    assert "BAD: the recording was altered" in said and "plays nothing" in said
    assert (tmp_path / "bad.html").is_file()


def test_a_cut_recording_is_played_to_its_last_step(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.qdr").write_bytes(recorded.read_bytes()[:-9000])
    assert main(["replay", str(tmp_path / "cut.qdr")]) == 0
    assert "it was cut after step 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--record", "m.qdr", "-n", "5"], "episodes=5 is not allowed: 1 with --record"),
        (["run", "--record", "no/m.qdr"], "record='no/m.qdr' is not allowed: a file in an existing folder"),
        (["run", "--record", "here.txt"], "record='here.txt' is not allowed: a new file"),
        (["replay", "missing.qdr"], "missing.qdr"),
        (["replay", "here.txt", "-o", "here.txt"], "--output='here.txt' is not allowed: another file"),
        (["replay", "here.txt"], "no recording of version 1"),
    ],
)
def test_mistakes_are_one_clear_line(arguments: list[str], words: str, mistake: Callable[[list[str]], str]) -> None:
    assert words in mistake(arguments)
