"""When a robot must go for a fresh battery: the one rule that hand-written and learned policies share."""

import numpy as np

from qdt_env.spaces import ActionCodec, ObservationLayout

_LOW_ENERGY = 0.12  # below this share of the battery a robot recharges
_ENERGY_PER_TRAVEL = 0.5  # and below this share of the squashed way to the entrance


def must_recharge(
    layout: ObservationLayout, codec: ActionCodec, observation: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Robots that may recharge, carry nobody and whose battery is low for the way to the nearest entrance.

    Args:
        layout, codec: of the observations and actions; task control.
        observation: (..., F).
        mask: (..., A).

    Returns:
        (...) bool.
    """
    recharge = codec.service("recharge")
    away = layout.feature(observation, "services", "travel")[..., recharge - codec.first_service]
    energy, carrying = (layout.feature(observation, "self", name)[..., 0] for name in ("energy", "carrying"))
    low = energy < np.maximum(_LOW_ENERGY, _ENERGY_PER_TRAVEL * away)
    return np.asarray(low & ~(carrying > 0.5) & (mask[..., recharge] == 1))
