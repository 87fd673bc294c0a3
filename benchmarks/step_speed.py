"""How many agent-steps a second one core makes, observations and masks written, and where the time goes.

    python benchmarks/step_speed.py                     # a few minutes
    python benchmarks/step_speed.py --json speed.json
    python benchmarks/step_speed.py --quick             # seconds: only to see that it runs

Measured are the batched step on the ward and, where ../shared/data/clinic.json lies beside the repository, on the real
clinic; the PettingZoo face on the ward; and mpe2's simple_spread (N=3) where mpe2 is installed (extra "bench").
An agent-step is one step of one robot that is alive, in a mission that is not over. Actions are drawn outside the timed
stretches. Rates are per CPU second of the one thread; see ``_measure.py`` for how they are kept apart from what others
do on the machine.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Calibration, Sample, Stopwatch, copy_bytes_s, machine, rates
from _missions import CLINIC, CONTINUE, TASKS, WORKLOADS, actions_of, agents_acting, begin, bytes_by_part, sizes
from _peer_envs import spread_env
from _phases import PHASES, PhaseClock, counter_works
from rich.table import Table

from agents.policy import RandomPolicy
from qdt_env import hospital_rescue_v0
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

AIM_WARD, AIM_CLINIC, AIM_FACE = 2_000_000, 500_000, 100_000  # agent-steps/s, set before anything was built
FACE_CHUNK = 30
SPREAD = "mpe2 simple_spread N=3"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Agent-steps per second, and where the time goes.")
    parser.add_argument("--episodes", type=int, default=1024, help="rows of the batch (default: 1024)")
    parser.add_argument("--repeats", type=int, default=3, help="times each measurement is made (default: 3)")
    parser.add_argument("--clinic-steps", type=int, default=180, help="steps from the clinic's start (default: 180)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="a few steps of a few episodes, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    if chosen.quick:
        chosen.episodes, chosen.repeats = 16, 2
    return chosen


def scenarios(chosen: argparse.Namespace) -> dict[str, tuple[ScenarioConfig, int, int]]:
    """Scenario, steps to measure and aim by name; the clinic only where it is."""
    ward = load_scenario("ward")
    found = {"ward": (ward, 10 if chosen.quick else ward.horizon_steps, AIM_WARD)}
    if CLINIC.is_file():
        found["clinic"] = (load_scenario(CLINIC), 10 if chosen.quick else chosen.clinic_steps, AIM_CLINIC)
    return found


def step_missions(episodes: Episodes, workload: str, steps: int, seed: int, calibration: Calibration) -> list[Sample]:
    """Chunks of ``steps`` steps of fresh missions in every row, by the engine's own batched step."""
    begin(episodes, seed)
    watch = Stopwatch(calibration)
    for _, actions in zip(range(steps), actions_of(episodes, workload, seed), strict=False):
        watch.time(episodes.step, actions, work=agents_acting(episodes))
        watch.end_chunk()
    return watch.samples


def phase_shares(episodes: Episodes, steps: int, seed: int) -> dict[str, float]:
    """Share of each phase in the steps of missions under random tasks."""
    begin(episodes, seed)
    clock = PhaseClock(episodes)
    for _, actions in zip(range(steps), actions_of(episodes, TASKS, seed), strict=False):
        clock.step(actions)
        clock.count()
    return clock.shares()


def batched(
    name: str, scenario: ScenarioConfig, steps: int, chosen: argparse.Namespace, calibration: Calibration
) -> dict[str, Any]:
    """Samples by workload, phase shares and bytes of one scenario."""
    episodes = Episodes(scenario, GameConfig(), chosen.episodes)
    for workload in WORKLOADS:  # compile or load the kernels, touch the pages
        step_missions(episodes, workload, 2, 0, Calibration())
    samples: dict[str, list[list[Sample]]] = {workload: [] for workload in WORKLOADS}
    for repeat in range(chosen.repeats):
        for workload in WORKLOADS:
            samples[workload].append(step_missions(episodes, workload, steps, 10_000 * repeat, calibration))
    shares = phase_shares(episodes, steps, 0) if counter_works() else None
    return {
        "samples": samples,
        "steps": steps,
        "sizes": {**sizes(scenario), "observation": episodes.layout.size, "actions": episodes.codec.n},
        "shares": shares,
        "bytes": bytes_by_part(episodes),
    }


