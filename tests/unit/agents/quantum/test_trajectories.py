"""Noisy circuits: without error the ideal, with errors PennyLane's density matrices within a tail bound."""

import itertools

import numpy as np
import pytest

from agents.planning import PlanningError, Problem
from agents.quantum.calibrations import HERON, Noise
from agents.quantum.circuits import build
from agents.quantum.gates import Circuit, Gate
from agents.quantum.program import compile_circuit, draw_errors
from agents.quantum.simulator import ANSAETZE, Simulation
from agents.quantum.trajectories import circuit_probabilities, noisy_probabilities, noisy_quality, read_out


def random_problem(rng, groups, options, *, distinct=True):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    return Problem.from_costs(rng.normal(size=(groups, options)), pairwise, distinct=distinct)


def distance_bound(probabilities, share, trajectories):
    """Total variation that trajectories stay below except with probability 1e-6.

    Each trajectory gives a distribution, so the variance of an entry is at most its mean and the expected distance is
    at most (1 - P0) / 2 sum sqrt(mean / n); changing one trajectory moves it by at most (1 - P0) / n (McDiarmid).
    """
    mean = 0.5 * np.sqrt(np.minimum(1.0, probabilities / max(1e-12, 1.0 - share)) / trajectories).sum()
    return (1.0 - share) * (mean + np.sqrt(np.log(1e6) / (2 * trajectories)))


def compare_with_density_matrix(circuit, noise, trajectories, seed):
    reference = pytest.importorskip("agents.quantum.reference")
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    exact = reference.circuit_probabilities(circuit, device="default.mixed", noise=noise)
    found = circuit_probabilities(circuit, noise, trajectories=trajectories, rng=np.random.default_rng(seed))
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    share = compile_circuit(circuit, noise).no_error
    distance = 0.5 * np.abs(found - exact).sum()
    assert distance < distance_bound(exact, share, trajectories)
    return distance, exact


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_without_errors_the_result_is_exactly_the_ideal(ansatz):
    rng = np.random.default_rng(1)
    problem = random_problem(rng, 3, 3)
    gammas, betas = rng.normal(size=(2, 3))
    found = noisy_probabilities(problem, ansatz, gammas, betas, Noise(), trajectories=5, rng=rng)
    fast = Simulation(problem, ansatz)
    expected = np.zeros(found.size)
    expected[fast.basis()] = fast.probabilities(gammas, betas)
    assert np.abs(found - expected).max() <= 1e-12


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_trajectories_are_density_matrices_on_four_qubits(ansatz):
    circuit = build(random_problem(np.random.default_rng(2), 2, 2), ansatz, np.array([0.6, 0.2]), np.array([0.3, 0.7]))
    distance, _ = compare_with_density_matrix(circuit, Noise(p1=0.004, p2=0.01), 4000, 3)
    assert distance < 0.02


def test_errors_of_any_size_are_right():
    # Rates near 1 leave no share to the ideal; every kind of gate fails often.
    gates = [Gate("H", (q,)) for q in range(4)]
    gates += [Gate("EXCHANGE", (2, 0, 3, 1), 0.9), Gate("ZZ", (1, 3), 0.7), Gate("RZ", (0,), 0.4)]
    gates += [
        Gate("GIVENS", (3, 0), 1.1),
        Gate("PHASE", (0, 2, 1), 0.8),
        Gate("XY", (1, 2), 0.6),
        Gate("RX", (3,), 0.5),
    ]
    for noise in (Noise(p1=0.9, p2=0.05), Noise(p1=0.0, p2=0.3), Noise(p1=0.02, p2=0.0)):
        compare_with_density_matrix(Circuit(3, 1, tuple(gates)), noise, 20_000, 4)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "options", "depth"), [(2, 3, 4), (2, 4, 1)])
def test_trajectories_are_density_matrices_on_six_and_eight_qubits(groups, options, depth):
    problem = random_problem(np.random.default_rng(5), groups, options)
    circuit = build(problem, "xy-ring", np.linspace(0.1, 0.9, depth), np.linspace(0.6, 0.1, depth))
    distance, exact = compare_with_density_matrix(circuit, Noise(p1=3e-4, p2=5e-3), 8000, 6)
    ideal = circuit_probabilities(circuit, Noise(), trajectories=1, rng=np.random.default_rng(0))
    # The noise is far larger than what separates the two: the comparison can fail.
    assert 0.5 * np.abs(ideal - exact).sum() > 3 * distance


