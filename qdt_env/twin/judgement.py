"""Judgement: each source's reading against what the others say about the same zone (4-security, "Trust").

The others are the zone's fixed sensor and the last readings of the robots that were there recently, each only while
trusted itself. Their trust-weighted median (mean for two), fused with the prior, is what a reading is measured
against; the source itself is left out. All readings of a step are filed before any is judged, so it does not matter
who speaks first. Works while more than half of the weight in a zone is honest: one word against one convicts nobody
in particular, and costs both.

What was said of a zone's beds follows whom the robots carry in and out since: patients move in no other way, and
without it those who carried them away, all gone with the same old count, would outvote whoever counts what is left.
"""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.twin.state import EVIDENCE_KEPT
from qdt_env.twin.trust import chi2_3_cdf, credit, information, trust_score

_SENSOR = -1  # "who" of a zone's fixed sensor; robots are 0 .. R-1


@phase
def file_reading(b, r, z, reading, twin, written):
    """Keep a robot's accepted reading as its latest word."""
    robot = twin.robots[b, r]
    for k in range(3):
        robot.reading[k] = reading[k]
    robot.reading_zone = z
    robot.reading_step = written


@phase
def follow_carrier(b, r, zone, patient, cfg, twin, written):
    """Bring counts of beds up to date with a report that robot ``r`` is in ``zone`` with ``patient`` (-1 none).

    Picking somebody up changes no count, carrying him over to another zone two, handing him over one. Robots that are
    not trusted move nobody.
    """
    robot = twin.robots[b, r]
    if robot.trust < cfg.least_trust:
        return
    if (robot.patient >= 0 or patient >= 0) and (robot.zone != zone or patient < 0):
        recount_beds(b, robot.zone, np.float32(-1.0), twin, written)
        if patient >= 0:
            recount_beds(b, zone, np.float32(1.0), twin, written)


@phase
def recount_beds(b, z, change, twin, written):
    """Bring up to date what was said of the beds of zone ``z`` before step ``written``."""
    zone = twin.zones[b, z]
    if zone.sensor_step < written:
        zone.sensor_mean[2] += change
    if zone.robot_step < written:
        zone.robot_mean[2] += change
    for r in range(twin.robots.shape[1]):
        robot = twin.robots[b, r]
        if robot.reading_zone == z and robot.reading_step < written:
            robot.reading[2] += change


@rule
def refresh_trust(robot, step, cfg):
    """The trust S of a robot as its evidence, by now this old, makes it."""
    robot.trust = trust_score(robot.positive, robot.negative, step - robot.evidence_step, cfg)


@phase
def judge_robot(b, r, cfg, twin, step):
    """Evidence about robot ``r`` from the others in the zone that its last filed reading is about."""
    robot = twin.robots[b, r]
    surprise, iota = judge(b, r, robot.reading_zone, robot.reading[0], robot.reading[1], robot.reading[2],
                           cfg.robot_var, robot, cfg, twin, step)  # fmt: skip
    if surprise >= 0.0:
        kept = twin.evidence[b, r, robot.judged % EVIDENCE_KEPT]
        kept.surprise = surprise
        kept.information = iota
        kept.step = step
        kept.zone = robot.reading_zone
        robot.judged += 1


@phase
def judge_sensor(b, z, z0, z1, z2, cfg, twin, step):
    """Evidence about the fixed sensor of zone ``z`` from the robots there."""
    judge(b, _SENSOR, z, z0, z1, z2, cfg.sensor_var, twin.zones[b, z], cfg, twin, step)


