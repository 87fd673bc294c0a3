"""The way of the requests: keys are spent, messages are split, and attacks cost answers, never more."""

import pytest

from agents.quantum.courier import Courier, RequestChannel


def echo(request: bytes) -> bytes:
    return b"answer to " + request


@pytest.mark.parametrize("channel", [None, RequestChannel(), RequestChannel("plaintext"), RequestChannel("qkd-otp")])
def test_a_quiet_way_brings_the_answer(channel: RequestChannel | None) -> None:
    courier = Courier(channel, seed=1)
    courier.follow(3, 10.0)
    exchanges = [courier.exchange(b"request", echo) for _ in range(5)]
    arrived = [one for one in exchanges if one.answer is not None]
    assert len(arrived) >= 3  # natural loss
    assert all(one.answer == b"answer to request" and one.note == "" for one in arrived)
    assert arrived[0].message_bytes == 7 + 17
    if channel is not None and channel.suite == "qkd-otp":
        # one-time pad: 8 bits a byte and a tag of 128, with 8 bytes for the part's header
        assert arrived[-1].key_bits == 8 * (7 + 8) + 128 + 8 * (17 + 8) + 128
    else:  # the key of the epoch is paid for once
        assert exchanges[0].key_bits == (256 if channel == RequestChannel() else 0)
        assert sum(one.key_bits for one in exchanges[1:]) == 0


def test_long_messages_are_split_and_put_together() -> None:
    courier = Courier(RequestChannel("pqc"), seed=1)
    courier.follow(0, 10.0)
    sizes: list[int] = []

    def serve(request: bytes) -> bytes:
        sizes.append(len(request))
        return request * 2

    answers = [courier.exchange(bytes(200_000), serve).answer for _ in range(5)]
    assert bytes(400_000) in answers and set(sizes) == {200_000}
    assert "too long" in courier.exchange(bytes(5_000_000), serve).note


def test_an_attacked_way_brings_no_answer_and_says_why() -> None:
    jammed = Courier(RequestChannel("qkd", "drop"), seed=1)
    altered = Courier(RequestChannel("qkd", "tamper"), seed=1)
    for courier, words in ((jammed, "lost"), (altered, "rejected")):
        courier.follow(40, 10.0)
        notes = [courier.exchange(b"request", echo).note for _ in range(20)]
        assert any(words in note for note in notes)


def test_without_authentication_a_changed_message_does_not_pass_for_an_answer_to_this_one() -> None:
    courier = Courier(RequestChannel("plaintext", "tamper"), seed=1)
    courier.follow(40, 10.0)
    notes = [courier.exchange(b"request", echo).note for _ in range(20)]
    assert any("replaced by another message" in note for note in notes)


def test_a_silent_far_side_is_no_answer() -> None:
    exchange = Courier(None).exchange(b"request", lambda request: None)
    assert exchange.answer is None and exchange.note == "QPU gave no answer"


def test_the_same_seed_gives_the_same_fate() -> None:
    def fate() -> list[str]:
        courier = Courier(RequestChannel("qkd", "mixed"), seed=5)
        notes = []
        for step in range(40):
            courier.follow(step, 10.0)
            notes.append(courier.exchange(b"request", echo).note)
        return notes

    assert fate() == fate() and len(set(fate())) > 1
