"""Downlink: the twin's view to every robot, and what the channel lets through into the robots' beliefs."""

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.engine.links import arrived, claimed_step, decide
from qdt_env.engine.state import DOWNLINK, OVERRULED
from qdt_env.hospital.graph import ELEVATOR
from qdt_env.physical.state import BLOCKED, EMPTY, HANDED_OVER, OPEN
from qdt_env.security.outcomes import ALTERED, GENUINE

_FORGED_EVERY = 4  # every so many passages an altered view shows the opposite (assumed)


@phase
def send_views(b, setup, state):
    """Downlink: every live robot is sent the twin's view and takes over what the channel lets through."""
    step = state.clock[b].step
    depth = state.history.readings.shape[1]
    if depth > 1:
        file_view(b, step % depth, state)
    forged = 0
    for r in range(setup.site.team.shape[0]):
        if state.world.robots[b, r].alive == 0:
            continue
        decide(b, r, DOWNLINK, setup.game[0].view_bits, setup, state)
        outcome = state.channel.outcomes[b, DOWNLINK, r]
        if not arrived(outcome):
            continue
        if outcome.content == ALTERED:
            if forged == 0:
                file_view(b, depth, state)
                alter_view(b, depth, setup, state)
                forged = 1
            take_filed_view(b, r, depth, setup, state)
        elif outcome.age_steps > 0:
            take_filed_view(b, r, (step - outcome.age_steps) % depth, setup, state)
        else:
            take_current_view(b, r, setup, state)


@phase
def take_current_view(b, r, setup, state):
    """The twin's view of this step, as it left the twin."""
    twin = state.twin
    take_view(b, r, twin.patients[b], twin.passages[b], twin.zones[b], twin.robots[b], setup, state)


@phase
def take_filed_view(b, r, slot, setup, state):
    """A view out of the files: an old one or the attacker's."""
    filed = state.history
    take_view(
        b,
        r,
        filed.patients[b, slot],
        filed.passages[b, slot],
        filed.zones[b, slot],
        filed.robots[b, slot],
        setup,
        state,
    )


@phase
def file_view(b, slot, state):
    """Put the twin's view into slot ``slot`` of the files."""
    for i in range(state.twin.patients.shape[1]):
        state.history.patients[b, slot, i] = state.twin.patients[b, i]
    for e in range(state.twin.passages.shape[1]):
        state.history.passages[b, slot, e] = state.twin.passages[b, e]
    for z in range(state.twin.zones.shape[1]):
        state.history.zones[b, slot, z] = state.twin.zones[b, z]
    for r in range(state.twin.robots.shape[1]):
        state.history.robots[b, slot, r] = state.twin.robots[b, r]


