"""One leaf of the ledger: what one step of one mission did, in a canonical, versioned binary form.

All numbers are little-endian; a leaf has exactly one encoding, and only that one decodes::

    "QL"  version u1  flags u1 (bit 0: advice)  mission 16 bytes  step u4
    count u2 each of verdicts, reports, views, trust changes
    verdicts u1 each
    reports: link u2, SHA-256 of the accepted message 32 bytes; ascending links
    views: likewise
    trust changes: source u2, trust S f4 in [0, 1]; ascending sources
    advice: SHA-256 32 bytes, if flagged
"""

import struct
from dataclasses import dataclass

from qdt_env.records import require

__all__ = ["LEAF_VERSION", "Leaf", "LedgerError", "decode_leaf", "encode_leaf", "leaf_address"]

LEAF_VERSION = 1
_MAGIC = b"QL"
_HEAD = struct.Struct("<2sBB16sI4H")
_DIGEST = struct.Struct("<H32s")
_TRUST = struct.Struct("<Hf")
_DIGEST_BYTES = 32
_MISSION_BYTES = 16


class LedgerError(ValueError):
    """What the ledger refuses: a malformed leaf, a foreign key, a history that was edited."""


@dataclass(frozen=True)
class Leaf:
    """What one step did. Links and sources carry the numbers of the caller, 0..65535.

    Attributes:
        mission: 16 bytes that name the mission.
        step: of the mission, 0 .. 2^32-1.
        verdicts: one code (0..255) per message slot: uplinks of all links, then downlinks; at most 65535.
        reports: (link, SHA-256 of the accepted report) of the links that delivered one, links ascending.
        views: likewise for accepted views.
        trust: (source, new trust S in [0, 1], kept as float32) of the sources whose trust changed, ascending.
        advice: SHA-256 of the advice taken in this step, b"" for none.
    """

    mission: bytes
    step: int
    verdicts: bytes = b""
    reports: tuple[tuple[int, bytes], ...] = ()
    views: tuple[tuple[int, bytes], ...] = ()
    trust: tuple[tuple[int, float], ...] = ()
    advice: bytes = b""


def encode_leaf(leaf: Leaf) -> bytes:
    """The canonical bytes of a leaf.

    Raises:
        ValueError: a field is not as :class:`Leaf` says; the message names it, what was given and what is allowed.
    """
    mission, step, verdicts, advice = leaf.mission, leaf.step, leaf.verdicts, leaf.advice
    require(len(mission) == _MISSION_BYTES, "mission", mission, "16 bytes")
    require(0 <= step < 2**32, "step", step, "0 to 4294967295")
    require(len(verdicts) < 2**16, "verdicts", len(verdicts), "at most 65535 codes")
    require(len(advice) in (0, _DIGEST_BYTES), "advice", advice, "32 bytes, or none")
    counts = len(verdicts), len(leaf.reports), len(leaf.views), len(leaf.trust)
    parts = [_HEAD.pack(_MAGIC, LEAF_VERSION, 1 if advice else 0, mission, step, *counts), verdicts]
    for name, entries in (("reports", leaf.reports), ("views", leaf.views)):
        last = -1
        for link, digest in entries:
            if not last < link < 2**16 or len(digest) != _DIGEST_BYTES:
                require(False, name, (link, digest), "ascending links 0 to 65535, each with 32 bytes")
            parts.append(_DIGEST.pack(link, digest))
            last = link
    last = -1
    for source, trust in leaf.trust:
        if not (last < source < 2**16 and 0.0 <= trust <= 1.0):
            require(False, "trust", (source, trust), "ascending sources 0 to 65535, each with a number in [0, 1]")
        parts.append(_TRUST.pack(source, trust))
        last = source
    parts.append(advice)
    return b"".join(parts)


def decode_leaf(data: bytes) -> Leaf:
    """The leaf that :func:`encode_leaf` made these bytes of.

    Raises:
        LedgerError: the bytes are no canonical leaf of this version.
    """
    if not isinstance(data, bytes) or len(data) < _HEAD.size:
        raise LedgerError("leaf: no bytes, or too few to be one")
    magic, version, flags, mission, step, n_verdicts, n_reports, n_views, n_trust = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != LEAF_VERSION:
        raise LedgerError(f"leaf: no leaf of version {LEAF_VERSION}")
    if flags > 1:
        raise LedgerError(f"leaf: unknown flags {flags:#x}")
    digests = n_reports + n_views
    size = _HEAD.size + n_verdicts + _DIGEST.size * digests + _TRUST.size * n_trust + _DIGEST_BYTES * flags
    if len(data) != size:
        raise LedgerError(f"leaf: {len(data)} bytes where its counts say {size}")
    at = _HEAD.size + n_verdicts
    verdicts = data[_HEAD.size : at]
    middle = at + _DIGEST.size * n_reports
    end = at + _DIGEST.size * digests
    reports = tuple(_DIGEST.iter_unpack(data[at:middle]))
    views = tuple(_DIGEST.iter_unpack(data[middle:end]))
    stop = end + _TRUST.size * n_trust
    trust = tuple(_TRUST.iter_unpack(data[end:stop]))
    for name, entries in (("reports", reports), ("views", views), ("trust", trust)):
        numbers = [entry[0] for entry in entries]
        if numbers != sorted(set(numbers)):
            raise LedgerError(f"leaf: {name} are not in ascending order")
    if not all(0.0 <= value <= 1.0 for _, value in trust):
        raise LedgerError("leaf: a trust is outside [0, 1]")
    return Leaf(mission, step, verdicts, reports, views, trust, data[stop:])


def leaf_address(data: bytes) -> tuple[bytes, int]:
    """(mission, step) of a leaf that :func:`encode_leaf` made, without decoding the rest."""
    _, _, _, mission, step, *_ = _HEAD.unpack_from(data)
    return mission, step
