"""Trust and fusion: the formulas of the design, against closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from qdt_env.records import as_record
from qdt_env.twin.config import TwinConfig
from qdt_env.twin.fusion import kalman_gain, update
from qdt_env.twin.state import TWIN_ROBOT
from qdt_env.twin.trust import chi2_3_cdf, credit, fusion_weight, information, trust_score

CFG = as_record(TwinConfig())[0]
OFF = as_record(TwinConfig(trust_on=False))[0]


@pytest.mark.parametrize("d", [0.0, 1e-6, 0.1, 1.0, 2.37, 7.815, 20.0, 80.0])
def test_chi_square_with_three_degrees_of_freedom(d: float) -> None:
    assert chi2_3_cdf(d) == pytest.approx(stats.chi2.cdf(d, 3), rel=1e-6, abs=1e-12)


def test_information_of_the_peers() -> None:
    assert information(0.0, 0.25) == 1.0
    assert information(0.25, 0.25) == 0.5
    assert information(2.25, 0.0625) == pytest.approx(1 / 37)


def evidence(positive: float = 0.0, negative: float = 0.0) -> np.ndarray:
    """One source record."""
    record = np.zeros(1, TWIN_ROBOT)
    record["positive"], record["negative"] = positive, negative
    return record


@pytest.mark.parametrize(
    ("surprise", "good", "bad"),
    [(0.5, 0.8, 0.0), (0.9499, 0.8, 0.0), (0.95, 0.0, 0.0), (0.975, 0.0, 1.2), (1.0, 0.0, 2.4)],
)
def test_evidence_decays_and_grows_by_the_design(surprise: float, good: float, bad: float) -> None:
    record = evidence(10.0, 4.0)
    credit(record[0], surprise, 0.8, 17, CFG)
    assert record["positive"][0] == pytest.approx(0.98 * 10 + good, rel=1e-6)
    assert record["negative"][0] == pytest.approx(0.995 * 4 + bad, rel=1e-5)
    assert record["evidence_step"][0] == 17


@pytest.mark.parametrize(("r", "s", "age"), [(0, 0, 0), (8, 0, 0), (0, 6, 0), (8, 2, 5), (8, 2, 400), (49, 0, 1)])
def test_the_score_is_josangs_opinion_with_ageing(r: float, s: float, age: float) -> None:
    fade = math.exp(-age / 20)
    n = r + s + 2
    b, d = r / n * fade, s / n * fade
    score = trust_score(np.float32(r), np.float32(s), age, CFG)
    assert score == pytest.approx(b + (1 - b - d) / 2, rel=1e-6)
    assert 0.0 <= score <= 1.0
    assert trust_score(np.float32(r), np.float32(s), age, OFF) == 1.0


def test_a_source_below_one_half_has_no_weight() -> None:
    assert fusion_weight(np.float32(0.49), np.float32(0.9), CFG) == 0.0
    assert fusion_weight(np.float32(0.5), np.float32(0.9), CFG) == pytest.approx(0.45)
    assert fusion_weight(np.float32(0.1), np.float32(0.2), OFF) == 1.0


def test_a_kalman_update_is_the_precision_weighted_mean() -> None:
    assert kalman_gain(1.0, 3.0) == 0.25
    mean, var = np.array([3.0, 0.0, 1.0], np.float32), np.array([2.0, 1.0, 1.0], np.float32)
    update(mean, var, 0, np.float32(5.0), np.float32(0.5), np.float32(0.25))  # noise 0.5 / 0.25 = 2
    assert mean.tolist() == [4.0, 0.0, 1.0] and var.tolist() == [1.0, 1.0, 1.0]
    for k in range(200):
        update(mean, var, 1, np.float32(1.0), np.float32(0.5), np.float32(1.0))
        assert 0.0 < var[1] <= 1.0 / (1 + (k + 1) / 0.5) * (1 + 1e-4)
    assert mean[1] == pytest.approx(200 / 0.5 / (1 + 200 / 0.5), rel=1e-4)
