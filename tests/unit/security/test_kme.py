"""The rules of a KME: who gets which key, within which limits, and with which of the standard's errors."""

import json
import sqlite3
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.security.etsi014 import Etsi014Error, KeyRequest
from qdt_env.security.kme import End, Kme, Limits
from qdt_env.security.reserved_keystore import ReservedKeyStore

A, B = End("kme-a", ("alice", "anna")), End("kme-b", ("bob", "carol", "dave"))


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def store():
    made = ReservedKeyStore(":memory:", capacity_bits=8_192, lifetime_s=100.0)
    made.add(bytes(range(256)) * 4)
    yield made
    made.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ends(store, clock):
    limits = Limits(max_key_size=1_024, max_key_per_request=4, max_SAE_ID_count=1)
    return Kme(A, B, store, limits, clock), Kme(B, A, store, limits, clock)


def refused(status, call, *arguments):
    with pytest.raises(Etsi014Error) as refusal:
        call(*arguments)
    assert refusal.value.status == status, refusal.value
    return refusal.value


def test_both_sides_get_the_same_key_by_its_id(ends):
    a, b = ends
    keys = a.get_key("alice", "bob", KeyRequest(3, 128))
    assert [len(key.secret) for key in keys] == [16] * 3 and len({key.id for key in keys}) == 3
    ids = tuple(key.id for key in reversed(keys))
    assert b.get_key_with_ids("bob", "alice", ids) == tuple(reversed(keys))
    (back,) = b.get_key("bob", "anna", KeyRequest())
    assert a.get_key_with_ids("anna", "bob", (back.id,)) == (back,), "the other direction"


def test_status_says_what_can_be_had(ends):
    a, b = ends
    status = a.status("alice", "bob")
    assert (status.source_KME_ID, status.target_KME_ID) == ("kme-a", "kme-b")
    assert (status.master_SAE_ID, status.slave_SAE_ID) == ("alice", "bob")
    assert (status.stored_key_count, status.max_key_count, status.key_size) == (32, 32, 256)
    assert (status.max_key_per_request, status.max_key_size, status.min_key_size) == (4, 1_024, 64)
    assert status.max_SAE_ID_count == 1
    a.get_key("alice", "bob", KeyRequest(2))
    assert b.status("carol", "alice").stored_key_count == 30


def test_a_key_is_fetched_once(ends):
    a, b = ends
    (key,) = a.get_key("alice", "bob", KeyRequest())
    b.get_key_with_ids("bob", "alice", (key.id,))
    error = refused(400, b.get_key_with_ids, "bob", "alice", (key.id,))
    assert error.message == "one or more keys specified are not found on KME"


def test_a_key_is_only_for_whom_it_was_taken(ends):
    a, b = ends
    (key,) = a.get_key("alice", "bob", KeyRequest())
    for caller, master in (("carol", "alice"), ("bob", "anna")):
        refused(401, b.get_key_with_ids, caller, master, (key.id,))
    refused(401, a.get_key_with_ids, "alice", "bob", (key.id,))
    assert b.get_key_with_ids("bob", "alice", (key.id,)) == (key,), "and none of them spent it"


def test_additional_slaves_get_the_same_key_once_each(ends):
    a, b = ends
    (key,) = a.get_key("alice", "bob", KeyRequest(additional_slave_SAE_IDs=("carol",)))
    for name in ("carol", "bob"):
        assert b.get_key_with_ids(name, "alice", (key.id,)) == (key,)
        refused(400, b.get_key_with_ids, name, "alice", (key.id,))
    (key,) = a.get_key("alice", "bob", KeyRequest(additional_slave_SAE_IDs=("carol",)))
    refused(401, b.get_key_with_ids, "dave", "alice", (key.id,))


def test_requests_outside_the_limits_cost_nothing(ends, store):
    a, _ = ends
    wrong = {
        "size shall be a multiple of 8": KeyRequest(1, 257),
        "size: got 56, allowed: 64 .. 1024": KeyRequest(1, 56),
        "size: got 1032": KeyRequest(1, 1_032),
        "size: got 0": KeyRequest(1, 0),
        "number: got 0, allowed: 1 .. 4": KeyRequest(0),
        "number: got 5": KeyRequest(5),
        "additional_slave_SAE_IDs: got 2": KeyRequest(additional_slave_SAE_IDs=("carol", "dave")),
        "additional_slave_SAE_IDs: got 1": KeyRequest(additional_slave_SAE_IDs=("bob",)),
        "slave SAE ID: got 'anna', allowed: an SAE that kme-b serves": KeyRequest(additional_slave_SAE_IDs=("anna",)),
        "not all extension_mandatory parameters are supported": KeyRequest(extension_mandatory=({"hops": 1},)),
    }
    for message, request in wrong.items():
        assert message in refused(400, a.get_key, "alice", "bob", request).message
    assert store.available_bits == 8_192
    assert a.get_key("alice", "bob", KeyRequest(extension_optional=({"hops": 1},))), "this one may be ignored"


def test_an_unsupported_extension_is_named(ends):
    error = refused(400, ends[0].get_key, "alice", "bob", KeyRequest(extension_mandatory=({"hops": 1}, {"zone": 2})))
    assert error.details == ({"unsupported": ["hops"]}, {"unsupported": ["zone"]})


def test_an_extension_that_utf_8_cannot_write_is_named_all_the_same(ends):
    request = KeyRequest.from_json(json.loads(r'{"extension_mandatory": [{"\ud800": 1, "\u00e4": 1}]}'))
    error = refused(400, ends[0].get_key, "alice", "bob", request)
    assert error.details == ({"unsupported": ["ä", "\\ud800"]},)
    assert json.dumps(error.to_json(), ensure_ascii=False).encode()


