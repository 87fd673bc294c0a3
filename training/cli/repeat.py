"""``qdt run --from CARD``: play a run again from its card and compare the results."""

import csv
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from qdt_env.records import require
from training.cards import card, differences, other_surroundings, read_card
from training.cli.report import screen
from training.entries import checkpoint_digest

_SHOWN = 20  # differences that are printed

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
    require(command in players, "command of the card", command, allowed)
    config, results = players[command](there["config"], there["results"])
    here = card(command, sys.argv[1:], config, results)
    for name, value in here["config"].items():
        was = there["config"].get(name)
        require(was == value, f"config of the card, {name}", was, f"what is here: {value!r}")
    console, found = screen(), differences(there, here)
    for line in other_surroundings(there, here):
        console.print(f"other {line}", markup=False)
    return _say(console, path, found)


def _say(console: Console, path: Path, found: list[str]) -> int:
    """The verdict."""
    for line in found[:_SHOWN]:
        console.print(line, markup=False)
    if len(found) > _SHOWN:
        console.print(f"... and {len(found) - _SHOWN} more")
    same = "the same results" if not found else f"{len(found)} results differ"
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

    missions, learner, threads = config["missions"], config["learner"], config["threads"]
    mixes = [MissionMix(**{**one, "threats": tuple(one["threats"])}) for one in missions]
    hidden = tuple(learner["network"]["without"])
    network = NetworkConfig(**{**learner["network"], "without": hidden})
    settings = PpoConfig(**{**learner, "network": network})
    teacher, start = config["teacher"], (config.get("start") or {}).get("policy")
    with tempfile.TemporaryDirectory() as folder:
        policy = train_run(
            Path(folder), mixes, settings,
            teacher=teacher, start=start, stop_after=results["iterations"], threads=threads,
        )  # fmt: skip
        results = training_results(policy.parent)
    return training_config(mixes, settings, teacher, start, threads), results
