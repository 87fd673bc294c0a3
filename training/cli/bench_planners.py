"""``qdt bench planners``: who finds the optimum, how often, and what it costs; by size, coupling, depth and noise."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from agents.planning import Budget, planner_names
from agents.planning.instances import FAMILIES, SIZES, STRENGTHS, Instance, load_instances
from agents.quantum.simulator import ANSAETZE
from qdt_env.records import require
from training.cli.report import JsonFile, Seed, check_file, progress_bar, write_json
from training.cli.sheets import ALL, Markdown, Sheet, names_of, show_sheets
from training.noise_study import ERROR_RATES, RIVALS, NoiseCurve, crossing, noise_curve, square
from training.planner_study import (
    DEPTHS,
    UNIFORM,
    Shot,
    Summary,
    Trial,
    Truth,
    heuristic_shot,
    label,
    sample_shots,
    summarise,
    truth_of,
    try_planners,
    uniform_shot,
)

Begin = Callable[[str, int], Callable[[int], None]]

DEPTH = 8
HEURISTICS = ("sa", "tabu")
HEURISTIC_RUNS = 20
_LABELS = tuple(label(size) for size in SIZES)
_DEPTH_SIZES = ("3x4", "4x5")
_QUICK_SIZES = ("3x4", "4x5")
_WORDS = (
    "Optimum: proven, by enumeration or by CP-SAT. Approximation ratio: 1 the optimum, 0 the worst feasible choice.",
    "Circuits are simulated exactly and without noise except in the noise table. One-shot figures are exact "
    "probabilities at fixed angles (no optimisation per instance); those of sa and tabu are runs counted.",
    "Modelled time of a circuit's shot: gates of the published Heron calibration, readout and reset; queue and "
    "compilation not included. Times of classical planners are wall times of this machine.",
    "Noise: Pauli errors after gates alone. Idle qubits do not decay (T1, T2), which favours long swap circuits: on "
    "superconducting processors xy-ring would overtake them earlier.",
    "The exact planner stands beside every other with its time: no quantum advantage is claimed.",
)


@dataclass(frozen=True, eq=False)
class Study:
    """Everything that the command measured."""

    instances: list[Instance]
    truths: list[Truth]
    trials: list[Trial]
    shots: list[Shot]
    noise: list[NoiseCurve]

    def of(self, planner: str, **where: str) -> list[Trial]:
        """Trials of a planner whose named fields have these values."""
        return [t for t in self.trials if t.planner == planner and all(getattr(t, k) == v for k, v in where.items())]

    def sampled(self, sampler: str, depth: int, **where: str) -> list[Shot]:
        """Shots of a sampler at a depth whose named fields have these values."""
        return [
            s
            for s in self.shots
            if s.sampler == sampler and s.depth == depth and all(getattr(s, k) == v for k, v in where.items())
        ]

    @property
    def planners(self) -> list[str]:
        """Planners in the order in which they were tried."""
        return list(dict.fromkeys(trial.planner for trial in self.trials))

    @property
    def samplers(self) -> list[tuple[str, int]]:
        """Samplers and depths of the one-shot tables."""
        circuits = [(name, DEPTH) for name in ANSAETZE if self.sampled(name, DEPTH)]
        others = [(name, 0) for name in (UNIFORM, *HEURISTICS) if self.sampled(name, 0)]
        return circuits + others

    @property
    def sizes(self) -> list[str]:
        """Sizes in rising order."""
        return [size for size in _LABELS if any(label(one.size) == size for one in self.instances)]

    @property
    def couplings(self) -> list[str]:
        """Coupling strengths in rising order."""
        return [name for name in STRENGTHS if any(one.coupling == name for one in self.instances)]


def planners(
    families: Annotated[str, typer.Option("--families", help=f"all, or of {', '.join(FAMILIES)}.")] = ALL,
    sizes: Annotated[str, typer.Option("--sizes", help=f"all, or of {', '.join(_LABELS)}.")] = ALL,
    couplings: Annotated[str, typer.Option("--couplings", help=f"all, or of {', '.join(STRENGTHS)}.")] = ALL,
    chosen: Annotated[str, typer.Option("--planners", help="all, or names with commas; see `qdt run --help`.")] = ALL,
    instances: Annotated[int, typer.Option("--instances", "-n", help="Per family, size and coupling.")] = 8,
    time_s: Annotated[float, typer.Option("--time", help="Budget of one plan [s].")] = 10.0,
    noise: Annotated[bool, typer.Option(help="Also the circuits under noise.")] = True,
    trajectories: Annotated[int, typer.Option("--trajectories", help="Per circuit under noise.")] = 300,
    quick: Annotated[
        bool, typer.Option("--quick", help="Sizes 3x4 and 4x5, two instances each, little noise.")
    ] = False,
    figure: Annotated[Path | None, typer.Option("--figure", help="Also draw the results to this file.")] = None,
    seed: Seed = 0,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Every planner on the saved benchmark set: triage ordering, routing and supply delivery, from played missions.

    Examples: `qdt bench planners --quick` · `qdt bench planners --figure planners.png --json planners.json` ·
    `qdt bench planners --families triage --sizes 3x4,4x5 --planners greedy,exact,qaoa --no-noise`
    """
    require(1 <= instances <= 1000, "instances", instances, "1 to 1000")
    require(trajectories >= 1, "trajectories", trajectories, "1 or more")
    check_file(json_file, "--json")
    check_file(figure, "--figure")
    if quick:
        sizes = ",".join(_QUICK_SIZES) if sizes == ALL else sizes
        instances, trajectories = min(instances, 2), min(trajectories, 60)
    names = [name for name in planner_names() if name not in _REMOTE] if chosen == ALL else list(names_of(chosen, ()))
    for name in names:
        require(name in planner_names(), "planners", name, f"all, or of {', '.join(planner_names())}")
    taken = _instances(
        names_of(families, FAMILIES), names_of(sizes, _LABELS), names_of(couplings, tuple(STRENGTHS)), instances
    )
    rates = ERROR_RATES[::3] if quick else ERROR_RATES
    with progress_bar() as begin:
        study = measure(taken, names, Budget(time_s=time_s), seed, rates if noise else (), trajectories, begin)
    if json_file is not None:
        config = {"families": families, "sizes": sizes, "couplings": couplings, "planners": names, "seed": seed,
                  "instances": instances, "time_s": time_s, "trajectories": trajectories, "quick": quick}  # fmt: skip
        write_json(json_file, "bench planners", config, results_of(study))
    if figure is not None:
        from training.cli.planner_figure import draw_planners  # loads matplotlib

        draw_planners(study, figure)
    title = (
        f"{len(taken)} instances from missions, optimum proven for each; {sum(t.greedy_right for t in study.truths)} "
    )
    show_sheets(f"{title}of them greedy solves", tables_of(study), _WORDS, markdown)


