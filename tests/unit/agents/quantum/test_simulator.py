"""The fast simulator against dense matrices on all bit strings, which know nothing of bases, pairs or frames."""

import itertools

import numpy as np
import pytest

from agents.planning import PlanningError, Problem
from agents.quantum.ising import Ising, penalised, penalty_ising
from agents.quantum.simulator import ANSAETZE, IsingSimulation, Simulation


def random_problem(seed, groups, options, *, distinct=True, blocked=(), shareable=()):
    rng = np.random.default_rng(seed)
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = 0.5 * rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = 3.0 + rng.random((groups, options))
    for cell in blocked:
        linear[cell] = np.inf
    shared = np.isin(np.arange(options), shareable)
    return Problem.from_costs(linear, pairwise, distinct=distinct, shareable=shared)


PROBLEMS = {
    "3x3": random_problem(1, 3, 3),
    "2x4": random_problem(2, 2, 4),
    "3x3 not distinct": random_problem(3, 3, 3, distinct=False),
    "ragged": random_problem(4, 3, 4, blocked=((0, 1), (1, 0), (2, 2), (2, 3))),
    "shareable": random_problem(5, 3, 3, shareable=(2,)),
    "a group without choice": random_problem(6, 3, 4, blocked=((1, 0), (1, 1), (1, 3))),
    "ragged and shareable": random_problem(7, 3, 4, blocked=((0, 0), (2, 1), (2, 2)), shareable=(3, 1)),
}
CASES = [
    (name, ansatz) for name, problem in PROBLEMS.items() for ansatz in ANSAETZE if problem.distinct or ansatz != "swap"
]


class Dense:
    """An ansatz as matrices on the states it may reach, each written as the tuple of its bits."""

    def __init__(self, problem, ansatz):
        menus = [np.flatnonzero(row) for row in problem.allowed]
        self.qubits = [(g, t) for g, menu in enumerate(menus) if len(menu) > 1 for t in menu]
        self.where = {qubit: k for k, qubit in enumerate(self.qubits)}
        bits = np.array(list(itertools.product((0, 1), repeat=len(self.qubits))))
        self.fixed = [(g, menu[0]) for g, menu in enumerate(menus) if len(menu) == 1]
        self.problem, self.ansatz = problem, ansatz
        if ansatz == "penalty-x":
            self.costs = penalty_ising(problem).energies(bits)
        else:
            keep = [self._kept(row) for row in bits]
            bits = bits[keep]
            target = penalised(problem) if ansatz == "xy-ring" else problem
            self.costs = np.array([target.cost(self.choice(row)) for row in bits])
        self.bits = bits
        self.index = {tuple(row): k for k, row in enumerate(bits.tolist())}

    def choice(self, row):
        """The joint choice of a one-hot row."""
        chosen = dict(self.fixed)
        for (g, t), bit in zip(self.qubits, row, strict=True):
            if bit:
                assert g not in chosen
                chosen[g] = t
        return np.array([chosen[g] for g in range(self.problem.groups)])

    def _kept(self, row):
        ones = [qubit for qubit, bit in zip(self.qubits, row, strict=True) if bit] + self.fixed
        if sorted(g for g, _ in ones) != list(range(self.problem.groups)):
            return False
        return self.ansatz == "xy-ring" or self.problem.feasible(self.choice(row))

    def move(self, lower, upper):
        """Hermitian matrix of |1..0..><0..1..| + h.c.: the qubits of ``lower`` empty, those of ``upper`` fill."""
        matrix = np.zeros((len(self.bits), len(self.bits)))
        for k, row in enumerate(self.bits):
            if all(row[q] for q in lower) and not any(row[q] for q in upper):
                other = row.copy()
                other[list(lower)], other[list(upper)] = 0, 1
                m = self.index.get(tuple(other.tolist()))
                if m is not None:
                    matrix[k, m] = matrix[m, k] = 1.0
        return matrix

    def generators(self):
        """The Hermitian factors of the mixer in order."""
        states = len(self.bits)
        if self.ansatz == "penalty-x":
            return [sum(self.move([q], []) for q in range(len(self.qubits)))]
        if self.ansatz == "grover":
            return [np.full((states, states), 1.0 / states)]
        found = []
        menus = [[t for g, t in self.qubits if g == group] for group in range(self.problem.groups)]
        for g, menu in enumerate(menus):
            ring = [*zip(menu, menu[1:], strict=False)] + ([(menu[-1], menu[0])] if len(menu) > 2 else [])
            pairs = ring if self.ansatz == "xy-ring" else itertools.combinations(menu, 2)
            found += [self.move([self.where[g, t]], [self.where[g, u]]) for t, u in pairs]
        if self.ansatz == "swap":
            for g, h in itertools.combinations(range(self.problem.groups), 2):
                for t, u in itertools.combinations(range(self.problem.options), 2):
                    cells = [(g, t), (h, u), (g, u), (h, t)]
                    if all(cell in self.where for cell in cells):
                        a, b, c, d = (self.where[cell] for cell in cells)
                        found.append(self.move([a, b], [c, d]))
        return found

    def state(self, gammas, betas):
        """Final amplitudes; exp(i beta G) of each Hermitian factor by its eigenvectors."""
        state = np.full(len(self.bits), len(self.bits) ** -0.5, dtype=complex)
        factors = [np.linalg.eigh(generator) for generator in self.generators()]
        for gamma, beta in zip(gammas, betas, strict=True):
            state = np.exp(-1j * gamma * self.costs / self.costs.std()) * state
            for values, vectors in factors:
                state = vectors @ (np.exp(1j * beta * values) * (vectors.T @ state))
        return state

    def slopes(self, gammas, betas):
        """d<C>/d angle (2 p,): each complex generator put into the product of matrices, no difference quotient."""
        factors = [np.linalg.eigh(generator) for generator in self.generators()]
        phases = self.costs / self.costs.std()
        columns = np.zeros((len(self.bits), 1 + 2 * len(gammas)), dtype=complex)  # the state and its derivatives
        columns[:, 0] = len(self.bits) ** -0.5
        for k, (gamma, beta) in enumerate(zip(gammas, betas, strict=True)):
            columns *= np.exp(-1j * gamma * phases)[:, None]
            columns[:, 1 + k] -= 1j * phases * columns[:, 0]
            for values, vectors in factors:
                columns = vectors @ (np.exp(1j * beta * values)[:, None] * (vectors.T @ columns))
                columns[:, 1 + len(gammas) + k] += 1j * (vectors @ (values * (vectors.T @ columns[:, 0])))
        return 2.0 * (columns[:, 1:].conj().T @ (self.costs * columns[:, 0])).real


