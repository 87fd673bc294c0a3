"""Sensors: what fixed zone sensors and robots read of the truth, with noise, failure and triage error.

Triage error after Kahn et al. 2009 (148 patients: 79 tagged too urgent, 3 too mild). It belongs to the observer and the
patient, not to the moment: looking twice with the same eyes gives the same tag.
"""

import numpy as np

from qdt_env import random as draws
from qdt_env.compiled import phase
from qdt_env.physical.patients import rpm_at, triage_class

DAMAGE, SMOKE, BEDS = range(3)  # order of a zone reading
_TYPICAL_RPM = np.array([4.5, 8.5, 11.5], np.float32)  # middle of the red, yellow and green classes


@phase
def read_zone(b, z, world, sigma, seed, episode, step, entity):
    """(damage, smoke, occupied beds) of zone ``z`` with normal noise of the given sigmas.

    Args:
        b, z: episode and zone.
        world: the truth.
        sigma: (3,) float32.
        seed, episode, step: of the episode.
        entity: who reads: the zone for a fixed sensor, zones + r for robot r.
    """
    n0, n1, n2, _ = draws.normal4(seed, episode, step, draws.SENSORS, entity, 0)
    zone = world.zones[b, z]
    return (
        np.float32(zone.damage) + sigma[DAMAGE] * n0,
        zone.smoke + sigma[SMOKE] * n1,
        np.float32(zone.occupants) + sigma[BEDS] * n2,
    )


@phase
def triage_rpm(b, i, r, world, cfg, seed, episode):
    """The RPM that robot ``r`` reads on patient ``i``: shifted by one class where the tag errs, plus noise."""
    p = world.patients[b, i]
    rpm = rpm_at(p.rpm0, p.clock_min)
    u, _, _, _ = draws.uniform4(seed, episode, 0, draws.SENSORS, i, 1 + 2 * r)
    noise = draws.normal(seed, episode, 0, draws.SENSORS, i, 2 + 2 * r)
    true_class = triage_class(rpm)
    tag = true_class
    if true_class > 0 and u < cfg.overtriage:
        tag = true_class - 1
    elif true_class < 2 and u > np.float32(1.0) - cfg.undertriage:
        tag = true_class + 1
    shifted = rpm + _TYPICAL_RPM[tag] - _TYPICAL_RPM[true_class] + cfg.rpm_sigma * noise
    return min(max(shifted, np.float32(0.0)), np.float32(12.0))
