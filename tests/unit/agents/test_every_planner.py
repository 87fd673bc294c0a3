"""What holds of every planner of the registry: odd problems, bad input, small budgets, and seeds that repeat."""

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner, planner_names
from agents.planning.instances import load_instances

# Quick settings where the defaults take their time; the rest is as the registry makes it.
SETTINGS = {
    "sa": {"reads": 4, "sweeps": 100},
    "tabu": {"reads": 2, "restarts": 2, "moves": 500},
    "qaoa": {"depth": 2},
    "vqe": {"evaluations": 6, "max_qubits": 8},
    "gas": {"max_qubits": 12},
    "qpu": {"qpu": "ideal", "depth": 2},
    "offload": {"learning": False},
}
NAMES = planner_names()
GAP = np.inf


def problem(linear, *, coupled=False, distinct=False, shareable=None):
    """A problem with the features that ranking planners need, coupled by seeded normal costs if wanted."""
    linear = np.asarray(linear, dtype=np.float64)
    groups, options = linear.shape
    pairwise = np.random.default_rng(5).normal(size=(groups, options, groups, options)) * coupled
    pairwise = pairwise + pairwise.transpose(2, 3, 0, 1)
    for g in range(groups):
        pairwise[g, :, g, :] = 0.0
    features = {"travel_min": np.abs(linear), "rpm": np.where(np.isfinite(linear), 6.0, GAP)}
    return Problem.from_costs(linear, pairwise, distinct=distinct, shareable=shareable, features=features)


COSTS = np.random.default_rng(4).normal(size=(3, 4))
ODD = {
    "no groups": problem(np.zeros((0, 3)), distinct=True),
    "one group": problem([[3.0, 1.0, 2.0]]),
    "one group of one": problem([[3.0]], distinct=True),
    "a single option": problem([[3.0], [2.0]]),
    "all costs equal": problem(np.full((3, 4), 2.0), distinct=True),
    "all costs zero": problem(np.zeros((2, 3))),
    "only one feasible choice": problem([[1.0, 2.0], [GAP, 1.0]], distinct=True),
    "closed options": problem([[1.0, GAP, 2.0], [GAP, 1.0, 3.0], [2.0, 1.0, GAP]], coupled=True, distinct=True),
    "a shared option": problem(COSTS, coupled=True, distinct=True, shareable=[True, False, False, False]),
    "more groups than options": problem(COSTS.T, coupled=True),
    "huge costs": problem(1e12 * COSTS, coupled=True),
    "tiny costs": problem(1e-12 * COSTS, distinct=True),
}


def plan_of(name, asked, budget=None, seed=1):
    planner = make_planner(name, **SETTINGS.get(name, {}))
    return planner.plan(asked, budget or Budget(), np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ODD)
def test_odd_problems_get_feasible_plans_scored_by_the_problem(name, case):
    asked = ODD[case]
    plan = plan_of(name, asked)
    assert plan.feasible and asked.feasible(plan.choice)
    assert plan.choice.shape == (asked.groups,) and plan.choice.dtype == np.int64
    assert plan.value == asked.cost(plan.choice) and plan.planner == name
    assert plan.gap is None or plan.gap == 0.0
    assert plan.wall_s >= 0.0 and np.isfinite(plan.modelled_latency_s)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_plan(name):
    asked = problem(COSTS, coupled=True, distinct=True)
    first, second = (plan_of(name, asked, seed=7) for _ in range(2))
    assert first.choice.tolist() == second.choice.tolist()
    assert (first.evaluations, first.shots) == (second.evaluations, second.shots)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("family", ["triage", "routing", "supply"])
def test_a_millisecond_is_exceeded_with_a_feasible_plan_that_says_so(name, family):
    asked = load_instances(family, (8, 10), "strong")[0].problem
    plan = plan_of(name, asked, Budget(time_s=1e-3))
    assert plan.feasible and plan.value == asked.cost(plan.choice)
    if plan.wall_s > 1e-3:
        assert "time budget 0.001 s" in plan.note


@pytest.mark.parametrize("name", NAMES)
def test_one_evaluation_and_one_shot_are_enough_for_a_feasible_plan(name):
    asked = problem(COSTS, coupled=True, distinct=True)
    plan = plan_of(name, asked, Budget(evaluations=1, shots=1))
    assert plan.feasible and plan.shots <= 1
    if plan.evaluations > 1:
        assert "evaluation budget 1 exceeded" in plan.note or name in ("exact", "offload")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"time_s": 0.0}, "budget time_s: must be a finite number > 0, got 0.0"),
        ({"time_s": -1.0}, "budget time_s: .* got -1.0"),
        ({"time_s": np.inf}, "budget time_s: .* got inf"),
        ({"time_s": np.nan}, "budget time_s: .* got nan"),
        ({"time_s": "1"}, "budget time_s: .* got '1'"),
        ({"shots": 0}, "budget shots: must be an integer >= 1, got 0"),
        ({"evaluations": -1}, "budget evaluations: must be an integer >= 1, got -1"),
        ({"evaluations": 1.5}, "budget evaluations: must be an integer >= 1, got 1.5"),
    ],
)
def test_budgets_that_are_none_are_refused(limits, message):
    with pytest.raises(PlanningError, match=message):
        Budget(**limits)


