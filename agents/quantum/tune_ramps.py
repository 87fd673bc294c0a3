"""Makes ``data/ramps.json``: python -m agents.quantum.tune_ramps [--seed 2026] [--instances 24] [--out FILE].

For each ansatz (xy-ring without and with the penalty for a distinct rule; the others' schedules serve both), class of
sizes and depth one schedule is tuned on mixed random instances by the mean of log P(optimum),
which asks for the hard instances too, with exact adjoint gradients (scipy L-BFGS-B). Depths build on one another: the
search at depth p begins at the schedule of the depth before, stretched.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.planning.problem import Problem
from agents.quantum.parameters import RAMPS, linear_ramp, stretched
from agents.quantum.simulator import ANSAETZE, Simulation

DEPTHS = (1, 2, 4, 8, 16)
# Classes of sizes (groups, options); each gets schedules of its own. Small where all 2^n strings are simulated.
CLASSES: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "penalty-x": (((2, 3), (3, 3)), ((3, 4),)),
    "xy-ring": (((2, 3), (2, 4), (3, 3)), ((3, 4),), ((4, 5),)),
    "xy-ring, distinct": (((3, 4),), ((4, 5),), ((2, 3), (2, 4), (3, 3))),
    "grover": (((3, 4), (4, 4)), ((4, 5),), ((4, 6), (5, 6))),
    "swap": (((3, 4), (4, 4)), ((4, 5),), ((4, 6), (5, 6))),
}
COUPLINGS = (0.1, 3.0)  # range of interaction over additive spread, drawn log-uniformly


def random_instance(groups: int, options: int, rng: np.random.Generator, *, distinct: bool = True) -> Problem:
    """A problem with uniform or Gaussian costs (one in two) and weak to strong couplings.

    Args:
        groups: number of groups, >= 1.
        options: number of options, >= groups where ``distinct``.
        rng: source of the costs.
        distinct: whether all chosen options must differ.
    """
    uniform = bool(rng.integers(2))
    draw = rng.random if uniform else rng.standard_normal
    linear = draw((groups, options))
    pairwise = np.zeros((groups, options, groups, options))
    for g in range(groups):
        for h in range(g + 1, groups):
            pairwise[g, :, h, :] = draw((options, options))
            pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    raw = Problem.from_costs(linear, pairwise)
    wanted = float(np.exp(rng.uniform(*np.log(COUPLINGS))))
    scale = wanted / raw.coupling_strength if groups > 1 and raw.coupling_strength > 0.0 else 1.0
    return Problem.from_costs(linear, scale * pairwise, distinct=distinct)


def optima(simulation: Simulation) -> np.ndarray:
    """(N,) float64, 1 where a basis state is an optimal feasible choice, 0 elsewhere."""
    choices, valid = simulation.decode(np.arange(simulation.states))
    costs = np.where(valid, simulation.problem.costs(np.where(valid[:, None], choices, 0)), np.inf)
    return (costs <= costs.min() + 1e-9 * simulation.spread).astype(np.float64)


def tune(
    kind: str, sizes: Sequence[tuple[int, int]], depths: Sequence[int], instances: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Schedules of one class.

    Args:
        kind: one of ``CLASSES``.
        sizes: (groups, options) of the instances.
        depths: numbers of layers, ascending.
        instances: random instances of each size.
        rng: source of the instances.

    Returns:
        The sizes, the geometric mean of their numbers of basis states, and by depth: gammas, betas, and P(optimum) on
        the training instances (geometric mean and mean).
    """
    from scipy.optimize import minimize

    ansatz, distinct = kind.removesuffix(", distinct"), kind != "xy-ring"
    problems = [random_instance(g, t, rng, distinct=distinct) for g, t in sizes for _ in range(instances)]
    simulations = [Simulation(problem, ansatz) for problem in problems]
    targets = [optima(simulation) for simulation in simulations]

    def loss(angles: np.ndarray) -> tuple[float, np.ndarray]:
        gammas, betas = np.split(angles, 2)
        total, slope = 0.0, np.zeros(angles.size)
        for simulation, target in zip(simulations, targets, strict=True):
            value, by_gamma, by_beta = simulation.gradient(gammas, betas, target)
            value = max(value, 1e-12)  # keeps the logarithm where an instance has no chance at all
            total -= np.log(value) / len(simulations)
            slope -= np.concatenate([by_gamma, by_beta]) / value / len(simulations)
        return total, slope

    found: dict[str, dict[str, Any]] = {}
    gammas, betas = linear_ramp(1)
    for depth in depths:
        starts = [np.concatenate(stretched(gammas, betas, depth))]
        if not found:
            starts += [np.concatenate(linear_ramp(depth, gamma, 0.7)) for gamma in (3.0, 8.0)]
        best = min((minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}) for start in starts),
                   key=lambda result: float(result.fun))  # fmt: skip
        gammas, betas = np.split(best.x, 2)
        chances = [float(s.probabilities(gammas, betas) @ t) for s, t in zip(simulations, targets, strict=True)]
        found[str(depth)] = {
            "gammas": [round(float(angle), 6) for angle in gammas],
            "betas": [round(float(angle), 6) for angle in betas],
            "geometric_mean": round(float(np.exp(-best.fun)), 4),
            "mean": round(float(np.mean(chances)), 4),
        }
    return {
        "sizes": [f"{g}x{t}" for g, t in sizes],
        "states": round(float(np.exp(np.mean([np.log(simulation.states) for simulation in simulations]))), 1),
        "instances": len(simulations),
        "depths": found,
    }


def main() -> None:
    """Tune and write."""
    parser = argparse.ArgumentParser(description="Tune the transferred schedules of the QAOA ansaetze.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--instances", type=int, default=24, help="random instances of each size")
    parser.add_argument("--ansaetze", nargs="+", choices=list(CLASSES), default=list(CLASSES))
    parser.add_argument("--depths", nargs="+", type=int, default=list(DEPTHS))
    parser.add_argument("--out", type=Path, default=RAMPS)
    chosen = parser.parse_args()
    document: dict[str, Any] = json.loads(chosen.out.read_text("utf-8")) if chosen.out.is_file() else {"ansaetze": {}}
    document["made_by"] = f"python -m agents.quantum.tune_ramps --seed {chosen.seed} --instances {chosen.instances}"
    document["numpy"] = np.__version__
    for kind in chosen.ansaetze:
        ansatz = kind.removesuffix(", distinct")
        rng = np.random.Generator(np.random.Philox(key=[chosen.seed, ANSAETZE.index(ansatz)]))
        classes = []
        for sizes in CLASSES[kind]:
            classes.append(tune(kind, sizes, sorted(chosen.depths), chosen.instances, rng))
            for depth, row in classes[-1]["depths"].items():
                chances = f"geometric mean {row['geometric_mean']}, mean {row['mean']}"
                print(f"{kind} {' '.join(classes[-1]['sizes'])} p={depth}: P(optimum) {chances}", flush=True)
        document["ansaetze"][kind] = sorted(classes, key=lambda one: float(one["states"]))
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
