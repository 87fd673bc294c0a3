"""QAOA as a planner: exhaustive search, equal backends, and its honesty about budgets and sizes."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.quantum.calibrations import HERON, IDEAL
from agents.quantum.circuits import circuit_seconds
from agents.quantum.ising import one_hot_qubits
from agents.quantum.oversize import shrink
from agents.quantum.qaoa import QAOAPlanner, draw_shots, draw_states
from agents.quantum.qpu import Qpu


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
    "distinct": dict(groups=3, options=3, distinct=True),
    "distinct, more options": dict(groups=2, options=4, distinct=True),
    "ragged": dict(groups=3, options=4, blocked=((0, 1), (0, 3), (2, 2))),
    "ragged and distinct": dict(groups=3, options=4, distinct=True, blocked=((0, 1), (0, 3), (2, 2))),
    "a group without choice": dict(groups=3, options=3, blocked=((1, 0), (1, 2))),
}


@pytest.mark.parametrize("distinct", [False, True])
def test_qaoa_concentrates_on_the_optimum(distinct):
    # 20 problems x 30 plans of one shot. A uniform sample of the states hits an optimum with probability 1/6 (distinct)
    # or 1/27; Hoeffding bounds the chance that it reaches the share asked for by exp(-2 n (4/27)^2) < 1e-11.
    rng = np.random.default_rng(15)
    planner, hits, draws = QAOAPlanner(depth=8, shots=1), 0, 0
    for _ in range(20):
        problem = random_problem(rng, 3, 3, distinct=distinct)
        best = make_planner("exact").plan(problem, Budget(), rng).value
        values = [planner.plan(problem, Budget(), rng).value for _ in range(30)]
        hits += int((np.array(values) <= best + 1e-9).sum())
        draws += len(values)
    assert hits / draws > (1 / 3 if distinct else 5 / 27)


@pytest.mark.parametrize("ansatz", ["auto", "xy-ring", "penalty-x", "grover"])
@pytest.mark.parametrize("name", CASES)
def test_backends_give_the_same_plan(name, ansatz):
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    problem = random_problem(np.random.default_rng(12), **CASES[name])
    circuit = QAOAPlanner(backend="pennylane", ansatz=ansatz, depth=2, shots=3)
    if ansatz == "grover" and name == "ragged and distinct":
        with pytest.raises(PlanningError, match="every group must be allowed every option"):
            circuit.plan(problem, Budget(), np.random.default_rng(0))
        return
    fast = QAOAPlanner(ansatz=circuit.ansatz_for(problem), depth=2, shots=3)
    for seed in range(5):
        plans = [planner.plan(problem, Budget(), np.random.default_rng(seed)) for planner in (circuit, fast)]
        assert plans[0].choice.tolist() == plans[1].choice.tolist()
        assert plans[0].value == plans[1].value
    assert "lightning.qubit" in plans[0].note and "fast simulator" in plans[1].note


def test_auto_takes_swap_where_options_must_differ():
    rng = np.random.default_rng(13)
    free, distinct = (random_problem(rng, 2, 3, distinct=flag) for flag in (False, True))
    blocked = random_problem(rng, 2, 3, distinct=True, blocked=((0, 1),))
    fast = QAOAPlanner()
    assert [fast.ansatz_for(problem) for problem in (free, distinct, blocked)] == ["xy-ring", "swap", "swap"]
    assert fast.plan(blocked, Budget(), rng).feasible
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    circuit = QAOAPlanner(backend="pennylane")
    assert [circuit.ansatz_for(problem) for problem in (free, distinct, blocked)] == ["xy-ring", "swap", "xy-ring"]


def test_best_shot_is_the_answer_and_the_budget_is_counted():
    rng = np.random.default_rng(16)
    problem = random_problem(rng, 3, 4)
    exact = make_planner("exact").plan(problem, Budget(), rng)
    plan = make_planner("qaoa").plan(problem, Budget(shots=2000), np.random.default_rng(3))
    assert plan.value == pytest.approx(exact.value)
    assert plan.optimum is None and plan.evaluations == 1 and plan.shots == 2000
    assert plan.note == "xy-ring on fast simulator, 12 qubits, 64 states, p=8, transferred ramp, 2000 shots"
    circuit_s = circuit_seconds(problem, "xy-ring", 8, HERON)
    assert 1e-6 < circuit_s < 1e-4
    expected = 2.0 * np.exp(0.125) + 1.0 + 2000 * (250e-6 + 2.28e-6 + circuit_s)
    assert plan.modelled_latency_s == pytest.approx(expected)
    again = make_planner("qaoa").plan(problem, Budget(shots=2000), np.random.default_rng(3))
    assert again.choice.tolist() == plan.choice.tolist()
    single = [make_planner("qaoa").plan(problem, Budget(shots=1), np.random.default_rng(s)).value for s in range(8)]
    assert len(set(single)) > 1  # one shot is one sample, not a search


def test_optimised_angles_are_counted_and_stay_within_the_budget():
    problem = random_problem(np.random.default_rng(4), 3, 3, distinct=True)
    planner = QAOAPlanner(depth=2, parameters="optimised")
    free = planner.plan(problem, Budget(), np.random.default_rng(0))
    assert free.evaluations > 20 and "optimised for the instance" in free.note
    held = planner.plan(problem, Budget(evaluations=21), np.random.default_rng(0))
    assert held.evaluations <= 21 and "stopped after" in held.note


def test_shots_follow_the_probabilities():
    probabilities = np.array([0.1, 0.0, 0.6, 0.3])
    shots = 20_000
    bits = draw_shots(probabilities, shots, np.random.default_rng(17))
    shares = np.bincount(bits @ np.array([2, 1]), minlength=4) / shots
    assert shares[1] == 0.0
    assert np.abs(shares - probabilities).max() < np.sqrt(np.log(8e6) / (2 * shots))  # Hoeffding, 1e-6
    assert (np.bincount(draw_states(probabilities, shots, np.random.default_rng(17))) / shots == shares).all()


def test_oversize_problems_are_shrunk_and_say_so_or_are_refused():
    rng = np.random.default_rng(19)
    problem = random_problem(rng, 4, 6)
    plan = QAOAPlanner(depth=2, max_qubits=6).plan(problem, Budget(), rng)
    assert plan.feasible and plan.note.startswith("shrunk from 24 qubits: 11 of 24 options kept")  # 3 3 3 2: 54 <= 64
    with pytest.raises(PlanningError, match="24 one-hot qubits do not fit, max_qubits is 6"):
        QAOAPlanner(oversize="refuse", max_qubits=6).plan(problem, Budget(), rng)
    crowd = QAOAPlanner(depth=2, ansatz="penalty-x", max_qubits=12).plan(random_problem(rng, 8, 3), Budget(), rng)
    assert crowd.feasible and ", 2 groups left to greedy; penalty-x on fast simulator, 12 qubits" in crowd.note


def test_registers_hold_states_or_qubits():
    rng = np.random.default_rng(23)
    wide = random_problem(rng, 5, 8, distinct=True)  # 40 qubits, 6,720 injections
    plan = QAOAPlanner(depth=1, max_qubits=13).plan(wide, Budget(), rng)
    assert plan.feasible and plan.note.startswith("swap on fast simulator, 40 qubits, 6720 states")
    assert QAOAPlanner(depth=1, max_qubits=12).plan(wide, Budget(), rng).note.startswith("shrunk from 40 qubits")
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    square = random_problem(rng, 3, 4, distinct=True)
    assert (
        "swap on lightning.qubit, 12 qubits"
        in make_planner("qaoa", backend="pennylane", depth=1).plan(square, Budget(), rng).note
    )
    with pytest.raises(PlanningError, match="12 one-hot qubits do not fit, max_qubits is 15"):
        QAOAPlanner(backend="pennylane", max_qubits=15, oversize="refuse").plan(square, Budget(), rng)


@pytest.mark.parametrize("distinct", [False, True])
def test_what_shrinking_keeps_is_no_worse_than_greedy(distinct):
    rng = np.random.default_rng(20)
    for _ in range(20):
        problem = random_problem(rng, 4, 6, distinct=distinct)
        kept = shrink(problem, lambda part: one_hot_qubits(part) <= 12)
        counts = kept.allowed.sum(axis=1)
        assert counts[counts > 1].sum() <= 12
        best = make_planner("exact").plan(kept, Budget(), rng).value
        assert best <= make_planner("greedy").plan(problem, Budget(), rng).value + 1e-12


def test_nothing_to_decide_runs_no_circuit():
    problem = Problem.from_costs(np.array([[1.0, np.inf], [np.inf, 2.0]]))
    plan = make_planner("qaoa").plan(problem, Budget(), np.random.default_rng(0))
    assert plan.choice.tolist() == [0, 1] and plan.evaluations == 0 and plan.shots == 0
    empty = make_planner("qaoa").plan(Problem.from_costs(np.zeros((0, 1))), Budget(), np.random.default_rng(0))
    assert empty.choice.shape == (0,) and empty.value == 0.0


@pytest.mark.parametrize("distinct", [False, True])
def test_equal_costs_are_no_trouble(distinct):
    problem = Problem.from_costs(np.zeros((2, 3)), distinct=distinct)
    plan = make_planner("qaoa").plan(problem, Budget(), np.random.default_rng(0))
    assert plan.feasible and plan.value == 0.0


def test_without_a_feasible_shot_the_greedy_answer_is_given():
    problem = Problem.from_costs(np.zeros((3, 3)), distinct=True)
    planner = QAOAPlanner(depth=1, ansatz="xy-ring", penalty_factor=0.0)
    plans = [planner.plan(problem, Budget(shots=1), np.random.default_rng(seed)) for seed in range(20)]
    assert all(plan.feasible for plan in plans)
    assert any("no feasible shot; greedy answer" in plan.note for plan in plans)


def test_modelled_latency_counts_every_circuit_of_the_optimisation():
    qpu = Qpu(calibration=replace(IDEAL, repetition_s=1.0), queue_median_s=5.0, load_s=0.5)
    planner = QAOAPlanner(depth=1, parameters="optimised", shots=10, modelled_on=qpu)
    plan = planner.plan(random_problem(np.random.default_rng(5), 2, 3), Budget(), np.random.default_rng(0))
    assert plan.evaluations > 1 and plan.shots == 10
    assert plan.modelled_latency_s == pytest.approx(5.0 + 10.0 * plan.evaluations + 0.5 * (plan.evaluations - 1))


def test_without_a_circuit_the_note_says_that_gate_times_are_left_out():
    shared = Problem.from_costs(np.eye(3), distinct=True, shareable=np.array([True, False, False]))
    plan = QAOAPlanner(ansatz="swap", depth=1).plan(shared, Budget(), np.random.default_rng(0))
    assert "no circuit of swap for shared or closed options: gate times left out" in plan.note


def test_time_budget_exceeded_is_said():
    problem = random_problem(np.random.default_rng(21), 2, 3)
    plan = make_planner("qaoa").plan(problem, Budget(time_s=1e-6), np.random.default_rng(0))
    assert plan.feasible and "time budget 1e-06 s exceeded" in plan.note


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "depth"),
        ({"shots": 0}, "shots"),
        ({"max_qubits": 25}, r"max_qubits: must be an integer in \[2, 24\]"),
        ({"oversize": "cut"}, "oversize"),
        ({"backend": "gpu"}, "backend: must be one of fast, pennylane, got 'gpu'"),
        ({"ansatz": "vqe"}, "ansatz"),
        ({"parameters": "guessed"}, "parameters"),
        ({"penalty_factor": -1.0}, "penalty_factor"),
        ({"modelled_on": "abacus"}, "unknown qpu 'abacus'"),
        ({"shots": 2.5}, "shots: must be an integer"),
    ],
)
def test_bad_settings_name_themselves(settings, message):
    with pytest.raises(PlanningError, match=message):
        QAOAPlanner(**settings)


def test_unknown_device_is_refused_when_the_planner_is_made():
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    with pytest.raises(PlanningError, match="device 'no.such.device'"):
        QAOAPlanner(backend="pennylane", device="no.such.device")
