"""The adversary: what he can make of frames with and without keys, and nothing more."""

import numpy as np
import pytest

from qdt_env.security.adversary import NATURAL_LOSS, Adversary, flip_payload, is_delayed, message_strikes
from qdt_env.security.attacks import DELAY, DROP, JAM, MITM, REPLAY, SPOOF, TAMPER, Attack, attack_table
from qdt_env.security.channel import ChannelConfig, channel_record
from qdt_env.security.ciphers import epoch_keys, pad_keys, plain_keys
from qdt_env.security.keystore import KeyStore
from qdt_env.security.link import LINK, reset_link
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.session import Rejected, Session
from qdt_env.security.suites import suite_by_name, suite_table
from qdt_env.security.wire import DOWNLINK, UPLINK, parse_frame

SLOT = (UPLINK, 9, 0)


def ends(name, epoch=0):
    """Both ends of a link in one epoch, and an adversary."""
    suite = suite_by_name(name)
    store = KeyStore()
    store.add(bytes(range(256)))
    keys = {"plaintext": lambda: plain_keys(epoch), "qkd-otp": lambda: pad_keys(epoch, bytes(range(1, 33)))}
    keys = keys.get(name, lambda: epoch_keys(epoch, bytes(64)))()
    sessions = [Session(suite.code, 5, sends, 6, store) for sends in (UPLINK, DOWNLINK)]
    for session in sessions:
        session.install(keys)
    return *sessions, Adversary(suite, 5, delay_steps=2, replay_steps=3)


def seal(a, name, payload, step=9):
    return a.seal(payload, step, pad=name == "qkd-otp")


@pytest.mark.parametrize("name", ["psk", "qkd", "qkd-otp"])
@pytest.mark.parametrize("deed", ["tamper", "replace", "spoof"])
def test_without_keys_nothing_he_makes_is_opened(name, deed):
    a, b, eve = ends(name)
    for payload in (b"", b"reading"):
        frame = seal(a, name, payload)
        assert eve.read(frame) is None
        made = eve.spoof(frame, SLOT) if deed == "spoof" else getattr(eve, deed)(frame, 9)
        with pytest.raises(Rejected, match="unverified"):
            b.open(made, 9)
        assert b.open(frame, 9).payload == payload, "the true frame still opens"


@pytest.mark.parametrize("name", ["plaintext", "psk", "qkd", "qkd-otp"])
@pytest.mark.parametrize("deed", ["tamper", "replace", "spoof"])
def test_with_keys_his_words_are_taken_in_place_of_the_true_ones(name, deed):
    a, b, eve = ends(name)
    frame = seal(a, name, b"reading", step=7)
    eve.steal(a)
    assert eve.read(frame) == b"reading"
    made = eve.spoof(frame, SLOT) if deed == "spoof" else getattr(eve, deed)(frame, 9)
    opened = b.open(made, 9)
    assert (opened.payload, opened.step) == (flip_payload(b"reading"), 9)
    if name != "plaintext":
        with pytest.raises(Rejected, match="replayed"):
            b.open(frame, 9)


@pytest.mark.parametrize("words", [b"", b"longer than the message that it replaces"])
@pytest.mark.parametrize("name", ["plaintext", "qkd", "qkd-otp"])
def test_his_words_may_have_another_length_where_no_pad_fixes_it(name, words):
    a, b, _ = ends(name)
    eve = Adversary(suite_by_name(name), 5, forge=lambda payload: words)
    frame = seal(a, name, b"reading")
    eve.steal(a)
    got = b.open(eve.tamper(frame, 9), 9).payload
    assert got == (words[:7].ljust(7, b"\0") if name == "qkd-otp" else words)


def test_keys_of_a_past_epoch_open_nothing():
    a, b, eve = ends("qkd")
    eve.steal(a)
    for end in (a, b):
        end.install(epoch_keys(1, bytes(range(64))))
    frame = a.seal(b"reading", 9)
    eve.lose(a)
    assert eve.keys is not None and eve.read(frame) is None
    for made in (eve.tamper(frame, 9), eve.replace(frame, 9), eve.spoof(frame, SLOT), eve.spoof(None, SLOT)):
        with pytest.raises(Rejected):
            b.open(made, 9)


def test_a_pad_opens_only_its_own_message():
    a, _, eve = ends("qkd-otp")
    first = a.seal(b"one", 9, pad=True)
    eve.steal(a)
    second = a.seal(b"two", 9, pad=True)
    assert eve.read(first) == b"one" and eve.read(second) is None


