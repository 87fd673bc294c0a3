"""Constructed missions in a quiet ward: what work, kits, batteries, doors and missing people do to a robot's task.

The main shock is too weak to harm anything and there are no aftershocks; patients are placed by hand.
"""

from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
import pytest

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_at, survival
from qdt_env.physical.state import (
    BLOCKED,
    CARRIED,
    CLEAR,
    COMPLETE,
    DONE,
    EMPTY,
    FREE,
    HANDED_OVER,
    MET_BLOCKED,
    OPEN,
    PATIENT_ABSENT,
    SLOW,
    TRAPPED,
)
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.security.channel import ChannelConfig

STEP_MIN = 10.0 / 60.0
QUIET = PhysicalConfig(pga_g=1e-6, rj_a=-30.0, work_sigma=0.0, pace_sigma=0.0)


@pytest.fixture(scope="module")
def ward() -> ScenarioConfig:
    """A ward that no shock reaches, with three tracked robots and a lossless channel."""
    base = load_scenario("ward")
    return replace(base, physical=QUIET, team=("tracked",) * 3, channel=ChannelConfig(natural_loss=0.0))


def begin(scenario: ScenarioConfig, perfect: bool = True, **game: Any) -> Episodes:
    """One fresh episode without patients."""
    episodes = Episodes(scenario, GameConfig(suite="psk", perfect_information=perfect, **game), 1)
    episodes.reset(np.array([0]), np.array([3]), np.array([0]))
    assert (episodes.state.world.zones["damage"] == 0).all()
    assert (episodes.state.world.patients["status"] == EMPTY).all()
    return episodes


def put_patient(
    episodes: Episodes, zone: int, status: int = FREE, rpm0: int = 9, work_min: float = 0.0, pace: float = 1.0
) -> int:
    """A patient in the next slot of a fresh episode; the twin knows the bed."""
    world = episodes.state.world
    slot = int((world.patients["status"][0] != EMPTY).sum())
    p = world.patients[0, slot]
    p["zone"] = p["home"] = p["census"] = zone
    p["status"], p["rpm0"], p["pace"], p["work_min"] = status, rpm0, pace, work_min
    p["trapped_none"] = status == TRAPPED
    p["clock_min"] = p["clock_none_min"] = 60.0 * pace * (1.5 if status == TRAPPED else 1.0)
    p["carrier"] = p["found_step"] = p["treated_step"] = p["handover_step"] = -1
    p["rpm_handover"] = -1.0
    world.zones["occupants"][0, zone] += 1
    for known in (episodes.state.twin.patients[0, slot], *episodes.state.belief.patients[0, :, slot]):
        known["status"], known["zone"], known["rpm"] = FREE, zone, 9.0
    return slot


def put_robot(episodes: Episodes, robot: int, zone: int) -> None:
    """Stand a robot in a zone, before the first step."""
    episodes.state.world.robots["zone"][0, robot] = zone


def run(episodes: Episodes, actions: dict[int, int] | None = None, steps: int = 1) -> None:
    """Give actions to some robots for ``steps`` steps, the others wait."""
    for _ in range(steps):
        row = np.full((1, len(episodes.scenario.team)), episodes.codec.wait, np.int32)
        for robot, action in (actions or {}).items():
            assert episodes.out.mask[0, robot, action] == 1, f"robot {robot}: {episodes.codec.names[action]} is masked"
            row[0, robot] = action
        episodes.step(row)


def indoor_zone(episodes: Episodes) -> int:
    """An indoor zone whose neighbours are all indoor, away from depots."""
    site = episodes.setup.site
    for z in range(site.zones.size):
        around = site.neighbours[z][site.neighbours[z] >= 0]
        if site.zones["indoor"][z] and not site.zones["depot"][z] and site.zones["indoor"][around].all():
            return z
    raise AssertionError("the ward has no such zone")


def shortest_s(episodes: Episodes, start: int, end: int, speed: float) -> float:
    """Walking time between two zones at one speed through open passages."""
    graph = nx.Graph()
    for passage in episodes.setup.site.passages:
        graph.add_edge(int(passage["a"]), int(passage["b"]), s=float(passage["length_m"]) / speed)
    return float(nx.dijkstra_path_length(graph, start, end, weight="s"))


