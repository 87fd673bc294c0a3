"""``qdt bench ablations`` as a user meets it: trains, goes on after an interruption, hides, draws, names mistakes."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from qdt_env.scenario import load_scenario, with_horizon
from training import ablation_study
from training.cli.main import main
from training.evaluate import JOURNAL

SHORT = 30


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missions of a few steps, in training and test."""

    def load(name: str, building_seed: int = 0) -> Any:
        return with_horizon(load_scenario(name, building_seed=building_seed), SHORT)

    monkeypatch.setattr(ablation_study, "load_scenario", load)
    if find_spec("torch") is not None:
        from training.run import MissionMix

        whole = MissionMix.scenarios
        monkeypatch.setattr(MissionMix, "scenarios", lambda mix: [with_horizon(one, SHORT) for one in whole(mix)])


@pytest.mark.usefixtures("short")
def test_parts_are_hidden_from_a_rule_without_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    given = ["bench", "ablations", "--hide-only", "gain", "-n", "2", "--json", str(report), "--markdown"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "nothing trained, parts hidden while it plays" in said and "Nothing was trained" in said
    assert "| without trust |" in said and "**Score, ward (new building)**" in said
    document = json.loads(report.read_text())
    assert document["config"]["entries"]["without ages"] == ["gain@hide=ages"]
    contests = {(one["policy"], one["scope"]) for one in document["results"]["contests"]}
    scopes = ("ward", "ward (new building)", "all scenarios")
    assert contests == {(name, s) for name in ("without trust", "without ages", "plaintext") for s in scopes}


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_study_is_trained_interrupted_and_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the trainer needs PyTorch")
    from training import ablation_training

    given = ["bench", "ablations", "--quick", "--iterations", "1", "--rows", "4", "--repeats", "2", "-n", "2"]
    given += ["--seeds", "2"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    report, again, picture = tmp_path / "r.json", tmp_path / "again.json", tmp_path / "r.png"
    assert main([*given, "-o", str(whole), "--json", str(report), "--figure", str(picture)]) == 0
    said = capsys.readouterr()
    assert picture.read_bytes()[:4] == b"\x89PNG" and "by training run" in said.out
    assert "without trust, seed 1: trained" in said.err
    document = json.loads(report.read_text())
    assert len(document["results"]["runs"]) == 10 and (whole / "without-advice-1").is_dir()
    assert {one["scope"] for one in document["results"]["run_differences"]} == {"ward", "ward (new building)",
                                                                               "all scenarios"}  # fmt: skip
    assert main([*given, "-o", str(whole)]) == 2 and "--resume" in capsys.readouterr().err

    trained: list[Path] = []
    train = ablation_training.train_run

    def interrupted(folder: Path, *arguments: Any, **settings: Any) -> Path:
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(folder)
        return train(folder, *arguments, **settings)

    monkeypatch.setattr(ablation_training, "train_run", interrupted)
    assert main([*given, "-o", str(cut)]) == 130
    assert "the same command with --resume goes on" in capsys.readouterr().err and not (cut / JOURNAL).exists()
    monkeypatch.setattr(ablation_training, "train_run", train)
    assert main([*given, "-o", str(cut), "--resume", "--json", str(again)]) == 0
    for part in ("contests", "missions", "run_differences"):
        assert json.loads(again.read_text())["results"][part] == document["results"][part]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--out=None is not allowed: a folder; without one only with --hide-only"),
        (["--hide-only", "gain", "--resume"], "--resume=True is not allowed: together with --out"),
        (["-o", "here", "--advisor", "oracle"], "advisor='oracle' is not allowed: one of none"),
        (["--hide-only", "clever"], "policy='clever' is not allowed"),
        (["-o", "here", "--figure", "no/such/f.png"], "--figure='no/such/f.png'"),
        (["-o", "here", "--test", "castle"], "scenario='castle' is not allowed"),
        (["-o", "here.txt"], "--out='here.txt' is not allowed: a folder"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], words: str, mistake: Callable[[list[str]], str]) -> None:
    assert words in mistake(["bench", "ablations", *arguments])
