"""A seeded generator of hospitals whose statistics are like the real clinic's (``qdt building stats`` compares them).

Not generated: roofs, yards, rooms that are not rectangles.
"""

import math
from typing import Any

import numpy as np

from qdt_env.hospital.config import PRESETS, GeneratorConfig
from qdt_env.hospital.draft import LIFT_M, OUTDOOR_M, STAIR_M, Draft
from qdt_env.hospital.graph import HospitalGraph
from qdt_env.hospital.layout import ENTRY_AREA_M2, Box, Frame, Point, make_frame
from qdt_env.hospital.storey import Storey, build_storey, room_counts
from qdt_env.hospital.vocabulary import BuildingError

__all__ = ["PRESETS", "GeneratorConfig", "generate_building"]

_STAIR_WALK = 2.08  # walking distance by rise; clinic: 9.51 m for 4.57 m
_SETBACK_M = 2.3  # an entry zone's centroid outside the wall: half the side of a 20 m2 square
# Rooms that goods and waste come and go through.
_SERVICE_KINDS = frozenset({"storage", "hazmat", "mechanical", "plant", "electrical", "soiled"})


def generate_building(preset: str | GeneratorConfig, seed: int = 0) -> HospitalGraph:
    """Make a hospital.

    Args:
        preset: a name in ``PRESETS`` ("ward", "clinic", "hospital") or a config.
        seed: 0 .. 2^128-1; the same preset and seed give the same building, bit for bit.

    Returns:
        A building of exactly ``config.zones`` zones.

    Raises:
        BuildingError: Unknown preset, seed out of range, or a config whose parts do not fit.
    """
    config = _config(preset)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**128:
        raise BuildingError(f"seed: got {seed!r}, allowed is a whole number from 0 to 2^128-1")
    draft = Draft(config.name, np.random.Generator(np.random.Philox(key=int(seed))))
    frame = make_frame(config)
    storeys = [
        build_storey(draft, config, frame, level, n_rooms) for level, n_rooms in enumerate(room_counts(config, frame))
    ]
    _join_storeys(draft, config, storeys)
    _add_entrances(draft, config, frame, storeys[0])
    _add_loops(draft, config, storeys)
    return HospitalGraph.from_networkx(draft.graph)


def _config(preset: Any) -> GeneratorConfig:
    """The config that is meant."""
    if isinstance(preset, GeneratorConfig):
        return preset
    if not isinstance(preset, str) or preset not in PRESETS:
        raise BuildingError(f"preset: got {preset!r}, allowed are {', '.join(PRESETS)} or a GeneratorConfig")
    return PRESETS[preset]


def _join_storeys(draft: Draft, config: GeneratorConfig, storeys: list[Storey]) -> None:
    """Stairs and lifts from each storey to the next."""
    for below, above in zip(storeys, storeys[1:], strict=False):
        for name in below.fixtures:
            is_stair = name.startswith("stair")
            draft.join(
                below.fixtures[name],
                above.fixtures[name],
                "stair" if is_stair else "elevator",
                width_m=STAIR_M if is_stair else LIFT_M,
                length_m=config.storey_height_m * (_STAIR_WALK if is_stair else 1.0),
            )


def _corridor_portals(config: GeneratorConfig, frame: Frame, ground: Storey) -> list[tuple[str, Point, Point]]:
    """Corridor ends where an entrance can be: the zone, a point of its outer wall, the direction out of it."""
    if not frame.spine:
        plan = frame.wings[0]
        ends = ground.segments[0][0][0], ground.segments[0][-1][0]
        return [(ends[0], plan.point(0.0, 0.0), (-1.0, 0.0)), (ends[1], plan.point(plan.length_m, 0.0), (1.0, 0.0))]
    portals = [
        (ground.spine[0], (frame.spine[0][0], 0.0), (-1.0, 0.0)),
        (ground.spine[-1], (frame.spine[-1][2], 0.0), (1.0, 0.0)),
    ]
    # Where a link corridor runs along a wing's end, the wall to the outside is the link's.
    outermost: dict[int, str] = {}
    for (first, second), pieces in ground.links.items():
        outermost.setdefault(first, pieces[0])
        outermost[second] = pieces[-1]
    for number, plan in enumerate(frame.wings):
        host = outermost.get(number, ground.segments[number][-1][0])
        reach = plan.length_m + (config.corridor_m if number in outermost else 0.0)
        portals.append((host, plan.point(reach, 0.0), (0.0, 1.0 if plan.direction == "north" else -1.0)))
    return portals


