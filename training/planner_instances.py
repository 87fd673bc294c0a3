"""Make the planners' benchmark set: play seeded missions, take snapshots, extract and cut the three families.

    python -m training.planner_instances --folder agents/planning/data --clinic ../shared/data/clinic.json

plays the policy "gain" (keys and threats at their defaults) on two generated wards, two generated clinics and the real
clinic, and keeps up to eight instances per family and size, each building in its turn. Which snapshot fills which place
is decided by order alone, never by how well a planner does on it.

What is asked at a snapshot: all tracked robots that carry nobody are planned anew (triage, two positions), robots are
under way to what a greedy plan gives them or, without a task, to unseen zones (routing), and legged robots plan the
four kits that they can hold (supply). Patients whom nobody has seen are offered where the census puts them.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from agents.heuristics import make_policy
from agents.planning import NO_TASK, Budget, Problem, make_planner, routing, supply_delivery, triage_assignment
from agents.planning.instances import DATA, FAMILIES, NATURAL, SIZES, Instance, Source, save_instances
from agents.planning.reshape import restrict
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.state import AERIAL, TRACKED
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.twin.snapshot import TwinSnapshot
from training.rollout import POLICY_STREAM, RowStreams

REAL_CLINIC = "real-clinic"
STEPS = (0, 12, 30, 60, 90, 120, 180, 240)
SEEDS = range(4)
BUILDINGS = ((REAL_CLINIC, 0), ("clinic", 0), ("clinic", 1), ("ward", 0), ("ward", 1))
ATTRIBUTION = (
    "Instances of 'real-clinic' come from missions in a building derived from 'Medical-Dental Clinic', (C) BSI (2020), "
    "buildingSMART International, CC BY 4.0; they hold travel times and costs, no geometry."
)
_LEAST_STRENGTH = 1e-6  # below, an instance counts as uncoupled and is not used
_MOST_OPTIONS = max(options for _, options in SIZES)
_KITS = 4


def snapshots(building: str, building_seed: int, clinic: Path | None, seeds: Sequence[int]) -> Iterator[TwinSnapshot]:
    """The snapshots of the missions of one building at ``STEPS``, step by step and seed by seed within a step."""
    scenario = _scenario(building, building_seed, clinic)
    episodes = Episodes(scenario, GameConfig(), episodes=len(seeds), threads=1)
    numbers = np.array(seeds, np.uint64)
    rng = RowStreams([np.random.default_rng([int(seed), POLICY_STREAM]) for seed in seeds])
    policy = make_policy("gain", episodes.layout, episodes.codec)
    episodes.reset(np.arange(len(seeds)), numbers, np.zeros(len(seeds), np.int64))
    for step in range(max(STEPS) + 1):
        if step >= scenario.horizon_steps:
            return
        if step in STEPS:
            yield from (episodes.snapshot(row) for row in range(len(seeds)))
        episodes.step(policy.act(episodes.out.observation, episodes.out.mask, rng))


@lru_cache(maxsize=4)
def _scenario(building: str, building_seed: int, clinic: Path | None) -> ScenarioConfig:
    if building != REAL_CLINIC:
        return load_scenario(building, building_seed=building_seed)
    if clinic is None:
        raise ValueError(f"building {REAL_CLINIC!r} needs the file of the real clinic")
    return load_scenario(clinic)


def extract(family: str, snapshot: TwinSnapshot) -> Problem:
    """The whole problem of a family at a snapshot, as the module's docstring says; see ``cut`` for the sizes."""
    if family == "triage":
        return triage_assignment(
            snapshot,
            robots=_free_tracked(snapshot),
            unseen=True,
            max_options=_MOST_OPTIONS,
            positions=2,
            sharing=False,
            config=snapshot.physical,
        )
    if family == "supply":
        return supply_delivery(snapshot, kits_per_robot=_KITS, unseen=True, max_options=_MOST_OPTIONS).problem
    return routing(snapshot, destinations(snapshot), routes=_MOST_OPTIONS).problem


def _free_tracked(snapshot: TwinSnapshot) -> list[int]:
    free = snapshot.robot_alive & (snapshot.robot_kind == TRACKED) & (snapshot.robot_patient < 0)
    return [int(robot) for robot in np.flatnonzero(free)]


def destinations(snapshot: TwinSnapshot) -> dict[int, int]:
    """Where each live robot is under way to: an entrance, a patient by a greedy plan, or an unseen zone of its own."""
    triage = triage_assignment(
        snapshot, robots=_free_tracked(snapshot), unseen=True, max_options=_MOST_OPTIONS, config=snapshot.physical
    )
    supply = supply_delivery(snapshot, unseen=True, max_options=_MOST_OPTIONS).problem
    goals: dict[int, int] = {}
    for problem in (triage, supply):
        plan = make_planner("greedy").plan(problem, Budget(), np.random.default_rng(0))
        for robot, option in zip(problem.group_ids, problem.option_ids[plan.choice], strict=True):
            if option != NO_TASK:
                goals[int(robot)] = int(snapshot.patient_zone[option])
    unseen = ~snapshot.zone_seen & snapshot.building.indoor
    for robot in np.flatnonzero(snapshot.robot_alive).tolist():
        if robot in goals:
            continue
        away_s = np.array(snapshot.travel_time_s(robot), dtype=np.float64)
        wanted = np.zeros(unseen.size, dtype=bool)
        if snapshot.robot_patient[robot] >= 0:
            wanted[snapshot.building.entrances] = True
        else:
            wanted = unseen.copy()
            wanted[list(goals.values())] = False
        away_s[~wanted] = np.inf
        if np.isfinite(away_s).any():
            goals[robot] = int(away_s.argmin())
    return goals


