"""What a check judges, that the figures of the security layer are as expected, and that none passes for published."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from training.cli import validate as command
from training.validation import DERIVED, OWN, PUBLISHED, Check, all_passed, run_check, run_checks
from training.validation_planning import planning_checks
from training.validation_security import security_checks

app = typer.Typer()
app.command()(command.validate)


def check(expected, tolerance, ours, **more):
    return Check("a figure", "a paper", expected, tolerance, lambda: ours, **more)


@pytest.mark.parametrize(
    ("expected", "tolerance", "ours", "difference", "passed"),
    [
        (1.75, 0.1, 1.71, -0.04, True),
        (1.75, 0.03, 1.71, -0.04, False),
        ((1.03, 1.20), 0.0, 1.10, 0.0, True),
        ((1.03, 1.20), 0.02, 1.23, 0.03, False),
        ((1.03, 1.20), 0.05, 0.99, -0.04, True),
        (0.0, 0.0, 0.0, 0.0, True),
        (0.0, 0.0, 1e-9, 1e-9, False),
    ],
)
def test_verdicts(expected, tolerance, ours, difference, passed):
    outcome = run_check(check(expected, tolerance, ours))
    assert outcome.ours == ours and outcome.passed is passed
    assert outcome.difference == pytest.approx(difference, abs=1e-12)


def test_what_is_no_number_fails_and_nothing_checked_is_not_passed():
    assert not run_check(check(1.0, math.inf, math.nan)).passed
    assert not all_passed([])
    done = []
    outcomes = run_checks([check(1.0, 0.0, 1.0), check(1.0, 0.0, 2.0)], done.append)
    assert done == [1, 2] and not all_passed(outcomes) and all_passed(outcomes[:1])


@pytest.mark.slow
def test_figures_of_the_security_layer():
    for outcome in run_checks(security_checks()):
        assert outcome.passed, (outcome.check.name, outcome.check.expected, outcome.ours)


def test_names_are_unique_and_every_figure_has_a_source():
    checks = security_checks()
    assert len({c.name for c in checks}) == len(checks) >= 40
    assert all(c.source and c.tolerance >= 0 and c.range[0] <= c.range[1] for c in checks)


def test_what_we_set_ourselves_does_not_pass_for_published():
    checks = [*security_checks(), *planning_checks()]
    assert all((c.origin == OWN) == (c.source == "our first version") for c in checks)
    counts = [Counter(c.origin for c in some()) for some in (security_checks, planning_checks)]
    assert counts == [{PUBLISHED: 13, DERIVED: 14, OWN: 30}, {PUBLISHED: 23, DERIVED: 8, OWN: 3}]
    page = (Path(__file__).resolve().parents[3] / "docs" / "qkd.md").read_text(encoding="utf-8")
    assert "57 figures: 13 published, 14 derived" in page and "30 our own" in page
    assert run_check(check(1.0, 0.0, 1.0, origin=OWN)).to_dict()["published"] is None


def test_command_prints_writes_and_fails_by_exit_code(tmp_path, monkeypatch):
    good, bad = check(1.0, 0.1, 1.05, unit="bit/s", note="read off a figure"), check(2.0, 0.1, 3.0, origin=OWN)
    for checks, code, said in (([good], 0, "1 of 1"), ([good, bad], 1, "1 of 2")):
        monkeypatch.setattr(command, "SECTIONS", {"security": lambda checks=checks: checks})
        path = tmp_path / "figures.json"
        result = CliRunner().invoke(app, ["--only", "security", "--json", str(path)])
        assert result.exit_code == code and said in result.output
        assert "a paper: read off a figure" in result.output and f"own ({code}): a first version" in result.output
        rows = json.loads(path.read_text())["results"]["security"]
        assert [row["passed"] for row in rows] == [True, False][: len(checks)]
        assert (
            rows[0]["published"] == rows[0]["expected"] == 1.0
            and rows[0]["ours"] == 1.05
            and rows[0]["unit"] == "bit/s"
        )


def test_command_refuses_an_unknown_section():
    result = CliRunner().invoke(app, ["--only", "weather"])
    assert isinstance(result.exception, ValueError) and "only='weather' is not allowed" in str(result.exception)
