"""Agent-steps a second of a whole training iteration, collecting and updating, and where the time goes.

    python benchmarks/training_speed.py                 # a few minutes
    python benchmarks/training_speed.py --json training.json
    python benchmarks/training_speed.py --peer-python ../peers/bin/python   # BenchMARL from there; see _benchmarl.py
    python benchmarks/training_speed.py --quick         # seconds: only to see that it runs

Ours is what ``qdt train`` does by default on the ward, but with 8 minibatches a pass instead of 4: MAPPO, its network,
256 missions an iteration. BenchMARL's is MAPPO on VMAS navigation, 3 agents in 60 worlds, with as many gradient steps
per agent-step as ours (4 of 1,500 world-steps in an iteration of 6,000) and with its default number (675 of 400). All
take turns, an iteration each, so that they meet the same noise; everyone has made one iteration before. "times" is the
median over the turns of our agent-steps per second of wall time beside theirs on as many threads, in brackets per CPU
second of the process. A mission's step counts for each robot still in play.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from _measure import machine
from _peers import Peer
from rich.table import Table

from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

if importlib.util.find_spec("torch") is None:
    print("PyTorch is not installed (extra 'train'), so nothing is trained.")
    raise SystemExit(0)

import torch
from _training_parts import PARTS, parts_of

from training.ppo import Learner, PpoConfig, train
from training.run import MissionMix

AIM, AIM_TIMES = 40_000, 5.0  # agent-steps/s on two threads, and times BenchMARL's; set before anything was built
# Those of qdt train on the ward, but twice its gradient steps per mission: as many per agent-step as BenchMARL's.
SETTINGS = PpoConfig(iterations=240, repeats=8, learning_rate=4e-3, entropy=8e-3, objective="score", minibatches=8)
EQUAL, DEFAULT = "BenchMARL, 4 gradient steps", "BenchMARL, its defaults"
Figures = dict[str, Any]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Agent-steps per second of training, collecting and updating.")
    parser.add_argument("--rows", type=int, default=MissionMix.rows, help="missions an iteration (default: 256)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads of either side (default: 1 2)")
    parser.add_argument("--repeats", type=int, default=5, help="iterations that are timed (default: 5)")
    parser.add_argument("--default-repeats", type=int, default=2, help="of BenchMARL's defaults (default: 2)")
    parser.add_argument("--peer-python", metavar="PYTHON", default=sys.executable, help="has BenchMARL (default: ours)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="short missions in few rows, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    chosen.cycles = None
    if chosen.quick:
        chosen.rows, chosen.repeats, chosen.default_repeats, chosen.cycles = 8, 2, 0, 20
    return chosen


class Ours:
    """The trainer, an iteration at a time."""

    def __init__(self, threads: int, rows: int, cycles: int | None) -> None:
        """Missions of ``rows`` rows, ``cycles`` steps long where not the scenario's own."""
        torch.set_num_threads(1)
        self.env = MissionMix(rows=rows, max_cycles=cycles).make_env(threads)
        self.learner = Learner(SETTINGS, threads=threads)
        self._iterations = train([self.env], self.learner)

    def repeat(self) -> Figures:
        """One iteration."""
        wall, cpu = time.perf_counter(), time.process_time()
        rollout, figures = next(self._iterations)
        cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
        updates = round(figures["passes"] * SETTINGS.minibatches)
        return {
            "work": rollout.agent_steps, "cpu_s": cpu_s, "wall_s": wall_s, "updates": updates,
            "samples": rollout.action.size / SETTINGS.minibatches,
        }  # fmt: skip

    def close(self) -> None:
        """As a ``Peer``."""


def contestants(chosen: argparse.Namespace) -> dict[tuple[str, int], Ours | Peer]:
    """By name and threads, each after its first iteration."""
    found: dict[tuple[str, int], Ours | Peer] = {}
    for threads in chosen.threads:
        ours = found["training.ppo, ward", threads] = Ours(threads, chosen.rows, chosen.cycles)
        ours.repeat()
        common = ("--threads", str(threads))
        found[EQUAL, threads] = Peer(
            chosen.peer_python, "_benchmarl.py", *common, "--minibatch", "1500", "--passes", "1"
        )
        if threads == max(chosen.threads) and chosen.default_repeats:
            found[DEFAULT, threads] = Peer(chosen.peer_python, "_benchmarl.py", *common)
    return found


