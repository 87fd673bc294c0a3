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

**Order.** With two positions a robot chooses whom it takes next and whom after that, see ``following``. Without
sharing, leads only are on offer and the rule "all chosen patients differ" takes the place of the couplings above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agents.planning.following import add_second, following_values
from agents.planning.outlook import Outlook, assistance_value, foresee, lead_value, shortlist
from agents.planning.problem import NO_TASK, PlanningError, Problem
from agents.planning.reshape import restrict
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.state import TRACKED

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
    positions: int = 1,
    sharing: bool = True,
    config: PhysicalConfig | None = None,
) -> Problem:
    """Extract the problem of who goes to which patient next, and with two positions to whom after that.

    Args:
        snapshot: what the twin believes now.
        robots: the groups that choose; None for every live tracked robot that carries nobody and is not ``at_work``.
        at_work: patient slot by robot of those that are on a task already: groups with that one option, so that the
            others can assist them and do not double them. Where the patient is not on offer the robot is left out.
        unseen: offer also patients that nobody has seen yet, where the census puts them and with the prior RPM.
        max_options: patients offered at most, >= 1. Each robot's best come first, in turn, so that a robot far from
            the others still finds patients near it.
        minimum_trust: patients trusted less than this are left out, in [0, 1].
        positions: 1, or 2: every choosing robot then has two groups, its next patient and the one after, side by side
            and with the same id; :func:`agents.planning.following.positions` tells them apart.
        sharing: two robots may share an extrication. False: no assist columns, and the problem is ``distinct``.
        config: pace of the trapped, crush syndrome and endurance; None for the scenario's.

    Returns:
        Problem with options "no task" (column 0, id ``NO_TASK``), lead columns, assist columns (ids: patient slots);
        costs in expected survivors per minute, negated. Without free robots it has no groups. Features: "travel_min"
        (of a second patient: by way of the first that lets the robot be there soonest) and "rpm".

    Raises:
        PlanningError: max_options < 1, positions other than 1 and 2, or a given robot is out of range, dead, not
            tracked or carrying.
    """
    if max_options < 1:
        raise PlanningError(f"max_options: must be >= 1, got {max_options}")
    if positions not in (1, 2):
        raise PlanningError(f"positions: must be 1 or 2, got {positions!r}")
    at_work = dict(at_work or {})
    choosing = _crew(snapshot, robots, at_work)
    crew = np.concatenate([choosing, np.array(sorted(at_work), dtype=np.int64)])
    outlook = foresee(snapshot, crew, minimum_trust, unseen, config or snapshot.physical)
    lead = np.array([[lead_value(outlook, g, k)[0] for k in range(outlook.patients.size)] for g in range(crew.size)])
    lead = lead.reshape(crew.size, outlook.patients.size)
    held = np.flatnonzero(np.isin(outlook.patients, list(at_work.values())))
    wanted = lead[: choosing.size]
    best = shortlist(wanted, np.isfinite(outlook.arrive_min[: choosing.size]), max_options)
    offered = np.concatenate([best, held[~np.isin(held, best)]])
    problem = _problem(outlook, crew, offered, lead[:, offered], _assistance(outlook, offered, sharing), sharing)
    if at_work:
        problem = _with_fixed(problem, at_work)
    if positions == 2 and choosing.size:
        follow = following_values(snapshot, outlook, problem, choosing.size, offered)
        problem = add_second(problem, lead[: choosing.size, offered], *follow)
    return problem


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


def _assistance(outlook: Outlook, offered: np.ndarray, sharing: bool) -> np.ndarray:
    """(G, G, K) what the second robot adds to the first as lead; zero without sharing."""
    groups = len(outlook.arrive_min)
    assist = np.zeros((groups, groups, offered.size))
    for g, h in np.argwhere(~np.eye(groups, dtype=bool)) if sharing else ():
        for column, k in enumerate(offered):
            assist[g, h, column] = assistance_value(outlook, int(g), int(h), int(k))
    return assist


