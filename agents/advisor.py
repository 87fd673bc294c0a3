"""Advice in use: a policy that follows it, one that decides with it, and a wrapper that shows it to learners.

Advice travels with the view: a robot whose view did not arrive at a step hears nothing new at that step. The words of
the advice are not attacked beside the view's own fate (a forged view is counted as heard), and their few bytes are not
charged to the key budget.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo.utils.wrappers import BaseParallelWrapper

from agents.advice import NO_ADVICE, Advice, Advisor, PlanRecord, Spent
from agents.advice_held import ADVICE_FEATURES, HeldAdvice, robots_asking, robots_hearing
from agents.planning import Planner
from agents.policy import Policy
from agents.quantum.qpu import Qpu
from agents.quantum.remote import on_qpu, remote_settings
from qdt_env.records import require
from qdt_env.spaces import CONTINUE, ActionCodec, ObservationLayout
from qdt_env.twin.snapshot import TwinSnapshot

__all__ = [
    "ADVICE_FEATURES",
    "NO_ADVICE",
    "Advice",
    "Advisor",
    "AdvisedPolicy",
    "AdvisorPolicy",
    "AdvisorWrapper",
    "PlanRecord",
    "Spent",
    "robots_asking",
]


class AdvisorPolicy:
    """Follows the advice where there is some and the mask allows it; elsewhere the base policy decides.

    Advice that has become impossible is not followed. The base policy is not shown the patients that others are
    advised to take, so that nobody runs ahead of the plan. While a plan is under way (a delay) the robots that asked
    for it wait; or, with interim advice, they follow that, and whoever is still on the way turns round when the plan
    sends it elsewhere. A base policy that sends a robot to recharge is obeyed: the battery is the robot's own business.
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
        require(codec.control == "task", "control", codec.control, "'task' for a policy that follows advice")
        self.advisors, self.base, self.layout, self.codec, self.snapshot = advisors, base, layout, codec, snapshot
        self.perfect_information = base.perfect_information
        self.name = "+".join([base.name, *sorted({advisor.planner.name for advisor in advisors})])

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`agents.policy.Policy`."""
        asking = robots_asking(self.layout, observation)
        hearing = robots_hearing(self.layout, observation)
        advised = np.full(asking.shape, CONTINUE, np.int32)
        waits = np.zeros(asking.shape, bool)
        shown = mask.copy()
        kinds = self.layout.slice(observation, "self")[..., 0, :3].argmax(-1)
        asked = np.asarray(asking.any(-1))
        for row, advisor in enumerate(self.advisors):
            if advisor.quiet and not asked[row]:
                advisor.skip()  # nobody follows and nobody turns round
                continue
            action, turns = self._advice(row, advisor, asking[row], observation[row], mask[row])
            follows = (asking[row] | turns) & hearing[row] & (action != NO_ADVICE)
            advised[row, follows] = action[follows]
            waits[row] = asking[row] & ~follows & advisor.waiting
            for robot in np.flatnonzero(follows):
                rivals = kinds[row] == kinds[row, robot]  # a kit helps a patient whom somebody else digs out
                rivals[robot] = False
                shown[row, rivals, action[robot]] = 0
        actions = self.base.act(observation, shown, rng)
        recharges = actions == self.codec.service("recharge")
        actions = np.where(waits & ~recharges, self.codec.wait, actions)
        return np.where((advised != CONTINUE) & ~recharges, advised, actions).astype(np.int32)

    def _advice(
        self, row: int, advisor: Advisor, asking: np.ndarray, observation: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Actions (R,) advised in one episode, those that have become impossible taken out, and who turns round."""
        action = advisor.consult(asking, lambda: self.snapshot(row)).action
        rows = np.arange(len(action))
        possible = (action != NO_ADVICE) & (mask[rows, np.maximum(action, 0)] == 1)
        turns = self._under_way(observation) & ~asking
        turns &= advisor.redirected if advisor.redirected.size else False
        for robot in np.flatnonzero((asking | turns) & (action != NO_ADVICE)):
            advisor.drop(int(robot))  # followed now, or impossible: either way it is used up
        return np.where(possible, action, NO_ADVICE), turns

    def _under_way(self, observation: np.ndarray) -> np.ndarray:
        """(R,) bool, of observations (R, F): busy, carrying nobody and without a patient in the own zone."""

        def own(name: str) -> np.ndarray:
            return np.asarray(self.layout.feature(observation, "self", name)[..., 0] > 0.5)

        here = self.layout.feature(observation, "tasks", "travel") <= 0.0
        present = here & (self.layout.feature(observation, "tasks", "open") > 0.5)
        return own("tracked") & own("busy") & ~own("carrying") & ~present.any(-1)


