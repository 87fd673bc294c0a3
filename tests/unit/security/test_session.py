"""Sessions: what is opened, what is refused and why, and that nonces and keys are used once."""

import copy
import os
import pickle
import threading
import time

import pytest

from qdt_env.security import session as module
from qdt_env.security.ciphers import EpochKeys, epoch_keys, pad_keys, plain_keys
from qdt_env.security.keystore import KeyStore, KeyUnavailable
from qdt_env.security.session import MAX_CLAIMED_PADS, NoKey, NonceExhausted, Rejected, Session
from qdt_env.security.suites import ECDH, PLAINTEXT, QKD, QKD_OTP
from qdt_env.security.wire import DOWNLINK, MAX_COUNTER, UPLINK, parse_frame

SECRET = bytes(range(64))


def pair(suite=QKD, epoch=0, max_age_steps=6, store=None):
    """Both ends of a link in one epoch."""
    ends = [Session(suite, 5, sends, max_age_steps, store) for sends in (UPLINK, DOWNLINK)]
    for end in ends:
        begin(end, epoch, suite)
    return ends


def begin(end, epoch, suite=QKD):
    keys = {PLAINTEXT: lambda: plain_keys(epoch), QKD_OTP: lambda: pad_keys(epoch, SECRET[:32])}
    end.install(keys.get(suite, lambda: epoch_keys(epoch, SECRET))())


def refused(end, frame, step=0):
    """Why a frame was refused."""
    with pytest.raises(Rejected) as caught:
        end.open(frame, step)
    return caught.value.reason


@pytest.mark.parametrize("suite", [PLAINTEXT, ECDH, QKD])
def test_round_trip_in_both_directions(suite):
    a, b = pair(suite)
    for sender, receiver in ((a, b), (b, a)):
        opened = receiver.open(sender.seal(b"reading", 3), 5)
        assert (opened.payload, opened.step) == (b"reading", 3)


def test_a_frame_is_opened_once():
    a, b = pair()
    frame = a.seal(b"x", 0)
    b.open(frame, 0)
    assert refused(b, frame) == "replayed"


def test_late_frames_are_opened_within_the_window_and_the_age():
    a, b = pair()
    frames = [a.seal(bytes([i]), 0) for i in range(100)]
    assert [b.open(frame, 6).payload for frame in frames[::-1]] == [bytes([i]) for i in range(100)][::-1]
    assert refused(b, a.seal(b"late", 0), 7) == "stale"
    assert refused(b, a.seal(b"early", 8), 7) == "stale"


def test_a_stale_frame_was_authentic_and_is_marked():
    a, b = pair()
    frame = a.seal(b"x", 0)
    assert refused(b, frame, 7) == "stale" and refused(b, frame, 7) == "replayed"


def test_every_changed_bit_is_refused_and_the_true_frame_still_opens():
    """Header, payload, tag: all of a frame of 50 bytes; none of the attempts marks the window."""
    a, b = pair()
    frame = a.seal(b"abcd", 1)
    for bit in range(8 * len(frame)):
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        assert refused(b, bytes(changed), 1) in ("malformed", "foreign", "epoch", "unverified")
    assert b.open(frame, 1).payload == b"abcd"


def test_frames_of_other_links_directions_and_suites_are_foreign():
    a, b = pair()
    other = Session(QKD, 6, UPLINK, 6)
    begin(other, 0)
    assert refused(b, other.seal(b"x", 0)) == "foreign"
    assert refused(a, a.seal(b"x", 0)) == "foreign", "an own frame reflected"
    c, _ = pair(ECDH)
    assert refused(b, c.seal(b"x", 0)) == "foreign"


def test_a_plain_frame_is_no_frame_for_a_session_with_keys_and_the_reverse():
    plain, _ = pair(PLAINTEXT)
    _, b = pair()
    frame = bytearray(plain.seal(b"x" * 20, 0))
    frame[3] = QKD
    assert refused(b, bytes(frame)) == "foreign"
    a, _ = pair()
    _, plain_receiver = pair(PLAINTEXT)
    sealed = bytearray(a.seal(b"x", 0))
    sealed[3] = PLAINTEXT
    assert refused(plain_receiver, bytes(sealed)) == "foreign"


def test_old_keys_are_gone_with_the_next_epoch():
    a, b = pair()
    late = a.seal(b"late", 0)
    for end in (a, b):
        begin(end, 1)
    assert refused(b, late) == "epoch"
    assert b.open(a.seal(b"now", 0), 0).payload == b"now"
    a.drop()
    with pytest.raises(NoKey):
        a.seal(b"x", 0)
    b.drop()
    assert refused(b, late) == "epoch" and b.keys is None


@pytest.mark.parametrize("epoch", [3, 2])
def test_an_epoch_cannot_come_again(epoch):
    """Its nonces may have been used; after forgetting too."""
    a, _ = pair(epoch=3)
    a.drop()
    with pytest.raises(ValueError, match="allowed: more than 3"):
        begin(a, epoch)


def test_counters_run_on_and_run_out():
    a, _ = pair()
    assert [parse_frame(a.seal(b"", 0)).counter for _ in range(3)] == [0, 1, 2]
    a._counter = MAX_COUNTER
    assert parse_frame(a.seal(b"", 0)).counter == MAX_COUNTER
    for _ in range(2):
        with pytest.raises(NonceExhausted, match="counter"):
            a.seal(b"", 0)
    with pytest.raises(NonceExhausted, match="epoch"):
        a.install(epoch_keys(2**32, SECRET))