@pytest.mark.parametrize("caller", [None, "mallory", "bob", "kme-a", ""])
def test_who_is_not_served_here_gets_401(ends, caller):
    a, _ = ends
    assert refused(401, a.authorise, caller).message
    if caller is not None:
        refused(401, a.status, caller, "bob")
        refused(401, a.get_key, caller, "bob", KeyRequest())
        refused(401, a.get_key_with_ids, caller, "bob", (uuid.uuid4(),))


@pytest.mark.parametrize("slave", ["mallory", "alice", "anna", "kme-b"])
def test_a_peer_that_is_not_at_the_other_end(ends, slave):
    a, _ = ends
    for call in (
        lambda: a.status("alice", slave),
        lambda: a.get_key("alice", slave, KeyRequest()),
        lambda: a.get_key_with_ids("alice", slave, (uuid.uuid4(),)),
    ):
        assert "kme-b serves" in refused(400, call).message


def test_an_exhausted_store_says_try_later_and_keeps_the_rest(ends, store):
    a, _ = ends
    for _ in range(7):
        a.get_key("alice", "bob", KeyRequest(4, 256))
    error = refused(503, a.get_key, "alice", "bob", KeyRequest(4, 512))
    assert "not enough key material" in error.message and error.details == ({"available_bits": 1_024},)
    assert len(a.get_key("alice", "bob", KeyRequest(4, 256))) == 4
    refused(503, a.get_key, "alice", "bob", KeyRequest())


def test_keys_that_nobody_fetched_expire(ends, clock):
    a, b = ends
    (key,) = a.get_key("alice", "bob", KeyRequest())
    clock.now_s = 100.0
    refused(400, b.get_key_with_ids, "bob", "alice", (key.id,))


def test_too_many_ids_or_one_twice(ends):
    a, b = ends
    (key,) = a.get_key("alice", "bob", KeyRequest())
    for ids in ((key.id, key.id), tuple(uuid.uuid4() for _ in range(5))):
        assert "key_IDs" in refused(400, b.get_key_with_ids, "bob", "alice", ids).message
    refused(400, b.get_key_with_ids, "bob", "alice", (key.id, uuid.uuid4()))
    assert b.get_key_with_ids("bob", "alice", (key.id,)) == (key,)


def test_a_store_that_fails_is_the_servers_error_and_hands_nothing_out(ends, store, monkeypatch):
    a, b = ends
    (key,) = a.get_key("alice", "bob", KeyRequest())
    with monkeypatch.context() as patched:

        def full(*_):
            raise sqlite3.OperationalError("database or disk is full")

        patched.setattr(store, "_commit", full)
        before = store.account()
        assert "disk is full" in refused(503, a.get_key, "alice", "bob", KeyRequest()).message
        refused(503, b.get_key_with_ids, "bob", "alice", (key.id,))
        assert store.account() == before and a.status("alice", "bob").stored_key_count == 31, "and costs nothing"
    assert b.get_key_with_ids("bob", "alice", (key.id,)) == (key,)
    assert a.get_key("alice", "bob", KeyRequest())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key_size", 12),
        ("key_size", 32),
        ("min_key_size", 0),
        ("max_key_size", 128),
        ("max_key_per_request", 0),
        ("max_key_per_request", 1_025),
        ("max_SAE_ID_count", -1),
    ],
)
def test_limits_that_cannot_be(field, value):
    with pytest.raises(ValueError, match=field):
        Limits(**{field: value})


@pytest.mark.parametrize("there", [End("b", ()), End("b", ("alice",)), End("b", ("a b",)), End("b c", ("bob",))])
def test_ends_that_cannot_be(there, store):
    with pytest.raises(ValueError, match="SAE ID"):
        Kme(A, there, store, Limits(), lambda: 0.0)


people = st.sampled_from(["alice", "anna", "bob", "carol", "mallory"])
sizes = st.sampled_from([0, 63, 64, 128, 192])  # bits; two of them are allowed


@settings(max_examples=60)
@given(st.lists(st.tuples(people, people, st.integers(0, 3), sizes, st.booleans()), max_size=20))
def test_whatever_is_asked_every_bit_goes_to_one_master_and_one_slave_at_most(calls):
    """Words of 8 bytes occur once in the store, so one that is handed out twice to a role shows."""
    store = ReservedKeyStore(":memory:", capacity_bits=64 * 40)
    store.add(b"".join(i.to_bytes(8, "big") for i in range(40)))
    limits = Limits(64, 64, 128, 2, 0)
    kmes = {**dict.fromkeys(A.saes, Kme(A, B, store, limits, lambda: 0.0))}
    kmes |= dict.fromkeys(B.saes, Kme(B, A, store, limits, lambda: 0.0))
    taken, fetched, open_keys = [], [], []
    for caller, peer, number, size_bits, fetches in calls:
        kme = kmes.get(caller, kmes["alice"])
        try:
            if fetches and open_keys:
                key, master, slave = open_keys[number % len(open_keys)]
                (got,) = kme.get_key_with_ids(caller, peer, (key.id,))
                assert (got, master, slave) == (key, peer, caller)
                fetched.append(got.secret)
            else:
                for key in kme.get_key(caller, peer, KeyRequest(number, size_bits)):
                    taken.append(key.secret)
                    open_keys.append((key, caller, peer))
        except Etsi014Error as error:
            assert error.status in (400, 401, 503)
    for secrets in (taken, fetched):
        words = [secret[i : i + 8] for secret in secrets for i in range(0, len(secret), 8)]
        assert len(words) == len(set(words))
    assert set(fetched) <= set(taken)
    store.close()
