"""The whole problem as one Ising energy, penalties for every rule included: what the textbook QAOA needs.

Energy of a bit string x over the qubits of :func:`agents.quantum.ising.encode`:

    E(x) = cost(x) - floor(x) + P sum_g (sum_t x_gt - 1)^2 + P (pairs of groups on one exclusive option)

Here floor(x) takes each group's lowest linear cost off its options and each pair of groups' lowest coupling off
theirs, and the sum of all of them is put back as a constant. On one-hot strings that changes nothing; on the others
it keeps all terms >= 0, so that with P >= the cost's range (factor >= 1) no string that breaks a rule lies below a
feasible one. Without it a string that leaves expensive groups out could undercut the optimum at any factor.
"""

from dataclasses import replace

import numpy as np

from agents.planning.problem import Problem
from agents.quantum.ising import Ising, distinct_penalty, encode, penalised


def penalty_ising(problem: Problem, factor: float = 1.0) -> Ising:
    """The Ising energy of a problem with one-hot and distinct rules as penalties.

    Args:
        problem: any problem; options that are not allowed and groups without a choice get no qubit.
        factor: penalty for one broken rule, in bounds on the cost's range
            (:func:`agents.quantum.ising.distinct_penalty`); with >= 1 the ground state is the optimum.

    Returns:
        Its energy equals the problem's cost on every feasible string.
    """
    raised, floor = _raised(problem)
    ising = encode(penalised(raised, factor))
    penalty = distinct_penalty(raised, factor)
    # P (sum x - 1)^2 = P - P sum x + 2 P sum x x' over a register's pairs, and x = (1 - z) / 2.
    h, couplings = ising.h.copy(), np.zeros((ising.qubits, ising.qubits))
    couplings[ising.pairs[:, 0], ising.pairs[:, 1]] = ising.J
    offset, start = ising.offset + floor, 0
    for length in ising.registers:
        register = slice(start, start + length)
        h[register] += 0.5 * penalty * (2 - length)
        couplings[register, register] += np.triu(np.full((length, length), 0.5 * penalty), 1)
        offset += penalty * (1.0 - 0.5 * length + 0.25 * length * (length - 1))
        start += length
    first, second = np.nonzero(couplings)
    return replace(ising, h=h, pairs=np.stack([first, second], axis=1), J=couplings[first, second], offset=offset)


def _raised(problem: Problem) -> tuple[Problem, float]:
    """The problem with every group's and every pair of groups' lowest cost at zero, and what that took off."""
    lowest = problem.linear.min(axis=1, initial=np.inf)
    offered = problem.allowed[:, :, None, None] & problem.allowed[None, None]
    between = np.where(offered, problem.pairwise, np.inf).min(axis=(1, 3), initial=np.inf)
    between[np.diag_indices(problem.groups)] = 0.0
    pairwise = problem.pairwise - between[:, None, :, None]
    floor = float(lowest.sum() + 0.5 * between.sum())
    return replace(problem, linear=problem.linear - lowest[:, None], pairwise=pairwise), floor
