"""The wire codec: what goes in comes out, sizes are fixed, and a field out of its range is named and nothing taken."""

from collections.abc import Callable

import numpy as np
import pytest

from qdt_env.twin.codec import (
    HEADER_BYTES,
    READING,
    CodecError,
    decode_readings,
    decode_report,
    decode_view,
    encode_readings,
    encode_report,
    encode_view,
    readings_bytes,
    report_bytes,
    view_bytes,
)
from qdt_env.twin.packed import (
    PACKED_PASSAGE,
    PACKED_PATIENT,
    PACKED_REPORT,
    PACKED_ROBOT,
    PACKED_SIGHTING,
    PACKED_ZONE,
)
from qdt_env.twin.state import MAX_SIGHTINGS, Reports, Twin, empty_reports, empty_twin

P, E, Z, R, D = 7, 9, 6, 3, 5
ACTIONS, NOW = 14, 40
SECTIONS = {"patients": PACKED_PATIENT, "passages": PACKED_PASSAGE, "zones": PACKED_ZONE, "robots": PACKED_ROBOT}


def random_twin(key: int) -> Twin:
    """A twin in which every field of a view has some value of its range."""
    draw = np.random.Generator(np.random.Philox(key=key))
    twin = empty_twin(1, Z, E, P, R)
    for rows, low, high in (
        (twin.patients[0], {"step": -1, "zone": -1}, {"zone": Z, "status": 5, "known": 2, "kitted": 2}),
        (twin.passages[0], {"step": -1}, {"condition": 3}),
        (twin.zones[0], {}, {"damage": 6, "smoke": 101, "seen": 2}),
        (twin.robots[0], {"patient": -1}, {"zone": Z, "task": ACTIONS, "patient": P}),
    ):
        for name in rows.dtype.names:
            if rows.dtype[name].kind == "i":
                rows[name] = draw.integers(low.get(name, 0), high.get(name, NOW + 1), rows[name].shape)
            else:
                rows[name] = draw.random(rows[name].shape)
    twin.patients["rpm"] *= 12
    twin.patients["work_min"] *= 200
    twin.robots["positive"] *= 50
    return twin


def random_reports(key: int) -> Reports:
    """Reports in which every field has some value of its range."""
    draw = np.random.Generator(np.random.Philox(key=key))
    reports = empty_reports(2, R, D)
    heads = reports.heads
    heads["reading"] = draw.normal(0, 100, heads["reading"].shape)
    heads["energy"] = draw.random(heads.shape)
    for name, low, high in (
        ("zone", 0, Z), ("task", 0, ACTIONS), ("patient", -1, P), ("kits", 0, 9), ("stands", 0, 2),
        ("sightings", 0, P + 1),
    ):  # fmt: skip
        heads[name] = draw.integers(low, high, heads.shape)
    reports.passages[:] = draw.integers(-1, 3, reports.passages.shape)
    seen = reports.sightings
    seen["rpm"] = 12 * draw.random(seen.shape)
    seen["work_min"] = 100 * draw.random(seen.shape)
    seen["status"] = draw.integers(0, 4, seen.shape)
    seen["kitted"] = draw.integers(0, 2, seen.shape)
    for b, r in np.ndindex(heads.shape):
        seen["patient"][b, r, :P] = np.sort(draw.permutation(P))
        count = int(heads["sightings"][b, r])
        seen["patient"][b, r, :count] = np.sort(draw.permutation(P)[:count])
    return reports


def encoded(twin: Twin, written: int = NOW) -> bytes:
    return encode_view(twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], written)


def decoded(data: bytes, twin: Twin | None = None, **known: int) -> Twin:
    twin = empty_twin(1, Z, E, P, R) if twin is None else twin
    known = {"actions": ACTIONS, "now": NOW} | known
    decode_view(data, twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], **known)
    return twin


def decoded_report(data: bytes, reports: Reports, b: int, r: int, **known: int) -> int:
    return decode_report(data, reports, b, r, **({"patients": P, "zones": Z, "actions": ACTIONS, "now": NOW} | known))


