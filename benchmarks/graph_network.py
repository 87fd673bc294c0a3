"""What reading the map costs a policy: weights, and CPU time of a forward and of a training pass, on one thread.

    python benchmarks/graph_network.py                    # half a minute; needs PyTorch
    python benchmarks/graph_network.py --json graph.json
    python benchmarks/graph_network.py --quick            # seconds: only to see that it runs

Decisions are those of a generated ward (24 zones), of the preset clinic and, where ../shared/data/clinic.json lies
beside the repository, of the real one, observed at a mission's start and copied. A training pass is forward and
backward.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measure import machine
from _missions import CLINIC, begin
from rich.table import Table

from agents.networks import NetworkConfig, TeamPolicy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen
from training.graph_missions import GraphSight

ROUNDS = (0, 2, 3)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What reading the map costs a policy.")
    parser.add_argument("--decisions", type=int, default=512, help="decisions in a pass (default: 512)")
    parser.add_argument("--repeats", type=int, default=5, help="passes, the median counts (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="one pass of 16 decisions, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    if chosen.quick:
        chosen.decisions, chosen.repeats = 16, 1
    return chosen


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median CPU time of a call, after one that warms up [ms]."""
    call()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return 1e3 * float(np.median(times))


def measure(scenario: str | Path, decisions: int, repeats: int) -> list[dict[str, Any]]:
    """A row for every number of rounds."""
    episodes = Episodes(load_scenario(scenario), GameConfig(), 8)
    begin(episodes, 0)
    sight = GraphSight(episodes)
    layout = sight.layout
    each = np.resize(sight.look().reshape(-1, layout.size), (decisions, layout.size))
    observation = torch.from_numpy(each)
    mask = torch.ones(decisions, episodes.codec.n, dtype=torch.int8)
    chosen = torch.zeros(decisions, layout.patients)
    rows = []
    for rounds in ROUNDS:
        torch.manual_seed(0)
        policy = TeamPolicy(NetworkConfig(graph=rounds))
        remembered = torch.zeros(decisions, policy.config.hidden)

        def act(policy: TeamPolicy = policy, remembered: torch.Tensor = remembered) -> None:
            with torch.no_grad():
                policy(layout, observation, mask, chosen, remembered)

        def learn(policy: TeamPolicy = policy, remembered: torch.Tensor = remembered) -> None:
            policy(layout, observation, mask, chosen, remembered)[0].amax(1).sum().backward()

        rows.append(
            {
                "scenario": "real clinic" if scenario == CLINIC else scenario,
                "zones": layout.zones, "passages": layout.ways, "rounds": rounds,
                "weights": sum(weight.numel() for weight in policy.parameters()),
                "floats": layout.size if rounds else episodes.layout.size,
                "forward_us": 1e3 * median_ms(act, repeats) / decisions,
                "training_us": 1e3 * median_ms(learn, repeats) / decisions,
            }
        )  # fmt: skip
    return rows


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    torch.set_num_threads(1)
    scenarios = ["ward", "clinic", *([CLINIC] if CLINIC.is_file() else [])]
    rows = [row for scenario in scenarios for row in measure(scenario, chosen.decisions, chosen.repeats)]
    table = Table(title=f"CPU time per decision, passes of {chosen.decisions}")
    for column in ("building", "zones", "passages", "rounds", "weights", "floats stored", "forward us", "training us"):
        table.add_column(column, justify="left" if column == "building" else "right")
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("zones", "passages", "rounds", "weights", "floats")]
        table.add_row(row["scenario"], *counts, f"{row['forward_us']:.0f}", f"{row['training_us']:.0f}")
    screen().print(table)
    if chosen.json:
        config = {name: value for name, value in vars(chosen).items() if name != "json"}
        results = {"machine": machine(), "passes": rows}
        write_json(chosen.json, "benchmarks/graph_network.py", config, results)


if __name__ == "__main__":
    main()
