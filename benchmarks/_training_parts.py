"""Where an iteration of ``training.ppo`` goes: CPU seconds by part, the trainer's own calls wrapped with a clock.

A part that runs inside another counts for itself only. What no part claims is "rest".
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch

import training.ppo
from qdt_env.vector_env import RescueVectorEnv
from training.ppo import Learner

REST = "rest"
PARTS = {
    "environment": "steps, resets, metrics",
    "true state": "what the central critic sees, every step",
    "policy, acting": "forward, rounds of decisions",
    "critic": "forward, for the advantages and in every gradient step",
    "advantages": "generalised advantage estimation",
    "minibatches": "cut out of the batch",
    "policy, learning": "forward in every gradient step",
    "backward": "gradients of policy and critic",
    "Adam": "clipping and the optimiser's step",
    REST: "who decides, what is kept, losses, drawing of actions",
}


class PartClock:
    """CPU seconds of the process by part.

    Attributes:
        cpu_s: by the names of ``PARTS``.
    """

    def __init__(self) -> None:
        """Nothing spent yet."""
        self.cpu_s = dict.fromkeys(PARTS, 0.0)
        self._part, self._since = REST, time.process_time()

    def switch(self, part: str) -> str:
        """Time goes to ``part`` from now on; returns whose it was."""
        now = time.process_time()
        self.cpu_s[self._part] += now - self._since
        before, self._part, self._since = self._part, part, now
        return before

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, its time given to ``part``."""

        def run(*arguments: Any, **named: Any) -> Any:
            before = self.switch(part)
            try:
                return call(*arguments, **named)
            finally:
                self.switch(before)

        return run


@contextmanager
def parts_of(env: RescueVectorEnv, learner: Learner) -> Iterator[PartClock]:
    """A clock over everything that this learner and this environment do meanwhile."""
    clock = PartClock()
    places: list[tuple[Any, str, str]] = [
        *((env, name, "environment") for name in ("step", "reset", "metrics")),
        (env, "state", "true state"),
        (learner.policy, "forward", "policy, acting"),
        (learner.policy, "replay", "policy, learning"),
        (learner.critic, "forward", "critic"),
        (learner.optimiser, "step", "Adam"),
        (torch.nn.utils, "clip_grad_norm_", "Adam"),
        (torch.Tensor, "backward", "backward"),
        (training.ppo, "advantages", "advantages"),
        (training.ppo._Piece, "of", "minibatches"),
    ]
    with ExitStack() as stack:
        for owner, name, part in places:
            stack.enter_context(patch.object(owner, name, clock.timed(part, getattr(owner, name))))
        clock.switch(REST)
        clock.cpu_s = dict.fromkeys(PARTS, 0.0)
        yield clock
        clock.switch(REST)
