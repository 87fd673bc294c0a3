"""The command ``qdt`` as a user meets it: results, files, help, and one clear line for every mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qdt_env.viewer.playback import read_recording
from training.cli import demo as demo_command
from training.cli import threats as threats_command
from training.cli.main import main


def test_run_prints_and_writes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    arguments = ["run", "--policy", "gain", "--advisor", "exact", "--threats", "mixed", "-n", "3", "--seed", "5"]
    assert main([*arguments, "--json", str(report)]) == 0
    assert "gain advised by exact on ward, suite qkd, threats mixed: 3 missions" in capsys.readouterr().out
    document = json.loads(report.read_text())
    assert document["command"] == "run" and document["config"]["seed"] == 5
    assert document["versions"]["numpy"] and document["results"]["seeds"] == [5, 6, 7]
    assert len(document["results"]["metrics"]["score"]) == 3 and document["results"]["planner"]["plans"] > 0
    repeat = tmp_path / "again.json"
    assert main([*arguments, "--json", str(repeat)]) == 0
    assert json.loads(repeat.read_text())["results"]["metrics"] == document["results"]["metrics"]


def test_one_mission_has_no_interval(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    assert main(["run", "-n", "1", "--policy", "wait", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["results"]["score"]["low"] is None


def test_demo_compares_on_the_same_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pennylane")
    out = tmp_path / "new" / "demo"
    assert main(["demo", "-n", "3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for words in ("gain + qaoa", "gain, plaintext", "on these 3 seeds", "mission.png", "score 0"):
        assert words in said
    assert (out / "mission.png").read_bytes()[:4] == b"\x89PNG"
    assert f"open {out / 'replay.html'} in a browser" in said.replace("\n", " ")
    assert read_recording(out / "mission.qdr").metrics is not None
    assert b'id="recording" data-name="mission.qdr"' in (out / "replay.html").read_bytes()
    results = json.loads((out / "results.json").read_text())["results"]
    lines = results["lines"]
    assert list(lines) == [line.name for line in demo_command.LINES]
    assert len({str(line["metrics"]["patients"]) for line in lines.values()}) == 1
    assert set(results["score_difference_to_gain"]) == set(lines) - {"gain"}
    assert lines["gain + qaoa"]["planner"]["shots"] > 0 and lines["gain"]["planner"] is None


def test_threats_prints_the_readme_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ("none", "tamper", "insider")
    cases = tuple(c for c in threats_command.CASES if c.suite in ("qkd", "plaintext") and c.threats in wanted)
    pairs = tuple(p for p in threats_command.PAIRS if set(p) <= set(cases))
    monkeypatch.setattr(threats_command, "CASES", cases)
    monkeypatch.setattr(threats_command, "PAIRS", pairs)
    report = tmp_path / "t.json"
    assert main(["threats", "-n", "4", "--markdown", "--json", str(report)]) == 0
    said = capsys.readouterr().out
    table = [line for line in said.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(cases) and len({line.count("|") for line in table}) == 1
    rows = json.loads(report.read_text())["results"]["rows"]
    forged = {(r["suite"], r["threats"]): sum(r["metrics"]["messages_forged"]) for r in rows if r["trust"]}
    assert forged["plaintext", "tamper"] > 0 and forged["qkd", "tamper"] == 0
    assert main(["threats", "-n", "2"]) == 0
    assert "forged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--policy", "clever"], "policy='clever' is not allowed: one of wait, random"),
        (["run", "--advisor", "oracle"], "advisor='oracle' is not allowed: one of none"),
        (["run", "--scenario", "castle"], "scenario='castle' is not allowed: one of ward, clinic, hospital"),
        (["run", "--scenario", "missing.json"], "missing.json"),
        (["run", "--suite", "rot13"], "rot13"),
        (["run", "--threats", "dragons"], "threats: got 'dragons', allowed"),
        (["demo", "--channel", "radio"], "channel='radio' is not allowed: one of statistical, wire"),
        (["run", "--channel", "radio"], "channel='radio' is not allowed: one of statistical, wire"),
        (["run", "--control", "fly"], "control='fly' is not allowed"),
        (["run", "--control", "move", "--policy", "gain"], "control='move' is not allowed for policy 'gain'"),
        (["run", "--episodes", "0"], "episodes=0 is not allowed: 1 to 100000"),
        (["run", "--episodes", "many"], "'--episodes' / '-n': given many: "),
        (["run", "--seed", "-1"], "given -1"),
        (["run", "--seed", "9223372036854775807"], "given 9223372036854775807"),
        (["bench", "planners", "--sizes"], "requires an argument (see: qdt bench planners --help)"),
        (["bench", "offload", "--scenario", "ward", "--sizes", "3,1000"], "at most 24 patients in ward"),
        (["run", "--json", "no/such/r.json"], "--json='no/such/r.json' is not allowed: a file in an existing folder"),
        (["run", "--colour", "red"], "--colour"),
        (["demo", "--episodes", "-3"], "episodes=-3 is not allowed"),
        (["threats", "--policy", "clever", "-n", "1"], "policy='clever'"),
        (["fly"], "fly"),
        (["building", "check", "castle"], "building: got 'castle'"),
        (["building", "check", "a.json", "--seed", "3"], "--seed: got 3, allowed is none: the building file 'a.json'"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], words: str, mistake: Callable[[list[str]], str]) -> None:
    assert words in mistake(arguments)


@pytest.mark.parametrize(
    "command",
    [
        ["demo"], ["run"], ["replay"], ["threats"], ["link"], ["validate"], ["bench", "security"], ["bench", "trust"],
        ["ledger", "verify"], ["ledger", "prove"], ["ledger", "export"], ["building", "draw"],
    ],
)  # fmt: skip
def test_help_has_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    assert "Examples" in capsys.readouterr().out


def test_help_loads_no_heavy_package() -> None:
    heavy = ("torch", "pennylane", "matplotlib", "ray", "ortools")
    code = (
        "import sys; from training.cli.main import main; main(['--help']); "
        f"print('loaded:', *(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "loaded:"
