"""Agent-steps a second of the batched environment on one thread, masks written; beside the engine and other projects.

    python benchmarks/vector_speed.py                     # a few minutes
    python benchmarks/vector_speed.py --json vector.json
    python benchmarks/vector_speed.py --clinic clinic.json
    python benchmarks/vector_speed.py --peer-python ../peers/bin/python   # mpe2, VMAS from there; see _peer_envs.py
    python benchmarks/vector_speed.py --quick             # seconds: only to see that it runs

On the ward, and on the real clinic where ../shared/data/clinic.json lies beside the repository, the same missions are
stepped with the same actions in turn by the engine (``Episodes.step``), by ``RescueVectorEnv`` with shared arrays
(``copy=False``), with copies and with graphs, and by the dispatcher's vector env; on the ward a mission is also played
through the PettingZoo face. Whole wards are played: the last step's metrics and the resets that follow count as
everybody's work.
Where the other interpreter has them, mpe2's simple_spread (N=3) and VMAS' simple_spread in 4096 worlds run in turn with
the PettingZoo face. Then: where a step's time goes, and the memory-traffic floor, which is what a step must write
(observations, masks, rewards, infos) and at most reads and writes besides (the state) at the speed of a large copy.

An agent-step is one step of one robot alive, in a mission that is not over. Actions are drawn outside the timed
stretches. "cost" is the median over pairs of neighbouring steps of time beside the engine's, less 1; see
``_measure.py`` for how rates are kept apart from what others do on the machine.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Calibration, Sample, Stopwatch, copy_bytes_s, machine, rates
from _missions import CLINIC, TASKS, actions_of, agents_acting, begin, bytes_by_part, sizes
from _peers import Peer
from _phases import counter_works
from rich.table import Table
from step_speed import (
    AIM_CLINIC,
    AIM_FACE,
    AIM_WARD,
    SPREAD,
    against,
    floor,
    phase_shares,
    record_tasks,
    show_phases,
    step_face,
)

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.gym_env import HospitalRescueVectorEnv
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.vector_env import RescueVectorEnv
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

ENGINE, SHARED, COPIED, JOINT = "Episodes.step", "shared arrays", "copies", "dispatcher, shared"
GRAPHS = "graphs, shared"
FACE = "PettingZoo face"
VMAS_WORLDS = 4096
Step = Callable[[np.ndarray], object]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the batched environment costs over the engine.")
    parser.add_argument("--episodes", type=int, default=1024, help="rows of the batch (default: 1024)")
    parser.add_argument("--repeats", type=int, default=2, help="times each measurement is made (default: 2)")
    parser.add_argument("--clinic-steps", type=int, default=60, help="steps from the clinic's start (default: 60)")
    parser.add_argument("--clinic", type=Path, default=CLINIC, metavar="FILE", help="the clinic's building file")
    parser.add_argument(
        "--peer-python", metavar="PYTHON", default=sys.executable, help="has mpe2, VMAS (default: ours)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="a few steps of a few episodes, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    if chosen.quick:
        chosen.episodes, chosen.clinic_steps = 16, 10
    return chosen


class Contest:
    """The engine and the environments on it, in the same missions."""

    def __init__(self, scenario: ScenarioConfig, rows: int) -> None:
        """``rows`` episodes each, one thread."""
        self.engine = Episodes(scenario, GameConfig(), rows)
        self.envs: dict[str, RescueVectorEnv] = {
            SHARED: RescueVectorEnv(rows, scenario, copy=False),
            COPIED: RescueVectorEnv(rows, scenario),
            GRAPHS: RescueVectorEnv(rows, scenario, observation="graph", copy=False),
            JOINT: HospitalRescueVectorEnv(rows, scenario, copy=False),
        }

    def play(self, steps: int, seed: int, calibration: Calibration) -> dict[str, list[Sample]]:
        """A chunk for every step of every contestant; the order turns, so that none always comes after another."""
        begin(self.engine, seed)
        for env in self.envs.values():
            env.reset(seed=seed)
        watches = {name: Stopwatch(calibration) for name in (ENGINE, *self.envs)}
        calls: dict[str, Step] = {ENGINE: self.step_engine, **{name: env.step for name, env in self.envs.items()}}
        names = list(calls)
        ended = np.zeros(self.engine.n, bool)
        for step, actions in zip(range(steps), actions_of(self.engine, TASKS, seed), strict=False):
            work = agents_acting(self.engine) + int(ended.sum()) * len(self.engine.scenario.team)
            actions = actions.copy()
            for k in range(len(names)):
                name = names[(k + step) % len(names)]
                watches[name].time(calls[name], actions, work=work)
                watches[name].end_chunk()
            self.check()
            ended = self.engine.state.clock["over"] == 1
        return {name: watch.samples for name, watch in watches.items()}

    def step_engine(self, actions: np.ndarray) -> None:
        """What a loop on the bare engine does: step, begin anew what is over."""
        over = np.flatnonzero(self.engine.state.clock["over"] == 1)
        self.engine.step(actions)
        if over.size:
            clock = self.engine.state.clock[over]
            seeds = np.ascontiguousarray(clock["seed"])  # a view with gaps would be compiled for, within the timing
            self.engine.reset(over, seeds, clock["episode"] + 1)

    def check(self) -> None:
        """All are where the engine is.

        Raises:
            RuntimeError: they are not, and the times mean nothing.
        """
        for name, env in self.envs.items():
            observation = env._observation.reshape(self.engine.out.observation.shape)
            if not np.array_equal(observation, self.engine.out.observation):
                raise RuntimeError(f"{name} does not show what the engine does")


def cost(env: list[Sample], engine: list[Sample]) -> float:
    """Median over the steps of time beside the engine's, less 1."""
    return float(np.median([a.cpu_s / b.cpu_s for a, b in zip(env, engine, strict=True)])) - 1.0


