"""Small HTML cards for notebooks. They take the page's own colours, so that they are readable in light and dark."""

from collections.abc import Mapping, Sequence
from html import escape

_CARD = (
    "font: 13px/1.5 system-ui, sans-serif; color: inherit; display: inline-block; padding: 8px 12px; "
    "border: 1px solid rgba(128, 128, 128, .45); border-radius: 6px; max-width: 100%; overflow-x: auto"
)
_CELL = "padding: 1px 10px 1px 0; text-align: left; color: inherit; background: none; border: none; white-space: nowrap"
_TRACK = "height: 4px; margin: 4px 0; background: rgba(128, 128, 128, .25); border-radius: 2px"
_DONE = "height: 4px; background: #3b82c4; border-radius: 2px"

Row = Sequence[str]


def html_card(title: str, facts: Mapping[str, str], rows: Sequence[Row] = (), progress: float | None = None) -> str:
    """A title, facts in a line each, a bar, and a table.

    Args:
        title: what it is.
        facts: value by name.
        rows: of the table, the headings first; cells are text.
        progress: share of the bar that is filled, [0, 1]; None for no bar.

    Returns:
        One HTML element; every text is escaped.
    """
    parts = [f'<div style="{_CARD}"><strong>{escape(title)}</strong>']
    if progress is not None:
        share = min(max(progress, 0.0), 1.0)
        parts.append(f'<div style="{_TRACK}"><div style="{_DONE}; width: {share:.1%}"></div></div>')
    lines = [_row("th", (name,)) + _row("td", (value,)) for name, value in facts.items()]
    parts.append(_table(lines))
    if rows:
        parts.append(_table([_row("th" if k == 0 else "td", row) for k, row in enumerate(rows)]))
    return "".join(parts) + "</div>"


def _table(lines: Sequence[str]) -> str:
    """Rows of cells as a table."""
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table style="border-collapse: collapse; margin: 4px 0; color: inherit">{body}</table>'


def _row(tag: str, cells: Row) -> str:
    """Cells of one kind."""
    return "".join(f'<{tag} style="{_CELL}">{escape(cell)}</{tag}>' for cell in cells)