def test_he_loses_what_he_no_longer_holds():
    a, _, eve = ends("qkd")
    eve.steal(a)
    eve.lose(a)
    assert eve.keys is None and eve.read(a.seal(b"x", 9)) is None


@pytest.mark.parametrize("name", ["plaintext", "qkd", "qkd-otp"])
def test_spoofing_into_a_silent_slot(name):
    """Nothing is sent: he invents a frame from what he knows of the link."""
    a, b, eve = ends(name)
    if name == "plaintext":
        assert b.open(eve.spoof(None, SLOT), 9).payload == b"\xff"
    else:
        with pytest.raises(Rejected, match="unverified"):
            b.open(eve.spoof(None, SLOT), 9)
    if name == "qkd":
        eve.steal(a)
        assert b.open(eve.spoof(None, SLOT), 9).payload == b"\xff"


@pytest.mark.parametrize("name", ["psk", "qkd-otp"])
def test_playing_back_what_was_taken(name):
    a, b, eve = ends(name)
    frame = seal(a, name, b"old", step=4)
    with pytest.raises(Rejected, match="malformed"):
        b.open(eve.play_back(SLOT, 3), 9)  # nothing recorded: noise
    b.open(frame, 4)
    eve.record_taken((UPLINK, 4, 0), frame)
    assert eve.play_back(SLOT, 3) == frame
    with pytest.raises(Rejected, match="replayed"):
        b.open(frame, 9)


def test_where_there_is_no_tag_old_frames_look_fresh():
    a, b, eve = ends("plaintext")
    eve.record_sent((UPLINK, 6, 0), a.seal(b"old", 6))
    for made in (eve.play_back(SLOT, 3), eve.deliver_late(SLOT, 3)):
        opened = b.open(made, 9)
        assert (opened.payload, opened.step) == (b"old", 9)
    assert eve.deliver_late(SLOT, 4) is None


def test_the_tape_is_bounded_but_never_empty():
    eve = ends("psk")[2]
    for step in range(100):
        eve.record_sent((UPLINK, step, 0), b"")
        eve.record_taken((UPLINK, step, 0), bytes([step]))
        eve.forget_before(step - 3)
    assert len(eve._sent) == 4 and len(eve._taken[UPLINK]) <= 5
    eve.forget_before(1_000)
    assert not eve._sent and eve.play_back((UPLINK, 1_000, 0), 3) == bytes([99])


def test_one_slot_by_the_script():
    a, b, eve = ends("psk")
    frame = a.seal(b"reading", 9)
    assert eve.act(frame, SLOT, 1 << JAM | 1 << SPOOF, False) == ([], None)
    for silent in (NATURAL_LOSS, 1 << DROP, 1 << DROP | 1 << TAMPER, 1 << DELAY):
        assert eve.act(frame, SLOT, silent, False) == ([], None)
    assert eve.act(frame, SLOT, 1 << DELAY, True) == ([], frame)
    assert eve.act(None, SLOT, 1 << TAMPER, False) == ([], None)
    injected, arrived = eve.act(frame, SLOT, 1 << SPOOF | 1 << REPLAY, False)
    assert len(injected) == 2 and arrived == frame
    assert eve.act(frame, (UPLINK, 0, 0), 1 << REPLAY, False) == ([], frame), "nothing is older than the episode"
    assert parse_frame(eve.act(frame, SLOT, 1 << MITM, False)[1]).counter == 0


def test_what_is_replaced_is_not_late():
    assert is_delayed(1 << DELAY) and is_delayed(1 << DELAY | 1 << SPOOF)
    assert not is_delayed(1 << DELAY | 1 << TAMPER) and not is_delayed(1 << DELAY | 1 << MITM) and not is_delayed(0)


@pytest.mark.parametrize("kind", [MITM, TAMPER, SPOOF, REPLAY, DELAY, DROP, JAM])
def test_strikes_need_an_attack_aimed_and_on(kind):
    names = {MITM: "mitm", TAMPER: "tamper", SPOOF: "spoof", REPLAY: "replay", DELAY: "delay", DROP: "drop", JAM: "jam"}
    channel = channel_record(ChannelConfig(natural_loss=0.0))[0]
    link = np.zeros(1, LINK)[0]
    table = attack_table([Attack(names[kind], onset_step=3)])
    reset_link(link, np.zeros(2, COUNTS), suite_table()[1], table, channel, np.uint64(1), 0, 0)
    strikes = [message_strikes(link, table, channel, np.uint64(1), 0, step, 0, 1) for step in range(5)]
    assert strikes == [0, 0, 0, 1 << kind, 1 << kind]
    link["targets"] = 0
    assert message_strikes(link, table, channel, np.uint64(1), 0, 4, 0, 1) == 0
