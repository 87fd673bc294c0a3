"""Presets and what a link's hardware refuses."""

from dataclasses import replace

import pytest

from qdt_env.security.qkd.hardware import HARDWARE, PRESETS, PROTOCOLS, Hardware, hardware_record, preset_by_name


@pytest.mark.parametrize("name", list(PRESETS))
def test_record_holds_the_numbers(name):
    hardware, record = PRESETS[name], hardware_record(name)
    assert record.shape == (1,) and record.dtype == HARDWARE
    assert hardware.name == name
    assert PROTOCOLS[record["protocol"][0]] == hardware.protocol
    for field in ("pulse_rate_hz", "dark_count", "misalignment", "block_bits", "eps_secret", "key_basis_probability"):
        assert record[field][0] == getattr(hardware, field)
    assert record["intensities"][0].tolist() == list(hardware.intensities)
    assert record["shares"][0].sum() == pytest.approx(1.0)


def test_presets_are_named_and_checked():
    robot = PRESETS["robot100MHz"]
    assert preset_by_name(robot) is robot
    with pytest.raises(ValueError, match="preset: got 'fog', allowed: robot100MHz, daylight, rusca2018, lim2014"):
        preset_by_name("fog")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protocol", "three-decoy"),
        ("detector_model", "ideal"),
        ("pulse_rate_hz", 0.0),
        ("detector_efficiency", 1.1),
        ("dark_count", -1e-9),
        ("afterpulse", 1.0),
        ("misalignment", 0.5),
        ("dead_time_s", -1.0),
        ("correction_efficiency", 0.99),
        ("key_basis_probability", 1.0),
        ("block_bits", 0.0),
        ("eps_secret", 0.0),
        ("eps_correct", 1.0),
        ("shares", (0.5, 0.4, 0.0)),
        ("shares", (0.5, 0.4, 0.1)),
        ("intensities", (0.1, 0.2, 0.0)),
        ("intensities", (0.4, 0.0, 0.0)),
        ("intensities", (0.4, 0.2, 0.01)),
    ],
)
def test_fields_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"{field}: got .*, allowed: "):
        replace(PRESETS["robot100MHz"], **{field: value})


def test_two_decoys_need_room_for_both():
    with pytest.raises(ValueError, match="mu_1 > mu_2"):
        Hardware("x", protocol="two-decoy", intensities=(0.3, 0.2, 0.15), shares=(0.5, 0.3, 0.2))
    with pytest.raises(ValueError, match="shares"):
        Hardware("x", protocol="two-decoy", intensities=(0.5, 0.2, 0.0), shares=(0.5, 0.5, 0.0))
