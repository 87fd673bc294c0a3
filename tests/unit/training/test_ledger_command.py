"""``qdt ledger``: verdicts, exit codes, and files that others can check."""

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qdt_env.twin.ledger import Leaf, Ledger, make_signers
from training.cli.ledger import app

RUN = CliRunner()
MISSION = bytes(range(16))


@pytest.fixture
def ledger(tmp_path: Path) -> tuple[Path, str, str]:
    """File, id and a kept head SIZE:ROOT of a good ledger of 60 steps."""
    path = tmp_path / "mission.sqlite"
    with Ledger(path, signers=make_signers(("server", "gateway 0")), period=25) as written:
        for step in range(60):
            written.append(Leaf(MISSION, step, bytes([step % 6])))
    assert written.head is not None
    return path, written.header.log_id.hex(), f"60:{written.head.root.hex()}"


def edit(path: Path, sql: str) -> None:
    database = sqlite3.connect(path)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {name}")
    database.execute(sql)
    database.commit()
    database.close()


def said(arguments: list[str], code: int) -> str:
    result = RUN.invoke(app, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_a_good_ledger(ledger: tuple[Path, str, str], tmp_path: Path) -> None:
    path, log_id, head = ledger
    output = said(["verify", str(path)], 0)
    assert "good: 60 leaves, 3 heads, signed up to leaf 60" in output
    assert "from the file itself" in output and log_id in output
    report = tmp_path / "v.json"
    output = said(["verify", str(path), "--log-id", log_id, "--head", head, "--json", str(report)], 0)
    assert "1 kept heads found" in output and "as given" in output
    results = json.loads(report.read_text())["results"]
    assert results["ok"] is True and results["pinned"] is True and results["problem"] is None


def test_an_edited_ledger_has_exit_code_1_and_names_the_step(ledger: tuple[Path, str, str], tmp_path: Path) -> None:
    path, _, _ = ledger
    edit(path, "UPDATE leaves SET data = CAST(substr(data, 1, length(data) - 1) || x'05' AS BLOB) WHERE position = 37")
    report = tmp_path / "v.json"
    output = said(["verify", str(path), "--json", str(report)], 1)
    assert f"BAD: leaf 37 (step 37 of mission {MISSION.hex()}) is not what was written" in output
    problem = json.loads(report.read_text())["results"]["problem"]
    assert (problem["kind"], problem["number"], problem["step"], problem["mission"]) == ("leaf", 37, 37, MISSION.hex())
    result = RUN.invoke(app, ["prove", str(path), "--step", "3"])
    assert "leaf 37 was changed or moved" in str(result.exception)


def test_another_ledger_and_a_rolled_back_one(ledger: tuple[Path, str, str]) -> None:
    path, log_id, head = ledger
    assert "BAD: header: this is ledger" in said(["verify", str(path), "--log-id", "00" * 32], 1)
    edit(path, "DELETE FROM leaves WHERE position >= 55")
    edit(path, "DELETE FROM heads WHERE size = 60")
    said(["verify", str(path), "--log-id", log_id], 0)
    output = said(["verify", str(path), "--log-id", log_id, "--head", head], 1)
    assert "a head of 60 leaves was kept, but the ledger holds 55: rolled back" in output


def test_proofs_are_written_and_checked(ledger: tuple[Path, str, str], tmp_path: Path) -> None:
    path, log_id, _ = ledger
    step, growth, report = tmp_path / "step.json", tmp_path / "growth.json", tmp_path / "r.json"
    assert "step 37 is leaf 37 of 60 signed" in said(["prove", str(path), "--step", "37", "-o", str(step)], 0)
    arguments = ["prove", str(path), "--since", "25", "-o", str(growth), "--json", str(report)]
    assert "the head of 25 leaves is the beginning of that of 60" in said(arguments, 0)
    assert json.loads(report.read_text())["results"]["proof"] == "consistency"
    path.unlink()
    output = said(["verify", str(step), "--log-id", log_id], 0)
    assert f"good: the inclusion proof holds for step 37 of mission {MISSION.hex()}" in output
    assert "good: the consistency proof holds" in said(["verify", str(growth)], 0)
    assert "BAD: header: of ledger" in said(["verify", str(growth), "--log-id", "11" * 32], 1)
    step.write_text(step.read_text().replace('"position": 37', '"position": 36'))
    assert "BAD: inclusion proof: leads to another root" in said(["verify", str(step)], 1)


def test_export_writes_json_lines(ledger: tuple[Path, str, str], tmp_path: Path) -> None:
    path, log_id, _ = ledger
    lines, report = tmp_path / "l.jsonl", tmp_path / "r.json"
    assert "64 lines, 60 leaves" in said(["export", str(path), "-o", str(lines), "--json", str(report)], 0)
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["type"] for row in rows].count("head") == 3 and rows[0]["log_id"] == log_id
    assert json.loads(report.read_text())["results"]["lines"] == 64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "absent.sqlite"], "'absent.sqlite' does not exist"),
        (["verify", "LEDGER", "--log-id", "12"], "--log-id='12' is not allowed: 64 hexadecimal digits"),
        (["verify", "LEDGER", "--log-id", "zz"], "--log-id='zz'"),
        (["verify", "LEDGER", "--head", "50"], "--head='' is not allowed: 64 hexadecimal digits"),
        (["verify", "LEDGER", "--head", "x:00"], "--head='x:00' is not allowed: SIZE:ROOT"),
        (["verify", "JSON"], "is no proof: its kind is None"),
        (["verify", "LIST"], r"is no proof: its kind is \['inclusion'\]"),
        (["verify", "DEEP"], "is no proof: .*recursion"),
        (["verify", "LONG"], "is no proof: .*digits"),
        (["prove", "LEDGER"], "either --step or --since"),
        (["prove", "LEDGER", "--step", "1", "--since", "2"], "either --step or --since"),
        (["prove", "LEDGER", "--step", "60"], "step 60 of mission .* is not in the ledger"),
        (["prove", "LEDGER", "--step", "-1"], "step -1"),
        (["prove", "LEDGER", "--step", "1", "--mission", "ab"], "--mission='ab' is not allowed: 32 hexadecimal digits"),
        (["prove", "LEDGER", "--since", "26"], "no heads of 26"),
        (["prove", "LEDGER", "--step", "1", "-o", "no/such/p.json"], "--output='no/such/p.json'"),
        (["export", "JSON"], "not a database"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    ledger: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = {
        "JSON": "{}" + " " * 200, "LIST": '{"proof": ["inclusion"]}', "DEEP": '{"a":' + "[" * 100_000,
        "LONG": '{"proof": "inclusion", "position": ' + "9" * 5000 + "}",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    names = {"LEDGER": str(ledger[0])}
    result = RUN.invoke(app, [names.get(word, word) for word in arguments])
    assert isinstance(result.exception, ValueError), result.output
    with pytest.raises(ValueError, match=words):
        raise result.exception
