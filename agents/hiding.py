"""Hiding parts of the observation from a policy, for ablations."""

from collections.abc import Sequence

import numpy as np

from agents.policy import Policy
from qdt_env.records import require
from qdt_env.spaces import ObservationLayout

# What an ablation hides together. The twin and the planners go on using it; only the robots' policy does not see it.
FEATURE_GROUPS = {
    "trust": ("tasks.trust", "channel.link_trust", "channel.source_trust", "advice.patient_trust"),
    "ages": ("tasks.age", "channel.view_age", "advice.patient_age", "advice.age"),
}


def features_of(names: Sequence[str], advised: bool) -> tuple[str, ...]:
    """Names with groups written out; of a group, what concerns advice only for those that are ``advised``."""
    found: list[str] = []
    for name in names:
        group = FEATURE_GROUPS.get(name, (name,))
        found += [one for one in group if advised or name not in FEATURE_GROUPS or not one.startswith("advice.")]
    return tuple(found)


def hidden_columns(layout: ObservationLayout, names: Sequence[str], parameter: str = "hide") -> np.ndarray:
    """Places (n,) int64 in the flat observation of groups, blocks, or single features "block.feature".

    Args:
        layout: of the observations.
        names: groups, blocks and features.
        parameter: what an error calls them.

    Raises:
        ValueError: no such block or feature; the message lists the names.
    """
    columns: list[int] = []
    for name in features_of(names, "advice" in layout.blocks):
        block_name, _, feature = name.partition(".")
        allowed = f"{' or '.join(FEATURE_GROUPS)}, a block of {', '.join(layout.blocks)}, or block.feature"
        require(block_name in layout.blocks, parameter, name, allowed)
        block = layout.blocks[block_name]
        known = f"{block_name}. with one of {', '.join(block.features)}"
        require(feature in ("", *block.features), parameter, name, known)
        if feature:
            columns += range(block.start + block.features.index(feature), block.stop, len(block.features))
        else:
            columns += range(block.start, block.stop)
    return np.array(columns, np.int64)


class HidingPolicy:
    """A policy that does not see some features: they are 0, as if nothing were known of them.

    A network that was trained with them meets something it never saw; what it loses is not what it would lose had it
    learned without.
    """

    def __init__(self, base: Policy, layout: ObservationLayout, names: Sequence[str]) -> None:
        """Hide ``names``, as of :func:`hidden_columns`, of observations of ``layout`` from ``base``.

        Raises:
            ValueError: no such block or feature.
        """
        self.base, self._columns = base, hidden_columns(layout, names)
        self.name, self.perfect_information = base.name, base.perfect_information
        self.advised = reads_advice(base)

    def act(self, observation: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See :class:`agents.policy.Policy`."""
        observation = observation.copy()
        observation[..., self._columns] = 0.0
        return self.base.act(observation, mask, rng)


def reads_advice(policy: Policy) -> bool:
    """Whether the policy decides with the advice block in its observation, as networks do that were trained so."""
    return bool(getattr(policy, "advised", False))