_REMOTE = ("qpu", "offload")  # the same circuits elsewhere: `qdt bench offload` measures what that is worth


def _instances(families: Sequence[str], sizes: Sequence[str], couplings: Sequence[str], count: int) -> list[Instance]:
    """The first instances of every cell."""
    taken: list[Instance] = []
    for size in sizes:
        require(size in _LABELS, "sizes", size, f"all, or of {', '.join(_LABELS)}")
        for family in families:
            for coupling in couplings:
                taken += load_instances(family, SIZES[_LABELS.index(size)], coupling)[:count]
    return taken


def measure(
    instances: list[Instance],
    names: Sequence[str],
    budget: Budget,
    seed: int,
    rates: Sequence[float],
    trajectories: int,
    begin: Begin,
) -> Study:
    """Prove the optima, try the planners, weigh the shots, add noise."""
    done = begin("optima", len(instances))
    truths = []
    for number, instance in enumerate(instances):
        truths.append(truth_of(instance.problem))
        done(number + 1)
    trials = try_planners(names, instances, truths, budget, seed, begin("planners", len(names) * len(instances)))
    done = begin("one shot", len(instances))
    shots: list[Shot] = []
    for number, (instance, truth) in enumerate(zip(instances, truths, strict=True)):
        depths = DEPTHS if label(instance.size) in _DEPTH_SIZES else (DEPTH,)
        shots += sample_shots(instance, truth, depths)
        shots.append(uniform_shot(instance, truth))
        shots += [heuristic_shot(instance, truth, name, HEURISTIC_RUNS, seed + number) for name in HEURISTICS]
        done(number + 1)
    return Study(instances, truths, trials, shots, _noise(instances, rates, trajectories, seed, begin))


