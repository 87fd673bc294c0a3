"""Scenarios: presets, files, and one clear error for what cannot be played."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from qdt_env.hospital import save_building
from qdt_env.physical.config import PhysicalConfig
from qdt_env.scenario import PRESET_NAMES, ScenarioConfig, load_scenario, with_horizon
from qdt_env.twin.codec import encode_view
from qdt_env.twin.state import TWIN_PASSAGE, TWIN_PATIENT, TWIN_ROBOT, TWIN_ZONE


@pytest.fixture(scope="module")
def ward() -> ScenarioConfig:
    """The smallest preset."""
    return load_scenario("ward")


@pytest.mark.parametrize(
    ("name", "robots", "steps", "zones", "storeys"),
    [("ward", 3, 180, (20, 30), 1), ("clinic", 8, 720, (130, 180), 2), ("hospital", 24, 720, (600, 900), 5)],
)
def test_presets_are_those_of_the_design(
    name: str, robots: int, steps: int, zones: tuple[int, int], storeys: int
) -> None:
    scenario = load_scenario(name)
    assert name in PRESET_NAMES
    assert (len(scenario.team), scenario.horizon_steps, scenario.building.n_storeys) == (robots, steps, storeys)
    assert zones[0] <= scenario.building.n_zones <= zones[1]
    assert scenario.patient_slots % 8 == 0 and scenario.patient_slots > 0


def test_building_seeds_give_other_buildings_and_the_same_again() -> None:
    first, again, other = (load_scenario("ward", building_seed=s).building.digest() for s in (0, 0, 1))
    assert first == again != other


def test_a_building_file_is_played_by_its_size(ward: ScenarioConfig, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    save_building(ward.building, path)
    scenario = load_scenario(path)
    assert scenario.name == "mine" and scenario.team == ward.team and scenario.horizon_steps == 180
    assert scenario.building.digest() == replace(ward).building.digest()


def test_the_real_clinic_is_played_as_a_clinic(clinic_path: Path) -> None:
    scenario = load_scenario(clinic_path)
    assert scenario.building.n_zones == 292 and len(scenario.team) == 8 and scenario.horizon_steps == 720


def test_a_ready_scenario_passes_through(ward: ScenarioConfig) -> None:
    assert load_scenario(ward) is ward
    with pytest.raises(FrozenInstanceError):
        ward.name = "other"  # type: ignore[misc]


def test_a_name_that_is_none_says_which_are() -> None:
    with pytest.raises(ValueError, match=r"scenario='castle' is not allowed: one of ward, clinic, hospital"):
        load_scenario("castle")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("building", None),
        ("team", ()),
        ("team", ("tracked", "flying")),
        ("team", ("tracked",) * 101),
        ("horizon_steps", 0),
        ("horizon_steps", 30_001),
        ("horizon_steps", 12.5),
        ("patients", 0),
        ("patients", 4097),
        ("patients", 7.5),
        ("own_eyes_s", -1.0),
        ("own_eyes_s", float("nan")),
        ("own_eyes_s", float("inf")),
        ("stale_s", float("inf")),
        ("quantum_range_m", float("nan")),
    ],
)
def test_what_cannot_be_played_is_refused_by_name(ward: ScenarioConfig, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}="):
        replace(ward, **{field: value})  # type: ignore[arg-type]


def rows_of(scenario: ScenarioConfig) -> tuple[np.ndarray, ...]:
    building = scenario.building
    return (
        np.zeros(scenario.patient_slots, TWIN_PATIENT),
        np.zeros(building.n_passages, TWIN_PASSAGE),
        np.zeros(building.n_zones, TWIN_ZONE),
        np.zeros(len(scenario.team), TWIN_ROBOT),
    )


def test_horizon_and_derived_sizes(ward: ScenarioConfig) -> None:
    assert with_horizon(ward, None) is ward
    assert with_horizon(ward, 12).horizon_steps == 12
    assert replace(ward, patients=5).patient_slots == 5
    assert ward.sensor_period_steps == 6
    assert replace(ward, physical=PhysicalConfig(sensor_period_s=1.0)).sensor_period_steps == 1
    assert replace(ward, patients=5).view_bytes < ward.view_bytes == len(encode_view(*rows_of(ward), written=0))


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_slots_grow_with_the_indoor_area(preset: str) -> None:
    scenario = load_scenario(preset)
    indoor = float(np.sum(scenario.building.area_m2[scenario.building.indoor]))
    area = scenario.physical.area_per_person_m2
    doubled = replace(scenario, physical=PhysicalConfig(area_per_person_m2=area / 2))
    assert scenario.patient_slots > 0.16 * indoor / area
    assert doubled.patient_slots > scenario.patient_slots
