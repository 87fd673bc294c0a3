"""The generator: presets, determinism, structure, and statistics beside the real clinic's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.hospital import (
    ELEVATOR,
    OUTDOOR,
    PRESETS,
    STAIR,
    ZONE_KINDS,
    BuildingError,
    GeneratorConfig,
    generate_building,
    load_building,
    measure_building,
)

SEEDS = range(8)


@pytest.mark.parametrize(
    ("preset", "zones", "storeys", "entrances"), [("ward", 24, 1, 2), ("clinic", 150, 2, 8), ("hospital", 640, 5, 14)]
)
def test_presets_have_the_promised_size(preset: str, zones: int, storeys: int, entrances: int) -> None:
    building = generate_building(preset, 1)
    assert (building.n_zones, building.n_storeys, len(building.entrances)) == (zones, storeys, entrances)
    mean = float(building.area_m2.mean())
    assert mean == pytest.approx(PRESETS[preset].mean_zone_m2, rel=0.03)
    assert len(building.depots) >= storeys
    depot_storeys = set(building.storey[building.depots].tolist())
    assert depot_storeys == set(range(storeys))


def test_a_seed_gives_the_same_building_and_another_seed_another() -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that the global generator is left alone is the point
    digests = [generate_building("clinic", seed).digest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.parametrize("preset", list(PRESETS))
def test_rooms_do_not_overlap(preset: str) -> None:
    building = generate_building(preset, 2)
    for storey in range(building.n_storeys):
        box = building.bbox_m[(building.storey == storey) & building.indoor].astype(float)
        width = np.minimum(box[:, None, 2], box[None, :, 2]) - np.maximum(box[:, None, 0], box[None, :, 0])
        height = np.minimum(box[:, None, 3], box[None, :, 3]) - np.maximum(box[:, None, 1], box[None, :, 1])
        overlap = np.triu(np.clip(width, 0, None) * np.clip(height, 0, None), 1)
        assert overlap.max() < 1e-3


def test_storeys_are_joined_by_aligned_stairs_and_lifts() -> None:
    building = generate_building("hospital", 0)
    for kind, per_storey in ((STAIR, 5), (ELEVATOR, 3)):
        ends = building.passage_zones[building.passage_kind == kind]
        assert len(ends) == per_storey * 4
        assert (np.abs(np.diff(building.storey[ends], axis=1)) == 1).all()
        np.testing.assert_array_equal(building.position_m[ends[:, 0], :2], building.position_m[ends[:, 1], :2])
    outdoor = building.passage_zones[building.passage_kind == OUTDOOR]
    assert set(outdoor.ravel().tolist()) == set(building.entrances.tolist())


def test_passages_are_no_shorter_than_the_straight_line() -> None:
    building = generate_building("clinic", 0)
    first, second = building.position_m[building.passage_zones].transpose(1, 0, 2).astype(float)
    straight = np.linalg.norm(first - second, axis=1)
    assert (building.length_m >= straight - 1e-3).all()


def test_statistics_are_like_the_real_clinics(clinic_path: Path) -> None:
    """Means over 8 seeds of the clinic preset (150 zones) within stated bands of the real clinic (292 zones).

    The bands are wide enough for the difference in size (the diameter grows with it) and narrow enough to fail for
    trees (bridges 1), grids (leaves 0) or stars.
    """
    real = measure_building(load_building(clinic_path))
    made = [measure_building(generate_building("clinic", seed)) for seed in SEEDS]

    def mean(name: str) -> float:
        return float(np.mean([getattr(row, name) for row in made]))

    assert mean("degree_mean") == pytest.approx(real.degree_mean, abs=0.05)
    assert mean("degree_max") == pytest.approx(real.degree_max, abs=2)
    assert mean("leaves_share") == pytest.approx(real.leaves_share, abs=0.05)
    assert mean("bridges_share") == pytest.approx(real.bridges_share, abs=0.05)
    assert mean("hop_diameter") == pytest.approx(real.hop_diameter, abs=6)
    assert mean("entrance_m_p50") == pytest.approx(real.entrance_m_p50, abs=12)
    assert mean("entrance_m_p90") == pytest.approx(real.entrance_m_p90, abs=12)
    assert mean("entrance_m_max") == pytest.approx(real.entrance_m_max, abs=12)
    for function in set(real.area_shares).union(*(row.area_shares for row in made)):
        share = float(np.mean([row.area_shares.get(function, 0.0) for row in made]))
        assert share == pytest.approx(real.area_shares.get(function, 0.0), abs=0.06), function


def test_at_the_real_size_the_diameter_is_the_real_one(clinic_path: Path) -> None:
    real = measure_building(load_building(clinic_path))
    config = replace(PRESETS["clinic"], zones=292, entrances=13, mean_zone_m2=15.8)
    made = [measure_building(generate_building(config, seed)) for seed in range(4)]
    assert all(abs(row.hop_diameter - real.hop_diameter) <= 3 for row in made)
    assert all(abs(row.bridges_share - real.bridges_share) < 0.07 for row in made)
    assert all(abs(row.leaves_share - real.leaves_share) < 0.07 for row in made)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zones": 3}, "zones: got 3, allowed is a whole number from 8"),
        ({"zones": 60, "mean_zone_m2": 60.0}, "zones: got 60, 2 storeys of 4 wings .* need at least"),
        ({"zones": 150.5}, "zones: got 150.5"),
        ({"storeys": True}, "storeys: got True"),
        ({"storeys": 1}, "stairs: got 3, allowed is 0"),
        ({"stairs": 1}, "stairs: got 1, allowed is 2 to 8"),
        ({"wings": 27}, "wings: got 27"),
        ({"departments": ("Cinema",)}, "departments: got 'Cinema', allowed are AdultMedicine"),
        ({"departments": ()}, "departments: got"),
        ({"departments": "Ward"}, "departments: got 'Ward'"),
        ({"mean_zone_m2": float("nan")}, "mean_zone_m2: got nan"),
        ({"mean_zone_m2": 8.0, "wings": 8}, "wings: 8 wings on 2 storeys would be"),
        ({"loop_share": -0.1}, "loop_share: got -0.1"),
        ({"entrances": 64}, "entrances: got 64, the ground floor has|zones: got"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BuildingError, match=words):
        generate_building(replace(PRESETS["clinic"], **change))


@pytest.mark.parametrize(("preset", "seed"), [("castle", 0), (7, 0), ("ward", -1), ("ward", 1.5), ("ward", True)])
def test_a_bad_preset_or_seed_is_refused(preset: Any, seed: Any) -> None:
    with pytest.raises(BuildingError, match="allowed"):
        generate_building(preset, seed)


def test_zone_ids_stay_apart_in_wide_and_long_wings() -> None:
    long = GeneratorConfig("long", zones=250)
    wide = GeneratorConfig("wide", zones=1500, wings=26, mean_zone_m2=30.0)
    for config in (long, wide):
        assert generate_building(config, 0).n_zones == config.zones


def test_larger_hospitals_can_be_asked_for() -> None:
    config = GeneratorConfig(
        "large", zones=2000, storeys=8, wings=10, departments=("Ward", "Surgery"), entrances=20, stairs=8, elevators=4
    )
    building = generate_building(config, 5)
    assert (building.n_zones, building.n_storeys, len(building.entrances)) == (2000, 8, 20)
    assert {"ward", "operating"} <= {ZONE_KINDS[kind] for kind in building.zone_kind}
