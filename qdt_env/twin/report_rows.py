"""Rows of reports and readings between records and a message: the compiled part of the wire codec for the uplink.

Taking checks every row before it writes any.
"""

import numpy as np

from qdt_env.compiled import batch, phase, rule
from qdt_env.physical.state import BLOCKED, CARRIED
from qdt_env.twin.packed import MOST_MINUTES, is_flag, is_reading, is_rpm

_ONE, _ZERO = np.float32(1.0), np.float32(0.0)


@batch
def pack_report(heads, passages, sightings, b, r, to_heads, to_passages, to_sightings, to_bytes, row):
    """Report (b, r) into row ``row`` of packed ones.

    Args:
        heads, passages, sightings: arrays of a ``Reports`` tuple.
        b, r: which report.
        to_heads, to_passages, to_sightings: (N,) ``PACKED_REPORT``, (N, D) int8, (N, MAX_SIGHTINGS)
            ``PACKED_SIGHTING``, written.
        to_bytes: (N, bytes) uint8, the memory of ``to_sightings``: unused ones are zero.
        row: which of the N.
    """
    head, target = heads[b, r], to_heads[row]
    for k in range(3):
        target.reading[k] = head.reading[k]
    target.energy = head.energy
    target.zone = head.zone
    target.task = head.task
    target.patient = head.patient
    target.kits = head.kits
    target.stands = head.stands
    for slot in range(passages.shape[2]):
        to_passages[row, slot] = passages[b, r, slot]
    for k in range(to_bytes.shape[1]):
        to_bytes[row, k] = 0
    for k in range(head.sightings):
        source, seen = sightings[b, r, k], to_sightings[row, k]
        seen.rpm = source.rpm
        seen.work_min = source.work_min
        seen.patient = source.patient
        seen.status = source.status
        seen.kitted = source.kitted


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
def _write_report(heads, passages, sightings, row, seen, to_heads, to_passages, to_sightings, b, r, written):
    """A checked report into row [b, r]."""
    target, source = to_heads[b, r], heads[row]
    for k in range(3):
        target.reading[k] = source.reading[k]
    target.energy = source.energy
    target.written = written
    target.zone = source.zone
    target.task = source.task
    target.patient = source.patient
    target.sightings = seen
    target.kits = source.kits
    target.valid = 1
    target.stands = source.stands
    for slot in range(passages.shape[1]):
        to_passages[b, r, slot] = passages[row, slot]
    for k in range(seen):
        sighting, known = sightings[row, k], to_sightings[b, r, k]
        known.rpm = sighting.rpm
        known.work_min = sighting.work_min
        known.patient = sighting.patient
        known.status = sighting.status
        known.kitted = sighting.kitted


@batch
def take_report_rows(
    heads, passages, sightings, sighting_bytes, row, seen, to_heads, to_passages, to_sightings, b, r, written,
    patients, zones, actions,
):  # fmt: skip
    """Check the packed rows of a report, then write them as report (b, r).

    Args:
        heads: (N,) ``PACKED_REPORT``.
        passages: (N, D) int8 conditions.
        sightings: (N, MAX_SIGHTINGS) ``PACKED_SIGHTING``.
        sighting_bytes: (N, bytes) uint8, the memory of ``sightings``; after those in use there must be zeros.
        row: which of the N reports.
        seen: how many sightings are in use.
        to_heads, to_passages, to_sightings: arrays of a ``Reports`` tuple, written at [b, r].
        b, r: where.
        written: step of the message.
        patients, zones, actions: P, Z and the number of actions.

    Returns:
        (field, row), (0, 0) if all is good.
    """
    bad = _check_report(heads[row], patients, zones, actions)
    if bad > 0:
        return bad, 0
    for slot in range(passages.shape[1]):
        if not -1 <= passages[row, slot] <= BLOCKED:
            return 8, slot
    last = -1
    for k in range(seen):
        bad = _check_sighting(sightings[row, k], last, patients)
        if bad > 0:
            return bad, k
        last = sightings[row, k].patient
    used = seen * sighting_bytes.shape[1] // sightings.shape[1]
    for k in range(used, sighting_bytes.shape[1]):
        if sighting_bytes[row, k] != 0:
            return 14, k - used
    _write_report(heads, passages, sightings, row, seen, to_heads, to_passages, to_sightings, b, r, written)
    return 0, 0


@phase
def check_readings(readings, reading_bytes, row, due, first, size):
    """Check a gateway's packed readings.

    Args:
        readings: (N, capacity) ``PACKED_READING``.
        reading_bytes: (N, bytes) uint8, the same memory; after the readings in use there must be zeros.
        row: which of the N messages.
        due: zones, of which ``due[first : first + size]`` are those due, in order.
        first, size: see there; ``size`` readings are in use.

    Returns:
        (field, row), (0, 0) if all is good.
    """
    for k in range(size):
        told = readings[row, k]
        for j in range(3):
            if not is_reading(told.reading[j]):
                return 1, k
        if told.zone != due[first + k]:
            return 2, k
        if not is_flag(told.present):
            return 3, k
    used = size * reading_bytes.shape[1] // max(readings.shape[1], 1)
    for k in range(used, reading_bytes.shape[1]):
        if reading_bytes[row, k] != 0:
            return 4, k - used
    return 0, 0


@batch
def take_reading_rows(readings, reading_bytes, due, rows):
    """Check the packed readings of a gateway, then write those in use into records of the same layout.

    Args:
        readings: (1, capacity) ``PACKED_READING``.
        reading_bytes: (1, bytes) uint8, the same memory.
        due: (n,) int zones that are due, in order.
        rows: (n,) ``PACKED_READING``, written.

    Returns:
        (field, row), (0, 0) if all is good.
    """
    bad, place = check_readings(readings, reading_bytes, 0, due, 0, due.shape[0])
    if bad == 0:
        for k in range(due.shape[0]):
            rows[k] = readings[0, k]
    return bad, place
