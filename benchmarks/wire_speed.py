"""Environment steps a second in the wire channel: keys, ciphers, codec and all, on the ward.

    python benchmarks/wire_speed.py                     # a minute or two
    python benchmarks/wire_speed.py --json wire.json
    python benchmarks/wire_speed.py --quick             # seconds: only to see that it runs

An environment step is one step of one episode, whatever the number of robots. Resets, where the keys of a mission
begin to be made, are counted; the first mission warms up. The statistical channel is stepped in the same run.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from _measure import machine
from rich.table import Table

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario
from qdt_env.security.suites import SUITE_NAMES
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

AIM_STEPS_S = 1_000  # set before it was built


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Environment steps per second in the wire channel.")
    parser.add_argument("--missions", type=int, default=12, help="missions per suite (default: 12)")
    parser.add_argument("--threats", default="none", help="threats (default: none)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="one short mission of two suites, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    return chosen


def measure(suite: str, channel: str, threats: str, missions: int, steps: int) -> dict[str, float]:
    """Steps per second of whole missions, resets included: over all missions, and in the fastest one.

    A block of key serves several missions, so only many of them show what keys cost.
    """
    episodes = Episodes(load_scenario("ward"), GameConfig(suite, threats, channel=channel))
    actions = np.zeros((1, len(episodes.scenario.team)), np.int32)
    wall, cpu = [], []
    for seed in range(missions + 1):  # the first warms up
        start, start_cpu = time.perf_counter(), time.process_time()
        episodes.reset(np.zeros(1, np.int64), np.array([seed], np.uint64), np.zeros(1, np.int64))
        for _ in range(steps):
            episodes.step(actions)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return {
        "steps_per_wall_s": steps * missions / sum(wall[1:]),
        "steps_per_wall_s_fastest": steps / min(wall[1:]),
        "steps_per_cpu_s": steps * missions / sum(cpu[1:]),
    }


def main() -> None:
    """Measure and print."""
    chosen = arguments()
    steps, missions = (10, 1) if chosen.quick else (180, chosen.missions)
    suites = ("plaintext", "qkd") if chosen.quick else SUITE_NAMES
    results: dict[str, Any] = {
        f"{suite}, {channel}": measure(suite, channel, chosen.threats, missions, steps)
        for suite in suites
        for channel in ("wire", "statistical")
    }
    table = Table(title=f"Environment steps per second on the ward, threats {chosen.threats}; aim {AIM_STEPS_S} (wire)")
    for heading in ("suite, channel", "wall", "wall, fastest mission", "per CPU second"):
        table.add_column(heading, justify="right" if table.columns else "left")
    for name, found in results.items():
        table.add_row(name, *(f"{value:,.0f}" for value in found.values()))
    screen().print(table)
    if chosen.json is not None:
        config = {"missions": missions, "steps": steps, "threats": chosen.threats, "machine": machine()}
        write_json(chosen.json, "wire_speed", config, results)


if __name__ == "__main__":
    main()
