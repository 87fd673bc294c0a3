"""Wire codec of reports, views and readings: versioned, of fixed size, and checked in full before anything is taken.

A message is a header of 16 bytes and packed little-endian rows (``packed.py`` has every field and its range)::

    "QT"  version u1  kind u1  written i4 (the step)  four counts u2
    view      patients P, passages E, zones Z, robots R    PACKED_PATIENT x P, _PASSAGE x E, _ZONE x Z, _ROBOT x R
    report    robot, slots D, sightings n, 0               PACKED_REPORT, int8 x D, PACKED_SIGHTING x 12, n of them used
    readings  gateway, readings n, capacity, 0             PACKED_READING x capacity, n of them used

Unused rows are zero. The size follows from the sizes of building and team alone, so that a message's length tells an
observer nothing and its price in key bits is known beforehand. A view carries what the receiver uses (belief and
observation), nothing else of the twin. Every message has one encoding: what decodes encodes to the same bytes.

Decoding takes the sizes that the receiver expects from the arrays that it hands in, and either writes all of them or
raises :class:`CodecError` and writes nothing. It authenticates nothing: a well-formed lie decodes.
"""

import numpy as np

from qdt_env.records import require
from qdt_env.twin.codec_header import (
    CODEC_VERSION,
    HEADER_BYTES,
    KINDS,
    READINGS,
    REPORT,
    VIEW,
    CodecError,
    open_readings,
    open_report,
    open_view,
    readings_bytes,
    readings_header,
    report_bytes,
    report_header,
    view_bytes,
    view_header,
)
from qdt_env.twin.packed import (
    PACKED_PASSAGE,
    PACKED_PATIENT,
    PACKED_READING,
    PACKED_REPORT,
    PACKED_ROBOT,
    PACKED_SIGHTING,
    PACKED_ZONE,
    READING_FIELDS,
    REPORT_FIELDS,
    VIEW_FIELDS,
)
from qdt_env.twin.report_rows import pack_report, take_reading_rows, take_report_rows
from qdt_env.twin.state import MAX_SIGHTINGS, Reports
from qdt_env.twin.view_rows import pack_view, take_view_rows

__all__ = [
    "CODEC_VERSION",
    "HEADER_BYTES",
    "READING",
    "CodecError",
    "decode_readings",
    "decode_report",
    "decode_view",
    "encode_readings",
    "encode_report",
    "encode_view",
    "readings_bytes",
    "report_bytes",
    "view_bytes",
]

READING = PACKED_READING  # one zone's reading: reading (3,) f4, zone i2, present i1 (0: the sensor is silent)


def encode_view(
    patients: np.ndarray, passages: np.ndarray, zones: np.ndarray, robots: np.ndarray, written: int
) -> bytes:
    """A view as bytes.

    Args:
        patients: (P,) ``TWIN_PATIENT``.
        passages: (E,) ``TWIN_PASSAGE``.
        zones: (Z,) ``TWIN_ZONE``.
        robots: (R,) ``TWIN_ROBOT``.
        written: step of the view, 0..32767.

    Raises:
        ValueError: written or a number of rows is out of range.
    """
    sizes = len(patients), len(passages), len(zones), len(robots)
    message = bytearray(view_bytes(*sizes))
    message[:HEADER_BYTES] = view_header(*sizes, written)
    pack_view(patients, passages, zones, robots, *_view_rows(message, *sizes))
    return bytes(message)


def decode_view(
    data: bytes,
    patients: np.ndarray,
    passages: np.ndarray,
    zones: np.ndarray,
    robots: np.ndarray,
    *,
    actions: int,
    now: int,
) -> int:
    """Take a view into records of the receiver; only the fields that a view carries are written.

    Args:
        data: the message.
        patients, passages, zones, robots: (P,), (E,), (Z,), (R,) twin records, written: the sizes expected.
        actions: number of actions of a robot.
        now: the receiver's step: no message is written, and no news is made, after it.

    Returns:
        the step at which the view says that it was written.

    Raises:
        CodecError: naming the field; then nothing was written.
    """
    data = bytes(data)
    sizes = len(patients), len(passages), len(zones), len(robots)
    written = open_view(data, *sizes, now)
    field, row = take_view_rows(*_view_rows(data, *sizes), patients, passages, zones, robots, written, actions)
    _refuse(VIEW, VIEW_FIELDS[field], row)
    return written


def encode_report(reports: Reports, b: int, r: int, written: int) -> bytes:
    """Report of robot ``r`` as bytes.

    Args:
        reports: the reports, of which row [b, r] is sent.
        b, r: episode and robot.
        written: step of the report, 0..32767.

    Raises:
        ValueError: written, the robot or the number of slots or sightings is out of range.
    """
    slots, seen = reports.passages.shape[2], int(reports.heads["sightings"][b, r])
    require(0 <= seen <= MAX_SIGHTINGS, "sightings", seen, f"0 to {MAX_SIGHTINGS}")
    message = bytearray(report_bytes(slots))
    message[:HEADER_BYTES] = report_header(r, slots, seen, written)
    pack_report(*reports, b, r, *_report_rows(message, slots), 0)
    return bytes(message)


