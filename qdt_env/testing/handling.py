"""Checks of how an environment takes what clients do to it: results kept or overwritten, odd actions, lost agents."""

from collections import deque
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from qdt_env.testing.play import (
    CONTINUE,
    MakeEnv,
    Moment,
    RandomPlayer,
    arrays_in,
    dicts_in,
    digest,
    expect,
    expect_same,
    mask_of,
    reset,
    step,
    try_step,
)

_KEPT = 40  # results are kept this many turns, to see whether they change
_ODD_SHARE = 0.3  # of the turns in which odd actions are tried


def check_copies(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """What is handed out belongs to the caller: fresh dicts and arrays, never views of the environment or each other.

    Raises:
        ConformanceError: writing into results changes the environment, or results change or are handed out again.
    """
    env, spoiled = make_env(), make_env()
    player, moment, other = RandomPlayer(env, seed), reset(env, seed), reset(spoiled, seed)
    kept: deque[tuple[str, Moment, list[str]]] = deque()
    for number in range(steps):
        where = f"turn {number}"
        expect_same(moment, other, where, "writing into results changed what came later")
        _expect_apart(moment, where)
        if kept:
            _expect_fresh(kept[-1][1], moment, where)
        kept.append((where, moment, [digest(part) for part in moment]))
        if len(kept) > _KEPT:
            _expect_unchanged(*kept.popleft())
        _overwrite(other, where)
        if not env.agents:
            moment, other = reset(env), reset(spoiled)
            continue
        actions = player.act(moment)
        given = dict(actions)
        other = step(spoiled, given)
        expect(given == actions, f"{where}: step() changed the actions it was given, {actions} became {given}")
        given.clear()
        moment = step(env, actions)
    for entry in kept:
        _expect_unchanged(*entry)
    return steps


def _expect_apart(moment: Moment, where: str) -> None:
    """No two arrays of one moment share memory."""
    found = sorted(
        ((*byte_bounds(array), path, array) for path, array in arrays_in(moment)), key=lambda entry: entry[:3]
    )
    for (_, end, path, array), (start, _, next_path, other) in zip(found, found[1:], strict=False):
        shared = start < end and np.shares_memory(array, other)
        expect(not shared, f"{where}: {path} and {next_path} share memory")


def _expect_fresh(before: Moment, now: Moment, where: str) -> None:
    """Neither a dict nor an array's memory is handed out twice."""
    dicts = {id(part) for _, part in dicts_in(before)}
    arrays = dict(arrays_in(before))
    for path, part in dicts_in(now):
        expect(id(part) not in dicts, f"{where}: {path} is the same dict as in the turn before")
    for path, array in arrays_in(now):
        shared = path in arrays and np.shares_memory(array, arrays[path])
        expect(not shared, f"{where}: {path} shares memory with that of the turn before")


def _expect_unchanged(where: str, moment: Moment, before: list[str]) -> None:
    """A result that was kept is still what it was."""
    changed = [n for n, was, part in zip(Moment._fields, before, moment, strict=True) if was != digest(part)]
    expect(not changed, f"{where}: the {' and '.join(changed)} handed out then changed later")


def _overwrite(moment: Moment, where: str) -> None:
    """Spoil everything in a moment."""
    for path, array in list(arrays_in(moment)):
        expect(array.flags.writeable, f"{where}: {path} cannot be written to: clients own what they get")
        array[...] = 1 - array
    for _, part in list(dicts_in(moment)):
        part.clear()


def check_odd_actions(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Missing actions mean "continue", NumPy integers are integers, what is outside the space raises and does no harm.

    After the end ``step`` returns five empty dicts.

    Returns:
        How many odd actions were tried.

    Raises:
        ConformanceError: naming turn and action.
    """
    env, twin = make_env(), make_env()
    player, rng = RandomPlayer(env, seed), np.random.default_rng(seed)
    moment, cases = reset(env, seed), 0
    reset(twin, seed)
    for number in range(steps):
        if not env.agents:
            expect(
                step(env, {}) == Moment({}, {}, {}, {}, {}), f"turn {number}: step() after the end returns something"
            )
            moment = reset(env)
            reset(twin)
        plain = player.act(moment)
        odd: dict[str, Any] = dict(plain)
        if rng.random() < _ODD_SHARE:
            _expect_refused(env, plain, int(rng.integers(len(plain))), f"turn {number}")
            cases += 1
        if rng.random() < _ODD_SHARE:
            missing = [agent for agent in plain if rng.random() < 0.5] if rng.random() < 0.5 else list(plain)
            odd = {agent: action for agent, action in plain.items() if agent not in missing}
            plain |= dict.fromkeys(missing, CONTINUE)
            cases += 1
        kinds = (np.int64, np.int32, np.array)
        odd = {agent: kinds[int(rng.integers(3))](action) for agent, action in odd.items()}
        moment = try_step(env, odd, f"turn {number}")
        what = "missing or NumPy actions, or a refused step before, gave another result than plain ones"
        expect_same(moment, step(twin, plain), f"turn {number}", what)
    return cases


def _expect_refused(env: Any, actions: dict[str, Any], which: int, where: str) -> None:
    """Each action outside the space raises, numbers a ValueError that names the agent."""
    agent = list(actions)[which]
    n = env.action_space(agent).n
    for wrong in (-1, int(n), 10**6, 0.5, float("nan"), "wait", None):
        try:
            env.step({**actions, agent: wrong})
        except ValueError as error:
            expect(
                agent in str(error), f"{where}: the error for actions[{agent!r}]={wrong!r} does not name it: {error}"
            )
        except TypeError:
            expect(not isinstance(wrong, (int, float)), f"{where}: actions[{agent!r}]={wrong!r} raised no ValueError")
        else:
            expect(False, f"{where}: actions[{agent!r}]={wrong!r} is outside the space and did not raise")


def check_lost_agents(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """A lost agent terminates alone, leaves ``agents``, and later actions of it are ignored.

    With ``keep_dead=True`` it stays until the end with zeros and only the last action ("wait") legal, and the others'
    episode is the same.

    Returns:
        How many agents were lost before their episode's end; play a scenario in which it happens.

    Raises:
        ConformanceError: naming turn and agent.
    """
    env, haunted, keeper = make_env(keep_dead=False), make_env(keep_dead=False), make_env(keep_dead=True)
    player, rng = RandomPlayer(env, seed), np.random.default_rng(seed)
    moment, lost = reset(env, seed), 0
    reset(haunted, seed)
    reset(keeper, seed)
    for number in range(steps):
        if not env.agents:
            moment = reset(env)
            reset(haunted)
            reset(keeper)
        where, there = f"step {number}", list(env.agents)
        actions = player.act(moment)
        gone = {a: int(rng.integers(env.action_space(a).n)) for a in env.possible_agents if a not in there}
        moment, kept = step(env, actions), step(keeper, actions)
        expect_same(
            moment, try_step(haunted, actions | gone, where), where, f"actions of the lost agents {list(gone)} mattered"
        )
        expect(
            list(kept.observations) == env.possible_agents, f"{where}: keep_dead=True lost {list(kept.observations)}"
        )
        newly = [a for a in there if moment.terminations[a]] if env.agents else []
        for agent in there:
            if agent not in newly:
                same = (part[agent] for part in moment), (part[agent] for part in kept)
                expect_same(
                    tuple(same[0]), tuple(same[1]), f"{where}, {agent}", "keep_dead=True changes the others' episode"
                )
        for agent in [*gone, *newly]:
            _expect_shade(agent, kept, bool(env.agents), where)
        lost += len(newly)
    return lost


def _expect_shade(agent: str, kept: Moment, going_on: bool, where: str) -> None:
    """A lost agent under ``keep_dead=True``."""
    observation, mask = kept.observations[agent], mask_of(agent, kept)
    flat = observation
    if isinstance(observation, dict):
        flat = observation.get("observation", observation.get("observations"))
    expect(not np.any(flat), f"{where}: {agent} is lost and kept, and its observation is not zero")
    if mask is not None:
        expect(
            mask.sum() == 1 and mask[-1] == 1, f"{where}: {agent} is lost and kept, and may do {np.flatnonzero(mask)}"
        )
    ended = kept.terminations[agent] or kept.truncations[agent]
    expect(not (ended and going_on), f"{where}: {agent} is lost and kept, and ended before the episode")
