"""VQE: the real state vector against the circuit, CVaR, and the planner around them."""

from dataclasses import replace

import numpy as np
import pytest

from agents.planning.classical import greedy_choice
from agents.planning.problem import Budget, PlanningError, Problem
from agents.planning.registry import make_planner
from agents.quantum.calibrations import IDEAL
from agents.quantum.qpu import Qpu
from agents.quantum.reference import circuit_probabilities
from agents.quantum.ry_ladder import ry_ladder_circuit, ry_ladder_probabilities
from agents.quantum.vqe import VQEPlanner, conditional_value_at_risk


@pytest.mark.parametrize(("qubits", "layers"), [(1, 1), (2, 0), (3, 2), (7, 3)])
@pytest.mark.parametrize("device", ["lightning.qubit", "default.qubit"])
def test_state_vector_equals_the_circuit(qubits, layers, device):
    pytest.importorskip("pennylane")
    angles = np.random.default_rng(qubits).uniform(-np.pi, np.pi, (layers + 1, qubits))
    ours = ry_ladder_probabilities(angles)
    np.testing.assert_allclose(ours, circuit_probabilities(ry_ladder_circuit(angles), device=device), atol=1e-10)
    assert ours.sum() == pytest.approx(1.0, abs=1e-12)


def test_cvar_is_the_mean_of_the_lowest_shots():
    rng = np.random.default_rng(1)
    energies, counts = rng.normal(size=9), rng.integers(1, 8, 9)
    shots = np.sort(np.repeat(energies, counts))
    for fraction in (1e-6, 0.1, 0.37, 1.0):
        kept = int(np.ceil(fraction * shots.size))
        expected = shots[:kept].mean()
        assert conditional_value_at_risk(energies, counts, fraction) == pytest.approx(expected, abs=1e-12)


def test_samples_are_scored_by_the_problem(random_problem):
    for seed in range(10):
        problem = random_problem(3, 4, seed, distinct=seed % 2 == 0)
        plan = make_planner("vqe").plan(problem, Budget(evaluations=40), np.random.default_rng(seed))
        assert plan.feasible and plan.value == problem.cost(plan.choice) and plan.optimum is None
        assert (plan.evaluations, plan.shots) == (40, 40 * 128)
        assert "12 qubits, 24 angles" in plan.note and "over 64 one-hot states" in plan.note


def test_optimising_raises_the_chance_of_good_choices(random_problem):
    """The last fifth of a run samples a better CVaR than the first: the optimiser does optimise."""
    better = 0
    for seed in range(12):
        problem = random_problem(2, 3, seed)
        planner = VQEPlanner(evaluations=120)
        values = recorded_objectives(planner, problem, seed)
        better += np.mean(values[-24:]) < np.mean(values[:24])
    assert better == 12  # by chance p = 2e-4


def recorded_objectives(planner, problem, seed):
    import agents.quantum.vqe as module

    values, original = [], module.conditional_value_at_risk

    def record(*arguments):
        values.append(original(*arguments))
        return values[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "conditional_value_at_risk", record)
        planner.plan(problem, Budget(), np.random.default_rng(seed))
    return np.array(values)


def test_budgets_end_the_optimisation_and_are_reported(random_problem):
    problem = random_problem(3, 3, 2)
    planner = make_planner("vqe")
    few = planner.plan(problem, Budget(evaluations=7), np.random.default_rng(0))
    assert (few.evaluations, few.shots) == (7, 7 * 128) and "stopped after 7 evaluations" in few.note
    shots = planner.plan(problem, Budget(shots=1000), np.random.default_rng(0))
    assert (shots.evaluations, shots.shots) == (7, 7 * 128)
    single = planner.plan(problem, Budget(shots=1), np.random.default_rng(0))
    assert (single.evaluations, single.shots) == (1, 1) and single.feasible
    late = planner.plan(problem, Budget(time_s=1e-9), np.random.default_rng(0))
    assert late.evaluations == 1 and late.feasible and "time budget 1e-09 s spent" in late.note
    again = planner.plan(problem, Budget(evaluations=7), np.random.default_rng(0))
    assert np.array_equal(again.choice, few.choice)


def test_infeasible_shots_give_the_greedy_answer(random_problem):
    problem = random_problem(3, 4, 0, distinct=True)
    answers = [VQEPlanner(shots=1, evaluations=1).plan(problem, Budget(), np.random.default_rng(s)) for s in range(60)]
    greedy = [plan for plan in answers if "greedy answer" in plan.note]
    assert 0 < len(greedy) < 60  # about 3 of 100 strings of the start are feasible
    assert all(np.array_equal(plan.choice, greedy_choice(problem)) for plan in greedy)


def test_circuits_of_a_device_give_the_same_plan(random_problem):
    pytest.importorskip("pennylane")
    problem = random_problem(2, 3, 4)
    budget = Budget(evaluations=4)
    fast, gates = (
        VQEPlanner(device=device).plan(problem, budget, np.random.default_rng(1))
        for device in ("fast", "default.qubit")
    )
    assert np.array_equal(fast.choice, gates.choice) and fast.note == gates.note


def test_larger_problems_are_shrunk_or_refused(random_problem):
    problem = random_problem(4, 5, 0)
    plan = VQEPlanner(evaluations=3).plan(problem, Budget(), np.random.default_rng(0))
    assert plan.feasible and "shrunk from 20 qubits: 12 of 20 options kept" in plan.note
    with pytest.raises(PlanningError, match="vqe: the problem's 20 one-hot qubits do not fit, max_qubits is 12"):
        VQEPlanner(oversize="refuse").plan(problem, Budget(), np.random.default_rng(0))


def test_nothing_to_decide_needs_no_circuit():
    plan = make_planner("vqe").plan(Problem.from_costs(np.zeros((2, 1))), Budget(), np.random.default_rng(0))
    assert (plan.shots, plan.evaluations) == (0, 0) and "no circuit" in plan.note
    empty = make_planner("vqe").plan(Problem.from_costs(np.zeros((0, 1))), Budget(), np.random.default_rng(0))
    assert empty.choice.size == 0
    level = make_planner("vqe").plan(Problem.from_costs(np.zeros((2, 2))), Budget(), np.random.default_rng(0))
    assert level.value == 0.0


def test_modelled_latency_counts_shots_and_evaluations(random_problem):
    times = replace(IDEAL, repetition_s=1.0, gate_1q_s=0.1, gate_2q_s=0.01)
    qpu = Qpu(calibration=times, queue_median_s=90.0, compile_s=10.0, load_s=10.0)
    planner = VQEPlanner(modelled_on=qpu, evaluations=5, shots=3)
    plan = planner.plan(random_problem(2, 2, 1), Budget(), np.random.default_rng(1))
    # 4 qubits: RY, CZ on 0-1 and 2-3, CZ on 1-2, RY.
    assert plan.modelled_latency_s == pytest.approx(100.0 + 15.0 * (1.0 + 0.22) + 40.0)


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 0}, {"shots": 0}, {"evaluations": 0}, {"cvar": 0.0}, {"cvar": 1.5}, {"max_qubits": 21},
        {"step": 0.0}, {"oversize": "drop"}, {"penalty_factor": -1.0}, {"shots": 1.5},
    ],
)  # fmt: skip
def test_unusable_settings_are_refused(settings):
    with pytest.raises(PlanningError, match=f"vqe {next(iter(settings))}: must be"):
        VQEPlanner(**settings)


def test_unknown_devices_are_refused_when_the_planner_is_made():
    pytest.importorskip("pennylane")
    with pytest.raises(PlanningError, match="device 'no.such'"):
        VQEPlanner(device="no.such")
