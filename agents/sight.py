"""What a network reads of a flat observation: the robot itself, its mates, the open patients and their outlook.

Nothing here is learned, so it is one compiled pass from observations to packed rows (see ``agents.entities``).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.entities import Present, kernel
from qdt_env.spaces import (
    CHANNEL_FEATURES,
    PASSAGE_FEATURES,
    PATIENT_FEATURES,
    SELF_FEATURES,
    SERVICE_FEATURES,
    SERVICES,
    TEAM_FEATURES,
    TIME_FEATURES,
    TRAVEL_SCALE_S,
    ObservationLayout,
)

OUTLOOK = ("gain", "gain per minute", "loss per minute")
ALONG = 2 * len(PASSAGE_FEATURES)  # mean and maximum over the passages at the own zone
_OWN = ("self", "services", "channel", "time")
_OWN_SIZE = len(SELF_FEATURES) + len(SERVICES) * len(SERVICE_FEATURES) + len(CHANNEL_FEATURES) + len(TIME_FEATURES)
_OPEN, _NOW, _HANDOVER, _LEFT, _TRAVEL, _TOTAL = (
    PATIENT_FEATURES.index(name)
    for name in ("open", "survival_now", "survival_at_handover", "survival_if_left", "travel", "handover")
)
_EXISTS = PASSAGE_FEATURES.index("exists")
_MINUTES = np.float32(TRAVEL_SCALE_S / 60.0)


class Sight(NamedTuple):
    """N observations as a network takes them.

    Attributes:
        own: (N, :func:`own_size`) float32; the last ``ALONG`` are of the passages.
        mates: (T, ..) float32 of the team mates that are there.
        mates_first: (N + 1,) int64, where each robot's begin, and T.
        patients: (M, :func:`patient_size`) float32 of the open patients.
        open: whose and in which slot the M patients are.
    """

    own: Tensor
    mates: Tensor
    mates_first: Tensor
    patients: Tensor
    open: Present


def own_size(advised: bool) -> int:
    """Numbers about the robot itself; with advice whether there is any, and its age."""
    return _OWN_SIZE + 2 * advised + ALONG


def patient_size(advised: bool) -> int:
    """Numbers about a patient: what is observed, its outlook, how many just chose it; advised, whether it is named."""
    return len(PATIENT_FEATURES) + len(OUTLOOK) + 1 + advised


def read(layout: ObservationLayout, observation: Tensor, chosen: Tensor, advised: bool) -> Sight:
    """What a network reads.

    Args:
        layout: of the observations.
        observation: (N, F) float32, on the CPU.
        chosen: (N, P) float32, how many robots before this one chose the patient in this very step.
        advised: whether the observations have an ``advice`` block, and it is read.
    """
    seen = observation.detach().contiguous().numpy()
    rows, room = len(seen), layout.patients
    own = np.empty((rows, own_size(advised)), seen.dtype)
    mates = np.empty((rows * max(layout.robots - 1, 0), len(TEAM_FEATURES)), seen.dtype)
    patients = np.empty((rows * room, patient_size(advised)), seen.dtype)
    mates_first, first = np.zeros((2, rows + 1), np.int64)
    whose, slot = np.empty((2, rows * room), np.int64)
    _read(seen, chosen.numpy(), _places(layout), own, mates, mates_first, patients, whose, slot, first)
    m, t = int(first[-1]), int(mates_first[-1])
    who = Present(torch.from_numpy(whose[:m]), torch.from_numpy(slot[:m]), torch.from_numpy(first))
    return Sight(
        torch.from_numpy(own),
        torch.from_numpy(mates[:t]),
        torch.from_numpy(mates_first),
        torch.from_numpy(patients[:m]),
        who,
    )


@lru_cache
def _places(layout: ObservationLayout) -> np.ndarray:
    """(8, 2) int64: first column and number of rows of ``_OWN``, passages, tasks, team; of advice, column and age's."""
    places = [(layout.blocks[name].start, layout.blocks[name].rows) for name in (*_OWN, "passages", "tasks", "team")]
    advice = layout.blocks.get("advice")
    places.append((advice.start, advice.start + advice.features.index("age")) if advice else (0, 0))
    return np.array(places, np.int64)


_SIZES = tuple(len(part) for part in (SELF_FEATURES, SERVICE_FEATURES, CHANNEL_FEATURES, TIME_FEATURES))
_PASSAGE, _TASK, _MATE = len(PASSAGE_FEATURES), len(PATIENT_FEATURES), len(TEAM_FEATURES)


@kernel
def _minutes(squashed):
    """Minutes, at least half a one, from a time feature t / (t + scale)."""
    return max(_MINUTES * squashed / max(np.float32(1.0) - squashed, np.float32(1e-6)), np.float32(0.5))


@kernel
def _read(observation, chosen, places, own, mates, mates_first, patients, whose, slot, first):
    advised = own.shape[1] > _OWN_SIZE + 2 * _PASSAGE
    passages, slots = places[4]
    tasks, room = places[5]
    team, robots = places[6]
    advice, advice_age = places[7]
    m = t = 0
    for n in range(observation.shape[0]):
        seen = observation[n]
        k = 0
        for block in range(4):
            for i in range(places[block, 1] * _SIZES[block]):
                own[n, k] = seen[places[block, 0] + i]
                k += 1
        named = -1
        if advised:
            own[n, k], own[n, k + 1] = seen[advice], seen[advice_age]
            k += 2
            if seen[advice] > 0.5:
                named = int(np.rint(seen[advice + 1] * np.float32(room))) - 1
        there = np.float32(0.0)  # a batch's layout has room for the most passages in any of its buildings
        for j in range(slots):
            there += seen[passages + j * _PASSAGE + _EXISTS]
        for i in range(_PASSAGE):
            total = highest = seen[passages + i]
            for j in range(1, slots):
                value = seen[passages + j * _PASSAGE + i]
                total += value
                highest = max(highest, value)
            own[n, k + i], own[n, k + _PASSAGE + i] = total / max(there, np.float32(1.0)), highest
        for j in range(robots):
            mate = team + j * _MATE
            if seen[mate] > 0.5:
                for i in range(_MATE):
                    mates[t, i] = seen[mate + i]
                t += 1
        mates_first[n + 1] = t
        for j in range(room):
            patient = tasks + j * _TASK
            if seen[patient + _OPEN] > 0.5:
                for i in range(_TASK):
                    patients[m, i] = seen[patient + i]
                gain = seen[patient + _HANDOVER] - seen[patient + _LEFT]
                loss = seen[patient + _NOW] - seen[patient + _LEFT]
                patients[m, _TASK] = gain
                patients[m, _TASK + 1] = np.float32(10.0) * gain / _minutes(seen[patient + _TOTAL])
                patients[m, _TASK + 2] = np.float32(10.0) * loss / _minutes(seen[patient + _TRAVEL])
                patients[m, _TASK + 3] = chosen[n, j]
                if advised:
                    patients[m, _TASK + 4] = j == named
                whose[m], slot[m] = n, j
                m += 1
        first[n + 1] = m
