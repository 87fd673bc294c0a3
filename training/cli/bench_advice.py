"""``qdt bench advice``: what plans are worth in missions, at once, late, and from a QPU that fails or lies."""

from collections.abc import Callable
from typing import Annotated

import typer

from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import load_scenario
from training.advice_study import Line, Outcome, advice_study, delay_lines, hostile_lines, planner_lines
from training.cli.outputs import JsonFile, check_outputs, write_json
from training.cli.report import (
    Scenario,
    Seed,
    Suite,
    Threats,
    counted,
    progress_bar,
    signed,
    with_interval,
)
from training.cli.sheets import ALL, Markdown, Sheet, names_of, show_sheets
from training.cli.spreading import RayAddress, RayFlag, chosen_spread

Episodes = Annotated[int, typer.Option("--episodes", "-n", help="Missions per line, the same seeds in all.")]
Quick = Annotated[bool, typer.Option("--quick", help="Few lines, eight missions each.")]
QUICK_EPISODES = 8
GROUPS: dict[str, tuple[str, Callable[[], list[Line]]]] = {
    "once": ("Advice at once", planner_lines),
    "late": ("Late advice", delay_lines),
    "shared": ("A QPU that others share", hostile_lines),
}
_ADVICE_HEADINGS = (
    "advice", "score, 95 %", "against greedy, paired", "against none, paired", "plans", "evaluations", "shots",
    "ms per plan", "modelled s per plan", "requests", "failed", "key bits",
)  # fmt: skip
_FLOOR_WORDS = (
    "Greedy: the plan that a computer at home has at once. Late and remote plans have it as their interim, and an "
    "answer that scores worse at home is not used. * an interval that excludes 0."
)


def advice(
    scenario: Scenario = "clinic",
    suite: Suite = "qkd",
    threats: Threats = "mixed",
    episodes: Episodes = 32,
    only: Annotated[str, typer.Option("--only", help=f"all, or of {', '.join(GROUPS)}; with commas.")] = ALL,
    quick: Quick = False,
    seed: Seed = 0,
    ray: RayFlag = False,
    ray_address: RayAddress = None,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Missions with advice from every planner, with late advice, and from a QPU that fails or lies.

    Examples: `qdt bench advice --quick --scenario ward` · `qdt bench advice --scenario clinic.json --json advice.json`
    """
    require(2 <= episodes <= 100_000, "episodes", episodes, "2 to 100000")
    check_outputs({"--json": json_file}, [scenario])
    mission, game = load_scenario(scenario), GameConfig(suite, threats)
    groups = {}
    for name in names_of(only, tuple(GROUPS)):
        require(name in GROUPS, "only", name, f"all, or of {', '.join(GROUPS)}")
        title, make_lines = GROUPS[name]
        groups[title] = make_lines()
    if quick:
        episodes = min(episodes, QUICK_EPISODES)
        groups = {"Advice at once": planner_lines(("none", "greedy", "exact", "qaoa"))}
    lines = [line for group in groups.values() for line in group]
    spread = chosen_spread(ray, ray_address)
    with progress_bar() as begin:
        seeds = range(seed, seed + episodes)
        found = advice_study(mission, lines, seeds, game=game, begin=begin, spread=spread if ray else None)
    by_name = {outcome.line.name: outcome for outcome in found}
    sheets: list[Sheet] = [
        (title, _ADVICE_HEADINGS, [_row(by_name[line.name], episodes) for line in group])
        for title, group in groups.items()
    ]
    worse = [outcome.line.name for outcome in found if outcome.below_floor]
    verdict = f"Worse than greedy beyond the interval: {', '.join(worse) if worse else 'none'}."
    played = f"{counted(episodes, 'mission')} per line, same seeds; means per mission"
    title = f"{mission.name}, {suite}, threats {threats}: {played}"
    show_sheets(title, sheets, (_FLOOR_WORDS, verdict), markdown)
    config = {"scenario": scenario, "suite": suite, "threats": threats, "episodes": episodes, "seed": seed,
              "building": mission.building.digest()}  # fmt: skip
    write_json(json_file, "bench advice", config, [outcome.to_dict() for outcome in found])


def _row(outcome: Outcome, episodes: int) -> tuple[str, ...]:
    """One line of the table; sums of the budget per mission."""
    spent = outcome.spent
    plans = spent.get("plans", 0.0)
    each = [1e3 * spent["wall_s"] / plans, spent["modelled_latency_s"] / plans] if plans else None

    def mean(name: str) -> str:
        return f"{spent[name] / episodes:,.0f}" if spent.get(name) else ""

    return (
        outcome.line.name,
        with_interval(outcome.score),
        signed(outcome.to_floor) + ("*" if outcome.to_floor.verdict else ""),
        "" if outcome.to_none is None else signed(outcome.to_none) + ("*" if outcome.to_none.verdict else ""),
        f"{plans / episodes:.1f}" if plans else "",
        mean("evaluations"),
        mean("shots"),
        f"{each[0]:.3g}" if each else "",
        f"{each[1]:.3g}" if each else "",
        mean("requests"),
        mean("failures"),
        mean("key_bits"),
    )
