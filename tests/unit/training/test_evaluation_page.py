"""The page on evaluation: its example runs, its options exist, its defaults are those of the code."""

import re
from pathlib import Path

import pytest
import typer

from training.cli.main import app
from training.evaluate import CHUNK, FIRST_SEED
from training.statistics import RESAMPLES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
OF_RAY = {"--head", "--address"}


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = PAGE.split("```python\n")[1].split("```")[0]
    exec(code, {})
    mean, low, high, verdict = map(float, capsys.readouterr().out.split())
    assert low <= mean <= high and verdict == (low > 0.0) - (high < 0.0)


def test_the_options_of_the_page_exist() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    options = {
        option for name in ("eval", "compare", "train") for param in commands[name].params for option in param.opts
    }
    assert set(re.findall(r"--[a-z][a-z-]*", PAGE)) <= options | OF_RAY


def test_the_defaults_of_the_page_are_those_of_the_code() -> None:
    assert f"{FIRST_SEED:,}" in PAGE and f"{RESAMPLES} times" in PAGE and f"`--chunk`, {CHUNK} of them" in PAGE


def test_the_figures_of_the_page_are_there() -> None:
    for path in re.findall(r"\]\((figures/[^)]+)\)", PAGE):
        assert (ROOT / "docs" / path).is_file()
