"""Run cards: what they hold, what counts as a difference, and a run that is repeated from its card."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from training.cards import card, commit, differences, other_surroundings, read_card, write_card
from training.cli.main import main
from training.cli.repeat import made_of


def document(**results):
    return card("run", ["run", "-n", "2"], {"seed": 3}, results)


def test_a_card_says_what_repeats_the_run(tmp_path: Path) -> None:
    made = document(score=np.array([0.5, np.nan]))
    write_card(tmp_path / "card.json", made)
    read = read_card(tmp_path / "card.json")
    assert read == made and read["results"] == {"score": [0.5, None]}
    assert read["arguments"] == ["run", "-n", "2"] and read["config"] == {"seed": 3}
    assert read["versions"]["numpy"] == np.__version__ and read["hardware"]["cores"] >= 1
    assert read["hardware"]["processor"]


def test_the_commit_is_that_of_the_checkout(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""

    def git(*words: str) -> str:
        settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", "-C", tmp_path, *settings, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    assert commit(tmp_path) == ""  # nothing committed yet
    (tmp_path / "a.txt").write_text("a")
    git("add", "a.txt")
    git("commit", "-q", "-m", "a")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a.txt").write_text("b")
    assert commit(tmp_path) == git("rev-parse", "HEAD") + "+changes"


def test_differences_are_named_and_clocks_left_out() -> None:
    first = document(score=[0.5, 0.25], wall_s=1.0, planner={"plans": 3, "extraction_s": 0.1}, policy="gain")
    second = document(score=[0.5, 0.25 + 1e-12], wall_s=9.0, planner={"plans": 3, "extraction_s": 7.0}, policy="gain")
    assert differences(first, second) == []
    third = document(score=[0.5, 0.26], wall_s=1.0, planner={"plans": 4}, policy="gain", more=1)
    assert differences(first, third) == [
        "score[1]: 0.25 there, 0.26 here",
        "planner.plans: 3 there, 4 here",
        "more: only here",
    ]
    assert other_surroundings(first, second) == []
    second["versions"]["numpy"] = "0.1"
    assert other_surroundings(first, second) == [f"versions numpy: {np.__version__} there, 0.1 here"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not JSON"), ("[]", "lacks command"), ('{"command": "run"}', "lacks arguments, versions, commit")],
)
def test_what_is_no_card_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_card(path)
    with pytest.raises(ValueError, match="a card.json, or a file that --json wrote"):
        read_card(tmp_path / "none.json")


def test_a_run_is_repeated_and_an_edited_card_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "card.json"
    assert main(["run", "-n", "2", "--seed", "4", "--advisor", "exact", "--threats", "mixed", "--card", str(path)]) == 0
    assert main(["run", "--from", str(path)]) == 0
    assert "the same results" in capsys.readouterr().out
    edited = json.loads(path.read_text())
    edited["results"]["metrics"]["score"][1] += 0.001
    path.write_text(json.dumps(edited))
    assert main(["run", "--from", str(path)]) == 1
    said = capsys.readouterr().out
    assert "metrics.score[1]: " in said and "other results in 1 place" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": "threats"}, "command of the card='threats' is not allowed: one of run, demo, train"),
        ({"command": ["run"]}, "command of the card=['run'] is not allowed"),
        ({"config": {"building": "00"}}, "config of the card, building='00' is not allowed"),
        ({"config": {"seed": "four"}}, "config of the card, seed='four' is not allowed: of type int"),
        ({"config": {"episodes": None}}, "config of the card, episodes=None is not allowed"),
        ({"results": [1]}, "card, results=[1] is not allowed"),
    ],
)
def test_what_cannot_be_repeated_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict, words: str
) -> None:
    path = tmp_path / "card.json"
    assert main(["run", "-n", "1", "--policy", "wait", "--card", str(path)]) == 0
    made = json.loads(path.read_text())
    config = made["config"] | change.pop("config", {})
    path.write_text(json.dumps(made | change | {"config": config}))
    assert main(["run", "--from", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_options_beside_a_card_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--from", "card.json", "--seed", "3", "--json", "a.json"]) == 2
    assert "--from='--seed, --json' is not allowed: alone" in capsys.readouterr().err


def test_settings_come_back_from_plain_data_and_edits_are_named() -> None:
    made = _Mix(("a", "b"), 0.5, None)
    assert made_of(_Mix, json.loads(json.dumps(vars(made))), "missions of the card") == made
    assert made_of(_Mix, {"rate": 1}, "missions of the card") == _Mix(rate=1)
    for given, words in (
        ([], "names and values"),
        ({"colour": 1}, "missions of the card='colour' is not allowed: of threats, rate, advisor"),
        ({"rate": True}, "missions of the card, rate=True is not allowed"),
        ({"threats": ["a", 1]}, "missions of the card, threats="),
        ({"advisor": 3}, "missions of the card, advisor=3"),
    ):
        with pytest.raises(ValueError, match=words):
            made_of(_Mix, given, "missions of the card")


@dataclass(frozen=True)
class _Mix:
    threats: tuple[str, ...] = ("mixed",)
    rate: float = 0.0
    advisor: str | None = None


@pytest.mark.slow
def test_a_demo_is_repeated_from_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pennylane")
    out = tmp_path / "demo"
    assert main(["demo", "-n", "2", "--channel", "statistical", "--out", str(out)]) == 0
    assert main(["run", "--from", str(out / "card.json")]) == 0
    assert "the same results" in capsys.readouterr().out


@pytest.mark.slow
def test_a_training_run_is_repeated_from_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "small"
    options = ["-n", "2", "--rows", "4", "--repeats", "2", "--imitate", "gain", "--imitated", "1"]
    assert main(["train", "-o", str(out), *options]) == 0
    made = read_card(out / "card.json")
    assert made["results"]["iterations"] == 2 and 0.0 < made["results"]["last"]["entropy"]
    assert main(["run", "--from", str(out / "card.json")]) == 0
    assert "the same results" in capsys.readouterr().out


@pytest.mark.slow
def test_a_stopped_training_run_is_repeated_as_far_as_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "stopped"
    options = ["-n", "5", "--rows", "4", "--repeats", "4", "--minutes", "0", "--start", "learned"]
    assert main(["train", "-o", str(out), *options]) == 0
    made = read_card(out / "card.json")
    assert made["results"]["iterations"] == 1 and made["config"]["start"]["policy"] == "learned"
    assert main(["run", "--from", str(out / "card.json")]) == 0
    assert "the same results" in capsys.readouterr().out
    made["config"]["start"]["sha256"] = "0" * 64
    write_card(out / "card.json", made)
    assert main(["run", "--from", str(out / "card.json")]) == 2
    assert "config of the card, start" in capsys.readouterr().err
    made["config"]["learner"]["network"]["width"] = "wide"
    write_card(out / "card.json", made)
    assert main(["run", "--from", str(out / "card.json")]) == 2
    assert "network of the card, width='wide' is not allowed: of type int" in capsys.readouterr().err
