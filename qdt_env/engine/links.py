"""The channel's side of a step: key life on every link, and the verdict on every message.

The verdict comes from the security layer (``security.outcomes``); the wire fidelity replaces ``decide`` only.
"""

import math

import numpy as np

from qdt_env.compiled import phase, rule
from qdt_env.physical.state import AERIAL, COLLAPSE
from qdt_env.security.channel import free_space_loss_db
from qdt_env.security.link import advance_link
from qdt_env.security.outcomes import DELAYED, DELIVERED, FORGED, OLD, message_outcome, record_outcome


@phase
def advance_keys(b, setup, state):
    """One step of key life on every link: gateways by fibre, robots by free space near a gateway or a relay."""
    clock = state.clock[b]
    suite = setup.suites[clock.suite]
    robots = setup.site.team.shape[0]
    for link in range(state.channel.links.shape[1]):
        loss_db, path_open = np.float32(0.0), False
        if link >= robots:
            z = setup.site.gateways[link - robots]
            loss_db = setup.site.zones[z].fibre_db
            path_open = state.world.zones[b, z].damage != COLLAPSE
        elif state.world.robots[b, link].alive == 0:
            continue
        elif suite.quantum_keys == 1:
            loss_db, path_open = free_space_path(b, link, setup, state)
        advance_link(
            state.channel.links[b, link],
            state.channel.blocks[b, link],
            state.channel.cells[b],
            suite,
            state.channel.attacks[b],
            setup.channel[0],
            setup.qkd,
            loss_db,
            path_open,
            setup.physical[0].dt_s,
            clock.seed,
            clock.episode,
            clock.step,
            link,
        )


@phase
def free_space_path(b, r, setup, state):
    """(loss in dB, whether photons get through) from robot ``r`` to the nearest live gateway of its storey.

    In range directly, or by way of one aerial robot that is in range of both (a trusted relay, losses not added).
    """
    here = state.world.robots[b, r].zone
    best = gateway_distance_m(b, here, setup, state)
    if best > setup.game[0].quantum_range_m:
        for k in range(setup.site.team.shape[0]):
            relay = state.world.robots[b, k]
            if k == r or relay.alive == 0 or relay.kind != AERIAL:
                continue
            hop = max(distance_m(here, relay.zone, setup), gateway_distance_m(b, relay.zone, setup, state))
            best = min(best, hop)
    if best > setup.game[0].quantum_range_m:
        return np.float32(0.0), False
    return free_space_loss_db(setup.channel[0], best, state.world.zones[b, here].smoke), True


@rule
def distance_m(z, w, setup):
    """Straight distance between two zones of one storey, inf across storeys (no line of sight)."""
    a, c = setup.site.zones[z], setup.site.zones[w]
    if a.storey != c.storey:
        return np.float32(np.inf)
    return np.float32(math.sqrt((a.x_m - c.x_m) ** 2 + (a.y_m - c.y_m) ** 2))


@phase
def gateway_distance_m(b, z, setup, state):
    """Distance to the nearest gateway of the storey that still stands, inf if there is none."""
    best = np.float32(np.inf)
    for g in range(setup.site.gateways.shape[0]):
        w = setup.site.gateways[g]
        if state.world.zones[b, w].damage != COLLAPSE:
            best = min(best, distance_m(z, w, setup))
    return best


@phase
def decide(b, link, direction, bits, setup, state):
    """The channel's verdict on one message, written into the link and into ``outcomes``."""
    clock = state.clock[b]
    suite = setup.suites[clock.suite]
    record = state.channel.links[b, link]
    verdict, content, age, key_bits, injected = message_outcome(
        record,
        suite,
        state.channel.attacks[b],
        setup.channel[0],
        bits,
        clock.seed,
        clock.episode,
        clock.step,
        link,
        direction,
    )
    record_outcome(record, suite, setup.channel[0], verdict, content, age, key_bits, injected, clock.step)
    outcome = state.channel.outcomes[b, direction, link]
    outcome.verdict = verdict
    outcome.content = content
    outcome.age_steps = age
    outcome.key_bits = key_bits
    outcome.injected_rejected = injected


@rule
def arrived(outcome):
    """Whether the receiver acts on something."""
    return outcome.verdict == DELIVERED or outcome.verdict == DELAYED or outcome.verdict == FORGED


@rule
def claimed_step(outcome, step):
    """When a message that arrived says it was written: an attacker who plays back an old one renews its stamp."""
    return step if outcome.content == OLD else step - outcome.age_steps