def faces(chosen: argparse.Namespace, calibration: Calibration) -> tuple[dict[str, list[list[Sample]]], dict[str, Any]]:
    """Repeats of the PettingZoo face and the other projects' environments in turn, and the others' versions."""
    env, tasks = record_tasks(seed=0)
    step_face(env, 0, tasks[:2], Calibration())
    vmas = f"VMAS simple_spread, {VMAS_WORLDS if not chosen.quick else 16} worlds"
    peers = {
        SPREAD: Peer(chosen.peer_python, "_peer_envs.py", "mpe2", "--steps", "20" if chosen.quick else "360"),
        vmas: Peer(chosen.peer_python, "_peer_envs.py", "vmas", "--worlds", vmas.split()[2], "--steps", "20"),
    }
    samples: dict[str, list[list[Sample]]] = {FACE: [], **{name: [] for name in peers}}
    for peer in peers.values():
        peer.repeat()  # touch the pages
    for _ in range(2 if chosen.quick else 5 * chosen.repeats):
        samples[FACE].append(step_face(env, 0, tasks, calibration))
        for name, peer in peers.items():
            if (repeat := peer.repeat()) is not None:
                samples[name].append([Sample(**repeat, draw_s=calibration.draw_s())])
    about = {name: peer.versions or f"absent: {peer.absent}" for name, peer in peers.items()}
    for peer in peers.values():
        peer.close()
    return samples, about


