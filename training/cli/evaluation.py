"""``qdt eval`` and ``qdt compare``: policies on the same held-out seeds, with intervals that say what is known."""

from pathlib import Path
from typing import Annotated, Any

import typer

from agents.policies import POLICY_NAMES
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.cli.compare_figure import draw_comparison
from training.cli.evaluation_sheets import compare_sheets, compare_words, eval_sheets, eval_words, title_of
from training.cli.outputs import Figure, JsonFile, check_folder, check_outputs, write_figure, write_json
from training.cli.report import SCENARIO_HELP, SEED_MAX, Channel, Suite, Threats, progress_bar
from training.cli.sheets import Markdown, show_sheets
from training.cli.spreading import RayAddress, RayFlag, chosen_spread
from training.cluster import Spread
from training.comparison import Contest, Standing, contests, profiles, standings
from training.entries import parse_entry
from training.evaluate import CHUNK, FIRST_SEED, JOURNAL, Evaluation, Trial, evaluate
from training.rollout import advisor_names

_POLICY = (
    f"A policy: {', '.join(POLICY_NAMES)}, or the path of a .safetensors checkpoint. With +ADVISOR behind it "
    f"({', '.join(advisor_names()[1:])}), and with @suite=, threats=, channel=, trust=off or hide= for what it has "
    "otherwise."
)
Policies = Annotated[list[str], typer.Argument(metavar="POLICY...", help=_POLICY)]
Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        help=f"Once or more; {SCENARIO_HELP} Default: ward.",
    ),
]
Control = Annotated[str, typer.Option("--control", help="task or move.")]
Episodes = Annotated[int, typer.Option("--episodes", "-n", help="Missions per policy and scenario, the same seeds.")]
HeldOut = Annotated[
    int,
    typer.Option("--seed", "-s", min=0, max=SEED_MAX, help="First seed; training takes its own from 2^40 on."),
]
Chunk = Annotated[int, typer.Option("--chunk", help="Missions that are played, kept and spread together.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder that keeps the missions as they are played.")]
Resume = Annotated[bool, typer.Option("--resume", help="Take the missions that --out holds, play those it lacks.")]