def _problem(
    outlook: Outlook, crew: np.ndarray, offered: np.ndarray, lead: np.ndarray, assist: np.ndarray, sharing: bool
) -> Problem:
    """Lay out the columns: no task, one lead per patient, one assist per patient that assistance helps.

    Args:
        outlook: of the crew (G,) robots.
        crew: (G,) robots.
        offered: (K,) indices of patients in the outlook.
        lead: (G, K) gain per minute alone.
        assist: (G, G, K) what the second robot adds to the first as lead.
        sharing: whether two robots may be with one patient.
    """
    patients, arrive_min = outlook.patients[offered], outlook.arrive_min[:, offered]
    reachable = np.isfinite(arrive_min)
    helped = np.flatnonzero((assist > 0.0).any(axis=(0, 1))) if assist.size else np.zeros(0, dtype=np.int64)
    count = patients.size
    options = 1 + count + helped.size
    linear = np.zeros((crew.size, options))
    linear[:, 1 : 1 + count] = np.where(reachable, -lead, np.inf)
    linear[:, 1 + count :] = np.where(reachable[:, helped], 0.0, np.inf)
    pairwise = np.zeros((crew.size, options, crew.size, options))
    same_role = 2.0 * assist.max(axis=(0, 1), initial=0.0)
    for g, h in np.argwhere(~np.eye(crew.size, dtype=bool)) if sharing else ():
        for k in range(count):
            pairwise[g, 1 + k, h, 1 + k] = min(lead[g, k], lead[h, k]) + same_role[k]
        for column, k in enumerate(helped.tolist(), start=1 + count):
            pairwise[g, 1 + k, h, column] = pairwise[h, column, g, 1 + k] = -assist[g, h, k]
            pairwise[g, column, h, column] = same_role[k]
    nobody = np.full((crew.size, 1), np.inf)
    rpm = np.tile(outlook.rpm[offered].astype(np.float64), (crew.size, 1))
    return Problem(
        name="triage assignment",
        linear=linear,
        pairwise=pairwise,
        distinct=not sharing,
        shareable=np.arange(options) == 0,
        group_ids=crew,
        option_ids=np.concatenate([[NO_TASK], patients, patients[helped]]),
        features={
            "travel_min": np.concatenate([nobody, arrive_min, arrive_min[:, helped]], axis=1),
            "rpm": np.concatenate([nobody, rpm, rpm[:, helped]], axis=1),
        },
    )


def _with_fixed(problem: Problem, at_work: Mapping[int, int]) -> Problem:
    """The problem with the robots at work held to their patients, the second on a patient as its assistant.

    What is under way counts as done by who does it: another lead of that patient adds nothing. Without assist columns
    the second is left out.
    """
    linear, pairwise = np.array(problem.linear), np.array(problem.pairwise)
    kept = np.ones(problem.groups, dtype=bool)
    leads: set[int] = set()
    for g, robot in enumerate(problem.group_ids.tolist()):
        if robot not in at_work:
            continue
        columns = np.flatnonzero(problem.option_ids == at_work[robot])
        if not columns.size or (problem.distinct and at_work[robot] in leads):
            kept[g] = False
            continue
        column = columns[-1] if at_work[robot] in leads else columns[0]
        leads.add(at_work[robot])
        value = linear[g, column] if np.isfinite(linear[g, column]) else 0.0
        linear[g] = np.inf
        linear[g, column] = value
        for h in np.flatnonzero(np.isfinite(problem.linear[:, columns[0]])):
            if h != g and not problem.distinct:
                lost = max(pairwise[g, columns[0], h, columns[0]], -problem.linear[h, columns[0]])
                pairwise[g, columns[0], h, columns[0]] = pairwise[h, columns[0], g, columns[0]] = lost
    held = replace(problem, linear=linear, pairwise=pairwise)
    return restrict(held, np.flatnonzero(kept), range(problem.options))
