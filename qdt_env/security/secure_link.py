"""A link in the wire fidelity: real keys, real ciphers, an attacker who works on the bytes.

::

    link = SecureLink("robot", "server", suite="qkd", threats="tamper")
    for _ in range(10):
        link.advance(loss_db=15.0)
        delivery = link.send(b"zone 3: smoke")
        print(delivery.name, delivery.payload)

Key life (pool, epochs, alarms, thefts) follows the same ``LINK`` record and rules as the statistical fidelity. What
becomes of a message is not drawn but found out: the sender seals, the adversary acts, the receiver opens or refuses,
and the verdict compares what was accepted with what was sent.
"""

from collections.abc import Callable

import numpy as np

from qdt_env.security.adversary import Adversary, Forge, flip_payload, is_delayed
from qdt_env.security.attacks import Threats
from qdt_env.security.bb84 import Bb84Source
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.delivery import Delivery, Message, Slot, Truth
from qdt_env.security.epochs import Epochs, KeySource
from qdt_env.security.identity import Party
from qdt_env.security.keystore import KeyStore
from qdt_env.security.link_life import LinkLife
from qdt_env.security.session import Opened, Rejected
from qdt_env.security.suites import suite_by_name
from qdt_env.security.wire import DOWNLINK, MAX_PAYLOAD_BYTES, UPLINK

__all__ = ["DOWNLINK", "UPLINK", "Delivery", "Party", "SecureLink"]

Wiretap = Callable[[bytes, int], None]


