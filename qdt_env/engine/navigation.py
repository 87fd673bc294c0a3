"""How robots find their way: the believed map, travel times by it, what is near, and the next steps of a route."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.hospital.routing import customise, travel_times, travel_times_to_any
from qdt_env.physical.robots import expected_crossing_s
from qdt_env.physical.state import BLOCKED, CLEAR, GO, NO_ROUTE, ROUTE_HOPS, TRACKED
from qdt_env.spaces import CONTINUE


@phase
def nearest_entrance(b, r, setup, state):
    """The entrance nearest to the robot by its map, -1 where none can be reached."""
    refresh_travel(b, r, setup, state)
    best, best_s = -1, np.float32(np.inf)
    for i in range(setup.site.entrances.shape[0]):
        z = setup.site.entrances[i]
        if state.belief.travel_s[b, r, z] < best_s:
            best, best_s = z, state.belief.travel_s[b, r, z]
    return best


@phase
def refresh_map(b, r, setup, state):
    """Fill the arc times of the believed map and the times to the entrances, if the map changed."""
    mind = state.belief.minds[b, r]
    if mind.map_dirty == 0:
        return
    site = setup.site
    kind = state.world.robots[b, r].kind
    for e in range(site.passages.shape[0]):
        passage = site.passages[e]
        condition = state.belief.passages[b, r, e].condition
        state.belief.crossing_s[b, r, e] = expected_crossing_s(
            kind, passage.kind, passage.length_m, condition, setup.physical[0]
        )
    customise(setup.hierarchy, state.belief.crossing_s[b, r], state.belief.arc_s[b, r])
    travel_times_to_any(setup.hierarchy, state.belief.arc_s[b, r], site.entrances, state.belief.exit_s[b, r])
    mind.map_dirty = 0
    mind.travelled_from = -1
    mind.routed_to = -1


@phase
def refresh_travel(b, r, setup, state):
    """Travel times from the robot's zone, if it moved or its map changed."""
    refresh_map(b, r, setup, state)
    mind = state.belief.minds[b, r]
    zone = state.world.robots[b, r].zone
    if mind.travelled_from != zone:
        travel_times(setup.hierarchy, state.belief.arc_s[b, r], zone, state.belief.travel_s[b, r])
        mind.travelled_from = zone
        mind.news = 1


@phase
def look_around(b, r, setup, state):
    """Nearest unseen zone, blocked passage, depot and gateway, if the robot moved, its map or its news changed."""
    refresh_travel(b, r, setup, state)
    mind = state.belief.minds[b, r]
    if mind.news == 0:
        return
    mind.news = 0
    site = setup.site
    inf = np.float32(np.inf)
    mind.near_unseen, mind.near_unseen_s = -1, inf
    mind.near_blocked, mind.near_blocked_s, mind.near_blocked_zone = -1, inf, -1
    mind.near_depot, mind.near_depot_s = -1, inf
    mind.near_gateway, mind.near_gateway_s = -1, inf
    for z in range(site.zones.shape[0]):
        away = state.belief.travel_s[b, r, z]
        if away < mind.near_unseen_s and state.belief.zones[b, r, z].seen == 0 and site.zones[z].indoor == 1:
            mind.near_unseen, mind.near_unseen_s = z, away
    for i in range(site.depots.shape[0]):
        away = state.belief.travel_s[b, r, site.depots[i]]
        if away < mind.near_depot_s and state.belief.zones[b, r, site.depots[i]].empty == 0:
            mind.near_depot, mind.near_depot_s = site.depots[i], away
    for i in range(site.gateways.shape[0]):
        away = state.belief.travel_s[b, r, site.gateways[i]]
        if away < mind.near_gateway_s:
            mind.near_gateway, mind.near_gateway_s = site.gateways[i], away
    if state.world.robots[b, r].kind != TRACKED:
        return
    for e in range(site.passages.shape[0]):
        if state.belief.passages[b, r, e].condition == BLOCKED and site.passages[e].kind != ELEVATOR:
            for z in (site.passages[e].a, site.passages[e].b):
                away = state.belief.travel_s[b, r, z]
                if away < mind.near_blocked_s:
                    mind.near_blocked, mind.near_blocked_s, mind.near_blocked_zone = e, away, z


@phase
def head_for(b, r, target, setup, state):
    """Order to walk towards ``target``: the next few passages of the shortest believed way."""
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    order = state.world.orders[b, r]
    refresh_map(b, r, setup, state)
    zone = robot.next_zone if robot.passage >= 0 else robot.zone
    if target < 0:
        finish(mind, NO_ROUTE)
        return
    times = state.belief.to_target_s[b, r]
    if mind.routed_to != target:
        travel_times(setup.hierarchy, state.belief.arc_s[b, r], target, times)
        mind.routed_to = target
    if robot.passage < 0 and times[zone] == np.float32(np.inf):
        finish(mind, NO_ROUTE)
        return
    order.verb = GO
    hops = 0
    while zone != target and hops < ROUTE_HOPS:
        e, n = next_hop(b, r, zone, setup, state)
        if e < 0:
            break
        if state.belief.passages[b, r, e].condition == BLOCKED:
            if hops == 0 and robot.passage < 0:
                order.verb = CLEAR
                order.passage = e
            break
        state.world.routes[b, r, hops] = e
        hops += 1
        zone = n
    order.hops = hops


@rule
def next_hop(b, r, zone, setup, state):
    """(passage, zone) that leads on towards the routed target by the believed map, (-1, -1) if there is none."""
    best, best_e, best_z = np.float32(np.inf), -1, -1
    for slot in range(setup.site.neighbours.shape[1]):
        z = setup.site.neighbours[zone, slot]
        if z < 0:
            break
        e = setup.site.neighbour_passages[zone, slot]
        through = state.belief.to_target_s[b, r, z] + state.belief.crossing_s[b, r, e]
        if through < best:
            best, best_e, best_z = through, e, z
    return best_e, best_z


@rule
def finish(mind, event):
    """The task is over: the robot asks again and says why."""
    mind.task = CONTINUE
    mind.target = -1
    mind.event = event
