"""Structure: main shock, aftershocks, and what they make of the passages.

Sources: Hazus 6.1 fragility medians (S1L low-code) with a correlated log-demand field in place of the independent beta;
Reasenberg and Jones 1989 for the aftershock rate.
"""

import math

import numpy as np

from qdt_env import random as draws
from qdt_env.compiled import phase, rule
from qdt_env.physical.patients import trap_in_collapse
from qdt_env.physical.robots import set_down
from qdt_env.physical.state import BLOCKED, COLLAPSE, COMPLETE, EXTENSIVE, OPEN, SLOW


@rule
def damage_state(demand_g, factor, cfg):
    """Highest Hazus state whose median (times ``factor``) the demand in g exceeds: 0 None .. 4 Complete."""
    state = 0
    for k in range(4):
        if demand_g > factor * cfg.pga_median_g[k]:
            state = k + 1
    return state


@rule
def aftershock_rate_per_day(t_day, magnitude_gap, a, b, p, c_day):
    """Reasenberg-Jones rate [1/day] of aftershocks within ``magnitude_gap`` of the main shock, ``t_day`` days later."""
    return 10.0 ** (a + b * magnitude_gap) * (t_day + c_day) ** (-p)


@rule
def passage_condition(draw, damage, cfg):
    """OPEN, SLOW or BLOCKED for a uniform draw; the same draw gets worse as the damage state does."""
    if draw < cfg.blocked_share[damage]:
        return BLOCKED
    if draw < cfg.blocked_share[damage] + cfg.slow_share[damage]:
        return SLOW
    return OPEN


@phase
def shake_main(b, cfg, site, world, seed, episode):
    """Main shock: demand field, damage states, collapses, fires, passages, fixed sensors."""
    zones = world.zones
    n = site.zones.shape[0]
    for z in range(n):
        zones[b, z].inflow = draws.normal(seed, episode, 0, draws.QUAKE, z, 0)
    for z in range(n):
        total = np.float32(0.0)
        for j in range(z + 1):
            total += site.field[z, j] * zones[b, j].inflow
        zones[b, z].demand = total
    cut = collapse_cut(b, cfg, site, world)
    for z in range(n):
        zone = zones[b, z]
        zone.inflow = np.float32(0.0)
        zone.smoke = np.float32(0.0)
        zone.occupants = 0
        zone.burning = 0
        zone.sensor_alive = 1
        zone.damage = 0
        zone.kits = cfg.depot_kits if site.zones[z].depot == 1 else 0
        if site.zones[z].indoor == 1:
            zone.damage = damage_state(cfg.pga_g * math.exp(cfg.demand_sigma * zone.demand), np.float32(1.0), cfg)
            if zone.damage == COMPLETE and zone.demand > cut:
                zone.damage = COLLAPSE
            settle_zone(b, cfg, world, z, seed, episode, 0, draws.QUAKE)
    for e in range(site.passages.shape[0]):
        passage = world.passages[b, e]
        u, _, _, _ = draws.uniform4(seed, episode, 0, draws.QUAKE, e, 2)
        passage.draw = u
        passage.cleared_at = -1
        passage.clear_min = cfg.clear_median_min * math.exp(
            cfg.clear_sigma * draws.normal(seed, episode, 0, draws.QUAKE, e, 3)
        )
        settle_passage(b, cfg, site, world, e)


@phase
def collapse_cut(b, cfg, site, world):
    """The demand above which the worst ``collapse_share`` of the indoor zones lie, by bisection."""
    indoor = 0
    for z in range(site.zones.shape[0]):
        indoor += site.zones[z].indoor
    wanted = cfg.collapse_share * indoor
    low, high = np.float32(-8.0), np.float32(8.0)
    for _ in range(32):
        middle = np.float32(0.5) * (low + high)
        above = 0
        for z in range(site.zones.shape[0]):
            if site.zones[z].indoor == 1 and world.zones[b, z].demand > middle:
                above += 1
        if above > wanted:
            low = middle
        else:
            high = middle
    return high


@phase
def settle_zone(b, cfg, world, z, seed, episode, step, stream):
    """After a shock: a heavily damaged zone may burn, a collapsed one may lose its fixed sensor."""
    zone = world.zones[b, z]
    fire, sensor, _, _ = draws.uniform4(seed, episode, step, stream, z, 1)
    if zone.damage >= EXTENSIVE and fire < cfg.ignition:
        zone.burning = 1
    if zone.damage == COLLAPSE and sensor < cfg.sensor_death:
        zone.sensor_alive = 0


@phase
def settle_passage(b, cfg, site, world, e):
    """Condition of passage ``e`` from the worse of its zones, unless it was cleared at that damage already."""
    passage = world.passages[b, e]
    worse = max(world.zones[b, site.passages[e].a].damage, world.zones[b, site.passages[e].b].damage)
    if worse > passage.cleared_at:
        passage.cleared_at = -1
        passage.condition = passage_condition(passage.draw, worse, cfg)


@phase
def shake_again(b, cfg, site, world, seed, episode, step):
    """At most one aftershock per step, by the Reasenberg-Jones rate; returns 1 if there was one.

    Zones already damaged are weaker. A zone shaken beyond its Complete median may collapse, which traps the people
    inside and may destroy a robot.
    """
    t_day = (cfg.start_min * np.float32(60.0) + step * cfg.dt_s) / np.float32(86400.0)
    rate = aftershock_rate_per_day(t_day, cfg.magnitude_gap, cfg.rj_a, cfg.rj_b, cfg.rj_p, cfg.rj_c_day)
    event, _, _, _ = draws.uniform4(seed, episode, step, draws.AFTERSHOCK, 0, 0)
    if event >= 1.0 - math.exp(-rate * cfg.dt_s / 86400.0):
        return 0
    pga = cfg.aftershock_pga_g * math.exp(
        cfg.aftershock_sigma * draws.normal(seed, episode, step, draws.AFTERSHOCK, 0, 4)
    )
    for z in range(site.zones.shape[0]):
        zone = world.zones[b, z]
        if site.zones[z].indoor == 0 or zone.damage == COLLAPSE:
            continue
        demand = pga * math.exp(cfg.demand_sigma * zone.demand)
        shaken = damage_state(demand, cfg.weakened[zone.damage], cfg)
        before = zone.damage
        if shaken == COMPLETE:
            _, _, fall, _ = draws.uniform4(seed, episode, step, draws.AFTERSHOCK, z, 1)
            if fall < cfg.collapse_probability:
                shaken = COLLAPSE
        if shaken > before:
            zone.damage = shaken
            settle_zone(b, cfg, world, z, seed, episode, step, draws.AFTERSHOCK)
        if shaken == COLLAPSE:
            bury_robots(b, cfg, world, z, seed, episode, step)
            trap_in_collapse(b, cfg, world, z, seed, episode, step)
    for e in range(site.passages.shape[0]):
        settle_passage(b, cfg, site, world, e)
    return 1


@phase
def bury_robots(b, cfg, world, z, seed, episode, step):
    """A collapse of zone ``z`` destroys each robot there with ``lost_probability``."""
    for r in range(world.robots.shape[1]):
        robot = world.robots[b, r]
        if robot.alive == 1 and robot.zone == z:
            if draws.uniform(seed, episode, step, draws.ROBOTS, r, 0) < cfg.lost_probability:
                robot.alive = 0
                if robot.patient >= 0:
                    set_down(b, world, r)