def test_a_robot_takes_the_time_its_speed_needs(ward: ScenarioConfig) -> None:
    """Tracked: 0.5 m/s, also with a patient. A whole rescue, to the step."""
    episodes = begin(ward)
    zone = max(
        range(episodes.setup.site.zones.size), key=lambda z: shortest_s(episodes, int(begin_zone(episodes)), z, 0.5)
    )
    slot = put_patient(episodes, zone)
    run(episodes)
    to_patient = shortest_s(episodes, begin_zone(episodes), zone, 0.5)
    robots, patient = episodes.state.world.robots[0], episodes.state.world.patients[0, slot]
    steps = 0
    while patient["status"] != CARRIED:
        run(episodes, {0: episodes.codec.patient(slot)})
        steps += 1
        assert steps < 100
    assert steps == int(np.ceil(to_patient / 10.0 - 1e-6)) + 1  # the walk, then a step to pick up
    out_s = min(shortest_s(episodes, zone, int(e), 0.5) for e in episodes.setup.site.entrances)
    steps = 0
    while patient["status"] == CARRIED:
        assert patient["zone"] == robots[0]["zone"]
        run(episodes, {0: episodes.codec.patient(slot)})
        steps += 1
    assert patient["status"] == HANDED_OVER and steps == int(np.ceil(out_s / 10.0 - 1e-6)) + 1
    assert patient["rpm_handover"] == rpm_at(9, patient["clock_min"])
    assert episodes.state.world.zones["occupants"].sum() == 0
    assert episodes.state.clock["e_now"][0] == survival(patient["rpm_handover"])
    frozen = patient.copy()
    run(episodes, steps=30)
    for field in ("clock_min", "rpm_handover", "status", "zone", "handover_step"):
        assert patient[field] == frozen[field]
    assert patient["clock_none_min"] == pytest.approx(frozen["clock_none_min"] + 5.0, abs=1e-3)


def begin_zone(episodes: Episodes) -> int:
    """Where robot 0 starts."""
    return int(episodes.setup.site.entrances[0])


@pytest.mark.parametrize(("diggers", "steps"), [(1, 120), (2, 60), (3, 60)])
def test_two_diggers_halve_the_time_and_a_third_does_not_help(ward: ScenarioConfig, diggers: int, steps: int) -> None:
    episodes = begin(ward)
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone, TRAPPED, work_min=20.0)
    for r in range(diggers):
        put_robot(episodes, r, zone)
    run(episodes)
    patient = episodes.state.world.patients[0, slot]
    taken = 0
    while patient["status"] == TRAPPED:
        run(episodes, {r: episodes.codec.patient(slot) for r in range(diggers)})
        taken += 1
        assert taken <= steps + 1, patient["work_min"]
    assert abs(taken - steps) <= 1  # float32 remainders of 1/6 min may cost one more step
    assert patient["status"] == FREE and patient["work_min"] == 0.0


def test_both_diggers_are_told_that_the_work_is_done(ward: ScenarioConfig) -> None:
    """The second digger did its share: "cannot" would be the wrong news when the first one finishes the work."""
    episodes = begin(ward)
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone, TRAPPED, work_min=2.5 * STEP_MIN)
    for r in range(2):
        put_robot(episodes, r, zone)
    run(episodes)
    for _ in range(3):
        if episodes.state.world.patients["status"][0, slot] != TRAPPED:
            break
        run(episodes, {r: episodes.codec.patient(slot) for r in range(2)})
    assert episodes.state.world.patients["status"][0, slot] == FREE
    assert (episodes.state.belief.minds["event"][0, :2] <= DONE).all()


