"""The ledger's records as plain numbers and hexadecimal text, for JSON, and back where they come from outside."""

from collections.abc import Iterator, Mapping
from typing import Any

from qdt_env.twin.heads import LogHeader, TreeHead
from qdt_env.twin.leaf import Leaf, LedgerError, decode_leaf
from qdt_env.twin.merkle import ProofError
from qdt_env.twin.storage import LedgerStore

__all__ = ["head_from_dict", "head_to_dict", "leaf_to_dict", "log_entries", "read_bytes", "read_field"]


def leaf_to_dict(leaf: Leaf) -> dict[str, Any]:
    """A leaf as plain numbers and hexadecimal text, for JSON."""
    return {
        "mission": leaf.mission.hex(),
        "step": leaf.step,
        "verdicts": list(leaf.verdicts),
        "reports": {str(link): digest.hex() for link, digest in leaf.reports},
        "views": {str(link): digest.hex() for link, digest in leaf.views},
        "trust": {str(source): trust for source, trust in leaf.trust},
        "advice": leaf.advice.hex(),
    }


def head_to_dict(head: TreeHead) -> dict[str, Any]:
    """A signed head as plain numbers and hexadecimal text, for JSON."""
    return {
        "size": head.size,
        "root": head.root.hex(),
        "step": head.step,
        "signer": head.signer,
        "signature": head.signature.hex(),
    }


def head_from_dict(given: Mapping[str, Any]) -> TreeHead:
    """The head that :func:`head_to_dict` wrote; its signature is not checked yet.

    Raises:
        ProofError: it has not this form.
    """
    root, signature = read_bytes(given, "root"), read_bytes(given, "signature")
    try:
        return TreeHead(
            read_field(given, "size", int),
            root,
            read_field(given, "step", int),
            read_field(given, "signer", str),
            signature,
        )
    except LedgerError as error:
        raise ProofError(f"proof: {error}") from None


def log_entries(header: LogHeader, store: LedgerStore) -> Iterator[dict[str, Any]]:
    """Header, leaves and heads of a ledger as dicts, each head right after the last leaf that it signs.

    Raises:
        LedgerError: a stored row does not decode.
    """
    yield {
        "type": "header",
        "log_id": header.log_id.hex(),
        "origin": header.origin.hex(),
        "period": header.period,
        "algorithm": header.algorithm,
        "validators": {name: key.hex() for name, key in header.validators},
    }
    heads = store.heads()
    head = next(heads, None)
    for position, data, digest in store.leaves():
        entry = {"type": "leaf", "position": position} | leaf_to_dict(decode_leaf(data))
        yield entry | {"hash": digest.hex(), "data": data.hex()}
        while head is not None and head[0] <= position + 1:
            yield {"type": "head"} | head_to_dict(TreeHead(*head))
            head = next(heads, None)


def read_field(given: Mapping[str, Any], name: str, kind: type) -> Any:
    """A field of a record from outside.

    Raises:
        ProofError: it is not there, or of another type.
    """
    value = given.get(name) if isinstance(given, Mapping) else None
    if type(value) is not kind:
        raise ProofError(f"proof: {name!r} is not there, or no {kind.__name__}")
    return value


def read_bytes(given: Mapping[str, Any], name: str) -> bytes:
    """A field of hexadecimal text of a record from outside.

    Raises:
        ProofError: it is not there, or no such text.
    """
    text = read_field(given, name, str)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ProofError(f"proof: {name!r} is no hexadecimal text ({error})") from None
