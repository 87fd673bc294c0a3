"""Key derivation: one secret from several ingredients, bound to all that was said about it.

Sources: RFC 5869 (HKDF); NIST SP 800-56C rev. 2 and ETSI TS 103 744 (combining the secrets of several exchanges).
"""

import hashlib
from functools import cache
from typing import Any

from qdt_env.security.ciphers import SECRET_BYTES

_LENGTH_BYTES = 4


class HandshakeError(Exception):
    """A message of a key exchange is malformed, or its signature does not verify."""


def hkdf_sha256(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 (RFC 5869): ``length`` bytes, 1 .. 8160.

    Raises:
        ValueError: a length that HKDF cannot give.
    """
    if not 1 <= length <= 255 * 32:
        raise ValueError(f"length: got {length}, allowed: 1 .. 8160")
    hkdf, sha256 = _hkdf()
    return hkdf(sha256, length, salt, info).derive(secret)


@cache
def _hkdf() -> tuple[Any, Any]:
    """HKDF of the cryptography package and its SHA-256: half the time of three HMACs of the standard library."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF, SHA256()


def join(*fields: bytes) -> bytes:
    """Fields with their lengths before them, so that no two lists of fields give the same bytes."""
    parts: list[bytes] = []
    for field in fields:
        parts += (len(field).to_bytes(_LENGTH_BYTES, "big"), field)
    return b"".join(parts)


def split(data: bytes) -> list[bytes]:
    """The fields of :func:`join`.

    Raises:
        HandshakeError: the lengths do not agree with the bytes there.
    """
    fields, place, size = [], 0, len(data)
    while place < size:
        if place + _LENGTH_BYTES > size:
            raise HandshakeError("key exchange: cut within a length")
        length = int.from_bytes(data[place : place + _LENGTH_BYTES], "big")
        place += _LENGTH_BYTES
        if place + length > size:
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
