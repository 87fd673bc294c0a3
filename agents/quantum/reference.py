"""The ansaetze on PennyLane devices, gate by gate: what the fast simulator is checked against.

One QNode per device and register size runs any gate list of :mod:`agents.quantum.circuits` and returns ``qml.probs``;
an expectation is the dot product of these with the cost vector, taken outside. Neither a diagonal matrix over all
qubits nor a dense Hamiltonian is ever built (at 16 qubits they would take 64 GiB). Devices with shots and noisy ones
work alike; PennyLane is loaded on first use.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.calibrations import Noise
from agents.quantum.circuits import build, cost_hamiltonian
from agents.quantum.devices import device_errors, make_device
from agents.quantum.gates import NATIVE_2Q, Circuit, Gate
from agents.quantum.ising import bits_of

_SIMPLE = {
    "X": "PauliX",
    "H": "Hadamard",
    "RX": "RX",
    "RY": "RY",
    "RZ": "RZ",
    "CNOT": "CNOT",
    "CZ": "CZ",
    "ZZ": "IsingZZ",
    "XY": "IsingXY",
    "GIVENS": "SingleExcitation",
}


def reference_probabilities(
    problem: Problem,
    ansatz: str,
    gammas: np.ndarray,
    betas: np.ndarray,
    *,
    device: str = "lightning.qubit",
    penalty_factor: float = 1.0,
    shots: int | None = None,
    seed: int | None = None,
    noise: Noise | None = None,
) -> np.ndarray:
    """Probabilities of the one-hot strings after an ansatz' circuit.

    Args:
        problem: as :func:`agents.quantum.circuits.build` takes it.
        ansatz: one of :data:`agents.quantum.simulator.ANSAETZE`.
        gammas: (p,) cost angles [rad per standard deviation].
        betas: (p,) mixer angles [rad].
        device: PennyLane device name, hardware plugins included.
        penalty_factor: weight of penalties in bounds of the cost's range.
        shots: samples the device takes, >= 1; None for exact probabilities.
        seed: of the device's sampler, where it takes one.
        noise: depolarising errors after native gates, on a device with mixed states; readout errors are not applied.

    Returns:
        (2^n,) float64, qubit 0 the most significant bit; ancillas are summed over. With shots, relative frequencies.

    Raises:
        PlanningError: unknown device, too many qubits for it, shots < 1, a failing device, or as ``build``.
    """
    circuit = build(problem, ansatz, gammas, betas, penalty_factor=penalty_factor)
    return circuit_probabilities(circuit, device=device, shots=shots, seed=seed, noise=noise)


def reference_expectation(
    problem: Problem, ansatz: str, gammas: np.ndarray, betas: np.ndarray, *, penalty_factor: float = 1.0, **run: Any
) -> float:
    """Mean cost, penalties included where the ansatz has them, in units of the cost.

    Args, Raises: as :func:`reference_probabilities`, whose further settings are taken too.
    """
    circuit = build(problem, ansatz, gammas, betas, penalty_factor=penalty_factor)
    ising, _ = cost_hamiltonian(problem, ansatz, penalty_factor)
    bits = bits_of(np.arange(1 << ising.qubits), ising.qubits)
    return float(circuit_probabilities(circuit, **run) @ ising.energies(bits))


def circuit_probabilities(
    circuit: Circuit,
    *,
    device: str = "lightning.qubit",
    shots: int | None = None,
    seed: int | None = None,
    noise: Noise | None = None,
) -> np.ndarray:
    """Probabilities (2^qubits,) of a gate list; arguments and errors as :func:`reference_probabilities`."""
    if shots is not None and shots < 1:
        raise PlanningError(f"pennylane shots: must be >= 1 or None for exact probabilities, got {shots}")
    # A node with a seeded sampler is used once: kept, its sampler would go on where it stopped.
    node = (_node if seed is None else _node.__wrapped__)(device, circuit.wires, circuit.qubits, shots, seed)
    with device_errors(device):
        return np.asarray(node(circuit if noise is None else circuit.native, noise), dtype=np.float64)


@lru_cache(maxsize=8)  # a device may keep its state vector
def _node(device: str, wires: int, qubits: int, shots: int | None, seed: int | None) -> Callable[..., Any]:
    """A QNode (circuit, noise) -> probabilities of the first ``qubits`` wires."""
    made = make_device(device, wires, seed)
    import pennylane as qml

    def run(circuit: Circuit, noise: Noise | None) -> Any:
        for gate in circuit.gates:
            _apply(qml, gate)
            if noise is not None and gate.name != "RZ":
                _depolarise(qml, gate, noise)
        return qml.probs(wires=range(qubits))

    node = qml.QNode(run, made, interface=None, diff_method=None)
    return node if shots is None else qml.set_shots(node, shots)


def _apply(qml: Any, gate: Gate) -> None:
    if gate.name in _SIMPLE:
        operation = getattr(qml, _SIMPLE[gate.name])
        operation(*(() if gate.name in ("X", "H", "CNOT", "CZ") else (gate.angle,)), wires=gate.wires)
    elif gate.name == "EXCHANGE":
        # DoubleExcitation turns |0011>, |1100> by a real rotation; a quarter phase on |1...> makes its off-diagonal i.
        qml.PhaseShift(-np.pi / 2, wires=gate.wires[0])
        qml.DoubleExcitation(gate.angle, wires=gate.wires)
        qml.PhaseShift(np.pi / 2, wires=gate.wires[0])
    else:
        shift = qml.PhaseShift(gate.angle, wires=gate.wires[-1])
        if len(gate.wires) > 1:
            qml.ctrl(shift, control=gate.wires[:-1])


def _depolarise(qml: Any, gate: Gate, noise: Noise) -> None:
    if gate.name not in NATIVE_2Q:
        qml.DepolarizingChannel(noise.p1, wires=gate.wires)
        return
    qml.QubitChannel(_two_qubit_kraus(noise.p2), wires=gate.wires)


@lru_cache(maxsize=64)
def _two_qubit_kraus(p2: float) -> list[np.ndarray]:
    """Kraus operators of a two-qubit Pauli error with probability p2, all 15 equally likely."""
    paulis = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
    weights = [1.0 - p2] + [p2 / 15.0] * 15
    pairs = [np.kron(first, second) for first in paulis for second in paulis]
    return [np.sqrt(weight) * pair for weight, pair in zip(weights, pairs, strict=True)]
