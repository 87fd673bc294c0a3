"""Simulated annealing and tabu search on the QUBO, by dwave-samplers: the classical peers of sampling quantum planners.

Both see nothing but the binary quadratic model with its penalties, as a quantum annealer would. No single penalty suits
all problems (too soft: no sample is feasible; too hard: the search freezes), so the reads are dealt out over a ladder;
every sample is scored by the problem's own cost. dimod and dwave-samplers are imported when a plan is made.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.planning.classical import greedy_choice, scored_plan
from agents.planning.problem import Budget, Plan, PlanningError, Problem
from agents.planning.qubo import choices_from_samples, soft_bqm
from agents.planning.validation import check_number, check_whole
from agents.quantum.ising import one_hot_qubits

_SEEDS = 2**31
_LADDER = (3.5, 2.0, 5.0, 8.0)


@dataclass
class _Search:
    """What a sampler has found so far, and what it may still spend."""

    problem: Problem
    budget: Budget
    started_s: float
    best: np.ndarray | None = None
    value: float = np.inf
    reads: int = 0
    notes: list[str] = field(default_factory=list)

    def late(self) -> bool:
        """Whether the time budget is used up."""
        limit = self.budget.time_s
        return limit is not None and time.perf_counter() - self.started_s > limit

    def take(self, bits: np.ndarray) -> None:
        """Score samples (N, n) by the problem's own cost."""
        choices, valid = choices_from_samples(self.problem, bits)
        self.reads += len(bits)
        if valid.any():
            costs = self.problem.costs(choices[valid])
            row = int(np.argmin(costs))
            if costs[row] < self.value:
                self.best, self.value = choices[valid][row], float(costs[row])

    def plan(self, name: str, evaluations: int) -> Plan:
        """The best feasible sample, or the greedy choice where there is none, said so."""
        best = self.best
        if best is None:
            self.notes.append(f"none of {self.reads} samples was feasible; greedy answer")
            best = greedy_choice(self.problem)
        return scored_plan(
            self.problem,
            best,
            name,
            self.started_s,
            evaluations=evaluations,
            notes=tuple(self.notes),
            budget=self.budget,
        )


def _ordered(sampleset: Any) -> np.ndarray:
    """Samples (N, n) with the columns in the order of the variables 0 .. n-1."""
    return np.asarray(sampleset.record.sample)[:, np.argsort(np.asarray(sampleset.variables, dtype=np.int64))]


def _check_deviations(planner: str, deviations: tuple[float, ...]) -> None:
    if not (isinstance(deviations, tuple) and deviations):
        raise PlanningError(f"{planner} deviations: must be a tuple of numbers > 0, got {deviations!r}")
    for deviation in deviations:
        check_number(f"{planner} deviations", deviation, above=True)


