"""Uplink and fuse: reports and sensor readings to the twin, as far as the channel lets them through."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.links import arrived, decide
from qdt_env.engine.perceive import tell_lies
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.physical.sensors import read_zone
from qdt_env.physical.state import COLLAPSE, EMPTY, HANDED_OVER
from qdt_env.security.link import link_trust
from qdt_env.security.outcomes import ALTERED, GENUINE, LOST, OLD
from qdt_env.twin.fusion import take_passage, take_robot_reading, take_sensor_reading, take_sighting
from qdt_env.twin.judgement import file_reading, judge_robot, refresh_trust

_FORGED_SIGMA = np.float32(5.0)  # how far an attacker on the line shifts readings (assumed)


@phase
def send_reports(b, setup, state):
    """Uplink and fuse: the robots' reports, one message each, then the zone sensors through their gateways.

    All arrivals are filed before any source is judged, and all sources judged before anything is fused.
    """
    step = state.clock[b].step
    robots = setup.site.team.shape[0]
    for r in range(robots):
        refresh_trust(state.twin.robots[b, r], step, setup.twin[0])
        state.inbox.heads[b, r].valid = 0
        if state.world.robots[b, r].alive == 0:
            silence(state.channel.outcomes[b, UPLINK, r])
            silence(state.channel.outcomes[b, DOWNLINK, r])
        else:
            decide(b, r, UPLINK, setup.game[0].report_bits, setup, state)
            keep_report(b, r, state)
            receive_report(b, r, setup, state)
    for r in range(robots):
        arrival = state.inbox.heads[b, r]
        if arrival.valid == 1 and arrival.stands == 1:
            file_reading(b, r, arrival.zone, arrival.reading, state.twin, arrival.written)
    for r in range(robots):
        if state.inbox.heads[b, r].valid == 1 and state.inbox.heads[b, r].stands == 1:
            judge_robot(b, r, setup.twin[0], state.twin, step)
    for r in range(robots):
        if state.inbox.heads[b, r].valid == 1:
            fuse_report(b, r, setup, state)
    confirm_handovers(b, state)
    send_sensor_readings(b, setup, state)


@rule
def silence(outcome):
    """No message: nothing was sent, so nothing arrived."""
    outcome.verdict = LOST
    outcome.content = GENUINE
    outcome.age_steps = 0
    outcome.key_bits = 0
    outcome.injected_rejected = 0


@phase
def keep_report(b, r, state):
    """File the report sent for attackers who record (nothing to do when nobody looks back)."""
    depth = state.history.patients.shape[1]
    if depth > 1:
        robots = state.world.robots.shape[1]
        copy_report(b, r, state.reports, (state.clock[b].step % depth) * robots + r, state.history.reports)


@phase
def receive_report(b, r, setup, state):
    """Put into the inbox what the channel made of robot ``r``'s report, with the time it claims to be written."""
    outcome = state.channel.outcomes[b, UPLINK, r]
    step = state.clock[b].step
    if not arrived(outcome):
        return
    if outcome.age_steps > 0:
        slot = (step - outcome.age_steps) % state.history.patients.shape[1]
        copy_report(b, slot * state.world.robots.shape[1] + r, state.history.reports, r, state.inbox)
    else:
        copy_report(b, r, state.reports, r, state.inbox)
    report = state.inbox.heads[b, r]
    report.written = step if outcome.content == OLD else step - outcome.age_steps
    if outcome.content == ALTERED:
        lies = state.inbox.sightings[b, r]
        tell_lies(report, state.inbox.passages[b, r], lies, _FORGED_SIGMA, setup.physical[0])
    if report.written < state.twin.robots[b, r].step:
        report.valid = 0  # younger news of this robot is in


@phase
def copy_report(b, source, reports, row, target):
    """Copy report ``source`` of ``reports`` to row ``row`` of ``target``."""
    target.heads[b, row] = reports.heads[b, source]
    for slot in range(reports.passages.shape[2]):
        target.passages[b, row, slot] = reports.passages[b, source, slot]
    for k in range(reports.heads[b, source].sightings):
        target.sightings[b, row, k] = reports.sightings[b, source, k]


