"""Privacy amplification: a shorter key about which an eavesdropper knows nothing.

A random Toeplitz matrix T over GF(2) is a two-universal hash (Krawczyk 1994); by the leftover hash lemma (Tomamichel,
Schaffner, Smith, Renner 2011) the l bits y = T x are within eps of uniform for her, when l is the finite-key length.
T_ij = s_(i - j + n - 1) is given by n + l - 1 random bits s, public and fresh for every block.

y_i = sum_j s_(i - j + n - 1) x_j is a piece of the convolution of s and x. Two ways lead to it, both exact:

- Over GF(2) y is the sum of the pieces s_k .. s_(k + l - 1) over all k with x_(n - 1 - k) = 1. On 64-bit words, four k
  at a time by a table of the 16 sums of four neighbouring pieces (the "four Russians": Arlazarov, Dinic, Kronrod,
  Faradzev 1970), that is n l / 256 exclusive ors of words: the faster way up to n l = ``LARGEST_DIRECT``.
- By FFT over the reals, rounded: the sums are whole numbers below n, and the error of such a convolution in double
  precision is below 13 u log2(N) |s| |x|, u = 2^-53 (Percival 2003, "Rapid multiplication modulo the sum and difference
  of highly composite numbers", Math. Comp. 72, for powers of two). With |s| |x| <= sqrt((n + l) n) that is under 1e-5
  for all n + l <= ``LARGEST`` = 2^26, where one half would be allowed.
"""

import numpy as np
from scipy import fft

from qdt_env.compiled import batch, phase, rule

LARGEST = 2**26
LARGEST_DIRECT = 2**36
_WORD = 64
_AT_ONCE = 4  # bits of x that one look into the table settles; also how many looks go into one pass over the result
_CHOICES = 2**_AT_ONCE
_ALL, _ONE, _LAST = np.uint64(_CHOICES - 1), np.uint64(1), np.uint64(_WORD - 1)


def seed_bits(n: int, length: int) -> int:
    """Random bits that a Toeplitz matrix of ``length`` rows and ``n`` columns takes."""
    return n + length - 1


def toeplitz(bits: np.ndarray, seed: np.ndarray, length: int) -> np.ndarray:
    """The Toeplitz hash of a bit string, y = T x over GF(2).

    Args:
        bits: (n,) uint8, x, 0 or 1, n >= 1.
        seed: (n + length - 1,) uint8, s, 0 or 1, random and independent of x; row i of T is s[i + n - 1], s[i + n - 2],
            ..., s[i].
        length: l, bits of the result, 1 or more.

    Returns:
        (length,) uint8, 0 or 1.

    Raises:
        ValueError: no bits, no length, a seed of another size, or more than ``LARGEST`` together.
    """
    n = len(bits)
    if n < 1 or length < 1 or n + length > LARGEST:
        raise ValueError(f"length: got {length} from {n} bits, allowed: 1 or more of each, together {LARGEST} at most")
    if len(seed) != seed_bits(n, length):
        raise ValueError(f"seed: got {len(seed)} bits, allowed: n + length - 1 = {seed_bits(n, length)}")
    return _by_words(bits, seed, length) if n * length <= LARGEST_DIRECT else _by_fft(bits, seed, length)


def _by_fft(bits: np.ndarray, seed: np.ndarray, length: int) -> np.ndarray:
    """The hash by FFT; arguments as of :func:`toeplitz`."""
    n = len(bits)
    # Length n + l - 1 is enough: what wraps around falls on the first n - 1 places, which are not used.
    size = fft.next_fast_len(len(seed), real=True)
    spectrum = fft.rfft(seed.astype(np.float64), size)
    spectrum *= fft.rfft(bits.astype(np.float64), size)
    sums = fft.irfft(spectrum, size, overwrite_x=True)[n - 1 : n - 1 + length]
    return (np.rint(sums).astype(np.int64) & 1).astype(np.uint8)


def _by_words(bits: np.ndarray, seed: np.ndarray, length: int) -> np.ndarray:
    """The hash on words; arguments as of :func:`toeplitz`."""
    result = np.zeros(-(-length // _WORD), np.uint64)
    reversed_words = _packed(bits[::-1], -(-len(bits) // (_AT_ONCE * _WORD)) * _AT_ONCE)
    reach = len(reversed_words) + _AT_ONCE + len(result)  # last word that a piece touches, and none beyond
    table = np.zeros((_CHOICES, reach), np.uint64)
    _add_pieces(reversed_words, _packed(seed, reach + 1), table, result)
    return np.unpackbits(result.view(np.uint8), count=length, bitorder="little")


def _packed(bits: np.ndarray, words: int) -> np.ndarray:
    """(words,) uint64 with bit i of the string as bit i % 64 of word i // 64, filled up with zeros."""
    padded = np.zeros(words * _WORD // 8, np.uint8)
    packed = np.packbits(bits, bitorder="little")
    padded[: len(packed)] = packed
    return padded.view("<u8")


@batch
def _add_pieces(bits, seed, table, result):
    """Sum of the pieces of the seed that begin where ``bits`` has a one.

    Args:
        bits: (W,) uint64, W a multiple of 4.
        seed: (W + L + 5,) uint64.
        table: (16, W + L + 4) uint64 scratch.
        result: (L,) uint64, zero; the sum is written here.
    """
    size = result.shape[0]
    for first in range(0, _WORD, _AT_ONCE):
        _tabulate(seed, first, table)
        for w in range(0, bits.shape[0], _AT_ONCE):
            _add_rows(
                table[_choice(bits[w], first), w : w + size],
                table[_choice(bits[w + 1], first), w + 1 : w + 1 + size],
                table[_choice(bits[w + 2], first), w + 2 : w + 2 + size],
                table[_choice(bits[w + 3], first), w + 3 : w + 3 + size],
                result,
            )


@rule
def _choice(word, first):
    """Row of the table for the four bits of a word from ``first`` on."""
    return np.int64((word >> np.uint64(first)) & _ALL)


@phase
def _tabulate(seed, first, table):
    """Row v: the sum of the seed shifted down by ``first`` + t bits over the bits t of v; row 0 is zero already."""
    for t in range(_AT_ONCE):
        by = np.uint64(first + t)
        for i in range(table.shape[1]):
            table[1 << t, i] = (seed[i] >> by) | ((seed[i + 1] << _ONE) << (_LAST - by))
    for v in range(3, _CHOICES):
        rest = v & (v - 1)
        if rest > 0:
            for i in range(table.shape[1]):
                table[v, i] = table[rest, i] ^ table[v ^ rest, i]


@phase
def _add_rows(a, b, c, d, result):
    """Add four rows; of the length of ``result``, which makes it a loop on vector registers."""
    for i in range(result.shape[0]):
        result[i] ^= a[i] ^ b[i] ^ c[i] ^ d[i]
