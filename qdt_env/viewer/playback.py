"""A recorded mission read back: its columns as arrays over all steps, and what its chain and its ledger vouch for."""

import json
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdt_env.records import require
from qdt_env.security.outcomes import DELIVERED, FORGED, LOST
from qdt_env.twin.export import head_from_dict
from qdt_env.twin.frontier import MerkleFrontier
from qdt_env.twin.heads import ML_DSA_44, LogHeader, SignatureScheme, TreeHead
from qdt_env.twin.leaf import Leaf, LedgerError, decode_leaf
from qdt_env.viewer.recording import END, HEADER, STEP, TREE_HEAD, RecordingError, Scan, scan

__all__ = ["History", "Recording", "check_history", "read_recording"]

Array = np.ndarray[Any, Any]
_WHOLE_NUMBERS = re.compile("[iu][1248]")  # NumPy's names of the types that columns have
_TRUST_STEP = 0.0101  # trust that moved by less than 0.01 need not be in the ledger; and rounding


@dataclass(frozen=True, eq=False)
class Recording:
    """A recorded mission, up to its last whole step.

    Attributes:
        header: what does not change: mission, building, team, names, configuration.
        columns: (T + 1, n) recorded numbers by name, row t the state after t steps; see ``viewer.columns``.
        exact: (T + 1,) float64 by name.
        metrics: of the mission, as ``env.metrics()`` gave them at the end of the recording; None where it was cut.
        over: whether the mission was over.
        cut: the file ends without an end record: the process died, or the file was truncated.
        leaves: (T,) the ledger's leaf of every step, encoded; empty without a ledger.
        heads: the ledger's signed heads, each with the number of steps recorded before it.
    """

    header: dict[str, Any]
    columns: dict[str, Array]
    exact: dict[str, Array]
    metrics: dict[str, float] | None
    over: bool
    cut: bool
    leaves: tuple[bytes, ...]
    heads: tuple[tuple[int, TreeHead], ...]

    @property
    def steps(self) -> int:
        """Steps recorded, T."""
        return len(self.exact["survivors"]) - 1

    def values(self, name: str) -> Array:
        """(T + 1, n) float64 values of a column, NaN where there is none.

        Raises:
            ValueError: no such column.
        """
        require(name in self.columns, "name", name, f"one of {', '.join(self.columns)}")
        described = next(one for one in self.header["columns"] if one["name"] == name)
        numbers = self.columns[name]
        return np.where(numbers == described["none"], np.nan, numbers / described["scale"])


def read_recording(path: str | Path) -> Recording:
    """Read a recorded mission; one whose writer died is read up to its last whole step, with ``cut`` set.

    Raises:
        RecordingError: no recording, altered after it was written, cut before the first state, longer than any mission,
            or not what a recorder writes though its chain fits.
        OSError: the file cannot be read.
    """
    return decode(scan(Path(path).read_bytes()))


def decode(found: Scan) -> Recording:
    """The mission that a scan found.

    Raises:
        RecordingError: as :func:`read_recording`.
    """
    if found.altered:
        raise RecordingError(f"the recording was altered after it was written: {found.altered}")
    kinds = [record.kind for record in found.records]
    if kinds[:2] != [HEADER, STEP]:
        raise RecordingError("the recording was cut before its first state: there is nothing to show")
    steps = [record.payload for record in found.records if record.kind == STEP]
    with _reading("the header"):
        header = _header(found.records[0].payload)
    with _reading("a step"):
        columns, exact, leaves = _unpack(header, steps)
    over, metrics = False, None
    if kinds[-1] == END:
        with _reading("the end"):
            end = json.loads(found.records[-1].payload)
            over, metrics = bool(end["over"]), dict(end["metrics"])
    with _reading("a head of the ledger"):
        heads = tuple(
            (kinds[:at].count(STEP) - 1, head_from_dict(json.loads(record.payload)))
            for at, record in enumerate(found.records)
            if record.kind == TREE_HEAD
        )
    return Recording(header, columns, exact, metrics, over, cut=not found.closed, leaves=leaves, heads=heads)


@contextmanager
def _reading(part: str) -> Iterator[None]:
    """Whatever breaks on a part that somebody else wrote is one error, which names the part."""
    try:
        yield
    except (RecordingError, LedgerError):  # says already what is wrong
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, struct.error) as error:
        raise RecordingError(f"{part} is not what a recorder writes ({type(error).__name__}: {error})") from error


def _header(payload: bytes) -> dict[str, Any]:
    """The header; what the reader needs of it is there and makes sense."""
    header: dict[str, Any] = json.loads(payload)
    for one in header["columns"]:
        countable = isinstance(one["n"], int) and one["n"] >= 0
        if not (_WHOLE_NUMBERS.fullmatch(one["type"]) and countable and np.isfinite(one["none"] / one["scale"])):
            raise RecordingError(f"the header describes a column that cannot be: {one['name']!r}")
    if "survivors" not in list(header["exact"]):
        raise RecordingError("the header names no 'survivors'")
    ledger = header["ledger"]
    if ledger is not None and not isinstance(ledger["log_id"], str):
        raise RecordingError("the header's ledger has no id")
    return header


