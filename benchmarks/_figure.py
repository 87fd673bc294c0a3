"""The picture of ``scaling.py``."""

from pathlib import Path
from typing import Any

import numpy as np

from training.figures import picture

_COLOURS = {"total": "#1b1b1b", "rest": "#0072b2", "observe": "#d55e00", "find ways": "#009e73"}
_NAMES = {
    "total": "whole step",
    "rest": "all other phases",
    "observe": "write observations and masks",
    "find ways": "find ways",
}
_AXES = {"zones": "zones", "patients": "patients", "robots": "robots"}


def draw(results: dict[str, Any], path: Path) -> None:
    """Write the picture of sweeps and fits to ``path``."""
    with picture(path, 2, 3, (12.5, 7.2)) as (figure, panels):
        _episodes(panels[0, 0], results)
        for panel, axis in zip((panels[0, 1], panels[0, 2], panels[1, 0]), _AXES, strict=True):
            _one(panel, axis, results)
        _together(panels[1, 1], results)
        _per_agent_step(panels[1, 2], results)
        handles, names = panels[0, 1].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names))


def _column(rows: list[dict[str, float]], name: str) -> np.ndarray:
    """One number of every point."""
    return np.array([row[name] for row in rows])


def _episodes(panel: Any, results: dict[str, Any]) -> None:
    """Time of a call against the number of episodes."""
    rows, fit = results["sweeps"]["episodes"], results["fits"]["episodes"]
    x = _column(rows, "rows")
    y, low, high = (x * _column(rows, f"total_us{end}") for end in ("", "_low", "_high"))
    panel.errorbar(x, y, [y - low, high - y], fmt="o", ms=4, color=_COLOURS["total"], elinewidth=1)
    panel.plot(x, fit["offset"] + fit["slope"] * x, color=_COLOURS["total"], lw=1)
    panel.set(xscale="log", yscale="log", xlabel="episodes (ward)", ylabel="one call of the batched step [µs]")
    panel.set_title(f"Episodes: {fit['slope']:.1f} µs each, line R² = {fit['r2']:.4f}")


def _one(panel: Any, axis: str, results: dict[str, Any]) -> None:
    """Cost of a step against one size, the others held."""
    rows, fits = results["sweeps"][axis], results["fits"][axis]
    x = _column(rows, axis)
    ends = np.array([0.0, x.max()])
    for part, colour in _COLOURS.items():
        y = _column(rows, f"{part}_us")
        error = [y - _column(rows, "total_us_low"), _column(rows, "total_us_high") - y] if part == "total" else None
        panel.errorbar(x, y, error, fmt="o", ms=4, color=colour, elinewidth=1, label=_NAMES[part])
        panel.plot(ends, fits[part]["offset"] + fits[part]["slope"] * ends, color=colour, lw=1)
    held = ", ".join(f"{rows[0][other]:.0f} {other}" for other in _AXES if other != axis)
    panel.set(xlabel=f"{axis} ({held})", ylabel="step of one episode [µs]", xlim=(0, None), ylim=(0, None))
    panel.set_title(f"{axis.capitalize()}, the others held: line R² = {fits['total']['r2']:.3f}")


def _together(panel: Any, results: dict[str, Any]) -> None:
    """Cost of a step against the size of everything at once, with slopes to compare."""
    rows, fits = results["sweeps"]["together"], results["fits"]["together"]
    k = _column(rows, "robots") / rows[0]["robots"]
    for part, colour in _COLOURS.items():
        panel.plot(k, _column(rows, f"{part}_us"), "o-", ms=4, lw=1, color=colour)
    start = rows[0]["total_us"]
    for power, style in ((1, ":"), (2, "--"), (3, "-.")):
        guide = start * k**power
        shown = guide <= 1.5 * rows[-1]["total_us"] * k.max() ** 0.3
        panel.plot(k[shown], guide[shown], style, color="#9a9a9a", lw=1)
        panel.annotate(f"k{'' if power == 1 else '²³'[power - 2]}", (k[shown][-1], guide[shown][-1]), color="#707070",
                       xytext=(6, 0), textcoords="offset points", va="center")  # fmt: skip
    first = rows[0]
    label = f"k: {first['zones']:.0f}k zones, {first['patients']:.0f}k patients, {first['robots']:.0f}k robots"
    panel.set(xscale="log", yscale="log", xlabel=label, ylabel="step of one episode [µs]")
    panel.set_xticks(k, [f"{value:.0f}" for value in k])
    panel.minorticks_off()
    panel.set_xlim(k[0] / 1.15, k[-1] * 1.35)
    panel.set_title(f"All three scaled by k: exponent {fits['total']['exponent']:.2f}")


def _per_agent_step(panel: Any, results: dict[str, Any]) -> None:
    """Cost of an agent-step, one living robot's share, against the sum of the sizes."""
    rows, fits = results["sweeps"]["together"], results["fits"]["per agent-step"]
    agents = _column(rows, "alive")
    x = _column(rows, "zones") + _column(rows, "patients") + _column(rows, "robots")
    ends = np.array([0.0, x.max()])
    for part, colour in _COLOURS.items():
        y = _column(rows, f"{part}_us") / agents
        low, high = (_column(rows, f"total_us_{end}") / agents for end in ("low", "high"))
        error = [y - low, high - y] if part == "total" else None
        panel.errorbar(x, y, error, fmt="o", ms=4, color=colour, elinewidth=1)
        panel.plot(ends, fits[part]["offset"] + fits[part]["slope"] * ends, color=colour, lw=1)
    panel.set(xlabel="zones + patients + robots, all scaled together", ylabel="agent-step [µs]")
    panel.set(xlim=(0, None), ylim=(0, None))
    panel.set_title(f"One agent-step of these: line R² = {fits['total']['r2']:.3f}")
