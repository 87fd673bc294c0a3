"""A problem as a dimod binary quadratic model (QUBO), and its samples as choices.

A variable stands for one (group, allowed option) of a group with a choice; variables are numbered as the qubits of
``agents.quantum.ising.encode``. Rules become penalties P = factor * spread, where the spread is a bound on the range of
the cost (``distinct_penalty``):

    E(x) = cost(x) + P sum_g (1 - sum_t x_gt)^2 + P sum_(distinct clashes) x_gt x_ht

**With factor >= 1 the ground state is the optimum.** Costs are shifted so that each group's least linear cost and each
pair's least coupling are 0; the offset gives back the constant by which that changes E of one-hot samples. Every term
is then >= 0 and every feasible cost at most the spread above the constant, while a broken rule costs at least P.
Without the shift, leaving a group out could pay. Measured on 60 dense random 3x4 instances: right on 100 % at factor .3
and above, 67 % at .2, 12 % at .1 (with the distinct rule 100, 55 and 10 %).

dimod is imported when a model is built.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.planning.reshape import centred
from agents.quantum.ising import Ising, distinct_penalty, encode, penalised

if TYPE_CHECKING:
    import dimod


def to_bqm(problem: Problem, penalty_factor: float = 1.0) -> "dimod.BinaryQuadraticModel":
    """The problem as a binary quadratic model over the variables 0 .. n-1.

    Args:
        problem: any, distinct or not.
        penalty_factor: penalty over the bound on the cost's range, > 0; below 1 the ground state may break a rule.

    Returns:
        A model whose energy at every feasible sample is :meth:`Problem.cost` (to 1e-9 of the penalty).

    Raises:
        PlanningError: penalty_factor is not positive and finite.
    """
    if not 0.0 < penalty_factor < np.inf:
        raise PlanningError(f"penalty_factor: must be > 0 and finite, got {penalty_factor}")
    shifted, constant = _shifted(penalised(problem, penalty_factor))
    return _model(shifted, constant, np.full(problem.groups, distinct_penalty(problem, penalty_factor)))


def soft_bqm(problem: Problem, deviations: float) -> "dimod.BinaryQuadraticModel":
    """The same with penalties as soft as local search likes them; the ground state is not proven to be the optimum.

    The safe penalty bounds the range of the whole cost. That freezes single-flip searches, which must break a rule to
    get from one choice to another, at the first choice they find. What a single flip changes is one group's costs, so
    here the penalty of each group is a multiple of the standard deviation of its cost over the choices of all, and a
    clash costs as much as the cheaper of its two groups. The couplings are centred (``reshape.centred``), so that
    neither leaving out nor adding an option pays on average.

    Args:
        problem: any, distinct or not.
        deviations: penalty over that standard deviation, > 0; 2 to 8 are useful, see ``annealing``.

    Returns:
        A model over the same variables whose energy at every feasible sample is :meth:`Problem.cost`.

    Raises:
        PlanningError: deviations is not positive and finite.
    """
    if not 0.0 < deviations < np.inf:
        raise PlanningError(f"deviations: must be > 0 and finite, got {deviations}")
    penalties = deviations * _marginal_deviations(problem)
    if problem.distinct:
        clash = np.diag(~problem.shareable)[None, :, None, :] & ~np.eye(problem.groups, dtype=bool)[:, None, :, None]
        charge = np.minimum.outer(penalties, penalties)[:, None, :, None] * clash
        problem = replace(problem, pairwise=problem.pairwise + charge, distinct=False)
    pure, constant = centred(problem)
    mean = np.array([pure.linear[g, allowed].mean() for g, allowed in enumerate(pure.allowed)])
    return _model(replace(pure, linear=pure.linear - mean[:, None]), constant + float(mean.sum()), penalties)


def _marginal_deviations(problem: Problem) -> np.ndarray:
    """(G,) standard deviation of each group's cost over independent choices of all; > 0."""
    pure, _ = centred(problem)
    variance = np.zeros(problem.groups)
    for g, allowed in enumerate(pure.allowed):
        tables = [pure.pairwise[g][allowed][:, h][:, pure.allowed[h]] for h in range(pure.groups) if h != g]
        variance[g] = float(pure.linear[g, allowed].var()) + sum(float(table.var()) for table in tables)
    # Where a group's costs are all equal, or everybody's, any positive penalty will do.
    largest = variance.max(initial=0.0)
    return np.sqrt(np.maximum(variance, 1e-6 * largest if largest > 0.0 else 1.0))


