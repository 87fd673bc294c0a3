"""Key exchange: how two parties come to share the secret of an epoch, by the suite's ingredients.

``ecdh``: X25519 signed with Ed25519. ``pqc``: ML-KEM-768 signed with ML-DSA-44. ``qkd``: a key of the QKD store, named
by its id. ``hybrid``: all three parts, both signatures. Every ingredient goes into one HKDF (:func:`combine`), so the
result is secret as long as any one of them is.

Sources: RFC 7748 (X25519), FIPS 203 (ML-KEM), ETSI TS 103 744 (hybrid).

The three messages of an exchange::

    initiator -> responder   hello:   X25519 key, ML-KEM key, id of the QKD key
    responder -> initiator   reply:   X25519 key, ML-KEM ciphertext; signatures over the transcript
    initiator -> responder   confirm: signatures over the transcript

The transcript holds suite, epoch, link, both names, hello and reply. An exchange that only uses a QKD key is not
signed: whoever does not hold that key derives another secret, and nothing that he seals verifies.
"""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qdt_env.security.derivation import HandshakeError, combine, join, split
from qdt_env.security.identity import Party

_PROTOCOL = b"qdt key exchange v1"
_KEY_ID_BYTES = 16
_EMPTY_REPLY = join(b"", b"")  # neither X25519 nor ML-KEM


@dataclass(frozen=True)
class Ingredients:
    """What an exchange is made of.

    Attributes:
        qkd: a key from the QKD store.
        kem: ML-KEM-768.
        dh: X25519.
        signatures: names of the signature schemes, "ed25519" and "ml-dsa-44", all of which must verify.
    """

    qkd: bool = False
    kem: bool = False
    dh: bool = False
    signatures: tuple[str, ...] = ()


BOTH_SIGNATURES = ("ed25519", "ml-dsa-44")
INGREDIENTS: dict[str, Ingredients] = {
    "ecdh": Ingredients(dh=True, signatures=("ed25519",)),
    "pqc": Ingredients(kem=True, signatures=("ml-dsa-44",)),
    "qkd": Ingredients(qkd=True),
    "hybrid": Ingredients(qkd=True, kem=True, dh=True, signatures=BOTH_SIGNATURES),
    "software hybrid": Ingredients(kem=True, dh=True, signatures=BOTH_SIGNATURES),  # a hybrid or fallen qkd link
}


@dataclass(frozen=True)
class Occasion:
    """What an exchange is for; both ends must agree on it.

    Attributes:
        suite: name of the suite.
        epoch: number of the epoch, >= 0.
        link: link number.
        initiator, responder: the two parties.
    """

    suite: str
    epoch: int
    link: int
    initiator: Party
    responder: Party

    @cached_property
    def info(self) -> bytes:
        """The occasion as bytes, for the HKDF and the transcript."""
        names = self.initiator.name.encode(), self.responder.name.encode()
        return join(_PROTOCOL, self.suite.encode(), struct.pack(">II", self.epoch, self.link), *names)


@dataclass(frozen=True, repr=False)
class QkdPart:
    """A key of the QKD store as an ingredient: its id, which may be heard, and its secret bytes."""

    id: uuid.UUID
    secret: bytes


Claim = Callable[[uuid.UUID], bytes]


class Initiator:
    """The end that begins an exchange. Use an object for one exchange only.

    Args:
        ingredients: what to use.
        occasion: what for.
        qkd: the key taken from the store, where the ingredients want one.
    """

    def __init__(self, ingredients: Ingredients, occasion: Occasion, qkd: QkdPart | None = None) -> None:
        if ingredients.qkd != (qkd is not None):
            raise ValueError(f"qkd: got {'a' if qkd else 'no'} key, allowed: as the ingredients say")
        self._what, self._occasion, self._qkd = ingredients, occasion, qkd
        self._dh = _x25519() if ingredients.dh else None
        self._kem = _ml_kem() if ingredients.kem else None

    def hello(self) -> bytes:
        """The first message."""
        self._hello = join(
            self._dh.public_key().public_bytes_raw() if self._dh else b"",
            self._kem.public_key().public_bytes_raw() if self._kem else b"",
            self._qkd.id.bytes if self._qkd else b"",
        )
        return self._hello

    def finish(self, reply: bytes) -> tuple[bytes, bytes]:
        """Read the reply: the third message, and the epoch's secret.

        Raises:
            HandshakeError: malformed, or not signed by the responder over what this end heard.
        """
        schemes = self._what.signatures
        public, signatures = _fields(reply, 2)
        transcript = join(self._occasion.info, self._hello, public)
        self._occasion.responder.verify(schemes, signatures, b"responder" + transcript)
        dh, ciphertext = _fields(public, 2)
        parts = [self._qkd.secret] if self._qkd else []
        if self._kem:
            parts.append(_decapsulated(self._kem, ciphertext))
        if self._dh:
            parts.append(_agreed(self._dh, dh))
        confirm = self._occasion.initiator.sign(schemes, b"initiator" + transcript)
        return confirm, combine(tuple(parts), transcript, self._occasion.info)


