"""Playing whole missions for learning: what was decided, what came of it, and advantages along each robot's decisions.

A decision lasts until the robot decides again. Rewards in between are summed, so that generalised advantage estimation
(Schulman et al. 2016) runs over a robot's own decisions as over the steps of a semi-Markov process (Sutton et al.
1999); where robots decide at every step it is the usual one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from agents.learned import Actor, Decisions, choices, note_choices, rounds
from agents.policy import Policy
from agents.second_thoughts import SecondThoughts
from qdt_env.records import require
from qdt_env.spaces import CONTINUE, ActionCodec, ObservationLayout

OBJECTIVES = ("lives", "score")


class VectorTask(Protocol):
    """What the trainer needs of an environment; :class:`qdt_env.vector_env.RescueVectorEnv` has it."""

    num_envs: int

    @property
    def layout(self) -> ObservationLayout: ...  # noqa: D102
    @property
    def codec(self) -> ActionCodec: ...  # noqa: D102
    @property
    def state_sizes(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    def reset(self, *, seed: Any = None) -> tuple[Any, dict[str, Any]]: ...  # noqa: D102
    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]: ...  # noqa: D102
    def state(self) -> np.ndarray: ...  # noqa: D102
    def metrics(self) -> dict[str, np.ndarray]: ...  # noqa: D102


Choice = tuple[np.ndarray, list[Decisions]]
Decide = Callable[[np.ndarray, np.ndarray], Choice]


@dataclass(frozen=True, eq=False)
class Rollout:
    """B missions of T steps, from first to last, as N decisions.

    Attributes:
        observation, mask, chosen, action, log_probability, row, robot: of each decision, see ``Decisions``.
        step: (N,) int64, when it was made.
        context: (N, C) float32, what a critic may see then: the observation, behind the true state if it is central.
        sequences: (Q, L) int64, decisions of each robot that made any, in order, -1 after the last; longest first.
        reward: (T, B, R) float64.
        end_step: (B, R) int64, the step after the robot's last: its loss, or the horizon.
        end_context: (B, R, C) float32, what a critic may see then.
        lost: (B, R) bool, whether that end is the robot's loss.
        metrics: (B,) float64 by name.
        agent_steps: robots in play, summed over steps.
    """

    observation: np.ndarray
    mask: np.ndarray
    chosen: np.ndarray
    action: np.ndarray
    log_probability: np.ndarray
    row: np.ndarray
    robot: np.ndarray
    step: np.ndarray
    context: np.ndarray
    sequences: np.ndarray
    reward: np.ndarray
    end_step: np.ndarray
    end_context: np.ndarray
    lost: np.ndarray
    metrics: dict[str, np.ndarray]
    agent_steps: int


def play_missions(
    env: VectorTask, decide: Decide, seeds: Sequence[int], central: bool, objective: str = "lives"
) -> Rollout:
    """Play every row of ``env`` from reset to its end.

    Args:
        env: rows stand still when they are over (autoreset disabled).
        decide: observations (B, R, F) and masks (B, R, A) to actions and decisions, such as ``Actor.decide``.
        seeds: (B,) one per row.
        central: critics see the true state besides the observation.
        objective: "lives" takes the rewards as they are, "score" the change of the score.
    """
    seen, infos = env.reset(seed=list(seeds))
    alive, over = infos["alive"].copy(), np.zeros(env.num_envs, bool)
    parts: list[Decisions] = []
    steps, contexts, rewards = [], [], []
    before = np.zeros(env.num_envs)
    ends: _Ends | None = None
    step = 0
    while not over.all():
        observation, mask = seen["observation"], seen["action_mask"]
        mask = np.where(alive[..., None], mask, 0).astype(np.int8)
        mask[..., -1] |= ~alive
        state = env.state() if central else np.zeros((len(over), 0), np.float32)
        ends = ends or _Ends(alive.shape, state.shape[1] + observation.shape[2])
        actions, made = decide(observation, mask)
        for part in made:
            parts.append(part)
            steps.append(np.full(part.row.size, step))
            contexts.append(np.concatenate([state[part.row], part.observation], 1))
        seen, reward, terminations, truncations, infos = env.step(actions)
        step += 1
        if objective == "score":
            now = infos["score"][:, 0].astype(np.float64)
            reward = np.broadcast_to((now - before)[:, None], reward.shape)
            before = now
        rewards.append(np.where(over[:, None], 0.0, reward))
        ending = alive & (terminations | truncations)
        if ending.any():
            ends.note(ending, terminations, step, env.state() if central else state, seen["observation"])
        alive &= ~ending
        over |= (terminations | truncations).all(1)
    assert ends is not None
    return _rollout(parts, steps, contexts, np.array(rewards, np.float64), ends, env.metrics())


class _Ends:
    """When and how each robot's mission ended."""

    def __init__(self, shape: tuple[int, int], context: int) -> None:
        self.step = np.zeros(shape, np.int64)
        self.context = np.zeros((*shape, context), np.float32)
        self.lost = np.zeros(shape, bool)

    def note(
        self, ending: np.ndarray, terminations: np.ndarray, step: int, state: np.ndarray, observation: np.ndarray
    ) -> None:
        """Robots ``ending`` (B, R) at ``step`` with what critics see, (B, S) and (B, R, F)."""
        self.step[ending] = step
        self.lost[ending] = terminations[ending]
        self.context[ending] = np.concatenate([state[np.nonzero(ending)[0]], observation[ending]], 1)


