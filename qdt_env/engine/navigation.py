"""How robots find their way: the believed map, travel times by it, what is near, and the next steps of a route."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.hospital.routing import customise, travel_times, travel_times_to_any
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
    belief = state.belief
    mind = belief.minds[b, r]
    if mind.map_dirty == 0:
        return
    other = like_minded(b, r, setup, state)
    if other >= 0:
        for arc in range(belief.arc_s.shape[2]):
            belief.arc_s[b, r, arc] = belief.arc_s[b, other, arc]
        for z in range(belief.exit_s.shape[2]):
            belief.exit_s[b, r, z] = belief.exit_s[b, other, z]
    else:
        kind = setup.site.team[r]
        for e in range(belief.crossing_s.shape[1]):
            belief.crossing_s[b, e] = setup.crossing_s[kind, belief.passages[b, r, e].condition, e]
        customise(setup.hierarchy, belief.crossing_s[b], belief.arc_s[b, r])
        travel_times_to_any(setup.hierarchy, belief.arc_s[b, r], setup.site.entrances, belief.exit_s[b, r])
    mind.map_dirty = 0
    mind.travelled_from = -1
    mind.routed_to = -1


@phase
def like_minded(b, r, setup, state):
    """A robot of the same kind whose map is up to date and shows what this one believes, -1 if there is none.

    Views make the team agree, so most maps need not be computed but copied.
    """
    team = setup.site.team
    for other in range(team.shape[0]):
        if other != r and team[other] == team[r] and state.belief.minds[b, other].map_dirty == 0:
            if same_conditions(state.belief.passages[b, other], state.belief.passages[b, r]):
                return other
    return -1


@rule
def same_conditions(passages, others):
    """Whether two beliefs agree about every passage."""
    for e in range(passages.shape[0]):
        if passages[e].condition != others[e].condition:
            return False
    return True


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
    mind.near_unseen, mind.near_unseen_s = nearest_unseen(b, r, setup, state)
    mind.near_depot, mind.near_depot_s = nearest_depot(b, r, setup, state)
    mind.near_gateway, mind.near_gateway_s = nearest_gateway(b, r, setup, state)
    mind.near_blocked, mind.near_blocked_s, mind.near_blocked_zone = nearest_blocked(b, r, setup, state)


@rule
def nearest_unseen(b, r, setup, state):
    """(indoor zone that nobody has seen, travel time), (-1, inf) none."""
    zones, travel_s = state.belief.zones, state.belief.travel_s
    best, best_s = -1, np.float32(np.inf)
    for z in range(zones.shape[2]):
        if zones[b, r, z].seen == 0 and travel_s[b, r, z] < best_s and setup.site.zones[z].indoor == 1:
            best, best_s = z, travel_s[b, r, z]
    return best, best_s


@rule
def nearest_depot(b, r, setup, state):
    """(zone of the nearest depot not known to be empty, travel time), (-1, inf) none."""
    best, best_s = -1, np.float32(np.inf)
    for i in range(setup.site.depots.shape[0]):
        z = setup.site.depots[i]
        if state.belief.travel_s[b, r, z] < best_s and state.belief.zones[b, r, z].empty == 0:
            best, best_s = z, state.belief.travel_s[b, r, z]
    return best, best_s


@rule
def nearest_gateway(b, r, setup, state):
    """(zone of the nearest gateway, travel time), (-1, inf) none."""
    best, best_s = -1, np.float32(np.inf)
    for i in range(setup.site.gateways.shape[0]):
        z = setup.site.gateways[i]
        if state.belief.travel_s[b, r, z] < best_s:
            best, best_s = z, state.belief.travel_s[b, r, z]
    return best, best_s


@rule
def nearest_blocked(b, r, setup, state):
    """(passage believed blocked, travel time, its nearer side) for a robot that can clear; (-1, inf, -1) none."""
    passages, travel_s = state.belief.passages, state.belief.travel_s
    best, best_s, side = -1, np.float32(np.inf), -1
    if setup.site.team[r] == TRACKED:
        for e in range(passages.shape[2]):
            if passages[b, r, e].condition == BLOCKED and setup.site.passages[e].kind != ELEVATOR:
                for z in (setup.site.passages[e].a, setup.site.passages[e].b):
                    if travel_s[b, r, z] < best_s:
                        best, best_s, side = e, travel_s[b, r, z], z
    return best, best_s, side


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
    kind = setup.site.team[r]
    best, best_e, best_z = np.float32(np.inf), -1, -1
    for slot in range(setup.site.neighbours.shape[1]):
        z = setup.site.neighbours[zone, slot]
        if z < 0:
            break
        e = setup.site.neighbour_passages[zone, slot]
        crossing_s = setup.crossing_s[kind, state.belief.passages[b, r, e].condition, e]
        through = state.belief.to_target_s[b, r, z] + crossing_s
        if through < best:
            best, best_e, best_z = through, e, z
    return best_e, best_z


@rule
def finish(mind, event):
    """The task is over: the robot asks again and says why."""
    mind.task = CONTINUE
    mind.target = -1
    mind.event = event
