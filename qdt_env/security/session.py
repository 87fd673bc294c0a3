"""A session: one end of a link, sealing what it sends and opening only what verifies, epoch by epoch.

Rules that hold whatever the caller does: a (key, nonce) is never used twice (so a session cannot be copied or used in
a forked process, and threads wait for one another), an epoch's keys are gone when the next epoch's come, a counter is
accepted once, a message older than ``max_age_steps`` or from the future is refused.
"""

import uuid
from dataclasses import replace
from typing import NamedTuple

from qdt_env.security.authentication import AuthenticationError
from qdt_env.security.ciphers import Cipher, EpochKeys, pad_bytes, pad_open, pad_seal
from qdt_env.security.keystore import KeyStore, KeyUnavailable
from qdt_env.security.replay import ReplayWindow
from qdt_env.security.sole import Sole
from qdt_env.security.suites import PLAINTEXT, QKD_OTP
from qdt_env.security.wire import (
    AEAD,
    DOWNLINK,
    MAX_COUNTER,
    MAX_EPOCH,
    NONE,
    PAD,
    UPLINK,
    Frame,
    FrameError,
    header_nonce,
    pack_header,
    parse_frame,
)

# Why a frame was refused.
REASONS = ("malformed", "foreign", "epoch", "replayed", "key", "unverified", "stale")
MAX_CLAIMED_PADS = 64  # pads claimed for frames that have not verified; older ones are given up


