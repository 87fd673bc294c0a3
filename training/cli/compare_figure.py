"""The picture of ``qdt compare``: performance profiles, and every difference to the reference with its interval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.cli.report import signed
from training.comparison import ALL_SCENARIOS, Contest
from training.entries import Entry
from training.figures import picture
from training.statistics import Profile

_COLOURS = ("#1b1b1b", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")  # reference first
_MARKERS = ("o", "s", "^", "v", "P", "X", "*")


def draw_comparison(profiles: Mapping[Entry, Profile], contests: Sequence[Contest], title: str, path: Path) -> None:
    """Write the picture to ``path``; its suffix says the format.

    Args:
        profiles: of every policy, the reference first.
        contests: of the others against it, scope by scope.
        title: what was played.
        path: where to.
    """
    scopes = list(dict.fromkeys(contest.scope for contest in contests))
    rows = (len(profiles) - 1) * max(1.0, 0.45 * len(scopes))
    with picture(path, 1, 2, (12.0, max(4.2, 2.2 + 0.42 * rows)), title) as (_, panels):
        _profiles(panels[0, 0], profiles)
        _differences(panels[0, 1], contests, scopes)


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _profiles(panel: Any, profiles: Mapping[Entry, Profile]) -> None:
    """Share of the missions above each score; policies that coincide are told apart by their dashes."""
    dashes = ("-", "--", "-.", ":")
    for place, (entry, profile) in enumerate(profiles.items()):
        panel.fill_between(profile.thresholds, profile.low, profile.high, color=_colour(place), alpha=0.13, lw=0)
        panel.plot(
            profile.thresholds, profile.share, dashes[place % len(dashes)], color=_colour(place), lw=1.6,
            label=entry.label + (" (reference)" if place == 0 else ""),
        )  # fmt: skip
    panel.set(xlabel="score", ylabel="share of missions above it", ylim=(-0.02, 1.02))
    panel.set_title("Performance profiles; shaded: 95 % at each score")
    panel.legend(loc="best")


def _differences(panel: Any, contests: Sequence[Contest], scopes: list[str]) -> None:
    """One row per policy, one dot per scope in it; filled where the interval excludes 0. The numbers stand beside."""
    entries = list(dict.fromkeys(contest.entry for contest in contests))
    heights, numbers = [], []
    for contest in contests:
        row, scope = entries.index(contest.entry), scopes.index(contest.scope)
        heights.append(row + (scope - 0.5 * (len(scopes) - 1)) * 0.75 / len(scopes))
        numbers.append(signed(contest.score) + ("*" if contest.verdict else " "))
        _dot(panel, contest, heights[-1], _colour(row + 1), _MARKERS[scope % len(_MARKERS)])
    panel.axvline(0.0, color="#1b1b1b", lw=0.9)
    panel.set_yticks(range(len(entries)), [entry.label for entry in entries])
    panel.set_ylim(len(entries) - 0.45, -0.55)
    panel.grid(axis="y", visible=False)
    panel.locator_params(axis="x", nbins=6)
    beside = panel.secondary_yaxis("right")
    beside.set_yticks(heights, numbers, fontsize=7.5)
    beside.tick_params(length=0)
    beside.spines["right"].set_visible(False)
    panel.set_xlabel(f"mean difference of the score to {contests[0].reference.label}, same seeds, 95 %")
    panel.set_title("Paired differences; filled and *: the interval excludes 0")
    if len(scopes) > 1:
        _name_scopes(panel, scopes)


def _dot(panel: Any, contest: Contest, height: float, colour: str, marker: str) -> None:
    """One difference and its interval, if it has one."""
    score = contest.score
    reach = np.array([[score.mean - score.low], [score.high - score.mean]])
    panel.errorbar(
        score.mean, height, xerr=reach if score.known else None, fmt=marker, color=colour, ms=6,
        mfc=colour if contest.verdict else "white", mew=1.3, elinewidth=2.4 if contest.scope == ALL_SCENARIOS else 1.4,
    )  # fmt: skip


def _name_scopes(panel: Any, scopes: list[str]) -> None:
    """Which marker is which scenario, below the axis where no dot can be."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=_MARKERS[k % len(_MARKERS)], color="#555555", mfc="white", label=scope)
        for k, scope in enumerate(scopes)
    ]
    panel.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=min(4, len(scopes)))