def test_crush_syndrome_costs_clock_time_unless_fluids_came_first(ward: ScenarioConfig) -> None:
    mixed = replace(ward, team=("tracked", "legged", "tracked"))
    clocks = {}
    for kit_first in (False, True):
        episodes = begin(mixed)
        zone = indoor_zone(episodes)
        slot = put_patient(episodes, zone, TRAPPED, rpm0=10, work_min=20 * STEP_MIN)
        put_robot(episodes, 0, zone)
        put_robot(episodes, 1, zone)
        run(episodes)
        patient = episodes.state.world.patients[0, slot]
        if kit_first:
            run(episodes, {1: episodes.codec.patient(slot)})
            assert patient["kitted"] == 1 and episodes.state.world.robots["kits"][0, 1] == 3
        steps = 0
        while patient["status"] == TRAPPED:
            before = float(patient["clock_min"])
            run(episodes, {0: episodes.codec.patient(slot)})
            steps += 1
            assert steps <= 21
        clocks[kit_first] = float(patient["clock_min"]) - before
    assert clocks[False] == pytest.approx(30.0 + STEP_MIN, abs=1e-3)
    assert clocks[True] == pytest.approx(0.3 * STEP_MIN, abs=1e-3)


@pytest.mark.parametrize(("status", "factor"), [(FREE, 1.0), (TRAPPED, 1.5)])
def test_a_kit_slows_the_clock_for_half_an_hour(ward: ScenarioConfig, status: int, factor: float) -> None:
    episodes = begin(replace(ward, team=("legged",)))
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone, status, work_min=50.0 if status == TRAPPED else 0.0)
    put_robot(episodes, 0, zone)
    patient = episodes.state.world.patients[0, slot]
    rates = []
    expected = []
    run(episodes)
    run(episodes, {0: episodes.codec.patient(slot)})
    given = episodes.state.clock["step"][0] - 1
    assert patient["treated_step"] == given and patient["kit_until"] == given + 180
    horizon = episodes.scenario.horizon_steps
    while episodes.state.clock["step"][0] < horizon:
        before = float(patient["clock_min"])
        expected.append(float(patient["expected"]))
        run(episodes)
        rates.append((float(patient["clock_min"]) - before) / STEP_MIN)
    np.testing.assert_allclose(rates, 0.3 * factor, rtol=2e-4)
    # What was projected at the gift is what came true, for nobody helped further and nothing burnt.
    assert survival(rpm_at(9, patient["clock_min"])) == pytest.approx(expected[0], abs=1e-5)


def test_a_kit_wears_off_after_thirty_minutes(ward: ScenarioConfig) -> None:
    episodes = begin(replace(ward, team=("legged",), physical=replace(QUIET, kit_min=5.0)))
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone)
    put_robot(episodes, 0, zone)
    patient = episodes.state.world.patients[0, slot]
    run(episodes)
    clock = [float(patient["clock_min"])]
    run(episodes, {0: episodes.codec.patient(slot)})
    clock.append(float(patient["clock_min"]))
    for _ in range(40):
        run(episodes)
        clock.append(float(patient["clock_min"]))
    rates = np.diff(clock) / STEP_MIN
    np.testing.assert_allclose(rates[:30], 0.3, rtol=1e-3)
    np.testing.assert_allclose(rates[30:], 1.0, rtol=1e-3)


def test_dense_smoke_doubles_the_clock(ward: ScenarioConfig) -> None:
    episodes = begin(ward)
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone)
    episodes.state.world.zones["burning"][0, zone] = 1
    patient = episodes.state.world.patients[0, slot]
    before = float(patient["clock_min"])
    run(episodes, steps=6)
    assert float(patient["clock_min"]) - before == pytest.approx(12 * STEP_MIN, rel=1e-4)
    assert episodes.state.world.zones["smoke"][0, zone] == 1.0
    assert episodes.state.clock["potential"][0] == 0.0


def test_recharging_takes_five_minutes_and_uses_nothing(ward: ScenarioConfig) -> None:
    episodes = begin(ward)
    robot = episodes.state.world.robots[0, 0]
    robot["energy"] = 0.1
    run(episodes)
    start = float(robot["energy"])
    cost = float(episodes.state.clock["cost"][0])
    recharge = episodes.codec.service("recharge")
    run(episodes, {0: recharge}, steps=10)
    assert float(robot["energy"]) == pytest.approx(start + 10 * STEP_MIN / 5.0, abs=1e-5)
    others = 2 * 10 * 0.1 * STEP_MIN / 120.0 * 0.001
    assert float(episodes.state.clock["cost"][0]) - cost == pytest.approx(others, rel=1e-3)


