"""Ciphers: round trips, refusal of everything changed, and separate keys for the two directions."""

import pytest

from qdt_env.security.authentication import AuthenticationError
from qdt_env.security.ciphers import (
    SECRET_BYTES,
    Absent,
    Aead,
    Plain,
    epoch_keys,
    pad_bytes,
    pad_keys,
    pad_open,
    pad_seal,
    plain_keys,
)

KEY, NONCE = bytes(range(32)), bytes(12)
R = bytes(range(16))


def flipped(data, bit):
    """The same bytes with one bit inverted."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_aead_round_trip_and_refusal():
    cipher = Aead(KEY)
    sealed = cipher.seal(NONCE, b"zone 3", b"header")
    assert cipher.open(NONCE, sealed, b"header") == b"zone 3" and len(sealed) == 6 + 16
    for nonce, data, associated in (
        (bytes(11) + b"\1", sealed, b"header"),
        (NONCE, sealed, b"Header"),
        (NONCE, sealed[:-1], b"header"),
        (NONCE, b"", b"header"),
        *((NONCE, flipped(sealed, bit), b"header") for bit in range(8 * len(sealed))),
    ):
        with pytest.raises(AuthenticationError):
            cipher.open(nonce, data, associated)
    with pytest.raises(AuthenticationError):
        Aead(flipped(KEY, 5)).open(NONCE, sealed, b"header")


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0zero first", bytes(700)])
def test_pad_round_trip_and_refusal(payload):
    pad = bytes(range(1, 1 + 16)) + bytes(i * 7 % 256 for i in range(len(payload)))
    assert len(pad) == pad_bytes(len(payload))
    sealed = pad_seal(pad, R, payload, b"header")
    assert pad_open(pad, R, sealed, b"header") == payload
    assert sealed[: len(payload)] == bytes(a ^ b for a, b in zip(payload, pad[16:], strict=True))
    for other_pad, r, data, associated in (
        (pad, R, sealed, b"headeR"),
        (pad, flipped(R, 0), sealed, b"header") if payload else (pad, R, flipped(sealed, 3), b"header"),
        (flipped(pad, 9), R, sealed, b"header"),
        (pad, R, flipped(sealed, 0), b"header"),
        (pad, R, flipped(sealed, 8 * len(sealed) - 1), b"header"),
        (pad, R, sealed + b"\0", b"header"),
        (pad + b"\0", R, sealed, b"header"),
    ):
        with pytest.raises(AuthenticationError):
            pad_open(other_pad, r, data, associated)


def test_a_pad_fits_one_length():
    with pytest.raises(ValueError, match="pad: got 20 bytes, allowed: 19 for 3"):
        pad_seal(bytes(20), R, b"abc", b"")


def test_a_known_point_and_one_heard_message_break_the_tag():
    """Why the points are renewed with the epoch: r and one (message, tag) give s, and s any other message's tag."""
    from qdt_env.security.authentication import poly1305

    pad = bytes(range(40, 40 + 19))
    sealed = pad_seal(pad, R, b"abc", b"")
    number = int.from_bytes
    s = (number(sealed[3:], "little") - number(poly1305(R, bytes(16), sealed[:3]), "little")) % 2**128
    assert s.to_bytes(16, "little") == pad[:16]


def test_each_direction_has_its_own_key():
    keys = epoch_keys(3, bytes(range(SECRET_BYTES)))
    up, down = (cipher.seal(NONCE, b"same", b"") for cipher in keys.ciphers)
    assert up != down and keys.epoch == 3 and keys.points is None
    points = pad_keys(3, bytes(range(32))).points
    assert points == (bytes(range(16)), bytes(range(16, 32)))


def test_keys_do_not_show():
    secret = bytes(range(64))
    for keys in (pad_keys(3, secret[:32]), epoch_keys(3, secret)):
        assert repr(keys).startswith("<") and "\\x" not in repr(keys)


def test_no_cipher_and_no_protection():
    for call in (Absent().seal, Absent().open):
        with pytest.raises(AuthenticationError):
            call(NONCE, b"", b"")
    assert Plain().open(NONCE, Plain().seal(NONCE, b"open", b""), b"") == b"open"
    assert plain_keys(4).epoch == 4


@pytest.mark.parametrize("make", [lambda: Aead(bytes(16)), lambda: epoch_keys(0, bytes(63)), lambda: pad_keys(0, b"")])
def test_key_material_of_another_length_is_refused(make):
    with pytest.raises(ValueError, match="allowed"):
        make()
