"""``qdt bench``: the studies that take longer, each a table, a figure and JSON."""

import typer

from training.cli.bench_security import security, trust

app = typer.Typer(
    help="Measure: the threat matrix of the security layer, trust in sources.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command()(security)
app.command()(trust)
