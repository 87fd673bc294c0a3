"""The way to the QPU and back: request and answer as frames of a secured link, which costs keys and is attacked.

The link runs between the command post and the QPU's site, apart from the robots' links. Both messages of an exchange
meet the link as it is at the step of the request (assumed: an answer that takes minutes would meet a later one).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from agents.planning.problem import Planner
from qdt_env.security.wire import DOWNLINK, MAX_PAYLOAD_BYTES, UPLINK

if TYPE_CHECKING:
    from qdt_env.security.secure_link import SecureLink

_PART = struct.Struct(">IHH")  # number of the exchange, of the part, of parts
_MOST_PARTS = 64
_LINK_NUMBER = 0xAD0  # keeps its draws apart from those of the robots' links


@dataclass(frozen=True)
class RequestChannel:
    """The secured channel of the requests.

    Attributes:
        suite: one of ``qdt_env.security.suites.SUITE_NAMES``.
        threats: as in ``qdt_env.security.threats_by_name``, or "random" for those that the mission's seed draws.
        loss_db: loss of the quantum path to the QPU's site [dB], >= 0; 10 dB are 50 km of fibre.
    """

    suite: str = "qkd"
    threats: Any = "none"
    loss_db: float = 10.0


@dataclass(frozen=True)
class Exchange:
    """What became of one request.

    Attributes:
        answer: the answer's bytes as received, or None.
        key_bits: key bits that the link has spent since the exchange before, on pads and new epochs, >= 0.
        message_bytes: bytes of both messages before sealing, >= 0.
        note: why there is no answer; "" where there is one.
    """

    answer: bytes | None
    key_bits: int
    message_bytes: int
    note: str


class Courier:
    """Carries requests of one mission.

    Attributes:
        channel: see :class:`RequestChannel`; None for a way without loss, attacks and keys.
    """

    def __init__(self, channel: RequestChannel | None, seed: int = 0, episode: int = 0) -> None:
        """A fresh link; seed and episode address its draws.

        Raises:
            ValueError: an unknown suite or threat.
        """
        self.channel = channel
        self._number = 0
        self._charged = 0
        self._link = None if channel is None else _open_link(channel, seed, episode)

    def follow(self, step: int, dt_s: float) -> None:
        """Bring the link to a step of the mission; its key life goes on step by step."""
        if self._link is None or self.channel is None:
            return
        while self._link.step < step:
            self._link.advance(dt_s, self.channel.loss_db)

    def exchange(self, request: bytes, serve: Callable[[bytes], bytes | None]) -> Exchange:
        """Send a request, let the far side serve it and carry the answer back.

        Args:
            request: the message.
            serve: what the far side does with the bytes that it received; None for no answer.
        """
        self._number += 1
        received, why = self._carry(request, UPLINK)
        if received is None:
            return Exchange(None, self._charge(), len(request), f"request {why}")
        answer = serve(received)
        if answer is None:
            return Exchange(None, self._charge(), len(request), "QPU gave no answer")
        returned, why = self._carry(answer, DOWNLINK)
        note = "" if returned is not None else f"answer {why}"
        return Exchange(returned, self._charge(), len(request) + len(answer), note)

    def _charge(self) -> int:
        """Key bits spent since the last call."""
        spent = 0 if self._link is None else int(self._link.link["key_bits_spent"])
        new, self._charged = spent - self._charged, spent
        return new

    def _carry(self, message: bytes, direction: int) -> tuple[bytes | None, str]:
        """(what arrives, why nothing arrived); a message of several frames needs all of them."""
        if self._link is None:
            return message, ""
        room = MAX_PAYLOAD_BYTES - _PART.size
        parts = [message[at : at + room] for at in range(0, max(len(message), 1), room)]
        if len(parts) > _MOST_PARTS:
            return None, f"too long: {len(message)} bytes, allowed are {_MOST_PARTS * room}"
        arrived = []
        for index, part in enumerate(parts):
            header = _PART.pack(self._number, index, len(parts))
            delivery = self._link.send(header + part, direction)
            if delivery.payload is None:
                return None, delivery.name
            if delivery.payload[: _PART.size] != header:
                return None, "replaced by another message"
            arrived.append(delivery.payload[_PART.size :])
        return b"".join(arrived), ""


@runtime_checkable
class Remote(Protocol):
    """A planner that sends requests and so needs a way to do it, of its own in each mission."""

    def bound(self, courier: Courier) -> Planner:
        """The same planner, its requests going by ``courier``."""


def _open_link(channel: RequestChannel, seed: int, episode: int) -> "SecureLink":
    # Imported here: it loads the package cryptography, which planning at home does not need.
    from qdt_env.security.attacks import random_threats
    from qdt_env.security.secure_link import SecureLink

    threats = random_threats(seed, episode) if channel.threats == "random" else channel.threats
    return SecureLink(
        "command post",
        "qpu",
        channel.suite,
        threats=threats,
        seed=seed,
        episode=episode,
        entity=_LINK_NUMBER,
    )
