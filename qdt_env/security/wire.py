"""The frame: what travels on a link, byte by byte.

Version 1, big-endian, no padding::

    offset  bytes  field
         0      2  magic "QL"
         2      1  version, 1
         3      1  suite, index of SUITE_NAMES
         4      4  link number
         8      1  direction, 0 uplink, 1 downlink
         9      1  protection, index of PROTECTIONS
        10      4  epoch of the key        } bytes 10 .. 21 are the 96-bit nonce of AES-GCM:
        14      8  counter within epoch    } (epoch, counter) never repeats under one key
        22      4  step at which the message was written (the authenticated time stamp)
        26      4  length of the payload in bytes, at most MAX_PAYLOAD_BYTES
        30     16  key id of the pad, only for protection "pad"
         .      n  payload, enciphered unless protection is "none"
         .     16  tag, unless protection is "none"

All that stands before the payload is authenticated (the AEAD's associated data). Nothing that an attacker can send
makes :func:`parse_frame` do anything but return a frame or raise :class:`FrameError`.
"""

import struct
from typing import NamedTuple

from qdt_env.security.suites import N_SUITES

MAGIC = b"QL"
VERSION = 1
MAX_PAYLOAD_BYTES = 65_536
TAG_BYTES = 16
KEY_ID_BYTES = 16

DIRECTIONS = ("uplink", "downlink")
UPLINK, DOWNLINK = range(2)

PROTECTIONS = ("none", "aead", "pad")
NONE, AEAD, PAD = range(3)

_HEADER = struct.Struct(">2sBBIBBIQII")
HEADER_BYTES = _HEADER.size
_NONCE = slice(10, 22)
_OVERHEAD = (HEADER_BYTES, HEADER_BYTES + TAG_BYTES, HEADER_BYTES + KEY_ID_BYTES + TAG_BYTES)  # by protection

MAX_EPOCH = 2**32 - 1
MAX_COUNTER = 2**64 - 1


class FrameError(ValueError):
    """The bytes are not a frame; says what is wrong with them."""


class Frame(NamedTuple):
    """A frame that is well formed. Nothing in it is verified yet.

    Attributes:
        suite: index of ``SUITE_NAMES``.
        link: link number, 0 .. 2^32-1.
        direction: index of ``DIRECTIONS``.
        protection: index of ``PROTECTIONS``.
        epoch: epoch of the key, 0 .. 2^32-1.
        counter: number of the frame within the epoch and direction, 0 .. 2^64-1.
        step: step at which the message claims to be written, 0 .. 2^32-1.
        nonce: 12 bytes, epoch and counter.
        associated: header and key id: the authenticated, not enciphered part.
        key_id: 16 bytes for protection "pad", else empty.
        sealed: payload and tag, at most ``MAX_PAYLOAD_BYTES + TAG_BYTES`` bytes.
    """

    suite: int
    link: int
    direction: int
    protection: int
    epoch: int
    counter: int
    step: int
    nonce: bytes
    associated: bytes
    key_id: bytes
    sealed: bytes


def pack_header(
    suite: int, link: int, direction: int, protection: int, epoch: int, counter: int, step: int, length: int
) -> bytes:
    """The 30 bytes before key id and payload.

    Raises:
        ValueError: a field does not fit; a longer payload than ``MAX_PAYLOAD_BYTES`` must be split by the caller.
    """
    if length > MAX_PAYLOAD_BYTES:
        raise ValueError(f"payload: got {length} bytes, allowed: at most {MAX_PAYLOAD_BYTES}")
    try:
        return _HEADER.pack(MAGIC, VERSION, suite, link, direction, protection, epoch, counter, step, length)
    except struct.error as error:
        raise ValueError(f"frame header: {error}") from None


def header_nonce(header: bytes) -> bytes:
    """The 96-bit nonce that stands in a header: epoch and counter."""
    return header[_NONCE]


def parse_frame(data: bytes) -> Frame:
    """Read a frame from exactly ``data``.

    Args:
        data: the bytes as received, of any length and content.

    Raises:
        FrameError: too short or too long, foreign magic or version, a field out of its range, or a length that does
            not agree with the bytes there. No other exception leaves this function.
    """
    if not isinstance(data, bytes):
        raise FrameError(f"frame: got {type(data).__name__}, allowed: bytes")
    size = len(data)
    if size < HEADER_BYTES:
        raise FrameError(f"frame: got {size} bytes, allowed: {HEADER_BYTES} or more")
    magic, version, suite, link, direction, protection, epoch, counter, step, length = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise FrameError(f"frame: got magic {magic!r} version {version}, allowed: {MAGIC!r} version {VERSION}")
    if suite >= N_SUITES or direction > DOWNLINK or protection > PAD:
        raise FrameError(f"frame: unknown suite {suite}, direction {direction} or protection {protection}")
    if length > MAX_PAYLOAD_BYTES or size != _OVERHEAD[protection] + length:
        raise FrameError(f"frame: got {size} bytes with a payload of {length}, which do not agree")
    start = HEADER_BYTES + KEY_ID_BYTES if protection == PAD else HEADER_BYTES
    associated = data[:start]
    return Frame(
        suite,
        link,
        direction,
        protection,
        epoch,
        counter,
        step,
        data[_NONCE],
        associated,
        associated[HEADER_BYTES:],
        data[start:],
    )
