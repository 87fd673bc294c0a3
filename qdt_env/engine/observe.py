"""Observe: a robot's belief as one flat vector, and what it may do next as a mask.

Nothing here reads the truth except what a robot senses about itself and its own zone.
"""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.control import look_around, needs_kit
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.physical.state import BLOCKED, CARRIED, EMPTY, FREE, HANDED_OVER, LEGGED, SLOW, TRACKED, TRAPPED
from qdt_env.security.link import link_trust
from qdt_env.spaces import (
    AGE_SCALE_STEPS,
    CHANNEL_FEATURES,
    KEY_SCALE_BITS,
    LENGTH_SCALE_M,
    PASSAGE_FEATURES,
    PATIENT_FEATURES,
    SELF_FEATURES,
    SERVICE_FEATURES,
    TEAM_FEATURES,
    TRAVEL_SCALE_S,
    WORK_SCALE_MIN,
)
from qdt_env.twin.trust import trust_score

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_PATIENT = len(PATIENT_FEATURES)
_PASSAGE = len(PASSAGE_FEATURES)
_TEAM = len(TEAM_FEATURES)
_SERVICE = len(SERVICE_FEATURES)
_SELF = len(SELF_FEATURES)
_CHANNEL = len(CHANNEL_FEATURES)
_MINUTES = 360  # last column of the outlook table


@rule
def outlook_at(outlook, rpm, minutes):
    """Survival expected ``minutes`` after an RPM estimate, from the table at quarter points and whole minutes."""
    i = int(min(max(rpm, _ZERO), np.float32(12.0)) * np.float32(4.0) + np.float32(0.5))
    j = int(min(max(minutes, _ZERO), np.float32(_MINUTES)))
    return outlook[i, j]


@rule
def squash(value, scale):
    """value / (value + scale): 0 at 0, 1/2 at ``scale``, 1 at infinity."""
    return value / (value + scale) if value < np.float32(1e9) else _ONE


@phase
def observe(b, setup, state, out):
    """Write observation and mask of every robot; a lost robot sees zeros and may only wait."""
    for r in range(setup.site.team.shape[0]):
        mask = out.mask[b, r]
        mask[:] = 0
        mask[mask.shape[0] - 1] = 1
        row = out.observation[b, r]
        if state.world.robots[b, r].alive == 0:
            row[:] = _ZERO
            continue
        mask[0] = 1
        look_around(b, r, setup, state)
        see_self(b, r, setup, state, row)
        see_passages(b, r, setup, state, row)
        see_patients(b, r, setup, state, row, mask)
        see_services(b, r, setup, state, row, mask)
        see_team(b, r, setup, state, row)
        see_channel(b, r, setup, state, row)
        layout = setup.layout[0]
        elapsed = np.float32(state.clock[b].step) / np.float32(setup.game[0].horizon_steps)
        row[layout.time] = elapsed
        row[layout.time + 1] = _ONE - elapsed
        if setup.game[0].control == 1:
            allow_moves(b, r, setup, state, mask)


@phase
def see_self(b, r, setup, state, row):
    """Block ``self``, in the order of ``spaces.SELF_FEATURES``."""
    o = setup.layout[0]["self"]
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    zone = setup.site.zones[robot.zone]
    believed = state.belief.zones[b, r, robot.zone]
    for k in range(_SELF):
        row[o + k] = _ZERO
    row[o + robot.kind] = _ONE
    row[o + 3] = robot.energy
    row[o + 4] = np.float32(robot.kits) / np.float32(4.0)
    if robot.patient >= 0:
        row[o + 5] = _ONE
        row[o + 6] = state.belief.patients[b, r, robot.patient].rpm / np.float32(12.0)
    row[o + 7], row[o + 8], row[o + 9] = place(robot.zone, setup)
    row[o + 10] = np.float32(believed.damage) / np.float32(5.0)
    row[o + 11] = np.float32(believed.smoke) / np.float32(100.0)
    row[o + 12] = zone.entrance
    row[o + 13] = zone.depot
    row[o + 14] = _ONE if mind.near_gateway == robot.zone else _ZERO
    row[o + 15] = _ONE if robot.passage >= 0 else _ZERO
    row[o + 16] = _ONE if mind.task > 0 else _ZERO  # waiting ends with its step
    if setup.game[0].control == 0 and 0 < mind.task <= state.belief.patients.shape[2]:
        work = state.belief.patients[b, r, mind.task - 1].work_min
        row[o + 17] = min(max(work, _ZERO) / np.float32(WORK_SCALE_MIN), _ONE)
    if mind.event > 0:
        row[o + 17 + mind.event] = _ONE


