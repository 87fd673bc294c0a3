"""Keys for named receivers: each receiver gets a key once, nobody else ever, also after the file was reopened."""

import sqlite3
import uuid

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qdt_env.security.durable_keystore import DurableKeyStore
from qdt_env.security.keystore import Key, KeyUnavailable
from qdt_env.security.reserved_keystore import NotReserved, ReservedKeyStore


def filled(path=":memory:", **more):
    store = ReservedKeyStore(path, **more)
    store.add(bytes(range(256)), now_s=0.0)
    return store


def test_each_receiver_gets_the_key_once():
    store = filled()
    (key,) = store.take_for(["bob", "carol"])
    assert store.claim_for("bob", key.id) == (key,)
    assert store.account().claimed == 0 and store.account().waiting == 256, "carol's is still waiting"
    with pytest.raises(KeyUnavailable, match="unknown, claimed or expired"):
        store.claim_for("bob", key.id)
    assert store.claim_for("carol", key.id) == (key,)
    assert store.account().claimed == 256 and store.account().waiting == 0
    for name in ("bob", "carol", "mallory"):
        with pytest.raises(KeyUnavailable) as refusal:
            store.claim_for(name, key.id)
        assert refusal.type is KeyUnavailable, "a key that is gone is nobody's"
    store.close()


def test_a_key_for_others_is_refused_and_kept():
    store = filled()
    (theirs,), (ours,) = store.take_for(["bob"]), store.take_for(["mallory"])
    for ids in ((theirs.id,), (ours.id, theirs.id)):
        with pytest.raises(NotReserved, match=str(theirs.id)):
            store.claim_for("mallory", *ids)
    with pytest.raises(NotReserved):
        store.claim(theirs.id)
    assert store.claim_for("mallory", ours.id) == (ours,) and store.claim_for("bob", theirs.id) == (theirs,)
    store.close()


def test_claiming_is_all_or_nothing():
    store = filled()
    first, second = store.take_for(["bob", "carol"], 2)
    store.claim_for("bob", first.id)
    for ids in ((second.id, first.id), (second.id, second.id), (second.id, uuid.uuid4())):
        with pytest.raises(KeyUnavailable):
            store.claim_for("bob", *ids)
    assert store.claim_for("bob", second.id) == (second,)
    assert store.claim_for("carol", second.id, first.id) == (second, first)
    store.close()


def test_keys_for_nobody_in_particular_behave_as_in_the_base():
    store = filled()
    (key,) = store.take()
    with pytest.raises(NotReserved):
        store.claim_for("bob", key.id)
    assert store.claim(key.id) == (key,)
    with pytest.raises(KeyUnavailable):
        store.claim(key.id)
    store.close()


def test_unclaimed_keys_lapse():
    store = filled(lifetime_s=10.0)
    (key,) = store.take_for(["bob", "carol"], now_s=1.0)
    store.claim_for("bob", key.id, now_s=9.0)
    with pytest.raises(KeyUnavailable):
        store.claim_for("carol", key.id, now_s=10.0)
    assert store.account().lapsed == 256
    store.close()


@pytest.mark.parametrize("receivers", [[], ["bob", "bob"]])
def test_wrong_receivers_are_refused(receivers):
    store = filled()
    with pytest.raises(ValueError, match="receivers"):
        store.take_for(receivers)
    assert store.take()[0].secret == bytes(range(32))
    store.close()


def test_reservations_survive_reopening(tmp_path):
    store = filled(tmp_path / "keys.db")
    (key,) = store.take_for(["bob", "carol"])
    store.claim_for("bob", key.id)
    store.close()
    again = ReservedKeyStore(tmp_path / "keys.db")
    with pytest.raises(NotReserved):
        again.claim_for("mallory", key.id)
    with pytest.raises(KeyUnavailable, match="claimed"):
        again.claim_for("bob", key.id)
    assert again.claim_for("carol", key.id) == (key,)
    again.close()


