"""Philox 4x32-10 against the published Random123 vectors, and against NumPy through a reference of any word width.

The reference is Philox 4xW as written in Salmon et al. 2011, with the word width as an argument. At 64 bits it must
give NumPy's Philox; at 32 bits it must give ours: ours is the published generator, and not only on three vectors.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdt_env import random

# multipliers and Weyl constants by word width (Random123, philox.h)
CONSTANTS = {
    32: (0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85),
    64: (0xD2E7470EE14C6C93, 0xCA5A826395121157, 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B),
}
WORD32 = st.integers(0, 2**32 - 1)

# key, counter, output: Random123's known-answer file kat_vectors, "philox 4 32 10"
PUBLISHED = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def philox_reference(
    width: int, key: tuple[int, ...], counter: tuple[int, ...], rounds: int = 10
) -> tuple[int, int, int, int]:
    """Philox 4 x ``width`` in plain integers."""
    m0, m1, w0, w1 = CONSTANTS[width]
    low = 2**width - 1
    k0, k1 = key
    x0, x1, x2, x3 = counter
    for _ in range(rounds):
        p0, p1 = m0 * x0, m1 * x2
        x0, x1, x2, x3 = (p1 >> width) ^ x1 ^ k0, p1 & low, (p0 >> width) ^ x3 ^ k1, p0 & low
        k0, k1 = (k0 + w0) & low, (k1 + w1) & low
    return x0, x1, x2, x3


def ours(key: tuple[int, ...], counter: tuple[int, ...]) -> tuple[int, ...]:
    """The project's generator, as plain integers."""
    return tuple(int(w) for w in random.philox4x32(*map(np.uint32, (*key, *counter))))


@pytest.mark.parametrize(("key", "counter", "output"), PUBLISHED)
def test_published_vectors(key: tuple[int, ...], counter: tuple[int, ...], output: tuple[int, ...]) -> None:
    assert ours(key, counter) == output
    assert philox_reference(32, key, counter) == output


@given(st.tuples(WORD32, WORD32), st.tuples(WORD32, WORD32, WORD32, WORD32))
def test_ours_is_the_reference_at_32_bits(key: tuple[int, ...], counter: tuple[int, ...]) -> None:
    assert ours(key, counter) == philox_reference(32, key, counter)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**256 - 2))
def test_the_reference_at_64_bits_is_numpys(key: int, counter: int) -> None:
    drawn = np.random.Philox(key=key, counter=counter).random_raw(4)
    words = [((counter + 1) >> (64 * i)) & (2**64 - 1) for i in range(4)]  # NumPy counts up before it draws
    keys = key & (2**64 - 1), key >> 64
    assert tuple(int(w) for w in drawn) == philox_reference(64, keys, tuple(words))


@given(
    seed=st.integers(0, 2**64 - 1),
    episode=WORD32,
    step=st.integers(0, 2**24 - 1),
    stream=st.integers(0, 255),
    entity=WORD32,
    index=WORD32,
)
def test_words_address_the_counter_without_overlap(
    seed: int, episode: int, step: int, stream: int, entity: int, index: int
) -> None:
    drawn = random.words(np.uint64(seed), np.int64(episode), step, stream, np.int64(entity), np.int64(index))
    expected = philox_reference(32, (seed & 0xFFFFFFFF, seed >> 32), (index, entity, (stream << 24) | step, episode))
    assert tuple(int(w) for w in drawn) == expected


def test_streams_are_distinct_and_keep_their_numbers() -> None:
    assert random.STREAMS == {
        "layout": 0,
        "quake": 1,
        "patients": 2,
        "sensors": 3,
        "channel": 4,
        "attack": 5,
        "policy": 6,
        "robots": 7,
        "aftershock": 8,
        "adversary_content": 9,
    }


@given(WORD32)
def test_a_word_becomes_a_uniform_exactly(word: int) -> None:
    unit = random.to_unit(np.uint32(word))
    assert float(unit) == (word >> 8) / 2**24
    assert 0.0 <= unit < 1.0


def test_normals_are_finite_at_the_ends_of_the_uniforms() -> None:
    ends = [np.float32(0.0), np.float32(1.0 - 2.0**-24)]
    for u in ends:
        for v in ends:
            a, b = random.to_normal2(u, v)
            assert np.isfinite(a) and np.isfinite(b)
    # The radius is that of Box and Muller: sqrt(-2 ln 2^-24) = 5.768 at the largest uniform.
    a, b = random.to_normal2(np.float32(1.0 - 2.0**-24), np.float32(0.125))
    assert np.hypot(a, b) == pytest.approx(np.sqrt(48 * np.log(2.0)), rel=1e-6)
