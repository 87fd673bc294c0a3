"""From a networkx graph to checked columns: every attribute is read once, and every complaint names its element."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from qdt_env.hospital.vocabulary import (
    NO_DEPARTMENT,
    PASSAGE_INDEX,
    PASSAGE_KINDS,
    ZONE_INDEX,
    ZONE_KINDS,
    BuildingError,
    shorten,
)

_INT16_MAX = int(np.iinfo(np.int16).max)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class ZoneColumns:
    """Zones in the graph's node order; shapes as in :class:`HospitalGraph`."""

    zone_id: tuple[str, ...]
    zone_name: tuple[str, ...]
    department: tuple[str, ...]
    zone_kind: Array
    storey: Array
    area_m2: Array
    position_m: Array
    bbox_m: Array
    columns: Array


@dataclass(frozen=True, eq=False)
class PassageColumns:
    """Passages in the graph's edge order, first zone before second; shapes as in :class:`HospitalGraph`."""

    passage_id: tuple[str, ...]
    passage_zones: Array
    passage_kind: Array
    length_m: Array
    width_m: Array


def check_graph(graph: Any) -> None:
    """Raise BuildingError unless ``graph`` is a non-empty undirected networkx graph."""
    if not isinstance(graph, nx.Graph):
        raise BuildingError(f"graph: expected a networkx Graph or MultiGraph, got {type(graph).__name__}")
    if graph.is_directed():
        raise BuildingError(f"graph: passages go both ways, expected an undirected graph, got {type(graph).__name__}")
    if graph.number_of_nodes() == 0:
        raise BuildingError("graph: the building has no zones")


def check_unique(names: list[str], what: str) -> None:
    """Raise BuildingError naming the ids that occur more than once."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise BuildingError(f"{what} ids must be unique, given more than once: {shorten(repeated)}")


def check_connected(graph: Any) -> None:
    """Raise BuildingError naming zones outside the largest connected part."""
    parts = sorted(nx.connected_components(graph), key=len, reverse=True)
    if len(parts) > 1:
        cut_off = sorted(str(zone) for part in parts[1:] for zone in part)
        raise BuildingError(
            f"the building is disconnected: {len(parts)} parts, no way from the largest to {shorten(cut_off)}"
        )


def _required(attributes: Mapping[str, Any], name: str, element: str) -> Any:
    """The attribute, or a BuildingError saying which element lacks it."""
    value = attributes.get(name)
    if value is None:
        raise BuildingError(f"{element}: attribute {name!r} is missing")
    return value


def _number(value: Any, name: str, element: str) -> float:
    """A finite number that float32 can hold."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or abs(number) > float(np.finfo(np.float32).max):
        raise BuildingError(f"{element}: {name} must be a finite number, got {value!r}")
    return number


def _positive(value: Any, name: str, element: str) -> float:
    """A finite number that is still above zero as float32."""
    number = _number(value, name, element)
    if not np.float32(number) > 0:
        raise BuildingError(f"{element}: {name} must be above 0, got {value!r}")
    return number


def _whole(value: Any, name: str, element: str, low: int = -_INT16_MAX) -> int:
    """An integer from ``low`` up that int16 can hold."""
    number = _number(value, name, element)
    if number != int(number) or not low <= number <= _INT16_MAX:
        raise BuildingError(f"{element}: {name} must be a whole number from {low} to {_INT16_MAX}, got {value!r}")
    return int(number)


def _word(value: Any, name: str, element: str, index: Mapping[str, int], allowed: tuple[str, ...]) -> int:
    """Index of a vocabulary word."""
    position = index.get(value) if isinstance(value, str) else None
    if position is None:
        raise BuildingError(f"{element}: unknown {name} {value!r}, allowed: {', '.join(allowed)}")
    return position


def _vector(value: Any, name: str, element: str, sizes: tuple[int, ...]) -> list[float]:
    """A list of finite numbers of one of the given sizes."""
    if isinstance(value, str | bytes) or not hasattr(value, "__len__") or len(value) not in sizes:
        raise BuildingError(f"{element}: {name} must hold {' or '.join(map(str, sizes))} numbers, got {value!r}")
    return [_number(item, name, element) for item in value]


def _bbox(attributes: Mapping[str, Any], position: list[float], area: float, element: str) -> list[float]:
    """Plan rectangle xmin, ymin, xmax, ymax; a square of the zone's area about its centroid when none is given."""
    if attributes.get("bbox") is None:
        half = 0.5 * math.sqrt(area)
        return [position[0] - half, position[1] - half, position[0] + half, position[1] + half]
    box = _vector(attributes["bbox"], "bbox", element, (4, 6))
    if len(box) == 6:
        box = [box[0], box[1], box[3], box[4]]
    if not (box[0] < box[2] and box[1] < box[3]):
        raise BuildingError(f"{element}: bbox must have xmin < xmax and ymin < ymax, got {attributes['bbox']!r}")
    return box