@rule
def place(z, setup):
    """(x, y, storey) of a zone, each in [0, 1] over the building."""
    zone = setup.site.zones[z]
    game = setup.game[0]
    return (
        (zone.x_m - game.low_x_m) / game.extent_x_m,
        (zone.y_m - game.low_y_m) / game.extent_y_m,
        np.float32(zone.storey) / game.storeys,
    )


@phase
def see_passages(b, r, setup, state, row):
    """Block ``passages``: those of the own zone."""
    o = setup.layout[0].passages
    z = state.world.robots[b, r].zone
    for slot in range(setup.site.neighbours.shape[1]):
        k = o + slot * _PASSAGE
        e = setup.site.neighbour_passages[z, slot]
        if e < 0:
            row[k], row[k + 1], row[k + 2], row[k + 3] = _ZERO, _ZERO, _ZERO, _ZERO
        else:
            condition = state.belief.passages[b, r, e].condition
            shut = condition == BLOCKED or setup.site.passages[e].kind == ELEVATOR
            row[k] = _ONE
            row[k + 1] = _ONE if shut else _ZERO
            row[k + 2] = _ONE if condition == SLOW else _ZERO
            row[k + 3] = min(setup.site.passages[e].length_m / np.float32(LENGTH_SCALE_M), _ONE)


@phase
def see_patients(b, r, setup, state, row, mask):
    """Block ``tasks`` and the mask of the patient actions."""
    o = setup.layout[0].tasks
    clock = state.clock[b]
    robot = state.world.robots[b, r]
    cfg = setup.physical[0]
    dt_min = cfg.dt_s / np.float32(60.0)
    left_min = np.float32(setup.game[0].horizon_steps - clock.step) * dt_min
    tasks = setup.game[0].control == 0
    share = _ONE / np.float32(max(setup.site.team.shape[0] - 1, 1))
    for i in range(state.belief.patients.shape[2]):
        k = o + i * _PATIENT
        believed = state.belief.patients[b, r, i]
        if believed.status == EMPTY or believed.status == HANDED_OVER:
            for j in range(_PATIENT):
                row[k + j] = _ZERO
            continue
        trapped = believed.status == TRAPPED
        pace = cfg.pace_trapped if trapped else _ONE
        waited_min = np.float32(clock.step - believed.rpm_step) * dt_min
        away_s = np.float32(np.inf)
        ahead_s = away_s
        if believed.zone >= 0:
            away_s = state.belief.travel_s[b, r, believed.zone]
            ahead_s = away_s + state.belief.exit_s[b, r, believed.zone]
        ahead_min = ahead_s / np.float32(60.0) + believed.work_min
        row[k] = _ONE
        row[k + 1] = believed.known
        row[k + 2] = believed.rpm / np.float32(12.0)
        row[k + 3] = outlook_at(setup.outlook, believed.rpm, waited_min * pace)
        row[k + 4] = _ZERO
        if ahead_min <= left_min:
            row[k + 4] = outlook_at(setup.outlook, believed.rpm, (waited_min + ahead_min) * pace)
        row[k + 5] = outlook_at(setup.outlook, believed.rpm, (waited_min + left_min) * pace)
        row[k + 6] = squash(away_s, np.float32(TRAVEL_SCALE_S))
        row[k + 7] = squash(ahead_min * np.float32(60.0), np.float32(TRAVEL_SCALE_S))
        row[k + 8] = min(believed.work_min / np.float32(WORK_SCALE_MIN), _ONE)
        row[k + 9] = _ZERO
        row[k + 10] = believed.trust
        row[k + 11] = squash(np.float32(clock.step - max(believed.step, 0)), np.float32(AGE_SCALE_STEPS))
        if tasks:
            reachable = away_s < np.float32(np.inf)
            mask[1 + i] = 1 if patient_is_task(robot, i, believed, reachable) else 0
    if tasks:
        for j in range(setup.site.team.shape[0]):
            claim = state.belief.team[b, r, j].task - 1
            if j != r and 0 <= claim < state.belief.patients.shape[2]:
                if state.belief.patients[b, r, claim].status != HANDED_OVER:
                    row[o + claim * _PATIENT + 9] = min(row[o + claim * _PATIENT + 9] + share, _ONE)


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


