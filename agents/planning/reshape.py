"""A problem cut to some of its groups and options, or with its couplings made weaker or stronger."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agents.planning.problem import PlanningError, Problem


def restrict(problem: Problem, groups: Sequence[int] | np.ndarray, options: Sequence[int] | np.ndarray) -> Problem:
    """The problem of some groups and some options, in the given order; features and ids go along.

    Args:
        problem: what to cut.
        groups: group indices in [0, G).
        options: option columns in [0, T).

    Raises:
        PlanningError: what is left has a group without an allowed option or breaks the distinct rule.
    """
    rows, columns = np.asarray(groups, dtype=np.int64), np.asarray(options, dtype=np.int64)
    table = np.ix_(rows, columns)
    return replace(
        problem,
        linear=problem.linear[table],
        pairwise=problem.pairwise[np.ix_(rows, columns, rows, columns)],
        shareable=problem.shareable[columns],
        group_ids=problem.group_ids[rows],
        option_ids=problem.option_ids[columns],
        features={name: values[table] for name, values in problem.features.items()},
    )


def centred(problem: Problem) -> tuple[Problem, float]:
    """An equivalent problem whose pairwise costs are pure interaction.

    What a pair of groups costs on average over the other's allowed options moves into the linear costs (the additive
    part of the analysis of variance, see :attr:`Problem.moments`); the mean of the pairs becomes a constant.

    Returns:
        The problem, and the constant: original cost = cost of the returned problem + constant.
    """
    linear, pairwise = np.array(problem.linear), np.zeros_like(problem.pairwise)
    constant = 0.0
    for g in range(problem.groups):
        for h in range(g + 1, problem.groups):
            block = np.ix_(problem.allowed[g], problem.allowed[h])
            table = problem.pairwise[g, :, h, :][block]
            rows, columns, mean = table.mean(axis=1), table.mean(axis=0), float(table.mean())
            interaction = np.zeros((problem.options, problem.options))
            interaction[block] = table - rows[:, None] - columns[None, :] + mean
            pairwise[g, :, h, :], pairwise[h, :, g, :] = interaction, interaction.T
            linear[g, problem.allowed[g]] += rows - mean
            linear[h, problem.allowed[h]] += columns - mean
            constant += mean
    return replace(problem, linear=linear, pairwise=pairwise), constant


def with_coupling(problem: Problem, strength: float) -> tuple[Problem, float]:
    """The problem with its interaction scaled to a coupling strength; its additive part stays as it is.

    Scaling the interaction alone (see :func:`centred`) makes the strength proportional to the factor. Scaling the raw
    pairwise costs would not: their additive part would grow with them, and large strengths could be out of reach.

    Args:
        problem: one with a coupling strength above 0 and finite.
        strength: wanted :attr:`Problem.coupling_strength`, > 0.

    Returns:
        The problem, and the factor.

    Raises:
        PlanningError: the strength is not positive, or the problem has no interaction or no additive part to scale
            against.
    """
    if not 0.0 < strength < np.inf:
        raise PlanningError(f"coupling strength: must be > 0 and finite, got {strength}")
    natural = problem.coupling_strength
    if not 0.0 < natural < np.inf:
        raise PlanningError(f"coupling strength: {problem.name!r} has strength {natural:g}, which no factor changes")
    factor = strength / natural
    pure, _ = centred(problem)
    return replace(pure, pairwise=factor * pure.pairwise), factor
