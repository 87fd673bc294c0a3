"""Acting with a network: who decides, in which order, and what a decision is made of. Training and playing share it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from agents.blocks import deciding
from agents.networks import NetworkConfig, TeamPolicy
from agents.recharging import must_recharge
from agents.second_thoughts import SecondThoughts
from qdt_env.records import require
from qdt_env.spaces import CONTINUE, ActionCodec, ObservationLayout

FORMAT = "qdt policy 1"
TEMPERATURE = 0.25  # of a policy that plays and no longer explores: docs/learning.md, "Playing is not exploring"
_ABOUT = "about"


@dataclass(frozen=True, eq=False)
class Decisions:
    """N choices of robots, in the order in which they were made.

    Attributes:
        row, robot: (N,) int64, who chose.
        observation: (N, F) float32, what it saw.
        mask: (N, A) int8, what it might choose.
        chosen: (N, P) float32, how many robots before it chose each patient in the same step.
        action: (N,) int64.
        log_probability: (N,) float32 of the action.
    """

    row: np.ndarray
    robot: np.ndarray
    observation: np.ndarray
    mask: np.ndarray
    chosen: np.ndarray
    action: np.ndarray
    log_probability: np.ndarray


class Actor:
    """Asks a policy for the actions of B teams, step by step through one episode.

    Robots that decide in the same step do so by number, each seeing whom those before it chose (``in_turn``); a robot
    that chose to wait is asked again after ``patience`` steps. ``temperature`` scales the noise with which actions are
    drawn: at 1 as the policy says, at 0 the likeliest.
    """

    def __init__(
        self, policy: TeamPolicy, layout: ObservationLayout, codec: ActionCodec, rows: int, temperature: float = 1.0
    ) -> None:
        """An actor for ``rows`` episodes with observations of ``layout`` and actions of ``codec``.

        Raises:
            ValueError: the codec is not of task control.
        """
        require(codec.control == "task", "control", codec.control, "'task' for a learned policy")
        self.policy, self.layout, self.codec, self.temperature = policy, layout, codec, temperature
        self._asked_again = np.zeros((rows, layout.robots), np.int64)
        self._remembered = torch.zeros(rows, layout.robots, policy.config.hidden)
        self._second_thoughts = SecondThoughts(layout)
        self._step = np.zeros((rows, 1), np.int64)

    @property
    def rows(self) -> int:
        """Episodes that are played side by side."""
        return len(self._step)

    def reset(self, rows: np.ndarray) -> None:
        """A new episode in those of the rows (B,) bool."""
        self._asked_again[rows] = self._step[rows] = 0
        self._remembered[torch.from_numpy(rows)] = 0.0

    def asked(self, observation: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Robots that have a choice, and robots that recharge without being asked, both (B, R) bool."""
        config = self.policy.config
        asked = deciding(self.layout, torch.from_numpy(observation), torch.from_numpy(mask), config.commits).numpy()
        low = np.zeros(asked.shape, bool)
        if config.recharges:
            low = must_recharge(self.layout, self.codec, observation, mask)
        return asked & ~low, low

    def decide(
        self, observation: np.ndarray, mask: np.ndarray, uniform: np.ndarray
    ) -> tuple[np.ndarray, list[Decisions]]:
        """Actions of one step.

        Args:
            observation: (B, R, F) float32.
            mask: (B, R, A) int8.
            uniform: (B, R, A) in [0, 1), draws the actions.

        Returns:
            (B, R) int32 actions, and the decisions among them, in rounds: in one round a row decides at most once.
        """
        config = self.policy.config
        asked, low = self.asked(observation, mask)
        asked &= self._asked_again <= self._step
        if config.reconsiders:
            asked |= self._second_thoughts.due(observation) & ~low
        actions = np.where(mask[..., CONTINUE] == 1, CONTINUE, mask.argmax(-1)).astype(np.int32)
        actions[low] = self.codec.service("recharge")
        chosen = np.zeros((len(mask), self.layout.patients), np.float32)
        made = []
        for rows, robots in rounds(asked, config.in_turn):
            seen, allowed, drawn = (one[rows, robots] for one in (observation, mask, uniform))
            decisions = self._ask(rows, robots, seen, allowed, chosen[rows], drawn)
            actions[rows, robots] = decisions.action
            if config.in_turn:
                note_choices(chosen, rows, decisions.action)
            patience = np.where(decisions.action == self.codec.wait, config.patience, 1)
            self._asked_again[rows, robots] = self._step[rows, 0] + patience
            made.append(decisions)
        self._second_thoughts.note(observation, actions)
        self._step += 1
        return actions, made

    def _ask(
        self,
        rows: np.ndarray,
        robots: np.ndarray,
        observation: np.ndarray,
        mask: np.ndarray,
        chosen: np.ndarray,
        uniform: np.ndarray,
    ) -> Decisions:
        """One round."""
        mask = choices(mask, self.policy.config)
        remembers = self.policy.memory is not None  # taking and putting back costs as much as a layer
        with torch.inference_mode():
            logits, remembered = self.policy(
                self.layout,
                torch.from_numpy(observation),
                torch.from_numpy(mask),
                torch.from_numpy(chosen),
                self._remembered[rows, robots] if remembers else self._remembered[0, 0],
            )
            if remembers:
                self._remembered[rows, robots] = remembered
            likelihood = torch.log_softmax(logits, -1)
            # The largest of logits with Gumbel noise is distributed as the policy says.
            noise = -torch.log(-torch.log(torch.from_numpy(uniform).clamp_min(1e-12)))
            action = (logits + self.temperature * noise).argmax(-1)
            taken = likelihood.gather(1, action[:, None])[:, 0]
        return Decisions(rows, robots, observation, mask, chosen, action.numpy(), taken.numpy())


