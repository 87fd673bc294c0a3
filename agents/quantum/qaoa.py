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
from dataclasses import dataclass, replace

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import Budget, Plan, PlanningError, Problem
from agents.quantum.ising import encode, penalised
from agents.quantum.parameters import KINDS, angles_for
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
            instance, on the fast simulator; circuit evaluations are counted).
        shots: samples unless the budget says otherwise, >= 1.
        max_qubits: largest register, in [2, 24]: with "pennylane" its qubits, ancillas included; with "fast", which
            keeps only the states that the ansatz can reach, 2^max_qubits such states.
        oversize: for larger problems, "shrink" (each group keeps its greedy option and its best others, some groups
            the greedy option alone; the note says so) or "refuse" (PlanningError).
        device: PennyLane device name.
        penalty_factor: penalty for breaking a rule, in ranges of the cost; >= 1 keeps the optimum lowest.
        repetition_s: modelled time of one shot, reset included [s] (superconducting, published calibrations:
            250 us; :mod:`agents.quantum.calibrations`).
        overhead_s: modelled compilation and queue [s] (assumed).

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
    repetition_s: float = 250e-6
    overhead_s: float = 2.0
    name: str = "qaoa"

    def __post_init__(self) -> None:
        choices = {
            "backend": BACKENDS,
            "ansatz": ("auto", *ANSAETZE),
            "parameters": KINDS,
            "oversize": ("shrink", "refuse"),
        }
        for setting, allowed in choices.items():
            if getattr(self, setting) not in allowed:
                raise PlanningError(f"qaoa {setting}: must be one of {allowed}, got {getattr(self, setting)!r}")
        for setting in ("depth", "shots"):
            if getattr(self, setting) < 1:
                raise PlanningError(f"qaoa {setting}: must be >= 1, got {getattr(self, setting)}")
        if not 2 <= self.max_qubits <= MAX_SIMULATED_QUBITS:
            raise PlanningError(f"qaoa max_qubits: must be in [2, {MAX_SIMULATED_QUBITS}], got {self.max_qubits}")
        for setting in ("penalty_factor", "repetition_s", "overhead_s"):
            if not 0.0 <= getattr(self, setting) < np.inf:
                raise PlanningError(f"qaoa {setting}: must be finite and >= 0, got {getattr(self, setting)}")
        if self.backend == "pennylane":
            from agents.quantum.reference import check_device

            check_device(self.device)  # an unknown device is refused here, not in the middle of a mission

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """Run the circuit, draw shots and return the best feasible one.

        Where no shot is feasible (possible only where rules are penalties) the greedy choice is returned; the note
        says so.

        Raises:
            PlanningError: the problem is too large and ``oversize`` is "refuse".
        """
        started_s = time.perf_counter()
        fitted, notes = self._fit(problem)
        if (fitted.allowed.sum(axis=1) == 1).all():
            notes.append("nothing to decide: no circuit")
            return self._plan(problem, fitted.allowed.argmax(axis=1), started_s, budget, 0, 0, notes)
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
        return self._plan(problem, choice, started_s, budget, angles.evaluations + 1, shots, notes)

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
            return ising.decode((order[states][:, None] >> np.arange(ising.qubits - 1, -1, -1)) & 1)

        return probabilities[order], decode, f"{ising.qubits} qubits"

    def _fit(self, problem: Problem) -> tuple[Problem, list[str]]:
        """The problem, or the part of it that the register holds, and what was left out."""
        if self._fits(problem):
            return problem, []
        counts = problem.allowed.sum(axis=1)
        needed = int(counts[counts > 1].sum())
        if self.oversize == "refuse":
            what = "qubits" if self.backend == "pennylane" else "qubits' worth of states"
            raise PlanningError(
                f"qaoa: the problem's {needed} qubits ({self.ansatz_for(problem)}) are too many, "
                f"max_qubits is {self.max_qubits} {what}"
            )
        kept = shrink_until(problem, self._fits)
        note = f"shrunk from {needed} qubits: {kept.allowed.sum()} of {counts.sum()} options kept"
        decided = int(((kept.allowed.sum(axis=1) == 1) & (counts > 1)).sum())
        return kept, [note + (f", {decided} groups left to greedy" if decided else "")]

    def _fits(self, problem: Problem) -> bool:
        """Whether the register holds the problem."""
        ansatz = self.ansatz_for(problem)
        counts = problem.allowed.sum(axis=1)
        qubits = int(counts[counts > 1].sum())
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
        evaluations: int,
        shots: int,
        notes: list[str],
    ) -> Plan:
        value = problem.cost(choice)
        wall_s = time.perf_counter() - started_s
        if budget.time_s is not None and wall_s > budget.time_s:
            notes = [*notes, f"time budget {budget.time_s:g} s exceeded: a circuit is not interrupted"]
        return Plan(
            choice=choice,
            value=value,
            optimum=None,
            feasible=bool(np.isfinite(value)),
            evaluations=evaluations,
            shots=shots,
            wall_s=wall_s,
            modelled_latency_s=self.overhead_s + shots * self.repetition_s if shots else wall_s,
            planner=self.name,
            note="; ".join(notes),
        )


def draw_shots(probabilities: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Measure: draw bit strings (shots, n) uint8 from probabilities (2^n,), most significant bit first."""
    states = draw_states(probabilities, shots, rng)
    qubits = int(probabilities.size).bit_length() - 1
    return ((states[:, None] >> np.arange(qubits - 1, -1, -1)) & 1).astype(np.uint8)


def draw_states(probabilities: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Draw indices (shots,) int64 of states from their probabilities (N,)."""
    cumulative = np.cumsum(probabilities)
    # Scaled by the last sum because the probabilities add up to 1 only to rounding.
    return np.asarray(np.searchsorted(cumulative, rng.random(shots) * cumulative[-1], side="right"))


def shrink(problem: Problem, max_qubits: int) -> Problem:
    """The problem with fewer allowed options, so that its one-hot registers have at most ``max_qubits`` qubits."""

    def fits(kept: Problem) -> bool:
        counts = kept.allowed.sum(axis=1)
        return int(counts[counts > 1].sum()) <= max_qubits

    return shrink_until(problem, fits)


def shrink_until(problem: Problem, fits: Callable[[Problem], bool]) -> Problem:
    """The problem with just so few allowed options that it fits.

    Every group keeps its option of the greedy choice, so that the kept part is feasible and contains an answer no
    worse than greedy. Among the groups with most options, the option farthest behind its group's greedy one goes, again
    and again, judged by linear cost plus the most favourable single coupling. A group left with its greedy option
    alone needs no qubit. Columns stay, dropped options become not allowed: a choice means the same in both problems.
    """
    held = greedy_choice(problem)
    offered = problem.allowed[None, None]
    coupling = np.where(offered, problem.pairwise, 0.0).min(axis=(2, 3), initial=0.0)
    merit = problem.linear + coupling
    groups = np.arange(problem.groups)
    behind = merit - merit[groups, held][:, None]
    behind[groups, held] = -np.inf
    keep = problem.allowed.copy()
    while not fits(problem):
        counts = keep.sum(axis=1)
        droppable = keep & (counts == counts.max())[:, None]
        keep[np.unravel_index(int(np.argmax(np.where(droppable, behind, -np.inf))), keep.shape)] = False
        problem = replace(problem, linear=np.where(keep, problem.linear, np.inf))
    return problem
