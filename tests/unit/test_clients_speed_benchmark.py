"""The benchmark of learners' libraries runs and reports each of them. No time is asserted."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NEEDS = {
    "PettingZoo face": "numpy", "RescueVectorEnv": "numpy", "ParallelPettingZooEnv": "ray",
    "PettingZooWrapper": "torchrl",
    "RescueTorchEnv": "torchrl", "RescueTorchEnv, copy=False": "torchrl", "SuperSuit": "supersuit",
    "RescueVecEnv": "sb3_contrib", "PettingZooEnv": "tianshou",
}  # fmt: skip


@pytest.mark.slow
def test_clients_speed_reports_every_client_that_is_installed(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    path = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "clients_speed.py"), "--quick", "--json", str(file)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    installed = {name for name, package in NEEDS.items() if find_spec(package)}
    assert {row["client"] for row in results["clients"]} == installed
    assert all(row["per_cpu_s"] > 0.0 and row["work"] > 0 for row in results["clients"])
    assert len(results["absent"]) == len(NEEDS) - len(results["clients"])
    assert ("Not installed" in done.stdout) == bool(results["absent"])
