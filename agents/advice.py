"""Advice: what a planner tells the robots, when it is asked, and when its answer is there.

The advisor sits beside the twin. It plans from a read-only snapshot, so it knows what the twin knows: a robot whose
report did not arrive is not known to be free and gets no advice.

Plans are asynchronous: one that is under way does not hold up the next. Each is from the snapshot of a step and arrives
some steps later; it replaces what robots were told from older snapshots, and a plan that arrives after one from a newer
snapshot is left out. Until a plan is there, the advice of ``interim`` (a quick planner at home) stands in for it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from agents.advice_budget import PlanRecord, Spent, record_of
from agents.advice_families import FAMILIES, NO_ADVICE, Offer, Question, pose, read_plan
from agents.advice_routes import Guide
from agents.advice_told import Advice, Told
from agents.planning import Budget, Plan, Planner, PlanningError, Problem
from agents.quantum.courier import Courier, Remote, RequestChannel
from agents.quantum.qpu import steps_until
from qdt_env.spaces import ActionCodec
from qdt_env.twin.snapshot import TwinSnapshot

__all__ = ["NO_ADVICE", "Advice", "Advisor", "PlanRecord", "Spent", "read_plan"]

_TURN_STEPS = 2  # who has been on the way for longer goes on: at six steps, turning round cost more than it won
_STREAM = 0xAD  # keeps the planners' draws apart from those of other users of the seed


class Advisor:
    """Plans for one episode, at a cadence and when a robot asks.

    A plan is made when a robot asks that did not ask the step before, or when some robot asks and ``every_steps`` have
    passed. Robots at work on a patient keep that patient; the plan counts with them.

    Attributes:
        planner: what solves the problems.
        codec: action numbers.
        every_steps, delay_steps, interim, channel, offer, families, budget: see the arguments.
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
        positions: int = 1,
        unseen: bool = False,
        families: Sequence[str] = ("triage", "supply"),
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
            positions: patients planned ahead for a tracked robot, 1 or 2.
            unseen: send tracked robots also to patients whom nobody has seen yet; without, who has nobody known to
                go to is left to its own rule and so finds some.
            families: what is planned, of "triage" (tracked robots) and "supply" (legged ones).
            budget: what one plan may spend.

        Raises:
            PlanningError: a setting out of range.
        """
        for name, value, least in (
            ("every_steps", every_steps, 1),
            ("delay_steps", 0 if delay_steps is None else delay_steps, 0),
            ("max_options", max_options, 1),
            ("positions", positions, 1),
        ):
            if value < least:
                raise PlanningError(f"advisor {name}: must be >= {least}, got {value}")
        if not 0.0 <= minimum_trust <= 1.0:
            raise PlanningError(f"advisor minimum_trust: must be in [0, 1], got {minimum_trust}")
        if not families or not set(families) <= set(FAMILIES):
            raise PlanningError(f"advisor families: must be some of {', '.join(FAMILIES)}, got {tuple(families)}")
        self.planner, self.codec = planner, codec
        self.every_steps, self.delay_steps, self.interim = every_steps, delay_steps, interim
        self.channel = channel
        self.offer, self.families = Offer(max_options, minimum_trust, positions, unseen), tuple(families)
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
        self._guide = Guide(self.codec, self._route) if self.codec.control == "move" else None
        self._step = 0
        self._planned_step: dict[str, int] = {}
        self._kinds: np.ndarray | None = None
        self._asked = np.zeros(0, bool)
        self._pending: list[Told] = []
        self._said: Advice | None = None
        self._patient = np.zeros(0, np.int32)
        self._value = np.zeros(0, np.float32)
        self._made = np.zeros(0, np.int64)
        self._fetching = np.zeros(0, bool)
        self._taken = np.zeros((0, 2), np.int64)
        self.redirected = np.zeros(0, bool)

    @property
    def waiting(self) -> bool:
        """Whether a plan is under way that robots wait for."""
        return bool(self._pending) and self.interim is None

    @property
    def quiet(self) -> bool:
        """Whether nothing but a robot that asks changes what was said last: no plan under way, nobody to guide."""
        return not self._pending and self._guide is None

    def skip(self) -> None:
        """Let a step pass in which nobody asks a :attr:`quiet` advisor, instead of :meth:`consult`; much quicker."""
        self._asked[:] = False
        self.redirected[:] = False
        self._step += 1

    def consult(self, asking: np.ndarray, snapshot: Callable[[], TwinSnapshot]) -> Advice:
        """Advice at this step; to be called once per step, or :meth:`skip`.

        Args:
            asking: (R,) bool, robots that are free and have nothing to follow.
            snapshot: gives the twin's picture; called only when a plan is made.

        Returns:
            The advice visible now.
        """
        if not self._patient.size:
            self._forget(asking.size)
        picture = None
        if self._guide is not None:  # the next passage depends on where everybody is now
            picture = snapshot()
            self._settle(picture)
        due = self._due(asking)
        if due:
            picture = picture or snapshot()
            self._plan(due, picture)
        self._asked = asking.copy()
        self._hear()
        if self._guide is not None or self._said is None:
            self._said = Advice(self._patient.copy(), self._actions(picture), self._ages(), self._value.copy())
        else:  # most steps change nothing but ages
            self._said = replace(self._said, age_steps=self._ages())
        self._step += 1
        return self._said

    def _ages(self) -> np.ndarray:
        return np.where(self._patient == NO_ADVICE, 0, self._step - self._made).astype(np.int32)

    def drop(self, robot: int) -> None:
        """Take back what a robot was advised: it has been followed or has become impossible."""
        self._taken[robot] = self._patient[robot], self._made[robot]
        self._patient[robot] = NO_ADVICE
        self._value[robot] = 0.0
        self._said = None

    def _forget(self, robots: int) -> None:
        self._patient = np.full(robots, NO_ADVICE, np.int32)
        self._value = np.zeros(robots, np.float32)
        self._made = np.full(robots, -1, np.int64)
        self._fetching = np.zeros(robots, bool)
        self._taken = np.full((robots, 2), -1, np.int64)  # patient and step of the snapshot, of what was dropped last
        self._asked = np.zeros(robots, bool)

    def _hear(self) -> None:
        """Take over the plans that are there now, oldest snapshot first; a robot never goes back to an older one."""
        self.redirected = np.zeros(self._patient.size, bool)
        if not self._pending:
            return
        self._said = None
        for told in sorted((t for t in self._pending if t.arrives <= self._step), key=lambda t: (t.made, t.arrives)):
            newer = told.concerned & (told.made >= self._made)
            self._patient[newer], self._value[newer] = told.patient[newer], told.value[newer]
            self._fetching[newer] = told.fetching[newer]
            self._made[newer] = told.made
            soon = self._step - told.made <= _TURN_STEPS
            same_snapshot = soon & newer & (self._taken[:, 1] == told.made) & (self._taken[:, 0] != NO_ADVICE)
            self.redirected = np.where(
                newer,
                same_snapshot & (told.patient != NO_ADVICE) & (told.patient != self._taken[:, 0]),
                self.redirected,
            )
        self._pending = [told for told in self._pending if told.arrives > self._step]

    def _actions(self, picture: TwinSnapshot | None) -> np.ndarray:
        if self._guide is not None and picture is not None:
            return self._guide.actions(picture, self._patient, self._fetching)
        goes = np.where(self._fetching, self.codec.service("kit"), self.codec.patient(0) + self._patient)
        return np.where(self._patient == NO_ADVICE, NO_ADVICE, goes).astype(np.int32)

    def _settle(self, picture: TwinSnapshot) -> None:
        """Under move control: errands that are over are dropped, and who carries somebody has that errand."""
        for robot in np.flatnonzero(Guide.over(picture, self._patient)).tolist():
            self.drop(robot)
        carrying = picture.robot_patient >= 0
        self._patient[carrying] = picture.robot_patient[carrying]
        self._made[carrying] = self._step

    def _route(self, problem: Problem, picture: TwinSnapshot) -> Plan:
        """Plan routes; they are needed now, so a planner whose plans come late leaves that to the interim one."""
        planner = self.interim or self._solver
        if self._courier is not None:
            self._courier.follow(picture.step, picture.dt_s)
        plan = planner.plan(problem, self.budget, self._rng)
        log = record_of(plan, problem, step=picture.step, family="routing", robots=problem.groups, delay_steps=0)
        self.spent.records.append(log)
        return plan

    def _due(self, asking: np.ndarray) -> list[str]:
        """Families that have a robot asking which did not ask before, or asking still when it is time again."""
        if self._guide is not None:  # robots ask at every zone; those with an errand go on with it
            asking = asking & (self._patient == NO_ADVICE)
        if not asking.any():
            return []
        due = []
        for family in self.families:
            kind = asking if self._kinds is None else asking & (self._kinds == FAMILIES[family])
            late = self._step - self._planned_step.get(family, -self.every_steps) >= self.every_steps
            if bool((kind & ~self._asked).any()) or (late and bool(kind.any())):
                due.append(family)
        return due

    def _plan(self, families: list[str], picture: TwinSnapshot) -> None:
        """Put the questions of these families to the planner and its plans on their way to the robots."""
        self._kinds = picture.robot_kind
        for family in families:
            started_s = time.perf_counter()
            self._planned_step[family] = self._step
            question = pose(family, picture, self.codec, self.offer, self._held())
            self.spent.extraction_s += time.perf_counter() - started_s
            if question is not None:
                self._solve(question, picture)

    def _held(self) -> dict[int, int]:
        """Patients of the robots that are on an errand, under move control."""
        if self._guide is None:
            return {}
        return {int(robot): int(self._patient[robot]) for robot in np.flatnonzero(self._patient != NO_ADVICE)}

    def _solve(self, question: Question, picture: TwinSnapshot) -> None:
        """Plan, with interim advice where the plan is late."""
        if self._courier is not None:
            self._courier.follow(picture.step, picture.dt_s)
        plan = self._solver.plan(question.problem, self.budget, self._rng)
        delay_steps = self.delay_steps
        if delay_steps is None:
            delay_steps = steps_until(plan.modelled_latency_s, picture.dt_s)
        if delay_steps and self.interim is not None:
            self._tell(question, self.interim.plan(question.problem, self.budget, self._rng), picture, 0)
        self._tell(question, plan, picture, delay_steps)

    def _tell(self, question: Question, plan: Plan, picture: TwinSnapshot, delay_steps: int) -> None:
        """Note a plan in the log and put it on its way."""
        self.spent.records.append(
            record_of(
                plan,
                question.problem,
                step=picture.step,
                family=question.family,
                robots=question.robots.size,
                delay_steps=delay_steps,
            )
        )
        patient, value = read_plan(question.problem, plan, picture.robot_kind.size)
        choosing = np.zeros(patient.size, bool)
        choosing[question.robots] = True
        patient[~choosing] = NO_ADVICE
        concerned = picture.robot_kind == FAMILIES[question.family]
        if self._guide is not None:
            concerned &= choosing
        told = Told(self._step + delay_steps, self._step, concerned, patient, value, question.fetching)
        self._pending.append(told)
