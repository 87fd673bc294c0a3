"""Tables of a study, on the screen or as Markdown, and the options that go with them."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.cli.report import screen

ALL = "all"
_HEADING_LINES = 2
_EDGE = 2  # characters between two columns, and around them all

Sheet = tuple[str, Sequence[str], Sequence[Sequence[str]]]  # title, headings, rows
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")]


def names_of(given: str, every: tuple[str, ...]) -> tuple[str, ...]:
    """The names of an option: a list with commas, or all."""
    return every if given == ALL else tuple(name.strip() for name in given.split(","))


def show_sheets(title: str, sheets: Sequence[Sheet], words: Sequence[str], markdown: bool) -> None:
    """Print tables under a title, and what a reader must know of them."""
    if markdown:
        print(f"{title}.\n\n" + "\n\n".join(map(_markdown, sheets)) + "\n\n" + "\n\n".join(words))
        return
    console = screen()
    console.print(title, markup=False)
    for name, headings, rows in sheets:
        console.print(f"\n{name}", markup=False, style="bold")  # apart: a table wraps its title to its own width
        print_table(console, headings, rows)
    console.print("\n".join(words), markup=False)


def print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> None:
    """Print a table; where the screen is too narrow for it, as several that each begin with the first column.

    Args:
        console: where to.
        headings: of the columns.
        rows: cells, as many in each as there are headings.
        texts: how many columns hold words and stand at the left; the others hold numbers.
    """
    cells = [[heading, *(row[k] for row in rows)] for k, heading in enumerate(headings)]
    columns = [(heading, max(map(len, column))) for heading, column in zip(headings, cells, strict=True)]
    if len(list(_fitting([width for _, width in columns], console.width))) > 1:
        columns = [_wrapped(heading, column[1:]) for heading, column in zip(headings, cells, strict=True)]
    for chosen in _fitting([width for _, width in columns], console.width):
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for k in chosen:
            table.add_column(Text(columns[k][0]), justify="right" if k >= texts else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(row[k]) for k in chosen))
        console.print(table)


def _wrapped(heading: str, cells: Sequence[str]) -> tuple[str, int]:
    """A heading over one or two lines, and the width that its column needs, in characters."""
    width = max([1, *map(len, (*heading.split(), *cells))])
    while len(lines := textwrap.wrap(heading, width, break_on_hyphens=False)) > _HEADING_LINES:
        width += 1
    return "\n".join(lines), width


def _fitting(widths: Sequence[int], screen_width: int) -> Iterator[list[int]]:
    """Which columns stand in one table: the first and as many of the others, in order, as the screen holds."""
    chosen, used = [0], widths[0] + 2 * _EDGE
    for k, width in enumerate(widths[1:], 1):
        if used + width + _EDGE > screen_width and len(chosen) > 1:
            yield chosen
            chosen, used = [0], widths[0] + 2 * _EDGE
        chosen, used = [*chosen, k], used + width + _EDGE
    yield chosen


def _markdown(sheet: Sheet) -> str:
    """One table under its title."""
    title, headings, rows = sheet
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return f"**{title}**\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
