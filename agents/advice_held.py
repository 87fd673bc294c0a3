"""What robots were last told and still hold, and how their observations show it: the block ``advice``.

One piece serves one environment (``AdvisorWrapper``), whole batches (``training.advised``) and missions that a network
plays with advice as its input (``AdvisedPolicy``), so that a network meets the same block wherever it is asked.
"""

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial

import numpy as np

from agents.advice import NO_ADVICE, Advice, Advisor
from qdt_env.spaces import AGE_SCALE_STEPS, PATIENT_FEATURES, Block, ObservationLayout
from qdt_env.twin.snapshot import TwinSnapshot

# The advice block: whether there is some, the slot, the slot's own features, age, claimed survivors per hour up to 1.
ADVICE_FEATURES = ("given", "slot", *(f"patient_{name}" for name in PATIENT_FEATURES), "age", "value")
_HELD = ("patient", "action", "age_steps", "value")  # of an Advice


def robots_asking(layout: ObservationLayout, observation: np.ndarray) -> np.ndarray:
    """Which robots ask for advice: tracked or legged, without a task, carrying nobody.

    Args:
        layout: of the observations.
        observation: (..., R, F) float32.

    Returns:
        (..., R) bool.
    """

    def own(name: str) -> np.ndarray:
        return np.asarray(layout.feature(observation, "self", name)[..., 0] > 0.5)

    return (own("tracked") | own("legged")) & ~own("busy") & ~own("carrying")


def robots_hearing(layout: ObservationLayout, observation: np.ndarray) -> np.ndarray:
    """Which robots received their view, (..., R) bool, of observations (..., R, F)."""
    return np.asarray(layout.feature(observation, "channel", "last_delivered")[..., 0] > 0.5)


def with_advice(layout: ObservationLayout) -> ObservationLayout:
    """The layout with the advice block at its end; every other block stays where it is."""
    longer = copy(layout)
    block = Block("advice", layout.size, 1, ADVICE_FEATURES)
    longer.blocks = {**layout.blocks, "advice": block}
    longer.size = block.stop
    return longer


class HeldAdvice:
    """What the R robots of B teams hold.

    A robot keeps the advice it last heard, with its growing age, until it hears another; what its mask rules out is not
    shown.

    Attributes:
        advisors: one per team.
        layout: of the observations with the advice block.
        patient, action, age_steps, value: (B, R), as of :class:`agents.advice.Advice`.
    """

    def __init__(self, advisors: Sequence[Advisor], layout: ObservationLayout) -> None:
        """Nobody has heard anything; ``layout`` is that of observations without advice."""
        self.advisors, self.layout, self._plain = tuple(advisors), with_advice(layout), layout
        shape = len(self.advisors), layout.robots
        self.patient, self.action = np.full(shape, NO_ADVICE, np.int32), np.full(shape, NO_ADVICE, np.int32)
        self.age_steps, self.value = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        self._said = {name: getattr(self, name).copy() for name in _HELD}  # what robots hear if a view arrives now

    def reset(self, row: int, seed: int, episode: int = 0) -> None:
        """A new mission of one team; the planner's randomness depends on the seed and the episode's number."""
        self.advisors[row].reset(seed, episode)
        for held in ({name: getattr(self, name) for name in _HELD}, self._said):
            held["patient"][row] = held["action"][row] = NO_ADVICE
            held["age_steps"][row] = 0
            held["value"][row] = 0.0

    def of(self, row: int) -> Advice:
        """What one team holds now."""
        held = (self.patient, self.action, self.age_steps, self.value)
        return Advice(*(array[row].copy() for array in held))

    def listen(
        self,
        observation: np.ndarray,
        snapshot: Callable[[int], TwinSnapshot],
        going: np.ndarray | None = None,
    ) -> None:
        """Ask the advisors, once per step; robots that received their view take over what they say.

        Args:
            observation: (B, R, F) float32, without advice.
            snapshot: the twin's picture of a mission, by row.
            going: (B,) bool, the missions that are not over; None for all.
        """
        asking, hearing = robots_asking(self._plain, observation), robots_hearing(self._plain, observation)
        rows = np.arange(len(self.advisors)) if going is None else np.flatnonzero(going)
        if not rows.size:
            return
        for patient, age_steps in ((self.patient, self.age_steps), (self._said["patient"], self._said["age_steps"])):
            age_steps[rows] = np.where(patient[rows] == NO_ADVICE, 0, age_steps[rows] + 1)
        asked = np.asarray(asking.any(-1))
        for row in rows.tolist():
            if self.advisors[row].quiet and not asked[row]:
                self.advisors[row].skip()  # most steps: what it said stands
                continue
            advice = self.advisors[row].consult(asking[row], partial(snapshot, row))
            for name, said in self._said.items():
                said[row] = getattr(advice, name)
        for name, said in self._said.items():
            held = getattr(self, name)
            held[rows] = np.where(hearing[rows], said[rows], held[rows])

    def block(self, observation: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """The advice block (B, R, len(ADVICE_FEATURES)) float32 in [0, 1].

        Args:
            observation: (B, R, F) float32, without advice.
            mask: (B, R, A) int8; None where there is none: then advice is possible that concerns an open patient.
        """
        slots = np.maximum(self.patient, 0)
        tasks = self._plain.slice(observation, "tasks")
        patients = np.take_along_axis(tasks, slots[..., None, None], -2)[..., 0, :]
        columns = [
            np.ones(slots.shape),
            (slots + 1) / self.layout.patients,
            *np.moveaxis(patients, -1, 0),
            self.age_steps / (self.age_steps + AGE_SCALE_STEPS),
            np.clip(self.value, 0.0, 1.0),
        ]
        possible = patients[..., PATIENT_FEATURES.index("open")] > 0.5
        if mask is not None:
            allowed = np.take_along_axis(mask, np.maximum(self.action, 0)[..., None], -1)[..., 0] == 1
            possible = np.where(self.action == NO_ADVICE, possible, allowed)
        possible &= self.patient != NO_ADVICE
        return np.asarray((np.stack(columns, -1) * possible[..., None]).astype(np.float32))

    def extended(self, observation: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """Observations (B, R, F') with the block; arguments as of :meth:`block`."""
        return np.concatenate([observation, self.block(observation, mask)], -1)
