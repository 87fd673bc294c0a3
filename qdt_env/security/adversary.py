"""The adversary on the air: hears every frame, and changes, withholds, repeats and invents frames as its script says.

It works on bytes. What it can do with them follows from what it holds: an :class:`Adversary` that was given the keys of
an epoch reads and forges under them, one that was not can flip bits or seal under keys of its own. When it strikes is
decided by the same draws that decide it in the statistical fidelity (:func:`message_strikes`), so one script gives one
story in both.

Two limits of what is modelled. A delaying attacker keeps the sender from getting through until ``delay_steps`` later;
each attempt is sealed anew (a nonce is never used twice, and old keys are gone), so the late message comes under a
fresh counter with its true time stamp. Only where nothing is sealed can recorded bytes be delivered late instead. And a
replaying attacker plays back what the receiver took before: a recording that never arrived would be a late delivery.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from qdt_env import random
from qdt_env.compiled import rule
from qdt_env.security.attacks import DELAY, DROP, JAM, MESSAGE_KINDS_MASK, MITM, REPLAY, SPOOF, TAMPER, attack_is_on
from qdt_env.security.authentication import R_BYTES, AuthenticationError
from qdt_env.security.ciphers import SECRET_BYTES, EpochKeys, epoch_keys, pad_bytes, pad_open, pad_seal
from qdt_env.security.wire import (
    DOWNLINK,
    HEADER_BYTES,
    NONE,
    PAD,
    TAG_BYTES,
    UPLINK,
    Frame,
    header_nonce,
    pack_header,
    parse_frame,
)

NATURAL_LOSS = 1 << 30  # bit of the strikes that is nature's, beside the bits of the attack kinds

Forge = Callable[[bytes], bytes]


@rule
def _hits(link, attack_table, kind, step, draw):
    """The bit of an attack kind if it is aimed at this link, on at this step, and its draw succeeds; else 0."""
    aimed = link["targets"] & (1 << kind) and attack_is_on(attack_table[kind], step)
    return np.int32(1 << kind) if aimed and draw < attack_table[kind]["intensity"] else np.int32(0)


@rule
def message_strikes(link, attack_table, channel_record, seed, episode, step, entity, index):
    """Bit mask of what hits one message slot: attack kinds, and ``NATURAL_LOSS``; draws as in ``outcomes``.

    Args:
        link: ``LINK`` record.
        attack_table: (17,) ``ATTACK`` records.
        channel_record: ``CHANNEL`` record.
        seed, episode, step, entity, index: address of the draws, as for ``message_outcome``.
    """
    struck = np.int32(0)
    if random.uniform(seed, episode, step, random.CHANNEL, entity, index) < channel_record["natural_loss"]:
        struck |= np.int32(NATURAL_LOSS)
    if link["targets"] & MESSAGE_KINDS_MASK == 0:
        return struck
    jam, drop, delay, tamper = random.uniform4(seed, episode, step, random.ATTACK, entity, 2 * index)
    mitm, spoof, replay, _ = random.uniform4(seed, episode, step, random.ATTACK, entity, 2 * index + 1)
    struck |= _hits(link, attack_table, JAM, step, jam) | _hits(link, attack_table, DROP, step, drop)
    struck |= _hits(link, attack_table, DELAY, step, delay) | _hits(link, attack_table, TAMPER, step, tamper)
    struck |= _hits(link, attack_table, MITM, step, mitm) | _hits(link, attack_table, SPOOF, step, spoof)
    return struck | _hits(link, attack_table, REPLAY, step, replay)


def flip_payload(payload: bytes) -> bytes:
    """The attacker's words when nobody gave him better ones: every bit inverted."""
    return bytes(byte ^ 0xFF for byte in payload) or b"\xff"


Slot = tuple[int, int, int]  # direction, step, number within the step


