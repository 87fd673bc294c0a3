"""VQE as a planner: RY + CZ ladder on the penalised one-hot Ising energy, CVaR objective from finite shots, SPSA.

CVaR_a is the mean of the best fraction a of the measured energies: it rewards a circuit for some good strings rather
than for a good average, which is what a planner needs (Barkoutsos, Nannicini, Robert, Tavernelli, Woerner 2020,
Quantum 4:256, arXiv 1907.04769; a = .1 was their best compromise). Nothing keeps registers one-hot, so the energy has
penalties for that and for the distinct rule. The optimiser sees sampled energies only, never the state vector.

The optimiser is SPSA (Spall 1998, Johns Hopkins APL Tech Dig 19:482): two circuits a step whatever the number of
angles, probing at distances that fall as k^-.101. A difference of energies is not divided by that distance, so steps
fall as k^-.703 where Spall's fall as k^-.602. The paper used COBYLA; SciPy's is interpreted since 1.16 and took longer
than the circuits.
"""

import itertools
import time
from dataclasses import dataclass, field

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import Budget, Plan, Problem
from agents.planning.validation import check_choice, check_number, check_whole
from agents.quantum.gates import resources
from agents.quantum.ising import Ising, penalty_ising
from agents.quantum.oversize import RULES, fit_register
from agents.quantum.qaoa import draw_shots
from agents.quantum.qpu import Qpu, as_qpu
from agents.quantum.ry_ladder import ry_ladder_circuit, ry_ladder_probabilities

MAX_VQE_QUBITS = 20  # 2^20 real amplitudes are 8 MiB
FAST = "fast"
_KICK = 0.1  # rad, breaks the symmetry between the qubits of a register
_PROBE = 0.2  # rad, first distance at which SPSA probes the slope
_CALIBRATION = 5  # steps whose slopes set SPSA's scale


class _BudgetSpent(Exception):
    """Ends the optimiser from inside its objective."""


@dataclass(frozen=True)
class VQEPlanner:
    """VQE with a CVaR objective; the best feasible bit string ever sampled is the answer.

    The plan reports circuit evaluations and all shots together. A budget's shots are the sum over all evaluations.

    Attributes:
        layers: CZ ladders, >= 1; there are (layers + 1) n angles.
        shots: samples per circuit evaluation, >= 1.
        evaluations: circuit evaluations unless the budget says otherwise, >= 1.
        cvar: fraction a of the samples that counts, in (0, 1].
        step: typical first step of an angle [rad], > 0.
        max_qubits: largest circuit, in [2, 20].
        oversize: for larger problems, "shrink" (see :func:`agents.quantum.oversize.shrink`) or "refuse".
        device: "fast" for our own state vector, or a PennyLane device name.
        penalty_factor: penalties in bounds of the cost's range. From 1 on the ground state is the optimum for certain;
            below, the slopes are gentler, and since answers are scored by the problem's own cost, a ground state off
            the optimum costs probability, never a wrong value. On 40 random 3x4 problems (first step .12) the
            last circuit's mean probability of the optimum was .03 at 1, .08 at .3 and .03 at .15.
        modelled_on: QPU, or the name of a preset, whose times make the modelled latency: one session, a circuit after
            the other (:mod:`agents.quantum.qpu`).

    Raises:
        PlanningError: a setting out of range.
    """

    layers: int = 1
    shots: int = 128
    evaluations: int = 200
    cvar: float = 0.1
    step: float = 0.1
    max_qubits: int = 12
    oversize: str = "shrink"
    device: str = FAST
    penalty_factor: float = 0.3
    modelled_on: Qpu | str = "heron"
    name: str = "vqe"

    def __post_init__(self) -> None:
        for setting in ("layers", "shots", "evaluations"):
            check_whole(f"vqe {setting}", getattr(self, setting), 1)
        check_number("vqe cvar", self.cvar, 0.0, 1.0, above=True)
        check_whole("vqe max_qubits", self.max_qubits, 2, MAX_VQE_QUBITS)
        check_choice("vqe oversize", self.oversize, RULES)
        check_number("vqe step", self.step, above=True)
        check_number("vqe penalty_factor", self.penalty_factor)
        as_qpu(self.modelled_on)
        if self.device != FAST:
            from agents.quantum.devices import check_device

            check_device(self.device)  # an unknown device is refused here, not in the middle of a mission

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """Optimise to the end of the budget; the best feasible sample, or greedy where none was.

        Raises:
            PlanningError: the problem needs more than ``max_qubits`` and ``oversize`` is "refuse".
        """
        started_s = time.perf_counter()
        fitted, notes = fit_register(problem, "vqe", self.oversize, self.max_qubits)
        ising = penalty_ising(fitted, self.penalty_factor)
        run = _Run(self, problem, ising, budget, rng, started_s)
        if ising.qubits == 0:
            return self._plan(run, ising.fixed, [*notes, "nothing to decide: no circuit"])
        ended = _minimise(run, self._start(ising, rng), self.step)
        size = f"{ising.qubits} qubits, {(self.layers + 1) * ising.qubits} angles"
        spent = f"{run.evaluations} evaluations of {run.shots_each} shots over {fitted.states} one-hot states"
        notes += [f"{size}, CVaR {self.cvar:g}, {spent}", ended]
        if run.best is None:
            return self._plan(run, greedy_choice(problem), [*notes, "no feasible shot; greedy answer"])
        return self._plan(run, run.best, notes)

    def _start(self, ising: Ising, rng: np.random.Generator) -> np.ndarray:
        """Angles whose product state holds one 1 per register on average, slightly disturbed."""
        angles = np.zeros((self.layers + 1, ising.qubits))
        lengths = np.repeat(ising.registers, ising.registers)
        angles[0] = 2.0 * np.arcsin(np.sqrt(1.0 / lengths))
        return angles + _KICK * rng.standard_normal(angles.shape)

    def _plan(self, run: "_Run", choice: np.ndarray, notes: list[str]) -> Plan:
        value = run.problem.cost(choice)
        wall_s = time.perf_counter() - run.started_s
        modelled_s = wall_s
        if run.shots:
            qpu = as_qpu(self.modelled_on)
            circuit = ry_ladder_circuit(np.zeros((self.layers + 1, run.ising.qubits)))
            circuit_s = resources(circuit, qpu.calibration).duration_s
            modelled_s = qpu.expected_latency_s(run.shots, circuit_s, circuits=run.evaluations)
        return Plan(
            choice=np.asarray(choice, dtype=np.int64),
            value=value,
            optimum=None,
            feasible=bool(np.isfinite(value)),
            evaluations=run.evaluations,
            shots=run.shots,
            wall_s=wall_s,
            modelled_latency_s=modelled_s,
            planner=self.name,
            note="; ".join(notes),
        )


