"""Smoke: exchange between neighbouring zones, s_i += dt * sum_j g_ij (s_j - s_i), with sources at burning zones."""

import numpy as np

from qdt_env.compiled import phase
from qdt_env.physical.state import BLOCKED


@phase
def spread_smoke(b, cfg, site, world):
    """One step of smoke, in as many equal substeps as keep every zone's update a weighted mean (no overshoot)."""
    zones = world.zones
    fires = 0
    for z in range(site.zones.shape[0]):
        if zones[b, z].burning == 1:
            zones[b, z].smoke = np.float32(1.0)
        if zones[b, z].smoke > np.float32(0.0):
            fires += 1
    if fires == 0:
        return
    fastest_per_s = max(cfg.smoke_open_per_s, cfg.smoke_door_per_s)
    substeps = int(np.ceil(cfg.dt_s * fastest_per_s * site.neighbours.shape[1]))
    dt = cfg.dt_s / np.float32(max(substeps, 1))
    for _ in range(max(substeps, 1)):
        for e in range(site.passages.shape[0]):
            if world.passages[b, e].condition == BLOCKED:
                continue
            i, j = site.passages[e].a, site.passages[e].b
            flow = dt * site.passages[e].exchange_per_s * (zones[b, j].smoke - zones[b, i].smoke)
            zones[b, i].inflow += flow
            zones[b, j].inflow -= flow
        for z in range(site.zones.shape[0]):
            if zones[b, z].burning == 0:
                zones[b, z].smoke = min(max(zones[b, z].smoke + zones[b, z].inflow, np.float32(0.0)), np.float32(1.0))
            zones[b, z].inflow = np.float32(0.0)
