"""The RY + CZ ladder ansatz: a state vector of real numbers, and the same circuit as a gate list.

Every qubit gets RY, then each of the layers applies CZ to neighbouring qubits (a ladder 0-1, 1-2, ...) and RY to every
qubit again. RY is a real rotation and CZ a sign, so that all amplitudes stay real: half the memory and a quarter of the
multiplications of a general state vector. Ansatz: Nannicini 2019, Phys Rev E 99:013304 (arXiv 1805.12037), without the
long-range gates.
"""

from typing import Any

import numba
import numpy as np

from agents.quantum.gates import Circuit, Gate


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


def ry_ladder_circuit(angles: np.ndarray) -> Circuit:
    """The same as a gate list; the ladder's CZ commute, so those of every other pair come first and run at once."""
    gates: list[Gate] = []
    for layer, row in enumerate(np.asarray(angles).tolist()):
        if layer:
            pairs = [*range(0, len(row) - 1, 2), *range(1, len(row) - 1, 2)]
            gates += [Gate("CZ", (qubit, qubit + 1)) for qubit in pairs]
        gates += [Gate("RY", (qubit,), angle) for qubit, angle in enumerate(row)]
    return Circuit(qubits=np.shape(angles)[1], ancillas=0, gates=tuple(gates))


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
