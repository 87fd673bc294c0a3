"""A key store in a file: what was handed out stays marked as taken, whatever happens to the process.

A key is on disk as taken *before* its bytes leave the store, so a crash can lose a key and never spend it twice.
"""

import sqlite3
import uuid
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import ClassVar

from qdt_env.security.keystore import Block, Front, Key, KeyStore, KeyUnavailable

Change = tuple[str, tuple[object, ...]]  # an SQL statement and its values

_NEXT_NUMBER = "next number"  # kept beside the totals: the number of the next block
_TOTAL = "REPLACE INTO totals VALUES (?, ?)"
_DELETE_BLOCK = "DELETE FROM blocks WHERE number = ?"


class DurableKeyStore(KeyStore):
    """A key store in an SQLite file, which one process at a time may hold open.

    Write-ahead log, each change committed and synchronised to disk before it takes effect: after ``kill -9`` or a power
    cut the store reopens with every key that was handed out still marked as taken. The file holds secrets: its
    directory is the caller's to protect.

    Args:
        path: the file; made when absent.
        capacity_bits, lifetime_s: as for :class:`KeyStore`. Times must come from a clock that survives a restart.

    Raises:
        KeyUnavailable: another process holds the file.
        sqlite3.DatabaseError: the file is no SQLite database, or has tables of another kind of store: reserved keys
            (:class:`~qdt_env.security.reserved_keystore.ReservedKeyStore`) are not for this one to give.
    """

    _tables: ClassVar[dict[str, str]] = {
        "blocks": "number INTEGER PRIMARY KEY, content BLOB NOT NULL, deadline_s REAL NOT NULL",
        "waiting": "id BLOB PRIMARY KEY, secret BLOB NOT NULL, deadline_s REAL NOT NULL",
        "totals": "name TEXT PRIMARY KEY, bits INTEGER NOT NULL",
    }

    def __init__(self, path: Path | str, capacity_bits: int = 1_048_576, lifetime_s: float | None = None) -> None:
        super().__init__(capacity_bits, lifetime_s)
        self._file = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            self._file.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._refuse_other_files(path)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.execute("PRAGMA secure_delete=ON")
            for name, columns in self._tables.items():
                self._file.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
            self._file.execute("BEGIN IMMEDIATE")
            self._file.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._file.close()
            if not isinstance(error, sqlite3.OperationalError):
                raise  # the file is no database, or another one
            raise KeyUnavailable(f"key store {path}: held by another process ({error})") from None
        self._load()

    def _refuse_other_files(self, path: Path | str) -> None:
        """Raise unless all tables of the file are this kind's, before anything is written to it."""
        found = self._file.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
        others = ", ".join(name for (name,) in found if name not in self._tables)
        if others:
            raise sqlite3.DatabaseError(f"{path} has tables of another kind of store or program: {others}")

    @property
    def capacity_bits(self) -> int:
        """Most bits that can wait to be taken."""
        return 8 * self._capacity_bytes

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _load(self) -> None:
        """Take up what the file holds."""
        for number, content, deadline_s in self._file.execute("SELECT * FROM blocks ORDER BY number"):
            self._blocks.append(Block(number, bytearray(content), deadline_s))
            self._available_bytes += len(content)
        for raw, secret, deadline_s in self._file.execute("SELECT * FROM waiting"):
            self._waiting[uuid.UUID(bytes=raw)] = (bytearray(secret), deadline_s)
        self._totals.update(self._file.execute("SELECT name, bits FROM totals"))
        self._next_number = self._totals.pop(_NEXT_NUMBER, 0)

    def _commit(self, totals: dict[str, int], *changes: Change) -> None:
        """Write changes and the totals in one transaction, on disk when this returns."""
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            for statement, values in changes:
                self._file.execute(statement, values)
            self._file.executemany(_TOTAL, totals.items())

    def _keep_added(self, block: Block, totals: dict[str, int]) -> None:
        row = (block.number, bytes(block.content), block.deadline_s)
        self._commit(totals, ("INSERT INTO blocks VALUES (?, ?, ?)", row), (_TOTAL, (_NEXT_NUMBER, block.number + 1)))

    def _keep_taken(self, keys: tuple[Key, ...], front: Front, totals: dict[str, int]) -> None:
        self._commit(totals, *self._taking(keys, front))

    def _taking(self, keys: tuple[Key, ...], front: Front) -> list[Change]:
        """The changes that move keys from the front of the blocks to those that wait."""
        used_up = [(block.number,) for block in islice(self._blocks, front.used_up)]
        changes: list[Change] = [(_DELETE_BLOCK, number) for number in used_up]
        if front.stop:
            block = self._blocks[front.used_up]
            rest = bytes(block.content[front.stop :])
            changes.append(("UPDATE blocks SET content = ? WHERE number = ?", (rest, block.number)))
        for key in keys:
            changes.append(("INSERT INTO waiting VALUES (?, ?, ?)", (key.id.bytes, key.secret, front.deadline_s)))
        return changes

    def _keep_released(self, ids: Iterable[uuid.UUID], totals: dict[str, int]) -> None:
        self._commit(totals, *(("DELETE FROM waiting WHERE id = ?", (key_id.bytes,)) for key_id in ids))

    def _keep_dropped(self, blocks: list[Block], totals: dict[str, int]) -> None:
        self._commit(totals, *((_DELETE_BLOCK, (block.number,)) for block in blocks))
