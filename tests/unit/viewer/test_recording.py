"""The file of a recorded mission: whole up to any cut, and every change is found."""

import hashlib
from pathlib import Path

import pytest

from qdt_env.viewer import recording
from qdt_env.viewer.recording import END, HEADER, MAGIC, STEP, RecordingError, RecordingWriter, scan

PAYLOADS = [(HEADER, b"{}"), *((STEP, bytes([k]) * (50 + k)) for k in range(4)), (END, b"[1]")]


@pytest.fixture
def written(tmp_path: Path) -> bytes:
    writer = RecordingWriter(tmp_path / "r.qdr")
    for kind, payload in PAYLOADS:
        writer.append(kind, payload)
    writer.close()
    writer.close()
    return (tmp_path / "r.qdr").read_bytes()


def test_what_was_written_is_read(written: bytes) -> None:
    found = scan(written)
    assert [(record.kind, record.payload) for record in found.records] == PAYLOADS
    assert (found.closed, found.altered, found.steps) == (True, "", 4)
    assert len({record.digest for record in found.records}) == len(PAYLOADS)


def test_cut_anywhere_it_is_whole_up_to_the_last_record_before(written: bytes) -> None:
    whole = scan(written).records
    counts = []
    for size in range(len(MAGIC), len(written)):
        found = scan(written[:size])
        assert not found.altered and not found.closed, size
        assert found.records == whole[: len(found.records)]
        counts.append(len(found.records))
    assert counts == sorted(counts) and set(counts) == set(range(len(PAYLOADS)))


def test_a_changed_byte_anywhere_is_found(written: bytes) -> None:
    whole = scan(written).records
    for at in range(len(MAGIC), len(written)):
        changed = bytearray(written)
        changed[at] ^= 0x40
        found = scan(bytes(changed))
        assert found.altered, at
        assert "record" in found.altered and found.records == whole[: len(found.records)]


def test_records_dropped_swapped_or_added_are_found(written: bytes) -> None:
    ends = [len(MAGIC)]
    for _ in PAYLOADS:
        at = ends[-1]
        ends.append(at + 13 + int.from_bytes(written[at + 1 : at + 5], "little") + 32)
    assert ends[-1] == len(written)
    parts = [written[a:b] for a, b in zip(ends, ends[1:], strict=False)]
    for wrong in (parts[:2] + parts[3:], [parts[0], parts[2], parts[1], *parts[3:]], [*parts, parts[-1]], parts[1:]):
        assert scan(MAGIC + b"".join(wrong)).altered


@pytest.mark.parametrize("data", [b"", b"QDT", b"PK\x03\x04" * 9, MAGIC.replace(b"1", b"2")])
def test_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(RecordingError, match="no recording of version 1"):
        scan(data)


def test_a_payload_of_another_size_is_refused(written: bytes) -> None:
    """A writer that lies about sizes, with a chain that fits: the reader keeps its memory."""
    at = len(MAGIC)
    length = int.from_bytes(written[at + 1 : at + 5], "little")
    for size, words in ((3, "where 3 were recorded"), (2**31, "more than any step has")):
        frame = written[at : at + 5] + size.to_bytes(4, "little")
        digest = hashlib.sha256(MAGIC).digest()
        body = written[at + 13 : at + 13 + length]
        forged = frame + hashlib.sha256(digest + frame).digest()[:4] + body
        found = scan(MAGIC + forged + hashlib.sha256(digest + frame + body).digest())
        assert words in found.altered


def test_more_than_any_mission_has_is_not_unpacked(written: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files can hold many steps that are all alike: each fits, but not all of them."""
    monkeypatch.setattr(recording, "_MOST_IN_ALL", 130)
    found = scan(written)
    assert found.steps == 2 and "record 3" in found.altered and "more than any mission has" in found.altered


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "r.qdr").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"record=.*r\.qdr' is not allowed: a new file"):
        RecordingWriter(tmp_path / "r.qdr")
    assert (tmp_path / "r.qdr").read_bytes() == b"mine"
    with pytest.raises(ValueError, match="a file in an existing folder"):
        RecordingWriter(tmp_path / "no" / "r.qdr")
