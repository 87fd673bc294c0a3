"""The benchmark of key distillation runs and says what it promises. No time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SPEED = {"work", "repeats", "per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_quiet_s"}


@pytest.mark.slow
def test_key_distillation_reports_reached_and_aim(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    path = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "key_distillation.py"), "--quick", "--json", str(file)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text(encoding="utf-8"))
    results = document["results"]
    assert {"command", "versions", "config"} <= document.keys()
    assert [row["qber"] for row in results["cascade"]] == [0.01, 0.02, 0.03, 0.05, 0.08, 0.1]
    for row in results["cascade"]:
        assert SPEED | {"efficiency", "frames", "wrong_frames", "aim", "ratio"} <= row.keys()
        assert row["work"] == row["frames"] * 2**14 and 0.9 < row["efficiency"] < 1.2 and row["wrong_frames"] == 0
    assert len(results["blocks"]) == len(results["sifted"]) == 4
    for row in (*results["blocks"].values(), *results["sifted"].values()):
        assert SPEED <= row.keys() and row["per_cpu_s_low"] <= row["per_cpu_s"] <= row["per_cpu_s_high"]
    theirs = results["sequence"]
    assert isinstance(theirs, dict) == (len(results["times_sequence"]) > 0)
    assert ("so it is not compared" in done.stdout) == isinstance(theirs, str)
