"""Planners that rank by one feature and look at neither costs nor couplings: nearest, and most critical first.

They are the rules that people follow without computing, and the floor that advice has to beat. Like the greedy policies
of the same names, a robot does not go to a patient whom another has taken while there is anybody else.
"""

import time
from dataclasses import dataclass

import numpy as np

from agents.planning.classical import others_can_follow, scored_plan
from agents.planning.problem import Budget, Plan, PlanningError, Problem

_NEARER_FIRST = 1e-6  # of the features "rpm" and "travel_min": RPM points per minute, breaks ties only


@dataclass(frozen=True)
class NearestPlanner:
    """The nearest (robot, task) first, again and again; needs the feature "travel_min"."""

    name: str = "nearest"

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The choice; deterministic, draws nothing from ``rng``.

        Raises:
            PlanningError: the problem has no such feature.
        """
        started_s = time.perf_counter()
        choice = ranked_choice(problem, _feature(problem, "travel_min", self.name))
        return scored_plan(problem, choice, self.name, started_s, evaluations=1, budget=budget)


@dataclass(frozen=True)
class CriticalPlanner:
    """The lowest RPM first, the nearer robot among equals; needs the features "rpm" and "travel_min"."""

    name: str = "critical"

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The choice; deterministic, draws nothing from ``rng``.

        Raises:
            PlanningError: the problem lacks one of the features.
        """
        started_s = time.perf_counter()
        rank = _feature(problem, "rpm", self.name) + _NEARER_FIRST * _feature(problem, "travel_min", self.name)
        return scored_plan(problem, ranked_choice(problem, rank), self.name, started_s, evaluations=1, budget=budget)


def _feature(problem: Problem, feature: str, planner: str) -> np.ndarray:
    if feature not in problem.features:
        has = ", ".join(sorted(problem.features)) or "none"
        raise PlanningError(f"planner {planner!r} ranks by the feature {feature!r}; {problem.name!r} has {has}")
    return problem.features[feature]


def ranked_choice(problem: Problem, rank: np.ndarray) -> np.ndarray:
    """Fix the groups in the order of the lowest rank (group, option) still free.

    What is exclusive (not shareable) is left to who took it first, other options of the same id included, as long as
    a group has anything else; a distinct problem's rule is always kept.

    Args:
        problem: says what is allowed, shareable and distinct.
        rank: (G, T) float64, lower is taken earlier; +inf only where a group has nothing of finite rank.

    Returns:
        (G,) int64, feasible.
    """
    choice = np.zeros(problem.groups, dtype=np.int64)
    open_groups = np.ones(problem.groups, dtype=bool)
    taken = np.zeros(problem.options, dtype=bool)
    menu = problem.allowed.copy()
    while open_groups.any():
        # Three classes, the best one first: a rank, no rank ("no task"), and what another has taken already.
        order = np.lexsort((rank.ravel(), np.where(taken, 2, np.where(np.isfinite(rank), 0, 1)).ravel()))
        candidates = order[(open_groups[:, None] & menu).ravel()[order]]
        group, option = np.unravel_index(int(candidates[0]), rank.shape)
        if problem.distinct and not others_can_follow(problem, menu, open_groups, int(group), int(option)):
            menu[group, option] = False
            continue
        choice[group] = option
        open_groups[group] = False
        if not problem.shareable[option]:
            taken |= (problem.option_ids == problem.option_ids[option]) & ~problem.shareable
            if problem.distinct:
                menu[open_groups, option] = False
    return choice
