"""The Toeplitz hash, on words and by FFT, is bit for bit the product with the matrix, and it hashes universally."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from qdt_env.security.qkd import amplification
from qdt_env.security.qkd.amplification import seed_bits, toeplitz


def random_bits(n, key):
    return np.random.Generator(np.random.Philox(key=key)).integers(0, 2, n, dtype=np.uint8)


def rows_of(seed, n, rows):
    """Rows of T by the definition: T_ij = s_(i - j + n - 1)."""
    return seed[np.asarray(rows)[:, None] - np.arange(n)[None, :] + n - 1]


def direct(bits, seed, rows):
    return (rows_of(seed, len(bits), rows).astype(np.int64) @ bits) % 2


@given(st.integers(1, 600), st.integers(1, 600), st.integers(0, 2**32))
@example(1, 1, 0)
@example(1, 600, 0)
@example(600, 1, 0)
@example(512, 512, 0)
def test_is_the_product_with_the_matrix(n, length, key):
    bits, seed = random_bits(n, key), random_bits(seed_bits(n, length), key + 1)
    hashed = toeplitz(bits, seed, length)
    assert hashed.dtype == np.uint8 and hashed.shape == (length,)
    assert np.array_equal(hashed, direct(bits, seed, range(length)))


@pytest.mark.parametrize(("n", "length"), [(100_000, 50_000), (100_000, 27_994), (65_536, 65_536), (131_071, 1)])
def test_is_the_product_for_blocks_of_key(n, length):
    bits, seed = random_bits(n, 1), random_bits(seed_bits(n, length), 2)
    rows = np.unique(np.concatenate([[0, length - 1], random_bits(length, 3).nonzero()[0][:300]]))
    rows = rows[rows < length]
    assert np.array_equal(toeplitz(bits, seed, length)[rows], direct(bits, seed, rows))


@pytest.fixture(params=["words", "fft"])
def way(request, monkeypatch):
    """Either way at any size."""
    monkeypatch.setattr(amplification, "LARGEST_DIRECT", 2**62 if request.param == "words" else 0)


@pytest.mark.parametrize(("n", "length"), [(1, 1), (64, 64), (65, 1), (255, 129), (256, 128), (257, 63), (1_000, 999)])
def test_both_ways_are_the_product(way, n, length):
    bits, seed = random_bits(n, 20), random_bits(seed_bits(n, length), 21)
    assert np.array_equal(toeplitz(bits, seed, length), direct(bits, seed, range(length)))


def test_both_ways_agree_on_blocks_of_key():
    bits, seed = random_bits(100_003, 22), random_bits(seed_bits(100_003, 27_997), 23)
    assert np.array_equal(amplification._by_words(bits, seed, 27_997), amplification._by_fft(bits, seed, 27_997))


def test_sums_of_the_largest_size_are_exact(way):
    """All ones: every sum is n, the largest there is."""
    n, length = 100_001, 20_000
    ones = np.ones(seed_bits(n, length), np.uint8)
    assert np.all(toeplitz(ones[:n], ones, length) == 1)
    assert np.all(toeplitz(ones[: n - 1], ones[:-1], length) == 0)


def test_rounding_error_stays_below_its_bound(monkeypatch):
    """The bound of the module at n = 10^6, measured on what is rounded."""
    seen = []
    monkeypatch.setattr(amplification.np, "rint", lambda sums: seen.append(sums.copy()) or np.round(sums))
    n, length = 1_000_000, 200_000
    bits, seed = random_bits(n, 4), random_bits(seed_bits(n, length), 5)
    toeplitz(bits, seed, length)
    error = np.abs(seen[0] - np.round(seen[0])).max()
    bound = 13 * 2.0**-53 * np.log2(1.2e6) * np.sqrt(bits.sum() * float(seed.sum()))
    assert 0 < error < bound < 1e-5


def test_linear_in_bits_and_in_seed():
    x, y = random_bits(700, 6), random_bits(700, 7)
    s, t = random_bits(seed_bits(700, 300), 8), random_bits(seed_bits(700, 300), 9)
    assert np.array_equal(toeplitz(x ^ y, s, 300), toeplitz(x, s, 300) ^ toeplitz(y, s, 300))
    assert np.array_equal(toeplitz(x, s ^ t, 300), toeplitz(x, s, 300) ^ toeplitz(x, t, 300))


def test_two_strings_collide_as_rarely_as_by_chance():
    """P(T x = T y) = 2^-l over the seeds, for x != y."""
    difference, length, n = random_bits(40, 10), 5, 8_000
    assert difference.any()
    seeds = np.random.Generator(np.random.Philox(key=11)).integers(0, 2, (n, seed_bits(40, length)), dtype=np.uint8)
    collided = sum(not toeplitz(difference, seed, length).any() for seed in seeds)
    assert stats.binomtest(collided, n, 2.0**-length).pvalue > 1e-6


def test_wrong_sizes_are_refused():
    bits = np.zeros(10, np.uint8)
    with pytest.raises(ValueError, match="seed: got 13 bits, allowed: n \\+ length - 1 = 14"):
        toeplitz(bits, np.zeros(13, np.uint8), 5)
    with pytest.raises(ValueError, match="length: got 0 from 10 bits"):
        toeplitz(bits, np.zeros(9, np.uint8), 0)
    with pytest.raises(ValueError, match="length: got 1 from 0 bits"):
        toeplitz(bits[:0], np.zeros(0, np.uint8), 1)
