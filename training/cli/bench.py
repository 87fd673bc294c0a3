"""``qdt bench``: the studies that take longer, each a table, a figure and JSON."""

import typer

from training.cli.bench_ablations import ablations
from training.cli.bench_advice import advice
from training.cli.bench_offload import offload
from training.cli.bench_planners import planners
from training.cli.bench_security import security, trust

app = typer.Typer(
    help="Measure: planners on saved problems, advice in missions, the threat matrix, trust in sources, ablations.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command()(planners)
app.command()(advice)
app.command()(offload)
app.command()(security)
app.command()(trust)
app.command()(ablations)
