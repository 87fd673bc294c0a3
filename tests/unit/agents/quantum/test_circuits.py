"""Ansatz circuits: starts, subspaces and whole circuits against the ansaetze written down on choices."""

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

from agents.planning import PlanningError, Problem
from agents.quantum import program
from agents.quantum.calibrations import Noise
from agents.quantum.circuits import build, cost_hamiltonian
from agents.quantum.ising import encode, penalised, penalty_ising
from agents.quantum.simulator import ANSAETZE

SIZES = [(1, 3), (2, 2), (2, 3), (3, 3), (2, 4), (3, 4)]


def random_problem(rng, groups, options, *, distinct=True, **settings):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = settings.pop("linear", rng.normal(size=(groups, options)))
    return Problem.from_costs(linear, pairwise, distinct=distinct, **settings)


def final_state(circuit):
    """(2^wires,) amplitudes."""
    return program.final_state(program.compile_circuit(circuit, Noise()))


def strings_of(choices, options):
    """Basis indices of one-hot strings, group 0 most significant."""
    groups = choices.shape[1]
    return (1 << (groups * options - 1 - np.arange(groups) * options - choices)).sum(axis=1)


def on_choices(circuit, choices, options):
    """Probabilities of the choices, and what is anywhere else; ancillas must show exactly the free options."""
    probabilities = np.abs(final_state(circuit)) ** 2
    index = strings_of(choices, options)
    if circuit.ancillas:
        taken = (1 << (options - 1 - choices)).sum(axis=1)
        index = (index << options) | ((1 << options) - 1 - taken)
    return probabilities[index], probabilities.sum() - probabilities[index].sum()


def by_definition(problem, ansatz, gammas, betas, choices):
    """Amplitudes over the feasible choices by dense matrices over them."""
    size = len(choices)
    costs = problem.costs(choices)
    state = np.full(size, 1.0 / np.sqrt(size), dtype=complex)
    if ansatz == "grover":
        generators = [np.full((size, size), 1.0 / size)]
    else:
        generators = [neighbours(choices, move) for move in moves(problem.groups, problem.options)]
    for gamma, beta in zip(gammas, betas, strict=True):
        state = state * np.exp(-1j * gamma * costs / costs.std())
        for generator in generators:
            state = expm(1j * beta * generator) @ state
    return np.abs(state) ** 2


def moves(groups, options):
    """Hops and exchanges in their order, as maps of a choice to its partner."""
    for g in range(groups):
        for t, u in itertools.combinations(range(options), 2):
            yield lambda c, g=g, t=t, u=u: (*c[:g], u, *c[g + 1 :]) if c[g] == t else c
    for g, h in itertools.combinations(range(groups), 2):
        for t, u in itertools.combinations(range(options), 2):

            def exchange(c, g=g, h=h, t=t, u=u):
                return (
                    tuple(u if k == g else t if k == h else x for k, x in enumerate(c)) if (c[g], c[h]) == (t, u) else c
                )

            yield exchange


def neighbours(choices, move):
    place = {tuple(choice): k for k, choice in enumerate(choices.tolist())}
    matrix = np.zeros((len(place), len(place)))
    for choice, k in place.items():
        partner = place.get(tuple(move(choice)))
        if partner is not None and partner != k:
            matrix[k, partner] = matrix[partner, k] = 1.0
    return matrix


def injections(groups, options):
    return np.array(list(itertools.permutations(range(options), groups)))


@pytest.mark.parametrize(("groups", "options"), [*SIZES, (4, 4)])
@pytest.mark.parametrize("ansatz", ["grover", "swap"])
def test_start_is_uniform_over_injections(groups, options, ansatz):
    choices = injections(groups, options)
    circuit = build(random_problem(np.random.default_rng(1), groups, options), ansatz, np.zeros(0), np.zeros(0))
    probabilities, elsewhere = on_choices(circuit, choices, options)
    assert np.abs(probabilities - 1.0 / len(choices)).max() <= 1e-14
    assert abs(elsewhere) <= 1e-13


