"""``qdt bench security`` and ``trust``: the threat matrix, and how well trust finds sources that lie."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer

from agents.policies import POLICY_NAMES
from qdt_env.records import require
from qdt_env.scenario import load_scenario
from qdt_env.security.suites import SUITE_NAMES
from training.cli.outputs import Figure, JsonFile, check_outputs, write_figure, write_json
from training.cli.report import (
    Scenario,
    Seed,
    counted,
    progress_bar,
    signed,
    with_interval,
)
from training.cli.sheets import ALL, Markdown, Sheet, names_of, show_sheets
from training.cli.spreading import RayAddress, RayFlag, chosen_spread
from training.cli.threat_figure import draw_matrix
from training.security_matrix import (
    MATRIX_THREATS,
    NO_THREATS,
    Cell,
    Matrix,
    forgeries_by_epoch,
    play_matrix,
    theft_step,
)
from training.statistics import mean_interval
from training.trust_study import DECEITS, LIMITS, Detection, study, with_team

_EPOCHS_SHOWN = 4  # one by one after a theft; the rest as their mean
_SIGN_WORDS = (
    "Steps to detect: median over the missions that were hit, from onset to the first sign of any kind: a link's "
    "alarm, a message that did not verify, one with an old time stamp, gaps in the sequence, or a robot's trust below "
    "0.5; 0 is the step of the onset, - where fewer than half noticed. In brackets how many missions noticed of those "
    "hit, where not all did; honest robots are distrusted now and then, too: see the false signs under no threats."
)
_SCORE_WORDS = "Score: with no threats the score itself, else the difference to it, paired by seed, 95 %; * excludes 0."
_TRUST_HEADINGS = (
    "liars", "AUROC", "found", "found at end", "steps to detect", "false distrust, robot-steps",
    "false distrust, at end", "error of the picture", "with trust off", "difference, paired, 95 %",
)  # fmt: skip

Policy = Annotated[str, typer.Option("--policy", help=f"One of {', '.join(POLICY_NAMES)}.")]


def security(
    scenario: Scenario = "ward",
    policy: Policy = "gain",
    suites: Annotated[str, typer.Option("--suites", help=f"all, or of {', '.join(SUITE_NAMES)}; with commas.")] = ALL,
    threats: Annotated[
        str,
        typer.Option("--threats", help="all, or presets as for `qdt run`; with commas, joined with + count as one."),
    ] = ALL,
    channel: Annotated[str, typer.Option("--channel", help="statistical, or wire: real keys and ciphers.")] = (
        "statistical"
    ),
    episodes: Annotated[int, typer.Option("--episodes", "-n", help="Missions per cell, the same seeds in all.")] = 20,
    seed: Seed = 0,
    figure: Figure = None,
    ray: RayFlag = False,
    ray_address: RayAddress = None,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Play every suite under every attack, on the same missions: what got through, what noticed it, what it cost.

    Examples: `qdt bench security` · `qdt bench security --scenario clinic.json -n 10 --figure matrix.png` ·
    `qdt bench security --suites psk,qkd --threats key-compromise --channel wire --json theft.json`
    """
    require(1 <= episodes <= 100_000, "episodes", episodes, "1 to 100000")
    check_outputs({"--json": json_file, "--figure": figure}, [scenario])
    chosen = names_of(suites, SUITE_NAMES), names_of(threats, MATRIX_THREATS)
    require(figure is None or set(chosen[1]) != {NO_THREATS}, "--figure", str(figure), "with one threat or more")
    mission, spread = load_scenario(scenario), chosen_spread(ray, ray_address)
    with progress_bar() as begin:
        seeds, where = range(seed, seed + episodes), spread if ray else None
        matrix = play_matrix(mission, *chosen, policy, seeds, channel=channel, begin=begin, spread=where)
    played = f"{counted(episodes, 'mission')} per cell"
    title = f"{policy} on {mission.name}, {channel} channel: {played}, same seeds; means per mission"
    show_sheets(title, tables_of(matrix), [_SIGN_WORDS, _SCORE_WORDS], markdown)
    config = {"scenario": scenario, "policy": policy, "channel": channel, "episodes": episodes, "seed": seed,
              "suites": matrix.suites, "threats": matrix.threats, "building": mission.building.digest()}  # fmt: skip
    write_json(json_file, "bench security", config, results_of(matrix))
    drawn = f"{mission.name}, {policy}, {played}, {channel} channel"
    write_figure(figure, lambda path: draw_matrix(matrix, drawn, path))


