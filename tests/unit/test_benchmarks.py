"""The benchmarks run and say what they promise; their phases are the engine's. No time is asserted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SPEED = {"work", "repeats", "per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_wall_s", "per_quiet_s", "draws"}
CALIBRATION = {"draw_ns", "draw_ns_low", "draw_ns_high", "draw_ns_quiet", "calibrations"}
PARTS = {"total", "find ways", "observe", "rest"}


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks import what stands beside them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(script: str, *arguments: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Results and output of a quick run."""
    file = folder / "results.json"
    path = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--quick", "--json", str(file), *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text(encoding="utf-8")), done.stdout


@pytest.mark.slow
def test_step_speed_reports_reached_and_aim(tmp_path: Path) -> None:
    document, output = run("step_speed.py", folder=tmp_path)
    assert {"command", "versions", "config", "results"} <= document.keys()
    results = document["results"]
    assert CALIBRATION <= results["calibration"].keys()
    assert {"processor", "cores", "load"} <= results["machine"].keys()
    here = {"ward", "clinic"} if (BENCHMARKS.parents[1] / "shared" / "data" / "clinic.json").is_file() else {"ward"}
    assert {row["scenario"] for row in results["batched"]} == here == results["memory"].keys()
    for row in results["batched"] + results["pettingzoo"]:
        assert SPEED | {"scenario", "workload", "aim", "ratio", "ratio_quiet"} <= row.keys()
        assert row["workload"] in ("random tasks", "continue")
        assert row["per_cpu_s_low"] <= row["per_cpu_s"] <= row["per_cpu_s_high"]
    for shares in results["phases"].values():
        assert shares is None or sum(shares.values()) == pytest.approx(1.0)
    for memory in results["memory"].values():
        assert {"state_bytes", "out_bytes", "floor_us", "step_us", "share"} <= memory.keys()
    assert results["mpe2"] == "not installed" or SPEED <= results["mpe2"].keys()
    assert ("mpe2 is not installed" in output) == (results["mpe2"] == "not installed")


@pytest.mark.slow
def test_scaling_reports_sweeps_and_fits_and_draws(tmp_path: Path, on_path: None) -> None:
    from _phases import counter_works

    if not counter_works():
        pytest.skip("no cycle counter that a program may read on this processor")
    document, _ = run("scaling.py", "--figure", str(tmp_path / "scaling.png"), folder=tmp_path)
    results = document["results"]
    assert CALIBRATION <= results["calibration"].keys()
    assert set(results["sweeps"]) == {"episodes", "zones", "patients", "robots", "together", "corners"}
    for name, rows in results["sweeps"].items():
        for row in rows:
            assert {"zones", "patients", "robots", "rows", "total_us", "total_us_low", "total_us_high"} <= row.keys()
            assert name == "episodes" or row["listed"] == row["patients"], "every patient slot is taken"
    for axis in ("zones", "patients", "robots", "together", "per agent-step"):
        assert results["fits"][axis].keys() == PARTS
    assert {"offset", "slope", "r2", "worst", "exponent"} <= results["fits"]["episodes"].keys()
    assert (tmp_path / "scaling.png").read_bytes()[:4] == b"\x89PNG"


def test_lines_exponents_and_growth_are_found(on_path: None) -> None:
    from scaling import exponents, growth, line

    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = line(x, 3.0 + 2.0 * x)
    assert [fit["offset"], fit["slope"], fit["r2"], fit["worst"]] == pytest.approx([3.0, 2.0, 1.0, 0.0])
    assert exponents(x, 5.0 * x**1.5) == {"exponent": pytest.approx(1.5), "between": [pytest.approx(1.5)] * 3}
    sizes = [(z, p, r) for z in (100.0, 600.0) for p in (20.0, 160.0) for r in (2.0, 16.0)]

    def points(cost: Callable[[float, float, float], float]) -> list[dict[str, float]]:
        return [{"zones": z, "patients": p, "robots": r, "total_us": cost(z, p, r)} for z, p, r in sizes]

    grown = growth(points(lambda z, p, r: 96.0 + z + 0.1 * p * r), "total")
    whole = 96.0 + 600.0 + 256.0
    assert grown["shares"]["constant"] == pytest.approx(96.0 / whole)
    assert grown["shares"]["zones"] == pytest.approx(600.0 / whole)
    assert grown["shares"]["patients x robots"] == pytest.approx(256.0 / whole)
    assert grown["worst"]["robots x sum"] == pytest.approx(0.0, abs=1e-9) and grown["worst"]["sum"] > 0.1
    further = growth(points(lambda z, p, r: 1.0 + 1e-3 * z * p * r), "total")["worst"]
    assert further["robots x sum"] > 0.1 and further["any product"] == pytest.approx(0.0, abs=1e-9)


