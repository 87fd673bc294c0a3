"""Routes as advice: under move control a robot is told the next passage, or what to do where it stands.

A robot's errand is a zone and what to do there: to the patient it is advised, with the carried one to an entrance, to a
depot for kits. The routing family plans all errands together; the route is kept until the robot's errand changes, it is
seen off its route, or a passage ahead turns out blocked for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from agents.advice_families import NO_ADVICE
from agents.planning import Plan, Problem, Route, routing
from qdt_env.physical.state import BLOCKED, FREE, LEGGED, TRACKED, TRAPPED
from qdt_env.spaces import CONTINUE, ActionCodec
from qdt_env.twin.snapshot import TwinSnapshot

Solve = Callable[[Problem, TwinSnapshot], Plan]


@dataclass(frozen=True)
class Errand:
    """Where a robot has to go and what to do there.

    Attributes:
        zone: destination.
        verb: one of ``qdt_env.spaces.MOVE_VERBS``.
        patient: slot that it is about.
    """

    zone: int
    verb: str
    patient: int


class Guide:
    """Leads the robots of one mission along planned routes, for move control."""

    def __init__(self, codec: ActionCodec, solve: Solve) -> None:
        """A guide without routes.

        Args:
            codec: of the environment, move control.
            solve: plans a routing problem.
        """
        self.codec, self._solve = codec, solve
        self._errands: dict[int, Errand] = {}
        self._routes: dict[int, Route] = {}

    def actions(self, picture: TwinSnapshot, patient: np.ndarray, fetching: np.ndarray) -> np.ndarray:
        """What each robot should do now.

        Args:
            picture: what the twin believes now.
            patient: (R,) patient slot that each robot is advised, -1 for none.
            fetching: (R,) bool, robots that fetch a kit for that patient first.

        Returns:
            (R,) int32 action numbers, -1 for robots without an errand or a way.
        """
        errands = self._find_errands(picture, patient, fetching)
        stale = {
            robot: errand.zone
            for robot, errand in errands.items()
            if self._errands.get(robot) != errand or not self._on_route(picture, robot)
        }
        if stale:
            self._plan(picture, stale)
        self._errands = errands
        action = np.full(patient.size, NO_ADVICE, np.int32)
        for robot, errand in errands.items():
            action[robot] = self._next(picture, robot, errand)
        return action

    @staticmethod
    def over(picture: TwinSnapshot, patient: np.ndarray) -> np.ndarray:
        """(R,) bool: robots whose patient (R,) needs them no more, as far as the twin knows."""
        slots = np.maximum(patient, 0)
        waiting = np.isin(picture.patient_status[slots], (TRAPPED, FREE)) & (picture.patient_zone[slots] >= 0)
        done = np.where(picture.robot_kind == LEGGED, picture.patient_kitted[slots], picture.robot_patient == patient)
        return np.asarray((patient >= 0) & (~waiting | done) & (picture.robot_patient < 0))

    def _find_errands(self, picture: TwinSnapshot, patient: np.ndarray, fetching: np.ndarray) -> dict[int, Errand]:
        errands = {}
        for robot in np.flatnonzero(picture.robot_alive).tolist():
            slot, carried = int(patient[robot]), int(picture.robot_patient[robot])
            if carried >= 0:
                errands[robot] = Errand(self._nearest(picture, robot, picture.building.entrances), "hand over", carried)
            elif slot >= 0 and fetching[robot] and picture.building.depots.size and picture.robot_kits[robot] == 0:
                errands[robot] = Errand(self._nearest(picture, robot, picture.building.depots), "take kit", slot)
            elif slot >= 0 and picture.patient_zone[slot] >= 0:
                buried = picture.patient_status[slot] == TRAPPED
                verb = "give kit" if picture.robot_kind[robot] == LEGGED else ("extricate" if buried else "pick up")
                errands[robot] = Errand(int(picture.patient_zone[slot]), verb, slot)
        return errands

    @staticmethod
    def _nearest(picture: TwinSnapshot, robot: int, zones: np.ndarray) -> int:
        return int(zones[np.argmin(picture.travel_time_s(robot)[np.asarray(zones)])])

    def _on_route(self, picture: TwinSnapshot, robot: int) -> bool:
        """Whether the robot is on its route and its next passage is passable for it."""
        route, zone = self._routes.get(robot), int(picture.robot_zone[robot])
        if route is None or zone not in route.zones:
            return False
        ahead = route.passages[route.zones.index(zone) :]
        clears = picture.robot_kind[robot] == TRACKED
        return not ahead or clears or picture.passage_condition[ahead[0]] != BLOCKED

    def _plan(self, picture: TwinSnapshot, destinations: Mapping[int, int]) -> None:
        """New routes for some robots, planned together."""
        posed = routing(picture, destinations)
        for robot in destinations:
            self._routes.pop(robot, None)
        if not posed.problem.groups:
            return
        plan = self._solve(posed.problem, picture)
        for g, robot in enumerate(posed.problem.group_ids.tolist()):
            self._routes[robot] = posed.routes[g][int(plan.choice[g])]

    def _next(self, picture: TwinSnapshot, robot: int, errand: Errand) -> int:
        """Action of one robot."""
        zone = int(picture.robot_zone[robot])
        if zone == errand.zone:
            return self.codec.service(errand.verb)
        if not self._on_route(picture, robot):
            return NO_ADVICE
        route = self._routes[robot]
        passage = route.passages[route.zones.index(zone)]
        if picture.passage_condition[passage] == BLOCKED:
            return self.codec.service("clear")
        slots = np.flatnonzero(picture.building.neighbour_passage[zone] == passage)
        return CONTINUE + 1 + int(slots[0])
