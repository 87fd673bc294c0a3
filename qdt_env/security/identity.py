"""Identities: the parties at the ends of links, and the signatures by which they know each other.

Sources: RFC 8032 (Ed25519), FIPS 204 (ML-DSA).
"""

from functools import cached_property
from typing import Any

from qdt_env.security.derivation import HandshakeError, join, split


class Party:
    """One end of links: a name and its signature keys, which the others know and admit.

    Private keys stay where they were made: a copy, also one by pickle, is a party of the same name with keys of its
    own. A copy of an environment holds copies of all its parties, which know one another.

    Args:
        name: shown in transcripts; at most 255 bytes of UTF-8.

    Raises:
        ValueError: an empty or too long name.
    """

    def __init__(self, name: str) -> None:
        if not 1 <= len(name.encode()) <= 255:
            raise ValueError(f"name: got {name!r}, allowed: 1 .. 255 bytes of UTF-8")
        self.name = name

    def __repr__(self) -> str:
        return f"Party({self.name!r})"

    def __getstate__(self) -> dict[str, str]:
        """What copies and pickles are made of: the name, and no keys."""
        return {"name": self.name}

    @cached_property
    def _private(self) -> dict[str, Any]:
        """Private keys by scheme, made when first needed; there is no copy elsewhere."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        return {"ed25519": Ed25519PrivateKey.generate(), "ml-dsa-44": MLDSA44PrivateKey.generate()}

    @cached_property
    def _public(self) -> dict[str, Any]:
        return {scheme: private.public_key() for scheme, private in self._private.items()}

    def sign(self, schemes: tuple[str, ...], message: bytes) -> bytes:
        """Signatures of all ``schemes`` over ``message``, joined."""
        return join(*(self._private[scheme].sign(message) for scheme in schemes))

    def verify(self, schemes: tuple[str, ...], signatures: bytes, message: bytes) -> None:
        """Check what :meth:`sign` returned.

        Raises:
            HandshakeError: a signature is missing or does not verify.
        """
        given = split(signatures)
        if len(given) != len(schemes):
            raise HandshakeError(f"{self.name}: got {len(given)} signatures, needed: {', '.join(schemes) or 'none'}")
        if not schemes:
            return
        from cryptography.exceptions import InvalidSignature

        for scheme, signature in zip(schemes, given, strict=True):
            try:
                self._public[scheme].verify(signature, message)
            except InvalidSignature:
                raise HandshakeError(f"{self.name}: {scheme} signature does not verify") from None
