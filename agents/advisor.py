"""Following advice: a policy that does what the advisor says, and a wrapper that shows the advice to learners."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agents.advice import NO_ADVICE, Advice, Advisor, PlanRecord, Spent
from agents.policy import Policy
from qdt_env.spaces import CONTINUE, ActionCodec, ObservationLayout
from qdt_env.twin.snapshot import TwinSnapshot

__all__ = ["NO_ADVICE", "Advice", "Advisor", "AdvisorPolicy", "PlanRecord", "Spent", "robots_asking"]


def robots_asking(layout: ObservationLayout, observation: np.ndarray) -> np.ndarray:
    """Which robots ask for advice: tracked, without a task, carrying nobody.

    Args:
        layout: of the observations.
        observation: (..., R, F) float32.

    Returns:
        (..., R) bool.
    """

    def own(name: str) -> np.ndarray:
        return layout.feature(observation, "self", name)[..., 0] > 0.5

    return own("tracked") & ~own("busy") & ~own("carrying")


class AdvisorPolicy:
    """Follows the advice where there is some and the mask allows it; elsewhere the base policy decides.

    Advice travels with the view: a robot that received none this step does not hear of it. Advice that has become
    impossible is not followed. The base policy is not shown the patients that others are advised to take, so that
    nobody runs ahead of the plan. While a plan is under way (a delay) the robots that asked for it wait.
    """

    def __init__(
        self,
        advisors: Sequence[Advisor],
        base: Policy,
        layout: ObservationLayout,
        codec: ActionCodec,
        snapshot: Callable[[int], TwinSnapshot],
    ) -> None:
        """A policy for ``len(advisors)`` episodes at once.

        Args:
            advisors: one per episode, each reset for it.
            base: decides for robots without advice.
            layout, codec: of the observations and actions, task control.
            snapshot: the twin's picture of an episode, by row.

        Raises:
            ValueError: the codec is of another control.
        """
        if codec.control != "task":
            raise ValueError(f"control={codec.control!r} is not allowed for an advisor's policy: 'task'")
        self.advisors, self.base, self.layout, self.codec, self.snapshot = advisors, base, layout, codec, snapshot
        self.perfect_information = base.perfect_information
        names = sorted({advisor.planner.name for advisor in advisors})
        self.name = "+".join([base.name, *names])

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`agents.policy.Policy`."""
        asking = robots_asking(self.layout, observation)
        own=self.layout.slice(observation,"self")[...,0,:]
        open_=(own[...,1]>.5)&(own[...,5]<.5)
        heard = self.layout.feature(observation, "channel", "last_delivered")[..., 0] > 0.5
        advised = np.zeros(asking.shape, np.int32)
        shown = mask.copy()
        waits = np.zeros(asking.shape, bool)
        for row, advisor in enumerate(self.advisors):
            action = self._advice(row, advisor, asking[row], mask[row])
            follow = open_[row] & heard[row] & (action != NO_ADVICE)
            advised[row] = np.where(follow, action, CONTINUE)
            waits[row] = asking[row] & ~follow & advisor.waiting
            for robot in np.flatnonzero(follow):
                shown[row, np.arange(len(follow)) != robot, action[robot]] = 0
        actions = np.where(waits, self.codec.wait, self.base.act(observation, shown, rng))
        # The battery is the robot's own business: it goes to recharge whatever the plan says.
        follows = (advised != CONTINUE) & (actions != self.codec.service("recharge"))
        return np.where(follows, advised, actions).astype(np.int32)

    def _advice(self, row: int, advisor: Advisor, asking: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Actions (R,) advised in one episode, those that have become impossible taken out."""
        action = advisor.consult(asking, lambda: self.snapshot(row)).action
        possible = (action != NO_ADVICE) & (mask[np.arange(len(action)), np.maximum(action, 0)] == 1)
        for robot in np.flatnonzero((action != NO_ADVICE)):
            advisor.drop(int(robot))  # followed now, or impossible: either way it is used up
        return np.where(possible, action, NO_ADVICE)
