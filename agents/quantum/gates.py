"""Gate lists: the gates an ansatz is made of, their native one- and two-qubit gates, and what these cost.

A gate other than a product of others acts on few basis states only: on every pair of basis states that agree with a
pattern on the gate's wires and differ in given bits, by one 2x2 matrix (:func:`pair_action`). This single form is what
the trajectory simulation runs. Global phases are dropped.

Native are rotations of one qubit and CNOT or CZ; a CNOT is a CZ whose Hadamards are absorbed by neighbouring rotations,
so both count as one two-qubit gate, and a Z rotation is a change of frame without time or error.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from agents.planning.problem import PlanningError
from agents.quantum.calibrations import Calibration

NATIVE_1Q = ("X", "H", "RX", "RY", "RZ")
NATIVE_2Q = ("CNOT", "CZ")
_QUARTER = math.pi / 2.0


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        name: one of X, H, RX, RY, RZ; CNOT (control first), CZ, ZZ = exp(-i angle/2 Z Z),
            XY = exp(i angle/4 (X X + Y Y)); GIVENS, |10> to cos(angle/2) |10> - sin(angle/2) |01>;
            EXCHANGE = exp(i angle/2 (|1100><0011| + h.c.)); PHASE, exp(i angle) where all its wires are 1.
        wires: qubits it acts on; qubit 0 is the most significant bit of a basis index.
        angle: [rad]; 0 for gates without one.
    """

    name: str
    wires: tuple[int, ...]
    angle: float = 0.0

    @property
    def inverse(self) -> "Gate":
        """The gate that undoes it."""
        return Gate(self.name, self.wires, -self.angle)


@dataclass(frozen=True)
class Circuit:
    """A list of gates from |0...0>.

    Attributes:
        qubits: measured qubits n, wires 0 to n - 1.
        ancillas: further wires after them, not measured.
        gates: in the order they are applied.
    """

    qubits: int
    ancillas: int
    gates: tuple[Gate, ...]

    @property
    def wires(self) -> int:
        """All wires."""
        return self.qubits + self.ancillas

    @property
    def native(self) -> "Circuit":
        """The same circuit in native gates."""
        return Circuit(self.qubits, self.ancillas, tuple(part for gate in self.gates for part in decompose(gate)))


def pair_action(gate: Gate, wires: int) -> tuple[int, int, int, np.ndarray]:
    """What a gate does to basis states.

    Args:
        gate: any.
        wires: qubits of the register.

    Returns:
        mask, pattern, flip (bit masks) and M (2, 2) complex128: for every basis index i with i & mask == pattern, the
        amplitudes of i and i ^ flip become M times them. Equal to the gate up to a global phase.

    Raises:
        PlanningError: unknown gate.
    """
    bits = [1 << (wires - 1 - wire) for wire in gate.wires]
    mask, last = sum(bits), bits[-1]
    half = 0.5 * gate.angle
    c, s = math.cos(half), math.sin(half)
    phase = complex(math.cos(gate.angle), math.sin(gate.angle))
    hop = [[c, 1j * s], [1j * s, c]]
    actions: dict[str, tuple[int, int, list[list[complex]]]] = {
        "X": (0, last, [[0, 1], [1, 0]]),
        "H": (0, last, [[math.sqrt(0.5), math.sqrt(0.5)], [math.sqrt(0.5), -math.sqrt(0.5)]]),
        "RX": (0, last, [[c, -1j * s], [-1j * s, c]]),
        "RY": (0, last, [[c, -s], [s, c]]),
        "RZ": (0, last, [[1, 0], [0, phase]]),
        "CNOT": (mask - last, last, [[0, 1], [1, 0]]),
        "CZ": (mask - last, last, [[1, 0], [0, -1]]),
        "ZZ": (last, mask, [[phase, 0], [0, phase]]),
        "XY": (last, mask, hop),
        "GIVENS": (last, mask, [[c, -s], [s, c]]),
        "EXCHANGE": (bits[0] + bits[1] if len(bits) == 4 else 0, mask, hop),
        "PHASE": (mask - last, last, [[1, 0], [0, phase]]),
    }
    if gate.name not in actions:
        raise PlanningError(f"unknown gate {gate.name!r}; allowed: {', '.join(actions)}")
    pattern, flip, matrix = actions[gate.name]
    return mask, pattern, flip, np.array(matrix, dtype=np.complex128)


