"""A link in the wire fidelity: real keys, real ciphers, an attacker who works on the bytes.

::

    link = SecureLink("robot", "server", suite="qkd", threats="tamper")
    for _ in range(10):
        link.advance(loss_db=15.0)
        delivery = link.send(b"zone 3: smoke")
        print(delivery.name, delivery.payload)

Key life (pool, epochs, alarms, thefts) follows the same ``LINK`` record and rules as the statistical fidelity; what
becomes of a message is not drawn but found out: the sender seals, the adversary acts, the receiver opens or refuses,
and the verdict compares what was accepted with what was sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from qdt_env.compiled import batch
from qdt_env.security.adversary import NATURAL_LOSS, Adversary, Forge, Slot, flip_payload, message_strikes
from qdt_env.security.attacks import (
    DELAY,
    DROP,
    JAM,
    MESSAGE_KINDS_MASK,
    MITM,
    REPLAY,
    SPOOF,
    TAMPER,
    Threats,
    attack_table,
    threats_by_name,
)
from qdt_env.security.channel import ChannelConfig, channel_record
from qdt_env.security.epochs import Epochs, KeySource, random_material
from qdt_env.security.identity import Party
from qdt_env.security.keystore import KeyStore
from qdt_env.security.link import LINK, advance_link, link_trust, reset_link
from qdt_env.security.outcomes import (
    ALTERED,
    DELAYED,
    DELIVERED,
    FORGED,
    GENUINE,
    LOST,
    NO_KEY,
    OLD,
    REJECTED,
    VERDICTS,
    forgeable,
    record_outcome,
)
from qdt_env.security.qkd.rate import rate_table
from qdt_env.security.session import Opened, Rejected
from qdt_env.security.suites import suite_by_name, suite_table
from qdt_env.security.wire import AEAD, DOWNLINK, MAX_PAYLOAD_BYTES, UPLINK, header_nonce, pack_header

_REPLACED = 1 << TAMPER | 1 << MITM
_MOST_NUMBERS = 2**14  # messages per step and direction: their draws must stay within the message draws
_READY, _FALLBACK, _EPOCH, _MONITOR, _OPEN, _SPENT, _TARGETS, _UP, _DOWN = range(9)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message.

    Attributes:
        verdict: index of ``VERDICTS``, by ground truth: FORGED is what only the caller knows, the receiver does not.
        content: index of ``CONTENTS``: what ``payload`` is; without meaning (0) when nothing was accepted.
        payload: what the receiver acts on, or None.
        age_steps: how many steps ago the content was written, >= 0; 0 for what is fresh, altered or did not arrive.
        key_bits: key bits taken from the store for this message, >= 0.
        injected_rejected: 1 if an injected frame also came and was refused, else 0.
        written_step: when the receiver believes that the payload was written; -1 if nothing was accepted.
        overheard: the payload as the attacker read it, or None where he could not.
        detail: why frames were refused, for people.
    """

    verdict: int
    content: int
    payload: bytes | None
    age_steps: int
    key_bits: int
    injected_rejected: int
    written_step: int
    overheard: bytes | None
    detail: str

    @property
    def name(self) -> str:
        """The verdict in words."""
        return VERDICTS[self.verdict]

    @property
    def accepted(self) -> bool:
        """Whether the receiver acts on something."""
        return self.payload is not None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message that was put into a frame: ground truth."""

    payload: bytes
    written_step: int


@batch
def _advance(links, suites, attacks, channels, rates, loss_db, path_open, dt_s, seed, episode, step, entity):
    """One step of key life; arguments as of ``advance_link``, records as arrays of one (cheaper to hand over)."""
    advance_link(
        links[0], suites[0], attacks, channels[0], rates, loss_db, path_open, dt_s, seed, episode, step, entity
    )


@batch
def _reset(links, suites, attacks, channels, seed, episode, entity):
    """The link before step 0."""
    reset_link(links[0], suites[0], attacks, channels[0], seed, episode, entity)


@batch
def _survey(links, suites, attacks, channels, seed, episode, step, entity, number, state):
    """Read what the wire needs of a link that is advanced to ``step``, and who strikes message ``number``."""
    link = links[0]
    state[_READY] = link["key_ready"]
    state[_FALLBACK] = link["fallback"]
    state[_EPOCH] = link["epoch"]
    state[_MONITOR] = link["monitor_until"]
    state[_OPEN] = suites[0]["authenticated"] == 1 and forgeable(link, suites[0])
    state[_SPENT] = np.int64(link["key_bits_spent"])
    state[_TARGETS] = link["targets"] & MESSAGE_KINDS_MASK
    up = 2 * number
    state[_UP] = message_strikes(link, attacks, channels[0], seed, episode, step, entity, up)
    state[_DOWN] = message_strikes(link, attacks, channels[0], seed, episode, step, entity, up + 1)


@batch
def _record(links, suites, channels, verdict, content, age_steps, key_bits, injected_rejected, step):
    """The outcome into the link, by the one rule that both fidelities share."""
    record_outcome(links[0], suites[0], channels[0], verdict, content, age_steps, key_bits, injected_rejected, step)


@cache
def _rates(preset: str) -> np.ndarray:
    """The preset's rate table, made once."""
    return rate_table(preset)


