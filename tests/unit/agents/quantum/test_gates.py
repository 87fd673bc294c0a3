"""Gates: pair actions and native decompositions against matrices written down from the definitions."""

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

from agents.planning import PlanningError
from agents.quantum.calibrations import HERON, IDEAL
from agents.quantum.gates import NATIVE_1Q, NATIVE_2Q, Circuit, Gate, inverse, multiplexed, pair_action, resources

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
ANGLE = 0.73


def swap_states(size, first, second):
    matrix = np.zeros((size, size))
    matrix[first, second] = matrix[second, first] = 1.0
    return matrix


def givens(angle):
    """|10> to cos |10> - sin |01>, |01> to cos |01> + sin |10>."""
    generator = np.zeros((4, 4))
    generator[1, 2], generator[2, 1] = -1.0, 1.0
    return expm(0.5 * angle * generator)


# name: (wires, matrix from the definition in Gate's docstring)
DEFINITIONS = {
    "X": (1, X),
    "H": (1, (X + Z) / np.sqrt(2)),
    "RX": (1, expm(-0.5j * ANGLE * X)),
    "RY": (1, expm(-0.5j * ANGLE * Y)),
    "RZ": (1, expm(-0.5j * ANGLE * Z)),
    "CNOT": (2, np.kron(np.diag([1, 0]), ONE) + np.kron(np.diag([0, 1]), X)),
    "CZ": (2, np.diag([1, 1, 1, -1])),
    "ZZ": (2, expm(-0.5j * ANGLE * np.kron(Z, Z))),
    "XY": (2, expm(0.25j * ANGLE * (np.kron(X, X) + np.kron(Y, Y)))),
    "GIVENS": (2, givens(ANGLE)),
    "EXCHANGE": (4, expm(0.5j * ANGLE * swap_states(16, 0b1100, 0b0011))),
    "PHASE1": (1, np.diag([1, np.exp(1j * ANGLE)])),
    "PHASE2": (2, np.diag([1, 1, 1, np.exp(1j * ANGLE)])),
    "PHASE4": (4, np.diag([1] * 15 + [np.exp(1j * ANGLE)])),
}


def matrix_of(gates, wires):
    """Dense matrix of a gate list, by pair actions on every basis state."""
    dense = np.eye(2**wires, dtype=complex)
    for gate in gates:
        mask, pattern, flip, block = pair_action(gate, wires)
        first = np.flatnonzero((np.arange(2**wires) & mask) == pattern)
        old = dense.copy()
        dense[first] = block[0, 0] * old[first] + block[0, 1] * old[first ^ flip]
        dense[first ^ flip] = block[1, 0] * old[first] + block[1, 1] * old[first ^ flip]
    return dense


def phase_free_distance(first, second):
    overlap = np.vdot(first, second)
    return np.abs(first * overlap / abs(overlap) - second).max()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_pair_action_is_the_gate(name):
    wires, expected = DEFINITIONS[name]
    gate = Gate(name.rstrip("124"), tuple(range(wires)), ANGLE)
    assert phase_free_distance(matrix_of([gate], wires), expected) <= 1e-12


@pytest.mark.parametrize("name", DEFINITIONS)
def test_native_gates_make_the_gate(name):
    wires, expected = DEFINITIONS[name]
    native = Circuit(wires, 0, (Gate(name.rstrip("124"), tuple(range(wires)), ANGLE),)).native
    assert all(gate.name in NATIVE_1Q + NATIVE_2Q for gate in native.gates)
    assert phase_free_distance(matrix_of(native.gates, wires), expected) <= 1e-12


@pytest.mark.parametrize("name", DEFINITIONS)
def test_inverse_undoes_wherever_the_wires_are(name):
    wires, _ = DEFINITIONS[name]
    for order in itertools.islice(itertools.permutations(range(5), wires), 7):
        gate = Gate(name.rstrip("124"), order, ANGLE)
        native = list(Circuit(5, 0, (gate,)).native.gates)
        assert phase_free_distance(matrix_of([*native, *inverse([gate])], 5), np.eye(32)) <= 1e-12


@pytest.mark.parametrize(
    ("name", "wires", "two_qubit"),
    [("ZZ", 2, 2), ("XY", 2, 2), ("GIVENS", 2, 2), ("EXCHANGE", 4, 14), ("PHASE", 3, 6), ("PHASE", 5, 30)],
)
def test_two_qubit_gates_of_each_gate_are_as_stated(name, wires, two_qubit):
    circuit = Circuit(wires, 0, (Gate(name, tuple(range(wires)), ANGLE),))
    assert resources(circuit, IDEAL).two_qubit == two_qubit


@pytest.mark.parametrize("axis", ["RX", "RY"])
@pytest.mark.parametrize("controls", [0, 1, 3])
def test_multiplexed_rotation_turns_by_the_angle_of_each_setting(axis, controls):
    angles = np.random.default_rng(controls).normal(size=2**controls)
    gates = multiplexed(axis, angles, tuple(range(controls)), controls)
    blocks = [expm(-0.5j * angle * (X if axis == "RX" else Y)) for angle in angles]
    expected = np.zeros((2 ** (controls + 1),) * 2, dtype=complex)
    for k, block in enumerate(blocks):
        expected[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = block
    assert np.abs(matrix_of(gates, controls + 1) - expected).max() <= 1e-12


def test_schedule_counts_gates_and_runs_separate_qubits_at_once():
    gates = (Gate("H", (0,)), Gate("H", (1,)), Gate("RZ", (0,), 0.1), Gate("CNOT", (0, 1)), Gate("ZZ", (1, 2), 0.2))
    used = resources(Circuit(3, 0, gates), HERON)
    assert (used.one_qubit, used.two_qubit, used.depth) == (2, 3, 4)
    assert used.duration_s == pytest.approx(32e-9 + 3 * 68e-9)


def test_unknown_gate_names_itself():
    with pytest.raises(PlanningError, match="unknown gate 'TOFFOLI'"):
        pair_action(Gate("TOFFOLI", (0, 1, 2)), 3)