def test_a_full_battery_ends_the_recharging(ward: ScenarioConfig) -> None:
    episodes = begin(ward)
    robot, mind = episodes.state.world.robots[0, 0], episodes.state.belief.minds[0, 0]
    robot["energy"] = 0.9
    run(episodes)
    run(episodes, {0: episodes.codec.service("recharge")})
    for _ in range(10):
        row = np.full((1, 3), episodes.codec.wait, np.int32)
        row[0, 0] = 0
        episodes.step(row)
        if mind["task"] == 0:
            break
    assert mind["task"] == 0 and mind["event"] == DONE and robot["energy"] >= 0.99
    assert episodes.out.mask[0, 0, episodes.codec.service("recharge")] == 0


@pytest.mark.parametrize(("kind", "minutes"), [("legged", 90.0), ("tracked", 120.0), ("aerial", 20.0)])
def test_standing_still_uses_a_tenth_of_the_battery(ward: ScenarioConfig, kind: str, minutes: float) -> None:
    episodes = begin(replace(ward, team=(kind,)))
    run(episodes, steps=30)
    used = 1.0 - float(episodes.state.world.robots["energy"][0, 0])
    assert used == pytest.approx(0.1 * 5.0 / minutes, rel=1e-4)
    assert episodes.state.clock["cost"][0] == pytest.approx(0.001 * used, rel=1e-3)


def test_a_dead_battery_sets_the_patient_down_where_they_are(ward: ScenarioConfig) -> None:
    episodes = begin(ward)
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone)
    put_robot(episodes, 0, zone)
    run(episodes)
    run(episodes, {0: episodes.codec.patient(slot)})
    robot, patient = episodes.state.world.robots[0, 0], episodes.state.world.patients[0, slot]
    assert patient["status"] == CARRIED and robot["patient"] == slot
    robot["energy"] = 1e-6
    run(episodes, {0: episodes.codec.patient(slot)})
    assert robot["alive"] == 0 and robot["patient"] == -1
    assert patient["status"] == FREE and patient["carrier"] == -1 and patient["zone"] == robot["zone"]
    assert episodes.out.terminated[0].tolist() == [1, 0, 0] and episodes.state.clock["lost"][0] == 1
    # Another robot can take over from there.
    run(episodes)
    for _ in range(60):
        if patient["status"] == HANDED_OVER:
            break
        run(episodes, {1: episodes.codec.patient(slot)})
    assert patient["status"] == HANDED_OVER


def test_a_collapse_that_buries_the_carrier_lets_go_of_the_patient(ward: ScenarioConfig) -> None:
    crash = replace(
        QUIET, rj_a=30.0, aftershock_pga_g=50.0, aftershock_sigma=0.0, collapse_probability=1.0, lost_probability=1.0
    )
    episodes = begin(replace(ward, physical=crash))
    zone = indoor_zone(episodes)
    slot = put_patient(episodes, zone)
    put_robot(episodes, 0, zone)
    robot, patient = episodes.state.world.robots[0, 0], episodes.state.world.patients[0, slot]
    robot["patient"], patient["status"], patient["carrier"] = slot, CARRIED, 0
    run(episodes)
    assert episodes.state.clock["aftershocks"][0] == 1 and robot["alive"] == 0
    assert robot["patient"] == -1
    assert patient["status"] in (FREE, TRAPPED) and patient["carrier"] == -1


