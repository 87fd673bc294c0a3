"""A key store in a file whose keys are reserved: each is for named receivers, who get it once each.

This is what a key server needs beyond :class:`~qdt_env.security.durable_keystore.DurableKeyStore`: whom a key is for,
and who has had it, are on disk with the key itself and change in the same transaction.
"""

import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from qdt_env.security.durable_keystore import Change, DurableKeyStore
from qdt_env.security.keystore import Front, Key, KeyUnavailable

ANYBODY = ""  # the receiver of keys that were taken without naming one


class NotReserved(KeyUnavailable):
    """The key is there, but for others."""


class ReservedKeyStore(DurableKeyStore):
    """A key store in an SQLite file; a key taken for named receivers can be claimed by each of them once.

    A receiver is marked as served on disk *before* the key's bytes leave the store. When all are served the key is
    gone. :meth:`take` and :meth:`claim` of the base do what they did, for keys that are reserved for nobody.

    Args:
        path: the file; made when absent. ``":memory:"`` keeps the store in memory, for tests.
        capacity_bits, lifetime_s: as for :class:`~qdt_env.security.keystore.KeyStore`.

    Raises:
        KeyUnavailable, sqlite3.DatabaseError: as for the base, whose files can be taken over; not the other way round.
    """

    _tables: ClassVar[dict[str, str]] = DurableKeyStore._tables | {
        "receivers": "id BLOB NOT NULL, receiver TEXT NOT NULL, served INTEGER NOT NULL, PRIMARY KEY (id, receiver)"
    }

    def __init__(self, path: Path | str, capacity_bits: int = 1_048_576, lifetime_s: float | None = None) -> None:
        self._served: dict[uuid.UUID, dict[str, bool]] = {}  # of the keys that wait: receiver -> has had it
        self._receivers: tuple[str, ...] = (ANYBODY,)
        super().__init__(path, capacity_bits, lifetime_s)

    def take_for(
        self, receivers: Sequence[str], number: int = 1, size_bits: int = 256, now_s: float = 0.0
    ) -> tuple[Key, ...]:
        """Hand keys to the master end; each receiver may claim each of them once.

        Args:
            receivers: their names, one or more, each once.
            number, size_bits, now_s: as for :meth:`take`.

        Raises:
            ValueError: no receivers or one twice, or as for :meth:`take`.
            KeyUnavailable: fewer bits in store; none is taken then.
        """
        if not receivers or len(set(receivers)) != len(receivers):
            raise ValueError(f"receivers: got {list(receivers)}, allowed: one or more, each once")
        with self._alone():
            self._receivers = tuple(receivers)  # for _keep_taken, which take() calls under the same lock
            try:
                return super().take(number, size_bits, now_s)
            finally:
                self._receivers = (ANYBODY,)

    def claim(self, *ids: uuid.UUID, now_s: float = 0.0) -> tuple[Key, ...]:
        """As in the base, for keys that are reserved for nobody."""
        return self.claim_for(ANYBODY, *ids, now_s=now_s)

    def claim_for(self, receiver: str, *ids: uuid.UUID, now_s: float = 0.0) -> tuple[Key, ...]:
        """Hand the keys with these ids to one of their receivers, once.

        Raises:
            NotReserved: one of the keys is for others; none is claimed then.
            KeyUnavailable: an id is unknown, was claimed by this receiver before, or has expired; none is claimed.
        """
        with self._alone():
            self.expire(now_s)
            known = [key_id for key_id in ids if key_id in self._waiting]
            foreign = [key_id for key_id in known if receiver not in self._served.get(key_id, {})]
            if foreign:
                raise NotReserved(f"key reserved for others: {', '.join(map(str, foreign))}")
            open_ids = {key_id for key_id in known if not self._served[key_id][receiver]}
            missing = [key_id for key_id in ids if key_id not in open_ids]
            if missing or len(open_ids) != len(ids):
                raise KeyUnavailable(f"key id unknown, claimed or expired: {', '.join(map(str, missing or ids))}")
            keys = tuple([Key(key_id, bytes(self._waiting[key_id][0])) for key_id in ids])
            self._serve(receiver, ids)
            return keys

    def _serve(self, receiver: str, ids: Sequence[uuid.UUID]) -> None:
        """Mark a receiver as served, on disk first; keys of which he was the last are gone."""
        last = [i for i in ids if all(had or name == receiver for name, had in self._served[i].items())]
        totals = self._totals_with("claimed", self._waiting_bytes(last))
        mark = "UPDATE receivers SET served = 1 WHERE id = ? AND receiver = ?"
        marks: list[Change] = [(mark, (key_id.bytes, receiver)) for key_id in ids]
        self._commit(totals, *marks, *_forgetting(last))
        self._totals = totals
        for key_id in ids:
            self._served[key_id][receiver] = True
        self._forget(last)

    def _load(self) -> None:
        super()._load()
        # A plain store of older code could open such a file, and left receivers of keys that were gone.
        self._file.execute("DELETE FROM receivers WHERE id NOT IN (SELECT id FROM waiting)")
        self._served = {key_id: {} for key_id in self._waiting}
        for raw, receiver, served in self._file.execute("SELECT * FROM receivers"):
            self._served[uuid.UUID(bytes=raw)][receiver] = bool(served)
        for receivers in self._served.values():
            if not receivers:  # of a file that a plain durable store wrote
                receivers[ANYBODY] = False

    def _keep_taken(self, keys: tuple[Key, ...], front: Front, totals: dict[str, int]) -> None:
        insert = "INSERT INTO receivers VALUES (?, ?, 0)"
        rows: list[Change] = [(insert, (key.id.bytes, name)) for key in keys for name in self._receivers]
        self._commit(totals, *self._taking(keys, front), *rows)
        for key in keys:
            self._served[key.id] = dict.fromkeys(self._receivers, False)

    def _keep_released(self, ids: Iterable[uuid.UUID], totals: dict[str, int]) -> None:
        self._commit(totals, *_forgetting(ids))

    def _forget(self, ids: Iterable[uuid.UUID]) -> None:
        kept = list(ids)
        super()._forget(kept)
        for key_id in kept:
            self._served.pop(key_id, None)


def _forgetting(ids: Iterable[uuid.UUID]) -> list[Change]:
    """The changes that remove keys."""
    statements = ("DELETE FROM waiting WHERE id = ?", "DELETE FROM receivers WHERE id = ?")
    return [(statement, (key_id.bytes,)) for key_id in ids for statement in statements]
