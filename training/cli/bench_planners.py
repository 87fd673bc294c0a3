"""``qdt bench planners``: who finds the optimum, how often, and what it costs; by size, coupling, depth and noise."""

from collections.abc import Sequence
from typing import Annotated

import typer

from agents.planning import Budget, planner_names
from agents.planning.instances import FAMILIES, SIZES, STRENGTHS, Instance, load_instances
from qdt_env.records import require
from training.cli.outputs import Figure, JsonFile, check_outputs, write_figure, write_json
from training.cli.planner_figure import draw_planners
from training.cli.planner_sheets import tables_of
from training.cli.report import Seed, counted, progress_bar
from training.cli.sheets import ALL, Markdown, names_of, show_sheets
from training.noise_study import ERROR_RATES
from training.planner_comparison import LABELS, measure, results_of

_QUICK_SIZES = ("3x4", "4x5")
_WORDS = (
    "Optimum: proven, by enumeration or by CP-SAT. Approximation ratio: 1 the optimum, 0 the worst feasible choice.",
    "Circuits are simulated exactly and without noise except in the noise table. One-shot figures are exact "
    "probabilities at fixed angles (no optimisation per instance); those of sa and tabu are runs counted.",
    "Modelled time of a circuit's shot: gates of the published Heron calibration, readout and reset; queue and "
    "compilation not included. Times of classical planners are wall times of this machine.",
    "Noise: Pauli errors after gates alone. Idle qubits do not decay (T1, T2), which favours long swap circuits: on "
    "superconducting processors xy-ring would overtake them earlier.",
    "The exact planner stands beside every other with its time: no quantum advantage is claimed.",
)


def planners(
    families: Annotated[str, typer.Option("--families", help=f"all, or of {', '.join(FAMILIES)}.")] = ALL,
    sizes: Annotated[str, typer.Option("--sizes", help=f"all, or of {', '.join(LABELS)}.")] = ALL,
    couplings: Annotated[str, typer.Option("--couplings", help=f"all, or of {', '.join(STRENGTHS)}.")] = ALL,
    chosen: Annotated[str, typer.Option("--planners", help="all, or names with commas; see `qdt run --help`.")] = ALL,
    instances: Annotated[int, typer.Option("--instances", "-n", help="Per family, size and coupling.")] = 8,
    time_s: Annotated[float, typer.Option("--time", help="Budget of one plan [s].")] = 10.0,
    noise: Annotated[bool, typer.Option(help="Also the circuits under noise.")] = True,
    trajectories: Annotated[int, typer.Option("--trajectories", help="Per circuit under noise.")] = 300,
    quick: Annotated[
        bool, typer.Option("--quick", help="At most sizes 3x4 and 4x5, two instances each, little noise.")
    ] = False,
    figure: Figure = None,
    seed: Seed = 0,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Every planner on the saved benchmark set: triage ordering, routing and supply delivery, from played missions.

    Examples: `qdt bench planners --quick` · `qdt bench planners --figure planners.png --json planners.json` ·
    `qdt bench planners --families triage --sizes 3x4,4x5 --planners greedy,exact,qaoa --no-noise`
    """
    require(1 <= instances <= 1000, "instances", instances, "1 to 1000")
    require(trajectories >= 1, "trajectories", trajectories, "1 or more")
    check_outputs({"--json": json_file, "--figure": figure})
    if quick:
        sizes = ",".join(_QUICK_SIZES) if sizes == ALL else sizes
        instances, trajectories = min(instances, 2), min(trajectories, 60)
    names = [name for name in planner_names() if name not in _REMOTE] if chosen == ALL else list(names_of(chosen, ()))
    for name in names:
        require(name in planner_names(), "planners", name, f"all, or of {', '.join(planner_names())}")
    taken = _instances(
        names_of(families, FAMILIES), names_of(sizes, LABELS), names_of(couplings, tuple(STRENGTHS)), instances
    )
    rates = ERROR_RATES[::3] if quick else ERROR_RATES
    with progress_bar() as begin:
        study = measure(taken, names, Budget(time_s=time_s), seed, rates if noise else (), trajectories, begin)
    solved = sum(truth.greedy_right for truth in study.truths)
    title = f"{counted(len(taken), 'instance')} from missions, optimum proven for each; {solved} of them greedy solves"
    show_sheets(title, tables_of(study), _WORDS, markdown)
    config = {"families": families, "sizes": sizes, "couplings": couplings, "planners": names, "seed": seed,
              "instances": instances, "time_s": time_s, "trajectories": trajectories, "quick": quick}  # fmt: skip
    write_json(json_file, "bench planners", config, results_of(study))
    write_figure(figure, lambda path: draw_planners(study, path))


_REMOTE = ("qpu", "offload")  # the same circuits elsewhere: `qdt bench offload` measures what that is worth


def _instances(families: Sequence[str], sizes: Sequence[str], couplings: Sequence[str], count: int) -> list[Instance]:
    """The first instances of every cell."""
    taken: list[Instance] = []
    for size in sizes:
        require(size in LABELS, "sizes", size, f"all, or of {', '.join(LABELS)}")
        for family in families:
            for coupling in couplings:
                taken += load_instances(family, SIZES[LABELS.index(size)], coupling)[:count]
    return taken
