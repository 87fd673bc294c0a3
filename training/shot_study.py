"""What one sample is worth: a shot of a circuit, a run of a heuristic, a uniformly random choice, on known problems."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.planning import Budget, make_planner
from agents.planning.instances import Instance
from agents.quantum.calibrations import HERON
from agents.quantum.circuits import circuit_seconds
from agents.quantum.parameters import ramp_for
from agents.quantum.simulator import ANSAETZE, Simulation, basis_states
from training.planner_study import ENUMERATED, Truth, label, try_planner

SIMULATED = 1 << 20  # basis states up to which the study simulates a circuit
UNIFORM = "uniform"
DEPTHS = (1, 2, 4, 8, 16)


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
