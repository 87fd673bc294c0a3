"""Key blocks: equal keys at both ends, an account that adds up, and no key without verification."""

import math
from dataclasses import replace

import numpy as np
import pytest

from qdt_env.security.qkd import block as block_module
from qdt_env.security.qkd.block import AUTHENTICATION_BITS, distil
from qdt_env.security.qkd.cascade import reconcile, shannon_bits
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.hardware import PRESETS
from qdt_env.security.qkd.transmission import Adversary, event_level_block


def sifted_block(loss_db=15.0, key=1, **adversary):
    rng = np.random.Generator(np.random.Philox(key=key))
    return event_level_block("robot100MHz", loss_db, rng, Adversary(**adversary))


@pytest.fixture(scope="module")
def sifted():
    return sifted_block()


@pytest.fixture(scope="module")
def made(sifted):
    return distil(sifted, 3)


def test_both_ends_have_the_key(made):
    assert made.account.accepted and made.account.reason == ""
    assert made.key == made.peer_key
    assert len(made.key) == made.account.length_bits // 8 > 1_000
    assert not made.known_to_eve


def test_a_block_does_not_show_its_key(made):
    assert made.key and "\\x" not in repr(made) and "account=" in repr(made)


def test_the_account_adds_up(sifted, made):
    """l = s0 + s1 (1 - h(phi)) - leaked - tag - 6 log2(19/eps_sec), by hand from the account and the bounds."""
    account, bound = made.account, made.bound
    h = shannon_bits(bound.phase_error, 1)
    worth = bound.vacuum + bound.single * (1 - h)
    paid = account.leaked_bits + account.verification_bits + 6 * math.log2(19 / account.eps_secret)
    assert account.length_bits == math.floor(worth - paid)
    assert account.sifted == len(sifted.alice) == sifted.counts["n"][0].sum()
    assert account.errors == (sifted.alice != sifted.bob).sum()
    assert account.pulses == sifted.counts["pulses"] and account.seconds == sifted.seconds
    shannon = shannon_bits(account.errors / account.sifted, account.sifted)
    assert shannon < account.leaked_bits < 1.06 * shannon
    assert account.verification_bits == 61 and account.authentication_bits == AUTHENTICATION_BITS
    assert account.latency_s == pytest.approx(account.rounds * 1e-3)
    assert account.eps_secret == sifted.hardware.eps_secret and account.eps_correct == sifted.hardware.eps_correct


def test_the_same_inputs_give_the_same_key_and_others_another(sifted, made):
    assert distil(sifted, 3) == made
    other = distil(sifted, 4)
    assert other.key != made.key and other.account.accepted
    as_generator = distil(sifted, np.random.Generator(np.random.Philox(key=3)))
    assert as_generator == made


def test_a_different_sifted_key_gives_a_different_key_by_the_same_seed(sifted, made):
    """One turned bit at both ends changes about half of the key's bits."""
    turned = sifted.alice.copy(), sifted.bob.copy()
    for bits in turned:
        bits[1_234] ^= 1
    other = distil(replace(sifted, alice=turned[0], bob=turned[1]), 3)
    assert other.account.length_bits == made.account.length_bits
    a, b = (np.unpackbits(np.frombuffer(key, np.uint8)) for key in (made.key, other.key))
    assert abs((a != b).mean() - 0.5) < 5 * 0.5 / math.sqrt(len(a))


def test_a_failed_correction_gives_no_key(sifted, monkeypatch):
    """One bit that Cascade leaves wrong is seen by the tag."""

    def careless(*arguments, **options):
        done = reconcile(*arguments, **options)
        done.corrected[77] ^= 1
        return done

    monkeypatch.setattr(block_module, "reconcile", careless)
    refused = distil(sifted, 3)
    assert not refused.account.accepted and refused.key == refused.peer_key == b""
    assert refused.account.length_bits == 0
    assert "the tags of 61 bits differ" in refused.account.reason
    assert refused.account.leaked_bits > 0 and refused.account.verification_bits == 61


def test_interception_costs_key_until_none_is_left():
    clean, little, much = (distil(sifted_block(intercepted=f), 1) for f in (0.0, 0.05, 0.3))
    assert clean.account.length_bits > 2 * little.account.length_bits > 0
    assert not much.account.accepted and much.key == b"" and much.account.length_bits == 0
    assert much.account.reason and much.account.leaked_bits > 0
    assert not any(block.known_to_eve for block in (clean, little, much))


def test_full_interception_is_refused_before_anything_is_disclosed():
    refused = distil(sifted_block(intercepted=1.0), 1)
    assert not refused.account.accepted and refused.account.leaked_bits == 0 and refused.account.rounds == 1


def test_blinding_leaves_a_key_that_the_adversary_knows():
    blinded = distil(sifted_block(blinding=True), 1)
    assert blinded.account.accepted and blinded.known_to_eve


def test_a_high_qber_in_the_test_basis_alone_is_refused_before_anything_is_disclosed(sifted):
    """Key basis clean, test basis at 30 %: the phase error leaves nothing, so error correction is not begun."""
    counts = np.array(sifted.counts, COUNTS).reshape(1)
    counts["m"][0, 1] = (0.3 * counts["n"][0, 1]).astype(int)
    refused = distil(replace(sifted, counts=counts[0]), 1)
    assert not refused.account.accepted and refused.account.reason and refused.account.leaked_bits == 0


def test_empty_and_tiny_blocks_are_refused_without_error():
    rng = np.random.Generator(np.random.Philox(key=1))
    for pulses in (0.0, 10.0, 20_000.0):
        refused = distil(event_level_block("robot100MHz", 20.0, rng, pulses=pulses), 1)
        assert not refused.account.accepted and refused.account.reason


def test_two_decoy_links_are_distilled_too():
    rng = np.random.Generator(np.random.Philox(key=2))
    hardware = replace(PRESETS["lim2014"], key_basis_probability=0.6, block_bits=1e6)
    made = distil(event_level_block(hardware, 10.0, rng), 1, searches=1, frame_bits=2**14)
    assert made.account.accepted and made.key == made.peer_key
    assert made.bound.protocol == "two-decoy"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"authentication_bits": -1}, "authentication_bits: got -1"),
        ({"round_trip_s": float("nan")}, "round_trip_s: got nan"),
        ({"searches": 0}, "searches: got 0"),
    ],
)
def test_wrong_arguments_are_refused_by_name(sifted, changed, message):
    with pytest.raises(ValueError, match=message):
        distil(sifted, 1, **changed)


def test_bits_that_are_not_those_of_the_counts_are_refused(sifted):
    with pytest.raises(ValueError, match="sifted: got"):
        distil(replace(sifted, alice=sifted.alice[:-1]), 1)
