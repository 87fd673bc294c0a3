"""Where things go on a plan: doors between rooms, and robots and patients within them."""

import math
from typing import Any

import numpy as np

from qdt_env.hospital.graph import HospitalGraph

Array = np.ndarray[Any, Any]
_TIGHTEST = 0.62  # of the normal gap, for a crowd in a small room


def door_points(graph: HospitalGraph) -> Array:
    """(E, 2) where each passage crosses from zone to zone, in m: the middle of the wall shared by their boxes.

    Where the boxes overlap (an L-shaped corridor round a room) it is where the way from the smaller zone's middle to
    the other's leaves the smaller box.
    """
    first, second = graph.bbox_m[graph.passage_zones].astype(float).transpose(1, 0, 2)
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, 2:], second[:, 2:])
    middle = (low + high) / 2.0
    overlap = (high - low).min(axis=1)
    for e in np.flatnonzero(overlap > 1.0):
        small = min(graph.passage_zones[e], key=lambda z: float(np.prod(graph.bbox_m[z, 2:] - graph.bbox_m[z, :2])))
        other = graph.passage_zones[e].sum() - small
        box = graph.bbox_m[small].astype(float)
        centre, half = (box[:2] + box[2:]) / 2.0, (box[2:] - box[:2]) / 2.0
        way = graph.position_m[other, :2] - centre
        reach = min((half[k] / abs(way[k]) for k in (0, 1) if abs(way[k]) > 1e-9), default=0.0)
        middle[e] = centre + way * min(reach, 0.5)
    return middle


def door_segments(graph: HospitalGraph, points: Array, length_m: float = 1.0) -> Array:
    """(E, 2, 2) short lines across the walls at the doors, in m."""
    first, second = graph.bbox_m[graph.passage_zones].astype(float).transpose(1, 0, 2)
    gap = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    along = np.where((gap[:, 0] > gap[:, 1])[:, None], [1.0, 0.0], [0.0, 1.0])  # the wall runs where the boxes overlap
    reach = np.minimum(length_m, 0.8 * np.maximum(gap.max(axis=1), 0.5))[:, None]
    return np.stack([points - along * reach / 2.0, points + along * reach / 2.0], axis=1)


def stand(
    graph: HospitalGraph, robots: Array, patients: Array, robot_gap_m: float, patient_gap_m: float
) -> tuple[Array, Array]:
    """Give everybody a place in their zone: robots in the upper rows, patients below, none on top of another.

    Args:
        graph: the building.
        robots, patients: (R,) and (P,) zones, -1 for those who are not shown.
        robot_gap_m, patient_gap_m: distance between neighbours; less in a crowded room.

    Returns:
        (R, 2) and (P, 2) positions in m, NaN for those not shown.
    """
    places = np.full((len(robots), 2), np.nan), np.full((len(patients), 2), np.nan)
    for zone in np.unique(np.concatenate([robots, patients])):
        if zone < 0:
            continue
        width, height = (graph.bbox_m[zone, 2:] - graph.bbox_m[zone, :2]).tolist()
        groups = [np.flatnonzero(robots == zone), np.flatnonzero(patients == zone)]
        gaps = (robot_gap_m, patient_gap_m)
        columns = [
            max(1, min(len(g), max(int(width / gap), math.isqrt(len(g))))) for g, gap in zip(groups, gaps, strict=True)
        ]
        rows = [-(-len(g) // c) for g, c in zip(groups, columns, strict=True)]
        depth = sum(n * gap for n, gap in zip(rows, gaps, strict=True))
        tight = min(1.0, max(_TIGHTEST, height / depth))
        top = float(graph.position_m[zone, 1]) + depth * tight / 2.0
        for place, group, gap, count in zip(places, groups, gaps, columns, strict=True):
            for k, row in enumerate(range(0, len(group), count)):
                line = group[row : row + count]
                offset = (np.arange(len(line)) - (len(line) - 1) / 2.0) * gap
                place[line, 0] = graph.position_m[zone, 0] + offset
                place[line, 1] = top - (k + 0.5) * gap * tight
            top -= -(-len(group) // count) * gap * tight
    return places


def walk(graph: HospitalGraph, points: Array, start: Array, zone: int, after: int, fraction: float) -> Array:
    """(2,) position of a robot ``fraction`` of the way from its place ``start`` in ``zone`` to the zone ``after``."""
    if after < 0 or graph.storey[zone] != graph.storey[after]:
        return start
    slots = np.flatnonzero(graph.neighbour_zone[zone] == after)
    door = (
        points[graph.neighbour_passage[zone, slots[0]]] if slots.size else (start + graph.position_m[after, :2]) / 2.0
    )
    if fraction < 0.5:
        return np.asarray(start + (door - start) * 2.0 * fraction)
    return np.asarray(door + (graph.position_m[after, :2] - door) * (2.0 * fraction - 1.0))


def push_apart(places: Array, storeys: Array, gap_m: float, rounds: int = 4) -> Array:
    """(n, 2) the places with those of one storey closer than ``gap_m`` moved apart, half the way each."""
    moved = places.copy()
    for _ in range(rounds):
        for i in range(len(moved)):
            for j in np.flatnonzero(storeys[i + 1 :] == storeys[i]) + i + 1:
                way = moved[j] - moved[i]
                distance = float(np.hypot(*way))
                if distance < gap_m:
                    along = way / distance if distance > 1e-6 else np.array([1.0, 0.0])
                    moved[i] -= along * (gap_m - distance) / 2.0
                    moved[j] += along * (gap_m - distance) / 2.0
    return moved