def test_first_errors_follow_their_distribution():
    circuit = build(random_problem(np.random.default_rng(7), 2, 2), "xy-ring", np.ones(1), np.ones(1))
    program = compile_circuit(circuit, Noise(p1=0.02, p2=0.1))
    drawn = 20_000
    errors = draw_errors(program, drawn, np.random.default_rng(8))
    first = np.bincount(errors.native[errors.starts[:-1]], minlength=program.rates.size) / drawn
    before = np.concatenate([[1.0], np.cumprod(1.0 - program.rates)[:-1]])
    expected = before * program.rates / (1.0 - program.no_error)
    # Hoeffding for each native gate, 1e-6 in all.
    assert np.abs(first - expected).max() < np.sqrt(np.log(2e6 * first.size) / (2 * drawn))
    assert (np.diff(errors.starts) >= 1).all() and errors.starts[-1] == errors.native.size
    assert ((errors.flips > 0) | (errors.signs > 0)).all()
    total = errors.native.size / drawn
    # Expected errors given at least one; a trajectory has at most as many as native gates.
    spread = (program.rates > 0).sum() * np.sqrt(np.log(2e6) / (2 * drawn))
    assert abs(total - program.rates.sum() / (1.0 - program.no_error)) < spread


def test_readout_flips_every_bit_independently():
    noise = Noise(read_1_of_0=0.1, read_0_of_1=0.3)
    probabilities = np.random.default_rng(9).dirichlet(np.ones(8))
    one = np.array([[0.9, 0.3], [0.1, 0.7]])
    expected = np.kron(one, np.kron(one, one)) @ probabilities
    assert np.abs(read_out(probabilities, noise) - expected).max() <= 1e-15
    circuit = Circuit(2, 1, (Gate("X", (0,)), Gate("X", (2,))))
    found = circuit_probabilities(circuit, noise, trajectories=1, rng=np.random.default_rng(0))
    assert found == pytest.approx([0.3 * 0.9, 0.3 * 0.1, 0.7 * 0.9, 0.7 * 0.1], abs=1e-15)


def test_quality_counts_optimal_and_feasible_shots():
    rng = np.random.default_rng(10)
    problem = random_problem(rng, 3, 3)
    gammas, betas = np.linspace(0.2, 0.8, 3), np.linspace(0.5, 0.1, 3)
    clean = noisy_quality(problem, "swap", gammas, betas, Noise(), trajectories=1, rng=rng)
    fast = Simulation(problem, "swap")
    assert clean.p_feasible == pytest.approx(1.0) and clean.p_no_error == 1.0 and clean.p_optimum_error == 0.0
    assert clean.p_optimum == pytest.approx(fast.probabilities(gammas, betas)[fast.costs.argmin()], abs=1e-12)
    settings = dict(noise=Noise(p2=3e-3), trajectories=401)
    noisy = noisy_quality(problem, "swap", gammas, betas, rng=np.random.default_rng(1), **settings)
    again = noisy_quality(problem, "swap", gammas, betas, rng=np.random.default_rng(2), **settings)
    assert noisy.p_feasible < 0.9 and 0.0 < noisy.p_no_error < 1.0
    # Two independent estimates of 401 trajectories: 7 of their joint standard errors (16 batches, t law) is below 1e-5.
    joint = np.hypot(noisy.p_feasible_error, again.p_feasible_error)
    assert 0.0 < abs(noisy.p_feasible - again.p_feasible) < 7 * joint


def test_same_seed_same_result_and_bad_sizes_are_refused():
    problem = random_problem(np.random.default_rng(11), 2, 3)
    angles = np.array([0.3]), np.array([0.4])
    runs = [
        noisy_probabilities(problem, "swap", *angles, HERON.noise, trajectories=50, rng=np.random.default_rng(3))
        for _ in range(2)
    ]
    assert (runs[0] == runs[1]).all()
    with pytest.raises(PlanningError, match="trajectories: must be >= 1, got 0"):
        noisy_probabilities(problem, "swap", *angles, HERON.noise, trajectories=0, rng=np.random.default_rng(3))
    wide = random_problem(np.random.default_rng(11), 3, 7)
    with pytest.raises(PlanningError, match="21 qubits and 7 ancillas, allowed are 20"):
        noisy_probabilities(wide, "swap", *angles, HERON.noise, trajectories=1, rng=np.random.default_rng(3))
