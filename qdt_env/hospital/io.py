"""Buildings on disk: networkx node-link JSON and GraphML, both read back to the very same arrays."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx

from qdt_env.hospital.graph import HospitalGraph
from qdt_env.hospital.reading import check_unique
from qdt_env.hospital.vocabulary import BuildingError, shorten
from qdt_env.records import why_no_file

FORMATS: tuple[str, ...] = (".json", ".graphml")

# GraphML holds no lists, so a vector is one attribute per component.
_COMPONENTS: dict[str, tuple[str, ...]] = {
    "centroid": ("x", "y", "z"),
    "bbox": ("xmin", "ymin", "xmax", "ymax"),
}


def load_building(path: str | Path) -> HospitalGraph:
    """Read a building file.

    Args:
        path: ``.json`` (networkx node-link, edges under "edges") or ``.graphml``.

    Raises:
        BuildingError: The file is missing, has another suffix, cannot be parsed, or holds no valid building.
    """
    file = Path(path)
    suffix = _checked_suffix(file)
    if not file.is_file():
        raise BuildingError(f"building file {str(file)!r} {why_no_file(file)}")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BuildingError(f"building file {str(file)!r} cannot be read: {error}") from error
    try:
        graph = _parse_json(text) if suffix == ".json" else _parse_graphml(text)
        named = graph.graph.get("building") or graph.graph.get("name")
        return HospitalGraph.from_networkx(graph, name=None if named else file.stem)
    except BuildingError as error:
        raise BuildingError(f"{file.name}: {error}") from error


def save_building(graph: HospitalGraph, path: str | Path) -> None:
    """Write a building file; the suffix chooses the format, ``.json`` or ``.graphml``.

    Raises:
        BuildingError: Another suffix, or the folder does not exist or cannot be written.
    """
    file = Path(path)
    suffix = _checked_suffix(file)
    exported = graph.to_networkx()
    try:
        if suffix == ".json":
            data = nx.node_link_data(exported, edges="edges")
            file.write_text(json.dumps(data, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
        else:
            nx.write_graphml_xml(_flattened(exported), file)
    except OSError as error:
        raise BuildingError(f"building file {str(file)!r} cannot be written: {error.strerror}") from error


def _checked_suffix(file: Path) -> str:
    """The lower-case suffix when it is one of FORMATS."""
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise BuildingError(f"building file {str(file)!r}: suffix {suffix!r} is not one of {', '.join(FORMATS)}")
    return suffix


def _parse_json(text: str) -> Any:
    """Node-link JSON to a MultiGraph; ids are compared before networkx would merge equal ones."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # no JSON, or a number of more digits than Python reads
        raise BuildingError(f"not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise BuildingError(f"expected a node-link object, got a JSON {type(data).__name__}")
    if data.get("directed"):
        raise BuildingError("directed: passages go both ways, expected false, got true")
    nodes, edges = _entries(data, "nodes", ("id",)), _entries(data, "edges", ("source", "target"))
    zone_ids = [str(node["id"]) for node in nodes]
    check_unique(zone_ids, "zone")
    _check_ends(zone_ids, [str(edge[end]) for edge in edges for end in ("source", "target")])
    check_unique([edge["key"] for edge in edges if isinstance(edge.get("key"), str)], "passage")
    graph = nx.MultiGraph()
    graph.graph.update(_attributes(data.get("graph")))
    for node in nodes:
        graph.add_node(str(node["id"]))
        graph.nodes[str(node["id"])].update(_without(node, ("id",)))
    for edge in edges:
        # An integer key counts parallel passages of a pair, as networkx numbers them: it names nothing by itself.
        key = edge["key"] if isinstance(edge.get("key"), str) else None
        ends = str(edge["source"]), str(edge["target"])
        graph.edges[*ends, graph.add_edge(*ends, key=key)].update(_without(edge, ("source", "target", "key")))
    return graph


def _entries(data: dict[str, Any], name: str, required: Iterable[str]) -> list[dict[str, Any]]:
    """The list under ``name``, each entry an object with the required members."""
    entries = data.get(name)
    if not isinstance(entries, list):
        raise BuildingError(f"{name}: expected a list of objects, got {type(entries).__name__}")
    for row, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise BuildingError(f"{name}[{row}]: expected an object, got {type(entry).__name__}")
        for member in required:
            if not isinstance(entry.get(member), str | int):
                raise BuildingError(
                    f"{name}[{row}]: {member} must be a text or whole number, got {entry.get(member)!r}"
                )
    return entries


def _attributes(value: Any) -> dict[str, Any]:
    """Graph attributes given as an object; anything else is left out."""
    return value if isinstance(value, dict) else {}


def _without(entry: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The entry's other members."""
    return {key: value for key, value in entry.items() if key not in names}


def _check_ends(zone_ids: list[str], ends: list[str]) -> None:
    """Raise BuildingError when a passage ends in a zone that is not listed."""
    unknown = sorted(set(ends) - set(zone_ids))
    if unknown:
        raise BuildingError(f"passages end in zones that are not listed: {shorten(unknown)}")


def _parse_graphml(text: str) -> Any:
    """GraphML to a MultiGraph; ids are compared in the XML, where equal ones are still apart."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BuildingError(f"not valid GraphML: {error}") from error
    zone_ids = [element.get("id", "") for element in root.iter() if element.tag.endswith("}node")]
    passages = [element for element in root.iter() if element.tag.endswith("}edge")]
    check_unique(zone_ids, "zone")
    check_unique([element.get("id", "") for element in passages if element.get("id")], "passage")
    _check_ends(zone_ids, [element.get(end, "") for element in passages for end in ("source", "target")])
    try:
        graph = nx.parse_graphml(text, edge_key_type=str, force_multigraph=True)
    except (nx.NetworkXError, KeyError, IndexError, ValueError, TypeError) as error:
        raise BuildingError(f"not valid GraphML: {error}") from error
    for _, attributes in graph.nodes(data=True):
        _gather(attributes)
    return graph


def _gather(attributes: dict[str, Any]) -> None:
    """Replace component attributes (centroid_x ...) by vectors, in place, where all components are there."""
    for vector, components in _COMPONENTS.items():
        names = [f"{vector}_{component}" for component in components]
        if all(name in attributes for name in names):
            attributes[vector] = [attributes.pop(name) for name in names]


def _flattened(graph: Any) -> Any:
    """The graph with vectors as one attribute per component."""
    for _, attributes in graph.nodes(data=True):
        for vector, components in _COMPONENTS.items():
            values = attributes.pop(vector)
            attributes.update({f"{vector}_{c}": value for c, value in zip(components, values, strict=True)})
    return graph
