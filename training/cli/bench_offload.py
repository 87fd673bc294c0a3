"""``qdt bench offload``: where to have plans made, by the size of the problem, the QPU's latency and its noise."""

from typing import Annotated

import typer

from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import load_scenario
from training.cli.bench_advice import QUICK_EPISODES, Episodes, Quick
from training.cli.offload_figure import draw_offload
from training.cli.outputs import Figure, JsonFile, check_outputs, write_figure, write_json
from training.cli.report import Seed, Suite, Threats, counted, progress_bar, signed
from training.cli.sheets import Markdown, Sheet, show_sheets
from training.offload_study import QUICK, Cell, Grid, offload_study


def offload(
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="Once or more; ward and clinic if none is given.")
    ] = None,
    sizes: Annotated[str, typer.Option("--sizes", help="Patients offered to the planner, with commas.")] = "3,6,9",
    latencies: Annotated[
        str, typer.Option("--latencies", help="Median queue times of the QPU [s], with commas.")
    ] = "1,10,60,300",
    noises: Annotated[str, typer.Option("--noises", help="Calibrations, with commas.")] = "ideal,heron,heron-worst",
    suite: Suite = "qkd",
    threats: Threats = "mixed",
    episodes: Episodes = 32,
    quick: Quick = False,
    figure: Figure = None,
    seed: Seed = 0,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Where to plan: the change of the mission score against greedy at home, by size, latency and noise.

    Examples: `qdt bench offload --quick` · `qdt bench offload --scenario clinic.json --sizes 6 --figure offload.png`
    """
    require(2 <= episodes <= 100_000, "episodes", episodes, "2 to 100000")
    check_outputs({"--json": json_file, "--figure": figure}, scenario or ())
    grid = (
        QUICK
        if quick
        else Grid(
            tuple(int(size) for size in _numbers(sizes, "sizes", int)),
            tuple(_numbers(latencies, "latencies", float)),
            tuple(noises.split(",")),
        )
    )
    episodes = min(episodes, QUICK_EPISODES) if quick else episodes
    seeds = range(seed, seed + episodes)
    names = scenario or ["ward", "clinic"]
    missions = {name: load_scenario(name) for name in names}  # a wrong name ends it before hours of play
    found: dict[str, list[Cell]] = {}
    with progress_bar() as begin:
        for name, mission in missions.items():
            found[name] = offload_study(mission, grid, seeds, game=GameConfig(suite, threats), begin=begin)
    told = {missions[name].name: cells for name, cells in found.items()}
    played = f"{counted(episodes, 'mission')} per line, same seeds; score against greedy at home, paired"
    title = f"{suite}, threats {threats}: {played}"
    show_sheets(title, [_offload_sheet(name, cells) for name, cells in told.items()], (_MAP_WORDS,), markdown)
    config = {"scenarios": names, "suite": suite, "threats": threats, "episodes": episodes, "seed": seed,
              "grid": vars(grid)}  # fmt: skip
    write_json(
        json_file, "bench offload", config, {name: [cell.to_dict() for cell in cells] for name, cells in found.items()}
    )
    write_figure(figure, lambda path: draw_offload(told, path))


_MAP_WORDS = (
    "Helps most: the place of the highest mean difference whose 95 % interval lies above 0; greedy at home where there "
    "is none. Remote plans come after the queue and the shots, greedy ones standing in until then."
)


def _offload_sheet(name: str, cells: list[Cell]) -> Sheet:
    """One row per cell."""
    places = list(dict.fromkeys(place for cell in cells for place in cell.differences))
    headings = ("patients, queue, noise", *places, "steps late", "failed", "key bits", "helps most")
    rows = []
    for cell in cells:
        differences = [
            signed(cell.differences[place]) + ("*" if cell.differences[place].verdict else "") for place in places
        ]
        rows.append((
            f"{cell.size}, {cell.latency_s:g} s, {cell.noise}", *differences, f"{cell.delay_steps:.1f}",
            f"{cell.failures:.0%}", f"{cell.key_bits:,.0f}", cell.best,
        ))  # fmt: skip
    return name, headings, rows


def _numbers(given: str, option: str, kind: type) -> list[float]:
    """Numbers of an option, with commas.

    Raises:
        ValueError: one of them is no number of this kind.
    """
    try:
        return [kind(word) for word in given.split(",")]
    except ValueError:
        raise ValueError(f"--{option}: got {given!r}, allowed are numbers with commas") from None
