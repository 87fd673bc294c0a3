"""``qdt train``: a policy by MAPPO or IPPO, with a curve, checkpoints and resume."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.heuristics import POLICY_NAMES
from agents.hiding import features_of
from qdt_env.records import require
from training.cards import CARD
from training.cli.outputs import JsonFile, check_folder, check_outputs, write_json
from training.cli.repeat import training_config, training_results
from training.cli.report import Seed, Suite, plain, progress_bar

WARM_UP = 10  # iterations in which a policy that knows something already is changed gently
_TEACHERS = tuple(name for name in POLICY_NAMES if not name.startswith("perfect") and name != "wait")


def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run: curve, checkpoint, policy.")],
    scenario: Annotated[
        str, typer.Option(help="ward, clinic, hospital or a building file; several with commas: batches in turn.")
    ] = "ward",
    buildings: Annotated[int, typer.Option(min=1, help="Generated buildings that a batch is shared among.")] = 1,
    suite: Suite = "qkd",
    threats: Annotated[str, typer.Option(help="Presets with commas, shared among the missions.")] = "mixed",
    algorithm: Annotated[str, typer.Option(help="mappo (central critic) or ippo.")] = "mappo",
    iterations: Annotated[int, typer.Option("--iterations", "-n", min=1, help="Batches of missions.")] = 240,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Missions per batch; without, by the building's size.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.0, help="Stop after this long.")] = None,
    imitate: Annotated[str | None, typer.Option(help=f"Warm start: imitate one of {', '.join(_TEACHERS)}.")] = None,
    imitated: Annotated[int, typer.Option(min=1, help="Batches of imitation.")] = 20,
    start: Annotated[str | None, typer.Option(help="Warm start: a trained policy's file, or learned.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Missions that play the same seed, to tell luck from skill.")] = 8,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over a batch.")] = 4,
    minibatches: Annotated[int, typer.Option(min=1, help="Gradient steps per pass.")] = 4,
    trace: Annotated[float, typer.Option(help="Lambda of the advantage estimates, per decision.")] = 0.9,
    learning_rate: Annotated[float, typer.Option(help="Of Adam, at the start.")] = 4e-3,
    entropy: Annotated[float, typer.Option(help="Weight of the entropy bonus, at the start.")] = 8e-3,
    objective: Annotated[str, typer.Option(help="lives or score.")] = "score",
    advisor: Annotated[str | None, typer.Option(help="Planner whose advice the robots observe: greedy, ...")] = None,
    memory: Annotated[bool, typer.Option("--memory", help="A recurrent policy.")] = False,
    graph: Annotated[int, typer.Option(min=0, help="Rounds of messages over the believed map; 0: no map.")] = 0,
    every_step: Annotated[bool, typer.Option("--every-step", help="Busy robots may change their minds.")] = False,
    without: Annotated[str, typer.Option(help="Hide trust, ages, blocks or block.feature, with commas.")] = "",
    threads: Annotated[int, typer.Option(min=1, help="More change the time alone, not the run.")] = 1,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write event files too.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Train one network for all robots; an interrupted run goes on with --resume exactly as if it had not been.

    Examples: `qdt train -o runs/ward` · `qdt train -o runs/clinic --scenario clinic --buildings 8 --start learned-ward
    --minutes 60` · `qdt compare gain runs/ward/policy.safetensors -n 64`
    """
    require(imitate is None or imitate in _TEACHERS, "imitate", imitate, f"one of {', '.join(_TEACHERS)}")
    scenarios = scenario.split(",")
    require(len(set(scenarios)) == len(scenarios), "--scenario", scenario, "each once")
    try:
        from agents.networks import NetworkConfig
        from training.checkpoints import CHECKPOINT, CURVE, POLICY
        from training.ppo import PpoConfig
        from training.run import MissionMix, train_run, usual_rows
    except ModuleNotFoundError as error:
        raise ValueError(f"qdt train needs {error.name}: pip install 'qdt-env[train]'") from None
    kept = [out / name for name in (CHECKPOINT, CURVE, POLICY, CARD)]
    check_outputs({"--json": json_file}, [*scenarios, start, *kept], made=out)
    check_folder(out)
    presets = tuple(threats.split(","))
    apart = buildings * len(presets) * repeats
    mixes = [
        MissionMix(one, buildings, 0, suite, presets, rows or usual_rows(one, apart), advisor=advisor)
        for one in scenarios
    ]
    hidden = features_of([name for name in without.split(",") if name], advised=advisor is not None)
    warm = min(imitated, iterations) if imitate else 0
    config = PpoConfig(
        warm_up=WARM_UP if imitate or start else 0,
        algorithm=algorithm, iterations=iterations, imitated=warm, repeats=repeats,
        epochs=epochs, minibatches=minibatches, learning_rate=learning_rate, entropy=entropy, objective=objective,
        trace=trace, seed=seed,
        network=NetworkConfig(memory=memory, commits=not every_step, without=hidden, graph=graph),
    )  # fmt: skip
    console = plain()
    with _told_how_to_go_on(out), progress_bar() as begin, _event_files(out if tensorboard else None) as scalars:
        done = begin("training", iterations)
        recent: list[dict[str, float]] = []

        def report(number: int, line: dict[str, float]) -> None:
            done(number)
            recent.append(line)
            if number % 10 == 0 or number == iterations:
                console.print(_words(recent), markup=False)
                recent.clear()

        path = train_run(
            out, mixes, config, teacher=imitate or "gain", start=start, resume=resume, minutes=minutes, threads=threads,
            scalars=scalars, progress=report,
        )  # fmt: skip
    made = training_config(mixes, config, imitate or "gain", start, threads)
    for file in (out / CARD, *([json_file] if json_file else [])):
        write_json(file, "train", made | {"policy": str(path)}, training_results(out))
    played = path if advisor is None else f"{path}+{advisor}"
    said = f"Policy: {path}; curve: {path.with_name('curve.csv')}. Compare: qdt compare gain {played}"
    console.print(said, markup=False)


