"""Training the variants of an ablation: each like the others, in a folder of its own that can be gone on with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.hiding import features_of
from agents.learned import load_network
from training.ablation_study import Variant
from training.checkpoints import CHECKPOINT
from training.ppo import PpoConfig
from training.run import MissionMix, train_run

Begin = Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """One training run of one variant.

    Attributes:
        variant: its name.
        seed: of the training run.
        path: the policy's file.
        totals: agent_steps, missions and seconds of training.
    """

    variant: str
    seed: int
    path: Path
    totals: dict[str, float]


def train_variants(
    folder: Path,
    mix: MissionMix,
    config: PpoConfig,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    *,
    resume: bool = False,
    begin: Begin | None = None,
    finished: Callable[[TrainedRun], None] | None = None,
) -> list[TrainedRun]:
    """Train every variant once per seed, seed by seed, so that what is there after an interruption is comparable.

    Args:
        folder: of the study; each run has its own in it.
        mix, config: of the whole learner; a variant differs from it by its part alone.
        variants: what is trained.
        seeds: of the training runs.
        resume: go on with runs that are there; those that are finished are left as they are.
        begin: starts a progress bar, see ``training.cli.report.progress_bar``.
        finished: called after each run.

    Raises:
        ValueError: as :func:`training.run.train_run`.
    """
    runs = []
    for seed in seeds:
        for variant in variants:
            place = folder / f"{variant.folder}-{seed}"
            path = train_run(
                place, varied_mix(mix, variant), replace(varied_config(config, variant, mix), seed=seed),
                resume=resume and (place / CHECKPOINT).exists(),
                progress=_shown(begin, f"training: {variant.name}, seed {seed}", config.iterations),
            )  # fmt: skip
            runs.append(TrainedRun(variant.name, seed, path, load_network(path)[1]["totals"]))
            if finished is not None:
                finished(runs[-1])
    return runs


def _shown(begin: Begin | None, title: str, iterations: int) -> Callable[[int, dict[str, float]], None] | None:
    """What a run is to call after each iteration, so that its bar goes on."""
    if begin is None:
        return None
    done = begin(title, iterations)
    return lambda number, line: done(number)


def varied_mix(mix: MissionMix, variant: Variant) -> MissionMix:
    """What a variant is trained on."""
    return replace(mix, advisor=mix.advisor if variant.advised else None, suite=variant.suite or mix.suite)


def varied_config(config: PpoConfig, variant: Variant, mix: MissionMix) -> PpoConfig:
    """How a variant is trained: as the whole one, with its part hidden."""
    advised = variant.advised and mix.advisor is not None
    hidden = (*config.network.without, *features_of(variant.hidden, advised))
    return replace(config, network=replace(config.network, without=hidden))