def test_a_blocked_passage_stops_the_robot_and_makes_it_ask_again(ward: ScenarioConfig) -> None:
    """By the plan every passage is open: the robot meets the rubble, knows it now, and its task is over."""
    episodes = begin(ward, perfect=False)
    site, world, mind = episodes.setup.site, episodes.state.world, episodes.state.belief.minds[0, 0]
    zone = indoor_zone(episodes)
    put_robot(episodes, 0, zone)
    target = int(site.neighbours[zone, 0])
    beyond = [int(z) for z in site.neighbours[target] if z >= 0 and z != zone]
    assert beyond
    far = beyond[0]
    slot = put_patient(episodes, far)
    blocked = next(
        int(e) for z, e in zip(site.neighbours[target], site.neighbour_passages[target], strict=True) if z == far
    )
    world.passages["condition"][0, blocked] = BLOCKED
    run(episodes)
    assert episodes.state.belief.passages["condition"][0, 0, blocked] == OPEN
    run(episodes, {0: episodes.codec.patient(slot)})
    robot = world.robots[0, 0]
    for _ in range(20):
        if mind["event"] == MET_BLOCKED:
            break
        row = np.full((1, 3), episodes.codec.wait, np.int32)
        row[0, 0] = 0
        episodes.step(row)
    assert mind["event"] == MET_BLOCKED and mind["task"] == 0
    assert robot["zone"] == target and robot["passage"] == -1 and robot["met_passage"] == blocked
    assert episodes.state.belief.passages["condition"][0, 0, blocked] == BLOCKED
    events = episodes.layout.feature(episodes.out.observation[0, 0], "self", "event_blocked")
    assert events.tolist() == [1.0]
    # It reported what it met, so that the twin and then the others know.
    assert episodes.state.twin.passages["condition"][0, blocked] == BLOCKED
    assert (episodes.state.belief.passages["condition"][0, :, blocked] == BLOCKED).all()


def test_a_patient_who_is_not_there_makes_the_robot_ask_again(ward: ScenarioConfig) -> None:
    episodes = begin(ward, perfect=False)
    site, world, mind = episodes.setup.site, episodes.state.world, episodes.state.belief.minds[0, 0]
    zone = indoor_zone(episodes)
    put_robot(episodes, 0, zone)
    census = int(site.neighbours[zone, 0])
    slot = put_patient(episodes, census)
    elsewhere = next(z for z in range(site.zones.size) if z not in (zone, census, *site.neighbours[census].tolist()))
    world.patients["zone"][0, slot] = elsewhere
    world.zones["occupants"][0, census] -= 1
    world.zones["occupants"][0, elsewhere] += 1
    run(episodes)
    run(episodes, {0: episodes.codec.patient(slot)})
    for _ in range(20):
        if mind["event"] == PATIENT_ABSENT:
            break
        row = np.full((1, 3), episodes.codec.wait, np.int32)
        row[0, 0] = 0
        episodes.step(row)
    assert mind["event"] == PATIENT_ABSENT and mind["task"] == 0 and world.robots["zone"][0, 0] == census
    assert episodes.state.belief.patients["zone"][0, 0, slot] == -1
    assert episodes.out.mask[0, 0, episodes.codec.patient(slot)] == 0
    assert episodes.state.twin.patients["zone"][0, slot] == -1
    assert world.patients["found_step"][0, slot] == -1


def test_clearing_takes_the_robot_minutes_and_two_robots_share_it(ward: ScenarioConfig) -> None:
    for robots, steps in ((1, 30), (2, 15)):
        episodes = begin(ward)
        site, world = episodes.setup.site, episodes.state.world
        zone = indoor_zone(episodes)
        e = int(site.neighbour_passages[zone, 0])
        world.passages["condition"][0, e] = BLOCKED
        world.passages["clear_min"][0, e] = 5.0
        for r in range(robots):
            put_robot(episodes, r, zone)
        run(episodes)
        clear = episodes.codec.service("clear")
        taken = 0
        while world.passages["condition"][0, e] == BLOCKED:
            run(episodes, dict.fromkeys(range(robots), clear))
            taken += 1
            assert taken <= steps + 1
        assert abs(taken - steps) <= 1 and world.passages["condition"][0, e] == OPEN
        assert episodes.state.world.orders["verb"][0, 0] == CLEAR


