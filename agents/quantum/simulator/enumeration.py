"""Joint choices in lexicographic order with their costs: the basis of every space but the full one."""

import numba
import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.simulator.phases import ELEMENTWISE


def feasible_choices(problem: Problem, max_states: int) -> tuple[np.ndarray, np.ndarray]:
    """All feasible joint choices of a problem, first group slowest, options ascending.

    Args:
        problem: with or without a distinct rule.
        max_states: most choices allowed.

    Returns:
        (N, G) int16 option indices and (N,) float64 costs.

    Raises:
        PlanningError: more than ``max_states`` choices, or more than 32,767 options.
    """
    if problem.options > np.iinfo(np.int16).max:
        raise PlanningError(f"simulation: {problem.options} options; allowed are {np.iinfo(np.int16).max}")
    exclusive = ~problem.shareable if problem.distinct else np.zeros(problem.options, dtype=np.bool_)
    count = _enumerate(problem, exclusive, max_states, np.zeros((0, problem.groups), np.int16), np.zeros(0))
    if count > max_states:
        raise PlanningError(f"simulation: more than max_states = {max_states} feasible choices")
    choices, costs = np.empty((count, problem.groups), np.int16), np.empty(count)
    _enumerate(problem, exclusive, max_states, choices, costs)
    return choices, costs


def product_costs(problem: Problem, max_states: int) -> np.ndarray:
    """(N,) float64 costs of all allowed joint choices in lexicographic order, the distinct rule ignored.

    Raises:
        PlanningError: more than ``max_states`` choices.
    """
    if problem.states > max_states:
        raise PlanningError(f"simulation: {problem.states} one-hot states; max_states = {max_states}")
    costs = np.empty(problem.states)
    free = np.zeros(problem.options, dtype=np.bool_)
    _enumerate(problem, free, max_states, np.zeros((0, problem.groups), np.int16), costs)
    return costs


def _enumerate(problem: Problem, exclusive: np.ndarray, most: int, choices: np.ndarray, costs: np.ndarray) -> int:
    """Number of choices, at most ``most`` + 1; the arrays that are not empty are filled."""
    groups, options = problem.linear.shape
    if groups == 0:
        costs[:] = 0.0
        return 1
    chosen, partial, taken = np.full(groups, -1), np.zeros(groups + 1), np.zeros(options, np.bool_)
    linear = np.where(problem.allowed, problem.linear, 0.0)
    stacks = (chosen, partial, taken)
    return int(_descend(problem.allowed, exclusive, linear, problem.pairwise, most, *stacks, choices, costs))


@numba.njit(**ELEMENTWISE)
def _descend(allowed, exclusive, linear, pairwise, most, chosen, partial, taken, choices, costs):
    """Depth-first over the groups: costs are added up on the way down."""
    groups, options = allowed.shape
    count, g = 0, 0
    while g >= 0 and count <= most:
        t = chosen[g]
        if t >= 0:
            taken[t] = False
        t += 1
        while t < options and (not allowed[g, t] or taken[t]):
            t += 1
        if t == options:
            chosen[g] = -1
            g -= 1
            continue
        chosen[g] = t
        taken[t] = exclusive[t]
        cost = partial[g] + linear[g, t]
        for h in range(g):
            cost += pairwise[h, chosen[h], g, t]
        if g < groups - 1:
            partial[g + 1] = cost
            g += 1
            continue
        if count < costs.size:
            costs[count] = cost
        if count < choices.shape[0]:
            for h in range(groups):
                choices[count, h] = chosen[h]
        count += 1
    return count