def cut(family: str, problem: Problem, snapshot: TwinSnapshot, size: tuple[int, int]) -> Problem | None:
    """The problem cut to a size, None where it yields none in which all options are allowed and couplings matter.

    Groups are taken in order, in routing the robots on the floor before the aerial ones; options in order, those that
    are allowed for all.
    """
    groups, options = size
    order = np.arange(problem.groups)
    if family == "routing":
        order = np.argsort(snapshot.robot_kind[problem.group_ids] == AERIAL, kind="stable")
        order = order[problem.allowed[order].sum(axis=1) >= options]
    columns = np.flatnonzero(problem.allowed[order[:groups]].all(axis=0) & (problem.option_ids != NO_TASK))
    if order.size < groups or columns.size < options:
        return None
    small = restrict(problem, order[:groups], columns[:options])
    return small if _LEAST_STRENGTH < small.coupling_strength < np.inf else None


def make_instances(
    clinic: Path | None,
    *,
    buildings: Sequence[tuple[str, int]] = BUILDINGS,
    families: Sequence[str] = FAMILIES,
    sizes: Sequence[tuple[int, int]] = SIZES,
    per_cell: int = 8,
    seeds: Sequence[int] = SEEDS,
) -> list[Instance]:
    """Play the missions and keep up to ``per_cell`` instances of each family and size, the buildings taking turns."""
    yields: dict[tuple[str, tuple[int, int]], list[list[tuple[Source, Problem]]]] = {
        (family, size): [] for family in families for size in sizes
    }
    for building, building_seed in buildings:
        for found in yields.values():
            found.append([])
        for index, snapshot in enumerate(snapshots(building, building_seed, clinic, seeds)):
            source = Source(building, building_seed, int(seeds[index % len(seeds)]), snapshot.step)
            for family in families:
                problem = extract(family, snapshot)
                for size in sizes:
                    small = cut(family, problem, snapshot, size)
                    if small is not None:
                        yields[family, size][-1].append((source, small))
    return [instance for (family, size), found in yields.items() for instance in _turns(family, size, found, per_cell)]


def _turns(
    family: str, size: tuple[int, int], found: list[list[tuple[Source, Problem]]], per_cell: int
) -> list[Instance]:
    """The first of each building, then the second of each, ... until the cell is full.

    A building's instances are ordered so that those that follow each other differ in step and seed.
    """
    for turn, part in enumerate(found):
        part.sort(key=lambda entry: _place(entry[0], turn))
    depth = max((len(part) for part in found), default=0)
    ordered = [part[i] for i in range(depth) for part in found if i < len(part)][:per_cell]
    return [
        Instance(
            f"{family}-{size[0]}x{size[1]}-{i:02d}", family, problem, NATURAL, problem.coupling_strength, 1.0, source
        )
        for i, (source, problem) in enumerate(ordered)
    ]


def _place(source: Source, turn: int) -> tuple[int, int]:
    """Order of a source within its building: along diagonals of seed and step, the first of which starts elsewhere."""
    return (STEPS.index(source.step) - source.seed - 2 * turn - 1) % len(STEPS), source.seed


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the files; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.planner_instances", description=__doc__)
    parser.add_argument("--folder", type=Path, default=DATA, help="where the files go")
    parser.add_argument("--clinic", type=Path, help="the real clinic's file; without it that building is left out")
    parser.add_argument("--per-cell", type=int, default=8, help="instances per family and size at most")
    given = parser.parse_args(arguments)
    if given.clinic is None and given.folder == DATA:
        parser.error(
            "--clinic: the package's own set has the real clinic's instances; without it name another --folder"
        )
    buildings = [place for place in BUILDINGS if place[0] != REAL_CLINIC or given.clinic is not None]
    made = make_instances(given.clinic, buildings=buildings, per_cell=given.per_cell)
    words = shlex.join(
        ["--per-cell", str(given.per_cell)] + (["--clinic", "shared/data/clinic.json"] if given.clinic else [])
    )
    about: dict[str, Any] = {
        "about": "Benchmark set of the planners; agents/planning/instances.py reads it.",
        "command": f"python -m training.planner_instances {words}",
        "attribution": ATTRIBUTION,
        "license": "CC BY 4.0 for instances of 'real-clinic', that of the project for the others",
    }
    save_instances(made, given.folder, about)
    print(f"{len(made)} instances in {given.folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
