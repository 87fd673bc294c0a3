"""What must hold for keys, nonces and frames whatever is sent, lost, forged or crashed."""

import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdt_env.security import ciphers, epochs
from qdt_env.security.attacks import ATTACK_KINDS, SOURCE_KINDS_MASK, Attack
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.ciphers import epoch_keys, pad_keys
from qdt_env.security.durable_keystore import DurableKeyStore
from qdt_env.security.keystore import KeyStore
from qdt_env.security.secure_link import DOWNLINK, UPLINK, Party, SecureLink
from qdt_env.security.session import Rejected, Session
from qdt_env.security.suites import FALLBACKS, QKD, QKD_OTP, SUITE_NAMES
from qdt_env.security.wire import FrameError, pack_header, parse_frame

ENDS = Party("robot"), Party("server")
CONFIDENTIAL = SUITE_NAMES[1:]
QUANTUM = ("qkd", "qkd-otp", "hybrid")

scripts = st.lists(
    st.builds(
        Attack,
        kind=st.sampled_from([k for i, k in enumerate(ATTACK_KINDS) if not (1 << i) & SOURCE_KINDS_MASK]),
        onset_step=st.integers(0, 9),
        intensity=st.floats(0.0, 1.0, width=32),
        delay_steps=st.integers(1, 9),
    ),
    max_size=4,
    unique_by=lambda attack: attack.kind,
)
channels = st.builds(
    ChannelConfig,
    fallback=st.sampled_from(FALLBACKS),
    initial_pool_bits=st.sampled_from([0.0, 700.0, 65_536.0]),
    epoch_steps=st.integers(1, 7),
    natural_loss=st.floats(0.0, 0.4),
)
seeds = st.integers(0, 2**64 - 1)


def relaxed(examples):
    """Hypothesis settings for whole links, which take their time."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class CountedAead(ciphers.Aead):
    """AES-GCM that remembers every (key, nonce) it sealed with; `sealing` is shared by all."""

    __slots__ = ("_key", "_seal")
    sealing: Counter = Counter()

    def __init__(self, key):
        super().__init__(key)
        self._key, self._seal = key, self.seal
        self.seal = self._counted

    def _counted(self, nonce, payload, associated):
        self.sealing[self._key, nonce] += 1
        return self._seal(nonce, payload, associated)


class Words:
    """A key source in which every 8-byte word occurs once, and the words seen in pads and epoch keys."""

    def __init__(self):
        self.made = 0

    def __call__(self, link, block):
        self.made += 64
        return b"".join((1 << 60 | link << 40 | i).to_bytes(8, "big") for i in range(self.made - 64, self.made))


def run(link, steps=25, payload=b"eight by"):
    for _ in range(steps):
        link.advance(loss_db=20.0)
        for direction in (UPLINK, DOWNLINK, UPLINK):
            link.send(payload, direction)


def nonces(suite, channel, script, seed):
    """How often each (key, nonce) was used by the two ends; what an attacker seals is his own affair."""
    sealed: Counter = Counter()
    seal = Session.seal

    def sealing(session, *arguments, **more):
        CountedAead.sealing.clear()
        frame = seal(session, *arguments, **more)
        sealed.update(CountedAead.sealing)
        return frame

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ciphers, "Aead", CountedAead)
        patched.setattr(Session, "seal", sealing)
        run(SecureLink(*ENDS, suite, channel, script, seed=seed))
    return sealed


@relaxed(40)
@given(st.sampled_from(CONFIDENTIAL), scripts, channels, seeds)
def test_no_nonce_is_used_twice_under_one_key(suite, script, channel, seed):
    used = nonces(suite, channel, script, seed)
    assert not used or max(used.values()) == 1
    assert used or suite == "qkd-otp" or channel.initial_pool_bits < 256


@relaxed(40)
@given(st.sampled_from(QUANTUM), scripts, channels, seeds)
def test_key_bits_are_used_once_and_accounted_for(suite, script, channel, seed):
    """Words of the source, in everything that is taken for pads and epoch keys by the master end."""
    seen = []
    take = KeyStore.take

    def taking(store, *arguments, **more):
        keys = take(store, *arguments, **more)
        seen.extend(key.secret[i : i + 8] for key in keys for i in range(0, len(key.secret), 8))
        return keys

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(KeyStore, "take", taking)
        link = SecureLink(*ENDS, suite, channel, script, seed=seed, key_source=Words())
        run(link)
    assert len(seen) == len(set(seen))
    account = link.store.account()
    assert account.added == account.available + account.taken + account.expired
    assert account.taken == account.waiting + account.claimed + account.lapsed
    assert account.taken == 64 * len(seen) == link.link["key_bits_spent"]


@relaxed(15)
@given(st.sampled_from(QUANTUM), seeds)
def test_key_bits_are_used_once_across_restarts(tmp_path_factory, suite, seed):
    """Four links in turn on one durable store; the next begins where the last one stopped, or crashed."""
    path = tmp_path_factory.mktemp("store") / "keys.db"
    source, seen = Words(), []
    take = KeyStore.take

    def taking(store, *arguments, **more):
        keys = take(store, *arguments, **more)
        seen.extend(key.secret[i : i + 8] for key in keys for i in range(0, len(key.secret), 8))
        return keys

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(KeyStore, "take", taking)
        for life in range(4):
            store = DurableKeyStore(path)
            link = SecureLink(*ENDS, suite, seed=seed, episode=life, store=store, key_source=source)
            run(link, steps=3)
            store.close()
    assert len(seen) == len(set(seen)) > 0


@relaxed(40)
@given(
    st.sampled_from(CONFIDENTIAL), scripts, channels, seeds, st.binary(min_size=8, max_size=64).filter(lambda b: any(b))
)
def test_no_plaintext_of_a_payload_is_on_the_wire(suite, script, channel, seed, payload):
    """Searched for in every frame of both ends, 8 bytes at a time; a forger's words are his own."""
    on_air = []
    link = SecureLink(*ENDS, suite, channel, script, seed=seed, wiretap=lambda data, way: on_air.append(data))
    secret = payload + bytes(np.random.Generator(np.random.Philox(key=seed)).bytes(24))
    for _ in range(12):
        link.advance()
        for direction in (UPLINK, DOWNLINK):
            link.send(secret, direction)
    pieces = [secret[i : i + 8] for i in range(len(payload), len(secret) - 7)]
    assert not any(piece in data for data in on_air for piece in pieces)


