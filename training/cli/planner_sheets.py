"""The tables of ``qdt bench planners``."""

from collections.abc import Sequence

import numpy as np

from agents.quantum.simulator import ANSAETZE
from training.cli.sheets import Sheet
from training.noise_study import NoiseCurve, crossing
from training.planner_comparison import DEPTH, DEPTH_SIZES, Study
from training.planner_study import Summary, Trial, summarise
from training.shot_study import DEPTHS, Shot


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
        for size in DEPTH_SIZES:
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
