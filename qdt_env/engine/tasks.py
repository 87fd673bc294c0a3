"""Observe, second half: what could be done next, as features and as the mask. Only the belief is read."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.control import needs_kit
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.physical.state import BLOCKED, CARRIED, EMPTY, FREE, HANDED_OVER, LEGGED, TRACKED, TRAPPED
from qdt_env.spaces import (
    AGE_SCALE_STEPS,
    PATIENT_FEATURES,
    SERVICE_FEATURES,
    TRAVEL_SCALE_S,
    WORK_SCALE_MIN,
)

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_PATIENT = len(PATIENT_FEATURES)
_SERVICE = len(SERVICE_FEATURES)
_MINUTES = 360  # last column of the outlook table


@rule
def outlook_column(minutes):
    """Column of the outlook table, whole minutes ahead, at most its last."""
    return np.uint32(min(minutes, np.float32(_MINUTES)))


@rule
def squash(value, scale):
    """The share value / (value + scale) for values >= 0: 0 at 0, 1/2 at ``scale``, 1 at infinity."""
    return np.float32(1.0) - scale / (value + scale)


@phase
def see_patients(b, r, setup, state, row, mask):
    """Block ``tasks`` and the mask of the patient actions."""
    o = setup.layout[0].tasks
    step = state.clock[b].step
    dt_min = setup.physical[0].dt_s / np.float32(60.0)
    left_min = np.float32(setup.game[0].horizon_steps - step) * dt_min
    tasks = setup.game[0].control == 0
    for i in range(state.belief.patients.shape[2]):
        k = o + i * _PATIENT
        believed = state.belief.patients[b, r, i]
        if believed.status == EMPTY or believed.status == HANDED_OVER:
            if row[k] != _ZERO:
                for j in range(_PATIENT):
                    row[k + j] = _ZERO
            continue
        reachable = see_patient(b, r, believed, step, dt_min, left_min, setup, state, row[k : k + _PATIENT])
        if tasks and patient_is_task(state.world.robots[b, r], i, believed, reachable):
            mask[1 + i] = 1
    if tasks:
        see_claims(b, r, setup, state, row)


@rule
def see_patient(b, r, believed, step, dt_min, left_min, setup, state, row):
    """Features of one patient, in the order of ``spaces.PATIENT_FEATURES``; returns whether it can be reached."""
    away_s = np.float32(np.inf)
    ahead_min = away_s
    if believed.zone >= 0:
        zone = np.uint32(believed.zone)
        away_s = state.belief.travel_s[b, r, zone]
        ahead_min = (away_s + state.belief.exit_s[b, r, zone]) * np.float32(1.0 / 60.0) + believed.work_min
    pace = setup.physical[0].pace_trapped if believed.status == TRAPPED else _ONE
    waited_min = np.float32(step - believed.rpm_step) * dt_min
    quarter = np.uint32(believed.rpm * np.float32(4.0) + np.float32(0.5))  # the belief keeps RPM within [0, 12]
    outlook = setup.outlook
    row[0] = _ONE
    row[1] = np.float32(believed.known)
    row[2] = believed.rpm * np.float32(1.0 / 12.0)
    row[3] = outlook[quarter, outlook_column(waited_min * pace)]
    row[4] = _ZERO
    if ahead_min <= left_min:
        row[4] = outlook[quarter, outlook_column((waited_min + ahead_min) * pace)]
    row[5] = outlook[quarter, outlook_column((waited_min + left_min) * pace)]
    row[6] = squash(away_s, np.float32(TRAVEL_SCALE_S))
    row[7] = squash(ahead_min, np.float32(TRAVEL_SCALE_S / 60.0))
    row[8] = min(believed.work_min * np.float32(1.0 / WORK_SCALE_MIN), _ONE)
    row[9] = _ZERO
    row[10] = believed.trust
    row[11] = squash(np.float32(step - max(believed.step, np.int16(0))), np.float32(AGE_SCALE_STEPS))
    return away_s < np.float32(np.inf)


@phase
def see_claims(b, r, setup, state, row):
    """Feature "claimed": the share of the others whom the last view shows on their way to a patient."""
    o = setup.layout[0].tasks
    robots = setup.site.team.shape[0]
    share = _ONE / np.float32(max(robots - 1, 1))
    for j in range(robots):
        claim = state.belief.team[b, r, j].task - 1
        if j != r and 0 <= claim < state.belief.patients.shape[2]:
            k = o + claim * _PATIENT
            if row[k] != _ZERO:
                row[k + 9] = min(row[k + 9] + share, _ONE)


@rule
def patient_is_task(robot, i, believed, reachable):
    """Whether going to a patient can be useful, as far as the robot knows: by kind, load and the patient's status."""
    if robot.patient >= 0:
        return robot.patient == i
    if not reachable or believed.status == CARRIED:
        return False
    if robot.kind == TRACKED:
        return True
    if robot.kind == LEGGED and robot.kits > 0 and believed.kitted == 0:
        return True
    return believed.known == 0


