"""The page on learning: its options exist, its example runs, its table of variants is that of the code."""

import re
from pathlib import Path

import numpy as np
import typer

from agents.advisor import ADVICE_FEATURES
from agents.hiding import FEATURE_GROUPS
from training.ablation_study import UNSEEN_BUILDING, variants
from training.cli.main import app

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "learning.md").read_text(encoding="utf-8")
COMMANDS = re.sub(r"`python benchmarks/[^`]*`", "", PAGE)  # benchmarks are scripts with options of their own


def options(command: object) -> set[str]:
    """Every option of a command and of those below it."""
    found = {option for param in command.params for option in param.opts}  # type: ignore[attr-defined]
    return found.union(*(options(one) for one in getattr(command, "commands", {}).values()))


def test_the_options_of_the_page_exist() -> None:
    assert set(re.findall(r"--[a-z][a-z-]*", COMMANDS)) <= options(typer.main.get_command(app))


def test_the_example_with_advice_runs() -> None:
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "AdvisedTask" in one)
    names: dict[str, np.ndarray] = {}
    exec(code, names)
    assert names["advice"].shape == (4, 3, 1, len(ADVICE_FEATURES))


def test_the_table_of_variants_is_that_of_the_code() -> None:
    for variant in variants("greedy", "qkd"):
        assert f"\n| {variant.name} |" in PAGE
    for feature in (one for group in FEATURE_GROUPS.values() for one in group if not one.startswith("advice.")):
        assert f"`{feature}`" in PAGE
    assert f"building seed\n{UNSEEN_BUILDING}" in PAGE
