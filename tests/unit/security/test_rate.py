"""The asymptotic key rate against closed forms, limits and the published finite-key figures."""

import numpy as np
import pytest

from qdt_env.security.qkd.rate import (
    INTERCEPT_STEP,
    LOSS_STEP_DB,
    PNS_STEP,
    PRESETS,
    TABLE_SHAPE,
    RatePreset,
    binary_entropy,
    gain,
    ideal_key_fraction,
    intercepted_error,
    key_rate,
    preset_by_name,
    rate_comparison,
    rate_table,
    secret_key_rate_bit_s,
    sifted_rate_bit_s,
)

ROBOT = PRESETS["robot100MHz"]


def test_entropy_at_known_points():
    assert binary_entropy(np.array([0.0, 0.5, 1.0, 0.11])) == pytest.approx([0.0, 1.0, 0.0, 0.499916], abs=1e-6)


def test_ideal_bb84_dies_at_eleven_percent():
    assert ideal_key_fraction(0.0) == pytest.approx(1.0)
    assert ideal_key_fraction(0.1100) > 0.0
    assert ideal_key_fraction(0.1101) == 0.0
    assert ideal_key_fraction(0.9) == 0.0  # not a mirror image: past one half there is no key either


def test_intercept_resend_gives_a_quarter_at_full_strength_without_misalignment():
    assert intercepted_error(0.0, 1.0) == 0.25
    assert intercepted_error(0.02, 0.0) == 0.02
    assert intercepted_error(0.02, 0.5) == pytest.approx(0.02 + 0.5 * (0.25 - 0.01))
    assert intercepted_error(0.5, 1.0) == 0.5


@pytest.mark.parametrize("loss_db", [5.0, 15.0, 25.0])
def test_decoy_bounds_hold_and_are_tight(loss_db):
    """The rate must lie below the one with the true Y1 and e1 (infinite decoys), and within 10 % of it."""
    eta = ROBOT.detector_efficiency * 10 ** (-loss_db / 10)
    y0, mu, e = ROBOT.dark_count, ROBOT.signal_intensity, ROBOT.misalignment
    y1 = y0 + eta
    e1 = (0.5 * y0 + e * eta) / y1
    q_mu = gain(ROBOT, loss_db, mu)
    e_mu = (0.5 * y0 + e * (q_mu - y0)) / q_mu
    best = mu * np.exp(-mu) * y1 * (1 - binary_entropy(e1)) - 1.06 * q_mu * binary_entropy(e_mu)
    clicks = 0.7 * q_mu + 0.2 * gain(ROBOT, loss_db, 0.1) + 0.1 * y0
    alive = 1 / (1 + 100e6 * clicks * 50e-9)
    limit = 100e6 * 0.7 * 0.25 * alive * best
    assert 0.9 * limit < secret_key_rate_bit_s(ROBOT, loss_db) < limit


@pytest.mark.parametrize("name", list(PRESETS))
def test_asymptotic_rates_lie_above_the_published_finite_key_rates(name):
    for loss_db, published in PRESETS[name].published_bit_s:
        assert secret_key_rate_bit_s(name, loss_db) >= published, loss_db
    loss_db, published = PRESETS[name].published_bit_s[0]
    assert secret_key_rate_bit_s(name, loss_db) < 3 * published  # same order where blocks fill fast


def test_blocks_fill_as_fast_as_published():
    """n_Z = 1e5 in .27/.82/2.7/8.3/28 s (4-security), ours within a fifth: the assumed intensities are in place."""
    losses = np.array([10.0, 15.0, 20.0, 25.0, 30.0])
    assert 1e5 / sifted_rate_bit_s(ROBOT, losses) == pytest.approx([0.27, 0.82, 2.7, 8.3, 28.0], rel=0.2)


def test_rate_falls_with_loss_interception_and_photon_number_splitting():
    for axis_values in (
        secret_key_rate_bit_s(ROBOT, np.linspace(0, 50, 201)),
        secret_key_rate_bit_s(ROBOT, 15.0, np.linspace(0, 1, 201)),
        secret_key_rate_bit_s(ROBOT, 15.0, 0.0, np.linspace(0, 1, 201)),
    ):
        assert np.all(np.diff(axis_values) <= 0.0)
        assert axis_values[0] > 1e4 and axis_values[-1] == 0.0


def test_no_key_from_the_qber_at_which_ideal_bb84_dies():
    at_eleven_percent = (0.11 - 0.02) / (0.25 - 0.01)
    assert secret_key_rate_bit_s(ROBOT, 5.0, at_eleven_percent) == 0.0


def test_table_is_the_formula_on_its_grid_and_close_between():
    table = rate_table("robot100MHz")
    assert table.shape == TABLE_SHAPE and table.dtype == np.float32
    assert np.all(np.isfinite(table)) and np.all(table >= 0)
    for i, j, k in ((0, 0, 0), (15, 3, 2), (30, 0, 5), (50, 40, 10)):
        point = (i * LOSS_STEP_DB, j * INTERCEPT_STEP, k * PNS_STEP)
        exact = secret_key_rate_bit_s(ROBOT, *map(float, point))
        assert key_rate(table, *point) == pytest.approx(float(exact), rel=1e-4, abs=1e-2)
    for loss_db in (0.3, 9.5, 14.7, 24.4):
        exact = float(secret_key_rate_bit_s(ROBOT, loss_db, 0.03))
        assert key_rate(table, np.float32(loss_db), np.float32(0.03)) == pytest.approx(exact, rel=0.02)


def test_table_is_clamped_at_its_ends():
    table = rate_table("robot100MHz")
    assert key_rate(table, np.float32(-3), np.float32(-1)) == table[0, 0, 0]
    assert key_rate(table, np.float32(90), np.float32(0)) == 0.0
    assert key_rate(table, np.float32(5), np.float32(1)) == 0.0


def test_presets_are_named_and_checked():
    assert preset_by_name(ROBOT) is ROBOT
    with pytest.raises(ValueError, match="preset: got 'fog', allowed: robot100MHz, daylight"):
        secret_key_rate_bit_s("fog", 10.0)
    with pytest.raises(ValueError, match="decoy_intensity: got 0.5"):
        RatePreset("bad", decoy_intensity=0.5)


def test_comparison_prints_ours_beside_published():
    text = rate_comparison()
    assert len(text.splitlines()) == 11
    assert "79000" in text and "daylight" in text