@pytest.mark.parametrize(("name", "ansatz"), CASES)
def test_probabilities_and_gradient_equal_dense_matrices(name, ansatz):
    problem = PROBLEMS[name]
    if ansatz == "penalty-x" and (problem.allowed.sum(axis=1) > 1) @ problem.allowed.sum(axis=1) > 8:
        problem = random_problem(8, 2, 4, blocked=((1, 2),), shareable=(0,))
    simulation, dense = Simulation(problem, ansatz), Dense(problem, ansatz)
    rng = np.random.default_rng(9)
    gammas, betas = rng.uniform(-2, 2, 3), rng.uniform(-4, 4, 3)
    probabilities = np.abs(dense.state(gammas, betas)) ** 2
    assert simulation.states == len(dense.bits)
    assert simulation.spread == pytest.approx(dense.costs.std(), rel=1e-12)
    order = np.argsort(dense.bits @ (1 << np.arange(len(dense.qubits) - 1, -1, -1)))
    where = np.argsort(simulation.basis())
    np.testing.assert_allclose(simulation.costs[where], dense.costs[order], rtol=0, atol=1e-12 * dense.costs.max())
    np.testing.assert_allclose(simulation.probabilities(gammas, betas)[where], probabilities[order], rtol=0, atol=1e-13)
    expected, size = float(probabilities @ dense.costs), np.abs(dense.costs).max()
    assert simulation.expectation(gammas, betas) == pytest.approx(expected, abs=1e-12 * size)
    value, by_gamma, by_beta = simulation.gradient(gammas, betas)
    assert value == pytest.approx(expected, abs=1e-12 * size)
    found = np.concatenate([by_gamma, by_beta])
    np.testing.assert_allclose(found, dense.slopes(gammas, betas), rtol=0, atol=1e-11 * size)


@pytest.mark.parametrize(("name", "ansatz"), CASES)
def test_basis_and_decoding_agree_with_the_problem(name, ansatz):
    problem = PROBLEMS[name]
    simulation = Simulation(problem, ansatz)
    choices, valid = simulation.decode(np.arange(simulation.states))
    costs = problem.costs(np.where(valid[:, None], choices, 0))
    feasible = valid & np.isfinite(costs)
    np.testing.assert_allclose(simulation.costs[feasible], costs[feasible], rtol=0, atol=1e-12)
    if ansatz in ("swap", "grover"):
        assert feasible.all()
    else:
        assert simulation.costs[~feasible].min(initial=np.inf) >= costs[feasible].max() - 1e-9
    assert len(np.unique(simulation.basis())) == simulation.states


