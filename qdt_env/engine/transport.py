"""Uplink and downlink: what the statistical channel does to reports and views.

The verdict on each message comes from the security layer (``security.outcomes``); here it is carried out: accepted
reports go into the twin, accepted views into the robots' beliefs. The wire fidelity replaces ``decide`` and nothing else.
"""

import math

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.perceive import tell_lies
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.physical.sensors import read_zone
from qdt_env.physical.state import AERIAL, BLOCKED, COLLAPSE, EMPTY, HANDED_OVER, OPEN
from qdt_env.security.channel import fibre_loss_db, free_space_loss_db
from qdt_env.security.link import advance_link, link_trust
from qdt_env.security.outcomes import ALTERED, DELIVERED, FORGED, GENUINE, LOST, OLD, message_outcome, record_outcome
from qdt_env.twin.fusion import take_passage, take_robot_reading, take_sensor_reading, take_sighting

_FORGED_SIGMA = np.float32(5.0)  # how far an attacker on the line shifts a robot's readings (assumed)
_FORGED_EVERY = 4  # every so many passages an altered view shows the opposite (assumed)


@phase
def advance_keys(b, setup, state):
    """One step of key life on every link: gateways by fibre, robots by free space near a gateway or a relay."""
    clock = state.clock[b]
    suite = setup.suites[clock.suite]
    robots = setup.site.team.shape[0]
    for link in range(state.channel.links.shape[1]):
        loss_db, path_open = np.float32(0.0), False
        if link >= robots:
            z = setup.site.gateways[link - robots]
            loss_db = setup.site.zones[z].fibre_db
            path_open = state.world.zones[b, z].damage != COLLAPSE
        elif state.world.robots[b, link].alive == 0:
            continue
        elif suite.quantum_keys == 1:
            loss_db, path_open = free_space_path(b, link, setup, state)
        advance_link(
            state.channel.links[b, link],
            suite,
            state.channel.attacks[b],
            setup.channel[0],
            setup.rates,
            loss_db,
            path_open,
            setup.physical[0].dt_s,
            clock.seed,
            clock.episode,
            clock.step,
            link,
        )


@phase
def free_space_path(b, r, setup, state):
    """(loss in dB, whether photons get through) from robot ``r`` to the nearest live gateway of its storey.

    In range directly, or by way of one aerial robot that is in range of both (a trusted relay, losses not added).
    """
    here = state.world.robots[b, r].zone
    best = gateway_distance_m(b, here, setup, state)
    if best > setup.game[0].quantum_range_m:
        for k in range(setup.site.team.shape[0]):
            relay = state.world.robots[b, k]
            if k == r or relay.alive == 0 or relay.kind != AERIAL:
                continue
            hop = max(distance_m(here, relay.zone, setup), gateway_distance_m(b, relay.zone, setup, state))
            best = min(best, hop)
    if best > setup.game[0].quantum_range_m:
        return np.float32(0.0), False
    return free_space_loss_db(setup.channel[0], best, state.world.zones[b, here].smoke), True


@rule
def distance_m(z, w, setup):
    """Straight distance between two zones of one storey, inf across storeys (no line of sight)."""
    a, c = setup.site.zones[z], setup.site.zones[w]
    if a.storey != c.storey:
        return np.float32(np.inf)
    return np.float32(math.sqrt((a.x_m - c.x_m) ** 2 + (a.y_m - c.y_m) ** 2))


@phase
def gateway_distance_m(b, z, setup, state):
    """Distance to the nearest gateway of the storey that still stands, inf if there is none."""
    best = np.float32(np.inf)
    for g in range(setup.site.gateways.shape[0]):
        w = setup.site.gateways[g]
        if state.world.zones[b, w].damage != COLLAPSE:
            best = min(best, distance_m(z, w, setup))
    return best


@phase
def decide(b, link, direction, bits, setup, state):
    """The channel's verdict on one message, written into the link and into ``outcomes``."""
    clock = state.clock[b]
    suite = setup.suites[clock.suite]
    record = state.channel.links[b, link]
    verdict, content, age, key_bits, injected = message_outcome(
        record,
        suite,
        state.channel.attacks[b],
        setup.channel[0],
        bits,
        clock.seed,
        clock.episode,
        clock.step,
        link,
        direction,
    )
    record_outcome(record, suite, setup.channel[0], verdict, content, age, key_bits, injected, clock.step)
    outcome = state.channel.outcomes[b, direction, link]
    outcome.verdict = verdict
    outcome.content = content
    outcome.age_steps = age
    outcome.key_bits = key_bits
    outcome.injected_rejected = injected


