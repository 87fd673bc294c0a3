"""``qdt validate``: expected figures, ours, the difference and a verdict."""

from collections.abc import Callable
from typing import Annotated

import typer

from qdt_env.records import require
from training.cli.outputs import JsonFile, check_outputs, write_json
from training.cli.report import progress_bar, screen
from training.cli.sheets import print_table
from training.validation import ORIGINS, Check, Outcome, all_passed, run_checks
from training.validation_planning import planning_checks
from training.validation_security import security_checks

SECTIONS: dict[str, Callable[[], list[Check]]] = {"security": security_checks, "planning": planning_checks}
_HEADINGS = ("figure", "source", "origin", "expected", "ours", "difference", "tolerance", "unit", "verdict")


def validate(
    only: Annotated[str, typer.Option("--only", help=f"One of {', '.join(SECTIONS)}; default: all.")] = "",
    json_file: JsonFile = None,
) -> None:
    """Compute published, derived and own figures again; the exit code is 1 if one lies outside its stated tolerance.

    Examples: `qdt validate` · `qdt validate --only planning` · `qdt validate --only security --json security.json`
    """
    require(only in ("", *SECTIONS), "only", only, ", ".join(SECTIONS))
    check_outputs({"--json": json_file})
    console = screen()
    outcomes: dict[str, list[Outcome]] = {}
    with progress_bar() as begin:
        for section in [only] if only else list(SECTIONS):
            checks = SECTIONS[section]()
            outcomes[section] = run_checks(checks, begin(section, len(checks)))
    for section, found in outcomes.items():
        console.print(f"\n{section}: expected and ours", style="bold")
        print_table(console, _HEADINGS, [_row(outcome) for outcome in found], texts=3)
        for note in dict.fromkeys((o.check.note, o.check.source) for o in found if o.check.note):
            console.print(f"{note[1]}: {note[0]}", markup=False)
    flat = [outcome for found in outcomes.values() for outcome in found]
    failed = sum(not outcome.passed for outcome in flat)
    for origin, meaning in ORIGINS.items():
        console.print(f"{origin} ({sum(o.check.origin == origin for o in flat)}): {meaning}")
    console.print(f"{len(flat) - failed} of {len(flat)} figures are as expected, within their tolerances")
    results = {section: [outcome.to_dict() for outcome in found] for section, found in outcomes.items()}
    write_json(json_file, "validate", {"only": only}, results)
    if not all_passed(flat):
        raise typer.Exit(1)


def _number(value: float) -> str:
    """Four digits, without exponent where people would write none."""
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _row(outcome: Outcome) -> tuple[str, ...]:
    """The cells of one figure."""
    check, (low, high) = outcome.check, outcome.check.range
    expected = _number(low) if low == high else f"{_number(low)} .. {_number(high)}"
    return (
        check.name, check.source, check.origin, expected, _number(outcome.ours), f"{outcome.difference:+.2g}",
        f"{check.tolerance:.3g}", check.unit, "ok" if outcome.passed else "OUTSIDE",
    )  # fmt: skip
