"""QAOA: the PennyLane circuit against a NumPy state vector, exhaustive search, and its honesty about budgets."""

import itertools

import numpy as np
import pytest

pytest.importorskip("pennylane", reason="needs the extra 'quantum'")

from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.quantum.ising import encode, penalised
from agents.quantum.qaoa import QAOAPlanner, draw_shots, shrink


def random_problem(rng, groups, options, *, distinct=False, blocked=()):
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = 0.5 * rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    linear = rng.random((groups, options))
    for cell in blocked:
        linear[cell] = np.inf
    return Problem.from_costs(linear, pairwise, distinct=distinct)


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


def statevector(problem, planner):
    """An independent simulation: phases from the cost polynomial, W states written down, ring as loops."""
    target = penalised(problem, planner.penalty_factor)
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
    gammas, betas = planner.angles(target.spread)
    for gamma, beta in zip(gammas, betas, strict=True):
        state *= np.exp(-1j * gamma * cost)
        for first, second in rings:
            state = rotate(state, qubits, first, second, beta)
    return np.abs(state) ** 2


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("depth", [1, 4])
def test_circuit_equals_numpy_statevector(name, depth):
    problem = random_problem(np.random.default_rng(11), **CASES[name])
    planner = QAOAPlanner(depth=depth)
    assert np.abs(planner.probabilities(problem) - statevector(problem, planner)).max() <= 1e-10


def test_other_devices_give_the_same_probabilities():
    problem = random_problem(np.random.default_rng(12), 2, 3)
    ours = QAOAPlanner(depth=3).probabilities(problem)
    assert np.abs(ours - QAOAPlanner(depth=3, device="default.qubit").probabilities(problem)).max() <= 1e-10


@pytest.mark.parametrize("name", CASES)
def test_ring_mixer_never_leaves_the_one_hot_subspace(name):
    problem = random_problem(np.random.default_rng(13), **CASES[name])
    ising = encode(penalised(problem))
    _, valid = ising.decode(all_bits(ising.qubits))
    assert valid.sum() == problem.states
    probabilities = QAOAPlanner().probabilities(problem)
    assert probabilities[~valid].sum() <= 1e-12
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_ising_energy_is_the_cost_of_feasible_states_and_keeps_the_optimum_lowest(name):
    problem = random_problem(np.random.default_rng(14), **CASES[name])
    ising = encode(penalised(problem))
    bits = all_bits(ising.qubits)
    choices, valid = ising.decode(bits)
    energies = ising.energies(bits[valid])
    costs = problem.costs(choices[valid])
    feasible = np.isfinite(costs)
    assert np.abs(energies[feasible] - costs[feasible]).max() <= 1e-12
    assert energies.argmin() == costs.argmin()


def test_distinct_problems_have_to_be_penalised_first():
    with pytest.raises(PlanningError, match="penalised"):
        encode(random_problem(np.random.default_rng(0), 2, 3, distinct=True))


def test_qaoa_concentrates_on_the_optimum():
    # 20 problems x 300 single shots. Uniform sampling hits each optimum with probability 1/27; Hoeffding bounds the
    # chance that it reaches the share asked for by exp(-2 n (4/27)^2) < 1e-100.
    rng = np.random.default_rng(15)
    planner = QAOAPlanner(depth=8)
    hits, draws = 0, 0
    for _ in range(20):
        problem = random_problem(rng, 3, 3)
        optimum = make_planner("exact").plan(problem, Budget(), rng).choice
        bits = draw_shots(planner.probabilities(problem), 300, rng)
        choices, valid = encode(problem).decode(bits)
        hits += int((valid & (choices == optimum).all(axis=1)).sum())
        draws += len(bits)
    assert hits / draws > 5 / 27


def test_best_shot_is_the_answer_and_the_budget_is_counted():
    rng = np.random.default_rng(16)
    problem = random_problem(rng, 3, 4)
    exact = make_planner("exact").plan(problem, Budget(), rng)
    plan = make_planner("qaoa").plan(problem, Budget(shots=2000), np.random.default_rng(3))
    assert plan.value == pytest.approx(exact.value)
    assert plan.optimum is None and plan.evaluations == 1 and plan.shots == 2000
    assert plan.note == "12 qubits, p=8, 2000 shots over 64 one-hot states"
    assert plan.modelled_latency_s == pytest.approx(2.0 + 2000 * 250e-6)
    again = make_planner("qaoa").plan(problem, Budget(shots=2000), np.random.default_rng(3))
    assert again.choice.tolist() == plan.choice.tolist()
    single = [make_planner("qaoa").plan(problem, Budget(shots=1), np.random.default_rng(s)).value for s in range(8)]
    assert len(set(single)) > 1  # one shot is one sample, not a search