def take_turns(chosen: argparse.Namespace, found: dict[tuple[str, int], Ours | Peer]) -> dict[Any, list[Figures]]:
    """The figures of every contestant's iterations; those that are absent have none."""
    seen: dict[Any, list[Figures]] = {key: [] for key in found}
    names = list(found)
    for turn in range(chosen.repeats):
        for k in range(len(names)):
            key = names[(k + turn) % len(names)]  # none always comes after another
            takes_part = key[0] != DEFAULT or turn < chosen.default_repeats
            if takes_part and (figures := found[key].repeat()) is not None:
                seen[key].append(figures)
    return seen


def row(name: str, threads: int, seen: list[Figures], ours: list[Figures]) -> Figures:
    """Medians of a contestant's iterations, and how many times as fast ours were in the same turns."""
    result: Figures = {"what": name, "threads": threads, "iterations": len(seen)}
    result |= {key: median(one[key] for one in seen) for key in ("work", "updates", "samples")}
    for clock in ("wall_s", "cpu_s"):
        speeds = [one["work"] / one[clock] for one in seen]
        result |= {f"per_{clock}": median(speeds), f"per_{clock}_low": min(speeds), f"per_{clock}_high": max(speeds)}
        pairs = zip(ours, speeds, strict=False)  # BenchMARL's defaults take part in the first turns only
        result[f"times_{clock}"] = median(mine["work"] / mine[clock] / theirs for mine, theirs in pairs)
    return result


def profile(ours: Ours, iterations: int) -> dict[str, float]:
    """CPU seconds of an iteration by part."""
    with parts_of(ours.env, ours.learner) as clock:
        for _ in range(iterations):
            ours.repeat()
    return {part: spent / iterations for part, spent in clock.cpu_s.items()}


def gather(chosen: argparse.Namespace) -> Figures:
    """Everything that is measured, as plain numbers."""
    found = contestants(chosen)
    seen = take_turns(chosen, found)
    first = next(iter(found.values()))
    assert isinstance(first, Ours)
    peers = {key: one for key, one in found.items() if isinstance(one, Peer)}
    mine = {key[1]: figures for key, figures in seen.items() if key not in peers}
    results: Figures = {
        "machine": machine(),
        "rows": [row(*key, figures, mine[key[1]]) for key, figures in seen.items() if figures],
        "profile": profile(first, max(chosen.repeats // 2, 1)),
        "parameters": {
            "policy": sum(p.numel() for p in first.learner.policy.parameters()),
            "critic": sum(p.numel() for p in first.learner.critic.parameters()),
        },
        "versions": next((one.versions for one in peers.values() if one.versions), {}),
        "absent": {f"{name}, {threads} threads": one.absent for (name, threads), one in peers.items() if one.absent},
    }
    for one in found.values():
        one.close()
    return results


def show(results: Figures) -> None:
    """Tables of the results."""
    console = screen()
    table = Table(title="Agent-steps per second of training, collecting and updating")
    columns = ("what", "threads", "agent-steps", "gradient steps", "samples of each", "per s", "lowest", "highest")
    for column in (*columns, "per CPU s", "times"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for one in results["rows"]:
        speeds = [f"{one[key]:,.0f}" for key in ("per_wall_s", "per_wall_s_low", "per_wall_s_high", "per_cpu_s")]
        times = f"{one['times_wall_s']:.1f} ({one['times_cpu_s']:.1f})" if one["what"] in (EQUAL, DEFAULT) else ""
        sizes = [f"{one[key]:,.0f}" for key in ("threads", "work", "updates", "samples")]
        table.add_row(one["what"], *sizes, *speeds, times)
    console.print(table)
    console.print(f"Aims on two threads: {AIM:,} agent-steps/s, {AIM_TIMES:g} times {EQUAL}.")
    parts = Table(title="Where an iteration's CPU time goes, first number of threads")
    for column in ("part", "ms", "%", "what it does"):
        parts.add_column(column, justify="right" if column in ("ms", "%") else "left")
    total = sum(results["profile"].values())
    for part, spent in results["profile"].items():
        parts.add_row(part, f"{1e3 * spent:.0f}", f"{100 * spent / total:.1f}", PARTS[part])
    console.print(parts)
    if results["versions"]:
        console.print("Measured: " + ", ".join(f"{name} {version}" for name, version in results["versions"].items()))
    for name, why in results["absent"].items():
        console.print(f"{name}: {why}, so it is not compared.")
    sizes_of = ", ".join(f"{name} {n:,}" for name, n in results["parameters"].items())
    console.print(
        f"Our parameters: {sizes_of}. {results['machine']['processor']}, load {results['machine']['load']}, "
        f"torch {torch.__version__}."
    )


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {k: v for k, v in vars(chosen).items() if k not in ("json", "peer_python")}
        write_json(chosen.json, "benchmarks/training_speed.py", config, results)


if __name__ == "__main__":
    main()
