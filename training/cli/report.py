"""What all commands share: their common options, progress bars and number formats."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from qdt_env.engine.setup import CHANNELS
from training.rollout import Missions
from training.statistics import Interval, mean_interval

_WIDE = 132  # columns where the output is no terminal
_AS_WRITTEN: dict[str, Any] = {"highlight": False, "emoji": False}  # "ward:100:" holds the name of one

SCENARIO_HELP = "ward, clinic, hospital, ward:7 (its building of seed 7), or a .json or .graphml building."

Scenario = Annotated[str, typer.Option("--scenario", help=SCENARIO_HELP)]
Suite = Annotated[str, typer.Option("--suite", help="plaintext, psk, ecdh, pqc, qkd, qkd-otp or hybrid.")]
Channel = Annotated[str, typer.Option("--channel", help=f"Fidelity of the channel: {' or '.join(CHANNELS)}.")]
Threats = Annotated[
    str, typer.Option("--threats", help="none, tamper, replay, spoof, insider, mixed, ...; join with +; or random.")
]
SEED_MAX = 2**62  # leaves room below 2^63 for as many missions as anybody plays
Seed = Annotated[
    int, typer.Option("--seed", "-s", min=0, max=SEED_MAX, help="First seed; missions use this one and the next.")
]


def screen() -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    console = Console(soft_wrap=False, **_AS_WRITTEN)
    return console if console.is_terminal else Console(width=_WIDE, **_AS_WRITTEN)


def plain(stderr: bool = False) -> Console:
    """Standard output or error for lines of text, which no terminal's width breaks."""
    return Console(stderr=stderr, soft_wrap=True, **_AS_WRITTEN)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Progress on standard error, gone when done and absent without a terminal.

    Yields:
        ``begin(title, total)``, which starts the next bar and returns the function to call with what is done.
    """
    console = Console(stderr=True, emoji=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def begin(title: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(title, total=total)

            def done(count: int) -> None:
                bars.update(task, completed=count)

            return done

        yield begin


def counted(number: int, noun: str) -> str:
    """A number of things: "1 mission", "40 missions"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def summary(missions: Missions) -> dict[str, Any]:
    """Missions as plain numbers: metrics per seed, the score's interval, the planners' budget."""
    return {
        "policy": missions.policy,
        "advisor": missions.advisor,
        "suite": missions.game.suite,
        "threats": missions.game.threats,
        "seeds": missions.seeds,
        "score": mean_interval(missions.metrics["score"]).to_dict(),
        "metrics": missions.metrics,
        "planner": None if missions.spent is None else missions.spent.to_dict(),
        "wall_s": round(missions.wall_s, 3),
    }


def with_interval(interval: Interval, places: int = 3) -> str:
    """A mean and the half-width of its interval."""
    if not interval.known:
        return f"{interval.mean:.{places}f}"
    return f"{interval.mean:.{places}f} ±{interval.half_width:.{places}f}"


def with_ends(interval: Interval, places: int = 3) -> str:
    """An estimate and its interval's ends, which need not lie evenly about it."""
    if not interval.known:
        return f"{interval.mean:,.{places}f}"
    return f"{interval.mean:,.{places}f} [{interval.low:,.{places}f}, {interval.high:,.{places}f}]"


def signed(interval: Interval, places: int = 3) -> str:
    """A difference and its interval's ends, all with their signs."""
    if not interval.known:
        return f"{interval.mean:+.{places}f}"
    return f"{interval.mean:+.{places}f} [{interval.low:+.{places}f}, {interval.high:+.{places}f}]"