@phase
def alter_view(b, slot, setup, state):
    """The attacker's words over the view in a slot: fresh news of every patient and of a quarter of the passages.

    Patients lie in each other's rooms with mirrored RPM, the passages are inverted.
    """
    clock = state.clock[b]
    listed = 0
    while listed < state.history.patients.shape[2] and state.history.patients[b, slot, listed].status != EMPTY:
        listed += 1
    for i in range((listed + 1) // 2):
        shown, other = state.history.patients[b, slot, i], state.history.patients[b, slot, listed - 1 - i]
        here, there = shown.zone, other.zone
        mislead(shown, there, clock.step)
        if i != listed - 1 - i:
            mislead(other, here, clock.step)
    for e in range(0, setup.site.passages.shape[0], _FORGED_EVERY):
        passage = state.history.passages[b, slot, e]
        if setup.site.passages[e].kind != ELEVATOR:
            passage.condition = BLOCKED if passage.condition == OPEN else OPEN
            passage.step = clock.step
            passage.changed = clock.step


@rule
def mislead(shown, zone, step):
    """A patient still to be rescued is shown elsewhere and in another state."""
    if shown.status != HANDED_OVER:
        shown.zone = zone
        shown.rpm = np.float32(12.0) - shown.rpm
        shown.step = step
        shown.changed = step


@rule
def own_eyes_win(own_step, news_step, step, hold_steps):
    """Whether what the robot saw itself outranks the view: seen recently and no older than the twin's news."""
    return own_step >= 0 and step - own_step < hold_steps and news_step <= own_step


@phase
def take_view(b, r, patients, passages, zones, robots, setup, state):
    """Take over a view that arrived, except where the own eyes know better.

    A view shows everything; taking over only what changed since the last one is a shortcut, and not taken where the
    view in hand was old or forged (``full_view``). An honest stamp older than that view's makes it useless.
    """
    clock = state.clock[b]
    mind = state.belief.minds[b, r]
    outcome = state.channel.outcomes[b, DOWNLINK, r]
    claimed = claimed_step(outcome, clock.step)
    if claimed < mind.view_step:
        return
    genuine = outcome.content == GENUINE
    current = genuine and outcome.age_steps == 0
    since = mind.taken_step if current and mind.full_view == 0 else -1
    disputed = 0 if current else 1  # while own eyes and view disagree too: the view may win later without changing
    if since < state.twin.patients_changed[b]:
        disputed |= take_patients(b, r, patients, since, setup, state)
    if since < state.twin.passages_changed[b]:
        disputed |= take_passages(b, r, passages, since, setup, state)
    if since < state.twin.zones_changed[b]:
        take_zones(b, r, zones, since, state)
    for k in range(robots.shape[0]):
        state.belief.team[b, r, k] = robots[k]
    mind.full_view = disputed
    mind.taken_step = clock.step - outcome.age_steps
    mind.view_step = claimed
    mind.deceived = 0 if genuine else 1


@rule
def take_patients(b, r, patients, since, setup, state):
    """News of patients; returns 1 if the own eyes keep to another place or state of one, else 0."""
    step, hold = state.clock[b].step, setup.game[0].own_eyes_steps
    disputed = 0
    for i in range(patients.shape[0]):
        news = patients[i]
        if news.changed > since:
            believed = state.belief.patients[b, r, i]
            if news.status != HANDED_OVER and own_eyes_win(believed.own_step, news.step, step, hold):
                if believed.zone != news.zone or believed.status != news.status:
                    disputed = 1
                continue
            if believed.own_step >= 0 and believed.own_step < news.step:
                believed.own_step = OVERRULED
            believed.rpm = news.rpm
            believed.rpm_step = news.rpm_step
            believed.work_min = news.work_min
            believed.trust = news.trust
            believed.step = news.step
            believed.zone = news.zone
            believed.status = news.status
            believed.known = news.known
            believed.kitted = news.kitted
    return disputed


@rule
def take_passages(b, r, passages, since, setup, state):
    """News of passages; returns 1 if the own eyes keep to another condition of one, else 0."""
    step, hold = state.clock[b].step, setup.game[0].own_eyes_steps
    disputed = 0
    for e in range(passages.shape[0]):
        if passages[e].changed > since:
            believed = state.belief.passages[b, r, e]
            if believed.condition != passages[e].condition:
                if own_eyes_win(believed.own_step, passages[e].step, step, hold):
                    disputed = 1
                else:
                    believed.condition = passages[e].condition
                    if believed.own_step >= 0:
                        believed.own_step = OVERRULED
                    state.belief.minds[b, r].map_dirty = 1
    return disputed


@rule
def take_zones(b, r, zones, since, state):
    """News of zones; what anybody has seen stays seen."""
    for z in range(zones.shape[0]):
        if zones[z].changed > since:
            believed = state.belief.zones[b, r, z]
            believed.damage = zones[z].damage
            believed.smoke = zones[z].smoke
            if zones[z].seen == 1 and believed.seen == 0:
                believed.seen = 1
                state.belief.minds[b, r].news = 1
