"""What the server believes, and the reports that it believes it from."""

from typing import NamedTuple

import numpy as np

TWIN_ZONE = np.dtype(
    [
        ("mean", "f4", (3,)),  # fused damage [0..5], smoke [0..1], beds
        ("sensor_mean", "f4", (3,)),  # from the fixed sensor alone: kept apart so that peers can be left out
        ("sensor_var", "f4", (3,)),
        ("robot_mean", "f4", (3,)),  # from the last robot that reported from here
        ("robot_var", "f4", (3,)),
        ("positive", "f4"),  # trust evidence for the fixed sensor
        ("negative", "f4"),  # against it
        ("evidence_step", "i2"),
        ("sensor_step", "i2"),  # last accepted reading, -1 none
        ("robot_step", "i2"),
        ("robot_source", "i2"),  # robot, -1 none
        ("changed", "i2"),  # last step at which a view of this zone changed
        ("damage", "i1"),  # rounded fused damage, as delivered in views
        ("smoke", "i1"),  # fused smoke in percent
        ("seen", "i1"),  # 0/1: a robot has been here
    ],
    align=True,
)
TWIN_PASSAGE = np.dtype(
    [
        ("passable", "f4"),  # 1 open, 0.4 slow, 0 blocked
        ("var", "f4"),
        ("step", "i2"),  # last accepted reading, -1 plan only
        ("source", "i2"),  # robot, -1 plan
        ("changed", "i2"),
        ("condition", "i1"),  # the believed condition
    ],
    align=True,
)
TWIN_PATIENT = np.dtype(
    [
        ("rpm", "f4"),  # estimate at rpm_step [0..12]
        ("var", "f4"),
        ("work_min", "f4"),  # believed extrication left [robot-min]
        ("trust", "f4"),  # S of the source when it was taken [0..1]
        ("step", "i2"),  # last accepted news, -1 census only
        ("rpm_step", "i2"),  # last accepted RPM reading, 0 the start
        ("zone", "i2"),  # believed place, -1 unknown
        ("source", "i2"),  # robot, -1 census
        ("changed", "i2"),
        ("status", "i1"),  # believed status (physical.state)
        ("known", "i1"),  # 0/1: somebody saw the patient
        ("kitted", "i1"),  # 0/1
    ],
    align=True,
)
TWIN_ROBOT = np.dtype(
    [
        ("reading", "f4", (3,)),  # last accepted reading: damage, smoke, beds
        ("energy", "f4"),
        ("positive", "f4"),  # trust evidence for this source
        ("negative", "f4"),
        ("trust", "f4"),  # S [0..1]
        ("evidence_step", "i2"),
        ("step", "i2"),  # when the last accepted report was written
        ("reading_step", "i2"),  # when the last accepted reading was written, -1 none
        ("reading_zone", "i2"),  # of which zone it is
        ("zone", "i2"),
        ("task", "i2"),  # action being carried out
        ("patient", "i2"),  # carried, -1 none
        ("judged", "i2"),  # how often it was judged; its last judgements are in Twin.evidence
        ("kits", "i1"),
    ],
    align=True,
)
EVIDENCE = np.dtype(
    [
        ("surprise", "f4"),  # F in [0, 1]: how unlikely so large a difference from the others is for an honest source
        ("information", "f4"),  # iota in [0, 1]: how much the others could tell
        ("step", "i2"),  # when the twin judged
        ("zone", "i2"),  # that the reading was of
    ],
    align=True,
)
EVIDENCE_KEPT = 16  # last judgements of each robot, for explanations
REPORT = np.dtype(
    [
        ("reading", "f4", (3,)),  # damage, smoke, beds of its zone
        ("energy", "f4"),
        ("written", "i2"),  # step at which it claims to be written
        ("zone", "i2"),
        ("task", "i2"),
        ("patient", "i2"),
        ("sightings", "i2"),  # valid entries of the sighting list
        ("kits", "i1"),
        ("valid", "i1"),  # 0/1: there is such a report
        ("stands", "i1"),  # 0/1: in a zone (not within a passage), so the readings are there
    ],
    align=True,
)
SIGHTING = np.dtype(
    [
        ("rpm", "f4"),
        ("work_min", "f4"),
        ("patient", "i2"),
        ("status", "i1"),  # EMPTY: expected here, but absent
        ("kitted", "i1"),
    ],
    align=True,
)
MAX_SIGHTINGS = 12  # of one report; a robot beside more patients reports the first ones, by slot


class Reports(NamedTuple):
    """What the robots send up; the last dimension of ``passages`` is the neighbour slot."""

    heads: np.ndarray  # (B, R) REPORT
    passages: np.ndarray  # (B, R, D) int8 condition of the own zone's passages, -1 none
    sightings: np.ndarray  # (B, R, MAX_SIGHTINGS) SIGHTING


class Twin(NamedTuple):
    """The twin's state, B episodes."""

    zones: np.ndarray  # (B, Z) TWIN_ZONE
    passages: np.ndarray  # (B, E) TWIN_PASSAGE
    patients: np.ndarray  # (B, P) TWIN_PATIENT
    robots: np.ndarray  # (B, R) TWIN_ROBOT
    evidence: np.ndarray  # (B, R, EVIDENCE_KEPT) EVIDENCE, judgement number k at k % EVIDENCE_KEPT
    zones_changed: np.ndarray  # (B,) int32 last step at which any zone's view changed
    passages_changed: np.ndarray  # (B,) int32
    patients_changed: np.ndarray  # (B,) int32


def empty_reports(episodes: int, robots: int, slots: int) -> Reports:
    """Zeroed reports."""
    return Reports(
        heads=np.zeros((episodes, robots), REPORT),
        passages=np.full((episodes, robots, slots), -1, np.int8),
        sightings=np.zeros((episodes, robots, MAX_SIGHTINGS), SIGHTING),
    )


def empty_twin(episodes: int, zones: int, passages: int, patients: int, robots: int) -> Twin:
    """A zeroed twin."""
    return Twin(
        zones=np.zeros((episodes, zones), TWIN_ZONE),
        passages=np.zeros((episodes, passages), TWIN_PASSAGE),
        patients=np.zeros((episodes, patients), TWIN_PATIENT),
        robots=np.zeros((episodes, robots), TWIN_ROBOT),
        evidence=np.zeros((episodes, robots, EVIDENCE_KEPT), EVIDENCE),
        zones_changed=np.zeros(episodes, np.int32),
        passages_changed=np.zeros(episodes, np.int32),
        patients_changed=np.zeros(episodes, np.int32),
    )
