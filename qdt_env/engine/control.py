"""Act, first half: an action becomes an order that the robot's own map and eyes allow.

A robot walks by the map it believes. What the truth makes of the order is the physical layer's business.
"""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.navigation import finish, head_for, look_around, nearest_entrance
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.physical.state import (
    BLOCKED,
    CLEAR,
    DONE,
    EXTRICATE,
    FREE,
    GIVE_KIT,
    GO,
    HAND_OVER,
    LEGGED,
    NO_EVENT,
    NO_ROUTE,
    PATIENT_ABSENT,
    PICK_UP,
    RECHARGE,
    REFRESH,
    STAY,
    TAKE_KIT,
    TRACKED,
    TRAPPED,
)
from qdt_env.spaces import CLEAR_NEAREST, CONTINUE, KIT, RECHARGE_NEAREST, REFRESH_KEYS, SCOUT

_FULL = 0.99  # a battery this full needs no charge


@phase
def give_orders(b, setup, state, mask, actions):
    """Turn the actions of all robots into orders with routes; count actions outside the mask, which mean "continue"."""
    clock = state.clock[b]
    for r in range(setup.site.team.shape[0]):
        robot = state.world.robots[b, r]
        mind = state.belief.minds[b, r]
        order = state.world.orders[b, r]
        order.verb = STAY
        order.patient = -1
        order.passage = -1
        order.hops = 0
        mind.event = NO_EVENT
        if robot.alive == 0:
            continue
        action = actions[b, r]
        if mask[b, r, action] == 0:
            clock.masked_actions += 1
            mind.masked_actions += 1
            action = CONTINUE
        if action != CONTINUE and action != mind.task:
            mind.task = action
            mind.target = -1
            if action == mask.shape[2] - 1:
                continue  # waiting commits to nothing
            clock.decisions += 1
            if clock.step - mind.view_step > setup.game[0].stale_steps:
                clock.stale_decisions += 1
            if mind.deceived == 1:
                clock.deceived_decisions += 1
        if setup.game[0].control == 0:
            order_task(b, r, setup, state)
        else:
            order_move(b, r, setup, state)


@phase
def order_task(b, r, setup, state):
    """Order of the high-level task that robot ``r`` carries out."""
    mind = state.belief.minds[b, r]
    patients = state.belief.patients.shape[2]
    if mind.task == CONTINUE:
        return
    if mind.task <= patients:
        order_patient(b, r, mind.task - 1, setup, state)
    else:
        order_service(b, r, mind.task - 1 - patients, setup, state)


@phase
def order_patient(b, r, p, setup, state):
    """Go to patient slot ``p`` and do the next useful thing: extricate, give the kit, carry out, triage."""
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    order = state.world.orders[b, r]
    believed = state.belief.patients[b, r, p]
    order.patient = p
    if robot.patient == p:
        if setup.site.zones[robot.zone].entrance == 1 and robot.passage < 0:
            order.verb = HAND_OVER
        else:
            head_for(b, r, nearest_entrance(b, r, setup, state), setup, state)
        return
    if believed.status != TRAPPED and believed.status != FREE:
        finish(mind, DONE)  # handed over, or somebody carries the patient
        return
    if believed.zone < 0:
        finish(mind, PATIENT_ABSENT)
        return
    if believed.zone != robot.zone or robot.passage >= 0:
        head_for(b, r, believed.zone, setup, state)
        return
    if robot.kind == TRACKED and believed.status == TRAPPED:
        order.verb = EXTRICATE
    elif robot.kind == TRACKED and robot.patient < 0:
        order.verb = PICK_UP
    elif robot.kind == LEGGED and robot.kits > 0 and believed.kitted == 0:
        order.verb = GIVE_KIT
    else:
        finish(mind, DONE)