def test_the_search_finds_plaintext():
    """The planted case: without encryption the words are there."""
    on_air = []
    link = SecureLink(*ENDS, "plaintext", wiretap=lambda data, way: on_air.append(data))
    link.send(b"zone 3: two patients")
    assert any(b"two patients" in data for data in on_air)


@pytest.mark.parametrize("bug", ["counter stands still", "one key for both directions"])
def test_a_planted_second_use_of_a_nonce_is_found(bug, monkeypatch):
    seal, keys = Session.seal, ciphers.epoch_keys

    def standing_still(session, *arguments, **more):
        frame = seal(session, *arguments, **more)
        session._counter = 0
        return frame

    if bug == "counter stands still":
        monkeypatch.setattr(Session, "seal", standing_still)
    else:
        monkeypatch.setattr(epochs, "epoch_keys", lambda epoch, secret: keys(epoch, secret[:32] * 2))
    assert max(nonces("psk", None, "none", 1).values()) > 1


class Fuzzed:
    """A receiver with true frames to be mangled, for suites with a tag."""

    def __init__(self, suite, seed):
        store = KeyStore()
        store.add(bytes(random.Random(seed).randbytes(60_000)))
        begin = {QKD_OTP: lambda: pad_keys(0, bytes(range(32)))}.get(suite, lambda: epoch_keys(0, bytes(range(64))))
        self.ends = [Session(suite, 1, sends, 6, store) for sends in (UPLINK, DOWNLINK)]
        for end in self.ends:
            end.install(begin())
        sender, self.receiver = self.ends
        self.true = [sender.seal(random.Random(i).randbytes(i % 90), 3, pad=suite == QKD_OTP) for i in range(60)]
        for frame in self.true[:30]:
            self.receiver.open(frame, 3)
        self.rng = random.Random(seed)

    def mangled(self):
        """One frame that was never sent: flipped, cut, grown, spliced, reordered, re-headed, made up, or a replay."""
        rng = self.rng
        frame = bytearray(rng.choice(self.true))
        way = rng.randrange(8)
        if way == 0:
            for _ in range(rng.randint(1, 4)):
                frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
        elif way == 1:
            del frame[rng.randrange(len(frame)) :]
        elif way == 2:
            frame += rng.randbytes(rng.randint(1, 40))
        elif way == 3:
            other = rng.choice(self.true)
            cut = rng.randrange(min(len(frame), len(other)))
            frame[cut:] = other[cut:]
        elif way == 4:
            first, second = sorted(rng.randrange(len(frame)) for _ in range(2))
            frame[first:second] = frame[first:second][::-1]
        elif way == 5:
            fields = rng.randrange(7), rng.randrange(3), rng.randrange(2), rng.randrange(3)
            numbers = rng.randrange(3), rng.randrange(2**64), rng.randrange(9)
            frame[:30] = pack_header(*fields, *numbers, max(0, len(frame) - 46))
        elif way == 6:
            frame = bytearray(rng.randbytes(rng.randint(0, 150)))
        else:
            frame = bytearray(rng.choice(self.true[:30]))
        return bytes(frame)

    def attack(self, number):
        """How many of ``number`` mangled frames were accepted, which must be none; true ones are not counted."""
        true = set(self.true[30:])
        accepted = 0
        for _ in range(number):
            frame = self.mangled()
            if frame in true:
                continue
            try:
                parse_frame(frame)
            except FrameError:
                pass
            try:
                self.receiver.open(frame, 3)
            except Rejected:
                continue
            accepted += 1
        return accepted


@pytest.mark.parametrize("suite", [QKD, QKD_OTP])
@pytest.mark.parametrize("number", [10_000, pytest.param(500_000, marks=pytest.mark.slow)])
def test_mangled_frames_are_refused_without_a_crash_in_bounded_memory(suite, number):
    """n = 10,000 and 500,000 frames for each of AES-GCM and one-time pad; memory grows by less than 256 KiB."""
    fuzzed = Fuzzed(suite, seed=number)
    assert fuzzed.attack(200) == 0
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        accepted = fuzzed.attack(number)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert accepted == 0
    assert grown < 256 * 1024
    for frame in fuzzed.true[30:]:
        assert fuzzed.receiver.open(frame, 3).step == 3, "the true frames still open"


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_raise_the_one_error(data):
    try:
        frame = parse_frame(data)
    except FrameError:
        return
    assert len(frame.associated) + len(frame.sealed) == len(data)


def test_the_fuzzer_finds_a_receiver_that_does_not_check_tags(monkeypatch):
    monkeypatch.setattr(Session, "_unseal", lambda self, frame, keys: frame.sealed)
    assert Fuzzed(QKD, seed=1).attack(300) > 0
