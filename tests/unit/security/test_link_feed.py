"""The link that feeds a store: blocks at the rate of their pulses, none when it is full, no key under eavesdropping."""

import sqlite3

import numpy as np
import pytest

from qdt_env.security.keystore import KeyUnavailable
from qdt_env.security.link_feed import LinkFeed
from qdt_env.security.qkd.transmission import Adversary
from qdt_env.security.reserved_keystore import ReservedKeyStore


class Waits:
    """Counts the waits and ends the feed after some."""

    def __init__(self, most):
        self.most, self.seconds = most, []

    def wait(self, timeout):
        self.seconds.append(timeout)
        return len(self.seconds) >= self.most


@pytest.fixture
def store():
    made = ReservedKeyStore(":memory:", capacity_bits=40_000)
    yield made
    made.close()


def rng(seed=1):
    return np.random.Generator(np.random.Philox(seed))


def test_blocks_come_at_the_rate_of_their_pulses_until_the_store_is_full(store):
    feed, waits = LinkFeed(store, rng()), Waits(5)
    feed.run(waits)
    assert feed.last.accepted and feed.blocks == 2 and store.available_bits == 40_000
    assert waits.seconds[:2] == [feed.last.seconds] * 2 and 0.2 < feed.last.seconds < 2.0
    assert waits.seconds[2:] == [0.5] * 3, "no block while the store is full"


def test_the_store_holds_what_the_blocks_gave(store):
    feed = LinkFeed(store, rng())
    first = feed.make_block()
    assert first == feed.last.length_bits // 8 * 8 == store.account().added > 10_000
    same = ReservedKeyStore(":memory:")
    LinkFeed(same, rng()).make_block()
    other = ReservedKeyStore(":memory:")
    LinkFeed(other, rng(2)).make_block()
    heads = [s.take(1, 256)[0].secret for s in (store, same, other)]
    assert heads[0] == heads[1] != heads[2], "the generator decides, and nothing else"
    same.close()
    other.close()


def test_an_eavesdropper_leaves_no_key(store):
    feed = LinkFeed(store, rng(), adversary=Adversary(intercepted=0.5))
    assert feed.make_block() == 0 and not feed.last.accepted
    with pytest.raises(KeyUnavailable):
        store.take_for(["bob"])


def test_a_full_store_lets_go_of_what_is_too_old():
    store, now = ReservedKeyStore(":memory:", 8_192, lifetime_s=10.0), [0.0]
    feed = LinkFeed(store, rng(), clock=lambda: now[0])
    feed.run(Waits(2))
    now[0] = 11.0
    feed.run(Waits(2))
    account = store.account()
    assert (account.expired, account.available) == (8_192, 8_192)
    store.close()


def test_a_failing_disk_is_tried_again(store, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    feed = LinkFeed(store, rng())
    with monkeypatch.context() as patched:
        patched.setattr(store, "_commit", full)
        feed.run(Waits(2))
    assert store.available_bits == 0
    feed.run(Waits(1))
    assert store.available_bits > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss_db": 60.0, "hardware": "rusca2018"}, "an hour per block"),
        ({"loss_db": -1.0}, "loss"),
        ({"hardware": "x"}, "preset"),
    ],
)
def test_links_that_cannot_be(store, arguments, message):
    with pytest.raises(ValueError, match=message):
        LinkFeed(store, rng(), **arguments)
