"""Key exchanges: both ends agree, on the same occasion only, and nobody between them goes unnoticed."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdt_env.security.derivation import HandshakeError, combine, hkdf_sha256, join, split
from qdt_env.security.identity import Party
from qdt_env.security.key_exchange import (
    BOTH_SIGNATURES,
    INGREDIENTS,
    Ingredients,
    Initiator,
    Occasion,
    QkdPart,
    Responder,
    exchange,
)
from qdt_env.security.keystore import KeyStore, KeyUnavailable

A, B, EVE = Party("robot"), Party("server"), Party("robot")  # Eve has the name, not the keys
NAMES = list(INGREDIENTS)
SIGNED = [name for name in NAMES if INGREDIENTS[name].signatures]


def occasion(name="ecdh", epoch=1, link=2, a=A, b=B):
    return Occasion(name, epoch, link, a, b)


def ends(name, store, **more):
    """Initiator and responder of an exchange with keys from the store where it wants one."""
    what = INGREDIENTS[name]
    qkd = None
    if what.qkd:
        store.add(bytes(range(32)))
        (key,) = store.take()
        qkd = QkdPart(key.id, key.secret)
    claim = lambda key_id: store.claim(key_id)[0].secret  # noqa: E731
    return Initiator(what, occasion(name, **more), qkd), Responder(what, occasion(name, **more), claim)


@pytest.mark.parametrize("name", NAMES)
def test_both_ends_get_one_secret_and_no_two_exchanges_the_same(name):
    secrets = set()
    for _ in range(2):
        initiator, responder = ends(name, KeyStore())
        reply = responder.reply(initiator.hello())
        confirm, ours = initiator.finish(reply)
        assert ours == responder.finish(confirm) and len(ours) == 64
        secrets.add(ours)
    assert len(secrets) == 2, "a fresh key id or fresh public keys enter the transcript"


def test_exchange_does_the_three_messages():
    ours, theirs = exchange(INGREDIENTS["ecdh"], occasion())
    assert ours == theirs


def test_an_exchange_of_key_ids_gives_what_its_messages_would_give():
    secret, seen = bytes(range(32)), []
    qkd = QkdPart(uuid.uuid4(), secret)
    initiator = Initiator(INGREDIENTS["qkd"], occasion("qkd"), qkd)
    responder = Responder(INGREDIENTS["qkd"], occasion("qkd"), lambda key_id: secret)
    confirm, expected = initiator.finish(responder.reply(initiator.hello()))
    assert responder.finish(confirm) == expected
    claim = lambda key_id: seen.append(key_id) or secret  # noqa: E731
    assert exchange(INGREDIENTS["qkd"], occasion("qkd"), qkd, claim) == (expected, expected)
    assert seen == [qkd.id], "the other end asks for the key that was named, once"


def test_each_end_of_an_exchange_of_key_ids_derives_from_its_own_copy():
    qkd = QkdPart(uuid.uuid4(), bytes(32))
    ours, theirs = exchange(INGREDIENTS["qkd"], occasion("qkd"), qkd, lambda key_id: b"\1" + bytes(31))
    assert ours != theirs
    with pytest.raises(KeyUnavailable):
        exchange(INGREDIENTS["qkd"], occasion("qkd"), qkd, lambda key_id: KeyStore().claim(key_id)[0].secret)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", [{"epoch": 7}, {"link": 7}, {"a": Party("other")}, {"b": Party("other")}])
def test_ends_that_mean_different_occasions_do_not_agree(name, other):
    store = KeyStore()
    initiator, _ = ends(name, store)
    responder = Responder(INGREDIENTS[name], occasion(name, **other), lambda key_id: store.claim(key_id)[0].secret)
    reply = responder.reply(initiator.hello())
    if name in SIGNED:
        with pytest.raises(HandshakeError, match="signature"):
            initiator.finish(reply)
    else:
        assert initiator.finish(reply)[1] != responder.finish(join())


@pytest.mark.parametrize("name", SIGNED)
def test_a_man_in_the_middle_is_noticed_by_both(name):
    """He answers in the responder's place, then speaks in the initiator's, with keys of his own."""
    initiator, _ = ends(name, KeyStore())
    _, his_answering = ends(name, KeyStore(), b=Party("server"))
    hello = initiator.hello()
    if INGREDIENTS[name].qkd:
        his_answering._claim = lambda _: bytes(32)
    with pytest.raises(HandshakeError, match="server: .* does not verify"):
        initiator.finish(his_answering.reply(hello))
    store = KeyStore()
    his_speaking, responder = ends(name, store)
    his_speaking._occasion = occasion(name, a=EVE)
    reply = responder.reply(his_speaking.hello())
    confirm, _ = his_speaking.finish(reply)
    with pytest.raises(HandshakeError, match="robot: .* does not verify"):
        responder.finish(confirm)


@pytest.mark.parametrize("name", SIGNED)
def test_no_message_can_be_changed_unnoticed(name):
    """Every 37th byte of every message, one bit."""
    initiator, responder = ends(name, KeyStore())
    hello = initiator.hello()
    reply = responder.reply(hello)
    confirm, _ = initiator.finish(reply)

    def changed(message):
        for place in range(0, len(message), 37):
            yield message[:place] + bytes([message[place] ^ 4]) + message[place + 1 :]

    for bad in changed(reply):
        with pytest.raises(HandshakeError):
            initiator.finish(bad)
    for bad in changed(confirm):
        with pytest.raises(HandshakeError):
            responder.finish(bad)
    for bad in [*changed(hello)][:8]:
        other = Responder(INGREDIENTS[name], occasion(name), lambda _: bytes(32))
        with pytest.raises(HandshakeError):  # the responder refuses, or signs what the initiator did not say
            initiator.finish(other.reply(bad))


def test_a_second_signature_must_verify_too():
    initiator, responder = ends("hybrid", KeyStore())
    public, signatures = split(responder.reply(initiator.hello()))
    first, second = split(signatures)
    for bad in (join(first), join(first, b""), join(first, first), join(second, first), join(), b"\0"):
        with pytest.raises(HandshakeError):
            initiator.finish(join(public, bad))


def test_a_qkd_key_is_claimed_once_and_must_be_named():
    store = KeyStore()
    initiator, responder = ends("qkd", store)
    hello = initiator.hello()
    responder.reply(hello)
    with pytest.raises(KeyUnavailable):
        responder.reply(hello)
    with pytest.raises(KeyUnavailable):
        responder.reply(join(b"", b"", uuid.uuid4().bytes))
    for bad in (join(b"", b"", b""), join(b"", b"", b"x" * 17), join(b"", b""), b"\0\0"):
        with pytest.raises(HandshakeError):
            responder.reply(bad)


@given(st.binary(max_size=200))
def test_random_bytes_never_crash_an_end(data):
    responder = Responder(INGREDIENTS["ecdh"], occasion())
    with pytest.raises(HandshakeError):
        responder.reply(data)
    initiator = Initiator(INGREDIENTS["ecdh"], occasion())
    initiator.hello()
    with pytest.raises(HandshakeError):
        initiator.finish(data)


def test_a_part_is_given_exactly_where_it_is_wanted():
    part = QkdPart(uuid.uuid4(), bytes(32))
    with pytest.raises(ValueError, match="got no key"):
        Initiator(INGREDIENTS["hybrid"], occasion("hybrid"))
    with pytest.raises(ValueError, match="got a key"):
        Initiator(INGREDIENTS["ecdh"], occasion(), part)
    assert "secret" not in repr(part)


@pytest.mark.parametrize("known", ["qkd", "kem", "dh"])
def test_a_hybrid_secret_needs_every_part(known):
    """Two of three parts in the attacker's hands: the third still decides."""
    parts = {"qkd": b"q" * 32, "kem": b"k" * 32, "dh": b"d" * 32}
    secret = combine(tuple(parts.values()), b"transcript", b"info")
    guessed = combine(tuple(v if k != known else bytes(32) for k, v in parts.items()), b"transcript", b"info")
    assert secret != guessed


def test_parts_cannot_run_into_each_other():
    assert combine((b"ab", b"c"), b"", b"") != combine((b"a", b"bc"), b"", b"")
    assert combine((b"a",), b"", b"") != combine((b"a",), b"x", b"") != combine((b"a",), b"", b"x")


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_join_and_split(fields):
    assert split(join(*fields)) == fields


@given(st.binary(max_size=60))
def test_split_never_crashes_and_loses_nothing(data):
    try:
        assert join(*split(data)) == data
    except HandshakeError:
        pass


@pytest.mark.parametrize("length", [0, 8_161])
def test_hkdf_refuses_lengths_it_cannot_give(length):
    with pytest.raises(ValueError, match="8160"):
        hkdf_sha256(b"", b"", b"", length)


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_parties_have_names(name):
    with pytest.raises(ValueError, match="name"):
        Party(name)


def test_the_ingredients_are_those_of_the_suites():
    assert INGREDIENTS["ecdh"] == Ingredients(dh=True, signatures=("ed25519",))
    assert INGREDIENTS["pqc"] == Ingredients(kem=True, signatures=("ml-dsa-44",))
    assert INGREDIENTS["hybrid"].signatures == BOTH_SIGNATURES and repr(A) == "Party('robot')"
