"""The routing problem: which of a few risk-aware routes each robot takes, so that they help and not hinder each other.

**Cost of a route**, in expected survivors lost on the way: expected minutes, times what a minute of the robot is worth
and what the carried patient loses in it (the clock runs faster in dense smoke), and the risk that a zone on the way
collapses, times what the robot would still have been worth. Expected minutes count the crossings and, with the
probability that a passage is blocked (see ``passage_risk``), the clearing of it or the way round.

The unit is survivors and not survivors per minute as in the other families: every route serves the same task of its
robot, so a route wins nothing, it only loses time; there is no gain to divide by minutes.

**Couplings** of two robots whose routes share a passage:

- *clearing*: rubble is cleared once. A tracked robot that comes second finds the passage open or helps, so that the
  rest goes twice as fast; what both save is a gain.
- *congestion*: two robots on the floor that want through the same narrow passage at the same time lose the time that
  their crossings overlap, at the price of the robot that can best wait; dragged patients make crossings long. Robots
  that follow or meet each other lose it once, in the passage where the overlap is longest. The environment lets robots
  pass each other, so this is a planner's caution (assumed), not a law of the mission.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from agents.planning.outlook import survival_after
from agents.planning.passage_risk import blocked_probability, collapse_rate_per_min
from agents.planning.problem import PlanningError, Problem
from agents.planning.route_couplings import Route, route_coupling
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.robots import crossing_time_s
from qdt_env.physical.state import BLOCKED, OPEN, TRACKED
from qdt_env.records import as_record
from qdt_env.units import SECONDS_PER_MINUTE, minutes

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot

_DECLINE_OVER_MIN = 10.0  # the carried patient's loss per minute is taken over this time


@dataclass(frozen=True)
class RoutingConfig:
    """What the physics does not say about routes; all assumed.

    Attributes:
        worth_per_min: survivors that a minute of a robot is worth where the caller does not know, > 0.
        detour_min: what a robot that cannot clear loses at a passage found blocked [min], >= 0.
        narrow_m: passages up to this width let one robot through at a time [m], >= 0.
        margin_min: how much earlier or later than expected a robot may come [min], >= 0.

    Raises:
        PlanningError: a value out of range.
    """

    worth_per_min: float = 0.01
    detour_min: float = 5.0
    narrow_m: float = 1.2
    margin_min: float = 0.25

    def __post_init__(self) -> None:
        for name in ("worth_per_min", "detour_min", "narrow_m", "margin_min"):
            value = getattr(self, name)
            if not 0.0 <= value < np.inf or (name == "worth_per_min" and value == 0.0):
                raise PlanningError(f"routing {name}: must be finite and >= 0 (worth_per_min > 0), got {value}")


@dataclass(frozen=True, eq=False)
class RoutingProblem:
    """The problem, and the routes that its options mean.

    Attributes:
        problem: groups are robots, option t of group g is ``routes[g][t]``; costs in expected survivors lost.
        routes: per group its routes, best first; a group may have fewer than the problem has options.
    """

    problem: Problem
    routes: tuple[tuple[Route, ...], ...]


@dataclass(frozen=True, eq=False)
class _Traveller:
    """What one robot makes of the passages."""

    crossing_min: np.ndarray  # (E,) float64, inf where it cannot pass
    extra_min: np.ndarray  # (E,) float64 expected clearing or detour
    price: float  # survivors lost per minute
    cost: np.ndarray  # (E,) float64 expected survivors lost in crossing


def routing(
    snapshot: "TwinSnapshot",
    destinations: Mapping[int, int],
    *,
    routes: int = 4,
    worth_per_min: Mapping[int, float] | None = None,
    settings: RoutingConfig | None = None,
    config: PhysicalConfig | None = None,
) -> RoutingProblem:
    """Extract the problem of who takes which route.

    Args:
        snapshot: what the twin believes now.
        destinations: zone by robot, for the robots that are under way.
        routes: routes per robot at most, >= 1.
        worth_per_min: survivors that a minute of a robot is worth, for robots where the caller knows; > 0.
        settings: what the physics does not say; None for the defaults.
        config: of the physics; None for the snapshot's.

    Returns:
        The problem with features "travel_min" (expected) and "rpm" (of the patient carried, 12 for nobody), and the
        routes. Robots that are dead or cannot reach their destination by the believed map are left out.

    Raises:
        PlanningError: routes < 1, a robot or a zone that does not exist, or a worth that is not positive.
    """
    settings, config = settings or RoutingConfig(), config or snapshot.physical
    _check(snapshot, destinations, routes, worth_per_min or {})
    blocked, collapse = blocked_probability(snapshot, config), collapse_rate_per_min(snapshot, config)
    crew, menus, travellers = [], [], []
    for robot in sorted(destinations):
        worth = (worth_per_min or {}).get(robot, settings.worth_per_min)
        traveller = _traveller(snapshot, robot, worth, blocked, collapse, settings, config)
        menu = _shortest(snapshot, robot, destinations[robot], traveller, routes)
        if snapshot.robot_alive[robot] and menu:
            crew.append(robot)
            menus.append(menu)
            travellers.append(traveller)
    prices = [traveller.price for traveller in travellers]
    return RoutingProblem(_problem(snapshot, crew, menus, prices, routes, blocked, settings, config), tuple(menus))


def _check(
    snapshot: "TwinSnapshot", destinations: Mapping[int, int], routes: int, worth_per_min: Mapping[int, float]
) -> None:
    if routes < 1:
        raise PlanningError(f"routes: must be >= 1, got {routes}")
    for robot, zone in destinations.items():
        if not 0 <= robot < snapshot.robot_kind.size:
            raise PlanningError(f"destinations: robot {robot} is not in [0, {snapshot.robot_kind.size})")
        if not 0 <= zone < snapshot.building.n_zones:
            raise PlanningError(
                f"destinations: zone {zone} of robot {robot} is not in [0, {snapshot.building.n_zones})"
            )
    for robot, worth in worth_per_min.items():
        if not 0.0 < worth < np.inf:
            raise PlanningError(f"worth_per_min: of robot {robot} must be > 0 and finite, got {worth}")


def _traveller(
    snapshot: "TwinSnapshot",
    robot: int,
    worth: float,
    blocked: np.ndarray,
    collapse: np.ndarray,
    settings: RoutingConfig,
    config: PhysicalConfig,
) -> _Traveller:
    """Times and costs of every passage for one robot."""
    building, kind = snapshot.building, int(snapshot.robot_kind[robot])
    record: Any = as_record(config)[0]
    patient = int(snapshot.robot_patient[robot])
    clears = kind == TRACKED
    condition = snapshot.passage_condition
    if clears:
        condition = np.where(condition == BLOCKED, OPEN, condition)
    crossing_min = np.empty(building.n_passages)
    for passage_kind, state in {*zip(building.passage_kind.tolist(), condition.tolist(), strict=True)}:
        like = (building.passage_kind == passage_kind) & (condition == state)
        s_per_m = crossing_time_s(kind, passage_kind, np.float32(1.0), state, patient >= 0, record)
        crossing_min[like] = s_per_m * building.length_m[like] / SECONDS_PER_MINUTE
    extra_min = blocked * (config.clear_median_min if clears else settings.detour_min)
    decline = 0.0
    if patient >= 0:
        rpm = np.float32(snapshot.patient_rpm[patient])
        decline = (survival_after(rpm, 0.0) - survival_after(rpm, _DECLINE_OVER_MIN)) / _DECLINE_OVER_MIN
    ends = building.passage_zones
    smoky = (snapshot.zone_smoke[ends] > config.dense_smoke).mean(axis=1)
    left_min = max(0, snapshot.horizon_steps - snapshot.step) * minutes(snapshot.dt_s)
    lost = config.lost_probability * collapse[ends].mean(axis=1) * (config.cost_robot_lost + worth * left_min)
    per_min = worth + decline * (1.0 + (config.pace_smoke - 1.0) * smoky) + lost
    return _Traveller(crossing_min, extra_min, worth + decline, per_min * (crossing_min + extra_min))


def _shortest(
    snapshot: "TwinSnapshot", robot: int, destination: int, traveller: _Traveller, routes: int
) -> tuple[Route, ...]:
    """The cheapest routes without loops (Yen's algorithm), best first; none where there is no way."""
    start = int(snapshot.robot_zone[robot])
    if start == destination:
        return (_route(snapshot, robot, (start,), (), traveller),)
    graph = nx.Graph()
    for e, (a, b) in enumerate(snapshot.building.passage_zones.tolist()):
        cost = float(traveller.cost[e])
        if np.isfinite(cost) and cost < graph.get_edge_data(a, b, {"cost": np.inf})["cost"]:
            graph.add_edge(a, b, cost=cost, passage=e)
    if not (graph.has_node(start) and graph.has_node(destination) and nx.has_path(graph, start, destination)):
        return ()
    paths: Iterable[list[int]] = nx.shortest_simple_paths(
        _between(graph, start, destination), start, destination, "cost"
    )
    found = []
    for zones in islice(paths, routes):
        passages = tuple(graph.edges[a, b]["passage"] for a, b in zip(zones, zones[1:], strict=False))
        found.append(_route(snapshot, robot, tuple(zones), passages, traveller))
    return tuple(found)


def _between(graph: nx.Graph, start: int, destination: int) -> nx.Graph:
    """The part of a graph through which ways without loops can lead: most rooms of a building are dead ends.

    It is the biconnected component of both ends once an edge joins them.
    """
    closed = nx.Graph(graph.edges)
    closed.add_edge(start, destination)
    for zones in nx.biconnected_components(closed):
        if start in zones and destination in zones:
            return graph.subgraph(zones).copy()
    raise AssertionError("an edge lies in a biconnected component")


def _route(
    snapshot: "TwinSnapshot", robot: int, zones: tuple[int, ...], passages: tuple[int, ...], traveller: _Traveller
) -> Route:
    """The timetable of one route."""
    chosen = np.array(passages, dtype=np.int64)
    leave_min = np.cumsum(traveller.crossing_min[chosen] + traveller.extra_min[chosen])
    return Route(
        kind=int(snapshot.robot_kind[robot]),
        zones=zones,
        passages=passages,
        enter_min=leave_min - traveller.crossing_min[chosen],
        leave_min=leave_min,
        minutes=float(leave_min[-1]) if chosen.size else 0.0,
        cost=float(traveller.cost[chosen].sum()),
    )


def _problem(
    snapshot: "TwinSnapshot",
    crew: list[int],
    menus: list[tuple[Route, ...]],
    prices: list[float],
    routes: int,
    blocked: np.ndarray,
    settings: RoutingConfig,
    config: PhysicalConfig,
) -> Problem:
    options = max((len(menu) for menu in menus), default=1)
    linear = np.full((len(crew), options), np.inf)
    travel_min = np.full_like(linear, np.inf)
    pairwise = np.zeros((len(crew), options, len(crew), options))
    narrow = snapshot.building.width_m <= settings.narrow_m
    for g, menu in enumerate(menus):
        linear[g, : len(menu)] = [route.cost for route in menu]
        travel_min[g, : len(menu)] = [route.minutes for route in menu]
        for h in range(g):
            for t, one in enumerate(menu):
                for u, other in enumerate(menus[h]):
                    cost = route_coupling(
                        one,
                        other,
                        prices=(prices[g], prices[h]),
                        clearing_min=config.clear_median_min * blocked,
                        narrow=narrow,
                        margin_min=settings.margin_min,
                    )
                    pairwise[g, t, h, u] = pairwise[h, u, g, t] = cost
    carried = snapshot.robot_patient[crew] if crew else np.zeros(0, dtype=np.int64)
    rpm = np.where(carried >= 0, snapshot.patient_rpm[carried], 12.0)
    return Problem(
        name="routing",
        linear=linear,
        pairwise=pairwise,
        distinct=False,
        shareable=np.ones(options, dtype=bool),
        group_ids=np.array(crew, dtype=np.int64),
        option_ids=np.arange(options),
        features={"travel_min": travel_min, "rpm": np.where(np.isfinite(linear), rpm[:, None], np.inf)},
    )
