"""The picture of ``qdt bench planners``: one sample by size, by coupling, by depth, and under noise."""

from pathlib import Path
from typing import Any

import numpy as np

from agents.quantum.simulator import ANSAETZE
from training.figures import picture
from training.noise_study import crossing
from training.planner_comparison import Study
from training.planner_study import summarise
from training.shot_study import DEPTHS, UNIFORM, Shot

_COLOURS = {
    "swap": "#d55e00", "xy-ring": "#0072b2", "grover": "#009e73", "penalty-x": "#cc79a7", UNIFORM: "#8a8a8a",
    "sa": "#1b1b1b", "tabu": "#b58900",
}  # fmt: skip
_MARKERS = {"swap": "o", "xy-ring": "s", "grover": "^", "penalty-x": "D", UNIFORM: "x", "sa": "v", "tabu": "P"}
_DASHES = {"3x3": "--", "3x4": "-", "4x5": "--"}


def draw_planners(study: Study, path: Path) -> None:
    """Write the picture to ``path``; its suffix says the format."""
    with picture(path, 2, 2, (12.0, 8.4)) as (_, panels):
        _by_size(panels[0, 0], study)
        _by_coupling(panels[0, 1], study)
        _by_depth(panels[1, 0], study)
        _by_noise(panels[1, 1], study)


def _optimum(shots: list[Shot]) -> float:
    """Mean P(optimum), NaN for none."""
    return float(np.mean([shot.optimum for shot in shots])) if shots else float("nan")


def _by_size(panel: Any, study: Study) -> None:
    for name, depth in study.samplers:
        y = [_optimum(study.sampled(name, depth, size=size)) for size in study.sizes]
        panel.plot(
            study.sizes, y, "-", marker=_MARKERS[name], ms=4, lw=1.2, color=_COLOURS[name],
            label=f"{name}, p={depth}" if depth else name,
        )  # fmt: skip
    panel.set(yscale="log", xlabel="groups x options", ylabel="P(optimum) of one sample")
    low, _ = panel.get_ylim()
    panel.set_ylim(bottom=low / 100.0)  # room for the names below the lines
    panel.set_title("One sample, no optimisation per instance")
    panel.legend(loc="lower left", ncols=2)


def _by_coupling(panel: Any, study: Study) -> None:
    names = study.planners
    width = 0.8 / max(1, len(study.couplings))
    for k, coupling in enumerate(study.couplings):
        shares = [summarise(study.of(name, coupling=coupling)).right for name in names]
        place = np.arange(len(names)) + (k - 0.5 * (len(study.couplings) - 1)) * width
        panel.bar(place, shares, width, label=f"{coupling} coupling", color=("#9ecae1", "#4292c6", "#084594")[k])
    panel.set_xticks(range(len(names)), names, rotation=30)
    panel.set(ylabel="share of instances solved to optimality", ylim=(0.0, 1.18))
    panel.grid(axis="x", visible=False)
    panel.set_title("Planners as they come, by the coupling of the instances")
    panel.legend(loc="upper left", ncols=3)


def _by_depth(panel: Any, study: Study) -> None:
    for name in ANSAETZE:
        for size in ("3x4", "4x5"):
            y = [_optimum(study.sampled(name, depth, size=size)) for depth in DEPTHS]
            if not np.isnan(y).all():
                panel.plot(
                    DEPTHS, y, _DASHES[size], marker=_MARKERS[name], ms=4, lw=1.2, color=_COLOURS[name],
                    label=f"{name}, {size}",
                )  # fmt: skip
    panel.set(xscale="log", xlabel="layers p", ylabel="P(optimum) of one shot", ylim=(0.0, 1.0))
    panel.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    panel.minorticks_off()
    panel.set_title("One shot, by depth of the circuit")
    panel.legend(ncols=2)


def _by_noise(panel: Any, study: Study) -> None:
    panel.set_title("Gate errors alone, no decay")
    if not study.noise:
        panel.text(0.5, 0.5, "not measured", ha="center", va="center", transform=panel.transAxes)
        return
    for curve in study.noise:
        x = 1e3 * curve.p2
        panel.errorbar(
            x, curve.optimum, 1.96 * curve.optimum_error, fmt=_DASHES[curve.size], marker=_MARKERS[curve.ansatz],
            ms=3, lw=1.2, elinewidth=0.8, color=_COLOURS[curve.ansatz], label=f"{curve.ansatz}, {curve.size}",
        )  # fmt: skip
    for line, size in enumerate(dict.fromkeys(curve.size for curve in study.noise)):
        swap, ring = (next(c for c in study.noise if (c.ansatz, c.size) == (a, size)) for a in ("swap", "xy-ring"))
        rate = crossing(swap, ring)
        if rate is not None:
            panel.set_title("Gate errors alone, no decay; upright: from where xy-ring is better than swap")
            panel.axvline(1e3 * rate, color="#8a8a8a", lw=0.8, ls=_DASHES[size])
            panel.annotate(
                f"{size}: {1e3 * rate:.2g}", (1e3 * rate, 0.98), xycoords=("data", "axes fraction"),
                xytext=(3, -11 * line), textcoords="offset points", va="top", fontsize=8, color="#555555",
            )  # fmt: skip
    panel.set(xlabel="errors per thousand two-qubit gates", ylabel="P(optimum) of one shot, p=8", ylim=(0.0, None))
    panel.legend()
