"""The hospital: zones and passages as frozen arrays, exchange formats, a seeded generator and building statistics."""

from qdt_env.hospital.generator import PRESETS, GeneratorConfig, generate_building
from qdt_env.hospital.graph import (
    DOOR,
    ELEVATOR,
    ELEVATOR_DOOR,
    HALL,
    OPENING,
    OUTDOOR,
    PASSAGE_KINDS,
    STAIR,
    ZONE_KINDS,
    BuildingError,
    HospitalGraph,
)
from qdt_env.hospital.io import load_building, save_building
from qdt_env.hospital.statistics import BuildingStatistics, measure_building

__all__ = [
    "DOOR",
    "ELEVATOR",
    "ELEVATOR_DOOR",
    "HALL",
    "OPENING",
    "OUTDOOR",
    "PASSAGE_KINDS",
    "PRESETS",
    "STAIR",
    "ZONE_KINDS",
    "BuildingError",
    "BuildingStatistics",
    "GeneratorConfig",
    "HospitalGraph",
    "generate_building",
    "load_building",
    "measure_building",
    "save_building",
]
