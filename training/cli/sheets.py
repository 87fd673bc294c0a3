"""Tables of a study, on the screen or as Markdown, and the options that go with them."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from training.cli.report import screen

ALL = "all"

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
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for k, heading in enumerate(headings):
            table.add_column(heading, justify="right" if k else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print("\n".join(words), markup=False)


def _markdown(sheet: Sheet) -> str:
    """One table under its title."""
    title, headings, rows = sheet
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return f"**{title}**\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
