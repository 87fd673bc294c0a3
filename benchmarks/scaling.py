"""How the cost of a step grows with episodes, zones, patients and robots: one at a time, at two levels, all together.

    python benchmarks/scaling.py                     # some minutes; writes docs/figures/scaling.png
    python benchmarks/scaling.py --json scaling.json
    python benchmarks/scaling.py --quick             # a minute: only to see that it runs; draws only with --figure

Buildings are generated (two storeys, four wings), patients' slots are all filled, tasks are random, and the first steps
of missions are measured. Every observation shows every patient to every robot, and every robot keeps its own map, so
robots x (zones + passages + patients + robots) is what a step handles by contract: an agent-step, one robot's share of
it, should cost what zones + patients + robots cost, on a straight line when all three grow together. The question is
whether anything grows faster than that.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _figure import draw
from _measure import Calibration, Stopwatch, draws_of, machine
from _missions import ROOT, TASKS, actions_of, agents_acting, begin, bytes_by_part, sizes
from _phases import PhaseClock, counter_works
from rich.table import Table
from scipy.optimize import nnls

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.hospital import PRESETS, GeneratorConfig, generate_building
from qdt_env.physical.config import PhysicalConfig
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.cli.outputs import check_outputs, write_json
from training.cli.report import progress_bar, screen

CROWDED = PhysicalConfig(area_per_person_m2=1.0)  # so many casualties that every slot is taken in every building
KINDS = ("tracked", "tracked", "legged", "aerial")
HORIZON = 720
STATE_BYTES = 32 * 2**20  # of all rows together, about the size of a last-level cache
FIGURE = ROOT / "docs" / "figures" / "scaling.png"
PARTS = ("total", "find ways", "observe", "rest")  # what a point's cost is split into


@dataclass(frozen=True)
class Sizes:
    """What is varied."""

    zones: int = 150
    patients: int = 40
    robots: int = 4


BASE = Sizes()
ONE_BY_ONE = {
    "zones": (75, 150, 300, 600, 1200),
    "patients": (10, 20, 40, 80, 160, 320),
    "robots": (1, 2, 4, 8, 16, 32),
}
TOGETHER = tuple(Sizes(75 * k, 20 * k, 2 * k) for k in (1, 2, 4, 8, 16))
CORNERS = tuple(Sizes(z, p, r) for z, p, r in product((150, 600), (40, 160), (4, 16)))
TERMS = ((), ("zones",), ("patients",), ("robots",), ("zones", "robots"), ("patients", "robots"))
FURTHER_TERMS = (("zones", "patients"), ("zones", "patients", "robots"))
EPISODES = tuple(2**k for k in range(12))
QUICK_ONE_BY_ONE = {"zones": (75, 150), "patients": (10, 20), "robots": (1, 2)}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Growth of a step's cost with episodes, zones, patients and robots.")
    parser.add_argument("--repeats", type=int, default=5, help="times each point is measured (default: 5)")
    parser.add_argument("--steps", type=int, default=60, help="steps measured per repeat (default: 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="the picture (default: docs/figures/scaling.png)")
    parser.add_argument("--quick", action="store_true", help="few small points, to see that it runs")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.repeats, chosen.steps = 2, 5
    elif chosen.figure is None:
        chosen.figure = FIGURE
    check_outputs({"--json": chosen.json, "--figure": chosen.figure})
    return chosen


def scenario_of(size: Sizes) -> ScenarioConfig:
    """A generated building of the given size with its team and patient slots."""
    clinic = PRESETS["clinic"]
    config = GeneratorConfig(
        f"zones-{size.zones}", size.zones, storeys=2, wings=4, departments=clinic.departments, entrances=8, stairs=3,
        elevators=1, mean_zone_m2=clinic.mean_zone_m2,
    )  # fmt: skip
    team = tuple(KINDS[r % len(KINDS)] for r in range(size.robots))
    return ScenarioConfig(config.name, generate_building(config, 0), team, HORIZON, size.patients, CROWDED)


class Point:
    """One size, measured again and again.

    With rows given, the engine's own batched step is timed; else the step that tells the phases apart.

    Attributes:
        facts: sizes, rows, bytes of state, patients listed.
        draws: cost of a step of one episode in Philox draws, by repeat.
        shares: share of each phase, by repeat.
    """

    def __init__(self, scenario: ScenarioConfig, rows: int | None, steps: int) -> None:
        """Rows so that all points hold about the same state, if not given."""
        self._scenario, self._rows, self._steps = scenario, rows, steps
        self._whole = rows is not None
        self.facts: dict[str, float] = dict(sizes(scenario))
        self.draws: list[float] = []
        self.shares: list[dict[str, float]] = []

    def measure(self, seed: int, calibration: Calibration) -> None:
        """Step fresh missions and keep their cost."""
        if self._rows is None:
            one = bytes_by_part(Episodes(self._scenario, GameConfig(), 1))
            self._rows = int(np.clip(STATE_BYTES / sum(one.values()), 8, 256))
        episodes = Episodes(self._scenario, GameConfig(), self._rows)
        begin(episodes, seed)
        clock, watch = PhaseClock(episodes), Stopwatch(calibration)
        step_all = episodes.step if self._whole else clock.step
        alive = 0
        for step, actions in zip(range(self._steps + 1), actions_of(episodes, TASKS, seed), strict=False):
            if step == 0:  # the first step meets cold caches and fresh pages
                step_all(actions)
                continue
            alive += agents_acting(episodes)
            watch.time(step_all, actions, work=self._rows)
            clock.count()
            if watch.pending_s > 2e-3 or step == self._steps:
                watch.end_chunk()
        self.draws.append(draws_of(watch.samples))
        self.shares.append(clock.shares())
        self.facts["rows"] = self._rows
        self.facts["steps"] = self._steps
        self.facts["alive"] = alive / (self._rows * self._steps)
        self.facts["listed"] = float(episodes.state.clock["listed"].mean())
        self.facts["state_bytes"] = bytes_by_part(episodes)["state"]

    def costs(self, quiet_s: float) -> dict[str, float]:
        """Microseconds of the quiet core for a step of one episode, by part, medians; and the spread of the total."""
        by_part = []
        for draws, shares in zip(self.draws, self.shares, strict=True):
            total = draws * quiet_s * 1e6
            ways, seen = total * shares["find ways"], total * shares["observe"]
            by_part.append({"total": total, "find ways": ways, "observe": seen, "rest": total - ways - seen})
        parts = PARTS[:1] if self._whole else PARTS
        costs = {f"{part}_us": median(cost[part] for cost in by_part) for part in parts}
        totals = [cost["total"] for cost in by_part]
        return {**costs, "total_us_low": min(totals), "total_us_high": max(totals)}


def points(chosen: argparse.Namespace) -> dict[str, list[Point]]:
    """All points by sweep. A size that several sweeps need is measured once."""
    made: dict[Sizes, Point] = {}

    def at(size: Sizes) -> Point:
        if size not in made:
            made[size] = Point(scenario_of(size), None, chosen.steps)
        return made[size]

    ward = load_scenario("ward")
    counts = (1, 8) if chosen.quick else EPISODES
    sweeps = {"episodes": [Point(ward, n, max(chosen.steps, min(170, 1024 // n))) for n in counts]}
    for axis, values in (QUICK_ONE_BY_ONE if chosen.quick else ONE_BY_ONE).items():
        sweeps[axis] = [at(Sizes(**{**vars(BASE), axis: value})) for value in values]
    sweeps["together"] = [at(size) for size in (TOGETHER[:2] if chosen.quick else TOGETHER)]
    sweeps["corners"] = [] if chosen.quick else [at(size) for size in CORNERS]
    return sweeps


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure every point, in another order at each repeat, and fit."""
    calibration = Calibration()
    sweeps = points(chosen)
    distinct = list(dict.fromkeys(point for sweep in sweeps.values() for point in sweep))
    order = np.random.default_rng(0)
    with progress_bar() as bar:
        done = bar("Measuring", chosen.repeats * len(distinct))
        for repeat in range(chosen.repeats):
            for count, index in enumerate(order.permutation(len(distinct))):
                distinct[index].measure(1000 * repeat, calibration)
                done(repeat * len(distinct) + count + 1)
    quiet_s = calibration.quiet_s
    rows = {name: [{**p.facts, **p.costs(quiet_s)} for p in sweep] for name, sweep in sweeps.items()}
    return {"machine": machine(), "calibration": calibration.summary(), "sweeps": rows, "fits": fits(rows)}


