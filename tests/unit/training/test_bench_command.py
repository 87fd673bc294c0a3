"""``qdt bench`` as a user meets it: tables, Markdown, JSON, pictures, and mistakes named."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.cli import bench_security
from training.cli.bench import app
from training.cli.bench_security import detected, tables_of
from training.security_matrix import Cell, Matrix
from training.trust_study import with_team

SHORT = ["--suites", "psk,qkd", "--threats", "tamper,key-compromise", "-n", "2"]


def bench(*arguments: str) -> None:
    app(args=list(arguments), standalone_mode=False)


def test_security_writes_the_matrix_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, picture = tmp_path / "m.json", tmp_path / "m.png"
    bench("security", *SHORT, "--markdown", "--json", str(report), "--figure", str(picture))
    said = capsys.readouterr().out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    tables = [block for block in said.split("\n\n") if block.startswith("|")]
    assert len(tables) == 8  # seven measures, and what happens after the theft
    for table in tables:
        rows = table.splitlines()
        assert len({row.count("|") for row in rows}) == 1
        assert len(rows) == (4 if rows[0].startswith("| suite") else 5)
    document = json.loads(report.read_text())
    cells = {(c["suite"], c["threats"]): c for c in document["results"]["cells"]}
    assert list(cells) == [(s, t) for s in ("psk", "qkd") for t in ("none", "tamper", "key-compromise")]
    assert cells["qkd", "tamper"]["steps_to_detect"] == 0 and cells["qkd", "none"]["steps_to_detect"] is None
    assert len(cells["psk", "key-compromise"]["forged_by_step"]) == 180
    assert document["config"]["seed"] == 0 and document["command"] == "bench security"
    bench("security", "--suites", "qkd", "--threats", "drop", "-n", "2")
    assert "Steps to detect" in capsys.readouterr().out


def test_a_figure_without_thefts_is_drawn_too(tmp_path: Path) -> None:
    picture = tmp_path / "drop.png"
    bench("security", "--suites", "psk", "--threats", "drop", "-n", "1", "--figure", str(picture))
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_trust_prints_one_line_per_deceit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_security, "with_team", lambda mission: with_team(mission, 70))
    report = tmp_path / "t.json"
    bench("trust", "--scenario", "ward", "-n", "1", "--no-limits", "--markdown", "--json", str(report))
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0] for row in rows] == [
        f"| {name}, 3 of 12" for name in ("insider", "collusion", "sleeper", "on-off", "whitewash")
    ]
    assert [line["liars"] for line in json.loads(report.read_text())["results"]] == [3] * 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["security", "--suites", "rot13"], "rot13"),
        (["security", "--threats", "tamper,dragons"], "dragons"),
        (["security", "-n", "0"], "episodes=0 is not allowed"),
        (["security", "--channel", "smoke"], "channel='smoke' is not allowed"),
        (["security", "--figure", "no/such/m.png"], "--figure='no/such/m.png'"),
        (["security", "--threats", "none", "--figure", "m.png"], "--figure='m.png' is not allowed: with one threat"),
        (["trust", "-n", "0"], "episodes=0 is not allowed"),
        (["trust", "--json", "no/such/t.json"], "--json='no/such/t.json'"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bench(*arguments)


@pytest.mark.parametrize(
    ("threats", "signs", "hit", "words"),
    [
        ("none", [[-1] * 5, [-1] * 5], (False, False), "-"),
        ("none", [[3, -1, -1, -1, -1], [-1] * 5], (False, False), "false in 1 of 2"),
        ("drop", [[-1, -1, -1, 4, -1], [-1, -1, -1, 7, -1]], (True, True), "5.5 gaps"),
        ("drop", [[-1, -1, -1, 4, -1], [-1] * 5], (True, False), "4 gaps"),
        ("drop", [[-1, -1, -1, 4, -1], [-1, -1, -1, -1, 2]], (True, False), "4 gaps"),
        ("drop", [[-1, -1, -1, 4, -1], [-1] * 5], (True, True), "- (1/2)"),
        ("drop", [[-1] * 5, [-1] * 5], (True, True), "-"),
    ],
)
def test_time_to_detect_says_who_noticed(
    threats: str, signs: list[list[int]], hit: tuple[bool, bool], words: str
) -> None:
    cell = Cell(
        "psk", threats, np.arange(2), {}, np.zeros(2, int), np.array(hit), np.zeros((2, 3), int), np.array(signs)
    )
    assert detected(cell) == words


def test_a_rare_forgery_is_not_shown_as_none() -> None:
    names = ("messages_forged", "messages_exposed", "stale_decisions", "key_bits", "messages_no_key", "score")
    metrics = {name: np.zeros(1000) for name in names}
    quiet = Cell("psk", "none", np.arange(1000), metrics, np.zeros(1000, int), np.zeros(1000, bool),
                 np.zeros((1000, 1), int), np.full((1000, 5), -1))  # fmt: skip
    rare = metrics | {"messages_forged": np.eye(1, 1000)[0]}
    hit = Cell("psk", "spoof", quiet.seeds, rare, quiet.onset_step, ~quiet.hit, quiet.forged, quiet.signs)
    matrix = Matrix(("psk",), ("none", "spoof"), {("psk", "none"): quiet, ("psk", "spoof"): hit}, 6)
    assert list(tables_of(matrix)[0][2]) == [("none", "0"), ("spoof", "0.001")]
