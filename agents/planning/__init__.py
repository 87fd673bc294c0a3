"""Planning: one decision problem, its extraction from a twin snapshot, classical planners and the registry.

Importing this package loads neither OR-Tools nor PennyLane; a planner loads its solver when it is first used.
"""

from agents.planning.assignment import triage_assignment
from agents.planning.problem import NO_TASK, Budget, Plan, Planner, PlanningError, Problem
from agents.planning.registry import make_planner, planner_names

__all__ = [
    "NO_TASK",
    "Budget",
    "Plan",
    "Planner",
    "PlanningError",
    "Problem",
    "make_planner",
    "planner_names",
    "triage_assignment",
]
