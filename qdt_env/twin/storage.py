"""The ledger on disk: an append-only SQLite file in write-ahead mode.

A transaction is in the write-ahead file before ``commit`` returns, so a killed process loses nothing that was
committed. Whether a power cut may take the last commits is the choice of ``synchronous``: "full" waits for the disk
at every commit, "normal" only at checkpoints (the file stays consistent either way; sqlite.org/wal.html). Triggers
keep programs from editing rows by mistake; what an attacker edits past them is found by the audit.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qdt_env.records import require, why_no_file
from qdt_env.twin.heads import LogHeader, TreeHead
from qdt_env.twin.leaf import LedgerError

__all__ = ["SYNCHRONOUS", "LedgerStore", "LeafRow"]

SYNCHRONOUS = ("normal", "full")
_MOST_BYTES = 2**24  # of a value or row; the largest leaf has 5 MB. A file may ask SQLite to make up values of any size
LeafRow = tuple[int, bytes, bytes]  # position, encoded leaf, leaf hash

_SCHEMA = """
CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 0), data BLOB NOT NULL);
CREATE TABLE leaves (position INTEGER PRIMARY KEY, data BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE heads (
    size INTEGER PRIMARY KEY, root BLOB NOT NULL, step INTEGER NOT NULL, signer TEXT NOT NULL, signature BLOB NOT NULL
);
"""
_GUARD = """
CREATE TRIGGER {table}_{event} BEFORE {event} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
_ADDRESS_SQL = "substr(data, 5, 20)"  # mission and step of an encoded leaf


@contextmanager
def _in_plain_words(path: str) -> Iterator[None]:
    """SQLite's errors as the ledger's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        allowed = "one writer at a time: close the other, then open this ledger anew"
        raise LedgerError(f"ledger {path!r}: somebody else has written to it, allowed is {allowed}") from error
    except sqlite3.Error as error:
        hint = ""
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN:
            hint = "; a new one, and one with a -wal file beside it, needs a folder that can be written"
        raise LedgerError(f"ledger {path!r}: {error}{hint}") from error
    except UnicodeDecodeError as error:  # raised by sqlite3 in place of its own, over a name that its message holds
        raise LedgerError(f"ledger {path!r}: damaged, it has names that are no text") from error


def _access(path: Path, read_only: bool) -> str:
    """How SQLite opens the file.

    To read in write-ahead mode SQLite makes two files beside the database, and only who may write takes them away
    again. So a reader opens a ledger as a writer would, and writes nothing (``query_only``). Where a file is beside it
    already, somebody has the ledger open or died over it, and it is left as it is. Where nothing can be written, it
    lies whole in its file and stays so, and is read without the two.
    """
    if not read_only:
        return "mode=rwc"
    real = path.resolve()  # SQLite, too, follows links before it looks
    if any(real.with_name(f"{real.name}-{kind}").exists() for kind in ("wal", "journal")):
        return "mode=ro"
    return "mode=rw" if os.access(real, os.W_OK) and os.access(real.parent, os.W_OK) else "immutable=1"


class LedgerStore:
    """Rows in, rows out; what they mean is the ledger's business.

    Args:
        path: of the file, None for memory.
        header: to make a new ledger with, where there is none yet.
        read_only: open an existing file and leave it as it is.
        synchronous: "normal" or "full".

    Raises:
        LedgerError: the file cannot be opened, is no ledger, or is missing where it must not be.
        ValueError: synchronous is neither.
    """

    def __init__(
        self,
        path: Path | None,
        header: LogHeader | None = None,
        *,
        read_only: bool = False,
        synchronous: str = "normal",
    ) -> None:
        require(synchronous in SYNCHRONOUS, "synchronous", synchronous, " or ".join(SYNCHRONOUS))
        self.name = str(path) if path else "in memory"
        if path is not None and (path.is_dir() or (read_only and not path.is_file())):
            raise LedgerError(f"ledger {self.name!r}: {why_no_file(path)}")
        address = f"{path.absolute().as_uri()}?{_access(path, read_only)}" if path else ":memory:"
        with _in_plain_words(self.name):
            self._db = sqlite3.connect(address, uri=True, isolation_level=None)
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        try:
            self._prepare(header, read_only, synchronous)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, header: LogHeader | None, read_only: bool, synchronous: str) -> None:
        """Set the file's mode; make the tables, header included, in one transaction if there are none."""
        with _in_plain_words(self.name):
            if read_only:
                self._db.execute("PRAGMA query_only = ON")
            else:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute(f"PRAGMA synchronous = {synchronous}")
            tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables >= {"header", "leaves", "heads"}:
                return
            if tables or header is None:
                raise LedgerError(f"ledger {self.name!r}: the file is no ledger")
            guards = "".join(
                _GUARD.format(table=table, event=event)
                for table in ("header", "leaves", "heads")
                for event in ("UPDATE", "DELETE")
            )
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {guards}")
            self._db.execute("INSERT INTO header VALUES (0, ?)", (header.encode(),))
            self._db.execute("COMMIT")

    def header(self) -> LogHeader:
        """The header.

        Raises:
            LedgerError: there is none that decodes.
        """
        with _in_plain_words(self.name):
            row = self._db.execute("SELECT data FROM header").fetchone()
        return LogHeader.decode(row[0] if row else b"")

    def append(self, leaves: Sequence[LeafRow], head: TreeHead | None) -> None:
        """Add leaves, and a head if there is one, in one transaction: all of it is on disk when this returns, or none.

        Raises:
            LedgerError: SQLite refuses (disk full), or somebody else has written since this was opened.
        """
        with _in_plain_words(self.name):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT INTO leaves VALUES (?, ?, ?)", leaves)
                if head is not None:
                    row = (head.size, head.root, head.step, head.signer, head.signature)
                    self._db.execute("INSERT INTO heads VALUES (?, ?, ?, ?, ?)", row)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def leaves(self, first: int = 0) -> Iterator[tuple[Any, Any, Any]]:
        """The leaf rows by position, as they are stored: whoever edited the file chose their types, too."""
        with _in_plain_words(self.name):
            query = "SELECT position, data, hash FROM leaves WHERE position >= ? ORDER BY position"
            yield from self._db.execute(query, (first,))

    def heads(self) -> Iterator[tuple[Any, ...]]:
        """The head rows (size, root, step, signer, signature) by size, as they are stored."""
        with _in_plain_words(self.name):
            yield from self._db.execute("SELECT size, root, step, signer, signature FROM heads ORDER BY size")

    def head(self, size: int | None = None) -> TreeHead | None:
        """The head of that many leaves, by default the last; None if there is none."""
        query = "SELECT size, root, step, signer, signature FROM heads"
        with _in_plain_words(self.name):
            if size is None:
                row = self._db.execute(f"{query} ORDER BY size DESC LIMIT 1").fetchone()
            else:
                row = self._db.execute(f"{query} WHERE size = ?", (size,)).fetchone()
        return None if row is None else TreeHead(*row)

    def count_heads(self) -> int:
        """How many heads there are."""
        with _in_plain_words(self.name):
            return int(self._db.execute("SELECT count(*) FROM heads").fetchone()[0])

    def find(self, mission: bytes, step: int) -> tuple[int, bytes] | None:
        """(position, data) of the leaf of that step, None if there is none; looks through the whole file."""
        query = f"SELECT position, data FROM leaves WHERE {_ADDRESS_SQL} = ? LIMIT 1"
        with _in_plain_words(self.name):
            row = self._db.execute(query, (mission + step.to_bytes(4, "little"),)).fetchone()
        return None if row is None else (row[0], row[1])

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._db.close()