@dataclass
class Adversary:
    """One attacker on one link.

    Attributes:
        forge: what he makes of a payload; called with the true one where he can read it, else with zeros.
        rewrites_stamps: whether the frames carry no tag, so that he can write time stamps as he likes.
        keys: keys he was given (stolen, broken, known), or None. He keeps them when their epoch is over.
        pads: by key id, one-time pads he was given.
    """

    forge: Forge = flip_payload
    rewrites_stamps: bool = False
    keys: EpochKeys | None = None
    pads: dict[bytes, bytes] = field(default_factory=dict)
    _own: EpochKeys | None = None
    _sent: dict[Slot, bytes] = field(default_factory=dict)
    _taken: dict[int, dict[int, bytes]] = field(default_factory=lambda: {UPLINK: {}, DOWNLINK: {}})

    def record_sent(self, slot: Slot, frame: bytes) -> None:
        """Record what the sender puts on the air in a slot."""
        self._sent[slot] = frame

    def record_taken(self, slot: Slot, frame: bytes) -> None:
        """Record a frame that the receiver took in a slot."""
        self._taken[slot[0]][slot[1]] = frame

    def forget_before(self, step: int) -> None:
        """Cut the tape: nothing older is wanted, but for the newest frame taken (something to play back)."""
        for slot in [slot for slot in self._sent if slot[1] < step]:
            del self._sent[slot]
        for taken in self._taken.values():
            older = [then for then in taken if then < step]
            for then in sorted(older)[:-1]:
                del taken[then]

    def read(self, data: bytes) -> bytes | None:
        """The payload of a frame that he overhears, or None where he cannot read it."""
        return self._read(parse_frame(data))

    def tamper(self, data: bytes, step: int) -> bytes:
        """A frame with other words: forged where he can, else with a bit of payload or tag flipped."""
        frame = parse_frame(data)
        if frame.protection == NONE or self._holds(frame):
            return self._forged(frame, step)
        flipped = bytearray(data)
        flipped[len(frame.associated)] ^= 1
        return bytes(flipped)

    def replace(self, data: bytes, step: int) -> bytes:
        """What a man in the middle sends on: his words, under the epoch's key where he holds it, else his own key."""
        return self._forged(parse_frame(data), step)

    def spoof(self, data: bytes | None, expected: bytes, step: int) -> bytes:
        """An invented frame that takes the counter of the true one and comes before it.

        Args:
            data: the true frame of this slot, or None when nothing is sent.
            expected: the header that he would expect then; he has watched the link.
            step: step now.
        """
        if data is not None:
            return self._forged(parse_frame(data), step)
        return self._forged(parse_frame(expected + bytes(TAG_BYTES)), step)

    def play_back(self, slot: Slot, age_steps: int) -> bytes:
        """A recorded frame of ``age_steps`` ago; noise if there is none.

        Where tags are checked, the newest frame of then or before that the receiver took.
        """
        direction, step, number = slot
        if self.rewrites_stamps:
            late = self.deliver_late(slot, age_steps)
            return os.urandom(HEADER_BYTES) if late is None else late
        old = [then for then in self._taken[direction] if then <= step - age_steps]
        return self._taken[direction][max(old)] if old else os.urandom(HEADER_BYTES)

    def deliver_late(self, slot: Slot, age_steps: int) -> bytes | None:
        """The recording of ``age_steps`` ago as if it were written now, which only a tag would notice."""
        direction, step, number = slot
        data = self._sent.get((direction, step - age_steps, number))
        if data is None:
            return None
        frame = parse_frame(data)
        return _header(frame, step, len(frame.sealed)) + frame.sealed

    def _holds(self, frame: Frame) -> bool:
        """Whether he has what this frame was sealed with."""
        if self.keys is None or self.keys.epoch != frame.epoch:
            return False
        return frame.protection != PAD or frame.key_id in self.pads

    def _read(self, frame: Frame) -> bytes | None:
        """The payload, where he can open the frame."""
        if frame.protection == NONE:
            return frame.sealed
        if not self._holds(frame):
            return None
        keys = cast(EpochKeys, self.keys)
        try:
            if frame.protection == PAD:
                point = cast(tuple[bytes, bytes], keys.points)[frame.direction]
                return pad_open(self.pads[frame.key_id], point, frame.sealed, frame.associated)
            return keys.ciphers[frame.direction].open(frame.nonce, frame.sealed, frame.associated)
        except AuthenticationError:
            return None

    def _forged(self, frame: Frame, step: int) -> bytes:
        """A frame in place of ``frame``: same counter, fresh time stamp, his words, the best keys he has."""
        length = len(frame.sealed) - (0 if frame.protection == NONE else TAG_BYTES)
        heard = self._read(frame)
        words = self.forge(bytes(length) if heard is None else heard)
        if frame.protection == NONE:
            return _header(frame, step, len(words)) + words
        keys = self.keys or self._own_keys(frame.epoch)
        if frame.protection == PAD:
            words = words[:length].ljust(length, b"\0")  # a pad fits one length only
            pad = self.pads.get(frame.key_id) or os.urandom(pad_bytes(length))
            point = keys.points[frame.direction] if keys.points else os.urandom(R_BYTES)
            associated = _header(frame, step, length) + frame.key_id
            return associated + pad_seal(pad, point, words, associated)
        header = _header(frame._replace(epoch=keys.epoch), step, len(words))
        return header + keys.ciphers[frame.direction].seal(header_nonce(header), words, header)

    def _own_keys(self, epoch: int) -> EpochKeys:
        """Keys that he made up."""
        if self._own is None or self._own.epoch != epoch:
            self._own = epoch_keys(epoch, os.urandom(SECRET_BYTES))
        return self._own


def _header(frame: Frame, step: int, length: int) -> bytes:
    """The header of a frame with another time stamp and length."""
    return pack_header(
        frame.suite, frame.link, frame.direction, frame.protection, frame.epoch, frame.counter, step, length
    )
