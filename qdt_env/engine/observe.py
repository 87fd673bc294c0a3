"""Observe: a robot's belief as one flat vector, and what it may do next as a mask.

Nothing here reads the truth except what a robot senses about itself and its own zone.
"""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.links import arrived
from qdt_env.engine.navigation import look_around
from qdt_env.engine.state import DOWNLINK, NO_ROOM, UPLINK
from qdt_env.engine.tasks import allow_moves, see_patients, see_services, squash
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.physical.state import BLOCKED, SLOW
from qdt_env.security.link import link_trust
from qdt_env.spaces import (
    AGE_SCALE_STEPS,
    KEY_SCALE_BITS,
    LENGTH_SCALE_M,
    PASSAGE_FEATURES,
    SELF_FEATURES,
    TEAM_FEATURES,
    WORK_SCALE_MIN,
)
from qdt_env.twin.trust import trust_score

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_PASSAGE = len(PASSAGE_FEATURES)
_TEAM = len(TEAM_FEATURES)
_SELF = len(SELF_FEATURES)


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


@rule
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


@rule
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


@rule
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


@rule
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
    row[o + 9] = _ONE if arrived(state.channel.outcomes[b, DOWNLINK, r]) else _ZERO
    row[o + 10] = link_trust(link, suite, setup.channel[0])
    row[o + 11] = trust_score(
        known.positive, known.negative, np.float32(clock.step - known.evidence_step), setup.twin[0]
    )


@phase
def inform(b, setup, state, out):
    """Write the robots' infos, in the order of ``spaces.ROBOT_INFO``: ground truth for scoring, not for policies."""
    clock = state.clock[b]
    range_lives = clock.e_instant - clock.e_none
    score = clock.potential / range_lives if range_lives > NO_ROOM else 0.0
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