def test_a_slow_passage_takes_two_and_a_half_times_as_long(ward: ScenarioConfig) -> None:
    times = {}
    for condition in (OPEN, SLOW):
        episodes = begin(ward, control="move")
        site, world = episodes.setup.site, episodes.state.world
        zone = indoor_zone(episodes)
        e = int(site.neighbour_passages[zone, 0])
        world.passages["condition"][0, e] = condition
        put_robot(episodes, 0, zone)
        run(episodes)
        steps = 0
        metres = 0.0
        row = np.full((1, 3), episodes.codec.wait, np.int32)
        row[0, 0] = 1
        episodes.step(row)
        robot = world.robots[0, 0]
        if robot["passage"] == e:
            metres = float(robot["progress_m"])
            steps = 1
        times[condition] = (metres, steps)
    assert times[OPEN][0] in (0.0, pytest.approx(5.0, rel=1e-5))  # crossed, or 10 s at 0.5 m/s
    assert times[SLOW][0] == pytest.approx(2.0, rel=1e-5)


def test_depots_fill_a_legged_robot_up_and_run_out(ward: ScenarioConfig) -> None:
    episodes = begin(replace(ward, team=("legged",) * 3), control="move")
    world = episodes.state.world
    depot = int(episodes.setup.site.depots[0])
    for r in range(3):
        put_robot(episodes, r, depot)
    world.robots["kits"][0] = [0, 1, 0]
    world.zones["kits"][0, depot] = 6
    run(episodes)
    take = episodes.codec.service("take kit")
    run(episodes, {0: take, 1: take, 2: take})
    assert world.robots["kits"][0].tolist() == [4, 3, 0] and world.zones["kits"][0, depot] == 0
    assert episodes.state.belief.minds["event"][0].tolist()[:2] == [DONE, DONE]


def test_an_empty_depot_is_not_tried_for_ever(ward: ScenarioConfig) -> None:
    """A legged robot that finds the nearest depot empty goes to the next one instead of asking there again."""
    episodes = begin(replace(ward, team=("legged",)))
    world, site = episodes.state.world, episodes.setup.site
    assert site.depots.size >= 2
    nearest = int(site.depots[0])
    put_patient(episodes, indoor_zone(episodes))
    put_robot(episodes, 0, nearest)
    world.robots["kits"][0, 0] = 0
    world.zones["kits"][0, nearest] = 0
    run(episodes)
    kit = episodes.codec.service("kit")
    for _ in range(60):
        if world.robots["kits"][0, 0] > 0:
            break
        row = np.array([[kit if episodes.out.mask[0, 0, kit] else 0]], np.int32)
        episodes.step(row)
    assert world.robots["kits"][0, 0] > 0


@pytest.mark.parametrize("control", ["task", "move"])
def test_aerial_and_legged_robots_never_extricate_or_carry(ward: ScenarioConfig, control: str) -> None:
    """Whatever they are told in a zone with a trapped and a free patient."""
    episodes = begin(replace(ward, team=("aerial", "legged")), control=control)
    zone = indoor_zone(episodes)
    trapped, free = put_patient(episodes, zone, TRAPPED, work_min=0.1), put_patient(episodes, zone, FREE)
    for r in range(2):
        put_robot(episodes, r, zone)
    run(episodes)
    rng = np.random.default_rng(0)
    patients = episodes.state.world.patients[0]
    for _ in range(120):
        episodes.step(rng.integers(0, episodes.codec.n, (1, 2)).astype(np.int32))
        assert patients["status"][[trapped, free]].tolist() == [TRAPPED, FREE]
        assert patients["work_min"][trapped] == np.float32(0.1)
        assert (episodes.state.world.robots["patient"] == -1).all()


def test_damage_that_a_shock_brings_traps_the_people_inside(ward: ScenarioConfig) -> None:
    crash = replace(QUIET, rj_a=30.0, aftershock_pga_g=50.0, aftershock_sigma=0.0, collapse_probability=1.0)
    episodes = begin(replace(ward, physical=crash))
    slot = put_patient(episodes, indoor_zone(episodes))
    run(episodes)
    indoor = episodes.setup.site.zones["indoor"] == 1
    assert (episodes.state.world.zones["damage"][0][indoor] == COMPLETE + 1).all()
    assert (episodes.state.world.zones["damage"][0][~indoor] == 0).all()
    patient = episodes.state.world.patients[0, slot]
    assert patient["status"] == TRAPPED and patient["trapped_none"] == 1
    assert float(patient["work_min"]) in (20.0, 35.0, 70.0)
    assert episodes.state.clock["potential"][0] == 0.0
