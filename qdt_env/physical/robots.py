"""Robots: motion, work, carrying, batteries. Only these phases decide what an order really achieves."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.hospital.graph import ELEVATOR, STAIR
from qdt_env.physical.patients import free_patient, rpm_at
from qdt_env.physical.state import (
    AERIAL,
    BLOCKED,
    CANNOT,
    CARRIED,
    CLEAR,
    EXTRICATE,
    FREE,
    GIVE_KIT,
    HAND_OVER,
    HANDED_OVER,
    LEGGED,
    MET_BLOCKED,
    NO_EVENT,
    OPEN,
    PICK_UP,
    RECHARGE,
    SLOW,
    STAY,
    TAKE_KIT,
    TRACKED,
    TRAPPED,
)


@rule
def speed_m_s(kind, passage_kind, carrying, cfg):
    """Speed of a robot kind (0 legged, 1 tracked, 2 aerial) in an open passage; 0 in an elevator, which stays shut."""
    if passage_kind == ELEVATOR:
        return np.float32(0.0)
    if passage_kind == STAIR:
        return min(cfg.stair_speed_m_s[kind], cfg.carry_stair_speed_m_s) if carrying else cfg.stair_speed_m_s[kind]
    return min(cfg.speed_m_s[kind], cfg.carry_speed_m_s) if carrying else cfg.speed_m_s[kind]


@rule
def crossing_time_s(kind, passage_kind, length_m, condition, carrying, cfg):
    """Seconds to cross a passage, inf where it is blocked or shut."""
    speed = speed_m_s(kind, passage_kind, carrying, cfg)
    if condition == BLOCKED or speed <= np.float32(0.0):
        return np.float32(np.inf)
    if condition == SLOW:
        speed *= cfg.slow_factor
    return length_m / speed


@rule
def expected_crossing_s(kind, passage_kind, length_m, condition, cfg):
    """Seconds that a robot kind expects a passage to take: as :func:`crossing_time_s`, with the clearing of rubble.

    A kind that can clear counts a blocked passage as the median clearing time and the open crossing.
    """
    if condition == BLOCKED and can_do(kind, CLEAR):
        clearing_s = cfg.clear_median_min * np.float32(60.0)
        return clearing_s + crossing_time_s(kind, passage_kind, length_m, OPEN, False, cfg)
    return crossing_time_s(kind, passage_kind, length_m, condition, False, cfg)


@rule
def can_do(kind, verb):
    """Whether a robot kind has the tool for a verb: legged carry kits, tracked dig, clear, drag; aerial only look."""
    if verb == EXTRICATE or verb == CLEAR or verb == PICK_UP or verb == HAND_OVER:
        return kind == TRACKED
    if verb == GIVE_KIT or verb == TAKE_KIT:
        return kind == LEGGED
    return kind <= AERIAL


@phase
def move_robots(b, cfg, site, world):
    """Every robot with a route walks it for one step; it stops at a passage that is blocked in truth."""
    for r in range(world.robots.shape[1]):
        robot = world.robots[b, r]
        robot.event = NO_EVENT
        robot.met_passage = -1
        if robot.alive == 0:
            continue
        moved = walk(b, r, cfg, site, world)
        active = moved or world.orders[b, r].verb > STAY + 1
        drain(robot, world.orders[b, r].verb, active, cfg)


@phase
def walk(b, r, cfg, site, world):
    """Follow the route until the step's time is used up; returns whether the robot moved."""
    robot = world.robots[b, r]
    order = world.orders[b, r]
    left_s = cfg.dt_s
    moved = False
    hop = 0
    while left_s > np.float32(0.0):
        if robot.passage < 0:
            if hop >= order.hops:
                break
            e = world.routes[b, r, hop]
            hop += 1
            if world.passages[b, e].condition == BLOCKED or site.passages[e].kind == ELEVATOR:
                robot.event = MET_BLOCKED
                robot.met_passage = e
                break
            robot.passage = e
            robot.next_zone = site.passages[e].b if site.passages[e].a == robot.zone else site.passages[e].a
            robot.progress_m = np.float32(0.0)
        moved = True
        passage = site.passages[robot.passage]
        condition = world.passages[b, robot.passage].condition
        speed = speed_m_s(robot.kind, passage.kind, robot.patient >= 0, cfg)
        if condition != OPEN:  # a passage that an aftershock blocks behind the robot is left at a crawl
            speed *= cfg.slow_factor
        needed_s = (passage.length_m - robot.progress_m) / speed
        if needed_s > left_s:
            robot.progress_m += speed * left_s
            break
        left_s -= needed_s
        arrive(b, world, robot)
    return moved


@rule
def arrive(b, world, robot):
    """The robot (and whom it carries) is now in the next zone."""
    if robot.patient >= 0:
        world.zones[b, robot.zone].occupants -= 1
        world.zones[b, robot.next_zone].occupants += 1
        world.patients[b, robot.patient].zone = robot.next_zone
    robot.zone = robot.next_zone
    robot.passage = -1
    robot.next_zone = -1
    robot.progress_m = np.float32(0.0)


