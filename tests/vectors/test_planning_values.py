"""The published figures of the planners: the quick ones one by one, all of them in the slow suite."""

import pytest

from training.validation import all_passed, run_check, run_checks
from training.validation_planning import planning_checks

CHECKS = {check.name: check for check in planning_checks()}
LONG = ("p = 9", "p = 10", "p = 11", "p = 12", "GAS", "n = 8", "n = 14")
QUICK = [name for name in CHECKS if not any(part in name for part in LONG)]


def test_every_published_figure_of_the_design_is_there():
    assert len(CHECKS) == 34 and len(QUICK) == 21
    assert sum("guarantee" in name for name in CHECKS) == 9 and sum("SK energy" in name for name in CHECKS) == 12


@pytest.mark.parametrize("name", QUICK)
def test_quick_figure_is_reproduced(name):
    outcome = run_check(CHECKS[name])
    assert outcome.passed, outcome.to_dict()


@pytest.mark.slow
def test_all_figures_are_reproduced():
    outcomes = run_checks(CHECKS.values())
    assert all_passed(outcomes), [outcome.to_dict() for outcome in outcomes if not outcome.passed]
