"""Published calibrations of quantum processors: error rates, coherence and times of their gates.

Superconducting figures are medians over all working qubits and couplers of a processor, taken from the calibration
snapshots that IBM publishes in Qiskit/qiskit-ibm-runtime (``fake_provider/backends/<name>/props_<name>.json``; the
date of each snapshot is with the preset). Trapped-ion figures are IonQ Aria's, from Microsoft's Azure Quantum provider
page (learn.microsoft.com/azure/quantum/provider-ionq), its readout and reset times from the example in Amazon Braket's
schema of IonQ devices.

Vendors publish the average infidelity r of a gate. The probability of a Pauli error that gives it is r (d + 1) / d,
with d = 2^qubits (Nielsen 2002, Phys. Lett. A 303:249): 3/2 r for one qubit and 5/4 r for two.

Not in these figures: couplings missing on a superconducting chip (routing adds two-qubit gates; here any two qubits may
meet, which is true of ions only), crosstalk, leakage and drift.
"""

from dataclasses import dataclass

from agents.planning.problem import PlanningError


@dataclass(frozen=True)
class Noise:
    """Pauli errors after gates and flips at readout.

    Attributes:
        p1: probability that one of the 3 Pauli errors follows a native one-qubit gate, equally likely, in [0, 1].
        p2: probability that one of the 15 two-qubit Pauli errors follows a native two-qubit gate, equally likely,
            in [0, 1].
        read_1_of_0: probability that a qubit in 0 is read as 1, in [0, 1].
        read_0_of_1: probability that a qubit in 1 is read as 0, in [0, 1].

    Raises:
        PlanningError: a probability outside [0, 1].
    """

    p1: float = 0.0
    p2: float = 0.0
    read_1_of_0: float = 0.0
    read_0_of_1: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise PlanningError(f"noise {name}: must be in [0, 1], got {value}")


@dataclass(frozen=True)
class Calibration:
    """One processor's error rates and times.

    Attributes:
        name: of the preset.
        infidelity_1q: average infidelity of a one-qubit gate, in [0, 1/2].
        infidelity_2q: average infidelity of a two-qubit gate, in [0, 3/4].
        read_1_of_0, read_0_of_1: as in :class:`Noise`.
        t1_us, t2_us: relaxation and coherence time [us], inf for none.
        gate_1q_s, gate_2q_s: durations of the native gates [s]; Z rotations take no time on any of these machines.
        readout_s: duration of a measurement [s].
        repetition_s: time between two shots besides circuit and readout [s].

    Raises:
        PlanningError: an error rate outside its range, or a negative time.
    """

    name: str
    infidelity_1q: float
    infidelity_2q: float
    read_1_of_0: float
    read_0_of_1: float
    t1_us: float
    t2_us: float
    gate_1q_s: float
    gate_2q_s: float
    readout_s: float
    repetition_s: float

    def __post_init__(self) -> None:
        limits = {"infidelity_1q": 0.5, "infidelity_2q": 0.75, "read_1_of_0": 1.0, "read_0_of_1": 1.0}
        for name, value in vars(self).items():
            if name != "name" and not 0.0 <= value <= limits.get(name, float("inf")):
                raise PlanningError(
                    f"calibration {self.name!r} {name}: must be in [0, {limits.get(name, 'inf')}], got {value}"
                )

    @property
    def p1(self) -> float:
        """Probability of a Pauli error after a one-qubit gate, 3/2 of its infidelity."""
        return 1.5 * self.infidelity_1q

    @property
    def p2(self) -> float:
        """Probability of a Pauli error after a two-qubit gate, 5/4 of its infidelity."""
        return 1.25 * self.infidelity_2q

    @property
    def readout(self) -> float:
        """Mean readout error of 0 and 1."""
        return 0.5 * (self.read_1_of_0 + self.read_0_of_1)

    @property
    def noise(self) -> Noise:
        """What a trajectory simulation takes from this calibration; decay while idle (T1, T2) is left out of it."""
        return Noise(self.p1, self.p2, self.read_1_of_0, self.read_0_of_1)

    def shot_s(self, circuit_s: float) -> float:
        """Time of one shot of a circuit that lasts ``circuit_s`` [s]."""
        return circuit_s + self.readout_s + self.repetition_s


IDEAL = Calibration(
    name="ideal",
    infidelity_1q=0.0,
    infidelity_2q=0.0,
    read_1_of_0=0.0,
    read_0_of_1=0.0,
    t1_us=float("inf"),
    t2_us=float("inf"),
    gate_1q_s=0.0,
    gate_2q_s=0.0,
    readout_s=0.0,
    repetition_s=0.0,
)

# ibm_boston (Heron r3), 2026-04-17: the best of the published snapshots.
HERON_BEST = Calibration(
    name="heron-best",
    infidelity_1q=1.44e-4,
    infidelity_2q=1.27e-3,
    read_1_of_0=3.9e-3,
    read_0_of_1=4.9e-3,
    t1_us=292.0,
    t2_us=353.0,
    gate_1q_s=32e-9,
    gate_2q_s=68e-9,
    readout_s=2.2e-6,
    repetition_s=250e-6,
)

# ibm_kingston (Heron r2), 2026-04-15.
HERON = Calibration(
    name="heron",
    infidelity_1q=2.30e-4,
    infidelity_2q=1.80e-3,
    read_1_of_0=8.8e-3,
    read_0_of_1=11.5e-3,
    t1_us=283.0,
    t2_us=144.0,
    gate_1q_s=32e-9,
    gate_2q_s=68e-9,
    readout_s=2.28e-6,
    repetition_s=250e-6,
)

# ibm_fez (Heron r2), 2025-02-26.
HERON_WORST = Calibration(
    name="heron-worst",
    infidelity_1q=2.29e-4,
    infidelity_2q=3.82e-3,
    read_1_of_0=3.9e-3,
    read_0_of_1=11.5e-3,
    t1_us=145.0,
    t2_us=88.0,
    gate_1q_s=24e-9,
    gate_2q_s=84e-9,
    readout_s=1.56e-6,
    repetition_s=250e-6,
)

# IonQ Aria. T1 is given as 10 to 100 s: the lower end. State preparation and measurement together are right in 99.61 %.
TRAPPED_ION = Calibration(
    name="trapped-ion",
    infidelity_1q=5e-4,
    infidelity_2q=4e-3,
    read_1_of_0=3.9e-3,
    read_0_of_1=3.9e-3,
    t1_us=1e7,
    t2_us=1e6,
    gate_1q_s=135e-6,
    gate_2q_s=600e-6,
    readout_s=175e-6,
    repetition_s=35e-6,
)

CALIBRATIONS = {preset.name: preset for preset in (IDEAL, HERON_BEST, HERON, HERON_WORST, TRAPPED_ION)}


def calibration(name: str) -> Calibration:
    """A preset by name.

    Raises:
        PlanningError: no such preset.
    """
    if name not in CALIBRATIONS:
        raise PlanningError(f"unknown calibration {name!r}; allowed: {', '.join(CALIBRATIONS)}")
    return CALIBRATIONS[name]