@phase
def order_service(b, r, service, setup, state):
    """Order of a service action; targets are the nearest by the believed map."""
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    order = state.world.orders[b, r]
    if service == SCOUT:
        if mind.target < 0 or state.belief.zones[b, r, mind.target].seen == 1:
            look_around(b, r, setup, state)
            mind.target = mind.near_unseen
        if mind.target < 0:
            finish(mind, DONE)
        elif mind.target != robot.zone or robot.passage >= 0:
            head_for(b, r, mind.target, setup, state)
    elif service == KIT:
        order_kit(b, r, setup, state)
    elif service == CLEAR_NEAREST:
        look_around(b, r, setup, state)
        if mind.near_blocked < 0:
            finish(mind, DONE)
        elif mind.near_blocked_zone == robot.zone and robot.passage < 0:
            order.verb = CLEAR
            order.passage = mind.near_blocked
        else:
            head_for(b, r, mind.near_blocked_zone, setup, state)
    elif service == RECHARGE_NEAREST:
        if robot.energy >= np.float32(_FULL):
            finish(mind, DONE)
        elif setup.site.zones[robot.zone].entrance == 1 and robot.passage < 0:
            order.verb = RECHARGE
        else:
            head_for(b, r, nearest_entrance(b, r, setup, state), setup, state)
    elif service == REFRESH_KEYS:
        look_around(b, r, setup, state)
        if state.channel.links[b, r].pool_bits >= setup.channel[0].pool_capacity_bits:
            finish(mind, DONE)
        elif mind.near_gateway < 0:
            finish(mind, NO_ROUTE)
        elif mind.near_gateway == robot.zone and robot.passage < 0:
            order.verb = REFRESH
        else:
            head_for(b, r, mind.near_gateway, setup, state)


@phase
def order_kit(b, r, setup, state):
    """Fetch a kit at the nearest depot, then deliver it to the nearest patient believed in need of one."""
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    order = state.world.orders[b, r]
    if robot.kits == 0:
        look_around(b, r, setup, state)
        if mind.near_depot < 0:
            finish(mind, NO_ROUTE)
        elif mind.near_depot == robot.zone and robot.passage < 0:
            order.verb = TAKE_KIT
        else:
            head_for(b, r, mind.near_depot, setup, state)
        return
    p = nearest_in_need(b, r, setup, state)
    if p < 0:
        finish(mind, DONE)
        return
    order.patient = p
    zone = state.belief.patients[b, r, p].zone
    if zone == robot.zone and robot.passage < 0:
        order.verb = GIVE_KIT
    else:
        head_for(b, r, zone, setup, state)


@rule
def needs_kit(believed):
    """Whether a kit is believed to help: in place, not helped yet, not handed over."""
    return (believed.status == TRAPPED or believed.status == FREE) and believed.kitted == 0 and believed.zone >= 0


@phase
def nearest_in_need(b, r, setup, state):
    """Slot of the nearest patient in need of a kit, trapped ones counted at half their travel time; -1 nobody."""
    look_around(b, r, setup, state)
    best, best_s = -1, np.float32(np.inf)
    for i in range(state.belief.patients.shape[2]):
        believed = state.belief.patients[b, r, i]
        if needs_kit(believed):
            away = state.belief.travel_s[b, r, believed.zone]
            if believed.status == TRAPPED:
                away *= np.float32(0.5)
            if away < best_s:
                best, best_s = i, away
    return best


@phase
def order_move(b, r, setup, state):
    """Order of the low-level control: a passage slot of the own zone, or a work verb on the most urgent patient."""
    robot = state.world.robots[b, r]
    mind = state.belief.minds[b, r]
    order = state.world.orders[b, r]
    slots = setup.site.neighbours.shape[1]
    if mind.task == CONTINUE:
        return
    if mind.task <= slots:
        e = setup.site.neighbour_passages[robot.zone, mind.task - 1]
        if robot.passage >= 0:
            order.verb = GO
        elif e < 0:
            finish(mind, DONE)
        else:
            if mind.target < 0:
                mind.target = setup.site.neighbours[robot.zone, mind.task - 1]
            order.verb = GO
            order.hops = 1
            state.world.routes[b, r, 0] = e
        return
    verb = mind.task - 1 - slots
    if robot.passage >= 0 or verb == 8:
        return
    order.verb = move_verb(verb)
    if verb <= 3:
        order.patient = robot.patient if verb == 3 else most_urgent_here(b, r, order.verb, state)
        if order.patient < 0:
            finish(mind, DONE)
            order.verb = STAY
    elif verb == 5:
        order.passage = blocked_here(b, r, setup, state)
        if order.passage < 0:
            finish(mind, DONE)
            order.verb = STAY
    elif verb == 6 and robot.energy >= np.float32(_FULL):
        finish(mind, DONE)
        order.verb = STAY


