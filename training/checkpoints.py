"""Runs on disk: a checkpoint that an interrupted run goes on from, the curve so far, and the policy.

A checkpoint holds tensors and plain numbers only and is loaded as such, so that a foreign file cannot bring code. It is
written beside the old one and then takes its place, so that a kill leaves one of the two whole.
"""

import csv
import json
import os
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from agents.learned import save_policy
from training.ppo import Learner

CHECKPOINT, CURVE, POLICY = "checkpoint.pt", "curve.csv", "policy.safetensors"


def config_text(learner: Learner, about: dict[str, Any]) -> str:
    """What a run is: the learner's settings and what it trains on, as one line of JSON."""
    return json.dumps({"learner": asdict(learner.config), **about}, sort_keys=True)


def state_of(learner: Learner, totals: dict[str, float]) -> dict[str, Any]:
    """All that changes in a run, as it is between two iterations; a copy, so that it stays what it was.

    Args:
        learner: whose weights, scales of returns and optimiser.
        totals: running sums of the run, such as agent steps and seconds.
    """
    return deepcopy({
        "iteration": learner.iteration,
        "totals": totals,
        "policy": learner.policy.state_dict(),
        "critic": learner.critic.state_dict(),
        "scales": learner.scales.state_dict(),
        "optimiser": learner.optimiser.state_dict(),
    })  # fmt: skip


def bring_back(learner: Learner, state: dict[str, Any]) -> dict[str, float]:
    """Put a learner into a state of :func:`state_of`; returns the totals."""
    learner.policy.load_state_dict(state["policy"])
    learner.critic.load_state_dict(state["critic"])
    learner.scales.load_state_dict(state["scales"])
    learner.optimiser.load_state_dict(state["optimiser"])
    learner.iteration = int(state["iteration"])
    return dict(state["totals"])


def save_checkpoint(folder: Path, learner: Learner, about: dict[str, Any], totals: dict[str, float]) -> None:
    """Write all that the run needs to go on.

    Args:
        folder: of the run, existing.
        learner: as it is between two iterations.
        about: what the run trains on, plain data.
        totals: see :func:`state_of`.
    """
    document = {"config": config_text(learner, about), **state_of(learner, totals)}
    fresh = folder / (CHECKPOINT + ".new")
    with fresh.open("wb") as file:
        torch.save(document, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, learner: Learner, about: dict[str, Any]) -> dict[str, float]:
    """Bring a fresh learner to where the run in ``folder`` stands; returns its totals.

    Raises:
        ValueError: no checkpoint there, a damaged one, or one of a run with other settings.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise ValueError(f"{str(folder)!r} holds no {CHECKPOINT}: not a run that can be resumed")
    try:
        document = torch.load(path, weights_only=True)
        mine, theirs = json.loads(config_text(learner, about)), json.loads(document["config"])
    except Exception:  # torch raises errors of many kinds for what is no checkpoint, and its advice is not for ours
        allowed = "put an earlier copy there, or begin anew in another folder"
        raise ValueError(f"checkpoint {str(path)!r} is damaged or of another kind: {allowed}") from None
    differing = sorted(_differences(mine, theirs))
    if differing:
        raise ValueError(f"the run in {str(folder)!r} has other settings: {'; '.join(differing)}")
    return bring_back(learner, document)


def _differences(mine: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> list[str]:
    """Settings that differ, in words."""
    found = []
    for name in mine.keys() | theirs.keys():
        one, other = (_by_place(side.get(name)) for side in (mine, theirs))
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differences(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append(f"{prefix}{name} there {other!r}, here {one!r}")
    return found


def _by_place(value: Any) -> Any:
    """A list of settings as a dict, its places the names; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return {str(place): one for place, one in enumerate(value)}
    return value


class Curve:
    """The run's figures, one CSV line per iteration."""

    def __init__(self, path: Path, iteration: int) -> None:
        """Go on with ``path`` after its first ``iteration`` lines; an interrupted run may have left more."""
        kept: list[str] = []
        if iteration and path.is_file():
            kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[: 1 + iteration]
        fresh = path.with_name(path.name + ".new")
        fresh.write_text("".join(kept), encoding="utf-8")
        fresh.replace(path)
        self._file = path.open("a", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._titled = bool(kept)

    def add(self, figures: dict[str, float]) -> None:
        """One iteration."""
        if not self._titled:
            self._rows.writerow(figures)
            self._titled = True
        self._rows.writerow(figures.values())
        self._file.flush()

    def close(self) -> None:
        """No more lines."""
        self._file.close()


def save_result(folder: Path, learner: Learner, about: dict[str, Any]) -> Path:
    """Write the policy as it is, with what made it; returns the file."""
    path = folder / POLICY
    save_policy(path, learner.policy, {"learner": asdict(learner.config), "iteration": learner.iteration, **about})
    return path
