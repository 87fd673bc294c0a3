"""``qdt run``: missions of one scenario, policy, advisor, suite and threat."""

from pathlib import Path
from typing import Annotated, Any

import typer

from agents.policies import POLICY_NAMES
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import load_scenario
from training.cli.demo import play_demo
from training.cli.outputs import JsonFile, check_outputs, write_json
from training.cli.repeat import check_parts, play_training, repeat
from training.cli.report import (
    Channel,
    Scenario,
    Seed,
    Suite,
    Threats,
    counted,
    progress_bar,
    screen,
    summary,
    with_interval,
)
from training.cli.sheets import print_table
from training.entries import checkpoint_digest
from training.rollout import NO_ADVISOR, Missions, advisor_names, run_missions
from training.statistics import mean_interval

_SHOWN = (
    ("score", 3), ("lives_saved", 2), ("survivors", 2), ("survivors_none", 2), ("survivors_instant", 2),
    ("patients", 1), ("handed_over", 1), ("robots_lost", 2), ("decisions", 1), ("stale_decisions", 1),
    ("deceived_decisions", 1), ("messages_sent", 0), ("messages_delivered", 0), ("messages_delayed", 0),
    ("messages_lost", 0), ("messages_no_key", 0), ("messages_rejected", 0), ("messages_injected_rejected", 0),
    ("messages_forged", 1), ("messages_exposed", 0), ("key_bits", 0),
)  # fmt: skip


_POLICY = f"One of {', '.join(POLICY_NAMES)}, or a trained policy's file."


def run(
    context: typer.Context,
    scenario: Scenario = "ward",
    policy: Annotated[str, typer.Option("--policy", help=_POLICY)] = "gain",
    advisor: Annotated[str, typer.Option("--advisor", help=f"One of {', '.join(advisor_names())}.")] = NO_ADVISOR,
    suite: Suite = "qkd",
    threats: Threats = "none",
    channel: Channel = "statistical",
    control: Annotated[str, typer.Option("--control", help="task or move.")] = "task",
    episodes: Annotated[
        int | None, typer.Option("--episodes", "-n", help="Missions, one seed each: 10, or 1 with --record.")
    ] = None,
    seed: Seed = 0,
    record: Annotated[
        Path | None, typer.Option("--record", help="Record the mission to this new file, for `qdt replay`.")
    ] = None,
    json_file: JsonFile = None,
    card_file: Annotated[Path | None, typer.Option("--card", help="Write the run card: the same as --json.")] = None,
    from_card: Annotated[
        Path | None, typer.Option("--from", help="Repeat the run of a card (run, demo, train) and compare; alone.")
    ] = None,
) -> None:
    """Play missions and print what they came to, means with 95 % intervals.

    A run card holds what repeats a run: versions, commit, hardware, arguments, configuration, results. `--from` ends
    with exit code 1 where the results differ (times aside).

    Examples: `qdt run --policy gain --advisor qaoa --threats mixed` ·
    `qdt run --scenario clinic.json --policy nearest --suite plaintext --threats tamper -n 20 --json tamper.json` ·
    `qdt run --threats mixed --seed 3 --record mission.qdr` · `qdt run --from demo/card.json`
    """
    if from_card is not None:
        _check_alone(context)
        raise typer.Exit(repeat(from_card, {"run": _again, "demo": play_demo, "train": play_training}))
    missions = (1 if record is not None else 10) if episodes is None else episodes
    require(1 <= missions <= 100_000, "episodes", missions, "1 to 100000")
    require(record is None or missions == 1, "episodes", missions, "1 with --record: a recording holds one mission")
    check_outputs({"--json": json_file, "--card": card_file, "--record": record}, [scenario, policy])
    options = {
        "scenario": scenario, "policy": policy, "advisor": advisor, "suite": suite, "threats": threats,
        "channel": channel, "control": control, "episodes": missions, "seed": seed,
    }  # fmt: skip
    played, config = _play(options, record)
    console = screen()
    console.print(_title(played, played.episodes.scenario.name), markup=False)
    print_table(console, ("per mission", "mean, 95 %"), _rows(played))
    for path, option in ((json_file, "--json"), (card_file, "--card")):
        write_json(path, "run", config, summary(played), option)
    if record is not None:
        console.print(f"Recorded in {record}; to watch it: qdt replay {record}", markup=False)


def _check_alone(context: typer.Context) -> None:
    """Refuse options beside ``--from``, which would have no effect.

    Raises:
        ValueError: naming them.
    """
    beside = [
        f"--{name.removesuffix('_file').replace('_', '-')}"
        for name in context.params
        if name != "from_card" and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    require(not beside, "--from", ", ".join(beside), "alone: everything else is in the card")


def _play(options: dict[str, Any], record: Path | None = None) -> tuple[Missions, dict[str, Any]]:
    """The missions of the options, and the options with what else they depend on: building and trained policy."""
    mission = load_scenario(options["scenario"])
    game = GameConfig(options["suite"], options["threats"], options["control"], channel=options["channel"])
    seeds = range(options["seed"], options["seed"] + options["episodes"])
    policy, advisor = options["policy"], options["advisor"]
    with progress_bar() as begin:
        step = begin(f"{policy} on {mission.name}", mission.horizon_steps)
        played = run_missions(mission, game, policy, advisor, seeds, progress=step, record=record)
    digests = {"building": mission.building.digest(), "checkpoint": checkpoint_digest(policy)}
    return played, {**options, **digests}


def _again(config: dict[str, Any], results: Any) -> tuple[dict[str, Any], Any]:
    """The run of a card once more."""
    words = ("scenario", "policy", "advisor", "suite", "threats", "channel", "control")
    check_parts(config, {**dict.fromkeys(words, str), "episodes": int, "seed": int}, "config of the card")
    played, config = _play(config)
    return config, summary(played)


def _title(missions: Missions, scenario: str) -> str:
    """Who played what."""
    who = missions.policy if missions.advisor == NO_ADVISOR else f"{missions.policy} advised by {missions.advisor}"
    game = f"suite {missions.game.suite}, threats {missions.game.threats}"
    return f"{who} on {scenario}, {game}: {counted(missions.seeds.size, 'mission')}"


def _rows(missions: Missions) -> list[tuple[str, str]]:
    """Means per mission with intervals, and the planner's budget."""
    rows = [
        (name.replace("_", " "), with_interval(mean_interval(missions.metrics[name]), places))
        for name, places in _SHOWN
    ]
    if missions.spent is not None:
        n, spent = missions.seeds.size, missions.spent
        rows += [
            ("plans", f"{spent.plans / n:.1f}"),
            ("shots", f"{spent.total('shots') / n:.0f}"),
            ("evaluations", f"{spent.total('evaluations') / n:.0f}"),
            ("planner, ms a plan", f"{spent.usual_ms:.2f}"),
            ("extraction, ms a plan", f"{1e3 * spent.extraction_s / max(spent.plans, 1):.2f}"),
        ]
    return rows
