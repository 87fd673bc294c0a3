"""The problem families as questions about robots: whom a robot of each kind should go to next, and by which action.

Tracked robots ask the triage question: which patient next, and with two positions in which order. Legged robots ask
the supply question: which patient to bring the next kit to; one without kits is sent to fetch some first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from agents.planning import NO_TASK, Plan, Problem, positions, supply_delivery, triage_assignment
from agents.planning.outlook import waiting_patients
from agents.planning.supply import OWN_LOAD
from qdt_env.physical.state import LEGGED, TRACKED
from qdt_env.spaces import CONTINUE, ActionCodec
from qdt_env.twin.snapshot import TwinSnapshot

NO_ADVICE = -1
FAMILIES = {"triage": TRACKED, "supply": LEGGED}  # and the kind of robot that each is about
_MINUTES_PER_HOUR = 60.0
_NOTHING = 1e-9  # survivors per minute: rounding, and no gain


@dataclass(frozen=True, eq=False)
class Question:
    """One family's problem at one moment.

    Attributes:
        family: "triage" or "supply".
        problem: what to decide.
        robots: (n,) int64, those that choose; other groups hold what they are doing.
        fetching: (R,) bool, robots whose choice begins with fetching a kit.
    """

    family: str
    problem: Problem
    robots: np.ndarray
    fetching: np.ndarray


@dataclass(frozen=True)
class Offer:
    """What is put before the planner.

    Attributes:
        max_options: patients offered at most, >= 1.
        minimum_trust: patients trusted less are left out, [0, 1].
        positions: patients planned ahead for a tracked robot, 1 or 2.
        unseen: whether tracked robots are sent to patients whom nobody has seen yet, where the census puts them.
    """

    max_options: int = 6
    minimum_trust: float = 0.0
    positions: int = 1
    unseen: bool = False


def pose(
    family: str, picture: TwinSnapshot, codec: ActionCodec, offer: Offer, held: Mapping[int, int] | None = None
) -> Question | None:
    """The question of a family; None where no robot of its kind is free or nobody needs it.

    Args:
        family: one of ``FAMILIES``.
        picture: what the twin believes now.
        codec: tells what the robots are doing, under task control.
        offer: what is put before the planner.
        held: patients by robot of those that are on their way under move control, where their actions do not tell.
    """
    free, at_work = crew(picture, codec, FAMILIES[family], held or {})
    supplies = family != "triage"
    waiting = waiting_patients(picture, offer.minimum_trust, offer.unseen or supplies)
    in_need = waiting[~picture.patient_kitted[waiting]] if supplies else waiting
    if not free or not in_need.size:
        return None  # before anybody's ways are computed, which is most of the work
    fetching = np.zeros(picture.robot_kind.size, bool)
    if not supplies:
        problem = triage_assignment(
            picture,
            robots=free,
            at_work=at_work,
            unseen=offer.unseen,
            max_options=offer.max_options,
            minimum_trust=offer.minimum_trust,
            positions=offer.positions,
        )
    else:
        supply = supply_delivery(
            picture,
            robots=free,
            unseen=True,
            max_options=offer.max_options,
            minimum_trust=offer.minimum_trust,
        )
        problem = _without(supply.problem, at_work)
        fetching[problem.group_ids[supply.source != OWN_LOAD]] = True
    if problem.options == 1 or not problem.groups:
        return None
    return Question(family, problem, np.array(free, np.int64), fetching)


def crew(
    picture: TwinSnapshot, codec: ActionCodec, kind: int, held: Mapping[int, int]
) -> tuple[list[int], dict[int, int]]:
    """Robots of a kind believed free, and those believed at work with their patients."""
    fit = picture.robot_alive & (picture.robot_kind == kind) & (picture.robot_patient < 0)
    free, at_work = [], {}
    for robot in np.flatnonzero(fit).tolist():
        task = int(picture.robot_task[robot])
        if robot in held:
            at_work[robot] = held[robot]
        elif codec.control != "task" or task == CONTINUE:
            free.append(robot)
        elif task < codec.first_service:
            at_work[robot] = task - codec.patient(0)
    return free, at_work


def _without(problem: Problem, at_work: dict[int, int]) -> Problem:
    """The problem without the patients that somebody is on the way to."""
    served = np.isin(problem.option_ids, list(at_work.values()))
    return replace(problem, linear=np.where(served, np.inf, problem.linear)) if served.any() else problem


def read_plan(problem: Problem, plan: Plan, robots: int) -> tuple[np.ndarray, np.ndarray]:
    """Patients (R,) int32 and claimed values (R,) float32 [survivors per hour] of a plan.

    A robot's value is its own linear gain and half of that of its couplings, the other half being the others'. A robot
    without which the plan would be as good gets no advice: it may find something better to do, such as clearing a way.
    Of a robot with two positions the first is read, and both are valued.
    """
    patient = np.full(robots, NO_ADVICE, np.int32)
    value = np.zeros(robots, np.float32)
    groups = np.arange(problem.groups)
    first = positions(problem) == 0
    for g, robot in enumerate(problem.group_ids.tolist()):
        t = int(plan.choice[g])
        own = float(problem.linear[g, t])
        shared = float(problem.pairwise[g, t, groups, plan.choice].sum())
        if first[g] and problem.option_ids[t] != NO_TASK and own + shared < -_NOTHING:
            patient[robot] = problem.option_ids[t]
        value[robot] += max(0.0, -(own + 0.5 * shared)) * _MINUTES_PER_HOUR
    value[patient == NO_ADVICE] = 0.0
    return patient, value