def record_tasks(seed: int) -> tuple[Any, list[dict[str, int]]]:
    """A ward environment and the actions of one mission under random allowed tasks."""
    env = hospital_rescue_v0.parallel_env(scenario="ward")
    policy = RandomPolicy(env.layout, env.codec)
    rng = np.random.default_rng(seed)
    observations, _ = env.reset(seed=seed)
    record = []
    while env.agents:
        flat = np.stack([o["observation"] for o in observations.values()])[None]
        mask = np.stack([o["action_mask"] for o in observations.values()])[None]
        record.append(dict(zip(env.agents, policy.act(flat, mask, rng)[0].tolist(), strict=True)))
        observations = env.step(record[-1])[0]
    return env, record


def step_face(env: Any, seed: int, record: list[dict[str, int]], calibration: Calibration) -> list[Sample]:
    """One mission through the PettingZoo face with actions recorded beforehand."""
    env.reset(seed=seed)
    watch = Stopwatch(calibration)
    for first in range(0, len(record), FACE_CHUNK):
        part = record[first : first + FACE_CHUNK]
        watch.time(play, env, part, work=sum(len(actions) for actions in part))
        watch.end_chunk()
    return watch.samples


def play(env: Any, record: list[dict[str, int]]) -> None:
    """Step through a record."""
    for actions in record:
        env.step(actions)


def faces(chosen: argparse.Namespace, calibration: Calibration) -> dict[str, list[list[Sample]]]:
    """The PettingZoo face under both workloads and mpe2's environment, in turn, so that all meet the same noise."""
    env, tasks = record_tasks(seed=0)
    nothing = [dict.fromkeys(actions, 0) for actions in tasks]
    spread = spread_env()
    samples: dict[str, list[list[Sample]]] = {TASKS: [], CONTINUE: []}
    step_face(env, 0, tasks[:2], Calibration())
    if spread is not None:
        spread.reset(seed=0)
        moves = [dict.fromkeys(spread.agents, 1)] * (60 if chosen.quick else 2 * len(tasks))
        step_face(spread, 0, moves[:2], Calibration())
        samples[SPREAD] = []
    for _ in range(2 if chosen.quick else 5 * chosen.repeats):
        samples[TASKS].append(step_face(env, 0, tasks, calibration))
        samples[CONTINUE].append(step_face(env, 0, nothing, calibration))
        if spread is not None:
            samples[SPREAD].append(step_face(spread, 0, moves, calibration))
    return samples


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as plain numbers."""
    calibration = Calibration()
    stepped = {
        name: (aim, batched(name, scenario, steps, chosen, calibration))
        for name, (scenario, steps, aim) in scenarios(chosen).items()
    }
    face = faces(chosen, calibration)
    bandwidth = copy_bytes_s(16 if chosen.quick else 256)
    quiet_s = calibration.quiet_s
    results: dict[str, Any] = {
        "machine": machine(),
        "calibration": calibration.summary(),
        "copy_bytes_s": bandwidth,
        "batched": [],
        "phases": {},
        "memory": {},
        "pettingzoo": [],
        "mpe2": "not installed",
    }
    for name, (aim, part) in stepped.items():
        for workload, samples in part["samples"].items():
            speed = rates(samples, quiet_s)
            row = {"scenario": name, "workload": workload, "episodes": chosen.episodes, "steps": part["steps"]}
            results["batched"].append({**row, **part["sizes"], **against(aim, speed)})
        results["phases"][name] = part["shares"]
        results["memory"][name] = floor(part["bytes"], bandwidth, part["sizes"]["robots"], results["batched"][-2])
    for workload in (TASKS, CONTINUE):
        speed = rates(face[workload], quiet_s)
        results["pettingzoo"].append({"scenario": "ward", "workload": workload, **against(AIM_FACE, speed)})
    if SPREAD in face:
        results["mpe2"] = rates(face[SPREAD], quiet_s)
    return results


def against(aim: float, speed: dict[str, float]) -> dict[str, float]:
    """Speed beside the aim."""
    return {**speed, "aim": aim, "ratio": speed["per_cpu_s"] / aim, "ratio_quiet": speed["per_quiet_s"] / aim}


def floor(parts: dict[str, float], bandwidth: float, robots: int, speed: dict[str, Any]) -> dict[str, float]:
    """Time to read and write every byte of a row's state once and to write what a step hands out, beside the step."""
    floor_us = (2.0 * parts["state"] + parts["out"]) / bandwidth * 1e6
    step_us = 1e6 * robots / speed["per_cpu_s"]
    return {
        "state_bytes": parts["state"],
        "out_bytes": parts["out"],
        "floor_us": floor_us,
        "step_us": step_us,
        "share": floor_us / step_us,
    }