class SecureLink:
    """One link between two parties, with its attacker. Real cryptography, deterministic verdicts.

    The verdicts are a pure function of (suite, channel, threats, seed, episode, entity) and the calls made; keys,
    nonces and ciphertexts are fresh at every run. Frames go up from ``a`` to ``b`` and down from ``b`` to ``a``. The
    receiver expects one message per slot and takes the first that verifies.

    Key exchanges run between the two ends within :meth:`advance`; attacks on them are not modelled but as ``LINK``
    has them (theft of keys, a quantum adversary, blinded detectors).

    Args:
        a, b: the two parties, or their names. Hand the same :class:`Party` to links that share an end.
        suite: one of ``SUITE_NAMES``.
        channel: parameters, by default all defaults.
        threats: as in ``attacks.threats_by_name``, or a ready attack table of shape (17,), dtype ``ATTACK``.
        seed, episode, entity: address of all draws; entity is the link's number, below 2^32.
        record: array of shape (1,), dtype ``LINK``, to live in; its owner has reset it. By default one of its own.
        blocks: (1 + S,) ``COUNTS`` that go with the record, see ``qkd.gather``.
        key_source: makes key material, ``key_source(link number, block number) -> bytes``; empty for a block without
            key. By default a simulated BB84 link (:class:`~qdt_env.security.bb84.Bb84Source`).
        store: the key store of both ends, by default one in memory.
        keeps_outcomes: whether :meth:`send` writes what became of a message into the record; the record's owner who
            does it himself (``outcomes.record_outcome``, before the next message in that direction) says no.
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
        blocks: np.ndarray | None = None,
        key_source: KeySource | None = None,
        store: KeyStore | None = None,
        keeps_outcomes: bool = True,
        forge: Forge = flip_payload,
        wiretap: Wiretap | None = None,
    ) -> None:
        self.suite = suite_by_name(suite)
        self.channel = ChannelConfig() if channel is None else channel
        self._life = life = LinkLife(self.suite, self.channel, threats, seed, episode, entity, record, blocks)
        if key_source is None:
            key_source = Bb84Source(self.channel, life.links, life.blocks, seed, episode, entity)
        self._epochs = Epochs(self.suite, self.channel, a, b, entity, key_source, store)
        self.adversary = Adversary(self.suite, entity, forge, life.delay_steps, life.replay_steps)
        self._wiretap, self._keeps_outcomes = wiretap, keeps_outcomes
        self._truth = Truth()
        self._step = -1
        self._numbers = [0, 0]

    @property
    def step(self) -> int:
        """The step now; -1 before the first :meth:`advance`."""
        return self._step

    @property
    def link(self) -> np.void:
        """The ``LINK`` record: key life, counters, evidence."""
        return self._life.record

    @property
    def store(self) -> KeyStore:
        """The store of both ends' quantum keys."""
        return self._epochs.store

    @property
    def trust(self) -> float:
        """Trust in what the link delivers, C in [0, 1]."""
        return self._life.trust

    def advance(self, dt_s: float = 10.0, loss_db: float = 15.0, path_open: bool = True) -> None:
        """Begin the next step: keys are made, spent, stolen, renewed.

        Args:
            dt_s: length of the step, > 0 s.
            loss_db: loss of the quantum path, >= 0 dB.
            path_open: whether photons get through at all.

        Raises:
            ValueError: a step of no duration, or a negative loss.
            KeyUnavailable: the key source does not make the bits that the record has credited.
        """
        if not dt_s > 0:
            raise ValueError(f"dt_s: got {dt_s!r}, allowed: more than 0")
        if not loss_db >= 0:
            raise ValueError(f"loss_db: got {loss_db!r}, allowed: 0 or more")
        self._life.advance(self._step + 1, dt_s, loss_db, path_open)
        self.follow(self._step + 1)

    def follow(self, step: int, found: list[int] | None = None) -> None:
        """Take up a step to which the owner of the record has advanced it already; :meth:`advance` does both.

        Args:
            step: the step, later than the last one.
            found: what ``link_life.survey_link`` says of the record, where its owner has called that already.

        Raises:
            ValueError: a step that is not later.
            KeyUnavailable: as for :meth:`advance`.
        """
        if step <= self._step:
            raise ValueError(f"step: got {step}, allowed: more than {self._step}, the last one")
        self._step = step
        self._numbers = [0, 0]
        life = self._life
        life.survey(step, found)
        self._epochs.follow(life)
        if life.is_open:
            self.adversary.steal(self._epochs.ends[UPLINK])
        else:
            self.adversary.lose(self._epochs.ends[UPLINK])
        if life.targeted:
            oldest = step - life.delay_steps - life.replay_steps
            self._truth.forget_before(oldest)
            self.adversary.forget_before(oldest)

    def send(self, payload: bytes, direction: int = UPLINK) -> Delivery:
        """Send one message now and see what becomes of it. The first call begins step 0 if nobody has.

        Args:
            payload: at most ``MAX_PAYLOAD_BYTES`` bytes.
            direction: ``UPLINK`` (a to b) or ``DOWNLINK`` (b to a).

        Raises:
            ValueError: an unknown direction, a payload too long, or more than 2^14 messages in one step.
            KeyUnavailable: as for :meth:`advance`.
        """
        if direction != UPLINK and direction != DOWNLINK:
            raise ValueError(f"direction: got {direction!r}, allowed: {UPLINK} (uplink) or {DOWNLINK} (downlink)")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"payload: got {len(payload)} bytes, allowed: at most {MAX_PAYLOAD_BYTES}")
        if self._step < 0:
            self.advance()
        life, step = self._life, self._step
        number = self._numbers[direction]
        strikes = life.strikes(direction, number)
        self._numbers[direction] = number + 1
        slot = direction, step, number
        message = Message(payload, step)
        if life.targeted:
            message = self._getting_through(message, slot, strikes)
        frame, key_bits = self._epochs.seal(message.payload, message.written_step, direction, life.pool_bits)
        overheard = None
        if frame is not None and (life.targeted or life.is_open or self._audible):
            overheard = self._overhear(frame, slot, message)
        injected: list[bytes] = []
        arrived = frame
        if strikes:
            is_late = message.written_step < step
            injected, arrived = self.adversary.act(frame, slot, strikes, is_late)
        taken, injected_rejected, detail = self._receive(injected, arrived, slot)
        verdict, content, age_steps = self._truth.judge(taken, frame, arrived is not None, message, direction, step)
        if self._keeps_outcomes:
            life.keep(verdict, content, age_steps, key_bits, injected_rejected)
        accepted, written_step = (None, -1) if taken is None else (taken.payload, taken.step)
        return Delivery(
            verdict, content, accepted, age_steps, key_bits, injected_rejected, written_step, overheard, detail
        )

    @property
    def _audible(self) -> bool:
        """Whether somebody listens to every frame, or could read it."""
        return self._wiretap is not None or not self.suite.confidential

    def _getting_through(self, now: Message, slot: Slot, strikes: int) -> Message:
        """The message that gets on the air: an older one where an attacker delays its sender (see ``adversary``)."""
        self._truth.note_written(slot, now)
        if not (self.suite.authenticated and is_delayed(strikes)):
            return now
        direction, step, number = slot
        older = self._truth.written((direction, step - min(self._life.delay_steps, step), number))
        return now if older is None else older

    def _overhear(self, frame: bytes, slot: Slot, message: Message) -> bytes | None:
        """The attacker hears a frame at its sender; returns what he can read of it."""
        if self._wiretap is not None:
            self._wiretap(frame, slot[0])
        if self._life.targeted:
            self._truth.note_sent(slot[0], frame, message)
            self.adversary.record_sent(slot, frame)
        if self._life.is_open:
            self.adversary.steal(self._epochs.ends[slot[0]])
        elif self.suite.confidential:
            return None
        return self.adversary.read(frame)

    def _receive(self, injected: list[bytes], arrived: bytes | None, slot: Slot) -> tuple[Opened | None, int, str]:
        """The receiver takes the first frame of the slot that verifies: (what it took, injected refused, why)."""
        receiver = self._epochs.ends[UPLINK if slot[0] == DOWNLINK else DOWNLINK]
        refused = 0
        reasons = ""
        for data in injected:
            if self._wiretap is not None:
                self._wiretap(data, slot[0])
            try:
                taken = receiver.open(data, slot[1])
            except Rejected as rejection:
                refused = 1
                reasons += f"injected frame refused: {rejection}; "
                continue
            self.adversary.record_taken(slot, data)
            return taken, refused, reasons
        if arrived is None:
            return None, refused, reasons
        try:
            taken = receiver.open(arrived, slot[1])
        except Rejected as rejection:
            return None, refused, f"{reasons}frame refused: {rejection}"
        if self._life.targeted:
            self.adversary.record_taken(slot, arrived)
        return taken, refused, reasons
