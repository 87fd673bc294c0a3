"""What the batched environment costs over the bare engine: agent-steps a second on one thread, masks written.

    python benchmarks/vector_speed.py                     # a few minutes
    python benchmarks/vector_speed.py --json vector.json
    python benchmarks/vector_speed.py --clinic clinic.json
    python benchmarks/vector_speed.py --quick             # seconds: only to see that it runs

On the ward, and on the real clinic where ../shared/data/clinic.json lies beside the repository, the same missions are
stepped with the same actions in turn by the engine (``Episodes.step``), by ``RescueVectorEnv`` with shared arrays
(``copy=False``), with copies and with graphs, and by the dispatcher's vector env; on the ward a mission is also played
through the PettingZoo face. Whole wards are played: the last step's metrics and the resets that follow count as
everybody's work.
An agent-step is one step of one robot alive, in a mission that is not over. Actions are drawn outside the timed
stretches. "cost" is the median over pairs of neighbouring steps of time beside the engine's, less 1; see
``_measure.py`` for how rates are kept apart from what others do on the machine.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Calibration, Sample, Stopwatch, machine, rates
from _missions import CLINIC, TASKS, actions_of, agents_acting, begin, sizes
from rich.table import Table
from step_speed import AIM_CLINIC, AIM_FACE, AIM_WARD, against, record_tasks, step_face

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.gym_env import HospitalRescueVectorEnv
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.vector_env import RescueVectorEnv
from training.cli.report import check_file, screen, write_json

ENGINE, SHARED, COPIED, JOINT = "Episodes.step", "shared arrays", "copies", "dispatcher, shared"
GRAPHS = "graphs, shared"
Step = Callable[[np.ndarray], object]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the batched environment costs over the engine.")
    parser.add_argument("--episodes", type=int, default=1024, help="rows of the batch (default: 1024)")
    parser.add_argument("--repeats", type=int, default=2, help="times each measurement is made (default: 2)")
    parser.add_argument("--clinic-steps", type=int, default=60, help="steps from the clinic's start (default: 60)")
    parser.add_argument("--clinic", type=Path, default=CLINIC, metavar="FILE", help="the clinic's building file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="a few steps of a few episodes, to see that it runs")
    chosen = parser.parse_args()
    check_file(chosen.json, "--json")
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
            self.engine.reset(over, clock["seed"], clock["episode"] + 1)

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


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as plain numbers."""
    calibration = Calibration()
    ward = load_scenario("ward")
    scenarios = {"ward": (ward, 10 if chosen.quick else ward.horizon_steps + 2, AIM_WARD)}
    if chosen.clinic.is_file():
        scenarios["clinic"] = (load_scenario(chosen.clinic), chosen.clinic_steps, AIM_CLINIC)
    seen: dict[str, list[dict[str, list[Sample]]]] = {}
    for name, (scenario, steps, _) in scenarios.items():
        contest = Contest(scenario, chosen.episodes)
        contest.play(2, 0, Calibration())  # compile or load the kernels, touch the pages
        seen[name] = [contest.play(steps, 10_000 * repeat, calibration) for repeat in range(chosen.repeats)]
        del contest
    env, tasks = record_tasks(seed=0)
    step_face(env, 0, tasks[:2], Calibration())
    face = [step_face(env, 0, tasks, calibration) for _ in range(2 if chosen.quick else 5 * chosen.repeats)]
    results: dict[str, Any] = {"machine": machine(), "calibration": calibration.summary(), "batched": []}
    for name, (scenario, steps, aim) in scenarios.items():
        for contestant in seen[name][0]:
            speed = rates([repeat[contestant] for repeat in seen[name]], calibration.quiet_s)
            pairs = [[sample for repeat in seen[name] for sample in repeat[one]] for one in (contestant, ENGINE)]
            row = {"scenario": name, "contestant": contestant, "episodes": chosen.episodes, "steps": steps}
            results["batched"].append({**row, **sizes(scenario), "cost": cost(*pairs), **against(aim, speed)})
    results["pettingzoo"] = {"scenario": "ward", **against(AIM_FACE, rates(face, calibration.quiet_s))}
    return results


def show(results: dict[str, Any]) -> None:
    """A table of the results."""
    console = screen()
    table = Table(title="Agent-steps per CPU second of one core (random tasks)")
    for column in ("what", "scenario", "episodes", "reached", "lowest", "highest", "quiet core", "aim", "cost"):
        table.add_column(column, justify="left" if column in ("what", "scenario") else "right")
    for row in [*results["batched"], {**results["pettingzoo"], "contestant": "PettingZoo face", "episodes": 1}]:
        numbers = [f"{row[key]:,.0f}" for key in ("per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_quiet_s", "aim")]
        extra = f"{100 * row['cost']:+.1f} %" if "cost" in row else ""
        table.add_row(row["contestant"], row["scenario"], str(row["episodes"]), *numbers, extra)
    console.print(table)
    if all(row["scenario"] != "clinic" for row in results["batched"]):
        console.print("The real clinic is not here (--clinic).")
    calibration = results["calibration"]
    console.print(
        f"{results['machine']['processor']}, {results['machine']['cores']} cores, load {results['machine']['load']}. "
        f"A Philox draw took {calibration['draw_ns']:.2f} ns (quiet core {calibration['draw_ns_quiet']:.2f})."
    )


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {k: v for k, v in vars(chosen).items() if k not in ("json", "clinic")}
        write_json(chosen.json, "benchmarks/vector_speed.py", config, results)


if __name__ == "__main__":
    main()
