"""PPO for a team: MAPPO (the critic sees the truth besides) and IPPO (each robot's critic sees what the robot sees).

One iteration plays whole missions, estimates advantages along each robot's decisions and takes clipped policy-gradient
steps (Schulman et al. 2017; Yu et al. 2022 for teams). All robots share one network. An imitation phase may come first:
the same update with the likelihood of a teacher's choices in place of the policy gradient.

Every iteration starts from its number alone (seeds of the missions, of the sampling, of the minibatches), so a run that
is resumed from a checkpoint goes on exactly as if it had not been interrupted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from agents.critics import CentralCritic, ObservingCritic
from agents.learned import Actor, all_finite
from agents.networks import NetworkConfig, TeamPolicy
from agents.policy import Policy
from qdt_env.records import require
from qdt_env.threads import Threads
from training.collect import (
    OBJECTIVES,
    Choice,
    Decide,
    Rollout,
    Teacher,
    VectorTask,
    advantages,
    play_missions,
)

ALGORITHMS = ("mappo", "ippo")
TRAINING_SEEDS = 1 << 40  # missions of training have seeds from here on; evaluation stays below
MOST_SEED = (1 << 31) - (TRAINING_SEEDS >> 32) - 1  # 2^32 missions a run, and their seeds are below 2^63

_FIGURES = ("policy_loss", "value_loss", "entropy", "kl", "clipped")  # of a gradient step
CACHED = 1 << 19  # numbers of observation in a piece: with its activations it stays in a core's share of the cache


@dataclass(frozen=True)
class PpoConfig:
    """Settings of the learner.

    Attributes:
        algorithm: "mappo" or "ippo".
        iterations: how many batches of missions, the imitated ones included.
        imitated: how many of them imitate the teacher.
        repeats: neighbouring rows that play the same seed. They have the same quake and patients, so what they get on
            average in a step is the seed's luck, and is taken off: what is learned from is who did better when.
        epochs: passes over a batch.
        minibatches: parts of a batch, one gradient step each; a part holds whole robots.
        learning_rate: of Adam, at most 1; falls linearly to a tenth over the run.
        warm_up: iterations after the imitated ones over which the learning rate rises to that. Adam's first steps move
            every weight by the whole rate, whatever the gradient's size: what is known already would be lost.
        clip: of the probability ratio.
        entropy: weight of the entropy bonus, falls linearly to a tenth.
        discount: per step; 1: the mission is finite and its score is not discounted.
        trace: lambda, per decision.
        value_weight: of the critic's loss.
        max_gradient: norm to which gradients are clipped.
        target_kl: an iteration's passes stop beyond this divergence from the policy that played.
        objective: what is learned from, "lives" (the reward) or "score" (its share of what instant rescue would save).
        bootstrap: whether a mission's end at the horizon is an interruption whose further value counts. The missions of
            this package end there: the score is counted at the horizon and the time left is observed.
        network: shape of the policy.
        seed: of everything, 0 to :data:`MOST_SEED`.
    """

    algorithm: str = "mappo"
    iterations: int = 100
    imitated: int = 0
    repeats: int = 1
    epochs: int = 4
    minibatches: int = 4
    learning_rate: float = 1e-3
    warm_up: int = 0
    clip: float = 0.2
    entropy: float = 0.01
    discount: float = 1.0
    trace: float = 0.9
    value_weight: float = 0.5
    max_gradient: float = 0.5
    target_kl: float = 0.05
    objective: str = "lives"
    bootstrap: bool = False
    network: NetworkConfig = field(default_factory=NetworkConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        """Reject what cannot be learned with.

        Raises:
            ValueError: naming the setting and what is allowed.
        """
        require(self.algorithm in ALGORITHMS, "algorithm", self.algorithm, f"one of {', '.join(ALGORITHMS)}")
        require(self.objective in OBJECTIVES, "objective", self.objective, f"one of {', '.join(OBJECTIVES)}")
        for name in ("iterations", "repeats", "epochs", "minibatches"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.warm_up >= 0, "warm_up", self.warm_up, "0 or more")
        require(0 <= self.imitated <= self.iterations, "imitated", self.imitated, "0 to iterations")
        require(0.0 < self.learning_rate <= 1.0, "learning_rate", self.learning_rate, "a number in (0, 1]")
        for name in ("clip", "max_gradient", "target_kl"):
            require(0.0 < getattr(self, name) < math.inf, name, getattr(self, name), "a finite number > 0")
        for name in ("entropy", "value_weight"):
            require(0.0 <= getattr(self, name) < math.inf, name, getattr(self, name), "a finite number >= 0")
        require(0.0 < self.discount <= 1.0, "discount", self.discount, "a number in (0, 1]")
        require(0.0 <= self.trace <= 1.0, "trace", self.trace, "a number in [0, 1]")
        whole = isinstance(self.seed, int) and 0 <= self.seed <= MOST_SEED
        require(whole, "seed", self.seed, f"a whole number, 0 to {MOST_SEED}")


class Diverged(ValueError):
    """An update came to losses or weights that are no numbers; what was learned in that batch is lost."""


_SHAPE = ("width", "hidden", "memory", "graph", "without", "advised")  # what weights are made for


class ReturnScale(nn.Module):
    """Running mean and deviation of returns; critics learn what is left (value normalisation)."""

    def __init__(self, memory: float = 0.99) -> None:
        """Statistics that forget at rate ``1 - memory`` per batch, without bias towards their start."""
        super().__init__()
        self.memory = memory
        self.weight = nn.Buffer(torch.zeros((), dtype=torch.float64))
        self.first = nn.Buffer(torch.zeros((), dtype=torch.float64))
        self.second = nn.Buffer(torch.zeros((), dtype=torch.float64))

    def update(self, returns: np.ndarray) -> None:
        """Take in a batch of returns (N,)."""
        for name, value in (("weight", 1.0), ("first", returns.mean()), ("second", np.square(returns).mean())):
            getattr(self, name).mul_(self.memory).add_((1.0 - self.memory) * float(value))

    @property
    def mean_and_deviation(self) -> tuple[float, float]:
        """Of the returns so far; 0 and 1 before any."""
        weight = float(self.weight)
        if weight == 0.0:
            return 0.0, 1.0
        mean = float(self.first) / weight
        return mean, max(float(self.second) / weight - mean * mean, 1e-12) ** 0.5


class Learner:
    """Policy, critic and optimiser, and the update that changes them.

    Attributes:
        policy, critic: what is learned.
        scales: of each task's returns; tasks share everything else.
        optimiser: Adam over policy and critic.
        iteration: how many iterations were made.
    """

    def __init__(self, config: PpoConfig, advised: bool = False, threads: int = 1, tasks: int = 1) -> None:
        """A fresh learner of so many tasks, learned in turn, one per iteration.

        The same config gives the same weights, on any number of threads (at most two are used).
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.policy = TeamPolicy(config.network, advised)
            critic = CentralCritic if config.algorithm == "mappo" else ObservingCritic
            self.critic: nn.Module = critic(config.network, advised)
        self.config, self.iteration = config, 0
        self.scales = nn.ModuleList(ReturnScale() for _ in range(tasks))
        self.optimiser = self._fresh_optimiser()
        self._threads = Threads(min(threads, 2))

    def start_from(self, network: TeamPolicy) -> None:
        """Begin with the weights of another policy; the critic starts anew. When robots are asked may differ.

        Raises:
            ValueError: a policy of another shape, or one that is shown other things.
        """
        mine, theirs = ({**asdict(one.config), "advised": one.advised} for one in (self.policy, network))
        differing = [f"{name} {theirs[name]!r}, not {mine[name]!r}" for name in _SHAPE if mine[name] != theirs[name]]
        allowed = "one of the network that is trained; give --memory, --graph, --without, --advisor as it was made with"
        if differing:
            raise ValueError(f"start: got a policy with {'; '.join(differing)}, allowed is {allowed}")
        self.policy.load_state_dict(network.state_dict())

    def _fresh_optimiser(self) -> torch.optim.Adam:
        parameters = [*self.policy.parameters(), *self.critic.parameters()]
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, eps=1e-5, fused=True)

    @property
    def scale(self) -> ReturnScale:
        """Scale of the returns of the task whose turn it is."""
        return cast(ReturnScale, self.scales[self.iteration % len(self.scales)])

    @property
    def central(self) -> bool:
        """Whether the critic sees the truth."""
        return self.config.algorithm == "mappo"

    def values(self, env: VectorTask, context: Tensor) -> Tensor:
        """(N,) normalised values of contexts (N, C)."""
        if self.central:
            return self.critic(env.state_sizes, env.layout, context)
        return self.critic(env.layout, context)

    def learn(self, env: VectorTask, rollout: Rollout, rng: np.random.Generator) -> dict[str, float]:
        """Update policy and critic from one batch of missions; returns figures about it.

        Raises:
            Diverged: losses or weights are not finite; the learner is of no further use.
        """
        config = self.config
        imitates = self.iteration < config.imitated
        if self.iteration == config.imitated > 0:
            self.optimiser = self._fresh_optimiser()  # the teacher's gradients were far larger than those to come
        left = 1.0 - 0.9 * self.iteration / config.iterations
        begun = 1.0 if imitates else (self.iteration - config.imitated + 1) / (config.warm_up + 1)
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * left * min(begun, 1.0)
        if config.repeats > 1:
            rollout = replace(rollout, reward=without_luck(rollout.reward, config.repeats))
        mean, deviation = self.scale.mean_and_deviation
        values = mean + deviation * self._all_values(env, rollout.context)
        advantage = advantages(rollout, values, self._end_values(env, rollout), config.discount, config.trace)
        returns = values + advantage
        self.scale.update(returns)
        mean, deviation = self.scale.mean_and_deviation
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        batch = _Batch(rollout, advantage, (returns - mean) / deviation)
        figures: list[dict[str, float]] = []
        for _ in range(config.epochs):
            for robots in np.array_split(rng.permutation(len(rollout.sequences)), config.minibatches):
                if robots.size:
                    figures.append(self._step(env, batch, np.sort(robots), imitates, config.entropy * left))
            if not imitates and figures[-1]["kl"] > config.target_kl:
                break
        means = {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
        self._check_finite(means)
        self.iteration += 1
        explained = 1.0 - float(np.var(returns - values) / max(np.var(returns), 1e-12))
        return {**means, "explained_variance": explained, "passes": len(figures) / config.minibatches}

    def _check_finite(self, figures: dict[str, float]) -> None:
        """Refuse to go on with losses and weights that are no numbers."""
        weights = [*self.policy.parameters(), *self.critic.parameters()]
        if not all(map(math.isfinite, figures.values())) or not all(map(all_finite, weights)):
            config, names = self.config, ("learning_rate", "entropy", "value_weight")
            lower = ", ".join(f"{name} ({getattr(config, name):g})" for name in names)
            raise Diverged(f"batch {self.iteration + 1}: losses or weights are no longer finite; lower one of {lower}")

    def _step(
        self, env: VectorTask, batch: "_Batch", robots: np.ndarray, imitates: bool, entropy_weight: float
    ) -> dict[str, float]:
        """One gradient step. Policy and critic share no weights, so each may have a thread of its own."""
        self.optimiser.zero_grad(set_to_none=True)
        pieces = batch.pieces(robots)
        policy = partial(self._policy_loss, env, batch, imitates=imitates, entropy_weight=entropy_weight)
        critic = partial(self._value_loss, env, batch)
        sides = ((self.policy, policy), (self.critic, critic))
        done = self._threads.do([partial(self._gradients, module, loss, pieces) for module, loss in sides])
        self.optimiser.step()
        found = done[0] | done[1]
        return {name: found[name] for name in _FIGURES}

    def _gradients(self, module: nn.Module, loss_of: "_LossOf", pieces: list["_Piece"]) -> dict[str, float]:
        """Sum a loss's gradients over pieces that fit the cache, and clip them; returns the means of its figures."""
        decisions = sum(piece.places.numel() for piece in pieces)
        figures: dict[str, float] = {}
        for piece in pieces:
            share = piece.places.numel() / decisions
            loss, about = loss_of(piece)
            (loss * share).backward()
            figures = {name: figures.get(name, 0.0) + share * value for name, value in about.items()}
        nn.utils.clip_grad_norm_(module.parameters(), self.config.max_gradient)
        return figures

    def _policy_loss(
        self, env: VectorTask, batch: "_Batch", piece: "_Piece", imitates: bool, entropy_weight: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The policy's loss on some decisions, and figures about it."""
        config, decisions = self.config, batch.rollout
        observation, mask, chosen, action, before, advantage = piece.of(
            decisions.observation, decisions.mask, decisions.chosen, decisions.action, decisions.log_probability,
            batch.advantage,
        )  # fmt: skip
        logits = self.policy.replay(env.layout, observation, mask, chosen, piece.sequences)
        likelihood = torch.log_softmax(logits, -1)
        taken = likelihood.gather(1, action[:, None])[:, 0]
        entropy = -(likelihood.exp() * likelihood).sum(-1).mean()
        log_ratio = torch.zeros_like(taken) if imitates else taken - before
        ratio, advantage = torch.exp(log_ratio), advantage.float()
        clipped = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
        loss = -torch.minimum(ratio * advantage, clipped * advantage).mean()
        if imitates:
            loss = -taken.mean()
        ratio, log_ratio = ratio.detach(), log_ratio.detach()
        return loss - entropy_weight * entropy, {
            "policy_loss": float(loss.detach()), "entropy": float(entropy.detach()),
            "kl": float((ratio - 1.0 - log_ratio).mean()),
            "clipped": float(((ratio - 1.0).abs() > config.clip).float().mean()),
        }  # fmt: skip

    def _value_loss(self, env: VectorTask, batch: "_Batch", piece: "_Piece") -> tuple[Tensor, dict[str, float]]:
        """The critic's loss on some decisions, and its figure."""
        context, target = piece.of(batch.rollout.context, batch.target)
        error = self.values(env, context) - target.float()
        loss = nn.functional.huber_loss(error, torch.zeros_like(error), delta=5.0)
        return self.config.value_weight * loss, {"value_loss": float(loss.detach())}

    def _all_values(self, env: VectorTask, context: np.ndarray) -> np.ndarray:
        """(N,) normalised values of contexts (N, C), in pieces that fit the cache."""
        pieces = torch.from_numpy(context).split(max(1, CACHED // context.shape[1]))
        value_of = torch.inference_mode()(partial(self.values, env))
        return torch.cat(self._threads.do([partial(value_of, piece) for piece in pieces])).double().numpy()

    def _end_values(self, env: VectorTask, rollout: Rollout) -> np.ndarray:
        """(B, R) what follows a robot's last step is worth.

        A team goes on without a lost robot, and the central critic, which values the team, says what that is worth; to
        the lost robot itself nothing follows, and nothing to a team that loses its last one. The horizon is the end,
        unless the config calls it an interruption.
        """
        team_goes_on = rollout.end_step < rollout.end_step.max(1, keepdims=True)
        counts = rollout.lost & self.central & team_goes_on
        if self.config.bootstrap:
            counts |= ~rollout.lost
        found = np.zeros(counts.shape)
        if counts.any():
            mean, deviation = self.scale.mean_and_deviation
            found[counts] = mean + deviation * self._all_values(env, rollout.end_context[counts])
        return found


def without_luck(reward: np.ndarray, repeats: int) -> np.ndarray:
    """Rewards (T, B, R) less what the ``repeats`` neighbouring rows of a seed got on average in the same step."""
    grouped = reward.reshape(len(reward), -1, repeats, reward.shape[2])
    return (grouped - grouped.mean(2, keepdims=True)).reshape(reward.shape)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Decisions with their advantages (N,) and normalised value targets (N,)."""

    rollout: Rollout
    advantage: np.ndarray
    target: np.ndarray

    def pieces(self, robots: np.ndarray) -> list["_Piece"]:
        """The decisions of some robots, rows of ``sequences`` in ascending order, robots kept whole."""
        table = self.rollout.sequences[robots]
        numbers = int((table >= 0).sum()) * self.rollout.observation.shape[1]
        return [_Piece.cut(part) for part in np.array_split(table, min(len(table), 1 + numbers // CACHED))]


class _Piece(NamedTuple):
    """Decisions of which about ``CACHED`` numbers were observed.

    Attributes:
        places: (n,) int64, where they stand in the batch.
        sequences: (Q, L) int64, each robot's in order, as places in this piece, -1 after the last.
    """

    places: Tensor
    sequences: Tensor

    @classmethod
    def cut(cls, table: np.ndarray) -> "_Piece":
        """Rows of a batch's ``sequences``."""
        table = table[:, (table >= 0).any(0)]
        renamed = np.full(table.shape, -1, np.int64)
        renamed[table >= 0] = np.arange((table >= 0).sum())
        return cls(torch.from_numpy(table[table >= 0]), torch.from_numpy(renamed))

    def of(self, *arrays: np.ndarray) -> list[Tensor]:
        """What the batch's arrays (N, ...) say of these decisions, (n, ...) each."""
        return [torch.from_numpy(array).index_select(0, self.places) for array in arrays]


_LossOf = Callable[[_Piece], tuple[Tensor, dict[str, float]]]


def train(
    tasks: Sequence[VectorTask], learner: Learner, teacher: Callable[[VectorTask], Policy] | None = None
) -> Iterator[tuple[Rollout, dict[str, float]]]:
    """Iterate until the config's number of iterations is reached; the caller may stop or save between any two.

    Args:
        tasks: played in turn, one per iteration; their robots, patients and buildings may differ in number.
        learner: whose policy plays, and is changed.
        teacher: makes the policy that is imitated in a task.

    Yields:
        The missions of each iteration, and figures about its update.

    Raises:
        ValueError: imitation without a teacher, or another number of tasks than the learner was made for.
    """
    config = learner.config
    made_for = len(learner.scales)
    require(len(tasks) == made_for, "tasks", len(tasks), f"{made_for}, as the learner was made for")
    require(config.imitated == 0 or teacher is not None, "imitated", config.imitated, "0 without a teacher")
    while learner.iteration < config.iterations:
        number = learner.iteration
        env = tasks[number % len(tasks)]
        rng = np.random.default_rng([config.seed, number])
        seeds = TRAINING_SEEDS + (config.seed << 32) + number * env.num_envs + np.arange(env.num_envs) // config.repeats
        actor = Actor(learner.policy, env.layout, env.codec, env.num_envs)
        decide: Decide = partial(_draw, actor, rng)
        if number < config.imitated and teacher is not None:
            decide = Teacher(teacher(env), actor, rng).decide
        rollout = play_missions(env, decide, seeds.tolist(), learner.central, config.objective)
        yield rollout, learner.learn(env, rollout, rng)


def _draw(actor: Actor, rng: np.random.Generator, observation: np.ndarray, mask: np.ndarray) -> Choice:
    """Actions drawn from the policy."""
    return actor.decide(observation, mask, rng.random(mask.shape))
