"""``qdt eval`` and ``qdt compare`` as a user meets them: tables, files, a kill in the midst, mistakes named."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from qdt_env.scenario import load_scenario, with_horizon
from training.cli import evaluation as command
from training.cli import spreading
from training.cli.main import main
from training.cluster import in_process
from training.evaluate import FIRST_SEED, JOURNAL


def missions(report: Path) -> Any:
    return json.loads(report.read_text())["results"]["missions"]


@pytest.fixture
def short_ward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missions of 60 steps on the ward; another name is the ward of another seed."""

    def load(name: str) -> Any:
        scenario = load_scenario("ward", building_seed=0 if name == "ward" else len(name))
        return with_horizon(replace(scenario, name=Path(name).stem), 60)

    monkeypatch.setattr(command, "load_scenario", load)


@pytest.mark.usefixtures("short_ward")
def test_eval_prints_and_writes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    assert main(["eval", "gain+exact", "-n", "3", "--threats", "tamper", "--json", str(report), "--markdown"]) == 0
    said = capsys.readouterr().out
    seeds = f"seeds {FIRST_SEED} to {FIRST_SEED + 2}"
    assert f"ward: suite qkd, threats tamper; 3 missions per policy, {seeds}" in said
    assert "| per mission | IQM, 95 % | mean, 95 % | missions |" in said and "plans per mission" in said
    document = json.loads(report.read_text())
    assert document["command"] == "eval" and document["config"]["policies"] == ["gain+exact"]
    (standing,) = document["results"]["standings"]
    scores = document["results"]["missions"]["ward"]["gain+exact"]["score"]
    assert standing["mean"]["score"]["mean"] == pytest.approx(sum(scores) / 3)


@pytest.mark.usefixtures("short_ward")
def test_compare_prints_writes_draws_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, picture, out = tmp_path / "r.json", tmp_path / "r.png", tmp_path / "kept"
    policies = ["compare", "gain", "gain@suite=plaintext", "random", "-n", "6", "--seed", "5", "--chunk", "4"]
    given = [*policies, "--out", str(out)]
    assert main([*given, "--json", str(report), "--figure", str(picture)]) == 0
    said = capsys.readouterr().out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    for sentence in ("gain@suite=plaintext cannot be told apart from gain on these 6 seeds", "reference"):
        assert sentence in " ".join(said.split())
    results = json.loads(report.read_text())["results"]
    assert results["seeds"] == [5, 6, 7, 8, 9, 10]
    plaintext, random = results["contests"]
    first, second = (results["missions"]["ward"][name]["score"] for name in ("random", "gain"))
    assert random["difference"]["score"]["mean"] == pytest.approx((sum(first) - sum(second)) / 6)
    assert plaintext["difference"]["key_bits"]["high"] < 0.0 and plaintext["policy"] == "gain@suite=plaintext"
    assert set(results["profiles"]) == {"gain", "gain@suite=plaintext", "random"}
    assert main(given) == 2
    assert "holds results already; allowed is another place, or --resume" in capsys.readouterr().err
    journal = out / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-100])  # killed in the midst of the last line
    again = tmp_path / "again.json"
    assert main([*given, "--resume", "--json", str(again)]) == 0
    assert missions(again) == missions(report)
    capsys.readouterr()
    assert main([*given, "--resume", "--suite", "psk"]) == 2
    assert "holds results of another configuration: suite is 'qkd' there and 'psk' here" in capsys.readouterr().err


