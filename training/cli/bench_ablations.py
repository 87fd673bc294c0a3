"""``qdt bench ablations``: what a learner loses without trust, without ages, without advice, without cryptography."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from training.ablation_study import FULL, Players, RunDifferences, by_variant, held_out, hiding_players, run_differences
from training.ablation_study import variants as variants_of
from training.cli.compare_figure import draw_comparison
from training.cli.evaluation import HeldOut, comparison_results, missions_named
from training.cli.evaluation_sheets import compare_sheets, compare_words, title_of
from training.cli.outputs import Figure, JsonFile, check_folder, check_outputs, write_figure, write_json
from training.cli.report import SEED_MAX, Scenario, Suite, counted, progress_bar, signed
from training.cli.sheets import Markdown, Sheet, show_sheets
from training.cli.spreading import RayAddress, RayFlag, chosen_spread
from training.cluster import Spread
from training.comparison import contests, profiles, standings
from training.entries import parse_entry
from training.evaluate import FIRST_SEED, JOURNAL, Evaluation, Trial, evaluate
from training.rollout import NO_ADVISOR, advisor_names

if TYPE_CHECKING:
    from training.ablation_training import TrainedRun  # loads PyTorch

QUICK_ITERATIONS, QUICK_ROWS, QUICK_REPEATS, QUICK_EPISODES = 6, 16, 4, 8
_TRAINED_WORDS = (
    "Each line was trained anew without its part, all else being equal, and is played as it was trained. The twin and "
    "the planner use trust and ages in every line; what is taken away is the robots' own sight of them."
)
_HIDDEN_WORDS = (
    "Nothing was trained: the policy was made with what is hidden here. A difference says how much it leans on that "
    "part, not what it would be worth had it learned without."
)
_RUN_WORDS = (
    "Several training runs: a line is their mean, mission by mission, and its interval is over missions. The last "
    "column of the runs' table has Student's interval over the runs: what another training run would give."
)


def ablations(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the study: a run per variant.")] = None,
    scenario: Scenario = "ward",
    buildings: Annotated[int, typer.Option(min=1, help="Generated buildings to train on.")] = 1,
    suite: Suite = "qkd",
    threats: Annotated[str, typer.Option(help="One preset or several joined with +, in training and test.")] = "mixed",
    advisor: Annotated[str, typer.Option(help=f"Whose advice is observed: {', '.join(advisor_names())}.")] = "greedy",
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Batches of missions per variant.")] = 100,
    rows: Annotated[int, typer.Option(min=1, help="Missions per batch.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, help="Missions that play the same seed.")] = 8,
    runs: Annotated[int, typer.Option("--seeds", min=1, help="Training runs of each variant.")] = 1,
    first_run: Annotated[
        int, typer.Option("--first-seed", min=0, max=SEED_MAX, help="Seed of the first training run.")
    ] = 0,
    episodes: Annotated[int, typer.Option("--episodes", "-n", min=1, help="Missions per variant and scenario.")] = 64,
    test: Annotated[
        list[str] | None,
        typer.Option("--test", help="Scenarios played; without, the trained one and a new building of its preset."),
    ] = None,
    seed: HeldOut = FIRST_SEED,
    hide_only: Annotated[
        str | None, typer.Option("--hide-only", help="Train nothing: hide the parts from this POLICY[+ADVISOR].")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few small batches: shows how it goes, not what is so.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study in the folder.")] = False,
    ray: RayFlag = False,
    ray_address: RayAddress = None,
    figure: Figure = None,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Train the same learner without one part at a time, and compare each with the whole one on the same missions.

    Examples: `qdt bench ablations -o runs/ablations --quick` · `qdt bench ablations -o runs/ablations --buildings 4
    --iterations 150 --seeds 3 --figure ablations.png` · `qdt bench ablations --hide-only runs/ward/policy.safetensors`
    """
    require(out is not None or hide_only is not None, "--out", out, "a folder; without one only with --hide-only")
    check_folder(out)
    require(out is not None or not resume, "--resume", resume, "together with --out")
    require(advisor in advisor_names(), "advisor", advisor, f"one of {', '.join(advisor_names())}")
    played = [scenario, *(test or ()), *([parse_entry(hide_only).policy] if hide_only else [])]
    kept = [out / JOURNAL] if out else []
    check_outputs({"--json": json_file, "--figure": figure}, [*played, *kept], made=out)
    if quick:
        iterations, rows = min(iterations, QUICK_ITERATIONS), min(rows, QUICK_ROWS * buildings)
        repeats, episodes = min(repeats, QUICK_REPEATS), min(episodes, QUICK_EPISODES)
    trial = Trial(missions_named(test) if test else held_out(scenario), GameConfig(suite, threats))
    seeds, spread = range(seed, seed + episodes), chosen_spread(ray, ray_address)
    try:
        if hide_only is not None:
            made = f"{parse_entry(hide_only).label}, nothing trained, parts hidden while it plays"
            trained: list[TrainedRun] = []
            first: ScenarioConfig = next(iter(trial.scenarios.values()))
            players = hiding_players(parse_entry(hide_only), first, trial.game)
        else:
            assert out is not None
            chosen = None if advisor == NO_ADVISOR else advisor
            mix = _Mix(scenario, buildings, suite, threats, rows, repeats, iterations, chosen)
            made = f"trained for {iterations} x {rows} missions on {counted(buildings, 'building')}, advisor {advisor}"
            made += f", {runs} training runs" if runs > 1 else ""
            trained, players = _trained(out, mix, range(first_run, first_run + runs), resume)
        evaluation = _played(trial, players, seeds, spread, out, resume)
    except KeyboardInterrupt:
        if out is not None:
            typer.echo(f"Interrupted. What is there is in {out}; the same command with --resume goes on.", err=True)
        raise
    _show(trial, evaluation, players, trained, made, figure, markdown, json_file)


