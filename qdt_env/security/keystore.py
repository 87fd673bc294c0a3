"""Key stores: every key bit is handed out once, at each end, under an id that both ends know.

Semantics of ETSI GS QKD 014 in process: the master end takes keys by number and size, the slave end claims the same
keys by id. One :class:`KeyStore` stands for the pair of synchronised stores of a link; ``durable_keystore`` keeps one
in a file.
"""

import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from qdt_env.security.sole import Sole

MAX_KEYS_PER_TAKE = 1_024


class KeyUnavailable(Exception):
    """The store cannot hand out what was asked for: too few bits, or an id that is unknown, claimed or expired."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, handed out once.

    Attributes:
        id: the same at both ends.
        secret: the key's bytes; not shown by ``repr``.
    """

    id: uuid.UUID
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.id}, {8 * len(self.secret)} bits)"


@dataclass(frozen=True)
class KeyAccount:
    """Where a store's bits have gone: added = available + taken + expired, taken = waiting + claimed + lapsed.

    Attributes:
        added: bits ever stored, >= 0.
        available: bits that the master end can still take, >= 0.
        taken: bits handed out to the master end, >= 0.
        expired: bits that were thrown away before anybody took them, >= 0.
        waiting: bits taken by the master that the slave has not claimed, >= 0.
        claimed: bits handed out to the slave end, >= 0.
        lapsed: bits that the slave never claimed in time, >= 0.
    """

    added: int = 0
    available: int = 0
    taken: int = 0
    expired: int = 0
    waiting: int = 0
    claimed: int = 0
    lapsed: int = 0


@dataclass(slots=True, repr=False)
class Block:
    """Key material in the order in which it came; ``start`` is the first byte not yet taken (earlier ones are zero)."""

    number: int
    content: bytearray
    deadline_s: float
    start: int = 0

    def left(self) -> int:
        """Bytes not yet taken."""
        return len(self.content) - self.start


