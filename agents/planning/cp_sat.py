"""The exact planner's solver for problems too large to enumerate. Importing this module loads OR-Tools."""

import time
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from agents.planning.problem import Problem

_SCALE = 1e9  # CP-SAT is an integer solver: the largest cost becomes this many units


def solve_cp_sat(
    problem: Problem, hint: np.ndarray, *, ends_s: float, seed: int
) -> tuple[np.ndarray | None, bool, int]:
    """Minimise the cost with CP-SAT on one worker, so that the same seed repeats the same search.

    Costs are rounded to 1e-9 of the largest one; choices closer than that count as equally good.

    Args:
        problem: what to solve.
        hint: (G,) int, a feasible choice to start from.
        ends_s: when to stop, on the clock of ``time.perf_counter`` [s]; the model is built within it too.
        seed: in [0, 2^31).

    Returns:
        The choice (G,) int64 or None where the time did not suffice for any, whether it is proven optimal, and the
        branches explored.
    """
    model, taken = _model(problem, hint)
    left_s = ends_s - time.perf_counter()
    if left_s <= 0.0:
        return None, False, 0
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = left_s
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    branches = int(solver.num_branches)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, False, branches
    choice = np.zeros(problem.groups, dtype=np.int64)
    for (group, option), variable in taken.items():
        if solver.value(variable):
            choice[group] = option
    return choice, status == cp_model.OPTIMAL, branches


def _model(problem: Problem, hint: np.ndarray) -> tuple[Any, dict[tuple[int, int], Any]]:
    """The problem as a 0-1 program: a variable per allowed (group, option), one more per coupled pair of them."""
    finite = problem.linear[problem.allowed]
    largest = max(float(np.abs(finite).max(initial=0.0)), float(np.abs(problem.pairwise).max(initial=0.0)))
    scale = _SCALE / largest if largest > 0.0 else 1.0
    model = cp_model.CpModel()
    taken = {(int(g), int(t)): model.new_bool_var(f"x{g}_{t}") for g, t in np.argwhere(problem.allowed)}
    terms = [round(scale * problem.linear[key]) * variable for key, variable in taken.items()]
    for group in range(problem.groups):
        model.add_exactly_one(taken[group, int(t)] for t in np.flatnonzero(problem.allowed[group]))
    if problem.distinct:
        for option in np.flatnonzero(~problem.shareable):
            model.add_at_most_one(taken[int(g), int(option)] for g in np.flatnonzero(problem.allowed[:, option]))
    for (g, t), (h, u) in _coupled_pairs(problem):
        both = model.new_bool_var(f"y{g}_{t}_{h}_{u}")
        cost = round(scale * problem.pairwise[g, t, h, u])
        # Only the direction that the cost pushes against needs a constraint.
        if cost > 0:
            model.add_bool_or(taken[g, t].negated(), taken[h, u].negated(), both)
        else:
            model.add_implication(both, taken[g, t])
            model.add_implication(both, taken[h, u])
        terms.append(cost * both)
    for key, variable in taken.items():
        model.add_hint(variable, int(hint[key[0]] == key[1]))
    model.minimize(sum(terms))
    return model, taken


def _coupled_pairs(problem: Problem) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Allowed ((g, t), (h, u)) with g < h and a non-zero pairwise cost."""
    pairs = []
    for g, t, h, u in np.argwhere(problem.pairwise):
        if g < h and problem.allowed[g, t] and problem.allowed[h, u]:
            pairs.append(((int(g), int(t)), (int(h), int(u))))
    return pairs