def eval_(
    policies: Policies,
    scenario: Scenarios = None,
    suite: Suite = "qkd",
    threats: Threats = "mixed",
    channel: Channel = "statistical",
    control: Control = "task",
    episodes: Episodes = 64,
    seed: HeldOut = FIRST_SEED,
    chunk: Chunk = CHUNK,
    out: Out = None,
    resume: Resume = False,
    ray: RayFlag = False,
    ray_address: RayAddress = None,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Play a policy on held-out seeds: interquartile means and means of score, lives, triage and security, 95 %.

    Examples: `qdt eval gain` · `qdt eval gain+exact --scenario ward --scenario clinic --json gain.json` ·
    `qdt eval runs/mine/policy.safetensors -n 256 --out runs/mine/eval --resume`
    """
    check_outputs({"--json": json_file}, _read(policies, scenario, out), made=out)
    game, spread = GameConfig(suite, threats, control, channel=channel), chosen_spread(ray, ray_address)
    trial, evaluation = _play(policies, scenario, game, seed, episodes, chunk, out, resume, spread)
    found = standings(evaluation)
    show_sheets(title_of(trial, evaluation), eval_sheets(found), eval_words(evaluation), markdown)
    results = {"standings": [one.to_dict() for one in found], **_raw(evaluation)}
    write_json(json_file, "eval", _config(trial, evaluation, scenario), results)


def compare(
    policies: Policies,
    scenario: Scenarios = None,
    suite: Suite = "qkd",
    threats: Threats = "mixed",
    channel: Channel = "statistical",
    control: Control = "task",
    episodes: Episodes = 64,
    seed: HeldOut = FIRST_SEED,
    chunk: Chunk = CHUNK,
    out: Out = None,
    resume: Resume = False,
    ray: RayFlag = False,
    ray_address: RayAddress = None,
    figure: Figure = None,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """Compare policies with the first of them, seed by seed on the same held-out seeds: who is better, and how sure.

    Examples: `qdt compare gain nearest gain+exact` · `qdt compare gain gain@suite=plaintext gain@trust=off` ·
    `qdt compare gain runs/mine/policy.safetensors --scenario ward --scenario clinic.json -n 256 --figure compare.png`
    """
    require(len(policies) >= 2, "policies", policies, "two or more, the first the reference")
    check_outputs({"--json": json_file, "--figure": figure}, _read(policies, scenario, out), made=out)
    game, spread = GameConfig(suite, threats, control, channel=channel), chosen_spread(ray, ray_address)
    trial, evaluation = _play(policies, scenario, game, seed, episodes, chunk, out, resume, spread)
    alone, against = standings(evaluation), contests(evaluation)
    title = title_of(trial, evaluation)
    show_sheets(title, compare_sheets(alone, against), compare_words(evaluation, against), markdown)
    results = comparison_results(evaluation, alone, against)
    write_json(json_file, "compare", _config(trial, evaluation, scenario), results)
    write_figure(figure, lambda path: draw_comparison(profiles(evaluation), against, title, path))


def _read(policies: list[str], scenario: list[str] | None, out: Path | None) -> list[str | Path]:
    """Files that an evaluation reads or keeps: trained policies, buildings, and the missions that were played."""
    trained = [parse_entry(text).policy for text in policies]
    return [*trained, *(scenario or ()), *([out / JOURNAL] if out else [])]


def missions_named(given: list[str] | None) -> dict[str, ScenarioConfig]:
    """Scenarios by name; two buildings of one name go by what was given.

    Raises:
        ValueError: a scenario given twice, or one that is not there.
    """
    texts = given or ["ward"]
    require(len(set(texts)) == len(texts), "--scenario", texts, "each once")
    loaded = {text: load_scenario(text) for text in texts}
    names = [mission.name for mission in loaded.values()]
    return {mission.name if names.count(mission.name) == 1 else text: mission for text, mission in loaded.items()}


def _play(
    policies: list[str],
    scenario: list[str] | None,
    game: GameConfig,
    seed: int,
    episodes: int,
    chunk: int,
    out: Path | None,
    resume: bool,
    spread: Spread,
) -> tuple[Trial, Evaluation]:
    """The evaluation, with a progress bar."""
    require(1 <= episodes <= 100_000, "episodes", episodes, "1 to 100000")
    check_folder(out)
    entries, trial = [parse_entry(text) for text in policies], Trial(missions_named(scenario), game)
    seeds, places = range(seed, seed + episodes), len(entries) * len(trial.scenarios)
    try:
        with progress_bar() as begin:
            done = begin(f"{places} x {episodes} missions", places * episodes)
            found = evaluate(trial, entries, seeds, chunk=chunk, spread=spread, out=out, resume=resume, progress=done)
    except KeyboardInterrupt:
        if out is not None:
            typer.echo(f"Interrupted. What was played is in {out}; the same command with --resume goes on.", err=True)
        raise
    return trial, found


def _config(trial: Trial, evaluation: Evaluation, scenario: list[str] | None) -> dict[str, Any]:
    """What is needed to repeat it."""
    return {
        "scenarios": scenario or ["ward"],
        "policies": [entry.name for entry in evaluation.entries],
        "checkpoints": {name: digest for name, digest in evaluation.digests.items() if digest},
        "seed": int(evaluation.seeds[0]),
        "episodes": evaluation.seeds.size,
        "trial": trial.config(),
    }


def comparison_results(evaluation: Evaluation, alone: list[Standing], against: list[Contest]) -> dict[str, Any]:
    """Everything ``qdt compare`` found, as plain numbers."""
    return {
        "standings": [one.to_dict() for one in alone],
        "contests": [one.to_dict() for one in against],
        "profiles": {entry.name: vars(profile) for entry, profile in profiles(evaluation).items()},
        **_raw(evaluation),
    }


def _raw(evaluation: Evaluation) -> dict[str, Any]:
    """Everything per seed, and what it cost."""

    def nested(found: dict[tuple[str, str], Any]) -> dict[str, Any]:
        return {name: {one.name: found[name, one.name] for one in evaluation.entries} for name in evaluation.scenarios}

    return {
        "seeds": evaluation.seeds,
        "missions": nested(evaluation.metrics),
        "planner": nested(evaluation.spent),
        "wall_s": nested(evaluation.wall_s),
    }