def _model(problem: Problem, constant: float, penalties: np.ndarray) -> "dimod.BinaryQuadraticModel":
    """The model of a shifted problem without a distinct rule; its cost plus the constant is the energy.

    Args:
        problem: shifted.
        constant: what the shift took away.
        penalties: (G,) float64 of each group's one-hot rule.
    """
    import dimod

    ising = encode(problem)
    # z = 1 - 2 x: h z = h - 2 h x, and J z z' = J - 2 J x - 2 J x' + 4 J x x'.
    first, second = ising.pairs[:, 0], ising.pairs[:, 1]
    linear = -2.0 * ising.h
    np.subtract.at(linear, first, 2.0 * ising.J)
    np.subtract.at(linear, second, 2.0 * ising.J)
    offset = ising.offset + ising.h.sum() + ising.J.sum() + constant
    # (1 - sum x)^2 = 1 - sum x + 2 sum of the pairs, since x^2 = x.
    a, b = _register_pairs(ising)
    penalty = penalties[ising.qubit_group]
    rows, columns = np.concatenate([first, a]), np.concatenate([second, b])
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        linear - penalty,
        (rows, columns, np.append(4.0 * ising.J, 2.0 * penalty[a])),
        offset + float(penalties[ising.fixed < 0].sum()),
        dimod.BINARY,
    )


def choice_from_sample(problem: Problem, sample: Mapping[int, Any] | np.ndarray) -> np.ndarray | None:
    """The joint choice that a sample of :func:`to_bqm` stands for.

    Args:
        problem: that the model was made from.
        sample: 0 or 1 by variable, or (n,) in the order of the variables.

    Returns:
        (G,) int64; None where some group has not exactly one option. A clash of a distinct problem is left to
        :meth:`Problem.cost`.

    Raises:
        PlanningError: the sample has another number of variables.
    """
    bits = np.array([sample[i] for i in range(len(sample))], dtype=np.int8)
    choices, valid = choices_from_samples(problem, bits[None, :])
    return choices[0] if valid[0] else None


def choices_from_samples(problem: Problem, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choices (N, G) int64 of samples (N, n), and (N,) bool whether each is one-hot; see :func:`choice_from_sample`."""
    ising = encode(replace(problem, distinct=False))
    if bits.shape[1] != ising.qubits:
        raise PlanningError(f"sample: expected {ising.qubits} variables, got {bits.shape[1]}")
    return ising.decode(bits)


def _shifted(problem: Problem) -> tuple[Problem, float]:
    """The problem with the least linear cost of each group and the least coupling of each pair at 0, and the shift."""
    linear, pairwise = np.array(problem.linear), np.array(problem.pairwise)
    least = linear.min(axis=1, initial=np.inf)
    constant = float(least.sum())
    linear -= least[:, None]
    for g in range(problem.groups):
        for h in range(g + 1, problem.groups):
            low = float(pairwise[g][problem.allowed[g]][:, h][:, problem.allowed[h]].min())
            pairwise[g, :, h, :] -= low
            pairwise[h, :, g, :] -= low
            constant += low
    return replace(problem, linear=linear, pairwise=pairwise), constant


def _register_pairs(ising: Ising) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of variables of the same group, (m,) first and (m,) second."""
    firsts, seconds, start = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], 0
    for length in ising.registers:
        a, b = np.triu_indices(length, 1)
        firsts.append(start + a)
        seconds.append(start + b)
        start += length
    return np.concatenate(firsts), np.concatenate(seconds)
