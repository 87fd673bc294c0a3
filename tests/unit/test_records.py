"""Records: kernels read the same named parameters as people."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

from qdt_env.physical.config import PhysicalConfig
from qdt_env.records import as_record, record_dtype, require
from qdt_env.twin.config import TwinConfig


@dataclass(frozen=True)
class Example:
    """One field of every kind."""

    name: str = "x"
    count: int = 3
    share: float = 0.25
    on: bool = True
    row: tuple[float, ...] = (1.0, 2.0)
    table: tuple[tuple[float, ...], ...] = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    words: tuple[str, ...] = ("a", "b")


def test_fields_become_numbers_by_their_annotation() -> None:
    dtype = record_dtype(Example())
    assert dtype.names == ("count", "share", "on", "row", "table")
    assert [dtype[n].base for n in dtype.names] == [np.int32, np.float32, np.int8, np.float32, np.float32]
    assert dtype["row"].shape == (2,) and dtype["table"].shape == (2, 3)
    record = as_record(Example())
    assert record.shape == (1,)
    assert record["count"][0] == 3 and record["on"][0] == 1 and record["share"][0] == np.float32(0.25)
    assert record["table"][0].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("config", [PhysicalConfig(), TwinConfig()], ids=lambda c: type(c).__name__)
def test_every_parameter_of_the_layers_reaches_the_kernels(config: PhysicalConfig | TwinConfig) -> None:
    record = as_record(config)
    for field in fields(config):
        assert field.name in (record.dtype.names or ())
        np.testing.assert_array_equal(record[field.name][0], np.float32(getattr(config, field.name)))


@pytest.mark.parametrize("row", [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], np.arange(6.0)], ids=["list", "array"])
def test_lists_and_arrays_are_refused_by_name(row: Any) -> None:
    with pytest.raises(ValueError, match=r"weakened=.* is not allowed: a tuple"):
        as_record(replace(PhysicalConfig(), weakened=row))


def test_records_of_one_config_are_independent() -> None:
    first, second = as_record(Example()), as_record(Example())
    first["count"] = 7
    assert second["count"][0] == 3 and as_record(Example())["count"][0] == 3


def test_require_names_parameter_given_and_allowed() -> None:
    require(True, "x", 1, "anything")
    with pytest.raises(ValueError, match=r"x=-1 is not allowed: a number >= 0"):
        require(False, "x", -1, "a number >= 0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dt_s", 0.0),
        ("dt_s", float("nan")),
        ("dt_s", -10.0),
        ("pga_g", float("inf")),
        ("pga_median_g", (0.12, 0.17)),
        ("weakened", (1.0,) * 5),
        ("injury_share", ((0.0,) * 4,) * 5),
        ("injury_share", ((0.5, 0.5, 0.5, 0.0),) * 6),
        ("ignition", 1.5),
        ("overtriage", 1.01),
        ("speed_m_s", (0.0, 1.0, 1.0)),
        ("endurance_min", (90.0, 0.0, 20.0)),
        ("carry_speed_m_s", 0.0),
        ("carry_stair_speed_m_s", 0.0),
        ("slow_factor", 0.0),
        ("kit_capacity", (4.0, 0.0)),
        ("blocked_share", (0.0, 0.0, 0.0, 0.0, 0.0, 1.2)),
        ("pga_median_g", (0.12, 0.17, 0.3, -0.48)),
    ],
)
def test_physical_parameters_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}="):
        PhysicalConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prior_var", (0.0, 1.0, 1.0)),
        ("sensor_var", (1.0, 1.0)),
        ("passage_var", -1.0),
        ("passage_var", 0.0),
        ("rpm_var", 0.0),
        ("rpm_var", float("nan")),
        ("rpm_var", float("inf")),
        ("prior_mean", (3.0, float("nan"), 1.0)),
        ("positive_decay", 1.0),
        ("least_trust", 0.0),
        ("age_steps", 0.0),
    ],
)
def test_twin_parameters_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}="):
        TwinConfig(**{field: value})  # type: ignore[arg-type]
