"""Closed-form detection cells against photon-by-photon sums, published channel models and limits."""

import math
from dataclasses import replace

import numpy as np
import pytest

from qdt_env.security.qkd.detection import (
    KEY_BASIS,
    RIGHT,
    TEST_BASIS,
    WRONG,
    cell_probabilities,
    intercepted_error,
    known_shares,
    photon_clicks,
    splitting_arrival,
)
from qdt_env.security.qkd.hardware import PRESETS, hardware_record

ROBOT = PRESETS["robot100MHz"]
AWAKE = replace(ROBOT, dead_time_s=0.0)
LOSSES = (0.0, 3.0, 15.0, 30.0)


def by_photons(hardware, loss_db, intensity, most=40):
    """(right, wrong) of a pulse, as the Poisson sum over its photons."""
    poisson = [math.exp(-intensity) * intensity**n / math.factorial(n) for n in range(most)]
    return sum(p * photon_clicks(hardware, loss_db, n) for n, p in enumerate(poisson))


@pytest.mark.parametrize("loss_db", LOSSES)
def test_cells_are_the_sum_over_photon_numbers(loss_db):
    cells = cell_probabilities(AWAKE, loss_db)
    for basis, both in ((KEY_BASIS, 0.64**2), (TEST_BASIS, 0.36**2)):
        for k in (0, 1):
            expected = both * AWAKE.shares[k] * by_photons(AWAKE, loss_db, AWAKE.intensities[k])
            assert cells[basis, k] == pytest.approx(expected, rel=1e-9)
        assert not cells[basis, 2].any()


def test_single_photon_clicks_by_hand():
    """One photon, two detectors: dark counts p/2 each, a double click is right half of the time."""
    hardware = replace(ROBOT, dark_count=0.08, misalignment=0.1, detector_efficiency=0.5)
    d, right, wrong = 0.04, 0.5 * 0.9, 0.5 * 0.1
    expected_right = right * (1 - d) + right * d / 2 + wrong * d / 2 + 0.5 * (d * (1 - d) + d * d / 2)
    expected_wrong = wrong * (1 - d) + wrong * d / 2 + right * d / 2 + 0.5 * (d * (1 - d) + d * d / 2)
    assert photon_clicks(hardware, 0.0, 1) == pytest.approx([expected_right, expected_wrong], rel=1e-12)
    assert photon_clicks(hardware, 0.0, 0) == pytest.approx([d * (1 - d) + d * d / 2] * 2, rel=1e-12)


def test_published_channel_models_as_printed():
    rusca = replace(PRESETS["rusca2018"], dead_time_s=0.0)
    eta = 0.5 * 10**-2.6
    cells = cell_probabilities(rusca, 26.0)[KEY_BASIS] / rusca.key_basis_probability**2
    for k, (mu, p) in enumerate(zip(rusca.intensities[:2], rusca.shares[:2], strict=True)):
        light = 1 - math.exp(-mu * eta)
        assert cells[k].sum() == pytest.approx(p * (light + 1e-8), rel=1e-9)
        assert cells[k, WRONG] == pytest.approx(p * (light * 0.01 + 0.5e-8), rel=1e-9)
    lim = PRESETS["lim2014"]
    eta = 0.1 * 10**-2.0
    cells = cell_probabilities(lim, 20.0)[KEY_BASIS] / lim.key_basis_probability**2
    for k, (mu, p) in enumerate(zip(lim.intensities, lim.shares, strict=True)):
        clicked = 1 - (1 - 2 * 6e-7) * math.exp(-mu * eta)
        assert cells[k].sum() == pytest.approx(p * clicked * 1.04, rel=1e-9)
        wrong = 6e-7 + 0.005 * (1 - math.exp(-eta * mu)) + 0.04 * clicked / 2
        assert cells[k, WRONG] == pytest.approx(p * wrong, rel=1e-9)


def test_dead_time_thins_everything_alike():
    thinned, awake = cell_probabilities(ROBOT, 10.0), cell_probabilities(AWAKE, 10.0)
    clicks = awake.sum() / (0.64**2 + 0.36**2)  # both bases choices click alike, matching or not
    assert thinned[..., :2, :] == pytest.approx(awake[..., :2, :] / (1 + 100e6 * clicks * 50e-9), rel=1e-9)