class Rejected(Exception):
    """A frame was refused; ``reason`` is one of ``REASONS``."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class NoKey(Exception):
    """The session has no key to seal with."""


class NonceExhausted(Exception):
    """The counter or the epoch has come to its end: the session must not send another frame."""


class Opened(NamedTuple):
    """A frame that was accepted.

    Attributes:
        payload: what the receiver acts on.
        step: when it claims to be written; authenticated unless the suite is plaintext.
        nonce: 12 bytes, epoch and counter: which frame it was.
    """

    payload: bytes
    step: int
    nonce: bytes


class Session(Sole):
    """One end of one link. Safe to use from several threads; cannot be copied, pickled or used in a forked process.

    Args:
        suite: index of ``SUITE_NAMES``.
        link: link number, 0 .. 2^32-1.
        sends: the direction in which this end sends, ``UPLINK`` or ``DOWNLINK``; it receives the other one.
        max_age_steps: oldest message accepted, in steps, >= 0.
        store: where pads come from; only ``qkd-otp`` needs one.

    Attributes:
        spent_pad: key id and bytes of the last pad used, until the next one or the end of the epoch. Dangerous: who
            gets it reads and, with the epoch's keys, forges that one message.
    """

    def __init__(self, suite: int, link: int, sends: int, max_age_steps: int, store: KeyStore | None = None) -> None:
        super().__init__()
        if sends not in (UPLINK, DOWNLINK):
            raise ValueError(f"sends: got {sends}, allowed: {UPLINK} (uplink) or {DOWNLINK} (downlink)")
        self._suite, self._link, self._sends = suite, link, sends
        self._receives = DOWNLINK if sends == UPLINK else UPLINK
        self._max_age_steps = max_age_steps
        self._store = store
        self._protection = NONE if suite == PLAINTEXT else AEAD
        self._keys: EpochKeys | None = None
        self._last_epoch = -1
        self._counter = 0
        self._window = ReplayWindow()
        self._pads: dict[bytes, bytes] = {}
        self._own_pads: set[bytes] = set()  # ids of those that this end has sealed with, in this epoch
        self.spent_pad: tuple[bytes, bytes] | None = None

    @property
    def keys(self) -> EpochKeys | None:
        """The keys of this epoch. Dangerous: whoever gets this object reads and forges until the next rekeying."""
        return self._keys

    def install(self, keys: EpochKeys) -> None:
        """Begin an epoch; the keys of the one before are dropped, and frames of it are no longer accepted.

        Raises:
            ValueError: an epoch that is not later than all before it: its nonces may have been used.
            NonceExhausted: an epoch above 2^32-1.
        """
        if keys.epoch > MAX_EPOCH:
            raise NonceExhausted(f"epoch: got {keys.epoch}, allowed: at most {MAX_EPOCH}")
        with self._alone():
            if keys.epoch <= self._last_epoch:
                raise ValueError(f"epoch: got {keys.epoch}, allowed: more than {self._last_epoch}, the last one used")
            self.drop()
            self._keys = keys
            self._last_epoch = keys.epoch
            self._counter = 0
            self._window = ReplayWindow()

    def fall_back(self, ciphers: tuple[Cipher, Cipher]) -> None:
        """Give the running epoch fresh ciphers, for messages that find no pad.

        Raises:
            NoKey: there is no epoch to add them to.
        """
        with self._alone():
            if self._keys is None:
                raise NoKey("no key in this epoch")
            self._keys = replace(self._keys, ciphers=ciphers)

    def drop(self) -> None:
        """Forget all keys: nothing can be sealed or opened until the next epoch."""
        with self._alone():
            self._keys = None
            self.spent_pad = None
            self._pads.clear()
            self._own_pads.clear()

    def seal(self, payload: bytes, step: int, *, pad: bool = False) -> bytes:
        """The frame for a message.

        Args:
            payload: at most ``MAX_PAYLOAD_BYTES`` bytes.
            step: when the message was written; goes into the authenticated header.
            pad: use the one-time pad, taking :func:`pad_bytes` bytes from the store, instead of the epoch's cipher.

        Raises:
            NoKey: there are no keys.
            KeyUnavailable: the store has too few bits for a pad.
            NonceExhausted: 2^64 frames were sent in this epoch.
            ValueError: payload or step do not fit into a frame.
            RuntimeError: in a forked process.
        """
        protection = PAD if pad else self._protection
        with self._alone():
            keys, counter = self._keys, self._counter
            if keys is None:
                raise NoKey("no key in this epoch")
            if counter > MAX_COUNTER:
                raise NonceExhausted(f"counter: all {MAX_COUNTER + 1} of epoch {keys.epoch} are used")
            fields = self._suite, self._link, self._sends, protection, keys.epoch, counter, step, len(payload)
            header = pack_header(*fields)
            self._counter = counter + 1  # before sealing: no error on the way can lead to a second use
        if pad:
            return self._seal_with_pad(keys, header, payload)
        return header + keys.ciphers[self._sends].seal(header_nonce(header), payload, header)

    def _seal_with_pad(self, keys: EpochKeys, header: bytes, payload: bytes) -> bytes:
        """The frame under a pad from the store."""
        if self._store is None or keys.points is None:
            raise NoKey("this session has no pads")
        (key,) = self._store.take(1, 8 * pad_bytes(len(payload)))
        self._own_pads.add(key.id.bytes)
        self.spent_pad = key.id.bytes, key.secret
        associated = header + key.id.bytes
        return associated + pad_seal(key.secret, keys.points[self._sends], payload, associated)

    def open(self, data: bytes, step: int) -> Opened:
        """Accept a frame, or refuse it.

        The order matters: form, address, epoch and window are checked first (cheap), then the tag; only a frame that
        verified is marked in the window, and only then is its time stamp believed.

        Args:
            data: the bytes as received.
            step: step now.

        Raises:
            Rejected: the frame is refused; nothing of it may be used.
            RuntimeError: in a forked process.
        """
        try:
            frame = parse_frame(data)
        except FrameError as error:
            raise Rejected("malformed", str(error)) from None
        if frame.suite != self._suite or frame.link != self._link or frame.direction != self._receives:
            raise Rejected("foreign", f"suite {frame.suite}, link {frame.link}, direction {frame.direction}")
        with self._alone():  # from the look at the window to its mark, so that no counter is accepted twice
            payload = self._accept(frame)
        if not 0 <= step - frame.step <= self._max_age_steps:
            raise Rejected("stale", f"written at step {frame.step}, now {step}")
        return Opened(payload, frame.step, frame.nonce)

    def _accept(self, frame: Frame) -> bytes:
        """The payload of a frame of this epoch that is new and verifies; it is marked."""
        keys = self._keys
        if keys is None:
            raise Rejected("epoch", "no key")
        if self._protection == NONE:  # nothing in the header means anything: no epoch, no window
            return self._unseal(frame, keys)
        if frame.epoch != keys.epoch:
            raise Rejected("epoch", f"no key for epoch {frame.epoch}")
        if not self._window.is_fresh(frame.counter):
            raise Rejected("replayed", f"counter {frame.counter}")
        payload = self._unseal(frame, keys)
        self._window.mark(frame.counter)
        return payload

    def _unseal(self, frame: Frame, keys: EpochKeys) -> bytes:
        """The payload of a frame that verifies."""
        try:
            if frame.protection == self._protection:
                return keys.ciphers[self._receives].open(frame.nonce, frame.sealed, frame.associated)
            if frame.protection != PAD or self._suite != QKD_OTP or keys.points is None:
                raise Rejected("foreign", "protection")
            pad = self._pad(frame.key_id)
            payload = pad_open(pad, keys.points[self._receives], frame.sealed, frame.associated)
        except AuthenticationError as error:
            raise Rejected("unverified", str(error)) from None
        del self._pads[frame.key_id]
        return payload

    def _pad(self, key_id: bytes) -> bytes:
        """The pad with this id: claimed once, then kept until a frame verifies under it.

        A forger can name a pad that he has seen on the air; the true frame must still find it, here or, where it is one
        of this end's own, at the other end: the store gives each pad once.
        """
        if key_id in self._own_pads:
            raise Rejected("key", "the pad of a frame that this end has sent")
        if key_id not in self._pads:
            if self._store is None:
                raise Rejected("key", "no pads")
            try:
                (key,) = self._store.claim(uuid.UUID(bytes=key_id))
            except KeyUnavailable as error:
                raise Rejected("key", str(error)) from None
            if len(self._pads) >= MAX_CLAIMED_PADS:
                del self._pads[next(iter(self._pads))]
            self._pads[key_id] = key.secret
        return self._pads[key_id]