def show(results: dict[str, Any]) -> None:
    """Tables of the results."""
    console = screen()
    speed = Table(title="Agent-steps per CPU second of one core")
    for column in ("what", "actions", "episodes", "reached", "lowest", "highest", "quiet core", "aim", "reached/aim"):
        speed.add_column(column, justify="left" if column in ("what", "actions") else "right")
    rows = [(f"batched step, {row['scenario']}", row) for row in results["batched"]]
    rows += [("PettingZoo face, ward", row) for row in results["pettingzoo"]]
    if isinstance(results["mpe2"], dict):
        rows.append((SPREAD, {**results["mpe2"], "workload": "fixed"}))
    for what, row in rows:
        aim = [f"{row['aim']:,.0f}", f"{row['ratio']:.2f}"] if "aim" in row else ["", ""]
        numbers = [f"{row[key]:,.0f}" for key in ("per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_quiet_s")]
        speed.add_row(what, row["workload"], str(row.get("episodes", 1)), *numbers, *aim)
    console.print(speed)
    if results["mpe2"] == "not installed":
        console.print('mpe2 is not installed (extra "bench"), so it is not compared.')
    if "clinic" not in results["phases"]:
        console.print("The real clinic (../shared/data/clinic.json beside the repository) is not here.")
    show_phases(results)
    calibration = results["calibration"]
    console.print(
        f"{results['machine']['processor']}, {results['machine']['cores']} cores, load {results['machine']['load']}. "
        f"A Philox draw took {calibration['draw_ns']:.2f} ns (quartiles {calibration['draw_ns_low']:.2f} and "
        f"{calibration['draw_ns_high']:.2f}; quiet core {calibration['draw_ns_quiet']:.2f})."
    )


def show_phases(results: dict[str, Any]) -> None:
    """Where the time goes, and what moving the state through memory alone would take."""
    console = screen()
    names = [name for name, shares in results["phases"].items() if shares]
    phases = Table(title="Where a step's time goes (random tasks)")
    for column in ("phase", *(f"{name}, %" for name in names), "what it does"):
        phases.add_column(column, justify="right" if column.endswith("%") else "left")
    for phase, what in PHASES.items():
        phases.add_row(phase, *(f"{100 * results['phases'][name][phase]:.1f}" for name in names), what)
    if names:
        console.print(phases)
    else:
        console.print("No cycle counter that a program may read here: no phase shares.")
    for name, memory in results["memory"].items():
        console.print(
            f"{name}: a row is {memory['state_bytes'] / 1024:.1f} KiB of state and "
            f"{memory['out_bytes'] / 1024:.1f} KiB handed out; "
            f"at {results['copy_bytes_s'] / 1e9:.1f} GB/s reading and writing all of it takes "
            f"{memory['floor_us']:.2f} us, {100 * memory['share']:.0f} % of the {memory['step_us']:.2f} us of a step."
        )


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {k: v for k, v in vars(chosen).items() if k != "json"}
        write_json(chosen.json, "benchmarks/step_speed.py", config, results)


if __name__ == "__main__":
    main()
