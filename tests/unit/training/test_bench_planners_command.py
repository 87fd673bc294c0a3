"""``qdt bench planners``, ``advice`` and ``offload`` as a user meets them: tables, files, and mistakes named."""

import json
from pathlib import Path

import pytest

from training.cli.bench import app

FEW = ["--families", "supply", "--sizes", "3x4", "--couplings", "medium", "-n", "1", "--planners", "greedy,exact"]


def bench(*arguments: str) -> None:
    app(args=list(arguments), standalone_mode=False)


def test_planners_writes_its_results_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, picture = tmp_path / "p.json", tmp_path / "p.png"
    bench(
        "planners",
        *FEW,
        "--trajectories",
        "4",
        "--quick",
        "--markdown",
        "--json",
        str(report),
        "--figure",
        str(picture),
    )
    said = capsys.readouterr().out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    tables = [block for block in said.split("\n\n") if block.startswith("|")]
    assert len(tables) == 7 and all(len({row.count("|") for row in table.splitlines()}) == 1 for table in tables)
    results = json.loads(report.read_text())["results"]
    assert [line["planner"] for line in results["planners"]] == ["greedy", "exact"]
    assert results["planners"][1]["right"] == 1.0 and results["instances"][0]["optimal"] >= 1
    assert {shot["sampler"] for shot in results["shots"]} == {
        "penalty-x", "xy-ring", "grover", "swap", "uniform", "sa", "tabu",
    }  # fmt: skip
    assert {(curve["ansatz"], curve["size"]) for curve in results["noise"]} == {
        (ansatz, size) for ansatz in ("swap", "xy-ring") for size in ("3x3", "3x4")
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["planners", "--families", "travel"], "family"),
        (["planners", "--sizes", "2x2"], "sizes"),
        (["planners", "--couplings", "huge"], "coupling"),
        (["planners", "--planners", "oracle"], "planners='oracle'"),
        (["planners", "--instances", "0"], "instances"),
        (["planners", "--time", "0"], "time_s"),
        (["planners", "--figure", "nowhere/p.png"], "--figure"),
        (["advice", "--episodes", "1"], "episodes"),
        (["advice", "--scenario", "castle"], "castle"),
        (["advice", "--only", "never"], "only='never'"),
        (["offload", "--sizes", "3,many"], "--sizes"),
        (["offload", "--sizes", "0"], "sizes"),
        (["offload", "--latencies", "-1"], "latencies"),
        (["offload", "--noises", "perfect"], "noises"),
    ],
)
def test_mistakes_are_named(arguments: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        bench(*arguments)


@pytest.mark.slow
def test_advice_and_offload_play_missions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, picture, drawn = tmp_path / "a.json", tmp_path / "o.json", tmp_path / "o.png"
    bench("advice", "--scenario", "ward", "--quick", "-n", "2", "--markdown", "--json", str(report))
    assert "Worse than greedy beyond the interval" in capsys.readouterr().out
    lines = json.loads(report.read_text())["results"]
    assert [line["line"] for line in lines] == ["none", "greedy", "exact", "qaoa"]
    assert lines[1]["to_greedy"]["mean"] == 0.0
    bench("offload", "--scenario", "ward", "--quick", "-n", "2", "--json", str(picture), "--figure", str(drawn))
    cells = json.loads(picture.read_text())["results"]["ward"]
    assert len(cells) == 8 and {cell["noise"] for cell in cells} == {"ideal", "heron-worst"}
    assert all(set(cell["differences"]) == {"local", "edge", "qpu", "offload"} for cell in cells)
    assert drawn.read_bytes()[:4] == b"\x89PNG"
