"""The audit of a ledger: everything is recomputed from the leaves, every signature and every step from head to head.

What the file alone can show is that it agrees with itself and with the keys in its header. Two things must come from
outside: the ledger's id (else anybody could write a whole ledger under keys of their own) and heads that somebody kept
(else the file could be rolled back to an earlier signed state). The :class:`Audit` says which of them were given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from qdt_env.twin.heads import ML_DSA_44, LogHeader, SignatureScheme, TreeHead
from qdt_env.twin.leaf import Leaf, LedgerError, decode_leaf
from qdt_env.twin.merkle import MerkleTree, ProofError, leaf_hash, verify_consistency
from qdt_env.twin.storage import LedgerStore

__all__ = ["Audit", "Problem", "audit", "audit_file"]


@dataclass(frozen=True)
class Problem:
    """The first thing that is wrong, in the order of the log.

    Attributes:
        kind: "file", "header", "leaf", "head" or "witness" (a head that somebody kept does not fit).
        number: position of the leaf, or size of the head; None for file and header.
        step: mission step of the leaf or head, None where it cannot be told.
        mission: 16 bytes, None where it cannot be told.
        message: what is wrong, in words, naming leaf or head.
    """

    kind: str
    number: int | None
    step: int | None
    mission: bytes | None
    message: str


@dataclass(frozen=True)
class Audit:
    """What an audit found. It is true in a condition only if nothing is wrong.

    Attributes:
        log_id: of the ledger, 32 bytes; None if the header does not decode.
        pinned: the caller knew the log id; if False, the public keys are only those that the file itself names.
        leaves: found good, before the problem if there is one.
        heads: likewise.
        signed: leaves under the last good head; those after it can still be changed by whoever holds the file.
        witnessed: kept heads that were found in the history.
        problem: the first one, None if nothing is wrong.
    """

    log_id: bytes | None
    pinned: bool
    leaves: int
    heads: int
    signed: int
    witnessed: int
    problem: Problem | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem is None

    def __bool__(self) -> bool:
        return self.ok

    def require(self) -> None:
        """Go on only with a good ledger.

        Raises:
            LedgerError: saying what is wrong first.
        """
        if self.problem is not None:
            raise LedgerError(self.problem.message)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and hexadecimal text, for JSON."""
        problem = None
        if self.problem is not None:
            mission = self.problem.mission
            problem = vars(self.problem) | {"mission": None if mission is None else mission.hex()}
        log_id = None if self.log_id is None else self.log_id.hex()
        return vars(self) | {"ok": self.ok, "log_id": log_id, "problem": problem}


def audit(
    store: LedgerStore,
    scheme: SignatureScheme,
    log_id: bytes | None = None,
    witnessed: Mapping[int, bytes] | None = None,
) -> Audit:
    """Recompute and check all that is stored, up to the first thing that is wrong.

    Args:
        store: the ledger's rows.
        scheme: the signature algorithm to accept.
        log_id: 32 bytes known from elsewhere, None if unknown.
        witnessed: roots of heads that somebody kept, by size.
    """
    auditor = _Auditor(store, scheme, dict(witnessed or {}))
    problem = None
    try:
        auditor.run(log_id)
    except _Found as found:
        problem = found.problem
    except LedgerError as error:  # SQLite itself cannot read on
        problem = Problem("file", None, None, None, str(error))
    return Audit(
        log_id=None if auditor.header is None else auditor.header.log_id,
        pinned=log_id is not None,
        leaves=auditor.tree.size,
        heads=auditor.heads,
        signed=0 if auditor.last is None else auditor.last.size,
        witnessed=auditor.confirmed,
        problem=problem,
    )


def audit_file(
    path: str | Path,
    *,
    log_id: bytes | None = None,
    witnessed: Mapping[int, bytes] | None = None,
    scheme: SignatureScheme = ML_DSA_44,
) -> Audit:
    """Audit a ledger's file as it lies there, whatever was done to it; arguments as for :func:`audit`.

    Raises:
        LedgerError: there is no such file, or it is no ledger at all.
    """
    store = LedgerStore(Path(path), read_only=True)
    try:
        return audit(store, scheme, log_id, witnessed)
    finally:
        store.close()


