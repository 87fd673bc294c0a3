"""Key derivation: one secret from several ingredients, bound to all that was said about it.

Sources: RFC 5869 (HKDF); NIST SP 800-56C rev. 2 and ETSI TS 103 744 (combining the secrets of several exchanges).
"""

import hashlib
import hmac
import struct

from qdt_env.security.ciphers import SECRET_BYTES

_FIELD = struct.Struct(">I")


class HandshakeError(Exception):
    """A message of a key exchange is malformed, or its signature does not verify."""


def hkdf_sha256(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 (RFC 5869): ``length`` bytes, 1 .. 8160.

    Raises:
        ValueError: a length that HKDF cannot give.
    """
    if not 1 <= length <= 255 * 32:
        raise ValueError(f"length: got {length}, allowed: 1 .. 8160")
    root = hmac.digest(salt or bytes(32), secret, "sha256")
    output, block = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(root, block + info + bytes([number]), "sha256")
        output += block
    return output[:length]


def join(*fields: bytes) -> bytes:
    """Fields with their lengths before them, so that no two lists of fields give the same bytes."""
    return b"".join(_FIELD.pack(len(field)) + field for field in fields)


def split(data: bytes) -> list[bytes]:
    """The fields of :func:`join`.

    Raises:
        HandshakeError: the lengths do not agree with the bytes there.
    """
    fields, place = [], 0
    while place < len(data):
        if place + _FIELD.size > len(data):
            raise HandshakeError("key exchange: cut within a length")
        (length,) = _FIELD.unpack_from(data, place)
        place += _FIELD.size
        if place + length > len(data):
            raise HandshakeError("key exchange: cut within a field")
        fields.append(data[place : place + length])
        place += length
    return fields


def combine(parts: tuple[bytes, ...], transcript: bytes, info: bytes, length: int = SECRET_BYTES) -> bytes:
    """One secret from several: HKDF(salt = SHA-256(transcript), each part with its length, info).

    Args:
        parts: the secrets of the ingredients, in the order QKD, ML-KEM, X25519.
        transcript: all that was said, so that both ends must have heard the same.
        info: what the secret is for.
        length: bytes wanted.
    """
    return hkdf_sha256(hashlib.sha256(transcript).digest(), join(*parts), info, length)
