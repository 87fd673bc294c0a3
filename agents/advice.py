"""Advice: what a planner tells the robots, when it is asked, and when its answer is there.

The advisor sits beside the twin. It plans from a read-only snapshot, so it knows what the twin knows: a robot whose
report did not arrive is not known to be free and gets no advice.

Plans are asynchronous: one that is under way does not hold up the next. Each is from the snapshot of a step and arrives
some steps later; it replaces what robots were told from older snapshots, and a plan that arrives after one from a newer
snapshot is left out. Until a plan is there, the advice of ``interim`` (a quick planner at home) stands in for it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agents.advice_budget import PlanRecord, Spent, record_of
from agents.planning import NO_TASK, Budget, Plan, Planner, PlanningError, Problem, triage_assignment
from agents.quantum.courier import Courier, Remote, RequestChannel
from agents.quantum.qpu import steps_until
from qdt_env.physical.state import TRACKED
from qdt_env.spaces import CONTINUE, ActionCodec
from qdt_env.twin.snapshot import TwinSnapshot

__all__ = ["NO_ADVICE", "Advice", "Advisor", "PlanRecord", "Spent", "read_plan"]

NO_ADVICE = -1
_STREAM = 0xAD  # keeps the planners' draws apart from those of other users of the seed
_MINUTES_PER_HOUR = 60.0
_NOTHING = 1e-9  # survivors per minute: rounding, and no gain


@dataclass(frozen=True, eq=False)
class Advice:
    """What the robots are told at one step.

    Attributes:
        patient: (R,) int32 patient slot to go to, -1 no advice.
        action: (R,) int32 action number that does so under task control; -1 no advice, or move control.
        age_steps: (R,) int32 steps since the snapshot that it was computed from, >= 0; 0 without advice.
        value: (R,) float32 expected survivors gained per hour of the robot's time, as the planner claims, >= 0.
    """

    patient: np.ndarray
    action: np.ndarray
    age_steps: np.ndarray
    value: np.ndarray


@dataclass(frozen=True, eq=False)
class Told:
    """What one plan tells, and when.

    Attributes:
        arrives: step at which it is there.
        made: step of its snapshot.
        patient: (R,) int32, -1 for nothing.
        value: (R,) float32 as in :class:`Advice`.
    """

    arrives: int
    made: int
    patient: np.ndarray
    value: np.ndarray


class Advisor:
    """Plans for one episode, at a cadence and when a robot asks.

    A plan is made when a robot asks that did not ask the step before, or when some robot asks and ``every_steps`` have
    passed. Robots at work on a patient keep that patient; the plan counts with them.

    Attributes:
        planner: what solves the problems.
        codec: action numbers.
        every_steps, delay_steps, interim, channel, max_options, minimum_trust, budget: see the arguments.
        spent: what was spent since the advisor was made (a new episode does not clear it).
        redirected: (R,) bool, robots that the plan which has just come sends elsewhere than its interim advice did,
            which they have taken. Who is still on the way may turn round.
    """

    def __init__(
        self,
        planner: Planner,
        codec: ActionCodec,
        *,
        every_steps: int = 6,
        delay_steps: int | None = 0,
        interim: Planner | None = None,
        channel: RequestChannel | None = None,
        max_options: int = 6,
        minimum_trust: float = 0.0,
        budget: Budget | None = None,
    ) -> None:
        """An advisor for missions of one kind; call :meth:`reset` before each.

        Args:
            planner: any of ``agents.planning``.
            codec: of the environment.
            every_steps: least steps between two plans for robots that go on asking, >= 1.
            delay_steps: steps until a plan becomes visible, >= 0; None for each plan's modelled latency.
            interim: planner whose advice stands in until a late plan is there; None: the robots wait for it.
            channel: what requests to a QPU travel over; None for a way without loss, attacks and keys.
            max_options: patients offered to the planner at most, >= 1.
            minimum_trust: patients trusted less are not offered, [0, 1].
            budget: what one plan may spend.

        Raises:
            PlanningError: a setting out of range.
        """
        for name, value, least in (
            ("every_steps", every_steps, 1),
            ("delay_steps", 0 if delay_steps is None else delay_steps, 0),
            ("max_options", max_options, 1),
        ):
            if value < least:
                raise PlanningError(f"advisor {name}: must be >= {least}, got {value}")
        if not 0.0 <= minimum_trust <= 1.0:
            raise PlanningError(f"advisor minimum_trust: must be in [0, 1], got {minimum_trust}")
        self.planner, self.codec = planner, codec
        self.every_steps, self.delay_steps, self.interim = every_steps, delay_steps, interim
        self.channel = channel
        self.max_options, self.minimum_trust = max_options, minimum_trust
        self.budget = budget or Budget()
        self.spent = Spent()
        self.reset(0)

    def reset(self, seed: int, episode: int = 0) -> None:
        """Forget the mission; the randomness of planner and channel starts anew from seed and episode."""
        self._rng = np.random.default_rng([seed, episode, _STREAM])
        # A planner at home has no requests to send; one that has them gets a way of this mission.
        self._courier: Courier | None = None
        self._solver = self.planner
        if isinstance(self.planner, Remote):
            self._courier = Courier(self.channel, seed, episode)
            self._solver = self.planner.bound(self._courier)
        self._step = 0
        self._planned_step = -self.every_steps
        self._asked = np.zeros(0, bool)
        self._pending: list[Told] = []
        self._patient = np.zeros(0, np.int32)
        self._value = np.zeros(0, np.float32)
        self._made = np.zeros(0, np.int64)
        self._taken = np.zeros((0, 2), np.int64)
        self.redirected = np.zeros(0, bool)

    @property
    def waiting(self) -> bool:
        """Whether a plan is under way that robots wait for."""
        return bool(self._pending) and self.interim is None

    def consult(self, asking: np.ndarray, snapshot: Callable[[], TwinSnapshot]) -> Advice:
        """Advice at this step; to be called once per step.

        Args:
            asking: (R,) bool, robots that are free and have nothing to follow.
            snapshot: gives the twin's picture; called only when a plan is made.

        Returns:
            The advice visible now.
        """
        if not self._patient.size:
            self._forget(asking.size)
        newly = bool((asking & ~self._asked).any())
        if newly or (asking.any() and self._step - self._planned_step >= self.every_steps):
            self._plan(snapshot)
        self._asked = asking.copy()
        self._hear()
        given = self._patient != NO_ADVICE
        advice = Advice(
            patient=self._patient.copy(),
            action=self._actions(),
            age_steps=np.where(given, self._step - self._made, 0).astype(np.int32),
            value=self._value.copy(),
        )
        self._step += 1
        return advice

    def drop(self, robot: int) -> None:
        """Take back what a robot was advised: it has been followed or has become impossible."""
        self._taken[robot] = self._patient[robot], self._made[robot]
        self._patient[robot] = NO_ADVICE
        self._value[robot] = 0.0

    def _forget(self, robots: int) -> None:
        self._patient = np.full(robots, NO_ADVICE, np.int32)
        self._value = np.zeros(robots, np.float32)
        self._made = np.full(robots, -1, np.int64)
        self._taken = np.full((robots, 2), -1, np.int64)  # patient and step of the snapshot, of what was dropped last
        self._asked = np.zeros(robots, bool)

    def _hear(self) -> None:
        """Take over the plans that are there now, oldest snapshot first; a robot never goes back to an older one."""
        self.redirected = np.zeros(self._patient.size, bool)
        for told in sorted((t for t in self._pending if t.arrives <= self._step), key=lambda t: (t.made, t.arrives)):
            newer = told.made >= self._made
            self._patient[newer], self._value[newer] = told.patient[newer], told.value[newer]
            self._made[newer] = told.made
            same_snapshot = newer & (self._taken[:, 1] == told.made) & (self._taken[:, 0] != NO_ADVICE)
            self.redirected = np.where(
                newer,
                same_snapshot & (told.patient != NO_ADVICE) & (told.patient != self._taken[:, 0]),
                self.redirected,
            )
        self._pending = [told for told in self._pending if told.arrives > self._step]

    def _actions(self) -> np.ndarray:
        if self.codec.control != "task":
            return np.full(self._patient.size, NO_ADVICE, np.int32)
        first = self.codec.patient(0)
        return np.where(self._patient == NO_ADVICE, NO_ADVICE, first + self._patient).astype(np.int32)

    def _plan(self, snapshot: Callable[[], TwinSnapshot]) -> None:
        started_s = time.perf_counter()
        picture = snapshot()
        self._planned_step = self._step
        free, at_work = self._crew(picture)
        if not free:
            return
        problem = triage_assignment(
            picture,
            robots=free,
            at_work=at_work,
            unseen=True,
            max_options=self.max_options,
            minimum_trust=self.minimum_trust,
            config=picture.physical,
        )
        self.spent.extraction_s += time.perf_counter() - started_s
        if problem.options == 1:
            return  # nobody to go to
        if self._courier is not None:
            self._courier.follow(picture.step, picture.dt_s)
        plan = self._solver.plan(problem, self.budget, self._rng)
        delay_steps = self.delay_steps
        if delay_steps is None:
            delay_steps = steps_until(plan.modelled_latency_s, picture.dt_s)
        if delay_steps and self.interim is not None:
            meanwhile = self.interim.plan(problem, self.budget, self._rng)
            self._tell(picture, problem, meanwhile, at_work, 0)
        self._tell(picture, problem, plan, at_work, delay_steps)

    def _tell(
        self, picture: TwinSnapshot, problem: Problem, plan: Plan, at_work: dict[int, int], delay_steps: int
    ) -> None:
        """Note a plan in the log and put it on its way to the robots."""
        robots = problem.groups - len(set(at_work) & set(problem.group_ids.tolist()))
        self.spent.records.append(
            record_of(plan, problem, step=picture.step, family="triage", robots=robots, delay_steps=delay_steps)
        )
        patient, value = read_plan(problem, plan, picture.robot_kind.size)
        patient[list(at_work)] = NO_ADVICE
        self._pending.append(Told(self._step + delay_steps, self._step, patient, value))

    def _crew(self, picture: TwinSnapshot) -> tuple[list[int], dict[int, int]]:
        """Robots believed free, and those believed at work with their patients."""
        fit = picture.robot_alive & (picture.robot_kind == TRACKED) & (picture.robot_patient < 0)
        free, at_work = [], {}
        for robot in np.flatnonzero(fit).tolist():
            task = int(picture.robot_task[robot])
            if self.codec.control != "task" or task == CONTINUE:
                free.append(robot)
            elif task < self.codec.first_service:
                at_work[robot] = task - self.codec.patient(0)
        return free, at_work


def read_plan(problem: Problem, plan: Plan, robots: int) -> tuple[np.ndarray, np.ndarray]:
    """Patients (R,) int32 and claimed values (R,) float32 [survivors per hour] of a plan.

    A robot's value is its own linear gain and half of that of its couplings, the other half being the others'. A robot
    without which the plan would be as good gets no advice: it may find something better to do, such as clearing a way.
    """
    patient = np.full(robots, NO_ADVICE, np.int32)
    value = np.zeros(robots, np.float32)
    groups = np.arange(problem.groups)
    for g, robot in enumerate(problem.group_ids.tolist()):
        t = int(plan.choice[g])
        own = float(problem.linear[g, t])
        shared = float(problem.pairwise[g, t, groups, plan.choice].sum())
        if problem.option_ids[t] != NO_TASK and own + shared < -_NOTHING:
            patient[robot] = problem.option_ids[t]
            value[robot] = max(0.0, -(own + 0.5 * shared)) * _MINUTES_PER_HOUR
    return patient, value
