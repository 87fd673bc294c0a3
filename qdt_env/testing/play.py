"""Play an environment the way the checks need it: random legal actions, comparison bit by bit, digests."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

# Called with no arguments, or with keyword arguments of the environment such as ``render_mode="ansi"``.
MakeEnv = Callable[..., Any]

CONTINUE = 0
MASK = "action_mask"
_PERSISTENCE = 0.7  # share of the turns in which an agent goes on with what it does, so that tasks get finished


class ConformanceError(AssertionError):
    """The environment breaks its contract; the message says what is wrong and where."""


def expect(holds: Any, message: str) -> None:
    """Raise a :class:`ConformanceError` unless ``holds``."""
    if not holds:
        raise ConformanceError(message)


class Moment(NamedTuple):
    """What a reset (rewards and ends empty) or a step returned, dicts by agent."""

    observations: dict[str, Any]
    rewards: dict[str, Any]
    terminations: dict[str, Any]
    truncations: dict[str, Any]
    infos: dict[str, Any]


class Turn(NamedTuple):
    """One reset or step of a run."""

    where: str  # "episode 0 step 12", for messages
    actions: dict[str, Any]  # what led here, empty after a reset
    moment: Moment


class RandomPlayer:
    """Random legal actions from its own seeded generator; often "continue", so that tasks get finished."""

    def __init__(self, env: Any, seed: int) -> None:
        """For the agents of ``env``; the seed is the only source of randomness."""
        self._env = env
        self._rng = np.random.default_rng(seed)

    def act(self, moment: Moment) -> dict[str, int]:
        """An action for every agent that is still there."""
        return {agent: self._draw(agent, moment) for agent in self._env.agents}

    def _draw(self, agent: str, moment: Moment) -> int:
        """A legal action of one agent; any action where there is no mask."""
        legal = legal_actions(self._env, agent, moment)
        if CONTINUE in legal and self._rng.random() < _PERSISTENCE:
            return CONTINUE
        return int(legal[self._rng.integers(len(legal))])


def mask_of(agent: str, moment: Moment) -> Any:
    """The agent's action mask, from its observation or its infos; None without one."""
    observation = moment.observations[agent]
    if isinstance(observation, dict) and MASK in observation:
        return observation[MASK]
    return moment.infos[agent].get(MASK)


def legal_actions(env: Any, agent: str, moment: Moment) -> np.ndarray:
    """Numbers of the actions that the mask allows.

    Raises:
        ConformanceError: the action space is not Discrete, or no action is allowed.
    """
    space = env.action_space(agent)
    expect(isinstance(space, spaces.Discrete), f"action_space({agent!r}) is {space}, not Discrete")
    mask = mask_of(agent, moment)
    legal = np.arange(space.n) if mask is None else np.flatnonzero(mask)
    expect(len(legal) > 0, f"{agent}: no action is legal")
    return legal


def reset(env: Any, seed: int | None = None, **kwargs: Any) -> Moment:
    """Reset and return the first moment."""
    observations, infos = env.reset(seed=seed, **kwargs)
    return Moment(observations, {}, {}, {}, infos)


def step(env: Any, actions: dict[str, Any]) -> Moment:
    """Step and return the moment."""
    return Moment(*env.step(actions))


def try_step(env: Any, actions: dict[str, Any], where: str) -> Moment:
    """As :func:`step`, for actions that must not raise.

    Raises:
        ConformanceError: it did.
    """
    try:
        return step(env, actions)
    except Exception as error:
        raise ConformanceError(f"{where}: step({actions}) raised {type(error).__name__}: {error}") from error


def play(env: Any, steps: int, seed: int) -> Iterator[Turn]:
    """``steps`` steps of random legal play from ``reset(seed)`` on, going on with the next episode at each end."""
    player = RandomPlayer(env, seed)
    episode, at, moment = 0, 0, reset(env, seed)
    yield Turn("episode 0 step 0", {}, moment)
    for _ in range(steps):
        if not env.agents:
            episode, at, moment = episode + 1, 0, reset(env)
            yield Turn(f"episode {episode} step 0", {}, moment)
        actions = player.act(moment)
        moment, at = step(env, actions), at + 1
        yield Turn(f"episode {episode} step {at}", actions, moment)


