"""Grover adaptive search as a circuit: costs added up in the Fourier basis, the sign bit as oracle, in PennyLane.

Search qubits hold a joint choice, value qubits its cost less the threshold in two's complement. U adds the cost:
Hadamards on the value qubits, a phase 2 pi 2^j c / 2^m on value qubit j for every coefficient c whose search qubits
are 1, then the adjoint Fourier transform. Below the threshold the sign bit is 1, so that U+ Z_sign U flips the sign of
exactly those states and leaves the value qubits at 0. The rotation follows with the reflection about the start A|0>,
the product of the registers' W states. Source: Gilliam, Woerner, Gonciulea 2021, Quantum 5:428 (arXiv 1912.04088).
"""

from typing import Any

import numpy as np

from agents.quantum.devices import device_errors, make_device
from agents.quantum.integer_costs import IntegerCosts


def rotation_two_qubit_gates(costs: IntegerCosts) -> int:
    """Two-qubit gates of one rotation, for the latency model.

    A controlled phase counts 2, a doubly controlled one 8, the Fourier transform m (m - 1), a W state 2 per qubit, and
    the n-fold controlled Z of the reflection 16 n (linear in n without clean ancillas; the factor is an estimate).
    """
    n, m, k = costs.qubits, costs.value_qubits, len(costs.pairs)
    adding = m * (2 * (n + 1) + 8 * k) + m * (m - 1)
    return 2 * adding + 4 * n + 16 * n


def grover_probabilities(
    costs: IntegerCosts, threshold: int, rotations: int, device: str = "lightning.qubit"
) -> tuple[np.ndarray, np.ndarray]:
    """Measurement probabilities after some rotations, and how well the value qubits were cleared.

    Args:
        costs: integer costs; n + m qubits are simulated gate by gate, so keep them few.
        threshold: states of integer cost below it are marked.
        rotations: r >= 0.
        device: PennyLane device name.

    Returns:
        (2^n,) float64 probabilities of the search qubits, qubit 0 most significant, and (2^m,) of the value qubits,
        all of it on 0 where the arithmetic is exact.

    Raises:
        PlanningError: PennyLane does not know the device, or is not installed.
    """
    backend = make_device(device, costs.qubits + costs.value_qubits)
    import pennylane as qml

    search = list(range(costs.qubits))
    value = list(range(costs.qubits, costs.qubits + costs.value_qubits))

    def circuit() -> Any:
        _prepare(costs.registers)
        for _ in range(rotations):
            _add_cost(costs, threshold, value)
            qml.PauliZ(value[0])
            qml.adjoint(_add_cost)(costs, threshold, value)
            qml.adjoint(_prepare)(costs.registers)
            _reflect_about_zero(search)
            _prepare(costs.registers)
        return qml.probs(wires=search), qml.probs(wires=value)

    node = qml.QNode(circuit, backend, interface=None, diff_method=None)
    with device_errors(device):
        found, left = node()
    return np.asarray(found, dtype=np.float64), np.asarray(left, dtype=np.float64)


def _prepare(registers: tuple[int, ...]) -> None:
    """|0..0> to the product of W states; each step keeps 1/sqrt(T) of the amplitude and hands on the rest."""
    import pennylane as qml

    start = 0
    for length in registers:
        qml.PauliX(start)
        for position in range(length - 1):
            # Negative: SingleExcitation(t) takes |10> to cos(t/2)|10> - sin(t/2)|01>.
            angle = -2.0 * np.arccos(1.0 / np.sqrt(length - position))
            qml.SingleExcitation(angle, wires=[start + position, start + position + 1])
        start += length


def _add_cost(costs: IntegerCosts, threshold: int, value: list[int]) -> None:
    """|x>|0> to |x>|cost(x) - threshold>, modulo 2^m; value[0] is the sign bit."""
    import pennylane as qml

    modulus = 1 << costs.value_qubits
    for wire in value:
        qml.Hadamard(wire)
    for position, wire in enumerate(value):
        # Wire 0 is the most significant bit of the Fourier index: weight 2^(m - 1 - position).
        turn = 2.0 * np.pi * (1 << (costs.value_qubits - 1 - position)) / modulus
        qml.PhaseShift(-turn * threshold, wires=wire)
        for qubit, cost in enumerate(costs.linear.tolist()):
            qml.ControlledPhaseShift(turn * cost, wires=[qubit, wire])
        for (first, second), cost in zip(costs.pairs.tolist(), costs.pairwise.tolist(), strict=True):
            qml.ctrl(qml.PhaseShift(turn * cost, wires=wire), control=[first, second])
    qml.adjoint(qml.QFT)(wires=value)


def _reflect_about_zero(wires: list[int]) -> None:
    """1 - 2 |0><0|; a global sign away from the reflection that keeps |0>."""
    import pennylane as qml

    qml.PauliX(wires[-1])
    qml.ctrl(qml.PauliZ(wires[-1]), control=wires[:-1], control_values=[0] * (len(wires) - 1))
    qml.PauliX(wires[-1])