@pytest.mark.parametrize(("name", "ansatz"), CASES)
def test_gradient_equals_central_differences(name, ansatz):
    simulation = Simulation(PROBLEMS[name], ansatz)
    rng = np.random.default_rng(10)
    gammas, betas = rng.uniform(-1, 1, 3), rng.uniform(-2, 2, 3)
    optimal = (simulation.costs < simulation.costs.min() + 1e-9).astype(float)
    for observable in (None, optimal):
        value, by_gamma, by_beta = simulation.gradient(gammas, betas, observable)
        weights = simulation.costs if observable is None else observable

        def mean(angles, weights=weights):
            return float(simulation.probabilities(angles[:3], angles[3:]) @ weights)

        angles, step = np.concatenate([gammas, betas]), 1e-5
        assert value == pytest.approx(mean(angles), rel=1e-12)
        numeric = [(mean(angles + step * e) - mean(angles - step * e)) / (2 * step) for e in np.eye(6)]
        # Central differences: truncation ~ step^2 x third derivative, rounding ~ 1e-16 x range / step.
        scale = np.abs(weights).max() * 100
        np.testing.assert_allclose(np.concatenate([by_gamma, by_beta]), numeric, rtol=0, atol=1e-9 * scale)


def random_ising(seed, qubits):
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(qubits, 1)
    return Ising(
        h=rng.normal(size=qubits), pairs=np.stack([first, second], axis=1), J=rng.normal(size=first.size), offset=0.7,
        registers=(), qubit_group=np.zeros(0, int), qubit_option=np.zeros(0, int), fixed=np.zeros(0, int),
    )  # fmt: skip


@pytest.mark.parametrize("qubits", [0, 1, 2, 5, 9])
def test_diagonal_equals_energies_of_bit_strings(qubits):
    ising = random_ising(qubits, qubits)
    bits = (np.arange(1 << qubits)[:, None] >> np.arange(qubits - 1, -1, -1)) & 1
    np.testing.assert_allclose(IsingSimulation(ising).costs, ising.energies(bits), rtol=0, atol=1e-12)


