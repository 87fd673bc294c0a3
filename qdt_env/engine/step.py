"""One step, in order: act, world, sense, uplink, fuse, downlink, observe, score."""

from qdt_env.compiled import batch, phase
from qdt_env.engine.control import close_orders, give_orders
from qdt_env.engine.downlink import send_views
from qdt_env.engine.fuse import fuse_messages
from qdt_env.engine.links import advance_keys
from qdt_env.engine.observe import inform, observe
from qdt_env.engine.perceive import perceive, read_sensors
from qdt_env.engine.reset import reset_one
from qdt_env.engine.reveal import reveal_truth
from qdt_env.engine.reward import score
from qdt_env.engine.uplink import send_messages
from qdt_env.physical.patients import run_clocks
from qdt_env.physical.robots import move_robots, work_robots
from qdt_env.physical.smoke import spread_smoke
from qdt_env.physical.structure import shake_again


@phase
def step_one(b, actions, setup, state, out):
    """Advance episode ``b`` by one step; does nothing once it is over."""
    if state.clock[b].over == 1:
        out.reward[b, :] = 0.0
        return
    act(b, actions, setup, state, out)
    advance_keys(b, setup, state)
    send_messages(b, setup, state)  # uplink: reports travel, attackers act
    fuse_messages(b, setup, state)  # what verified goes into the twin by its trust
    send_views(b, setup, state)  # downlink: views travel back, attackers act again
    conclude(b, setup, state, out)


@phase
def act(b, actions, setup, state, out):
    """Act, world, sense: all that happens in the building before anybody is told."""
    clock = state.clock[b]
    cfg, site, world = setup.physical[0], setup.site, state.world

    # act: robots set out by the maps they believe; the physical layer decides what happens
    give_orders(b, setup, state, out.mask, actions)
    move_robots(b, cfg, site, world)
    work_robots(b, cfg, site, world, clock.step)

    # world: aftershocks, smoke, patients' clocks
    clock.aftershocks += shake_again(b, cfg, site, world, clock.seed, clock.episode, clock.step)
    spread_smoke(b, cfg, site, world)
    run_clocks(b, cfg, world, clock.step, setup.game[0].horizon_steps - clock.step - 1)
    close_orders(b, setup, state)

    # sense
    perceive(b, setup, state)
    read_sensors(b, setup, state)


@phase
def conclude(b, setup, state, out):
    """Observe, score: what the robots now know, and what it is worth."""
    if setup.game[0].perfect == 1:
        reveal_truth(b, setup, state)
    state.clock[b].step += 1
    observe(b, setup, state, out)
    score(b, setup, state, out)
    inform(b, setup, state, out)


@batch
def step_rows(first, last, actions, setup, state, out):
    """Advance the episodes ``first`` .. ``last - 1``.

    Args:
        first, last: rows.
        actions: (B, R) int32 action numbers, each within the action space.
        setup, state, out: the engine's tuples; state and out are written.
    """
    for b in range(first, last):
        step_one(b, actions, setup, state, out)


@batch
def reset_rows(rows, seeds, episodes, suites, setup, state, out):
    """Start fresh episodes.

    Args:
        rows: (n,) int64 rows of the batch.
        seeds: (n,) uint64.
        episodes: (n,) int64 episode numbers under these seeds.
        suites: (n,) int64 suite codes.
        setup, state, out: the engine's tuples; state and out are written.
    """
    for k in range(rows.shape[0]):
        reset_one(rows[k], seeds[k], episodes[k], suites[k], setup, state, out)
