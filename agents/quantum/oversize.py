"""What a one-hot planner does with a problem that its register cannot hold."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import PlanningError, Problem
from agents.quantum.ising import one_hot_qubits

RULES = ("shrink", "refuse")


def fit_register(
    problem: Problem, planner: str, rule: str, max_qubits: int, fits: Callable[[Problem], bool] | None = None
) -> tuple[Problem, list[str]]:
    """The problem, or the part of it that the register holds, and notes on what was left out.

    Args:
        problem: any.
        planner: name for the message.
        rule: "shrink" (see :func:`shrink`) or "refuse".
        max_qubits: size of the register, >= 2.
        fits: whether the register holds a problem, where that is not the number of its one-hot qubits alone.

    Raises:
        PlanningError: the problem is too large and the rule is "refuse".
    """
    held = fits or (lambda part: one_hot_qubits(part) <= max_qubits)
    if held(problem):
        return problem, []
    needed = one_hot_qubits(problem)
    if rule == "refuse":
        raise PlanningError(f"{planner}: the problem's {needed} one-hot qubits do not fit, max_qubits is {max_qubits}")
    kept = shrink(problem, held)
    counts = problem.allowed.sum(axis=1)
    note = f"shrunk from {needed} qubits: {kept.allowed.sum()} of {counts.sum()} options kept"
    decided = int(((kept.allowed.sum(axis=1) == 1) & (counts > 1)).sum())
    return kept, [note + (f", {decided} groups left to greedy" if decided else "")]


def shrink(problem: Problem, fits: Callable[[Problem], bool]) -> Problem:
    """The problem with just so few allowed options that it fits.

    Every group keeps its option of the greedy choice, so that the kept part is feasible and contains an answer no
    worse than greedy. Among the groups with most options, the option farthest behind its group's greedy one goes, again
    and again, judged by linear cost plus the most favourable single coupling. A group left with its greedy option
    alone needs no qubit. Columns stay, dropped options become not allowed: a choice means the same in both problems.
    """
    held = greedy_choice(problem)
    offered = problem.allowed[None, None]
    coupling = np.where(offered, problem.pairwise, 0.0).min(axis=(2, 3), initial=0.0)
    merit = problem.linear + coupling
    groups = np.arange(problem.groups)
    behind = merit - merit[groups, held][:, None]
    behind[groups, held] = -np.inf
    keep = problem.allowed.copy()
    while not fits(problem):
        counts = keep.sum(axis=1)
        droppable = keep & (counts == counts.max())[:, None]
        keep[np.unravel_index(int(np.argmax(np.where(droppable, behind, -np.inf))), keep.shape)] = False
        problem = replace(problem, linear=np.where(keep, problem.linear, np.inf))
    return problem
