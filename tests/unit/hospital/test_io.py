"""Building files: exact round trips, and errors that name the file and the fault."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qdt_env.hospital import BuildingError, generate_building, load_building, save_building


def node_link(path: Path) -> dict[str, Any]:
    """A generated ward as a node-link object."""
    save_building(generate_building("ward", 3), path)
    data: dict[str, Any] = json.loads(path.read_text())
    return data


@pytest.mark.parametrize("suffix", [".json", ".graphml"])
def test_a_written_building_is_read_back_exactly(tmp_path: Path, suffix: str) -> None:
    building = generate_building("clinic", 1)
    save_building(building, tmp_path / f"b{suffix}")
    assert load_building(tmp_path / f"b{suffix}").digest() == building.digest()


@pytest.mark.parametrize("suffix", [".json", ".graphml"])
def test_the_real_clinic_survives_a_round_trip(tmp_path: Path, suffix: str, clinic_path: Path) -> None:
    building = load_building(clinic_path)
    save_building(building, tmp_path / f"b{suffix}")
    assert load_building(tmp_path / f"b{suffix}").digest() == building.digest()


def repeat_node(data: dict[str, Any]) -> None:
    data["nodes"].append(dict(data["nodes"][0]))


def repeat_edge(data: dict[str, Any]) -> None:
    data["edges"].append(dict(data["edges"][0]))


def unknown_end(data: dict[str, Any]) -> None:
    data["edges"][0]["target"] = "nowhere"


def not_a_number(data: dict[str, Any]) -> None:
    data["nodes"][0]["area"] = float("nan")


def directed(data: dict[str, Any]) -> None:
    data["directed"] = True


def no_nodes(data: dict[str, Any]) -> None:
    del data["nodes"]


def empty(data: dict[str, Any]) -> None:
    data["nodes"], data["edges"] = [], []


def node_without_id(data: dict[str, Any]) -> None:
    del data["nodes"][2]["id"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (repeat_node, "zone ids must be unique.*'1AC1'"),
        (repeat_edge, "passage ids must be unique"),
        (unknown_end, "not listed: 'nowhere'"),
        (not_a_number, "zone '1AC1': area must be a finite number"),
        (directed, "directed"),
        (no_nodes, "nodes: expected a list"),
        (empty, "no zones"),
        (node_without_id, r"nodes\[2\]: id"),
    ],
)
def test_a_spoilt_json_file_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], None], words: str) -> None:
    path = tmp_path / "ward.json"
    data = node_link(path)
    spoil(data)
    path.write_text(json.dumps(data))
    with pytest.raises(BuildingError, match=f"ward.json: .*{words}"):
        load_building(path)


def test_parallel_passages_without_text_keys_survive(tmp_path: Path) -> None:
    path = tmp_path / "ward.json"
    data = node_link(path)
    for edge in data["edges"]:
        del edge["key"]
    data["edges"].append(dict(data["edges"][0]))
    path.write_text(json.dumps(data))
    assert load_building(path).n_passages == len(data["edges"])


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", "null", '{"nodes": [1], "edges": []}', "[" * 100_000, '{"nodes": ' + "9" * 5000 + "}"]
)
def test_text_that_is_no_building_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(BuildingError, match="b.json"):
        load_building(tmp_path / "b.json")


@pytest.mark.parametrize("text", ["", "<graphml", "<a/>", '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"/>'])
def test_xml_that_is_no_building_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.graphml").write_text(text)
    with pytest.raises(BuildingError, match="b.graphml"):
        load_building(tmp_path / "b.graphml")


def test_a_repeated_graphml_node_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.graphml"
    save_building(generate_building("ward"), path)
    path.write_text(path.read_text().replace('<node id="1AC2">', '<node id="1AC1">', 1))
    with pytest.raises(BuildingError, match="zone ids must be unique.*'1AC1'"):
        load_building(path)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(BuildingError, match="does not exist"):
        load_building(tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(BuildingError, match=r"folder.json' is a folder, allowed is a file"):
        load_building(tmp_path / "folder.json")
    with pytest.raises(BuildingError, match="suffix '.txt' is not one of .json, .graphml"):
        load_building(tmp_path / "b.txt")
    with pytest.raises(BuildingError, match="suffix"):
        save_building(generate_building("ward"), tmp_path / "b.yaml")
    with pytest.raises(BuildingError, match="cannot be written"):
        save_building(generate_building("ward"), tmp_path / "no" / "b.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BuildingError, match="cannot be read"):
        load_building(tmp_path / "b.json")
