"""The speed benchmark of QAOA runs and says what it promises. No time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow
def test_qaoa_speed_reports_both_sides_and_their_agreement(tmp_path: Path) -> None:
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    file = tmp_path / "results.json"
    path = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "qaoa_speed.py"), "--quick", "--json", str(file)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert [row["qubits"] for row in results["rows"]] == [6, 8]
    for row in results["rows"]:
        assert row["error"] < 1e-10 and row["gradient_error"] < 1e-9
        assert row["times_expectation"] == pytest.approx(row["gates_s"] / row["expectation_s"])
        assert row["times_gradient"] == pytest.approx(row["adjoint_s"] / row["gradient_s"])
    assert results["batch"]["times"] == pytest.approx(results["batch"]["single_s"] / results["batch"]["batch_s"])
    for row in results["large"]:
        assert row["norm_error"] < 1e-12 and row["p_optimum"] > row["uniform_p_optimum"]
    assert "so it is not compared" in done.stdout