@rule
def see_services(b, r, setup, state, row, mask):
    """Block ``services`` and, under task control, their mask."""
    o = setup.layout[0].services
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    inf = np.float32(np.inf)
    free = robot.patient < 0
    suite = setup.suites[state.clock[b].suite]
    exit_s = state.belief.exit_s[b, r, robot.zone]
    fetch_s = mind.near_depot_s if robot.kits == 0 else _ZERO
    for service in range(6):
        if service == 0:
            possible, away_s = free and mind.near_unseen >= 0, mind.near_unseen_s
        elif service == 1:
            possible, away_s = free and robot.kind == LEGGED and fetch_s < inf, fetch_s
            if possible:
                possible = somebody_needs_kit(b, r, state)
        elif service == 2:
            possible, away_s = free and robot.kind == TRACKED and mind.near_blocked >= 0, mind.near_blocked_s
        elif service == 3:
            possible, away_s = free and exit_s < inf and robot.energy < np.float32(0.99), exit_s
        elif service == 4:
            wanted = state.channel.links[b, r].pool_bits < setup.channel[0].pool_capacity_bits
            possible = free and suite.quantum_keys == 1 and mind.near_gateway >= 0 and wanted
            away_s = mind.near_gateway_s
        else:
            possible, away_s = True, _ZERO
        row[o + service * _SERVICE] = _ONE if possible else _ZERO
        row[o + service * _SERVICE + 1] = squash(away_s, np.float32(TRAVEL_SCALE_S))
        if setup.game[0].control == 0:
            mask[mask.shape[0] - 6 + service] = 1 if possible else 0


@rule
def somebody_needs_kit(b, r, state):
    """Whether any patient is believed in need of a kit and within reach."""
    for i in range(state.belief.patients.shape[2]):
        believed = state.belief.patients[b, r, i]
        if needs_kit(believed) and state.belief.travel_s[b, r, believed.zone] < np.float32(np.inf):
            return True
    return False


@phase
def allow_moves(b, r, setup, state, mask):
    """Mask of the low-level control: passages not believed blocked, verbs that fit what is seen here."""
    robot = state.world.robots[b, r]
    slots = setup.site.neighbours.shape[1]
    if robot.passage >= 0:
        mask[mask.shape[0] - 1] = 0  # within a passage the only way is on
        return
    blocked = False
    for slot in range(slots):
        e = setup.site.neighbour_passages[robot.zone, slot]
        if e < 0 or setup.site.passages[e].kind == ELEVATOR:
            continue
        if state.belief.passages[b, r, e].condition == BLOCKED:
            blocked = True
        else:
            mask[1 + slot] = 1
    zone = setup.site.zones[robot.zone]
    verb = 1 + slots
    for i in range(state.belief.patients.shape[2]):
        believed = state.belief.patients[b, r, i]
        if believed.zone != robot.zone:
            continue
        if robot.kind == LEGGED and robot.kits > 0 and needs_kit(believed):
            mask[verb] = 1
        if robot.kind == TRACKED and robot.patient < 0:
            if believed.status == TRAPPED:
                mask[verb + 1] = 1
            elif believed.status == FREE:
                mask[verb + 2] = 1
    if robot.patient >= 0 and zone.entrance == 1:
        mask[verb + 3] = 1
    if zone.depot == 1 and robot.kind == LEGGED and robot.kits < int(setup.physical[0].kit_capacity[robot.kind]):
        mask[verb + 4] = 1
    if blocked and robot.kind == TRACKED and robot.patient < 0:
        mask[verb + 5] = 1
    if zone.entrance == 1 and robot.energy < np.float32(0.99):
        mask[verb + 6] = 1
    if setup.suites[state.clock[b].suite].quantum_keys == 1 and state.belief.minds[b, r].near_gateway == robot.zone:
        mask[verb + 7] = 1
