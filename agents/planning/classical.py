"""Classical planners: random feasible, greedy, linear assignment and exact (enumeration, CP-SAT beyond it).

OR-Tools is imported when CP-SAT is first needed.
"""

import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from agents.planning.problem import Budget, Plan, Problem
from agents.planning.validation import check_number, check_whole

_ENUMERATION_BLOCK = 1 << 13
_CP_SAT_TIME_S = 10.0
_REJECTION_TRIES = 1000


def scored_plan(
    problem: Problem,
    choice: np.ndarray,
    planner: str,
    started_s: float,
    *,
    evaluations: int,
    optimal: bool = False,
    notes: tuple[str, ...] = (),
    budget: Budget | None = None,
) -> Plan:
    """The plan of a classical planner that began at ``time.perf_counter() == started_s``."""
    value = problem.cost(choice)
    wall_s = time.perf_counter() - started_s
    if budget is not None:
        notes += budget.lateness(wall_s, notes)
    return Plan(
        choice=np.asarray(choice, dtype=np.int64),
        value=value,
        optimum=value if optimal else None,
        feasible=bool(np.isfinite(value)),
        evaluations=evaluations,
        shots=0,
        wall_s=wall_s,
        modelled_latency_s=wall_s,
        planner=planner,
        note="; ".join(notes),
    )


def one_to_one_choice(problem: Problem, linear: np.ndarray | None = None) -> np.ndarray | None:
    """The one-to-one choice of least linear cost; shareable options may repeat.

    Args:
        problem: says which options are shareable.
        linear: (G, T) costs to use in place of the problem's, +inf where not allowed.

    Returns:
        (G,) int64, or None where no one-to-one choice exists.
    """
    linear = problem.linear if linear is None else linear
    # A shareable option is a column for every group; exclusive options keep the single column they have.
    columns = np.concatenate(
        [np.flatnonzero(~problem.shareable), np.tile(np.flatnonzero(problem.shareable), problem.groups)]
    ).astype(np.int64)
    if columns.size < problem.groups:
        return None
    try:
        groups, chosen = linear_sum_assignment(linear[:, columns])
    except ValueError:  # scipy: no assignment of finite cost
        return None
    choice = np.zeros(problem.groups, dtype=np.int64)
    choice[groups] = columns[chosen]
    return choice


def greedy_choice(problem: Problem) -> np.ndarray:
    """Fix one group after the other, always the (group, option) of least marginal cost given those fixed before.

    With ``distinct`` an option that would leave the remaining groups without a one-to-one choice is passed over, so
    the answer is always feasible. Ties go to the lowest group, then the lowest option.

    Returns:
        (G,) int64.
    """
    choice = np.zeros(problem.groups, dtype=np.int64)
    open_groups = np.ones(problem.groups, dtype=bool)
    marginal = np.array(problem.linear)  # +inf marks what can no longer be taken
    while open_groups.any():
        candidates = np.where(open_groups[:, None], marginal, np.inf)
        group, option = np.unravel_index(int(np.argmin(candidates)), candidates.shape)
        if problem.distinct and not others_can_follow(
            problem, np.isfinite(marginal), open_groups, int(group), int(option)
        ):
            marginal[group, option] = np.inf
            continue
        choice[group] = option
        open_groups[group] = False
        marginal += problem.pairwise[group, option]
        if problem.distinct and not problem.shareable[option]:
            marginal[open_groups, option] = np.inf
    return choice


def others_can_follow(problem: Problem, menu: np.ndarray, open_groups: np.ndarray, group: int, option: int) -> bool:
    """Whether the still open groups can be placed one to one once the group has taken the option.

    Args:
        problem: says which options are shareable.
        menu: (G, T) bool, what each group may still take.
        open_groups: (G,) bool, groups not placed yet.
        group, option: what would be taken.
    """
    remaining = np.where(menu, 0.0, np.inf)
    if not problem.shareable[option]:
        remaining[:, option] = np.inf
    others = open_groups.copy()
    others[group] = False
    # Groups already placed hold options that are +inf for the open ones; a free column keeps them out of the way.
    shareable = np.flatnonzero(problem.shareable)
    columns = np.concatenate([np.flatnonzero(~problem.shareable), np.tile(shareable, int(others.sum()))]).astype(int)
    if columns.size < others.sum():
        return False
    try:
        linear_sum_assignment(remaining[np.ix_(others, columns)])
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class RandomPlanner:
    """Best of a number of random feasible choices: the floor that any sampling planner must beat.

    Uniform over the feasible choices (by rejection; where ``distinct`` rejects 1000 in a row, a one-to-one choice for
    random costs is taken, which is no longer uniform).

    Attributes:
        samples: how many choices to draw unless the budget's shots say otherwise, >= 1.
    """

    samples: int = 1
    name: str = "random"

    def __post_init__(self) -> None:
        check_whole("random samples", self.samples, 1)

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The best of the drawn choices."""
        started_s = time.perf_counter()
        samples = self.samples if budget.shots is None else budget.shots
        if budget.evaluations is not None:
            samples = min(samples, budget.evaluations)
        best, value, drawn = self._draw(problem, rng), np.inf, 0
        notes: tuple[str, ...] = ()
        while drawn < samples:
            candidate = best if drawn == 0 else self._draw(problem, rng)
            cost = problem.cost(candidate)
            drawn += 1
            if cost < value:
                best, value = candidate, cost
            if budget.time_s is not None and time.perf_counter() - started_s > budget.time_s and drawn < samples:
                notes = (f"time budget {budget.time_s:g} s exceeded after {drawn} of {samples} samples",)
                break
        return scored_plan(problem, best, self.name, started_s, evaluations=drawn, notes=notes, budget=budget)

    @staticmethod
    def _draw(problem: Problem, rng: np.random.Generator) -> np.ndarray:
        menus = [np.flatnonzero(row) for row in problem.allowed]
        for _ in range(_REJECTION_TRIES):
            choice = np.array([rng.choice(menu) for menu in menus], dtype=np.int64)
            if problem.feasible(choice):
                return choice
        costs = np.where(problem.allowed, rng.random(problem.linear.shape), np.inf)
        matched = one_to_one_choice(problem, costs)
        assert matched is not None  # the problem's constructor proved that one exists
        return matched


@dataclass(frozen=True)
class GreedyPlanner:
    """Takes the best remaining (group, option) again and again, couplings to those already placed included."""

    name: str = "greedy"

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The greedy choice; deterministic, draws nothing from ``rng``."""
        started_s = time.perf_counter()
        choice = greedy_choice(problem)
        return scored_plan(problem, choice, self.name, started_s, evaluations=1, budget=budget)


