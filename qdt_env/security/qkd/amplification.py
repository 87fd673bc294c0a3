"""Privacy amplification: a shorter key about which an eavesdropper knows nothing.

A random Toeplitz matrix T over GF(2) is a two-universal hash (Krawczyk 1994); by the leftover hash lemma (Tomamichel,
Schaffner, Smith, Renner 2011) the l bits y = T x are within eps of uniform for her, when l is the finite-key length.
T_ij = s_(i - j + n - 1) is given by n + l - 1 random bits s, public and fresh for every block.

y_i = sum_j s_(i - j + n - 1) x_j is a piece of the convolution of s and x, so it is computed by FFT over the reals and
rounded. This is exact: the sums are whole numbers below n, and the error of such a convolution in double precision is
below 13 u log2(N) |s| |x|, u = 2^-53 (Percival 2003, "Rapid multiplication modulo the sum and difference of highly
composite numbers", Math. Comp. 72, for powers of two). With |s| |x| <= sqrt((n + l) n) that is under 1e-5 for all
n + l <= ``LARGEST`` = 2^26, where one half would be allowed.
"""

import numpy as np
from scipy import fft

LARGEST = 2**26


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
    # Length n + l - 1 is enough: what wraps around falls on the first n - 1 places, which are not used.
    size = fft.next_fast_len(len(seed), real=True)
    spectrum = fft.rfft(seed.astype(np.float64), size)
    spectrum *= fft.rfft(bits.astype(np.float64), size)
    sums = fft.irfft(spectrum, size, overwrite_x=True)[n - 1 : n - 1 + length]
    return (np.rint(sums).astype(np.int64) & 1).astype(np.uint8)
