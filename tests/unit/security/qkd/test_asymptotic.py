"""The limit of long blocks: closed forms, order and attacks; the finite-key bounds of both protocols run into it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from qdt_env.security.qkd.asymptotic import (
    binary_entropy,
    ideal_key_fraction,
    perfect_decoy_rate_bit_s,
    secret_key_rate_bit_s,
)
from qdt_env.security.qkd.detection import cell_probabilities
from qdt_env.security.qkd.hardware import PRESETS
from qdt_env.security.qkd.table import finite_key_rate

ROBOT = PRESETS["robot100MHz"]
LIM = replace(PRESETS["lim2014"], eps_per_bit=False, eps_secret=1e-10)
BOTH = pytest.mark.parametrize("hardware", [ROBOT, PRESETS["rusca2018"], LIM], ids=lambda h: h.name)


def test_entropy_at_known_points():
    assert binary_entropy(np.array([0.0, 0.5, 1.0, 0.11])) == pytest.approx([0.0, 1.0, 0.0, 0.499916], abs=1e-6)


def test_ideal_bb84_dies_at_eleven_percent():
    assert ideal_key_fraction(0.0) == pytest.approx(1.0)
    assert ideal_key_fraction(0.1100) > 0.0
    assert ideal_key_fraction(0.1101) == 0.0
    assert ideal_key_fraction(0.9) == 0.0  # not a mirror image: past one half there is no key either


@BOTH
@pytest.mark.parametrize("loss_db", [5.0, 15.0, 22.0])
def test_finite_keys_run_into_the_limit_from_below(hardware, loss_db):
    """The gap closes as 1/sqrt(n_Z): a factor of 100 in the block closes it tenfold, until nothing is left."""
    limit = float(secret_key_rate_bit_s(hardware, loss_db))
    blocks = (1e12, 1e14, 1e16)
    gaps = [1 - float(finite_key_rate(replace(hardware, block_bits=n), loss_db)[0]) / limit for n in blocks]
    assert all(gap > 0 for gap in gaps)
    assert np.diff(np.log10(gaps)) == pytest.approx([-1.0] * 2, abs=0.05)
    assert gaps[-1] < 2e-5


def test_both_protocols_have_nearly_the_same_limit():
    """At the same intensities and with its dark counts one decoy loses little on two in long blocks, and never wins."""
    for loss_db in (5.0, 15.0, 25.0):
        one = replace(ROBOT, intensities=(0.45, 0.01, 0.0))
        two = replace(
            one, protocol="two-decoy", intensities=(0.45, 0.01, 0.0), shares=(0.32, 0.67, 0.01), dark_count=2e-6
        )
        of_one, of_two = (float(secret_key_rate_bit_s(h, loss_db)) for h in (one, two))
        best = perfect_decoy_rate_bit_s(two, loss_db)
        assert of_two <= best * (1 + 1e-9)
        assert of_two == pytest.approx(best, rel=0.02)
        assert of_one <= perfect_decoy_rate_bit_s(one, loss_db)


@BOTH
@pytest.mark.parametrize("loss_db", [5.0, 15.0, 25.0])
def test_decoy_bounds_never_exceed_infinitely_many_decoys(hardware, loss_db):
    limit = perfect_decoy_rate_bit_s(hardware, loss_db)
    assert 0.6 * limit < secret_key_rate_bit_s(hardware, loss_db) < limit


def test_weak_decoy_bounds_by_hand():
    """Two decoys, one of them vacuum: Ma et al. 2005, equations 34 and 37, from the gains themselves."""
    two = replace(LIM, intensities=(0.45, 0.1, 0.0), shares=(0.7, 0.2, 0.1), afterpulse=0.0, detector_model="rusca2018")
    mu, nu, y0 = 0.45, 0.1, two.dark_count
    eta, p_z = 0.1 * 10**-1.5, two.key_basis_probability
    q = {k: 1 - math.exp(-eta * k) + y0 for k in (mu, nu)}
    eq = {k: 0.005 * (1 - math.exp(-eta * k)) + y0 / 2 for k in (mu, nu)}
    y1 = (
        mu
        / (mu * nu - nu**2)
        * (q[nu] * math.exp(nu) - q[mu] * math.exp(mu) * nu**2 / mu**2 - (mu**2 - nu**2) / mu**2 * y0)
    )
    e1 = (eq[nu] * math.exp(nu) - y0 / 2) / (y1 * nu)
    tau0 = 0.7 * math.exp(-mu) + 0.2 * math.exp(-nu) + 0.1
    tau1 = 0.7 * math.exp(-mu) * mu + 0.2 * math.exp(-nu) * nu
    detected = 0.7 * q[mu] + 0.2 * q[nu] + 0.1 * y0
    wrong = 0.7 * eq[mu] + 0.2 * eq[nu] + 0.1 * y0 / 2
    leak = 1.16 * detected * binary_entropy(wrong / detected)
    expected = 1e9 * p_z**2 * (tau0 * y0 + tau1 * y1 * (1 - binary_entropy(e1)) - leak)
    assert secret_key_rate_bit_s(two, 15.0) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("name", ["robot100MHz", "daylight"])
def test_asymptotic_rates_lie_above_the_expected_finite_key_rates(name):
    for loss_db, expected in PRESETS[name].expected_bit_s:
        if expected > 1e3:
            assert secret_key_rate_bit_s(name, loss_db) >= expected, loss_db


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
    cells = cell_probabilities(ROBOT, 5.0, at_eleven_percent)
    assert cells[..., 1].sum() / cells.sum() == pytest.approx(0.11, abs=0.005)


def test_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="preset: got 'fog'"):
        secret_key_rate_bit_s("fog", 10.0)
