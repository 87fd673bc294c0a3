"""A conformance suite for hospital rescue environments, yours included; stricter than PettingZoo's.

::

    from functools import partial
    from qdt_env import hospital_rescue_v0
    from qdt_env.testing import check_parallel_env

    check_parallel_env(partial(hospital_rescue_v0.parallel_env, scenario="ward", suite="qkd"))

PettingZoo's own tests let out-of-space and NaN observations pass, and nondeterminism after the first step. The checks
here look at every element of whole episodes, and each can be called alone, as ``check(make_env, steps=400, seed=0)``.
``make_env`` is called without arguments, and by some checks with keyword arguments of the environment
(``keep_dead=True``, ``render_mode="ansi"``), so let it pass them on. A failure raises :class:`ConformanceError`, an
AssertionError whose message says what is wrong and where. A check returns how many cases it saw: 0 lost agents means
that the handling of lost agents was not tested, so choose scenario and ``steps`` accordingly.
"""

from collections.abc import Collection

from qdt_env.testing.contents import (
    check_infos,
    check_masks,
    check_observations,
    check_rewards_and_ends,
    check_spaces,
    check_state,
    expect_in_space,
)
from qdt_env.testing.handling import check_copies, check_lost_agents, check_odd_actions
from qdt_env.testing.lifecycle import check_metadata, check_render, check_resets
from qdt_env.testing.play import ConformanceError, MakeEnv, RandomPlayer
from qdt_env.testing.repeats import check_copying, check_determinism, check_fresh_process, check_global_random

__all__ = [
    "CHECKS",
    "ConformanceError",
    "MakeEnv",
    "RandomPlayer",
    "check_copies",
    "check_copying",
    "check_determinism",
    "check_fresh_process",
    "check_global_random",
    "check_infos",
    "check_lost_agents",
    "check_masks",
    "check_metadata",
    "check_observations",
    "check_odd_actions",
    "check_parallel_env",
    "check_render",
    "check_resets",
    "check_rewards_and_ends",
    "check_spaces",
    "check_state",
    "expect_in_space",
]

# By name, in the order in which they run: what a later check takes for granted, an earlier one has tested.
CHECKS = {
    "metadata": check_metadata,
    "spaces": check_spaces,
    "observations": check_observations,
    "masks": check_masks,
    "rewards_and_ends": check_rewards_and_ends,
    "infos": check_infos,
    "state": check_state,
    "determinism": check_determinism,
    "global_random": check_global_random,
    "copies": check_copies,
    "odd_actions": check_odd_actions,
    "lost_agents": check_lost_agents,
    "resets": check_resets,
    "copying": check_copying,
    "render": check_render,
    "fresh_process": check_fresh_process,
}


def check_parallel_env(
    make_env: MakeEnv, *, steps: int = 400, seed: int = 0, skip: Collection[str] = ()
) -> dict[str, int]:
    """Run all checks on a parallel environment.

    Args:
        make_env: makes the environment; see this module's docstring.
        steps: length of each run in steps; runs go on with the next episode at an end. More than one mission's length
            is wise, so that ends are seen.
        seed: of the episodes and of the actions played in them.
        skip: names of ``CHECKS`` to leave out, such as "masks" for ``action_mask="none"``.

    Returns:
        How many cases each check saw, by name.

    Raises:
        ConformanceError: with everything that is wrong, check by check.
        ValueError: ``skip`` names no check.
    """
    unknown = sorted(set(skip) - set(CHECKS))
    if unknown:
        raise ValueError(f"skip={unknown} is not allowed: of {', '.join(CHECKS)}")
    cases: dict[str, int] = {}
    failures: list[str] = []
    for name, check in CHECKS.items():
        if name in skip:
            continue
        try:
            cases[name] = check(make_env, steps=steps, seed=seed)
        except ConformanceError as error:
            failures.append(f"{name}: {error}")
        except Exception as error:
            error.add_note(f"while running the check {name!r}")
            raise
    if failures:
        raise ConformanceError("\n".join(failures))
    return cases
