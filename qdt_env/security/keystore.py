"""Key stores: every key bit is handed out once, at each end, under an id that both ends know.

Semantics of ETSI GS QKD 014 in process: the master end takes keys by number and size, the slave end claims the same
keys by id. One :class:`KeyStore` stands for the pair of synchronised stores of a link; ``durable_keystore`` keeps one
in a file.
"""

import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Front(NamedTuple):
    """Bytes that stand first in a store: what they are, and where they end.

    Attributes:
        secret: the bytes.
        deadline_s: the earliest deadline of their blocks.
        used_up: blocks that end with them, >= 0.
        stop: where they end in the block after those; 0 if they end with a block.
    """

    secret: bytes
    deadline_s: float
    used_up: int
    stop: int


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
            totals = self._totals_with("added", len(content))
            self._keep_added(block, totals)
            self._totals = totals
            self._next_number += 1
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
            front = self._front(number * size)
            keys = tuple([Key(uuid.uuid4(), front.secret[i : i + size]) for i in range(0, number * size, size)])
            totals = self._totals_with("taken", number * size)
            self._keep_taken(keys, front, totals)
            self._totals = totals
            self._cut(front)
            for key in keys:
                self._waiting[key.id] = (bytearray(key.secret), front.deadline_s)
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
            self._release("claimed", ids)
            return keys

    def expire(self, now_s: float) -> None:
        """Throw away what is past its lifetime at ``now_s``."""
        if self._lifetime_s is not None:
            with self._alone():
                self._drop([b for b in self._blocks if b.deadline_s <= now_s])
                self._release(
                    "lapsed", [key_id for key_id, (_, deadline_s) in self._waiting.items() if deadline_s <= now_s]
                )

    def discard(self) -> None:
        """Throw away all bits that nobody has taken, as when a monitor says that an attacker may know them."""
        with self._alone():
            self._drop(list(self._blocks))

    def discard_waiting(self) -> None:
        """Throw away all keys that the slave end has not claimed: their messages are lost or too old."""
        with self._alone():
            self._release("lapsed", list(self._waiting))

    def _totals_with(self, name: str, size: int) -> dict[str, int]:
        """The totals as they are when ``size`` more bytes have gone one way."""
        return {**self._totals, name: self._totals[name] + 8 * size}

    def _front(self, size: int) -> Front:
        """The first ``size`` bytes, of as many as there are; they stay where they are."""
        parts = []
        deadline_s, used_up, stop = float("inf"), 0, 0
        for block in self._blocks:
            deadline_s = min(deadline_s, block.deadline_s)
            stop = block.start + size
            parts.append(block.content[block.start : stop])
            if stop < len(block.content):
                break
            used_up += 1
            size, stop = size - len(parts[-1]), 0
            if not size:
                break
        return Front(b"".join(parts), deadline_s, used_up, stop)

    def _cut(self, front: Front) -> None:
        """Remove what :meth:`_front` has found; the store's copy is zeroed."""
        for _ in range(front.used_up):
            used_up = self._blocks.popleft()
            used_up.content[:] = bytes(len(used_up.content))
        if front.stop:
            block = self._blocks[0]
            block.content[block.start : front.stop] = bytes(front.stop - block.start)
            block.start = front.stop
        self._available_bytes -= len(front.secret)

    def _drop(self, blocks: list[Block]) -> None:
        """Throw blocks away unused."""
        if not blocks:
            return
        dropped = sum(block.left() for block in blocks)
        totals = self._totals_with("expired", dropped)
        self._keep_dropped(blocks, totals)
        self._totals = totals
        self._available_bytes -= dropped
        for block in blocks:
            block.content[:] = bytes(len(block.content))
            self._blocks.remove(block)

    def _release(self, name: str, ids: Sequence[uuid.UUID]) -> None:
        """Let waiting keys go: they are "claimed", or have "lapsed"."""
        if ids:
            totals = self._totals_with(name, self._waiting_bytes(ids))
            self._keep_released(ids, totals)
            self._totals = totals
            self._forget(ids)

    def _waiting_bytes(self, ids: Iterable[uuid.UUID]) -> int:
        """The length of waiting keys together."""
        return sum([len(self._waiting[key_id][0]) for key_id in ids])

    def _forget(self, ids: Iterable[uuid.UUID]) -> None:
        """Remove waiting keys and zero the store's copies."""
        for key_id in ids:
            secret, _ = self._waiting.pop(key_id)
            secret[:] = bytes(len(secret))

    # What a durable store writes down, and the totals with it, before anything in memory changes or leaves the store:
    # where writing fails, as on a full disk, nothing has happened.
    def _keep_added(self, block: Block, totals: dict[str, int]) -> None:
        """A block comes in."""

    def _keep_taken(self, keys: tuple[Key, ...], front: Front, totals: dict[str, int]) -> None:
        """The master end gets these keys, which are cut from the front."""

    def _keep_released(self, ids: Iterable[uuid.UUID], totals: dict[str, int]) -> None:
        """These waiting keys go: claimed or lapsed."""

    def _keep_dropped(self, blocks: list[Block], totals: dict[str, int]) -> None:
        """These blocks go."""