def fits(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Straight lines through the sweeps of one size, exponents of all together, and what grows with what."""
    found: dict[str, Any] = {}
    batch = rows["episodes"]
    counts = np.array([row["rows"] for row in batch])
    found["episodes"] = line(counts, counts * np.array([row["total_us"] for row in batch]))
    for axis in ONE_BY_ONE:
        x = np.array([row[axis] for row in rows[axis]])
        found[axis] = {part: line(x, column(rows[axis], part)) for part in PARTS}
    joint = rows["together"]
    scale = np.array([row["robots"] for row in joint]) / joint[0]["robots"]
    found["together"] = {part: exponents(scale, column(joint, part)) for part in PARTS}
    shown = np.array([row["zones"] + row["patients"] + row["robots"] for row in joint])
    agents = np.array([row["alive"] for row in joint])
    found["per agent-step"] = {part: line(shown, column(joint, part) / agents) for part in PARTS}
    sweeps = [sweep for name, sweep in rows.items() if name != "episodes"]
    all_points = list({tuple(row[axis] for axis in ONE_BY_ONE): row for sweep in sweeps for row in sweep}.values())
    found["growth"] = {part: growth(all_points, part) for part in PARTS}
    return found


def column(rows: list[dict[str, float]], part: str) -> np.ndarray:
    """Costs of one part [us]."""
    return np.array([row[f"{part}_us"] for row in rows])


def line(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Least-squares line y = offset + slope x with R^2, and the exponent of a power law through the same points.

    The points are weighted by 1/y^2 for the line, so that each counts by its relative error.
    """
    design = np.stack([np.ones(len(x)), x], axis=1)
    offset, slope = np.linalg.lstsq(design / y[:, None], np.ones(len(y)), rcond=None)[0]
    residual = y - (offset + slope * x)
    return {
        "offset": float(offset),
        "slope": float(slope),
        "r2": float(1.0 - np.sum(residual**2) / np.sum((y - y.mean()) ** 2)),
        "worst": float(np.max(np.abs(residual) / y)),
        "exponent": float(np.polyfit(np.log(x), np.log(y), 1)[0]),
    }


def exponents(scale: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Growth exponent over all scales and between each scale and the next."""
    steps = np.diff(np.log(y)) / np.diff(np.log(scale))
    return {"exponent": float(np.polyfit(np.log(scale), np.log(y), 1)[0]), "between": [float(s) for s in steps]}


def growth(rows: list[dict[str, float]], part: str) -> dict[str, Any]:
    """What grows with what: non-negative coefficients of ``TERMS`` through all points, each by its relative error.

    Returns:
        "shares": of each term at the largest of ``CORNERS``; "worst": largest relative error of a point, by the terms
        that were allowed: those of an agent-step times robots, the plain sum alone, and any product.
    """
    costs = column(rows, part)

    def fit(terms: tuple[tuple[str, ...], ...]) -> tuple[np.ndarray, float]:
        design = np.array([[float(np.prod([row[axis] for axis in term])) for term in terms] for row in rows])
        coefficients, _ = nnls(design / costs[:, None], np.ones(len(costs)))
        return coefficients, float(np.max(np.abs(design @ coefficients / costs - 1.0)))

    coefficients, worst = fit(TERMS)
    top = vars(max(CORNERS, key=lambda size: size.zones * size.patients * size.robots))
    parts = [c * float(np.prod([top[axis] for axis in term])) for c, term in zip(coefficients, TERMS, strict=True)]
    return {
        "shares": {" x ".join(t) or "constant": cost / sum(parts) for t, cost in zip(TERMS, parts, strict=True)},
        "worst": {"robots x sum": worst, "sum": fit(TERMS[:4])[1], "any product": fit(TERMS + FURTHER_TERMS)[1]},
    }


def show(results: dict[str, Any]) -> None:
    """Tables of the results."""
    console = screen()
    for name, rows in results["sweeps"].items():
        if not rows:
            continue
        table = Table(title=f"Cost of one step of one episode: {name}")
        cells: dict[str, Callable[[dict[str, float]], str]] = {
            "episodes": lambda row: f"{row['rows']:.0f}",
            "zones": lambda row: f"{row['zones']:.0f}",
            "patients": lambda row: f"{row['patients']:.0f}",
            "robots": lambda row: f"{row['robots']:.0f}",
            "total, us": lambda row: f"{row['total_us']:.2f}",
            "lowest .. highest": lambda row: f"{row['total_us_low']:.2f} .. {row['total_us_high']:.2f}",
            "us an agent-step": lambda row: f"{row['total_us'] / row['alive']:.2f}",
        }
        if name != "episodes":
            cells |= {
                "find ways, us": lambda row: f"{row['find ways_us']:.2f}",
                "observe, us": lambda row: f"{row['observe_us']:.2f}",
                "rest, us": lambda row: f"{row['rest_us']:.2f}",
            }
        for heading in cells:
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(*(cell(row) for cell in cells.values()))
        console.print(table)
    show_fits(results["fits"])


def show_fits(found: dict[str, Any]) -> None:
    """Lines, exponents and growth in words."""
    console = screen()
    batch = found["episodes"]
    console.print(
        f"episodes: {batch['offset']:.1f} us a call + {batch['slope']:.2f} us an episode, R2 {batch['r2']:.4f}, "
        f"exponent {batch['exponent']:.2f}"
    )
    for axis in ONE_BY_ONE:
        for part in PARTS:
            fit = found[axis][part]
            console.print(
                f"{axis}, {part}: {fit['offset']:.2f} + {fit['slope']:.4f} us each, R2 {fit['r2']:.3f}, "
                f"exponent {fit['exponent']:.2f}"
            )
    for part in PARTS:
        fit, per = found["together"][part], found["per agent-step"][part]
        steps = ", ".join(f"{s:.2f}" for s in fit["between"])
        console.print(
            f"all together, {part}: exponent {fit['exponent']:.2f} ({steps}); an agent-step {per['offset']:.2f} + "
            f"{per['slope']:.5f} us by zones + patients + robots, R2 {per['r2']:.4f}, off the line by at most "
            f"{100 * per['worst']:.0f} %, exponent {per['exponent']:.2f}"
        )
        grown = found["growth"][part]
        terms = ", ".join(f"{name} {100 * share:.0f} %" for name, share in grown["shares"].items())
        worst = ", ".join(f"{100 * error:.0f} % by {model}" for model, error in grown["worst"].items())
        console.print(f"    largest corner: {terms}; points off by at most {worst}")


def main() -> None:
    """Measure, show, draw, write."""
    chosen = arguments()
    if not counter_works():
        screen().print("No cycle counter that a program may read here; this benchmark needs one to split a step.")
        return
    results = gather(chosen)
    show(results)
    config = {k: v for k, v in vars(chosen).items() if k not in ("json", "figure")}
    if chosen.json:
        write_json(chosen.json, "benchmarks/scaling.py", config, results)
    if chosen.figure:
        draw(results, chosen.figure)


if __name__ == "__main__":
    main()