def _unpack(header: dict[str, Any], steps: list[bytes]) -> tuple[dict[str, Array], dict[str, Array], tuple[bytes, ...]]:
    """Columns, exact numbers and leaves of the step records."""
    described = header["columns"]
    sizes = [np.dtype(one["type"]).itemsize * one["n"] for one in described]
    fixed = sum(sizes)
    whole = fixed + 8 * len(header["exact"])
    if min(map(len, steps)) < whole:
        raise RecordingError("a step has fewer bytes than its columns need")
    leafless = steps[:1] if header["ledger"] else steps  # what is longer has a leaf, which the first never has
    if max(map(len, leafless)) > whole:
        raise RecordingError("a step has more bytes than its columns need")
    changes = np.frombuffer(b"".join(step[:fixed] for step in steps), np.uint8).reshape(len(steps), fixed)
    columns, at = {}, 0
    for one, size in zip(described, sizes, strict=True):
        part = np.ascontiguousarray(changes[:, at : at + size]).view(f"<{one['type']}")
        columns[one["name"]] = np.cumsum(part, axis=0, dtype=part.dtype)  # wraps round as the differences did
        at += size
    numbers = np.frombuffer(b"".join(step[fixed:whole] for step in steps), "<f8")
    exact = dict(zip(header["exact"], numbers.reshape(len(steps), -1).T, strict=True))
    leaves = tuple(step[whole:] for step in steps[1:]) if header["ledger"] else ()
    return columns, exact, leaves


@dataclass(frozen=True)
class History:
    """What the ledger within a recording vouches for.

    Attributes:
        log_id: of the ledger, hexadecimal; "" without one. Compare it with the one you know: it fixes the keys.
        leaves: steps whose leaf agrees with what was recorded.
        heads: signed heads that fit the leaves.
        signed: steps that lie under a signed head.
        problem: the first thing wrong, "" where everything fits.
    """

    log_id: str
    leaves: int
    heads: int
    signed: int
    problem: str


def check_history(recording: Recording, scheme: SignatureScheme = ML_DSA_44) -> History:
    """Check the ledger within a recording: leaves against what was recorded, roots, signatures and their turns.

    Args:
        recording: what :func:`read_recording` gave.
        scheme: checks the signatures.
    """
    given = recording.header["ledger"]
    if given is None:
        return History("", 0, 0, 0, "")
    counted = {"leaves": 0, "heads": 0, "signed": 0}
    try:
        with _reading("the ledger within"):
            header = LogHeader.decode(bytes.fromhex(given["header"]))
            _walk(recording, header, scheme, counted)
    except (LedgerError, RecordingError) as error:
        return History(given["log_id"], **counted, problem=str(error))
    return History(header.log_id.hex(), **counted, problem="")


def _walk(recording: Recording, header: LogHeader, scheme: SignatureScheme, counted: dict[str, int]) -> None:
    """Leaf by leaf; ``counted`` gets the leaves, the heads and the steps signed so far.

    Raises:
        LedgerError: something does not fit.
    """
    given = recording.header["ledger"]
    if header.log_id.hex() != given["log_id"]:
        raise LedgerError("the ledger's id is not that of its header")
    tree = MerkleFrontier(given["size"], [bytes.fromhex(one) for one in given["frontier"]])
    heads = list(recording.heads)
    shown = _verdicts(recording)
    trust = recording.values("twin.robot.trust")
    told = trust[0].copy()
    for step, data in enumerate(recording.leaves, start=1):
        leaf = decode_leaf(data)
        _compare(leaf, step, shown[step], len(told))
        told[[source for source, _ in leaf.trust]] = [value for _, value in leaf.trust]
        if np.abs(told - trust[step]).max() > _TRUST_STEP:
            raise LedgerError(f"step {step}: the trust recorded is not that of the ledger")
        tree.append(data)
        counted["leaves"] += 1
        while heads and heads[0][0] <= step:
            _check_head(heads.pop(0)[1], tree, leaf, header, scheme)
            counted["heads"] += 1
            counted["signed"] = step
    if heads:
        raise LedgerError(f"the head of {heads[0][1].size} leaves comes after the last leaf")


def _verdicts(recording: Recording) -> Array:
    """(T + 1, slots) verdicts as the server knew them: a forgery passes for delivered, silence for a loss."""
    robots = len(recording.header["team"])
    shown = np.concatenate([recording.columns["up.verdict"], recording.columns["down.verdict"][:, :robots]], axis=1)
    return np.where(shown == FORGED, DELIVERED, np.where(shown < 0, LOST, shown))


def _compare(leaf: Leaf, step: int, shown: Array, robots: int) -> None:
    """The leaf is that of the step, says of its messages what was recorded, and trusts robots that there are.

    Raises:
        LedgerError: it does not.
    """
    if leaf.step != step - 1:
        raise LedgerError(f"step {step}: its leaf is that of step {leaf.step + 1}")
    if list(leaf.verdicts) != shown.tolist():
        raise LedgerError(f"step {step}: the verdicts recorded are not those of the ledger")
    if any(source >= robots for source, _ in leaf.trust):
        raise LedgerError(f"step {step}: its leaf trusts a source that there is not")


def _check_head(head: TreeHead, tree: MerkleFrontier, leaf: Leaf, header: LogHeader, scheme: SignatureScheme) -> None:
    """The head is that of all leaves so far, signed by a validator.

    Raises:
        LedgerError: it is not.
    """
    if head.size != tree.size or head.root != tree.root() or head.step != leaf.step:
        raise LedgerError(f"the head of {head.size} leaves does not fit the leaves recorded")
    head.check(header, scheme)