@phase
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
def see_team(b, r, setup, state, row):
    """Block ``team``: the other robots as the last view shows them, by number."""
    o = setup.layout[0].team
    row_of = 0
    for j in range(setup.site.team.shape[0]):
        if j == r:
            continue
        k = o + row_of * _TEAM
        row_of += 1
        known = state.belief.team[b, r, j]
        for f in range(_TEAM):
            row[k + f] = _ZERO
        silent = state.belief.minds[b, r].view_step - known.step
        row[k] = _ONE if silent < np.int64(AGE_SCALE_STEPS) else _ZERO
        row[k + 1 + setup.site.team[j]] = _ONE
        row[k + 4], row[k + 5], row[k + 6] = place(known.zone, setup)
        row[k + 7] = known.energy
        row[k + 8] = _ONE if known.patient >= 0 else _ZERO


@phase
def see_channel(b, r, setup, state, row):
    """Block ``channel``: keys, alarms, what was rejected or went missing, and trust in link and source."""
    o = setup.layout[0].channel
    clock = state.clock[b]
    link = state.channel.links[b, r]
    suite = setup.suites[clock.suite]
    known = state.belief.team[b, r, r]
    row[o] = squash(link.pool_bits, np.float32(KEY_SCALE_BITS))
    row[o + 1] = min(link.qber, _ONE)
    row[o + 2] = _ONE if link.alarm > 0 else _ZERO
    row[o + 3] = link.fallback
    row[o + 4] = link.key_ready
    row[o + 5] = np.float32(suite.security_class) / np.float32(5.0)
    row[o + 6] = min(link.auth_fail_rate, _ONE)
    row[o + 7] = min(link.loss_rate, _ONE)
    age = np.float32(clock.step - state.belief.minds[b, r].view_step)
    row[o + 8] = squash(max(age, _ZERO), np.float32(AGE_SCALE_STEPS))
    row[o + 9] = _ONE if state.channel.outcomes[b, DOWNLINK, r].verdict in (0, 2, 5) else _ZERO
    row[o + 10] = link_trust(link, suite, setup.channel[0])
    row[o + 11] = trust_score(known.positive, known.negative, np.float32(clock.step - known.evidence_step), setup.twin[0])


@phase
def inform(b, setup, state, out):
    """Write the robots' infos, in the order of ``spaces.ROBOT_INFO``: ground truth for scoring, not for policies."""
    clock = state.clock[b]
    range_lives = clock.e_instant - clock.e_none
    score = clock.potential / range_lives if range_lives > 0.0 else 0.0
    for r in range(setup.site.team.shape[0]):
        row = out.info[b, r]
        up, down = state.channel.outcomes[b, UPLINK, r], state.channel.outcomes[b, DOWNLINK, r]
        link = state.channel.links[b, r]
        mind = state.belief.minds[b, r]
        row[0], row[1] = up.verdict, down.verdict
        row[2], row[3] = up.content, down.content
        row[4] = clock.step - mind.view_step
        row[5] = mind.event
        row[6] = mind.masked_actions
        row[7] = link.key_bits_spent
        row[8] = link.rejected + link.injected_rejected
        row[9] = link.forged
        row[10] = link.lost
        row[11] = link.no_key
        row[12] = link_trust(link, setup.suites[clock.suite], setup.channel[0])
        row[13] = state.twin.robots[b, r].trust
        row[14] = clock.step
        row[15] = clock.potential
        row[16] = score


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