@dataclass
class _Run:
    """One optimisation: its limits, what it has spent and the best feasible choice it has seen."""

    settings: VQEPlanner
    problem: Problem
    ising: Ising
    budget: Budget
    rng: np.random.Generator
    started_s: float
    evaluations: int = 0
    shots: int = 0
    best: np.ndarray | None = None
    best_value: float = np.inf
    limit: int = field(init=False)
    shots_each: int = field(init=False)

    def __post_init__(self) -> None:
        """A shot budget below one evaluation's shots makes one smaller evaluation."""
        shots, budget = self.settings.shots, self.budget
        self.limit = self.settings.evaluations if budget.evaluations is None else budget.evaluations
        self.shots_each = shots if budget.shots is None else min(shots, budget.shots)
        if budget.shots is not None:
            self.limit = min(self.limit, budget.shots // self.shots_each)

    def objective(self, angles: np.ndarray) -> float:
        """CVaR of one circuit's samples [cost]; raises when the budget is spent."""
        limit_s = self.budget.time_s
        if self.evaluations and limit_s is not None and time.perf_counter() - self.started_s > limit_s:
            raise _BudgetSpent(f"time budget {limit_s:g} s spent")
        if self.evaluations >= self.limit:
            raise _BudgetSpent(f"stopped after {self.limit} evaluations")
        shaped = angles.reshape(-1, self.ising.qubits)
        device = self.settings.device
        probabilities = ry_ladder_probabilities(shaped) if device == FAST else _on_device(shaped, device)
        bits, counts = _different(draw_shots(probabilities, self.shots_each, self.rng))
        self.evaluations, self.shots = self.evaluations + 1, self.shots + self.shots_each
        self._remember(bits)
        return conditional_value_at_risk(self.ising.energies(bits), counts, self.settings.cvar)

    def _remember(self, bits: np.ndarray) -> None:
        choices, valid = self.ising.decode(bits)
        if not valid.any():
            return
        costs = self.problem.costs(choices[valid])
        row = int(np.argmin(costs))
        if costs[row] < self.best_value:
            self.best, self.best_value = choices[valid][row], float(costs[row])


def _on_device(angles: np.ndarray, device: str) -> np.ndarray:
    from agents.quantum.reference import circuit_probabilities

    return circuit_probabilities(ry_ladder_circuit(angles), device=device)


def _different(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different bit strings and how often each was measured; by number, which sorts faster than rows."""
    numbers = bits.astype(np.int64) @ (1 << np.arange(bits.shape[1], dtype=np.int64))
    _, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    return bits[first], counts


def conditional_value_at_risk(energies: np.ndarray, counts: np.ndarray, fraction: float) -> float:
    """Mean of the lowest ceil(fraction x shots) energies.

    Args:
        energies: (M,) float64 energies of different strings.
        counts: (M,) int, how often each was measured, >= 1.
        fraction: in (0, 1].
    """
    order = np.argsort(energies, kind="stable")
    kept = int(np.ceil(fraction * counts.sum()))
    before = np.cumsum(counts[order]) - counts[order]
    weights = np.clip(kept - before, 0, counts[order])
    return float(energies[order] @ weights / kept)


def _minimise(run: _Run, start: np.ndarray, step: float) -> str:
    """SPSA from these angles until the budget is spent; says what spent it."""
    angles = start.ravel()
    stability = 0.1 * run.limit / 2.0
    scale = 0.0
    try:
        for k in itertools.count():
            probe = _PROBE / (k + 1.0) ** 0.101
            signs = run.rng.choice([-1.0, 1.0], size=angles.size)
            slope = run.objective(angles + probe * signs) - run.objective(angles - probe * signs)
            # The first slopes set the scale, so that a typical first step moves every angle by ``step``.
            scale = (scale * k + abs(slope)) / (k + 1) if k < _CALIBRATION else scale
            decay = ((stability + 1.0) / (stability + k + 1.0)) ** 0.602
            angles = angles - (step * decay * slope / scale) * signs if scale > 0.0 else angles
    except _BudgetSpent as spent:
        return str(spent)
    raise AssertionError("unreachable: only the budget ends the loop")
