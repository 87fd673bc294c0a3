"""Colours and marks of the pictures: readable in print and with any colour vision.

Damage runs from light to dark in one hue, triage differs in lightness, trust runs from orange to blue. matplotlib is
imported by ``legend_entries`` and the marker paths when they are called, not before.
"""

from typing import Any

import numpy as np

from qdt_env.hospital.graph import HospitalGraph
from qdt_env.physical.patients import GREEN_RPM, YELLOW_RPM
from qdt_env.physical.state import DAMAGE_STATES, ROBOT_KINDS
from qdt_env.viewer.plan import building_marks

Array = np.ndarray[Any, Any]

# None .. Collapse, lightness falling evenly.
DAMAGE_COLOURS = ("#faf8f4", "#e3dbea", "#c3b4d6", "#9b86b9", "#6d5796", "#3b2a5c")
NO_NEWS_COLOUR, OUTSIDE_COLOUR = "#d3e0e6", "#e4efe0"
TRIAGE_NAMES = ("red: RPM < 7", "yellow: 7 to 10", "green: 11, 12")
TRIAGE_COLOURS = ("#d7301f", "#ffd13b", "#35b07f")
OPEN_COLOUR, SLOW_COLOUR, BLOCKED_COLOUR = "#ffffff", "#f08c00", "#d7001a"
# By VERDICTS: delivered, lost, delayed, rejected, no key, forged.
VERDICT_COLOURS = ("#3f7d4e", "#8c8c8c", "#56b4e9", "#0061c2", "#b8860b", "#e0118a")
VERDICT_MEANING = ("delivered", "lost", "delayed", "rejected", "no key", "forged, accepted")
ROBOT_MARKERS = ("p", "s", "^")  # by ROBOT_KINDS
ROBOT_COLOUR, LOST_COLOUR = "#12406f", "#8a8a8a"
TRUST_COLOURS = ("#d55e00", "#b5b5b5", "#0072b2")  # trust 0, 0.5, 1
BATTERY_COLOURS = ("#d7301f", "#f08c00", "#35b07f")  # below 20 %, below 50 %, above
FIRE_COLOUR, SMOKE_COLOUR = "#ff6a00", "#6b6b6b"
INK, PALE_INK = "#1d2733", "#66707c"


def rgb(colours: tuple[str, ...]) -> Array:
    """(n, 3) floats of colours written "#rrggbb"."""
    return np.array([[int(c[k : k + 2], 16) / 255.0 for k in (1, 3, 5)] for c in colours])


def _ramp(values: Array, colours: tuple[str, ...], top: float) -> Array:
    """(n, 3) colours of values between 0 and ``top``, linear between the colours given."""
    stops = rgb(colours)
    at = np.linspace(0.0, top, len(colours))
    return np.stack([np.interp(values, at, stops[:, k]) for k in range(3)], axis=-1)


def damage_rgb(damage: Array, indoor: Array) -> Array:
    """(Z, 3) colours of damage 0..5; NaN is "no news", and what lies outdoors has a colour of its own."""
    colours = _ramp(np.nan_to_num(damage), DAMAGE_COLOURS, 5.0)
    colours[np.isnan(damage)] = rgb((NO_NEWS_COLOUR,))
    colours[~indoor] = rgb((OUTSIDE_COLOUR,))
    return colours


def trust_rgb(trust: Array) -> Array:
    """(n, 3) colours of trust 0..1: orange, grey, blue; NaN is white."""
    colours = _ramp(np.nan_to_num(trust), TRUST_COLOURS, 1.0)
    colours[np.isnan(trust)] = 1.0
    return colours


def triage_rgb(rpm: Array) -> Array:
    """(n, 3) colours of RPM scores by triage class."""
    return rgb(TRIAGE_COLOURS)[(rpm >= YELLOW_RPM).astype(int) + (rpm >= GREEN_RPM)]


def battery_rgb(energy: Array) -> Array:
    """(n, 3) colours of a battery 0..1."""
    return rgb(BATTERY_COLOURS)[(energy >= 0.2).astype(int) + (energy >= 0.5)]


