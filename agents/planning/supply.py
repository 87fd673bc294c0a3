"""The supply problem: to which patient each kit of the legged robots goes.

**Groups are kits.** A robot with kits brings those; an empty one first fills up at the nearest depot that has any, as
robots do in the mission. So payload and stock hold by construction: a robot has as many groups as kits that it can
bring. The twin does not know what is left in a depot; unless the caller does, a depot counts as full.

**Value of a choice.** Survival at the horizon gained by the kit, per minute until it is there, see ``kit_value``.

**Rule.** One kit per patient, so the problem is ``distinct``: physics would only prolong a kit that works already, and
robots do not serve a patient twice.

**Couplings.**

- Kits of one robot are delivered one after the other: the pair costs what is lost by the later of the two coming after
  the former, in the better order. Exact for two kits; for more, the losses of the pairs add up to an estimate.
- Robots that reach a depot sooner are counted first. The last kit of a depot is open to all who still want one: two
  that take it lose the lesser of the two values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.planning.kit_value import Kits, kit_rate, outlook_on_kits
from agents.planning.outlook import shortlist
from agents.planning.problem import NO_TASK, PlanningError, Problem
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.state import LEGGED
from qdt_env.units import SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot

OWN_LOAD = -1  # source of a kit that the robot carries already


@dataclass(frozen=True, eq=False)
class SupplyProblem:
    """The problem, and where the kits come from.

    Attributes:
        problem: groups are kits (ids: robots, which repeat), options "no task" and patients (ids: slots); costs in
            expected survivors per minute, negated.
        source: (G,) int64 zone of the depot that the kit comes from, ``OWN_LOAD`` for a kit on board.
    """

    problem: Problem
    source: np.ndarray


def supply_delivery(
    snapshot: "TwinSnapshot",
    *,
    robots: Sequence[int] | None = None,
    kits_per_robot: int = 1,
    stock: Mapping[int, int] | None = None,
    freed_min: Mapping[int, float] | None = None,
    unseen: bool = False,
    max_options: int = 8,
    minimum_trust: float = 0.0,
    config: PhysicalConfig | None = None,
) -> SupplyProblem:
    """Extract the problem of which kit goes to whom.

    Args:
        snapshot: what the twin believes now.
        robots: who brings kits; None for every live legged robot.
        kits_per_robot: deliveries planned ahead, >= 1; the kits on board (or the capacity, for who fills up) bound it.
        stock: kits left by depot zone, >= 0, as far as the caller knows; a depot not named counts as full.
        freed_min: minutes until the extrication of a patient ends, by slot, as far as somebody is at work on it.
        unseen: offer also patients that nobody has seen yet.
        max_options: patients offered at most, >= 1.
        minimum_trust: patients trusted less than this are left out, in [0, 1].
        config: of the physics; None for the snapshot's.

    Returns:
        The problem, its features "travel_min" and "rpm", and the sources.

    Raises:
        PlanningError: a setting out of range, or a given robot is out of range, dead or not legged.
    """
    config = config or snapshot.physical
    for name, value in (("kits_per_robot", kits_per_robot), ("max_options", max_options)):
        if value < 1:
            raise PlanningError(f"{name}: must be >= 1, got {value}")
    depots = {int(zone): (stock or {}).get(int(zone), config.depot_kits) for zone in snapshot.building.depots}
    if min(depots.values(), default=0) < 0:
        raise PlanningError(f"stock: kits left must be >= 0, got {dict(stock or {})}")
    crew = _crew(snapshot, robots)
    load = snapshot.robot_kits[crew].astype(np.int64)
    depot, to_depot_min = _fill_at(snapshot, crew, load, depots)
    kits = outlook_on_kits(
        snapshot, crew, depot, to_depot_min, freed_min or {}, minimum_trust=minimum_trust, unseen=unseen, config=config
    )
    rate = np.array([[kit_rate(kits, g, k) for k in range(kits.patients.size)] for g in range(crew.size)])
    rate = rate.reshape(kits.arrive_min.shape)
    offered = shortlist(rate, np.isfinite(kits.arrive_min), max_options)
    carried = np.where(load > 0, load, int(config.kit_capacity[LEGGED]))
    reaches = np.isfinite(kits.arrive_min[:, offered]).any(axis=1)
    wanted = np.where(reaches, np.minimum(kits_per_robot, carried), 0)
    owner, contested = _share_out(depot, to_depot_min, wanted, depots)
    return SupplyProblem(_problem(snapshot, kits, offered, rate, owner, contested), depot[owner])


def _crew(snapshot: "TwinSnapshot", robots: Sequence[int] | None) -> np.ndarray:
    fit = snapshot.robot_alive & (snapshot.robot_kind == LEGGED)
    if robots is None:
        return np.flatnonzero(fit)
    for robot in robots:
        if not 0 <= robot < fit.size:
            raise PlanningError(f"robots: {robot} is not in [0, {fit.size})")
        if not fit[robot]:
            raise PlanningError(f"robots: robot {robot} cannot bring kits: dead or not legged")
    return np.asarray(robots, dtype=np.int64)


def _fill_at(
    snapshot: "TwinSnapshot", crew: np.ndarray, load: np.ndarray, depots: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where each robot fills up, (C,) zones and minutes until there; ``OWN_LOAD`` and 0 with kits on board."""
    depot = np.full(crew.size, OWN_LOAD, dtype=np.int64)
    to_depot_min = np.zeros(crew.size)
    stocked = np.array([zone for zone, kits in depots.items() if kits > 0], dtype=np.int64)
    for c in np.flatnonzero(load == 0):
        to_depot_min[c] = np.inf
        if stocked.size:
            way_min = snapshot.travel_time_s(int(crew[c]))[stocked] / SECONDS_PER_MINUTE
            depot[c], to_depot_min[c] = stocked[way_min.argmin()], way_min.min()
    return depot, to_depot_min