def rounds(asked: np.ndarray, in_turn: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and robots (n,) of each round for ``asked`` (B, R) bool: all at once, or each row's k-th in round k."""
    rows, robots = np.nonzero(asked)
    if not in_turn or rows.size == 0:
        return [(rows, robots)] if rows.size else []
    turn = (np.cumsum(asked, 1) - 1)[rows, robots]
    return [(rows[turn == k], robots[turn == k]) for k in range(int(turn.max()) + 1)]


def choices(mask: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """What robots that are asked may choose, of masks (n, A): a free one that commits has nothing to go on with."""
    if not config.commits:
        return mask
    mask = mask.copy()
    mask[:, CONTINUE] = 0  # idling is "wait"
    return mask


def note_choices(chosen: np.ndarray, rows: np.ndarray, actions: np.ndarray) -> None:
    """Count in ``chosen`` (B, P) the patients of ``actions`` (n,), one of each of the ``rows`` (n,), all different."""
    patients = actions - 1
    named = (patients >= 0) & (patients < chosen.shape[1])
    chosen[rows[named], patients[named]] += 1.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch keeps to one thread; after, it has those that it had before.

    Its operations here are too small to be shared; on a busy machine threads that wait for each other took up to twice
    the time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class LearnedPolicy:
    """A trained network as a policy.

    Actions are drawn more surely than in training, where exploring pays. Still they are drawn: a robot that always
    prefers the same action can prefer one that leads nowhere, for ever.

    Attributes:
        graph: observations must be of a ``GraphLayout``, the robots' maps included.
    """

    perfect_information = False

    def __init__(
        self,
        network: TeamPolicy,
        layout: ObservationLayout,
        codec: ActionCodec,
        name: str,
        temperature: float = TEMPERATURE,
    ) -> None:
        """The network's choices for observations of ``layout`` and actions of ``codec`` (task control).

        Args:
            network, layout, codec: what plays, and what.
            name: in tables.
            temperature: see :class:`Actor`.

        Raises:
            ValueError: the codec is of another control, or the network wants advice or a graph that the observations
                do not hold.
        """
        self.name, self.network, self.layout, self.codec = name, network.eval(), layout, codec
        self.advised = network.advised
        there = "advice" in layout.blocks
        require(there or not self.advised, "policy", name, "one trained without advice, or add an advisor")
        self.graph = network.config.graph > 0
        mapped = "zones" in layout.blocks or not self.graph
        require(mapped, "policy", name, "one trained on the flat observation, or give it a GraphLayout")
        self.temperature = temperature
        self._actor: Actor | None = None

    @one_thread()
    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`agents.policy.Policy`; the start of an episode is read off the time elapsed."""
        rows = len(mask)
        if self._actor is None or self._actor.rows != rows:
            self._actor = Actor(self.network, self.layout, self.codec, rows, self.temperature)
        elapsed = self.layout.feature(observation, "time", "elapsed").reshape(rows, -1)
        self._actor.reset(elapsed.max(1) <= 0.0)
        actions, _ = self._actor.decide(np.ascontiguousarray(observation), mask, rng.random(mask.shape))
        return actions


def all_finite(values: Tensor) -> bool:
    """Whether there is neither an infinity among them nor anything that is no number."""
    return bool(torch.isfinite(values).all())


def save_policy(path: Path, network: TeamPolicy, card: dict[str, Any]) -> None:
    """Write weights and what made them; the file holds arrays and text, no code.

    Raises:
        ValueError: weights that are not finite.
    """
    _check_finite(network)
    about = {"format": FORMAT, "network": asdict(network.config), "advised": network.advised, "card": card}
    weights = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, path, {_ABOUT: json.dumps(about, sort_keys=True)})  # one entry: several have no fixed order
    Path(path).chmod(0o644)  # it is written for its owner alone


def load_network(path: Path) -> tuple[TeamPolicy, dict[str, Any]]:
    """The network of a file and the card of what made it.

    Raises:
        ValueError: no such file, or not a policy file of this format; names the file and what is wrong with it.
    """
    require(not Path(path).is_dir(), "policy", str(path), "a .safetensors file: this is a folder")
    require(Path(path).is_file(), "policy", str(path), "an existing .safetensors file")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
            weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _network_of(about, weights), dict(about["card"])
    except (
        SafetensorError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        wrong = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"policy file {str(path)!r} is damaged or of another kind: {wrong}") from None


def _network_of(about: dict[str, Any], weights: dict[str, Tensor]) -> TeamPolicy:
    """The network that a file describes, with its weights; any of a number of errors where these do not fit."""
    require(about["format"] == FORMAT, "format", about["format"], repr(FORMAT))
    require(type(about["advised"]) is bool, "advised", about["advised"], "true or false")
    written = {"reconsiders": False, **about["network"]}  # files older than that setting were trained without it
    written["without"] = tuple(written["without"])
    require(all(type(one) is str for one in written["without"]), "without", written["without"], "names")
    plain = NetworkConfig()
    for name, value in written.items():
        kind = type(getattr(plain, name))
        require(type(value) is kind, name, value, f"of type {kind.__name__}")
    config = replace(plain, **written)
    require(config.graph <= len(weights), "graph", config.graph, "no more rounds than the file has weights for")
    with torch.device("meta"):  # shapes without memory: a file may ask for any size
        asked = {name: value.shape for name, value in TeamPolicy(config, about["advised"]).state_dict().items()}
    for name in sorted(asked.keys() | weights.keys()):
        found = weights[name].shape if name in weights else None
        require(found == asked.get(name), "weights", name, "exactly those of the network described, in their shapes")
    network = TeamPolicy(config, about["advised"])
    network.load_state_dict(weights)
    _check_finite(network)
    return network


def _check_finite(network: TeamPolicy) -> None:
    """Refuse a network that diverged: every action is as good to it as any other."""
    for name, value in network.state_dict().items():
        require(all_finite(value), "weights", name, "finite numbers")
