"""The file of a recorded mission: an append-only chain of records, whole up to the last step after any crash.

The file begins with 16 bytes of magic, which name the format's version; then records follow, each of::

    kind u1   body length u4   payload length u4   check 4 bytes   body   digest 32 bytes

little-endian. Kinds: header, step, tree head of the ledger, end. The bodies are consecutive stretches of one raw
deflate stream (RFC 1951), flushed after every record, so that each can be read as soon as it stands, and small changes
cost few bytes. The digest is SHA-256 over the digest before it, the first nine bytes and the body (before the first
record: SHA-256 of the magic); the check is the first four bytes of SHA-256 over the digest before and these nine bytes.
So what was cut off at the end can be told from what was changed: a file that ends within a record, or without an end
record, was cut; whatever does not fit its digest was altered. The chain holds no key: whoever rewrites the whole file
can make a new one, and what shows that is the signed ledger within.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qdt_env.records import require

__all__ = ["END", "HEADER", "MAGIC", "STEP", "TREE_HEAD", "Record", "RecordingError", "RecordingWriter", "Scan", "scan"]

FORMAT_VERSION = 1
MAGIC = b"QDT recording 1\n"
HEADER, STEP, TREE_HEAD, END = b"H", b"S", b"T", b"E"
_FRAME = struct.Struct("<cII")
_CHECK_BYTES, _DIGEST_BYTES = 4, 32
# Keep an altered file from filling the memory. A building of 32767 zones, the most that a column can number, has 10 MB
# of plan and 1.3 MB a step; 30000 steps of the hospital, the most that a mission has, are 0.8 GB.
_MOST_PAYLOAD, _MOST_IN_ALL = 1 << 24, 1 << 30


class RecordingError(ValueError):
    """A file that is no recording, or whose content is not what was recorded."""


@dataclass(frozen=True)
class Record:
    """One record as it was written: its kind, its payload (unpacked), and its place in the chain.

    Attributes:
        kind: ``HEADER``, ``STEP``, ``TREE_HEAD`` or ``END``.
        payload: the unpacked bytes.
        digest: 32 bytes of the chain up to and with this record.
    """

    kind: bytes
    payload: bytes
    digest: bytes


@dataclass(frozen=True)
class Scan:
    """What a file holds, as far as it can be trusted.

    Attributes:
        records: the whole records that fit the chain, in order.
        closed: there is an end record.
        altered: what does not fit, "" where everything does.
    """

    records: tuple[Record, ...]
    closed: bool
    altered: str

    @property
    def steps(self) -> int:
        """Whole step records; the first is the state before any step."""
        return sum(record.kind == STEP for record in self.records)


class RecordingWriter:
    """Writes records to a new file; every record is handed to the system whole before :meth:`append` returns.

    Args:
        path: of the file, which must not exist.

    Raises:
        ValueError: there is such a file, or its folder is missing.
    """

    def __init__(self, path: Path) -> None:
        check_new_file(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._digest = hashlib.sha256(MAGIC).digest()
        os.write(self._file, MAGIC)

    def append(self, kind: bytes, payload: bytes) -> None:
        """Add a record.

        Raises:
            OSError: the file cannot be written.
        """
        body = self._deflate.compress(payload) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        frame = _FRAME.pack(kind, len(body), len(payload))
        check = hashlib.sha256(self._digest + frame).digest()[:_CHECK_BYTES]
        self._digest = hashlib.sha256(self._digest + frame + body).digest()
        left = memoryview(frame + check + body + self._digest)
        while left:
            left = left[os.write(self._file, left) :]

    def close(self) -> None:
        """Close the file; again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def check_new_file(path: Path) -> None:
    """Refuse a recording where no new file can be made.

    Raises:
        ValueError: it is a folder, there is such a file, or its folder is missing.
    """
    require(path.absolute().parent.is_dir(), "record", str(path), "a file in an existing folder")
    require(not path.is_dir(), "record", str(path), "a new file: this is a folder")
    require(not path.exists(), "record", str(path), "a new file: this one exists")


def scan(data: bytes) -> Scan:
    """Read the records of a file and check its chain.

    Args:
        data: the whole file.

    Raises:
        RecordingError: it does not begin as a recording of this version does.
    """
    if not data.startswith(MAGIC):
        raise RecordingError(f"no recording of version {FORMAT_VERSION}: the first bytes are {data[: len(MAGIC)]!r}")
    records: list[Record] = []
    try:
        for record in _records(data):
            records.append(record)
    except RecordingError as error:
        return Scan(tuple(records), False, str(error))
    return Scan(tuple(records), bool(records) and records[-1].kind == END, "")


def _records(data: bytes) -> Iterator[Record]:
    """The whole records in order; stops quietly where the file was cut."""
    inflate = zlib.decompressobj(-15)
    digest, at, steps, kind, unpacked = hashlib.sha256(MAGIC).digest(), len(MAGIC), 0, b"", 0
    while at < len(data):
        where = f"record {steps} (byte {at})"
        if kind == END:
            raise RecordingError(f"{where}: there are bytes after the end")
        start = at + _FRAME.size + _CHECK_BYTES
        if start > len(data):
            return
        frame, check = data[at : at + _FRAME.size], data[at + _FRAME.size : start]
        if hashlib.sha256(digest + frame).digest()[:_CHECK_BYTES] != check:
            raise RecordingError(f"{where}: its length or its place was changed")
        kind, length, size = _FRAME.unpack(frame)
        at = start + length + _DIGEST_BYTES
        if at > len(data):
            return
        body = data[start : start + length]
        digest = hashlib.sha256(digest + frame + body).digest()
        if digest != data[start + length : at]:
            raise RecordingError(f"{where}: its content was changed")
        payload = _inflated(inflate, body, size, where)
        unpacked += size
        if unpacked > _MOST_IN_ALL:
            raise RecordingError(f"{where}: {unpacked} bytes up to here are more than any mission has")
        yield Record(kind, payload, digest)
        steps += 1


def _inflated(inflate: "zlib._Decompress", body: bytes, size: int, where: str) -> bytes:
    """The payload, of the size that the record names."""
    if size > _MOST_PAYLOAD:
        raise RecordingError(f"{where}: {size} bytes are more than any step has")
    try:
        payload = inflate.decompress(body, size + 1)
    except zlib.error as error:
        raise RecordingError(f"{where}: {error}") from None
    if len(payload) != size:
        raise RecordingError(f"{where}: {len(payload)} bytes where {size} were recorded")
    return payload
