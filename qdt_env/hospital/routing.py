"""Shortest travel times in a building, exact, without a priority queue.

Zones are eliminated in minimum-degree order; eliminating a zone joins its remaining neighbours by shortcuts. Buildings
are nearly trees (small treewidth), so few shortcuts arise. With a traversal time per passage, ``customise`` fills the
shortcut weights and ``travel_times`` answers one-to-all queries in two linear sweeps over the arcs: cost O(arcs),
memory access in order, no heap. That makes it cheap enough to ask at every step for every robot's own believed map.

Source: Dibbelt, Strasser, Wagner 2016, "Customizable Contraction Hierarchies", J. Exp. Algorithmics 21(1); the sweep
order is that of Delling et al. 2013, "PHAST". Weights here are symmetric.
"""

import functools
from typing import NamedTuple

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.hospital.graph import HospitalGraph


class Hierarchy(NamedTuple):
    """The weight-independent part: Z zones, E passages, M arcs to later-eliminated zones, T triangles."""

    order: (
        np.ndarray
    )  # (Z,) uint32 (as all below but parent: no wrap-around test when used as an index), zone eliminated k-th
    rank: np.ndarray  # (Z,), inverse of order
    parent: np.ndarray  # (Z,) int32, zone's lowest later neighbour, -1 at a root
    first_arc: np.ndarray  # (Z+1,), arcs of order[k] are first_arc[k] .. first_arc[k+1]-1
    arc_from: np.ndarray  # (M,), the earlier-eliminated end of the arc
    arc_zone: np.ndarray  # (M,), the later-eliminated end of the arc
    passage_arc: np.ndarray  # (E,), the arc that a passage lies on
    triangles: np.ndarray  # (T, 3), arcs (a, b, c): c may be shortened to a + b; in elimination order


@functools.lru_cache(maxsize=16)
def build_hierarchy(graph: HospitalGraph) -> Hierarchy:
    """Eliminate the zones of ``graph`` by minimum degree (ties by index) and list arcs and triangles."""
    n = graph.n_zones
    neighbours: list[set[int]] = [set() for _ in range(n)]
    for a, b in graph.passage_zones.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    order, later = _eliminate(neighbours)
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    arcs: dict[tuple[int, int], int] = {}
    first_arc: list[int] = [0]
    arc_zone: list[int] = []
    for v in order:
        for u in sorted(later[v], key=lambda z: rank[z]):
            arcs[v, u] = len(arc_zone)
            arc_zone.append(u)
        first_arc.append(len(arc_zone))
    triangles = []
    for v in order:
        ends = sorted(later[v], key=lambda z: rank[z])
        triangles += [(arcs[v, u], arcs[v, w], arcs[u, w]) for i, u in enumerate(ends) for w in ends[i + 1 :]]
    parent = np.full(n, -1, np.int32)
    for v in order:
        if later[v]:
            parent[v] = min(later[v], key=lambda z: rank[z])
    passage_arc = [arcs[(a, b) if rank[a] < rank[b] else (b, a)] for a, b in graph.passage_zones.tolist()]
    return Hierarchy(
        order=np.array(order, np.uint32),
        rank=rank.astype(np.uint32),
        parent=parent,
        first_arc=np.array(first_arc, np.uint32),
        arc_from=np.repeat(np.array(order, np.uint32), np.diff(first_arc)),
        arc_zone=np.array(arc_zone, np.uint32),
        passage_arc=np.array(passage_arc, np.uint32),
        triangles=np.array(triangles, np.uint32).reshape(-1, 3),
    )


def _eliminate(neighbours: list[set[int]]) -> tuple[list[int], list[set[int]]]:
    """Minimum-degree order, and for each zone its neighbours at the time it was eliminated."""
    left = [set(s) for s in neighbours]
    later: list[set[int]] = [set() for _ in left]
    alive = set(range(len(left)))
    order = []
    while alive:
        v = min(alive, key=lambda z: (len(left[z]), z))
        later[v] = set(left[v])
        for u in left[v]:
            left[u] |= left[v]
            left[u] -= {u, v}
        alive.remove(v)
        order.append(v)
    return order, later


@phase
def customise(hierarchy, passage_time_s, arc_time_s):
    """Fill the arc times for one map.

    Args:
        hierarchy: a :class:`Hierarchy`.
        passage_time_s: (E,) float32 seconds to cross each passage, inf where closed.
        arc_time_s: (M,) float32, written.
    """
    arc_time_s[:] = np.float32(np.inf)
    for e in range(passage_time_s.shape[0]):
        arc = hierarchy.passage_arc[e]
        arc_time_s[arc] = min(arc_time_s[arc], passage_time_s[e])
    for t in range(hierarchy.triangles.shape[0]):
        arc = hierarchy.triangles[t, 2]
        through = arc_time_s[hierarchy.triangles[t, 0]] + arc_time_s[hierarchy.triangles[t, 1]]
        arc_time_s[arc] = min(arc_time_s[arc], through)


# The sweeps take minima without asking whether they change anything: a branch that goes either way costs more.


@rule
def climb(hierarchy, arc_time_s, arc, time_s):
    """Relax an arc from its earlier-eliminated end to its later."""
    u = hierarchy.arc_zone[arc]
    time_s[u] = min(time_s[u], time_s[hierarchy.arc_from[arc]] + arc_time_s[arc])


@phase
def sweep_up(hierarchy, arc_time_s, source, time_s):
    """Relax from ``source`` along its chain of later-eliminated zones (``time_s`` initialised by the caller)."""
    v = source
    while v >= 0:
        k = hierarchy.rank[v]
        for arc in range(hierarchy.first_arc[k], hierarchy.first_arc[k + 1]):
            climb(hierarchy, arc_time_s, arc, time_s)
        v = hierarchy.parent[v]


@phase
def sweep_down(hierarchy, arc_time_s, time_s):
    """Settle every zone from the zones eliminated after it."""
    for arc in range(hierarchy.arc_zone.shape[0] - 1, -1, -1):
        v = hierarchy.arc_from[arc]
        time_s[v] = min(time_s[v], time_s[hierarchy.arc_zone[arc]] + arc_time_s[arc])


@phase
def travel_times(hierarchy, arc_time_s, source, time_s):
    """Seconds from ``source`` to every zone, inf where unreachable.

    Args:
        hierarchy: a :class:`Hierarchy`.
        arc_time_s: (M,) float32 from :func:`customise`.
        source: zone index.
        time_s: (Z,) float32, written.
    """
    time_s[:] = np.float32(np.inf)
    time_s[source] = np.float32(0.0)
    sweep_up(hierarchy, arc_time_s, source, time_s)
    sweep_down(hierarchy, arc_time_s, time_s)


@phase
def travel_times_to_any(hierarchy, arc_time_s, sources, time_s):
    """Seconds from every zone to the nearest of ``sources``; arguments as in :func:`travel_times`."""
    time_s[:] = np.float32(np.inf)
    for i in range(sources.shape[0]):
        time_s[sources[i]] = np.float32(0.0)
    for arc in range(hierarchy.arc_zone.shape[0]):  # shorter than the chains of many sources one by one
        climb(hierarchy, arc_time_s, arc, time_s)
    sweep_down(hierarchy, arc_time_s, time_s)
