"""Ciphers: how one message is sealed and opened under keys that are already there.

AES-256-GCM for the AEAD suites, one-time pad with a Wegman-Carter tag for ``qkd-otp``, nothing for ``plaintext``.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from qdt_env.security.authentication import (
    PAD_BYTES,
    R_BYTES,
    TAG_BYTES,
    AuthenticationError,
    poly1305,
    verify_poly1305,
)

KEY_BYTES = 32
SECRET_BYTES = 2 * KEY_BYTES


class Cipher(Protocol):
    """Seals and opens under a (key, nonce) that its caller never uses twice."""

    def seal(self, nonce: bytes, payload: bytes, associated: bytes) -> bytes:
        """Payload enciphered, with its tag; ``associated`` is authenticated only."""

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The payload, or :class:`AuthenticationError`."""


class Plain:
    """No protection: everything opens."""

    __slots__ = ()

    def seal(self, nonce: bytes, payload: bytes, associated: bytes) -> bytes:
        """The payload as it is."""
        return payload

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The payload as it is."""
        return sealed


class Absent:
    """The cipher of an epoch that has none: nothing seals, nothing opens."""

    __slots__ = ()

    def seal(self, nonce: bytes, payload: bytes, associated: bytes) -> bytes:
        """Refuses."""
        raise AuthenticationError("no cipher in this epoch")

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Refuses."""
        raise AuthenticationError("no cipher in this epoch")


class Aead:
    """AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags.

    Args:
        key: 32 bytes.

    Raises:
        ValueError: another length.
    """

    __slots__ = ("_decrypt", "_invalid_tag", "seal")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"key: got {len(key)} bytes, allowed: {KEY_BYTES}")
        aes_gcm, self._invalid_tag = _aes_gcm()
        gcm = aes_gcm(key)
        self._decrypt = gcm.decrypt
        self.seal = gcm.encrypt

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The payload.

        Raises:
            AuthenticationError: key, nonce, payload or associated data are not those it was sealed with.
        """
        try:
            return self._decrypt(nonce, sealed, associated)
        except self._invalid_tag:
            raise AuthenticationError("AES-GCM tag does not verify") from None


@cache
def _aes_gcm() -> tuple[Any, Any]:
    """AES-GCM of the cryptography package, which only the wire fidelity needs, and the exception of a bad tag."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM, InvalidTag


def pad_bytes(payload_bytes: int) -> int:
    """Key bytes that one message under the one-time pad spends: its own length, and 16 for the tag."""
    return payload_bytes + PAD_BYTES


def pad_seal(pad: bytes, r: bytes, payload: bytes, associated: bytes) -> bytes:
    """Encipher with a one-time pad and append a Wegman-Carter tag over ``associated`` and the ciphertext.

    Args:
        pad: :func:`pad_bytes` secret bytes, used for this message only: 16 for the tag, then the pad proper.
        r: 16 secret bytes, the point of the polynomial, kept over many messages.
        payload: any length.
        associated: authenticated, not enciphered; must fix its own length and the payload's (the frame header does).

    Raises:
        ValueError: the pad does not have the length of the message.
    """
    if len(pad) != pad_bytes(len(payload)):
        raise ValueError(f"pad: got {len(pad)} bytes, allowed: {pad_bytes(len(payload))} for {len(payload)} of payload")
    ciphertext = _xor(payload, pad[PAD_BYTES:])
    return ciphertext + poly1305(r, pad[:PAD_BYTES], associated + ciphertext)


def pad_open(pad: bytes, r: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The payload of what :func:`pad_seal` returned; arguments as there.

    Raises:
        AuthenticationError: pad, r, message or associated data are not those it was sealed with.
    """
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    if len(pad) != pad_bytes(len(ciphertext)):
        raise AuthenticationError("message and pad differ in length")
    verify_poly1305(r, pad[:PAD_BYTES], associated + ciphertext, tag)
    return _xor(ciphertext, pad[PAD_BYTES:])


def _xor(first: bytes, second: bytes) -> bytes:
    """Bitwise exclusive or of two strings of one length."""
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).to_bytes(len(first), "big")


@dataclass(frozen=True, slots=True, repr=False)
class EpochKeys:
    """What both ends hold during one epoch; whoever else holds it can read and forge.

    Attributes:
        epoch: number of the epoch, 0 .. 2^32-1.
        ciphers: by direction (uplink, downlink); each direction has a key of its own.
        points: by direction, the 16 secret bytes r of the Wegman-Carter tags, or None where no pads are used.
    """

    epoch: int
    ciphers: tuple[Cipher, Cipher]
    points: tuple[bytes, bytes] | None = None


def plain_keys(epoch: int) -> EpochKeys:
    """The empty keys of the suite ``plaintext``."""
    return EpochKeys(epoch, (Plain(), Plain()))


def pad_keys(epoch: int, secret: bytes) -> EpochKeys:
    """Keys of an epoch under one-time pads, from 32 secret bytes: two Wegman-Carter points, no ciphers yet.

    Raises:
        ValueError: another length.
    """
    if len(secret) != 2 * R_BYTES:
        raise ValueError(f"secret: got {len(secret)} bytes, allowed: {2 * R_BYTES}")
    return EpochKeys(epoch, (Absent(), Absent()), (secret[:R_BYTES], secret[R_BYTES:]))


def epoch_keys(epoch: int, secret: bytes) -> EpochKeys:
    """Keys of an epoch from its 64 secret bytes: one AES-256 key for each direction.

    Raises:
        ValueError: another length.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"secret: got {len(secret)} bytes, allowed: {SECRET_BYTES}")
    return EpochKeys(epoch, (Aead(secret[:KEY_BYTES]), Aead(secret[KEY_BYTES:])))
