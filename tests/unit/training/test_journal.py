"""The journal: records survive a kill, a broken last line is cut off, other configurations are refused."""

import json
from pathlib import Path

import pytest

from training.journal import Journal

CONFIG = {"suite": "qkd", "seeds": (1, 2)}  # a tuple comes back as a list, and is the same configuration


def written(path: Path, *records: int) -> bytes:
    with Journal(path, CONFIG, resume=path.exists()) as journal:
        for number in records:
            journal.append({"n": number})
    return path.read_bytes()


def test_records_are_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    written(path, 1, 2)
    written(path, 3)
    with Journal(path, CONFIG, resume=True) as journal:
        assert journal.records == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_record_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path, CONFIG, resume=False) as journal:
        journal.append({"n": 1})
        assert json.loads(path.read_bytes().splitlines()[-1]) == {"n": 1}


def test_the_last_line_may_be_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    whole = written(path, 1, 2)
    kept = whole.rfind(b"\n", 0, len(whole) - 1) + 1
    for cut in range(kept, len(whole)):
        path.write_bytes(whole[:cut])
        assert written(path, 2) == whole, cut
    path.write_bytes(whole[:20])  # killed in the first line: nothing was kept yet
    assert written(path, 1, 2) == whole


def test_a_cut_first_line_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"something of mine")
    with pytest.raises(ValueError, match="is there already"):
        Journal(path, CONFIG, resume=False)
    assert path.read_bytes() == b"something of mine"


def test_results_are_not_gone_on_with_unasked(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    before = written(path, 1)
    with pytest.raises(ValueError, match="holds results already; allowed is another place, or --resume"):
        Journal(path, CONFIG, resume=False)
    assert path.read_bytes() == before


def test_another_configuration_is_refused_by_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    before = written(path, 1)
    with pytest.raises(ValueError, match="another configuration: suite is 'qkd' there and 'psk' here$"):
        Journal(path, CONFIG | {"suite": "psk"}, resume=True)
    with pytest.raises(ValueError, match="extra is None there and 1 here"):
        Journal(path, CONFIG | {"extra": 1}, resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n', "line 1 is not that of a journal"),
        (b"hello\n", "line 1 is damaged"),
        (b"[1]\n", "line 1 is damaged: not an object"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        Journal(path, CONFIG, resume=True)
    assert path.read_bytes() == content


def test_damage_before_the_last_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    lines = written(path, 1, 2).splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"n": \n' + lines[2])
    with pytest.raises(ValueError, match="line 2 is damaged"):
        Journal(path, CONFIG, resume=True)


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "j.jsonl", CONFIG, resume=False) as journal,
        pytest.raises(ValueError, match="not JSON compliant"),
    ):
        journal.append({"n": float("nan")})
