"""Checks of an environment's life: resets and the count of episodes, rendering, closing."""

from typing import Any

import numpy as np

from qdt_env.testing.play import (
    MakeEnv,
    RandomPlayer,
    digest,
    expect,
    expect_same_trace,
    play,
    reset,
    step,
    trace,
)

_FEW = 20  # steps of an episode that tell it from another


def check_resets(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """``reset(seed)`` starts episode 0 at any time, ``reset()`` the next one under the seed.

    ``reset(options={"episode": n})`` goes to the n-th; unknown options are ignored. Episodes and seeds differ, and each
    can be had again.

    Returns:
        How many distinct episodes were compared.

    Raises:
        ConformanceError: saying which reset gave what.
    """
    few = max(1, min(_FEW, steps))
    env = make_env()
    episodes = [_start(env, few, seed)] + [_start(env, few) for _ in range(3)]
    expect(len(set(episodes)) == 4, f"four resets under seed {seed} gave only {len(set(episodes))} different episodes")
    expect(_start(env, few, seed) == episodes[0], f"a second reset(seed={seed}), in mid-episode, gave another episode")
    expect(_start(env, 1) != _start(env, 1), "two resets in a row without a seed gave the same episode")
    expect(
        _start(env, few) == episodes[3], "reset() counts steps, not episodes: shorter episodes before changed the next"
    )
    expect(_start(env, few, seed, {"unknown": 1}) == episodes[0], "an unknown option changed the episode")
    expect(_start(env, few, seed, {"episode": 2}) == episodes[2], "options={'episode': 2} is not the third episode")
    expect(_start(env, few) == episodes[3], "reset() after options={'episode': 2} is not the fourth episode")
    expect(
        _start(env, few, None, {"episode": 1}) == episodes[1], "options={'episode': 1} without a seed is not the second"
    )
    expect(
        _start(make_env(), few, None) != _start(make_env(), few, None), "two unseeded instances gave the same episode"
    )
    others = {_start(env, few, seed + other) for other in range(1, 4)}
    expect(len(others | set(episodes)) == 7, f"seeds {seed} to {seed + 3} did not give different episodes")
    for wrong in (-1, 2**64):
        try:
            env.reset(seed=wrong)
        except ValueError:
            continue
        expect(False, f"reset(seed={wrong}) is out of range and did not raise a ValueError")
    return 7


def _start(env: Any, steps: int, seed: int | None = None, options: dict[str, Any] | None = None) -> str:
    """Digest of an episode's start, states included, played with the same draws each time."""
    moment = reset(env, seed, options=options)
    player, seen = RandomPlayer(env, 0), [digest(moment), digest(env.state())]
    for _ in range(steps):
        if env.agents:
            moment = step(env, player.act(moment))
            seen += [digest(moment), digest(env.state())]
    return digest(seen)


def check_metadata(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Metadata, agent names and ``render_mode`` are what PettingZoo and its clients look for.

    Raises:
        ConformanceError: naming the entry.
    """
    env = make_env()
    metadata = env.metadata
    for key, kind in (("name", str), ("render_modes", list), ("render_fps", (int, float)), ("is_parallelizable", bool)):
        expect(isinstance(metadata.get(key), kind), f"metadata[{key!r}] is {metadata.get(key)!r}")
    expect(
        metadata["name"].rpartition("_v")[2].isdigit(),
        f"metadata['name']={metadata['name']!r} does not end in _v0 or the like",
    )
    for number, agent in enumerate(env.possible_agents):
        expect(agent.rpartition("_")[2] == str(number), f"agent {number} is named {agent!r}, not <name>_{number}")
    expect(hasattr(env, "render_mode") and env.render_mode is None, "render_mode must be there, None by default")
    reset(env, seed)
    expect(env.render() is None, "render() without a render_mode returned something")
    try:
        make_env(render_mode="no such mode")
    except ValueError as error:
        expect("render_mode" in str(error), f"the error of an unknown render_mode does not name it: {error}")
    else:
        expect(False, "an unknown render_mode did not raise a ValueError")
    return 1


def check_render(make_env: MakeEnv, *, steps: int = 10, seed: int = 0) -> int:
    """Every render mode returns its kind of thing, follows the episode and leaves it alone; closing twice is harmless.

    Draws a picture at each of ``steps`` steps, at most 10.

    Returns:
        How many pictures, texts and windows were drawn.

    Raises:
        ConformanceError: naming mode and step.
    """
    steps, drawn = max(2, min(steps, 10)), 0
    plain = trace(make_env(), steps, seed)
    for mode in make_env().metadata["render_modes"]:
        env = make_env(render_mode=mode)
        seen, shapes, traced = set(), set(), []
        for turn in play(env, steps, seed):
            result = env.render()
            traced.append((turn.where, [*map(digest, turn.moment), digest(env.state())]))
            _expect_rendered(mode, result, turn.where)
            seen.add(digest(result))
            shapes.add(getattr(result, "shape", None))
            drawn += 1
        expect_same_trace(plain, traced, f"render_mode={mode!r} changes the episode")
        expect(len(seen) > 1 or mode == "human", f"render_mode={mode!r} drew the same thing {steps + 1} times")
        expect(len(shapes) == 1, f"render_mode={mode!r} drew pictures of different sizes: {shapes}")
        env.close()
        env.close()
    return drawn


def _expect_rendered(mode: str, result: Any, where: str) -> None:
    """The type that a render mode promises."""
    if mode == "rgb_array":
        good = isinstance(result, np.ndarray) and result.dtype == np.uint8 and result.ndim == 3 and result.shape[2] == 3
        expect(good and result.min() != result.max(), f"{where}: rgb_array gave no picture (H, W, 3) uint8")
    elif mode == "ansi":
        expect(isinstance(result, str) and result.strip(), f"{where}: ansi gave {type(result).__name__}, not a text")
    elif mode == "human":
        expect(result is None, f"{where}: human gave {type(result).__name__}, not None")
