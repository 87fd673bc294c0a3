"""What two routes cost each other: rubble cleared once, and narrow passages wanted at the same time."""

from dataclasses import dataclass

import numpy as np

from qdt_env.physical.state import AERIAL, TRACKED


@dataclass(frozen=True, eq=False)
class Route:
    """One way of one robot, with its expected timetable; H passages.

    Attributes:
        kind: of the robot, index of ``ROBOT_KINDS``.
        zones: H + 1 zone indices, start and destination included.
        passages: H passage indices.
        enter_min: (H,) float64 minutes from now when the crossing begins, waiting for the clearing included; >= 0.
        leave_min: (H,) float64 when it ends, >= enter_min.
        minutes: expected duration [min], >= 0.
        cost: expected survivors lost, >= 0.
    """

    kind: int
    zones: tuple[int, ...]
    passages: tuple[int, ...]
    enter_min: np.ndarray
    leave_min: np.ndarray
    minutes: float
    cost: float


def route_coupling(
    one: Route,
    other: Route,
    *,
    prices: tuple[float, float],
    clearing_min: np.ndarray,
    narrow: np.ndarray,
    margin_min: float,
) -> float:
    """Expected survivors lost because both routes are taken; below 0 where they help each other.

    Args:
        one, other: of two robots.
        prices: survivors that a minute of each robot costs.
        clearing_min: (E,) float64 expected clearing of each passage.
        narrow: (E,) bool, one robot at a time.
        margin_min: widens each crossing on both sides.
    """
    if AERIAL in (one.kind, other.kind):
        return 0.0
    place = {passage: j for j, passage in enumerate(other.passages)}
    saved, overlap_min = 0.0, 0.0
    for i, passage in enumerate(one.passages):
        j = place.get(passage)
        if j is None:
            continue
        if one.kind == TRACKED and other.kind == TRACKED:
            apart_min = float(one.enter_min[i] - other.enter_min[j])
            saved += clearing_saved(float(clearing_min[passage]), apart_min, prices)
        if narrow[passage]:
            begin = max(one.enter_min[i], other.enter_min[j]) - margin_min
            end = min(one.leave_min[i], other.leave_min[j]) + margin_min
            overlap_min = max(overlap_min, float(end - begin))
    return min(prices) * overlap_min - saved


def clearing_saved(clearing_min: float, apart_min: float, prices: tuple[float, float]) -> float:
    """Survivors saved because two robots need not both clear a passage.

    The second helps with what is left when it comes, at twice the pace; the first saves half of that rest, the second
    all but that half.

    Args:
        clearing_min: robot-minutes of clearing, >= 0.
        apart_min: how much later the first of ``prices`` comes than the second; negative for earlier.
        prices: survivors that a minute of each robot costs.
    """
    rest_min = max(0.0, clearing_min - abs(apart_min))
    later, earlier = prices if apart_min > 0.0 else prices[::-1]
    return later * (clearing_min - 0.5 * rest_min) + earlier * 0.5 * rest_min
