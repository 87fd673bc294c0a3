"""The ansaetze as gate lists on one-hot qubits.

Start: the ground state of the mixer. Layer k applies exp(-i gamma_k C / sigma) and the mixer with beta_k; sigma is the
standard deviation of the cost C over the ansatz' own basis states, so that gamma is in radians per standard deviation.

- ``penalty-x``: all strings, C with penalties for one-hot and distinct rules; Hadamards, then RX(-2 beta) on each
  qubit (Farhi et al. 2014, arXiv 1411.4028).
- ``xy-ring``: one-hot registers, C with a penalty for the distinct rule; W states, then XY(2 beta) around each ring in
  order (Wang et al. 2020, Phys. Rev. A 101:012320).
- ``grover``: exp(i beta |s><s|) with the uniform superposition |s> over the feasible choices: undo the preparation,
  a phase, prepare again (Baertschi and Eidenbenz 2020, arXiv 2006.00354).
- ``swap``: distinct problems; from |s>, ordered exp(i beta (|1100><0011| + h.c.)) between each group's options and the
  free ones (hops) and between each two groups (exchanges), as in Hadfield et al. 2019, Algorithms 12:34.

Everything is made of gates, the start included; no state is written into the simulator.
"""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.calibrations import Calibration
from agents.quantum.gates import Circuit, Gate, inverse, multiplexed, resources
from agents.quantum.ising import Ising, encode, penalised, penalty_ising
from agents.quantum.simulator import ANSAETZE


def build(
    problem: Problem, ansatz: str, gammas: np.ndarray, betas: np.ndarray, *, penalty_factor: float = 1.0
) -> Circuit:
    """The gate list of an ansatz for a problem.

    Args:
        problem: with at least one group that has a choice.
        ansatz: one of :data:`agents.quantum.simulator.ANSAETZE`.
        gammas: (p,) cost angles [rad per standard deviation].
        betas: (p,) mixer angles [rad].
        penalty_factor: weight of penalties in bounds of the cost's range.

    Returns:
        Circuit on the qubits of :func:`agents.quantum.ising.encode`; swap, and grover on distinct problems, add one
        ancilla per option, 1 where the option is free, when there are more options than groups.

    Raises:
        PlanningError: unknown ansatz, parameters that do not match, nothing to decide, swap without a distinct rule,
            or a distinct problem with shareable options or options that are not allowed for swap or grover.
    """
    gammas, betas = np.asarray(gammas, dtype=np.float64), np.asarray(betas, dtype=np.float64)
    if gammas.ndim != 1 or gammas.shape != betas.shape:
        raise PlanningError(f"parameters: gammas and betas must be (p,) alike, got {gammas.shape} and {betas.shape}")
    ising, spread = cost_hamiltonian(problem, ansatz, penalty_factor)
    # Equal costs leave rounding noise as their spread.
    level = spread <= 1e-14 * float(abs(ising.offset) + np.abs(ising.h).sum() + np.abs(ising.J).sum())
    return _layers(problem, ansatz, ising, np.zeros_like(gammas) if level else gammas / spread, betas)


def _layers(problem: Problem, ansatz: str, ising: Ising, scales: np.ndarray, betas: np.ndarray) -> Circuit:
    """Start, and layers of exp(-i scale C) and mixer."""
    if ising.qubits == 0:
        raise PlanningError(f"{ansatz}: nothing to decide, no group has two allowed options")
    layout = _Layout(ising.registers, problem.options, problem.distinct and ansatz in ("grover", "swap"))
    flips, spreading = _start(ansatz, layout)
    gates = flips + spreading
    for scale, beta in zip(scales.tolist(), betas.tolist(), strict=True):
        gates += _phases(ising, scale)
        gates += _mixer(ansatz, beta, layout, spreading)
    return Circuit(qubits=ising.qubits, ancillas=len(layout.free), gates=tuple(gates))


