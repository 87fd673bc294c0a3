"""Signed tree heads of the ledger: who signs, what is signed, and when a validator refuses to.

The validators (the server and the gateways) take turns: head number i is signed by validator i modulo their number.
Each of them has seen every head, and refuses one that does not extend the last it saw, so that no single one of them
can rewrite the past on its own. Signatures are ML-DSA-44 (FIPS 204) by default; anything with a :class:`Signer` and a
:class:`SignatureScheme` fits.
"""

import functools
import hashlib
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from qdt_env.records import require
from qdt_env.twin.leaf import LedgerError
from qdt_env.twin.merkle import HASH_BYTES, ProofError, verify_consistency

__all__ = [
    "ML_DSA_44",
    "LogHeader",
    "MlDsaSigner",
    "SignatureScheme",
    "Signer",
    "TreeHead",
    "Validator",
    "make_signers",
]

HEADER_VERSION = 1
_HEADER_MAGIC = b"QLH"
_HEADER = struct.Struct("<3sB16sIH")
_HEAD_CONTEXT = b"qdt-env ledger tree head 1\x00"  # nothing else that these keys sign can pass for a head
_SEED_CONTEXT = b"qdt-env ledger signer 1\x00"
_SEED_BYTES = 32
_ORIGIN_BYTES = 16


class Signer(Protocol):
    """Whoever can sign: a name, a public key and the act."""

    @property
    def name(self) -> str:
        """Of the validator."""
        ...

    @property
    def public_key(self) -> bytes:
        """As the scheme checks it."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        ...


@dataclass(frozen=True)
class SignatureScheme:
    """A signature algorithm, as far as checking goes.

    Attributes:
        name: written into the ledger's header.
        check: ``check(public_key, message, signature)`` tells whether the signature is good; it does not raise.
    """

    name: str
    check: Callable[[bytes, bytes, bytes], bool]


@functools.lru_cache(maxsize=64)
def _ml_dsa_public_key(data: bytes) -> Any:
    """The key object of 1312 bytes; loading one costs a tenth of a check."""
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    return MLDSA44PublicKey.from_public_bytes(data)


def _check_ml_dsa(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """FIPS 204, ML-DSA.Verify with an empty context."""
    from cryptography.exceptions import InvalidSignature

    try:
        _ml_dsa_public_key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


ML_DSA_44 = SignatureScheme("ML-DSA-44", _check_ml_dsa)


class MlDsaSigner:
    """An ML-DSA-44 key pair. Its signatures are hedged with fresh randomness (FIPS 204, 3.4): two are never the same.

    Args:
        name: of the validator.
        seed: 32 bytes that the key is made of (for repeatable simulations), or None for ``os.urandom``.

    Raises:
        ValueError: the seed is not 32 bytes long.
    """

    def __init__(self, name: str, seed: bytes | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        seed = os.urandom(_SEED_BYTES) if seed is None else seed
        require(len(seed) == _SEED_BYTES, "seed", len(seed), "32 bytes")
        self.name = name
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The signature, 2420 bytes."""
        return self._key.sign(message)


def make_signers(names: Sequence[str] = ("server",), seed: bytes | None = None) -> tuple[MlDsaSigner, ...]:
    """One ML-DSA-44 signer per name, from ``os.urandom`` or, for repeatable simulations, all from one 32-byte seed.

    Raises:
        ValueError: the seed is not 32 bytes long.
    """
    if seed is None:
        return tuple(MlDsaSigner(name) for name in names)
    require(len(seed) == _SEED_BYTES, "seed", len(seed), "32 bytes")
    return tuple(MlDsaSigner(name, hashlib.sha256(_SEED_CONTEXT + seed + name.encode()).digest()) for name in names)


