"""A gate list as tables that compiled code runs, without errors or with Pauli errors at given native gates.

The kernels take plain arrays and are compiled on first use.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from agents.quantum.calibrations import Noise
from agents.quantum.gates import NATIVE_2Q, Circuit, Gate, decompose, pair_action

_DIAGONAL = ("RZ", "CZ", "ZZ", "PHASE")
_DRAWN_AT_ONCE = 1 << 22  # random numbers: 32 MiB
_NEARLY_ONE = 1.0 - 2.0**-53

_kernel = numba.njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Program:
    """A circuit ready to run.

    Attributes:
        blocks: (B, 3) int64 first gate, gate after the last, and row of ``phases`` or -1 for a block of one gate.
        gates: masks, patterns, flips (K,) int64 and matrices (K, 2, 2) of the gates' pair actions.
        natives: the same of their native gates, as actions on the gate's own wires alone.
        wires: (K, W) int64 bit of each wire of a gate, the most significant first; 0 beyond its last.
        phases: (D, N) complex128 of each run of diagonal gates.
        native_starts: (K + 1,) int64 first native gate of each gate.
        rates: (M,) error probability after each native gate, in [0, 1].
        wire_bits: (M, 2) int64 bits of the native gate's wires among its gate's, the second 0 for one qubit.
        states: N = 2^wires.
    """

    blocks: np.ndarray
    gates: tuple[np.ndarray, ...]
    wires: np.ndarray
    phases: np.ndarray
    native_starts: np.ndarray
    natives: tuple[np.ndarray, ...]
    rates: np.ndarray
    wire_bits: np.ndarray
    states: int

    @property
    def no_error(self) -> float:
        """Probability that no native gate fails, in [0, 1]."""
        return float(np.prod(1.0 - self.rates))


@dataclass(frozen=True, eq=False)
class Errors:
    """Pauli errors of trajectories, in the order of their first errors.

    Attributes:
        starts: (T + 1,) int64 first error of each trajectory in the arrays below.
        draw: (T,) int64 when the trajectory was drawn, in [0, T).
        native, block: (E,) int64 native gate that the error follows, and the block it lies in.
        flips, signs: (E,) int64 bits, among its gate's wires, that its X and Z parts act on.
    """

    starts: np.ndarray
    draw: np.ndarray
    native: np.ndarray
    block: np.ndarray
    flips: np.ndarray
    signs: np.ndarray


def compile_circuit(circuit: Circuit, noise: Noise) -> Program:
    """Tables of a circuit whose native gates fail as the noise says (Z rotations never)."""
    wires = circuit.wires
    parts = [[_on_own_wires(part, gate) for part in decompose(gate)] for gate in circuit.gates]
    native = [part for some in parts for part in some]
    sizes = [len(gate.wires) for gate, some in zip(circuit.gates, parts, strict=True) for _ in some]
    gates = _actions(circuit.gates, [wires] * len(circuit.gates))
    blocks: list[tuple[int, int, int]] = []
    phases: list[np.ndarray] = []
    first = 0
    while first < len(circuit.gates):
        last = first
        while last < len(circuit.gates) and circuit.gates[last].name in _DIAGONAL:
            last += 1
        if last - first >= 2:
            blocks.append((first, last, len(phases)))
            phases.append(_product(np.ones(1 << wires, np.complex128), first, last, *gates))
        else:
            last = first + 1
            blocks.append((first, last, -1))
        first = last
    rates = [0.0 if gate.name == "RZ" else noise.p2 if gate.name in NATIVE_2Q else noise.p1 for gate in native]
    bits = [
        [sum(1 << (size - 1 - w) for w in gate.wires[k : k + 1]) for k in (0, 1)]
        for gate, size in zip(native, sizes, strict=True)
    ]
    most = max((len(gate.wires) for gate in circuit.gates), default=1)
    places = [[1 << (wires - 1 - w) for w in gate.wires] + [0] * (most - len(gate.wires)) for gate in circuit.gates]
    return Program(
        blocks=np.array(blocks, dtype=np.int64).reshape(-1, 3),
        gates=gates,
        wires=np.array(places, dtype=np.int64).reshape(-1, most),
        phases=np.array(phases, dtype=np.complex128).reshape(-1, 1 << wires),
        native_starts=np.cumsum([0, *map(len, parts)]).astype(np.int64),
        natives=_actions(native, sizes),
        rates=np.array(rates, dtype=np.float64),
        wire_bits=np.array(bits, dtype=np.int64).reshape(-1, 2),
        states=1 << wires,
    )


def _on_own_wires(native: Gate, gate: Gate) -> Gate:
    """The native gate with its wires numbered as the gate counts its own."""
    return Gate(native.name, tuple(gate.wires.index(wire) for wire in native.wires), native.angle)


def _actions(gates: Sequence[Gate], wires: list[int]) -> tuple[np.ndarray, ...]:
    actions = [pair_action(gate, count) for gate, count in zip(gates, wires, strict=True)]
    masks, patterns, flips = np.array([action[:3] for action in actions], dtype=np.int64).reshape(-1, 3).T.copy()
    return masks, patterns, flips, np.array([action[3] for action in actions]).reshape(-1, 2, 2)


def final_state(program: Program) -> np.ndarray:
    """(N,) complex128 amplitudes from |0...0> without errors, up to a global phase."""
    state = _zero_state(program)
    _advance(state, 0, len(program.blocks), program.blocks, program.phases, *program.gates)
    return state


def draw_errors(program: Program, trajectories: int, rng: np.random.Generator) -> Errors:
    """Errors of trajectories that have at least one; some native gate must be able to fail.

    The first error is drawn by inverting P(first <= l) = (1 - prod_{k <= l} (1 - p_k)) / (1 - P0); every native gate
    after it fails on its own.
    """
    sites = np.flatnonzero(program.rates > 0.0)
    rates = program.rates[sites]
    survival = -np.cumsum(np.log1p(-np.minimum(rates, _NEARLY_ONE)))
    drawn = -np.log1p(rng.random(trajectories) * np.expm1(-survival[-1]))
    first = np.minimum(np.searchsorted(survival, drawn), sites.size - 1)
    rows, columns = [], []
    step = max(1, _DRAWN_AT_ONCE // sites.size)
    for low in range(0, trajectories, step):
        some = first[low : low + step, None]
        failed = rng.random((some.size, sites.size)) < rates
        row, column = np.nonzero((failed & (np.arange(sites.size) > some)) | (np.arange(sites.size) == some))
        rows.append(row + low)
        columns.append(column)
    order = np.argsort(first, kind="stable")
    rank = np.argsort(order)
    row, column = np.concatenate(rows), np.concatenate(columns)
    sequence = np.lexsort((column, rank[row]))
    native = sites[column[sequence]]
    bits = program.wire_bits[native]
    # Two bits a wire, X part and Z part, not all of them 0.
    pauli = rng.integers(1, np.where(bits[:, 1] > 0, 16, 4))
    gate = np.searchsorted(program.native_starts, native, side="right") - 1
    return Errors(
        starts=np.concatenate([[0], np.cumsum(np.bincount(rank[row], minlength=trajectories))]).astype(np.int64),
        draw=order.astype(np.int64),
        native=native.astype(np.int64),
        block=(np.searchsorted(program.blocks[:, 0], gate, side="right") - 1).astype(np.int64),
        flips=(pauli & 1) * bits[:, 0] + (pauli >> 2 & 1) * bits[:, 1],
        signs=(pauli >> 1 & 1) * bits[:, 0] + (pauli >> 3 & 1) * bits[:, 1],
    )


def add_trajectories(program: Program, errors: Errors, sums: np.ndarray) -> None:
    """Add each trajectory's probabilities to row (draw modulo B) of ``sums`` (B, N)."""
    _run(
        _zero_state(program),
        (program.blocks, program.phases, *program.gates),
        (program.wires, program.native_starts, *program.natives),
        (errors.starts, errors.draw, errors.native, errors.block, errors.flips, errors.signs),
        sums,
    )


