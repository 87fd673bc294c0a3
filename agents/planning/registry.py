"""Planners by name, for the command line and the advisors."""

from collections.abc import Callable
from typing import Any

from agents.planning.annealing import SimulatedAnnealingPlanner, TabuPlanner
from agents.planning.classical import ExactPlanner, GreedyPlanner, LinearAssignmentPlanner, RandomPlanner
from agents.planning.problem import Planner, PlanningError
from agents.planning.ranking import CriticalPlanner, NearestPlanner


def _qaoa(**settings: Any) -> Planner:
    # Imported here so that naming planners does not load the quantum stack.
    from agents.quantum.qaoa import QAOAPlanner

    return QAOAPlanner(**settings)


def _vqe(**settings: Any) -> Planner:
    from agents.quantum.vqe import VQEPlanner

    return VQEPlanner(**settings)


def _gas(**settings: Any) -> Planner:
    from agents.quantum.grover import GroverPlanner

    return GroverPlanner(**settings)


def _qpu(**settings: Any) -> Planner:
    from agents.quantum.remote import RemotePlanner

    return RemotePlanner(**settings)


def _offload(**settings: Any) -> Planner:
    from agents.offload import OffloadPlanner

    return OffloadPlanner(**settings)


FACTORIES: dict[str, Callable[..., Planner]] = {
    "random": RandomPlanner,
    "nearest": NearestPlanner,
    "critical": CriticalPlanner,
    "greedy": GreedyPlanner,
    "linear": LinearAssignmentPlanner,
    "exact": ExactPlanner,
    "sa": SimulatedAnnealingPlanner,
    "tabu": TabuPlanner,
    "qaoa": _qaoa,
    "vqe": _vqe,
    "gas": _gas,
    "qpu": _qpu,
    "offload": _offload,
}


def planner_names() -> tuple[str, ...]:
    """Names that :func:`make_planner` takes."""
    return tuple(FACTORIES)


def make_planner(name: str, **settings: Any) -> Planner:
    """Make a planner.

    Args:
        name: one of :func:`planner_names`.
        **settings: keyword arguments of the planner's class.

    Raises:
        PlanningError: unknown name, or a setting the planner does not have.
    """
    if name not in FACTORIES:
        raise PlanningError(f"unknown planner {name!r}; allowed: {', '.join(planner_names())}")
    try:
        return FACTORIES[name](**settings)
    except TypeError as error:
        raise PlanningError(f"planner {name!r}: {error}") from error
