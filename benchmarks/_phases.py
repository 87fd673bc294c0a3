"""Where a step's time goes: the step of ``qdt_env/engine/step.py`` with a reading of the cycle counter between phases.

The phases run in the engine's own order, episode by episode, so that their data are in the caches as they are in a real
step; timing each phase by itself over all episodes would stream the whole state through the caches once per phase.
``tests/unit/test_benchmarks.py`` holds that this step and the engine's write the same bytes.
"""

import platform
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qdt_env.engine.control import close_orders, give_orders
from qdt_env.engine.downlink import send_views
from qdt_env.engine.episodes import Episodes
from qdt_env.engine.fuse import fuse_messages
from qdt_env.engine.links import advance_keys
from qdt_env.engine.navigation import look_around
from qdt_env.engine.observe import inform, observe
from qdt_env.engine.perceive import perceive, read_sensors
from qdt_env.engine.reward import score
from qdt_env.engine.uplink import send_messages
from qdt_env.physical.patients import run_clocks
from qdt_env.physical.robots import move_robots, work_robots
from qdt_env.physical.smoke import spread_smoke
from qdt_env.physical.structure import shake_again

PHASES = {
    "orders": "tasks become routes and work orders",
    "move, work": "robots walk, clear, extricate, carry",
    "world": "aftershocks, smoke",
    "patients": "RPM clocks, expected survival, closed orders",
    "perceive": "own eyes, sensors' readings, reports",
    "keys": "QKD key pools and alarms of every link",
    "uplink, fuse": "messages to the twin, attackers, fusion, trust",
    "downlink": "views to the robots, attackers",
    "find ways": "believed map, travel times, what is near",
    "observe": "observations and masks written",
    "score": "reward, ends, infos",
}
_PREEMPTED = 2_500_000  # cycles above a phase's median: the core was taken away meanwhile


@intrinsic  # type: ignore[misc]
def _cycles(typing_context: Any) -> Any:
    """Reading of the processor's cycle counter, int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", fnty=ir.FunctionType(ir.IntType(64), []))
        return builder.call(counter, [])

    return types.int64(), generate


def counter_works() -> bool:
    """Whether a program may read a cycle counter of constant rate (x86-64)."""
    return platform.machine() in ("x86_64", "AMD64")


@numba.njit(error_model="numpy", _nrt=False)
def _step_rows(first, last, actions, setup, state, out, spent):  # type: ignore[no-untyped-def]
    """``qdt_env.engine.step.step_rows`` without perfect information, with the cycles of each phase in ``spent``."""
    for b in range(first, last):
        spent[b, :] = 0
        clock = state.clock[b]
        if clock.over == 1:
            out.reward[b, :] = 0.0
            continue
        cfg, site, world = setup.physical[0], setup.site, state.world
        t0 = _cycles()
        give_orders(b, setup, state, out.mask, actions)
        t1 = _cycles()
        move_robots(b, cfg, site, world)
        work_robots(b, cfg, site, world, clock.step)
        t2 = _cycles()
        clock.aftershocks += shake_again(b, cfg, site, world, clock.seed, clock.episode, clock.step)
        spread_smoke(b, cfg, site, world)
        t3 = _cycles()
        run_clocks(b, cfg, world, clock.step, setup.game[0].horizon_steps - clock.step - 1)
        close_orders(b, setup, state)
        t4 = _cycles()
        perceive(b, setup, state)
        read_sensors(b, setup, state)
        t5 = _cycles()
        advance_keys(b, setup, state)
        t6 = _cycles()
        send_messages(b, setup, state)
        fuse_messages(b, setup, state)
        t7 = _cycles()
        send_views(b, setup, state)
        clock.step += 1
        t8 = _cycles()
        for r in range(site.team.shape[0]):  # the first thing observe would do for each robot
            if world.robots[b, r].alive == 1:
                look_around(b, r, setup, state)
        t9 = _cycles()
        observe(b, setup, state, out)
        t10 = _cycles()
        score(b, setup, state, out)
        inform(b, setup, state, out)
        t11 = _cycles()
        spent[b, 0], spent[b, 1], spent[b, 2], spent[b, 3] = t1 - t0, t2 - t1, t3 - t2, t4 - t3
        spent[b, 4], spent[b, 5], spent[b, 6], spent[b, 7] = t5 - t4, t6 - t5, t7 - t6, t8 - t7
        spent[b, 8], spent[b, 9], spent[b, 10] = t9 - t8, t10 - t9, t11 - t10


class PhaseClock:
    """Steps episodes and keeps what each phase took.

    Attributes:
        cycles: (phases,) cycles so far, in the order of ``PHASES``, without the moments the core was taken away.
    """

    def __init__(self, episodes: Episodes) -> None:
        """For episodes without perfect information."""
        if episodes.game.perfect_information:
            raise ValueError("perfect_information=True is not allowed: the phases are those of the delivered view")
        self._episodes = episodes
        self._spent = np.zeros((episodes.n, len(PHASES)), np.int64)
        self.cycles = np.zeros(len(PHASES))

    def step(self, actions: np.ndarray) -> None:
        """Advance every row, as ``Episodes.step`` does."""
        frames = self._episodes._frames
        _step_rows(0, self._episodes.n, np.ascontiguousarray(actions, np.int32), *frames, self._spent)

    def count(self) -> None:
        """Add the last step's cycles."""
        usual = np.median(self._spent, axis=0)
        self.cycles += np.where(self._spent > usual + _PREEMPTED, usual, self._spent).sum(axis=0)

    def shares(self) -> dict[str, float]:
        """Share of each phase in the step."""
        total = max(float(self.cycles.sum()), 1.0)
        return {name: float(spent) / total for name, spent in zip(PHASES, self.cycles, strict=True)}