@phase
def judge(b, who, z, z0, z1, z2, reading_var, source, cfg, twin, step):
    """Credit ``source`` for a reading of zone ``z`` if anybody else can tell: D over three parts, F, iota.

    Returns:
        (F, iota), (-1, 0) where nobody can tell.
    """
    sensor = sensor_weight(who, twin.zones[b, z], cfg, step)
    peers = 0
    for peer in range(-1, twin.robots.shape[1]):
        if peer_weight(b, peer, who, z, sensor, cfg, twin, step) > np.float32(0.0):
            peers += 1
    if peers == 0:
        return -1.0, 0.0
    distance = np.float32(0.0)
    iota = np.float32(0.0)
    for k in range(3):
        reading = z0 if k == 0 else (z1 if k == 1 else z2)
        others, precision = others_say(b, who, z, k, peers, sensor, cfg, twin, step)
        prior = np.float32(1.0) / cfg.prior_var[k]
        others = (others * precision + cfg.prior_mean[k] * prior) / (precision + prior)
        var = np.float32(1.0) / (precision + prior)
        distance += (reading - others) * (reading - others) / (reading_var[k] + var)
        iota += np.float32(information(var, reading_var[k]))
    surprise, informed = chi2_3_cdf(distance), float(iota / np.float32(3.0))
    credit(source, surprise, informed, step, cfg)
    return surprise, informed


@rule
def sensor_weight(who, zone, cfg, step):
    """Trust S of a zone's fixed sensor where it can speak, else 0: it is judged itself, silent or distrusted."""
    if who == _SENSOR or zone.sensor_step < 0 or step - zone.sensor_step > cfg.reading_age_steps:
        return np.float32(0.0)
    trust = trust_score(zone.positive, zone.negative, step - zone.evidence_step, cfg)
    return trust if trust >= cfg.least_trust else np.float32(0.0)


@rule
def peer_weight(b, peer, who, z, sensor, cfg, twin, step):
    """Trust S of a source that can speak about zone ``z``, 0 where it cannot: itself, elsewhere, old or distrusted."""
    if peer == _SENSOR:
        return sensor
    robot = twin.robots[b, peer]
    if peer == who or robot.reading_zone != z or robot.reading_step < 0:
        return np.float32(0.0)
    if step - robot.reading_step > cfg.reading_age_steps or robot.trust < cfg.least_trust:
        return np.float32(0.0)
    return robot.trust  # as it stood before this step's evidence, for all alike


@rule
def peer_word(b, peer, z, k, cfg, twin, step):
    """(value, variance) of what a peer says about part ``k`` of zone ``z``, the variance grown with its age."""
    if peer == _SENSOR:
        zone = twin.zones[b, z]
        return zone.sensor_mean[k], zone.sensor_var[k] + np.float32(step - zone.sensor_step) * cfg.drift_var[k]
    robot = twin.robots[b, peer]
    return robot.reading[k], cfg.robot_var[k] + np.float32(step - robot.reading_step) * cfg.drift_var[k]


@phase
def others_say(b, who, z, k, peers, sensor, cfg, twin, step):
    """(value, precision) of the others on part ``k``: their weighted mean, their weighted median from three on."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    precision = np.float32(0.0)
    total = np.float32(0.0)
    mean = np.float32(0.0)
    half = np.float32(0.0)
    for peer in range(-1, twin.robots.shape[1]):
        weight = peer_weight(b, peer, who, z, sensor, cfg, twin, step)
        if weight > np.float32(0.0):
            value, var = peer_word(b, peer, z, k, cfg, twin, step)
            precision += np.float32(1.0) / var
            total += weight / var
            mean += weight / var * value
            half += np.float32(0.5) * weight
            low, high = min(low, value), max(high, value)
    if peers < 3:
        spread = np.float32(0.5) * (high - low)  # two that disagree know less than either claims
        return mean / total, np.float32(1.0) / max(np.float32(1.0) / precision, spread * spread)
    for candidate in range(-1, twin.robots.shape[1]):
        if peer_weight(b, candidate, who, z, sensor, cfg, twin, step) > np.float32(0.0):
            middle, _ = peer_word(b, candidate, z, k, cfg, twin, step)
            below, at_most = np.float32(0.0), np.float32(0.0)
            for peer in range(-1, twin.robots.shape[1]):
                weight = peer_weight(b, peer, who, z, sensor, cfg, twin, step)
                if weight > np.float32(0.0):
                    value, _ = peer_word(b, peer, z, k, cfg, twin, step)
                    below += weight if value < middle else np.float32(0.0)
                    at_most += weight if value <= middle else np.float32(0.0)
            if below <= half <= at_most:
                return middle, precision
    return mean / total, precision
