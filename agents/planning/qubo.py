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
from agents.quantum.ising import Ising, clashes, encode, penalty_ising

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
    return _model(penalty_ising(problem, penalty_factor))


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
        charge = np.minimum.outer(penalties, penalties)[:, None, :, None] * clashes(problem)
        problem = replace(problem, pairwise=problem.pairwise + charge, distinct=False)
    pure, constant = centred(problem)
    mean = np.array([pure.linear[g, allowed].mean() for g, allowed in enumerate(pure.allowed)])
    ising = encode(replace(pure, linear=pure.linear - mean[:, None]), one_hot_penalty=penalties)
    return _model(replace(ising, offset=ising.offset + constant + float(mean.sum())))


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


def _model(ising: Ising) -> "dimod.BinaryQuadraticModel":
    """The model of an Ising energy: z = 1 - 2 x, so h z = h - 2 h x and J z z' = J - 2 J x - 2 J x' + 4 J x x'."""
    import dimod

    first, second = ising.pairs[:, 0], ising.pairs[:, 1]
    linear = -2.0 * ising.h
    np.subtract.at(linear, first, 2.0 * ising.J)
    np.subtract.at(linear, second, 2.0 * ising.J)
    offset = ising.offset + ising.h.sum() + ising.J.sum()
    return dimod.BinaryQuadraticModel.from_numpy_vectors(linear, (first, second, 4.0 * ising.J), offset, dimod.BINARY)


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