def _words(lines: list[dict[str, float]]) -> str:
    """The last iterations in one line."""

    def mean(name: str) -> float:
        return sum(line[name] for line in lines) / len(lines)

    last = lines[-1]
    speed = last["agent_steps"] / max(last["seconds"], 1e-9)
    return (
        f"{last['iteration']:6.0f}  {last['seconds'] / 60:6.1f} min  {speed:8,.0f} agent-steps/s  "
        f"score {mean('score'):.3f}  lives {mean('lives_saved'):.4f}  "
        f"entropy {mean('entropy'):.2f}  kl {mean('kl'):.4f}"
    )


@contextmanager
def _told_how_to_go_on(folder: Path) -> Iterator[None]:
    """Whoever interrupts the run, by Ctrl-C or SIGTERM, is told what is left of it."""
    from training.checkpoints import CHECKPOINT, POLICY

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        left = "No batch was whole, so nothing was saved."
        if (folder / CHECKPOINT).exists():
            left = f"{folder} has {POLICY} of the last whole batch; the same command with --resume goes on from there."
        typer.echo(f"Interrupted. {left}", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class _EventFiles:
    """TensorBoard's writer, which makes its folder when the first figure comes: the settings are checked by then."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._begin = partial(SummaryWriter, str(folder / "tensorboard"))
        self._writer: Any = None

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """See ``training.run.Scalars``."""
        self._writer = self._writer or self._begin()
        self._writer.add_scalar(tag, scalar_value, global_step)

    def close(self) -> None:
        """No more figures."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def _event_files(folder: Path | None) -> Iterator[_EventFiles | None]:
    """TensorBoard's files, or None."""
    if folder is None:
        yield None
    else:
        with closing(_EventFiles(folder)) as files:
            yield files
