"""Counter-based random numbers: a draw is a function of (seed, episode, step, stream, entity, index).

There is no generator state, so a draw does not depend on who else drew before it: an attack or another policy leaves
the quake as it was, episode ``b`` of a batch equals the same episode alone, and threads do not matter.

Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox 4x32, 10 rounds); the
published Random123 vectors are in ``tests/vectors/test_philox.py``.
"""

import math
import operator
from typing import Any

import numpy as np
from numba import uint32, uint64

from qdt_env.compiled import rule

# Streams: which question a draw answers. New ones are appended, never renumbered: old seeds keep their worlds.
LAYOUT = 0
QUAKE = 1
PATIENTS = 2
SENSORS = 3
CHANNEL = 4
ATTACK = 5
POLICY = 6
ROBOTS = 7
AFTERSHOCK = 8
ADVERSARY_CONTENT = 9
STREAMS = {
    "layout": LAYOUT,
    "quake": QUAKE,
    "patients": PATIENTS,
    "sensors": SENSORS,
    "channel": CHANNEL,
    "attack": ATTACK,
    "policy": POLICY,
    "robots": ROBOTS,
    "aftershock": AFTERSHOCK,
    "adversary_content": ADVERSARY_CONTENT,
}

SEEDS, EPISODES = 2**64, 2**32  # how many there are, from 0

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_STEP_BITS = np.uint64(24)
_TO_UNIT = np.float32(2.0**-24)


@rule
def philox4x32(key0, key1, c0, c1, c2, c3):
    """The Philox 4x32-10 bijection.

    Args:
        key0, key1: key words, uint32.
        c0, c1, c2, c3: counter words, uint32.

    Returns:
        Four uint32 words.
    """
    k0, k1 = uint32(key0), uint32(key1)
    x0, x1, x2, x3 = uint32(c0), uint32(c1), uint32(c2), uint32(c3)
    for _ in range(10):
        p0 = _M0 * uint64(x0)
        p1 = _M1 * uint64(x2)
        x0 = uint32(uint32(p1 >> _SHIFT) ^ x1 ^ k0)
        x1 = uint32(p1 & _LOW)
        x2 = uint32(uint32(p0 >> _SHIFT) ^ x3 ^ k1)
        x3 = uint32(p0 & _LOW)
        k0 = uint32(k0 + _W0)
        k1 = uint32(k1 + _W1)
    return x0, x1, x2, x3


@rule
def words(seed, episode, step, stream, entity, index):
    """Four random words for one question.

    Args:
        seed: 64-bit seed of the environment row.
        episode: number of the episode under this seed, 0 .. 2^32-1.
        step: step of the episode, 0 .. 2^24-1.
        stream: one of the module's stream constants, 0 .. 255.
        entity, index: which thing, and which draw about it, 0 .. 2^32-1.

    Returns:
        Four uint32 words, a pure function of the arguments.
    """
    key = uint64(seed)
    tag = (uint64(stream) << _STEP_BITS) | uint64(step)
    return philox4x32(
        uint32(key & _LOW), uint32(key >> _SHIFT), uint32(index), uint32(entity), uint32(tag & _LOW), uint32(episode)
    )


@rule
def to_unit(word):
    """A uint32 word as float32 in [0, 1): the top 24 bits, so every value is exact and 1 is never reached."""
    return np.float32(uint32(word) >> uint32(8)) * _TO_UNIT


@rule
def uniform4(seed, episode, step, stream, entity, index):
    """Four independent float32 uniforms in [0, 1); arguments as in :func:`words`."""
    a, b, c, d = words(seed, episode, step, stream, entity, index)
    return to_unit(a), to_unit(b), to_unit(c), to_unit(d)


@rule
def uniform(seed, episode, step, stream, entity, index):
    """One float32 uniform in [0, 1); arguments as in :func:`words`."""
    return uniform4(seed, episode, step, stream, entity, index)[0]


@rule
def to_normal2(u, v):
    """Two independent standard normals (float32) from two uniforms in [0, 1) (Box and Muller 1958)."""
    radius = math.sqrt(np.float32(-2.0) * math.log(np.float32(1.0) - u))
    angle = np.float32(2.0 * math.pi) * v
    return np.float32(radius * math.cos(angle)), np.float32(radius * math.sin(angle))


@rule
def normal4(seed, episode, step, stream, entity, index):
    """Four independent standard normals, float32; arguments as in :func:`words`."""
    a, b, c, d = uniform4(seed, episode, step, stream, entity, index)
    w, x = to_normal2(a, b)
    y, z = to_normal2(c, d)
    return w, x, y, z


@rule
def normal(seed, episode, step, stream, entity, index):
    """One standard normal, float32; arguments as in :func:`words`."""
    return normal4(seed, episode, step, stream, entity, index)[0]


def whole_number(value: Any, name: str, below: int) -> int:
    """``value`` as an int in 0 .. below - 1: a seed, the number of an episode.

    Raises:
        ValueError: it is not one; the message names the parameter.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < below:
        raise ValueError(f"{name}={value!r} is not allowed: a whole number in 0..{_last(below)}")
    return number


def _last(below: int) -> str:
    """``below - 1`` as people read it."""
    power = below.bit_length() - 1
    return f"2^{power}-1" if below == 2**power and power >= 32 else str(below - 1)


def seed_array(seeds: Any, name: str = "seeds") -> np.ndarray:
    """Seeds as uint64 (N,), each 0 .. 2^64-1.

    Raises:
        ValueError: one is not, or they are no list; the message names it.
    """
    if isinstance(seeds, np.ndarray) and seeds.dtype == np.uint64 and seeds.ndim == 1:
        return seeds.copy()  # what is told of a run must not change with the caller's array
    if not hasattr(seeds, "__iter__") or (isinstance(seeds, np.ndarray) and seeds.ndim != 1):
        raise ValueError(f"{name}={seeds!r} is not allowed: one whole number in 0..{_last(SEEDS)} for each mission")
    return np.array([whole_number(seed, f"{name}[{k}]", SEEDS) for k, seed in enumerate(seeds)], np.uint64)
