"""One screen of text about one moment, for terminals."""

from typing import TYPE_CHECKING, Any

import numpy as np

from qdt_env.physical.state import CARRIED, FREE, HANDED_OVER, ROBOT_KINDS, TRAPPED
from qdt_env.security.link import ALARMS
from qdt_env.security.outcomes import DELIVERED, VERDICTS
from qdt_env.viewer.moment import NO_MESSAGE, Moment, Side, moment_of

if TYPE_CHECKING:
    from qdt_env.engine.episodes import Episodes

Array = np.ndarray[Any, Any]
COLUMNS = 100
_BOLD, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _GREY = "1", "31", "32", "33", "34", "35", "90"
_VERDICT_CODES = (_GREEN, _GREY, _BLUE, _BLUE, _YELLOW, _MAGENTA)  # by VERDICTS


class _Pen:
    """Adds ANSI codes, or does not."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text.strip() else text


def describe(episodes: "Episodes", row: int = 0, colour: bool = False) -> str:
    """The present moment of an episode as text: score, patients true and believed, robots, messages.

    Args:
        episodes: what to describe; read, never written.
        row: which episode, 0 .. B-1.
        colour: use ANSI colour codes.

    Returns:
        Lines of at most 100 columns (codes not counted), joined by newlines.

    Raises:
        ValueError: there is no such row.
    """
    if not 0 <= row < episodes.n:
        raise ValueError(f"row: got {row}, allowed: 0 to {episodes.n - 1}")
    moment, pen = moment_of(episodes, row), _Pen(colour)
    parts = (
        _header(moment, pen),
        _patients(moment, pen),
        _robots(moment, episodes, row, pen),
        _channel(moment, episodes, row, pen),
    )
    return "\n".join(line for part in parts for line in (*part, "")).rstrip("\n")


def _cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _header(moment: Moment, pen: _Pen) -> list[str]:
    """What is played, when, and the score so far."""
    title = _cut(f"{moment.scenario}   suite {moment.suite}   threats {moment.threats}", 66)
    when = f"step {moment.step}/{moment.horizon_steps}   time {moment.clock}"
    return [
        pen(f"{title:<66}", _BOLD) + f"{when:>34}",
        f"lives saved {pen(f'{moment.lives_saved:+.2f}', _BOLD)}   score {pen(f'{moment.score:.3f}', _BOLD)}   "
        f"expected survivors {moment.e_now:.2f} (no help {moment.e_none:.2f}, instant help {moment.e_instant:.2f})",
        f"handed over {moment.handed_over}/{moment.patients}   killed at once {moment.killed_at_once}   "
        f"robots lost {moment.robots_lost}   aftershocks {moment.aftershocks}",
    ]


def _patients(moment: Moment, pen: _Pen) -> list[str]:
    """Counts by status and by triage class, truth beside twin."""
    head = ("trapped", "free", "carried", "handed over", "red", "yellow", "green", "nobody saw", "place unknown")
    lines = [pen(f"{'patients':<10}" + "".join(f"{name:>{len(name) + 2}}" for name in head), _BOLD)]
    for name, side in (("truth", moment.truth), ("twin", moment.twin)):
        counts = patient_counts(side, moment.patients)
        codes = {"red": _RED, "yellow": _YELLOW, "green": _GREEN}
        words = {key: str(count) for key, count in counts.items()}
        if side is moment.truth:
            words["nobody saw"] = words["place unknown"] = "-"
        cells = [pen(f"{words[key]:>{len(key) + 2}}", codes.get(key, _BOLD) if counts[key] else _GREY) for key in head]
        lines.append(f"{name:<10}" + "".join(cells))
    return lines


def patient_counts(side: Side, patients: int) -> dict[str, int]:
    """How many of the ``patients`` listed are how, on one side; triage classes count seen ones not handed over."""
    status, known, rpm = side.patient_status[:patients], side.patient_known[:patients], side.patient_rpm[:patients]
    out = status != HANDED_OVER
    seen = known & out
    return {
        "trapped": int((status == TRAPPED).sum()),
        "free": int((status == FREE).sum()),
        "carried": int((status == CARRIED).sum()),
        "handed over": int((~out).sum()),
        "red": int((seen & (rpm < 7.0)).sum()),
        "yellow": int((seen & (rpm >= 7.0) & (rpm < 11.0)).sum()),
        "green": int((seen & (rpm >= 11.0)).sum()),
        "nobody saw": int((~known & out).sum()),
        "place unknown": int(((side.patient_zone[:patients] < 0) & out).sum()),
    }


def _robots(moment: Moment, episodes: "Episodes", row: int, pen: _Pen) -> list[str]:
    """One line per robot."""
    widths = (6, 8, 13, 13, 8, 9, 8, 6, 10, 10, 9)
    head = ("robot", "kind", "zone", "task", "battery", "carrying", "view", "trust", "up", "down", "key bits")
    right = (4, 5, 6, 7, 10)
    lines = [pen(_row(head, widths, right).rstrip(), _BOLD)]
    links = episodes.state.channel.links[row]
    zone_ids = episodes.scenario.building.zone_id
    for r, kind in enumerate(moment.kinds):
        zone = zone_ids[moment.truth.robot_zone[r]]
        if not moment.alive[r]:
            lines.append(pen(_row((str(r), ROBOT_KINDS[kind], zone, "lost"), widths[:4], ()).rstrip(), _GREY))
            continue
        load = int(moment.truth.robot_patient[r])
        view = f"{moment.view_age[r] * moment.dt_s:.0f} s" + ("!" if moment.deceived[r] else "")
        cells = (
            str(r), ROBOT_KINDS[kind], zone, moment.tasks[r], f"{moment.truth.robot_energy[r]:.0%}",
            f"{load}" if load >= 0 else "-", view, f"{moment.twin.robot_trust[r]:.2f}",
        )  # fmt: skip
        verdicts = "".join(
            _verdict(int(v), w, pen) for v, w in zip((moment.up[r], moment.down[r]), widths[8:10], strict=True)
        )
        lines.append(_row(cells, widths, right) + verdicts + f"{links[r]['pool_bits']:>{widths[10] - 1}.0f}")
    if (moment.deceived & moment.alive).any():
        lines.append(pen("! the view in hand is forged, which the robot cannot know", _MAGENTA))
    return lines


def _row(cells: tuple[str, ...], widths: tuple[int, ...], right: tuple[int, ...]) -> str:
    """Cells in columns, cut to fit; those numbered in ``right`` stand at the right."""
    parts = []
    for k, (cell, width) in enumerate(zip(cells, widths, strict=False)):
        parts.append(f"{_cut(cell, width - 1):>{width - 1}} " if k in right else f"{_cut(cell, width - 1):<{width}}")
    return "".join(parts)


def _verdict(verdict: int, width: int, pen: _Pen) -> str:
    """One message's fate."""
    if verdict == NO_MESSAGE:
        return f"{'-':<{width}}"
    return pen(f"{VERDICTS[verdict]:<{width}}", _VERDICT_CODES[verdict])


def _channel(moment: Moment, episodes: "Episodes", row: int, pen: _Pen) -> list[str]:
    """Totals over all links, and what is under way."""
    links = episodes.state.channel.links[row]
    names = ("delivered", "lost", "delayed", "rejected", "no_key", "forged")
    sums = {name: int(links[name].sum()) for name in ("sent", *names, "injected_rejected", "exposed")}
    counts = "   ".join(
        pen(f"{VERDICTS[k]} {sums[name]}", _VERDICT_CODES[k] if sums[name] and k != DELIVERED else _GREY)
        for k, name in enumerate(names)
    )
    alarmed = int((links["alarm"] != 0).sum())
    kinds = ", ".join(sorted({ALARMS[k] for k in links["alarm"] if k})) or "none"
    return [
        pen("messages", _BOLD) + f"  {sums['sent']} sent   {counts}",
        f"injected and rejected {sums['injected_rejected']}   readable by attackers {sums['exposed']}   "
        f"key bits spent {links['key_bits_spent'].sum():.0f}",
        f"alarms {alarmed} of {len(links)} links ({kinds})",
        _cut(f"attacks now: {', '.join(moment.attacks) or 'none'}", COLUMNS),
    ]
