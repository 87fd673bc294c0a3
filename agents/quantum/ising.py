"""One-hot encoding of a problem as an Ising energy: E(z) = offset + sum h_i z_i + sum J_ij z_i z_j.

A qubit stands for one (group, option); bit x = 1 (z = -1) means that the group takes the option, x = (1 - z) / 2. The
qubits of a group form its register, and a state is valid when every register holds exactly one 1. Groups with a single
allowed option need no qubit: their cost is folded into h and the offset.

Mixers that keep registers one-hot need a penalty for the distinct rule alone (:func:`penalised`), the X mixer one for
the registers as well (:func:`penalty_ising`).
"""

from dataclasses import dataclass, replace

import numpy as np

from agents.planning.problem import PlanningError, Problem


@dataclass(frozen=True, eq=False)
class Ising:
    """Ising form of a problem.

    Attributes:
        h: (n,) float64 fields, in units of the problem's cost.
        pairs: (m, 2) int64 coupled qubits, first < second; pairs without coupling are left out.
        J: (m,) float64 couplings of those pairs.
        offset: float, energy that no qubit changes.
        registers: per group that has qubits, the length of its register (>= 2); registers lie one after the other.
        qubit_group: (n,) int64 group of each qubit.
        qubit_option: (n,) int64 option of each qubit.
        fixed: (G,) int64 option of groups without a choice, -1 for the others.
    """

    h: np.ndarray
    pairs: np.ndarray
    J: np.ndarray
    offset: float
    registers: tuple[int, ...]
    qubit_group: np.ndarray
    qubit_option: np.ndarray
    fixed: np.ndarray

    @property
    def qubits(self) -> int:
        """Number of qubits n."""
        return int(self.h.size)

    def energies(self, bits: np.ndarray) -> np.ndarray:
        """Energy of bit strings (N, n) in {0, 1}; (N,) float64 in units of the problem's cost."""
        z = 1.0 - 2.0 * np.asarray(bits, dtype=np.float64)
        coupled = z[:, self.pairs[:, 0]] * z[:, self.pairs[:, 1]]
        return np.asarray(self.offset + z @ self.h + coupled @ self.J)

    def decode(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint choices that bit strings stand for.

        Args:
            bits: (N, n) in {0, 1}.

        Returns:
            Choices (N, G) int64, and (N,) bool whether every register was one-hot (where not, the row is
            meaningless).
        """
        bits = np.asarray(bits)
        choices = np.tile(self.fixed, (len(bits), 1))
        valid = np.ones(len(bits), dtype=bool)
        start = 0
        for length in self.registers:
            register = bits[:, start : start + length]
            valid &= register.sum(axis=1) == 1
            choices[:, self.qubit_group[start]] = self.qubit_option[start + register.argmax(axis=1)]
            start += length
        return choices, valid


def bits_of(states: np.ndarray, qubits: int) -> np.ndarray:
    """Bit strings (N, n) uint8 of basis indices (N,), qubit 0 the most significant bit."""
    return ((np.asarray(states)[:, None] >> np.arange(qubits - 1, -1, -1)) & 1).astype(np.uint8)


def distinct_penalty(problem: Problem, factor: float = 1.0) -> float:
    """Cost put on two groups sharing an exclusive option: factor times a bound on the cost's range.

    With factor >= 1 no infeasible state lies below a feasible one, so the ground state is the optimum.
    """
    linear = np.where(problem.allowed, problem.linear, np.nan)
    spread = float(np.sum(np.nanmax(linear, axis=1) - np.nanmin(linear, axis=1))) if problem.groups else 0.0
    for g in range(problem.groups):
        for h in range(g + 1, problem.groups):
            table = problem.pairwise[g][problem.allowed[g]][:, h][:, problem.allowed[h]]
            spread += float(table.max() - table.min())
    # Where all costs are equal any positive penalty tells feasible from infeasible.
    return factor * spread if spread > 0.0 else factor


def penalised(problem: Problem, penalty_factor: float = 1.0) -> Problem:
    """The problem with its distinct rule turned into pairwise costs; the problem itself where it has no such rule."""
    if not problem.distinct:
        return problem
    penalty = distinct_penalty(problem, penalty_factor)
    return replace(problem, pairwise=problem.pairwise + penalty * clashes(problem), distinct=False)


def penalty_ising(problem: Problem, factor: float = 1.0) -> Ising:
    """The Ising form over all 2^n strings: cost, plus a weight for every break of the one-hot or the distinct rule.

    E(x) = c + sum l x + sum q x x' + A [sum over registers (1 - sum x)^2 + number of clashes], where each group's
    cheapest linear cost and each pair of groups' cheapest coupling went into the constant c, so that all l, q >= 0 and
    no string lies below c. With A = factor times the bound of :func:`distinct_penalty` and factor >= 1, the ground
    state is therefore the optimum. On feasible strings E is the problem's cost.

    Args:
        problem: any.
        factor: penalty weight in bounds of the cost's range, >= 0.
    """
    weight = distinct_penalty(problem, factor)
    linear_floor = problem.linear.min(axis=1)
    offered = problem.allowed[:, :, None, None] & problem.allowed[None, None]
    pair_floor = np.where(offered, problem.pairwise, np.inf).min(axis=(1, 3))
    pairwise = np.where(offered, problem.pairwise - pair_floor[:, None, :, None], 0.0)
    if problem.distinct:
        pairwise = pairwise + weight * clashes(problem)
    shifted = replace(problem, linear=problem.linear - linear_floor[:, None], pairwise=pairwise, distinct=False)
    ising = encode(shifted, one_hot_penalty=weight)
    return replace(ising, offset=ising.offset + float(linear_floor.sum() + np.triu(pair_floor, 1).sum()))


def clashes(problem: Problem) -> np.ndarray:
    """(G, T, G, T) bool: two groups on the same exclusive option."""
    same = np.diag(~problem.shareable)[None, :, None, :]
    return np.asarray(same & ~np.eye(problem.groups, dtype=bool)[:, None, :, None])


def one_hot_qubits(problem: Problem) -> int:
    """Number of qubits of :func:`encode`, before anything is built."""
    counts = problem.allowed.sum(axis=1)
    return int(counts[counts > 1].sum())


def encode(problem: Problem, *, one_hot_penalty: float | np.ndarray = 0.0) -> Ising:
    """The Ising form whose energy equals the problem's cost on every one-hot state.

    Options that are not allowed get no qubit.

    Args:
        problem: one without a distinct rule; see :func:`penalised` and :func:`penalty_ising`.
        one_hot_penalty: weight A of A (1 - sum x)^2 added per register, in units of the cost, >= 0; or one of each
            group, (G,).

    Raises:
        PlanningError: the problem is distinct.
    """
    if problem.distinct:
        raise PlanningError("encode: the distinct rule has no Ising form of its own; encode penalised(problem)")
    counts = problem.allowed.sum(axis=1)
    single = counts == 1
    held = np.flatnonzero(single)
    fixed = np.where(single, problem.allowed.argmax(axis=1), -1).astype(np.int64)
    group, option = np.nonzero(problem.allowed & ~single[:, None])
    linear = problem.linear[group, option] + problem.pairwise[group, option][:, held, fixed[held]].sum(axis=1)
    between = problem.pairwise[group, option][:, group, option]
    weights = np.broadcast_to(np.asarray(one_hot_penalty, dtype=np.float64), (problem.groups,))
    if weights.any():
        # A (1 - sum x)^2 = A - A sum x + 2 A sum over pairs x x', because x^2 = x.
        linear = linear - weights[group]
        same = (group[:, None] == group) & ~np.eye(group.size, dtype=bool)
        between = between + 2.0 * weights[group] * same
    first, second = np.nonzero(np.triu(between))
    quadratic = between[first, second]
    a, b = np.triu_indices(held.size, 1)
    constant = problem.linear[held, fixed[held]].sum()
    constant += problem.pairwise[held[a], fixed[held[a]], held[b], fixed[held[b]]].sum()
    constant += weights[~single].sum()
    # x = (1 - z) / 2: a linear cost c gives c/2 - c/2 z, a pairwise cost c gives c/4 (1 - z)(1 - z').
    return Ising(
        h=-0.5 * linear - 0.25 * between.sum(axis=1),
        pairs=np.stack([first, second], axis=1).astype(np.int64),
        J=0.25 * quadratic,
        offset=float(constant + 0.5 * linear.sum() + 0.25 * quadratic.sum()),
        registers=tuple(int(count) for count in counts[~single]),
        qubit_group=group.astype(np.int64),
        qubit_option=option.astype(np.int64),
        fixed=fixed,
    )