def _zero_state(program: Program) -> np.ndarray:
    state = np.zeros(program.states, dtype=np.complex128)
    state[0] = 1.0
    return state


@_kernel
def _apply(state, mask, pattern, flip, matrix):
    """One pair action; the indices that keep the pattern are the subsets of the bits outside the mask."""
    outside = ~mask & (state.size - 1)
    m00, m01, m10, m11 = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    diagonal = m01 == 0.0 and m10 == 0.0
    rest = 0
    while True:
        i = rest | pattern
        j = i ^ flip
        a, b = state[i], state[j]
        if diagonal:
            if m00 != 1.0:
                state[i] = m00 * a
            state[j] = m11 * b
        else:
            state[i] = m00 * a + m01 * b
            state[j] = m10 * a + m11 * b
        rest = (rest - outside) & outside
        if rest == 0:
            break


@_kernel
def _product(state, first, last, masks, patterns, flips, matrices):
    """Apply gates first to last - 1 one after the other; returns the state."""
    for k in range(first, last):
        _apply(state, masks[k], patterns[k], flips[k], matrices[k])
    return state


@_kernel
def _advance(state, first, last, blocks, phases, masks, patterns, flips, matrices):
    """Apply blocks first to last - 1 without errors."""
    for block in range(first, last):
        row = blocks[block, 2]
        if row >= 0:
            for i in range(state.size):
                state[i] *= phases[row, i]
        else:
            k = blocks[block, 0]
            _apply(state, masks[k], patterns[k], flips[k], matrices[k])


