"""One storey of a generated hospital: corridors first, then the rooms along them."""

from dataclasses import dataclass, field

from qdt_env.hospital.config import GeneratorConfig
from qdt_env.hospital.draft import SINGLE_DOOR_M, Draft
from qdt_env.hospital.layout import LIFT_SIDE_M, Fixture, Frame, Point, Wing
from qdt_env.hospital.programme import Slot, draw_slots, split_evenly
from qdt_env.hospital.vocabulary import BuildingError

_CIRCULATION = "Circulation"
_OPEN_KINDS = frozenset({"waiting", "reception", "emergency", "intensive_care", "clinical"})
_MIN_ROOM_M = 1.3  # narrowest room (assumed)
_OPEN_SHARE = 0.3  # of these kinds stand open to the corridor (clinic: 54 openings to 240 doors)


@dataclass
class Storey:
    """Ids of a storey's zones, by where they lie."""

    level: int
    height_m: float
    spine: list[str] = field(default_factory=list)
    segments: list[list[tuple[str, float, float]]] = field(default_factory=list)  # per wing: id, from and to in m
    links: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    strips: dict[tuple[int, int], list[str]] = field(default_factory=dict)  # rooms from the wing's mouth outwards
    fixtures: dict[str, str] = field(default_factory=dict)  # "stair0" -> id
    spare_doors: list[tuple[str, str, Point]] = field(default_factory=list)  # where a second door could be


def n_segments(config: GeneratorConfig, frame: Frame) -> list[int]:
    """Corridor segments of each wing, at least one."""
    wanted = round(config.corridor_share * config.zones / config.storeys) - frame.n_corridors
    return split_evenly(max(wanted, config.wings), [1.0] * config.wings)


def room_counts(config: GeneratorConfig, frame: Frame) -> list[int]:
    """Rooms on the strips of each storey.

    Raises:
        BuildingError: Corridors, stairs and entrances leave too few zones for rooms.
    """
    per_storey = frame.n_corridors + sum(n_segments(config, frame)) + len(frame.gap_rooms) + len(frame.fixtures)
    rooms = config.zones - config.entrances - config.storeys * per_storey
    # A room for every strip, and as many again so that annexes never leave a strip empty.
    least = config.storeys * config.wings * 4
    if rooms < least:
        raise BuildingError(
            f"zones: got {config.zones}, {config.storeys} storeys of {config.wings} wings with {config.entrances} "
            f"entrances need at least {config.zones - rooms + least}"
        )
    return split_evenly(rooms, [1.0] * config.storeys)


def build_storey(draft: Draft, config: GeneratorConfig, frame: Frame, level: int, n_rooms: int) -> Storey:
    """Add the zones of a storey and the passages between them to the draft."""
    storey = Storey(level, level * config.storey_height_m)
    _add_spine(draft, config, frame, storey)
    for wing, count in enumerate(n_segments(config, frame)):
        _add_wing_corridor(draft, config, frame, storey, wing, count)
    _add_links(draft, config, frame, storey)
    _add_gap_rooms(draft, frame, storey)
    slots = draw_slots(config.departments_on(level), n_rooms, config.annex_share, draft.rng)
    stretches = [(wing, side) for wing in range(config.wings) for side in (0, 1)]
    widths = [high - low for low, high in (frame.free_stretch(*stretch) for stretch in stretches)]
    # One room each first: a strip must not stay empty.
    counts = [1 + extra for extra in split_evenly(len(slots) - len(stretches), widths)]
    for (wing, side), count in zip(stretches, counts, strict=True):
        _add_fixtures(draft, config, frame, storey, wing, side)
        _add_strip(draft, config, frame, storey, wing, side, slots[:count])
        slots = slots[count:]
    _note_corner_doors(draft, config, frame, storey)
    return storey


def _zone_id(storey: Storey, label: str) -> str:
    """Zone id: storey counted from 1 as in the clinic, then wing and number (odd and even by side) or what it is."""
    return f"{storey.level + 1}{label}"


def _add_spine(draft: Draft, config: GeneratorConfig, frame: Frame, storey: Storey) -> None:
    """Spine segments from west to east."""
    for number, box in enumerate(frame.spine):
        zone = _zone_id(storey, f"-spine{number + 1}")
        draft.add_zone(zone, "corridor", _CIRCULATION, storey.level, box, storey.height_m)
        if storey.spine:
            draft.join_corridors(storey.spine[-1], zone, (box[0], 0.0), config.spine_m)
        storey.spine.append(zone)