@pytest.mark.usefixtures("short_ward")
def test_several_scenarios_are_told_apart_and_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "r.svg"
    given = ["compare", "gain", "nearest", "--scenario", "a/one.json", "--scenario", "bb/one.json", "-n", "2"]
    assert main([*given, "--markdown", "--figure", str(picture)]) == 0
    said = capsys.readouterr().out
    for scope in ("a/one.json", "bb/one.json", "all scenarios"):
        assert f"**Score, {scope}**" in said
    assert "on these 4 missions" in said and "2 missions per policy and scenario" in said
    assert picture.read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "gain"], "policies=['gain'] is not allowed: two or more, the first the reference"),
        (["compare", "gain", "gain"], "policies=['gain', 'gain'] is not allowed: one or more, all different"),
        (["compare", "gain", "clever"], "policy='clever' is not allowed"),
        (["eval", "gain+oracle"], "advisor='oracle' is not allowed: one of none, random"),
        (["eval", "gain@colour=red"], "behind @ one or more of suite, threats, channel, trust"),
        (["eval", "wait+exact"], "'none' with policy 'wait'"),
        (["eval"], "POLICY"),
        (["eval", "gain", "-n", "0"], "episodes=0 is not allowed: 1 to 100000"),
        (["eval", "gain", "--chunk", "0"], "chunk=0 is not allowed"),
        (["eval", "gain", "--seed", "-1"], "given -1"),
        (["eval", "gain", "--scenario", "castle"], "scenario='castle' is not allowed"),
        (["eval", "gain", "--scenario", "ward", "--scenario", "ward"], "each once"),
        (["eval", "gain", "--suite", "rot13"], "rot13"),
        (["eval", "gain", "--channel", "radio"], "channel='radio' is not allowed"),
        (["eval", "gain", "--control", "move"], "control='move' is not allowed for policy 'gain'"),
        (["eval", "gain", "--resume"], "resume=True is not allowed: only with a folder"),
        (["eval", "gain", "--out", "here.txt"], "--out='here.txt' is not allowed: a folder"),
        (["eval", "gain", "--ray-address", "auto"], "--ray-address='auto' is not allowed: together with --ray"),
        (["compare", "gain", "random", "--figure", "no/such/f.png"], "--figure='no/such/f.png'"),
        (["eval", "gain", "--json", "no/such/r.json"], "--json='no/such/r.json'"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], words: str, mistake: Callable[[list[str]], str]) -> None:
    assert words in mistake(arguments)


@pytest.mark.parametrize("name", ["eval", "compare"])
def test_help_has_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Examples" in capsys.readouterr().out


def test_without_ray_the_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["eval", "gain", "-n", "2", "--ray"]) == 2
    assert "pip install 'qdt-env[ray]'" in capsys.readouterr().err


@pytest.mark.usefixtures("short_ward")
def test_with_ray_the_clusters_spread_runs_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def spread(function: Any, jobs: Any, *, address: str | None = None, progress: Any = None) -> Any:
        asked.append((address, len(jobs)))
        return in_process(function, jobs, progress=progress)

    monkeypatch.setattr(spreading, "spread", spread)
    assert main(["eval", "gain", "-n", "4", "--chunk", "2", "--ray"]) == 0
    assert main(["eval", "gain", "-n", "2", "--chunk", "2", "--ray", "--ray-address", "10.0.0.1:6379"]) == 0
    assert asked == [(None, 2), ("10.0.0.1:6379", 1)]


def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "evaluate", interrupted)
    assert main(["eval", "gain", "--out", str(tmp_path)]) == 130
    assert "the same command with --resume goes on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_comparison_goes_on_to_the_same_end(tmp_path: Path) -> None:
    def given(out: Path, *more: str) -> list[str]:
        fixed = ["compare", "gain", "nearest", "-n", "24", "--chunk", "2", "--out", str(out)]
        return [sys.executable, "-m", "training.cli.main", *fixed, *more]

    report, again = tmp_path / "whole.json", tmp_path / "again.json"
    subprocess.run(given(tmp_path / "whole", "--json", str(report)), check=True, capture_output=True)
    journal = tmp_path / "killed" / JOURNAL
    running = subprocess.Popen(given(tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(6000):
        if journal.exists() and journal.read_bytes().count(b"\n") >= 4:
            break
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = journal.read_bytes().count(b"\n") - 1
    assert 3 <= kept < 24, "killed too late or too soon"
    subprocess.run(given(tmp_path / "killed", "--resume", "--json", str(again)), check=True, capture_output=True)
    assert missions(again) == missions(report)
    assert journal.read_bytes().count(b"\n") == 1 + 24


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("ray") is None or find_spec("training.cluster") is None, reason="needs Ray and training.cluster"
)
def test_over_ray_is_as_in_process(tmp_path: Path) -> None:
    reports = [tmp_path / "here.json", tmp_path / "spread.json"]
    for report, more in zip(reports, ([], ["--ray"]), strict=True):
        given = ["compare", "gain", "random+exact", "-n", "6", "--chunk", "2", "--json", str(report), *more]
        subprocess.run([sys.executable, "-m", "training.cli.main", *given], check=True, capture_output=True)
    assert missions(reports[0]) == missions(reports[1])


def test_a_generated_building_is_chosen_by_its_seed() -> None:
    chosen = command.missions_named(["ward", "ward:7"])
    buildings = [mission.building.digest() for mission in chosen.values()]
    assert buildings == [load_scenario("ward", building_seed=seed).building.digest() for seed in (0, 7)]
    with pytest.raises(ValueError, match="ward:x"):
        command.missions_named(["ward:x"])
