"""Planners on the same problems: how often right, how near, at what cost; and what one shot of each sampler is worth.

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
from agents.quantum.calibrations import HERON
from agents.quantum.circuits import circuit_seconds
from agents.quantum.parameters import ramp_for
from agents.quantum.simulator import ANSAETZE, Simulation, basis_states

ENUMERATED = 4_000_000  # feasible choices up to which all of them are looked at
_TIE = 1e-9  # of the cost's range: costs nearer than that are one cost
SIMULATED = 1 << 20  # basis states up to which the study simulates a circuit

UNIFORM = "uniform"
DEPTHS = (1, 2, 4, 8, 16)

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


@dataclass(frozen=True)
class Shot:
    """What one sample of a sampler is worth on one instance.

    Attributes:
        sampler: ``UNIFORM``, an ansatz, or the name of a heuristic that is run once.
        depth: layers; 0 for what is no circuit.
        instance, family, size, coupling, greedy_right: as in :class:`Trial`.
        feasible: probability of a feasible sample.
        optimum: probability of an optimum.
        ratio: mean approximation ratio of the feasible samples.
        seconds: time of one sample [s]: on the modelled hardware for circuits, measured for the others.
    """

    sampler: str
    depth: int
    instance: str
    family: str
    size: str
    coupling: str
    greedy_right: bool
    feasible: float
    optimum: float
    ratio: float
    seconds: float

    @property
    def shots_to_optimum(self) -> float:
        """Expected samples until the first optimum, 1 / P; inf where there is none."""
        return 1.0 / self.optimum if self.optimum > 0.0 else float("inf")


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


class Sampler:
    """One ansatz on one instance: what a shot is worth at any angles.

    Args:
        instance, truth: the instance and what is known of it.
        ansatz: one of ``ANSAETZE``.

    Raises:
        PlanningError: more than 2^20 basis states, or an ansatz that does not take the problem.
    """

    def __init__(self, instance: Instance, truth: Truth, ansatz: str) -> None:
        self.instance, self.truth, self.ansatz = instance, truth, ansatz
        problem = instance.problem
        self.simulation = Simulation(problem, ansatz, max_states=SIMULATED)
        choices, valid = self.simulation.decode(np.arange(self.simulation.states))
        costs = np.full(self.simulation.states, np.inf)
        costs[valid] = problem.costs(choices[valid])
        self._feasible = np.isfinite(costs)
        self._optimal = costs <= truth.optimum + truth.tie
        self._ratios = np.array([truth.ratio(cost) for cost in costs[self._feasible]])

    def shot(self, depth: int, seconds: float = float("nan")) -> Shot:
        """One shot at the transferred angles of a depth, which takes so long [s]."""
        angles = ramp_for(self.instance.problem, self.ansatz, depth)
        return self.score(self.simulation.probabilities(*angles), depth, seconds)

    def tail(self, levels: np.ndarray, depth: int) -> np.ndarray:
        """Chance of one shot to be feasible and of at least each approximation ratio.

        Args:
            levels: (L,) ratios in [0, 1].
            depth: layers at the transferred angles; 0 for a uniformly random feasible choice.

        Returns:
            (L,) float64 in [0, 1].
        """
        if depth == 0:
            likely = np.full(self._ratios.size, 1.0 / self._ratios.size)
        else:
            angles = ramp_for(self.instance.problem, self.ansatz, depth)
            likely = self.simulation.probabilities(*angles)[self._feasible]
        return np.array([likely[self._ratios >= level - 1e-12].sum() for level in levels])

    def score(self, probabilities: np.ndarray, depth: int, seconds: float = float("nan")) -> Shot:
        """One shot of a distribution (N,) over the basis states."""
        feasible = float(probabilities[self._feasible].sum())
        weighted = float(probabilities[self._feasible] @ self._ratios)
        return shot_of(
            self.instance,
            self.truth,
            self.ansatz,
            depth,
            feasible=feasible,
            optimum=float(probabilities[self._optimal].sum()),
            ratio=weighted / feasible if feasible > 0.0 else 0.0,
            seconds=seconds,
        )


def sample_shots(instance: Instance, truth: Truth, depths: Sequence[int]) -> list[Shot]:
    """One shot of every ansatz that takes the instance and whose basis can be simulated here, at each depth."""
    shots = []
    for ansatz in ANSAETZE:
        if ansatz == "swap" and not instance.problem.distinct:
            continue
        if basis_states(instance.problem, ansatz) > SIMULATED:
            continue
        sampler = Sampler(instance, truth, ansatz)
        for depth in depths:
            circuit_s = circuit_seconds(instance.problem, ansatz, depth, HERON)
            shots.append(sampler.shot(depth, HERON.shot_s(circuit_s)))
    return shots


def uniform_shot(instance: Instance, truth: Truth) -> Shot:
    """A uniformly random feasible choice: what every sampler must beat. The optimum counts as unique if unknown."""
    optimal = 1 if truth.optimal is None else truth.optimal
    if truth.optimal is None:
        ratio = float("nan")
    else:
        ratio = truth.ratio(float(Simulation(instance.problem, "grover", max_states=ENUMERATED).costs.mean()))
    figures = {"feasible": 1.0, "optimum": optimal / truth.feasible, "ratio": ratio, "seconds": float("nan")}
    return shot_of(instance, truth, UNIFORM, 0, **figures)


def heuristic_shot(instance: Instance, truth: Truth, name: str, runs: int, seed: int) -> Shot:
    """One run of a randomised heuristic ("sa", "tabu", ...), estimated from ``runs`` of them, one sample each."""
    planner, rng = make_planner(name), np.random.default_rng(seed)
    trials = [try_planner(planner, instance, truth, Budget(shots=1), rng) for _ in range(runs)]
    # The greedy answer that stands in for an infeasible sample is not the sampler's.
    own = [trial for trial in trials if "greedy answer" not in trial.note]
    return shot_of(
        instance,
        truth,
        name,
        0,
        feasible=len(own) / runs,
        optimum=sum(trial.right for trial in own) / runs,
        ratio=float(np.mean([trial.ratio for trial in own])) if own else 0.0,
        seconds=float(np.median([trial.wall_s for trial in trials])),
    )


def shot_of(instance: Instance, truth: Truth, sampler: str, depth: int, **figures: float) -> Shot:
    """A :class:`Shot` of an instance."""
    size, coupling = label(instance.size), instance.coupling
    return Shot(
        sampler, depth, instance.name, instance.family, size, coupling, truth.greedy_right, **figures
    )  # fmt: skip


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
