"""Downlink: the twin's view to every robot, and what the channel lets through into the robots' beliefs."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.links import arrived, decide
from qdt_env.engine.state import DOWNLINK
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.physical.state import BLOCKED, HANDED_OVER, OPEN
from qdt_env.security.outcomes import ALTERED, GENUINE, OLD

_FORGED_EVERY = 4  # every so many passages an altered view shows the opposite (assumed)


@phase
def send_views(b, setup, state):
    """Downlink: every live robot is sent the twin's view and takes over what the channel lets through."""
    clock = state.clock[b]
    depth = state.history.patients.shape[1]
    file_view(b, clock.step % depth, state)
    for r in range(setup.site.team.shape[0]):
        if state.world.robots[b, r].alive == 0:
            continue
        decide(b, r, DOWNLINK, setup.game[0].view_bits, setup, state)
        outcome = state.channel.outcomes[b, DOWNLINK, r]
        if not arrived(outcome):
            continue
        mind = state.belief.minds[b, r]
        if outcome.content == ALTERED:
            take_altered_view(b, r, setup, state)
            mind.full_view = 1
            mind.view_step = clock.step
            mind.deceived = 1
            continue
        written = clock.step - outcome.age_steps
        if outcome.content == GENUINE and written < mind.view_step:
            continue  # an honest time stamp older than the view in hand
        if outcome.age_steps > 0:
            slot = written % depth
            mind.full_view = 1
            take_view(
                b, r, state.history.patients[b, slot], state.history.passages[b, slot], state.history.zones[b, slot],
                state.history.robots[b, slot], setup, state,
            )  # fmt: skip
        else:
            take_view(
                b, r, state.twin.patients[b], state.twin.passages[b], state.twin.zones[b], state.twin.robots[b],
                setup, state,
            )  # fmt: skip
        if outcome.age_steps > 0:
            mind.full_view = 1
        mind.taken_step = written
        mind.view_step = clock.step if outcome.content == OLD else written
        mind.deceived = 1 if outcome.content == OLD else 0


@phase
def file_view(b, slot, state):
    """Keep this step's view for attackers who record (nothing to do when nobody looks back)."""
    if state.history.patients.shape[1] == 1:
        return
    for i in range(state.twin.patients.shape[1]):
        state.history.patients[b, slot, i] = state.twin.patients[b, i]
    for e in range(state.twin.passages.shape[1]):
        state.history.passages[b, slot, e] = state.twin.passages[b, e]
    for z in range(state.twin.zones.shape[1]):
        state.history.zones[b, slot, z] = state.twin.zones[b, z]
    for r in range(state.twin.robots.shape[1]):
        state.history.robots[b, slot, r] = state.twin.robots[b, r]


@rule
def own_eyes_win(own_step, news_step, step, hold_steps):
    """Whether what the robot saw itself outranks the view: seen recently and no older than the twin's news."""
    return own_step >= 0 and step - own_step < hold_steps and news_step <= own_step


@phase
def take_view(b, r, patients, passages, zones, robots, setup, state):
    """Take over a view, whole or what changed since the last, except where the own eyes know better."""
    clock = state.clock[b]
    mind = state.belief.minds[b, r]
    hold = setup.game[0].own_eyes_steps
    since = -1 if mind.full_view == 1 else mind.taken_step
    disputed = 0  # while own eyes and view disagree, views are taken whole: the view may win later without changing
    if since < state.twin.patients_changed[b]:
        for i in range(patients.shape[0]):
            news = patients[i]
            if news.changed > since:
                believed = state.belief.patients[b, r, i]
                if news.status != HANDED_OVER and own_eyes_win(believed.own_step, news.step, clock.step, hold):
                    if believed.zone != news.zone or believed.status != news.status:
                        disputed = 1
                    continue
                believed.rpm = news.rpm
                believed.rpm_step = news.rpm_step
                believed.work_min = news.work_min
                believed.trust = news.trust
                believed.step = news.step
                believed.zone = news.zone
                believed.status = news.status
                believed.known = news.known
                believed.kitted = news.kitted
    if since < state.twin.passages_changed[b]:
        for e in range(passages.shape[0]):
            if passages[e].changed > since:
                believed = state.belief.passages[b, r, e]
                if believed.condition != passages[e].condition:
                    if own_eyes_win(believed.own_step, passages[e].step, clock.step, hold):
                        disputed = 1
                    else:
                        believed.condition = passages[e].condition
                        mind.map_dirty = 1
    if since < state.twin.zones_changed[b]:
        for z in range(zones.shape[0]):
            if zones[z].changed > since:
                believed = state.belief.zones[b, r, z]
                believed.damage = zones[z].damage
                believed.smoke = zones[z].smoke
                if zones[z].seen == 1 and believed.seen == 0:
                    believed.seen = 1
                    mind.news = 1
    for k in range(robots.shape[0]):
        state.belief.team[b, r, k] = robots[k]
    mind.full_view = disputed


@phase
def take_altered_view(b, r, setup, state):
    """A forged view, accepted: patients in each other's rooms with mirrored RPM, a quarter of the passages inverted."""
    clock = state.clock[b]
    mind = state.belief.minds[b, r]
    listed = clock.listed
    for i in range(listed):
        truth = state.twin.patients[b, i]
        believed = state.belief.patients[b, r, i]
        if truth.status == HANDED_OVER or state.world.robots[b, r].patient == i:
            continue
        believed.zone = state.twin.patients[b, listed - 1 - i].zone
        believed.rpm = np.float32(12.0) - truth.rpm
        believed.rpm_step = truth.rpm_step
        believed.step = clock.step
        believed.trust = truth.trust
        believed.status = truth.status
        believed.known = truth.known
        believed.kitted = truth.kitted
        believed.own_step = -1  # what is forged must not pass for own experience later
    for e in range(setup.site.passages.shape[0]):
        truth_condition = state.twin.passages[b, e].condition
        shown = truth_condition
        if e % _FORGED_EVERY == 0 and setup.site.passages[e].kind != ELEVATOR:
            shown = BLOCKED if truth_condition == OPEN else OPEN
        if state.belief.passages[b, r, e].condition != shown:
            state.belief.passages[b, r, e].condition = shown
            state.belief.passages[b, r, e].own_step = -1
            mind.map_dirty = 1
