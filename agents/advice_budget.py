"""What advice has cost: one record per plan, and their sums."""

import statistics
from dataclasses import dataclass, field

from agents.planning import Plan, Problem
from agents.planning.placed import PlacedPlan

_SUMMED = (
    "evaluations", "shots", "wall_s", "modelled_latency_s", "requests", "failures", "key_bits", "message_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class PlanRecord:
    """One plan, for the log.

    Attributes:
        step: of the snapshot.
        family: "triage", "supply" or "routing".
        planner: its name.
        where: "local", "edge", or the name of the QPU that was asked.
        robots, options: groups that had a choice, and options per group.
        cost: of the plan, in survivors per minute, negated.
        coupling: coupling strength of the problem.
        delay_steps: steps from the snapshot until the advice was there.
        evaluations, shots, wall_s, modelled_latency_s, note: as in :class:`agents.planning.Plan`.
        requests, failures, key_bits, message_bytes: as in :class:`agents.planning.placed.PlacedPlan`.
    """

    step: int
    family: str
    planner: str
    where: str
    robots: int
    options: int
    cost: float
    coupling: float
    delay_steps: int
    evaluations: int
    shots: int
    wall_s: float
    modelled_latency_s: float
    requests: int
    failures: int
    key_bits: int
    message_bytes: int
    note: str


def record_of(plan: Plan, problem: Problem, *, step: int, family: str, robots: int, delay_steps: int) -> PlanRecord:
    """The record of a plan made from the snapshot of ``step``; its advice is there ``delay_steps`` later."""
    placed = plan if isinstance(plan, PlacedPlan) else None
    return PlanRecord(
        step=step,
        family=family,
        planner=plan.planner,
        where=placed.where if placed else "local",
        robots=robots,
        options=problem.options,
        cost=plan.value,
        coupling=problem.coupling_strength,
        delay_steps=delay_steps,
        evaluations=plan.evaluations,
        shots=plan.shots,
        wall_s=plan.wall_s,
        modelled_latency_s=plan.modelled_latency_s,
        requests=placed.requests if placed else 0,
        failures=placed.failures if placed else 0,
        key_bits=placed.key_bits if placed else 0,
        message_bytes=placed.message_bytes if placed else 0,
        note=plan.note,
    )


@dataclass
class Spent:
    """What an advisor has spent; the sums are over ``records``.

    Attributes:
        records: one :class:`PlanRecord` per plan, in order.
        extraction_s: wall time for snapshots and problems, which every planner pays [s].
    """

    records: list[PlanRecord] = field(default_factory=list)
    extraction_s: float = 0.0

    @property
    def plans(self) -> int:
        """Number of plans."""
        return len(self.records)

    @property
    def places(self) -> dict[str, int]:
        """Number of plans by where they were made."""
        places: dict[str, int] = {}
        for record in self.records:
            places[record.where] = places.get(record.where, 0) + 1
        return places

    @property
    def usual_ms(self) -> float:
        """Median wall time of a plan [ms], 0 without plans; a mean would tell how long the first one compiled."""
        return 1e3 * statistics.median(record.wall_s for record in self.records) if self.records else 0.0

    def total(self, name: str) -> float:
        """Sum of a numeric field of the records, such as "shots" or "wall_s"."""
        return float(sum(getattr(record, name) for record in self.records))

    def to_dict(self) -> dict[str, float]:
        """The sums as plain numbers, and the plans by place as "plans_local", "plans_heron" and so on."""
        sums = {name: self.total(name) for name in _SUMMED}
        places: dict[str, float] = {f"plans_{where}": count for where, count in sorted(self.places.items())}
        return {"plans": self.plans, **sums, "extraction_s": self.extraction_s, **places}
