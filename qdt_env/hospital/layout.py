"""Where corridors, room strips, stairs and lifts of a generated hospital lie; the same plan on every storey.

A spine corridor runs along x with wings to the north and south of it; each wing is a corridor with a strip of rooms on
either side. In the gaps between wings, rooms open to the spine, and link corridors join the wings' far ends. A building
of one wing has no spine.
"""

import math
from dataclasses import dataclass

from qdt_env.hospital.config import GeneratorConfig
from qdt_env.hospital.vocabulary import BuildingError

Box = tuple[float, float, float, float]  # xmin, ymin, xmax, ymax in m
Point = tuple[float, float]  # x, y in m

STAIR_AREA_M2 = 15.0  # clinic: 14.9
LIFT_SIDE_M = 2.2  # clinic: 4.4 m2
ENTRY_AREA_M2 = 20.0  # clinic: every entry zone
_MAX_LINK_M = 24.0  # longer links are cut (assumed)
_MIN_WING_M = 6.0


@dataclass(frozen=True)
class Wing:
    """One wing; local coordinates: u along its corridor from the spine, v across it (side 0: v < 0, side 1: v > 0)."""

    letter: str
    origin: Point
    direction: str  # "east", "north" or "south"
    length_m: float

    def point(self, u: float, v: float) -> Point:
        """Plan position of local (u, v), in m."""
        x, y = self.origin
        if self.direction == "east":
            return x + u, y + v
        return (x + v, y + u) if self.direction == "north" else (x + v, y - u)

    def box(self, u0: float, u1: float, v0: float, v1: float) -> Box:
        """Plan rectangle of a local one."""
        (ax, ay), (bx, by) = self.point(u0, v0), self.point(u1, v1)
        return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


@dataclass(frozen=True)
class Fixture:
    """A stair or lift: a stretch of a room strip that is the same on every storey."""

    kind: str  # "stair" or "elevator"
    number: int
    wing: int
    side: int
    start_m: float
    end_m: float


@dataclass(frozen=True)
class Frame:
    """The plan shared by all storeys."""

    wings: tuple[Wing, ...]
    spine: tuple[Box, ...]  # segments from west to east; even ones at wing columns, odd ones at gaps
    gap_rooms: tuple[tuple[int, Box], ...]  # (spine segment, rectangle)
    links: tuple[tuple[int, int, tuple[Box, ...]], ...]  # (wing, wing, pieces from the first to the second)
    fixtures: tuple[Fixture, ...]

    @property
    def n_corridors(self) -> int:
        """Corridor zones on a storey, wings' own segments not counted."""
        return len(self.spine) + sum(len(pieces) for _, _, pieces in self.links)

    def free_stretch(self, wing: int, side: int) -> tuple[float, float]:
        """Part of a room strip (from, to in m) that stairs and lifts leave free."""
        low, high = 0.0, self.wings[wing].length_m
        for fixture in self.fixtures:
            if (fixture.wing, fixture.side) == (wing, side):
                if fixture.start_m < high / 2:
                    low = max(low, fixture.end_m)
                else:
                    high = min(high, fixture.start_m)
        return low, high


def make_frame(config: GeneratorConfig) -> Frame:
    """The plan that gives the building its area.

    Raises:
        BuildingError: The area asked for leaves no room for wings.
    """
    length = _wing_length(config)
    need = max(_MIN_WING_M, config.elevators * LIFT_SIDE_M + 2 * _stair_width(config) + 2.0)
    if length < need:
        raise BuildingError(
            f"wings: {config.wings} wings on {config.storeys} storeys would be {length:.1f} m long, at least "
            f"{need:.1f} m needed; ask for fewer wings or storeys, more zones or a larger mean_zone_m2"
        )
    wings = _place_wings(config, length)
    fixtures = _place_fixtures(config, length)
    if config.wings == 1:
        return Frame(wings, (), (), (), fixtures)
    spine, gap_rooms = _place_spine(config)
    return Frame(wings, spine, gap_rooms, _place_links(config, wings), fixtures)


def _stair_width(config: GeneratorConfig) -> float:
    """Strip length a stair takes, in m."""
    return STAIR_AREA_M2 / config.room_depth_m


def _column_width(config: GeneratorConfig) -> float:
    """Width of a wing across its corridor and both strips, in m."""
    return 2.0 * config.room_depth_m + config.corridor_m


