"""Fusion: accepted reports into estimates, as scalar Kalman updates whose noise grows as trust falls.

A reading of variance sigma^2 from a source of weight w (trust times link trust) enters with variance sigma^2 / w.
Trust in the sources is judged beforehand, in ``judgement.py``.
"""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.physical.patients import rpm_after
from qdt_env.physical.state import BLOCKED, COLLAPSE, EMPTY, FREE, HANDED_OVER, OPEN, SLOW, TRAPPED
from qdt_env.twin.judgement import judge_sensor, refresh_trust
from qdt_env.twin.trust import fusion_weight, trust_score

_PASSABLE = np.array([1.0, 0.4, 0.0], np.float32)  # by condition OPEN, SLOW, BLOCKED
_BLOCKED_BELOW, _SLOW_BELOW = 0.2, 0.7  # half way between the conditions


@rule
def kalman_gain(prior_var, reading_var):
    """Gain K = P / (P + R) of a scalar Kalman update, in [0, 1]."""
    return prior_var / (prior_var + reading_var)


@phase
def start_twin(b, cfg, site, world, twin):
    """The twin at reset: the pre-shock plan (every passage open, elevators apart) and the bed census."""
    for z in range(twin.zones.shape[1]):
        zone = twin.zones[b, z]
        for k in range(3):
            zone.sensor_mean[k] = cfg.prior_mean[k]
            zone.sensor_var[k] = cfg.prior_var[k]
            zone.robot_mean[k] = cfg.prior_mean[k]
            zone.robot_var[k] = cfg.prior_var[k]
            zone.mean[k] = cfg.prior_mean[k]
        zone.damage = int(cfg.prior_mean[0]) if site.zones[z].indoor == 1 else 0
        zone.smoke = 0
        zone.seen = 0
        zone.positive = cfg.admission_evidence
        zone.negative = np.float32(0.0)
        zone.evidence_step = 0
        zone.sensor_step = -1
        zone.robot_step = -1
        zone.robot_source = -1
        zone.changed = 0
    for e in range(twin.passages.shape[1]):
        passage = twin.passages[b, e]
        passage.passable = np.float32(1.0)
        passage.var = cfg.passage_prior_var
        passage.condition = OPEN
        passage.step = -1
        passage.source = -1
        passage.changed = 0
    for i in range(twin.patients.shape[1]):
        patient = twin.patients[b, i]
        patient.status = EMPTY if world.patients[b, i].status == EMPTY else FREE
        patient.zone = world.patients[b, i].census
        patient.rpm = cfg.rpm_prior
        patient.var = cfg.rpm_prior_var
        patient.work_min = np.float32(0.0)
        patient.trust = np.float32(1.0)
        patient.step = -1
        patient.rpm_step = 0
        patient.source = -1
        patient.known = 0
        patient.kitted = 0
        patient.changed = 0
    for r in range(twin.robots.shape[1]):
        robot = twin.robots[b, r]
        robot.zone = world.robots[b, r].zone
        robot.energy = np.float32(1.0)
        robot.positive = cfg.admission_evidence
        robot.negative = np.float32(0.0)
        robot.trust = trust_score(robot.positive, robot.negative, 0, cfg)
        robot.evidence_step = 0
        robot.step = 0
        robot.reading_step = -1
        robot.reading_zone = -1
        robot.task = 0
        robot.patient = -1
        robot.kits = 0
        robot.judged = 0
    twin.zones_changed[b] = 0
    twin.passages_changed[b] = 0
    twin.patients_changed[b] = 0


@rule
def update(mean, var, k, z, reading_var, weight):
    """Scalar Kalman update of component ``k`` with noise ``reading_var / weight``."""
    gain = kalman_gain(var[k], reading_var / weight)
    mean[k] += gain * (z - mean[k])
    var[k] *= np.float32(1.0) - gain


@phase
def take_sensor_reading(b, z, z0, z1, z2, link_trust, cfg, twin, written, step):
    """A fixed sensor's accepted reading of zone ``z``, written at step ``written``: evidence, then its estimate."""
    zone = twin.zones[b, z]
    judge_sensor(b, z, z0, z1, z2, cfg, twin, step)
    trust = trust_score(zone.positive, zone.negative, step - zone.evidence_step, cfg)
    weight = fusion_weight(trust, link_trust, cfg)
    if weight > np.float32(0.0):
        age = np.float32(written - max(zone.sensor_step, 0))
        for k in range(3):
            zone.sensor_var[k] += age * cfg.drift_var[k]
        update(zone.sensor_mean, zone.sensor_var, 0, z0, cfg.sensor_var[0], weight)
        update(zone.sensor_mean, zone.sensor_var, 1, z1, cfg.sensor_var[1], weight)
        update(zone.sensor_mean, zone.sensor_var, 2, z2, cfg.sensor_var[2], weight)
        zone.sensor_step = written
        fuse_zone(b, z, cfg, twin, step)


