"""Channel parameters and the loss of light."""

from dataclasses import fields

import numpy as np
import pytest

from qdt_env.security.channel import ChannelConfig, channel_record, fibre_loss_db, free_space_loss_db


def test_record_holds_the_parameters():
    config = ChannelConfig(fallback="pqc", epoch_steps=9)
    record = channel_record(config)[0]
    assert record["fallback"] == 2
    for field in fields(config):
        if field.name not in ("preset", "fallback"):
            assert record[field.name] == pytest.approx(getattr(config, field.name)), field.name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preset", "lab"),
        ("fallback", "wait"),
        ("natural_loss", 1.0),
        ("natural_loss", -0.1),
        ("natural_loss", float("nan")),
        ("base_qber", 0.11),
        ("max_qber", 0.6),
        ("epoch_steps", 0),
        ("initial_pool_bits", 2e6),
        ("evidence_rate", 0.0),
        ("monitor_probability", 1.1),
        ("cusum_threshold", 0.0),
        ("receiver_aperture_m", 0.0),
        ("smoke_db_m", float("inf")),
    ],
)
def test_impossible_parameters_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"channel {field}: got .*, allowed: "):
        ChannelConfig(**{field: value})


def test_fibre_loss_is_linear_in_length():
    record = channel_record()[0]
    assert fibre_loss_db(record, 0.0) == pytest.approx(10.0)
    assert fibre_loss_db(record, 5000.0) == pytest.approx(11.0)


def test_free_space_loss_is_flat_then_spreads_then_smokes():
    record = channel_record()[0]
    near, far = (free_space_loss_db(record, np.float32(d), np.float32(0)) for d in (1.0, 975.0))
    assert near == pytest.approx(12.0)  # the beam fits the telescope
    assert far == pytest.approx(12.0 + 20 * np.log10(1.0 / 0.05), rel=1e-5)  # 1 m wide on 5 cm
    smoky = free_space_loss_db(record, np.float32(10.0), np.float32(0.5))
    assert smoky == pytest.approx(free_space_loss_db(record, np.float32(10.0), np.float32(0)) + 5.0)
