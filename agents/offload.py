"""Offloading: where to solve each replanning, by how soon the answer is needed and how large the problem is.

Three places. **Local**: the exact planner on the command post's computer. **Edge**: a small computer beside it, or one
on a robot, with a quick heuristic; its time is the measured one times ``edge_slowdown``. **QPU**: a remote planner with
its queue. What each will take is predicted from what it took before on problems of the same size class
(:class:`Timetable`), what it will find from the gain over greedy that it had there. The place of highest expected gain
among those whose prediction meets the deadline is taken; where none meets it, the greedy answer is.

The decision and its reasons stand in the plan's note. Measured times differ between machines, so decisions near the
deadline may too; with ``learning=False`` the table stays as it is and the same seed decides the same.
"""

import time
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np

from agents.planning.classical import ExactPlanner, GreedyPlanner, LinearAssignmentPlanner
from agents.planning.placed import PlacedPlan
from agents.planning.problem import Budget, Plan, Planner, PlanningError, Problem
from agents.planning.validation import check_number
from agents.quantum.courier import Courier, Remote
from agents.quantum.remote import RemotePlanner

PLACES = ("local", "edge", "qpu")
_WEIGHT = 0.2  # of the newest observation in the running means


def size_class(problem: Problem) -> int:
    """Bits of the joint choices: floor(log2(product of the menus)), >= 0; the exact planner's time follows it."""
    return problem.states.bit_length() - 1


@dataclass
class Timetable:
    """What each place took and gained, by size class; running means, the newest weighing one fifth.

    Attributes:
        seconds: predicted latency [s] by (place, size class).
        gains: (greedy cost - found cost) / |greedy cost| by (place, size class), >= 0.
    """

    seconds: dict[tuple[str, int], float] = field(default_factory=dict)
    gains: dict[tuple[str, int], float] = field(default_factory=dict)

    def note(self, place: str, size: int, seconds: float, gain: float) -> None:
        """Take up what one plan took and gained."""
        for table, value in ((self.seconds, seconds), (self.gains, gain)):
            old = table.get((place, size), value)
            table[place, size] = old + _WEIGHT * (value - old)

    def predict(self, place: str, size: int) -> tuple[float, float]:
        """(seconds, gain) expected at a place: of the nearest size class seen there, twice the time a bit beyond it.

        A place not seen at all is expected to be quick and good, so that it is tried once.
        """
        seen = [known for name, known in self.seconds if name == place]
        if not seen:
            return 0.0, np.inf
        nearest = min(seen, key=lambda known: (abs(known - size), known))
        growth = 2.0 ** max(0, size - nearest) if place == "local" else 1.0
        return self.seconds[place, nearest] * growth, self.gains[place, nearest]


# Size class, then seconds and gain of local (exact), edge (linear assignment, four times slower) and QPU (preset
# "heron", 256 shots of QAOA), measured by training.offload_study on a busy machine with two cores.
_MEASURED = (
    (4, (7e-4, 0.011), (1.2e-3, 0.000), (3.3, 0.011)),
    (6, (7e-4, 0.085), (9e-4, 0.021), (3.3, 0.085)),
    (10, (1.3e-3, 0.068), (9e-4, 0.000), (3.3, 0.066)),
    (12, (2.0e-2, 0.066), (9e-4, 0.000), (3.3, 0.051)),
    (15, (0.28, 0.116), (1.1e-3, 0.009), (3.3, 0.076)),
    (19, (6.3, 0.071), (1.3e-3, 0.000), (3.3, 0.030)),
)


def measured_timetable() -> Timetable:
    """What the places took and gained when they were measured; a fresh table, to be learned on."""
    table = Timetable()
    for size, *places in _MEASURED:
        for place, (seconds, gain) in zip(PLACES, places, strict=True):
            table.seconds[place, size], table.gains[place, size] = seconds, gain
    return table