def opacity(age_steps: Array) -> Array:
    """Opacity of news by its age: 1 when fresh, 0.35 in the end."""
    return 0.35 + 0.65 * np.exp(-np.maximum(age_steps - 1.0, 0.0) / 60.0)


def bolt() -> Any:
    """A lightning bolt as a marker path."""
    from matplotlib.path import Path

    right = [(0.6, 0.2), (0.05, 0.2), (0.45, 1.0), (0.1, 1.0)]
    return Path(np.array([(0.1, 1.0), (-0.6, -0.15), (-0.05, -0.15), (-0.25, -1.0), *right]))


def bar() -> Any:
    """A bar as a marker path that can have an edge, so that a white one shows on a white ground."""
    from matplotlib.path import Path

    return Path(np.array([(-1.0, -0.3), (1.0, -0.3), (1.0, 0.3), (-1.0, 0.3), (-1.0, -0.3)]))


def question_mark() -> Any:
    """A question mark as a marker path."""
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    glyph = TextPath((0, 0), "?", size=10)
    extent = glyph.get_extents()
    centre = np.array([extent.x0 + extent.width / 2, extent.y0 + extent.height / 2])
    return Path((glyph.vertices - centre) / extent.height, glyph.codes)


def legend_entries(graph: HospitalGraph) -> list[Any]:
    """Everything the picture uses, 33 matplotlib handles with labels."""
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Patch(facecolor=c, edgecolor="#555555", linewidth=0.6, label=f"damage: {name.lower()}")
        for name, c in zip(DAMAGE_STATES, DAMAGE_COLOURS, strict=True)
    ]
    entries.append(Patch(facecolor=NO_NEWS_COLOUR, edgecolor="#555555", linewidth=0.6, label="no news of it"))
    entries.append(
        Patch(
            facecolor="white", edgecolor=SMOKE_COLOUR, hatch="////", linewidth=0.0, label="smoke, denser lines: dense"
        )
    )
    entries.append(_mark("*", FIRE_COLOUR, "fire", 9))
    entries.append(_mark("x", BLOCKED_COLOUR, "passage blocked", 6, edge=BLOCKED_COLOUR, width=2.0))
    for name, c, edge in (("slow", SLOW_COLOUR, SLOW_COLOUR), ("clear", OPEN_COLOUR, "#555555")):
        entries.append(_mark(bar(), c, f"passage {name}", 12, edge=edge, width=0.6))
    for label, _, style in building_marks(graph):
        entries.append(_mark(style["marker"], style["color"], label, style["markersize"], edge="white", width=0.6))
    entries += [_mark("o", c, n, 7) for n, c in zip(TRIAGE_NAMES, TRIAGE_COLOURS, strict=True)]
    entries.append(_mark("D", "white", "trapped", 6))
    entries.append(_mark(question_mark(), INK, "patient nobody saw", 6, edge=INK, width=0.5))
    entries += [_mark(m, ROBOT_COLOUR, f"{k} robot", 9) for k, m in zip(ROBOT_KINDS, ROBOT_MARKERS, strict=True)]
    for name, c in (("trusted", TRUST_COLOURS[2]), ("distrusted", TRUST_COLOURS[0])):
        entries.append(_mark("o", "white", f"source {name}", 8, edge=c, width=2.0))
    entries.append(_mark("o", "none", "under attack now", 10, edge=VERDICT_COLOURS[5], width=1.0))
    for verdict in (5, 3, 2, 1, 4):
        entries.append(_mark(bolt(), VERDICT_COLOURS[verdict], VERDICT_MEANING[verdict], 9, edge="white", width=0.4))
    return entries


def _mark(marker: Any, face: str, label: str, size: float, *, edge: str = INK, width: float = 0.7) -> Any:
    """A legend entry of one marker."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], linestyle="", marker=marker, markersize=size, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=width, label=label,
    )  # fmt: skip
