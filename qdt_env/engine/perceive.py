"""Sense: what robots see with their own eyes goes into their belief and their report; fixed sensors read."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.physical.sensors import read_zone, triage_rpm
from qdt_env.physical.state import BLOCKED, EMPTY, FREE, HANDED_OVER, OPEN, TRAPPED
from qdt_env.security.attacks import N_ATTACK_KINDS, SOURCE_KINDS_MASK, attack_is_on
from qdt_env.twin.state import MAX_SIGHTINGS


@phase
def perceive(b, setup, state):
    """Every live robot senses its zone, passages and patients, and writes its report; liars falsify theirs."""
    clock = state.clock[b]
    for r in range(setup.site.team.shape[0]):
        robot = state.world.robots[b, r]
        report = state.reports.heads[b, r]
        report.valid = robot.alive
        report.sightings = 0
        if robot.alive == 0:
            continue
        report.zone = robot.zone
        report.energy = robot.energy
        report.task = state.belief.minds[b, r].task
        report.patient = robot.patient
        report.kits = robot.kits
        if robot.met_passage >= 0:
            see_passage(b, r, robot.met_passage, state)
        report.stands = 1 if robot.passage < 0 else 0
        if report.stands == 1:
            look_at_zone(b, r, setup, state)
            look_at_patients(b, r, setup, state)
        lie = lie_sigma(state.channel.liars[b, r], state.channel.attacks[b], clock.step)
        if lie > np.float32(0.0):
            tell_lies(report, state.reports.passages[b, r], state.reports.sightings[b, r], lie, setup.physical[0])


@phase
def read_sensors(b, setup, state):
    """The fixed sensors whose turn it is read their zones; a dead one reads NaN."""
    clock = state.clock[b]
    cfg = setup.physical[0]
    period = setup.game[0].sensor_period_steps
    for g in range(setup.site.gateways.shape[0]):
        turn = g * period + clock.step % period
        for k in range(setup.rota_turns[turn], setup.rota_turns[turn + 1]):
            z = setup.rota_zones[k]
            reading = state.readings[b, z]
            if state.world.zones[b, z].sensor_alive == 0:
                reading[0] = np.float32(np.nan)
            else:
                reading[0], reading[1], reading[2] = read_zone(
                    b, z, state.world, cfg.sensor_sigma, clock.seed, clock.episode, clock.step, z
                )


@rule
def lie_sigma(mask, attacks, step):
    """Size of the lie that a source tells now, in standard deviations; 0 when it is honest."""
    size = np.float32(0.0)
    if mask & SOURCE_KINDS_MASK:
        for kind in range(N_ATTACK_KINDS):
            if mask & SOURCE_KINDS_MASK & (1 << kind) and attack_is_on(attacks[kind], step):
                size = max(size, attacks[kind].intensity)
    return size


@rule
def see_passage(b, r, e, state):
    """First-hand knowledge of a passage; a change makes the robot's map dirty."""
    believed = state.belief.passages[b, r, e]
    condition = state.world.passages[b, e].condition
    believed.own_step = state.clock[b].step
    if believed.condition != condition:
        believed.condition = condition
        state.belief.minds[b, r].map_dirty = 1


@phase
def look_at_zone(b, r, setup, state):
    """Read damage, smoke and beds of the own zone, and the condition of its passages."""
    clock = state.clock[b]
    robot = state.world.robots[b, r]
    z = robot.zone
    report = state.reports.heads[b, r]
    damage, smoke, beds = read_zone(
        b,
        z,
        state.world,
        setup.physical[0].robot_sigma,
        clock.seed,
        clock.episode,
        clock.step,
        setup.site.zones.shape[0] + r,
    )
    report.reading[0] = damage
    report.reading[1] = smoke
    report.reading[2] = beds
    zone = state.belief.zones[b, r, z]
    zone.damage = state.world.zones[b, z].damage
    zone.smoke = int(state.world.zones[b, z].smoke * np.float32(100.0))
    if zone.seen == 0:
        zone.seen = 1
        state.belief.minds[b, r].news = 1
    for slot in range(setup.site.neighbours.shape[1]):
        e = setup.site.neighbour_passages[z, slot]
        if e < 0:
            state.reports.passages[b, r, slot] = -1
        else:
            see_passage(b, r, e, state)
            state.reports.passages[b, r, slot] = state.world.passages[b, e].condition


@phase
def look_at_patients(b, r, setup, state):
    """Triage everybody in the zone; notice who was expected here and is not."""
    clock = state.clock[b]
    z = state.world.robots[b, r].zone
    report = state.reports.heads[b, r]
    for i in range(state.world.patients.shape[1]):
        p = state.world.patients[b, i]
        if p.status == EMPTY:
            break
        believed = state.belief.patients[b, r, i]
        here = p.zone == z and p.status != HANDED_OVER
        expected = believed.zone == z and believed.status != HANDED_OVER
        if not here and not expected:
            continue
        if here:
            fresh = believed.known == 0 or clock.step - believed.rpm_step >= setup.twin[0].triage_period_steps
            if fresh or believed.own_step == -1:
                believed.rpm = triage_rpm(b, i, r, state.world, setup.physical[0], clock.seed, clock.episode)
                believed.rpm_step = clock.step
            believed.zone = z
            believed.status = p.status
            believed.work_min = p.work_min
            believed.known = 1
            believed.kitted = p.kitted
            believed.trust = np.float32(1.0)
            if p.found_step < 0:
                p.found_step = clock.step
        else:
            believed.zone = -1
        believed.own_step = clock.step
        believed.step = clock.step
        if report.sightings < MAX_SIGHTINGS:
            sighting = state.reports.sightings[b, r, report.sightings]
            sighting.patient = i
            sighting.rpm = believed.rpm
            sighting.work_min = believed.work_min
            sighting.status = p.status if here else EMPTY
            sighting.kitted = believed.kitted
            report.sightings += 1


@phase
def tell_lies(report, passages, sightings, lie, cfg):
    """Falsify a report in place: readings shifted by ``lie`` sigmas, passages and patients turned into their opposite.

    The same words serve an insider and an attacker on the line. Patients that are there are denied; those the robot
    carries itself are left alone (staff at the entrance would see them).
    """
    for k in range(3):
        report.reading[k] += lie * cfg.robot_sigma[k]
    for slot in range(passages.shape[0]):
        if passages[slot] == OPEN:
            passages[slot] = BLOCKED
        elif passages[slot] == BLOCKED:
            passages[slot] = OPEN
    for k in range(report.sightings):
        sightings[k].rpm = np.float32(12.0) - sightings[k].rpm
        if sightings[k].status == TRAPPED or sightings[k].status == FREE:
            sightings[k].status = EMPTY
        elif sightings[k].status == EMPTY:
            sightings[k].status = FREE
