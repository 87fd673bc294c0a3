"""Blocks of observations as tensors: cut out by name, hidden, and who has a choice to make."""

import torch
from torch import Tensor

from agents.hiding import hidden_columns
from qdt_env.spaces import SELF_FEATURES, ObservationLayout

_BUSY = SELF_FEATURES.index("busy")


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
