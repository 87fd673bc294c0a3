"""A simulated QKD link that fills a key store in real time, block by block.

Each block is a BB84 block as in ``qkd``: detections are drawn, errors corrected, bits shortened. It takes as long as
its pulses take. Where an eavesdropper takes too much, or the loss is too high, the blocks give no key.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import numpy as np

from qdt_env.security.durable_keystore import DurableKeyStore
from qdt_env.security.qkd.block import BlockAccount, distil
from qdt_env.security.qkd.counts import pulses_for
from qdt_env.security.qkd.detection import cell_probabilities
from qdt_env.security.qkd.hardware import Hardware, preset_by_name
from qdt_env.security.qkd.transmission import NO_EAVESDROPPER, Adversary, event_level_block

MOST_SECONDS_PER_BLOCK = 3_600.0
_IDLE_WAIT_S = 0.5  # how often a link whose store is full, or fails, looks again


class Stop(Protocol):
    """What ends a feed: a ``threading.Event``, or something that counts the waits in a test."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds; True to end."""


class LinkFeed:
    """Makes key blocks for a store.

    Args:
        store: where they go.
        rng: source of the bits. A generator seeded alike makes the same keys again: give one seeded by the operating
            system wherever a store outlives the process.
        hardware: a name in ``PRESETS`` or a :class:`~qdt_env.security.qkd.hardware.Hardware`.
        loss_db: loss of the channel, >= 0 dB.
        adversary: who is on the line.
        clock: seconds now, of a clock that survives a restart.

    Attributes:
        blocks: blocks made, those without key among them.
        last: what the last block cost and gave, or None.

    Raises:
        ValueError: an unknown preset, a negative loss, or one at which a block takes more than an hour.
    """

    def __init__(
        self,
        store: DurableKeyStore,
        rng: np.random.Generator,
        hardware: str | Hardware = "robot100MHz",
        loss_db: float = 15.0,
        adversary: Adversary = NO_EAVESDROPPER,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._store, self._rng, self._clock = store, rng, clock
        self._hardware, self._loss_db, self._adversary = preset_by_name(hardware), loss_db, adversary
        cells = cell_probabilities(self._hardware, loss_db, adversary.intercepted, adversary.pns)
        seconds = pulses_for(self._hardware.block_bits, cells) / self._hardware.pulse_rate_hz
        if not seconds <= MOST_SECONDS_PER_BLOCK:
            raise ValueError(f"loss_db: got {loss_db}, allowed: at most an hour per block, this takes {seconds:.0f} s")
        self.blocks = 0
        self.last: BlockAccount | None = None

    def make_block(self) -> int:
        """Make one block and store its key: the bits stored, 0 where it gave none or the store is full."""
        block = distil(event_level_block(self._hardware, self._loss_db, self._rng, self._adversary), self._rng)
        self.blocks += 1
        self.last = block.account
        return self._store.add(block.key, self._clock()) if block.key else 0

    def run(self, stop: Stop) -> None:
        """Make blocks until told to stop, each in the time that its pulses take; none while the store is full."""
        while True:
            wait_s = _IDLE_WAIT_S
            with suppress(sqlite3.Error):  # a full disk: whoever asks for keys is told (503), the link tries again
                if self._store.available_bits < self._store.capacity_bits:
                    self.make_block()
                    wait_s = self.last.seconds if self.last else _IDLE_WAIT_S
                else:
                    self._store.expire(self._clock())
            if stop.wait(wait_s):
                return


def start_feed(feed: LinkFeed, stop: threading.Event) -> threading.Thread:
    """Run a feed beside the caller, who sets ``stop`` and joins the thread at the end."""
    thread = threading.Thread(target=feed.run, args=(stop,), name="link feed", daemon=True)
    thread.start()
    return thread
