"""The fast simulator against PennyLane's gates, and what the reference refuses."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pennylane", reason="needs the extra 'quantum'")

from agents.planning import PlanningError, Problem
from agents.quantum.calibrations import Noise
from agents.quantum.circuits import build
from agents.quantum.devices import check_device
from agents.quantum.gates import Circuit, Gate
from agents.quantum.reference import circuit_probabilities, reference_expectation, reference_probabilities
from agents.quantum.simulator import ANSAETZE, Simulation


def random_problem(rng, groups, options, *, distinct=True, blocked=()):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = rng.normal(size=(groups, options))
    for cell in blocked:
        linear[cell] = np.inf
    return Problem.from_costs(linear, pairwise, distinct=distinct)


def compare(problem, ansatz, gammas, betas):
    """Largest difference of probabilities over all strings, and what lies outside the fast simulator's basis."""
    fast = Simulation(problem, ansatz)
    gates = reference_probabilities(problem, ansatz, gammas, betas)
    outside = np.delete(gates, fast.basis()).sum()
    spread_out = np.zeros(gates.size)
    spread_out[fast.basis()] = fast.probabilities(gammas, betas)
    return np.abs(spread_out - gates).max(), outside


@st.composite
def cases(draw):
    ansatz = draw(st.sampled_from(ANSAETZE))
    injective = ansatz in ("grover", "swap")
    groups = draw(st.integers(1, 3))
    options = draw(st.integers(max(2, groups), 3 if injective or groups == 3 else 4))
    distinct = ansatz == "swap" or draw(st.booleans())
    blocked = ((0, 1),) if options > 2 and not (distinct and injective) and draw(st.booleans()) else ()
    angles = st.lists(st.floats(-3.0, 3.0), min_size=4, max_size=4)
    return (groups, options, distinct, blocked), ansatz, draw(angles), draw(st.integers(0, 2**32 - 1))


@given(cases())
@settings(max_examples=40, deadline=None)
def test_fast_simulator_equals_gates_on_random_problems(case):
    (groups, options, distinct, blocked), ansatz, angles, seed = case
    problem = random_problem(np.random.default_rng(seed), groups, options, distinct=distinct, blocked=blocked)
    error, outside = compare(problem, ansatz, np.array(angles[:2]), np.array(angles[2:]))
    assert error <= 1e-10 and outside <= 1e-12


SIZES = [(3, 4, True), (4, 4, True), (2, 8, False), (5, 3, False)]


@pytest.mark.parametrize(
    ("groups", "options", "distinct", "ansatz"),
    [(*size, ansatz) for size in SIZES for ansatz in ANSAETZE if ansatz != "swap" or size[2]],
)
def test_fast_simulator_equals_gates_up_to_16_qubits(groups, options, distinct, ansatz):
    rng = np.random.default_rng(100 * groups + options)
    gammas, betas = rng.normal(size=(2, 8))
    error, outside = compare(random_problem(rng, groups, options, distinct=distinct), ansatz, gammas, betas)
    assert error <= 1e-10 and outside <= 1e-12


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_devices_shots_and_expectations_agree(ansatz):
    rng = np.random.default_rng(1)
    problem = random_problem(rng, 2, 2)
    angles = np.array([0.6, 0.3]), np.array([0.4, 0.8])
    exact = reference_probabilities(problem, ansatz, *angles)
    for device in ("default.qubit", "default.mixed"):
        assert np.abs(reference_probabilities(problem, ansatz, *angles, device=device) - exact).max() <= 1e-10
    fast = Simulation(problem, ansatz)
    assert reference_expectation(problem, ansatz, *angles) == pytest.approx(fast.expectation(*angles), abs=1e-10)
    shots = 5000
    sampled = reference_probabilities(problem, ansatz, *angles, device="default.qubit", shots=shots, seed=3)
    assert np.abs(sampled * shots - np.round(sampled * shots)).max() <= 1e-9
    # Hoeffding for each of 16 strings: at most 32 exp(-2 n t^2) = 1e-6 that one is off by more than t.
    assert np.abs(sampled - exact).max() < np.sqrt(np.log(32e6) / (2 * shots))
    again = reference_probabilities(problem, ansatz, *angles, device="default.qubit", shots=shots, seed=3)
    assert (again == sampled).all()


def test_depolarising_noise_of_one_gate_is_the_closed_form():
    p1, p2 = 0.03, 0.15
    flipped = Circuit(1, 0, (Gate("X", (0,)),))
    found = circuit_probabilities(flipped, device="default.mixed", noise=Noise(p1=p1))
    assert found == pytest.approx([2 * p1 / 3, 1 - 2 * p1 / 3], abs=1e-12)  # X and Y errors flip the bit, Z does not
    pair = Circuit(2, 0, (Gate("CNOT", (0, 1)),))
    # 3 of 15 two-qubit errors flip no bit, and 4 lead to each of the other strings.
    found = circuit_probabilities(pair, device="default.mixed", noise=Noise(p2=p2))
    assert found == pytest.approx([1 - 12 * p2 / 15, 4 * p2 / 15, 4 * p2 / 15, 4 * p2 / 15], abs=1e-12)


def test_bad_runs_are_refused_with_a_reason():
    problem = random_problem(np.random.default_rng(2), 2, 2)
    angles = np.array([0.3]), np.array([0.4])
    with pytest.raises(PlanningError, match="device 'no.such.device'"):
        check_device("no.such.device")
    with pytest.raises(PlanningError, match="shots: must be >= 1 or None for exact probabilities, got 0"):
        reference_probabilities(problem, "swap", *angles, shots=0)
    with pytest.raises(PlanningError, match="'null.qubit': a Bell pair is read with"):
        check_device("null.qubit")
    with pytest.raises(PlanningError, match="'default.qutrit': .*not support"):
        check_device("default.qutrit")
    with pytest.raises(PlanningError, match="'default.mixed': 16 wires needed, ancillas included, allowed are 12"):
        reference_probabilities(random_problem(np.random.default_rng(2), 4, 4), "swap", *angles, device="default.mixed")
    with pytest.raises(PlanningError, match="'lightning.qubit': 25 wires needed, ancillas included, allowed are 24"):
        reference_probabilities(random_problem(np.random.default_rng(2), 4, 5), "swap", *angles)
    with pytest.raises(PlanningError, match="DepolarizingChannel"):
        reference_probabilities(problem, "swap", *angles, noise=Noise(0.1, 0.1))


def test_reference_never_holds_a_matrix_over_all_qubits():
    # A 16-qubit diagonal would be 1 MiB, a dense matrix 64 GiB; the circuit has gates of at most 4 wires and phases.
    circuit = build(random_problem(np.random.default_rng(3), 4, 4), "swap", np.ones(2), np.ones(2))
    assert max(len(gate.wires) for gate in circuit.gates) == 4
