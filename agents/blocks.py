"""What networks read from observations: blocks by name, what a patient promises, who has a choice to make."""

import torch
from torch import Tensor

from agents.hiding import hidden_columns
from qdt_env.spaces import PATIENT_FEATURES, SELF_FEATURES, TRAVEL_SCALE_S, ObservationLayout

OUTLOOK = ("gain", "gain per minute", "loss per minute")
_NOW, _HANDOVER, _LEFT, _TRAVEL, _TOTAL = (
    PATIENT_FEATURES.index(name)
    for name in ("survival_now", "survival_at_handover", "survival_if_left", "travel", "handover")
)
_BUSY = SELF_FEATURES.index("busy")
_MINUTES = TRAVEL_SCALE_S / 60.0


def outlook(patients: Tensor) -> Tensor:
    """(..., 3) of patient features (..., 12): what a handover gains, that per minute, what is lost per minute's way.

    The ratios are those that the hand-written ranks use (``agents.heuristics``); a small network divides badly.
    """
    gain = patients[..., _HANDOVER] - patients[..., _LEFT]
    loss = patients[..., _NOW] - patients[..., _LEFT]
    return torch.stack(
        [gain, 10.0 * gain / minutes(patients[..., _TOTAL]), 10.0 * loss / minutes(patients[..., _TRAVEL])], -1
    )


def minutes(squashed: Tensor) -> Tensor:
    """Minutes, at least half a one, from a time feature t / (t + scale)."""
    return (_MINUTES * squashed / (1.0 - squashed).clamp_min(1e-6)).clamp_min(0.5)


def advised_patients(layout: ObservationLayout, observation: Tensor) -> tuple[Tensor, Tensor]:
    """Whether there is advice and its age (N, 2), and which patient it names (N, P), of observations (N, F)."""
    block = cut(layout, observation, "advice")[:, 0]
    given = block[:, :1]
    slot = torch.round(block[:, 1:2] * layout.patients) - 1.0
    named = (torch.arange(layout.patients, device=observation.device)[None] == slot) & (given > 0.5)
    return torch.cat([given, block[:, -2:-1]], 1), named.to(observation.dtype)


def cut(layout: ObservationLayout, observation: Tensor, name: str) -> Tensor:
    """Block ``name`` of observations (..., F) as (..., rows, features), a view.

    Raises:
        KeyError: no such block.
    """
    block = layout.blocks[name]
    return observation[..., block.start : block.stop].unflatten(-1, (block.rows, len(block.features)))


def hide(layout: ObservationLayout, observation: Tensor, names: tuple[str, ...]) -> Tensor:
    """A copy of the observation with blocks, or single features "block.feature", set to 0.

    Raises:
        ValueError: no such block or feature; the message lists the names.
    """
    if not names:
        return observation
    observation = observation.clone()
    observation[..., torch.from_numpy(hidden_columns(layout, names, "without"))] = 0.0
    return observation


def deciding(layout: ObservationLayout, observation: Tensor, mask: Tensor, commits: bool) -> Tensor:
    """Which robots have a choice to make, (...) bool, of observations (..., F) and masks (..., A).

    A robot that commits goes on with its task until that is over.
    """
    choice = mask.sum(-1) > 1
    if not commits:
        return choice
    busy = cut(layout, observation, "self")[..., 0, _BUSY] > 0.5
    return choice & ~(busy & (mask[..., 0] == 1))
