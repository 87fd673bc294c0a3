"""Key stores: taken once at each end, nothing created or lost, and no bit spent twice across a crash."""

import copy
import pickle
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from qdt_env.security.durable_keystore import DurableKeyStore
from qdt_env.security.keystore import Key, KeyStore, KeyUnavailable
from qdt_env.security.reserved_keystore import ReservedKeyStore


def material(number, words=32):
    """Key material in which every 8-byte word occurs once in the world, so that a reused bit shows."""
    return b"".join((number * 1_000_000 + i).to_bytes(8, "big") for i in range(words))


def words(keys):
    return [key.secret[i : i + 8] for key in keys for i in range(0, len(key.secret), 8)]


def test_both_ends_get_the_same_key_once():
    store = KeyStore()
    assert store.add(material(1)) == 2_048
    first, second = store.take(2, 256)
    assert (first.secret + second.secret, first.id != second.id) == (material(1)[:64], True)
    assert store.claim(second.id) == (second,)
    assert store.claim(first.id) == (first,)
    for key in (first, second):
        with pytest.raises(KeyUnavailable):
            store.claim(key.id)


def test_a_key_may_span_blocks_and_short_supply_takes_nothing():
    store = KeyStore()
    store.add(material(1, 3))
    store.add(material(2, 3))
    with pytest.raises(KeyUnavailable, match="384 bits in store"):
        store.take(1, 392)
    (key,) = store.take(1, 256)
    assert key.secret == material(1, 3) + material(2, 3)[:8] and store.available_bits == 128


def test_claiming_is_all_or_nothing():
    store = KeyStore()
    store.add(material(1))
    (key,) = store.take()
    for ids in ((key.id, uuid.uuid4()), (key.id, key.id)):
        with pytest.raises(KeyUnavailable):
            store.claim(*ids)
    assert store.claim(key.id) == (key,)


def test_what_does_not_fit_is_not_stored():
    store = KeyStore(capacity_bits=128)
    assert store.add(material(1)) == 128 and store.add(material(2)) == 0
    assert store.account().added == 128


def test_expiry_at_both_ends():
    store = KeyStore(lifetime_s=10.0)
    store.add(material(1, 8), now_s=0.0)
    (key,) = store.take(1, 256, now_s=9.9)
    with pytest.raises(KeyUnavailable):
        store.claim(key.id, now_s=10.0)
    with pytest.raises(KeyUnavailable):
        store.take(1, 256, now_s=10.0)
    account = store.account()
    assert (account.taken, account.lapsed, account.expired, account.available) == (256, 256, 256, 0)


def test_discarding():
    store = KeyStore()
    store.add(material(1))
    (key,) = store.take()
    store.discard()
    store.discard_waiting()
    assert store.available_bits == 0
    with pytest.raises(KeyUnavailable):
        store.claim(key.id)


def test_a_key_does_not_show_its_secret():
    assert "aaaa" not in repr(Key(uuid.uuid4(), b"aaaa")) and "32 bits" in repr(Key(uuid.uuid4(), b"aaaa"))


@pytest.mark.parametrize("arguments", [{"number": 0}, {"number": 1_025}, {"size_bits": 0}, {"size_bits": 12}])
def test_wrong_requests_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        KeyStore().take(**arguments)


@pytest.mark.parametrize("arguments", [{"capacity_bits": 0}, {"capacity_bits": 9}, {"lifetime_s": 0.0}])
def test_wrong_stores_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        KeyStore(**arguments)


def test_threads_share_a_store_without_sharing_a_key():
    store = KeyStore(capacity_bits=8 * 80_000)
    store.add(material(1, 8_000))
    taken = [[] for _ in range(4)]

    def drain(keys):
        while True:
            try:
                keys.extend(store.take(1, 64))
            except KeyUnavailable:
                return

    threads = [threading.Thread(target=drain, args=(keys,)) for keys in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = words(key for keys in taken for key in keys)
    assert len(seen) == len(set(seen)) == 8_000


@pytest.mark.parametrize("kind", [KeyStore, lambda: DurableKeyStore(":memory:")])
def test_a_store_exists_once(kind, in_a_fork):
    """A copy, or a forked process, would hand out the same bits."""
    store = kind()
    store.add(material(1))
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="KeyStore cannot be copied or pickled"):
            copied(store)
    assert "belongs to process" in in_a_fork(store.take)
    assert store.take()[0].secret == material(1)[:32]


