"""How fast QAOA is simulated here, beside PennyLane's lightning.qubit and QOKit, on one thread.

    python benchmarks/qaoa_speed.py                     # several minutes, most of them lightning's at 20 qubits
    python benchmarks/qaoa_speed.py --json qaoa.json
    python benchmarks/qaoa_speed.py --qokit-python ../qokit-venv/bin/python    # see benchmarks/_qokit.py
    python benchmarks/qaoa_speed.py --quick             # seconds: only to see that it runs

The task is the same for all: the mean energy of a dense Ising model (every field, every coupling) after eight layers,
and its gradient. PennyLane applies gates (RZ, IsingZZ, RX on lightning.qubit) and its probabilities are multiplied by
our energies; its gradient is the device's adjoint method on the Hamiltonian's Pauli terms. Times are CPU seconds of the
one thread, the median of the repeats; with other jobs on the machine they vary, so the rivals take turns.
"""

import argparse
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _measure import copy_bytes_s, machine
from rich.table import Table

from agents.quantum.ising import Ising
from agents.quantum.parameters import transferred_ramp
from agents.quantum.simulator import Batch, IsingSimulation, Simulation
from agents.quantum.simulator.diagonal import ising_energies
from agents.quantum.tune_ramps import optima, random_instance
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

DEPTH = 8
AIMS = {"expectation": {12: 60, 16: 30, 20: 20}, "gradient": {12: 100, 16: 40, 20: 30}}
AIM_BATCH, AIM_DIAGONAL_S = 2.0, 0.010
BATCH, BATCH_QUBITS = 256, 8
ANGLES = np.linspace(0.02, 0.1, DEPTH), np.linspace(0.6, 0.1, DEPTH)
PEER = Path(__file__).with_name("_qokit.py")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Expectations and gradients of QAOA per second.")
    parser.add_argument("--qubits", type=int, nargs="+", default=[8, 12, 16, 20])
    parser.add_argument("--repeats", type=int, default=5, help="times each measurement is made (default: 5)")
    parser.add_argument("--qokit-python", metavar="PYTHON", help="a Python that has QOKit with its C library built")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="up to 8 qubits, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    if chosen.quick:
        chosen.qubits, chosen.repeats = [6, 8], 2
    return chosen


def dense_ising(qubits: int, seed: int) -> Ising:
    """All fields and couplings, Gaussian."""
    rng = np.random.default_rng([seed, qubits])
    first, second = np.triu_indices(qubits, 1)
    none = np.zeros(0, np.int64)
    pairs = np.stack([first, second], axis=1)
    return Ising(rng.normal(size=qubits), pairs, rng.normal(size=first.size), 0.0, (), none, none, none)


def cpu_s(call: Callable[[], Any]) -> float:
    """CPU seconds of this thread for one call."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def best_of(call: Callable[[], Any], least_s: float = 0.02) -> float:
    """CPU seconds of one call, over so many calls that the clock's grain does not matter."""
    calls, spent = 0, 0.0
    while spent < least_s:
        spent += cpu_s(call)
        calls += 1
    return spent / calls


def lightning(ising: Ising, energies: np.ndarray) -> tuple[Callable[[], float], Callable[[], Any]]:
    """The same expectation and gradient by gates."""
    os.environ["OMP_NUM_THREADS"] = "1"  # lightning reads it when it is loaded
    import pennylane as qml
    from pennylane import numpy as qnp

    device = qml.device("lightning.qubit", wires=ising.qubits)
    pairs = ising.pairs.tolist()

    def layers(gammas: Any, betas: Any) -> None:
        for qubit in range(ising.qubits):
            qml.Hadamard(wires=qubit)
        for k in range(DEPTH):
            for qubit in range(ising.qubits):
                qml.RZ(2.0 * gammas[k] * ising.h[qubit], wires=qubit)
            for pair, coupling in zip(pairs, ising.J, strict=True):
                qml.IsingZZ(2.0 * gammas[k] * coupling, wires=pair)
            for qubit in range(ising.qubits):
                qml.RX(-2.0 * betas[k], wires=qubit)

    @qml.qnode(device, interface=None, diff_method=None)
    def probabilities(gammas: Any, betas: Any) -> Any:
        layers(gammas, betas)
        return qml.probs(wires=range(ising.qubits))

    words = [qml.Z(q) for q in range(ising.qubits)] + [qml.Z(a) @ qml.Z(b) for a, b in pairs]
    hamiltonian = qml.Hamiltonian([*ising.h.tolist(), *ising.J.tolist()], words)

    @qml.qnode(device, interface="autograd", diff_method="adjoint")
    def energy(gammas: Any, betas: Any) -> Any:
        layers(gammas, betas)
        return qml.expval(hamiltonian)

    trainable = [qnp.array(angles, requires_grad=True) for angles in ANGLES]
    slopes = qml.grad(energy)
    return lambda: float(probabilities(*ANGLES) @ energies), lambda: slopes(*trainable)


