"""The study of planners: what is true of an instance, what a plan and a shot are worth, and how they are added up."""

import itertools

import numpy as np
import pytest

from agents.planning import Budget, Problem, make_planner
from agents.planning.instances import load_instances
from agents.quantum.simulator import ANSAETZE, basis_states
from training.noise_study import NoiseCurve, crossing, noise_curve, square
from training.planner_study import label, summarise, truth_of, try_planners
from training.shot_study import UNIFORM, Sampler, heuristic_shot, sample_shots, uniform_shot

SMALL = load_instances("supply", (3, 4), "medium")[:3]


def feasible_costs(problem: Problem) -> np.ndarray:
    """Costs of all feasible choices, found the slow way."""
    costs = problem.costs(np.array(list(itertools.product(range(problem.options), repeat=problem.groups))))
    return costs[np.isfinite(costs)]


@pytest.mark.parametrize("instance", SMALL, ids=lambda one: one.name)
def test_truth_is_what_enumeration_says(instance) -> None:
    costs = feasible_costs(instance.problem)
    truth = truth_of(instance.problem)
    assert truth.optimum == pytest.approx(costs.min(), abs=1e-12) and truth.worst == pytest.approx(costs.max())
    assert truth.feasible == costs.size == 24
    assert truth.optimal == (costs <= costs.min() + 1e-9 * np.ptp(costs)).sum()
    assert truth.ratio(truth.optimum) == 1.0 and truth.ratio(truth.worst) == 0.0
    greedy = make_planner("greedy").plan(instance.problem, Budget(), np.random.default_rng(0))
    assert truth.greedy == greedy.value and truth.greedy_right == (greedy.value <= truth.optimum + truth.tie)


def test_both_ends_are_proven_where_there_are_too_many_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    (instance,) = load_instances("routing", (3, 4), "strong")[:1]
    enumerated = truth_of(instance.problem)
    monkeypatch.setattr("training.planner_study.ENUMERATED", 10)
    proven = truth_of(instance.problem)
    assert (proven.optimum, proven.worst) == pytest.approx((enumerated.optimum, enumerated.worst))
    assert proven.optimal is None and proven.feasible == 64


def test_a_plan_is_judged_by_the_optimum_and_the_worst() -> None:
    truths = [truth_of(one.problem) for one in SMALL]
    told: list[int] = []
    trials = try_planners(("exact", "random"), SMALL, truths, Budget(), 3, told.append)
    assert told == [1, 2, 3, 4, 5, 6]
    exact, random = trials[:3], trials[3:]
    assert all(trial.right and trial.ratio > 1.0 - 1e-12 and trial.feasible for trial in exact)
    assert any(not trial.right for trial in random) and all(0.0 <= trial.ratio <= 1.0 for trial in random)
    again = try_planners(("random",), SMALL, truths, Budget(), 3)
    assert [trial.ratio for trial in again] == [trial.ratio for trial in random]


def test_a_summary_tells_apart_what_greedy_solves_and_names_the_worst() -> None:
    instances = load_instances("supply", (4, 6), "strong")
    truths = [truth_of(one.problem) for one in instances]
    greedy = summarise(try_planners(("greedy",), instances, truths, Budget(), 0))
    share = np.mean([truth.greedy_right for truth in truths])
    assert greedy.n == len(instances) and greedy.right == share < 1.0
    assert greedy.right_where_greedy_is == 1.0 and greedy.right_where_greedy_is_not == 0.0
    worst = min(zip(truths, instances, strict=True), key=lambda pair: pair[0].ratio(pair[0].greedy))
    assert greedy.worst_instance == f"{worst[1].name} strong"
    assert greedy.worst_ratio == worst[0].ratio(worst[0].greedy)


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_a_shot_counts_what_its_distribution_holds(ansatz: str) -> None:
    """On a basis state that is optimal the shot is perfect; on the uniform distribution it is a random choice."""
    (instance,) = SMALL[:1]
    truth = truth_of(instance.problem)
    sampler = Sampler(instance, truth, ansatz)
    states = sampler.simulation.states
    assert states == basis_states(instance.problem, ansatz)
    best = np.zeros(states)
    best[int(np.argmin(sampler.simulation.costs))] = 1.0
    perfect = sampler.score(best, 1)
    assert (perfect.feasible, perfect.optimum, perfect.ratio) == (1.0, 1.0, 1.0)
    assert perfect.shots_to_optimum == 1.0
    even = sampler.score(np.full(states, 1.0 / states), 1)
    assert even.feasible == pytest.approx(24 / states) and even.optimum == pytest.approx(truth.optimal / states)
    assert even.ratio == pytest.approx(np.mean([truth.ratio(cost) for cost in feasible_costs(instance.problem)]))


def test_the_samplers_of_an_instance() -> None:
    (instance,) = SMALL[:1]
    truth = truth_of(instance.problem)
    shots = sample_shots(instance, truth, (1, 8))
    assert [(shot.sampler, shot.depth) for shot in shots] == [(name, depth) for name in ANSAETZE for depth in (1, 8)]
    deep = {shot.sampler: shot for shot in shots if shot.depth == 8}
    assert deep["swap"].feasible == pytest.approx(1.0) and deep["swap"].seconds > deep["xy-ring"].seconds > 250e-6
    even = uniform_shot(instance, truth)
    assert even.sampler == UNIFORM and even.optimum == truth.optimal / 24
    assert deep["swap"].optimum > 3 * even.optimum  # exact probabilities: no chance in it
    tabu = heuristic_shot(instance, truth, "tabu", 5, 0)
    assert tabu.feasible == 1.0 and tabu.seconds > 0.0 and 0.0 <= tabu.optimum <= 1.0
    (route,) = load_instances("routing", (3, 4), "medium")[:1]
    assert "swap" not in {shot.sampler for shot in sample_shots(route, truth_of(route.problem), (1,))}
    assert label(route.size) == "3x4"


def test_noise_lowers_the_chance_of_the_optimum() -> None:
    problems = [square(one.problem) for one in SMALL[:2]]
    assert problems[0].options == problems[0].groups == 3
    curve = noise_curve(problems, "xy-ring", (0.0, 0.05), depth=2, trajectories=200)
    assert curve.size == "3x3" and curve.optimum_error[0] == 0.0
    assert curve.optimum[1] + 5.0 * curve.optimum_error[1] < curve.optimum[0]


def test_where_one_curve_overtakes_another() -> None:
    rates, still = np.array([0.0, 1.0, 2.0]), np.zeros(3)

    def curve(*values: float) -> NoiseCurve:
        return NoiseCurve("xy-ring", "3x3", rates, np.array(values), still, still)

    assert crossing(curve(0.8, 0.4, 0.1), curve(0.3, 0.3, 0.3)) == pytest.approx(1.0 + 0.1 / 0.3)
    assert crossing(curve(0.8, 0.7, 0.6), curve(0.3, 0.3, 0.3)) is None
    assert crossing(curve(0.1, 0.1, 0.1), curve(0.3, 0.3, 0.3)) == 0.0