def test_rates_divide_by_what_the_core_was_worth(on_path: None) -> None:
    from _measure import Sample, rates

    slow_and_fast = [[Sample(100.0, 2.0, 4.0, 2e-9)], [Sample(100.0, 1.0, 1.0, 1e-9)]]
    speed = rates(slow_and_fast, quiet_s=1e-9)
    assert [speed["per_cpu_s_low"], speed["per_cpu_s"], speed["per_cpu_s_high"]] == [50.0, 75.0, 100.0]
    assert speed["per_wall_s"] == 62.5 and speed["work"] == 200.0
    assert speed["draws"] == pytest.approx(1e7) and speed["per_quiet_s"] == pytest.approx(100.0)


@pytest.mark.slow
@pytest.mark.parametrize("threats", ["none", "mixed"])
def test_the_phases_add_up_to_the_engines_step(on_path: None, threats: str) -> None:
    from _missions import TASKS, actions_of, begin
    from _phases import PHASES, PhaseClock, counter_works

    if not counter_works():
        pytest.skip("no cycle counter that a program may read on this processor")
    ours, engines = (Episodes(load_scenario("ward"), GameConfig(threats=threats), 8) for _ in range(2))
    begin(ours, 3)
    begin(engines, 3)
    clock = PhaseClock(ours)
    for _, actions in zip(range(185), actions_of(engines, TASKS, 0), strict=False):
        clock.step(actions)
        clock.count()
        engines.step(actions)
        for name in engines.out._fields:
            np.testing.assert_array_equal(getattr(ours.out, name), getattr(engines.out, name), err_msg=name)
    assert (ours.state.clock == engines.state.clock).all()
    assert (ours.state.twin.patients == engines.state.twin.patients).all()
    shares = clock.shares()
    assert list(shares) == list(PHASES) and all(share > 0.0 for share in shares.values())


@pytest.mark.slow
def test_noise_speed_compares_trajectories_with_density_matrices(tmp_path: Path) -> None:
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    results, text = run("noise_speed.py", folder=tmp_path)
    (row,) = results["against"]
    assert row["qubits"] == 6 and row["total_variation"] < row["bound"] and "xy-ring 2x3" in text
    curves, _ = run("noise_speed.py", "--crossing", "--sizes", "2x3", "--instances", "2", folder=tmp_path)
    (curve,) = curves["crossing"]
    assert all(0.0 < p <= 1.0 for name in ("xy-ring", "swap") for p in curve[name])


@pytest.mark.slow
def test_vector_speed_reports_every_face_beside_the_engine(tmp_path: Path) -> None:
    results, text = run("vector_speed.py", folder=tmp_path)
    rows = results["results"]["batched"]
    assert {row["contestant"] for row in rows} == {
        "Episodes.step",
        "shared arrays",
        "copies",
        "graphs, shared",
        "dispatcher, shared",
    }
    assert all(SPEED | {"aim", "ratio", "cost"} <= row.keys() for row in rows)
    assert all(row["cost"] == 0.0 for row in rows if row["contestant"] == "Episodes.step")
    assert SPEED <= results["results"]["pettingzoo"].keys() and "PettingZoo face" in text
    for name, versions in results["results"]["peer_versions"].items():
        assert isinstance(versions, str) != (name in results["results"]["peers"]), "measured, or said to be absent"
        assert name.split(",")[0] in text
    for memory in results["results"]["memory"].values():
        assert {"state_bytes", "out_bytes", "floor_us", "step_us", "share"} <= memory.keys()
    for shares in results["results"]["phases"].values():
        assert shares is None or sum(shares.values()) == pytest.approx(1.0)
    assert "bytes must be written" in text


def test_floor_is_what_moving_the_bytes_takes(on_path: None) -> None:
    from step_speed import floor

    memory = floor({"state": 3000.0, "out": 4000.0}, 1e9, 2, {"per_cpu_s": 1e5})
    assert memory["floor_us"] == pytest.approx(10.0), "state read and written, results written, 10 kB at 1 GB/s"
    assert memory["step_us"] == pytest.approx(20.0) and memory["share"] == pytest.approx(0.5)


@pytest.mark.slow
def test_graph_network_reports_size_and_time_with_and_without_the_map(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the networks need PyTorch: make setup-all")
    results, text = run("graph_network.py", folder=tmp_path)
    rows = [row for row in results["results"]["passes"] if row["scenario"] == "ward"]
    assert [row["rounds"] for row in rows] == [0, 2, 3] and "CPU time per decision" in text
    assert rows[0]["weights"] < rows[1]["weights"] < rows[2]["weights"]
    assert all(row["forward_us"] > 0.0 and row["training_us"] > 0.0 for row in rows)
    assert rows[0]["floats"] < rows[1]["floats"] == rows[2]["floats"]
