"""Verification after error correction: do the two ends hold the same bits?

Alice sends a short hash of her bits under a random public key; Bob compares it with his. The hash is a polynomial over
the field of p = 2^127 - 1 elements (den Boer 1993; Bierbrauer, Johansson, Kabatianskii, Smeets 1993): the bits are cut
into d blocks b_1 .. b_d < 2^120, and

    H_k(b) = b_1 k^d + b_2 k^(d-1) + ... + b_d k  mod p.

Two different strings of the same length collide for at most d of the p keys, and their hashes differ by any one given
amount for as many. The tag is the low t bits of H: for two tags to agree the hashes must differ by one of fewer than
2^(128 - t) amounts, so different strings pass with probability below d 2^(128 - t) / p < d 2^(1 - t) (1 + 2^-126). With
t = ceil(log2(2 d / eps_cor)) that is eps_cor.

The key must be chosen after the strings are fixed. A tag tells an eavesdropper t bits about the key.
"""

import math

import numpy as np

from qdt_env.compiled import batch, rule

PRIME = 2**127 - 1
BLOCK_BYTES = 15
_LOW32, _SHIFT32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_TOP = np.uint64(0x7FFFFFFFFFFFFFFF)  # the upper word of PRIME; its lower word is all ones
_ONE, _SIXTY_THREE = np.uint64(1), np.uint64(63)


class VerificationFailed(Exception):
    """The two ends hold different bits: error correction failed, or somebody changed its messages."""


@rule
def _product64(a, b):
    """The 128-bit product of two uint64 as (high, low), by 32-bit halves."""
    a_low, a_high, b_low, b_high = a & _LOW32, a >> _SHIFT32, b & _LOW32, b >> _SHIFT32
    low = a_low * b_low
    middle = a_high * b_low + (low >> _SHIFT32)
    other = a_low * b_high + (middle & _LOW32)
    return a_high * b_high + (middle >> _SHIFT32) + (other >> _SHIFT32), (other << _SHIFT32) | (low & _LOW32)


@rule
def _sum127(a_high, a_low, b_high, b_low):
    """Sum mod 2^127 - 1 of two numbers of 127 bits, as (high, low), at most 2^127 - 1 (which stands for 0)."""
    low = a_low + b_low
    high = a_high + b_high + np.uint64(low < a_low)
    folded = low + (high >> _SIXTY_THREE)  # 2^127 = 1
    return (high & _TOP) + np.uint64(folded < low), folded


@rule
def product127(a_high, a_low, b_high, b_low):
    """Product mod p = 2^127 - 1.

    Args:
        a_high, a_low, b_high, b_low: uint64 words of two numbers of at most 127 bits.

    Returns:
        (high, low), a number of at most 127 bits; p itself may stand for 0.
    """
    top_high, top_low = _product64(a_high, b_high)
    one_high, one_low = _product64(a_high, b_low)
    two_high, two_low = _product64(a_low, b_high)
    low_high, low_low = _product64(a_low, b_low)
    # Four words w3 w2 w1 w0, carries by comparison.
    w1 = low_high + one_low
    carry = np.uint64(w1 < one_low)
    w1 += two_low
    carry += np.uint64(w1 < two_low)
    w2 = top_low + one_high
    carry2 = np.uint64(w2 < one_high)
    w2 += two_high
    carry2 += np.uint64(w2 < two_high)
    w2 += carry
    carry2 += np.uint64(w2 < carry)
    w3 = top_high + carry2
    # x = (x >> 127) + (x mod 2^127)
    return _sum127((w3 << _ONE) | (w2 >> _SIXTY_THREE), (w2 << _ONE) | (w1 >> _SIXTY_THREE), w1 & _TOP, low_low)


@batch
def _polynomial(blocks, key_high, key_low, out):
    """Horner's rule over (d, 2) uint64 blocks (high, low); writes (high, low) of the hash."""
    high, low = np.uint64(0), np.uint64(0)
    for i in range(blocks.shape[0]):
        high, low = _sum127(high, low, blocks[i, 0], blocks[i, 1])
        high, low = product127(high, low, key_high, key_low)
    out[0], out[1] = high, low


def polynomial_hash(bits: np.ndarray, key: int) -> int:
    """The polynomial hash of a bit string.

    Args:
        bits: (n,) uint8, 0 or 1; filled up with zeros to whole blocks, so compare strings of one length only.
        key: 0 .. 2^127 - 2, random.

    Returns:
        H_key(bits), 0 .. 2^127 - 2.

    Raises:
        ValueError: a key outside its range.
    """
    if not 0 <= key < PRIME:
        raise ValueError(f"key: got {key}, allowed: 0 to 2^127 - 2")
    packed = np.packbits(bits)
    whole = np.zeros(blocks_of(len(bits)) * BLOCK_BYTES, np.uint8)
    whole[: len(packed)] = packed
    padded = np.zeros((blocks_of(len(bits)), 16), np.uint8)
    padded[:, 16 - BLOCK_BYTES :] = whole.reshape(-1, BLOCK_BYTES)
    words = padded.view(">u8").astype(np.uint64)
    out = np.zeros(2, np.uint64)
    _polynomial(words, np.uint64(key >> 64), np.uint64(key & (2**64 - 1)), out)
    return ((int(out[0]) << 64) | int(out[1])) % PRIME


def blocks_of(bits: int) -> int:
    """d, how many blocks of 120 bits hold so many bits."""
    return -(-bits // (8 * BLOCK_BYTES))


def tag_bits(bits: int, eps_correct: float) -> int:
    """t, the length of the tag with which strings that differ pass with probability below eps_cor.

    Args:
        bits: length of the strings, >= 1.
        eps_correct: eps_cor, (0, 1).

    Raises:
        ValueError: an argument outside its range, or an eps_cor that 127 bits cannot give.
    """
    if bits < 1:
        raise ValueError(f"bits: got {bits}, allowed: 1 or more")
    if not 0 < eps_correct < 1:
        raise ValueError(f"eps_correct: got {eps_correct}, allowed: (0, 1)")
    needed = math.ceil(math.log2(2 * blocks_of(bits) / eps_correct))
    if needed > 127:
        raise ValueError(f"eps_correct: got {eps_correct}, allowed for {bits} bits: {2 * blocks_of(bits) / 2**127} up")
    return needed


def verification_tag(bits: np.ndarray, key: int, length: int) -> int:
    """The low ``length`` bits of the hash: what Alice sends. Arguments as in :func:`polynomial_hash`."""
    return polynomial_hash(bits, key) & ((1 << length) - 1)


def verify(bits: np.ndarray, key: int, tag: int, length: int) -> None:
    """Bob compares.

    Args:
        bits: (n,) uint8, Bob's corrected bits.
        key: the hash key that Alice drew, 0 .. 2^127 - 2.
        tag: what she sent.
        length: t, bits of the tag.

    Raises:
        VerificationFailed: the tags differ, so the bits do. The block must be thrown away.
    """
    if verification_tag(bits, key, length) != tag:
        raise VerificationFailed(f"the tags of {length} bits differ: the ends hold different bits")


def draw_hash_key(rng: np.random.Generator) -> int:
    """A key of the hash, uniform over the field."""
    while True:
        key = int.from_bytes(rng.bytes(16)) >> 1
        if key < PRIME:
            return key