def _gaps(config: GeneratorConfig) -> tuple[int, int]:
    """Gaps between neighbouring wings on the north and on the south side of the spine."""
    return math.ceil(config.wings / 2) - 1, max(config.wings // 2 - 1, 0)


def _wing_length(config: GeneratorConfig) -> float:
    """Length in m that makes the indoor area mean_zone_m2 x zones less the entries."""
    indoor = config.zones * config.mean_zone_m2 - config.entrances * ENTRY_AREA_M2
    storey = indoor / config.storeys
    column = _column_width(config)
    if config.wings > 1:
        north, south = _gaps(config)
        storey -= ((north + 1) * column + north * config.court_m) * config.spine_m
        storey -= 2 * north * config.court_m * config.room_depth_m
        storey -= (north + south) * (column + config.court_m) * config.corridor_m
    return storey / (config.wings * column)


def _place_wings(config: GeneratorConfig, length: float) -> tuple[Wing, ...]:
    """Wings by letter: A, C, E ... north and B, D, F ... south of the spine, from west to east."""
    if config.wings == 1:
        return (Wing("A", (0.0, 0.0), "east", length),)
    column = _column_width(config)
    pitch, wings = column + config.court_m, []
    for number in range(config.wings):
        north = number % 2 == 0
        origin = (number // 2 * pitch + column / 2, config.spine_m / 2 if north else -config.spine_m / 2)
        wings.append(Wing(chr(ord("A") + number), origin, "north" if north else "south", length))
    return tuple(wings)


def _place_spine(config: GeneratorConfig) -> tuple[tuple[Box, ...], tuple[tuple[int, Box], ...]]:
    """Spine segments, and the rooms in the gaps to the north and south of them."""
    half, depth, x = config.spine_m / 2, config.room_depth_m, 0.0
    spine: list[Box] = []
    rooms: list[tuple[int, Box]] = []
    n_gaps = _gaps(config)[0]
    for segment in range(2 * n_gaps + 1):
        end = x + (config.court_m if segment % 2 else _column_width(config))
        spine.append((x, -half, end, half))
        if segment % 2:
            rooms += [(segment, (x, half, end, half + depth)), (segment, (x, -half - depth, end, -half))]
        x = end
    return tuple(spine), tuple(rooms)


def _place_links(config: GeneratorConfig, wings: tuple[Wing, ...]) -> tuple[tuple[int, int, tuple[Box, ...]], ...]:
    """Corridors along the far ends of neighbouring wings, cut into pieces no longer than a corridor segment."""
    links = []
    for first in range(len(wings) - 2):
        near, far = wings[first], wings[first + 2]
        reach = far.origin[0] - near.origin[0]
        # The first link of a side reaches over its western wing's corridor, later ones meet the link before them.
        n_pieces = math.ceil(reach / _MAX_LINK_M)
        half = config.corridor_m / 2
        cuts = [-half + (reach + 2 * half if first < 2 else reach) * i / n_pieces for i in range(n_pieces + 1)]
        if first >= 2:
            cuts = [cut + 2 * half for cut in cuts]
        pieces = tuple(
            near.box(near.length_m, near.length_m + config.corridor_m, low, high)
            for low, high in zip(cuts, cuts[1:], strict=False)
        )
        links.append((first, first + 2, pieces))
    return tuple(links)


def _place_fixtures(config: GeneratorConfig, length: float) -> tuple[Fixture, ...]:
    """Stairs at the far ends of wings, the second of a single wing at its near end; lifts at the first wing's mouth."""
    fixtures = [
        Fixture("elevator", number, 0, 0, number * LIFT_SIDE_M, (number + 1) * LIFT_SIDE_M)
        for number in range(config.elevators)
    ]
    width = _stair_width(config)
    # From both ends of the building inwards, so that no room is far from every stair.
    outer_first = sorted(range(config.wings), key=lambda wing: (min(wing, config.wings - 1 - wing), wing))
    for number in range(config.stairs):
        wing, side = outer_first[number % config.wings], 1 - (number // config.wings) % 2
        start = length - width
        if config.wings == 1 and number == 1:
            start, side = 0.0, 1
        fixtures.append(Fixture("stair", number, wing, side, start, start + width))
    return tuple(fixtures)
