"""Offloading: the place is chosen by deadline and size, the table learns, and no plan is worse than greedy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.offload import OffloadPlanner, Timetable, measured_timetable, size_class
from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.planning.classical import GreedyPlanner
from agents.quantum.courier import Courier
from agents.quantum.qpu import make_qpu
from agents.quantum.remote import RemotePlanner
from tests.unit.agents.quantum.test_masking import problem

NOW = Budget()


class Told:
    """A planner that answers what a dictionary says: latency, and greedy, best or worst choices."""

    def __init__(self, name: str, latency_s: float, better: bool) -> None:
        self.name, self.latency_s, self.better, self.asked = name, latency_s, better, 0

    def plan(self, one: Problem, budget: Budget, rng: np.random.Generator) -> Any:
        self.asked += 1
        plan = make_planner("exact" if self.better else "random").plan(one, Budget(), rng)
        return replace(plan, modelled_latency_s=self.latency_s, planner=self.name)


def table(**places: tuple[float, float]) -> Timetable:
    """Seconds and gain of each place at size class 6."""
    return Timetable(
        {(place, 6): both[0] for place, both in places.items()}, {(place, 6): both[1] for place, both in places.items()}
    )


def test_size_classes_count_the_joint_choices_in_bits() -> None:
    assert size_class(Problem.from_costs(np.zeros((3, 4)))) == 6
    assert size_class(Problem.from_costs(np.zeros((2, 1)))) == 0
    assert size_class(problem(0)) == 5  # 3 x 4 x 4 choices


@pytest.mark.parametrize(
    ("deadline_s", "place"),
    [(10.0, "qpu"), (2.0, "local"), (0.05, "edge"), (0.001, "")],
)
def test_the_best_place_within_the_deadline_is_taken(deadline_s: float, place: str) -> None:
    one = Problem.from_costs(np.zeros((3, 4)))
    planner = OffloadPlanner(timetable=table(local=(1.0, 0.1), edge=(0.01, 0.02), qpu=(3.0, 0.2)))
    chosen, reason = planner.decide(one, deadline_s)
    assert chosen == place
    assert reason == f"2^6 choices, due in {deadline_s:g} s; expected local 1 s, edge 0.01 s, qpu 3 s"


def test_of_equal_gains_the_quicker_place_is_taken() -> None:
    planner = OffloadPlanner(timetable=table(local=(0.1, 0.2), edge=(0.01, 0.0), qpu=(3.0, 0.2)))
    assert planner.decide(Problem.from_costs(np.zeros((3, 4))), 10.0)[0] == "local"


def test_exact_planning_is_expected_to_take_longer_for_larger_problems() -> None:
    predicted = table(local=(0.1, 0.2), qpu=(3.0, 0.1))
    assert predicted.predict("local", 9) == (pytest.approx(0.8), 0.2)
    assert predicted.predict("local", 3) == (0.1, 0.2) and predicted.predict("qpu", 9) == (3.0, 0.1)
    assert predicted.predict("edge", 6) == (0.0, np.inf)  # never tried


def test_the_table_learns_what_plans_took_and_gained() -> None:
    slow, quick = Told("slow", 50.0, True), Told("quick", 0.1, True)
    planner = OffloadPlanner(
        local=slow, edge=quick, qpu=None, timetable=table(local=(1.0, 0.5), edge=(0.1, 0.4)), edge_slowdown=1.0
    )
    one, rng = Problem.from_costs(-np.random.default_rng(0).random((3, 4))), np.random.default_rng(0)
    plans = [planner.plan(one, NOW, rng) for _ in range(6)]
    assert plans[0].where == "local" and plans[-1].where == "edge"
    assert planner.timetable.seconds["local", 6] > 10.0 and slow.asked < 6
    fixed = replace(planner, learning=False, timetable=table(local=(1.0, 0.5), edge=(0.1, 0.4)))
    for _ in range(6):
        assert fixed.plan(one, NOW, rng).where == "local"


def test_the_edge_is_slower_by_its_factor() -> None:
    planner = OffloadPlanner(local=None, edge=Told("quick", 0.1, True), qpu=None)
    assert planner.plan(problem(0), NOW, np.random.default_rng(0)).modelled_latency_s == pytest.approx(0.4)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), deadline_s=st.sampled_from((1e-4, 1e-2, 1.0, 30.0)), failure=st.booleans())
def test_no_plan_is_worse_than_greedy(seed: int, deadline_s: float, failure: bool) -> None:
    one = problem(seed)
    qpu = RemotePlanner(make_qpu("ideal", behaviour="worst", failure_rate=float(failure)), shots=4, depth=1)
    planner = OffloadPlanner(local=Told("poor", 1.0, False), edge=Told("poor", 0.1, False), qpu=qpu)
    plan = planner.plan(one, Budget(time_s=deadline_s), np.random.default_rng(seed))
    floor = GreedyPlanner().plan(one, NOW, np.random.default_rng(0)).value
    assert plan.feasible and plan.value == one.cost(plan.choice) and plan.value <= floor + 1e-12
    assert f"due in {min(deadline_s, 10.0):g} s" in plan.note


def test_requests_and_failures_of_the_qpu_are_passed_on() -> None:
    qpu = RemotePlanner(make_qpu("heron", failure_rate=1.0, patience_s=9.0))
    planner = OffloadPlanner(local=None, edge=None, qpu=qpu)
    plan = planner.plan(problem(1), NOW, np.random.default_rng(0))
    assert (plan.where, plan.requests, plan.failures, plan.modelled_latency_s) == ("heron", 1, 1, 9.0)
    assert plan.note.startswith("qpu: 2^5 choices") and "greedy answer" in plan.note


def test_a_planner_of_a_mission_has_a_table_and_a_way_of_its_own() -> None:
    planner, courier = OffloadPlanner(), Courier(None)
    bound = planner.bound(courier)
    assert isinstance(bound.qpu, RemotePlanner) and bound.qpu.courier is courier
    bound.timetable.note("local", 6, 100.0, 1.0)
    assert planner.timetable.seconds != bound.timetable.seconds
    assert OffloadPlanner(qpu=None).bound(courier).qpu is None


def test_the_planner_is_in_the_registry() -> None:
    assert isinstance(make_planner("offload", deadline_s=3.0), OffloadPlanner)
    assert isinstance(make_planner("qpu", qpu="ion"), RemotePlanner)
    assert {place for place, _ in measured_timetable().seconds} == {"local", "edge", "qpu"}
    with pytest.raises(PlanningError, match="offload deadline_s: must be a finite number > 0, got 0"):
        make_planner("offload", deadline_s=0.0)
