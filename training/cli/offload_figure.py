"""The map of ``qdt bench offload``: what a QPU's plans change, by size, queue and noise, and who helps most."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.figures import picture
from training.offload_study import NOBODY, Cell

_LEAST = 0.01  # least end of the colour scale, so that noise does not look like an effect


def draw_offload(studies: Mapping[str, Sequence[Cell]], path: Path) -> None:
    """Write the map to ``path``: a row per scenario, a panel per size, cells by noise and queue.

    Args:
        studies: cells by the scenario's name, at least one.
        path: its suffix says the format.
    """
    sizes = sorted({cell.size for cells in studies.values() for cell in cells})
    means = [abs(cell.differences["qpu"].mean) for cells in studies.values() for cell in cells]
    reach = max(_LEAST, *means)
    inches = (1.0 + 3.9 * len(sizes), 0.9 + 3.1 * len(studies))
    with picture(path, len(studies), len(sizes), inches, maps=True) as (figure, panels):
        for row, (name, cells) in zip(panels, studies.items(), strict=True):
            for panel, size in zip(row, sizes, strict=True):
                image = _map(panel, [cell for cell in cells if cell.size == size], reach)
                panel.set_title(f"{name}, {size} patients offered")
        bar = figure.colorbar(image, ax=panels, shrink=0.7, pad=0.01)
        bar.set_label("score with a QPU's plans minus score with greedy at home")


def _map(panel: Any, cells: Sequence[Cell], reach: float) -> Any:
    """One size: queue down, noise across; in each cell the difference, its interval, and who helps most."""
    queues = sorted({cell.latency_s for cell in cells})
    noises = list(dict.fromkeys(cell.noise for cell in cells))
    values = np.full((len(queues), len(noises)), np.nan)
    for cell in cells:
        y, x = queues.index(cell.latency_s), noises.index(cell.noise)
        interval = cell.differences["qpu"]
        values[y, x] = interval.mean
        best = "nobody beats greedy" if cell.best == NOBODY else f"best: {cell.best}"
        panel.text(
            x, y, f"{interval.mean:+.3f} ±{interval.half_width:.3f}\n{best}", ha="center", va="center", fontsize=7
        )
    image = panel.imshow(values, cmap="PiYG", vmin=-reach, vmax=reach, aspect="auto")
    panel.set_xticks(range(len(noises)), noises)
    panel.set_yticks(range(len(queues)), [f"{queue:g} s" for queue in queues])
    panel.set(xlabel="errors of the QPU", ylabel="median queue")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    return image
