"""Advice under move control: the next passage of the planned route, the work at its end, and errands that end."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agents.advice import Advisor
from agents.advice_routes import Guide
from agents.advisor import AdvisorWrapper
from agents.planning import Budget, Plan, Problem, make_planner
from qdt_env import hospital_rescue_v0
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.state import BLOCKED, FREE, HANDED_OVER, TRAPPED
from qdt_env.scenario import load_scenario
from qdt_env.spaces import ActionCodec
from qdt_env.twin.snapshot import TwinSnapshot

TRACKED_ROBOT, LEGGED_ROBOT = 0, 2  # of the ward's team


@pytest.fixture(scope="module")
def site() -> tuple[TwinSnapshot, ActionCodec]:
    episodes = Episodes(load_scenario("ward"), GameConfig(control="move"))
    episodes.reset(np.array([0]), np.array([3]), np.zeros(1, np.int64))
    return episodes.snapshot(0), episodes.codec


@pytest.fixture
def solved() -> Iterator[list[Problem]]:
    yield []


def guide(codec: ActionCodec, solved: list[Problem]) -> Guide:
    def solve(problem: Problem, picture: TwinSnapshot) -> Plan:
        solved.append(problem)
        return make_planner("exact").plan(problem, Budget(), np.random.default_rng(0))

    return Guide(codec, solve)


def advise(one: Guide, picture: TwinSnapshot, robot: int, slot: int, fetching: bool = False) -> int:
    robots = picture.robot_kind.size
    patient = np.full(robots, -1)
    patient[robot] = slot
    return int(one.actions(picture, patient, np.full(robots, fetching))[robot])


def moved(picture: TwinSnapshot, robot: int, zone: int, **changes: Any) -> TwinSnapshot:
    zones = picture.robot_zone.copy()
    zones[robot] = zone
    return replace(picture, robot_zone=zones, **changes)


def test_following_the_advice_leads_to_the_patient_by_a_shortest_way(
    site: tuple[TwinSnapshot, ActionCodec], solved: list[Problem]
) -> None:
    picture, codec = site
    one, slot = guide(codec, solved), 0
    picture = replace(picture, patient_status=np.full(picture.patient_status.size, TRAPPED, np.int8))
    goal = int(picture.patient_zone[slot])
    expected_s, hops = picture.travel_time_s(TRACKED_ROBOT)[goal], 0
    while (zone := int(picture.robot_zone[TRACKED_ROBOT])) != goal:
        action = advise(one, picture, TRACKED_ROBOT, slot)
        assert 1 <= action < codec.first_service
        picture = moved(picture, TRACKED_ROBOT, int(picture.building.neighbour_zone[zone, action - 1]))
        left_s = picture.travel_time_s(TRACKED_ROBOT)[goal]
        assert left_s < expected_s
        expected_s, hops = left_s, hops + 1
    assert hops >= 2 and len(solved) == 1  # one plan for the whole way
    assert codec.names[advise(one, picture, TRACKED_ROBOT, slot)] == "extricate"
    freed = replace(picture, patient_status=np.full(picture.patient_status.size, FREE, np.int8))
    assert codec.names[advise(one, freed, TRACKED_ROBOT, slot)] == "pick up"


def test_who_carries_somebody_is_led_to_an_entrance(
    site: tuple[TwinSnapshot, ActionCodec], solved: list[Problem]
) -> None:
    picture, codec = site
    one = guide(codec, solved)
    carried = picture.robot_patient.copy()
    carried[TRACKED_ROBOT] = 1
    inside = moved(picture, TRACKED_ROBOT, int(picture.patient_zone[1]), robot_patient=carried)
    assert 1 <= advise(one, inside, TRACKED_ROBOT, 1) < codec.first_service
    there = moved(inside, TRACKED_ROBOT, int(picture.building.entrances[0]))
    assert codec.names[advise(one, there, TRACKED_ROBOT, 1)] == "hand over"


def test_kits_are_fetched_before_they_are_given(site: tuple[TwinSnapshot, ActionCodec], solved: list[Problem]) -> None:
    picture, codec = site
    one, none = guide(codec, solved), np.zeros(picture.robot_kits.size, np.int8)
    at_depot = moved(picture, LEGGED_ROBOT, int(picture.building.depots[0]), robot_kits=none)
    assert codec.names[advise(one, at_depot, LEGGED_ROBOT, 0, fetching=True)] == "take kit"
    filled = moved(at_depot, LEGGED_ROBOT, int(picture.patient_zone[0]), robot_kits=none + 4)
    assert codec.names[advise(one, filled, LEGGED_ROBOT, 0, fetching=True)] == "give kit"


def test_rubble_ahead_is_cleared_by_who_can_and_gone_round_by_others(
    site: tuple[TwinSnapshot, ActionCodec], solved: list[Problem]
) -> None:
    picture, codec = site
    for robot in (TRACKED_ROBOT, LEGGED_ROBOT):
        one = guide(codec, solved)
        action = advise(one, picture, robot, 0)
        ahead = int(picture.building.neighbour_passage[int(picture.robot_zone[robot]), action - 1])
        conditions = picture.passage_condition.copy()
        conditions[ahead] = BLOCKED
        buried = replace(picture, passage_condition=conditions)
        after = advise(one, buried, robot, 0)
        assert codec.names[after] == "clear" if robot == TRACKED_ROBOT else after != action


def test_an_errand_is_over_when_the_patient_needs_it_no_more(site: tuple[TwinSnapshot, ActionCodec]) -> None:
    picture, _ = site
    patient = np.array([0, 1, 2])
    assert not Guide.over(picture, patient).any() and not Guide.over(picture, np.full(3, -1)).any()
    status = picture.patient_status.copy()
    status[1] = HANDED_OVER
    assert Guide.over(replace(picture, patient_status=status), patient).tolist() == [False, True, False]
    kitted = np.ones(picture.patient_kitted.size, bool)
    assert Guide.over(replace(picture, patient_kitted=kitted), patient).tolist() == [False, False, True]


def test_robots_on_an_errand_are_not_planned_again() -> None:
    episodes = Episodes(load_scenario("clinic"), GameConfig(control="move"))
    episodes.reset(np.array([0]), np.array([3]), np.zeros(1, np.int64))
    one = Advisor(make_planner("exact"), episodes.codec, every_steps=1, unseen=True)
    asking = np.isin(episodes.snapshot(0).robot_kind, (0, 1))
    first = one.consult(asking, lambda: episodes.snapshot(0))
    assert (first.patient >= 0).any() and (first.action[first.patient >= 0] > 0).all()
    plans = [record.family for record in one.spent.records]
    assert plans.count("routing") == 1 and "triage" in plans
    second = one.consult(asking & (first.patient >= 0), lambda: episodes.snapshot(0))
    assert (second.patient == first.patient).all() and (second.action == first.action).all()
    assert [record.family for record in one.spent.records] == plans


@pytest.mark.slow
def test_a_mission_under_move_control_rescues_by_advice_alone() -> None:
    env = AdvisorWrapper(
        hospital_rescue_v0.parallel_env(scenario="clinic", threats="none", control="move"), "greedy", unseen=True
    )
    observations, infos = env.reset(seed=0)
    while env.agents:
        actions = {}
        for r, agent in enumerate(env.possible_agents):
            mask, told = observations[agent]["action_mask"], int(env.advice.action[r])
            busy = env.layout.feature(observations[agent]["observation"], "self", "busy")[0] > 0.5
            follows = not busy and told > 0 and mask[told] == 1
            actions[agent] = told if follows else (0 if busy or mask[-1] == 0 else len(mask) - 1)
        observations, _, _, _, infos = env.step(actions)
    assert next(iter(infos.values()))["lives_saved"] > 0.5
