"""How likely the believed map is wrong, and how likely a zone falls: what makes a route risky."""

import math
from typing import TYPE_CHECKING

import numpy as np

from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.state import BLOCKED
from qdt_env.physical.structure import aftershock_rate_per_day
from qdt_env.units import minutes

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot

_MINUTES_PER_DAY = 1440.0
_NEWS_HOLDS_MIN = (
    60.0  # after this time two thirds of what was seen of a passage is worth no more than the prior (assumed)
)


def blocked_probability(snapshot: "TwinSnapshot", config: PhysicalConfig) -> np.ndarray:
    """Probability that each passage is found blocked.

    1 where it is believed blocked. Elsewhere the share of passages that are blocked at the believed damage of the worse
    of the two zones (3-physical's table), times 1 - exp(-age / 60 min): news of now is believed, old news is worth no
    more than the table. A passage that nobody has seen was last known open before the main shock.

    Args:
        snapshot: what the twin believes now.
        config: the table, and when the episode starts.

    Returns:
        (E,) float64 in [0, 1].
    """
    damage = snapshot.zone_damage[snapshot.building.passage_zones].max(axis=1)
    prior = np.asarray(config.blocked_share, dtype=np.float64)[damage]
    age_min = snapshot.passage_age_steps * minutes(snapshot.dt_s)
    age_min = age_min + np.where(snapshot.passage_age_steps >= snapshot.step, config.start_min, 0.0)
    doubt = 1.0 - np.exp(-age_min / _NEWS_HOLDS_MIN)
    return np.where(snapshot.passage_condition == BLOCKED, 1.0, prior * doubt)


def collapse_rate_per_min(snapshot: "TwinSnapshot", config: PhysicalConfig) -> np.ndarray:
    """Expected collapses of each zone per minute, now.

    Rate of aftershocks (Reasenberg-Jones) times the probability that one shakes the zone beyond its Complete median,
    weakened by the believed damage, times the share of such zones that collapse. The demand is log-normal: the
    aftershock's spread and the field's add up.

    Args:
        snapshot: what the twin believes now.
        config: of the structure.

    Returns:
        (Z,) float64 >= 0; 0 outdoors.
    """
    t_day = (config.start_min + snapshot.step * minutes(snapshot.dt_s)) / _MINUTES_PER_DAY
    per_day = aftershock_rate_per_day(
        t_day, config.magnitude_gap, config.rj_a, config.rj_b, config.rj_p, config.rj_c_day
    )
    median_g = config.pga_median_g[-1] * np.asarray(config.weakened)[snapshot.zone_damage]
    sigma = math.hypot(config.aftershock_sigma, config.demand_sigma)
    excess = np.log(median_g / config.aftershock_pga_g) / (sigma * math.sqrt(2.0))
    beyond = np.array([0.5 * math.erfc(float(x)) for x in excess])
    return np.where(snapshot.building.indoor, per_day / _MINUTES_PER_DAY * beyond * config.collapse_probability, 0.0)