@dataclass(frozen=True)
class SimulatedAnnealingPlanner:
    """Simulated annealing (Metropolis, geometric schedule); the best feasible sample of a number of reads.

    The budget's shots set the reads; its evaluations (single flips tried: reads x sweeps x variables) cut the reads,
    and the sweeps of the only read where not even one fits; its time is looked at after every read.

    Attributes:
        reads: runs unless the budget's shots say otherwise, >= 1.
        sweeps: of each run, >= 1.
        deviations: ladder of penalties, see :func:`agents.planning.qubo.soft_bqm`, each > 0.
    """

    reads: int = 32
    sweeps: int = 1000
    deviations: tuple[float, ...] = _LADDER
    name: str = "sa"

    def __post_init__(self) -> None:
        check_whole("sa reads", self.reads, 1)
        check_whole("sa sweeps", self.sweeps, 1)
        _check_deviations("sa", self.deviations)

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The best feasible sample."""
        search = _Search(problem, budget, time.perf_counter())
        variables = max(1, one_hot_qubits(problem))
        reads, sweeps = self.reads if budget.shots is None else budget.shots, self.sweeps
        wanted = reads * sweeps * variables
        if budget.evaluations is not None and wanted > budget.evaluations:
            sweeps = max(1, min(sweeps, budget.evaluations // variables))
            reads = max(1, budget.evaluations // (sweeps * variables))
            search.notes.append(f"evaluation budget {budget.evaluations} allows {reads} reads of {sweeps} sweeps")
            if reads * sweeps * variables > budget.evaluations:
                search.notes[-1] = f"evaluation budget {budget.evaluations} exceeded by a single sweep"
        for rung, deviations in enumerate(self.deviations):
            share = len(range(rung, reads, len(self.deviations)))
            if share and not (search.reads and search.late()):
                bqm = soft_bqm(problem, deviations)
                search.take(self._sample(bqm, share, sweeps, int(rng.integers(_SEEDS)), search.late))
        if search.reads < reads:
            search.notes.append(f"time budget {budget.time_s:g} s exceeded after {search.reads} of {reads} reads")
        return search.plan(self.name, search.reads * sweeps * variables)

    @staticmethod
    def _sample(bqm: Any, reads: int, sweeps: int, seed: int, late: Callable[[], bool]) -> np.ndarray:
        from dwave.samplers import SimulatedAnnealingSampler

        if bqm.num_variables == 0:
            return np.zeros((reads, 0), dtype=np.int8)
        sampler = SimulatedAnnealingSampler()
        found = sampler.sample(bqm, num_reads=reads, num_sweeps=sweeps, seed=seed, interrupt_function=late)
        return _ordered(found)


@dataclass(frozen=True)
class TabuPlanner:
    """Multistart tabu search (Palubeckis 2004); the best feasible sample of a number of reads.

    The budget's shots set the reads. Its evaluations (moves considered: ``moves`` in each search, ``restarts`` + 1
    searches a read; descents to a new best come on top and are not counted) cut the reads. Its time is given to the
    reads one after the other and looked at after each.

    Attributes:
        reads: runs from random starts unless the budget's shots say otherwise, >= 1.
        restarts: of each run, >= 0.
        moves: considered in each search, >= 1.
        deviations: ladder of penalties, see :func:`agents.planning.qubo.soft_bqm`, each > 0.
    """

    reads: int = 4
    restarts: int = 20
    moves: int = 20_000
    deviations: tuple[float, ...] = _LADDER
    name: str = "tabu"

    def __post_init__(self) -> None:
        for setting, least in (("reads", 1), ("restarts", 0), ("moves", 1)):
            check_whole(f"tabu {setting}", getattr(self, setting), least)
        _check_deviations("tabu", self.deviations)

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The best feasible sample."""
        search = _Search(problem, budget, time.perf_counter())
        models = [soft_bqm(problem, deviations) for deviations in self.deviations]
        reads, restarts, moves = self.reads if budget.shots is None else budget.shots, self.restarts, self.moves
        if budget.evaluations is not None and reads * (restarts + 1) * moves > budget.evaluations:
            moves = min(moves, budget.evaluations)
            restarts = min(restarts, budget.evaluations // moves - 1)
            reads = max(1, min(reads, budget.evaluations // (moves * (restarts + 1))))
            allows = f"{reads} reads of {restarts + 1} searches of {moves} moves"
            search.notes.append(f"evaluation budget {budget.evaluations} allows {allows}")
        while search.reads < reads and not (search.reads and search.late()):
            bqm = models[search.reads % len(models)]
            search.take(self._sample(bqm, restarts, moves, int(rng.integers(_SEEDS)), self._left_ms(search)))
        if search.late():
            search.notes.append(f"time budget {budget.time_s:g} s exceeded in read {search.reads} of {reads}")
        return search.plan(self.name, search.reads * (restarts + 1) * moves)

    @staticmethod
    def _left_ms(search: _Search) -> int | None:
        """Milliseconds that a read may still take, None without a time budget."""
        if search.budget.time_s is None:
            return None
        return max(1, int(1e3 * (search.budget.time_s - (time.perf_counter() - search.started_s))))

    @staticmethod
    def _sample(bqm: Any, restarts: int, moves: int, seed: int, timeout_ms: int | None) -> np.ndarray:
        from dwave.samplers import TabuSampler

        if bqm.num_variables == 0:
            return np.zeros((1, 0), dtype=np.int8)
        # None stands for no limit, though the sampler's annotation does not say so.
        limit: Any = timeout_ms
        found = TabuSampler().sample(
            bqm,
            num_reads=1,
            num_restarts=restarts,
            seed=seed,
            timeout=limit,
            coefficient_z_first=1,
            coefficient_z_restart=1,
            lower_bound_z=moves,
        )
        return _ordered(found)