@pytest.mark.parametrize("qubits", [1, 2, 3, 6, 7])
def test_ising_simulation_equals_products_of_single_qubit_rotations(qubits):
    simulation = IsingSimulation(random_ising(qubits, qubits))
    rng = np.random.default_rng(11)
    gammas, betas = rng.normal(size=4), rng.normal(size=4) * 2
    state = np.full(1 << qubits, 2 ** (-qubits / 2), dtype=complex)
    for gamma, beta in zip(gammas, betas, strict=True):
        state = np.exp(-1j * gamma * simulation.costs) * state
        one = np.array([[np.cos(beta), 1j * np.sin(beta)], [1j * np.sin(beta), np.cos(beta)]])
        for q in range(qubits):
            state = np.moveaxis(np.tensordot(one, state.reshape((2,) * qubits), (1, q)), 0, q).reshape(-1)
    np.testing.assert_allclose(simulation.probabilities(gammas, betas), np.abs(state) ** 2, rtol=0, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("qubits", [14, 15, 16])
def test_blocks_beyond_the_cache_give_the_same(qubits):
    """14 qubits are one block, 15 and 16 alternate low and high passes."""
    simulation = IsingSimulation(random_ising(qubits, qubits))
    gammas, betas = np.array([0.05, 0.1, 0.2]), np.array([0.7, -0.3, 1.2])
    state = np.full(1 << qubits, 2 ** (-qubits / 2), dtype=complex)
    for gamma, beta in zip(gammas, betas, strict=True):
        state = np.exp(-1j * gamma * simulation.costs) * state
        one = np.array([[np.cos(beta), 1j * np.sin(beta)], [1j * np.sin(beta), np.cos(beta)]])
        for q in range(qubits):
            state = np.moveaxis(np.tensordot(one, state.reshape((2,) * qubits), (1, q)), 0, q).reshape(-1)
    probabilities = np.abs(state) ** 2
    np.testing.assert_allclose(simulation.probabilities(gammas, betas), probabilities, rtol=0, atol=1e-14)
    size = np.abs(simulation.costs).max()
    assert simulation.expectation(gammas, betas) == pytest.approx(probabilities @ simulation.costs, abs=1e-12 * size)
    _, by_gamma, by_beta = simulation.gradient(gammas, betas)
    step = 1e-5
    for k, e in enumerate(np.eye(3)):
        for found, one, other in ((by_gamma, e, 0 * e), (by_beta, 0 * e, e)):
            up, down = (simulation.expectation(gammas + d * one, betas + d * other) for d in (step, -step))
            assert found[k] == pytest.approx((up - down) / (2 * step), abs=1e-5 * size)


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_norm_is_kept(ansatz):
    simulation = Simulation(random_problem(12, 3, 4), ansatz)
    rng = np.random.default_rng(12)
    probabilities = simulation.probabilities(rng.normal(size=16) * 3, rng.normal(size=16))
    assert probabilities.min() >= 0.0
    assert abs(probabilities.sum() - 1.0) <= 1e-12


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_same_angles_give_the_same_bits_and_no_layer_gives_the_uniform_start(ansatz):
    problem = random_problem(13, 3, 4)
    gammas, betas = np.array([0.3, 0.9]), np.array([0.7, 0.2])
    once, again = (Simulation(problem, ansatz).probabilities(gammas, betas) for _ in range(2))
    assert np.array_equal(once, again)
    simulation = Simulation(problem, ansatz)
    start = simulation.probabilities(np.zeros(0), np.zeros(0))
    np.testing.assert_allclose(start, 1.0 / simulation.states, rtol=1e-15)


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_equal_costs_are_no_division_by_zero(ansatz):
    problem = Problem.from_costs(np.full((2, 3), 0.1), distinct=True)
    simulation = Simulation(problem, ansatz)
    value, by_gamma, by_beta = simulation.gradient(np.array([1.0]), np.array([0.4]))
    assert np.isfinite([value, *by_gamma, *by_beta]).all()


def test_eight_by_eight_with_64_qubits_is_exact():
    problem = random_problem(14, 8, 8)
    simulation = Simulation(problem, "swap")
    assert (simulation.states, simulation.qubits) == (40_320, 64)
    assert simulation.nbytes < 3e6
    probabilities = simulation.probabilities(np.full(2, 0.8), np.array([0.5, 0.3]))
    assert abs(probabilities.sum() - 1.0) <= 1e-12
    choices, valid = simulation.decode(np.arange(simulation.states))
    np.testing.assert_allclose(problem.costs(choices), simulation.costs, rtol=0, atol=1e-11)
    with pytest.raises(PlanningError, match="64 qubits"):
        simulation.basis()


def test_pairs_repeated_from_one_block_are_those_of_the_whole_list():
    """A cost of +inf that changes nothing switches the block repetition off; the mixers must agree."""
    plain = random_problem(15, 3, 5)
    options = np.arange(6)
    linear = np.full((3, 6), np.inf)
    linear[:, :5] = plain.linear
    pairwise = np.zeros((3, 6, 3, 6))
    pairwise[:, :5, :, :5] = plain.pairwise
    masked = Problem.from_costs(linear, pairwise, distinct=True, shareable=options == 5)
    gammas, betas = np.array([0.3, 0.9]), np.array([0.7, 0.2])
    by_block, by_list = (Simulation(problem, "swap") for problem in (plain, masked))
    assert by_block.nbytes < by_list.nbytes
    difference = by_block.probabilities(gammas, betas) - by_list.probabilities(gammas, betas)
    assert np.abs(difference).max() <= 1e-15


def test_what_cannot_be_simulated_is_refused():
    problem = random_problem(16, 3, 4)
    with pytest.raises(PlanningError, match="'qaoa'.*penalty-x, xy-ring, grover, swap"):
        Simulation(problem, "qaoa")
    with pytest.raises(PlanningError, match="no distinct rule"):
        Simulation(random_problem(16, 3, 4, distinct=False), "swap")
    for ansatz in ANSAETZE:
        with pytest.raises(PlanningError, match="max_states = 23"):
            Simulation(problem, ansatz, max_states=23)
    with pytest.raises(PlanningError, match="7 qubits have 2\\^7 states; max_states = 100"):
        IsingSimulation(random_ising(1, 7), max_states=100)
    simulation = Simulation(problem, "swap")
    for gammas, betas in (([0.1], [0.1, 0.2]), ([[0.1]], [[0.1]]), ([np.nan], [0.1]), ([0.1], [np.inf])):
        with pytest.raises(PlanningError, match="angles"):
            simulation.probabilities(gammas, betas)
    with pytest.raises(PlanningError, match=r"observable: expected shape \(24,\)"):
        simulation.gradient([0.1], [0.1], np.zeros(3))
    with pytest.raises(PlanningError, match=r"\[0, 24\)"):
        simulation.decode([24])
    with pytest.raises(PlanningError, match="cost nan"):
        Simulation(Problem.from_costs(np.array([[np.nan, 1.0]]), distinct=True), "swap")
