"""Noisy QAOA by Pauli trajectories against density matrices: time and agreement, in one run.

Examples: `python benchmarks/noise_speed.py` · `python benchmarks/noise_speed.py --crossing --json crossing.json`

The first table runs one circuit by both methods. The density matrices are PennyLane's default.mixed with the same
depolarising channel after every native gate (16 Kraus operators for two qubits); they square the memory, and time
grows 16-fold for two qubits more, so the larger size runs fewer layers. Total variation is between the two results;
"bound" is what a right simulation stays below except with probability 1e-6 (see
tests/unit/agents/quantum/test_trajectories.py).

With --crossing: P(optimum) against the two-qubit error for xy-ring and swap at p = 8 with transferred ramps, over
random distinct problems, and the error rate where the curves cross.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from agents.planning import Problem
from agents.quantum.calibrations import HERON, IDEAL, Noise
from agents.quantum.circuits import build
from agents.quantum.gates import resources
from agents.quantum.parameters import ramp_for
from agents.quantum.program import compile_circuit
from agents.quantum.trajectories import circuit_probabilities, noisy_quality, read_out

SEED = 2026
RATES = [1e-4, 3e-4, 4e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 4e-3]
_AGAINST = [  # groups, options, ansatz, layers
    (2, 3, "xy-ring", 8),
    (2, 4, "xy-ring", 1),
]


def random_problem(rng: np.random.Generator, groups: int, options: int) -> Problem:
    """A distinct problem with uniform linear and Gaussian pairwise costs of comparable spread."""
    pairwise = np.zeros((groups, options, groups, options))
    for g, h in itertools.combinations(range(groups), 2):
        pairwise[g, :, h, :] = 0.25 * rng.normal(size=(options, options))
        pairwise[h, :, g, :] = pairwise[g, :, h, :].T
    return Problem.from_costs(rng.random((groups, options)), pairwise, distinct=True)


def against_density_matrices(
    noise: Noise, trajectories: int, rows: list[tuple[int, int, str, int]]
) -> list[dict[str, Any]]:
    from agents.quantum import reference

    results = []
    for groups, options, ansatz, depth in rows:
        problem = random_problem(np.random.default_rng(SEED), groups, options)
        circuit = build(problem, ansatz, *ramp_for(problem, ansatz, depth))
        rng = np.random.default_rng(SEED)
        circuit_probabilities(circuit, noise, trajectories=2, rng=rng)  # compiles the kernels
        start = time.perf_counter()
        found = circuit_probabilities(circuit, noise, trajectories=trajectories, rng=rng)
        ours_s = time.perf_counter() - start
        start = time.perf_counter()
        exact = read_out(reference.circuit_probabilities(circuit, device="default.mixed", noise=noise), noise)
        density_s = time.perf_counter() - start
        ideal = circuit_probabilities(circuit, Noise(), trajectories=1, rng=rng)
        erring = 1.0 - compile_circuit(circuit, noise).no_error
        results.append(
            {
                "qubits": circuit.wires,
                "circuit": f"{ansatz} {groups}x{options} p={depth}",
                "two_qubit_gates": resources(circuit, IDEAL).two_qubit,
                "trajectories_s": ours_s,
                "density_s": density_s,
                "total_variation": 0.5 * float(np.abs(found - exact).sum()),
                "bound": erring * float(np.sqrt(np.log(1e6) / (2 * trajectories)))
                + 0.5 * float(np.sqrt(np.minimum(erring, exact) * erring / trajectories).sum()),
                "noise": 0.5 * float(np.abs(ideal - exact).sum()),
            }
        )
        print(
            "{qubits:>7} {circuit:<18} {two_qubit_gates:>9} {trajectories_s:>15.3f} {density_s:>10.2f} "
            "{total_variation:>10.4f} {bound:>7.3f} {noise:>9.3f}".format(**results[-1]),
            flush=True,
        )
    return results


def crossing(
    sizes: list[tuple[int, int]], rates: list[float], instances: int, trajectories: int
) -> list[dict[str, Any]]:
    """Mean P(optimum) over instances; one-qubit errors and readout as ``HERON``, scaled with the two-qubit error."""
    results = []
    for groups, options in sizes:
        means: dict[str, list[float]] = {"xy-ring": [], "swap": []}
        for p2 in rates:
            scale = p2 / HERON.p2
            noise = Noise(HERON.p1 * scale, p2)
            row = f"{groups}x{options} p2={p2:<8g}"
            for ansatz, values in means.items():
                first = random_problem(np.random.default_rng([SEED, 0]), groups, options)
                gammas, betas = ramp_for(first, ansatz, 8)  # the same for all of one size
                start = time.perf_counter()
                runs = [
                    noisy_quality(
                        random_problem(np.random.default_rng([SEED, k]), groups, options),
                        ansatz,
                        gammas,
                        betas,
                        noise,
                        trajectories=trajectories,
                        rng=np.random.default_rng([SEED, k, 1]),
                    )
                    for k in range(instances)
                ]
                values.append(float(np.mean([run.p_optimum for run in runs])))
                error = float(np.sqrt(np.sum([run.p_optimum_error**2 for run in runs]))) / instances
                feasible = float(np.mean([run.p_feasible for run in runs]))
                row += f"  {ansatz}: P(optimum) {values[-1]:.4f} ±{error:.4f}, feasible {feasible:.3f},"
                row += f" {time.perf_counter() - start:.1f} s"
            print(row, flush=True)
        crossed = _crossed(rates, means)
        print(f"{groups}x{options}: xy-ring overtakes swap at p2 = {crossed}, infidelity {crossed and crossed / 1.25}")
        results.append({"size": f"{groups}x{options}", "p2": rates, **means, "crossing_p2": crossed})
    return results


def _crossed(rates: list[float], means: dict[str, list[float]]) -> float | None:
    """Two-qubit error where xy-ring reaches swap, by interpolation of the logarithm of their ratio."""
    ratio = np.log(np.array(means["xy-ring"]) / np.array(means["swap"]))
    above = np.flatnonzero((ratio[:-1] < 0.0) & (ratio[1:] >= 0.0))
    if not above.size:
        return None
    k = int(above[0])
    return float(rates[k] + (rates[k + 1] - rates[k]) * ratio[k] / (ratio[k] - ratio[k + 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=300)
    parser.add_argument("--crossing", action="store_true", help="P(optimum) against the two-qubit error instead")
    parser.add_argument("--instances", type=int, default=10, help="problems per point of --crossing")
    parser.add_argument("--sizes", nargs="+", default=["3x3", "3x4"], help="groups x options of --crossing")
    parser.add_argument("--rates", nargs="+", type=float, help="two-qubit Pauli error probabilities of --crossing")
    parser.add_argument("--quick", action="store_true", help="six qubits and two error rates only")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any]
    if arguments.crossing:
        rates = arguments.rates or ([1e-3, 4e-3] if arguments.quick else RATES)
        sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes]
        result = {"crossing": crossing(sizes, rates, arguments.instances, arguments.trajectories)}
    else:
        print("qubits  circuit            2q gates  trajectories [s]  density [s]  TV      bound  noise TV")
        rows = _AGAINST[:1] if arguments.quick else _AGAINST
        result = {"against": against_density_matrices(HERON.noise, arguments.trajectories, rows)}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