def decompose(gate: Gate) -> list[Gate]:
    """The gate in native gates, up to a global phase.

    Two-qubit gates each: ZZ 2, XY 2, GIVENS 2, PHASE on k wires 2^k - 2, EXCHANGE 14 (6 bring its two states to
    neighbours, 8 make the triply controlled rotation; 13 is the best known, Yordanov et al. 2020, Phys. Rev. A
    102:062612).
    """
    wires, angle = gate.wires, gate.angle
    if gate.name in NATIVE_1Q or gate.name in NATIVE_2Q:
        return [gate]
    if gate.name == "ZZ":
        return [Gate("CNOT", wires), Gate("RZ", wires[1:], angle), Gate("CNOT", wires)]
    if gate.name == "XY":
        return _xy(wires, angle)
    if gate.name == "GIVENS":
        turn = Gate("RZ", wires[:1], _QUARTER)
        return [turn, *_xy(wires, angle), turn.inverse]
    if gate.name == "EXCHANGE":
        a, b, c, d = wires
        # |1100> and |0011> become 1010 and 0010: they differ in the first qubit, where the others are 0, 1, 0.
        gather = [Gate("CNOT", (a, b)), Gate("CNOT", (c, d)), Gate("CNOT", (a, c))]
        angles = np.where(np.arange(8) == 0b010, -angle, 0.0)
        return [*gather, *multiplexed("RX", angles, (b, c, d), a), *gather[::-1]]
    return _phase(wires, angle)


def multiplexed(axis: str, angles: np.ndarray, controls: tuple[int, ...], target: int) -> list[Gate]:
    """A rotation of the target by an angle that depends on the controls, in 2^k rotations and 2^k CZ.

    Between rotations a CZ from the control that changes in a Gray code turns the sign of those after it, so that
    angle j counts with sign (-1)^(bits that i and gray(j) share) in setting i; the angles solve this for all i
    (Moettoenen et al. 2004, Phys. Rev. Lett. 93:130502).

    Args:
        axis: "RX" or "RY".
        angles: (2^k,) [rad], indexed by the controls' bits, the first most significant.
        controls: k wires.
        target: wire.
    """
    size = len(angles)
    steps = np.arange(size)
    gray = steps ^ (steps >> 1)
    signs = 1 - 2 * (np.bitwise_count(steps[:, None] & gray[None, :]).astype(int) % 2)
    parts = (np.asarray(angles) @ signs / size).tolist()
    gates = []
    for j, part in enumerate(parts):
        gates.append(Gate(axis, (target,), part))
        if controls:
            changed = int(gray[j] ^ gray[(j + 1) % size]).bit_length()
            gates.append(Gate("CZ", (controls[len(controls) - changed], target)))
    return gates


def _xy(wires: tuple[int, ...], angle: float) -> list[Gate]:
    """XX and YY commute; a controlled Y maps them to rotations of one qubit each."""
    a, b = wires
    controlled_y = [Gate("RZ", (b,), -_QUARTER), Gate("CNOT", (a, b)), Gate("RZ", (b,), _QUARTER)]
    middle = [Gate("RY", (a,), 0.5 * angle), Gate("RX", (b,), -0.5 * angle)]
    return [Gate("H", (a,)), *controlled_y, *middle, *controlled_y, Gate("H", (a,))]


def _phase(wires: tuple[int, ...], angle: float) -> list[Gate]:
    """The projector on all ones is 2^-k sum over subsets of (-1)^size Z...Z; each parity is made on its last wire."""
    gates, share = [], angle / 2 ** len(wires)
    for k, target in enumerate(wires):
        for j in range(2**k):
            size = 1 + (j ^ (j >> 1)).bit_count()
            gates.append(Gate("RZ", (target,), -2.0 * share * (-1) ** size))
            if k:
                following = (j + 1) % 2**k
                changed = (j ^ (j >> 1) ^ following ^ (following >> 1)).bit_length() - 1
                gates.append(Gate("CNOT", (wires[changed], target)))
    return gates


@dataclass(frozen=True)
class Resources:
    """What a circuit costs in native gates, any two qubits being able to meet.

    Attributes:
        one_qubit: native one-qubit gates, Z rotations not counted.
        two_qubit: native two-qubit gates.
        depth: longest chain of those gates.
        duration_s: time of that schedule, gates started as early as their qubits are free [s].
    """

    one_qubit: int
    two_qubit: int
    depth: int
    duration_s: float


def resources(circuit: Circuit, calibration: Calibration) -> Resources:
    """Counts, depth and duration of a circuit on a calibrated processor."""
    counts, depth, ready_s = [0, 0], [0] * circuit.wires, [0.0] * circuit.wires
    times = (calibration.gate_1q_s, calibration.gate_2q_s)
    for gate in circuit.native.gates:
        if gate.name == "RZ":
            continue
        pair = int(gate.name in NATIVE_2Q)
        counts[pair] += 1
        level = 1 + max(depth[wire] for wire in gate.wires)
        end_s = times[pair] + max(ready_s[wire] for wire in gate.wires)
        for wire in gate.wires:
            depth[wire], ready_s[wire] = level, end_s
    return Resources(counts[0], counts[1], max(depth, default=0), max(ready_s, default=0.0))


def inverse(gates: Iterable[Gate]) -> list[Gate]:
    """The gates that undo these."""
    return [gate.inverse for gate in reversed(list(gates))]
