"""What a generated building is asked to be: sizes with ranges, and the presets."""

import math
from dataclasses import dataclass

import numpy as np

from qdt_env.hospital.programme import DEPARTMENTS
from qdt_env.hospital.vocabulary import BuildingError

_COUNTS: dict[str, tuple[int, int]] = {
    "zones": (8, 20000),
    "storeys": (1, 40),
    "wings": (1, 26),
    "entrances": (1, 64),
    "stairs": (0, 52),
    "elevators": (0, 8),
}
_MEASURES: dict[str, tuple[float, float]] = {
    "mean_zone_m2": (8.0, 200.0),
    "corridor_share": (0.05, 0.5),
    "loop_share": (0.0, 0.5),
    "annex_share": (0.0, 0.5),
    "room_depth_m": (3.0, 12.0),
    "corridor_m": (1.5, 6.0),
    "spine_m": (1.5, 10.0),
    "court_m": (3.0, 30.0),
    "storey_height_m": (2.5, 8.0),
}


@dataclass(frozen=True)
class GeneratorConfig:
    """Size and structure of a generated hospital; the shares' defaults follow the real clinic.

    Raises:
        BuildingError: A value is outside its range, or the values do not fit together; the message names it.
    """

    name: str
    zones: int  # 8 .. 20000, exact number of zones, entries included
    storeys: int = 1  # 1 .. 40
    wings: int = 1  # 1 .. 26, per storey
    departments: tuple[str, ...] = ("Ward", "Housekeeping")  # names in programme.DEPARTMENTS, lowest storey first
    entrances: int = 2  # 1 .. 64
    stairs: int = 0  # 0 .. 2 x wings; at least 2 from 2 storeys up
    elevators: int = 0  # 0 .. 8; 0 on one storey
    mean_zone_m2: float = 18.0  # 8 .. 200, building area by zones
    corridor_share: float = 0.18  # .05 .. .5 of the zones (clinic: 52 of 292)
    loop_share: float = 0.137  # 0 .. .5 independent cycles by zones (clinic: 41 by 292)
    annex_share: float = 0.07  # 0 .. .5 of the rooms lie behind another one
    room_depth_m: float = 6.0  # 3 .. 12 (assumed)
    corridor_m: float = 2.0  # 1.5 .. 6, corridor width (assumed)
    spine_m: float = 2.4  # 1.5 .. 10, spine corridor width (assumed)
    court_m: float = 6.5  # 3 .. 30, gap between wings (assumed)
    storey_height_m: float = 4.5  # 2.5 .. 8 (clinic: 4.57)

    def __post_init__(self) -> None:
        """Check every field, then what must fit together."""
        for field, (low, high) in _COUNTS.items():
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
                raise BuildingError(f"{field}: got {value!r}, allowed is a whole number from {low} to {high}")
        for field, (least, most) in _MEASURES.items():
            value = getattr(self, field)
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or not least <= value <= most:
                raise BuildingError(f"{field}: got {value!r}, allowed is a number from {least:g} to {most:g}")
        self._check_departments()
        self._check_vertical()

    def _check_departments(self) -> None:
        """Departments must be known, and there must be one."""
        if isinstance(self.departments, str) or not self.departments:
            raise BuildingError(f"departments: got {self.departments!r}, allowed is a tuple of at least one name")
        for name in self.departments:
            if name not in DEPARTMENTS:
                raise BuildingError(f"departments: got {name!r}, allowed are {', '.join(DEPARTMENTS)}")

    def _check_vertical(self) -> None:
        """Stairs and lifts must fit the storeys and wings."""
        if self.storeys == 1 and (self.stairs or self.elevators):
            field = "stairs" if self.stairs else "elevators"
            raise BuildingError(f"{field}: got {getattr(self, field)}, allowed is 0 on a single storey")
        if self.storeys > 1 and not 2 <= self.stairs <= 2 * self.wings:
            raise BuildingError(
                f"stairs: got {self.stairs}, allowed is 2 to {2 * self.wings} "
                f"({self.storeys} storeys, {self.wings} wings)"
            )

    def departments_on(self, storey: int) -> tuple[str, ...]:
        """Departments of a storey: an even, contiguous share, or one of them in turn when storeys outnumber them."""
        count = len(self.departments)
        if count < self.storeys:
            return (self.departments[storey % count],)
        return self.departments[storey * count // self.storeys : (storey + 1) * count // self.storeys]


PRESETS: dict[str, GeneratorConfig] = {
    "ward": GeneratorConfig("ward", zones=24, mean_zone_m2=17.0, corridor_share=0.17, room_depth_m=4.8),
    "clinic": GeneratorConfig(
        "clinic",
        zones=150,
        storeys=2,
        wings=4,
        departments=(
            "AdultMedicine",
            "Pediatrics",
            "Pharmacy",
            "Radiology",
            "Logistics",
            "Dental",
            "Pathology",
            "MentalHealth",
            "Housekeeping",
            "Administration",
        ),
        entrances=8,
        stairs=3,
        elevators=1,
        mean_zone_m2=24.0,
    ),
    "hospital": GeneratorConfig(
        "hospital",
        zones=640,
        storeys=5,
        wings=6,
        departments=(
            "Emergency",
            "Radiology",
            "Pharmacy",
            "Logistics",
            "Mechanical",
            "Surgery",
            "IntensiveCare",
            "Pathology",
            "Housekeeping",
            "Ward",
            "AdultMedicine",
            "Pediatrics",
            "Ward",
            "Maternity",
            "Dental",
            "Ward",
            "MentalHealth",
            "Administration",
        ),
        entrances=14,
        stairs=5,
        elevators=3,
        mean_zone_m2=24.0,
    ),
}