@pytest.mark.parametrize("key", range(20))
def test_a_view_carries_its_fields_and_leaves_the_others_alone(key: int) -> None:
    twin, other = random_twin(key), random_twin(key + 1000)
    before = [rows.copy() for rows in other[:4]]
    data = encoded(twin)
    assert len(data) == view_bytes(P, E, Z, R)
    decoded(data, other)
    for name, old in zip(("zones", "passages", "patients", "robots"), before, strict=True):
        sent, taken, carried = getattr(twin, name), getattr(other, name), SECTIONS[name].names
        for field in taken.dtype.names:
            expected = sent if field in carried else old
            assert np.array_equal(taken[field], expected[field]), (name, field)
    assert encoded(other) == data


@pytest.mark.parametrize("key", range(20))
def test_a_report_comes_back(key: int) -> None:
    sent, taken = random_reports(key), empty_reports(2, R, D)
    for b, r in np.ndindex(sent.heads.shape):
        data = encode_report(sent, b, r, NOW)
        assert len(data) == report_bytes(D)
        assert decoded_report(data, taken, b, r) == NOW
        count = int(sent.heads["sightings"][b, r])
        assert taken.heads["valid"][b, r] == 1 and taken.heads["written"][b, r] == NOW
        for field in set(taken.heads.dtype.names) - {"valid", "written"}:
            assert np.array_equal(taken.heads[field][b, r], sent.heads[field][b, r]), field
        assert np.array_equal(taken.passages[b, r], sent.passages[b, r])
        assert np.array_equal(taken.sightings[b, r, :count], sent.sightings[b, r, :count])
        assert encode_report(taken, b, r, NOW) == data


def test_readings_come_back_with_room_to_spare() -> None:
    rows = np.zeros(3, READING)
    rows["reading"] = [[1.5, 0.25, 3.0], [0, 0, 0], [-4, 7, 1e6]]
    rows["zone"], rows["present"] = [1, 3, 5], [1, 0, 1]
    due = np.array([1, 3, 5], np.int32)
    for capacity in (None, 3, 8):
        data = encode_readings(rows, 2, 17, capacity)
        assert len(data) == readings_bytes(capacity or 3)
        taken = np.zeros(3, READING)
        assert decode_readings(data, taken, due, gateway=2, now=17, capacity=capacity) == 17
        assert np.array_equal(taken, rows)
    with pytest.raises(CodecError, match="readings: zone of row 1 is out of range"):
        decode_readings(data, taken, np.array([1, 4, 5], np.int32), gateway=2, now=17, capacity=8)
    empty = encode_readings(rows[:0], 2, 17, 4)
    assert len(empty) == readings_bytes(4)
    assert decode_readings(empty, rows[:0].copy(), due[:0].copy(), gateway=2, now=17, capacity=4) == 17


@pytest.mark.parametrize("sizes", [(0, 0, 0, 0), (1, 0, 1, 1), (104, 313, 292, 8), (640, 727, 640, 24)])
def test_size_follows_from_the_sizes(sizes: tuple[int, int, int, int]) -> None:
    patients, passages, zones, robots = sizes
    twin = empty_twin(1, zones, passages, patients, robots)
    data = encode_view(twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], 3)
    assert len(data) == view_bytes(*sizes) == 16 + 23 * patients + 5 * passages + 5 * zones + 22 * robots
    decode_view(data, twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], actions=1, now=3)
    assert report_bytes(7) == 16 + 24 + 7 + 12 * 12
    assert readings_bytes(4) == 16 + 15 * 4


