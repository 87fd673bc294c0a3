"""Environments of other projects, timed: run by a Python that has them, see ``_peers.py``.

    python -m venv peers && peers/bin/python -m pip install torch==2.13.0 vmas mpe2
    peers/bin/python benchmarks/_peer_envs.py vmas --steps 20 <<< go

mpe2's simple_spread steps one world of N=3 agents through its PettingZoo face; VMAS' simple_spread steps a batch of
worlds on one thread of torch. Actions are made before the clock starts. Needs nothing of this project.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def spread_env() -> Any:
    """mpe2's simple_spread with three agents, or None where mpe2 is not installed."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        from mpe2 import simple_spread_v3
    except ImportError:
        return None
    return simple_spread_v3.parallel_env(N=3, max_cycles=1_000_000)


def mpe2(worlds: int, steps: int) -> tuple[int, Callable[[], None]]:
    """Agent-steps of a repeat of ``steps`` steps, and the repeat; there is one world."""
    env = spread_env()
    if env is None:
        raise ImportError("mpe2 is not installed")
    env.reset(seed=0)
    moves = dict.fromkeys(env.agents, 1)

    def play() -> None:
        for _ in range(steps):
            env.step(moves)

    return steps * len(moves), play


def vmas(worlds: int, steps: int) -> tuple[int, Callable[[], None]]:
    """Agent-steps of a repeat of ``steps`` steps of ``worlds`` worlds, and the repeat."""
    if importlib.util.find_spec("vmas") is None:
        raise ImportError("VMAS is not installed")
    import torch
    from vmas import make_env

    torch.set_num_threads(1)
    env = make_env("simple_spread", num_envs=worlds, device="cpu", continuous_actions=False, seed=0)
    env.reset()
    moves = env.get_random_actions()

    def play() -> None:
        with torch.no_grad():
            for _ in range(steps):
                env.step(moves)

    return steps * worlds * len(env.agents), play


PEERS = {"mpe2": mpe2, "vmas": vmas}


def main() -> None:
    """Answer each line read with the figures of a repeat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--worlds", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=20)
    chosen = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a package prints is no answer
    try:
        work, play = PEERS[chosen.peer](chosen.worlds, chosen.steps)
    except ImportError as error:
        print(json.dumps({"absent": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"versions": {chosen.peer: importlib.metadata.version(chosen.peer)}}), file=answers, flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.thread_time()
        play()
        figures = {"work": work, "cpu_s": time.thread_time() - cpu, "wall_s": time.perf_counter() - wall}
        print(json.dumps(figures), file=answers, flush=True)


if __name__ == "__main__":
    main()