def _rollout(
    parts: list[Decisions],
    steps: list[np.ndarray],
    contexts: list[np.ndarray],
    reward: np.ndarray,
    ends: _Ends,
    metrics: dict[str, np.ndarray],
) -> Rollout:
    """Everything in one piece.

    Raises:
        ValueError: nobody decided anything.
    """
    require(bool(parts), "missions", "no decision in any of them", "missions in which robots have a choice")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Decisions.__annotations__}
    return Rollout(
        **joined,
        step=np.concatenate(steps),
        context=np.concatenate(contexts),
        sequences=sequences_of(joined["row"] * ends.step.shape[1] + joined["robot"]),
        reward=reward,
        end_step=ends.step,
        end_context=ends.context,
        lost=ends.lost,
        metrics=metrics,
        agent_steps=int(ends.step.sum()),
    )


def sequences_of(owner: np.ndarray) -> np.ndarray:
    """(Q, L) int64: places of each owner's entries in order, -1 after the last, longest first, of ``owner`` (N,)."""
    order = np.argsort(owner, kind="stable")
    _, starts, lengths = np.unique(owner[order], return_index=True, return_counts=True)
    table = np.full((len(starts), int(lengths.max())), -1, np.int64)
    for number, which in enumerate(np.argsort(-lengths, kind="stable")):
        table[number, : lengths[which]] = order[starts[which] : starts[which] + lengths[which]]
    return table


def advantages(
    rollout: Rollout, values: np.ndarray, end_values: np.ndarray, discount: float, trace: float
) -> np.ndarray:
    """Generalised advantage estimates along each robot's decisions.

    For a decision at step t whose robot decides next (or ends) at t', with R = sum of discount^(u-t) r_u over
    t <= u < t': delta = R + discount^(t'-t) V(t') - V(t), and A(t) = delta + discount^(t'-t) trace A(t').

    Args:
        rollout: N decisions.
        values: (N,) value of each decision's context.
        end_values: (B, R) value after a robot's last step: that of the final context where what follows still counts
            (truncation, or a team that goes on), else 0.
        discount: per step, in (0, 1].
        trace: lambda, per decision, in [0, 1].

    Returns:
        (N,) float64.
    """
    steps, rows, robots = rollout.reward.shape
    weights = discount ** np.arange(steps + 1, dtype=np.float64)
    to_come = np.zeros((steps + 1, rows, robots))
    for step in range(steps - 1, -1, -1):
        to_come[step] = rollout.reward[step] + discount * to_come[step + 1]
    table = rollout.sequences
    row, robot = rollout.row[table[:, 0]], rollout.robot[table[:, 0]]
    after, value_after = rollout.end_step[row, robot], end_values[row, robot].astype(np.float64)
    advantage_after = np.zeros(len(table))
    found = np.zeros(len(values))
    for place in table.T[::-1]:
        there = np.flatnonzero(place >= 0)
        at, who = place[there], (row[there], robot[there])
        start, end = rollout.step[at], after[there]
        factor = weights[end - start]
        gained = to_come[(start, *who)] - factor * to_come[(end, *who)]
        delta = gained + factor * value_after[there] - values[at]
        found[at] = delta + factor * trace * advantage_after[there]
        after[there], value_after[there], advantage_after[there] = start, values[at], found[at]
    return found


class Teacher:
    """A hand-written policy whose choices are noted as decisions, to be imitated."""

    def __init__(self, policy: Policy, actor: Actor, rng: np.random.Generator) -> None:
        """``actor`` says which robots have a choice and what they see of each other."""
        self.policy, self.actor, self.rng = policy, actor, rng
        self._waited = np.zeros(0)
        self._second_thoughts = SecondThoughts(actor.layout)

    def decide(self, observation: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list[Decisions]]:
        """As ``Actor.decide``; runs of waiting are noted once in ``patience`` steps.

        So is a teacher's second thought, if it has them, where the learner is to have them too.
        """
        config, layout, codec = self.actor.policy.config, self.actor.layout, self.actor.codec
        asked, low = self.actor.asked(observation, mask)
        actions = np.where(low, codec.service("recharge"), self.policy.act(observation, mask, self.rng))
        if config.commits:
            actions = np.where(asked & (actions == 0), codec.wait, actions).astype(np.int32)
        if self._waited.shape != asked.shape:
            self._waited = np.zeros(asked.shape, np.int64)
        if config.reconsiders:
            asked |= self._second_thoughts.due(observation) & ~low & (actions != CONTINUE)
            self._second_thoughts.note(observation, actions)
        waits = actions == codec.wait
        noted = asked & ~(waits & (self._waited % config.patience != 0))
        self._waited = np.where(waits & asked, self._waited + 1, 0)
        chosen = np.zeros((len(mask), layout.patients), np.float32)
        made = []
        for rows, robots in rounds(noted, config.in_turn):
            action = actions[rows, robots].astype(np.int64)
            allowed, none = choices(mask[rows, robots], config), np.zeros(rows.size, np.float32)
            made.append(Decisions(rows, robots, observation[rows, robots], allowed, chosen[rows], action, none))
            if config.in_turn:
                note_choices(chosen, rows, action)
        return actions, made
