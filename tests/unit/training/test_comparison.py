"""What is said of an evaluation: known differences are found, no difference is not, seeds count in pairs."""

import json

import numpy as np
import pytest

from training.comparison import ALL_SCENARIOS, METRICS, contests, profiles, scopes, standings
from training.entries import Entry
from training.evaluate import Evaluation
from training.statistics import paired_difference

GAIN, BETTER, SAME = Entry("gain"), Entry("better"), Entry("same", "exact")
N = 40


def evaluation(*scenarios: str) -> Evaluation:
    """Seeds that differ by far more than the policies; "better" is so by 0.1, "same" differs by noise around 0."""
    rng = np.random.default_rng(3)
    metrics = {}
    for scenario in scenarios:
        seeds = rng.normal(0.4, 0.3, N)
        for entry, lead in ((GAIN, 0.0), (BETTER, 0.1), (SAME, rng.normal(0.0, 0.05, N))):
            noise = rng.normal(0.0, 0.01, N)
            found = {name: np.zeros(N) for name in METRICS} | {"score": seeds + lead + noise}
            metrics[scenario, entry.name] = found | {"overtriage": np.full(N, -1.0)}
    return Evaluation(scenarios, (GAIN, BETTER, SAME), np.arange(N, dtype=np.uint64), metrics, {}, {})


def test_a_small_lead_on_every_seed_is_found_in_spite_of_the_seeds() -> None:
    found = {contest.entry: contest for contest in contests(evaluation("ward"))}
    better, same = found[BETTER], found[SAME]
    assert better.verdict == 1 and better.score.low > 0.09 and better.iqm_difference.verdict == 1
    assert better.wins.mean == 1.0 and better.improvement.mean < 0.7  # any seeds: they hide it
    assert same.verdict == 0 and same.score.low < 0.0 < same.score.high
    students = paired_difference(*evaluation("ward").pairs(BETTER, GAIN, "score")[0])
    assert better.score.mean == pytest.approx(students.mean)
    assert better.score.half_width == pytest.approx(students.half_width, rel=0.15)


def test_the_difference_has_the_sign_of_the_entry() -> None:
    found = evaluation("ward")
    turned = Evaluation(found.scenarios, (BETTER, GAIN), found.seeds, found.metrics, {}, {})
    (against,) = contests(turned)
    assert against.entry == GAIN and against.reference == BETTER and against.verdict == -1


def test_scopes_are_the_scenarios_and_all_together() -> None:
    assert scopes(evaluation("ward")) == {"ward": ("ward",)}
    found = evaluation("ward", "clinic")
    assert list(scopes(found)) == ["ward", "clinic", ALL_SCENARIOS]
    two = Evaluation(found.scenarios, (GAIN, BETTER), found.seeds, found.metrics, {}, {})
    ward, clinic, of_all = contests(two)
    assert [one.scope for one in (ward, clinic, of_all)] == list(scopes(found))
    assert of_all.score.mean == pytest.approx(0.5 * (ward.score.mean + clinic.score.mean))
    assert of_all.score.n == 2 * N and of_all.verdict == 1


def test_what_no_mission_has_is_none() -> None:
    found = evaluation("ward")
    two = Evaluation(found.scenarios, (GAIN, BETTER), found.seeds, found.metrics, {}, {})
    (first, _), (contest,) = standings(two), contests(two)
    assert first.mean["overtriage"] is None and contest.difference["overtriage"] is None
    assert json.loads(json.dumps(first.to_dict()))["iqm"]["overtriage"] is None
    assert json.loads(json.dumps(contest.to_dict()))["verdict"] == contest.verdict


def test_a_line_does_not_depend_on_the_others() -> None:
    found = evaluation("ward")
    two = Evaluation(found.scenarios, (GAIN, SAME), found.seeds, found.metrics, {}, {})
    assert contests(two)[0].to_dict() == contests(found)[1].to_dict()


def test_profiles_span_everybodys_scores() -> None:
    curves = profiles(evaluation("ward", "clinic"))
    for curve in curves.values():
        assert curve.share[0] >= 0.98 and curve.share[-1] <= 0.02
        assert (np.diff(curve.share) <= 0.0).all()
    assert (curves[BETTER].share >= curves[GAIN].share - 0.05).all()
