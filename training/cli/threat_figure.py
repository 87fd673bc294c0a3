"""The picture of the threat matrix: three heat maps, and what happens after keys are stolen."""

from pathlib import Path
from typing import Any

import numpy as np

from training.figures import picture
from training.security_matrix import NO_THREATS, Matrix, forgeries_by_epoch, theft_step

_COLOURS = ("#6b6b6b", "#d55e00", "#e69f00", "#56b4e9", "#0072b2", "#cc79a7", "#009e73")  # by suite, in order
_EPOCHS = 10  # shown after a theft


def draw_matrix(matrix: Matrix, title: str, path: Path) -> None:
    """Write the picture of a matrix with at least one threat to ``path``; its suffix says the format."""
    threats = [name for name in matrix.threats if name != NO_THREATS]
    thefts = [name for name in threats if theft_step(name) is not None]
    with picture(path, 2, 2, (13.0, 2.4 + 0.62 * len(threats)), title, maps=True) as (_, panels):
        _heat(panels[0, 0], matrix, threats, "messages_forged", "Accepted forgeries per mission", "OrRd")
        _heat(panels[0, 1], matrix, threats, "messages_exposed", "Messages an attacker can read, per mission", "PuBu")
        _costs(panels[1, 0], matrix, threats)
        _after_theft(panels[1, 1], matrix, thefts)


def _grid(panel: Any, matrix: Matrix, threats: list[str], title: str) -> None:
    """Names of threats and suites, no frame, white lines between the cells."""
    panel.set_title(title)
    panel.set_xticks(range(len(matrix.suites)), matrix.suites)
    panel.set_yticks(range(len(threats)), threats)
    panel.set_xticks(np.arange(len(matrix.suites) + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(len(threats) + 1) - 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=1.5)
    panel.tick_params(which="both", length=0)
    panel.spines[:].set_visible(False)


def _write(panel: Any, image: Any, words: list[list[str]]) -> None:
    """Words into the cells, dark on light and light on dark."""
    for y, x in np.ndindex(len(words), len(words[0])):
        red, green, blue, _ = image.cmap(image.norm(image.get_array()[y, x]))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        panel.text(x, y, words[y][x], ha="center", va="center", color="white" if dark else "#222222", fontsize=7.5)


def _heat(panel: Any, matrix: Matrix, threats: list[str], metric: str, title: str, colours: str) -> None:
    """Counts on a logarithmic scale."""
    counts = np.array([[matrix.cells[suite, name].mean(metric) for suite in matrix.suites] for name in threats])
    reach = max(float(np.log10(1.0 + counts.max())), 1.0)
    image = panel.imshow(np.log10(1.0 + counts), cmap=colours, vmin=0.0, vmax=reach, aspect="auto")
    _write(
        panel, image, [["0" if n == 0.0 else f"{n:.0f}" if n >= 9.95 else f"{n:.1f}" for n in row] for row in counts]
    )
    _grid(panel, matrix, threats, title)


def _costs(panel: Any, matrix: Matrix, threats: list[str]) -> None:
    """What each threat changed in the score, starred where the interval excludes 0."""
    costs = [[matrix.cost(suite, name) for suite in matrix.suites] for name in threats]
    means = np.array([[cost.mean for cost in row] for row in costs])
    reach = max(float(np.abs(means).max()), 0.01)
    image = panel.imshow(means, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto")
    _write(panel, image, [[f"{c.mean:+.3f}{'*' if c.verdict else ''}" for c in row] for row in costs])
    _grid(panel, matrix, threats, "Score against no threats, paired; * 95 % interval excludes 0")


def _after_theft(panel: Any, matrix: Matrix, thefts: list[str]) -> None:
    """Forgeries epoch by epoch after the first preset that steals keys."""
    panel.set_title("After the theft of keys: forgeries accepted per epoch")
    panel.spines[["top", "right"]].set_visible(False)
    if not thefts:
        panel.text(0.5, 0.5, "none of these threats steals keys", ha="center", va="center", transform=panel.transAxes)
        panel.set_axis_off()
        return
    length, theft = matrix.epoch_steps, theft_step(thefts[0])
    for k, (suite, colour) in enumerate(zip(matrix.suites, _COLOURS, strict=False)):
        forged = forgeries_by_epoch(matrix.cells[suite, thefts[0]], length, theft)[:_EPOCHS]
        width = 0.8 / len(matrix.suites)
        x = np.arange(forged.size) + (k - 0.5 * (len(matrix.suites) - 1)) * width
        panel.bar(x, forged, width, color=colour, label=suite)
    panel.set_xticks(range(_EPOCHS), [f"{k * length}-{(k + 1) * length - 1}" for k in range(_EPOCHS)])
    panel.set(xlabel=f"steps since the theft ({thefts[0]}, step {theft})", ylabel="messages per mission and epoch")
    panel.set_ylim(0.0, 1.25 * panel.get_ylim()[1])  # room for the names
    panel.legend(frameon=False, ncols=4, loc="upper center")
