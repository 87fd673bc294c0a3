"""The frame: round trip, layout, and refusal of everything that is not one."""

import pytest

from qdt_env.security.wire import (
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    PAD,
    Frame,
    FrameError,
    header_nonce,
    pack_header,
    parse_frame,
)

HEADER = pack_header(4, 7, 1, 1, 5, 6, 8, 3)
FRAME = HEADER + b"abc" + bytes(16)


def test_layout_is_the_documented_one():
    assert HEADER.hex() == "514c01040000000701010000000500000000000000060000000800000003"
    assert header_nonce(HEADER) == (5).to_bytes(4, "big") + (6).to_bytes(8, "big")


def test_a_frame_reads_back():
    assert parse_frame(FRAME) == Frame(4, 7, 1, 1, 5, 6, 8, HEADER[10:22], HEADER, b"", b"abc" + bytes(16))
    padded = pack_header(5, 7, 1, PAD, 5, 6, 8, 3) + b"k" * 16 + b"abc" + bytes(16)
    frame = parse_frame(padded)
    assert (frame.key_id, frame.sealed, frame.associated) == (b"k" * 16, b"abc" + bytes(16), padded[:46])
    plain = pack_header(0, 7, 0, 0, 5, 6, 8, 3) + b"abc"
    assert parse_frame(plain).sealed == b"abc"


def test_an_empty_payload_is_a_frame():
    assert parse_frame(pack_header(0, 0, 0, 0, 0, 0, 0, 0)).sealed == b""


@pytest.mark.parametrize("cut", range(len(FRAME)))
def test_every_truncation_is_refused(cut):
    with pytest.raises(FrameError):
        parse_frame(FRAME[:cut])


@pytest.mark.parametrize(
    ("offset", "value"),
    [(0, 0), (1, 0), (2, 0), (2, 2), (3, 7), (3, 255), (8, 2), (9, 0), (9, 2), (9, 3), (26, 1), (29, 4), (29, 2)],
)
def test_a_foreign_field_is_refused(offset, value):
    data = bytearray(FRAME)
    data[offset] = value
    with pytest.raises(FrameError):
        parse_frame(bytes(data))


def test_what_follows_the_frame_is_refused():
    with pytest.raises(FrameError, match="do not agree"):
        parse_frame(FRAME + b"\0")


@pytest.mark.parametrize("data", [None, "QL", 5, [1], memoryview(FRAME), bytearray(FRAME)])
def test_what_is_not_bytes_is_refused_with_the_same_error(data):
    with pytest.raises(FrameError):
        parse_frame(data)


def test_a_length_beyond_the_bound_is_refused_at_both_ends():
    with pytest.raises(ValueError, match="at most 65536"):
        pack_header(0, 0, 0, 0, 0, 0, 0, MAX_PAYLOAD_BYTES + 1)
    data = bytearray(pack_header(0, 0, 0, 0, 0, 0, 0, 0)) + bytes(MAX_PAYLOAD_BYTES + 1)
    data[26:30] = (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "big")
    with pytest.raises(FrameError):
        parse_frame(bytes(data))
    assert len(parse_frame(pack_header(0, 0, 0, 0, 0, 0, 0, MAX_PAYLOAD_BYTES) + bytes(MAX_PAYLOAD_BYTES)).sealed)


@pytest.mark.parametrize("field", range(7))
def test_a_field_that_does_not_fit_is_refused(field):
    values = [4, 7, 1, 1, 5, 6, 8]
    values[field] = 2**64
    with pytest.raises(ValueError, match="frame header"):
        pack_header(*values, 3)
    assert HEADER_BYTES == 30
