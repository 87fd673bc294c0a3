"""Optimised settings: expected rates, and nothing better nearby."""

from dataclasses import replace

import pytest

from qdt_env.security.qkd.hardware import PRESETS
from qdt_env.security.qkd.settings import optimise
from qdt_env.security.qkd.table import finite_key_rate

ROBOT = PRESETS["robot100MHz"]


@pytest.mark.parametrize("name", ["robot100MHz", "daylight"])
def test_expected_rates_are_the_optimised_ones(name):
    """4-security, to the two digits it gives."""
    for loss_db, expected in PRESETS[name].expected_bit_s:
        rate = float(finite_key_rate(optimise(name, loss_db), loss_db)[0])
        assert rate == pytest.approx(expected, rel=0.03)


def test_no_setting_nearby_is_better():
    best = optimise(ROBOT, 15.0)
    rate = float(finite_key_rate(best, 15.0)[0])
    (mu1, mu2, _), p = best.intensities, best.shares[0]
    for step in (0.98, 1.02):
        for other in (
            replace(best, intensities=(mu1 * step, mu2, 0.0)),
            replace(best, intensities=(mu1, mu2 * step, 0.0)),
            replace(best, shares=(p * step, 1 - p * step, 0.0)),
            replace(best, key_basis_probability=best.key_basis_probability * step),
        ):
            assert finite_key_rate(other, 15.0)[0] < rate
    assert optimise(ROBOT, 15.0) == best  # deterministic


def test_block_length_is_taken_over_and_bad_conditions_refused():
    assert optimise(ROBOT, 15.0, 1e6).block_bits == 1e6
    with pytest.raises(ValueError, match="loss_db"):
        optimise(ROBOT, -1.0)
    with pytest.raises(ValueError, match="block_bits"):
        optimise(ROBOT, 1.0, 0.0)
