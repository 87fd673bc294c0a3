"""The Python on docs/planners.md runs as printed, and its table names every planner."""

import re
from pathlib import Path

from agents.planning import planner_names

PAGE = (Path(__file__).parents[3] / "docs" / "planners.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_blocks_run_one_after_the_other():
    assert len(BLOCKS) == 2 and "class DescentPlanner" in BLOCKS[1]
    names = {"__name__": "planners_page"}
    for block in BLOCKS:
        exec(compile(block, "docs/planners.md", "exec"), names)
    assert names["found"].planner == "descent"


def test_the_example_is_short():
    assert len(BLOCKS[1].splitlines()) <= 40


def test_the_table_has_every_planner_and_no_other():
    table = PAGE.split("## Planners\n")[1].split("## QAOA")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == planner_names()