class AdvisedPolicy:
    """Shows the advice to a policy that decides with it, such as a network that was trained so; nothing is followed."""

    def __init__(
        self,
        advisors: Sequence[Advisor],
        base: Policy,
        layout: ObservationLayout,
        snapshot: Callable[[int], TwinSnapshot],
    ) -> None:
        """A policy for ``len(advisors)`` episodes at once.

        Args:
            advisors: one per episode, each reset for it.
            base: decides; for observations of ``agents.advice_held.with_advice(layout)``.
            layout: of the observations without advice.
            snapshot: the twin's picture of an episode, by row.
        """
        self.base, self.snapshot = base, snapshot
        self._held = HeldAdvice(advisors, layout)
        self.perfect_information = base.perfect_information
        self.name = "+".join([base.name, *sorted({advisor.planner.name for advisor in advisors})])

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`agents.policy.Policy`."""
        self._held.listen(observation, self.snapshot)
        return self.base.act(self._held.extended(observation, mask), mask, rng)


class AdvisorWrapper(BaseParallelWrapper):
    """Adds the block ``advice`` to the end of every flat observation, features ``ADVICE_FEATURES``, in [0, 1].

    Works with either control, either observation and all mask modes of ``hospital_rescue_v0.parallel_env``. A robot
    keeps the advice it last heard, with its growing age, until it hears another or its own mask rules it out; what is
    ruled out is not shown. ``layout.slice(observation, "advice")`` cuts the block out.

    Attributes:
        advisor: asked once per step.
        layout: of the longer observation.
    """

    def __init__(
        self,
        env: Any,
        planner: Planner | str = "exact",
        every_k: int = 6,
        qpu: Qpu | str | None = None,
        **settings: Any,
    ) -> None:
        """Wrap a ``parallel_env``.

        Args:
            env: ``hospital_rescue_v0.parallel_env`` or a wrapper of it that leaves the observations alone.
            planner: a planner, or the name of one.
            every_k: least steps between two plans for robots that go on asking, >= 1.
            qpu: a QPU, or the name of a preset, that runs the planner's circuits: the planner is "qaoa" or "qpu" then.
                Plans of such a planner, and of "offload", come when the modelled latency has passed, greedy ones stand
                in for them (``interim``), and requests travel over a link with the environment's suite and threats
                (``channel``); settings given here come first.
            **settings: of :class:`Advisor`, such as ``delay_steps``.

        Raises:
            ValueError: the environment gives no twin snapshots, or a setting out of range.
        """
        super().__init__(env)
        require(hasattr(env.unwrapped, "snapshot"), "env", env, "hospital_rescue_v0.parallel_env or a wrapper of it")
        inner = env.unwrapped
        planner = on_qpu(planner, qpu)
        settings = remote_settings(planner, inner.game.suite, inner.game.threats) | settings
        self.advisor = Advisor(planner, inner.codec, every_steps=every_k, **settings)
        self._held = HeldAdvice([self.advisor], inner.layout)
        self.layout = self._held.layout
        self._row = {agent: r for r, agent in enumerate(env.possible_agents)}
        self._spaces = {agent: self._space(env.observation_space(agent)) for agent in env.possible_agents}
        self._seed, self._episode = 0, 0

    @property
    def advice(self) -> Advice:
        """What the robots hold now."""
        return self._held.of(0)

    @property
    def budget(self) -> Spent:
        """What the planner has spent since the wrapper was made."""
        return self.advisor.spent

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The longer space of one agent, the same object every time."""
        return self._spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """See the environment; the planner's randomness depends on the seed and the episode's number."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self._seed, self._episode = (self._seed, self._episode + 1) if seed is None else (int(seed), 0)
        self._episode = int((options or {}).get("episode", self._episode))
        self._held.reset(0, self._seed, self._episode)
        return self._extended(observations, infos), infos

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """See the environment."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        return self._extended(observations, infos), rewards, terminations, truncations, infos

    def _extended(self, observations: dict[str, Any], infos: dict[str, Any]) -> dict[str, Any]:
        """The observations with the advice block."""
        flat = np.zeros((1, len(self._row), self.layout.blocks["advice"].start), np.float32)
        masks = np.zeros((1, len(self._row), self.advisor.codec.n), np.int8)
        masked = True
        for agent, observation in observations.items():
            r = self._row[agent]
            flat[0, r] = observation if self._key is None else observation[self._key]
            mask = infos[agent].get("action_mask") if self._key is None else observation.get("action_mask")
            masked &= mask is not None
            if mask is not None:
                masks[0, r] = mask
        if self.env.agents:
            self._held.listen(flat, lambda row: self.env.unwrapped.snapshot())
        longer = self._held.extended(flat, masks if masked else None)[0]
        return {
            agent: longer[self._row[agent]].copy()
            if self._key is None
            else {**observation, self._key: longer[self._row[agent]].copy()}
            for agent, observation in observations.items()
        }

    def _space(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        """The environment's space with the longer flat observation; notes the key of the latter."""
        flat = spaces.Box(0.0, 1.0, (self.layout.size,), np.float32)
        if not isinstance(space, spaces.Dict):
            self._key: str | None = None
            return flat
        self._key = "observations" if "observations" in space.spaces else "observation"
        return spaces.Dict({**space.spaces, self._key: flat})
