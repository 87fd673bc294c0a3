"""``qdt train`` as a user meets it: results as JSON, an interruption that says how to go on, mistakes in one line."""

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qdt_env.scenario import with_horizon
from training.cards import read_card
from training.cli.main import main

pytest.importorskip("torch", reason="the trainer needs PyTorch")

from agents.learned import load_network  # noqa: E402
from training.ppo import Learner  # noqa: E402
from training.run import MissionMix  # noqa: E402

FEW = ["-n", "3", "--rows", "2", "--repeats", "2"]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missions of a few steps."""
    whole = MissionMix.scenarios
    monkeypatch.setattr(MissionMix, "scenarios", lambda mix: [with_horizon(one, 20) for one in whole(mix)])


def _ctrl_c() -> None:
    """As Python does it; whoever runs the tests may have changed what SIGINT does."""
    raise KeyboardInterrupt


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("interrupt", [_ctrl_c, partial(signal.raise_signal, signal.SIGTERM)])
def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None]
) -> None:
    whole, cut, report = tmp_path / "whole", tmp_path / "cut", tmp_path / "r.json"
    before = signal.getsignal(signal.SIGTERM)
    assert main(["train", "-o", str(whole), *FEW]) == 0
    learn = Learner.learn
    for batch, words in (0, "nothing was saved"), (2, f"{cut} has policy.safetensors of the last whole batch; the"):

        def interrupted(learner: Learner, *rest: Any, batch: int = batch) -> dict[str, float]:
            if learner.iteration == batch:
                interrupt()
            return learn(learner, *rest)

        monkeypatch.setattr(Learner, "learn", interrupted)
        capsys.readouterr()
        assert main(["train", "-o", str(cut), *FEW]) == 130
        assert words in capsys.readouterr().err and signal.getsignal(signal.SIGTERM) == before
    assert load_network(cut / "policy.safetensors")[1]["iteration"] == 2
    monkeypatch.setattr(Learner, "learn", learn)
    assert main(["train", "-o", str(cut), *FEW, "--resume", "--json", str(report)]) == 0
    cards = [read_card(path) for path in (report, cut / "card.json", whole / "card.json")]
    results = [card["results"] for card in cards]
    assert results[0] == results[1] and results[0]["last"].pop("seconds") > 0.0 and results[2]["last"].pop("seconds")
    assert results[0] == results[2] and results[0]["iterations"] == 3
    assert cards[0]["config"]["policy"] == str(cut / "policy.safetensors")


@pytest.mark.usefixtures("short")
def test_the_results_as_json_are_a_card_that_can_be_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "r.json"
    assert main(["train", "-o", str(tmp_path / "run"), *FEW, "--seed", "3", "--json", str(report)]) == 0
    document = json.loads(report.read_text())
    assert document["command"] == "train" and document["config"]["learner"]["seed"] == 3
    assert main(["run", "--from", str(report)]) == 0 and "the same results" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "ward,ward"], "--scenario='ward,ward' is not allowed: each once"),
        (["--start", "gain"], "trained policy: got 'gain' (a rule, without weights: qdt train --imitate gain)"),
        (["--start", "learned", "--memory"], "memory False, not True, allowed is one of the network that is trained"),
        (["--start", "learned", "--imitate", "gain"], "start='learned' is not allowed: None where a teacher is"),
        (["--without", "foo", "--tensorboard"], "without='foo' is not allowed: "),
        (["--learning-rate", "1e30"], "learning_rate=1e+30 is not allowed: a number in (0, 1]"),
        (["--entropy", "inf"], "entropy=inf is not allowed"),
        (["--seed", str(2**33)], f"seed={2**33} is not allowed: a whole number, 0 to "),
        (["--json", "no/such/r.json"], "--json='no/such/r.json'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(
    arguments: list[str], words: str, mistake: Callable[[list[str]], str]
) -> None:
    assert words in mistake(["train", "-o", "run", *FEW, *arguments])
