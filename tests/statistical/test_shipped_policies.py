"""The policies that come with the package beat the greedy rank everywhere, as docs/learning.md says."""

from pathlib import Path

import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import load_scenario
from training.evaluate import FIRST_SEED
from training.rollout import run_missions
from training.statistics import paired_difference

pytest.importorskip("torch", reason="trained policies need PyTorch")

SEEDS = range(FIRST_SEED, FIRST_SEED + 64)


def gained(policy: str, scenario: str, building: int = 0) -> float:
    """Lower end of the interval of the score against the greedy rank, 64 held-out seeds."""
    game, where = GameConfig("qkd", "mixed"), load_scenario(scenario, building_seed=building)
    mine, theirs = (run_missions(where, game, name, seeds=SEEDS).metrics["score"] for name in (policy, "gain"))
    return paired_difference(mine, theirs).low


@pytest.mark.slow
@pytest.mark.parametrize("building", [0, 100])
def test_the_ward_s_policy_beats_the_greedy_rank(building: int) -> None:
    assert gained("learned-ward", "ward", building) > 0.0


@pytest.mark.slow
def test_the_general_policy_beats_the_greedy_rank_on_wards_and_clinics() -> None:
    assert gained("learned", "ward") > 0.0
    assert gained("learned", "clinic") > 0.0


@pytest.mark.slow
def test_the_general_policy_beats_the_greedy_rank_on_the_real_clinic(clinic_path: Path) -> None:
    assert gained("learned", str(clinic_path)) > 0.0