@dataclass(frozen=True)
class LogHeader:
    """What a ledger says about itself, fixed for ever when it is made.

    Attributes:
        origin: 16 bytes that tell this ledger from any other of the same validators.
        period: a head is signed every so many leaves, >= 1.
        algorithm: of the signatures.
        validators: (name, public key), in the order of their turns; at least one.
    """

    origin: bytes
    period: int
    algorithm: str
    validators: tuple[tuple[str, bytes], ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be a header.

        Raises:
            ValueError: naming the field, what was given and what is allowed.
        """
        require(len(self.origin) == _ORIGIN_BYTES, "origin", self.origin, "16 bytes")
        require(1 <= self.period < 2**32, "period", self.period, "1 leaf or more")
        names = [name for name, _ in self.validators]
        require(1 <= len(names) < 2**16, "signers", names, "at least one")
        require(len(set(names)) == len(names), "signers", names, "different names")

    @functools.cached_property
    def log_id(self) -> bytes:
        """SHA-256 of the header, 32 bytes: whoever knows it knows the public keys to be the right ones."""
        return hashlib.sha256(self.encode()).digest()

    def encode(self) -> bytes:
        """Canonical bytes: magic, version u1, origin, period u4, validators u2; then algorithm, names and keys.

        Each of the latter is preceded by its length, u2. All numbers are little-endian.
        """
        parts = [_HEADER.pack(_HEADER_MAGIC, HEADER_VERSION, self.origin, self.period, len(self.validators))]
        fields = [self.algorithm.encode()]
        for name, key in self.validators:
            fields += [name.encode(), key]
        return b"".join(parts + [struct.pack("<H", len(field)) + field for field in fields])

    @classmethod
    def decode(cls, data: bytes) -> "LogHeader":
        """The header that these bytes encode.

        Raises:
            LedgerError: they encode none, or not in the canonical form.
        """
        if not isinstance(data, bytes) or len(data) < _HEADER.size or not data.startswith(_HEADER_MAGIC):
            raise LedgerError("header: is none")
        _, version, origin, period, _ = _HEADER.unpack_from(data)
        if version != HEADER_VERSION:
            raise LedgerError(f"header: version {version}, known is {HEADER_VERSION}")
        fields, at = [], _HEADER.size
        while at + 2 <= len(data):
            (size,) = struct.unpack_from("<H", data, at)
            fields.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        try:
            names = [field.decode() for field in fields[1::2]]
            header = cls(origin, period, fields[0].decode(), tuple(zip(names, fields[2::2], strict=True)))
        except (ValueError, IndexError) as error:
            raise LedgerError(f"header: {error}") from None
        if header.encode() != data:
            raise LedgerError("header: not in its canonical form")
        return header


@dataclass(frozen=True)
class TreeHead:
    """A signed statement: the first ``size`` leaves of this ledger have this root.

    Attributes:
        size: number of leaves, >= 1.
        root: Merkle root, 32 bytes.
        step: time stamp: the mission step of the last leaf, >= 0.
        signer: name of the validator.
        signature: of :meth:`message`, by the scheme of the header.
    """

    size: int
    root: bytes
    step: int
    signer: str
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be a head, whoever wrote it.

        Raises:
            LedgerError: naming the field.
        """
        for name, kind in (("size", int), ("root", bytes), ("step", int), ("signer", str), ("signature", bytes)):
            if type(getattr(self, name)) is not kind:
                raise LedgerError(f"head: {name} is no {kind.__name__}")
        if not (1 <= self.size < 2**63 and 0 <= self.step < 2**63 and len(self.root) == HASH_BYTES):
            raise LedgerError(f"head: size {self.size}, step {self.step} and a root of {len(self.root)} bytes")

    def message(self, header: LogHeader) -> bytes:
        """What is signed: a context, the ledger's id, size u8, step u8, root."""
        return _HEAD_CONTEXT + header.log_id + struct.pack("<QQ", self.size, self.step) + self.root

    def check(self, header: LogHeader, scheme: SignatureScheme = ML_DSA_44) -> None:
        """Check the signature under the key that the header gives the signer.

        Raises:
            LedgerError: the algorithm is another one, the signer no validator, or the signature bad.
        """
        if scheme.name != header.algorithm:
            raise LedgerError(f"header: signed with {header.algorithm!r}, allowed is {scheme.name}")
        key = dict(header.validators).get(self.signer)
        if key is None:
            raise LedgerError(f"head of {self.size} leaves: {self.signer!r} is no validator of this ledger")
        if not scheme.check(key, self.message(header), self.signature):
            raise LedgerError(f"head of {self.size} leaves: the signature of {self.signer!r} is not good")


class Validator:
    """A signer with a memory: it signs no head that does not extend the last one it saw.

    Args:
        signer: holds the key.
    """

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.size = 0
        self._root = b""

    def witness(self, size: int, root: bytes, proof: Sequence[bytes]) -> None:
        """See a head; ``proof`` shows that it extends the last one seen (not needed for the first).

        Raises:
            LedgerError: it does not; the validator remembers what it saw before.
        """
        if self.size > 0:
            try:
                verify_consistency(self.size, size, proof, self._root, root)
            except ProofError as error:
                message = f"{self.signer.name!r} refuses the head of {size} leaves: it does not extend the {self.size}"
                raise LedgerError(f"{message} seen before ({error})") from None
        self.size, self._root = size, root

    def sign(self, header: LogHeader, head: TreeHead) -> TreeHead:
        """The head with this validator's signature.

        Raises:
            LedgerError: it is not the head that was witnessed last.
        """
        if (head.size, head.root) != (self.size, self._root):
            raise LedgerError(f"{self.signer.name!r} has not seen the head of {head.size} leaves")
        named = replace(head, signer=self.signer.name)
        return replace(named, signature=self.signer.sign(named.message(header)))