def _storeys(graph: Any, position: Array) -> list[int]:
    """Level numbers: ``level`` where given, else ``storey`` when whole, else its labels ranked by height (lowest 0)."""
    attributes = [data for _, data in graph.nodes(data=True)]
    elements = [f"zone {zone!r}" for zone in graph]
    if all(data.get("level") is not None for data in attributes):
        return [_whole(data["level"], "level", at) for data, at in zip(attributes, elements, strict=True)]
    labels = [_required(data, "storey", at) for data, at in zip(attributes, elements, strict=True)]
    if not any(isinstance(label, str) for label in labels):
        return [_whole(label, "storey", at) for label, at in zip(labels, elements, strict=True)]
    names = [str(label) for label in labels]
    height = {name: float(np.mean([p[2] for p, n in zip(position, names, strict=True) if n == name])) for name in names}
    ranked = sorted(height, key=lambda name: (height[name], name))
    return [ranked.index(name) for name in names]


def _check_levels(storey: list[int]) -> None:
    """Raise BuildingError when a level between the lowest and the highest has no zone."""
    absent = sorted(set(range(min(storey), max(storey) + 1)) - set(storey))
    if absent:
        raise BuildingError(
            f"storeys must be contiguous, zones lie on levels {sorted(set(storey))}: "
            f"no zone on {shorten([str(level) for level in absent])}"
        )


def read_zones(graph: Any) -> ZoneColumns:
    """Read and check the nodes.

    Args:
        graph: networkx graph with at least one node. Per node: ``function`` (a zone kind), ``area`` (m2),
            ``centroid`` (3 x m), ``level`` or ``storey``; optional ``name``, ``department``, ``bbox`` (4 or 6 x m)
            and ``columns``.

    Raises:
        BuildingError: An attribute is missing, of the wrong type, not finite or outside its range.
    """
    zone_id = [str(zone) for zone in graph]
    check_unique(zone_id, "zone")
    kind, area, position, bbox, columns = [], [], [], [], []
    for zone, data in zip(zone_id, graph.nodes.values(), strict=True):
        at = f"zone {zone!r}"
        kind.append(_word(_required(data, "function", at), "function", at, ZONE_INDEX, ZONE_KINDS))
        area.append(_positive(_required(data, "area", at), "area", at))
        position.append(_vector(_required(data, "centroid", at), "centroid", at, (3,)))
        bbox.append(_bbox(data, position[-1], area[-1], at))
        columns.append(_whole(data.get("columns") or 0, "columns", at, low=0))
    storey = _storeys(graph, np.array(position))
    _check_levels(storey)
    return ZoneColumns(
        zone_id=tuple(zone_id),
        zone_name=_texts(graph, "name", lambda zone: zone),
        department=_texts(graph, "department", lambda zone: NO_DEPARTMENT),
        zone_kind=np.array(kind, np.int8),
        storey=np.array(storey, np.int16),
        area_m2=np.array(area, np.float32),
        position_m=np.array(position, np.float32),
        bbox_m=np.array(bbox, np.float32),
        columns=np.array(columns, np.int16),
    )


def _texts(graph: Any, name: str, default: Callable[[str], str]) -> tuple[str, ...]:
    """A text attribute of every node, with a default where it is absent or empty."""
    return tuple(str(data.get(name) or default(str(zone))) for zone, data in graph.nodes(data=True))


def read_passages(graph: Any) -> PassageColumns:
    """Read and check the edges.

    The order is that of ``graph.edges``, which networkx reproduces when a graph is rebuilt from it, so a written and
    read building has its passages in the same order. A passage's id is its text key in a MultiGraph, else its ``id``
    attribute, else made from its zones.

    Raises:
        BuildingError: A passage from a zone to itself, an id given twice, an unknown kind, or a length or width that
            is missing, not finite or not above 0.
    """
    row = {zone: index for index, zone in enumerate(graph)}
    edges = graph.edges(keys=True, data=True) if graph.is_multigraph() else graph.edges(data=True)
    passage_id, zones, kind, length, width = [], [], [], [], []
    for first, second, *rest in edges:
        key, data = (rest[0], rest[1]) if len(rest) == 2 else (0, rest[0])
        name = key if isinstance(key, str) else str(data.get("id") or f"{first}|{second}#{key}")
        at = f"passage {name!r} ({first} - {second})"
        if first == second:
            raise BuildingError(f"{at}: joins a zone to itself")
        passage_id.append(name)
        zones.append((row[first], row[second]))
        kind.append(_word(_required(data, "kind", at), "kind", at, PASSAGE_INDEX, PASSAGE_KINDS))
        length.append(_positive(_required(data, "length", at), "length", at))
        width.append(_positive(_required(data, "width", at), "width", at))
    check_unique(passage_id, "passage")
    return PassageColumns(
        passage_id=tuple(passage_id),
        passage_zones=np.array(zones, np.int32).reshape(-1, 2),
        passage_kind=np.array(kind, np.int8),
        length_m=np.array(length, np.float32),
        width_m=np.array(width, np.float32),
    )
