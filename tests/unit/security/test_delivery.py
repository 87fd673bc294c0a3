"""The verdict: what was accepted against what was sent."""

import pytest

from qdt_env.security.delivery import Message, Truth
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
)
from qdt_env.security.session import Opened
from qdt_env.security.wire import UPLINK, header_nonce, pack_header

STEP = 9


def frame(counter):
    return pack_header(4, 0, UPLINK, 1, 2, counter, STEP, 0) + bytes(16)


def opened(payload, step=STEP, counter=7):
    return Opened(payload, step, header_nonce(frame(counter)))


@pytest.mark.parametrize(
    ("taken", "sent_step", "verdict"),
    [
        (opened(b"words"), 9, (DELIVERED, GENUINE, 0)),
        (opened(b"words", 6), 6, (DELAYED, GENUINE, 3)),
        (opened(b"words", 9), 6, (FORGED, OLD, 3)),
        (opened(b"other"), 9, (FORGED, ALTERED, 0)),
        (opened(b"words", counter=8), 9, (FORGED, ALTERED, 0)),
        (opened(b"earlier", counter=3), 9, (FORGED, OLD, 5)),
        (opened(b"words", counter=3), 9, (FORGED, ALTERED, 0)),
    ],
)
def test_what_was_taken(taken, sent_step, verdict):
    truth = Truth()
    truth.note_sent(UPLINK, frame(3), Message(b"earlier", 4))
    assert truth.judge(taken, frame(7), True, Message(b"words", sent_step), UPLINK, STEP) == verdict


def test_when_nothing_was_taken():
    message = Message(b"words", STEP)
    for sent, arrived, verdict in ((frame(7), True, REJECTED), (frame(7), False, LOST), (None, False, NO_KEY)):
        assert Truth().judge(None, sent, arrived, message, UPLINK, STEP) == (verdict, GENUINE, 0)


def test_a_frame_where_none_was_sent_is_forged():
    assert Truth().judge(opened(b"words"), None, False, Message(b"words", STEP), UPLINK, STEP)[0] == FORGED


def test_the_past_is_bounded():
    truth = Truth()
    for step in range(50):
        truth.note_written((UPLINK, step, 0), Message(b"", step))
        truth.note_sent(UPLINK, frame(step), Message(b"", step))
        truth.forget_before(step - 3)
    assert len(truth._written) == len(truth._sent) == 4
    assert truth.written((UPLINK, 49, 0)) == Message(b"", 49) and truth.written((UPLINK, 0, 0)) is None