def trust(
    scenario: Scenario = "clinic",
    policy: Policy = "gain",
    episodes: Annotated[int, typer.Option("--episodes", "-n", help="Missions per line.")] = 24,
    limits: Annotated[bool, typer.Option(help="Also 5 and 6 of 12 robots that lie together.")] = True,
    seed: Seed = 0,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Twelve robots, three of which lie: how many trust finds, how soon, whom it wrongs, what the twin's picture gains.

    Every robot is a liar with a given chance; the missions are those of the first seeds with exactly so many liars.

    Examples: `qdt bench trust` · `qdt bench trust --scenario clinic.json -n 80 --no-limits --json trust.json`
    """
    require(1 <= episodes <= 100_000, "episodes", episodes, "1 to 100000")
    check_outputs({"--json": json_file}, [scenario])
    mission = with_team(load_scenario(scenario))
    with progress_bar() as begin:
        lines = study(mission, (*DECEITS, *LIMITS) if limits else DECEITS, episodes, policy, seed, begin=begin)
    title = (
        f"{policy} on {mission.name}, {len(mission.team)} robots, {mission.horizon_steps} steps, lies of 3 sigma: "
        f"{counted(episodes, 'mission')} per line, the first with exactly so many liars"
    )
    three = [line for line in lines if line.deceit in DECEITS]
    wronged = mean_interval(np.concatenate([line.false_by_mission for line in three]))
    words = (
        f"False distrust over the {len(three)} lines with {three[0].deceit.liars} liars: {wronged.mean:.2%} of an "
        f"honest robot's steps [{wronged.low:.2%}, {wronged.high:.2%}], {wronged.n} missions, 95 %.",
        "Error of the picture: root mean square of fused minus true damage state, zones that robots reported.",
    )
    show_sheets(title, [("Trust", _TRUST_HEADINGS, [_trust_row(line) for line in lines])], words, markdown)
    config = {"scenario": scenario, "policy": policy, "episodes": episodes, "first_seed": seed, "team": mission.team,
              "steps": mission.horizon_steps, "building": mission.building.digest()}  # fmt: skip
    write_json(json_file, "bench trust", config, [line.to_dict() for line in lines])


def tables_of(matrix: Matrix) -> list[Sheet]:
    """One table per measure, threats down and suites across, and what happens after each theft of keys."""
    measures: tuple[tuple[str, Callable[[Cell], str]], ...] = (
        ("Accepted forgeries, messages", lambda cell: _count(cell.mean("messages_forged"))),
        (
            "Confidentiality lost, messages that an attacker can read",
            lambda cell: _count(cell.mean("messages_exposed")),
        ),
        ("Stale decisions", lambda cell: _count(cell.mean("stale_decisions"))),
        ("Steps to detect", detected),
        ("Key bits spent from the stores", lambda cell: f"{cell.mean('key_bits'):,.0f}"),
        ("Starvation, messages not sent for want of keys", lambda cell: _count(cell.mean("messages_no_key"))),
        ("Score", lambda cell: _score(cell, matrix)),
    )
    headings = ("threats", *matrix.suites)
    sheets: list[Sheet] = []
    for title, say in measures:
        rows = [(name, *(say(matrix.cells[suite, name]) for suite in matrix.suites)) for name in matrix.threats]
        sheets.append((title, headings, rows))
    return sheets + [_after_theft(matrix, name) for name in matrix.threats if theft_step(name) is not None]


def _after_theft(matrix: Matrix, threats: str) -> Sheet:
    """Forgeries accepted epoch by epoch after the keys were stolen."""
    length, theft = matrix.epoch_steps, theft_step(threats)
    spans = [f"{k * length}-{(k + 1) * length - 1}" for k in range(_EPOCHS_SHOWN)]
    rows = []
    for suite in matrix.suites:
        forged = forgeries_by_epoch(matrix.cells[suite, threats], length, theft)
        shown = [_count(number) for number in forged[:_EPOCHS_SHOWN]]
        later = forged[_EPOCHS_SHOWN:]
        shown += [""] * (_EPOCHS_SHOWN - len(shown)) + [_count(float(later.mean())) if later.size else ""]
        rows.append((suite, *shown))
    title = f"After the theft ({threats}, step {theft}): forgeries accepted by steps since then, an epoch each"
    return title, ("suite", *spans, "later, per epoch"), rows


def _count(number: float) -> str:
    """A mean count; 0 only where it is exactly none."""
    return "0" if number == 0.0 else f"{number:,.0f}" if number >= 100.0 else f"{number:.3g}"


def detected(cell: Cell) -> str:
    """Median time to the first sign and its kind; how many missions noticed where that is not all that were hit."""
    noticed, hit = cell.missions_noticed, int(cell.hit.sum())
    if cell.threats == NO_THREATS:
        return f"false in {noticed} of {cell.seeds.size}" if noticed else "-"
    share = "" if noticed == hit else f" ({noticed}/{hit})"
    if np.isinf(cell.steps_to_detect):
        return "-" + (share if noticed else "")
    return f"{cell.steps_to_detect:g} {cell.first_sign}{share}"


def _score(cell: Cell, matrix: Matrix) -> str:
    """The score without threats, else what the threat changed, with a star where the interval excludes 0."""
    if cell.threats == NO_THREATS:
        return with_interval(mean_interval(cell.metrics["score"]))
    cost = matrix.cost(cell.suite, cell.threats)
    if cost.n < 2:
        return f"{cost.mean:+.3f}"
    return f"{cost.mean:+.3f} ±{cost.half_width:.3f}{'*' if cost.verdict else ''}"


def _trust_row(line: Detection) -> tuple[str, ...]:
    """One line of the trust study."""
    steps = "-" if np.isinf(line.steps_to_detect) else f"{line.steps_to_detect:g}"
    name = line.deceit.name if " of " in line.deceit.name else f"{line.deceit.name}, {line.deceit.liars} of 12"
    return (
        name, f"{line.auroc:.3f}", f"{line.found:.1%}", f"{line.found_at_end:.1%}", steps, f"{line.false_steps:.2%}",
        f"{line.false_at_end:.2%}", with_interval(line.error), with_interval(line.error_blind),
        signed(line.error_difference),
    )  # fmt: skip


def results_of(matrix: Matrix) -> dict[str, object]:
    """Cells and paired differences as plain numbers."""
    rows = [
        cell.to_dict() | {"score_difference_to_no_threats": matrix.cost(*key).to_dict()}
        for key, cell in matrix.cells.items()
    ]
    return {"epoch_steps": matrix.epoch_steps, "cells": rows}