class _Found(Exception):
    """Carries the problem out of the depths of the audit."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Auditor:
    """One pass over the rows, leaves and heads merged in the order in which they were written."""

    def __init__(self, store: LedgerStore, scheme: SignatureScheme, witnessed: dict[int, bytes]) -> None:
        self.store, self.scheme, self.witnessed = store, scheme, witnessed
        self.header: LogHeader | None = None
        self.tree = MerkleTree()
        self.last: TreeHead | None = None
        self.heads = 0
        self.confirmed = 0
        self._steps: dict[bytes, int] = {}
        self._at: tuple[bytes | None, int | None] = (None, None)  # mission and step of the last leaf

    def run(self, log_id: bytes | None) -> None:
        """The whole audit; ends at the first problem."""
        try:
            header = self.header = self.store.header()
        except LedgerError as error:
            raise _Found(Problem("header", None, None, None, str(error))) from None
        if log_id is not None and header.log_id != log_id:
            message = f"header: this is ledger {header.log_id.hex()}, not {log_id.hex()}"
            raise _Found(Problem("header", None, None, None, message))
        heads = self.store.heads()
        head = next(heads, None)
        for row in self.store.leaves():
            self._check_leaf(*row)
            if head is not None and head[0] == self.tree.size:
                self._check_head(header, head)
                head = next(heads, None)
            elif self.tree.size % header.period == 0:
                self._fail_head(self.tree.size, "is missing")
            self._check_witness()
        if head is not None:
            self._fail_head(head[0], f"has no place: the ledger holds {self.tree.size} leaves")
        for size in sorted(self.witnessed):
            message = f"witness: a head of {size} leaves was kept, but the ledger holds {self.tree.size}: rolled back"
            raise _Found(Problem("witness", size, None, None, message))

    def _check_leaf(self, position: Any, data: Any, digest: Any) -> None:
        """In place, canonical, as hashed when it was written, and the next step of its mission."""
        expected = self.tree.size
        if position != expected:
            self._fail_leaf(expected, "is missing")
        try:
            leaf = decode_leaf(data)
        except LedgerError as error:
            self._fail_leaf(expected, f"does not decode ({error})")
        if leaf_hash(data) != digest:
            self._fail_leaf(expected, "is not what was written: it does not give its hash", leaf)
        last = self._steps.get(leaf.mission)
        if last is not None and leaf.step != last + 1:
            self._fail_leaf(expected, f"does not follow: its mission was at step {last}", leaf)
        self._at = leaf.mission, leaf.step
        self._steps[leaf.mission] = leaf.step
        self.tree.append(data)

    def _check_head(self, header: LogHeader, row: tuple[Any, ...]) -> None:
        """Signed by the validator whose turn it is, for these leaves, after the last head."""
        try:
            head = TreeHead(*row)
            head.check(header, self.scheme)
        except LedgerError as error:
            self._fail_head(self.tree.size, f"is forged ({error})")
        turn = header.validators[self.heads % len(header.validators)][0]
        if head.signer != turn:
            self._fail_head(head.size, f"is signed by {head.signer!r}, but it is the turn of {turn!r}")
        first = 0 if self.last is None else self.last.size
        if head.root != self.tree.root():
            self._fail_head(head.size, f"signs another history: of leaves {first} to {head.size - 1} one was changed")
        if head.step != self._at[1]:
            self._fail_head(head.size, f"is stamped {head.step}, but its last leaf is step {self._at[1]}")
        if self.last is not None:
            proof = self.tree.consistency_proof(first, head.size)
            try:
                verify_consistency(first, head.size, proof, self.last.root, head.root)
            except ProofError as error:
                self._fail_head(head.size, f"does not extend the head of {first} leaves ({error})")
        self.last = head
        self.heads += 1

    def _check_witness(self) -> None:
        """A head of this size that somebody kept has this root."""
        root = self.witnessed.pop(self.tree.size, None)
        if root is None:
            return
        if root != self.tree.root():
            message = f"witness: the kept head of {self.tree.size} leaves has another root: the history was rewritten"
            raise _Found(Problem("witness", self.tree.size, self._at[1], self._at[0], message))
        self.confirmed += 1

    def _fail_leaf(self, position: int, what: str, leaf: Leaf | None = None) -> NoReturn:
        """Report a leaf by its position, and by the step that it claims or the step that it comes after."""
        where = "" if self._at[1] is None else f" (after step {self._at[1]})"
        mission, step = None, None
        if leaf is not None:
            mission, step, where = leaf.mission, leaf.step, f" (step {leaf.step} of mission {leaf.mission.hex()})"
        raise _Found(Problem("leaf", position, step, mission, f"leaf {position}{where} {what}"))

    def _fail_head(self, size: Any, what: str) -> NoReturn:
        """Report a head."""
        number = size if isinstance(size, int) else None
        where = "" if self._at[1] is None else f" (after step {self._at[1]})"
        raise _Found(Problem("head", number, self._at[1], self._at[0], f"the head of {size} leaves{where} {what}"))