def decode_report(
    data: bytes, reports: Reports, b: int, r: int, *, patients: int, zones: int, actions: int, now: int
) -> int:
    """Take the report of robot ``r`` into row [b, r], marked valid and with the step that it claims.

    Args:
        data: the message.
        reports: of the receiver; row [b, r] is written (of the sightings, the valid ones).
        b, r: episode, and the robot that the message must come from.
        patients, zones, actions: P, Z and the number of actions.
        now: the receiver's step: no report is written after it.

    Returns:
        the step at which the report says that it was written.

    Raises:
        CodecError: naming the field; then nothing was written.
    """
    slots = reports.passages.shape[2]
    data = bytes(data)
    written, seen = open_report(data, r, slots, now)
    rows = _report_rows(data, slots)
    field, row = take_report_rows(*rows, 0, seen, *reports, b, r, written, patients, zones, actions)
    _refuse(REPORT, REPORT_FIELDS[field], row)
    return written


def encode_readings(rows: np.ndarray, gateway: int, written: int, capacity: int | None = None) -> bytes:
    """A gateway's readings of the zones that are due as bytes.

    Args:
        rows: (n,) ``READING``, in the order in which the zones are due.
        gateway: number of the gateway, 0..65535.
        written: step, 0..32767.
        capacity: room in readings, n or more, so that all messages of a gateway have one size; None for n.

    Raises:
        ValueError: an argument is out of range.
    """
    capacity = len(rows) if capacity is None else capacity
    require(capacity >= len(rows), "capacity", capacity, f"{len(rows)} readings or more")
    message = bytearray(readings_bytes(capacity))
    message[:HEADER_BYTES] = readings_header(gateway, len(rows), capacity, written)
    np.ndarray(len(rows), PACKED_READING, message, HEADER_BYTES)[:] = rows
    return bytes(message)


def decode_readings(
    data: bytes, rows: np.ndarray, due: np.ndarray, *, gateway: int, now: int, capacity: int | None = None
) -> int:
    """Take a gateway's readings.

    Args:
        data: the message.
        rows: (n,) ``READING``, written.
        due: (n,) int32 zones that this gateway owes a reading of, in order.
        gateway: number of the gateway that the message must come from.
        now: the receiver's step: no message is written after it.
        capacity: as agreed with the sender; None for n.

    Returns:
        the step at which the message says that it was written.

    Raises:
        CodecError: naming the field; then nothing was written.
    """
    capacity = len(due) if capacity is None else capacity
    data = bytes(data)
    written = open_readings(data, gateway, len(due), capacity, now)
    readings = np.ndarray((1, capacity), PACKED_READING, data, HEADER_BYTES)
    as_bytes = np.ndarray((1, len(data) - HEADER_BYTES), np.uint8, data, HEADER_BYTES)
    field, row = take_reading_rows(readings, as_bytes, due, rows)
    _refuse(READINGS, READING_FIELDS[field], row)
    return written


def _view_rows(
    message: bytes | bytearray, patients: int, passages: int, zones: int, robots: int
) -> tuple[np.ndarray, ...]:
    """The rows of a view within its message, not copied: patients, passages, zones, robots."""
    a = HEADER_BYTES + PACKED_PATIENT.itemsize * patients
    b = a + PACKED_PASSAGE.itemsize * passages
    c = b + PACKED_ZONE.itemsize * zones
    return (
        np.ndarray(patients, PACKED_PATIENT, message, HEADER_BYTES),
        np.ndarray(passages, PACKED_PASSAGE, message, a),
        np.ndarray(zones, PACKED_ZONE, message, b),
        np.ndarray(robots, PACKED_ROBOT, message, c),
    )


def _report_rows(message: bytes | bytearray, slots: int) -> tuple[np.ndarray, ...]:
    """The rows of a report within its message: head (1,), conditions (1, D), sightings (1, n) and their bytes."""
    a = HEADER_BYTES + PACKED_REPORT.itemsize
    b = a + slots
    return (
        np.ndarray(1, PACKED_REPORT, message, HEADER_BYTES),
        np.ndarray((1, slots), np.int8, message, a),
        np.ndarray((1, MAX_SIGHTINGS), PACKED_SIGHTING, message, b),
        np.ndarray((1, PACKED_SIGHTING.itemsize * MAX_SIGHTINGS), np.uint8, message, b),
    )


def _refuse(kind: int, field: str, row: int) -> None:
    """Raise for a field that a kernel found bad."""
    if field:
        raise CodecError(f"{KINDS[kind]}: {field} of row {row} is out of range")
