"""The job: what is asked of a QPU and what it answers, as bytes. Reading any bytes gives a job or raises JobError.

A request is a masked instance, an ansatz, its angles and a number of shots; an answer is bit strings. Big-endian::

    request  "QJ" version(1) kind(1) number(4) ansatz(1) depth(2) shots(4)
             gammas depth x f8, betas depth x f8
             kind 0, choices: groups(2) options(2) distinct(1) shareable T x 1, linear G x T x f4 (inf: not allowed),
                              pairwise f4 of each pair of groups first < second, T x T each
             kind 1, spins:   qubits(2) pairs(4) h n x f4, (first(2) second(2)) x m, J m x f4
    answer   "QA" version(1) reserved(1) number(4) qubits(2) shots(4) claimed best cost f8, bits packed row by row

Costs travel in single precision: the answers are scored at home in double precision by the problem's own cost.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.ising import Ising

ANSAETZE = ("penalty-x", "xy-ring", "grover", "swap")
MAX_GROUPS, MAX_OPTIONS, MAX_QUBITS, MAX_DEPTH, MAX_SHOTS = 32, 64, 1024, 256, 1 << 16  # 32 MB of couplings
CHOICES, SPINS = range(2)
_VERSION = 1
_REQUEST = struct.Struct(">2sBBIBHI")
_SIZES = struct.Struct(">HHB"), struct.Struct(">HI")
_ANSWER = struct.Struct(">2sBBIHId")


class JobError(ValueError):
    """The bytes are not a request or an answer that can be used; says what is wrong with them."""


@dataclass(frozen=True, eq=False)
class Job:
    """One circuit to run.

    Attributes:
        number: of the request, 0 .. 2^32-1; the answer bears it too.
        ansatz: one of ``ANSAETZE``.
        gammas: (p,) float64 [rad per standard deviation of the cost; rad per unit of energy for spins].
        betas: (p,) float64 [rad].
        shots: 1 .. ``MAX_SHOTS``.
        instance: masked; a Problem, or an Ising for "penalty-x".
    """

    number: int
    ansatz: str
    gammas: np.ndarray
    betas: np.ndarray
    shots: int
    instance: Problem | Ising


@dataclass(frozen=True, eq=False)
class Answer:
    """What came back.

    Attributes:
        number: of the request.
        bits: (shots, n) uint8 in {0, 1}.
        claimed: lowest cost that the machine says it saw, in masked units. Nothing may rest on it.
    """

    number: int
    bits: np.ndarray
    claimed: float


class _Reader:
    """Takes arrays off the front of bytes, never more than there are."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: struct.Struct) -> tuple[Any, ...]:
        if len(self.data) - self.at < form.size:
            raise JobError(f"message: ends within a header at byte {self.at} of {len(self.data)}")
        fields = form.unpack_from(self.data, self.at)
        self.at += form.size
        return fields

    def array(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if len(self.data) - self.at < size:
            raise JobError(f"message: {size} bytes announced at byte {self.at} of {len(self.data)}")
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += size
        return values

    def floats(self, dtype: str, count: int) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # a signalling NaN; NaNs are refused by who asks
            return self.array(dtype, count).astype(np.float64)

    def end(self) -> None:
        if self.at != len(self.data):
            raise JobError(f"message: {len(self.data) - self.at} bytes too many")


def pack_job(job: Job) -> bytes:
    """The request as bytes.

    Raises:
        PlanningError: the instance or a number is larger than the format holds.
    """
    kind = SPINS if isinstance(job.instance, Ising) else CHOICES
    _check_size(job)
    head = _REQUEST.pack(b"QJ", _VERSION, kind, job.number, ANSAETZE.index(job.ansatz), len(job.gammas), job.shots)
    angles = np.concatenate([job.gammas, job.betas]).astype(">f8").tobytes()
    body = _pack_spins(job.instance) if isinstance(job.instance, Ising) else _pack_choices(job.instance)
    return head + angles + body


def _check_size(job: Job) -> None:
    if isinstance(job.instance, Ising):
        sizes = [("qubits", job.instance.qubits, MAX_QUBITS)]
    else:
        sizes = [("groups", job.instance.groups, MAX_GROUPS), ("options", job.instance.options, MAX_OPTIONS)]
    for name, size, most in [*sizes, ("depth", len(job.gammas), MAX_DEPTH), ("shots", job.shots, MAX_SHOTS)]:
        if not 1 <= size <= most:
            raise PlanningError(f"request {name}: got {size}, allowed: 1 to {most}")


def _pack_choices(problem: Problem) -> bytes:
    first, second = np.triu_indices(problem.groups, 1)
    tables = problem.pairwise[first, :, second, :]
    sizes = _SIZES[CHOICES].pack(problem.groups, problem.options, problem.distinct)
    parts = problem.shareable.astype("u1"), problem.linear.astype(">f4"), tables.astype(">f4")
    return sizes + b"".join(part.tobytes() for part in parts)


def _pack_spins(ising: Ising) -> bytes:
    sizes = _SIZES[SPINS].pack(ising.qubits, len(ising.pairs))
    parts = ising.h.astype(">f4"), ising.pairs.astype(">u2"), ising.J.astype(">f4")
    return sizes + b"".join(part.tobytes() for part in parts)


def read_job(data: bytes) -> Job:
    """Read a request.

    Raises:
        JobError: whatever is wrong with the bytes; no other exception leaves this function.
    """
    reader = _Reader(data)
    magic, version, kind, number, ansatz, depth, shots = reader.take(_REQUEST)
    if magic != b"QJ" or version != _VERSION or kind > SPINS or ansatz >= len(ANSAETZE):
        raise JobError(f"request: unknown magic {magic!r}, version {version}, kind {kind} or ansatz {ansatz}")
    if (kind == SPINS) != (ANSAETZE[ansatz] == "penalty-x"):
        raise JobError(f"request: ansatz {ANSAETZE[ansatz]} does not go with instances of kind {kind}")
    if not (1 <= depth <= MAX_DEPTH and 1 <= shots <= MAX_SHOTS):
        raise JobError(f"request: depth {depth} or shots {shots} out of range")
    angles = reader.floats(">f8", 2 * depth)
    if not np.isfinite(angles).all():
        raise JobError("request: angles that are not finite")
    instance = _read_spins(reader) if kind == SPINS else _read_choices(reader)
    reader.end()
    return Job(number, ANSAETZE[ansatz], angles[:depth], angles[depth:], shots, instance)


def _read_choices(reader: _Reader) -> Problem:
    G, T, distinct = reader.take(_SIZES[CHOICES])
    if not (1 <= G <= MAX_GROUPS and 1 <= T <= MAX_OPTIONS and distinct <= 1):
        raise JobError(f"request: {G} groups, {T} options or flag {distinct} out of range")
    shareable = reader.array("u1", T) != 0
    linear = reader.floats(">f4", G * T).reshape(G, T)
    first, second = np.triu_indices(G, 1)
    tables = reader.floats(">f4", first.size * T * T).reshape(first.size, T, T)
    pairwise = np.zeros((G, T, G, T))
    pairwise[first, :, second, :] = tables
    pairwise[second, :, first, :] = tables.transpose(0, 2, 1)
    try:
        return Problem.from_costs(linear, pairwise, name="masked", distinct=bool(distinct), shareable=shareable)
    except PlanningError as error:
        raise JobError(f"request: {error}") from error


def _read_spins(reader: _Reader) -> Ising:
    n, count = reader.take(_SIZES[SPINS])
    if not (1 <= n <= MAX_QUBITS and count <= n * (n - 1) // 2):
        raise JobError(f"request: {n} qubits or {count} pairs out of range")
    h = reader.floats(">f4", n)
    pairs = reader.array(">u2", 2 * count).reshape(count, 2).astype(np.int64)
    J = reader.floats(">f4", count)
    if not (np.isfinite(h).all() and np.isfinite(J).all()):
        raise JobError("request: fields or couplings that are not finite")
    if count and not ((pairs[:, 0] < pairs[:, 1]) & (pairs[:, 1] < n)).all():
        raise JobError("request: a coupled pair that is not first < second < qubits")
    nothing = np.zeros(n, np.int64)
    return Ising(h, pairs, J, 0.0, (), nothing, nothing, np.zeros(0, np.int64))


def pack_answer(answer: Answer) -> bytes:
    """The answer as bytes."""
    shots, qubits = answer.bits.shape
    head = _ANSWER.pack(b"QA", _VERSION, 0, answer.number, qubits, shots, answer.claimed)
    return head + np.packbits(answer.bits, axis=1).tobytes()


def read_answer(data: bytes, number: int, qubits: int, most_shots: int) -> Answer:
    """Read the answer to a request.

    Args:
        data: bytes as received.
        number: of the request.
        qubits: that were to be measured.
        most_shots: that were asked for; fewer are taken, more are refused.

    Raises:
        JobError: whatever is wrong with the bytes, an answer to another request or of another size.
    """
    reader = _Reader(data)
    magic, version, _, told, width, shots, claimed = reader.take(_ANSWER)
    if magic != b"QA" or version != _VERSION:
        raise JobError(f"answer: unknown magic {magic!r} or version {version}")
    if told != number:
        raise JobError(f"answer: to request {told}, not {number}")
    if width != qubits or not 1 <= shots <= most_shots:
        raise JobError(f"answer: {shots} shots of {width} qubits, expected up to {most_shots} of {qubits}")
    row_bytes = (width + 7) // 8
    packed = reader.array("u1", shots * row_bytes).reshape(shots, row_bytes)
    reader.end()
    return Answer(told, np.unpackbits(packed, axis=1, count=width), claimed)
