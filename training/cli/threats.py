"""``qdt threats``: what each attack costs over which suite, against the same missions without threats."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from agents.policies import POLICY_NAMES
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.cli.demo import messages
from training.cli.outputs import JsonFile, check_outputs, write_json
from training.cli.report import (
    Scenario,
    Seed,
    counted,
    progress_bar,
    signed,
    summary,
    with_interval,
)
from training.cli.sheets import Markdown, show_sheets
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
    "suite, threats", "score", "against no threats, paired, 95 %", "delivered", "lost", "rejected",
    "forged, accepted", "stale decisions", "deceived decisions",
)  # fmt: skip


def threats(
    scenario: Scenario = "ward",
    policy: Annotated[str, typer.Option("--policy", help=f"One of {', '.join(POLICY_NAMES)}.")] = "gain",
    episodes: Annotated[int, typer.Option("--episodes", "-n", help="Missions per row, the same seeds in all.")] = 40,
    seed: Seed = 0,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Show that information matters: suites and threats against the same missions without threats.

    Examples: `qdt threats` · `qdt threats --scenario clinic.json -n 20 --markdown` · `qdt threats --json threats.json`
    """
    require(1 <= episodes <= 100_000, "episodes", episodes, "1 to 100000")
    check_outputs({"--json": json_file}, [scenario])
    mission = load_scenario(scenario)
    played = _play(mission, policy, range(seed, seed + episodes))
    rows = [row_of(case, played) for case in played]
    pairs = {f"{a.name} against {b.name}": (a, b, _difference(played[a], played[b])) for a, b in PAIRS}
    title = f"{policy} on {mission.name}: {counted(episodes, 'mission')} per row, same seeds; means per mission"
    sentences = [f"{signed(d)}: {said(d, a.name, b.name)}" for a, b, d in pairs.values()]
    show_sheets(title, [("Suites under threats", _HEADINGS, rows)], sentences, markdown)
    config = {"scenario": scenario, "policy": policy, "channel": "statistical", "episodes": episodes, "seed": seed,
              "building": mission.building.digest()}  # fmt: skip
    write_json(json_file, "threats", config, _results(played, pairs))


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
        case.name, with_interval(mean_interval(one.metrics["score"])), cost,
        f"{delivered:.0f}", f"{lost:.0f}", f"{rejected:.0f}", f"{forged:.1f}",
        f"{one.mean('stale_decisions'):.1f}", f"{one.mean('deceived_decisions'):.1f}",
    )  # fmt: skip


def _results(played: dict[Case, Missions], pairs: dict[str, tuple[Case, Case, Interval]]) -> dict[str, Any]:
    """Rows and claims as plain numbers."""
    rows = []
    for case, one in played.items():
        difference = _difference(one, played[Case(case.suite, "none")]).to_dict()
        rows.append(summary(one) | {"trust": case.trust, "score_difference_to_no_threats": difference})
    return {"rows": rows, "score_differences": {name: d.to_dict() for name, (_, _, d) in pairs.items()}}
