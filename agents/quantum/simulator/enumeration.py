"""Joint choices in lexicographic order with their costs: the basis of every space but the full one."""

import numba
import numpy as np

from agents.planning.problem import PlanningError, Problem


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
    linear = np.where(problem.allowed, problem.linear, 0.0)
    tables = (problem.allowed, exclusive, linear, problem.pairwise)
    count = _enumerate(*tables, max_states, np.zeros((0, problem.groups), np.int16), np.zeros(0))
    if count > max_states:
        raise PlanningError(f"simulation: more than max_states = {max_states} feasible choices")
    choices, costs = np.empty((count, problem.groups), np.int16), np.empty(count)
    _enumerate(*tables, max_states, choices, costs)
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
    linear = np.where(problem.allowed, problem.linear, 0.0)
    nothing = np.zeros((0, problem.groups), np.int16)
    _enumerate(problem.allowed, free, linear, problem.pairwise, max_states, nothing, costs)
    return costs


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _enumerate(allowed, exclusive, linear, pairwise, most, choices, costs):
    """Depth-first over the groups; fills the arrays that are not empty; stops one beyond ``most``."""
    groups, options = allowed.shape
    chosen = np.full(groups + 1, -1)
    partial = np.zeros(groups + 1)
    taken = np.zeros(options, dtype=np.bool_)
    if groups == 0:
        costs[:] = 0.0
        return 1
    count, g = 0, 0
    while g >= 0:
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
        if count < len(choices):
            choices[count] = chosen[:groups]
        count += 1
        if count > most:
            break
    return count
