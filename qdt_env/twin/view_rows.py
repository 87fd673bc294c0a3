"""Rows of a view between the twin's records and a message: the compiled part of the wire codec for views.

Taking checks every row before it writes any.
"""

import numpy as np

from qdt_env.compiled import batch, rule
from qdt_env.physical.state import BLOCKED, COLLAPSE, HANDED_OVER
from qdt_env.twin.packed import (
    FIRST_OF_PASSAGES,
    FIRST_OF_ROBOTS,
    FIRST_OF_ZONES,
    MOST_EVIDENCE,
    MOST_MINUTES,
    is_flag,
    is_rpm,
)

_ONE, _ZERO = np.float32(1.0), np.float32(0.0)


@rule
def _check_patient(row, written, zones):
    """First bad field of a patient row, 0 if none."""
    if not is_rpm(row.rpm):
        return 1
    if not _ZERO <= row.work_min <= np.float32(MOST_MINUTES):
        return 2
    if not _ZERO <= row.trust <= _ONE:
        return 3
    if not -1 <= row.step <= written:
        return 4
    if not 0 <= row.rpm_step <= written:
        return 5
    if not -1 <= row.zone < zones:
        return 6
    if not 0 <= row.changed <= written:
        return 7
    if not 0 <= row.status <= HANDED_OVER:
        return 8
    if not is_flag(row.known):
        return 9
    return 0 if is_flag(row.kitted) else 10


@rule
def _check_passage(row, written):
    """First bad field of a passage row, 0 if none."""
    if not -1 <= row.step <= written:
        return FIRST_OF_PASSAGES
    if not 0 <= row.changed <= written:
        return FIRST_OF_PASSAGES + 1
    return 0 if 0 <= row.condition <= BLOCKED else FIRST_OF_PASSAGES + 2


@rule
def _check_zone(row, written):
    """First bad field of a zone row, 0 if none."""
    if not 0 <= row.changed <= written:
        return FIRST_OF_ZONES
    if not 0 <= row.damage <= COLLAPSE:
        return FIRST_OF_ZONES + 1
    if not 0 <= row.smoke <= 100:
        return FIRST_OF_ZONES + 2
    return 0 if is_flag(row.seen) else FIRST_OF_ZONES + 3


@rule
def _check_robot(row, written, patients, zones, actions):
    """First bad field of a robot row, 0 if none."""
    if not _ZERO <= row.energy <= _ONE:
        return FIRST_OF_ROBOTS
    if not _ZERO <= row.positive <= np.float32(MOST_EVIDENCE):
        return FIRST_OF_ROBOTS + 1
    if not _ZERO <= row.negative <= np.float32(MOST_EVIDENCE):
        return FIRST_OF_ROBOTS + 2
    if not 0 <= row.evidence_step <= written:
        return FIRST_OF_ROBOTS + 3
    if not 0 <= row.step <= written:
        return FIRST_OF_ROBOTS + 4
    if not 0 <= row.zone < zones:
        return FIRST_OF_ROBOTS + 5
    if not 0 <= row.task < actions:
        return FIRST_OF_ROBOTS + 6
    return 0 if -1 <= row.patient < patients else FIRST_OF_ROBOTS + 7


@rule
def _copy_patient(source, target):
    """What a view tells of a patient."""
    target.rpm = source.rpm
    target.work_min = source.work_min
    target.trust = source.trust
    target.step = source.step
    target.rpm_step = source.rpm_step
    target.zone = source.zone
    target.changed = source.changed
    target.status = source.status
    target.known = source.known
    target.kitted = source.kitted


@rule
def _copy_view(patients, passages, zones, robots, to_patients, to_passages, to_zones, to_robots):
    """What a view tells, row by row, between twin and packed rows in either direction."""
    for i in range(patients.shape[0]):
        _copy_patient(patients[i], to_patients[i])
    for e in range(passages.shape[0]):
        to_passages[e].step = passages[e].step
        to_passages[e].changed = passages[e].changed
        to_passages[e].condition = passages[e].condition
    for z in range(zones.shape[0]):
        to_zones[z].changed = zones[z].changed
        to_zones[z].damage = zones[z].damage
        to_zones[z].smoke = zones[z].smoke
        to_zones[z].seen = zones[z].seen
    for r in range(robots.shape[0]):
        source, target = robots[r], to_robots[r]
        target.energy = source.energy
        target.positive = source.positive
        target.negative = source.negative
        target.evidence_step = source.evidence_step
        target.step = source.step
        target.zone = source.zone
        target.task = source.task
        target.patient = source.patient


@batch
def pack_view(patients, passages, zones, robots, to_patients, to_passages, to_zones, to_robots):
    """The rows of a view into a message: ``TWIN_*`` records (P,), (E,), (Z,), (R,) into ``PACKED_*`` ones."""
    _copy_view(patients, passages, zones, robots, to_patients, to_passages, to_zones, to_robots)


@batch
def take_view_rows(patients, passages, zones, robots, to_patients, to_passages, to_zones, to_robots, written, actions):
    """Check the ``PACKED_*`` rows of a view, then write them into ``TWIN_*`` records of the same numbers.

    Args:
        patients, passages, zones, robots: packed rows (P,), (E,), (Z,), (R,).
        to_patients, to_passages, to_zones, to_robots: twin records, written in the fields that a view carries.
        written: step of the message.
        actions: number of actions.

    Returns:
        (field, row), (0, 0) if all is good.
    """
    for i in range(patients.shape[0]):
        bad = _check_patient(patients[i], written, zones.shape[0])
        if bad > 0:
            return bad, i
    for e in range(passages.shape[0]):
        bad = _check_passage(passages[e], written)
        if bad > 0:
            return bad, e
    for z in range(zones.shape[0]):
        bad = _check_zone(zones[z], written)
        if bad > 0:
            return bad, z
    for r in range(robots.shape[0]):
        bad = _check_robot(robots[r], written, patients.shape[0], zones.shape[0], actions)
        if bad > 0:
            return bad, r
    _copy_view(patients, passages, zones, robots, to_patients, to_passages, to_zones, to_robots)
    return 0, 0
