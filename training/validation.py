"""Expected figures against ours: what a check is, how it is run and judged. The lists stand in ``validation_*.py``."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PUBLISHED, DERIVED, OWN = "published", "derived", "own"
ORIGINS = {
    PUBLISHED: "the figure stands in the source, or in a figure of it",
    DERIVED: "the source's formulas give the figure, or two ways to compute it must agree",
    OWN: "a first version of ours reached it: nothing got worse, which does not say that it is right",
}


@dataclass(frozen=True)
class Check:
    """An expected figure and how we come by ours.

    Attributes:
        name: what is compared.
        source: paper, standard or first version of ours that the expected figure is from.
        expected: the figure, or (low, high) where a range is expected.
        tolerance: how far ours may lie from it, or outside the range, >= 0, in its unit.
        compute: gives our figure.
        unit: "" for pure numbers.
        note: why the two may differ.
        origin: how much the figure says, one of ``ORIGINS``.
    """

    name: str
    source: str
    expected: float | tuple[float, float]
    tolerance: float
    compute: Callable[[], float]
    unit: str = ""
    note: str = ""
    origin: str = PUBLISHED

    @property
    def range(self) -> tuple[float, float]:
        """The expected range; both ends alike for a figure."""
        return self.expected if isinstance(self.expected, tuple) else (self.expected, self.expected)


@dataclass(frozen=True)
class Outcome:
    """A check that was run.

    Attributes:
        check: what was compared.
        ours: our figure, NaN where it could not be had.
        difference: ours minus the expected figure, or the distance to the expected range, 0 within it.
        passed: whether the difference lies within the tolerance.
        seconds: time it took, >= 0 s.
    """

    check: Check
    ours: float
    difference: float
    passed: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers; ``published`` is None where the expected figure is not."""
        low, high = self.check.range
        expected = low if low == high else [low, high]
        return {
            "name": self.check.name,
            "source": self.check.source,
            "origin": self.check.origin,
            "expected": expected,
            "published": expected if self.check.origin == PUBLISHED else None,
            "ours": self.ours,
            "difference": self.difference,
            "tolerance": self.check.tolerance,
            "unit": self.check.unit,
            "note": self.check.note,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
        }


def run_check(check: Check) -> Outcome:
    """Compute and judge one figure; a figure that is not finite fails."""
    start = time.perf_counter()
    ours = float(check.compute())
    low, high = check.range
    difference = ours - min(max(ours, low), high)
    # Rounding of the last digit of the tolerance must not decide.
    passed = math.isfinite(ours) and abs(difference) <= check.tolerance * (1 + 1e-9)
    return Outcome(check, ours, difference, passed, time.perf_counter() - start)


def run_checks(checks: Iterable[Check], progress: Callable[[int], None] | None = None) -> list[Outcome]:
    """All of them in order; ``progress`` is told how many are done."""
    outcomes = []
    for check in checks:
        outcomes.append(run_check(check))
        if progress is not None:
            progress(len(outcomes))
    return outcomes


def all_passed(outcomes: Sequence[Outcome]) -> bool:
    """Whether every figure was reproduced; nothing checked is nothing passed."""
    return bool(outcomes) and all(outcome.passed for outcome in outcomes)