@rule
def arrived(outcome):
    """Whether the receiver acts on something."""
    return outcome.verdict == DELIVERED or outcome.verdict == FORGED or outcome.verdict == 2


@phase
def send_reports(b, setup, state):
    """Uplink and fuse: the robots' reports, one message each, then the zone sensors through their gateways."""
    clock = state.clock[b]
    robots = setup.site.team.shape[0]
    depth = state.history.patients.shape[1]
    for r in range(robots):
        if state.world.robots[b, r].alive == 0:
            continue
        decide(b, r, UPLINK, setup.game[0].report_bits, setup, state)
        outcome = state.channel.outcomes[b, UPLINK, r]
        keep_report(b, r, (clock.step % depth) * robots + r, state)
        if not arrived(outcome):
            continue
        if outcome.content == ALTERED:
            forge_report(b, r, setup, state)
            fuse_report(b, r, robots, state.reports, 0, setup, state)
        elif outcome.age_steps > 0:
            row = ((clock.step - outcome.age_steps) % depth) * robots + r
            believed_age = 0 if outcome.content == OLD else outcome.age_steps
            fuse_report(b, r, row, state.history.reports, believed_age, setup, state)
        else:
            fuse_report(b, r, r, state.reports, 0, setup, state)
    confirm_handovers(b, state)
    send_sensor_readings(b, setup, state)


@phase
def keep_report(b, r, row, state):
    """File the report for attackers who record (nothing to do when nobody looks back)."""
    if state.history.patients.shape[1] == 1:
        return
    copy_report(b, r, state.reports, row, state.history.reports)


@phase
def copy_report(b, source, reports, row, target):
    """Copy report ``source`` of ``reports`` to row ``row`` of ``target``."""
    target.heads[b, row] = reports.heads[b, source]
    for slot in range(reports.passages.shape[2]):
        target.passages[b, row, slot] = reports.passages[b, source, slot]
    for k in range(reports.heads[b, source].sightings):
        target.sightings[b, row, k] = reports.sightings[b, source, k]


@phase
def forge_report(b, r, setup, state):
    """An attacker's version of robot ``r``'s report, on the spare sheet."""
    sheet = setup.site.team.shape[0]
    copy_report(b, r, state.reports, sheet, state.reports)
    tell_lies(
        state.reports.heads[b, sheet],
        state.reports.passages[b, sheet],
        state.reports.sightings[b, sheet],
        _FORGED_SIGMA,
        setup.physical[0],
    )


@phase
def fuse_report(b, r, row, reports, believed_age, setup, state):
    """An accepted report into the twin, weighted by the trust in robot and link.

    Args:
        b, r: episode and robot.
        row: row of the report in ``reports``.
        reports: where it lies.
        believed_age: steps since it was written, as the receiver believes.
        setup, state: the rest.
    """
    clock = state.clock[b]
    report = reports.heads[b, row]
    known = state.twin.robots[b, r]
    written = clock.step - believed_age
    if report.valid == 0 or written < known.step:
        return
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
    weight = take_robot_reading(b, r, report.zone, report.reading, trust, cfg, state.twin, written)
    if weight <= np.float32(0.0):
        return
    for slot in range(setup.site.neighbours.shape[1]):
        e = setup.site.neighbour_passages[report.zone, slot]
        if e >= 0 and reports.passages[b, row, slot] >= 0:
            take_passage(b, e, r, reports.passages[b, row, slot], weight, cfg, state.twin, written)
    dt_min = setup.physical[0].dt_s / np.float32(60.0)
    for k in range(report.sightings):
        take_sighting(b, r, report.zone, reports.sightings[b, row, k], weight, cfg, state.twin, written, dt_min)


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
            state.channel.outcomes[b, UPLINK, robots + g].verdict = LOST
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


@phase
def send_views(b, setup, state):
    """Downlink: every live robot is sent the twin's view and takes over what the channel lets through."""
    clock = state.clock[b]
    depth = state.history.patients.shape[1]
    file_view(b, clock.step % depth, state)
    for r in range(setup.site.team.shape[0]):
        if state.world.robots[b, r].alive == 0:
            continue
        decide(b, r, DOWNLINK, setup.game[0].view_bits, setup, state)
        outcome = state.channel.outcomes[b, DOWNLINK, r]
        if not arrived(outcome):
            continue
        mind = state.belief.minds[b, r]
        if outcome.content == ALTERED:
            take_altered_view(b, r, setup, state)
            mind.full_view = 1
            mind.view_step = clock.step
            mind.deceived = 1
            continue
        written = clock.step - outcome.age_steps
        if outcome.content == GENUINE and written < mind.view_step:
            continue  # an honest time stamp older than the view in hand
        if outcome.age_steps > 0:
            slot = written % depth
            mind.full_view = 1
            take_view(
                b, r, state.history.patients[b, slot], state.history.passages[b, slot], state.history.zones[b, slot],
                state.history.robots[b, slot], setup, state,
            )  # fmt: skip
        else:
            take_view(
                b, r, state.twin.patients[b], state.twin.passages[b], state.twin.zones[b], state.twin.robots[b],
                setup, state,
            )  # fmt: skip
        mind.full_view = 1 if outcome.age_steps > 0 else 0
        mind.taken_step = written
        mind.view_step = clock.step if outcome.content == OLD else written
        mind.deceived = 1 if outcome.content == OLD else 0