def test_intercept_resend_gives_a_quarter_at_full_strength_without_misalignment():
    assert intercepted_error(0.0, 1.0) == 0.25
    assert intercepted_error(0.02, 0.0) == 0.02
    assert intercepted_error(0.02, 0.5) == pytest.approx(0.02 + 0.5 * (0.25 - 0.01))
    assert intercepted_error(0.5, 1.0) == 0.5


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_qber_under_interception_is_the_linear_one_for_weak_light(share):
    quiet = replace(AWAKE, dark_count=0.0)
    cells = cell_probabilities(quiet, 35.0, share)
    qber = cells[..., WRONG].sum() / cells.sum()
    assert qber == pytest.approx(intercepted_error(0.02, share), rel=1e-3)


def test_splitting_keeps_the_gain_of_the_signal_and_its_qber():
    """At 25 dB; the decoy, with fewer pulses of several photons, falls, and single photons with it."""
    quiet, attacked = cell_probabilities(AWAKE, 25.0), cell_probabilities(AWAKE, 25.0, 0.0, 1.0)
    signal, decoy = attacked[KEY_BASIS].sum(-1)[:2] / quiet[KEY_BASIS].sum(-1)[:2]
    assert signal == pytest.approx(1.0, rel=1e-9)
    assert decoy < 0.4
    qber = attacked[KEY_BASIS, 0, WRONG] / attacked[KEY_BASIS, 0].sum()
    assert qber == pytest.approx(quiet[KEY_BASIS, 0, WRONG] / quiet[KEY_BASIS, 0].sum(), rel=2e-2)
    half = cell_probabilities(AWAKE, 25.0, 0.0, 0.5)
    assert half == pytest.approx((quiet + attacked) / 2, rel=1e-12)


def test_splitting_cannot_keep_the_gain_of_a_short_link():
    record = hardware_record(AWAKE)[0]
    assert splitting_arrival(record, 0.0) == AWAKE.detector_efficiency
    attacked = cell_probabilities(AWAKE, 0.0, 0.0, 1.0)
    assert attacked[KEY_BASIS, 0].sum() < 0.5 * cell_probabilities(AWAKE, 0.0)[KEY_BASIS, 0].sum()


def test_splitting_by_photons():
    """The sum over n of what is sent on, photon by photon, is the closed form."""
    record = hardware_record(AWAKE)[0]
    resent = splitting_arrival(record, 20.0)
    through = replace(AWAKE, detector_efficiency=resent)
    for k, mu in enumerate(AWAKE.intensities[:2]):
        total = np.zeros(2)
        for n in range(40):
            weight = math.exp(-mu) * mu**n / math.factorial(n)
            total += weight * photon_clicks(through, 0.0, max(n - 1, 0))
        cells = cell_probabilities(AWAKE, 20.0, 0.0, 1.0)[KEY_BASIS, k]
        assert cells == pytest.approx(0.64**2 * AWAKE.shares[k] * total, rel=1e-8)


def test_eavesdropper_knows_what_she_measured_in_the_right_basis():
    known, record = np.zeros((3, 2)), hardware_record(replace(AWAKE, dark_count=0.0))[0]
    known_shares(known, record, 15.0, 0.0, 0.0)
    assert not known.any()
    known_shares(known, record, 15.0, 0.4, 0.0)
    e, f = 0.02, 0.4
    right, wrong = 1 - intercepted_error(e, f), intercepted_error(e, f)
    assert known[0, RIGHT] == pytest.approx(0.5 * f * (1 - e) / right, rel=2e-3)
    assert known[0, WRONG] == pytest.approx(0.5 * f * e / wrong, rel=2e-2)
    known_shares(known, record, 15.0, 0.0, 1.0)
    assert known[:2] == pytest.approx(1.0)  # without dark counts every click had a photon that she kept


def test_dark_counts_of_empty_pulses_tell_nothing():
    known, record = np.zeros((3, 2)), hardware_record(replace(AWAKE, dark_count=1e-3))[0]
    known_shares(known, record, 60.0, 1.0, 0.0)
    assert known[0, RIGHT] == pytest.approx(0.5 * (1 - math.exp(-0.35)), rel=1e-2)


def test_conditions_are_checked_and_broadcast():
    cells = cell_probabilities("robot100MHz", np.array([10.0, 20.0])[:, None], np.array([0.0, 0.1, 0.2]))
    assert cells.shape == (2, 3, 2, 3, 2) and cells.dtype == np.float64
    assert np.all(cells >= 0) and np.all(cells.sum((-1, -2, -3)) < 1)
    for name, arguments in (("loss_db", (-1.0,)), ("intercepted", (1.0, 1.1)), ("pns", (1.0, 0.0, -0.1))):
        with pytest.raises(ValueError, match=name):
            cell_probabilities("robot100MHz", *arguments)
