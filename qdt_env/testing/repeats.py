"""Checks that the same seed gives the same episode, bit by bit: again, elsewhere, and whatever else draws numbers."""

import copy
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from qdt_env.testing.play import (
    MakeEnv,
    RandomPlayer,
    difference,
    expect,
    expect_same,
    expect_same_trace,
    play,
    reset,
    step,
    trace,
)

_PROCESS_LIMIT_S = 900.0  # a fresh process may have to compile the kernels
_ENTRY = "from qdt_env.testing.repeats import answer_trace; answer_trace()"


def check_determinism(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """Two instances, and one instance with other episodes in between, play the same episodes bit by bit.

    Raises:
        ConformanceError: naming the first turn, agent and element that differ.
    """
    one, two, cases = make_env(), make_env(), 0
    for first, second in zip(play(one, steps, seed), play(two, steps, seed), strict=True):
        expect_same(first.moment, second.moment, first.where, "two instances differ under one seed")
        cases += 1
    expect_same(one.state(), two.state(), "the end, state()", "two instances differ under one seed")
    fresh = trace(one, steps, seed)
    for other in range(1, 4):
        for _ in play(one, 10 * other, seed + other):
            pass
    expect_same_trace(fresh, trace(one, steps, seed), "an instance differs from itself after other episodes")
    return cases


def check_fresh_process(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """A fresh process, with another ``PYTHONHASHSEED``, plays the same episodes bit by bit.

    ``make_env`` travels there by pickle: a function of a module, or ``functools.partial`` of one.

    Raises:
        ConformanceError: the processes differ, or the other one failed.
    """
    here = trace(make_env(), steps, seed)
    try:
        question = pickle.dumps((make_env, steps, seed))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"make_env={make_env!r} cannot be sent to a fresh process: use a module's function") from error
    paths = [path or os.getcwd() for path in sys.path]
    hashing = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": hashing}
    done = subprocess.run(
        [sys.executable, "-c", _ENTRY],
        input=question, capture_output=True, env=surroundings, timeout=_PROCESS_LIMIT_S, check=False,
    )  # fmt: skip
    expect(done.returncode == 0, f"the fresh process failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    expect_same_trace(here, pickle.loads(done.stdout), "a fresh process differs under one seed")
    return len(here)


def answer_trace() -> None:
    """The fresh process: (make_env, steps, seed) comes in on stdin, the trace goes out on stdout, both pickled."""
    make_env, steps, seed = pickle.loads(sys.stdin.buffer.read())
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # what the environment prints must not mix with the answer
    out.write(pickle.dumps(trace(make_env(), steps, seed)))
    out.flush()


def check_global_random(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """The generators of ``random`` and ``numpy.random`` are neither used nor heeded.

    Raises:
        ConformanceError: their state changed, or seeding them changed the episode.
    """
    traces = []
    for global_seed in (1, 2):
        with _global_seed(global_seed):
            before = random.getstate(), _numpy_state()
            env = make_env()
            for turn in play(env, steps, seed):
                env.state()
                used = [
                    n
                    for n, s, t in zip(_GENERATORS, before, (random.getstate(), _numpy_state()), strict=True)
                    if s != t
                ]
                expect(not used, f"{turn.where}: the global generator of {' and '.join(used)} was used")
            traces.append(trace(env, steps, seed))
    expect_same_trace(traces[0], traces[1], "seeding the global generators changed the episode")
    return len(traces[0])


_GENERATORS = ("random", "numpy.random")


def _numpy_state() -> bytes:
    """State of NumPy's global generator, comparable."""
    return pickle.dumps(np.random.get_state())  # noqa: NPY002  # the thing under test


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed the global generators for a while, and put them back."""
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002


def check_copying(make_env: MakeEnv, *, steps: int = 400, seed: int = 0) -> int:
    """``copy.deepcopy`` and pickle take an environment in mid-episode; the copies go on as the original does, apart.

    Raises:
        ConformanceError: it cannot be copied, a copy goes on differently, or copy and original disturb one another.
    """
    env, reference = make_env(), make_env()
    player, moment, cases = RandomPlayer(env, seed), reset(env, seed), 0
    reset(reference, seed)
    for _ in range(min(20, max(1, steps // 8))):
        actions = player.act(moment)
        moment, _ = step(env, actions), step(reference, actions)
    copies: dict[str, Any] = {}
    for name, duplicate in _DUPLICATES.items():
        try:
            copies[name] = duplicate(env)
        except Exception as error:  # whatever it is, it cannot be copied
            expect(False, f"{name} of an environment in mid-episode fails: {type(error).__name__}: {error}")
    for number in range(steps):
        if not env.agents:
            break
        actions = player.act(moment)
        moment = step(env, actions)
        for name, other in copies.items():
            found = difference(moment, step(other, actions), f"step {number} after copying")
            expect(found is None, f"the {name} goes on differently from its original; at {found}")
            expect_same(env.state(), other.state(), f"step {number} after copying, state()", f"the {name} differs")
        what = "an environment that was copied goes on differently from one that was not"
        expect_same(moment, step(reference, actions), f"step {number} after copying", what)
        cases += 1
    return cases


def _through_pickle(env: Any) -> Any:
    """Pickled and back."""
    return pickle.loads(pickle.dumps(env))


_DUPLICATES: dict[str, Callable[[Any], Any]] = {"copy.deepcopy": copy.deepcopy, "pickle": _through_pickle}