@dataclass(frozen=True)
class _Mix:
    """What the options say about training."""

    scenario: str
    buildings: int
    suite: str
    threats: str
    rows: int
    repeats: int
    iterations: int
    advisor: str | None


def _trained(out: Path, given: _Mix, seeds: Sequence[int], resume: bool) -> tuple[list[Any], Players]:
    """Train what is missing; the runs, and how each variant is played."""
    try:
        from training.ablation_training import train_variants
        from training.ppo import PpoConfig
        from training.run import MissionMix
    except ModuleNotFoundError as error:
        raise ValueError(f"qdt bench ablations needs {error.name}: pip install 'qdt-env[train]'") from None
    mix = MissionMix(
        given.scenario, given.buildings, 0, given.suite, (given.threats,), given.rows, advisor=given.advisor
    )
    config = PpoConfig(
        iterations=given.iterations, repeats=given.repeats, objective="score", learning_rate=4e-3, entropy=8e-3
    )
    chosen = variants_of(given.advisor, given.suite)

    def finished(run: Any) -> None:
        minutes = run.totals["seconds"] / 60.0
        typer.echo(f"{run.variant}, seed {run.seed}: trained for {minutes:.1f} min", err=True)

    with progress_bar() as begin:
        runs = train_variants(out, mix, config, chosen, seeds, resume=resume, begin=begin, finished=finished)
    players = {
        one.name: [one.entry(str(run.path), given.advisor) for run in runs if run.variant == one.name] for one in chosen
    }
    return runs, players


def _played(
    trial: Trial, players: Players, seeds: Sequence[int], spread: Spread, out: Path | None, resume: bool
) -> Evaluation:
    """Every run of every variant on the same held-out missions."""
    entries = [entry for runs in players.values() for entry in runs]
    missions = len(entries) * len(trial.scenarios) * len(seeds)
    with progress_bar() as begin:
        done = begin(f"{missions} missions", missions)
        return evaluate(trial, entries, seeds, spread=spread, out=out, resume=resume, progress=done)


def _show(
    trial: Trial,
    evaluation: Evaluation,
    players: Players,
    trained: Sequence["TrainedRun"],
    made: str,
    figure: Path | None,
    markdown: bool,
    json_file: Path | None,
) -> None:
    """Tables, figure and JSON of what was played."""
    named = by_variant(evaluation, players)
    alone, against, apart = standings(named), contests(named), run_differences(evaluation, players)
    title = title_of(trial, named)
    several = len(players[FULL.name]) > 1
    sheets = [*compare_sheets(alone, against), *(_runs_sheets(apart) if several else [])]
    words = [_TRAINED_WORDS if trained else _HIDDEN_WORDS, *([_RUN_WORDS] if several else [])]
    show_sheets(f"{title}; {made}", sheets, [*words, *compare_words(named, against)], markdown)
    results = {
        **comparison_results(named, alone, against),
        "run_differences": [one.to_dict() for one in apart],
        "runs": [{**vars(run), "path": str(run.path)} for run in trained],
    }
    entries = {name: [entry.name for entry in runs] for name, runs in players.items()}
    config = {"made": made, "trial": trial.config(), "entries": entries, "digests": evaluation.digests}
    write_json(json_file, "bench ablations", config, results)
    write_figure(figure, lambda path: draw_comparison(profiles(named), against, f"{title}\n{made}", path))


def _runs_sheets(apart: Sequence[RunDifferences]) -> list[Sheet]:
    """Per scope: the difference of each training run, and what another one would give."""
    sheets: list[Sheet] = []
    for scope in dict.fromkeys(one.scope for one in apart):
        lines = [one for one in apart if one.scope == scope]
        headings = ("variant", *(f"run {k}" for k in range(len(lines[0].by_run))), "over the runs")
        rows = [(one.variant, *(_starred(i) for i in (*one.by_run, one.over_runs))) for one in lines]
        sheets.append((f"Difference of the score to {FULL.name} by training run, {scope}", headings, rows))
    return sheets


def _starred(interval: Any) -> str:
    """A difference with its interval, starred where that excludes 0."""
    return signed(interval) + ("*" if interval.verdict else "")
