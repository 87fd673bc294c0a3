"""Angles of the QAOA layers: a linear ramp, tuned schedules that transfer between instances, or optimised ones.

All gammas are in radians per standard deviation of the cost over the ansatz' basis states
(:class:`agents.quantum.simulator.Simulation`), so that one schedule serves problems of any unit and size. That
schedules transfer between instances: Brandao et al. 2018 (arXiv 1812.04170).
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.simulator import ANSAETZE, Simulation, basis_states

RAMPS = Path(__file__).with_name("data") / "ramps.json"
KINDS = ("transferred", "ramp", "optimised")


@dataclass(frozen=True, eq=False)
class Angles:
    """The angles of p layers.

    Attributes:
        gammas: (p,) float64, cost angles [rad per standard deviation of the cost].
        betas: (p,) float64, mixer angles [rad].
        evaluations: circuit evaluations spent on finding them for this instance; 0 for fixed ones.
        note: where they come from.
    """

    gammas: np.ndarray
    betas: np.ndarray
    evaluations: int
    note: str


def linear_ramp(depth: int, gamma: float = 1.2, beta: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Linear ramps gamma_k = gamma f and beta_k = beta (1 - f) with f = (k - 1/2) / p, as an annealer's schedule.

    Args:
        depth: layers p, >= 1.
        gamma: final cost angle [rad per standard deviation].
        beta: first mixer angle [rad].

    Returns:
        gammas (p,) and betas (p,).

    Raises:
        PlanningError: depth < 1.
    """
    if depth < 1:
        raise PlanningError(f"depth: must be >= 1, got {depth}")
    progress = (np.arange(depth) + 0.5) / depth
    return gamma * progress, beta * (1.0 - progress)


def stretched(gammas: np.ndarray, betas: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """A schedule of another depth with the same shape: linear interpolation over the layers' progress (k - 1/2) / p."""
    old, new = ((np.arange(p) + 0.5) / p for p in (len(gammas), depth))
    return np.interp(new, old, gammas), np.interp(new, old, betas)


def transferred_ramp(
    ansatz: str, depth: int, states: int | None = None, *, distinct: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The tuned schedule of an ansatz, the same for every instance of its kind; :func:`ramp_for` knows the kind.

    Args:
        ansatz: one of :data:`agents.quantum.simulator.ANSAETZE`.
        depth: layers p, >= 1. Depths that were not tuned are stretched from the nearest tuned one.
        states: basis states of the simulation, for schedules tuned by size (interpolated in the logarithm between the
            classes that were tuned, constant beyond); the middle class if None.
        distinct: whether all chosen options must differ. "xy-ring" keeps that rule by a penalty, which makes up most of
            its cost's spread, and so has schedules of its own for it.

    Returns:
        gammas (p,) and betas (p,).

    Raises:
        PlanningError: unknown ansatz or depth < 1.
    """
    if ansatz not in ANSAETZE:
        raise PlanningError(f"ansatz {ansatz!r}: allowed are {', '.join(ANSAETZE)}")
    if depth < 1:
        raise PlanningError(f"depth: must be >= 1, got {depth}")
    tuned_for = _document()["ansaetze"]
    classes = tuned_for.get(f"{ansatz}, distinct" if distinct else ansatz, tuned_for[ansatz])
    nearest = min(classes[0]["depths"], key=lambda p: abs(np.log(int(p) / depth)))
    tuned = np.array([[one["depths"][nearest][angles] for angles in ("gammas", "betas")] for one in classes])
    sizes = np.log([one["states"] for one in classes])
    place = np.interp(sizes[len(sizes) // 2] if states is None else np.log(states), sizes, np.arange(len(sizes)))
    lower = min(int(place), len(sizes) - 2)
    gammas, betas = tuned[lower] + (place - lower) * (tuned[lower + 1] - tuned[lower])
    return stretched(gammas, betas, depth)


def ramp_for(problem: Problem, ansatz: str, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """The tuned schedule for a problem's size and rule; arguments and errors as :func:`transferred_ramp`."""
    return transferred_ramp(ansatz, depth, basis_states(problem, ansatz), distinct=problem.distinct)


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(RAMPS.read_text("utf-8"))
    return document


def optimised(
    simulation: Simulation, gammas: np.ndarray, betas: np.ndarray, *, evaluations: int | None = None
) -> Angles:
    """Lower the mean cost of one instance from a schedule, by L-BFGS-B on adjoint gradients.

    Args:
        simulation: the instance.
        gammas: (p,) cost angles to begin with.
        betas: (p,) mixer angles to begin with.
        evaluations: most circuit evaluations, a gradient counting as 2 p + 1 as it would by differences; None for no
            limit.

    Returns:
        The best angles met, never worse in mean cost than the first.
    """
    from scipy.optimize import minimize

    depth = len(gammas)
    price = 2 * depth + 1
    allowed = 15_000 if evaluations is None else evaluations // price
    best, spent = (np.inf, np.concatenate([gammas, betas])), 0

    def loss(angles: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, spent
        value, by_gamma, by_beta = simulation.gradient(*np.split(angles, 2))
        spent += 1
        if value < best[0]:
            best = value, angles.copy()
        if spent >= allowed:
            raise _Spent
        unit = simulation.spread or 1.0  # so that the tolerances mean the same for costs of any unit
        return value / unit, np.concatenate([by_gamma, by_beta]) / unit

    note = "optimised for the instance"
    if allowed < 1:
        return Angles(np.asarray(gammas), np.asarray(betas), 0, f"{note}: no gradient within {evaluations} evaluations")
    try:
        minimize(loss, best[1], jac=True, method="L-BFGS-B")
    except _Spent:
        note += f", stopped after {spent * price} evaluations"
    return Angles(best[1][:depth], best[1][depth:], spent * price, note)


class _Spent(Exception):
    """The evaluations are used up."""


def angles_for(
    simulation: Simulation, depth: int, kind: str = "transferred", *, evaluations: int | None = None
) -> Angles:
    """The angles of a kind for one instance.

    Args:
        simulation: the instance; looked at only by "optimised".
        depth: layers p, >= 1.
        kind: "transferred" (tuned once, default), "ramp" (linear) or "optimised" (from the transferred ones).
        evaluations: as :func:`optimised`.

    Raises:
        PlanningError: unknown kind or depth < 1.
    """
    if kind not in KINDS:
        raise PlanningError(f"parameters {kind!r}: allowed are {', '.join(KINDS)}")
    if kind == "ramp":
        return Angles(*linear_ramp(depth), 0, "linear ramp")
    gammas, betas = transferred_ramp(simulation.ansatz, depth, simulation.states, distinct=simulation.problem.distinct)
    if kind == "optimised":
        return optimised(simulation, gammas, betas, evaluations=evaluations)
    return Angles(gammas, betas, 0, "transferred ramp")
