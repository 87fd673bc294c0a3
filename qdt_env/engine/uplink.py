"""Uplink: reports and sensor readings to the twin, as far as the channel lets them through."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.links import arrived, claimed_step, decide
from qdt_env.engine.perceive import tell_lies
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.physical.state import COLLAPSE
from qdt_env.security.outcomes import ALTERED, GENUINE, LOST

FORGED_SIGMA = np.float32(5.0)  # how far an attacker on the line shifts readings (assumed)


@phase
def send_messages(b, setup, state):
    """One message per live robot, its report, and one per standing gateway, what its sensors read; into the inbox."""
    keep_messages(b, setup, state)
    robots = setup.site.team.shape[0]
    for r in range(robots):
        state.inbox.heads[b, r].valid = 0
        if state.world.robots[b, r].alive == 0:
            silence(state.channel.outcomes[b, UPLINK, r])
            silence(state.channel.outcomes[b, DOWNLINK, r])
        else:
            decide(b, r, UPLINK, setup.game[0].report_bits, setup, state)
            receive_report(b, r, setup, state)
    for g in range(setup.site.gateways.shape[0]):
        if state.world.zones[b, setup.site.gateways[g]].damage == COLLAPSE:
            silence(state.channel.outcomes[b, UPLINK, robots + g])
        else:
            decide(b, robots + g, UPLINK, setup.game[0].gateway_bits, setup, state)
            receive_readings(b, g, setup, state)


@rule
def due_zones(g, step, setup):
    """Stretch (first, last + 1) of ``setup.rota_zones`` that gateway ``g`` reports at a step."""
    period = setup.game[0].sensor_period_steps
    turn = g * period + step % period
    return setup.rota_turns[turn], setup.rota_turns[turn + 1]


@rule
def silence(outcome):
    """No message: nothing was sent, so nothing arrived."""
    outcome.verdict = LOST
    outcome.content = GENUINE
    outcome.age_steps = 0
    outcome.key_bits = 0
    outcome.injected_rejected = 0


@phase
def keep_messages(b, setup, state):
    """File what is sent for attackers who record (nothing to do when nobody looks back)."""
    depth = state.history.readings.shape[1]
    if depth == 1:
        return
    step = state.clock[b].step
    robots = state.world.robots.shape[1]
    for r in range(robots):
        if state.world.robots[b, r].alive == 1:
            copy_report(b, r, state.reports, (step % depth) * robots + r, state.history.reports)
    for z in range(state.readings.shape[1]):
        for k in range(3):
            state.history.readings[b, step % depth, z, k] = state.readings[b, z, k]


@phase
def receive_report(b, r, setup, state):
    """Put into the inbox what the channel made of robot ``r``'s report, with the time it claims to be written."""
    outcome = state.channel.outcomes[b, UPLINK, r]
    step = state.clock[b].step
    if not arrived(outcome):
        return
    if outcome.age_steps > 0:
        slot = (step - outcome.age_steps) % state.history.readings.shape[1]
        copy_report(b, slot * state.world.robots.shape[1] + r, state.history.reports, r, state.inbox)
    else:
        copy_report(b, r, state.reports, r, state.inbox)
    if outcome.content == ALTERED:
        forge_report(b, r, setup, state.inbox)
    state.inbox.heads[b, r].written = claimed_step(outcome, step)


@phase
def forge_report(b, r, setup, reports):
    """The attacker's version of robot ``r``'s report, in place."""
    lies = reports.sightings[b, r]
    tell_lies(reports.heads[b, r], reports.passages[b, r], lies, FORGED_SIGMA, setup.physical[0])


@phase
def copy_report(b, source, reports, row, target):
    """Copy report ``source`` of ``reports`` to row ``row`` of ``target``."""
    target.heads[b, row] = reports.heads[b, source]
    for slot in range(reports.passages.shape[2]):
        target.passages[b, row, slot] = reports.passages[b, source, slot]
    for k in range(reports.heads[b, source].sightings):
        target.sightings[b, row, k] = reports.sightings[b, source, k]


@phase
def receive_readings(b, g, setup, state):
    """Put into the inbox the readings that gateway ``g``'s message brings: of the zones due when it was written."""
    clock = state.clock[b]
    outcome = state.channel.outcomes[b, UPLINK, setup.site.team.shape[0] + g]
    if not arrived(outcome):
        return
    written = clock.step - outcome.age_steps
    slot = written % state.history.readings.shape[1]
    first, last = due_zones(g, written, setup)
    for turn in range(first, last):
        z = setup.rota_zones[turn]
        for k in range(3):
            reading = state.readings[b, z, k] if outcome.age_steps == 0 else state.history.readings[b, slot, z, k]
            state.inbox_readings[b, z, k] = reading
    if outcome.content == ALTERED:
        forge_readings(b, first, last, setup, state.inbox_readings)


@phase
def forge_readings(b, first, last, setup, readings):
    """The attacker's version of the readings in the rota's stretch ``first`` .. ``last - 1``, in place."""
    for turn in range(first, last):
        for k in range(3):
            readings[b, setup.rota_zones[turn], k] += FORGED_SIGMA * setup.physical[0].sensor_sigma[k]