@dataclass(frozen=True)
class OffloadPlanner:
    """A planner that chooses where each problem is solved.

    Attributes:
        local, edge, qpu: planners of the three places; None where there is no such place.
        deadline_s: the answer is of use if it comes within this time [s], > 0; a budget's time binds as well.
        edge_slowdown: how many times slower the edge computer is, > 0 (a single-board computer: 4, assumed).
        learning: whether what plans took and gained goes into the table.
        timetable: predictions to begin with; what a mission learns stays with its advisor's own copy.

    Raises:
        PlanningError: a value out of range.
    """

    local: Planner | None = field(default_factory=ExactPlanner)
    edge: Planner | None = field(default_factory=LinearAssignmentPlanner)
    qpu: Planner | None = field(default_factory=RemotePlanner)
    deadline_s: float = 10.0
    edge_slowdown: float = 4.0
    learning: bool = True
    timetable: Timetable = field(default_factory=measured_timetable, repr=False, compare=False)
    name: str = "offload"

    def __post_init__(self) -> None:
        for setting in ("deadline_s", "edge_slowdown"):
            check_number(f"offload {setting}", getattr(self, setting), above=True)
        for place in PLACES:
            solver = getattr(self, place)
            if solver is not None and not callable(getattr(solver, "plan", None)):
                raise PlanningError(f"offload {place}: must be a planner or None, got {solver!r}")

    def bound(self, courier: Courier) -> "OffloadPlanner":
        """The same planner with a table of its own, the QPU's requests going by ``courier``."""
        qpu = self.qpu.bound(courier) if isinstance(self.qpu, Remote) else self.qpu
        return replace(self, qpu=qpu, timetable=deepcopy(self.timetable))

    def decide(self, problem: Problem, deadline_s: float) -> tuple[str, str]:
        """The place to solve a problem at, and why; "" for none in time."""
        size = size_class(problem)
        expected = {place: self.timetable.predict(place, size) for place in PLACES if getattr(self, place) is not None}
        in_time = {place: both for place, both in expected.items() if both[0] <= deadline_s}
        told = ", ".join(f"{place} {seconds:.3g} s" for place, (seconds, _) in expected.items())
        reason = f"2^{size} choices, due in {deadline_s:g} s; expected {told}"
        if not in_time:
            return "", reason
        # Of equal gains the quicker one.
        return max(in_time, key=lambda place: (in_time[place][1], -in_time[place][0])), reason

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> PlacedPlan:
        """Solve the problem where it pays most; never worse than greedy."""
        started_s = time.perf_counter()
        deadline_s = self.deadline_s if budget.time_s is None else min(self.deadline_s, budget.time_s)
        floor = GreedyPlanner().plan(problem, budget, rng)
        place, reason = self.decide(problem, deadline_s)
        solver: Planner | None = getattr(self, place) if place else None
        plan = floor
        if solver is not None:
            plan = solver.plan(problem, replace(budget, time_s=deadline_s), rng)
        latency_s = plan.modelled_latency_s * (self.edge_slowdown if place == "edge" else 1.0)
        if self.learning and place:
            scale = abs(floor.value)
            gain = max(0.0, floor.value - plan.value) / scale if scale > 0.0 else 0.0
            self.timetable.note(place, size_class(problem), latency_s, gain)
        best = floor if floor.value < plan.value else plan
        wall_s = time.perf_counter() - started_s
        notes = [f"{place or 'greedy'}: {reason}", *([plan.note] if plan.note else [])]
        note = "; ".join([*notes, *budget.lateness(wall_s, notes)])
        return self._placed(best, plan, place, latency_s, wall_s, note)

    def _placed(self, best: Plan, asked: Plan, place: str, latency_s: float, wall_s: float, note: str) -> PlacedPlan:
        """The better of two plans, with what the asked one cost."""
        asked_placed = asked if isinstance(asked, PlacedPlan) else None
        return PlacedPlan(
            choice=best.choice,
            value=best.value,
            optimum=best.optimum,
            feasible=best.feasible,
            evaluations=asked.evaluations,
            shots=asked.shots,
            wall_s=wall_s,
            modelled_latency_s=latency_s,
            planner=self.name,
            note=note,
            where=asked_placed.where if asked_placed else (place or "local"),
            requests=asked_placed.requests if asked_placed else 0,
            failures=asked_placed.failures if asked_placed else 0,
            key_bits=asked_placed.key_bits if asked_placed else 0,
            message_bytes=asked_placed.message_bytes if asked_placed else 0,
        )
