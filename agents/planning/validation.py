"""What makes a problem or a setting usable, checked once when it is made."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

if TYPE_CHECKING:
    from agents.planning.problem import Problem


class PlanningError(ValueError):
    """A problem, budget or planner setting that cannot be used; the message names the element."""


def check_whole(what: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise PlanningError where a setting is not an integer in [least, most]; ``what`` names it."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= value:
        if most is None or value <= most:
            return
    allowed = f">= {least}" if most is None else f"in [{least}, {most}]"
    raise PlanningError(f"{what}: must be an integer {allowed}, got {value!r}")


def check_number(what: str, value: Any, low: float = 0.0, high: float = np.inf, *, above: bool = False) -> None:
    """Raise PlanningError where a setting is not a finite number in [low, high], or in (low, high] if ``above``."""
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        if np.isfinite(value) and value <= high and (value > low if above else value >= low):
            return
    bounded = f"in {'(' if above else '['}{low:g}, {high:g}]"
    allowed = bounded if high < np.inf else f"{'>' if above else '>='} {low:g}"
    raise PlanningError(f"{what}: must be a finite number {allowed}, got {value!r}")


def check_choice(what: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise PlanningError where a setting is none of the allowed names."""
    if value not in allowed:
        raise PlanningError(f"{what}: must be one of {', '.join(allowed)}, got {value!r}")


def check_shapes(problem: "Problem") -> None:
    """Raise PlanningError where an array of the problem does not fit (G, T)."""
    if problem.linear.ndim != 2 or problem.linear.shape[1] < 1:
        raise PlanningError(f"linear: expected shape (groups, options >= 1), got {problem.linear.shape}")
    groups, options = problem.linear.shape
    expected = {
        "pairwise": (groups, options, groups, options),
        "shareable": (options,),
        "group_ids": (groups,),
        "option_ids": (options,),
    }
    for field, shape in expected.items():
        if getattr(problem, field).shape != shape:
            raise PlanningError(f"{field}: expected shape {shape}, got {getattr(problem, field).shape}")


def check_costs(problem: "Problem") -> None:
    """Raise PlanningError at the first cost that is no cost, naming its group and option."""

    def label(g: int, t: int) -> str:
        return f"group {problem.group_ids[g]}, option {problem.option_ids[t]} (column {t})"

    linear, pairwise = problem.linear, problem.pairwise
    for g, t in np.argwhere(np.isnan(linear) | np.isneginf(linear)):
        raise PlanningError(f"linear: cost {linear[g, t]} of {label(g, t)}; it must be finite, or +inf if not allowed")
    for g, t, h, u in np.argwhere(~np.isfinite(pairwise)):
        raise PlanningError(f"pairwise: cost {pairwise[g, t, h, u]} of {label(g, t)} with {label(h, u)}; not finite")
    scale = float(np.abs(pairwise).max(initial=0.0))
    for g, t, h, u in np.argwhere(np.abs(pairwise - pairwise.transpose(2, 3, 0, 1)) > 1e-12 * scale):
        raise PlanningError(f"pairwise: not symmetric for {label(g, t)} with {label(h, u)}")
    for g in range(problem.groups):
        for t, u in np.argwhere(pairwise[g, :, g, :]):
            raise PlanningError(f"pairwise: {label(g, t)} with its own option column {u} must be 0")
        if not np.isfinite(linear[g]).any():
            raise PlanningError(f"linear: group {problem.group_ids[g]} has no allowed option")


def check_features(problem: "Problem") -> None:
    """Raise PlanningError at a feature that does not fit (G, T) or cannot be ranked."""
    for name, values in problem.features.items():
        if values.shape != problem.linear.shape:
            raise PlanningError(f"feature {name!r}: expected shape {problem.linear.shape}, got {values.shape}")
        for g, t in np.argwhere(np.isnan(values)):
            raise PlanningError(
                f"feature {name!r}: nan for group {problem.group_ids[g]}, column {t}; it must be a number"
            )


def check_matching(problem: "Problem") -> None:
    """Raise PlanningError where the distinct rule cannot be met, naming a group that finds no option of its own.

    A group that may take a shareable option can always be placed; the others need a matching among the rest.
    """
    bound = np.flatnonzero(~problem.allowed[:, problem.shareable].any(axis=1))
    if not bound.size:
        return
    columns = np.flatnonzero(~problem.shareable)
    graph = csr_array(problem.allowed[np.ix_(bound, columns)].astype(np.int8))
    matched = maximum_bipartite_matching(graph, perm_type="column")
    for group in bound[matched < 0]:
        menu = problem.option_ids[problem.allowed[group]].tolist()
        raise PlanningError(
            f"distinct: group {problem.group_ids[group]} finds no option of its own among {menu}: "
            f"{bound.size} groups without a shareable option compete for {columns.size} options"
        )