def test_a_receiver_whom_the_disk_does_not_note_was_not_served():
    store = filled()
    (key,) = store.take_for(["bob", "carol"])
    store.claim_for("bob", key.id)
    before = store.account()
    store._file.execute("PRAGMA query_only=ON")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            store.claim_for("carol", key.id)
        assert store.account() == before
    store._file.execute("PRAGMA query_only=OFF")
    assert store.claim_for("carol", key.id) == (key,) and store.account().claimed == 256
    store.close()


def test_a_plain_store_s_file_is_taken_over(tmp_path):
    plain = DurableKeyStore(tmp_path / "keys.db")
    plain.add(bytes(range(64)))
    (key,) = plain.take()
    plain.close()
    store = ReservedKeyStore(tmp_path / "keys.db")
    assert store.claim(key.id) == (key,) and store.capacity_bits == 1_048_576
    store.close()


def test_a_plain_store_does_not_open_reserved_keys(tmp_path):
    """It would hand them to anybody."""
    store = filled(tmp_path / "keys.db")
    (key,) = store.take_for(["bob"])
    store.close()
    with pytest.raises(sqlite3.DatabaseError, match=r"keys\.db has tables of another .*: receivers"):
        DurableKeyStore(tmp_path / "keys.db")
    again = ReservedKeyStore(tmp_path / "keys.db")
    assert again.claim_for("bob", key.id) == (key,)
    again.close()


def test_receivers_of_keys_that_are_gone_do_not_keep_a_file_shut(tmp_path):
    store = filled(tmp_path / "keys.db")
    gone, kept = store.take_for(["bob"], 2)
    store._file.execute("DELETE FROM waiting WHERE id = ?", (gone.id.bytes,))  # as plain stores did once
    store.close()
    again = ReservedKeyStore(tmp_path / "keys.db")
    with pytest.raises(KeyUnavailable, match="unknown"):
        again.claim_for("bob", gone.id)
    assert again.claim_for("bob", kept.id) == (kept,)
    again.close()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "keys.db").write_bytes(b"not a database " * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        ReservedKeyStore(tmp_path / "keys.db")


NAMES = ("bob", "carol", "dave")


class ReservedMachine(RuleBasedStateMachine):
    """Any sequence of calls and reopenings: nobody gets a key twice, or one that is not for him."""

    @initialize()
    def start(self):
        self.blocks = 0
        self.open: dict[Key, set[str]] = {}
        self.store = filled(self.path)

    @property
    def path(self):
        return self.directory / f"{id(self)}.db"

    @rule(size=st.integers(0, 6))
    def add(self, size):
        self.blocks += 1
        self.store.add((1_000 + self.blocks).to_bytes(8, "big") * size)

    @rule(number=st.integers(1, 3), receivers=st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    def take(self, number, receivers):
        try:
            keys = self.store.take_for(receivers, number, 64)
        except KeyUnavailable:
            assert self.store.available_bits < 64 * number
            return
        self.open |= {key: set(receivers) for key in keys}

    @precondition(lambda self: self.open)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def claim(self, data, name):
        keys = data.draw(st.lists(st.sampled_from(sorted(self.open, key=str)), min_size=1, max_size=3))
        due = len(set(keys)) == len(keys) and all(name in self.open[key] for key in keys)
        try:
            got = self.store.claim_for(name, *[key.id for key in keys])
        except KeyUnavailable:
            assert not due
            return
        assert due and got == tuple(keys)
        for key in keys:
            self.open[key].discard(name)

    @rule()
    def reopen(self):
        self.store.close()
        self.store = ReservedKeyStore(self.path)

    @invariant()
    def books_balance(self):
        account = self.store.account()
        assert account.added == account.available + account.taken + account.expired
        assert account.taken == account.waiting + account.claimed + account.lapsed
        assert account.waiting == 64 * sum(bool(names) for names in self.open.values())

    def teardown(self):
        self.store.close()


@pytest.fixture(scope="module", autouse=True)
def _directory(tmp_path_factory):
    ReservedMachine.directory = tmp_path_factory.mktemp("stores")


ReservedMachine.TestCase.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
TestReserved = ReservedMachine.TestCase
