"""What planners get of the twin: a read-only picture of one moment, as arrays and as a networkx graph."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np

from qdt_env.compiled import phase
from qdt_env.hospital.graph import HospitalGraph
from qdt_env.hospital.routing import Hierarchy, customise, travel_times, travel_times_to_any
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.robots import expected_crossing_s
from qdt_env.physical.state import DAMAGE_STATES, PASSAGE_CONDITIONS, PATIENT_STATUS, ROBOT_KINDS
from qdt_env.records import as_record
from qdt_env.twin.markup import html_card

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class TwinSnapshot:
    """Estimates of P patients, R robots, Z zones and E passages at one step; all arrays are read-only copies.

    ``privileged`` says that the numbers are the truth and not the twin's belief (perfect-information runs only).
    """

    step: int
    dt_s: float
    horizon_steps: int  # last step of the episode
    privileged: bool
    building: HospitalGraph
    hierarchy: Hierarchy
    physical: PhysicalConfig
    patient_status: Array  # (P,) int8 index of PATIENT_STATUS, 0 an empty slot
    patient_zone: Array  # (P,) int32, -1 unknown place
    patient_rpm: Array  # (P,) float32 estimate for this step [0, 12]
    patient_rpm_sd: Array  # (P,) float32 > 0
    patient_work_min: Array  # (P,) float32 believed extrication left [robot-min]
    patient_trust: Array  # (P,) float32 trust in the source [0, 1]
    patient_age_steps: Array  # (P,) int32 since the last news
    patient_known: Array  # (P,) bool: somebody saw the patient
    patient_kitted: Array  # (P,) bool
    robot_kind: Array  # (R,) int8 index of ROBOT_KINDS
    robot_zone: Array  # (R,) int32
    robot_energy: Array  # (R,) float32 [0, 1]
    robot_alive: Array  # (R,) bool: reported within the last ten minutes
    robot_task: Array  # (R,) int32 action being carried out
    robot_patient: Array  # (R,) int32 carried, -1 none
    robot_kits: Array  # (R,) int8
    robot_trust: Array  # (R,) float32 [0, 1]
    passage_condition: Array  # (E,) int8 index of PASSAGE_CONDITIONS
    passage_age_steps: Array  # (E,) int32, since a robot saw it; the step itself where nobody has
    zone_damage: Array  # (Z,) int8 index of DAMAGE_STATES
    zone_smoke: Array  # (Z,) float32 [0, 1]
    zone_seen: Array  # (Z,) bool

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def travel_time_s(self, robot: int) -> Array:
        """(Z,) float32 seconds from robot number ``robot`` to every zone by the believed map, inf where unreachable."""
        return self.times_from_s(int(self.robot_zone[robot]), int(self.robot_kind[robot]))

    def times_from_s(self, zone: int, kind: int) -> Array:
        """(Z,) float32 seconds between ``zone`` and every zone for a robot kind, inf where unreachable."""
        times = np.empty(self.building.n_zones, np.float32)
        travel_times(self.hierarchy, self._arc_times(kind), zone, times)
        return times

    def exit_time_s(self, robot: int) -> Array:
        """(Z,) float32 seconds from every zone to the nearest entrance for this robot's kind, by the believed map."""
        times = np.empty(self.building.n_zones, np.float32)
        entrances = np.array(self.building.entrances, np.int32)
        travel_times_to_any(self.hierarchy, self._arc_times(int(self.robot_kind[robot])), entrances, times)
        return times

    @cached_property
    def network(self) -> nx.MultiGraph:
        """The twin as a graph: the building with believed damage, smoke, conditions, and who is believed where."""
        graph = self.building.to_networkx()
        for z, zone in enumerate(self.building.zone_id):
            graph.nodes[zone].update(
                damage=DAMAGE_STATES[self.zone_damage[z]],
                smoke=float(self.zone_smoke[z]),
                seen=bool(self.zone_seen[z]),
                patients=[int(p) for p in np.flatnonzero((self.patient_zone == z) & (self.patient_status > 0))],
                robots=[int(r) for r in np.flatnonzero(self.robot_zone == z)],
            )
        place = {passage: e for e, passage in enumerate(self.building.passage_id)}
        for _, _, key, data in graph.edges(keys=True, data=True):
            data["condition"] = PASSAGE_CONDITIONS[self.passage_condition[place[key]]]
        graph.graph.update(step=self.step, privileged=self.privileged)
        return graph

    def _arc_times(self, kind: int) -> Array:
        """Arc times of the believed map for a robot kind, computed once per kind."""
        if kind not in self._arcs:
            crossing = np.empty(self.building.n_passages, np.float32)
            kinds, lengths = self.building.passage_kind, self.building.length_m
            expect_crossings(kind, kinds, lengths, self.passage_condition, self._parameters, crossing)
            self._arcs[kind] = np.empty(self.hierarchy.arc_zone.size, np.float32)
            customise(self.hierarchy, crossing, self._arcs[kind])
        return self._arcs[kind]

    @cached_property
    def _arcs(self) -> dict[int, Array]:
        return {}

    @cached_property
    def _parameters(self) -> Any:
        return as_record(self.physical)[0]

    def __repr__(self) -> str:
        """One line: when, how many of what."""
        known = int(np.sum(self.patient_known))
        listed = int(np.sum(self.patient_status > 0))
        kinds = ", ".join(f"{int(np.sum(self.robot_kind == k))} {name}" for k, name in enumerate(ROBOT_KINDS))
        left = int(np.sum((self.patient_status > 0) & (self.patient_status < PATIENT_STATUS.index("handed over"))))
        return f"TwinSnapshot(step {self.step}: {listed} patients, {known} seen, {left} left; {kinds})"

    def _repr_html_(self) -> str:
        """A card for notebooks: when, and what is known of patients, robots, zones and passages."""
        listed = self.patient_status > 0
        seen, conditions = listed & self.patient_known, np.bincount(self.passage_condition, minlength=3)
        team = [
            (str(r), ROBOT_KINDS[kind], self.building.zone_id[self.robot_zone[r]], f"{self.robot_trust[r]:.2f}")
            for r, kind in enumerate(self.robot_kind)
        ]
        facts = {
            "picture": "the truth (perfect information)" if self.privileged else "what the twin believes",
            "time": f"step {self.step} of {self.horizon_steps} ({self.step * self.dt_s / 60.0:.1f} min)",
            "patients": f"{listed.sum()} listed, {seen.sum()} seen by somebody",
            "zones": f"{self.zone_seen.sum()} of {self.building.n_zones} seen",
            "passages": ", ".join(f"{n} {name}" for n, name in zip(conditions, PASSAGE_CONDITIONS, strict=True)),
        }
        progress = self.step / self.horizon_steps
        return html_card("TwinSnapshot", facts, [("robot", "kind", "zone", "trust"), *team], progress)


@phase
def expect_crossings(kind, passage_kind, length_m, condition, cfg, crossing_s):
    """Fill ``crossing_s`` (E,) with the seconds that a robot kind expects each passage to take."""
    for e in range(crossing_s.shape[0]):
        crossing_s[e] = expected_crossing_s(kind, passage_kind[e], length_m[e], condition[e], cfg)
