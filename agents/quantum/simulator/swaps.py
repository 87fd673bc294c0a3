"""The swap mixer's factors on feasible joint choices: hops to a free option, then exchanges of two groups' options.

A hop of group g moves it between two options that are free for it; an exchange of groups g and h swaps what they hold.
Both keep the distinct rule, so the mixer never leaves the feasible set.

Where the choices are all injections (every option allowed and exclusive) the states after any choice of the first g
groups look alike: the remaining options in ascending order stand for each other. So the pairs of a factor whose first
group is g are those of one such block, repeated; and an exchange of g and h moves the groups behind h along unchanged,
in runs. Elsewhere (masks, shareable options) each factor lists all its pairs.
"""

import math

import numba
import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.simulator.pairs import PairFactors


def swap_factors(problem: Problem, choices: np.ndarray) -> PairFactors:
    """The factors in the order of the mixer: hops by group, exchanges by pair of groups.

    Args:
        problem: with the distinct rule.
        choices: (N, G) int16, its feasible choices in lexicographic order.
    """
    groups, options = problem.groups, problem.options
    alike = bool(problem.allowed.all()) and not problem.shareable.any()
    # states of the block below a choice of the first g groups: (T - g)! / (T - G)!
    block = np.ones(groups + 1, dtype=np.int64)
    for g in range(groups - 1, -1, -1):
        block[g] = block[g + 1] * (options - g)
    places = _places(problem)
    codes = places[np.arange(groups), choices].sum(axis=1)
    factors = []
    for g in range(groups):
        size = int(block[g]) if alike else len(choices)
        pairs = _hops(choices[:size], codes[:size], problem.allowed[g], problem.shareable, g, places[g])
        factors.append((size, 1, pairs))
    for g in range(groups):
        for h in range(g + 1, groups):
            size, run = (int(block[g]), int(block[h + 1])) if alike else (len(choices), 1)
            pairs = _exchanges(choices[:size], codes[:size], problem.allowed, run, g, h, places)
            factors.append((size, run, pairs))
    return PairFactors.from_lists(factors)


def _places(problem: Problem) -> np.ndarray:
    """(G, T) int64: what each choice adds to the code of a joint choice; codes ascend in lexicographic order."""
    if problem.states >= 1 << 62:
        raise PlanningError(f"simulation: {problem.states} joint choices cannot be numbered; allowed are 2^62")
    counts = problem.allowed.sum(axis=1)
    weights = [math.prod(counts[g + 1 :].tolist()) for g in range(problem.groups)]
    return (np.cumsum(problem.allowed, axis=1) - 1) * np.array(weights, dtype=np.int64)[:, None]


def _hops(
    choices: np.ndarray, codes: np.ndarray, allowed: np.ndarray, shareable: np.ndarray, g: int, places: np.ndarray
) -> np.ndarray:
    """(M, 2) pairs of states that differ in the option of group g, in the order of their two options."""
    count = _list_hops(choices, codes, allowed, shareable, g, places, np.zeros((0, 2), np.int64))
    pairs = np.empty((count, 2), np.int64)
    _list_hops(choices, codes, allowed, shareable, g, places, pairs)
    return pairs


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _list_hops(choices, codes, allowed, shareable, g, places, pairs):
    """Count the hops of a group, and write them where there is room.

    The states reached from one another form cliques, one per choice of the other groups, and only the order within a
    clique matters: the clique of a state is listed where g holds its lowest free option.
    """
    groups, options = choices.shape[1], allowed.size
    free = np.zeros(options, dtype=np.int64)
    members = np.zeros(options, dtype=np.int64)
    count = 0
    for x in range(len(choices)):
        size = 0
        for t in range(options):
            taken = not allowed[t]
            if not shareable[t]:
                for h in range(groups):
                    taken = taken or (h != g and choices[x, h] == t)
            if not taken:
                free[size] = t
                size += 1
        if free[0] != choices[x, g]:
            continue
        if len(pairs):
            for i in range(size):
                members[i] = np.searchsorted(codes, codes[x] + places[free[i]] - places[free[0]])
        for i in range(size):
            for j in range(i + 1, size):
                if len(pairs):
                    pairs[count, 0], pairs[count, 1] = members[i], members[j]
                count += 1
    return count


def _exchanges(
    choices: np.ndarray, codes: np.ndarray, allowed: np.ndarray, run: int, g: int, h: int, places: np.ndarray
) -> np.ndarray:
    """(M, 2) pairs of states in which g and h hold each other's options; first states of runs only."""
    heads = np.arange(0, len(choices), run)
    of_g, of_h = choices[heads, g], choices[heads, h]
    chosen = (of_g < of_h) & allowed[g, of_h] & allowed[h, of_g]
    heads, of_g, of_h = heads[chosen], of_g[chosen], of_h[chosen]
    partners = codes[heads] + places[g, of_h] - places[g, of_g] + places[h, of_g] - places[h, of_h]
    return np.stack([heads, np.searchsorted(codes, partners)], axis=1)