def _noise(
    instances: list[Instance], rates: Sequence[float], trajectories: int, seed: int, begin: Begin
) -> list[NoiseCurve]:
    """Both rivals on the distinct 3x4 problems of medium coupling, and on the same cut to 3x3."""
    problems = [
        one.problem
        for one in instances
        if label(one.size) == "3x4" and one.problem.distinct and one.coupling == "medium"
    ][:4]
    if not problems or not rates:
        return []
    curves = []
    for cut in ([square(problem) for problem in problems], problems):
        for ansatz in RIVALS:
            title = f"noise, {ansatz} {cut[0].groups}x{cut[0].options}"
            progress = begin(title, len(rates) * len(cut))
            curves.append(
                noise_curve(cut, ansatz, rates, depth=DEPTH, trajectories=trajectories, seed=seed, progress=progress)
            )
    return curves


def tables_of(study: Study) -> list[Sheet]:
    """All tables."""
    sheets = [_planner_table(study), _right_table(study), _shot_table(study), _cost_table(study), _worst_table(study)]
    if any(study.sampled(name, depth) for name in ANSAETZE for depth in DEPTHS if depth != DEPTH):
        sheets.append(_depth_table(study))
    return sheets + ([_noise_table(study)] if study.noise else [])


def _planner_table(study: Study) -> Sheet:
    headings = (
        "planner", "right", "where greedy is", "where greedy is not", "ratio", "worst ratio", "feasible",
        "evaluations", "shots", "wall ms", "modelled s",
    )  # fmt: skip
    rows = []
    for name in study.planners:
        line: Summary = summarise(study.of(name))
        rows.append((
            name, _share(line.right), _share(line.right_where_greedy_is), _share(line.right_where_greedy_is_not),
            f"{line.ratio:.3f}", f"{line.worst_ratio:.3f}", _share(line.feasible), f"{line.evaluations:,.0f}",
            f"{line.shots:,.0f}", f"{1e3 * line.wall_s:.3g}", f"{line.modelled_latency_s:.3g}",
        ))  # fmt: skip
    return "Planners: share of optima, quality, cost (means; medians of times)", headings, rows


def _right_table(study: Study) -> Sheet:
    headings = ("planner", *study.sizes, *study.couplings)
    rows = []
    for name in study.planners:
        cells = [study.of(name, size=size) for size in study.sizes]
        cells += [study.of(name, coupling=coupling) for coupling in study.couplings]
        rows.append((name, *(_share(summarise(cell).right) if cell else "-" for cell in cells)))
    return "Planners: share of optima by size and by coupling", headings, rows


def _shot_table(study: Study) -> Sheet:
    rows = []
    for name, depth in study.samplers:
        row = [f"{name}, p={depth}" if depth else name]
        for size in study.sizes:
            found = study.sampled(name, depth, size=size)
            row.append(_quality(found) if found else "-")
        rows.append(row)
    title = "One sample: feasible / P(optimum) / approximation ratio, means; in brackets the worst instance's P"
    return title, ("sampler", *study.sizes), rows


def _quality(shots: Sequence[Shot]) -> str:
    feasible, optimum, ratio = (np.mean([getattr(s, name) for s in shots]) for name in ("feasible", "optimum", "ratio"))
    worst = min(shot.optimum for shot in shots)
    return f"{feasible:.2f} / {optimum:.2g} ({worst:.1g}) / {ratio:.2f}"


