"""The RY + CZ ladder ansatz: a state vector of real numbers, and the same circuit in PennyLane.

Every qubit gets RY, then each of the layers applies CZ to neighbouring qubits (a ladder 0-1, 1-2, ...) and RY to every
qubit again. RY is a real rotation and CZ a sign, so that all amplitudes stay real: half the memory and a quarter of the
multiplications of a general state vector. Ansatz: Nannicini 2019, Phys Rev E 99:013304 (arXiv 1805.12037), without the
long-range gates.
"""

from typing import Any

import numba
import numpy as np

from agents.quantum.devices import make_device


def ry_ladder_probabilities(angles: np.ndarray) -> np.ndarray:
    """Probabilities of the bit strings, qubit 0 most significant.

    Args:
        angles: (layers + 1, n) float64 RY angles [rad], n >= 1.

    Returns:
        (2^n,) float64.
    """
    angles = np.ascontiguousarray(angles, dtype=np.float64)
    state = np.zeros(1 << angles.shape[1])
    state[0] = 1.0
    _evolve(state, np.cos(0.5 * angles), np.sin(0.5 * angles))
    return np.asarray(state * state)


def reference_ry_ladder_probabilities(angles: np.ndarray, device: str = "lightning.qubit") -> np.ndarray:
    """The same from gates on any PennyLane device that returns probabilities.

    Raises:
        PlanningError: PennyLane does not know the device, or is not installed.
    """
    backend = make_device(device, angles.shape[1])
    import pennylane as qml

    def circuit() -> Any:
        for layer, row in enumerate(angles.tolist()):
            for pair in ((q, q + 1) for q in range(len(row) - 1) if layer > 0):
                qml.CZ(wires=pair)
            for qubit, angle in enumerate(row):
                qml.RY(angle, wires=qubit)
        return qml.probs(wires=range(angles.shape[1]))

    node = qml.QNode(circuit, backend, interface=None, diff_method=None)
    return np.asarray(node(), dtype=np.float64)


def _compile(kernel: Any) -> Any:
    """Plain compiled loops; reassociation is safe because every sum here has two terms."""
    return numba.njit(cache=True, fastmath=True)(kernel)


@_compile
def _evolve(state: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> None:
    """Apply the ansatz to the state in place; cosines, sines of half the angles (layers + 1, n)."""
    layers, n = cosines.shape
    for layer in range(layers):
        if layer > 0:
            _ladder(state)
        for qubit in range(n):
            _rotate(state, 1 << (n - 1 - qubit), cosines[layer, qubit], sines[layer, qubit])


@_compile
def _ladder(state: np.ndarray) -> None:
    """CZ on all neighbours at once: a sign per pair of adjacent ones."""
    for index in range(state.size):
        adjacent = index & (index >> 1)
        odd = False
        while adjacent:
            adjacent &= adjacent - 1
            odd = not odd
        if odd:
            state[index] = -state[index]


@_compile
def _rotate(state: np.ndarray, stride: int, c: float, s: float) -> None:
    """RY on the qubit of this stride: (a, b) -> (c a - s b, s a + c b)."""
    for start in range(0, state.size, 2 * stride):
        for i in range(start, start + stride):
            a, b = state[i], state[i + stride]
            state[i] = c * a - s * b
            state[i + stride] = s * a + c * b