def batched(chosen: argparse.Namespace, calibration: Calibration) -> dict[str, dict[str, Any]]:
    """By scenario: its aim and sizes, the contest's samples, the phases' shares and bytes."""
    ward = load_scenario("ward")
    scenarios = {"ward": (ward, 10 if chosen.quick else ward.horizon_steps + 2, AIM_WARD)}
    if chosen.clinic.is_file():
        scenarios["clinic"] = (load_scenario(chosen.clinic), chosen.clinic_steps, AIM_CLINIC)
    found: dict[str, dict[str, Any]] = {}
    for name, (scenario, steps, aim) in scenarios.items():
        contest = Contest(scenario, chosen.episodes)
        contest.play(2, 0, Calibration())  # compile or load the kernels, touch the pages
        found[name] = {
            "aim": aim,
            "sizes": {"steps": steps, **sizes(scenario)},
            "samples": [contest.play(steps, 10_000 * repeat, calibration) for repeat in range(chosen.repeats)],
            "shares": phase_shares(contest.engine, steps, 0) if counter_works() else None,
            "bytes": bytes_by_part(contest.engine),
        }
        del contest
    return found


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as plain numbers."""
    calibration = Calibration()
    stepped = batched(chosen, calibration)
    face, peers = faces(chosen, calibration)
    bandwidth = copy_bytes_s(16 if chosen.quick else 256)
    results: dict[str, Any] = {
        "machine": machine(),
        "calibration": calibration.summary(),
        "copy_bytes_s": bandwidth,
        "batched": [],
        "phases": {name: part["shares"] for name, part in stepped.items()},
        "memory": {},
        "pettingzoo": {"scenario": "ward", **against(AIM_FACE, rates(face.pop(FACE), calibration.quiet_s))},
        "peers": {name: rates(samples, calibration.quiet_s) for name, samples in face.items() if samples},
        "peer_versions": peers,
    }
    for name, part in stepped.items():
        for contestant in part["samples"][0]:
            speed = rates([repeat[contestant] for repeat in part["samples"]], calibration.quiet_s)
            pairs = [[sample for repeat in part["samples"] for sample in repeat[one]] for one in (contestant, ENGINE)]
            row = {"scenario": name, "contestant": contestant, "episodes": chosen.episodes, **part["sizes"]}
            results["batched"].append({**row, "cost": cost(*pairs), **against(part["aim"], speed)})
            if contestant == SHARED:
                results["memory"][name] = floor(part["bytes"], bandwidth, part["sizes"]["robots"], speed)
    return results


def show(results: dict[str, Any]) -> None:
    """Tables of the results."""
    console = screen()
    table = Table(title="Agent-steps per CPU second of one core (random tasks; other projects: fixed actions)")
    for column in ("what", "scenario", "episodes", "reached", "lowest", "highest", "quiet core", "aim", "cost"):
        table.add_column(column, justify="left" if column in ("what", "scenario") else "right")
    rows = [*results["batched"], {**results["pettingzoo"], "contestant": FACE, "episodes": 1}]
    rows += [{"contestant": name, **speed} for name, speed in results["peers"].items()]
    for row in rows:
        numbers = [f"{row[key]:,.0f}" for key in ("per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_quiet_s")]
        numbers.append(f"{row['aim']:,.0f}" if "aim" in row else "")
        extra = f"{100 * row['cost']:+.1f} %" if "cost" in row else ""
        table.add_row(row["contestant"], row.get("scenario", ""), str(row.get("episodes", "")), *numbers, extra)
    console.print(table)
    for name, versions in results["peer_versions"].items():
        console.print(f"{name}: {versions if isinstance(versions, str) else ' '.join(*versions.items())}.")
    if all(row["scenario"] != "clinic" for row in results["batched"]):
        console.print("The real clinic is not here (--clinic).")
    show_phases(results)
    show_floor(results)
    calibration = results["calibration"]
    console.print(
        f"{results['machine']['processor']}, {results['machine']['cores']} cores, load {results['machine']['load']}. "
        f"A Philox draw took {calibration['draw_ns']:.2f} ns (quiet core {calibration['draw_ns_quiet']:.2f})."
    )


def show_floor(results: dict[str, Any]) -> None:
    """What an agent-step must write, and what that takes."""
    console = screen()
    robots = {row["scenario"]: row["robots"] for row in results["batched"]}
    for name, memory in results["memory"].items():
        written, state = memory["out_bytes"] / robots[name], memory["state_bytes"] / robots[name]
        written_ns = 1e9 * written / results["copy_bytes_s"]
        step_ns = 1e3 * memory["step_us"] / robots[name]
        console.print(
            f"{name}, one agent-step: {written:,.0f} bytes must be written, at most {state:,.0f} read and written "
            f"besides. Writing alone takes {written_ns:,.0f} ns, {100 * written_ns / step_ns:.0f} % of the "
            f"{step_ns:,.0f} ns that it took."
        )


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {k: v for k, v in vars(chosen).items() if k not in ("json", "clinic", "peer_python")}
        write_json(chosen.json, "benchmarks/vector_speed.py", config, results)


if __name__ == "__main__":
    main()