NAN, INF = np.nan, np.inf
VIEW_FAULTS = {
    ("patients", "rpm"): (12.01, -0.01, NAN, INF),
    ("patients", "work_min"): (-1e-3, 2e6, NAN),
    ("patients", "trust"): (1.001, -0.001, NAN),
    ("patients", "step"): (-2, NOW + 1),
    ("patients", "rpm_step"): (-1, NOW + 1),
    ("patients", "zone"): (-2, Z),
    ("patients", "changed"): (-1, NOW + 1),
    ("patients", "status"): (-1, 5),
    ("patients", "known"): (2, -1),
    ("patients", "kitted"): (2, -128),
    ("passages", "step"): (-2, NOW + 1),
    ("passages", "changed"): (-1, NOW + 1),
    ("passages", "condition"): (-1, 3),
    ("zones", "changed"): (-1, NOW + 1),
    ("zones", "damage"): (-1, 6),
    ("zones", "smoke"): (-1, 101),
    ("zones", "seen"): (2, -1),
    ("robots", "energy"): (-0.01, 1.01, NAN),
    ("robots", "positive"): (-1, 2e6, NAN, INF),
    ("robots", "negative"): (-1, 2e6, NAN),
    ("robots", "evidence_step"): (-1, NOW + 1),
    ("robots", "step"): (-1, NOW + 1),
    ("robots", "zone"): (-1, Z),
    ("robots", "task"): (-1, ACTIONS),
    ("robots", "patient"): (-2, P),
}


def refused_unchanged(take: Callable[[], object], arrays: tuple[np.ndarray, ...], words: str) -> None:
    before = [array.tobytes() for array in arrays]
    with pytest.raises(CodecError, match=words):
        take()
    assert [array.tobytes() for array in arrays] == before, "refused, but something was taken"


def test_every_field_of_a_view_is_checked() -> None:
    assert {(name, field) for name, rows in SECTIONS.items() for field in rows.names} == set(VIEW_FAULTS)
    for (section, field), values in VIEW_FAULTS.items():
        for value in values:
            twin, taken = random_twin(1), random_twin(2)
            rows = getattr(twin, section)[0]
            rows[field][len(rows) - 1] = value
            data = encoded(twin)
            words = f"view: {section[:-1]} {field} of row {len(rows) - 1} is out of range"
            refused_unchanged(lambda data=data, taken=taken: decoded(data, taken), taken, words)


HEAD_FAULTS = {
    "reading": (1.1e6, -1.1e6, NAN, INF), "energy": (1.1, -0.1, NAN), "zone": (-1, Z), "task": (-1, ACTIONS),
    "patient": (-2, P), "kits": (-1,), "stands": (2, -1),
}  # fmt: skip
SIGHTING_FAULTS = {
    "rpm": (12.1, -0.1, NAN), "work_min": (-1, NAN, INF), "patient": (-1, P, 0), "status": (-1, 4), "kitted": (2, -1),
}  # fmt: skip


def test_every_field_of_a_report_is_checked() -> None:
    assert set(HEAD_FAULTS) == set(PACKED_REPORT.names)
    assert set(SIGHTING_FAULTS) == set(PACKED_SIGHTING.names)
    sent = random_reports(3)
    sent.heads["sightings"] = 4
    sent.sightings["patient"][..., :4] = [0, 2, 3, 6]
    good = encode_report(sent, 1, 2, NOW)
    taken = random_reports(4)

    def refused(data: bytes, words: str) -> None:
        refused_unchanged(lambda: decoded_report(data, taken, 1, 2), taken, words)

    def with_packed(at: int, dtype: np.dtype, field: str, value: object) -> bytes:
        data = bytearray(good)
        np.ndarray(1, dtype, data, at)[field] = value
        return bytes(data)

    for field, values in HEAD_FAULTS.items():
        for value in values:
            refused(with_packed(HEADER_BYTES, PACKED_REPORT, field, value), f"report: {field} of row 0")
    passages = HEADER_BYTES + PACKED_REPORT.itemsize
    for condition in (-2, 3, 127):
        data = good[: passages + 2] + condition.to_bytes(1, signed=True) + good[passages + 3 :]
        refused(data, "report: passage condition of row 2")
    first = passages + D
    for field, values in SIGHTING_FAULTS.items():
        for value in values:
            row = with_packed(first + PACKED_SIGHTING.itemsize, PACKED_SIGHTING, field, value)
            refused(row, f"report: sighting {field} of row 1")
    refused(good[:-1] + b"\1", "report: sighting padding of row 95")
    assert decoded_report(good, taken, 1, 2) == NOW


