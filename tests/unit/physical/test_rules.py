"""Rules of the physical layer, one by one, against closed forms and hand-worked values."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from qdt_env.hospital.graph import DOOR, ELEVATOR, STAIR
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import (
    clock_at_horizon,
    clock_rate,
    poisson,
    rpm_after,
    rpm_at,
    survival,
    triage_class,
)
from qdt_env.physical.robots import can_do, crossing_time_s, speed_m_s
from qdt_env.physical.state import (
    AERIAL,
    BLOCKED,
    CLEAR,
    EXTRICATE,
    GIVE_KIT,
    GO,
    HAND_OVER,
    LEGGED,
    OPEN,
    PICK_UP,
    RECHARGE,
    REFRESH,
    SLOW,
    STAY,
    TAKE_KIT,
    TRACKED,
)
from qdt_env.physical.structure import aftershock_rate_per_day, damage_state, passage_condition
from qdt_env.records import as_record

CONFIG = PhysicalConfig()
CFG = as_record(CONFIG)[0]
F = np.float32


def test_survival_between_the_published_scores_is_linear_and_clamped() -> None:
    assert survival(F(3.5)) == pytest.approx((0.23 + 0.35) / 2, abs=1e-6)
    assert survival(F(-3.0)) == F(0.052) and survival(F(40.0)) == F(0.98)


def test_rpm_between_the_columns_is_linear_and_ends_after_six_hours() -> None:
    assert rpm_at(9, F(0.0)) == 9 and rpm_at(9, F(75.0)) == 8.0  # 8 at 60 and at 90 min
    assert rpm_at(5, F(15.0)) == 4.0 and rpm_at(3, F(15.0)) == 2.0
    assert rpm_at(12, F(1e6)) == 8 and rpm_at(12, F(-5.0)) == 12
    assert rpm_after(F(6.5), F(30.0)) == pytest.approx((4 + 6) / 2)


@pytest.mark.parametrize(("rpm", "tag"), [(0, 0), (6.99, 0), (7, 1), (10.99, 1), (11, 2), (12, 2)])
def test_triage_classes(rpm: float, tag: int) -> None:
    assert triage_class(F(rpm)) == tag


@pytest.mark.parametrize(
    ("trapped", "smoke", "kit", "factor"),
    [
        (False, 0.0, False, 1.0),
        (True, 0.0, False, 1.5),
        (False, 0.31, False, 2.0),
        (False, 0.3, False, 1.0),
        (False, 0.0, True, 0.3),
        (True, 0.5, True, 1.5 * 2.0 * 0.3),
    ],
)
def test_clock_factors(trapped: bool, smoke: float, kit: bool, factor: float) -> None:
    assert clock_rate(F(0.8), trapped, F(smoke), kit, CFG) == pytest.approx(0.8 * factor, rel=1e-6)


def test_the_projection_is_what_stepping_gives() -> None:
    """Ten minutes of kit, then fifty without, of a compressed patient of pace 1.2."""
    by_hand = 30.0 + 1.2 * 1.5 * (10 * 0.3 + 50)
    assert clock_at_horizon(F(30), F(1.2), True, F(10), F(60), CFG) == pytest.approx(by_hand, rel=1e-6)
    assert clock_at_horizon(F(30), F(1.2), True, F(90), F(60), CFG) == pytest.approx(30 + 1.8 * 60 * 0.3, rel=1e-6)


@pytest.mark.parametrize("mean", [0.0, 0.3, 1.0, 4.7, 25.0, 110.0, 150.0])
def test_poisson_is_the_inverse_of_the_published_distribution_function(mean: float) -> None:
    mean = float(F(mean))  # kernels have it in single precision
    for u in np.concatenate([np.linspace(0.0, 0.999, 400), [0.999999, 1 - 2.0**-24]]):
        k = poisson(F(mean), u)
        if k > 0:
            assert stats.poisson.cdf(k - 1, mean) < u + 1e-12
        assert stats.poisson.cdf(k, mean) >= u - 1e-12


@pytest.mark.parametrize(
    ("demand", "factor", "state"),
    [(0.11, 1, 0), (0.13, 1, 1), (0.18, 1, 2), (0.31, 1, 3), (0.49, 1, 4), (0.45, 0.85, 4), (0.35, 0.7, 4), (9, 1, 4)],
)
def test_damage_states_by_the_hazus_medians(demand: float, factor: float, state: int) -> None:
    assert damage_state(demand, factor, CFG) == state


def test_aftershock_rate_against_the_closed_integral() -> None:
    """Two hours, from one hour after the shock: c^(1-p) form of the modified Omori law."""
    a, b, p, c, gap = CONFIG.rj_a, CONFIG.rj_b, CONFIG.rj_p, CONFIG.rj_c_day, CONFIG.magnitude_gap
    start, end = 1 / 24, 3 / 24
    exact = 10 ** (a + b * gap) * ((end + c) ** (1 - p) - (start + c) ** (1 - p)) / (1 - p)
    numeric, _ = integrate.quad(lambda t: aftershock_rate_per_day(t, gap, a, b, p, c), start, end)
    assert numeric == pytest.approx(exact, rel=1e-9)
    assert aftershock_rate_per_day(0.0, 0.0, a, b, p, c) == pytest.approx(10**-1.67 * 0.05**-1.08, rel=1e-12)


def test_a_passage_gets_no_better_as_damage_grows() -> None:
    for u in np.linspace(0, 0.9999, 2001):
        conditions = [passage_condition(F(u), damage, CFG) for damage in range(6)]
        assert conditions == sorted(conditions), u
    assert [passage_condition(F(0.1), d, CFG) for d in range(6)] == [OPEN, OPEN, SLOW, BLOCKED, BLOCKED, BLOCKED]


@pytest.mark.parametrize(
    ("kind", "passage", "carrying", "speed"),
    [
        (LEGGED, DOOR, False, 0.8),
        (LEGGED, STAIR, False, 0.3),
        (TRACKED, DOOR, False, 0.5),
        (TRACKED, STAIR, False, 0.15),
        (TRACKED, DOOR, True, 0.5),
        (TRACKED, STAIR, True, 0.15),
        (AERIAL, DOOR, False, 1.5),
        (AERIAL, STAIR, False, 1.5),
        (LEGGED, DOOR, True, 0.5),
        (LEGGED, STAIR, True, 0.15),
        (TRACKED, ELEVATOR, False, 0.0),
        (AERIAL, ELEVATOR, False, 0.0),
    ],
)
def test_speeds(kind: int, passage: int, carrying: bool, speed: float) -> None:
    assert speed_m_s(kind, passage, carrying, CFG) == F(speed)


def test_crossing_times() -> None:
    assert crossing_time_s(TRACKED, DOOR, F(6), OPEN, False, CFG) == pytest.approx(12)
    assert crossing_time_s(TRACKED, DOOR, F(6), SLOW, False, CFG) == pytest.approx(30)
    assert math.isinf(crossing_time_s(TRACKED, DOOR, F(6), BLOCKED, False, CFG))
    assert math.isinf(crossing_time_s(AERIAL, ELEVATOR, F(6), OPEN, False, CFG))


def test_who_has_the_tool_for_what() -> None:
    able = {
        LEGGED: {STAY, GO, GIVE_KIT, TAKE_KIT, RECHARGE, REFRESH},
        TRACKED: {STAY, GO, EXTRICATE, PICK_UP, HAND_OVER, CLEAR, RECHARGE, REFRESH},
        AERIAL: {STAY, GO, RECHARGE, REFRESH},
    }
    for kind, verbs in able.items():
        assert {verb for verb in range(10) if can_do(kind, verb)} == verbs
