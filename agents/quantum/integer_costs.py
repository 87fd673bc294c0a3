"""Costs of one-hot states as integers: what a register of value qubits can hold in two's complement.

Grover adaptive search adds up costs by rotating phases, which is exact for integers alone. Every coefficient is scaled
and rounded once, so that the integer cost of a state is the sum of integers and nothing is rounded on the way.
"""

from dataclasses import dataclass

import numpy as np

from agents.planning.problem import PlanningError
from agents.quantum.ising import Ising


@dataclass(frozen=True, eq=False)
class IntegerCosts:
    """Integer linear and pairwise costs of one-hot qubits.

    Attributes:
        linear: (n,) int64 cost of each qubit being 1, >= 0 units.
        pairs: (k, 2) int64 coupled qubits of different registers, first < second.
        pairwise: (k,) int64 cost of both being 1, units.
        registers: lengths of the one-hot registers, each >= 2.
        unit: cost that one unit stands for, > 0.
        value_qubits: m; differences of two costs lie in [-2^(m-1), 2^(m-1)).
    """

    linear: np.ndarray
    pairs: np.ndarray
    pairwise: np.ndarray
    registers: tuple[int, ...]
    unit: float
    value_qubits: int

    @property
    def qubits(self) -> int:
        """Number of search qubits n."""
        return int(self.linear.size)

    @property
    def states(self) -> int:
        """Number of one-hot states N."""
        return int(np.prod(self.registers, dtype=np.int64))

    def values(self) -> np.ndarray:
        """(N,) int64 costs of the one-hot states, first register slowest."""
        starts = np.cumsum([0, *self.registers])
        register = np.repeat(np.arange(len(self.registers)), self.registers)
        table = np.zeros((self.qubits, self.qubits), dtype=np.int64)
        table[self.pairs[:, 0], self.pairs[:, 1]] = self.pairwise
        total = np.zeros(self.registers, dtype=np.int64)
        for g in range(len(self.registers)):
            total += self.linear[register == g].reshape(_axes(self.registers, g))
            for h in range(g + 1, len(self.registers)):
                block = table[starts[g] : starts[g + 1], starts[h] : starts[h + 1]]
                if block.any():
                    total += block.reshape(_axes(self.registers, g, h))
        return np.asarray(total.ravel())


def _axes(registers: tuple[int, ...], *kept: int) -> tuple[int, ...]:
    """Shape that spreads the kept registers over their own axes."""
    return tuple(size if g in kept else 1 for g, size in enumerate(registers))


def integer_costs(ising: Ising, value_qubits: int) -> IntegerCosts:
    """Scale and round so that every difference of two states' costs fits the value qubits.

    The scale comes from bounds of the costs, register by register and pair of registers by pair, not from the costs
    themselves, which only solving the problem would tell. A state's integer cost is its cost less a constant, within
    half a unit per register and per pair of registers.

    Args:
        ising: one-hot energy with at least one register.
        value_qubits: m >= 2.

    Raises:
        PlanningError: too few value qubits to tell anything apart.
    """
    starts = np.cumsum([0, *ising.registers])
    quadratic = np.zeros((ising.qubits, ising.qubits))
    quadratic[ising.pairs[:, 0], ising.pairs[:, 1]] = 4.0 * ising.J
    linear = -2.0 * ising.h - 0.5 * (quadratic.sum(axis=0) + quadratic.sum(axis=1))
    span, terms = 0.0, 0
    for g, (start, end) in enumerate(zip(starts, starts[1:], strict=False)):
        linear[start:end] -= linear[start:end].min()  # exactly one of them is chosen: a constant
        span, terms = span + float(linear[start:end].max()), terms + 1
        for other, last in zip(starts[g + 1 :], starts[g + 2 :], strict=False):
            block = quadratic[start:end, other:last]
            span, terms = span + float(block.max() - block.min()), terms + int(block.any())
    largest = (1 << (value_qubits - 1)) - 1
    # Rounding may widen the range by half a unit at both ends of every term.
    if largest <= terms:
        raise PlanningError(f"value_qubits: {value_qubits} hold +-{largest}, too few for {terms} rounded terms")
    unit = span / (largest - terms) if span > 0.0 else 1.0
    return IntegerCosts(
        linear=np.rint(linear / unit).astype(np.int64),
        pairs=ising.pairs,
        pairwise=np.rint(4.0 * ising.J / unit).astype(np.int64),
        registers=ising.registers,
        unit=unit,
        value_qubits=value_qubits,
    )