@rule
def drain(robot, verb, active, cfg):
    """Battery use of one step: full in motion or work, ``idle_share`` of it standing still, none at the charger."""
    if verb == RECHARGE:
        return
    share = np.float32(1.0) if active else cfg.idle_share
    use = share * cfg.dt_s / np.float32(60.0) / cfg.endurance_min[robot.kind]
    use = min(use, robot.energy)
    robot.energy -= use
    robot.used += use


@phase
def work_robots(b, cfg, site, world, step):
    """Robots that stand where their work is do one step of it; dead batteries end a robot's mission."""
    for i in range(world.patients.shape[1]):
        world.patients[b, i].diggers = 0
    for r in range(world.robots.shape[1]):
        robot = world.robots[b, r]
        if robot.alive == 0:
            continue
        order = world.orders[b, r]
        if robot.passage < 0 and robot.event == NO_EVENT and order.hops == 0 and order.verb > STAY + 1:
            if not (can_do(robot.kind, order.verb) and work(b, r, cfg, site, world, step)):
                robot.event = CANNOT
        if robot.energy <= np.float32(0.0):
            robot.alive = 0
    for r in range(world.robots.shape[1]):
        if world.robots[b, r].alive == 0 and world.robots[b, r].patient >= 0:
            set_down(b, world, r)


@rule
def set_down(b, world, r):
    """A robot lets go of whom it carries, where it is."""
    patient = world.patients[b, world.robots[b, r].patient]
    patient.status = FREE
    patient.carrier = -1
    world.robots[b, r].patient = -1


@phase
def work(b, r, cfg, site, world, step):
    """Carry out one verb for one step; False where the truth does not allow it."""
    robot = world.robots[b, r]
    order = world.orders[b, r]
    verb = order.verb
    if verb == RECHARGE:
        if site.zones[robot.zone].entrance == 0:
            return False
        robot.energy = min(np.float32(1.0), robot.energy + cfg.dt_s / np.float32(60.0) / cfg.recharge_min)
        return True
    if verb == TAKE_KIT:
        room = int(cfg.kit_capacity[robot.kind]) - robot.kits
        taken = min(room, world.zones[b, robot.zone].kits)
        robot.kits += taken
        world.zones[b, robot.zone].kits -= taken
        return taken > 0
    if verb == CLEAR:
        return clear_passage(b, cfg, site, world, robot.zone, order.passage)
    if verb == EXTRICATE or verb == GIVE_KIT or verb == PICK_UP or verb == HAND_OVER:
        return assist(b, r, cfg, site, world, step)
    return True  # refreshing keys is the channel's work: the robot only stands there


@rule
def clear_passage(b, cfg, site, world, zone, e):
    """One robot-step of clearing passage ``e`` from ``zone``; it opens when the work is done."""
    if e < 0 or (site.passages[e].a != zone and site.passages[e].b != zone) or site.passages[e].kind == ELEVATOR:
        return False
    passage = world.passages[b, e]
    if passage.condition != BLOCKED:
        return False
    passage.clear_min -= cfg.dt_s / np.float32(60.0)
    if passage.clear_min <= np.float32(0.0):
        passage.condition = OPEN
        passage.clear_min = cfg.clear_median_min
        passage.cleared_at = max(world.zones[b, site.passages[e].a].damage, world.zones[b, site.passages[e].b].damage)
    return True


@phase
def assist(b, r, cfg, site, world, step):
    """Extricate, give a kit, pick up or hand over the patient of the order, if it is really there."""
    robot = world.robots[b, r]
    order = world.orders[b, r]
    if order.patient < 0 or order.patient >= world.patients.shape[1]:
        return False
    p = world.patients[b, order.patient]
    if p.zone != robot.zone or p.status < TRAPPED or p.status == HANDED_OVER:
        return False
    done = False
    if order.verb == GIVE_KIT and robot.kits > 0 and p.status != CARRIED:
        robot.kits -= 1
        p.kitted = 1
        p.changed = 1
        p.kit_until = step + int(np.ceil(cfg.kit_min * np.float32(60.0) / cfg.dt_s))
        done = True
    elif order.verb == EXTRICATE and p.status == FREE and p.diggers > 0:
        return True  # the other digger finished the work in this very step
    elif order.verb == EXTRICATE and p.status == TRAPPED and p.diggers < cfg.diggers:
        p.diggers += 1
        p.work_min -= cfg.dt_s / np.float32(60.0)
        if p.work_min <= np.float32(0.0):
            free_patient(p, step, cfg)
        done = True
    elif order.verb == PICK_UP and p.status == FREE and robot.patient < 0:
        p.status = CARRIED
        p.carrier = r
        robot.patient = order.patient
        done = True
    elif order.verb == HAND_OVER and robot.patient == order.patient and site.zones[robot.zone].entrance == 1:
        p.status = HANDED_OVER
        p.carrier = -1
        p.handover_step = step
        p.rpm_handover = rpm_at(p.rpm0, p.clock_min)
        robot.patient = -1
        world.zones[b, robot.zone].occupants -= 1
        done = True
    if done and p.treated_step < 0:
        p.treated_step = step
    return done