def test_shots_follow_the_probabilities():
    probabilities = np.array([0.1, 0.0, 0.6, 0.3])
    shots = 20_000
    bits = draw_shots(probabilities, shots, np.random.default_rng(17))
    shares = np.bincount(bits @ np.array([2, 1]), minlength=4) / shots
    assert shares[1] == 0.0
    assert np.abs(shares - probabilities).max() < np.sqrt(np.log(8e6) / (2 * shots))  # Hoeffding, 1e-6


def test_circuits_are_built_once_per_shape():
    planner = QAOAPlanner(depth=2)
    rng = np.random.default_rng(18)
    for _ in range(3):
        planner.plan(random_problem(rng, 2, 3), Budget(), rng)
    assert len(planner._circuits) == 1
    planner.plan(random_problem(rng, 3, 3), Budget(), rng)
    assert len(planner._circuits) == 2


def test_oversize_problems_are_shrunk_and_say_so_or_are_refused():
    rng = np.random.default_rng(19)
    problem = random_problem(rng, 4, 6, distinct=True)
    plan = QAOAPlanner(depth=2).plan(problem, Budget(), rng)
    assert plan.feasible and plan.note.startswith("shrunk from 24 qubits: 12 of 24 options kept")
    with pytest.raises(PlanningError, match="needs 24 qubits, max_qubits is 12"):
        QAOAPlanner(oversize="refuse").plan(problem, Budget(), rng)
    crowd = QAOAPlanner(depth=2).plan(random_problem(rng, 8, 3), Budget(), rng)
    assert crowd.feasible and ", 2 groups left to greedy; 12 qubits" in crowd.note
    with pytest.raises(PlanningError, match="needs 24 qubits"):
        QAOAPlanner().probabilities(problem)


@pytest.mark.parametrize("distinct", [False, True])
def test_what_shrinking_keeps_is_no_worse_than_greedy(distinct):
    rng = np.random.default_rng(20)
    for _ in range(20):
        problem = random_problem(rng, 4, 6, distinct=distinct)
        kept = shrink(problem, 12)
        best = make_planner("exact").plan(kept, Budget(), rng).value
        assert best <= make_planner("greedy").plan(problem, Budget(), rng).value + 1e-12


def test_nothing_to_decide_runs_no_circuit():
    problem = Problem.from_costs(np.array([[1.0, np.inf], [np.inf, 2.0]]))
    plan = make_planner("qaoa").plan(problem, Budget(), np.random.default_rng(0))
    assert plan.choice.tolist() == [0, 1] and plan.evaluations == 0 and plan.shots == 0
    empty = make_planner("qaoa").plan(Problem.from_costs(np.zeros((0, 1))), Budget(), np.random.default_rng(0))
    assert empty.choice.shape == (0,) and empty.value == 0.0


def test_equal_costs_are_no_trouble():
    plan = make_planner("qaoa").plan(Problem.from_costs(np.zeros((2, 3))), Budget(), np.random.default_rng(0))
    assert plan.feasible and plan.value == 0.0


def test_without_a_feasible_shot_the_greedy_answer_is_given():
    problem = Problem.from_costs(np.zeros((3, 3)), distinct=True)
    planner = QAOAPlanner(depth=1, penalty_factor=0.0)
    notes = [planner.plan(problem, Budget(shots=1), np.random.default_rng(seed)) for seed in range(20)]
    assert all(plan.feasible for plan in notes)
    assert any("no feasible shot; greedy answer" in plan.note for plan in notes)


def test_time_budget_exceeded_is_said():
    problem = random_problem(np.random.default_rng(21), 2, 3)
    plan = make_planner("qaoa").plan(problem, Budget(time_s=1e-6), np.random.default_rng(0))
    assert plan.feasible and "time budget 1e-06 s exceeded" in plan.note


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "depth"),
        ({"shots": 0}, "shots"),
        ({"max_qubits": 25}, r"max_qubits: must be in \[2, 24\]"),
        ({"oversize": "cut"}, "oversize"),
        ({"penalty_factor": -1.0}, "penalty_factor"),
        ({"ramp_gamma": float("nan")}, "ramp_gamma"),
        ({"device": "no.such.device"}, "device 'no.such.device'"),
    ],
)
def test_bad_settings_name_themselves(settings, message):
    with pytest.raises(PlanningError, match=message):
        QAOAPlanner(**settings)
