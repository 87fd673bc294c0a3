"""Noisy circuits by Pauli trajectories: state vectors with random Pauli errors after native gates, exact readout.

After each native one-qubit gate one of 3 Paulis follows with probability p1, after each native two-qubit gate one of 15
with p2; averaged over trajectories that is depolarising noise. What keeps it fast and its scatter small:

- without any error the state is known: its share P0 = prod (1 - p) enters exactly, and every trajectory drawn has an
  error, its first one drawn from the exact distribution of first errors;
- trajectories are run in the order of their first errors and start from copies of one error-free state;
- a gate is taken apart into native gates only where an error falls inside it, and then as a matrix on its own wires.
  Otherwise it is one pass over the few basis states it moves (an EXCHANGE moves 1 in 8), and a run of diagonal gates
  is one multiplication.

Readout flips every bit independently, applied to the probabilities as a product of 2 x 2 matrices. Not modelled: decay
of idle qubits (T1, T2), crosstalk, leakage out of the qubit, coherent errors, and couplings missing on a chip.
"""

from dataclasses import dataclass

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.calibrations import Noise
from agents.quantum.circuits import build
from agents.quantum.gates import Circuit
from agents.quantum.ising import bits_of, encode, penalised
from agents.quantum.program import add_trajectories, compile_circuit, draw_errors, final_state

MAX_WIRES = 20  # 2^20 amplitudes are 16 MiB, and every run of diagonal gates keeps as much
_BATCHES = 16  # of which the standard errors are taken


@dataclass(frozen=True)
class NoisyQuality:
    """How good the samples of a noisy circuit are.

    Attributes:
        p_optimum: probability that a shot is an optimal choice, in [0, 1].
        p_feasible: probability that a shot is a feasible choice, in [0, 1].
        p_optimum_error, p_feasible_error: their standard errors from the trajectories, >= 0.
        p_no_error: probability that no gate fails, in [0, 1].
        trajectories: trajectories with at least one error that were averaged.
    """

    p_optimum: float
    p_feasible: float
    p_optimum_error: float
    p_feasible_error: float
    p_no_error: float
    trajectories: int


def noisy_probabilities(
    problem: Problem,
    ansatz: str,
    gammas: np.ndarray,
    betas: np.ndarray,
    noise: Noise,
    *,
    trajectories: int,
    rng: np.random.Generator,
    penalty_factor: float = 1.0,
) -> np.ndarray:
    """Probabilities of the one-hot strings that a noisy processor reads out.

    Args:
        problem: as :func:`agents.quantum.circuits.build` takes it.
        ansatz: one of :data:`agents.quantum.simulator.ANSAETZE`.
        gammas: (p,) cost angles [rad per standard deviation].
        betas: (p,) mixer angles [rad].
        noise: errors of gates and readout.
        trajectories: to average, >= 1; each has at least one error.
        rng: where errors are drawn from.
        penalty_factor: weight of penalties in bounds of the cost's range.

    Returns:
        (2^n,) float64, qubit 0 the most significant bit; ancillas are summed over.

    Raises:
        PlanningError: trajectories < 1, more than 20 wires, or as ``build``.
    """
    circuit = build(problem, ansatz, gammas, betas, penalty_factor=penalty_factor)
    return circuit_probabilities(circuit, noise, trajectories=trajectories, rng=rng)


def noisy_quality(
    problem: Problem,
    ansatz: str,
    gammas: np.ndarray,
    betas: np.ndarray,
    noise: Noise,
    *,
    trajectories: int,
    rng: np.random.Generator,
    penalty_factor: float = 1.0,
) -> NoisyQuality:
    """P(optimum) and P(feasible) of a noisy processor; arguments and errors as :func:`noisy_probabilities`."""
    circuit = build(problem, ansatz, gammas, betas, penalty_factor=penalty_factor)
    batches, clean = _batch_probabilities(circuit, noise, trajectories, rng)
    ising = encode(penalised(problem))
    bits = bits_of(np.arange(1 << ising.qubits), ising.qubits)
    choices, valid = ising.decode(bits)
    costs = np.full(len(bits), np.inf)
    costs[valid] = problem.costs(choices[valid])
    feasible = np.isfinite(costs)
    optimal = costs <= costs.min() + 1e-9 * max(1.0, abs(float(costs.min())))
    values = np.stack([batches[:, optimal].sum(axis=1), batches[:, feasible].sum(axis=1)])
    means = values.mean(axis=1)
    errors = values.std(axis=1, ddof=1) / np.sqrt(len(batches)) if len(batches) > 1 else np.zeros(2)
    return NoisyQuality(
        p_optimum=float(means[0]),
        p_feasible=float(means[1]),
        p_optimum_error=float(errors[0]),
        p_feasible_error=float(errors[1]),
        p_no_error=clean,
        trajectories=trajectories,
    )


def circuit_probabilities(circuit: Circuit, noise: Noise, *, trajectories: int, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (2^qubits,) of a gate list on a noisy processor; see :func:`noisy_probabilities`."""
    batches, _ = _batch_probabilities(circuit, noise, trajectories, rng)
    return np.asarray(batches.mean(axis=0))


def read_out(probabilities: np.ndarray, noise: Noise) -> np.ndarray:
    """Probabilities (2^n,) of what is read when every bit flips independently."""
    if noise.read_1_of_0 == noise.read_0_of_1 == 0.0:
        return probabilities
    confusion = np.array([[1.0 - noise.read_1_of_0, noise.read_0_of_1], [noise.read_1_of_0, 1.0 - noise.read_0_of_1]])
    for qubit in range(probabilities.size.bit_length() - 1):
        table = probabilities.reshape(1 << qubit, 2, -1)
        probabilities = np.einsum("ij,ajb->aib", confusion, table).reshape(-1)
    return probabilities


def _batch_probabilities(
    circuit: Circuit, noise: Noise, trajectories: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """(B, 2^qubits) independent estimates of equal size, whose mean is the answer, and P0."""
    if trajectories < 1:
        raise PlanningError(f"trajectories: must be >= 1, got {trajectories}")
    if circuit.wires > MAX_WIRES:
        raise PlanningError(
            f"trajectories: the circuit needs {circuit.qubits} qubits and {circuit.ancillas} ancillas, "
            f"allowed are {MAX_WIRES} wires"
        )
    program = compile_circuit(circuit, noise)
    share = program.no_error
    ideal = np.abs(final_state(program)) ** 2
    if share == 1.0:
        mixed = ideal[None, :]
    else:
        batches = np.zeros((min(_BATCHES, trajectories), ideal.size))
        add_trajectories(program, draw_errors(program, trajectories, rng), batches)
        # Weighted so that the mean over batches of unequal size is the mean of all trajectories.
        mixed = share * ideal + (1.0 - share) * (len(batches) / trajectories) * batches
    measured = mixed.reshape(len(mixed), 1 << circuit.qubits, -1).sum(axis=2)
    return np.stack([read_out(row, noise) for row in measured]), share