class KeyStore(Sole):
    """Both ends' stores of one link, in memory.

    Safe to use from several threads; cannot be copied, pickled or used in a forked process.

    Args:
        capacity_bits: most bits that wait to be taken, a multiple of 8, > 0; what comes beyond is not stored.
        lifetime_s: age at which bits are thrown away, > 0 s, or None for never. Times are the caller's clock.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, capacity_bits: int = 1_048_576, lifetime_s: float | None = None) -> None:
        super().__init__()
        if capacity_bits <= 0 or capacity_bits % 8:
            raise ValueError(f"capacity_bits: got {capacity_bits}, allowed: a multiple of 8 above 0")
        if lifetime_s is not None and not lifetime_s > 0:
            raise ValueError(f"lifetime_s: got {lifetime_s}, allowed: more than 0, or None")
        self._capacity_bytes = capacity_bits // 8
        self._lifetime_s = lifetime_s
        self._blocks: deque[Block] = deque()
        self._waiting: dict[uuid.UUID, tuple[bytearray, float]] = {}
        self._available_bytes = 0
        self._next_number = 0
        self._totals = dict.fromkeys(("added", "taken", "expired", "claimed", "lapsed"), 0)  # bits

    @property
    def available_bits(self) -> int:
        """Bits that the master end can take now, expired ones included until the next call that names a time."""
        return 8 * self._available_bytes

    def account(self) -> KeyAccount:
        """Where all bits are."""
        with self._alone():
            waiting = 8 * sum(len(secret) for secret, _ in self._waiting.values())
            return KeyAccount(available=8 * self._available_bytes, waiting=waiting, **self._totals)

    def add(self, material: bytes, now_s: float = 0.0) -> int:
        """Store fresh key material at both ends.

        Args:
            material: secret bits shared by both ends, packed; the store keeps its own copy.
            now_s: time now, from which the lifetime counts.

        Returns:
            Bits stored: fewer than given when the store is full.
        """
        with self._alone():
            self.expire(now_s)
            content = bytearray(material[: self._capacity_bytes - self._available_bytes])
            if not content:
                return 0
            deadline_s = float("inf") if self._lifetime_s is None else now_s + self._lifetime_s
            block = Block(self._next_number, content, deadline_s)
            self._next_number += 1
            self._totals["added"] += 8 * len(content)
            self._keep_added(block)
            self._blocks.append(block)
            self._available_bytes += len(content)
            return 8 * len(content)

    def take(self, number: int = 1, size_bits: int = 256, now_s: float = 0.0) -> tuple[Key, ...]:
        """Hand ``number`` keys of ``size_bits`` bits to the master end; the slave end may claim each once.

        Raises:
            ValueError: number not in 1 .. ``MAX_KEYS_PER_TAKE``, or a size that is not a multiple of 8 above 0.
            KeyUnavailable: fewer bits in store; none is taken then.
        """
        if not 1 <= number <= MAX_KEYS_PER_TAKE:
            raise ValueError(f"number: got {number}, allowed: 1 .. {MAX_KEYS_PER_TAKE}")
        if size_bits <= 0 or size_bits % 8:
            raise ValueError(f"size_bits: got {size_bits}, allowed: a multiple of 8 above 0")
        size = size_bits // 8
        with self._alone():
            if self._lifetime_s is not None:
                self.expire(now_s)
            if self._available_bytes < number * size:
                raise KeyUnavailable(f"{number} keys of {size_bits} bits: only {self.available_bits} bits in store")
            deadline_s, secret = self._cut(number * size)
            keys = tuple([Key(uuid.uuid4(), secret[i : i + size]) for i in range(0, len(secret), size)])
            for key in keys:
                self._waiting[key.id] = (bytearray(key.secret), deadline_s)
            self._totals["taken"] += number * size_bits
            self._keep_taken(keys, deadline_s)
            return keys

    def claim(self, *ids: uuid.UUID, now_s: float = 0.0) -> tuple[Key, ...]:
        """Hand the keys with these ids to the slave end, once.

        Raises:
            KeyUnavailable: an id is unknown, was claimed before or has expired; none is claimed then.
        """
        with self._alone():
            if self._lifetime_s is not None:
                self.expire(now_s)
            missing = [key_id for key_id in ids if key_id not in self._waiting]
            if missing or (len(ids) > 1 and len(set(ids)) != len(ids)):
                raise KeyUnavailable(f"key id unknown, claimed or expired: {', '.join(map(str, missing or ids))}")
            keys = tuple([Key(key_id, bytes(self._waiting[key_id][0])) for key_id in ids])
            self._totals["claimed"] += 8 * sum([len(key.secret) for key in keys])
            self._keep_claimed(ids)
            self._forget(ids)
            return keys

    def expire(self, now_s: float) -> None:
        """Throw away what is past its lifetime at ``now_s``."""
        if self._lifetime_s is not None:
            with self._alone():
                self._drop([b for b in self._blocks if b.deadline_s <= now_s])
                self._lapse([key_id for key_id, (_, deadline_s) in self._waiting.items() if deadline_s <= now_s])

    def discard(self) -> None:
        """Throw away all bits that nobody has taken, as when a monitor says that an attacker may know them."""
        with self._alone():
            self._drop(list(self._blocks))

    def discard_waiting(self) -> None:
        """Throw away all keys that the slave end has not claimed: their messages are lost or too old."""
        with self._alone():
            self._lapse(list(self._waiting))

    def _cut(self, size: int) -> tuple[float, bytes]:
        """Remove ``size`` bytes from the front: their earliest deadline, and the bytes; the store's copy is zeroed."""
        parts = []
        deadline_s = float("inf")
        self._available_bytes -= size
        block = self._blocks[0]
        if block.left() > size:  # the usual case
            stop = block.start + size
            part = bytes(block.content[block.start : stop])
            block.content[block.start : stop] = bytes(size)
            block.start = stop
            return block.deadline_s, part
        while size:
            block = self._blocks[0]
            part = bytes(block.content[block.start : block.start + size])
            block.content[block.start : block.start + len(part)] = bytes(len(part))
            block.start += len(part)
            size -= len(part)
            parts.append(part)
            deadline_s = min(deadline_s, block.deadline_s)
            if not block.left():
                self._blocks.popleft()
        return deadline_s, b"".join(parts)

    def _drop(self, blocks: list[Block]) -> None:
        """Throw blocks away unused."""
        if not blocks:
            return
        dropped = sum(block.left() for block in blocks)
        self._totals["expired"] += 8 * dropped
        self._available_bytes -= dropped
        self._keep_dropped(blocks)
        for block in blocks:
            block.content[:] = bytes(len(block.content))
            self._blocks.remove(block)

    def _lapse(self, ids: list[uuid.UUID]) -> None:
        """Throw keys away that the slave has not claimed."""
        if ids:
            self._totals["lapsed"] += 8 * sum(len(self._waiting[key_id][0]) for key_id in ids)
            self._keep_claimed(ids)
            self._forget(ids)

    def _forget(self, ids: Iterable[uuid.UUID]) -> None:
        """Remove waiting keys and zero the store's copies."""
        for key_id in ids:
            secret, _ = self._waiting.pop(key_id)
            secret[:] = bytes(len(secret))

    # What a durable store writes down, each before the bytes leave the store or memory forgets them.
    def _keep_added(self, block: Block) -> None:
        """A block came in."""

    def _keep_taken(self, keys: tuple[Key, ...], deadline_s: float) -> None:
        """The master end gets these keys."""

    def _keep_claimed(self, ids: Iterable[uuid.UUID]) -> None:
        """These waiting keys are gone: claimed or lapsed."""

    def _keep_dropped(self, blocks: list[Block]) -> None:
        """These blocks are gone."""
