"""The transparency ledger: what the channel let through and what the twin made of it, step by step, beyond later edits.

A leaf per step goes into a Merkle log (RFC 9162); every ``period`` leaves a validator signs the tree's head. Whoever
keeps one head can later tell whether any leaf before it was changed, dropped, inserted or moved. What this protects
against, and what not, is in docs/ledger.md. A simulation's record: it is no evidence about anything real.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from qdt_env.records import require
from qdt_env.twin.audit import Audit, Problem, audit, audit_file
from qdt_env.twin.export import log_entries
from qdt_env.twin.heads import (
    ML_DSA_44,
    LogHeader,
    MlDsaSigner,
    SignatureScheme,
    Signer,
    TreeHead,
    Validator,
    make_signers,
)
from qdt_env.twin.leaf import Leaf, LedgerError, decode_leaf, encode_leaf, leaf_address
from qdt_env.twin.merkle import MerkleTree, ProofError
from qdt_env.twin.proofs import ConsistencyProof, InclusionProof
from qdt_env.twin.storage import LeafRow, LedgerStore

__all__ = [
    "ML_DSA_44",
    "Audit",
    "ConsistencyProof",
    "InclusionProof",
    "Leaf",
    "Ledger",
    "LedgerError",
    "LogHeader",
    "MlDsaSigner",
    "Problem",
    "ProofError",
    "SignatureScheme",
    "Signer",
    "TreeHead",
    "audit_file",
    "make_signers",
]


class Ledger:
    """An append-only ledger, open for writing (:meth:`read` opens one for reading only).

    What is committed survives the death of the process; up to ``commit_every - 1`` leaves may not be. As a context
    manager it is closed at the end, with a head over the last leaves.

    Args:
        path: SQLite file, made if it does not exist; None keeps the ledger in memory.
        signers: the validators in the order of their turns. None: for a new ledger one "server" with a fresh ML-DSA-44
            key. An existing ledger goes on only with the signers that it was made with; their keys are not in it.
        period: leaves from head to head, for a new ledger.
        commit_every: leaves per transaction, >= 1; a head is always committed at once.
        synchronous: "normal", or "full" where not even a power cut may take a committed leaf.
        origin: 16 bytes that tell this ledger from others, for a new one; None for ``os.urandom``.
        scheme: checks what the signers sign.

    Attributes:
        header: what the ledger says about itself, its log id and public keys included.

    Raises:
        LedgerError: not a ledger, other signers, or a ledger whose last head does not fit its leaves.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        signers: Sequence[Signer] | None = None,
        period: int = 50,
        commit_every: int = 10,
        synchronous: str = "normal",
        origin: bytes | None = None,
        scheme: SignatureScheme = ML_DSA_44,
    ) -> None:
        require(commit_every >= 1, "commit_every", commit_every, "1 leaf or more")
        given = make_signers() if signers is None else signers
        keys = tuple((signer.name, signer.public_key) for signer in given)
        origin = os.urandom(16) if origin is None else origin
        new = LogHeader(origin, period, scheme.name, keys)
        self._open(LedgerStore(Path(path) if path else None, new, synchronous=synchronous), scheme)
        self._commit_every = commit_every
        self._validators = [Validator(signer) for signer in given]
        try:
            if self.header.validators != keys:
                names = ", ".join(name for name, _ in self.header.validators)
                only = f"goes on only with the keys that it names, of {names}: give their signers, or a new file"
                raise LedgerError(f"ledger {self._store.name!r}: {only}")
            if self._head is not None:
                for validator in self._validators:
                    validator.witness(self._head.size, self._head.root, ())
        except BaseException:
            self._store.close()
            raise

    @classmethod
    def read(cls, path: str | Path, *, scheme: SignatureScheme = ML_DSA_44) -> "Ledger":
        """An existing ledger, for proofs and exports; it cannot be appended to.

        Raises:
            LedgerError: missing, not a ledger, or one whose last head does not fit its leaves.
        """
        ledger = cls.__new__(cls)
        ledger._commit_every = 1
        ledger._validators = []
        ledger._open(LedgerStore(Path(path), read_only=True), scheme)
        return ledger

    def _open(self, store: LedgerStore, scheme: SignatureScheme) -> None:
        """Read header, leaves and last head, and see that they belong together; the audit does the rest."""
        self._store, self._scheme, self._closed = store, scheme, False
        self._tree = MerkleTree()
        self._steps: dict[bytes, int] = {}  # last step of each mission
        self._pending: list[LeafRow] = []
        try:
            self.header = store.header()
            for position, data, digest in store.leaves():
                if position != self._tree.size or not isinstance(data, bytes) or self._tree.append(data) != digest:
                    raise LedgerError(f"leaf {position} was changed or moved: audit this ledger before using it")
                leaf = decode_leaf(data)
                self._steps[leaf.mission] = leaf.step
            self._heads = store.count_heads()
            self._head = store.head()
            if self._head is not None:
                self._head.check(self.header, scheme)
                if self._head.size > self._tree.size or self._tree.root(self._head.size) != self._head.root:
                    raise LedgerError(
                        f"the head of {self._head.size} leaves does not fit the leaves: audit this ledger"
                    )
        except BaseException:
            store.close()
            raise

    @property
    def size(self) -> int:
        """Leaves appended so far, committed or not."""
        return self._tree.size

    @property
    def head(self) -> TreeHead | None:
        """The last signed head; worth keeping elsewhere."""
        return self._head

    @property
    def missions(self) -> dict[bytes, int]:
        """Last step of each mission, by its 16 bytes."""
        return dict(self._steps)

    def append(self, leaf: Leaf) -> int:
        """Add the leaf of a mission's next step; signs and commits where a head or a commit is due.

        Where signing or committing fails, the leaf is kept and the next call tries again before it adds anything.

        Returns:
            its position, from 0.

        Raises:
            LedgerError: read only, not the mission's next step, a validator refuses, or SQLite does.
            ValueError: a field of the leaf is out of range.
        """
        if not self._validators:
            raise LedgerError(f"ledger {self._store.name!r}: is closed, or open for reading only")
        data = encode_leaf(leaf)
        last = self._steps.get(leaf.mission)
        if last is not None and leaf.step != last + 1:
            mission = f"mission {leaf.mission.hex()} is at step {last}; to play it again, name another or a new file"
            raise LedgerError(f"step {leaf.step} cannot be next: {mission}")
        position = self._tree.size
        if position and position % self.header.period == 0:
            self.sign_head()  # signed already, unless that failed: no leaf may go past a head that is due
        self._pending.append((position, data, self._tree.append(data)))
        self._steps[leaf.mission] = leaf.step
        if self._tree.size % self.header.period == 0:
            self.sign_head()
        elif len(self._pending) >= self._commit_every:
            self.commit()
        return position

    def commit(self) -> None:
        """Put all appended leaves on disk.

        Raises:
            LedgerError: SQLite refuses; the leaves are kept for the next try.
        """
        if self._pending:
            self._store.append(self._pending, None)
            self._pending = []

    def sign_head(self) -> TreeHead:
        """The head of all leaves, signed by the validator whose turn it is and committed with them.

        Returns:
            the last head, if it covers all leaves already.

        Raises:
            LedgerError: no leaves, read only, a validator refuses (then nothing is signed), or SQLite does.
        """
        size = self._tree.size
        if self._head is not None and self._head.size == size:
            return self._head
        if size == 0 or not self._validators:
            raise LedgerError(f"ledger {self._store.name!r}: no leaves to sign, closed, or open for reading only")
        root = self._tree.root()
        seen = {validator.size for validator in self._validators} - {0}  # as a rule the last head's size, for all
        proofs = {0: ()} | {first: self._tree.consistency_proof(first, size) for first in seen}
        for validator in self._validators:
            validator.witness(size, root, proofs[validator.size])
        step = leaf_address(self._pending[-1][1] if self._pending else next(self._store.leaves(size - 1))[1])[1]
        turn = self._validators[self._heads % len(self._validators)]
        head = turn.sign(self.header, TreeHead(size, root, step, "", b""))
        self._store.append(self._pending, head)
        self._pending = []
        self._head = head
        self._heads += 1
        return head

    def verify(self, log_id: bytes | None = None, witnessed: Mapping[int, bytes] | None = None) -> Audit:
        """Commit, then recompute and check everything that is stored; see :func:`qdt_env.twin.audit.audit`.

        Args:
            log_id: 32 bytes known from elsewhere, None if unknown.
            witnessed: roots of heads that somebody kept, by size.
        """
        self.commit()
        return audit(self._store, self._scheme, log_id, witnessed)

    def prove(self, step: int, mission: bytes | None = None) -> InclusionProof:
        """Proof that the leaf of a step is in the signed history, to be checked without the ledger.

        Args:
            step: of the mission.
            mission: 16 bytes; may be left out where the ledger holds one mission only.

        Raises:
            LedgerError: no such leaf, several missions, or no head over the leaf yet (:meth:`sign_head`).
        """
        self.commit()
        if mission is None:
            if len(self._steps) != 1:
                raise LedgerError(f"mission: must be named, for the ledger holds {self._held()}")
            mission = next(iter(self._steps))
        found = self._store.find(mission, step) if 0 <= step < 2**32 else None
        if found is None:
            raise LedgerError(f"step {step} of mission {mission.hex()} is not in the ledger of {self._held()}")
        position, data = found
        if self._head is None or position >= self._head.size:
            raise LedgerError(f"step {step}: no head signs leaf {position} yet")
        return InclusionProof(
            self.header, self._head, position, data, self._tree.inclusion_proof(position, self._head.size)
        )

    def _held(self) -> str:
        """The missions, for messages."""
        named = [f"{mission.hex()} up to step {last}" for mission, last in self._steps.items()]
        return (", ".join(named[:8]) or "no mission") + (f" and {len(named) - 8} more" if named[8:] else "")

    def prove_consistency(self, first: int, second: int | None = None) -> ConsistencyProof:
        """Proof that the later of two signed heads extends the earlier, to be checked without the ledger.

        Args:
            first, second: sizes of signed heads; the last head by default.

        Raises:
            LedgerError: no head of that size, or the second is the smaller.
        """
        earlier, later = self._store.head(first), self._head if second is None else self._store.head(second)
        if earlier is None or later is None:
            raise LedgerError(f"no heads of {first} and {'all' if second is None else second} leaves")
        if earlier.size > later.size:
            raise LedgerError(f"the head of {first} leaves is not before that of {later.size}")
        return ConsistencyProof(self.header, earlier, later, self._tree.consistency_proof(earlier.size, later.size))

    def export(self, path: str | Path) -> int:
        """Write header, leaves and heads as JSON lines, in the order of the log; returns the number of lines.

        Raises:
            OSError: the file cannot be written.
            LedgerError: a stored row does not decode.
        """
        self.commit()
        lines = 0
        with Path(path).open("w", encoding="utf-8") as file:
            for entry in log_entries(self.header, self._store):
                file.write(json.dumps(entry, allow_nan=False) + "\n")
                lines += 1
        return lines

    def close(self, *, sign: bool = True) -> None:
        """Commit and close, with a head over the last leaves unless ``sign`` is False; again does nothing.

        Raises:
            LedgerError: a validator refuses, or SQLite does; the ledger is closed all the same.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if sign and self._validators and self._tree.size:
                self.sign_head()
            self.commit()
        finally:
            self._validators = []
            self._store.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(sign=kind is None)