@pytest.mark.parametrize(("groups", "options"), SIZES)
@pytest.mark.parametrize("ansatz", ["grover", "swap"])
def test_circuit_is_the_ansatz_on_injections_and_leaks_nothing(groups, options, ansatz):
    rng = np.random.default_rng(groups + 10 * options)
    problem = random_problem(rng, groups, options)
    gammas, betas = rng.normal(size=(2, 3))
    choices = injections(groups, options)
    probabilities, elsewhere = on_choices(build(problem, ansatz, gammas, betas), choices, options)
    expected = by_definition(problem, ansatz, gammas, betas, choices)
    assert np.abs(probabilities - expected).max() <= 1e-12
    assert abs(elsewhere) <= 1e-12


def test_grover_on_one_hot_products_is_the_ansatz():
    rng = np.random.default_rng(5)
    problem = random_problem(rng, 3, 3, distinct=False)
    gammas, betas = rng.normal(size=(2, 3))
    choices = np.array(list(itertools.product(range(3), repeat=3)))
    probabilities, elsewhere = on_choices(build(problem, "grover", gammas, betas), choices, 3)
    assert np.abs(probabilities - by_definition(problem, "grover", gammas, betas, choices)).max() <= 1e-12
    assert abs(elsewhere) <= 1e-12


def test_penalty_x_is_the_ansatz_over_all_strings():
    rng = np.random.default_rng(6)
    problem = random_problem(rng, 2, 3)
    gammas, betas = rng.normal(size=(2, 3))
    energies = penalty_ising(problem).energies((np.arange(64)[:, None] >> np.arange(5, -1, -1)) & 1)
    state = np.full(64, 1 / 8, dtype=complex)
    rotation = np.array([[1.0]])
    for gamma, beta in zip(gammas, betas, strict=True):
        state = state * np.exp(-1j * gamma * energies / energies.std())
        rotation = np.array([[1.0]])
        for _ in range(6):
            rotation = np.kron(rotation, [[np.cos(beta), 1j * np.sin(beta)], [1j * np.sin(beta), np.cos(beta)]])
        state = rotation @ state
    found = np.abs(final_state(build(problem, "penalty-x", gammas, betas))) ** 2
    assert np.abs(found - np.abs(state) ** 2).max() <= 1e-12


CASES = {
    "3x3": dict(groups=3, options=3),
    "2x4": dict(groups=2, options=4),
    "2x2": dict(groups=2, options=2),
    "distinct": dict(groups=3, options=3, distinct=True),
    "ragged": dict(groups=3, options=4, blocked=((0, 1), (0, 3), (2, 2))),
    "a group without choice": dict(groups=3, options=3, blocked=((1, 0), (1, 2))),
}


def all_bits(qubits):
    return (np.arange(2**qubits)[:, None] >> np.arange(qubits - 1, -1, -1)) & 1


def rotate(state, qubits, first, second, angle):
    """exp(i angle/2 (XX + YY)): mixes |01> and |10> of two qubits by cos(angle), i sin(angle)."""
    tensor = np.moveaxis(state.reshape((2,) * qubits).copy(), (first, second), (0, 1))
    a, b = tensor[0, 1].copy(), tensor[1, 0].copy()
    tensor[0, 1] = np.cos(angle) * a + 1j * np.sin(angle) * b
    tensor[1, 0] = np.cos(angle) * b + 1j * np.sin(angle) * a
    return np.moveaxis(tensor, (0, 1), (first, second)).reshape(-1)


