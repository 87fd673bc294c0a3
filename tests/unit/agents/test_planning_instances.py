"""The benchmark set: complete, solvable, of the strengths it claims, and made again by its command."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from agents.planning import Budget, PlanningError, Problem, make_planner
from agents.planning.instances import (
    DATA,
    FAMILIES,
    NATURAL,
    SIZES,
    STRENGTHS,
    Instance,
    Source,
    load_instances,
    save_instances,
)
from agents.planning.reshape import centred


@pytest.mark.parametrize("family", FAMILIES)
def test_every_cell_holds_eight_instances_of_its_size(family):
    natural = load_instances(family, coupling=NATURAL)
    assert Counter(instance.size for instance in natural) == {size: 8 for size in SIZES}
    assert len({instance.name for instance in natural}) == len(natural)
    for instance in natural:
        problem = instance.problem
        assert problem.allowed.all() and problem.distinct == (family != "routing")
        assert not problem.distinct or not problem.shareable.any()
        assert problem.coupling_strength == pytest.approx(instance.natural_strength, rel=1e-9)
        assert set(problem.features) == {"travel_min", "rpm"}
    assert len({instance.source for instance in natural}) > 8
    assert {"real-clinic", "clinic"} <= {instance.source.building for instance in natural}


@pytest.mark.parametrize("family", FAMILIES)
def test_strengths_are_what_they_claim(family):
    for size in ((3, 4), (8, 10)):
        three = load_instances(family, size)
        assert [instance.coupling for instance in three[:3]] == list(STRENGTHS) and len(three) == 24
        for instance in three:
            assert instance.problem.coupling_strength == pytest.approx(STRENGTHS[instance.coupling], rel=1e-9)
            assert instance.factor == pytest.approx(STRENGTHS[instance.coupling] / instance.natural_strength, rel=1e-9)
    scaled, natural = load_instances(family, (3, 4), "weak")[0], load_instances(family, (3, 4), NATURAL)[0]
    pure, _ = centred(natural.problem)
    assert scaled.name == natural.name and scaled.source == natural.source
    assert scaled.problem.linear == pytest.approx(pure.linear, rel=1e-12)


def test_every_small_instance_is_solved_and_greedy_is_sometimes_wrong():
    wrong = 0
    for family in FAMILIES:
        for size in ((3, 4), (4, 5), (4, 6)):
            for instance in load_instances(family, size, "strong"):
                exact = make_planner("exact").plan(instance.problem, Budget(), np.random.default_rng(0))
                greedy = make_planner("greedy").plan(instance.problem, Budget(), np.random.default_rng(0))
                assert exact.optimum is not None and greedy.feasible
                wrong += greedy.value > exact.value + 1e-6 * instance.problem.spread
    assert 5 < wrong < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chess",), "family: must be one of triage, routing, supply, got 'chess'"),
        (("triage", (2, 2)), "size: must be one of 3x4, 4x5"),
        (("triage", None, "huge"), "coupling: must be one of weak, medium, strong, natural, got 'huge'"),
    ],
)
def test_unknown_cells_are_refused(arguments, message):
    with pytest.raises(PlanningError, match=message):
        load_instances(*arguments)


def test_what_is_saved_is_read_back(tmp_path):
    instances = [instance for family in FAMILIES for instance in load_instances(family, (4, 5), NATURAL)[:2]]
    save_instances(instances, tmp_path, {"about": "test"})
    for family in FAMILIES:
        for before, after in zip(
            load_instances(family, (4, 5), NATURAL)[:2],
            load_instances(family, folder=tmp_path, coupling=NATURAL),
            strict=True,
        ):
            for name in ("linear", "pairwise", "group_ids", "option_ids", "shareable"):
                assert np.array_equal(getattr(before.problem, name), getattr(after.problem, name))
            assert before.source == after.source and before.name == after.name
    gap = Problem.from_costs(np.array([[0.0, np.inf]]))
    with pytest.raises(PlanningError, match="only natural ones without gaps"):
        save_instances([Instance("x", "triage", gap, NATURAL, 1.0, 1.0, Source("ward", 0, 0, 0))], tmp_path, {})
    with pytest.raises(PlanningError, match="only natural ones"):
        save_instances([replace(instances[0], coupling="weak")], tmp_path, {})


def test_the_files_are_small_and_name_their_origin():
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 3_000_000
    about = json.loads((DATA / "instances.json").read_text(encoding="utf-8"))
    assert "(C) BSI (2020)" in about["attribution"] and "CC BY 4.0" in about["license"]
    assert about["command"].startswith("python -m training.planner_instances")
    assert len(about["instances"]) == len(FAMILIES) * len(SIZES) * 8
