"""``qdt threats``: what each attack costs over which suite, against the same missions without threats."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from rich.table import Table

from agents.policies import POLICY_NAMES
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.cli.demo import messages
from training.cli.report import (
    JsonFile,
    Scenario,
    Seed,
    check_file,
    progress_bar,
    screen,
    signed,
    summary,
    with_interval,
    write_json,
)
from training.rollout import Missions, run_missions
from training.statistics import Interval, mean_interval, paired_difference, said


@dataclass(frozen=True)
class Case:
    """One row: a suite, a threat, and whether the twin weighs its sources by trust."""

    suite: str
    threats: str
    trust: bool = True

    @property
    def name(self) -> str:
        """For tables and JSON."""
        return f"{self.suite}, {self.threats}" + ("" if self.trust else ", trust off")


CASES = (
    Case("plaintext", "none"), Case("plaintext", "tamper"), Case("plaintext", "spoof"), Case("plaintext", "replay"),
    Case("plaintext", "insider"), Case("plaintext", "mixed"),
    Case("qkd", "none"), Case("qkd", "tamper"), Case("qkd", "spoof"), Case("qkd", "replay"), Case("qkd", "drop"),
    Case("qkd", "eavesdrop"), Case("qkd", "insider"), Case("qkd", "insider", trust=False), Case("qkd", "mixed"),
    Case("psk", "none"), Case("psk", "key-compromise"), Case("qkd", "key-compromise"),
    Case("ecdh", "none"), Case("ecdh", "quantum-adversary"), Case("qkd", "quantum-adversary"),
)  # fmt: skip
PAIRS = (  # the claims: first against second
    (Case("qkd", "tamper"), Case("plaintext", "tamper")),
    (Case("qkd", "spoof"), Case("plaintext", "spoof")),
    (Case("qkd", "replay"), Case("plaintext", "replay")),
    (Case("qkd", "insider"), Case("qkd", "insider", trust=False)),
    (Case("qkd", "mixed"), Case("plaintext", "mixed")),
)
_HEADINGS = (
    "suite", "threats", "trust", "score", "against no threats, paired, 95 %", "delivered", "lost", "rejected",
    "forged, accepted", "stale decisions", "deceived decisions",
)  # fmt: skip


def threats(
    scenario: Scenario = "ward",
    policy: Annotated[str, typer.Option("--policy", help=f"One of {', '.join(POLICY_NAMES)}.")] = "gain",
    episodes: Annotated[int, typer.Option("--episodes", "-n", help="Missions per row, the same seeds in all.")] = 40,
    seed: Seed = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Show that information matters: suites and threats against the same missions without threats.

    Examples: `qdt threats` · `qdt threats --scenario clinic.json -n 20 --markdown` · `qdt threats --json threats.json`
    """
    require(1 <= episodes <= 100_000, "episodes", episodes, "1 to 100000")
    check_file(json_file, "--json")
    mission = load_scenario(scenario)
    played = _play(mission, policy, range(seed, seed + episodes))
    rows = [row_of(case, played) for case in played]
    pairs = {f"{a.name} against {b.name}": (a, b, _difference(played[a], played[b])) for a, b in PAIRS}
    if json_file is not None:
        config = {"scenario": scenario, "policy": policy, "channel": "statistical", "episodes": episodes, "seed": seed,
                  "building": mission.building.digest()}  # fmt: skip
        write_json(json_file, "threats", config, _results(played, pairs))
    title = f"{policy} on {mission.name}: {episodes} missions per row, same seeds; counts are means per mission"
    sentences = [f"{signed(d)}: {said(d, a.name, b.name)}" for a, b, d in pairs.values()]
    if markdown:
        print(_markdown(rows, title, sentences))
        return
    table = Table(title=title, title_justify="left")
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in _HEADINGS[:3] else "right")
    for row in rows:
        table.add_row(*row)
    console = screen()
    console.print(table)
    console.print("\n".join(sentences), markup=False)


def _play(scenario: ScenarioConfig, policy: str, seeds: range) -> dict[Case, Missions]:
    """All cases on the same seeds."""
    blind = replace(scenario, twin=replace(scenario.twin, trust_on=False))
    played = {}
    with progress_bar() as begin:
        for case in CASES:
            step = begin(case.name, scenario.horizon_steps)
            game = GameConfig(case.suite, case.threats)
            played[case] = run_missions(scenario if case.trust else blind, game, policy, seeds=seeds, progress=step)
    return played


def _difference(first: Missions, second: Missions) -> Interval:
    return paired_difference(first.metrics["score"], second.metrics["score"])


def row_of(case: Case, played: dict[Case, Missions]) -> tuple[str, ...]:
    """The cells of one row; the difference is to the same suite without threats."""
    one = played[case]
    cost = "" if case.threats == "none" else signed(_difference(one, played[Case(case.suite, "none")]))
    delivered, lost, rejected, forged = messages(one)
    return (
        case.suite, case.threats, "on" if case.trust else "off", with_interval(mean_interval(one.metrics["score"])),
        cost, f"{delivered:.0f}", f"{lost:.0f}", f"{rejected:.0f}", f"{forged:.1f}",
        f"{one.mean('stale_decisions'):.1f}", f"{one.mean('deceived_decisions'):.1f}",
    )  # fmt: skip


def _results(played: dict[Case, Missions], pairs: dict[str, tuple[Case, Case, Interval]]) -> dict[str, Any]:
    """Rows and claims as plain numbers."""
    rows = []
    for case, one in played.items():
        difference = _difference(one, played[Case(case.suite, "none")]).to_dict()
        rows.append(summary(one) | {"trust": case.trust, "score_difference_to_no_threats": difference})
    return {"rows": rows, "score_differences": {name: d.to_dict() for name, (_, _, d) in pairs.items()}}


def _markdown(rows: list[tuple[str, ...]], title: str, sentences: list[str]) -> str:
    """The table for the README."""
    lines = [_HEADINGS, tuple("---" if i < 3 else "---:" for i in range(len(_HEADINGS))), *rows]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"{title}.\n\n{table}\n\n" + "\n".join(f"- {sentence}" for sentence in sentences)