def cost_hamiltonian(problem: Problem, ansatz: str, penalty_factor: float = 1.0) -> tuple[Ising, float]:
    """The Ising form an ansatz applies, and the standard deviation of its cost over the ansatz' basis states.

    Raises:
        PlanningError: as :func:`build`.
    """
    ising = _hamiltonian(problem, ansatz, penalty_factor)
    if ansatz == "penalty-x":
        # Z strings are orthogonal over all 2^n strings.
        return ising, math.sqrt(float(np.sum(ising.h**2) + np.sum(ising.J**2)))
    if ansatz == "xy-ring" or not problem.distinct:
        return ising, penalised(problem, penalty_factor).spread
    injections = np.array(list(itertools.permutations(range(problem.options), problem.groups)))
    return ising, float(problem.costs(injections).std())


def _hamiltonian(problem: Problem, ansatz: str, penalty_factor: float) -> Ising:
    if ansatz not in ANSAETZE:
        raise PlanningError(f"unknown ansatz {ansatz!r}; allowed: {', '.join(ANSAETZE)}")
    if ansatz == "penalty-x":
        return penalty_ising(problem, penalty_factor)
    if ansatz == "xy-ring":
        return encode(penalised(problem, penalty_factor))
    if not problem.distinct:
        if ansatz == "swap":
            raise PlanningError("swap: needs a distinct problem; take xy-ring or grover where options may repeat")
        return encode(problem)
    if problem.shareable.any() or not problem.allowed.all():
        cells = np.argwhere(~problem.allowed).tolist()
        what = f"shareable options {np.flatnonzero(problem.shareable).tolist()}, options not allowed {cells}"
        raise PlanningError(f"{ansatz} circuit: every group must be allowed every option and none shareable; {what}")
    # Couplings of two groups on one option never count and cost no gate.
    same = np.eye(problem.options, dtype=bool)[None, :, None, :]
    return encode(replace(problem, pairwise=np.where(same, 0.0, problem.pairwise), distinct=False))


def ring(register: list[int]) -> list[tuple[int, int]]:
    """Neighbours around a register in the order the mixer takes them; two qubits have one pair, not two."""
    closing = [(register[-1], register[0])] if len(register) > 2 else []
    return [*zip(register, register[1:], strict=False), *closing]


def circuit_seconds(problem: Problem, ansatz: str, depth: int, calibration: Calibration) -> float:
    """Duration of the gates of a circuit of ``depth`` layers on a processor [s]; layers after the first are alike.

    Args:
        problem, ansatz: as for :func:`build`, with the same errors.
        depth: layers p, >= 1.
        calibration: times of the gates.
    """
    ising = _hamiltonian(problem, ansatz, 1.0)
    angles = np.ones(2)
    first, second = (
        resources(_layers(problem, ansatz, ising, angles[:layers], angles[:layers]), calibration).duration_s
        for layers in (1, 2)
    )
    return first + (depth - 1) * (second - first)


@dataclass(frozen=True)
class _Layout:
    """Which wires stand for what; ``injective`` where all groups hold different options from the start."""

    lengths: tuple[int, ...]
    options: int
    injective: bool

    @property
    def registers(self) -> list[list[int]]:
        """One-hot wires of each group."""
        return [list(range(end - length, end)) for end, length in zip(self._ends, self.lengths, strict=True)]

    @property
    def free(self) -> list[int]:
        """Ancillas that are 1 where an option is free; none where every option is taken."""
        if not self.injective or self.options == len(self.lengths):
            return []
        return list(range(self._ends[-1], self._ends[-1] + self.options))

    @property
    def placed(self) -> list[list[int]]:
        """Registers to prepare; the last of as many groups as options is what the others leave over."""
        return self.registers[:-1] if self.injective and not self.free else self.registers

    @property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(self.lengths))


def _phases(ising: Ising, scale: float) -> list[Gate]:
    """exp(-i scale C) without its global phase: exp(-i scale h Z) = RZ(2 scale h)."""
    fields = [Gate("RZ", (q,), 2.0 * scale * h) for q, h in enumerate(ising.h.tolist())]
    pairs = zip(ising.pairs.tolist(), ising.J.tolist(), strict=True)
    return fields + [Gate("ZZ", (i, j), 2.0 * scale * J) for (i, j), J in pairs]