def test_every_field_of_readings_is_checked() -> None:
    due = np.array([0, 4], np.int32)
    for field, values in {"reading": (NAN, INF, -2e6), "zone": (-1, 1, Z), "present": (-1, 2)}.items():
        for value in values:
            rows = np.zeros(2, READING)
            rows["zone"] = due
            rows[field][1] = value
            data, taken = encode_readings(rows, 0, 5, 3), np.ones(2, READING)
            refused_unchanged(
                lambda data=data, taken=taken: decode_readings(data, taken, due, gateway=0, now=5, capacity=3),
                (taken,),
                f"readings: {field} of row 1 is out of range",
            )
    rows[:] = 0
    rows["zone"] = due
    data = encode_readings(rows, 0, 5, 3)
    with pytest.raises(CodecError, match="readings: padding of row 14"):
        decode_readings(data[:-1] + b"\1", rows, due, gateway=0, now=5, capacity=3)


def test_headers_are_checked() -> None:
    twin, taken = random_twin(5), random_twin(6)
    good = encoded(twin)
    report, view_size = encode_report(random_reports(1), 0, 0, NOW), view_bytes(P, E, Z, R)
    faults = {
        b"": f"view: 0 bytes, allowed are {view_size}",
        good[:-1]: f"view: {view_size - 1} bytes",
        good + b"\0": f"view: {view_size + 1} bytes",
        b"QX" + good[2:]: "view: no message of version 1",
        good[:2] + b"\2" + good[3:]: "view: no message of version 1",
        good[:3] + b"\2" + good[4:]: "view: the message is a report",
        good[:3] + b"\x09" + good[4:]: "view: the message is a kind 9",
        good[:4] + (NOW + 1).to_bytes(4, "little") + good[8:]: "view: written at step 41, allowed are 0 to 40",
        good[:4] + b"\xff" * 4 + good[8:]: "view: written at step -1",
        good[:8] + b"\x06" + good[9:]: "view: patients 6, expected are 7",
        good[:14] + b"\x04" + good[15:]: "view: robots 4, expected are 3",
        report: "view: .* bytes",
    }
    for data, words in faults.items():
        refused_unchanged(lambda data=data: decoded(data, taken), taken, words)
    refused_unchanged(lambda: decoded(good, taken, now=NOW - 1), taken, "view: written at step 40, allowed are 0 to 39")
    reports = empty_reports(2, R, D)
    with pytest.raises(CodecError, match="report: robot 0, expected are 1"):
        decoded_report(report, reports, 0, 1)
    with pytest.raises(CodecError, match="report: 13 sightings, allowed are 0 to 12"):
        decoded_report(report[:12] + b"\x0d" + report[13:], reports, 0, 0)
    with pytest.raises(CodecError, match="report: reserved 1, expected are 0"):
        decoded_report(report[:14] + b"\1" + report[15:], reports, 0, 0)
    with pytest.raises(CodecError, match="report: 3 bytes"):
        decoded_report(b"QT\1", reports, 0, 0)


def test_what_cannot_be_encoded_is_refused() -> None:
    twin, reports = random_twin(7), random_reports(7)
    for written in (-1, 32768):
        with pytest.raises(ValueError, match=f"written={written} is not allowed: 0 to 32767"):
            encoded(twin, written)
    reports.heads["sightings"][0, 0] = MAX_SIGHTINGS + 1
    with pytest.raises(ValueError, match="sightings=13 is not allowed: 0 to 12"):
        encode_report(reports, 0, 0, 1)
    with pytest.raises(ValueError, match="capacity=1 is not allowed: 2 readings or more"):
        encode_readings(np.zeros(2, READING), 0, 0, 1)
    with pytest.raises(ValueError, match="sizes="):
        encode_readings(np.zeros(2, READING), 65536, 0)
