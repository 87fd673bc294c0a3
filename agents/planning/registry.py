"""Planners by name, for the command line and the advisors."""

from importlib import import_module
from typing import Any

from agents.planning.problem import Planner, PlanningError

# Module and class. Loaded when one is made, so that naming planners does not load the solvers and the quantum stack.
PLANNERS = {
    "random": ("agents.planning.classical", "RandomPlanner"),
    "nearest": ("agents.planning.ranking", "NearestPlanner"),
    "critical": ("agents.planning.ranking", "CriticalPlanner"),
    "greedy": ("agents.planning.classical", "GreedyPlanner"),
    "linear": ("agents.planning.classical", "LinearAssignmentPlanner"),
    "exact": ("agents.planning.classical", "ExactPlanner"),
    "sa": ("agents.planning.annealing", "SimulatedAnnealingPlanner"),
    "tabu": ("agents.planning.annealing", "TabuPlanner"),
    "qaoa": ("agents.quantum.qaoa", "QAOAPlanner"),
    "vqe": ("agents.quantum.vqe", "VQEPlanner"),
    "gas": ("agents.quantum.grover", "GroverPlanner"),
    "qpu": ("agents.quantum.remote", "RemotePlanner"),
    "offload": ("agents.offload", "OffloadPlanner"),
}


def planner_names() -> tuple[str, ...]:
    """Names that :func:`make_planner` takes."""
    return tuple(PLANNERS)


def make_planner(name: str, **settings: Any) -> Planner:
    """Make a planner.

    Args:
        name: one of :func:`planner_names`.
        **settings: keyword arguments of the planner's class.

    Raises:
        PlanningError: unknown name, or a setting the planner does not have.
    """
    if not isinstance(name, str) or name not in PLANNERS:
        raise PlanningError(f"unknown planner {name!r}; allowed: {', '.join(planner_names())}")
    module, planner = PLANNERS[name]
    try:
        made: Planner = getattr(import_module(module), planner)(**settings)
        return made
    except TypeError as error:
        raise PlanningError(f"planner {name!r}: {error}") from error