def _start(ansatz: str, layout: _Layout) -> tuple[list[Gate], list[Gate]]:
    """X gates and the gates after them that prepare the mixer's ground state from |0...0>."""
    if ansatz == "penalty-x":
        return [], [Gate("H", (q,)) for register in layout.registers for q in register]
    firsts = [Gate("X", (register[0],)) for register in layout.placed]
    if not layout.injective:
        return firsts, [gate for register in layout.registers for gate in _w_state(register)]
    left = layout.free or layout.registers[-1]
    return firsts + [Gate("X", (q,)) for q in left], _spread_injections(layout.placed, left)


def _w_state(register: list[int]) -> list[Gate]:
    """|10...0> to the W state: each step keeps 1/sqrt(T) of the amplitude and hands the rest to the next qubit."""
    steps = enumerate(itertools.pairwise(register))
    return [Gate("GIVENS", pair, -2.0 * math.acos(1.0 / math.sqrt(len(register) - k))) for k, pair in steps]


def _spread_injections(placed: list[list[int]], left: list[int]) -> list[Gate]:
    """|10...0> on every register to the uniform superposition over injections, one group after the other.

    A group's 1 wanders along its register: at option t it passes on where the option is taken, and otherwise stays
    with probability 1 / (free options from t on). That number depends on how many earlier groups hold an option before
    t, which their registers tell once each qubit holds the sum of those before it; the sums are undone afterwards.

    Args:
        placed: wires of the groups.
        left: wires that are 1 where an option is free, all of them at first.
    """
    gates: list[Gate] = []
    for g, register in enumerate(placed):
        sums: list[Gate] = []
        for t, (here, there) in enumerate(itertools.pairwise(register)):
            before = [earlier[t - 1] for earlier in placed[:g]] if t else []
            hand_over = Gate("CNOT", (there, here))
            # After the CNOT, here is 1 if exactly one of both was: then the 1 moves between them.
            turn = multiplexed("RY", _pass_on_angles(len(left) - g, t, len(before)), (here, left[t], *before), there)
            step = [Gate("CNOT", (earlier[t - 1], earlier[t])) for earlier in placed[:g]] if t else []
            gates += [hand_over, *turn, hand_over, *step]
            sums += step
        gates += inverse(sums)
        gates += [Gate("CNOT", pair) for pair in zip(register, left, strict=True)]
    return gates


def _pass_on_angles(available: int, t: int, earlier: int) -> np.ndarray:
    """(2^(2 + earlier),) angles by: the 1 is here or next, the option is free, which earlier groups are before t."""
    angles = np.zeros((2, 2, 2**earlier))
    for pattern in range(2**earlier):
        remaining = max(1, available - (t - pattern.bit_count()))
        angles[1, 1, pattern] = 2.0 * math.acos(1.0 / math.sqrt(remaining))
    angles[1, 0] = math.pi
    return angles.reshape(-1)


def _mixer(ansatz: str, beta: float, layout: _Layout, spreading: list[Gate]) -> list[Gate]:
    registers = layout.registers
    if ansatz == "penalty-x":
        return [Gate("RX", (q,), -2.0 * beta) for register in registers for q in register]
    if ansatz == "xy-ring":
        return [Gate("XY", pair, 2.0 * beta) for register in registers for pair in ring(register)]
    if ansatz == "grover":
        # Undone, the uniform superposition has each register's first qubit 1; other feasible states become other
        # one-hot states, so these qubits alone tell it.
        phase = Gate("PHASE", tuple(register[0] for register in layout.placed), beta)
        return [*inverse(spreading), phase, *spreading]
    rows = [(register, layout.free) for register in registers if layout.free]
    rows += itertools.combinations(registers, 2)
    return [
        Gate("EXCHANGE", (g[t], h[u], g[u], h[t]), 2.0 * beta)
        for g, h in rows
        for t, u in itertools.combinations(range(len(g)), 2)
    ]
