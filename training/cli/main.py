"""The command ``qdt``. What a user got wrong is one clear line and exit code 2, never a traceback."""

import sys
from typing import Any, cast

import typer
from typer.main import get_command

from training.cli import bench, building, kme, ledger
from training.cli.demo import demo
from training.cli.evaluation import compare, eval_
from training.cli.link import link
from training.cli.replay import replay
from training.cli.report import plain
from training.cli.run import run
from training.cli.threats import threats
from training.cli.train import train
from training.cli.validate import validate

_MISTAKE, _INTERRUPTED = 2, 130

app = typer.Typer(
    help="Rescue robots in a collapsed hospital, through a digital twin over QKD-secured channels.",
    epilog="A simulation: it protects no real data.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(run)
app.command("eval")(eval_)
app.command()(compare)
app.command()(train)
app.command()(replay)
app.command()(threats)
app.command()(link)
app.command()(validate)
app.add_typer(building.app, name="building")
app.add_typer(bench.app, name="bench")
app.add_typer(ledger.app, name="ledger")
app.add_typer(kme.app, name="kme")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: None for those of the process.
    """
    return exit_code(app, "qdt", arguments)


def exit_code(command: typer.Typer, name: str, arguments: list[str] | None = None) -> int:
    """Run a command of its own in the same way, see :func:`main`.

    Args:
        command: what is run.
        name: what help and errors call it.
        arguments: None for those of the process.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = command(args=given, prog_name=name, standalone_mode=False)
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except Exception as error:  # Typer brings its own copy of Click or not, by version: know its errors by what they do
        if not hasattr(error, "format_message"):
            raise
        return _refuse(_usage(error, command, name, given))
    return code if isinstance(code, int) else 0


def _usage(error: Any, command: typer.Typer, name: str, given: list[str]) -> str:
    """A mistake on the command line itself: the parameter, what was given, what is allowed, and where help is."""
    message = str(error.format_message()).rstrip(".")
    options = getattr(getattr(error, "param", None), "opts", ())
    for option, value in zip(given, given[1:], strict=False):
        if option in options and ": " in message:
            message = message.replace(": ", f": given {value}: ", 1)
    return f"{message} (see: {_command_path(command, name, given)} --help)" if message else ""


def _command_path(command: typer.Typer, name: str, given: list[str]) -> str:
    """The command that was meant: "qdt bench planners"."""
    place = cast(Any, get_command(command))
    for word in given:
        place = getattr(place, "commands", {}).get(word)
        if place is None:
            break
        name += f" {word}"
    return name


def _refuse(message: str) -> int:
    """Say in one line what is wrong."""
    line = " ".join(message.split())
    if line:
        plain(stderr=True).print(f"error: {line}", markup=False, style="red")
    return _MISTAKE


if __name__ == "__main__":
    sys.exit(main())
