"""Measurements beside other projects: their processes answer in turn, and one that is absent or fails is only noted."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

COUNTS = """
import json, sys
print(json.dumps({"versions": {"peer": "1.2"}}), flush=True)
for number, line in enumerate(sys.stdin):
    if number == 2:
        raise SystemExit("no more of this")
    print(json.dumps({"work": number}), flush=True)
"""
ABSENT = "import json\nprint(json.dumps({'absent': 'peer is not installed'}))"


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks import what stands beside them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def peer(folder: Path, source: str, python: str = sys.executable) -> Any:
    """A peer that runs this source."""
    from _peers import Peer

    script = folder / "script.py"
    script.write_text(source, encoding="utf-8")
    return Peer(python, str(script))


def test_a_peer_answers_one_repeat_at_a_time_and_its_failure_is_noted(tmp_path: Path, on_path: None) -> None:
    counts = peer(tmp_path, COUNTS)
    assert counts.versions == {"peer": "1.2"} and not counts.absent
    assert [counts.repeat(), counts.repeat()] == [{"work": 0}, {"work": 1}]
    assert counts.repeat() is None and counts.absent == "no more of this"
    assert counts.repeat() is None
    counts.close()


def test_a_peer_that_is_absent_says_why(tmp_path: Path, on_path: None) -> None:
    for one, why in (
        (peer(tmp_path, ABSENT), "peer is not installed"),
        (peer(tmp_path, ABSENT, str(tmp_path / "python")), "No such file"),
    ):
        assert why in one.absent and one.repeat() is None and one.versions == {}
        one.close()


def test_a_peer_that_is_not_asked_ends_when_closed(tmp_path: Path, on_path: None) -> None:
    counts = peer(tmp_path, COUNTS)
    counts.close()
    assert counts._process.returncode == 0


def test_a_part_inside_another_counts_for_itself_only(on_path: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs the extra 'train'")
    import _training_parts

    now = 0.0
    monkeypatch.setattr(_training_parts.time, "process_time", lambda: now)

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = _training_parts.PartClock()
    inner = clock.timed("critic", spend)

    def work() -> None:
        spend(1.0)
        inner(2.0)
        spend(4.0)

    spend(8.0)
    clock.timed("environment", work)()
    with pytest.raises(ZeroDivisionError):
        clock.timed("Adam", lambda: spend(16.0) or 1 / 0)()  # type: ignore[func-returns-value]
    clock.switch("rest")
    assert clock.cpu_s["environment"] == 5.0 and clock.cpu_s["critic"] == 2.0
    assert clock.cpu_s["rest"] == 8.0 and clock.cpu_s["Adam"] == 16.0
    assert sum(clock.cpu_s.values()) == now
    clock.timed("critic", spend)(1.0)
    clock.switch("rest")
    assert clock.cpu_s["critic"] == 3.0, "after an exception time goes where it went before"


def test_ratios_are_medians_of_the_same_turns(on_path: None) -> None:
    pytest.importorskip("torch", reason="needs the extra 'train'")
    from training_speed import DEFAULT, row

    sizes = {"updates": 16, "samples": 100.0}
    ours = [{"work": 100, "wall_s": wall, "cpu_s": 1.0, **sizes} for wall in (1.0, 4.0, 1.0)]
    theirs = [{"work": 10, "wall_s": wall, "cpu_s": 0.5, **sizes} for wall in (1.0, 2.0)]
    seen = row(DEFAULT, 2, theirs, ours)
    assert seen["times_wall_s"] == pytest.approx((10.0 + 5.0) / 2) and seen["times_cpu_s"] == pytest.approx(5.0)
    assert [seen["per_wall_s_low"], seen["per_wall_s"], seen["per_wall_s_high"]] == [5.0, 7.5, 10.0]
    assert row("training.ppo, ward", 2, ours, ours)["times_wall_s"] == 1.0


@pytest.mark.slow
def test_training_speed_reports_iterations_parts_and_what_is_absent(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra 'train'")
    import os
    import subprocess

    file = tmp_path / "results.json"
    path = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "training_speed.py"), "--quick", "--threads", "1", "--json", str(file)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    first = results["rows"][0]
    assert first["what"] == "training.ppo, ward" and first["times_wall_s"] == 1.0
    assert first["work"] <= 8 * 3 * 20 and 1 <= first["updates"] <= 32
    assert all(spent > 0.0 for spent in results["profile"].values()), "every part of an iteration is met"
    assert ("not compared" in done.stdout) == bool(results["absent"])
    assert len(results["rows"]) + len(results["absent"]) == 2
