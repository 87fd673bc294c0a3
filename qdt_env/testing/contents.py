"""Checks of what is handed out: spaces and observations, masks, rewards and ends, infos, the privileged state.

Every check returns how many cases it saw; 0 means that there was nothing to test.
"""

import math
import numbers
from typing import Any

import numpy as np
from gymnasium import spaces

from qdt_env.testing.play import (
    CONTINUE,
    MakeEnv,
    Moment,
    RandomPlayer,
    Turn,
    digest,
    expect,
    expect_same,
    legal_actions,
    mask_of,
    play,
    reset,
    step,
    try_step,
)

_COUNTER = "masked_actions"
_ILLEGAL_SHARE = 0.3  # of the turns in which one agent tries an action outside its mask


def check_spaces(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Spaces are plain, bounded and the same objects at every call.

    Raises:
        ConformanceError: a space is made anew, unbounded, nested, or of a kind that standard clients refuse.
    """
    env = make_env()
    agents = list(env.possible_agents)
    expect(agents and len(set(agents)) == len(agents), f"possible_agents={agents} must be distinct names")
    before = [_spaces_of(env, agent) for agent in agents]
    for agent, (observation, action, _) in zip(agents, before, strict=True):
        _expect_plain(observation, f"observation_space({agent!r})")
        expect(isinstance(action, spaces.Discrete), f"action_space({agent!r}) is {action}, not Discrete")
        expect(action.start == 0, f"action_space({agent!r}) starts at {action.start}, not 0")
    _expect_plain(env.state_space, "state_space")
    cases = 0
    for turn in play(env, steps, seed):
        for agent, known in zip(agents, before, strict=True):
            for name, one, two in zip(_SPACES, known, _spaces_of(env, agent), strict=True):
                expect(one is two, f"{turn.where}: {name} of {agent} is another object than before")
                cases += 1
        expect(env.possible_agents == agents, f"{turn.where}: possible_agents changed to {env.possible_agents}")
    return cases


_SPACES = ("observation_space", "action_space", "state_space")


def _spaces_of(env: Any, agent: str) -> tuple[Any, Any, Any]:
    """The three spaces, in the order of ``_SPACES``."""
    return env.observation_space(agent), env.action_space(agent), env.state_space


def _expect_plain(space: Any, where: str, inner: bool = False) -> None:
    """A bounded Box, or one flat Dict of them."""
    if isinstance(space, spaces.Dict) and not inner:
        for key, part in space.spaces.items():
            _expect_plain(part, f"{where}[{key!r}]", inner=True)
        return
    expect(isinstance(space, spaces.Box), f"{where} is {space}: clients take a Box or one flat Dict of Boxes")
    bounded = np.isfinite(space.low).all() and np.isfinite(space.high).all()
    expect(bounded and (space.low < space.high).all(), f"{where} is {space}: every low must be below its finite high")
    expect(space.low.size > 0, f"{where} is empty")


def check_observations(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Every observation has exactly its space's keys, shape and dtype, lies within the bounds, and is finite.

    Raises:
        ConformanceError: naming agent, key, element and value.
    """
    env, cases = make_env(), 0
    for turn in play(env, steps, seed):
        for agent, observation in turn.moment.observations.items():
            expect_in_space(env.observation_space(agent), observation, f"{turn.where}, observation of {agent}")
            cases += 1
    return cases


def expect_in_space(space: Any, value: Any, where: str) -> None:
    """Stricter than ``space.contains``: the dtype must be the space's own, and the message says which element is wrong.

    Raises:
        ConformanceError: the value is not in the space.
    """
    if isinstance(space, spaces.Dict):
        expect(type(value) is dict, f"{where} is a {type(value).__name__}, not a dict")
        expect(set(value) == set(space.spaces), f"{where} has keys {sorted(value)}, not {sorted(space.spaces)}")
        for key, part in space.spaces.items():
            expect_in_space(part, value[key], f"{where}[{key!r}]")
        return
    expect(isinstance(value, np.ndarray), f"{where} is a {type(value).__name__}, not an array")
    expect(value.dtype == space.dtype, f"{where} has dtype {value.dtype}, its space {space.dtype}")
    expect(value.shape == space.shape, f"{where} has shape {value.shape}, its space {space.shape}")
    for name, wrong in (
        ("not finite", ~np.isfinite(value)),
        ("too low", value < space.low),
        ("too high", value > space.high),
    ):
        if wrong.any():
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            expect(
                False,
                f"{where} is {name} at {first}: {value[first]!r}, allowed {space.low[first]} .. {space.high[first]}",
            )
    expect(space.contains(value), f"{where} is not contained in {space}")


def check_masks(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Masks are int8, 0 or 1, with a legal action, and are honoured; the environment must hand masks out.

    A legal action is never counted in ``infos[agent]["masked_actions"]``. An illegal one does not raise, adds one to
    that count and otherwise does what "continue" does (where "continue" is legal; a lost robot does nothing at all).

    Returns:
        How many illegal actions were tried.

    Raises:
        ConformanceError: a mask is malformed, or is not the one that the environment goes by.
    """
    env, twin = make_env(), make_env()
    player, rng = RandomPlayer(env, seed), np.random.default_rng(seed)
    moment, same, tried = reset(env, seed), reset(twin, seed), 0
    for number in range(steps):
        if not env.agents:
            moment, same = reset(env), reset(twin)
        for agent in env.agents:
            _expect_mask(env, agent, moment, f"before step {number}")
        actions = player.act(moment)
        meek = dict(actions)
        agent = env.agents[rng.integers(len(env.agents))]
        illegal = np.setdiff1d(np.arange(env.action_space(agent).n), legal_actions(env, agent, moment))
        bold = illegal.size > 0 and illegal[0] != CONTINUE and rng.random() < _ILLEGAL_SHARE
        if bold:
            actions[agent], meek[agent], tried = int(rng.choice(illegal)), CONTINUE, tried + 1
        counts = {a: moment.infos[a][_COUNTER] for a in env.agents}
        moment, same = try_step(env, actions, f"step {number}"), step(twin, meek)
        for a in counts:
            more, due = moment.infos[a][_COUNTER] - counts[a], int(bold and a == agent)
            legality = "outside" if due else "within"
            expect(
                more == due,
                f"step {number}: action {actions[a]} of {a} was {legality} its mask, {_COUNTER} grew by {more}",
            )
        what = "an action outside the mask did something else than 'continue'"
        expect_same(_uncounted(moment), _uncounted(same), f"step {number}, {agent}", what)
    return tried


def _expect_mask(env: Any, agent: str, moment: Moment, where: str) -> None:
    """One mask's form."""
    mask, n = mask_of(agent, moment), env.action_space(agent).n
    expect(isinstance(mask, np.ndarray), f"{where}: the mask of {agent} is a {type(mask).__name__}, not an array")
    expect(mask.dtype == np.int8, f"{where}: the mask of {agent} has dtype {mask.dtype}, not int8")
    expect(mask.shape == (n,), f"{where}: the mask of {agent} has shape {mask.shape}, not ({n},)")
    expect(np.isin(mask, (0, 1)).all(), f"{where}: the mask of {agent} has values other than 0 and 1")
    expect(mask.any(), f"{where}: the mask of {agent} allows nothing")


def _uncounted(moment: Moment) -> Moment:
    """A moment without the counters of masked actions."""
    infos = {a: {k: v for k, v in i.items() if not k.endswith(_COUNTER)} for a, i in moment.infos.items()}
    return moment._replace(infos=infos)


def check_rewards_and_ends(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Rewards are finite floats, ends are bools, the five dicts speak of the same agents, who ended is gone for good.

    Agents that end in the episode's last step all end the same way.

    Returns:
        How many episodes came to an end.

    Raises:
        ConformanceError: naming turn and agent.
    """
    env, ended, live = make_env(), 0, []
    for turn in play(env, steps, seed):
        if not turn.actions:
            live = list(env.possible_agents)
            _expect_start(env, turn)
            continue
        moment, where = turn.moment, turn.where
        for name, part in moment._asdict().items():
            expect(list(part) == live, f"{where}: {name} speak of {list(part)}, but {live} were there")
        gone = [a for a in live if moment.terminations[a] or moment.truncations[a]]
        for agent in live:
            reward, ends = moment.rewards[agent], (moment.terminations[agent], moment.truncations[agent])
            expect(isinstance(reward, float), f"{where}: reward of {agent} is {reward!r}, not a float")
            expect(np.isfinite(reward), f"{where}: reward of {agent} is {reward!r}")
            expect(all(type(end) is bool for end in ends), f"{where}: ends of {agent} are {ends}, not bool")
            expect(ends != (True, True), f"{where}: {agent} is both terminated and truncated")
        live = [agent for agent in live if agent not in gone]
        expect(env.agents == live, f"{where}: agents is {env.agents}, but {live} have not ended")
        if not live:
            ended += 1
            how = {a: "terminated" if moment.terminations[a] else "truncated" for a in gone}
            expect(len(set(how.values())) == 1, f"{where}: the last agents ended in different ways: {how}")
    return ended


def _expect_start(env: Any, turn: Turn) -> None:
    """After a reset everybody is there."""
    everybody = list(env.possible_agents)
    expect(env.agents == everybody, f"{turn.where}: agents is {env.agents} after reset, not {everybody}")
    expect(env.agents is not env.possible_agents, f"{turn.where}: agents and possible_agents are one list")
    for name, part in (("observations", turn.moment.observations), ("infos", turn.moment.infos)):
        expect(list(part) == everybody, f"{turn.where}: {name} of reset speak of {list(part)}, not {everybody}")


def check_infos(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Infos have the same keys from reset on and hold finite numbers or arrays of constant type and shape.

    Raises:
        ConformanceError: naming turn, agent and key.
    """
    env, cases = make_env(), 0
    known: dict[str, str] = {}
    for turn in play(env, steps, seed):
        for agent, info in turn.moment.infos.items():
            where = f"{turn.where}: infos[{agent!r}]"
            expect(type(info) is dict, f"{where} is a {type(info).__name__}, not a dict")
            forms = {key: _form(value) for key, value in info.items()}
            known = known or forms
            if forms != known:
                wrong = sorted({key for key, _ in forms.items() ^ known.items()})
                expect(not wrong, f"{where} differs from the first in {_forms(wrong, forms, known)}")
            for key, value in info.items():
                is_array = isinstance(value, np.ndarray)
                number = value.dtype.kind in "biuf" if is_array else isinstance(value, numbers.Real)
                expect(number, f"{where}[{key!r}]={value!r} is neither a number nor an array of numbers")
                finite = np.isfinite(value).all() if is_array else math.isfinite(value)
                expect(finite, f"{where}[{key!r}]={value!r} is not finite")
                cases += 1
    return cases


def _form(value: Any) -> str:
    """Type, and for arrays dtype and shape, in a word."""
    return f"{value.dtype.char}{value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _forms(keys: list[str], now: dict[str, str], before: dict[str, str]) -> str:
    """For messages: what each key is now and was before."""
    return ", ".join(f"{key!r} ({before.get(key, 'absent')} before, {now.get(key, 'absent')} now)" for key in keys)


def check_state(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """``state()`` lies in ``state_space`` (dtype, shape, bounds, finite), changes, and is a copy; reading it is free.

    Raises:
        ConformanceError: naming turn and element.
    """
    env = make_env()
    seen: set[str] = set()
    for turn in play(env, steps, seed):
        state = env.state()
        expect_in_space(env.state_space, state, f"{turn.where}, state()")
        was = digest(state)
        expect(digest(env.state()) == was, f"{turn.where}: two calls of state() differ")
        state[...] = env.state_space.high
        expect(digest(env.state()) == was, f"{turn.where}: state() is a view: writing into it changes the next one")
        seen.add(was)
    expect(len(seen) > 1, f"state() never changed in {steps} steps")
    return len(seen)