def _share_out(
    depot: np.ndarray, to_depot_min: np.ndarray, wanted: np.ndarray, depots: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Who gets how many kits.

    Returns:
        (G,) int64 index in the crew of the robot of each kit, and (G,) bool the kits that are a depot's last.
    """
    got, lasts = wanted.copy(), np.zeros(wanted.size, dtype=bool)
    for zone in set(depot.tolist()) - {OWN_LOAD}:
        left = depots[zone]
        there = np.flatnonzero((depot == zone) & (wanted > 0))
        demand = int(wanted[there].sum())
        for c in there[np.argsort(to_depot_min[there], kind="stable")]:
            if demand > depots[zone]:
                lasts[c] = wanted[c] >= left
                got[c] = min(wanted[c], left)
                left = max(1, left - int(wanted[c]))  # the last one stays open to the others
    owner = np.repeat(np.arange(wanted.size), got)
    final = np.append(owner[1:] != owner[:-1], True) if owner.size else np.zeros(0, dtype=bool)
    return owner, lasts[owner] & final


def _problem(
    snapshot: "TwinSnapshot",
    kits: Kits,
    offered: np.ndarray,
    rate: np.ndarray,
    owner: np.ndarray,
    contested: np.ndarray,
) -> Problem:
    """Lay out the columns: no task, one per patient offered.

    Args:
        snapshot: what the twin believes now.
        kits: of the crew (C,) and all patients.
        offered: (K,) indices of patients.
        rate: (C, all patients) value of bringing a robot's first kit.
        owner: (G,) index in the crew.
        contested: (G,) bool, kits that are their depot's last.
    """
    arrive_min, direct = kits.arrive_min[:, offered], rate[:, offered]
    reachable = np.isfinite(arrive_min)
    nobody = np.full((owner.size, 1), np.inf)
    linear = np.concatenate([np.zeros((owner.size, 1)), np.where(reachable, -direct, np.inf)[owner]], axis=1)
    pairwise = np.zeros((owner.size, 1 + offered.size) * 2)
    several = np.flatnonzero(np.bincount(owner, minlength=1) > 1).tolist()
    after = {c: _lost_by_order(snapshot, kits, c, offered, direct[c]) for c in several}
    for g in range(owner.size):
        for h in range(g):
            table = np.zeros((offered.size, offered.size))
            if owner[g] == owner[h]:
                table = after[owner[g]]
            elif contested[g] and contested[h] and kits.depot[owner[g]] == kits.depot[owner[h]]:
                table = np.minimum(direct[owner[g]][:, None], direct[owner[h]][None, :])
            pairwise[g, 1:, h, 1:], pairwise[h, 1:, g, 1:] = table, table.T
    rpm = np.tile(kits.rpm[offered].astype(np.float64), (owner.size, 1))
    return Problem(
        name="supply delivery",
        linear=linear,
        pairwise=pairwise,
        distinct=True,
        shareable=np.arange(1 + offered.size) == 0,
        group_ids=kits.crew[owner],
        option_ids=np.concatenate([[NO_TASK], kits.patients[offered]]),
        features={
            "travel_min": np.concatenate([nobody, arrive_min[owner]], axis=1),
            "rpm": np.concatenate([nobody, rpm], axis=1),
        },
    )


def _lost_by_order(snapshot: "TwinSnapshot", kits: Kits, c: int, offered: np.ndarray, direct: np.ndarray) -> np.ndarray:
    """(K, K) what robot c loses, beside both direct values, by serving one patient after the other; symmetric, >= 0."""
    zones = kits.zones[offered]
    second = np.zeros((offered.size, offered.size))
    for a, first in enumerate(offered):
        way_min = snapshot.times_from_s(int(zones[a]), LEGGED)[zones] / SECONDS_PER_MINUTE
        start_min = max(float(kits.arrive_min[c, first]), kits.least_min)
        for b, later in enumerate(offered):
            second[a, b] = kit_rate(kits, c, int(later), start_min + max(float(way_min[b]), kits.least_min))
    both = direct[:, None] + direct[None, :]
    served = np.maximum(direct[:, None] + second, (direct[:, None] + second).T)
    lost = np.maximum(0.0, both - served)
    np.fill_diagonal(lost, 0.0)
    return lost
