"""QAOA as a planner: one circuit with fixed or optimised angles, sampled shots, the best feasible one is the answer.

Ansaetze (:mod:`agents.quantum.circuits`) are simulated exactly by one of two backends with equal probabilities: "fast"
works on the states the ansatz can reach (:mod:`agents.quantum.simulator`), "pennylane" applies every gate on any
PennyLane device (:mod:`agents.quantum.reference`).

Shots are drawn with our own generator from the circuit's probabilities rather than by the device: equal in
distribution, and with the same seed the same on every backend, device and machine. Only sampled states are decoded and
scored; the rest of the state vector is never looked at.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import Budget, Plan, PlanningError, Problem
from agents.planning.validation import check_choice, check_number, check_whole
from agents.quantum.circuits import circuit_seconds
from agents.quantum.ising import bits_of, encode, one_hot_qubits, penalised
from agents.quantum.oversize import RULES, fit_register
from agents.quantum.parameters import KINDS, angles_for
from agents.quantum.qpu import Qpu, as_qpu
from agents.quantum.simulator import ANSAETZE, Simulation
from agents.quantum.simulator.enumeration import feasible_choices

BACKENDS = ("fast", "pennylane")
MAX_SIMULATED_QUBITS = 24  # 2^24 amplitudes are 256 MiB

Decoder = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class QAOAPlanner:
    """QAOA as a planner; the best feasible sampled state is the answer.

    The plan reports circuit evaluations and shots, and the note how many states there were: where the shots outnumber
    them, random sampling would have found the optimum as well.

    Attributes:
        backend: "fast" or "pennylane".
        ansatz: "penalty-x", "xy-ring", "grover" or "swap"; "auto" takes swap where options must differ and xy-ring
            elsewhere. As a circuit, swap needs every option open to every group and none shareable: with the backend
            "pennylane", "auto" takes xy-ring where that is not so.
        depth: layers p, >= 1.
        parameters: "transferred" (tuned once, the same for all instances), "ramp" (linear) or "optimised" (for the
            instance, on the fast simulator; circuit evaluations are counted, and the modelled latency takes each as a
            circuit with as many shots as the last, which is what a QPU would need).
        shots: samples unless the budget says otherwise, >= 1.
        max_qubits: largest register, in [2, 24]: with "pennylane" its qubits, ancillas included; with "fast", which
            keeps only the states that the ansatz can reach, 2^max_qubits such states.
        oversize: for larger problems, "shrink" (each group keeps its greedy option and its best others, some groups
            the greedy option alone; the note says so) or "refuse" (PlanningError).
        device: PennyLane device name.
        penalty_factor: penalty for breaking a rule, in ranges of the cost; >= 1 keeps the optimum lowest.
        modelled_on: QPU, or the name of a preset, whose queue, compilation and gate times make the modelled latency
            (:mod:`agents.quantum.qpu`); nothing else of it counts, and nothing is sent. Where no circuit of the ansatz
            is known (swap with options that are shared or closed), the time of the gates is left out and the note says
            so.

    Raises:
        PlanningError: a setting out of range, an unknown device, or PennyLane not installed.
    """

    backend: str = "fast"
    ansatz: str = "auto"
    depth: int = 8
    parameters: str = "transferred"
    shots: int = 256
    max_qubits: int = 16
    oversize: str = "shrink"
    device: str = "lightning.qubit"
    penalty_factor: float = 1.0
    modelled_on: Qpu | str = "heron"
    name: str = "qaoa"

    def __post_init__(self) -> None:
        choices = {
            "backend": BACKENDS,
            "ansatz": ("auto", *ANSAETZE),
            "parameters": KINDS,
            "oversize": RULES,
        }
        for setting, allowed in choices.items():
            check_choice(f"qaoa {setting}", getattr(self, setting), allowed)
        for setting in ("depth", "shots"):
            check_whole(f"qaoa {setting}", getattr(self, setting), 1)
        check_whole("qaoa max_qubits", self.max_qubits, 2, MAX_SIMULATED_QUBITS)
        check_number("qaoa penalty_factor", self.penalty_factor)
        as_qpu(self.modelled_on)
        if self.backend == "pennylane":
            from agents.quantum.devices import check_device

            check_device(self.device)  # an unknown device is refused here, not in the middle of a mission

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """Run the circuit, draw shots and return the best feasible one.

        Where no shot is feasible (possible only where rules are penalties) the greedy choice is returned; the note
        says so.

        Raises:
            PlanningError: the problem is too large and ``oversize`` is "refuse".
        """
        started_s = time.perf_counter()
        fitted, notes = fit_register(problem, "qaoa", self.oversize, self.max_qubits, self._fits)
        if (fitted.allowed.sum(axis=1) == 1).all():
            notes.append("nothing to decide: no circuit")
            return self._plan(problem, fitted.allowed.argmax(axis=1), started_s, budget, None, 0, 0, notes)
        ansatz = self.ansatz_for(fitted)
        simulation = Simulation(fitted, ansatz, penalty_factor=self.penalty_factor)
        left = None if budget.evaluations is None else int(budget.evaluations) - 1  # one is for the samples
        angles = angles_for(simulation, self.depth, self.parameters, evaluations=left)
        probabilities, decode, size = self._run(simulation, angles.gammas, angles.betas)
        shots = self.shots if budget.shots is None else int(budget.shots)
        choices, valid = decode(np.unique(draw_states(probabilities, shots, rng)))
        costs = np.where(valid, problem.costs(np.where(valid[:, None], choices, 0)), np.inf)
        best = int(np.argmin(costs))
        where = "fast simulator" if self.backend == "fast" else self.device
        notes.append(f"{ansatz} on {where}, {size}, p={self.depth}, {angles.note}, {shots} shots")
        choice = choices[best]
        if not np.isfinite(costs[best]):
            choice = greedy_choice(problem)
            notes.append("no feasible shot; greedy answer")
        return self._plan(problem, choice, started_s, budget, simulation, angles.evaluations + 1, shots, notes)

    def ansatz_for(self, problem: Problem) -> str:
        """The ansatz taken for a problem."""
        if self.ansatz != "auto":
            return self.ansatz
        as_circuit = bool(problem.allowed.all()) and not problem.shareable.any()
        return "swap" if problem.distinct and (self.backend == "fast" or as_circuit) else "xy-ring"

    def _run(self, simulation: Simulation, gammas: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, Decoder, str]:
        """Probabilities of states, how to read states as choices, and the size of the register in words."""
        if self.backend == "fast":
            words = f"{simulation.qubits} qubits, {simulation.states} states"
            return simulation.probabilities(gammas, betas), simulation.decode, words
        problem, ansatz = simulation.problem, simulation.ansatz
        from agents.quantum.reference import reference_probabilities

        ising = encode(penalised(problem))
        probabilities = reference_probabilities(
            problem, ansatz, gammas, betas, device=self.device, penalty_factor=self.penalty_factor
        )
        # The order of the fast simulator, so that the same random numbers draw the same states: choices ascending,
        # which as one-hot strings descend; bit strings ascending.
        order = np.arange(probabilities.size)[:: 1 if ansatz == "penalty-x" else -1]

        def decode(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return ising.decode(bits_of(order[states], ising.qubits))

        return probabilities[order], decode, f"{ising.qubits} qubits"

    def _fits(self, problem: Problem) -> bool:
        """Whether the register holds the problem."""
        ansatz = self.ansatz_for(problem)
        qubits = one_hot_qubits(problem)
        injective = problem.distinct and ansatz in ("swap", "grover")
        if self.backend == "pennylane":
            ancillas = problem.options if injective and problem.options > problem.groups else 0
            return qubits + ancillas <= self.max_qubits
        if ansatz == "penalty-x":
            return qubits <= self.max_qubits
        if not injective or problem.states <= 1 << self.max_qubits:
            return problem.states <= 1 << self.max_qubits
        try:
            feasible_choices(problem, 1 << self.max_qubits)
        except PlanningError:
            return False
        return True

    def _plan(
        self,
        problem: Problem,
        choice: np.ndarray,
        started_s: float,
        budget: Budget,
        simulation: Simulation | None,
        evaluations: int,
        shots: int,
        notes: list[str],
    ) -> Plan:
        value = problem.cost(choice)
        wall_s = time.perf_counter() - started_s
        if budget.time_s is not None and wall_s > budget.time_s:
            notes = [*notes, f"time budget {budget.time_s:g} s exceeded: a circuit is not interrupted"]
        latency_s = wall_s
        if simulation is not None:
            circuit_s = self._circuit_s(simulation, notes)
            qpu = as_qpu(self.modelled_on)
            latency_s = qpu.expected_latency_s(evaluations * shots, circuit_s, circuits=evaluations)
        return Plan(
            choice=choice,
            value=value,
            optimum=None,
            feasible=bool(np.isfinite(value)),
            evaluations=evaluations,
            shots=shots,
            wall_s=wall_s,
            modelled_latency_s=latency_s,
            planner=self.name,
            note="; ".join(notes),
        )

    def _circuit_s(self, simulation: Simulation, notes: list[str]) -> float:
        """Duration of the circuit's gates on the modelled QPU [s]; notes where there is no circuit."""
        calibration = as_qpu(self.modelled_on).calibration
        try:
            return circuit_seconds(simulation.problem, simulation.ansatz, self.depth, calibration)
        except PlanningError:
            notes.append(f"no circuit of {simulation.ansatz} for shared or closed options: gate times left out")
            return 0.0


def draw_shots(probabilities: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Measure: draw bit strings (shots, n) uint8 from probabilities (2^n,), most significant bit first."""
    states = draw_states(probabilities, shots, rng)
    return bits_of(states, int(probabilities.size).bit_length() - 1)


def draw_states(probabilities: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Draw indices (shots,) int64 of states from their probabilities (N,)."""
    cumulative = np.cumsum(probabilities)
    # Scaled by the last sum because the probabilities add up to 1 only to rounding.
    return np.asarray(np.searchsorted(cumulative, rng.random(shots) * cumulative[-1], side="right"))
