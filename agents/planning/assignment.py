"""The triage assignment problem: which patient each carrying robot takes next, from a twin snapshot.

**Value of a choice.** A robot's option is worth the expected survival gain per minute of the robot's time: survival at
the predicted handover minus survival at the end of the horizon without help, over the minutes from now to that
handover. Gain per minute rather than gain minus a price on minutes: as a greedy order it is the strongest known here
(5-planning, 3-physical), it needs no price to tune, and it never tells a robot that waiting beats a small gain.

**Roles.** Two robots at most share an extrication (RCRS). A pairwise cost cannot tell the third robot from the second,
so a trapped patient has two options, *lead* (extricates and carries) and *assist* (extricates only); both bear the
patient's slot as id. Couplings:

- lead and assist of one patient: minus what the assistance adds, per minute of the assistant: the survival gained by
  being freed sooner, and the lead's minutes saved valued at the lead's own gain per minute;
- two leads of one patient: a duplicate, the lesser of the two values is lost;
- two in the same role besides cost twice the best assistance. With a leads and b assistants that s would reward a b
  times, (a(a - 1) + b(b - 1)) s is charged, and a^2 + b^2 - ab - a - b >= -1 with -1 only for one of each: nothing
  beats the best pair, however many robots there are.

Congestion between different patients of one zone is not modelled: rooms are large beside the robots.

**Assumed of the patient.** The clock runs at the population's mean pace, faster while trapped; being freed costs the
crush syndrome's clock time, as if no fluids are given first. Smoke and kits are not foreseen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from agents.planning.problem import NO_TASK, PlanningError, Problem
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import COLLAPSE, FREE, TRACKED, TRAPPED
from qdt_env.units import SECONDS_PER_MINUTE, minutes

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot


def triage_assignment(
    snapshot: "TwinSnapshot",
    *,
    robots: Sequence[int] | None = None,
    at_work: Mapping[int, int] | None = None,
    unseen: bool = False,
    max_options: int = 8,
    minimum_trust: float = 0.0,
    config: PhysicalConfig | None = None,
) -> Problem:
    """Extract the problem of who goes to which patient next.

    Args:
        snapshot: what the twin believes now.
        robots: the groups that choose; None for every live tracked robot that carries nobody and is not ``at_work``.
        at_work: patient slot by robot of those that are on a task already: groups with that one option, so that the
            others can assist them and do not double them. Where the patient is not on offer the robot is left out.
        unseen: offer also patients that nobody has seen yet, where the census puts them and with the prior RPM.
        max_options: patients offered at most, >= 1. Each robot's best come first, in turn, so that a robot far from
            the others still finds patients near it.
        minimum_trust: patients trusted less than this are left out, in [0, 1].
        config: pace of the trapped, crush syndrome and endurance; None for the defaults.

    Returns:
        Problem with options "no task" (column 0, id ``NO_TASK``), lead columns, assist columns (ids: patient slots);
        costs in expected survivors per minute, negated. Without free robots it has no groups.

    Raises:
        PlanningError: max_options < 1, or a given robot is out of range, dead, not tracked or carrying.
    """
    if max_options < 1:
        raise PlanningError(f"max_options: must be >= 1, got {max_options}")
    at_work = dict(at_work or {})
    choosing = _crew(snapshot, robots, at_work)
    crew = np.concatenate([choosing, np.array(sorted(at_work), dtype=np.int64)])
    outlook = _outlook(snapshot, crew, minimum_trust, unseen, config or PhysicalConfig())
    lead = np.array([[_lead(outlook, g, k)[0] for k in range(outlook.patients.size)] for g in range(crew.size)])
    lead = lead.reshape(crew.size, outlook.patients.size)
    held = np.flatnonzero(np.isin(outlook.patients, list(at_work.values())))
    wanted = lead[: choosing.size]
    best = _shortlist(wanted, np.isfinite(outlook.arrive_min[: choosing.size]), max_options)
    offered = np.concatenate([best, held[~np.isin(held, best)]])
    assist = np.zeros((crew.size, crew.size, offered.size))
    for g, h in np.argwhere(~np.eye(crew.size, dtype=bool)):
        for column, k in enumerate(offered):
            assist[g, h, column] = _assistance(outlook, int(g), int(h), int(k))
    reachable = np.isfinite(outlook.arrive_min[:, offered])
    problem = _problem(crew, outlook.patients[offered], lead[:, offered], assist, reachable)
    return _with_fixed(problem, at_work) if at_work else problem


def _crew(snapshot: "TwinSnapshot", robots: Sequence[int] | None, at_work: Mapping[int, int]) -> np.ndarray:
    """(G,) int64 robots that can take a patient now and have none yet."""
    fit = snapshot.robot_alive & (snapshot.robot_kind == TRACKED) & (snapshot.robot_patient < 0)
    if robots is None:
        return np.setdiff1d(np.flatnonzero(fit), list(at_work))
    for robot in [*robots, *at_work]:
        if not 0 <= robot < fit.size:
            raise PlanningError(f"robots: {robot} is not in [0, {fit.size})")
        if not fit[robot]:
            raise PlanningError(f"robots: robot {robot} cannot take a patient: dead, not tracked or already carrying")
    return np.asarray(robots, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Outlook:
    """Times and clocks of G robots and K patients, all in minutes from now."""

    patients: np.ndarray  # (K,) int64 patient slots
    arrive_min: np.ndarray  # (G, K) float64, inf where unreachable
    exit_min: np.ndarray  # (G, K) float64, from the patient to an entrance carrying
    work_min: np.ndarray  # (K,) float64 robot-minutes of extrication left, 0 when free
    rpm: np.ndarray  # (K,) float32 in [0, 12]
    unaided: np.ndarray  # (K,) float64 survival at the horizon without help, in [0, 1]
    left_min: float  # until the horizon
    energy_min: np.ndarray  # (G,) float64 of work or motion left in the battery
    least_min: float  # one step: no task is shorter
    pace_trapped: float  # clock factor
    crush_min: float  # clock jump when freed


def _outlook(
    snapshot: "TwinSnapshot", crew: np.ndarray, minimum_trust: float, unseen: bool, config: PhysicalConfig
) -> _Outlook:
    waiting = (snapshot.patient_status == TRAPPED) | (snapshot.patient_status == FREE)
    known = (snapshot.patient_known | unseen) & waiting & (snapshot.patient_zone >= 0)
    patients = np.flatnonzero(known & (snapshot.patient_trust >= minimum_trust))
    zones = snapshot.patient_zone[patients]
    arrive_s = [snapshot.travel_time_s(int(robot))[zones] for robot in crew]
    exit_s = [snapshot.exit_time_s(int(robot))[zones] for robot in crew]
    trapped = snapshot.patient_status[patients] == TRAPPED
    work_min = np.where(trapped, snapshot.patient_work_min[patients], 0.0)
    if unseen:  # whoever lies unseen in a zone believed collapsed is expected to be buried
        buried = ~snapshot.patient_known[patients] & (snapshot.zone_damage[zones] == COLLAPSE)
        trapped = trapped | buried
        work_min = np.where(buried, np.mean(config.work_min), work_min)
    rpm = snapshot.patient_rpm[patients].astype(np.float32)
    left_min = minutes(max(0, snapshot.horizon_steps - snapshot.step) * snapshot.dt_s)
    pace = np.where(trapped, config.pace_trapped, 1.0)
    shape = (crew.size, patients.size)
    return _Outlook(
        patients=patients,
        arrive_min=np.asarray(arrive_s, dtype=np.float64).reshape(shape) / SECONDS_PER_MINUTE,
        exit_min=np.asarray(exit_s, dtype=np.float64).reshape(shape) / SECONDS_PER_MINUTE,
        work_min=work_min,
        rpm=rpm,
        unaided=np.array([_survival_after(r, p * left_min) for r, p in zip(rpm, pace, strict=True)]),
        left_min=left_min,
        energy_min=snapshot.robot_energy[crew].astype(np.float64) * config.endurance_min[TRACKED],
        least_min=minutes(snapshot.dt_s),
        pace_trapped=config.pace_trapped,
        crush_min=config.crush_min,
    )


def _survival_after(rpm: np.float32, clock_min: float) -> float:
    return float(survival(rpm_after(rpm, np.float32(clock_min))))


def _gain(outlook: _Outlook, k: int, freed_min: float, handover_min: float) -> float:
    """Survival gained by freeing patient k at ``freed_min`` and handing it over at ``handover_min``; >= 0."""
    if not handover_min <= outlook.left_min:  # also where a time is inf or nan
        return 0.0
    clock_min = handover_min
    if outlook.work_min[k] > 0.0:
        clock_min = outlook.pace_trapped * freed_min + outlook.crush_min + handover_min - freed_min
    return max(0.0, _survival_after(outlook.rpm[k], clock_min) - float(outlook.unaided[k]))


def _lead(outlook: _Outlook, g: int, k: int) -> tuple[float, float, float]:
    """Gain per minute, gain and minutes of robot g taking patient k alone."""
    freed_min = float(outlook.arrive_min[g, k] + outlook.work_min[k])
    handover_min = max(freed_min + float(outlook.exit_min[g, k]), outlook.least_min)
    gain = _gain(outlook, k, freed_min, handover_min) if handover_min <= outlook.energy_min[g] else 0.0
    return gain / handover_min, gain, handover_min


def _assistance(outlook: _Outlook, g: int, h: int, k: int) -> float:
    """What robot h assisting robot g with patient k adds, per minute of h; >= 0, 0 for a patient already free.

    Both work from their arrival on: the work left when the second arrives is done at twice the pace.
    """
    work_min = float(outlook.work_min[k])
    first, second = sorted((float(outlook.arrive_min[g, k]), float(outlook.arrive_min[h, k])))
    if work_min <= 0.0 or not np.isfinite(second):
        return 0.0
    freed_min = first + work_min if second >= first + work_min else 0.5 * (work_min + first + second)
    taken_min = max(freed_min, float(outlook.arrive_min[g, k]))  # the lead has to be there to carry
    handover_min = max(taken_min + float(outlook.exit_min[g, k]), outlook.least_min)
    busy_min = max(freed_min, float(outlook.arrive_min[h, k]), outlook.least_min)
    if handover_min > outlook.energy_min[g] or busy_min > outlook.energy_min[h]:
        return 0.0
    rate_alone, gain_alone, alone_min = _lead(outlook, g, k)
    gained = _gain(outlook, k, freed_min, handover_min) - gain_alone
    saved = rate_alone * (alone_min - handover_min) if rate_alone > 0.0 else 0.0
    return max(0.0, gained + saved) / busy_min


def _shortlist(lead: np.ndarray, reachable: np.ndarray, max_options: int) -> np.ndarray:
    """Indices of the patients to offer: by the best rank that any robot gives them, then by value."""
    if not lead.size:
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(-lead, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(lead.shape[1]), lead.shape), axis=1)
    rank = np.where(reachable, rank, lead.shape[1]).min(axis=0)
    by_merit = np.lexsort((-lead.max(axis=0), rank))
    someone = np.flatnonzero(reachable.any(axis=0))
    return by_merit[np.isin(by_merit, someone)][:max_options]


def _problem(
    crew: np.ndarray, patients: np.ndarray, lead: np.ndarray, assist: np.ndarray, reachable: np.ndarray
) -> Problem:
    """Lay out the columns: no task, one lead per patient, one assist per patient that assistance helps.

    Args:
        crew: (G,) robots.
        patients: (K,) slots.
        lead: (G, K) gain per minute alone.
        assist: (G, G, K) what the second robot adds to the first as lead.
        reachable: (G, K) bool.
    """
    helped = np.flatnonzero((assist > 0.0).any(axis=(0, 1))) if assist.size else np.zeros(0, dtype=np.int64)
    count = patients.size
    options = 1 + count + helped.size
    linear = np.zeros((crew.size, options))
    linear[:, 1 : 1 + count] = np.where(reachable, -lead, np.inf)
    linear[:, 1 + count :] = np.where(reachable[:, helped], 0.0, np.inf)
    pairwise = np.zeros((crew.size, options, crew.size, options))
    same_role = 2.0 * assist.max(axis=(0, 1), initial=0.0)
    for g, h in np.argwhere(~np.eye(crew.size, dtype=bool)):
        for k in range(count):
            pairwise[g, 1 + k, h, 1 + k] = min(lead[g, k], lead[h, k]) + same_role[k]
        for column, k in enumerate(helped.tolist(), start=1 + count):
            pairwise[g, 1 + k, h, column] = pairwise[h, column, g, 1 + k] = -assist[g, h, k]
            pairwise[g, column, h, column] = same_role[k]
    return Problem(
        name="triage assignment",
        linear=linear,
        pairwise=pairwise,
        distinct=False,
        shareable=np.arange(options) == 0,
        group_ids=crew,
        option_ids=np.concatenate([[NO_TASK], patients, patients[helped]]),
    )


def _with_fixed(problem: Problem, at_work: Mapping[int, int]) -> Problem:
    """The problem with the robots at work held to their patients, the second on a patient as its assistant.

    What is under way counts as done by who does it: another lead of that patient adds nothing.
    """
    linear, pairwise = np.array(problem.linear), np.array(problem.pairwise)
    kept = np.ones(problem.groups, dtype=bool)
    leads: set[int] = set()
    for g, robot in enumerate(problem.group_ids.tolist()):
        if robot not in at_work:
            continue
        columns = np.flatnonzero(problem.option_ids == at_work[robot])
        if not columns.size:
            kept[g] = False
            continue
        column = columns[-1] if at_work[robot] in leads else columns[0]
        leads.add(at_work[robot])
        value = linear[g, column] if np.isfinite(linear[g, column]) else 0.0
        linear[g] = np.inf
        linear[g, column] = value
        for h in np.flatnonzero(np.isfinite(problem.linear[:, columns[0]])):
            if h != g:
                lost = max(pairwise[g, columns[0], h, columns[0]], -problem.linear[h, columns[0]])
                pairwise[g, columns[0], h, columns[0]] = pairwise[h, columns[0], g, columns[0]] = lost
    return replace(problem, linear=linear[kept], pairwise=pairwise[kept][:, :, kept], group_ids=problem.group_ids[kept])
