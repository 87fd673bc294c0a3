"""The QPU's latency: its parts, its tail, its presets, and the steps that it costs."""

import numpy as np
import pytest

from agents.planning import PlanningError
from agents.quantum.qpu import QPUS, Qpu, make_qpu, steps_until


def test_a_thousand_shots_on_heron_take_a_quarter_of_a_second() -> None:
    latency = make_qpu("heron", queue_median_s=0.0).latency(1000, 5e-6, np.random.default_rng(0))
    assert latency.queue_s == 0.0 and latency.compile_s == 1.0
    assert latency.run_s == pytest.approx(0.257, abs=0.001)
    assert latency.total_s == latency.queue_s + latency.compile_s + latency.run_s


def test_queue_times_are_lognormal() -> None:
    qpu, rng = make_qpu("heron-shared"), np.random.default_rng(3)
    drawn = np.array([qpu.latency(1, 0.0, rng).queue_s for _ in range(4000)])
    logs = np.log(drawn / 120.0) / 1.5
    # 4000 standard normals: mean within 5 / sqrt(n), p < 6e-7; standard deviation within 5 / sqrt(2 n)
    assert abs(logs.mean()) < 5 / np.sqrt(4000) and abs(logs.std() - 1.0) < 5 / np.sqrt(8000)
    assert qpu.expected_latency_s(0, 0.0) == pytest.approx(120.0 * np.exp(1.125) + 1.0)


@pytest.mark.parametrize(("latency_s", "steps"), [(0.0, 0), (1.0, 0), (1.1, 1), (10.0, 1), (10.1, 2), (300.0, 30)])
def test_an_answer_arrives_a_whole_number_of_steps_later(latency_s: float, steps: int) -> None:
    assert steps_until(latency_s, 10.0) == steps
    assert steps_until(1e-3, 10.0, decision_s=0.0) == 1 and steps_until(0.0, 10.0, decision_s=0.0) == 0


def test_presets_are_named_as_they_are_called() -> None:
    assert {name: qpu.name for name, qpu in QPUS.items()} == {name: name for name in QPUS}
    assert make_qpu("ion", failure_rate=0.5).failure_rate == 0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"queue_median_s": -1.0}, "qpu queue_median_s: must be a finite number >= 0, got -1.0"),
        ({"queue_log_sd": float("nan")}, "qpu queue_log_sd"),
        ({"failure_rate": 1.5}, r"qpu failure_rate: must be a finite number in \[0, 1\], got 1.5"),
        ({"behaviour": "rude"}, "qpu behaviour: must be one of honest, random, worst, inflated, got 'rude'"),
        ({"max_qubits": 1}, "qpu max_qubits: must be an integer >= 2, got 1"),
        ({"patience_s": 0.0}, "qpu patience_s"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], words: str) -> None:
    with pytest.raises(PlanningError, match=words):
        Qpu(**settings)  # type: ignore[arg-type]


def test_unknown_presets_and_fields_are_refused() -> None:
    with pytest.raises(PlanningError, match="unknown qpu 'eagle'; allowed: ideal, heron"):
        make_qpu("eagle")
    with pytest.raises(PlanningError, match="qpu 'ion'"):
        make_qpu("ion", speed=3)
