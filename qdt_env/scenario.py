"""Scenarios: a building, a team, a mission length and the parameters of the layers, as one frozen object."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from qdt_env.hospital import HospitalGraph, generate_building, load_building
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.state import ROBOT_KINDS
from qdt_env.random import whole_number
from qdt_env.records import require
from qdt_env.security.channel import ChannelConfig
from qdt_env.twin.codec import report_bytes, view_bytes
from qdt_env.twin.config import TwinConfig

_HURT_SHARE = 0.16  # of the occupants, severities 1-3, at the default shock: sizes the patient slots
_LONGEST = 30_000  # steps of a mission
_SPREAD = 2.5  # standard deviations of room in the slots (counts are over-dispersed: zones collapse as a whole)


@dataclass(frozen=True)
class ScenarioConfig:
    """What a mission is, apart from seed, suite and threats.

    Attributes:
        name: for tables and titles.
        building: the hospital.
        team: robot kinds in order, each "legged", "tracked" or "aerial".
        horizon_steps: length of the mission in steps, 1 .. 30000.
        patients: patient slots; None sizes them to the building.
        physical, twin, channel: parameters of the layers.
        own_eyes_s: own perception outranks the twin's older news this long (assumed) [s].
        stale_s: a decision on a view older than this counts as stale (assumed) [s].
        quantum_range_m: reach of the free-space quantum channel to a gateway or relay (assumed) [m].
    """

    name: str
    building: HospitalGraph
    team: tuple[str, ...]
    horizon_steps: int
    patients: int | None = None
    physical: PhysicalConfig = field(default_factory=PhysicalConfig)
    twin: TwinConfig = field(default_factory=TwinConfig)
    channel: ChannelConfig = field(default_factory=ChannelConfig)
    own_eyes_s: float = 300.0
    stale_s: float = 60.0
    quantum_range_m: float = 15.0

    def __post_init__(self) -> None:
        """Reject what cannot be played.

        Raises:
            ValueError: naming the field, what was given and what is allowed.
        """
        require(isinstance(self.building, HospitalGraph), "building", self.building, "a HospitalGraph")
        require(1 <= len(self.team) <= 100, "team", self.team, "1 to 100 robot kinds")
        for kind in self.team:
            require(kind in ROBOT_KINDS, "team", kind, f"one of {', '.join(ROBOT_KINDS)}")
        whole = isinstance(self.horizon_steps, int)
        whole = whole and 1 <= self.horizon_steps <= _LONGEST
        require(whole, "horizon_steps", self.horizon_steps, f"1 to {_LONGEST} steps")
        slots = self.patients
        whole = slots is None or (isinstance(slots, int) and 1 <= slots <= 4096)
        require(whole, "patients", self.patients, "None or 1 to 4096 slots")
        for name in ("own_eyes_s", "stale_s", "quantum_range_m"):
            require(0.0 <= getattr(self, name) <= 1e6, name, getattr(self, name), "a number in [0, 1e6]")

    @property
    def patient_slots(self) -> int:
        """Patient slots P: as given, or room for the casualties of the default shock in this building."""
        if self.patients is not None:
            return self.patients
        indoor_m2 = float(np.sum(self.building.area_m2[self.building.indoor]))
        mean = _HURT_SHARE * indoor_m2 / self.physical.area_per_person_m2
        return 8 * int(np.ceil((mean + _SPREAD * np.sqrt(1.5 * mean)) / 8))

    @property
    def view_bytes(self) -> int:
        """Size of one view on the wire."""
        return view_bytes(self.patient_slots, self.building.n_passages, self.building.n_zones, len(self.team))

    @property
    def report_bytes(self) -> int:
        """Size of a robot's report on the wire."""
        return report_bytes(self.building.max_degree)

    @property
    def sensor_period_steps(self) -> int:
        """Steps between two reports of one fixed sensor."""
        return max(1, round(self.physical.sensor_period_s / self.physical.dt_s))


_TEAMS = {
    "ward": ("tracked", "tracked", "legged"),
    "clinic": ("tracked",) * 4 + ("legged",) * 2 + ("aerial",) * 2,
    "hospital": ("tracked",) * 12 + ("legged",) * 8 + ("aerial",) * 4,
}
_WARD_M2_PER_PERSON = 6.5  # a ward is bedded more densely than the Hazus mean of all hospital floors (assumed)
_HORIZONS = {"ward": 180, "clinic": 720, "hospital": 720}
PRESET_NAMES = tuple(_TEAMS)


def load_scenario(scenario: str | Path | ScenarioConfig, *, building_seed: int = 0) -> ScenarioConfig:
    """A scenario from a preset name, a building file or a ready config.

    Args:
        scenario: "ward", "clinic", "hospital" ("ward:7": the preset's building of seed 7), the path of a .json or
            .graphml building (team and mission length by its size), or a :class:`ScenarioConfig`, which is returned
            as it is.
        building_seed: which generated building of a preset, 0 .. 2^128-1.

    Raises:
        ValueError: neither a preset nor an existing file, or two building seeds; BuildingError where the file is not a
            valid building.
    """
    if isinstance(scenario, ScenarioConfig):
        return scenario
    given = isinstance(scenario, str | Path)
    require(given, "scenario", scenario, f"{', '.join(_TEAMS)}, the path of a building file, or a ScenarioConfig")
    whole_number(building_seed, "building_seed", 2**128)
    name, colon, seed = str(scenario).partition(":")
    if name in _TEAMS and ((seed.isdecimal() and len(seed) < 40) or not colon):
        require(not (colon and building_seed), "building_seed", building_seed, f"none beside scenario={scenario!r}")
        physical = PhysicalConfig(area_per_person_m2=_WARD_M2_PER_PERSON) if name == "ward" else PhysicalConfig()
        building = generate_building(name, int(seed) if colon else building_seed)
        return ScenarioConfig(name, building, _TEAMS[name], _HORIZONS[name], physical=physical)
    path = Path(scenario)
    known = path.suffix.lower() in (".json", ".graphml")
    if not path.is_file() and not known:
        allowed = f"one of {', '.join(_TEAMS)}, one of their buildings such as ward:7, or a .json or .graphml building"
        raise ValueError(f"scenario={str(scenario)!r} is not allowed: {allowed}")
    building = load_building(path)
    like = "ward" if building.n_zones < 60 else ("clinic" if building.n_zones < 450 else "hospital")
    return ScenarioConfig(path.stem, building, _TEAMS[like], _HORIZONS[like])


def with_horizon(scenario: ScenarioConfig, max_cycles: int | None) -> ScenarioConfig:
    """The same scenario with another mission length (None: unchanged).

    Raises:
        ValueError: it is out of range.
    """
    if max_cycles is None:
        return scenario
    whole = isinstance(max_cycles, int | np.integer) and 1 <= max_cycles <= _LONGEST
    require(whole, "max_cycles", max_cycles, f"None or 1 to {_LONGEST} steps")
    return replace(scenario, horizon_steps=int(max_cycles))
