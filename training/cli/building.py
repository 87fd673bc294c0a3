"""``qdt building``: draw, measure, generate and check hospitals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from qdt_env.hospital import (
    PASSAGE_KINDS,
    PRESETS,
    BuildingError,
    BuildingStatistics,
    HospitalGraph,
    generate_building,
    load_building,
    measure_building,
    save_building,
)
from qdt_env.viewer.plan import draw_building
from training.cli.outputs import JsonFile, check_outputs, write_figure, writing
from training.cli.report import plain, screen

app = typer.Typer(
    help="Draw, measure, generate and check hospital buildings.", no_args_is_help=True, rich_markup_mode="markdown"
)

Building = Annotated[str, typer.Argument(help="A preset (ward, clinic, hospital) or a .json or .graphml file.")]
Buildings = Annotated[list[str], typer.Argument(help="Presets or building files, any number.")]
Seed = Annotated[int | None, typer.Option("--seed", "-s", help="Seed of generated buildings, 0 unless given.")]


def resolve_building(name: str, seed: int | None) -> HospitalGraph:
    """The preset of that name, generated with the seed, or else the building file.

    Raises:
        BuildingError: neither a preset nor a readable building file, or a file and a seed.
    """
    if name in PRESETS:
        return generate_building(name, seed or 0)
    if not Path(name).suffix:
        raise BuildingError(f"building: got {name!r}, allowed are {', '.join(PRESETS)} or a .json or .graphml file")
    if seed is not None:
        raise BuildingError(f"--seed: got {seed}, allowed is none: the building file {name!r} is what it is")
    return load_building(name)


def _write_json(path: Path | None, result: Any) -> None:
    """Write a result where the user asked for it."""
    if path is not None:
        with writing("--json", path):
            path.write_text(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _summary(graph: HospitalGraph, seed: int | None = None) -> dict[str, Any]:
    """Sizes of a building and its digest."""
    return {
        "name": graph.name,
        "seed": seed,
        "zones": graph.n_zones,
        "passages": graph.n_passages,
        "storeys": graph.n_storeys,
        "entrances": len(graph.entrances),
        "depots": len(graph.depots),
        "gateways": len(graph.gateways),
        "max_degree": graph.max_degree,
        "area_m2": round(float(graph.area_m2.sum(dtype=float)), 2),
        "passages_by_kind": {kind: int((graph.passage_kind == i).sum()) for i, kind in enumerate(PASSAGE_KINDS)},
        "digest": graph.digest(),
    }


def _print_summary(summary: dict[str, Any], title: str) -> None:
    """A two-column table of sizes."""
    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{count} {kind}" for kind, count in value.items() if count)
        if value is not None:
            table.add_row(key.replace("_", " "), str(value)[:64] if key == "digest" else str(value))
    screen().print(table)


@app.command()
def draw(
    building: Building,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write.")] = Path("building.png"),
    labels: Annotated[bool, typer.Option("--labels", help="Write zone ids into the plan.")] = False,
    seed: Seed = None,
    json_file: JsonFile = None,
) -> None:
    """Draw the floor plan, storeys side by side.

    Examples: `qdt building draw clinic -o clinic.png` · `qdt building draw my_hospital.json --labels -o plan.svg`
    """
    check_outputs({"--output": output, "--json": json_file}, [building], pictures=["--output"])
    graph = resolve_building(building, seed)
    write_figure(output, lambda path: draw_building(graph, path, labels=labels), "--output")
    _write_json(json_file, _summary(graph) | {"picture": str(output)})
    plain().print(f"{graph.name}: {graph.n_storeys} storeys, {graph.n_zones} zones, drawn to {output}", markup=False)


@app.command()
def stats(buildings: Buildings, seed: Seed = None, json_file: JsonFile = None) -> None:
    """Compare the statistics of buildings, generated or real.

    Examples: `qdt building stats clinic my_clinic.json` · `qdt building stats ward hospital --seed 3 --json stats.json`
    """
    check_outputs({"--json": json_file}, buildings)
    measured = [measure_building(resolve_building(name, seed if name in PRESETS else None)) for name in buildings]
    screen().print(statistics_table(measured))
    _write_json(json_file, {"seed": seed or 0, "buildings": [row.to_dict() for row in measured]})


def statistics_table(measured: list[BuildingStatistics]) -> Table:
    """One column per building, one row per statistic, then the area shares by function."""
    table = Table(title="Building statistics", title_justify="left")
    table.add_column("")
    for building in measured:
        table.add_column(building.name, justify="right")

    def row(label: str, show: Callable[[BuildingStatistics], str], *, end: bool = False) -> None:
        table.add_row(label, *(show(building) for building in measured), end_section=end)

    row("zones", lambda b: str(b.zones))
    row("passages", lambda b: str(b.passages))
    row("storeys", lambda b: str(b.storeys))
    row("entrances / depots / gateways", lambda b: f"{b.entrances} / {b.depots} / {b.gateways}", end=True)
    row("degree, mean", lambda b: f"{b.degree_mean:.2f}")
    row("degree, max", lambda b: str(b.degree_max))
    row("leaves, share of zones", lambda b: f"{b.leaves_share:.3f}")
    row("bridges, share of passages", lambda b: f"{b.bridges_share:.3f}")
    row("independent cycles by zones", lambda b: f"{b.cycles / b.zones:.3f}")
    row("hop diameter", lambda b: str(b.hop_diameter), end=True)
    row("area, total (m²)", lambda b: f"{b.area_total_m2:,.0f}")
    row("area, mean by zone (m²)", lambda b: f"{b.area_mean_m2:.1f}")
    row("area, indoors (m²)", lambda b: f"{b.indoor_area_m2:,.0f}")
    row("to an entrance, p50 (m)", lambda b: f"{b.entrance_m_p50:.1f}")
    row("to an entrance, p90 (m)", lambda b: f"{b.entrance_m_p90:.1f}")
    row("to an entrance, max (m)", lambda b: f"{b.entrance_m_max:.1f}", end=True)
    functions = {function for building in measured for function in building.area_shares}
    by_size = sorted(
        functions, key=lambda function: (-max(b.area_shares.get(function, 0.0) for b in measured), function)
    )
    for function in by_size:
        row(f"{function}, share of indoor area", lambda b, f=function: f"{b.area_shares.get(f, 0.0):.3f}")  # type: ignore[misc]
    return table


@app.command()
def generate(
    preset: Annotated[str, typer.Argument(help="ward, clinic or hospital.")] = "clinic",
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .json or .graphml.")] = Path(
        "building.json"
    ),
    seed: Seed = None,
    json_file: JsonFile = None,
) -> None:
    """Generate a hospital and write it as a building file.

    Examples: `qdt building generate clinic --seed 7 -o clinic7.json` · `qdt building generate hospital -o big.graphml`
    """
    check_outputs({"--output": output, "--json": json_file})
    graph = generate_building(preset, seed or 0)
    save_building(graph, output)
    summary = _summary(graph, seed or 0)
    _print_summary(summary, f"written to {output}")
    _write_json(json_file, summary | {"file": str(output)})


@app.command()
def check(building: Building, seed: Seed = None, json_file: JsonFile = None) -> None:
    """Check that a building can be used; exit code 2 and the reason when it cannot.

    Examples: `qdt building check my_hospital.graphml` · `qdt building check ward --json ward.json`
    """
    check_outputs({"--json": json_file}, [building])
    try:
        graph = resolve_building(building, seed)
    except BuildingError as error:
        _write_json(json_file, {"building": building, "valid": False, "error": str(error)})
        raise
    summary = _summary(graph)
    _print_summary(summary, f"{building}: valid")
    _write_json(json_file, {"building": building, "valid": True, "error": None, **summary})
    if not len(graph.depots):
        plain().print(
            "note: no depot, so robots find no kits (clean_supply, pharmacy or medical storage)", style="yellow"
        )
