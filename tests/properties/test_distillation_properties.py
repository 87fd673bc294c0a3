"""What must hold for every key, error pattern and seed on the way from sifted bits to a key."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.security.qkd.block import distil
from qdt_env.security.qkd.cascade import reconcile
from qdt_env.security.qkd.transmission import Adversary, event_level_block
from qdt_env.security.qkd.verification import PRIME, VerificationFailed, polynomial_hash, verification_tag, verify

SEEDS = st.integers(0, 2**64 - 1)


@settings(max_examples=150)
@given(
    st.integers(64, 3_000),
    st.floats(0.0, 0.2),
    st.floats(1e-4, 0.25),
    SEEDS,
    st.sampled_from([64, 300, 1_024, 2**14]),
    st.integers(1, 40),
)
def test_cascade_counts_what_it_does(bits, share, believed, seed, frame_bits, searches):
    rng = np.random.Generator(np.random.Philox(key=seed))
    alice = rng.integers(0, 2, bits, dtype=np.uint8)
    bob = alice ^ (rng.random(bits) < share)
    done = reconcile(alice, bob, believed, seed, frame_bits=frame_bits, searches=searches)
    assert done.corrections == (done.corrected != bob).sum(), "every correction turns another bit"
    assert np.all((done.corrected == alice) | (done.corrected == bob))
    assert (done.corrected != alice).sum() <= (bob != alice).sum(), "no right bit is made wrong"
    assert done.leaked_bits == len(done.answers) <= 2 * bits + 16 * done.frames
    assert 0 < done.rounds <= done.leaked_bits


@settings(max_examples=100)
@given(st.integers(1, 2_000), st.integers(0, PRIME - 1), SEEDS)
def test_the_hash_adds_up(bits, key, seed):
    """H(a) + H(b) = H(a xor b) mod p where a and b share no ones."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    a = rng.integers(0, 2, bits, dtype=np.uint8)
    b = rng.integers(0, 2, bits, dtype=np.uint8) & (1 - a)
    assert (polynomial_hash(a, key) + polynomial_hash(b, key)) % PRIME == polynomial_hash(a | b, key)


@settings(max_examples=100)
@given(st.integers(1, 2_000), SEEDS, st.integers(0, 2**32))
def test_a_whole_tag_tells_strings_apart(bits, seed, where):
    rng = np.random.Generator(np.random.Philox(key=seed))
    a = rng.integers(0, 2, bits, dtype=np.uint8)
    key = int(rng.integers(1, 2**62)) << 60
    verify(a, key, verification_tag(a, key, 127), 127)
    b = a.copy()
    b[where % bits] ^= 1
    try:
        verify(b, key, verification_tag(a, key, 127), 127)
    except VerificationFailed:
        return
    raise AssertionError("one turned bit was not noticed")


@settings(max_examples=25)
@given(st.floats(5.0, 30.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0), SEEDS)
def test_every_block_gives_equal_keys_or_none_and_an_account(loss_db, intercepted, pns, seed):
    rng = np.random.Generator(np.random.Philox(key=seed))
    sifted = event_level_block("robot100MHz", loss_db, rng, Adversary(intercepted / 5, pns / 5))
    made = distil(sifted, seed)
    account = made.account
    assert made.key == made.peer_key and len(made.key) == account.length_bits // 8
    assert account.accepted == (account.reason == "") == (account.length_bits > 0)
    assert 0 <= account.leaked_bits <= 2 * account.sifted and account.sifted == len(sifted.alice)
    if account.accepted:
        unknown = int((sifted.known_to_eve == 0).sum())
        assert account.length_bits + account.leaked_bits + account.verification_bits < unknown, (
            "the key is no longer than what the adversary cannot know"
        )


@settings(max_examples=10)
@given(SEEDS)
def test_ends_that_differ_after_correction_get_no_key(seed):
    """Bob's bits far from Alice's, against what the counts say: nothing is accepted."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    sifted = event_level_block("robot100MHz", 15.0, rng, pulses=3e7)
    stranger = replace(sifted, bob=rng.integers(0, 2, len(sifted.bob), dtype=np.uint8))
    made = distil(stranger, seed)
    assert not made.account.accepted and made.key == made.peer_key == b""
