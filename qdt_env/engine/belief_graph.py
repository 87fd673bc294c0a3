"""Robots' beliefs as graphs: what each thinks of every zone and passage, and where it thinks the patients are.

Unlike :mod:`qdt_env.engine.privileged` nothing here is the truth; own place and own loss are the robot's to know.
"""

from typing import NamedTuple

import numpy as np

from qdt_env.compiled import batch, rule
from qdt_env.engine.episodes import Episodes
from qdt_env.graph_layout import GRAPH_PASSAGE_FEATURES, GRAPH_ZONE_FEATURES
from qdt_env.physical.state import BLOCKED, EMPTY, HANDED_OVER, SLOW
from qdt_env.spaces import LENGTH_SCALE_M

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


class BeliefGraphs(NamedTuple):
    """What R robots in B episodes believe; room for Z zones and E passages, zeros where a building has fewer."""

    zones: np.ndarray  # (B, R, Z, 6) float32 in [0, 1], features GRAPH_ZONE_FEATURES; a lost robot's are 0
    passages: np.ndarray  # (B, R, E, 3) float32 in [0, 1], features GRAPH_PASSAGE_FEATURES; a lost robot's are 0
    patient_zones: np.ndarray  # (B, R, P) int32, -1: an empty slot, or nobody knows where; a lost robot's are -1


def empty_graphs(episodes: int, robots: int, zones: int, passages: int, patients: int) -> BeliefGraphs:
    """Arrays for :func:`write_graphs`: no zones, no passages, no patients."""
    return BeliefGraphs(
        np.zeros((episodes, robots, zones, len(GRAPH_ZONE_FEATURES)), np.float32),
        np.zeros((episodes, robots, passages, len(GRAPH_PASSAGE_FEATURES)), np.float32),
        np.full((episodes, robots, patients), -1, np.int32),
    )


def edges_of(episodes: Episodes) -> np.ndarray:
    """Zones at the two ends of every passage, (E, 2) int32."""
    passages = episodes.setup.site.passages
    return np.stack([passages["a"], passages["b"]], 1).astype(np.int32)


def write_graphs(episodes: Episodes, graphs: BeliefGraphs) -> None:
    """Write what the robots of every row believe now.

    Args:
        episodes: B rows.
        graphs: B rows with room for the building, overwritten where the building reaches.
    """
    site = episodes.setup.site
    fixed = np.stack([site.zones["entrance"], site.zones["depot"]], 1).astype(np.float32)
    length = np.minimum(site.passages["length_m"] / np.float32(LENGTH_SCALE_M), _ONE)
    write_beliefs(fixed, length, episodes.frame, *graphs)


@batch
def write_beliefs(fixed, length, state, zones, passages, patient_zones):
    """Write the graph of every robot in every row.

    Args:
        fixed: (Z, 2) float32, whether a zone is an entrance, a depot.
        length: (E,) float32 in [0, 1], of the passages.
        state: the engine's tuple.
        zones, passages, patient_zones: see ``BeliefGraphs``, written.
    """
    belief, robots = state.belief, state.world.robots
    for b in range(robots.shape[0]):
        for r in range(robots.shape[1]):
            alive = np.float32(robots[b, r].alive)
            for z in range(belief.zones.shape[2]):
                write_zone(belief.zones[b, r, z], fixed[z], alive, zones[b, r, z])
            zones[b, r, robots[b, r].zone, 5] = alive
            for e in range(belief.passages.shape[2]):
                condition = belief.passages[b, r, e].condition
                passages[b, r, e, 0] = alive if condition == BLOCKED else _ZERO
                passages[b, r, e, 1] = alive if condition == SLOW else _ZERO
                passages[b, r, e, 2] = alive * length[e]
            for i in range(belief.patients.shape[2]):
                patient = belief.patients[b, r, i]
                there = alive > _ZERO and patient.status != EMPTY and patient.status != HANDED_OVER
                patient_zones[b, r, i] = patient.zone if there else -1


@rule
def write_zone(zone, fixed, alive, row):
    """Damage, smoke, seen, entrance, depot; not here."""
    row[0] = alive * np.float32(zone.damage) / np.float32(5.0)
    row[1] = alive * np.float32(zone.smoke) / np.float32(100.0)
    row[2] = alive * np.float32(zone.seen)
    row[3] = alive * fixed[0]
    row[4] = alive * fixed[1]
    row[5] = _ZERO