@dataclass(frozen=True)
class LinearAssignmentPlanner:
    """One-to-one assignment of least linear cost (scipy): exact for distinct problems without couplings.

    Options that are not shareable go to one group at most, also where the problem would let groups share them: the
    couplings that make sharing good or bad are not seen.
    """

    name: str = "linear"

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The assignment; deterministic, draws nothing from ``rng``."""
        started_s = time.perf_counter()
        coupled = bool(problem.pairwise.any())
        notes: tuple[str, ...] = ("pairwise costs ignored",) if coupled else ()
        choice = one_to_one_choice(problem)
        if choice is None:  # only without the distinct rule: more groups than options
            choice = np.argmin(problem.linear, axis=1)
            notes += ("no one-to-one choice exists; each group takes its cheapest option",)
        optimal = problem.distinct and not coupled
        return scored_plan(
            problem, choice, self.name, started_s, evaluations=1, optimal=optimal, notes=notes, budget=budget
        )


@dataclass(frozen=True)
class ExactPlanner:
    """The optimum: enumeration where there are few joint choices, CP-SAT beyond.

    Starts from the greedy choice, so that an exhausted budget still returns a feasible answer. The budget's
    evaluations bound the enumeration; CP-SAT is bounded by time alone.

    Attributes:
        enumeration_limit: largest number of joint choices that is enumerated, >= 0 (0: always CP-SAT).
        time_s: CP-SAT's time limit where the budget sets none [s], > 0.

    Raises:
        PlanningError: a setting out of range.
    """

    enumeration_limit: int = 10**6
    time_s: float = _CP_SAT_TIME_S
    name: str = "exact"

    def __post_init__(self) -> None:
        check_whole("exact enumeration_limit", self.enumeration_limit, 0)
        check_number("exact time_s", self.time_s, above=True)

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The proven optimum, or the best choice found within the budget."""
        if problem.states <= self.enumeration_limit:
            return self._enumerate(problem, budget)
        return self._solve(problem, budget, rng)

    def _enumerate(self, problem: Problem, budget: Budget) -> Plan:
        started_s = time.perf_counter()
        menus = [np.flatnonzero(row) for row in problem.allowed]
        sizes = tuple(len(menu) for menu in menus)
        limit = problem.states if budget.evaluations is None else min(problem.states, budget.evaluations)
        best = greedy_choice(problem)
        value = problem.cost(best)
        seen = 0
        while seen < limit:
            rows = np.arange(seen, min(seen + _ENUMERATION_BLOCK, limit))
            digits = np.unravel_index(rows, sizes) if sizes else ()
            choices = np.zeros((len(rows), problem.groups), dtype=np.int64)
            for group, digit in enumerate(digits):
                choices[:, group] = menus[group][digit]
            costs = problem.costs(choices)
            row = int(np.argmin(costs))
            if costs[row] < value:
                best, value = choices[row], float(costs[row])
            seen += len(rows)
            if budget.time_s is not None and time.perf_counter() - started_s > budget.time_s:
                break
        complete = seen == problem.states
        notes = () if complete else (f"budget exceeded after {seen} of {problem.states} joint choices",)
        return scored_plan(
            problem, best, self.name, started_s, evaluations=seen, optimal=complete, notes=notes, budget=budget
        )

    def _solve(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        started_s = time.perf_counter()
        from agents.planning.cp_sat import solve_cp_sat

        time_s = self.time_s if budget.time_s is None else budget.time_s
        hint = greedy_choice(problem)
        notes: tuple[str, ...] = ()
        ends_s = started_s + time_s
        found, proven, branches = solve_cp_sat(problem, hint, ends_s=ends_s, seed=int(rng.integers(2**31)))
        if found is None:
            choice, notes = hint, (f"time budget {time_s:g} s exceeded before a solution; greedy answer",)
        else:
            # An unfinished search may end on worse than what it was given to start from.
            choice = found if proven or problem.cost(found) < problem.cost(hint) else hint
            if not proven:
                notes = (f"time budget {time_s:g} s exceeded before the proof of optimality",)
        return scored_plan(problem, choice, self.name, started_s, evaluations=branches, optimal=proven, notes=notes)
