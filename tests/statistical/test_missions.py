"""Missions as a whole on the real clinic: which policies win, what information is worth. Paired seeds throughout."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.rollout import run_missions
from training.statistics import Interval, paired_difference

N = 40
TWO_SIGMA = 0.9545  # level of an interval of two standard errors


@cache
def clinic(path: Path, trust_on: bool = True) -> ScenarioConfig:
    scenario = load_scenario(path)
    return replace(scenario, twin=replace(scenario.twin, trust_on=trust_on))


@cache
def scores(path: Path, policy: str, suite: str, threats: str, trust_on: bool = True) -> np.ndarray:
    """Headline scores of N missions of the real clinic."""
    return run_missions(clinic(path, trust_on), GameConfig(suite, threats), policy, seeds=range(N)).metrics["score"]


def ahead(first: np.ndarray, second: np.ndarray) -> Interval:
    return paired_difference(first, second, TWO_SIGMA)


@pytest.mark.parametrize(
    ("better", "worse"), [("gain", "nearest"), ("nearest", "random"), ("gain", "critical"), ("random", "critical")]
)
def test_with_perfect_information_the_baselines_are_in_the_order_of_the_sanity_check(
    clinic_path: Path, better: str, worse: str
) -> None:
    """3-physical: 8 robots, 2 h, no threats; worst-first loses even to random: order matters."""
    first = scores(clinic_path, f"perfect-{better}", "psk", "none")
    second = scores(clinic_path, f"perfect-{worse}", "psk", "none")
    assert ahead(first, second).low > 0.0


def test_doing_nothing_scores_zero_and_nothing_scores_above_one(clinic_path: Path) -> None:
    nothing = run_missions(clinic(clinic_path), GameConfig("psk", "mixed"), "wait", seeds=range(N)).metrics
    assert (nothing["score"] == 0.0).all() and (nothing["lives_saved"] == 0.0).all()
    for policy in ("perfect-gain", "perfect-nearest", "perfect-critical", "perfect-random"):
        assert (scores(clinic_path, policy, "psk", "none") <= 1.0).all()


@pytest.mark.parametrize("threats", ["tamper", "spoof", "insider"])
def test_lies_cost_a_plaintext_team_much(clinic_path: Path, threats: str) -> None:
    quiet = scores(clinic_path, "gain", "plaintext", "none")
    assert ahead(scores(clinic_path, "gain", "plaintext", threats), quiet).high < 0.0


@pytest.mark.parametrize("threats", ["tamper", "spoof", "replay"])
def test_over_qkd_no_forgery_is_accepted_and_the_fall_is_far_smaller(clinic_path: Path, threats: str) -> None:
    secured = run_missions(clinic(clinic_path), GameConfig("qkd", threats), "gain", seeds=range(N)).metrics
    assert secured["messages_forged"].sum() == 0 and secured["messages_sent"].sum() > 500_000
    assert secured["messages_rejected"].sum() + secured["messages_injected_rejected"].sum() > 100_000
    fall = scores(clinic_path, "gain", "qkd", "none") - secured["score"]
    if threats == "replay":
        return  # replayed views cost a plaintext team little here: they are at most two minutes old
    plain_fall = scores(clinic_path, "gain", "plaintext", "none") - scores(clinic_path, "gain", "plaintext", threats)
    assert ahead(0.25 * plain_fall, fall).low > 0.0  # less than a quarter of it


def test_insiders_cost_less_with_trust_than_without(clinic_path: Path) -> None:
    with_trust = scores(clinic_path, "gain", "qkd", "insider")
    without = scores(clinic_path, "gain", "qkd", "insider", False)
    assert ahead(with_trust, without).low > 0.0