@rule
def move_verb(verb):
    """Physical verb of a move-control verb, in the order of ``spaces.MOVE_VERBS``."""
    if verb == 0:
        return GIVE_KIT
    if verb == 1:
        return EXTRICATE
    if verb == 2:
        return PICK_UP
    if verb == 3:
        return HAND_OVER
    if verb == 4:
        return TAKE_KIT
    if verb == 5:
        return CLEAR
    if verb == 6:
        return RECHARGE
    return REFRESH


@rule
def verb_fits(verb, believed):
    """Whether a work verb is useful on a patient as believed."""
    if verb == GIVE_KIT:
        return needs_kit(believed)
    if verb == EXTRICATE:
        return believed.status == TRAPPED
    return believed.status == FREE


@phase
def most_urgent_here(b, r, verb, state):
    """Slot of the patient in the own zone with the lowest believed RPM on whom ``verb`` is useful; -1 nobody."""
    best, best_rpm = -1, np.float32(99.0)
    zone = state.world.robots[b, r].zone
    for i in range(state.belief.patients.shape[2]):
        believed = state.belief.patients[b, r, i]
        if believed.zone == zone and verb_fits(verb, believed) and believed.rpm < best_rpm:
            best, best_rpm = i, believed.rpm
    return best


@phase
def blocked_here(b, r, setup, state):
    """First passage of the own zone believed blocked, -1 none."""
    zone = state.world.robots[b, r].zone
    for slot in range(setup.site.neighbours.shape[1]):
        e = setup.site.neighbour_passages[zone, slot]
        if e >= 0 and state.belief.passages[b, r, e].condition == BLOCKED and setup.site.passages[e].kind != ELEVATOR:
            return e
    return -1


@phase
def close_orders(b, setup, state):
    """After the work: a task whose last step was done is over, and what the robot ran into ends its task."""
    mask_width = setup.layout[0].actions
    first = 1 + state.belief.patients.shape[2]
    scout, clear = first + SCOUT, first + CLEAR_NEAREST
    if setup.game[0].control == 1:
        clear = mask_width - 4  # "clear" of spaces.MOVE_VERBS
    for r in range(setup.site.team.shape[0]):
        robot = state.world.robots[b, r]
        mind = state.belief.minds[b, r]
        order = state.world.orders[b, r]
        if robot.event != NO_EVENT:
            if order.verb == TAKE_KIT:
                state.belief.zones[b, r, robot.zone].empty = 1
                mind.news = 1
            finish(mind, robot.event)
        elif mind.task == mask_width - 1:
            finish(mind, mind.event)  # waiting ends with its step
        elif setup.game[0].control == 0 and mind.task == scout and mind.target == robot.zone and robot.passage < 0:
            finish(mind, DONE)
        elif order.verb == HAND_OVER or order.verb == GIVE_KIT:
            finish(mind, DONE)
        elif order.verb == TAKE_KIT and setup.game[0].control == 1:
            finish(mind, DONE)
        elif mind.task == clear and order.verb == CLEAR and state.world.passages[b, order.passage].condition != BLOCKED:
            finish(mind, DONE)
        elif order.verb == GO and setup.game[0].control == 1 and robot.passage < 0 and mind.target == robot.zone:
            finish(mind, DONE)