@phase
def take_robot_reading(b, r, z, reading, link_trust, cfg, twin, written, step):
    """A robot's accepted reading of its zone, written at step ``written``, into the robots' estimate of the zone.

    Returns:
        the fusion weight S C of this report, 0 where the source is not trusted.
    """
    zone = twin.zones[b, z]
    source = twin.robots[b, r]
    refresh_trust(source, step, cfg)
    weight = fusion_weight(source.trust, link_trust, cfg)
    if weight > np.float32(0.0) and written >= zone.robot_step:
        if zone.robot_source != r:  # a new observer starts from the prior: the zone's estimate is always one robot's
            for k in range(3):
                zone.robot_mean[k] = cfg.prior_mean[k]
                zone.robot_var[k] = cfg.prior_var[k]
        age = np.float32(written - max(zone.robot_step, 0))
        for k in range(3):
            zone.robot_var[k] += age * cfg.drift_var[k]
            update(zone.robot_mean, zone.robot_var, k, reading[k], cfg.robot_var[k], weight)
        zone.robot_source = r
        zone.robot_step = written
        if zone.seen == 0:
            zone.seen = 1
            zone.changed = step
            twin.zones_changed[b] = step
        fuse_zone(b, z, cfg, twin, step)
    return weight


@phase
def fuse_zone(b, z, cfg, twin, step):
    """Both estimates by their precision today; a view changes only when what it shows does (states, 5 % of smoke)."""
    zone = twin.zones[b, z]
    for k in range(3):
        sensor = np.float32(1.0) / (zone.sensor_var[k] + np.float32(step - max(zone.sensor_step, 0)) * cfg.drift_var[k])
        robot = np.float32(1.0) / (zone.robot_var[k] + np.float32(step - max(zone.robot_step, 0)) * cfg.drift_var[k])
        zone.mean[k] = (zone.sensor_mean[k] * sensor + zone.robot_mean[k] * robot) / (sensor + robot)
    damage = int(min(max(zone.mean[0], np.float32(0.0)), np.float32(COLLAPSE)) + np.float32(0.5))
    smoke = 5 * int(min(max(zone.mean[1], np.float32(0.0)), np.float32(1.0)) * np.float32(20.0) + np.float32(0.5))
    if damage != zone.damage or smoke != zone.smoke:
        zone.damage = damage
        zone.smoke = smoke
        zone.changed = step
        twin.zones_changed[b] = step


@phase
def take_passage(b, e, r, condition, weight, cfg, twin, written, step):
    """A robot's reading of a passage of its zone, unless there is a younger one."""
    passage = twin.passages[b, e]
    if written < passage.step:
        return
    passage.var += cfg.passage_drift_var * np.float32(written - max(passage.step, 0))
    gain = kalman_gain(passage.var, cfg.passage_var / weight)
    passage.passable += gain * (_PASSABLE[condition] - passage.passable)
    passage.var *= np.float32(1.0) - gain
    passage.step = written
    passage.source = r
    believed = OPEN
    if passage.passable < np.float32(_BLOCKED_BELOW):
        believed = BLOCKED
    elif passage.passable < np.float32(_SLOW_BELOW):
        believed = SLOW
    if believed != passage.condition:
        passage.condition = believed
        passage.changed = step
        twin.passages_changed[b] = step


@phase
def take_sighting(b, r, z, sighting, weight, cfg, twin, written, step, dt_min):
    """A robot's news of one patient, unless there is younger: there, in what state, or not where expected."""
    patient = twin.patients[b, sighting.patient]
    if patient.status == EMPTY or patient.status == HANDED_OVER or written < patient.step:
        return
    trust = twin.robots[b, r].trust
    if sighting.status == EMPTY:
        if patient.zone != z:
            return
        patient.zone = -1
    else:
        again = patient.source == r and written - patient.rpm_step < cfg.triage_period_steps
        if not again or patient.known == 0:
            elapsed = np.float32(written - patient.rpm_step)
            predicted = rpm_after(patient.rpm, elapsed * dt_min)
            spread = patient.var + elapsed * cfg.rpm_drift_var
            gain = kalman_gain(spread, cfg.rpm_var / weight)
            patient.rpm = predicted + gain * (sighting.rpm - predicted)
            patient.var = max(spread * (np.float32(1.0) - gain), cfg.rpm_least_var)
            patient.rpm_step = written
        elif (
            patient.zone == z
            and patient.status == sighting.status
            and patient.kitted == sighting.kitted
            and abs(patient.work_min - sighting.work_min) < np.float32(1.0)
        ):
            patient.step = written  # nothing new: the view keeps its content, only the news is younger
            return
        patient.zone = z
        patient.status = sighting.status
        patient.kitted = sighting.kitted
        patient.work_min = sighting.work_min if sighting.status == TRAPPED else np.float32(0.0)
        patient.known = 1
    patient.trust = trust
    patient.source = r
    patient.step = written
    patient.changed = step
    twin.patients_changed[b] = step
