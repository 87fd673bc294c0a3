"""Planning: one decision problem, three families of it from a twin snapshot, classical planners and the registry.

Importing this package loads neither OR-Tools nor PennyLane; a planner loads its solver when it is first used.
"""

from agents.planning.assignment import triage_assignment
from agents.planning.following import positions
from agents.planning.problem import NO_TASK, Budget, Plan, Planner, PlanningError, Problem
from agents.planning.registry import make_planner, planner_names
from agents.planning.route_couplings import Route
from agents.planning.routing import RoutingConfig, RoutingProblem, routing
from agents.planning.supply import SupplyProblem, supply_delivery

__all__ = [
    "NO_TASK",
    "Budget",
    "Plan",
    "Planner",
    "PlanningError",
    "Problem",
    "Route",
    "RoutingConfig",
    "RoutingProblem",
    "SupplyProblem",
    "make_planner",
    "planner_names",
    "positions",
    "routing",
    "supply_delivery",
    "triage_assignment",
]
