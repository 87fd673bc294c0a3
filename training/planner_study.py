"""Planners on the same problems: how often right, how near, at what cost.

Every answer stands beside the proven optimum. No planner is timed against another's clock but its own wall time, and a
quantum planner's modelled time on hardware stands apart from the time of its simulation.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from agents.planning import Budget, Plan, Planner, Problem, make_planner
from agents.planning.classical import greedy_choice
from agents.planning.instances import Instance
from agents.quantum.simulator import Simulation, basis_states

ENUMERATED = 4_000_000  # feasible choices up to which all of them are looked at
_TIE = 1e-9  # of the cost's range: costs nearer than that are one cost

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Truth:
    """What is known of a problem without any planner under test.

    Attributes:
        optimum, worst: least and greatest cost of a feasible choice.
        feasible: number of feasible choices.
        optimal: number of those at the optimum; None where they were not enumerated.
        greedy: cost of the greedy choice.
    """

    optimum: float
    worst: float
    feasible: int
    optimal: int | None
    greedy: float

    @property
    def tie(self) -> float:
        """Cost difference below which two costs count as one."""
        return _TIE * (self.worst - self.optimum)

    @property
    def greedy_right(self) -> bool:
        """Whether greedy finds an optimum."""
        return self.greedy <= self.optimum + self.tie

    def ratio(self, value: float) -> float:
        """Approximation ratio: 1 at the optimum, 0 at the worst feasible choice."""
        span = self.worst - self.optimum
        # Sums in another order differ in the last digit.
        return 1.0 if span <= 0.0 else min(1.0, max(0.0, (self.worst - value) / span))


def truth_of(problem: Problem) -> Truth:
    """Enumerate the feasible choices, or have CP-SAT prove both ends where there are more than ``ENUMERATED``.

    Raises:
        RuntimeError: CP-SAT did not finish its proof.
    """
    greedy = problem.cost(greedy_choice(problem))
    if basis_states(problem, "grover") <= ENUMERATED:
        costs = Simulation(problem, "grover", max_states=ENUMERATED).costs
        least, most = float(costs.min()), float(costs.max())
        optimal = int((costs <= least + _TIE * (most - least)).sum())
        return Truth(least, most, costs.size, optimal, greedy)
    opposite = replace(problem, linear=np.where(problem.allowed, -problem.linear, np.inf), pairwise=-problem.pairwise)
    return Truth(_proven(problem), -_proven(opposite), basis_states(problem, "grover"), None, greedy)


def _proven(problem: Problem) -> float:
    """The optimum, by CP-SAT."""
    plan = make_planner("exact", time_s=120.0).plan(problem, Budget(), np.random.default_rng(0))
    if plan.optimum is None:
        raise RuntimeError(f"{problem.name} {problem.groups}x{problem.options}: no proof of the optimum in 120 s")
    return plan.optimum


@dataclass(frozen=True)
class Trial:
    """One planner on one instance.

    Attributes:
        planner, instance: names.
        family, size, coupling: of the instance, as in its name.
        greedy_right: whether greedy finds an optimum of it.
        right: whether the plan is an optimum.
        feasible: whether the plan is feasible.
        ratio: its approximation ratio, 1 the optimum, 0 the worst feasible choice; 0 where infeasible.
        evaluations, shots, wall_s, modelled_latency_s, note: see :class:`agents.planning.Plan`.
    """

    planner: str
    instance: str
    family: str
    size: str
    coupling: str
    greedy_right: bool
    right: bool
    feasible: bool
    ratio: float
    evaluations: int
    shots: int
    wall_s: float
    modelled_latency_s: float
    note: str


def try_planner(planner: Planner, instance: Instance, truth: Truth, budget: Budget, rng: np.random.Generator) -> Trial:
    """One plan, scored."""
    plan: Plan = planner.plan(instance.problem, budget, rng)
    return Trial(
        planner=planner.name,
        instance=instance.name,
        family=instance.family,
        size=label(instance.size),
        coupling=instance.coupling,
        greedy_right=truth.greedy_right,
        right=plan.feasible and plan.value <= truth.optimum + truth.tie,
        feasible=plan.feasible,
        ratio=truth.ratio(plan.value) if plan.feasible else 0.0,
        evaluations=plan.evaluations,
        shots=plan.shots,
        wall_s=plan.wall_s,
        modelled_latency_s=plan.modelled_latency_s,
        note=plan.note,
    )


def label(size: tuple[int, int]) -> str:
    """Groups and options as people write them: "3x4"."""
    return f"{size[0]}x{size[1]}"


def try_planners(
    names: Sequence[str],
    instances: Sequence[Instance],
    truths: Sequence[Truth],
    budget: Budget,
    seed: int,
    progress: Progress | None = None,
) -> list[Trial]:
    """Every planner on every instance, each pair with a random stream of its own.

    Args:
        names: of planners, as for :func:`agents.planning.make_planner`.
        instances, truths: in the same order.
        budget: of every plan.
        seed: of the planners' draws.
        progress: is told how many plans are made.

    Raises:
        PlanningError: an unknown planner, or one that cannot be made.
    """
    trials = []
    for name in names:
        planner = make_planner(name)
        for number, (instance, truth) in enumerate(zip(instances, truths, strict=True)):
            trials.append(try_planner(planner, instance, truth, budget, np.random.default_rng([seed, number])))
            if progress is not None:
                progress(len(trials))
    return trials


@dataclass(frozen=True)
class Summary:
    """Trials of one planner taken together.

    Attributes:
        planner: its name.
        n: trials.
        right: share of plans that are an optimum.
        right_where_greedy_is, right_where_greedy_is_not: the same within each part, NaN where the part is empty.
        feasible: share of feasible plans.
        ratio: mean approximation ratio.
        worst_ratio, worst_instance: of the worst plan.
        evaluations, shots: means.
        wall_s, modelled_latency_s: medians [s].
    """

    planner: str
    n: int
    right: float
    right_where_greedy_is: float
    right_where_greedy_is_not: float
    feasible: float
    ratio: float
    worst_ratio: float
    worst_instance: str
    evaluations: float
    shots: float
    wall_s: float
    modelled_latency_s: float

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return asdict(self)


def summarise(trials: Sequence[Trial]) -> Summary:
    """The summary of one planner's trials, one or more."""
    right = np.array([trial.right for trial in trials], float)
    easy = np.array([trial.greedy_right for trial in trials])
    worst = min(trials, key=lambda trial: trial.ratio)

    def mean(name: str) -> float:
        return float(np.mean([getattr(trial, name) for trial in trials]))

    def median(name: str) -> float:
        return float(np.median([getattr(trial, name) for trial in trials]))

    return Summary(
        planner=trials[0].planner,
        n=len(trials),
        right=float(right.mean()),
        right_where_greedy_is=float(right[easy].mean()) if easy.any() else float("nan"),
        right_where_greedy_is_not=float(right[~easy].mean()) if not easy.all() else float("nan"),
        feasible=mean("feasible"),
        ratio=mean("ratio"),
        worst_ratio=worst.ratio,
        worst_instance=f"{worst.instance} {worst.coupling}",
        evaluations=mean("evaluations"),
        shots=mean("shots"),
        wall_s=median("wall_s"),
        modelled_latency_s=median("modelled_latency_s"),
    )