@_kernel
def _pauli(state, flip, sign):
    """Apply a product of Paulis, up to a phase: exchange i and i ^ flip, with the sign of i's bits in ``sign``."""
    highest = flip
    while highest & (highest - 1):
        highest &= highest - 1
    for i in range(state.size):
        if i & highest == 0:
            j = i ^ flip
            a, b = state[i], state[j]
            state[j] = -a if _odd(i & sign) else a
            if flip:
                state[i] = -b if _odd(j & sign) else b


@_kernel
def _odd(bits):
    """Whether an odd number of bits is set; at most two are."""
    return bits != 0 and bits & (bits - 1) == 0


@_kernel
def _failed_gate(size, first, last, error, end, natives, native, flips, signs):
    """Matrix (size, size), columns by rows, of native gates first to last - 1 with their errors, and the next error."""
    _, _, masks, patterns, turns, matrices = natives
    # One register of twice the wires: its lower half is acted on, its upper half numbers the columns.
    columns = np.zeros(size * size, dtype=np.complex128)
    columns[:: size + 1] = 1.0
    for m in range(first, last):
        _apply(columns, masks[m], patterns[m], turns[m], matrices[m])
        if error < end and native[error] == m:
            _pauli(columns, flips[error], signs[error])
            error += 1
    return columns.reshape(size, size), error


@_kernel
def _apply_sparse(state, bits, columns):
    """Apply a matrix on a few wires by its entries that are not 0.

    A Pauli error moves through Clifford gates as a Pauli and through a rotation by turning its sign, so a failed gate
    has as few entries as the gate: one or two a row.
    """
    size = columns.shape[0]
    places = np.zeros(size, dtype=np.int64)
    step = size
    for bit in bits:
        step >>= 1
        for k in range(size):
            if k & step:
                places[k] |= bit
    entries = np.empty((size * size, 2), dtype=np.int64)
    count = 0
    for column in range(size):
        for row in range(size):
            if columns[column, row].real ** 2 + columns[column, row].imag ** 2 > 1e-30:
                entries[count, 0], entries[count, 1] = column, row
                count += 1
    old = np.empty(size, dtype=np.complex128)
    outside = ~places[size - 1] & (state.size - 1)
    base = 0
    while True:
        for k in range(size):
            old[k] = state[base | places[k]]
            state[base | places[k]] = 0.0
        for n in range(count):
            column, row = entries[n, 0], entries[n, 1]
            state[base | places[row]] += columns[column, row] * old[column]
        base = (base - outside) & outside
        if base == 0:
            break


@_kernel
def _fail(state, block, error, end, blocks, gates, natives, native, flips, signs):
    """Apply a block with its errors; returns the next error."""
    wires, starts = natives[0], natives[1]
    for k in range(blocks[block, 0], blocks[block, 1]):
        if error < end and native[error] < starts[k + 1]:
            count = np.count_nonzero(wires[k])
            columns, error = _failed_gate(
                1 << count, starts[k], starts[k + 1], error, end, natives, native, flips, signs
            )
            _apply_sparse(state, wires[k, :count], columns)
        else:
            _apply(state, gates[0][k], gates[1][k], gates[2][k], gates[3][k])
    return error


@_kernel
def _run(clean, circuit, natives, errors, sums):
    """All trajectories; ``clean`` is carried along from first error to first error."""
    blocks, phases, masks, patterns, flips, matrices = circuit
    starts, draw, native, where, error_flips, error_signs = errors
    gates = (masks, patterns, flips, matrices)
    state = np.empty_like(clean)
    reached = 0
    for k in range(draw.size):
        error, end = starts[k], starts[k + 1]
        _advance(clean, reached, where[error], blocks, phases, masks, patterns, flips, matrices)
        reached = where[error]
        state[:] = clean
        position = reached
        while error < end:
            block = where[error]
            _advance(state, position, block, blocks, phases, masks, patterns, flips, matrices)
            error = _fail(state, block, error, end, blocks, gates, natives, native, error_flips, error_signs)
            position = block + 1
        _advance(state, position, blocks.shape[0], blocks, phases, masks, patterns, flips, matrices)
        row = draw[k] % sums.shape[0]
        for i in range(state.size):
            sums[row, i] += state[i].real ** 2 + state[i].imag ** 2