def _cost_table(study: Study) -> Sheet:
    rows = []
    for name, depth in study.samplers:
        row = [f"{name}, p={depth}" if depth else name]
        for size in study.sizes:
            found = study.sampled(name, depth, size=size)
            shots = np.median([shot.shots_to_optimum for shot in found]) if found else np.nan
            seconds = np.median([shot.shots_to_optimum * shot.seconds for shot in found]) if found else np.nan
            row.append(_effort(float(shots), float(seconds)))
        rows.append(row)
    for name in ("linear", "exact"):
        if name in study.planners:
            rows.append([f"{name} (one call)", *(_call(study.of(name, size=size)) for size in study.sizes)])
    title = "Expected samples to the optimum, and the time they take (modelled for circuits, measured for the others)"
    return title, ("sampler", *study.sizes), rows


def _effort(shots: float, seconds: float) -> str:
    if np.isnan(shots):
        return "-"
    if np.isinf(shots):
        return "never seen"
    return f"{shots:,.3g}" + ("" if np.isnan(seconds) else f", {_seconds(seconds)}")


def _call(trials: Sequence[Trial]) -> str:
    if not trials:
        return "-"
    line = summarise(trials)
    return f"{_share(line.right)} right, {_seconds(line.wall_s)}"


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value >= 1.0 else f"{1e3 * value:.2g} ms"


def _worst_table(study: Study) -> Sheet:
    rows = []
    for name in study.planners:
        worst = min(study.of(name), key=lambda trial: trial.ratio)
        told = "" if worst.right else worst.note
        rows.append((name, f"{worst.instance}, {worst.coupling}", f"{worst.ratio:.3f}", told))
    return "Each planner's worst instance", ("planner", "instance", "ratio", "note"), rows


def _depth_table(study: Study) -> Sheet:
    rows = []
    for name in ANSAETZE:
        for size in _DEPTH_SIZES:
            found = [study.sampled(name, depth, size=size) for depth in DEPTHS]
            if any(found):
                means = [f"{np.mean([s.optimum for s in some]):.3f}" if some else "-" for some in found]
                rows.append((f"{name}, {size}", *means))
    return "P(optimum) of one shot by depth p", ("ansatz", *(str(depth) for depth in DEPTHS)), rows


def _noise_table(study: Study) -> Sheet:
    rows = []
    for curve in study.noise:
        row = [f"{curve.ansatz}, {curve.size}"]
        row += [f"{p:.3f} ±{1.96 * e:.3f}" for p, e in zip(curve.optimum, curve.optimum_error, strict=True)]
        rows.append((*row, _crossing(study, curve)))
    rates = [f"{rate:g}" for rate in study.noise[0].p2]
    return (
        f"P(optimum) of one shot, p={DEPTH}, by probability of an error after a two-qubit gate (± from trajectories)",
        ("ansatz", *rates, "overtakes swap at"),
        rows,
    )


def _crossing(study: Study, curve: NoiseCurve) -> str:
    if curve.ansatz == "swap":
        return ""
    (swap,) = (one for one in study.noise if one.ansatz == "swap" and one.size == curve.size)
    rate = crossing(swap, curve)
    return "not up to here" if rate is None else f"{rate:.2g}"


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.0%}"


def results_of(study: Study) -> dict[str, Any]:
    """Everything as plain numbers."""
    return {
        "instances": [
            {"name": one.name, "coupling": one.coupling, "natural_strength": one.natural_strength,
             "factor": one.factor, **asdict(truth), "greedy_right": truth.greedy_right}
            for one, truth in zip(study.instances, study.truths, strict=True)
        ],
        "planners": [summarise(study.of(name)).to_dict() for name in study.planners],
        "trials": [asdict(trial) for trial in study.trials],
        "shots": [asdict(shot) for shot in study.shots],
        "noise": [
            {"ansatz": c.ansatz, "size": c.size, "p2": c.p2, "optimum": c.optimum, "optimum_error": c.optimum_error,
             "feasible": c.feasible}
            for c in study.noise
        ],
    }  # fmt: skip
