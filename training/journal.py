"""Results on disk as they come: a JSON-lines file that a killed run leaves readable and a later one goes on with.

The first line says what the results are of, every other line is one record. A record is written whole and forced to the
disk before the next is begun, so only the last line can be broken; it is cut off when the file is opened again.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

FORMAT = "qdt journal 1"
Record = dict[str, Any]


class Journal:
    """An append-only file of records that belong to one configuration.

    Attributes:
        path: the file.
        records: all records in it, those of earlier runs first.
    """

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        resume: bool,
        check: Callable[[Record], None] = lambda record: None,
    ) -> None:
        """Begin a file, or go on with the one that is there.

        Args:
            path: in an existing folder.
            config: what the results depend on, as plain data; a file with another one is refused.
            resume: whether a file with results in it may be there.
            check: raises a ValueError for what is no record of these results.

        Raises:
            ValueError: results are there and ``resume`` is False, they are of another configuration, or the file is
                no journal or damaged before its last line; a line that is no record is named.
        """
        self.path = path
        here: Record = json.loads(json.dumps(config))  # as it will be read
        self.records: list[Record] = []
        lines, whole = _whole_lines(path)
        if lines:
            self._check(lines[0], here, resume)
            self.records = [_read(path, number, line, check) for number, line in enumerate(lines[1:], 2)]
        elif whole < _size(path) and not resume:
            raise ValueError(f"{path} is there already; allowed is another place, or --resume")
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(whole)
        self._file.seek(whole)
        if not lines:
            self._write({"format": FORMAT, "config": here})

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, record: Record) -> None:
        """Keep a record: plain data, no NaN."""
        self._write(record)
        self.records.append(record)

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _check(self, line: bytes, config: Record, resume: bool) -> None:
        """Refuse what is no journal, or not this one."""
        head = _read(self.path, 1, line)
        if head.get("format") != FORMAT or not isinstance(head.get("config"), dict):
            raise ValueError(f"{self.path}: line 1 is not that of a journal ({FORMAT})")
        there = head["config"]
        other = list(_differences(there, config))
        if other:
            raise ValueError(f"{self.path} holds results of another configuration: {'; '.join(other)}")
        if not resume:
            raise ValueError(f"{self.path} holds results already; allowed is another place, or --resume")


def _differences(there: Record, here: Record) -> Iterator[str]:
    """What differs, in words."""
    for name in sorted({*there, *here}):
        if there.get(name) != here.get(name):
            yield f"{name} is {there.get(name)!r} there and {here.get(name)!r} here"


def _whole_lines(path: Path) -> tuple[list[bytes], int]:
    """The lines that end, and how many bytes they take."""
    if not path.exists():
        return [], 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    return content[:whole].splitlines(), whole


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read(path: Path, number: int, line: bytes, check: Callable[[Record], None] = lambda record: None) -> Record:
    """One line.

    Raises:
        ValueError: it is not a JSON object, or does not pass the check.
    """
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("not an object")
        check(record)
    except ValueError as error:
        raise ValueError(f"{path}: line {number} is damaged: {error}") from None
    return record
