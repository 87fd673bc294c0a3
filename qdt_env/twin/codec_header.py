"""Headers of the wire codec: kind, version, step and sizes of a message, checked before any of its rows are."""

import struct

from qdt_env.records import require
from qdt_env.twin.packed import (
    PACKED_PASSAGE,
    PACKED_PATIENT,
    PACKED_READING,
    PACKED_REPORT,
    PACKED_ROBOT,
    PACKED_SIGHTING,
    PACKED_ZONE,
)
from qdt_env.twin.state import MAX_SIGHTINGS

CODEC_VERSION = 1
VIEW, REPORT, READINGS = 1, 2, 3
KINDS = {VIEW: "view", REPORT: "report", READINGS: "readings"}
_MAGIC = b"QT"
_HEADER = struct.Struct("<2sBBi4H")
HEADER_BYTES = _HEADER.size
_LAST_STEP = 2**15 - 1  # the twin keeps steps as int16
_MOST = 2**16 - 1  # of anything counted
_STEPS = f"0 to {_LAST_STEP}"


class CodecError(ValueError):
    """Bytes that are no message of the expected kind and size with all values in range; names the first bad field."""


def view_bytes(patients: int, passages: int, zones: int, robots: int) -> int:
    """Size of a view of P patient slots, E passages, Z zones and R robots, in bytes."""
    rows = PACKED_PATIENT.itemsize * patients + PACKED_PASSAGE.itemsize * passages
    return HEADER_BYTES + rows + PACKED_ZONE.itemsize * zones + PACKED_ROBOT.itemsize * robots


def report_bytes(slots: int) -> int:
    """Size of a robot's report in a building of at most ``slots`` passages a zone (D), in bytes."""
    return HEADER_BYTES + PACKED_REPORT.itemsize + slots + PACKED_SIGHTING.itemsize * MAX_SIGHTINGS


def readings_bytes(capacity: int) -> int:
    """Size of a gateway's message with room for ``capacity`` zones, in bytes."""
    return HEADER_BYTES + PACKED_READING.itemsize * capacity


def view_header(patients: int, passages: int, zones: int, robots: int, written: int) -> bytes:
    """What stands before the rows of a view; arguments as of :func:`view_bytes`, and its step."""
    return _header(VIEW, written, (patients, passages, zones, robots))


def report_header(r: int, slots: int, seen: int, written: int) -> bytes:
    """What stands before the rows of a report: head, conditions, sightings.

    Args:
        r: robot.
        slots: D.
        seen: sightings in use.
        written: step, 0..32767.
    """
    return _header(REPORT, written, (r, slots, seen, 0))


def readings_header(gateway: int, size: int, capacity: int, written: int) -> bytes:
    """What stands before a gateway's readings, ``size`` of ``capacity`` in use."""
    return _header(READINGS, written, (gateway, size, capacity, 0))


def open_view(data: bytes, patients: int, passages: int, zones: int, robots: int, now: int) -> int:
    """Check size and header of a view whose rows are still to be checked.

    Args:
        data: the message.
        patients, passages, zones, robots: P, E, Z, R as the receiver expects them.
        now: the receiver's step.

    Returns:
        the step at which the view says that it was written.

    Raises:
        CodecError: naming what is wrong.
    """
    sizes = patients, passages, zones, robots
    return open_message(data, VIEW, view_bytes(*sizes), sizes, ("patients", "passages", "zones", "robots"), now)


def open_report(data: bytes, r: int, slots: int, now: int) -> tuple[int, int]:
    """Check size and header of a report whose rows are still to be checked.

    Args:
        data: the message.
        r, slots, now: as for :func:`decode_report`.

    Returns:
        (step at which it says that it was written, sightings in use).

    Raises:
        CodecError: naming what is wrong.
    """
    seen = int.from_bytes(data[12:14], "little")  # the one number that is the sender's to choose
    if seen > MAX_SIGHTINGS:
        raise CodecError(f"report: {seen} sightings, allowed are 0 to {MAX_SIGHTINGS}")
    expected = (r, slots, seen, 0)
    names = ("robot", "slots", "sightings", "reserved")
    return open_message(data, REPORT, report_bytes(slots), expected, names, now), seen


def open_readings(data: bytes, gateway: int, size: int, capacity: int, now: int) -> int:
    """Check size and header of a gateway's message whose readings are still to be checked.

    Args:
        data: the message.
        gateway: number of the gateway that it must come from.
        size: how many readings it owes.
        capacity, now: as for :func:`decode_readings`.

    Returns:
        the step at which the message says that it was written.

    Raises:
        CodecError: naming what is wrong.
    """
    names = ("gateway", "readings", "capacity", "reserved")
    return open_message(data, READINGS, readings_bytes(capacity), (gateway, size, capacity, 0), names, now)


def _header(kind: int, written: int, counts: tuple[int, ...]) -> bytes:
    """The header of a message."""
    require(0 <= written <= _LAST_STEP, "written", written, _STEPS)
    try:
        return _HEADER.pack(_MAGIC, CODEC_VERSION, kind, written, *counts)
    except struct.error:
        raise ValueError(f"sizes={counts!r} is not allowed: 0 to {_MOST} each") from None


def open_message(data: bytes, kind: int, size: int, expected: tuple[int, ...], names: tuple[str, ...], now: int) -> int:
    """Check length and header; returns the message's step."""
    if len(data) != size:
        raise CodecError(f"{KINDS[kind]}: {len(data)} bytes, allowed are {size}")
    magic, version, found, written, *counts = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != CODEC_VERSION:
        raise CodecError(f"{KINDS[kind]}: no message of version {CODEC_VERSION}")
    if found != kind:
        raise CodecError(f"{KINDS[kind]}: the message is a {KINDS.get(found, f'kind {found}')}")
    if not 0 <= written <= now or written > _LAST_STEP:
        raise CodecError(f"{KINDS[kind]}: written at step {written}, allowed are 0 to {min(now, _LAST_STEP)}")
    if tuple(counts) != expected:
        wrong = [i for i in range(4) if counts[i] != expected[i]][0]
        raise CodecError(f"{KINDS[kind]}: {names[wrong]} {counts[wrong]}, expected are {expected[wrong]}")
    return int(written)