def test_a_counter_is_not_used_again_after_a_failure():
    class Failing:
        def seal(self, *_):
            raise MemoryError

    a = Session(QKD, 5, UPLINK, 6)
    a.install(EpochKeys(0, (Failing(), Failing())))
    with pytest.raises(MemoryError):
        a.seal(b"", 0)
    a._keys = epoch_keys(0, SECRET)
    assert parse_frame(a.seal(b"", 0)).counter == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_session_cannot_be_copied(copied):
    """The copy would seal under the same key and the same counters."""
    a, _ = pair()
    with pytest.raises(TypeError, match="a Session cannot be copied or pickled"):
        copied(a)
    assert parse_frame(a.seal(b"x", 0)).counter == 0


def test_a_forked_process_neither_seals_nor_opens(in_a_fork):
    a, b = pair()
    frame = a.seal(b"x", 0)
    for call in (lambda: a.seal(b"y", 0), lambda: b.open(frame, 0), lambda: begin(a, 1)):
        assert f"this Session belongs to process {os.getpid()}" in in_a_fork(call)
    assert b.open(frame, 0).payload == b"x" and parse_frame(a.seal(b"y", 0)).counter == 1


def at_once(work, threads=4):
    """What several threads make of the same call, one after the other and in any order."""
    made = []
    workers = [threading.Thread(target=lambda: made.extend(work())) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return made


def test_threads_share_a_session_without_sharing_a_nonce(monkeypatch):
    """The pause is between reading the counter and moving it on."""
    a, b = pair()
    pack_header = module.pack_header
    monkeypatch.setattr(module, "pack_header", lambda *fields: time.sleep(0.001) or pack_header(*fields))
    frames = at_once(lambda: [a.seal(b"x", 0) for _ in range(10)])
    assert sorted(parse_frame(frame).counter for frame in frames) == list(range(40))
    assert [b.open(frame, 0).payload for frame in frames] == [b"x"] * 40


def test_threads_open_a_frame_once():
    """The pause is between looking at the window and marking it."""

    class Slow:
        def open(self, *_):
            time.sleep(0.01)
            return b"x"

    a, _ = pair()
    b = Session(QKD, 5, DOWNLINK, 6)
    b.install(EpochKeys(0, (Slow(), Slow())))
    frame = a.seal(b"x", 0)

    def once():
        try:
            return [b.open(frame, 0).payload]
        except (Rejected, ValueError) as error:
            return [str(error).encode()]

    assert sorted(at_once(once)) == [b"replayed: counter 0"] * 3 + [b"x"]


def store_with(size):
    store = KeyStore()
    store.add(bytes(i * 31 % 256 for i in range(size)))
    return store


def test_pads_are_spent_and_claimed_once():
    store = store_with(100)
    a, b = pair(QKD_OTP, store=store)
    frame = a.seal(b"0123456789", 0, pad=True)
    assert store.available_bits == 8 * (100 - 26)
    assert b.open(frame, 0).payload == b"0123456789"
    assert refused(b, frame) == "replayed"
    with pytest.raises(KeyUnavailable):
        a.seal(bytes(100), 0, pad=True)
    account = store.account()
    assert (account.taken, account.claimed) == (208, 208)


def test_a_forger_who_names_a_heard_pad_does_not_use_it_up():
    a, b = pair(QKD_OTP, store=store_with(100))
    frame = a.seal(b"0123456789", 0, pad=True)
    forged = frame[:-1] + bytes([frame[-1] ^ 1])
    for _ in range(3):
        assert refused(b, forged) == "unverified"
    assert b.open(frame, 0).payload == b"0123456789"


def test_a_forger_who_sends_a_heard_pad_back_does_not_use_it_up():
    """In a frame of the other direction: its sender must not claim it, since the store has it for the receiver."""
    a, b = pair(QKD_OTP, store=store_with(100))
    frame = a.seal(b"0123456789", 0, pad=True)
    reflected = bytearray(frame)
    reflected[8] = DOWNLINK
    assert refused(a, bytes(reflected)) == "key"
    assert b.open(frame, 0).payload == b"0123456789"


def test_an_unknown_pad_is_refused():
    a, b = pair(QKD_OTP, store=store_with(100))
    frame = bytearray(a.seal(b"x", 0, pad=True))
    frame[30] ^= 1
    assert refused(b, bytes(frame)) == "key"
    _, without_store = pair(QKD_OTP)
    assert refused(without_store, bytes(frame)) == "key"
    with pytest.raises(NoKey):
        pair(QKD)[0].seal(b"x", 0, pad=True)


def test_memory_for_claimed_pads_is_bounded():
    a, b = pair(QKD_OTP, store=store_with(40 * (MAX_CLAIMED_PADS + 20)))
    for _ in range(MAX_CLAIMED_PADS + 10):
        frame = a.seal(b"x", 0, pad=True)
        refused(b, frame[:-1] + bytes([frame[-1] ^ 1]))
    assert len(b._pads) == MAX_CLAIMED_PADS


def test_software_ciphers_for_messages_without_a_pad():
    a, b = pair(QKD_OTP)
    assert refused(b, make_aead_frame(a)) == "unverified"
    for end in (a, b):
        end.fall_back(epoch_keys(0, SECRET).ciphers)
    assert b.open(a.seal(b"x", 0), 0).payload == b"x"
    a.drop()
    with pytest.raises(NoKey):
        a.fall_back(epoch_keys(0, SECRET).ciphers)


def make_aead_frame(a):
    """A frame sealed under ciphers that the other end does not have."""
    frame_end = Session(QKD_OTP, 5, UPLINK, 6)
    frame_end.install(epoch_keys(a.keys.epoch, SECRET))
    return frame_end.seal(b"x", 0)


def test_a_direction_is_up_or_down():
    with pytest.raises(ValueError, match="sends: got 2"):
        Session(QKD, 0, 2, 6)
