"""Score: lives. The reward is the change of expected survivors against doing nothing, minus small named costs.

With Phi = sum over patients of survival (at handover if handed over, else projected to the horizon without further
help) and Phi_none the same had nobody ever helped in this same world, the team reward is the change of Phi - Phi_none.
It telescopes to the expected survivors saved; doing nothing earns exactly 0, whatever smoke and aftershocks do.
"""

import numpy as np

from qdt_env.compiled import phase
from qdt_env.physical.patients import survival
from qdt_env.physical.state import EMPTY, HAND_OVER, HANDED_OVER


@phase
def score(b, setup, state, out):
    """Write rewards, terminations and truncation of this step, and the running totals in the clock."""
    clock = state.clock[b]
    e_now, e_none = 0.0, 0.0
    for i in range(state.world.patients.shape[1]):
        p = state.world.patients[b, i]
        if p.status == EMPTY:
            break
        e_none += p.expected_none
        e_now += survival(p.rpm_handover) if p.status == HANDED_OVER else p.expected
    gained = e_now - e_none - clock.potential
    clock.potential = e_now - e_none
    clock.e_now = e_now
    clock.e_none = e_none
    cost = losses(b, setup, state, out)
    clock.cost += cost
    robots = setup.site.team.shape[0]
    for r in range(robots):
        out.reward[b, r] = np.float32(gained - cost)
    if setup.game[0].individual == 1:
        credit_handovers(b, setup, state, out, cost)
    alive = 0
    for r in range(robots):
        alive += state.world.robots[b, r].alive
    if clock.step >= setup.game[0].horizon_steps or alive == 0:
        clock.over = 1
        out.truncated[b] = 1 if clock.step >= setup.game[0].horizon_steps else 0


@phase
def losses(b, setup, state, out):
    """Cost of robots lost in this step and of the energy used in it, in lives; marks the lost as terminated."""
    cost = 0.0
    cfg = setup.physical[0]
    clock = state.clock[b]
    for r in range(setup.site.team.shape[0]):
        robot = state.world.robots[b, r]
        cost += robot.used * cfg.cost_full_charge
        robot.used = np.float32(0.0)
        if robot.alive == 0 and out.terminated[b, r] == 0:
            out.terminated[b, r] = 1
            clock.lost += 1
            cost += cfg.cost_robot_lost
    return cost


@phase
def credit_handovers(b, setup, state, out, cost):
    """Individual reward: the survival won at a handover goes to the robot that made it; costs are shared."""
    robots = setup.site.team.shape[0]
    for r in range(robots):
        out.reward[b, r] = np.float32(-cost / robots)
        order = state.world.orders[b, r]
        if order.verb == HAND_OVER and order.patient >= 0:
            p = state.world.patients[b, order.patient]
            if p.handover_step == state.clock[b].step - 1:
                out.reward[b, r] += survival(p.rpm_handover) - p.expected_none
