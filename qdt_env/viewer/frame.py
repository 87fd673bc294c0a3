"""A picture of one moment: truth beside twin, storeys side by side, robots' cards, legend.

The figure is made once. What never changes is drawn once and kept; each frame restores it and draws the rest on top.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qdt_env.hospital.graph import HospitalGraph
from qdt_env.viewer import symbols
from qdt_env.viewer.cards import CARD_HEIGHT_PX, Cards
from qdt_env.viewer.moment import Moment, moment_of
from qdt_env.viewer.panel import Plan, StoreyPanel, places_of
from qdt_env.viewer.plan import draw_storeys, plan_extent

if TYPE_CHECKING:
    from qdt_env.engine.episodes import Episodes

Array = np.ndarray[Any, Any]

WIDTH_PX, HEIGHT_PX, DPI = 1600, 900, 100
_MARGIN_PX, _HEADER_PX, _HEADING_PX, _TITLE_PX = 12.0, 58.0, 26.0, 18.0
_SIDE_PX = 380.0  # of a column with cards and legend
_LEGEND_ROW_PX, _LEGEND_ENTRIES, _CAPTION_PX = 17.0, 33, 20.0
_SIDES = (("TRUTH", "#ffffff"), ("WHAT THE TWIN BELIEVES", "#edf3f8"))

Box = tuple[float, float, float, float]  # left, bottom, width, height in px


@dataclass(frozen=True)
class Layout:
    """Where everything goes, in px from the lower left corner."""

    px_per_m: float
    groups: tuple[Box, Box]  # truth, twin
    panels: tuple[tuple[Box, ...], tuple[Box, ...]]  # per storey
    info: Box  # cards and legend
    card_columns: int
    legend_columns: int


def best_layout(storeys: int, width_m: float, height_m: float, robots: int) -> Layout:
    """The arrangement that shows the building largest: twin beside or below the truth, cards below or at the right."""
    layouts = []
    for beside in (True, False):
        for columns in range(1, storeys + 1):
            for info_right in (True, False) if robots <= 9 else (False,):
                layouts.append(_layout(storeys, width_m, height_m, robots, beside, columns, info_right))
    return max(layouts, key=lambda layout: layout.px_per_m)


def _layout(
    storeys: int, width_m: float, height_m: float, robots: int, beside: bool, columns: int, right: bool
) -> Layout:
    """One arrangement, with the scale it allows."""
    card_columns = 1 if right else 8
    legend_columns = 2 if right else 8
    info_px = -(-robots // 8) * CARD_HEIGHT_PX + -(-_LEGEND_ENTRIES // 8) * _LEGEND_ROW_PX + _CAPTION_PX + 10.0
    width = WIDTH_PX - 2 * _MARGIN_PX - (_SIDE_PX + _MARGIN_PX if right else 0.0)
    height = HEIGHT_PX - _HEADER_PX - 2 * _MARGIN_PX - (0.0 if right else info_px + _MARGIN_PX)
    bottom = HEIGHT_PX - _HEADER_PX - _MARGIN_PX - height
    group_w, group_h = ((width - _MARGIN_PX) / 2, height) if beside else (width, (height - _MARGIN_PX) / 2)
    twin = (_MARGIN_PX + group_w + _MARGIN_PX, bottom) if beside else (_MARGIN_PX, bottom)
    truth = (_MARGIN_PX, bottom if beside else bottom + group_h + _MARGIN_PX)
    groups: list[Box] = [(*corner, group_w, group_h) for corner in (truth, twin)]
    rows = -(-storeys // columns)
    cell_w, cell_h = group_w / columns, (group_h - _HEADING_PX) / rows
    px_per_m = min(cell_w / width_m, (cell_h - _TITLE_PX) / height_m)
    panels = []
    for left, low, _, _ in groups:
        cells = [divmod(k, columns) for k in range(storeys)]
        panels.append(
            tuple((left + c * cell_w, low + (rows - 1 - r) * cell_h, cell_w, cell_h - _TITLE_PX) for r, c in cells)
        )
    info = (WIDTH_PX - _MARGIN_PX - _SIDE_PX, bottom, _SIDE_PX, height) if right else (_MARGIN_PX, 8.0, width, info_px)
    return Layout(px_per_m, (groups[0], groups[1]), (panels[0], panels[1]), info, card_columns, legend_columns)


class FrameRenderer:
    """Draws the present moment of one row, again and again, on one figure.

    matplotlib is used through its object interface: no pyplot, no global state, no display.
    """

    def __init__(self, episodes: "Episodes", row: int = 0) -> None:
        """Make the figure for the building and team of ``episodes``.

        Args:
            episodes: what to draw; read, never written.
            row: which episode, 0 .. B-1.

        Raises:
            ValueError: there is no such row.
        """
        if not 0 <= row < episodes.n:
            raise ValueError(f"row: got {row}, allowed: 0 to {episodes.n - 1}")
        self._episodes, self._row = episodes, row
        self._figure: Any = None
        self._ground: Any = None

    def draw(self) -> Array:
        """The present moment as (900, 1600, 3) uint8; the caller owns the array."""
        self._update()
        canvas = self._figure.canvas
        if self._ground is None:
            for artist in self._artists:
                artist.set_animated(True)
            canvas.draw()
            self._ground = canvas.copy_from_bbox(self._figure.bbox)
        canvas.restore_region(self._ground)
        for artist in self._artists:
            artist.axes.draw_artist(artist)
        return np.array(canvas.buffer_rgba())[..., :3].copy()

    def save(self, path: str | Path) -> None:
        """Write the present moment as .png, .svg, .pdf ..."""
        self._update()
        self._figure.savefig(path, dpi=DPI)

    def close(self) -> None:
        """Let the figure go; the next ``draw`` makes a new one."""
        self._figure = self._ground = None
        self._artists: list[Any] = []

    def _update(self) -> None:
        """Bring every artist up to the present."""
        if self._figure is None:
            self._build()
        moment = moment_of(self._episodes, self._row)
        for side, panels in zip((moment.truth, moment.twin), self._panels, strict=True):
            places = places_of(self._plan, side)
            for panel in panels:
                panel.update(side, places, moment)
        self._cards.update(moment)
        for text, words in zip(self._texts, header_texts(moment), strict=True):
            text.set_text(words)
        self._progress.set_xdata([0.0, WIDTH_PX * moment.step / moment.horizon_steps])

    def _build(self) -> None:
        """The figure and everything on it."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        scenario = self._episodes.scenario
        graph, team = scenario.building, self._episodes.setup.site.team
        xmin, ymin, xmax, ymax = plan_extent(graph)
        layout = best_layout(graph.n_storeys, xmax - xmin, ymax - ymin, len(team))
        self._figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, facecolor="#f7f7f7")
        FigureCanvasAgg(self._figure)
        self._plan = Plan.of(graph, team, layout.px_per_m, scenario.physical.dense_smoke)
        self._build_groups(layout)
        self._panels = []
        for side, boxes in enumerate(layout.panels):
            axes = [self._figure.add_axes(_fraction(box), facecolor="none") for box in boxes]
            drawn = draw_storeys(graph, axes, marks=False)
            if len(axes) == 1:
                axes[0].set_title("")
            self._panels.append([StoreyPanel(self._plan, storey, twin=side == 1) for storey in drawn])
        self._build_info(layout, graph, team)
        self._build_header()
        panels = [artist for side in self._panels for panel in side for artist in panel.artists]
        self._artists = [*panels, *self._cards.artists, *self._texts, self._progress]

    def _build_groups(self, layout: Layout) -> None:
        """The two grounds with their headings."""
        for (heading, colour), box in zip(_SIDES, layout.groups, strict=True):
            axes = self._figure.add_axes(_fraction(box), facecolor=colour, xticks=[], yticks=[], zorder=-1)
            for spine in axes.spines.values():
                spine.set(color="#c6cdd3", linewidth=0.8)
            axes.annotate(heading, (0.0, 1.0), (10.0, -6.0), "axes fraction", "offset points", va="top", fontsize=11,
                          fontweight="bold", color=symbols.INK)  # fmt: skip

    def _build_info(self, layout: Layout, graph: HospitalGraph, team: Array) -> None:
        """Cards and legend."""
        left, bottom, width, height = layout.info
        cards_px = -(-len(team) // layout.card_columns) * CARD_HEIGHT_PX
        top = bottom + height - _CAPTION_PX
        caption = "ROBOTS   battery, view age, \u25b2 report and \u25bc view by verdict"
        at = (left + 4.0) / WIDTH_PX, (top + 5.0) / HEIGHT_PX
        self._figure.text(*at, caption, fontsize=8, color=symbols.PALE_INK)
        cards = self._figure.add_axes(_fraction((left, top - cards_px, width, cards_px)))
        self._cards = Cards(cards, team, layout.card_columns, width, cards_px)
        legend_axes = self._figure.add_axes(_fraction((left, bottom, width, top - cards_px - 4.0 - bottom)))
        legend_axes.set_axis_off()
        legend_axes.legend(
            handles=symbols.legend_entries(graph), ncols=layout.legend_columns, loc="upper left", mode="expand",
            fontsize=9 if layout.card_columns == 1 else 8,
            frameon=False, borderpad=0.0, borderaxespad=0.0, labelspacing=0.45, handlelength=1.5, handletextpad=0.6,
            columnspacing=0.8, bbox_to_anchor=(0.0, 0.0, 1.0, 1.0),
        )  # fmt: skip

    def _build_header(self) -> None:
        """Title, figures of the moment, progress of the mission."""
        axes = self._figure.add_axes(
            _fraction((0.0, HEIGHT_PX - _HEADER_PX, WIDTH_PX, _HEADER_PX)), facecolor="#ffffff"
        )
        axes.set(xlim=(0.0, WIDTH_PX), ylim=(0.0, _HEADER_PX), xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
        (self._progress,) = axes.plot([0.0, 0.0], [1.5, 1.5], color=symbols.TRUST_COLOURS[2], linewidth=3.0)
        ink = {"color": symbols.INK, "va": "baseline"}
        self._texts = [
            axes.text(16.0, 32.0, "", fontsize=16, fontweight="bold", **ink),
            axes.text(16.0, 12.0, "", fontsize=9.5, **ink),
        ]
        names = ("step", "mission time", "lives saved", "score", "handed over", "aftershocks", "robots lost")
        at = np.linspace(700.0, WIDTH_PX - 70.0, len(names))
        for x, name in zip(at, names, strict=True):
            axes.text(x, 12.0, name, fontsize=9, color=symbols.PALE_INK, ha="center")
            self._texts.append(axes.text(x, 31.0, "", fontsize=15, fontweight="bold", ha="center", **ink))


def header_texts(moment: Moment) -> tuple[str, ...]:
    """The header's words: title, subtitle, then the figures in order."""
    setting = f"suite {moment.suite}   ·   threats {moment.threats}"
    attacks = ", ".join(moment.attacks) or "none"
    if len(setting) + len(attacks) > 62:
        attacks = f"{len(moment.attacks)} kinds"
    return (
        moment.scenario,
        f"{setting}   ·   attacks now: {attacks}",
        f"{moment.step} / {moment.horizon_steps}",
        moment.clock,
        f"{moment.lives_saved:+.2f}",
        f"{moment.score:.3f}",
        f"{moment.handed_over} / {moment.patients}",
        str(moment.aftershocks),
        str(moment.robots_lost),
    )


def _fraction(box: Box) -> Box:
    """A box in px as fractions of the figure."""
    left, bottom, width, height = box
    return left / WIDTH_PX, bottom / HEIGHT_PX, width / WIDTH_PX, height / HEIGHT_PX
