"""The polynomial hash against Python's integers, its error probability, and what a wrong tag does."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from qdt_env.security.qkd.verification import (
    BLOCK_BYTES,
    PRIME,
    VerificationFailed,
    blocks_of,
    draw_hash_key,
    polynomial_hash,
    product127,
    tag_bits,
    verification_tag,
    verify,
)

FIELD = st.integers(0, 2**127 - 1)


def reference(bits, key):
    """The same hash by Python's integers."""
    packed = np.packbits(bits).tobytes()
    packed += bytes(-len(packed) % BLOCK_BYTES)
    value = 0
    for first in range(0, len(packed), BLOCK_BYTES):
        value = (value + int.from_bytes(packed[first : first + BLOCK_BYTES])) * key % PRIME
    return value


@given(FIELD, FIELD)
@example(PRIME, PRIME)
@example(PRIME - 1, PRIME - 1)
@example(2**64 - 1, 2**64 - 1)
@example(2**126, 2)
@example(0, PRIME)
def test_product_is_that_of_the_field(a, b):
    words = (np.uint64(a >> 64), np.uint64(a & (2**64 - 1)), np.uint64(b >> 64), np.uint64(b & (2**64 - 1)))
    high, low = map(int, product127(*words))
    assert ((high << 64) | low) % PRIME == a * b % PRIME
    assert 0 <= high < 2**63 and 0 <= low < 2**64


@pytest.mark.parametrize("bits", [1, 7, 119, 120, 121, 1_000, 99_999])
@pytest.mark.parametrize("key", [0, 1, 2**64, PRIME - 1, 0x1234_5678_9ABC_DEF0_1122_3344_5566_7788])
def test_hash_is_that_of_pythons_integers(bits, key):
    rng = np.random.Generator(np.random.Philox(key=bits))
    for string in (rng.integers(0, 2, bits, dtype=np.uint8), np.ones(bits, np.uint8)):
        assert polynomial_hash(string, key) == reference(string, key)


def test_one_wrong_bit_anywhere_fails():
    rng = np.random.Generator(np.random.Philox(key=1))
    bits = rng.integers(0, 2, 1_000, dtype=np.uint8)
    key = draw_hash_key(rng)
    tag = verification_tag(bits, key, 64)
    verify(bits.copy(), key, tag, 64)
    for wrong in range(0, 1_000, 37):
        other = bits.copy()
        other[wrong] ^= 1
        with pytest.raises(VerificationFailed, match="the tags of 64 bits differ"):
            verify(other, key, tag, 64)


def test_short_tags_agree_by_chance_as_often_as_they_may():
    """Two fixed strings under random keys: a tag of t bits is equal with probability about 2^-t, below d 2^(1-t)."""
    rng = np.random.Generator(np.random.Philox(key=2))
    one, two = rng.integers(0, 2, (2, 240), dtype=np.uint8)
    length, n = 6, 20_000
    equal = sum(
        verification_tag(one, key, length) == verification_tag(two, key, length)
        for key in (draw_hash_key(rng) for _ in range(n))
    )
    assert blocks_of(240) == 2
    assert stats.binomtest(equal, n, 2.0**-length).pvalue > 1e-6


def test_tag_length_gives_eps_cor():
    for bits, eps in ((1, 1e-15), (100_000, 1e-15), (100_000, 1e-10), (10**7, 1e-15)):
        length = tag_bits(bits, eps)
        assert blocks_of(bits) * 2.0 ** (1 - length) <= eps < blocks_of(bits) * 2.0 ** (2 - length)
    assert tag_bits(100_000, 1e-15) == math.ceil(math.log2(2e15 * 834)) == 61


def test_keys_of_the_hash_are_of_the_field_and_follow_the_generator():
    keys = [draw_hash_key(np.random.Generator(np.random.Philox(key=k))) for k in range(50)]
    assert all(0 <= key < PRIME for key in keys) and len(set(keys)) == 50
    assert max(keys).bit_length() == 127
    assert keys[3] == draw_hash_key(np.random.Generator(np.random.Philox(key=3)))


def test_wrong_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="key: got -1"):
        polynomial_hash(np.zeros(8, np.uint8), -1)
    with pytest.raises(ValueError, match="key: got"):
        polynomial_hash(np.zeros(8, np.uint8), PRIME)
    with pytest.raises(ValueError, match="bits: got 0"):
        tag_bits(0, 1e-15)
    with pytest.raises(ValueError, match="eps_correct: got 1.0"):
        tag_bits(100, 1.0)
    with pytest.raises(ValueError, match="eps_correct: got 1e-38"):
        tag_bits(100_000, 1e-38)