class Responder:
    """The other end. Use an object for one exchange only.

    Args:
        ingredients, occasion: as the initiator's.
        claim: gives the secret of the QKD key with this id, once.
    """

    def __init__(self, ingredients: Ingredients, occasion: Occasion, claim: Claim | None = None) -> None:
        self._what, self._occasion, self._claim = ingredients, occasion, claim

    def reply(self, hello: bytes) -> bytes:
        """Read the first message: the second.

        Raises:
            HandshakeError: malformed.
            KeyUnavailable: the store does not know the QKD key named there, or gave it away before.
        """
        dh, kem, key_id = _fields(hello, 3)
        parts, ours, ciphertext = [], b"", b""
        if self._what.qkd:
            if self._claim is None or len(key_id) != _KEY_ID_BYTES:
                raise HandshakeError("key exchange: no QKD key id")
            parts.append(self._claim(uuid.UUID(bytes=key_id)))
        if self._what.kem:
            secret, ciphertext = _encapsulated(kem)
            parts.append(secret)
        if self._what.dh:
            private = _x25519()
            ours = private.public_key().public_bytes_raw()
            parts.append(_agreed(private, dh))
        public = join(ours, ciphertext)
        self._transcript = join(self._occasion.info, hello, public)
        self._secret = combine(tuple(parts), self._transcript, self._occasion.info)
        return join(public, self._occasion.responder.sign(self._what.signatures, b"responder" + self._transcript))

    def finish(self, confirm: bytes) -> bytes:
        """Read the third message: the epoch's secret.

        Raises:
            HandshakeError: not signed by the initiator over what this end heard.
        """
        self._occasion.initiator.verify(self._what.signatures, confirm, b"initiator" + self._transcript)
        return self._secret


def exchange(
    ingredients: Ingredients,
    occasion: Occasion,
    qkd: QkdPart | None = None,
    claim: Claim | None = None,
) -> tuple[bytes, bytes]:
    """A whole exchange within this process: the initiator's and the responder's secret, each derived by itself.

    Args:
        ingredients, occasion, qkd, claim: as for :class:`Initiator` and :class:`Responder`.
    """
    if ingredients == INGREDIENTS["qkd"] and qkd is not None and claim is not None:
        return _exchange_qkd(occasion, qkd, claim)
    initiator, responder = Initiator(ingredients, occasion, qkd), Responder(ingredients, occasion, claim)
    reply = responder.reply(initiator.hello())
    confirm, secret = initiator.finish(reply)
    return secret, responder.finish(confirm)


def _exchange_qkd(occasion: Occasion, qkd: QkdPart, claim: Claim) -> tuple[bytes, bytes]:
    """The exchange that only names a key of the store, without the messages that are empty then.

    Nothing is signed and nothing comes back. Each end derives from the copy of the key that the store gave to it.
    """
    info = occasion.info
    hello = join(b"", b"", qkd.id.bytes)
    transcript = join(info, hello, _EMPTY_REPLY)
    theirs = claim(uuid.UUID(bytes=hello[-_KEY_ID_BYTES:]))
    return combine((qkd.secret,), transcript, info), combine((theirs,), transcript, info)


def _fields(data: bytes, number: int) -> list[bytes]:
    """Exactly ``number`` fields."""
    fields = split(data)
    if len(fields) != number:
        raise HandshakeError(f"key exchange: got {len(fields)} fields, needed: {number}")
    return fields


def _x25519() -> Any:
    """A fresh X25519 private key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.generate()


def _agreed(private: Any, public: bytes) -> bytes:
    """The X25519 secret; refuses a malformed point and one of low order (all-zero secret, RFC 7748, section 6.1)."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise HandshakeError(f"key exchange: X25519: {error}") from None


def _ml_kem() -> Any:
    """A fresh ML-KEM-768 private key."""
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

    return MLKEM768PrivateKey.generate()


def _encapsulated(public: bytes) -> tuple[bytes, bytes]:
    """(secret, ciphertext) of ML-KEM-768 for a public key."""
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey

    try:
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError as error:
        raise HandshakeError(f"key exchange: ML-KEM-768: {error}") from None


def _decapsulated(private: Any, ciphertext: bytes) -> bytes:
    """The ML-KEM-768 secret in a ciphertext."""
    try:
        return private.decapsulate(ciphertext)
    except ValueError as error:
        raise HandshakeError(f"key exchange: ML-KEM-768: {error}") from None