def against_lightning(qubits: int, repeats: int) -> dict[str, Any]:
    """Both in turn; their answers are compared too."""
    ising = dense_ising(qubits, 1)
    simulation = IsingSimulation(ising)
    expectation, gradient = lightning(ising, simulation.costs)
    theirs_repeats = repeats if qubits < 16 else 1 + (qubits < 20)
    error = abs(simulation.expectation(*ANGLES) - expectation())
    slopes: list[Any] = []
    times: dict[str, list[float]] = {"diagonal": [], "expectation": [], "gradient": [], "gates": [], "adjoint": []}
    for number in range(max(repeats, 3)):
        times["diagonal"].append(best_of(lambda: ising_energies(ising)))
        times["expectation"].append(best_of(lambda: simulation.expectation(*ANGLES)))
        times["gradient"].append(best_of(lambda: simulation.gradient(*ANGLES)))
        if number < theirs_repeats:
            times["gates"].append(cpu_s(expectation))
            if number == 0 or qubits < 20:
                times["adjoint"].append(cpu_s(lambda: slopes.append(gradient())))
    gradient_error = float(np.abs(np.array(simulation.gradient(*ANGLES)[1:]) - np.array(slopes[0])).max())
    row: dict[str, Any] = {"qubits": qubits, "error": error, "gradient_error": gradient_error}
    row |= {f"{what}_s": median(seen) for what, seen in times.items()}
    row |= {f"{what}_s_low": min(seen) for what, seen in times.items()}
    row |= {
        "times_expectation": row["gates_s"] / row["expectation_s"],
        "times_gradient": row["adjoint_s"] / row["gradient_s"],
    }
    return row


def batch(repeats: int) -> dict[str, float]:
    """256 instances of 8 qubits, one at a time and side by side."""
    simulations = [IsingSimulation(dense_ising(BATCH_QUBITS, seed)) for seed in range(BATCH)]
    together = Batch(simulations)
    single, side_by_side = [], []
    for _ in range(max(repeats, 3)):
        single.append(cpu_s(lambda: [one.expectation(*ANGLES) for one in simulations]) / BATCH)
        side_by_side.append(cpu_s(lambda: together.expectations(*ANGLES)) / BATCH)
    return {"single_s": median(single), "batch_s": median(side_by_side), "times": median(single) / median(side_by_side)}


def large(groups: int, options: int, ansatz: str = "swap") -> dict[str, Any]:
    """One distinct problem with as many one-hot qubits as no state vector holds."""
    problem = random_instance(groups, options, np.random.default_rng([2, groups, options]))
    start = time.perf_counter()
    simulation = Simulation(problem, ansatz)
    build_s = time.perf_counter() - start
    angles = transferred_ramp(ansatz, DEPTH, simulation.states)
    start = time.perf_counter()
    probabilities = simulation.probabilities(*angles)
    run_s = time.perf_counter() - start
    start = time.perf_counter()
    simulation.gradient(*angles)
    return {
        "size": f"{groups}x{options}", "ansatz": ansatz, "qubits": simulation.qubits, "states": simulation.states,
        "build_s": build_s, "run_s": run_s, "gradient_s": time.perf_counter() - start,
        "table_bytes": simulation.nbytes, "state_bytes": 16 * simulation.states,
        "process_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "norm_error": abs(float(probabilities.sum()) - 1.0),
        "p_optimum": float(probabilities @ optima(simulation)), "uniform_p_optimum": float(optima(simulation).mean()),
    }  # fmt: skip


