"""``qdt building``: what it prints and writes, and one clear line for what a user got wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qdt_env.hospital import generate_building, load_building
from training.cli.building import app
from training.cli.main import main

RUN = CliRunner()


def test_generate_writes_the_building_of_the_seed(tmp_path: Path) -> None:
    building, report = tmp_path / "b.json", tmp_path / "r.json"
    result = RUN.invoke(app, ["generate", "ward", "--seed", "4", "-o", str(building), "--json", str(report)])
    assert result.exit_code == 0, result.output
    expected = generate_building("ward", 4).digest()
    assert load_building(building).digest() == expected == json.loads(report.read_text())["digest"]


def test_stats_compares_any_number_of_buildings(tmp_path: Path) -> None:
    report = tmp_path / "s.json"
    RUN.invoke(app, ["generate", "ward", "-o", str(tmp_path / "mine.graphml")])
    result = RUN.invoke(app, ["stats", "ward", "clinic", str(tmp_path / "mine.graphml"), "--json", str(report)])
    assert result.exit_code == 0, result.output
    assert "hop diameter" in result.output
    buildings = json.loads(report.read_text())["buildings"]
    assert [row["zones"] for row in buildings] == [24, 150, 24]


def test_draw_writes_a_picture(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["draw", "ward", "-o", str(tmp_path / "w.png")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "w.png").stat().st_size > 1000


def test_check_reports_a_bad_building(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, report = tmp_path / "bad.json", tmp_path / "r.json"
    bad.write_text('{"nodes": [], "edges": []}')
    assert main(["building", "check", str(bad), "--json", str(report)]) == 2
    assert capsys.readouterr().err == "error: bad.json: " + NO_ZONES + "\n"
    assert json.loads(report.read_text()) == {"building": str(bad), "valid": False, "error": "bad.json: " + NO_ZONES}
    assert RUN.invoke(app, ["check", "clinic"]).exit_code == 0


NO_ZONES = "graph: the building has no zones"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "castle"], "error: building: got 'castle', allowed are ward, clinic, hospital"),
        (["generate", "castle"], "error: preset: got 'castle', allowed are"),
        (["stats", "ward", "--seed", "-1"], "error: seed: got -1, allowed is"),
        (["stats", "missing.json"], "error: building file 'missing.json' does not exist"),
        (["draw", "ward", "-o", "w.gif"], "error: --output='w.gif' is not allowed: a picture, its suffix"),
        (
            ["stats", "ward", "--json", "no/such/s.json"],
            "error: --json='no/such/s.json' is not allowed: a file in an existing folder",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["building", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith(words) and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["draw", "stats", "generate", "check"])
def test_help_has_examples(command: str) -> None:
    result = RUN.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Examples" in result.output