class StoreMachine(RuleBasedStateMachine):
    """Any sequence of calls: no word at two takers, and every bit accounted for."""

    def new_store(self):
        return KeyStore(capacity_bits=4_096, lifetime_s=20.0)

    @initialize()
    def start(self):
        self.store, self.blocks, self.now = self.new_store(), 0, 0.0
        self.open, self.master, self.slave = [], [], []

    @rule(size=st.integers(0, 40))
    def add(self, size):
        self.blocks += 1
        self.store.add(material(self.blocks, size), now_s=self.now)

    @rule(number=st.integers(1, 4), size=st.integers(1, 6))
    def take(self, number, size):
        before = self.store.account()
        try:
            keys = self.store.take(number, 64 * size, now_s=self.now)
        except KeyUnavailable:
            assert self.store.account().taken == before.taken
            return
        self.open += keys
        self.master += words(keys)

    @rule(choice=st.randoms(use_true_random=False))
    def claim(self, choice):
        if self.open:
            key = self.open.pop(choice.randrange(len(self.open)))
            try:
                assert self.store.claim(key.id, now_s=self.now) == (key,)
            except KeyUnavailable:
                return
            self.slave += words([key])

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds):
        self.now += seconds
        self.store.expire(self.now)

    @rule()
    def discard(self):
        self.store.discard()

    @invariant()
    def books_balance(self):
        account = self.store.account()
        assert account.added == account.available + account.taken + account.expired
        assert account.taken == account.waiting + account.claimed + account.lapsed
        assert account.available == self.store.available_bits >= 0
        assert (account.taken, account.claimed) == (64 * len(self.master), 64 * len(self.slave))
        assert len(set(self.master)) == len(self.master) and len(set(self.slave)) == len(self.slave)


StoreMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestStore = StoreMachine.TestCase


def test_a_durable_store_survives_reopening(tmp_path):
    store = DurableKeyStore(tmp_path / "keys.db", lifetime_s=100.0)
    store.add(material(1, 6), now_s=1.0)
    store.add(material(2, 6), now_s=2.0)
    first, second = store.take(2, 256, now_s=3.0)
    store.claim(first.id, now_s=3.0)
    account = store.account()
    store.close()
    again = DurableKeyStore(tmp_path / "keys.db", lifetime_s=100.0)
    assert again.account() == account and account.available == 256
    assert again.claim(second.id, now_s=4.0) == (second,)
    with pytest.raises(KeyUnavailable):
        again.claim(first.id)
    assert again.take(1, 256, now_s=5.0)[0].secret == material(2, 6)[16:]
    again.add(material(3), now_s=5.0)
    again.discard()
    assert again.account().expired == 2_048
    again.close()
    last = DurableKeyStore(tmp_path / "keys.db")
    assert last.available_bits == 0 and last.account().added == 2_048 + 768
    last.close()


CHANGES = {
    "add": lambda store, taken: store.add(material(9), now_s=5.0),
    "take": lambda store, taken: store.take(2, 1_024, now_s=5.0),
    "claim": lambda store, taken: store.claim(taken.id, now_s=5.0),
    "expire": lambda store, taken: store.expire(11.0),
    "lapse": lambda store, taken: store.discard_waiting(),
    "discard": lambda store, taken: store.discard(),
}


@pytest.mark.parametrize("kind", [DurableKeyStore, ReservedKeyStore])
@pytest.mark.parametrize("change", CHANGES)
def test_what_the_disk_does_not_take_has_not_happened(tmp_path, kind, change):
    """As on a full disk: the accounts stay, the same call works later, and the file says what memory does."""
    store = kind(tmp_path / "keys.db", lifetime_s=10.0)
    store.add(material(1, 20), now_s=0.0)
    store.add(material(2, 20), now_s=1.0)
    (taken,) = store.take(now_s=2.0)
    before, stored = store.account(), words_in(store)
    store._file.execute("PRAGMA query_only=ON")
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError):
            CHANGES[change](store, taken)
        assert (store.account(), words_in(store)) == (before, stored)
    store._file.execute("PRAGMA query_only=OFF")
    CHANGES[change](store, taken)
    after, stored = store.account(), words_in(store)
    assert after != before and after.available == 64 * len(stored)
    assert after.added == after.available + after.taken + after.expired
    store.close()
    again = kind(tmp_path / "keys.db", lifetime_s=10.0)
    assert (again.account(), words_in(again)) == (after, stored)
    again.add(material(3, 4), now_s=5.0)
    assert words_in(again) == stored + words([Key(taken.id, material(3, 4))]), "blocks go on in their order"
    again.close()


