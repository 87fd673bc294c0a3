"""Every planner on a set of instances, one shot of every sampler, the circuits under noise: measured together."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agents.planning import Budget
from agents.planning.instances import SIZES, STRENGTHS, Instance
from agents.quantum.simulator import ANSAETZE
from training.noise_study import RIVALS, NoiseCurve, noise_curve, square
from training.planner_study import Trial, Truth, label, summarise, truth_of, try_planners
from training.shot_study import DEPTHS, UNIFORM, Shot, heuristic_shot, sample_shots, uniform_shot

Begin = Callable[[str, int], Callable[[int], None]]

DEPTH = 8
HEURISTICS = ("sa", "tabu")
HEURISTIC_RUNS = 20
LABELS = tuple(label(size) for size in SIZES)
DEPTH_SIZES = ("3x4", "4x5")


@dataclass(frozen=True, eq=False)
class Study:
    """Everything that the command measured."""

    instances: list[Instance]
    truths: list[Truth]
    trials: list[Trial]
    shots: list[Shot]
    noise: list[NoiseCurve]

    def of(self, planner: str, **where: str) -> list[Trial]:
        """Trials of a planner whose named fields have these values."""
        return [t for t in self.trials if t.planner == planner and all(getattr(t, k) == v for k, v in where.items())]

    def sampled(self, sampler: str, depth: int, **where: str) -> list[Shot]:
        """Shots of a sampler at a depth whose named fields have these values."""
        return [
            s
            for s in self.shots
            if s.sampler == sampler and s.depth == depth and all(getattr(s, k) == v for k, v in where.items())
        ]

    @property
    def planners(self) -> list[str]:
        """Planners in the order in which they were tried."""
        return list(dict.fromkeys(trial.planner for trial in self.trials))

    @property
    def samplers(self) -> list[tuple[str, int]]:
        """Samplers and depths of the one-shot tables."""
        circuits = [(name, DEPTH) for name in ANSAETZE if self.sampled(name, DEPTH)]
        others = [(name, 0) for name in (UNIFORM, *HEURISTICS) if self.sampled(name, 0)]
        return circuits + others

    @property
    def sizes(self) -> list[str]:
        """Sizes in rising order."""
        return [size for size in LABELS if any(label(one.size) == size for one in self.instances)]

    @property
    def couplings(self) -> list[str]:
        """Coupling strengths in rising order."""
        return [name for name in STRENGTHS if any(one.coupling == name for one in self.instances)]


def measure(
    instances: list[Instance],
    names: Sequence[str],
    budget: Budget,
    seed: int,
    rates: Sequence[float],
    trajectories: int,
    begin: Begin,
) -> Study:
    """Prove the optima, try the planners, weigh the shots, add noise."""
    done = begin("optima", len(instances))
    truths = []
    for number, instance in enumerate(instances):
        truths.append(truth_of(instance.problem))
        done(number + 1)
    trials = try_planners(names, instances, truths, budget, seed, begin("planners", len(names) * len(instances)))
    done = begin("one shot", len(instances))
    shots: list[Shot] = []
    for number, (instance, truth) in enumerate(zip(instances, truths, strict=True)):
        depths = DEPTHS if label(instance.size) in DEPTH_SIZES else (DEPTH,)
        shots += sample_shots(instance, truth, depths)
        shots.append(uniform_shot(instance, truth))
        shots += [heuristic_shot(instance, truth, name, HEURISTIC_RUNS, seed + number) for name in HEURISTICS]
        done(number + 1)
    return Study(instances, truths, trials, shots, _noise(instances, rates, trajectories, seed, begin))


def _noise(
    instances: list[Instance], rates: Sequence[float], trajectories: int, seed: int, begin: Begin
) -> list[NoiseCurve]:
    """Both rivals on the distinct 3x4 problems of medium coupling, and on the same cut to 3x3."""
    problems = [
        one.problem
        for one in instances
        if label(one.size) == "3x4" and one.problem.distinct and one.coupling == "medium"
    ][:4]
    if not problems or not rates:
        return []
    curves = []
    for cut in ([square(problem) for problem in problems], problems):
        for ansatz in RIVALS:
            title = f"noise, {ansatz} {cut[0].groups}x{cut[0].options}"
            progress = begin(title, len(rates) * len(cut))
            curves.append(
                noise_curve(cut, ansatz, rates, depth=DEPTH, trajectories=trajectories, seed=seed, progress=progress)
            )
    return curves


def results_of(study: Study) -> dict[str, Any]:
    """Everything as plain numbers."""
    return {
        "instances": [
            {"name": one.name, "coupling": one.coupling, "natural_strength": one.natural_strength,
             "factor": one.factor, **asdict(truth), "greedy_right": truth.greedy_right}
            for one, truth in zip(study.instances, study.truths, strict=True)
        ],
        "planners": [summarise(study.of(name)).to_dict() for name in study.planners],
        "trials": [asdict(trial) for trial in study.trials],
        "shots": [asdict(shot) for shot in study.shots],
        "noise": [
            {"ansatz": c.ansatz, "size": c.size, "p2": c.p2, "optimum": c.optimum, "optimum_error": c.optimum_error,
             "feasible": c.feasible}
            for c in study.noise
        ],
    }  # fmt: skip
