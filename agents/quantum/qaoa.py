"""QAOA on one-hot registers: W-state start, XY-ring mixer, linear-ramp parameters, sampled shots, in PennyLane.

Each group is a register of qubits, one per option. The start is the product of the registers' W states, the ground
state of the mixer -1/2 sum (X X + Y Y) over the ring; the mixer moves the single 1 of each register around and never
leaves the one-hot subspace, so that every shot is a joint choice. Layer k of p applies exp(-i gamma_k C) (RZ, IsingZZ)
and then the ring's IsingXY gates in order. Ansatz: Hadfield et al. 2019, Algorithms 12:34 (arXiv 1709.03489); XY ring
and W start: Wang et al. 2020, Phys Rev A 101:012320 (arXiv 1904.09314).

Parameters: with f = (k - 1/2) / p, gamma_k = ramp_gamma f / sigma and beta_k = ramp_beta (1 - f), where sigma is the
standard deviation of the cost over the one-hot states (penalties included), found in closed form by analysis of
variance (:attr:`Problem.moments`), so that one ramp serves all instances. The default slopes are the best of a coarse
grid over nine sets of 15 random problems (3x4, 4x3, 4x4; duplicate, dense and distinct couplings; NumPy seed 2026)
by mean probability of the optimum, at p = 4, 6 and 8 alike. Nothing is optimised per instance: one circuit a plan.

Shots are drawn with our own generator from the circuit's probabilities rather than by the device: equal in
distribution, and the same on every device and machine for the same seed, since a simulator's own sampler is seeded
elsewhere. Only sampled bit strings are decoded and scored; the rest of the state vector is never looked at.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import Budget, Plan, PlanningError, Problem
from agents.quantum.ising import Ising, encode, penalised

MAX_SIMULATED_QUBITS = 24  # 2^24 complex amplitudes are 256 MiB
_MAX_CIRCUITS = 256  # circuits kept; beyond, the oldest goes

Circuit = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass
class QAOAPlanner:
    """XY-ring QAOA as a planner; the best feasible sampled bit string is the answer.

    The plan reports the circuit evaluations (one) and the shots, and the note how many one-hot states there were:
    where the shots outnumber them, random sampling would have found the optimum as well.

    Attributes:
        depth: layers p, >= 1.
        shots: samples unless the budget says otherwise, >= 1.
        max_qubits: largest circuit, in [2, 24].
        oversize: for larger problems, "shrink" (each group keeps its greedy option and its best others, some groups
            the greedy option alone; the note says so) or "refuse" (PlanningError).
        device: PennyLane device name.
        ramp_gamma: slope of the cost angles for a cost of unit standard deviation [rad].
        ramp_beta: slope of the mixer angles [rad].
        penalty_factor: penalty for breaking the distinct rule, in ranges of the cost; >= 1 keeps the optimum lowest.
        repetition_s: modelled time of one shot, reset included [s] (superconducting, published calibrations:
            250 us; 5-planning).
        overhead_s: modelled compilation and queue [s] (assumed).

    Raises:
        PlanningError: a setting out of range, an unknown device, or PennyLane not installed.
    """

    depth: int = 8
    shots: int = 256
    max_qubits: int = 12
    oversize: str = "shrink"
    device: str = "lightning.qubit"
    ramp_gamma: float = 2.5
    ramp_beta: float = 0.6
    penalty_factor: float = 1.0
    repetition_s: float = 250e-6
    overhead_s: float = 2.0
    name: str = "qaoa"
    _circuits: dict[Any, Circuit] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for setting in ("depth", "shots"):
            if getattr(self, setting) < 1:
                raise PlanningError(f"qaoa {setting}: must be >= 1, got {getattr(self, setting)}")
        if not 2 <= self.max_qubits <= MAX_SIMULATED_QUBITS:
            raise PlanningError(f"qaoa max_qubits: must be in [2, {MAX_SIMULATED_QUBITS}], got {self.max_qubits}")
        if self.oversize not in ("shrink", "refuse"):
            raise PlanningError(f"qaoa oversize: must be 'shrink' or 'refuse', got {self.oversize!r}")
        for setting in ("penalty_factor", "ramp_gamma", "ramp_beta", "repetition_s", "overhead_s"):
            if not 0.0 <= getattr(self, setting) < np.inf:
                raise PlanningError(f"qaoa {setting}: must be finite and >= 0, got {getattr(self, setting)}")
        _make_device(self.device, 2)  # an unknown device is refused here, not in the middle of a mission

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """Run the circuit once, draw shots and return the best feasible one.

        Where no shot is feasible (only possible with a distinct rule) the greedy choice is returned; the note says so.

        Raises:
            PlanningError: the problem needs more than ``max_qubits`` and ``oversize`` is "refuse".
        """
        started_s = time.perf_counter()
        fitted, notes = self._fit(problem)
        ising = encode(penalised(fitted, self.penalty_factor))
        if ising.qubits == 0:
            return self._plan(problem, ising.fixed, started_s, budget, 0, 0, [*notes, "nothing to decide: no circuit"])
        shots = self.shots if budget.shots is None else int(budget.shots)
        bits = draw_shots(self.probabilities(fitted), shots, rng)
        choices, valid = ising.decode(np.unique(bits, axis=0))
        costs = np.where(valid, problem.costs(np.where(valid[:, None], choices, 0)), np.inf)
        best = int(np.argmin(costs))
        notes.append(f"{ising.qubits} qubits, p={self.depth}, {shots} shots over {fitted.states} one-hot states")
        if np.isfinite(costs[best]):
            choice = choices[best]
        else:
            choice = greedy_choice(problem)
            notes.append("no feasible shot; greedy answer")
        return self._plan(problem, choice, started_s, budget, 1, shots, notes)

    def probabilities(self, problem: Problem) -> np.ndarray:
        """(2^n,) float64 probabilities of the bit strings; qubit 0 of :func:`encode` is the most significant bit.

        Raises:
            PlanningError: the problem needs more than ``max_qubits``, or none.
        """
        target = penalised(problem, self.penalty_factor)
        ising = encode(target)
        if not 1 <= ising.qubits <= self.max_qubits:
            raise PlanningError(f"qaoa: the problem needs {ising.qubits} qubits, allowed are 1 to {self.max_qubits}")
        gammas, betas = self.angles(target.spread)
        return np.asarray(self._circuit(ising)(ising.h, ising.J, gammas, betas), dtype=np.float64)

    def angles(self, spread: float) -> tuple[np.ndarray, np.ndarray]:
        """Linear ramps gamma (depth,) [rad per cost] and beta (depth,) [rad] for a cost of this standard deviation."""
        progress = (np.arange(self.depth) + 0.5) / self.depth
        slope = self.ramp_gamma / spread if spread > 0.0 else 0.0
        return slope * progress, self.ramp_beta * (1.0 - progress)

    def _circuit(self, ising: Ising) -> Circuit:
        """The QNode of this shape, built on first use; registers and coupled pairs fix it, numbers are arguments."""
        key = (ising.registers, ising.pairs.tobytes(), self.depth, self.device)
        if key not in self._circuits:
            if len(self._circuits) >= _MAX_CIRCUITS:
                del self._circuits[next(iter(self._circuits))]
            self._circuits[key] = build_circuit(ising.registers, ising.pairs, self.device)
        return self._circuits[key]

    def _fit(self, problem: Problem) -> tuple[Problem, list[str]]:
        """The problem, or the part of it that ``max_qubits`` hold, and what was left out."""
        counts = problem.allowed.sum(axis=1)
        needed = int(counts[counts > 1].sum())
        if needed <= self.max_qubits:
            return problem, []
        if self.oversize == "refuse":
            raise PlanningError(f"qaoa: the problem needs {needed} qubits, max_qubits is {self.max_qubits}")
        kept = shrink(problem, self.max_qubits)
        note = f"shrunk from {needed} qubits: {kept.allowed.sum()} of {counts.sum()} options kept"
        decided = int(((kept.allowed.sum(axis=1) == 1) & (counts > 1)).sum())
        return kept, [note + (f", {decided} groups left to greedy" if decided else "")]

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


def _make_device(name: str, wires: int) -> Any:
    try:
        import pennylane as qml
    except ImportError as error:
        raise PlanningError("qaoa: PennyLane is not installed; install the extra 'quantum'") from error
    try:
        return qml.device(name, wires=wires)
    except (qml.exceptions.DeviceError, ImportError) as error:
        raise PlanningError(f"qaoa device {name!r}: {error}") from error


def build_circuit(registers: tuple[int, ...], pairs: np.ndarray, device: str) -> Circuit:
    """A QNode (h, J, gammas, betas) -> probabilities (2^n,) of the XY-ring QAOA.

    Args:
        registers: lengths of the one-hot registers, each >= 2.
        pairs: (m, 2) coupled qubits.
        device: PennyLane device name.
    """
    import pennylane as qml

    starts = np.concatenate([[0], np.cumsum(registers)]).tolist()
    wires = [list(range(start, end)) for start, end in zip(starts, starts[1:], strict=False)]
    coupled = [(int(i), int(j)) for i, j in pairs]

    def circuit(h: np.ndarray, J: np.ndarray, gammas: np.ndarray, betas: np.ndarray) -> Any:
        for register in wires:
            _prepare_w_state(qml, register)
        for gamma, beta in zip(gammas.tolist(), betas.tolist(), strict=True):
            # exp(-i gamma C): exp(-i gamma h Z) = RZ(2 gamma h); the offset is a global phase.
            for qubit, angle in enumerate((2.0 * gamma * h).tolist()):
                qml.RZ(angle, wires=qubit)
            for pair, angle in zip(coupled, (2.0 * gamma * J).tolist(), strict=True):
                qml.IsingZZ(angle, wires=pair)
            for register in wires:
                for pair in ring(register):
                    qml.IsingXY(2.0 * beta, wires=pair)
        return qml.probs(wires=range(starts[-1]))

    node: Circuit = qml.QNode(circuit, _make_device(device, starts[-1]), interface=None, diff_method=None)
    return node


def ring(register: list[int]) -> list[tuple[int, int]]:
    """Neighbours around a register in the order the mixer takes them; two qubits have one pair, not two."""
    closing = [(register[-1], register[0])] if len(register) > 2 else []
    return [*zip(register, register[1:], strict=False), *closing]


def _prepare_w_state(qml: Any, register: list[int]) -> None:
    """|100..> to the W state: each step keeps 1/sqrt(T) of the amplitude and hands the rest to the next qubit."""
    qml.PauliX(register[0])
    for position, pair in enumerate(zip(register, register[1:], strict=False)):
        remaining = len(register) - position
        # Negative: SingleExcitation(t) takes |10> to cos(t/2)|10> - sin(t/2)|01>.
        qml.SingleExcitation(-2.0 * np.arccos(1.0 / np.sqrt(remaining)), wires=pair)


def draw_shots(probabilities: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Measure: draw bit strings (shots, n) uint8 from probabilities (2^n,), most significant bit first."""
    cumulative = np.cumsum(probabilities)
    # Scaled by the last sum because the probabilities add up to 1 only to rounding.
    states = np.searchsorted(cumulative, rng.random(shots) * cumulative[-1], side="right")
    qubits = int(probabilities.size).bit_length() - 1
    return ((states[:, None] >> np.arange(qubits - 1, -1, -1)) & 1).astype(np.uint8)


def shrink(problem: Problem, max_qubits: int) -> Problem:
    """The problem with fewer allowed options, so that its one-hot registers fit.

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
    while True:
        counts = keep.sum(axis=1)
        if int(counts[counts > 1].sum()) <= max_qubits:
            return replace(problem, linear=np.where(keep, problem.linear, np.inf))
        droppable = keep & (counts == counts.max())[:, None]
        keep[np.unravel_index(int(np.argmax(np.where(droppable, behind, -np.inf))), keep.shape)] = False