def words_in(store):
    """What is there to be taken, in its order."""
    return words([Key(uuid.uuid4(), bytes(block.content[block.start :])) for block in store._blocks])


def test_one_process_holds_a_durable_store(tmp_path):
    store = DurableKeyStore(tmp_path / "keys.db")
    with pytest.raises(KeyUnavailable, match="held by another process"):
        DurableKeyStore(tmp_path / "keys.db")
    store.close()
    DurableKeyStore(tmp_path / "keys.db").close()


SPENDER = """
import sys
from qdt_env.security.durable_keystore import DurableKeyStore
from qdt_env.security.keystore import KeyUnavailable
path, log, base = sys.argv[1], open(sys.argv[2], "a", buffering=1), int(sys.argv[3])
store = DurableKeyStore(path)
print("ready", flush=True)
for number in range(100_000):
    store.add(b"".join(((base + number) * 1_000_000 + i).to_bytes(8, "big") for i in range(20)))
    for _ in range(3):
        (key,) = store.take(1, 256)
        log.write("taken " + key.secret.hex() + "\\n")
        log.write("claimed " + store.claim(key.id)[0].secret.hex() + "\\n")
"""


def spend_until_killed(path, log, run, after_s):
    """One process that spends keys, logs each one that it got, and is killed with SIGKILL."""
    child = subprocess.Popen(
        [sys.executable, "-c", SPENDER, str(path), str(log), str(run * 100_000)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        try:
            child.wait(after_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL


def check_nothing_was_spent_twice(path, log):
    lines = [line.split() for line in log.read_text().splitlines() if line.endswith(tuple("0123456789abcdef"))]
    for kind in ("taken", "claimed"):
        secrets = [bytes.fromhex(fields[1]) for fields in lines if fields[0] == kind and len(fields[1]) == 64]
        seen = [secret[i : i + 8] for secret in secrets for i in range(0, 32, 8)]
        assert len(seen) == len(set(seen)) > 0, kind
    store = DurableKeyStore(path)
    account = store.account()
    assert account.added == account.available + account.taken + account.expired
    assert account.taken == account.waiting + account.claimed + account.lapsed
    left = words(store.take(1, account.available)) if account.available else []
    taken = {fields[1] for fields in lines if fields[0] == "taken"}
    assert not {word.hex() for word in left} & {line[i : i + 16] for line in taken for i in range(0, len(line), 16)}
    store.close()


@pytest.mark.slow
def test_killed_at_random_moments_no_key_is_spent_twice(tmp_path):
    """n = 12 kills, each 0 to 0.25 s into spending, one file throughout."""
    moments = random.Random(3)
    for run in range(12):
        spend_until_killed(tmp_path / "keys.db", tmp_path / "log", run, moments.uniform(0.0, 0.25))
    check_nothing_was_spent_twice(tmp_path / "keys.db", tmp_path / "log")


def test_the_check_sees_a_store_that_hands_out_before_it_writes(tmp_path, monkeypatch):
    """The planted bug: nothing is on disk when the bytes leave the store."""
    store = DurableKeyStore(tmp_path / "keys.db")
    store.add(material(1))
    with monkeypatch.context() as patched:
        patched.setattr(DurableKeyStore, "_keep_taken", lambda *_: None)
        (key,) = store.take()
    store._file.close()  # as a crash would
    (tmp_path / "log").write_text(f"taken {key.secret.hex()}\nclaimed {key.secret.hex()}\n")
    with pytest.raises(AssertionError):
        check_nothing_was_spent_twice(tmp_path / "keys.db", tmp_path / "log")


def test_killed_once_no_key_is_spent_twice(tmp_path):
    for run in range(2):
        spend_until_killed(tmp_path / "keys.db", tmp_path / "log", run, 0.15)
    check_nothing_was_spent_twice(tmp_path / "keys.db", tmp_path / "log")
