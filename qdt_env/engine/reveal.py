"""Perfect information, an explicit privilege for upper bounds: beliefs are the truth and no message matters."""

from qdt_env.compiled import phase
from qdt_env.physical.patients import rpm_at
from qdt_env.physical.state import EMPTY


@phase
def reveal_truth(b, setup, state):
    """Overwrite every robot's belief with the truth of this step."""
    clock = state.clock[b]
    for r in range(setup.site.team.shape[0]):
        mind = state.belief.minds[b, r]
        mind.view_step = clock.step
        mind.taken_step = clock.step
        mind.deceived = 0
        for i in range(state.world.patients.shape[1]):
            p = state.world.patients[b, i]
            believed = state.belief.patients[b, r, i]
            believed.status = p.status
            if p.status == EMPTY:
                continue
            believed.zone = p.zone
            believed.rpm = rpm_at(p.rpm0, p.clock_min)
            believed.rpm_step = clock.step
            believed.step = clock.step
            believed.work_min = p.work_min
            believed.kitted = p.kitted
            believed.known = 1
            believed.trust = 1.0
        for e in range(setup.site.passages.shape[0]):
            if state.belief.passages[b, r, e].condition != state.world.passages[b, e].condition:
                state.belief.passages[b, r, e].condition = state.world.passages[b, e].condition
                mind.map_dirty = 1
        for z in range(setup.site.zones.shape[0]):
            believed_zone = state.belief.zones[b, r, z]
            believed_zone.damage = state.world.zones[b, z].damage
            believed_zone.smoke = int(state.world.zones[b, z].smoke * 100.0)
            if believed_zone.seen == 0:
                believed_zone.seen = 1
                mind.news = 1
        for k in range(setup.site.team.shape[0]):
            robot = state.world.robots[b, k]
            known = state.belief.team[b, r, k]
            known.zone = robot.zone
            known.energy = robot.energy
            known.patient = robot.patient
            known.task = state.belief.minds[b, k].task
            known.step = clock.step if robot.alive == 1 else known.step