def _add_wing_corridor(
    draft: Draft, config: GeneratorConfig, frame: Frame, storey: Storey, wing: int, count: int
) -> None:
    """Corridor segments of a wing, of unequal length as in the clinic (where most serve three to seven rooms)."""
    plan, half = frame.wings[wing], config.corridor_m / 2
    shares = draft.rng.uniform(0.75, 1.35, count)
    cuts = [0.0, *(plan.length_m * shares.cumsum() / shares.sum()).tolist()]
    segments: list[tuple[str, float, float]] = []
    for number in range(count):
        zone = _zone_id(storey, f"{plan.letter}C{number + 1}")
        box = plan.box(cuts[number], cuts[number + 1], -half, half)
        draft.add_zone(zone, "corridor", _CIRCULATION, storey.level, box, storey.height_m)
        before = segments[-1][0] if segments else (storey.spine[wing // 2 * 2] if storey.spine else None)
        if before:
            draft.join_corridors(before, zone, plan.point(cuts[number], 0.0), config.corridor_m)
        segments.append((zone, cuts[number], cuts[number + 1]))
    storey.segments.append(segments)


def _add_links(draft: Draft, config: GeneratorConfig, frame: Frame, storey: Storey) -> None:
    """Link corridors between the far ends of neighbouring wings."""
    for first, second, boxes in frame.links:
        before, pieces = storey.segments[first][-1][0], []
        plan = frame.wings[first]
        for number, box in enumerate(boxes):
            zone = _zone_id(storey, f"{plan.letter}L{number + 1}")
            draft.add_zone(zone, "corridor", _CIRCULATION, storey.level, box, storey.height_m)
            at = (box[0], (box[1] + box[3]) / 2) if number else plan.point(plan.length_m, 0.0)
            draft.join_corridors(before, zone, at, config.corridor_m)
            pieces.append(zone)
            before = zone
        end = frame.wings[second]
        draft.join_corridors(before, storey.segments[second][-1][0], end.point(end.length_m, 0.0), config.corridor_m)
        storey.links[(first, second)] = pieces


def _add_gap_rooms(draft: Draft, frame: Frame, storey: Storey) -> None:
    """Waiting areas and receptions between the wings, open to the spine."""
    for number, (segment, box) in enumerate(frame.gap_rooms):
        kind = "reception" if number % 4 == 2 else "waiting"
        zone = _zone_id(storey, f"-waiting{number + 1}")
        draft.add_zone(zone, kind, _CIRCULATION, storey.level, box, storey.height_m)
        wall_y = box[1] if box[1] > 0 else box[3]
        draft.join_opening(zone, storey.spine[segment], ((box[0] + box[2]) / 2, wall_y))
        draft_door = (box[0] + 0.2 * (box[2] - box[0]), wall_y)
        storey.spare_doors.append((zone, storey.spine[segment], draft_door))


def _add_fixtures(draft: Draft, config: GeneratorConfig, frame: Frame, storey: Storey, wing: int, side: int) -> None:
    """Stairs and lifts of a strip, each with its door to the corridor."""
    for fixture in frame.fixtures:
        if (fixture.wing, fixture.side) != (wing, side):
            continue
        depth = LIFT_SIDE_M if fixture.kind == "elevator" else config.room_depth_m
        zone = _zone_id(storey, f"-{fixture.kind}{fixture.number + 1}")
        box = _strip_box(config, frame.wings[wing], side, fixture.start_m, fixture.end_m, depth)
        draft.add_zone(zone, fixture.kind, _CIRCULATION, storey.level, box, storey.height_m)
        segment, at = _door(config, frame.wings[wing], storey, side, _middle(fixture))
        if fixture.kind == "elevator":
            draft.join(zone, segment, "elevator_door", at=at, width_m=SINGLE_DOOR_M)
        else:
            draft.join_door(zone, segment, at)
        storey.fixtures[f"{fixture.kind}{fixture.number}"] = zone


def _middle(fixture: Fixture) -> float:
    """Middle of a fixture along its wing, in m."""
    return (fixture.start_m + fixture.end_m) / 2


def _strip_box(
    config: GeneratorConfig, wing: Wing, side: int, start: float, end: float, depth: float, setback: float = 0.0
) -> tuple[float, float, float, float]:
    """Plan rectangle on a strip, ``setback`` m behind the corridor wall and ``depth`` m deep."""
    low, sign = config.corridor_m / 2 + setback, 1 if side else -1
    return wing.box(start, end, sign * low, sign * (low + depth))


def _door(config: GeneratorConfig, wing: Wing, storey: Storey, side: int, u: float) -> tuple[str, Point]:
    """The corridor segment at ``u`` along a wing, and the point of its wall there."""
    number = ord(wing.letter) - ord("A")
    segment = next((zone for zone, _, end in storey.segments[number] if u <= end), storey.segments[number][-1][0])
    return segment, wing.point(u, (1 if side else -1) * config.corridor_m / 2)


def _add_strip(
    draft: Draft, config: GeneratorConfig, frame: Frame, storey: Storey, wing: int, side: int, slots: list[Slot]
) -> None:
    """Rooms of one strip: their widths follow their areas and fill the strip."""
    plan, (u, high) = frame.wings[wing], frame.free_stretch(wing, side)
    widths = _room_widths([slot.area_m2 for slot in slots], high - u)
    strip = storey.strips.setdefault((wing, side), [])
    for number, (slot, width) in enumerate(zip(slots, widths, strict=True)):
        end = u + width
        zone = _zone_id(storey, f"{plan.letter}{2 * number + side + 1:02d}")
        front = config.room_depth_m * (1.0 - slot.annex_share)
        box = _strip_box(config, plan, side, u, end, front)
        draft.add_zone(zone, slot.kind, slot.department, storey.level, box, storey.height_m)
        _add_room_doors(draft, config, plan, storey, side, (zone, u, end), slot)
        if slot.annex:
            back = _strip_box(config, plan, side, u, end, config.room_depth_m - front, front)
            annex = draft.add_zone(f"{zone}A", slot.annex, slot.department, storey.level, back, storey.height_m)
            wall = (1 if side else -1) * (config.corridor_m / 2 + front)
            draft.join_door(zone, annex, plan.point((u + end) / 2, wall))
        if strip:
            wall = (1 if side else -1) * (config.corridor_m / 2 + 0.3 * config.room_depth_m)
            storey.spare_doors.append((strip[-1], zone, plan.point(u, wall)))
        strip.append(zone)
        u = end


def _room_widths(areas: list[float], stretch: float) -> list[float]:
    """Widths in m that fill a stretch in proportion to the areas, none narrower than a closet can be."""
    least = min(_MIN_ROOM_M, 0.5 * stretch / len(areas))
    spare = stretch - least * len(areas)
    wishes = [max(area / sum(areas) * stretch - least, 0.0) for area in areas]
    return [least + spare * wish / sum(wishes) for wish in wishes]


def _add_room_doors(
    draft: Draft,
    config: GeneratorConfig,
    wing: Wing,
    storey: Storey,
    side: int,
    room: tuple[str, float, float],
    slot: Slot,
) -> None:
    """A room's way to the corridor, and the place of a second door when it lies along two segments."""
    zone, start, end = room
    segment, at = _door(config, wing, storey, side, (start + end) / 2)
    if slot.kind in _OPEN_KINDS and draft.rng.random() < _OPEN_SHARE:
        draft.join_opening(zone, segment, at)
    else:
        draft.join_door(zone, segment, at)
    for u in (start + 0.15 * (end - start), end - 0.15 * (end - start)):
        other, beside = _door(config, wing, storey, side, u)
        if other != segment:
            storey.spare_doors.append((zone, other, beside))


def _note_corner_doors(draft: Draft, config: GeneratorConfig, frame: Frame, storey: Storey) -> None:
    """Rooms at a wing's mouth could also open to the spine, which runs along their side wall."""
    if not storey.spine:
        return
    for (wing, side), rooms in sorted(storey.strips.items()):
        if frame.free_stretch(wing, side)[0] == 0.0:
            v = (1 if side else -1) * (config.corridor_m / 2 + 0.3 * config.room_depth_m)
            storey.spare_doors.append((rooms[0], storey.spine[wing // 2 * 2], frame.wings[wing].point(0.0, v)))
