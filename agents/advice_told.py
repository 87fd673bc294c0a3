"""What robots are told: the advice visible at a step, and the plans that are on their way to them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Advice:
    """What the robots are told at one step; the arrays are read-only, since later steps may hand out the same ones.

    Attributes:
        patient: (R,) int32 patient slot to go to, or to fetch a kit for; -1 no advice.
        action: (R,) int32 action number that does so; under move control the next passage of the route, or the work
            to do in the robot's zone; -1 no advice.
        age_steps: (R,) int32 steps since the snapshot that it was computed from, >= 0; 0 without advice.
        value: (R,) float32 expected survivors gained per hour of the robot's time, as the planner claims, >= 0.
    """

    patient: np.ndarray
    action: np.ndarray
    age_steps: np.ndarray
    value: np.ndarray

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for array in vars(self).values():
            array.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Told:
    """What one plan tells, and when.

    Attributes:
        arrives: step at which it is there.
        made: step of its snapshot.
        concerned: (R,) bool, robots that the plan is about.
        patient: (R,) int32, -1 for nothing.
        value: (R,) float32 as in :class:`Advice`.
        fetching: (R,) bool, robots that fetch a kit for the patient first.
    """

    arrives: int
    made: int
    concerned: np.ndarray
    patient: np.ndarray
    value: np.ndarray
    fetching: np.ndarray
