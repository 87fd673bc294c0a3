"""The trust study finds liars where trust is on, and finds nobody where it is off; its figures are what they say."""

from dataclasses import replace

import numpy as np
import pytest

from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.security.attacks import Attack
from training.statistics import Interval, mean_interval
from training.trust_study import (
    DECEITS,
    TEAM,
    Deceit,
    Detection,
    Watched,
    auroc,
    detection,
    seeds_with_liars,
    study,
    watch,
    with_team,
)

INSIDER = DECEITS[0]


@pytest.fixture(scope="module")
def clinic() -> ScenarioConfig:
    return with_team(load_scenario("clinic"), 200)


def test_auroc_is_the_chance_that_a_liar_ranks_lower() -> None:
    rng = np.random.default_rng(7)
    low, high = rng.integers(0, 5, 30), rng.integers(1, 7, 40)
    pairs = low[:, None] - high[None]
    assert auroc(low, high) == pytest.approx(np.mean(pairs < 0) + 0.5 * np.mean(pairs == 0))
    assert auroc(np.zeros(3), np.ones(4)) == 1.0 and auroc(np.ones(3), np.zeros(4)) == 0.0
    assert auroc(np.ones(3), np.ones(4)) == 0.5
    with pytest.raises(ValueError, match="1 or more in both"):
        auroc(np.ones(0), np.ones(3))


def test_figures_of_a_run_written_by_hand() -> None:
    """Two missions of three robots, four steps: robot 0 lies; in the second, robot 2 dies before the last step."""
    trust = np.full((4, 2, 3), 0.8)
    trust[1:, 0, 0] = 0.3  # found after one step, for good
    trust[2, 1, 0] = 0.4  # found after two, trusted again
    trust[2, 1, 2] = 0.4  # an honest robot distrusted when last alive
    alive = np.ones((4, 2, 3), bool)
    alive[3, 1, 2] = False
    liars = np.zeros((2, 3), bool)
    liars[:, 0] = True
    watched = Watched(trust, alive, liars, np.array([0.2, 0.4]))
    line = detection(INSIDER, np.arange(2), watched, replace(watched, error=np.array([0.5, 0.6])))
    assert line.found == 1.0 and line.found_at_end == 0.5 and line.steps_to_detect == 1.5
    assert line.false_steps == pytest.approx(1 / 15) and line.false_at_end == 0.25
    assert line.false_by_mission == pytest.approx([0.0, 1 / 7])
    assert line.auroc == pytest.approx(7 / 8)  # mean trusts 0.425 and 0.7 against 0.8, 0.8, 0.8 and 2/3
    assert line.error_difference.mean == pytest.approx(-0.25) and line.to_dict()["liars"] == 3


def test_seeds_have_exactly_so_many_liars(clinic: ScenarioConfig) -> None:
    seeds = seeds_with_liars(clinic, INSIDER, 5)
    assert seeds.size == 5 and (np.diff(seeds.astype(int)) > 0).all()
    assert (watch(replace(clinic, horizon_steps=1), INSIDER.attack, "gain", seeds).liars.sum(1) == 3).all()
    assert set(seeds[1:]) <= set(seeds_with_liars(clinic, INSIDER, 4, int(seeds[0]) + 1))
    with pytest.raises(ValueError, match="insider, collusion"):
        seeds_with_liars(clinic, Deceit("tamper", Attack("tamper")), 1)
    with pytest.raises(ValueError, match="missions=0"):
        study(clinic, missions=0)


def test_liars_are_found_with_trust_and_not_without(clinic: ScenarioConfig) -> None:
    """6 missions, 18 liars and 54 honest robots: chance alone reaches an AUROC of 0.9 with p < 10^-6 (Mann-Whitney)."""
    assert len(TEAM) == len(clinic.team) == 12
    (line,) = study(clinic, [INSIDER], 6)
    assert line.auroc >= 0.9 and line.found >= 0.5
    assert line.error_difference.mean < 0.0
    blind = watch(replace(clinic, twin=replace(clinic.twin, trust_on=False)), INSIDER.attack, "gain", line.seeds)
    nobody = detection(INSIDER, line.seeds, blind, blind)
    assert nobody.auroc == 0.5 and nobody.found == 0.0 and nobody.steps_to_detect == np.inf


@pytest.mark.slow
def test_three_liars_of_twelve_are_found_and_the_honest_left_alone() -> None:
    """40 missions a line, 120 liars and 360 honest robots; all 200 missions for false distrust, to a tail of 10^-6.

    In each line 1 % holds as measured; over all lines the upper end of the interval stays below it.
    """
    scenario = with_team(load_scenario("clinic"))
    lines = study(scenario, DECEITS, 40)
    for line in lines:
        name = line.deceit.name
        assert line.auroc >= 0.95 and line.found >= 0.9, name
        assert line.error_difference.high < 0.0, name  # the picture is better with trust than without
        assert line.false_steps <= 0.01, name
    assert wronged(lines).high < 0.01  # of the honest robots' steps

    # the bound can fail: sources that bring nothing from their acceptance test are distrusted too soon
    untested = replace(scenario, twin=replace(scenario.twin, admission_evidence=0.0))
    runs = [watch(untested, line.deceit.attack, "gain", line.seeds) for line in lines]
    early = [detection(line.deceit, line.seeds, run, run) for line, run in zip(lines, runs, strict=True)]
    assert wronged(early).mean > 0.01


def wronged(lines: list[Detection]) -> Interval:
    """Share of the honest robots' steps spent distrusted, one-sided 10^-6 at either end."""
    return mean_interval(np.concatenate([line.false_by_mission for line in lines]), 1.0 - 2e-6)