@pytest.mark.parametrize(
    ("linear", "distinct", "message"),
    [
        ([[np.nan, 1.0]], False, "linear: cost nan of group 0, option 0"),
        ([[-np.inf, 1.0]], False, "linear: cost -inf of group 0, option 0"),
        ([[GAP, GAP]], False, "group 0 has no allowed option"),
        ([[1.0], [1.0]], True, "distinct: group [01] finds no option of its own"),
        ([[1.0, GAP], [1.0, GAP]], True, "distinct: group [01] finds no option of its own among \\[0\\]"),
    ],
)
def test_problems_that_cannot_be_solved_never_reach_a_planner(linear, distinct, message):
    with pytest.raises(PlanningError, match=message):
        Problem.from_costs(np.array(linear), distinct=distinct)


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_a_planner_does_not_have_are_refused(name):
    with pytest.raises(PlanningError, match=f"planner '{name}': .*no_such_setting"):
        make_planner(name, no_such_setting=1)


@pytest.mark.parametrize("name", ["Exact", "", None, 3, ["exact"]])
def test_unknown_planners_are_refused(name):
    with pytest.raises(PlanningError, match="unknown planner .* allowed: random, nearest"):
        make_planner(name)


BAD = [
    ("random", "samples", (0, 1.5, "1")),
    ("exact", "time_s", (0.0, -1.0, np.nan)),
    ("exact", "enumeration_limit", (-1, 2.5)),
    ("sa", "reads", (0, 1.5, True)),
    ("sa", "deviations", ((), 3.0, (np.inf,))),
    ("tabu", "moves", (0,)),
    *((name, "shots", (0, -1, 2.5, "many", True, None)) for name in ("qaoa", "vqe", "gas", "qpu")),
    *((name, "max_qubits", (1, 99, 12.5)) for name in ("qaoa", "vqe", "gas")),
    *((name, "penalty_factor", (-1.0, np.nan, "1")) for name in ("qaoa", "vqe", "gas")),
    ("qaoa", "ansatz", ("x", ["swap"])),
    ("qpu", "ansatz", ("x",)),
    ("qpu", "depth", (0, 257, np.nan)),
    ("offload", "deadline_s", (0.0, np.inf)),
    ("offload", "local", ("exact",)),
]


@pytest.mark.parametrize(("name", "setting", "value"), [(n, s, value) for n, s, values in BAD for value in values])
def test_settings_out_of_range_are_refused_by_name(name, setting, value):
    with pytest.raises(PlanningError, match=f"{setting}: must be"):
        make_planner(name, **{setting: value})


@pytest.mark.parametrize(
    ("name", "setting"), [("qaoa", "modelled_on"), ("vqe", "modelled_on"), ("gas", "modelled_on"), ("qpu", "qpu")]
)
def test_unknown_qpus_are_refused(name, setting):
    with pytest.raises(PlanningError, match="unknown qpu 'abacus'; allowed: ideal, heron"):
        make_planner(name, **{setting: "abacus"})
    with pytest.raises(PlanningError, match="qpu: must be a Qpu or the name of a preset"):
        make_planner(name, **{setting: 3})


@pytest.mark.parametrize("name", ["qaoa", "vqe", "gas"])
def test_problems_too_large_for_the_register_are_refused_where_that_is_wanted(name):
    asked = load_instances("routing", (8, 10), "weak")[0].problem
    planner = make_planner(name, oversize="refuse")
    with pytest.raises(PlanningError, match=f"{name}: the problem's 80 one-hot qubits do not fit, max_qubits is"):
        planner.plan(asked, Budget(), np.random.default_rng(0))


@pytest.mark.parametrize("device", ["no.such.device", "null.qubit", "default.qutrit", ""])
@pytest.mark.parametrize(("name", "settings"), [("qaoa", {"backend": "pennylane"}), ("vqe", {})])
def test_devices_that_cannot_run_qubits_are_refused_when_the_planner_is_made(name, settings, device):
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    with pytest.raises(PlanningError, match=f"pennylane device '{device}'"):
        make_planner(name, device=device, **settings)


def test_a_device_with_too_few_wires_says_so():
    pytest.importorskip("pennylane", reason="needs the extra 'quantum'")
    planner = make_planner("qaoa", backend="pennylane", device="default.mixed", depth=1, ansatz="xy-ring")
    with pytest.raises(PlanningError, match="'default.mixed': 16 wires needed, ancillas included, allowed are 12"):
        planner.plan(problem(np.zeros((4, 4))), Budget(), np.random.default_rng(0))
