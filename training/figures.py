"""Pictures of results: one style, drawn without a screen, written to a file whose suffix says the format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
_CURVES: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
}


@contextmanager
def picture(
    path: Path, rows: int, columns: int, inches: tuple[float, float], title: str | None = None, *, maps: bool = False
) -> Iterator[tuple[Any, Any]]:
    """A figure and its panels (rows, columns), written to ``path`` when the block ends without an error.

    Args:
        path: where to.
        rows, columns: of panels.
        inches: width and height of the whole.
        title: above all panels.
        maps: panels hold images or tables of cells, so they get no grid of lines.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(_STYLE if maps else _STYLE | _CURVES):
        figure, panels = plt.subplots(rows, columns, figsize=inches, layout="constrained", squeeze=False)
        try:
            if title is not None:
                figure.suptitle(title, x=0.01, ha="left", fontsize=10)
            yield figure, panels
            figure.savefig(path, dpi=130)
        finally:
            plt.close(figure)
