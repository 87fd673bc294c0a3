"""Epochs: what each suite's keys are made of, when they come and when they go."""

from dataclasses import dataclass

import pytest

from qdt_env.security import epochs as module
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.epochs import MAX_EMPTY_BLOCKS, Epochs, random_material
from qdt_env.security.key_exchange import INGREDIENTS
from qdt_env.security.keystore import KeyUnavailable
from qdt_env.security.suites import SUITE_NAMES, suite_by_name
from qdt_env.security.wire import DOWNLINK, UPLINK


@dataclass
class Life:
    """What Epochs reads of a link's record."""

    epoch: int = 0
    ready: bool = True
    on_software: bool = False
    spent_bits: int = 0
    monitor_until: int = 0


def epochs(suite, fallback="hold", source=random_material):
    return Epochs(suite_by_name(suite), ChannelConfig(fallback=fallback), "a", "b", 3, source)


def arrives(keys, step=0, pool_bits=1e9):
    """Whether a message gets through in both directions."""
    for direction, other in ((UPLINK, DOWNLINK), (DOWNLINK, UPLINK)):
        frame, _ = keys.seal(b"reading", step, direction, pool_bits)
        if frame is None or keys.ends[other].open(frame, step).payload != b"reading":
            return False
    return True


@pytest.mark.parametrize("suite", SUITE_NAMES)
def test_a_session_lives_from_epoch_to_epoch(suite):
    keys = epochs(suite)
    per_epoch = suite_by_name(suite).key_bits_per_epoch
    assert not arrives(keys)
    for epoch in range(3):
        keys.follow(Life(epoch, spent_bits=per_epoch * (epoch + 1)))
        assert arrives(keys) and arrives(keys)
        before = keys.ends[UPLINK].keys
        keys.follow(Life(epoch, spent_bits=per_epoch * (epoch + 1)))
        assert keys.ends[UPLINK].keys is before, "nothing new within an epoch"
    keys.follow(Life(2, ready=False, spent_bits=per_epoch * 3))
    assert not arrives(keys) and keys.ends[DOWNLINK].keys is None


@pytest.mark.parametrize(
    ("suite", "fallback", "on_software", "made_of"),
    [
        ("ecdh", "hold", False, "ecdh"),
        ("pqc", "hold", False, "pqc"),
        ("qkd", "hold", False, "qkd"),
        ("qkd", "pqc", True, "pqc"),
        ("qkd", "hybrid", True, "software hybrid"),
        ("hybrid", "hold", False, "hybrid"),
        ("hybrid", "hold", True, "software hybrid"),
        ("hybrid", "pqc", True, "software hybrid"),
    ],
)
def test_what_the_keys_are_made_of(suite, fallback, on_software, made_of, monkeypatch):
    used = []
    exchange = module.exchange
    monkeypatch.setattr(module, "exchange", lambda what, *more: used.append(what) or exchange(what, *more))
    keys = epochs(suite, fallback)
    keys.follow(Life(on_software=on_software, spent_bits=0 if on_software else 256))
    assert used == [INGREDIENTS[made_of]] and arrives(keys)


@pytest.mark.parametrize("fallback", ["hybrid", "pqc"])
def test_a_message_without_a_pad_goes_under_software_keys_made_once_an_epoch(fallback, monkeypatch):
    used = []
    exchange = module.exchange
    monkeypatch.setattr(module, "exchange", lambda what, *more: used.append(what) or exchange(what, *more))
    keys = epochs("qkd-otp", fallback)
    keys.follow(Life())
    assert arrives(keys) and not used
    for _ in range(2):
        assert arrives(keys, pool_bits=100.0)
    assert used == [INGREDIENTS["software hybrid" if fallback == "hybrid" else "pqc"]]
    keys.follow(Life(1))
    assert arrives(keys, pool_bits=0.0) and len(used) == 2


def test_a_message_without_a_pad_waits_under_hold():
    keys = epochs("qkd-otp")
    keys.follow(Life())
    needed = 8 * 7 + 128
    assert keys.seal(b"reading", 0, UPLINK, needed - 1) == (None, 0)
    frame, spent = keys.seal(b"reading", 0, UPLINK, needed)
    assert frame is not None and spent == needed


def test_pads_whose_frames_never_came_lapse_with_the_epoch():
    keys = epochs("qkd-otp")
    keys.follow(Life())
    keys.seal(b"lost", 0, UPLINK, 1e9)
    keys.follow(Life(1))
    account = keys.store.account()
    assert account.lapsed == account.taken == 8 * 4 + 128


def test_a_flag_of_the_monitor_drops_what_is_stored():
    keys = epochs("qkd")
    keys.follow(Life(spent_bits=256))
    assert keys.store.available_bits > 0
    keys.follow(Life(1, ready=False, spent_bits=512, monitor_until=12))
    account = keys.store.account()
    assert (account.available, account.taken) == (0, 512)
    keys.follow(Life(2, spent_bits=768, monitor_until=12))
    assert arrives(keys) and keys.store.available_bits > 0


def test_a_source_may_fail_for_a_while():
    calls = []

    def source(link, block):
        calls.append(block)
        return b"" if len(calls) < MAX_EMPTY_BLOCKS else bytes(32)

    keys = epochs("qkd", source=source)
    keys.follow(Life(spent_bits=256))
    assert calls == list(range(MAX_EMPTY_BLOCKS))
    with pytest.raises(KeyUnavailable, match="link 3"):
        epochs("qkd", source=lambda *_: b"").follow(Life(spent_bits=256))


def test_while_the_source_fails_nothing_goes_under_the_keys_of_an_epoch_that_is_over():
    blocks = [bytes(32)]

    def source(link, block):
        if not blocks:
            raise KeyUnavailable("the key server does not answer")
        return blocks.pop()

    keys = epochs("qkd", source=source)
    keys.follow(Life(spent_bits=256))
    assert arrives(keys)
    for _ in range(2):
        with pytest.raises(KeyUnavailable):
            keys.follow(Life(1, spent_bits=512))
        assert not arrives(keys) and all(end.keys is None for end in keys.ends)
    blocks.append(bytes(32))
    keys.follow(Life(1, spent_bits=512))
    assert arrives(keys) and keys.ends[UPLINK].keys.epoch == 1


def test_a_flag_of_the_monitor_drops_what_is_stored_also_while_the_source_fails():
    blocks = [bytes(40)]
    keys = epochs("qkd", source=lambda *_: blocks.pop() if blocks else b"")
    keys.follow(Life(spent_bits=256))
    assert keys.store.available_bits == 64
    with pytest.raises(KeyUnavailable):
        keys.follow(Life(1, ready=False, spent_bits=512, monitor_until=12))
    assert keys.store.available_bits == 0 and not arrives(keys)


def test_material_is_fresh():
    assert random_material(0, 0) != random_material(0, 0)
