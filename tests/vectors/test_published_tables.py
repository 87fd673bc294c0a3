"""The published tables in the code: against their literal published values and against ../shared/data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import DETERIORATION, STEP_MIN, SURVIVAL, rpm_at, survival, vital_signs
from qdt_env.physical.state import DAMAGE_STATES

TABLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "rescue_tables.json"
DEFAULTS = PhysicalConfig()

# Sacco et al. 2005, as printed
PUBLISHED_SURVIVAL = (0.052, 0.089, 0.15, 0.23, 0.35, 0.49, 0.63, 0.75, 0.84, 0.90, 0.94, 0.97, 0.98)
PUBLISHED_DELPHI = {  # RPM at +30, +60, ... +360 min
    0: "0 0 0 0 0 0 0 0 0 0 0 0",
    1: "0 0 0 0 0 0 0 0 0 0 0 0",
    2: "0 0 0 0 0 0 0 0 0 0 0 0",
    3: "1 0 0 0 0 0 0 0 0 0 0 0",
    4: "2 1 0 0 0 0 0 0 0 0 0 0",
    5: "3 2 1 0 0 0 0 0 0 0 0 0",
    6: "4 3 2 1 0 0 0 0 0 0 0 0",
    7: "6 5 4 3 2 1 0 0 0 0 0 0",
    8: "8 7 6 5 4 3 2 1 0 0 0 0",
    9: "9 8 8 7 6 5 4 3 2 1 0 0",
    10: "10 9 9 8 8 7 6 6 5 5 4 4",
    11: "11 11 10 10 9 8 8 7 7 6 6 5",
    12: "12 12 11 11 10 10 10 10 9 9 8 8",
}


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    """The collected tables with their sources, which lie beside the repository."""
    if not TABLES.is_file():
        pytest.skip("the collected tables are not here: ../shared/data/rescue_tables.json, beside the repository")
    return dict(json.loads(TABLES.read_text()))


def test_survival_by_rpm_is_the_published_one() -> None:
    assert SURVIVAL.tolist() == np.array(PUBLISHED_SURVIVAL, np.float32).tolist()
    assert [float(survival(np.float32(k))) for k in range(13)] == SURVIVAL.tolist()


@pytest.mark.parametrize("rpm0", range(13))
def test_deterioration_is_the_published_one(rpm0: int) -> None:
    after = [float(rpm_at(rpm0, np.float32(STEP_MIN * j))) for j in range(13)]
    assert after == [float(rpm0), *map(float, PUBLISHED_DELPHI[rpm0].split())]


def test_survival_and_deterioration_against_the_collected_tables(tables: dict[str, Any]) -> None:
    assert tables["rpm_survival"]["values"] == list(PUBLISHED_SURVIVAL)
    assert tables["rpm_deterioration"]["step_min"] == STEP_MIN
    rows = tables["rpm_deterioration"]["rows"]
    assert len(rows) == 13
    for rpm0, row in rows.items():
        assert DETERIORATION[int(rpm0)].tolist() == [float(rpm0), *map(float, row)]


def test_hazus_fragility_and_injuries_are_the_published_ones() -> None:
    assert DEFAULTS.pga_median_g == (0.12, 0.17, 0.30, 0.48)
    assert DEFAULTS.collapse_probability == 0.08
    assert DEFAULTS.demand_sigma == 0.4
    percent = {
        "None": (0, 0, 0, 0),
        "Slight": (0.05, 0, 0, 0),
        "Moderate": (0.2, 0.025, 0, 0),
        "Extensive": (1, 0.1, 0.001, 0.001),
        "Complete": (5, 1, 0.01, 0.01),
        "Collapse": (40, 20, 5, 10),
    }
    assert tuple(percent) == DAMAGE_STATES
    np.testing.assert_allclose(np.array(DEFAULTS.injury_share) * 100.0, list(percent.values()), rtol=1e-12, atol=0)


def test_hazus_against_the_collected_tables(tables: dict[str, Any]) -> None:
    hazus = tables["hazus"]
    assert list(DEFAULTS.pga_median_g) == hazus["pga_median_g"]["S1L"]["low"]
    assert hazus["beta"] == DEFAULTS.demand_sigma
    assert hazus["p_collapse_given_complete"]["S1L"] == DEFAULTS.collapse_probability
    for state, share in zip(DAMAGE_STATES[1:], DEFAULTS.injury_share[1:], strict=True):
        np.testing.assert_allclose(np.array(share) * 100.0, hazus["injury_pct"][state], rtol=1e-12, atol=0)


def test_reasenberg_jones_and_rcrs_and_kahn(tables: dict[str, Any]) -> None:
    rates = tables["reasenberg_jones"]
    ours = DEFAULTS.rj_a, DEFAULTS.rj_b, DEFAULTS.rj_p, DEFAULTS.rj_c_day
    assert ours == (rates["a"], rates["b"], rates["p"], rates["c_days"]) == (-1.67, 0.91, 1.08, 0.05)
    assert list(DEFAULTS.work_min) == tables["rcrs"]["buriedness"]["steel"] == [20, 35, 70]
    kahn = tables["start_confusion"]
    assert kahn["n"] == 148 and kahn["correct"] + kahn["overtriaged"] + kahn["undertriaged"] == 148
    not_red = kahn["n"] - kahn["outcome"]["red"]
    not_green = kahn["n"] - kahn["outcome"]["green"]
    assert kahn["overtriaged"] / not_red == pytest.approx(DEFAULTS.overtriage, rel=1e-12)
    assert kahn["undertriaged"] / not_green == pytest.approx(DEFAULTS.undertriage, rel=1e-12)


def test_robot_figures_are_those_of_the_design() -> None:
    assert DEFAULTS.speed_m_s == (0.8, 0.5, 1.5)
    assert DEFAULTS.stair_speed_m_s[:2] == (0.3, 0.15)
    assert DEFAULTS.carry_speed_m_s == 0.5
    assert DEFAULTS.endurance_min == (90.0, 120.0, 20.0)
    assert (DEFAULTS.blocked_share, DEFAULTS.slow_share) == (
        (0.0, 0.02, 0.05, 0.15, 0.35, 0.8),
        (0.0, 0.05, 0.15, 0.35, 0.5, 0.2),
    )
    assert DEFAULTS.weakened[1:5] == (1.0, 0.95, 0.85, 0.70)


@pytest.mark.parametrize("rpm", range(13))
def test_vital_signs_add_up_to_the_score_in_the_published_coding(rpm: int, tables: dict[str, Any]) -> None:
    signs = vital_signs(rpm)
    assert sum(code for code, _ in signs.values()) == rpm
    coding = {"respiration": "resp", "pulse": "pulse", "motor": "motor"}
    for sign, (code, text) in signs.items():
        assert tables["rpm_coding"][coding[sign]][text] == code


@pytest.mark.parametrize("rpm", [-0.1, 12.1, float("nan")])
def test_vital_signs_refuse_what_is_no_score(rpm: float) -> None:
    with pytest.raises(ValueError, match="rpm="):
        vital_signs(rpm)