@phase
def file_view(b, slot, state):
    """Keep this step's view for attackers who record (nothing to do when nobody looks back)."""
    if state.history.patients.shape[1] == 1:
        return
    for i in range(state.twin.patients.shape[1]):
        state.history.patients[b, slot, i] = state.twin.patients[b, i]
    for e in range(state.twin.passages.shape[1]):
        state.history.passages[b, slot, e] = state.twin.passages[b, e]
    for z in range(state.twin.zones.shape[1]):
        state.history.zones[b, slot, z] = state.twin.zones[b, z]
    for r in range(state.twin.robots.shape[1]):
        state.history.robots[b, slot, r] = state.twin.robots[b, r]


@rule
def own_eyes_win(own_step, news_step, step, hold_steps):
    """Whether what the robot saw itself outranks the view: seen recently and no older than the twin's news."""
    return own_step >= 0 and step - own_step < hold_steps and news_step <= own_step


@phase
def take_view(b, r, patients, passages, zones, robots, setup, state):
    """Take over a view, whole or what changed since the last, except where the own eyes know better."""
    clock = state.clock[b]
    mind = state.belief.minds[b, r]
    hold = setup.game[0].own_eyes_steps
    since = -1 if mind.full_view == 1 else mind.taken_step
    if since < state.twin.patients_changed[b]:
        for i in range(patients.shape[0]):
            news = patients[i]
            if news.changed > since:
                believed = state.belief.patients[b, r, i]
                if news.status != HANDED_OVER and own_eyes_win(believed.own_step, news.step, clock.step, hold):
                    continue
                believed.rpm = news.rpm
                believed.rpm_step = news.rpm_step
                believed.work_min = news.work_min
                believed.trust = news.trust
                believed.step = news.step
                believed.zone = news.zone
                believed.status = news.status
                believed.known = news.known
                believed.kitted = news.kitted
    if since < state.twin.passages_changed[b]:
        for e in range(passages.shape[0]):
            if passages[e].changed > since:
                believed = state.belief.passages[b, r, e]
                if believed.condition != passages[e].condition:
                    if not own_eyes_win(believed.own_step, passages[e].step, clock.step, hold):
                        believed.condition = passages[e].condition
                        mind.map_dirty = 1
    if since < state.twin.zones_changed[b]:
        for z in range(zones.shape[0]):
            if zones[z].changed > since:
                believed = state.belief.zones[b, r, z]
                believed.damage = zones[z].damage
                believed.smoke = zones[z].smoke
                if zones[z].seen == 1 and believed.seen == 0:
                    believed.seen = 1
                    mind.news = 1
    for k in range(robots.shape[0]):
        state.belief.team[b, r, k] = robots[k]


@phase
def take_altered_view(b, r, setup, state):
    """A forged view, accepted: patients in each other's rooms with mirrored RPM, a quarter of the passages inverted."""
    clock = state.clock[b]
    mind = state.belief.minds[b, r]
    listed = clock.listed
    for i in range(listed):
        truth = state.twin.patients[b, i]
        believed = state.belief.patients[b, r, i]
        if truth.status == HANDED_OVER or state.world.robots[b, r].patient == i:
            continue
        believed.zone = state.twin.patients[b, listed - 1 - i].zone
        believed.rpm = np.float32(12.0) - truth.rpm
        believed.rpm_step = truth.rpm_step
        believed.step = clock.step
        believed.trust = truth.trust
        believed.status = truth.status
        believed.known = truth.known
        believed.kitted = truth.kitted
    for e in range(setup.site.passages.shape[0]):
        truth_condition = state.twin.passages[b, e].condition
        shown = truth_condition
        if e % _FORGED_EVERY == 0 and setup.site.passages[e].kind != 4:
            shown = BLOCKED if truth_condition == OPEN else OPEN
        if state.belief.passages[b, r, e].condition != shown:
            state.belief.passages[b, r, e].condition = shown
            mind.map_dirty = 1