def difference(one: Any, other: Any, where: str) -> str | None:
    """Where two results differ, bit by bit and type by type; None where they do not."""
    if type(one) is not type(other):
        return f"{where}: {type(one).__name__} and {type(other).__name__}"
    if isinstance(one, dict):
        if list(one) != list(other):
            return f"{where}: keys {list(one)} and {list(other)}"
        parts = (difference(one[key], other[key], f"{where}[{key!r}]") for key in one)
        return next((part for part in parts if part), None)
    if isinstance(one, tuple):
        names = getattr(one, "_fields", range(len(one)))
        parts = (difference(a, b, f"{where} {n}") for n, a, b in zip(names, one, other, strict=True))
        return next((part for part in parts if part), None)
    if isinstance(one, np.ndarray):
        return _array_difference(one, other, where)
    alike = (one == other and one) or repr(one) == repr(other)  # the repr tells 0.0 from -0.0
    return None if alike else f"{where}: {one!r} and {other!r}"


def _array_difference(one: np.ndarray, other: np.ndarray, where: str) -> str | None:
    """As :func:`difference`, naming the first element."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return f"{where}: {one.dtype}{one.shape} and {other.dtype}{other.shape}"
    if one.tobytes() == other.tobytes():
        return None
    width = one.dtype.itemsize
    a = np.frombuffer(one.tobytes(), np.uint8).reshape(-1, width)
    b = np.frombuffer(other.tobytes(), np.uint8).reshape(-1, width)
    first = int(np.flatnonzero((a != b).any(1))[0])
    return f"{where}, element {first}: {one.ravel()[first]!r} and {other.ravel()[first]!r}"


def expect_same(one: Any, other: Any, where: str, what: str) -> None:
    """Raise a :class:`ConformanceError` with ``what`` and the place where the two differ, if they do."""
    found = difference(one, other, where)
    expect(found is None, f"{what}; at {found}")


def digest(value: Any) -> str:
    """Digest of a nested result: bits, types, keys and their order."""
    words: list[bytes] = []
    _spell(value, words)
    return hashlib.blake2b(b"|".join(words), digest_size=12).hexdigest()


def _spell(value: Any, words: list[bytes]) -> None:
    """Append a value and all inside it; the repr of a number holds all of its bits and its type."""
    if isinstance(value, dict):
        words.append(b"dict%d" % len(value))
        for key, part in value.items():
            words.append(repr(key).encode())
            _spell(part, words)
    elif isinstance(value, (tuple, list)):
        words.append(b"%d parts" % len(value))
        for part in value:
            _spell(part, words)
    elif isinstance(value, np.ndarray):
        words.append(f"{value.dtype.char}{value.shape}".encode())
        words.append(value.tobytes())
    else:
        words.append(repr(value).encode())


def trace(env: Any, steps: int, seed: int) -> list[tuple[str, list[str]]]:
    """A run in short: for every turn where it is, and digests of the moment's parts and of ``state()``."""
    return [(turn.where, [*map(digest, turn.moment), digest(env.state())]) for turn in play(env, steps, seed)]


def expect_same_trace(one: list[tuple[str, list[str]]], other: list[tuple[str, list[str]]], what: str) -> None:
    """Raise a :class:`ConformanceError` naming the first turn and part in which two traces differ."""
    for (where, parts), (_, others) in zip(one, other, strict=True):
        names = [n for n, a, b in zip((*Moment._fields, "state()"), parts, others, strict=True) if a != b]
        expect(not names, f"{what}; first at {where}, in {', '.join(names)}")


def arrays_in(value: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every array in a nested result, with its path."""
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from arrays_in(part, f"{path}[{key!r}]")
    elif isinstance(value, Moment):
        for name, part in value._asdict().items():
            yield from arrays_in(part, name)


def dicts_in(value: Any, path: str = "") -> Iterator[tuple[str, dict[Any, Any]]]:
    """Every dict in a nested result, with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, part in value.items():
            yield from dicts_in(part, f"{path}[{key!r}]")
    elif isinstance(value, Moment):
        for name, part in value._asdict().items():
            yield from dicts_in(part, name)
