"""Files that commands write: refused before the work, never over what is read, and named where writing fails."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from training.cli import demo
from training.cli.main import main
from training.cli.outputs import check_folder, check_outputs, write_json, writing
from training.cli.sheets import print_table

WORDS = st.text("abc ", min_size=1, max_size=12).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"--json": "."}, "--json='.' is not allowed: a file in an existing folder"),
        ({"--json": "none/r.json"}, "--json='none/r.json' is not allowed: a file in an existing folder"),
        ({"--figure": "a.txt"}, "--figure='a.txt' is not allowed: a picture, its suffix one of .png, .svg, .pdf, .jpg"),
        ({"--figure": "a"}, "--figure='a' is not allowed: a picture"),
        (
            {"--json": "here.json"},
            "--json='here.json' is not allowed: another file than one that the command reads or keeps",
        ),
        ({"--json": "loop.json"}, "--json='loop.json' is not allowed: a file in an existing folder"),
        ({"--json": "dangling.json"}, "--json='dangling.json' is not allowed: a file in an existing folder"),
        ({"--json": "kept"}, "--json='kept' is not allowed: another file than one that"),
        (
            {"--json": "link.json"},
            "--json='link.json' is not allowed: another file than one that the command reads or keeps",
        ),
        (
            {"--json": "a.png", "--figure": "./a.png"},
            "--figure='a.png' is not allowed: another file than that of",
        ),
    ],
)
def test_files_that_cannot_or_must_not_be_written_are_refused(
    files: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.json").write_text("{}")
    for link, target in (("link.json", "here.json"), ("loop.json", "loop.json"), ("dangling.json", "none/x.json")):
        Path(link).symlink_to(target)
    with pytest.raises(ValueError, match="not allowed") as caught:
        check_outputs({option: Path(path) for option, path in files.items()}, ["ward", None, "here.json", Path("kept")])
    assert words in str(caught.value)


def test_what_may_be_written_may_be_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ward").write_text("last time's")
    check_outputs({"--json": Path("r.json"), "--figure": Path("a.PNG"), "--card": None}, ["clinic"])
    check_outputs({"--json": Path("ward")}, ["ward"])  # the preset
    check_outputs({"--json": Path("new/deep/r.json")}, made=Path("new/deep"))
    check_outputs({"--json": Path(os.devnull), "--card": Path(os.devnull)})
    check_folder(Path("new/deep"))
    check_folder(None)
    with pytest.raises(ValueError, match="--out='ward/in' is not allowed: a folder that you may write"):
        check_folder(Path("ward/in"))


def test_what_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ValueError, match="--json='.*' is not allowed: a file that you may write"):
        check_outputs({"--json": tmp_path / "r.json"})
    with pytest.raises(ValueError, match="--out='.*' is not allowed: a folder that you may write"):
        check_folder(tmp_path / "new")


def test_a_file_that_cannot_be_finished_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--figure: 'a.png' was not written: No space left on device"):
        with writing("--figure", Path("a.png")):
            raise OSError(28, "No space left on device")
    with pytest.raises(ValueError, match="--card: '.*' was not written"):
        write_json(tmp_path, "run", {}, {}, "--card")
    write_json(None, "run", {}, {})


@pytest.mark.parametrize(
    "arguments",
    [
        ["ledger", "verify", "IT", "--json", "IT"], ["ledger", "prove", "IT", "--step", "1", "-o", "IT"],
        ["ledger", "export", "IT", "-o", "IT"], ["replay", "IT", "-o", "IT"], ["replay", "IT", "--json", "IT"],
        ["run", "--scenario", "IT", "--json", "IT"], ["run", "--scenario", "IT", "--record", "IT"],
        ["building", "check", "IT", "--json", "IT"], ["building", "stats", "ward", "IT", "--json", "IT"],
        ["compare", "gain", "wait", "--scenario", "IT", "--json", "IT"], ["demo", "-o", ".", "--json", "mission.qdr"],
        ["eval", "gain", "--out", ".", "--json", "missions.jsonl"], ["eval", "it.safetensors@suite=psk+exact", "--json",
        "it.safetensors"], ["bench", "ablations", "--out", ".", "--json", "missions.jsonl"],
        ["threats", "--scenario", "IT", "--json", "IT"], ["run", "--card", "n.json", "--json", "./n.json"],
        ["link", "-o", "a.png", "--json", "a.png"],
    ],
)  # fmt: skip
def test_no_command_writes_over_what_it_reads(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("it.json").write_text("precious")
    assert main([one.replace("IT", "it.json") for one in arguments]) == 2
    assert "is not allowed: another file than" in capsys.readouterr().err
    assert Path("it.json").read_text() == "precious"
    assert os.listdir() == ["it.json"]


@pytest.mark.parametrize(
    "arguments",
    [["compare", "gain", "wait"], ["bench", "planners"], ["bench", "security"], ["bench", "offload"]],
)
def test_a_picture_of_no_format_is_refused_before_the_work(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--figure", "picture.bmp"]) == 2
    assert "--figure='picture.bmp' is not allowed: a picture" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkpoint.pt", "curve.csv", "policy.safetensors", "card.json"])
def test_a_training_run_s_own_files_are_not_results(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert main(["train", "-o", "runs/new", "--json", f"runs/new/{name}"]) == 2
    assert "another file than one that the command reads or keeps" in capsys.readouterr().err


def fake_play(files: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo whose missions are not played."""
    monkeypatch.setattr(demo, "_play", lambda mission, channel, seeds, book: files(book.parent))


def test_a_demo_leaves_others_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    ledger.write_bytes(b"somebody's")
    (tmp_path / "ledger.sqlite-backup").write_bytes(b"somebody's, too")
    assert main(["demo", "-o", str(tmp_path)]) == 2
    assert "no demo wrote the ledger.sqlite in it" in capsys.readouterr().err
    assert ledger.read_bytes() == b"somebody's"


def test_a_demo_that_fails_leaves_the_last_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in demo.FILES:
        (tmp_path / name).write_text("old")
    write_json(tmp_path / "card.json", "demo", {}, {})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(folder: Path) -> None:
        (folder / "ledger.sqlite").write_text("half")
        raise KeyboardInterrupt

    fake_play(fail, monkeypatch)
    assert main(["demo", "-o", str(tmp_path)]) == 130
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@given(
    headings=st.lists(WORDS, min_size=2, max_size=8),
    rows=st.integers(1, 3),
    width=st.integers(40, 130),
    data=st.data(),
)
def test_a_table_loses_no_cell_on_a_narrow_screen(
    headings: list[str], rows: int, width: int, data: st.DataObject
) -> None:
    table = [[f"{k}-{'x' * data.draw(st.integers(0, 14))}" for k in range(len(headings))] for _ in range(rows)]
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    print_table(console, headings, table)
    console.file.close()
    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    said = " ".join(lines).split()
    for row in table:
        assert all(said.count(cell) >= sum(cell in other for other in table) for cell in row)
    for heading in headings:
        assert all(word in said for word in heading.split())