def ring_on_bit_strings(problem, gammas, betas):
    """XY-ring over all bit strings: phases from the cost polynomial, W states written down, ring as loops."""
    target = penalised(problem)
    menus = [np.flatnonzero(row) for row in target.allowed]
    registers = [menu for menu in menus if len(menu) > 1]
    qubits = sum(len(menu) for menu in registers)
    bits = all_bits(qubits)
    # The cost polynomial in the bits, for every bit string, one-hot or not.
    owner = [(g, t) for g, menu in enumerate(menus) if len(menu) > 1 for t in menu]
    fixed = [(g, menu[0]) for g, menu in enumerate(menus) if len(menu) == 1]
    variables = [bits[:, q] for q in range(qubits)] + [np.ones(len(bits))] * len(fixed)
    cost = np.zeros(len(bits))
    for i, (g, t) in enumerate(owner + fixed):
        cost += target.linear[g, t] * variables[i]
        for j in range(i):
            h, u = (owner + fixed)[j]
            cost += target.pairwise[g, t, h, u] * variables[i] * variables[j]
    state = np.ones(len(bits), dtype=complex)
    start, rings = 0, []
    for menu in registers:
        size = len(menu)
        state *= np.where(bits[:, start : start + size].sum(axis=1) == 1, 1 / np.sqrt(size), 0.0)
        pairs = [(start + k, start + (k + 1) % size) for k in range(size if size > 2 else 1)]
        rings += pairs
        start += size
    for gamma, beta in zip(gammas, betas, strict=True):
        state *= np.exp(-1j * gamma * cost / target.spread)
        for first, second in rings:
            state = rotate(state, qubits, first, second, beta)
    return np.abs(state) ** 2


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("depth", [1, 4])
def test_xy_ring_is_the_ansatz_on_bit_strings_and_leaks_nothing(name, depth):
    rng = np.random.default_rng(11)
    settings = dict(CASES[name])
    groups, options = settings.pop("groups"), settings.pop("options")
    linear = rng.random((groups, options))
    for cell in settings.pop("blocked", ()):
        linear[cell] = np.inf
    problem = random_problem(rng, groups, options, linear=linear, distinct=settings.get("distinct", False))
    gammas, betas = rng.normal(size=(2, depth))
    found = np.abs(final_state(build(problem, "xy-ring", gammas, betas))) ** 2
    assert np.abs(found - ring_on_bit_strings(problem, gammas, betas)).max() <= 1e-12
    ising = encode(penalised(problem))
    _, valid = ising.decode(all_bits(ising.qubits))
    assert valid.sum() == problem.states
    assert found[~valid].sum() <= 1e-12


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_spread_is_the_standard_deviation_over_the_basis_states(ansatz):
    problem = random_problem(np.random.default_rng(7), 3, 3)
    ising, spread = cost_hamiltonian(problem, ansatz)
    bits = (np.arange(2**ising.qubits)[:, None] >> np.arange(ising.qubits - 1, -1, -1)) & 1
    choices, valid = ising.decode(bits)
    feasible = valid & np.isfinite(problem.costs(np.where(valid[:, None], choices, 0)))
    basis = {"penalty-x": np.ones(len(bits), dtype=bool), "xy-ring": valid}.get(ansatz, feasible)
    assert spread == pytest.approx(ising.energies(bits[basis]).std(), rel=1e-12)


def test_native_gates_give_the_same_probabilities():
    problem = random_problem(np.random.default_rng(8), 2, 3)
    for ansatz in ANSAETZE:
        circuit = build(problem, ansatz, np.array([0.4, 0.9]), np.array([0.7, 0.2]))
        difference = np.abs(final_state(circuit)) ** 2 - np.abs(final_state(circuit.native)) ** 2
        assert np.abs(difference).max() <= 1e-12


def test_equal_costs_have_no_phase():
    problem = Problem.from_costs(np.ones((2, 3)), distinct=True)
    circuit = build(problem, "swap", np.array([1.0]), np.array([0.3]))
    probabilities, _ = on_choices(circuit, injections(2, 3), 3)
    assert np.abs(probabilities - 1 / 6).max() <= 1e-12


def test_what_a_circuit_cannot_do_is_said():
    rng = np.random.default_rng(9)
    none = np.zeros(0)
    with pytest.raises(PlanningError, match="unknown ansatz 'vqe'; allowed: penalty-x, xy-ring"):
        build(random_problem(rng, 2, 2), "vqe", none, none)
    with pytest.raises(PlanningError, match="swap: needs a distinct problem"):
        build(random_problem(rng, 2, 2, distinct=False), "swap", none, none)
    blocked = np.array([[0.0, np.inf, 1.0], [0.0, 1.0, 2.0]])
    with pytest.raises(PlanningError, match=r"swap circuit: .* options not allowed \[\[0, 1\]\]"):
        build(random_problem(rng, 2, 3, linear=blocked), "swap", none, none)
    with pytest.raises(PlanningError, match=r"grover circuit: .* shareable options \[2\]"):
        build(random_problem(rng, 2, 3, shareable=np.array([False, False, True])), "grover", none, none)
    with pytest.raises(PlanningError, match="gammas and betas must be"):
        build(random_problem(rng, 2, 2), "xy-ring", np.zeros(2), np.zeros(3))
    with pytest.raises(PlanningError, match="nothing to decide"):
        build(Problem.from_costs(np.zeros((2, 1))), "xy-ring", none, none)
