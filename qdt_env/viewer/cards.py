"""The robots' cards: kind, task, load, battery, age and origin of the view, this step's messages up and down."""

from typing import Any

import numpy as np

from qdt_env.physical.state import ROBOT_KINDS
from qdt_env.viewer import symbols
from qdt_env.viewer.moment import NO_MESSAGE, Moment

Array = np.ndarray[Any, Any]
CARD_HEIGHT_PX = 46.0


class Cards:
    """One card per robot in a grid on its own axes, whose units are pixels."""

    def __init__(self, axes: Any, team: Array, columns: int, width_px: float, height_px: float) -> None:
        """Lay out the cards of ``team``, ``columns`` to a row, from the upper left corner."""
        from matplotlib.collections import LineCollection

        axes.set(xlim=(0.0, width_px), ylim=(0.0, height_px))
        axes.set_axis_off()
        card_px = width_px / columns
        at = np.arange(len(team))
        self._x = (at % columns) * card_px + 16.0
        self._y = height_px - (at // columns) * CARD_HEIGHT_PX - 16.0
        self._bar_px = min(56.0, card_px * 0.28)
        self.axes, self._team = axes, team
        self._kinds = []
        for kind, marker in enumerate(symbols.ROBOT_MARKERS):
            rows = team == kind
            self._kinds.append(axes.scatter(self._x[rows], self._y[rows], s=190, marker=marker, linewidths=1.0))
        style = {"fontsize": 8.0, "va": "center_baseline", "color": symbols.INK}
        self._tasks = [
            axes.text(x + 16.0, y + 2.0, "", fontweight="bold", **style) for x, y in zip(self._x, self._y, strict=True)
        ]
        self._views = [
            axes.text(x + 22.0 + self._bar_px, y - 15.0, "", **style) for x, y in zip(self._x, self._y, strict=True)
        ]
        numbers = {**style, "color": "white", "fontsize": 7.5, "fontweight": "bold", "ha": "center"}
        nudge = np.where(team == 2, 2.5, 0.5)
        labels = [
            axes.text(x, y - n, str(r), **numbers)
            for r, (x, y, n) in enumerate(zip(self._x, self._y, nudge, strict=True))
        ]
        self._bars = axes.add_collection(LineCollection([], linewidths=5.5, capstyle="butt"))
        self._arrows = [axes.scatter([], [], s=44, marker=m, linewidths=0.0) for m in ("^", "v")]
        self.artists: list[Any] = [*self._kinds, *labels, self._bars, *self._arrows, *self._tasks, *self._views]

    def update(self, moment: Moment) -> None:
        """Show the robots of ``moment``."""
        alive = moment.alive
        for kind, scatter in enumerate(self._kinds):
            colours = [symbols.ROBOT_COLOUR if a else symbols.LOST_COLOUR for a in alive[self._team == kind]]
            scatter.set_facecolor(colours)
            scatter.set_edgecolor("white")
        for r, (task, view) in enumerate(zip(self._tasks, self._views, strict=True)):
            task.set_text(self._task(moment, r))
            view.set_text(self._view(moment, r))
            view.set_color(symbols.VERDICT_COLOURS[5] if moment.deceived[r] and alive[r] else symbols.INK)
        self._show_batteries(moment.truth.robot_energy)
        for arrows, verdicts, shift in zip(self._arrows, (moment.up, moment.down), (-4.5, 5.5), strict=True):
            sent = verdicts[: len(alive)] != NO_MESSAGE
            arrows.set_offsets(np.stack([self._x + shift, self._y - 16.0], axis=1)[sent])
            arrows.set_facecolor([symbols.VERDICT_COLOURS[v] for v in verdicts[: len(alive)][sent]])

    @staticmethod
    def _task(moment: Moment, r: int) -> str:
        """First line: kind, what it does, what it carries."""
        if not moment.alive[r]:
            return f"{ROBOT_KINDS[moment.kinds[r]]}: lost"
        load = moment.truth.robot_patient[r]
        doing = f"carries {load}" if load >= 0 else moment.tasks[r]
        return f"{ROBOT_KINDS[moment.kinds[r]]}: {doing}"

    @staticmethod
    def _view(moment: Moment, r: int) -> str:
        """Second line: age of the view in hand, and whether it is forged (which the robot cannot know)."""
        if not moment.alive[r]:
            return ""
        age_s = moment.view_age[r] * moment.dt_s
        age = f"view {age_s:.0f} s" if age_s < 600.0 else f"view {age_s / 60.0:.0f} min"
        return f"{age}, forged" if moment.deceived[r] else age

    def _show_batteries(self, energy: Array) -> None:
        """Dark ground, then the charge."""
        left = np.stack([self._x + 16.0, self._y - 16.0], axis=1)
        full = left + [self._bar_px, 0.0]
        charge = left + (full - left) * np.clip(energy, 0.0, 1.0)[:, None]
        self._bars.set_segments([*np.stack([left, full], axis=1), *np.stack([left, charge], axis=1)])
        ground = np.tile(symbols.rgb(("#c9ced3",)), (len(left), 1))
        self._bars.set_color(np.concatenate([ground, symbols.battery_rgb(energy)]))
