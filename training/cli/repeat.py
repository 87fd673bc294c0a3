"""``qdt run --from CARD``: play a run again from its card and compare the results."""

import csv
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from rich.console import Console

from qdt_env.records import require
from training.cards import card, differences, other_surroundings, read_card
from training.cli.report import counted, screen
from training.entries import checkpoint_digest

_SHOWN = 20  # differences that are printed

T = TypeVar("T")

# Config and results of a card -> those of its repetition, as the command would write them.
Play = Callable[[dict[str, Any], Any], tuple[dict[str, Any], Any]]


def repeat(path: Path, players: dict[str, Play]) -> int:
    """Repeat the run of a card and say whether it came to the same.

    Args:
        path: a ``card.json`` or a file that ``--json`` wrote.
        players: what plays a configuration again, by command.

    Returns:
        The exit code: 0 for the same results, 1 for others.

    Raises:
        ValueError: no card, one of a command that cannot be repeated in this way, or one whose building or policy is
            not here as it was.
    """
    there = read_card(path)
    command, allowed = there["command"], f"one of {', '.join(players)}; repeat others by their arguments"
    require(isinstance(command, str) and command in players, "command of the card", command, allowed)
    check_parts(there, {"config": dict[str, Any], "results": dict[str, Any]}, "card")
    config, results = players[command](there["config"], there["results"])
    here = card(command, sys.argv[1:], config, results)
    for name, value in here["config"].items():
        was = there["config"].get(name)
        require(was == value, f"config of the card, {name}", was, f"what is here: {value!r}")
    console, found = screen(), differences(there, here)
    for line in other_surroundings(there, here):
        console.print(f"other {line}", markup=False)
    return _say(console, path, found)


def check_parts(given: Any, kinds: Mapping[str, Any], what: str) -> None:
    """Refuse what was read from a file that somebody may have edited.

    Args:
        given: a part of a card.
        kinds: the type of each name that is needed, as in an annotation; JSON's lists stand for tuples too.
        what: the part, for the message: "config of the card".

    Raises:
        ValueError: it is no dict, lacks a name, or holds a value of another type.
    """
    require(isinstance(given, dict), what, given, "names and values")
    for name, kind in kinds.items():
        require(name in given, what, sorted(given), f"with {name}, which this one lacks")
        said = kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)
        require(_fits(given[name], kind), f"{what}, {name}", given[name], f"of type {said}")


def made_of(kind: type[T], given: Any, what: str, **ready: Any) -> T:
    """A dataclass from plain data; what is not there has the default.

    Args:
        kind: the dataclass.
        given: a part of a card.
        what: the part, for the message: "config of the card".
        ready: values to take in place of those in ``given``.

    Raises:
        ValueError: ``given`` is no dict, has a name that the class lacks or a value of another type.
    """
    hints = get_type_hints(kind)
    require(isinstance(given, dict), what, given, "names and values")
    unknown = [name for name in given if name not in hints]
    require(not unknown, what, ", ".join(unknown), f"of {', '.join(hints)}")
    check_parts(given, {name: hints[name] for name in given if name not in ready}, what)
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return kind(**{**plain, **ready})


def _fits(value: Any, kind: Any) -> bool:
    """Whether plain data can be of an annotated type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin in (list, tuple):
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else origin or kind)


def _say(console: Console, path: Path, found: list[str]) -> int:
    """The verdict."""
    for line in found[:_SHOWN]:
        console.print(line, markup=False)
    if len(found) > _SHOWN:
        console.print(f"... and {len(found) - _SHOWN} more")
    same = "the same results" if not found else f"other results in {counted(len(found), 'place')}"
    console.print(f"{path}: {same}", markup=False)
    return 1 if found else 0


def training_config(mixes: Any, learner: Any, teacher: str, start: str | None, threads: int) -> dict[str, Any]:
    """What a training run depends on, as plain data.

    Args:
        mixes: list of ``training.run.MissionMix``; ``learner``: ``training.ppo.PpoConfig``.
        teacher: whom the first iterations imitate.
        start: trained policy whose weights it began with.
        threads: of the run; they change its time alone.
    """
    began = None if start is None else {"policy": start, "sha256": checkpoint_digest(start)}
    return {
        "missions": [asdict(mix) for mix in mixes], "learner": asdict(learner),
        "teacher": teacher, "start": began, "threads": threads,
    }  # fmt: skip


def training_results(folder: Path) -> dict[str, Any]:
    """What the run in a folder has come to: the last line of its curve."""
    from training.checkpoints import CURVE

    with (folder / CURVE).open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    last = {name: float(value) for name, value in lines[-1].items()} if lines else {}
    return {"iterations": len(lines), "last": last}


def play_training(config: dict[str, Any], results: Any) -> tuple[dict[str, Any], Any]:
    """Train again, in a folder that is thrown away.

    Raises:
        ValueError: the policy that it began with is not there.
    """
    from agents.networks import NetworkConfig
    from training.ppo import PpoConfig
    from training.run import MissionMix, train_run

    kinds = {"missions": list[dict[str, Any]], "learner": dict[str, Any], "teacher": str, "threads": int}
    check_parts(config, kinds, "config of the card")
    check_parts(results, {"iterations": int}, "results of the card")
    mixes = [made_of(MissionMix, one, "missions of the card") for one in config["missions"]]
    network = made_of(NetworkConfig, config["learner"].get("network"), "network of the card")
    settings = made_of(PpoConfig, config["learner"], "learner of the card", network=network)
    began = config.get("start")
    if began is not None:
        check_parts(began, {"policy": str}, "start of the card")
    teacher, start, threads = config["teacher"], began and began["policy"], config["threads"]
    with tempfile.TemporaryDirectory() as folder:
        policy = train_run(
            Path(folder), mixes, settings,
            teacher=teacher, start=start, stop_after=results["iterations"], threads=threads,
        )  # fmt: skip
        results = training_results(policy.parent)
    return training_config(mixes, settings, teacher, start, threads), results
