"""What commands print is what they were given: names of buildings are no emoji, and plain lines are not broken."""

from collections.abc import Callable

import pytest
from rich.console import Console

from training.cli.report import plain, screen


@pytest.mark.parametrize("console", [screen, plain])
def test_a_building_s_number_is_no_emoji(console: Callable[[], Console], capsys: pytest.CaptureFixture[str]) -> None:
    console().print("ward:100: +0.056", markup=False)
    console().print("ward:100: [red]better[/red]")
    assert capsys.readouterr().out == "ward:100: +0.056\nward:100: better\n"


def test_plain_lines_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    plain(stderr=True).print("a path " * 50)
    assert capsys.readouterr().err.count("\n") == 1
