"""The wire codec under fire: damaged, cut, spliced and random messages are refused, or are in range and canonical.

Whatever arrives, decoding raises :class:`CodecError` and writes nothing, or writes values that encode to the very bytes
that came. So every message has one encoding, and there is no third way out of the decoder.
"""

import resource
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdt_env.twin.codec import (
    HEADER_BYTES,
    READING,
    CodecError,
    decode_readings,
    decode_report,
    decode_view,
    encode_readings,
    encode_report,
    encode_view,
)
from qdt_env.twin.state import Reports, Twin, empty_reports, empty_twin

P, E, Z, R, D = 6, 5, 4, 3, 4
ACTIONS, NOW = 13, 500
DUE = np.array([0, 2, 3], np.int32)
CAPACITY = 5
# What damages are made of: the edges of the formats' number types, and words that mean something in a message.
EDGES = [
    b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\xff", b"\xff\x7f", b"\x00\x80", b"\x00\x00\x80\x7f",
    b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff", b"\x00\x00\x00\x80", b"\xff\xff\x7f\x7f", b"\x01\x00\x00\x00", b"QT\x01",
]  # fmt: skip


class Receiver:
    """One kind of message: a good one, the arrays that it is taken into, and the two directions of the codec."""

    def __init__(
        self, good: bytes, arrays: tuple[np.ndarray, ...], take: Callable[[bytes], int], again: Callable[[int], bytes]
    ) -> None:
        self.good, self.arrays, self._take, self._again = good, arrays, take, again

    def receive(self, data: bytes) -> bool:
        """Whether a message was accepted; fails where it was neither refused whole nor taken whole."""
        before = [array.tobytes() for array in self.arrays]
        try:
            written = self._take(data)
        except CodecError:
            assert [array.tobytes() for array in self.arrays] == before, "refused, but something was taken"
            return False
        assert self._again(written) == data, "accepted, but not what its values encode to"
        return True


def view_receiver() -> Receiver:
    twin, taken = some_twin(), empty_twin(1, Z, E, P, R)
    rows = taken.patients[0], taken.passages[0], taken.zones[0], taken.robots[0]
    return Receiver(
        encode_view(twin.patients[0], twin.passages[0], twin.zones[0], twin.robots[0], 400),
        taken,
        lambda data: decode_view(data, *rows, actions=ACTIONS, now=NOW),
        lambda written: encode_view(*rows, written),
    )


def report_receiver() -> Receiver:
    taken = empty_reports(1, R, D)
    return Receiver(
        encode_report(some_reports(), 0, 1, 400),
        taken,
        lambda data: decode_report(data, taken, 0, 1, patients=P, zones=Z, actions=ACTIONS, now=NOW),
        lambda written: encode_report(taken, 0, 1, written),
    )


def readings_receiver() -> Receiver:
    rows, taken = np.zeros(3, READING), np.zeros(3, READING)
    rows["zone"], rows["present"], rows["reading"] = DUE, [1, 0, 1], 2.5
    return Receiver(
        encode_readings(rows, 1, 400, CAPACITY),
        (taken,),
        lambda data: decode_readings(data, taken, DUE, gateway=1, now=NOW, capacity=CAPACITY),
        lambda written: encode_readings(taken, 1, written, CAPACITY),
    )


def some_twin() -> Twin:
    draw = np.random.Generator(np.random.Philox(key=1))
    twin = empty_twin(1, Z, E, P, R)
    twin.patients["rpm"] = 12 * draw.random(P)
    twin.patients["status"] = draw.integers(0, 5, P)
    twin.patients["step"] = draw.integers(0, 400, P)
    twin.zones["smoke"] = draw.integers(0, 101, Z)
    twin.robots["energy"] = draw.random(R)
    twin.robots["zone"] = draw.integers(0, Z, R)
    return twin


def some_reports() -> Reports:
    reports = empty_reports(1, R, D)
    reports.heads["reading"][0, 1] = 2.0, 0.5, 3.0
    reports.heads["energy"][0, 1] = 0.75
    reports.heads["sightings"][0, 1] = 3
    reports.sightings["patient"][0, 1, :3] = 0, 2, 5
    reports.sightings["rpm"][0, 1, :3] = 7.5
    reports.sightings["status"][0, 1, :3] = 0, 1, 2
    return reports


RECEIVERS = {"view": view_receiver, "report": report_receiver, "readings": readings_receiver}


def damaged(good: bytes, draw: np.random.Generator) -> bytes:
    """A message with one to four faults: flipped bits, edge values, cuts, insertions, moved parts, or all noise."""
    data = bytearray(good)
    for _ in range(int(draw.integers(1, 5))):
        at = int(draw.integers(0, len(data) + 1))
        match int(draw.integers(0, 8)):
            case 0 | 1 | 2 if at < len(data):
                data[at] ^= 1 << int(draw.integers(0, 8))
            case 3 | 4:
                edge = EDGES[int(draw.integers(0, len(EDGES)))]
                data[at : at + len(edge)] = edge
            case 5:
                del data[at : at + int(draw.integers(1, 20))]
            case 6:
                data[at:at] = draw.bytes(int(draw.integers(1, 20)))
            case _:
                end = min(at + int(draw.integers(1, 30)), len(data))
                part = bytes(data[at:end])
                to = int(draw.integers(0, len(data) - len(part) + 1))
                data[to : to + len(part)] = part
    if draw.random() < 0.02:
        data[HEADER_BYTES:] = draw.bytes(len(good) - HEADER_BYTES)
    return bytes(data)


@pytest.mark.parametrize("kind", RECEIVERS)
@pytest.mark.parametrize("count", [7_000, pytest.param(340_000, marks=pytest.mark.slow)])
def test_damaged_messages(kind: str, count: int) -> None:
    """21,000 messages over the three kinds, in the slow run 1,020,000."""
    receiver = RECEIVERS[kind]()
    draw = np.random.Generator(np.random.Philox(key=count))
    assert receiver.receive(receiver.good)
    accepted = 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(count):
        accepted += receiver.receive(damaged(receiver.good, draw))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
    assert 0 < accepted < count, "the damages must reach both ways out"
    assert grown_kib < 64 * 1024, "memory grew with the messages"


@pytest.mark.parametrize("kind", RECEIVERS)
def test_every_cut_and_every_flipped_bit(kind: str) -> None:
    receiver = RECEIVERS[kind]()
    for at in range(len(receiver.good)):
        assert not receiver.receive(receiver.good[:at])
        for bit in range(8):
            flipped = bytearray(receiver.good)
            flipped[at] ^= 1 << bit
            receiver.receive(bytes(flipped))


@given(data=st.binary(max_size=400))
def test_noise(data: bytes) -> None:
    for make in RECEIVERS.values():
        assert not make().receive(data)


@given(draw=st.data(), kind=st.sampled_from(sorted(RECEIVERS)))
def test_noise_behind_a_good_header(draw: st.DataObject, kind: str) -> None:
    receiver = RECEIVERS[kind]()
    size = len(receiver.good) - HEADER_BYTES
    body = draw.draw(st.binary(min_size=size, max_size=size))
    receiver.receive(receiver.good[:HEADER_BYTES] + body)


@pytest.mark.parametrize("kind", RECEIVERS)
def test_messages_of_another_kind_or_receiver(kind: str) -> None:
    receiver = RECEIVERS[kind]()
    for other, make in RECEIVERS.items():
        assert receiver.receive(make().good) == (other == kind)
    assert not receiver.receive(receiver.good * 2)
