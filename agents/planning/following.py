"""In which order: the second patient of a robot, given its first.

A robot's second group is worth nothing alone. Given the first patient, the robot starts from the entrance where it
hands that patient over, at that time; the second patient's survival gain over the minutes from now to the second
handover is the pair's value. So a robot's plan is worth the sum of its handovers, each per minute from now, and a
second patient never makes a first one look worse. After an assistance the robot starts at the patient's zone, once
two robots that began together would have freed the patient (assumed).

Pairwise costs cannot tell what a second patient is worth to a robot whose first is not known. A patient whom two robots
take, one of them or both as second, loses the lesser of the two values, a second counted at its best over all firsts:
so doubling never pays, whatever the firsts are.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agents.planning.outlook import Outlook, lead_value
from agents.planning.problem import Problem
from qdt_env.physical.state import TRACKED
from qdt_env.units import SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot


def positions(problem: Problem) -> np.ndarray:
    """(G,) int64 position of each group in its robot's order: 0 next, 1 after that (earlier groups of the same id)."""
    ids = problem.group_ids
    return np.array([int(np.sum(ids[:g] == ids[g])) for g in range(ids.size)], dtype=np.int64)


def following_values(
    snapshot: "TwinSnapshot", outlook: Outlook, problem: Problem, choosing: int, offered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What each patient is worth second, after each first option.

    Args:
        snapshot: what the twin believes now.
        outlook: of the robots and all patients.
        problem: of the first patients; its groups 0 .. choosing-1 are the outlook's.
        choosing: robots that get a second group.
        offered: (K,) indices in the outlook of the patients in the problem's lead columns 1 .. K.

    Returns:
        (choosing, T, K) float64 survivors per minute >= 0, and (choosing, K) float64 the soonest arrival [min].
    """
    zones = snapshot.patient_zone[outlook.patients[offered]]
    entrances = snapshot.building.entrances
    from_entrance = np.array([snapshot.times_from_s(int(e), TRACKED)[zones] for e in entrances]) / SECONDS_PER_MINUTE
    nearest = from_entrance.argmin(axis=0)
    between = np.array([snapshot.times_from_s(int(z), TRACKED)[zones] for z in zones]) / SECONDS_PER_MINUTE
    values = np.zeros((choosing, problem.options, offered.size))
    soonest = np.full((choosing, offered.size), np.inf)
    column_of = {int(p): k for k, p in enumerate(outlook.patients[offered])}
    for g in range(choosing):
        for t in np.flatnonzero(problem.allowed[g]):
            k = column_of.get(int(problem.option_ids[t]))
            if k is None:
                continue
            if t <= offered.size:
                rate, _, free_min = lead_value(outlook, g, int(offered[k]))
                start_min, way_min = (free_min if rate > 0.0 else np.inf), from_entrance[nearest[k]]
            else:
                start_min = outlook.arrive_min[g, offered[k]] + 0.5 * outlook.work_min[offered[k]]
                way_min = between[k]
            for after in range(offered.size):
                if after != k:
                    arrive_min = float(start_min + way_min[after])
                    values[g, t, after] = lead_value(outlook, g, int(offered[after]), arrive_min)[0]
                    soonest[g, after] = min(soonest[g, after], arrive_min)
    return values, soonest


def add_second(problem: Problem, lead: np.ndarray, values: np.ndarray, soonest_min: np.ndarray) -> Problem:
    """The problem with a second group right after each of its first C groups.

    A second group may take "no task" or lead any patient that its robot can reach; it cannot assist.

    Args:
        problem: of the first patients; lead columns are 1 .. K.
        lead: (C, K) float64 value of each patient taken first.
        values: (C, T, K) float64 value of each patient taken after each first option.
        soonest_min: (C, K) float64 the soonest arrival at a second patient [min], inf for never.

    Returns:
        Groups robot 0 next, robot 0 after that, robot 1 next, ...; then the groups that have no second.
    """
    chosen, options, count = values.shape
    groups = problem.groups + chosen
    second = 2 * np.arange(chosen) + 1
    first = np.setdiff1d(np.arange(groups), second)
    leads = slice(1, 1 + count)
    linear = np.full((groups, options), np.inf)
    linear[first] = problem.linear
    linear[second, 0] = 0.0
    linear[second, leads] = np.where(problem.allowed[:chosen, leads], 0.0, np.inf)
    pairwise = np.zeros((groups, options, groups, options))
    pairwise[np.ix_(first, np.arange(options), first, np.arange(options))] = problem.pairwise
    for c in range(chosen):
        pairwise[2 * c, :, 2 * c + 1, leads] = -values[c]
        pairwise[2 * c + 1, leads, 2 * c, :] = -values[c].T
    if not problem.distinct:
        _lose_doubles(pairwise, first, lead, values.max(axis=1), problem)
    ids = np.empty(groups, dtype=np.int64)
    ids[first], ids[second] = problem.group_ids, problem.group_ids[:chosen]
    features = {name: np.full((groups, options), np.inf) for name in problem.features}
    for name, table in problem.features.items():
        features[name][first] = table
        features[name][second, leads] = soonest_min if name == "travel_min" else table[:chosen, leads]
    return replace(problem, name="triage ordering", linear=linear, pairwise=pairwise, group_ids=ids, features=features)


def _lose_doubles(
    pairwise: np.ndarray, first: np.ndarray, lead: np.ndarray, best: np.ndarray, problem: Problem
) -> None:
    """Charge patients whom one robot leads and another takes second, or both take second.

    Robots at work (groups from C on) keep what they have begun: with them the second's value is lost whole.
    """
    for c, k in np.argwhere(best > 0.0):
        g, t = 2 * c + 1, 1 + k
        for index, h in enumerate(first):
            if index != c:
                lost = min(lead[index, k], best[c, k]) if index < len(lead) else best[c, k]
                pairwise[g, t, h, t] = pairwise[h, t, g, t] = lost
        for d in range(c):
            h = 2 * d + 1
            pairwise[g, t, h, t] = pairwise[h, t, g, t] = min(best[c, k], best[d, k])
