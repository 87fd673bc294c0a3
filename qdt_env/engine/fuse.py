"""Fuse: what arrived goes into the twin, weighted by the trust in its source and its link."""

import numpy as np

from qdt_env.compiled import phase
from qdt_env.engine.links import arrived, claimed_step
from qdt_env.engine.state import UPLINK
from qdt_env.engine.uplink import due_zones
from qdt_env.physical.state import EMPTY, HANDED_OVER
from qdt_env.security.link import link_trust
from qdt_env.twin.fusion import take_passage, take_robot_reading, take_sensor_reading, take_sighting
from qdt_env.twin.judgement import file_reading, follow_carrier, judge_robot, refresh_trust


@phase
def fuse_messages(b, setup, state):
    """The inbox into the twin: the robots' reports, what the staff saw, the sensors' readings.

    What was said before follows whom the robots carry, all readings of robots are filed before any source is judged,
    and all sources judged before anything is fused.
    """
    step = state.clock[b].step
    robots = setup.site.team.shape[0]
    for r in range(robots):
        known = state.twin.robots[b, r]
        refresh_trust(known, step, setup.twin[0])
        arrival = state.inbox.heads[b, r]
        if arrival.valid == 1 and arrival.written < known.step:
            arrival.valid = 0  # younger news of this robot is in
        if arrival.valid == 1:
            follow_carrier(b, r, arrival.zone, arrival.patient, setup.twin[0], state.twin, arrival.written)
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
    for g in range(setup.site.gateways.shape[0]):
        fuse_readings(b, g, setup, state)


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
def fuse_readings(b, g, setup, state):
    """What gateway ``g``'s message brought into the twin, unless there are younger readings of the same sensor."""
    clock = state.clock[b]
    link = setup.site.team.shape[0] + g
    outcome = state.channel.outcomes[b, UPLINK, link]
    if not arrived(outcome):
        return
    written = claimed_step(outcome, clock.step)
    trust = link_trust(state.channel.links[b, link], setup.suites[clock.suite], setup.channel[0])
    first, last = due_zones(g, clock.step - outcome.age_steps, setup)
    for turn in range(first, last):
        z = setup.rota_zones[turn]
        reading = state.inbox_readings[b, z]
        is_read = reading[0] == reading[0]  # a dead sensor's reading is NaN
        if is_read and written > state.twin.zones[b, z].sensor_step:
            take_sensor_reading(
                b, z, reading[0], reading[1], reading[2], trust, setup.twin[0], state.twin, written, clock.step
            )
