"""Hand-written policies that rank patients: nearest, most critical first, greedy survival gain per minute.

They differ in one line, the rank. The rest is shared: a robot picks a task when it has none, robots pick one after the
other so that two do not choose the same patient, batteries are minded, legged robots carry kits, aerial ones scout.
"gain-replan" picks anew, too, where a patient turns out to need longer work than the robot thought.
The ranks use nothing but the delivered observation; on an environment with perfect information the same policies see
the truth, and their names say so.
"""

from collections.abc import Callable

import numpy as np

from agents.policy import RandomPolicy, WaitPolicy
from agents.recharging import must_recharge
from agents.second_thoughts import SecondThoughts
from qdt_env.spaces import TRAVEL_SCALE_S, ActionCodec, ObservationLayout

Rank = Callable[["Outlook"], np.ndarray]
_UNSEEN = -np.inf


class Outlook:
    """One robot's patient slots in all episodes, features (B, P) in natural units."""

    def __init__(self, layout: ObservationLayout, observation: np.ndarray) -> None:
        """Cut the features out of observations (B, F)."""

        def cut(name: str) -> np.ndarray:
            return layout.feature(observation, "tasks", name)

        self.rpm = 12.0 * cut("rpm")
        self.known = cut("known") > 0.5
        self.survival_now = cut("survival_now")
        self.survival_at_handover = cut("survival_at_handover")
        self.survival_if_left = cut("survival_if_left")
        self.travel_min = minutes(cut("travel"))
        self.handover_min = minutes(cut("handover"))
        self.claimed = cut("claimed") > 0.0


def minutes(squashed: np.ndarray) -> np.ndarray:
    """Minutes from a time feature t / (t + scale); a very long time where it is 1."""
    room = np.maximum(1.0 - squashed, 1e-6)
    return squashed / room * (TRAVEL_SCALE_S / 60.0)


def rank_nearest(outlook: Outlook) -> np.ndarray:
    """Nearest first."""
    return -outlook.travel_min


def rank_most_critical(outlook: Outlook) -> np.ndarray:
    """Lowest estimated RPM first, nearer ones first among equals."""
    return -outlook.rpm - 1e-3 * outlook.travel_min


def rank_gain(outlook: Outlook) -> np.ndarray:
    """Expected survival gained by handing over, per minute that it takes."""
    return (outlook.survival_at_handover - outlook.survival_if_left) / np.maximum(outlook.handover_min, 0.5)


class GreedyPolicy:
    """Every free robot takes the allowed patient with the highest rank that nobody has taken.

    With ``replans`` a robot is free, too, when it learns that its patient needs longer work than it thought.
    """

    def __init__(
        self,
        rank: Rank,
        name: str,
        layout: ObservationLayout,
        codec: ActionCodec,
        perfect_information: bool = False,
        replans: bool = False,
    ) -> None:
        """A policy ``name`` with the given rank; ``codec`` must be of task control.

        Raises:
            ValueError: the codec is of another control.
        """
        if codec.control != "task":
            raise ValueError(f"control={codec.control!r} is not allowed for policy {name!r}: 'task'")
        self.rank, self.layout, self.codec = rank, layout, codec
        self.perfect_information = perfect_information
        self.name = f"perfect-{name}" if perfect_information else name
        self._second_thoughts = SecondThoughts(layout) if replans else None

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`agents.policy.Policy`."""
        busy = self.layout.feature(observation, "self", "busy")[..., 0] > 0.5
        if self._second_thoughts is not None:
            busy &= ~self._second_thoughts.due(observation)
        episodes, robots = mask.shape[:2]
        actions = np.zeros((episodes, robots), np.int32)
        taken = np.zeros((episodes, self.layout.patients), bool)
        for r in range(robots):
            actions[:, r] = self._choose(observation[:, r], mask[:, r], taken, busy[:, r])
            chosen = actions[:, r] - 1
            is_patient = (chosen >= 0) & (chosen < self.layout.patients)
            taken[np.flatnonzero(is_patient), chosen[is_patient]] = True
        if self._second_thoughts is not None:
            self._second_thoughts.note(observation, actions)
        return actions

    def _choose(self, observation: np.ndarray, mask: np.ndarray, taken: np.ndarray, busy: np.ndarray) -> np.ndarray:
        """Actions (B,) of one robot."""
        tracked, aerial, carrying = (
            self.layout.feature(observation, "self", name)[:, 0] > 0.5 for name in ("tracked", "aerial", "carrying")
        )
        outlook = Outlook(self.layout, observation)
        patients = mask[:, 1 : 1 + self.layout.patients] == 1
        free = patients & ~taken & ~outlook.claimed
        rank = np.where(free, self.rank(outlook), _UNSEEN)
        kits = patients & ~taken  # a kit helps a patient whom somebody else digs out
        kit_rank = np.where(kits, self._kit_rank(outlook), _UNSEEN)
        unseen_rank = np.where(free & ~outlook.known, -outlook.travel_min, _UNSEEN)
        rank = np.where(tracked[:, None], rank, np.where(aerial[:, None], unseen_rank, kit_rank))
        best = rank.argmax(1)
        found = rank[np.arange(len(best)), best] > _UNSEEN
        action = np.where(found, 1 + best, self._service(mask, aerial))
        own_patient = patients.argmax(1)
        action = np.where(carrying, np.where(patients.any(1), 1 + own_patient, 0), action)
        action = np.where(busy, 0, action)
        low = must_recharge(self.layout, self.codec, observation, mask)
        return np.where(low, self.codec.service("recharge"), action).astype(np.int32)

    def _kit_rank(self, outlook: Outlook) -> np.ndarray:
        """A kit slows the clock: more is won where more would be lost, sooner where nearer."""
        loss = outlook.survival_now - outlook.survival_if_left
        return (loss + 1e-3) / np.maximum(outlook.travel_min, 0.5)

    def _service(self, mask: np.ndarray, aerial: np.ndarray) -> np.ndarray:
        """What to do when there is no patient to go to: scout, fetch kits, clear, recharge, else wait."""
        action = np.full(len(mask), self.codec.wait)
        for name in ("recharge", "clear", "scout", "kit"):
            number = self.codec.service(name)
            useful = mask[:, number] == 1
            if name == "recharge":
                useful &= aerial
            action = np.where(useful, number, action)
        return action


_RANKS: dict[str, Rank] = {"nearest": rank_nearest, "critical": rank_most_critical, "gain": rank_gain}
_REPLANNING = "gain-replan"
POLICY_NAMES = ("wait", "random", *_RANKS, _REPLANNING, "perfect-random", *(f"perfect-{name}" for name in _RANKS))


def make_policy(name: str, layout: ObservationLayout, codec: ActionCodec) -> RandomPolicy | WaitPolicy | GreedyPolicy:
    """A policy by name, one of ``POLICY_NAMES``.

    Raises:
        ValueError: an unknown name; the message lists the names.
    """
    if name not in POLICY_NAMES:
        raise ValueError(f"policy={name!r} is not allowed: one of {', '.join(POLICY_NAMES)}")
    if name == "wait":
        return WaitPolicy()
    perfect = name.startswith("perfect-")
    kind = name.removeprefix("perfect-")
    if kind == "random":
        return RandomPolicy(layout, codec, perfect)
    if kind == _REPLANNING:
        return GreedyPolicy(rank_gain, kind, layout, codec, replans=True)
    return GreedyPolicy(_RANKS[kind], kind, layout, codec, perfect)