def qokit(python: str | None, chosen: argparse.Namespace) -> dict[str, Any] | str:
    """Seconds of an expectation by QOKit's C simulator, by qubits; or why there are none."""
    if python is None:
        return "not given"
    command = [python, str(PEER), "--repeats", str(chosen.repeats), "--qubits", *map(str, chosen.qubits)]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    if done.returncode != 0:
        return f"failed: {done.stderr.strip().splitlines()[-1:]}"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as plain numbers."""
    for ansatz in ("penalty-x", "swap"):  # compile
        Simulation(random_instance(2, 3, np.random.default_rng(0)), ansatz).gradient(*ANGLES)
    IsingSimulation(dense_ising(15, 0)).gradient(*ANGLES)
    Batch([IsingSimulation(dense_ising(2, seed)) for seed in range(9)]).expectations(*ANGLES)
    rows = [against_lightning(qubits, chosen.repeats) for qubits in chosen.qubits]
    theirs = qokit(chosen.qokit_python, chosen)
    if isinstance(theirs, dict):
        for row in rows:
            row["qokit_s"] = median(theirs["expectation_s"][str(row["qubits"])])
            row["times_qokit"] = row["qokit_s"] / row["expectation_s"]
    return {
        "machine": machine(),
        "copy_bytes_s": copy_bytes_s(16 if chosen.quick else 256),
        "rows": rows,
        "batch": batch(chosen.repeats),
        "large": [large(4, 5)] if chosen.quick else [large(8, 8), large(8, 10)],
        "qokit": theirs if isinstance(theirs, str) else theirs["version"],
    }


def show(results: dict[str, Any]) -> None:
    """Tables of the results."""
    console = screen()
    speeds = Table(title=f"Dense Ising, p = {DEPTH}, one thread: CPU ms, and times faster (aim)")
    columns = ("qubits", "diagonal", "expectation", "gates", "times", "QOKit", "times", "gradient", "adjoint", "times")
    for column in columns:
        speeds.add_column(column, justify="right")
    for row in results["rows"]:
        cells = [f"{row['qubits']}"] + [
            f"{1e3 * row[f'{what}_s']:.3g}" for what in ("diagonal", "expectation", "gates")
        ]
        cells += [with_aim(row, "expectation")]
        cells += [f"{1e3 * row['qokit_s']:.3g}", f"{row['times_qokit']:.1f}"] if "qokit_s" in row else ["", ""]
        cells += [f"{1e3 * row[f'{what}_s']:.4g}" for what in ("gradient", "adjoint")] + [with_aim(row, "gradient")]
        speeds.add_row(*cells)
    console.print(speeds)
    one = results["batch"]
    console.print(
        f"{BATCH} instances of {BATCH_QUBITS} qubits: {1e6 * one['single_s']:.1f} us each alone, "
        f"{1e6 * one['batch_s']:.1f} us side by side: {one['times']:.1f} times (aim {AIM_BATCH:g})."
    )
    for row in results["large"]:
        console.print(
            f"{row['size']}, {row['ansatz']}: {row['qubits']} one-hot qubits, {row['states']:,} states. Built in "
            f"{row['build_s']:.2f} s, p = {DEPTH} in {row['run_s']:.3f} s, gradient in {row['gradient_s']:.3f} s. "
            f"Tables and costs {row['table_bytes'] / 1e6:.1f} MB, amplitudes {row['state_bytes'] / 1e6:.1f} MB, "
            f"process at most {row['process_peak_bytes'] / 1e6:.0f} MB. Norm off by {row['norm_error']:.0e}; P(opt.) "
            f"{row['p_optimum']:.3g}, uniform sampling {row['uniform_p_optimum']:.3g}."
        )
    if "times_qokit" not in results["rows"][0]:
        console.print(f"QOKit: {results['qokit']}, so it is not compared.")
    machine_ = results["machine"]
    console.print(
        f"{machine_['processor']}, {machine_['cores']} cores, load {machine_['load']}; "
        f"memory copy {results['copy_bytes_s'] / 1e9:.1f} GB/s."
    )


def with_aim(row: dict[str, Any], what: str) -> str:
    """A ratio and its aim."""
    aim = AIMS[what].get(row["qubits"])
    return f"{row[f'times_{what}']:.0f}" + (f" ({aim})" if aim else "")


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {k: v for k, v in vars(chosen).items() if k != "json"}
        write_json(chosen.json, "benchmarks/qaoa_speed.py", config, results)


if __name__ == "__main__":
    main()
