"""Letters of the wire fidelity: the rows of a step's mail as messages, and what came over a link back into rows."""

from collections.abc import Callable

import numpy as np

from qdt_env.engine.mail import MESSAGE, NO_MESSAGE, empty_mail
from qdt_env.engine.state import Setup, State
from qdt_env.frames import Frame
from qdt_env.security.delivery import Delivery
from qdt_env.twin.codec_header import (
    HEADER_BYTES,
    CodecError,
    open_readings,
    open_report,
    open_view,
    readings_header,
    report_header,
    view_header,
)

Due = Callable[[int, int], np.ndarray]  # (gateway, step) -> zones whose readings it owes


class Letters:
    """Both ends' mail of one episode's step.

    Args:
        setup, state: of the engine, for the sizes.
        capacity: most readings of a gateway's message.
        due: the gateways' rota.

    Attributes:
        sent, come: rows of the messages sent, and of those that came, as frames for the kernels of ``mail``.
    """

    def __init__(self, setup: Setup, state: State, capacity: int, due: Due) -> None:
        self._robots, self._slots = setup.site.team.size, setup.site.neighbours.shape[1]
        self._capacity, self._due = capacity, due
        sizes = setup.site.gateways.size, self._slots, capacity, state.twin
        self._sent, self._come = empty_mail(*sizes), empty_mail(*sizes)
        self.sent, self.come = Frame(self._sent), Frame(self._come)
        self._report_parts = [_parts(part) for part in (self._come.heads, self._come.conditions, self._come.sightings)]
        self._reading_part = _parts(self._come.readings)
        come = self._come
        self._view_sizes = len(come.patients), len(come.passages), len(come.zones), len(come.robots)
        self._view_parts = [_parts(rows)[0] for rows in (come.patients, come.passages, come.zones, come.robots)]
        self._kinds, self._written, self._seen = come.kinds.data, come.written.data, come.seen.data
        self._believed, self._age_steps = come.believed.data, come.age_steps.data

    def surveys(self) -> list[list[int]]:
        """What the kernel found out about every link."""
        found: list[list[int]] = self._sent.surveys.tolist()
        return found

    def kinds(self) -> list[int]:
        """Whether there is a MESSAGE or NOTHING to send on every link."""
        found: list[int] = self._sent.kinds.tolist()
        return found

    def reports(self, step: int) -> list[bytes]:
        """The messages of all robots, also of those that are dead and send none."""
        mail = self._sent
        heads, conditions, sightings = mail.heads.tobytes(), mail.conditions.tobytes(), mail.sightings.tobytes()
        a, b, c = mail.heads.itemsize, self._slots, mail.sighting_bytes.shape[1]
        return [
            report_header(r, b, seen, step)
            + heads[r * a : r * a + a]
            + conditions[r * b : r * b + b]
            + sightings[r * c : r * c + c]
            for r, seen in enumerate(mail.seen.tolist())
        ]

    def readings(self, step: int) -> list[bytes]:
        """The messages of all gateways, also of those that have fallen and send none."""
        rows, size = self._sent.readings.tobytes(), self._sent.reading_bytes.shape[1]
        return [
            readings_header(g, self._due(g, step).size, self._capacity, step) + rows[g * size : g * size + size]
            for g in range(len(self._sent.readings))
        ]

    def view(self, step: int) -> bytes:
        """The message to all robots."""
        rows = self._sent.patients, self._sent.passages, self._sent.zones, self._sent.robots
        return b"".join([view_header(*self._view_sizes, step), *[part.tobytes() for part in rows]])

    def take(self, link: int, delivery: Delivery, step: int) -> None:
        """What came up over a link, its header checked, as rows; the kernels check those."""
        payload = delivery.payload
        if payload is None:
            return
        self._believed[link], self._age_steps[link] = delivery.written_step, delivery.age_steps
        try:
            if link < self._robots:
                self._written[link], self._seen[link] = open_report(payload, link, self._slots, step)
                start = HEADER_BYTES
                for part, size in self._report_parts:
                    part[link * size : link * size + size] = payload[start : start + size]
                    start += size
            else:
                g, (part, size) = link - self._robots, self._reading_part
                owed = self._due(g, step - delivery.age_steps).size
                self._written[link] = open_readings(payload, g, owed, self._capacity, step)
                part[g * size : g * size + size] = payload[HEADER_BYTES:]
        except CodecError:
            self._kinds[link] = NO_MESSAGE
        else:
            self._kinds[link] = MESSAGE

    def take_view(self, payload: bytes, robots: list[int], step: int) -> int | None:
        """A view that came to some robots, its header checked, as rows.

        Returns:
            The step that it names, None if it is no view.
        """
        try:
            written = open_view(payload, *self._view_sizes, step)
        except CodecError:
            return None
        start = HEADER_BYTES
        for part in self._view_parts:
            part[:] = payload[start : start + len(part)]
            start += len(part)
        self._come.takers[robots] = 1
        return written


def _parts(rows: np.ndarray) -> tuple[memoryview, int]:
    """The bytes of an array of rows, and how many are one message's."""
    size = rows.nbytes // max(len(rows), 1)
    return rows.view(np.uint8).reshape(-1).data, size
