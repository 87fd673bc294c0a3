"""Reset: a fresh episode in row ``b``. Everything drawn here depends on (seed, episode) alone."""

import numpy as np

from qdt_env.compiled import phase
from qdt_env.engine.downlink import take_current_view
from qdt_env.engine.observe import inform, observe
from qdt_env.engine.perceive import perceive
from qdt_env.engine.reveal import reveal_truth
from qdt_env.physical.patients import hurt_patients, project_start
from qdt_env.physical.state import NO_EVENT
from qdt_env.physical.structure import shake_main
from qdt_env.security.attacks import target_mask
from qdt_env.security.link import reset_link
from qdt_env.twin.fusion import start_twin

_SOURCES = 1_000_000  # entity numbers of sources in the attack stream start here, so that links and sources differ


@phase
def reset_one(b, seed, episode, suite, setup, state, out):
    """Start episode number ``episode`` under ``seed`` in row ``b``; the row's attacks must have been set."""
    clock = state.clock[b]
    clock.seed = seed
    clock.episode = episode
    clock.suite = suite
    clock.step = 0
    clock.aftershocks = 0
    clock.lost = 0
    clock.cost = 0.0
    clock.potential = 0.0
    clock.decisions = 0
    clock.stale_decisions = 0
    clock.deceived_decisions = 0
    clock.masked_actions = 0
    clock.over = 0
    shake_main(b, setup.physical[0], setup.site, state.world, seed, episode)
    clock.listed, clock.unlisted, clock.dead = hurt_patients(
        b, setup.physical[0], setup.site, state.world, seed, episode
    )
    clock.e_none, clock.e_instant = project_start(b, setup.physical[0], state.world, setup.game[0].horizon_steps)
    clock.e_now = clock.e_none
    place_robots(b, setup, state)
    start_twin(b, setup.twin[0], setup.site, state.world, state.twin)
    reset_channel(b, setup, state)
    reset_beliefs(b, setup, state)
    perceive(b, setup, state)
    if setup.game[0].perfect == 1:
        reveal_truth(b, setup, state)
    observe(b, setup, state, out)
    inform(b, setup, state, out)
    out.reward[b, :] = np.float32(0.0)
    out.terminated[b, :] = 0
    out.truncated[b] = 0


@phase
def place_robots(b, setup, state):
    """Robots start charged, spread over the entrances in order; legged ones carry a full load of kits."""
    for r in range(setup.site.team.shape[0]):
        robot = state.world.robots[b, r]
        robot.kind = setup.site.team[r]
        robot.zone = setup.site.entrances[r % setup.site.entrances.shape[0]]
        robot.next_zone = -1
        robot.passage = -1
        robot.patient = -1
        robot.met_passage = -1
        robot.progress_m = np.float32(0.0)
        robot.energy = np.float32(1.0)
        robot.used = np.float32(0.0)
        robot.kits = int(setup.physical[0].kit_capacity[robot.kind])
        robot.alive = 1
        robot.event = NO_EVENT


@phase
def reset_channel(b, setup, state):
    """Fresh links with this episode's targets; who lies."""
    clock = state.clock[b]
    for link in range(state.channel.links.shape[1]):
        reset_link(
            state.channel.links[b, link],
            state.channel.blocks[b, link],
            setup.suites[clock.suite],
            state.channel.attacks[b],
            setup.channel[0],
            clock.seed,
            clock.episode,
            link,
        )
        for direction in range(2):
            outcome = state.channel.outcomes[b, direction, link]
            outcome.verdict = 0
            outcome.content = 0
            outcome.age_steps = 0
            outcome.key_bits = 0
            outcome.injected_rejected = 0
    for source in range(state.channel.liars.shape[1]):
        state.channel.liars[b, source] = target_mask(
            clock.seed, clock.episode, _SOURCES + source, state.channel.attacks[b]
        )


@phase
def reset_beliefs(b, setup, state):
    """Every robot starts with the twin's first view: plan and census."""
    for r in range(setup.site.team.shape[0]):
        mind = state.belief.minds[b, r]
        mind.masked_actions = 0
        mind.task = 0
        mind.target = -1
        mind.routed_to = -1
        mind.travelled_from = -1
        mind.view_step = 0
        mind.full_view = 1
        mind.map_dirty = 1
        mind.news = 1
        mind.event = NO_EVENT
        mind.deceived = 0
        for i in range(state.belief.patients.shape[2]):
            state.belief.patients[b, r, i].own_step = -1
        for e in range(state.belief.passages.shape[2]):
            state.belief.passages[b, r, e].own_step = -1
        for z in range(state.belief.zones.shape[2]):
            state.belief.zones[b, r, z].seen = 0
            state.belief.zones[b, r, z].empty = 0
        take_current_view(b, r, setup, state)
        mind.taken_step = -1  # step 0 has still to change things
