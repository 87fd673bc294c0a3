"""Rows of reports and readings between records and a message: the compiled part of the wire codec for the uplink.

Taking checks every row before it writes any.
"""

import numpy as np

from qdt_env.compiled import batch, rule
from qdt_env.physical.state import BLOCKED, CARRIED
from qdt_env.twin.packed import MOST_MINUTES, is_flag, is_reading, is_rpm

_ONE, _ZERO = np.float32(1.0), np.float32(0.0)


@batch
def pack_report(heads, passages, sightings, b, r, to_head, to_passages, to_sightings):
    """Report (b, r) into a message: (1,) head, (D,) conditions, (MAX_SIGHTINGS,) sightings, the unused ones zero."""
    head, target = heads[b, r], to_head[0]
    for k in range(3):
        target.reading[k] = head.reading[k]
    target.energy = head.energy
    target.zone = head.zone
    target.task = head.task
    target.patient = head.patient
    target.kits = head.kits
    target.stands = head.stands
    for slot in range(passages.shape[2]):
        to_passages[slot] = passages[b, r, slot]
    for k in range(head.sightings):
        source = sightings[b, r, k]
        to_sightings[k].rpm = source.rpm
        to_sightings[k].work_min = source.work_min
        to_sightings[k].patient = source.patient
        to_sightings[k].status = source.status
        to_sightings[k].kitted = source.kitted


@rule
def _check_report(head, patients, zones, actions):
    """First bad field of a report's head, 0 if none."""
    for k in range(3):
        if not is_reading(head.reading[k]):
            return 1
    if not _ZERO <= head.energy <= _ONE:
        return 2
    if not 0 <= head.zone < zones:
        return 3
    if not 0 <= head.task < actions:
        return 4
    if not -1 <= head.patient < patients:
        return 5
    if head.kits < 0:
        return 6
    return 0 if is_flag(head.stands) else 7


@rule
def _check_sighting(row, last, patients):
    """First bad field of a sighting after that of patient ``last``, 0 if none."""
    if not is_rpm(row.rpm):
        return 9
    if not _ZERO <= row.work_min <= np.float32(MOST_MINUTES):
        return 10
    if not last < row.patient < patients:
        return 11
    if not 0 <= row.status <= CARRIED:
        return 12
    return 0 if is_flag(row.kitted) else 13


@rule
def _write_report(head, passages, sightings, heads, to_passages, to_sightings, b, r, written):
    """A checked report into row [b, r]."""
    target, source = heads[b, r], head[0]
    for k in range(3):
        target.reading[k] = source.reading[k]
    target.energy = source.energy
    target.written = written
    target.zone = source.zone
    target.task = source.task
    target.patient = source.patient
    target.sightings = sightings.shape[0]
    target.kits = source.kits
    target.valid = 1
    target.stands = source.stands
    for slot in range(passages.shape[0]):
        to_passages[b, r, slot] = passages[slot]
    for k in range(sightings.shape[0]):
        row, seen = sightings[k], to_sightings[b, r, k]
        seen.rpm = row.rpm
        seen.work_min = row.work_min
        seen.patient = row.patient
        seen.status = row.status
        seen.kitted = row.kitted


@batch
def take_report_rows(
    head, passages, sightings, padding, heads, to_passages, to_sightings, b, r, written, patients, zones, actions
):
    """Check the packed rows of a report, then write them as report (b, r).

    Args:
        head: (1,) ``PACKED_REPORT``.
        passages: (D,) int8 conditions.
        sightings: (n,) ``PACKED_SIGHTING``.
        padding: (m,) uint8, the rest of the message: zeros.
        heads, to_passages, to_sightings: arrays of a ``Reports`` tuple, written at [b, r].
        b, r: row.
        written: step of the message.
        patients, zones, actions: P, Z and the number of actions.

    Returns:
        (field, row), (0, 0) if all is good.
    """
    bad = _check_report(head[0], patients, zones, actions)
    if bad > 0:
        return bad, 0
    for slot in range(passages.shape[0]):
        if not -1 <= passages[slot] <= BLOCKED:
            return 8, slot
    last = -1
    for k in range(sightings.shape[0]):
        bad = _check_sighting(sightings[k], last, patients)
        if bad > 0:
            return bad, k
        last = sightings[k].patient
    for k in range(padding.shape[0]):
        if padding[k] != 0:
            return 14, k
    _write_report(head, passages, sightings, heads, to_passages, to_sightings, b, r, written)
    return 0, 0


@batch
def take_reading_rows(readings, padding, due, rows):
    """Check the packed readings of a gateway, then write them into records of the same layout.

    Args:
        readings: (n,) ``PACKED_READING``.
        padding: (m,) uint8, the rest of the message: zeros.
        due: (n,) int zones that are due, in order.
        rows: (n,) ``PACKED_READING``, written.

    Returns:
        (field, row), (0, 0) if all is good.
    """
    for k in range(readings.shape[0]):
        row = readings[k]
        for j in range(3):
            if not is_reading(row.reading[j]):
                return 1, k
        if row.zone != due[k]:
            return 2, k
        if not is_flag(row.present):
            return 3, k
    for k in range(padding.shape[0]):
        if padding[k] != 0:
            return 4, k
    for k in range(readings.shape[0]):
        for j in range(3):
            rows[k].reading[j] = readings[k].reading[j]
        rows[k].zone = readings[k].zone
        rows[k].present = readings[k].present
    return 0, 0
