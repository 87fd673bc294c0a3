"""The benchmark set: problems of all families from played missions, in fixed sizes and three coupling strengths.

Every option of an instance is allowed for every group, so that all planners and ansaetze can take it. "no task" is cut
away: with as many patients as groups or more nobody has to idle. Triage ordering (without sharing) and supply delivery
are ``distinct`` by their own rule, since no patient is served twice; in routing two robots may well take "their" route
number 2, so it is not.

An instance is stored once, with its natural couplings; the strengths are made when it is loaded, by
:func:`agents.planning.reshape.with_coupling`. ``training.planner_instances`` makes the files and says how.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.planning.reshape import with_coupling

FAMILIES = ("triage", "routing", "supply")
SIZES = ((3, 4), (4, 5), (4, 6), (5, 6), (6, 8), (8, 8), (8, 10))
STRENGTHS = {"weak": 0.1, "medium": 0.5, "strong": 1.5}
NATURAL = "natural"
DATA = Path(__file__).parent / "data"
_ARRAYS, _MANIFEST = "instances.npz", "instances.json"


@dataclass(frozen=True)
class Source:
    """Where an instance comes from; with the family and the size it says everything that makes it again.

    Attributes:
        building: "ward" or "clinic" (generated), or "real-clinic" (the file shared/data/clinic.json).
        building_seed: of a generated building, 0 for the real one.
        seed: of the mission, played by the policy "gain" with its advice-free defaults.
        step: of the snapshot.
    """

    building: str
    building_seed: int
    seed: int
    step: int


@dataclass(frozen=True, eq=False)
class Instance:
    """One problem of the set.

    Attributes:
        name: unique without the coupling, for example "triage-4x5-03".
        family: one of ``FAMILIES``.
        problem: with couplings as said by ``coupling``.
        coupling: "weak", "medium", "strong" (see ``STRENGTHS``) or "natural".
        natural_strength: coupling strength that the mission gave it, > 0.
        factor: by which the interaction was scaled, 1 for "natural".
        source: where it comes from.
    """

    name: str
    family: str
    problem: Problem
    coupling: str
    natural_strength: float
    factor: float
    source: Source = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Groups and options."""
        return self.problem.groups, self.problem.options


def load_instances(
    family: str,
    size: tuple[int, int] | None = None,
    coupling: str | None = None,
    *,
    folder: Path = DATA,
) -> list[Instance]:
    """Instances of a family, in the order of size, name and strength.

    Args:
        family: one of ``FAMILIES``.
        size: (groups, options), one of ``SIZES``; None for all.
        coupling: "weak", "medium", "strong" or "natural"; None for the first three.
        folder: where the files are.

    Raises:
        PlanningError: an unknown family, size or coupling; FileNotFoundError where the files are missing.
    """
    allowed = (*STRENGTHS, NATURAL)
    if family not in FAMILIES:
        raise PlanningError(f"family: must be one of {', '.join(FAMILIES)}, got {family!r}")
    if size is not None and tuple(size) not in SIZES:
        raise PlanningError(f"size: must be one of {', '.join(f'{g}x{t}' for g, t in SIZES)}, got {size!r}")
    if coupling is not None and coupling not in allowed:
        raise PlanningError(f"coupling: must be one of {', '.join(allowed)}, got {coupling!r}")
    sizes = SIZES if size is None else (tuple(size),)
    found = []
    for stored in _read(folder):
        if stored.family == family and stored.size in sizes:
            found += [scaled(stored, strength) for strength in (STRENGTHS if coupling is None else (coupling,))]
    return found


def scaled(instance: Instance, coupling: str) -> Instance:
    """The natural instance with its interaction scaled to a named strength."""
    if coupling == NATURAL:
        return instance
    problem, factor = with_coupling(instance.problem, STRENGTHS[coupling])
    return Instance(
        instance.name, instance.family, problem, coupling, instance.natural_strength, factor, instance.source
    )


def save_instances(instances: Sequence[Instance], folder: Path, about: dict[str, Any]) -> None:
    """Write natural instances: arrays as .npz, what they are as .json with ``about`` in front.

    Raises:
        PlanningError: an instance is not natural, or its problem is not what can be stored: every option allowed and
            none shareable where the problem is distinct.
    """
    arrays: dict[str, np.ndarray] = {}
    rows = []
    for instance in instances:
        problem = instance.problem
        if instance.coupling != NATURAL or not problem.allowed.all() or (problem.distinct and problem.shareable.any()):
            raise PlanningError(
                f"instance {instance.name}: only natural ones without gaps and shared options are stored"
            )
        first, second = np.triu_indices(problem.groups, 1)
        arrays[f"{instance.name}/linear"] = problem.linear
        arrays[f"{instance.name}/pairs"] = problem.pairwise[first, :, second, :]
        arrays[f"{instance.name}/ids"] = np.concatenate([problem.group_ids, problem.option_ids])
        for feature, table in problem.features.items():
            arrays[f"{instance.name}/feature/{feature}"] = table
        rows.append(_row(instance))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / _ARRAYS, **arrays)  # type: ignore[arg-type]
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    head = json.dumps({**about, "strengths": STRENGTHS}, indent=1, ensure_ascii=False)[:-2]
    (folder / _MANIFEST).write_text(f'{head},\n "instances": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
    _read.cache_clear()


def _row(instance: Instance) -> dict[str, Any]:
    problem = instance.problem
    return {
        "name": instance.name,
        "family": instance.family,
        "problem": problem.name,
        "groups": problem.groups,
        "options": problem.options,
        "distinct": problem.distinct,
        "natural_strength": instance.natural_strength,
        "factors": {name: strength / instance.natural_strength for name, strength in STRENGTHS.items()},
        "features": sorted(problem.features),
        **vars(instance.source),
    }


@cache
def _read(folder: Path) -> tuple[Instance, ...]:
    """All instances of a folder, natural, sorted by size and name."""
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    with np.load(folder / _ARRAYS) as arrays:
        found = [_from_arrays(row, arrays) for row in manifest["instances"]]
    return tuple(sorted(found, key=lambda instance: (SIZES.index(instance.size), instance.name)))


def _from_arrays(row: dict[str, Any], arrays: Any) -> Instance:
    name, groups, options = row["name"], row["groups"], row["options"]
    first, second = np.triu_indices(groups, 1)
    pairwise = np.zeros((groups, options, groups, options))
    pairs = arrays[f"{name}/pairs"]
    pairwise[first, :, second, :] = pairs
    pairwise[second, :, first, :] = pairs.transpose(0, 2, 1)
    ids = arrays[f"{name}/ids"]
    problem = Problem(
        name=row["problem"],
        linear=arrays[f"{name}/linear"],
        pairwise=pairwise,
        distinct=row["distinct"],
        shareable=np.full(options, not row["distinct"]),
        group_ids=ids[:groups],
        option_ids=ids[groups:],
        features={feature: arrays[f"{name}/feature/{feature}"] for feature in row["features"]},
    )
    source = Source(row["building"], row["building_seed"], row["seed"], row["step"])
    return Instance(name, row["family"], problem, NATURAL, row["natural_strength"], 1.0, source)
