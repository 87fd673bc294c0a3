"""What became of a message in the wire fidelity: the verdict on what was accepted against what was sent.

Only the ground truth kept here can tell a forgery from a delivery; the receiver cannot.
"""

from typing import NamedTuple

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
    MessageOutcome,
)
from qdt_env.security.session import Opened
from qdt_env.security.wire import header_nonce

Slot = tuple[int, int, int]  # direction, step, number of the message within them


class Delivery(NamedTuple):
    """What became of one message.

    Attributes:
        verdict: index of ``VERDICTS``, by ground truth: that a message is FORGED is hidden from the receiver.
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

    @property
    def outcome(self) -> MessageOutcome:
        """The same in the terms that both fidelities share."""
        return MessageOutcome(self.verdict, self.content, self.age_steps, self.key_bits, self.injected_rejected)


class Message(NamedTuple):
    """A message as its sender wrote it.

    Attributes:
        payload: its words.
        written_step: when.
    """

    payload: bytes
    written_step: int


class Truth:
    """What was really written and really sent on one link, as far back as an attacker reaches."""

    def __init__(self) -> None:
        self._written: dict[Slot, Message] = {}
        self._sent: dict[tuple[int, bytes], Message] = {}  # by direction and nonce

    def note_written(self, slot: Slot, message: Message) -> None:
        """A message was written in a slot."""
        self._written[slot] = message

    def note_sent(self, direction: int, frame: bytes, message: Message) -> None:
        """A message went out in a frame."""
        self._sent[direction, header_nonce(frame)] = message

    def written(self, slot: Slot) -> Message | None:
        """The message of a slot."""
        return self._written.get(slot)

    def forget_before(self, step: int) -> None:
        """Cut what nobody can bring up again."""
        for slot in [slot for slot in self._written if slot[1] < step]:
            del self._written[slot]
        for key in [key for key, message in self._sent.items() if message.written_step < step]:
            del self._sent[key]

    def judge(
        self,
        taken: Opened | None,
        frame: bytes | None,
        arrived: bool,
        message: Message,
        direction: int,
        step: int,
    ) -> tuple[int, int, int]:
        """The verdict on one slot.

        Args:
            taken: what the receiver accepted, or None.
            frame: what the sender put on the air, or None where he had no key.
            arrived: whether that frame, or what an attacker made of it, reached the receiver.
            message: what the sender put into the frame.
            direction, step: of the slot.

        Returns:
            (verdict, content, age_steps) as in ``MessageOutcome``.
        """
        if taken is None:
            if frame is None:
                return NO_KEY, GENUINE, 0
            return (REJECTED if arrived else LOST), GENUINE, 0
        if frame is not None and taken.payload == message.payload and taken.nonce == header_nonce(frame):
            age_steps = step - message.written_step
            if taken.step != message.written_step:
                return FORGED, OLD, age_steps
            return (DELAYED if age_steps else DELIVERED), GENUINE, age_steps
        earlier = self._sent.get((direction, taken.nonce))
        if earlier is not None and taken.payload == earlier.payload:
            return FORGED, OLD, step - earlier.written_step
        return FORGED, ALTERED, 0