def _dock_portals(
    draft: Draft, config: GeneratorConfig, frame: Frame, ground: Storey
) -> list[tuple[str, Point, Point]]:
    """Rooms on the building's outer sides that could have a door to the outside, service rooms first."""
    columns = [wing // 2 for wing in range(config.wings)]
    strips = [(wing, 1) for wing in range(config.wings) if columns[wing] == columns[-1]]
    strips += [(wing, 0) for wing in range(config.wings) if columns[wing] == 0]
    wall = config.corridor_m / 2 + config.room_depth_m
    portals: list[tuple[bool, str, Point, Point]] = []
    for wing, side in strips:
        plan, sign = frame.wings[wing], 1 if side else -1
        for zone in ground.strips[(wing, side)]:
            if f"{zone}A" in draft.graph:
                continue  # its outer wall is the annex's
            x, y = draft.place(zone)
            u = abs(x - plan.origin[0]) if plan.direction == "east" else abs(y - plan.origin[1])
            out = (0.0, float(sign)) if plan.direction == "east" else (float(sign), 0.0)
            is_service = draft.graph.nodes[zone]["function"] in _SERVICE_KINDS
            portals.append((not is_service, zone, plan.point(u, sign * wall), out))
    return [portal[1:] for portal in sorted(portals, key=lambda portal: portal[0])]


def _add_entrances(draft: Draft, config: GeneratorConfig, frame: Frame, ground: Storey) -> None:
    """Half of the entrances at corridor ends, half at a dock of service rooms, all joined by a path outdoors.

    The clinic has five of thirteen at corridors, most others at its loading dock.
    """
    mains = _corridor_portals(config, frame, ground)
    docks = _dock_portals(draft, config, frame, ground)
    if config.entrances > len(mains) + len(docks):
        raise BuildingError(f"entrances: got {config.entrances}, the ground floor has {len(mains) + len(docks)} places")
    n_main = min(len(mains), max(math.ceil(config.entrances / 2), config.entrances - len(docks), 2))
    chosen = [*mains[:n_main], *docks][: config.entrances]
    for number, (host, at, out) in enumerate(chosen):
        place = (at[0] + _SETBACK_M * out[0], at[1] + _SETBACK_M * out[1])
        zone = draft.add_entry(f"OUT:{number + 1}", place, ENTRY_AREA_M2, 0.0)
        draft.join_door(zone, host, at)
    _join_outdoors(draft, len(chosen))


def _join_outdoors(draft: Draft, n_entries: int) -> None:
    """A path round the building from each entrance to the next, closed from three entrances up."""
    zones = [f"OUT:{number + 1}" for number in range(n_entries)]
    boxes = np.array([box for _, box in draft.graph.nodes(data="bbox") if box])
    outline: Box = tuple(
        map(float, (*(boxes[:, :2].min(axis=0) - _SETBACK_M), *(boxes[:, 2:].max(axis=0) + _SETBACK_M)))
    )  # type: ignore[assignment]
    girth = 2 * (outline[2] - outline[0] + outline[3] - outline[1])
    along = {zone: _along_outline(draft.place(zone), outline) for zone in zones}
    around = sorted(zones, key=lambda zone: along[zone])
    for first, second in list(zip(around, [*around[1:], around[0]], strict=True))[: n_entries if n_entries > 2 else 1]:
        if n_entries == 1:
            return
        way = (along[second] - along[first]) % girth
        if n_entries == 2:
            way = min(way, girth - way)
        length = max(float(way), math.dist(draft.place(first), draft.place(second)))
        draft.join(first, second, "outdoor", width_m=OUTDOOR_M, length_m=length)


def _along_outline(at: Point, outline: Box) -> float:
    """Where the outline comes nearest to a point, in m along it, anticlockwise from its lower left corner."""
    x, y = at
    xmin, ymin, xmax, ymax = outline
    width, height = xmax - xmin, ymax - ymin
    sides = [
        (abs(y - ymin), x - xmin),
        (abs(x - xmax), width + y - ymin),
        (abs(y - ymax), width + height + xmax - x),
        (abs(x - xmin), 2 * width + height + ymax - y),
    ]
    return float(min(sides)[1])


def _add_loops(draft: Draft, config: GeneratorConfig, storeys: list[Storey]) -> None:
    """Second doors until the building has its share of independent cycles, or no place for one is left."""
    wanted = round(config.loop_share * config.zones) - draft.n_cycles
    spare = [door for storey in storeys for door in storey.spare_doors]
    for row in draft.rng.permutation(len(spare))[: max(wanted, 0)].tolist():
        draft.join_door(*spare[row])