class SecureLink:
    """One link between two parties, with its attacker. Real cryptography, deterministic verdicts.

    The verdicts are a pure function of (suite, channel, threats, seed, episode, entity) and the calls made; keys,
    nonces and ciphertexts are fresh at every run. Frames go up from ``a`` to ``b`` and down from ``b`` to ``a``.

    Args:
        a, b: the two parties, or their names. Hand in the same :class:`Party` to links that share an end.
        suite: one of ``SUITE_NAMES``.
        channel: parameters, by default all defaults.
        threats: as in ``attacks.threats_by_name``, or a ready attack table of shape (17,), dtype ``ATTACK``.
        seed, episode, entity: address of all draws; entity is the link's number, below 2^32.
        record: array of shape (1,), dtype ``LINK``, to live in; its owner has reset it. By default one of its own.
        key_source: makes key material, ``key_source(link number, block number) -> bytes``; empty for a block without
            key. By default random bytes of the operating system.
        store: the key store, by default one in memory.
        forge: the attacker's words, from the payload that he replaces.
        wiretap: called with (frame, direction) for every frame on the air, the attacker's included.

    Raises:
        ValueError: an unknown suite or threat, or a record of another shape or type.
    """

    def __init__(
        self,
        a: Party | str,
        b: Party | str,
        suite: str = "qkd",
        channel: ChannelConfig | None = None,
        threats: Threats | np.ndarray = "none",
        *,
        seed: int = 0,
        episode: int = 0,
        entity: int = 0,
        record: np.ndarray | None = None,
        key_source: KeySource = random_material,
        store: KeyStore | None = None,
        forge: Forge = flip_payload,
        wiretap: Callable[[bytes, int], None] | None = None,
    ) -> None:
        self.suite = suite_by_name(suite)
        self.channel = ChannelConfig() if channel is None else channel
        self._seed, self._episode, self._entity = np.uint64(seed), episode, entity
        self._suites = suite_table()[self.suite.code : self.suite.code + 1]
        self._channels = channel_record(self.channel)
        self._attacks = threats if isinstance(threats, np.ndarray) else attack_table(threats_by_name(threats))
        self._links = np.zeros(1, LINK) if record is None else _checked(record)
        if record is None:
            _reset(self._links, self._suites, self._attacks, self._channels, self._seed, self._episode, self._entity)
        self._pool_bits = self._links["pool_bits"]
        self._state = np.zeros(9, np.int64)
        self._epochs = Epochs(self.suite, self.channel, a, b, entity, key_source, store)
        self.adversary = Adversary(forge, rewrites_stamps=not self.suite.authenticated)
        self._wiretap = wiretap
        self._step = -1
        self._strikes = [0, 0]
        self._numbers = [0, 0]
        self._targeted = False
        self._open = False
        self._depth = int(max(self._attacks[DELAY]["delay_steps"], self._attacks[REPLAY]["delay_steps"]))
        self._outbox: dict[Slot, _Sent] = {}
        self._truth: dict[tuple[int, bytes], _Sent] = {}  # by direction and nonce

    @property
    def step(self) -> int:
        """The step now; -1 before the first :meth:`advance`."""
        return self._step

    @property
    def link(self) -> np.void:
        """The ``LINK`` record: key life, counters, evidence."""
        return self._links[0]

    @property
    def store(self) -> KeyStore:
        """The store of both ends' quantum keys."""
        return self._epochs.store

    @property
    def trust(self) -> float:
        """Trust in what the link delivers, C in [0, 1]."""
        return float(link_trust(self._links[0], self._suites[0], self._channels[0]))

    def advance(self, dt_s: float = 10.0, loss_db: float = 15.0, path_open: bool = True) -> None:
        """Begin the next step: keys are made, spent, stolen, renewed.

        Args:
            dt_s: length of the step, > 0 s.
            loss_db: loss of the quantum path, >= 0 dB.
            path_open: whether photons get through at all.

        Raises:
            ValueError: a step of no duration, or a negative loss.
        """
        if not dt_s > 0:
            raise ValueError(f"dt_s: got {dt_s!r}, allowed: more than 0")
        if not loss_db >= 0:
            raise ValueError(f"loss_db: got {loss_db!r}, allowed: 0 or more")
        step = self._step + 1
        _advance(
            self._links,
            self._suites,
            self._attacks,
            self._channels,
            _rates(self.channel.preset),
            np.float32(loss_db),
            path_open,
            np.float32(dt_s),
            self._seed,
            self._episode,
            step,
            self._entity,
        )
        self.follow(step)

    def follow(self, step: int) -> None:
        """Take up a step to which the owner of the record has advanced it already; :meth:`advance` does both.

        Args:
            step: the step, later than the last one.

        Raises:
            ValueError: a step that is not later.
        """
        if step <= self._step:
            raise ValueError(f"step: got {step}, allowed: more than {self._step}, the last one")
        self._step = step
        self._numbers = [0, 0]
        state = self._read_state(0)
        self._strikes = state[_UP:]
        self._targeted = state[_TARGETS] != 0
        self._open = bool(state[_OPEN])
        self._epochs.follow(
            epoch=state[_EPOCH],
            ready=bool(state[_READY]),
            on_software=bool(state[_FALLBACK]),
            spent_bits=state[_SPENT],
            monitor_until=state[_MONITOR],
        )
        if self._open and self._epochs.ends[UPLINK].keys is not None:
            self.adversary.keys = self._epochs.ends[UPLINK].keys
        if self._targeted:
            self._forget_before(step - self._depth)

    def send(self, payload: bytes, direction: int = UPLINK) -> Delivery:
        """Send one message now and see what becomes of it. The first call begins step 0 if nobody has.

        Args:
            payload: at most ``MAX_PAYLOAD_BYTES`` bytes.
            direction: ``UPLINK`` (a to b) or ``DOWNLINK`` (b to a).

        Raises:
            ValueError: an unknown direction, a payload too long, or more than 2^14 messages in one step.
        """
        if direction not in (UPLINK, DOWNLINK):
            raise ValueError(f"direction: got {direction!r}, allowed: {UPLINK} (uplink) or {DOWNLINK} (downlink)")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"payload: got {len(payload)} bytes, allowed: at most {MAX_PAYLOAD_BYTES}")
        if self._step < 0:
            self.advance()
        slot, strikes = self._next_slot(direction)
        sent = self._getting_through(_Sent(payload, self._step), slot, strikes)
        frame, key_bits = self._epochs.seal(sent.payload, sent.written_step, direction, self._pool_bits[0])
        overheard = None if frame is None else self._listen(frame, slot, sent)
        injected, arrived = self._on_the_air(frame, slot, strikes, sent)
        taken, injected_rejected, detail = self._receive(injected, arrived, slot)
        verdict, content, age_steps = self._judge(taken, frame, arrived is not None, sent, direction)
        _record(
            self._links,
            self._suites,
            self._channels,
            verdict,
            content,
            age_steps,
            key_bits,
            injected_rejected,
            self._step,
        )
        written_step, accepted = (-1, None) if taken is None else (taken.step, taken.payload)
        return Delivery(
            verdict, content, accepted, age_steps, key_bits, injected_rejected, written_step, overheard, detail
        )

    def _next_slot(self, direction: int) -> tuple[Slot, int]:
        """The slot of the next message in this direction, and what strikes it."""
        number = self._numbers[direction]
        self._numbers[direction] = number + 1
        if number == 0:
            return (direction, self._step, 0), self._strikes[direction]
        if number >= _MOST_NUMBERS:
            raise ValueError(f"messages: got {number + 1} in one step and direction, allowed: {_MOST_NUMBERS}")
        return (direction, self._step, number), self._read_state(number)[_UP + direction]

    def _read_state(self, number: int) -> list[int]:
        """The survey of the link for messages ``number`` of this step."""
        _survey(
            self._links,
            self._suites,
            self._attacks,
            self._channels,
            self._seed,
            self._episode,
            self._step,
            self._entity,
            number,
            self._state,
        )
        return self._state.tolist()

    def _getting_through(self, now: _Sent, slot: Slot, strikes: int) -> _Sent:
        """The message that the sender gets on the air: an older one where an attacker delays him (see ``adversary``).

        A delayed sender without an older message still tries, and is not heard: see ``_on_the_air``.
        """
        if not self._targeted:
            return now
        self._outbox[slot] = now
        if not self._is_delayed(strikes) or not self.suite.authenticated:
            return now
        direction, step, number = slot
        return self._outbox.get((direction, step - self._held_steps(DELAY), number), now)

    def _is_delayed(self, strikes: int) -> bool:
        """Whether the genuine message comes late; what is replaced is replaced, late or not."""
        return strikes & 1 << DELAY != 0 and strikes & _REPLACED == 0

    def _held_steps(self, kind: int) -> int:
        """How old what a delaying or replaying attacker delivers is: nothing is older than the episode."""
        return min(int(self._attacks[kind]["delay_steps"]), self._step)

    def _listen(self, frame: bytes, slot: Slot, sent: _Sent) -> bytes | None:
        """The attacker hears a frame at its sender: recorded, and read if he holds its keys."""
        direction = slot[0]
        if self._wiretap is not None:
            self._wiretap(frame, direction)
        if self._targeted:
            self._truth[direction, header_nonce(frame)] = sent
            self.adversary.record_sent(slot, frame)
        if not self._open:
            return None if self.suite.confidential else self.adversary.read(frame)
        end = self._epochs.ends[direction]
        self.adversary.keys = end.keys
        if end.spent_pad is not None:
            self.adversary.pads = dict([end.spent_pad])
        return self.adversary.read(frame)

    def _on_the_air(
        self, frame: bytes | None, slot: Slot, strikes: int, sent: _Sent
    ) -> tuple[list[bytes], bytes | None]:
        """What reaches the receiver: injected frames, in the order of their coming, and what became of the true one."""
        if strikes == 0 or strikes & 1 << JAM:
            return [], frame if strikes == 0 else None
        step, adversary = self._step, self.adversary
        arrived = frame
        if strikes & (NATURAL_LOSS | 1 << DROP):
            arrived = None
        elif frame is not None and strikes & 1 << TAMPER:
            arrived = adversary.tamper(frame, step)
        elif frame is not None and strikes & 1 << MITM:
            arrived = adversary.replace(frame, step)
        elif frame is not None and strikes & 1 << DELAY:
            held = self._held_steps(DELAY)
            if not self.suite.authenticated:
                arrived = adversary.deliver_late(slot, held) if held else None
            elif sent.written_step == step:  # nothing older was there to get through
                arrived = None
        injected = []
        if strikes & 1 << SPOOF:
            expected = pack_header(self.suite.code, self._entity, slot[0], AEAD, max(0, self._epochs.epoch), 0, step, 0)
            injected.append(adversary.spoof(frame, expected, step))
        if strikes & 1 << REPLAY and self._held_steps(REPLAY) > 0:
            injected.append(adversary.play_back(slot, self._held_steps(REPLAY)))
        if self._wiretap is not None:
            for data in injected:
                self._wiretap(data, slot[0])
        return injected, arrived

    def _receive(self, injected: list[bytes], arrived: bytes | None, slot: Slot) -> tuple[Opened | None, int, str]:
        """What the receiver takes: the first frame of the slot that verifies; whether injected ones were refused."""
        receiver = self._epochs.ends[UPLINK if slot[0] == DOWNLINK else DOWNLINK]
        refused, reasons = 0, []
        for data in injected if arrived is None else [*injected, arrived]:
            try:
                taken = receiver.open(data, self._step)
            except Rejected as rejection:
                reasons.append(str(rejection))
                refused += 1
                continue
            if self._targeted:
                self.adversary.record_taken(slot, data)
            return taken, min(refused, 1), "; ".join(reasons)
        return None, 1 if injected else 0, "; ".join(reasons)

    def _judge(
        self, taken: Opened | None, frame: bytes | None, arrived: bool, sent: _Sent, direction: int
    ) -> tuple[int, int, int]:
        """(verdict, content, age_steps): what was accepted against what was sent."""
        if taken is None:
            if frame is None:
                return NO_KEY, GENUINE, 0
            return (REJECTED if arrived else LOST), GENUINE, 0
        step = self._step
        if frame is not None and taken.nonce == header_nonce(frame) and taken.payload == sent.payload:
            age_steps = step - sent.written_step
            if taken.step != sent.written_step:
                return FORGED, OLD, age_steps
            return (DELAYED if age_steps else DELIVERED), GENUINE, age_steps
        earlier = self._truth.get((direction, taken.nonce))
        if earlier is not None and taken.payload == earlier.payload:
            return FORGED, OLD, step - earlier.written_step
        return FORGED, ALTERED, 0

    def _forget_before(self, step: int) -> None:
        """Cut the ground truth and the attacker's tape: nothing older than ``step`` can come again."""
        for slot in [slot for slot in self._outbox if slot[1] < step]:
            del self._outbox[slot]
        self.adversary.forget_before(step)


def _checked(record: np.ndarray) -> np.ndarray:
    """A record to live in."""
    if not isinstance(record, np.ndarray) or record.shape != (1,) or record.dtype != LINK:
        raise ValueError("record: allowed: an array of shape (1,) and dtype LINK, such as links[b, r : r + 1]")
    return record
