"""Proofs that leave the ledger: checked offline, with nothing but the ledger's id (which fixes the public keys)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdt_env.twin.export import head_from_dict, head_to_dict, read_bytes, read_field
from qdt_env.twin.heads import ML_DSA_44, LogHeader, SignatureScheme, TreeHead
from qdt_env.twin.leaf import Leaf, LedgerError, decode_leaf
from qdt_env.twin.merkle import ProofError, leaf_hash, verify_consistency, verify_inclusion

__all__ = ["ConsistencyProof", "InclusionProof"]


@dataclass(frozen=True)
class InclusionProof:
    """That a leaf stands at its position in the history that a validator signed.

    Attributes:
        header: of the ledger.
        head: signed, of more than ``position`` leaves.
        position: of the leaf, >= 0.
        data: the encoded leaf.
        path: hashes from the leaf to the root, 32 bytes each.
    """

    header: LogHeader
    head: TreeHead
    position: int
    data: bytes
    path: tuple[bytes, ...]

    def verify(self, log_id: bytes, scheme: SignatureScheme = ML_DSA_44) -> Leaf:
        """The leaf, if all of it holds.

        Args:
            log_id: of the ledger, 32 bytes, known from elsewhere and not from this proof.
            scheme: the signature algorithm to accept.

        Raises:
            ProofError: the leaf is not in the tree that was signed.
            LedgerError: another ledger's header, a bad signature, a malformed leaf.
        """
        _check_log_id(self.header, log_id)
        self.head.check(self.header, scheme)
        verify_inclusion(leaf_hash(self.data), self.position, self.head.size, self.path, self.head.root)
        return decode_leaf(self.data)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and hexadecimal text, for JSON."""
        return {
            "proof": "inclusion",
            "header": self.header.encode().hex(),
            "head": head_to_dict(self.head),
            "position": self.position,
            "data": self.data.hex(),
            "path": [digest.hex() for digest in self.path],
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "InclusionProof":
        """The proof that :meth:`to_dict` wrote; nothing is verified yet.

        Raises:
            ProofError: it has not this form.
        """
        return cls(
            header=_header(given),
            head=head_from_dict(read_field(given, "head", dict)),
            position=read_field(given, "position", int),
            data=read_bytes(given, "data"),
            path=_hashes(given),
        )


@dataclass(frozen=True)
class ConsistencyProof:
    """That what a later head signed begins with what an earlier one signed: nothing was rewritten.

    Attributes:
        header: of the ledger.
        first, second: signed heads, the earlier first.
        path: hashes, 32 bytes each.
    """

    header: LogHeader
    first: TreeHead
    second: TreeHead
    path: tuple[bytes, ...]

    def verify(self, log_id: bytes, scheme: SignatureScheme = ML_DSA_44) -> None:
        """Check all of it; arguments and errors as for :meth:`InclusionProof.verify`.

        Raises:
            ProofError: the second history does not begin with the first.
            LedgerError: another ledger's header, or a bad signature.
        """
        _check_log_id(self.header, log_id)
        self.first.check(self.header, scheme)
        self.second.check(self.header, scheme)
        verify_consistency(self.first.size, self.second.size, self.path, self.first.root, self.second.root)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and hexadecimal text, for JSON."""
        return {
            "proof": "consistency",
            "header": self.header.encode().hex(),
            "first": head_to_dict(self.first),
            "second": head_to_dict(self.second),
            "path": [digest.hex() for digest in self.path],
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "ConsistencyProof":
        """The proof that :meth:`to_dict` wrote; nothing is verified yet.

        Raises:
            ProofError: it has not this form.
        """
        first, second = (head_from_dict(read_field(given, name, dict)) for name in ("first", "second"))
        return cls(header=_header(given), first=first, second=second, path=_hashes(given))


def _check_log_id(header: LogHeader, log_id: bytes) -> None:
    """Refuse the header of another ledger."""
    if header.log_id != log_id:
        raise LedgerError(f"header: of ledger {header.log_id.hex()}, not of {log_id.hex()}")


def _header(given: Mapping[str, Any]) -> LogHeader:
    """The ledger's header within a proof."""
    try:
        return LogHeader.decode(read_bytes(given, "header"))
    except LedgerError as error:
        raise ProofError(f"proof: {error}") from None


def _hashes(given: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The path of a proof; how long its hashes are is checked with the proof."""
    return tuple(read_bytes({"path": entry}, "path") for entry in read_field(given, "path", list))