@phase
def fuse_report(b, r, setup, state):
    """The report in the inbox into the twin, weighted by the trust in robot and link."""
    clock = state.clock[b]
    report = state.inbox.heads[b, r]
    known = state.twin.robots[b, r]
    written = report.written
    known.step = written
    known.zone = report.zone
    known.energy = report.energy
    known.task = report.task
    known.patient = report.patient
    known.kits = report.kits
    if report.stands == 0:
        return
    cfg = setup.twin[0]
    trust = link_trust(state.channel.links[b, r], setup.suites[clock.suite], setup.channel[0])
    weight = take_robot_reading(b, r, report.zone, report.reading, trust, cfg, state.twin, written, clock.step)
    if weight <= np.float32(0.0):
        return
    for slot in range(setup.site.neighbours.shape[1]):
        e = setup.site.neighbour_passages[report.zone, slot]
        condition = state.inbox.passages[b, r, slot]
        if e >= 0 and condition >= 0:
            take_passage(b, e, r, condition, weight, cfg, state.twin, written, clock.step)
    dt_min = setup.physical[0].dt_s / np.float32(60.0)
    for k in range(report.sightings):
        sighting = state.inbox.sightings[b, r, k]
        take_sighting(b, r, report.zone, sighting, weight, cfg, state.twin, written, clock.step, dt_min)


@phase
def confirm_handovers(b, state):
    """Staff at the entrances, who need no radio, tell the twin who was handed over."""
    step = state.clock[b].step
    for i in range(state.world.patients.shape[1]):
        p = state.world.patients[b, i]
        if p.status == EMPTY:
            break
        if p.handover_step == step:
            known = state.twin.patients[b, i]
            known.status = HANDED_OVER
            known.zone = p.zone
            known.step = step
            known.changed = step
            state.twin.patients_changed[b] = step


@phase
def send_sensor_readings(b, setup, state):
    """The fixed sensors that are due report through their gateways, one message per gateway."""
    clock = state.clock[b]
    robots = setup.site.team.shape[0]
    period = setup.game[0].sensor_period_steps
    zones = setup.site.zones.shape[0]
    due_bits = setup.game[0].reading_bits * (zones // (period * setup.site.gateways.shape[0]) + 1)
    for g in range(setup.site.gateways.shape[0]):
        if state.world.zones[b, setup.site.gateways[g]].damage == COLLAPSE:
            silence(state.channel.outcomes[b, UPLINK, robots + g])
        else:
            decide(b, robots + g, UPLINK, due_bits, setup, state)
    suite = setup.suites[clock.suite]
    for z in range((-clock.step) % period, zones, period):
        g = setup.site.zones[z].gateway
        outcome = state.channel.outcomes[b, UPLINK, robots + g]
        if state.world.zones[b, z].sensor_alive == 0 or not arrived(outcome):
            continue
        trust = link_trust(state.channel.links[b, robots + g], suite, setup.channel[0])
        z0, z1, z2 = sensor_words(b, z, outcome.content, setup, state)
        take_sensor_reading(b, z, z0, z1, z2, trust, setup.twin[0], state.twin, clock.step)


@phase
def sensor_words(b, z, content, setup, state):
    """What arrives as the reading of zone ``z``: the reading, an attacker's version of it, or what was said before."""
    clock = state.clock[b]
    cfg = setup.physical[0]
    known = state.twin.zones[b, z]
    if content == OLD and known.sensor_step >= 0:
        return known.sensor_mean[0], known.sensor_mean[1], known.sensor_mean[2]
    z0, z1, z2 = read_zone(b, z, state.world, cfg.sensor_sigma, clock.seed, clock.episode, clock.step, z)
    lie = _FORGED_SIGMA if content == ALTERED else np.float32(0.0)
    return z0 + lie * cfg.sensor_sigma[0], z1 + lie * cfg.sensor_sigma[1], z2 + lie * cfg.sensor_sigma[2]
