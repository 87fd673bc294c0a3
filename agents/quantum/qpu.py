"""The QPU as the mission sees it: how long an answer takes, how noisy it is, and how it may fail or lie.

Latency = queue + compilation + shots x (circuit + readout + reset). Circuit, readout and reset times are published
calibrations (``calibrations``). Queue and compilation are assumed: on shared clouds waiting times are heavy-tailed and
run from seconds to hours (Ravi et al. 2021, IISWC, arXiv 2203.13121), so the queue is lognormal, with a median and a
spread in logarithms as parameters, and nobody waits longer than ``patience_s``.
"""

from dataclasses import dataclass, replace

import numpy as np

from agents.planning.problem import PlanningError
from agents.planning.validation import check_choice, check_number, check_whole
from agents.quantum.calibrations import HERON, IDEAL, TRAPPED_ION, Calibration

BEHAVIOURS = ("honest", "random", "worst", "inflated")


@dataclass(frozen=True)
class Latency:
    """Parts of the time until an answer is there [s], all >= 0."""

    queue_s: float
    compile_s: float
    run_s: float

    @property
    def total_s(self) -> float:
        """Their sum."""
        return self.queue_s + self.compile_s + self.run_s


@dataclass(frozen=True)
class Qpu:
    """A quantum processor somewhere else.

    Attributes:
        name: of the preset.
        calibration: error rates and times.
        queue_median_s: median time in the queue [s], >= 0.
        queue_log_sd: standard deviation of the queue time's natural logarithm, >= 0; 1.5: one in 20 waits 12 times
            the median.
        compile_s: compilation and loading, once for a session [s], >= 0.
        load_s: between two circuits of a session, to return samples and load the next [s], >= 0.
        patience_s: the planner waits this long and then does without [s], > 0.
        max_qubits: largest one-hot register, >= 2, ancillas on top; real ones hold more, but simulating their noise
            would hold up a mission.
        noisy: samples come from the noise model; False: ideal samples, the calibration gives times alone.
        trajectories: Pauli trajectories simulated for the noise, >= 1.
        failure_rate: share of requests that get no answer, [0, 1].
        behaviour: "honest"; "random": uniform bit strings; "worst": the worst feasible answer it finds; "inflated":
            the same, and claims that its cost is the lowest possible.

    Raises:
        PlanningError: a value out of range.
    """

    name: str = "ideal"
    calibration: Calibration = IDEAL
    queue_median_s: float = 0.0
    queue_log_sd: float = 0.0
    compile_s: float = 0.0
    load_s: float = 0.0
    patience_s: float = 600.0
    max_qubits: int = 12
    noisy: bool = True
    trajectories: int = 30
    failure_rate: float = 0.0
    behaviour: str = "honest"

    def __post_init__(self) -> None:
        for field in ("queue_median_s", "queue_log_sd", "compile_s", "load_s"):
            check_number(f"qpu {field}", getattr(self, field))
        for field, least in (("max_qubits", 2), ("trajectories", 1)):
            check_whole(f"qpu {field}", getattr(self, field), least)
        check_number("qpu patience_s", self.patience_s, above=True)
        check_number("qpu failure_rate", self.failure_rate, 0.0, 1.0)
        check_choice("qpu behaviour", self.behaviour, BEHAVIOURS)

    def latency(self, shots: int, circuit_s: float, rng: np.random.Generator) -> Latency:
        """Draw how long an answer takes.

        Args:
            shots: of the job, >= 0.
            circuit_s: duration of the circuit's gates [s].
            rng: source of the queue time.
        """
        queue_s = self.queue_median_s * float(np.exp(self.queue_log_sd * rng.standard_normal()))
        return Latency(queue_s, self.compile_s, shots * self.calibration.shot_s(circuit_s))

    def expected_latency_s(self, shots: int, circuit_s: float, *, circuits: int = 1) -> float:
        """Mean time of a session [s]; the mean of the lognormal queue is median x exp(sd^2 / 2).

        Args:
            shots: of all circuits together.
            circuit_s: duration of a circuit's gates, on average over the shots [s].
            circuits: run one after the other in the same session, each waiting for the results of the last, >= 1.
        """
        queue_s = self.queue_median_s * float(np.exp(0.5 * self.queue_log_sd**2))
        between_s = (circuits - 1) * self.load_s
        return queue_s + self.compile_s + between_s + shots * self.calibration.shot_s(circuit_s)


# Queue, compilation and loading times are assumed; see the module.
QPUS = {
    qpu.name: qpu
    for qpu in (
        Qpu("ideal", IDEAL, noisy=False),
        # A reserved session: the queue is the provider's own handling of jobs.
        Qpu("heron", HERON, queue_median_s=2.0, queue_log_sd=0.5, compile_s=1.0, load_s=0.01),
        # Everybody's queue.
        Qpu("heron-shared", HERON, queue_median_s=120.0, queue_log_sd=1.5, compile_s=1.0, load_s=0.01),
        Qpu("ion", TRAPPED_ION, queue_median_s=2.0, queue_log_sd=0.5, compile_s=1.0, load_s=0.01),
        # A small machine of one's own beside the command post: no queue, compiled ahead.
        Qpu("edge", HERON, compile_s=0.05, load_s=0.01, max_qubits=10),
    )
}


def as_qpu(qpu: "Qpu | str") -> Qpu:
    """The QPU itself, or the preset of that name.

    Raises:
        PlanningError: no such preset, or something else.
    """
    if isinstance(qpu, Qpu):
        return qpu
    if not isinstance(qpu, str):
        raise PlanningError(f"qpu: must be a Qpu or the name of a preset ({', '.join(QPUS)}), got {qpu!r}")
    return make_qpu(qpu)


def make_qpu(name: str, **changes: object) -> Qpu:
    """A preset by name, with changes.

    Raises:
        PlanningError: no such preset or field, or a value out of range.
    """
    if name not in QPUS:
        raise PlanningError(f"unknown qpu {name!r}; allowed: {', '.join(QPUS)}")
    try:
        return replace(QPUS[name], **changes)  # type: ignore[arg-type]
    except TypeError as error:
        raise PlanningError(f"qpu {name!r}: {error}") from error


def steps_until(latency_s: float, dt_s: float, decision_s: float = 1.0) -> int:
    """Steps of a mission until an answer can be acted on.

    ceil(latency / dt), where what comes within ``decision_s`` of the snapshot comes in the same step: orders of a step
    are given that long after its picture is taken (assumed). So planning at home in milliseconds is no delay.

    Args:
        latency_s: >= 0 [s].
        dt_s: length of a step, > 0 [s].
        decision_s: >= 0 [s]; 0 for the plain ceil.
    """
    return 0 if latency_s <= decision_s else int(np.ceil(latency_s / dt_s))
