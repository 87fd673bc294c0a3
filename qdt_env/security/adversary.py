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
from typing import cast

import numpy as np

from qdt_env import random
from qdt_env.compiled import rule
from qdt_env.security.attacks import DELAY, DROP, JAM, MESSAGE_KINDS_MASK, MITM, REPLAY, SPOOF, TAMPER, attack_is_on
from qdt_env.security.authentication import R_BYTES, AuthenticationError
from qdt_env.security.ciphers import SECRET_BYTES, Absent, EpochKeys, epoch_keys, pad_bytes, pad_open, pad_seal
from qdt_env.security.delivery import Slot
from qdt_env.security.session import Session
from qdt_env.security.suites import Suite
from qdt_env.security.wire import (
    AEAD,
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


_REPLACES = 1 << TAMPER | 1 << MITM


def is_delayed(strikes: int) -> bool:
    """Whether a slot's genuine message comes late; what is replaced is replaced, late or not."""
    return strikes & 1 << DELAY != 0 and strikes & _REPLACES == 0


class Adversary:
    """One attacker on one link, who knows its suite and its number.

    Args:
        suite: of the link.
        link: its number.
        forge: what he makes of a payload; called with the true one where he can read it, else with zeros.
        delay_steps, replay_steps: how old what he delivers late or plays back is, in steps.

    Attributes:
        keys: keys he was given (stolen, broken, known), or None. He keeps them when their epoch is over.
        pads: by key id, one-time pads he was given.
    """

    def __init__(
        self,
        suite: Suite,
        link: int,
        forge: Forge = flip_payload,
        delay_steps: int = 0,
        replay_steps: int = 0,
    ) -> None:
        self._suite, self._link, self._forge = suite, link, forge
        self._delay_steps, self._replay_steps = delay_steps, replay_steps
        self.keys: EpochKeys | None = None
        self.pads: dict[bytes, bytes] = {}
        self._own: EpochKeys | None = None
        self._sent: dict[Slot, bytes] = {}
        self._taken: dict[int, dict[int, bytes]] = {UPLINK: {}, DOWNLINK: {}}

    def lose(self, end: Session) -> None:
        """He does not have this end's keys, or has them no longer; those of past epochs he keeps."""
        if self.keys is not None and end.keys is not None and self.keys.epoch == end.keys.epoch:
            self.keys = None
        self.pads = {}

    def steal(self, end: Session) -> None:
        """Take what one end holds: the epoch's keys, and the pad it spent last."""
        if end.keys is not None:
            self.keys = end.keys
        if end.spent_pad is not None:
            self.pads = dict([end.spent_pad])

    def act(self, frame: bytes | None, slot: Slot, strikes: int, is_late: bool) -> tuple[list[bytes], bytes | None]:
        """Do what the script says to one slot.

        Args:
            frame: the genuine frame, or None where its sender had no key.
            slot: direction, step and number.
            strikes: bit mask, as from :func:`message_strikes`.
            is_late: whether the frame carries an older message than this step's, because he delays its sender.

        Returns:
            Injected frames in the order of their coming, and what reaches the receiver of the genuine one, after them.
        """
        if strikes & 1 << JAM:
            return [], None  # he silences everybody, other attackers too
        arrived = None if frame is None else self._pass_on(frame, slot, strikes, is_late)
        injected = []
        if strikes & 1 << SPOOF:
            injected.append(self.spoof(frame, slot))
        if strikes & 1 << REPLAY and slot[1] > 0:
            injected.append(self.play_back(slot, min(self._replay_steps, slot[1])))
        return injected, arrived

    def _pass_on(self, frame: bytes, slot: Slot, strikes: int, is_late: bool) -> bytes | None:
        """What becomes of the genuine frame; a message that is dropped cannot be altered."""
        step = slot[1]
        if strikes & (NATURAL_LOSS | 1 << DROP):
            return None
        if strikes & 1 << TAMPER:
            return self.tamper(frame, step)
        if strikes & 1 << MITM:
            return self.replace(frame, step)
        if not strikes & 1 << DELAY:
            return frame
        if self._suite.authenticated:
            return frame if is_late else None  # with nothing older to come, its sender is not heard at all
        held = min(self._delay_steps, step)
        return self.deliver_late(slot, held) if held else None

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

    def spoof(self, data: bytes | None, slot: Slot) -> bytes:
        """An invented frame, which takes the counter of the true one and comes before it.

        Args:
            data: the true frame of this slot, or None when nothing is sent: then he guesses the header.
            slot: direction, step and number.
        """
        if data is None:
            epoch = 0 if self.keys is None else self.keys.epoch
            protection = AEAD if self._suite.authenticated else NONE
            data = pack_header(self._suite.code, self._link, slot[0], protection, epoch, 0, slot[1], 0)
            data += bytes(TAG_BYTES if protection == AEAD else 0)
        return self._forged(parse_frame(data), slot[1])

    def play_back(self, slot: Slot, age_steps: int) -> bytes:
        """A recorded frame of ``age_steps`` ago; noise if there is none.

        Where tags are checked, the newest frame of then or before that the receiver took.
        """
        direction, step, number = slot
        if not self._suite.authenticated:
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
        words = self._forge(bytes(length) if heard is None else heard)
        if frame.protection == NONE:
            return _header(frame, step, len(words)) + words
        if frame.protection == PAD:
            return self._forged_with_pad(frame, words[:length].ljust(length, b"\0"), step)  # a pad fits one length
        keys = self.keys
        if keys is None or isinstance(keys.ciphers[frame.direction], Absent):
            keys = self._own_keys(frame.epoch)
        header = _header(frame._replace(epoch=keys.epoch), step, len(words))
        return header + keys.ciphers[frame.direction].seal(header_nonce(header), words, header)

    def _forged_with_pad(self, frame: Frame, words: bytes, step: int) -> bytes:
        """A forged frame under the pad that the true one names; under made-up pad and point where he has none."""
        points = self.keys.points if self.keys is not None else None
        point = os.urandom(R_BYTES) if points is None else points[frame.direction]
        pad = self.pads.get(frame.key_id) or os.urandom(pad_bytes(len(words)))
        associated = _header(frame, step, len(words)) + frame.key_id
        return associated + pad_seal(pad, point, words, associated)

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
