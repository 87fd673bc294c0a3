"""The far side: a QPU that gets masked requests as bytes and gives bit strings back, honestly or not.

It knows what was sent and nothing else. Its samples come from the noise model where the QPU is noisy, else from the
exact simulation of the circuit.
"""

from dataclasses import replace

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import Problem
from agents.quantum.calibrations import Noise
from agents.quantum.circuits import build
from agents.quantum.gates import Circuit, Gate
from agents.quantum.ising import Ising, bits_of, encode, penalised
from agents.quantum.job import Answer, Job, JobError, pack_answer, read_job
from agents.quantum.qpu import Qpu

_LOWEST = -1e30  # what a liar claims its answer costs


def serve(request: bytes, qpu: Qpu, rng: np.random.Generator) -> bytes | None:
    """Run a request.

    Args:
        request: bytes as received.
        qpu: how it behaves.
        rng: of the measurements, the noise and the failures.

    Returns:
        The answer's bytes; None where the QPU fails, or cannot read or hold the request.
    """
    if rng.random() < qpu.failure_rate:
        return None
    try:
        job = read_job(request)
    except JobError:
        return None
    layout = job.instance if isinstance(job.instance, Ising) else encode(penalised(job.instance))
    if not 1 <= layout.qubits <= qpu.max_qubits:
        return None
    if qpu.behaviour == "honest":
        bits = _measured(job, layout, qpu, rng)
        claimed = float(layout.energies(bits).min())
    elif qpu.behaviour == "random":
        bits = rng.integers(0, 2, (job.shots, layout.qubits), dtype=np.uint8)
        claimed = 0.0
    else:
        bits = np.tile(_worst(job, layout), (job.shots, 1))
        claimed = _LOWEST if qpu.behaviour == "inflated" else float(layout.energies(bits[:1])[0])
    return pack_answer(Answer(job.number, bits, claimed))


def one_hot(choices: np.ndarray, layout: Ising) -> np.ndarray:
    """Bit strings (N, n) uint8 of joint choices (N, G), in the layout of ``encode``."""
    return (np.asarray(choices)[:, layout.qubit_group] == layout.qubit_option).astype(np.uint8)


def draw(probabilities: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Measure: indices (shots,) int64 drawn from probabilities (N,), which add up to 1 but for rounding."""
    cumulative = np.cumsum(probabilities)
    return np.searchsorted(cumulative, rng.random(shots) * cumulative[-1], side="right").clip(0, cumulative.size - 1)


def _measured(job: Job, layout: Ising, qpu: Qpu, rng: np.random.Generator) -> np.ndarray:
    """Bit strings (shots, n) that the circuit gives."""
    if qpu.noisy and qpu.calibration.noise != Noise():
        from agents.quantum.trajectories import circuit_probabilities  # compiles on first use

        probabilities = circuit_probabilities(
            circuit_of(job), qpu.calibration.noise, trajectories=qpu.trajectories, rng=rng
        )
        return bits_of(draw(probabilities, job.shots, rng), layout.qubits)
    from agents.quantum.simulator import IsingSimulation, Simulation  # compiles on first use

    if isinstance(job.instance, Ising):
        found = draw(IsingSimulation(job.instance).probabilities(job.gammas, job.betas), job.shots, rng)
        return bits_of(found, layout.qubits)
    simulation = Simulation(job.instance, job.ansatz)
    found = draw(simulation.probabilities(job.gammas, job.betas), job.shots, rng)
    return one_hot(simulation.decode(found)[0], layout)


def circuit_of(job: Job) -> Circuit:
    """The gate list of a job; a gauged instance is an Ising energy under a transverse field."""
    if isinstance(job.instance, Problem):
        return build(job.instance, job.ansatz, job.gammas, job.betas)
    ising = job.instance
    gates = [Gate("H", (qubit,)) for qubit in range(ising.qubits)]
    for gamma, beta in zip(job.gammas.tolist(), job.betas.tolist(), strict=True):
        gates += [Gate("RZ", (qubit,), 2.0 * gamma * h) for qubit, h in enumerate(ising.h.tolist())]
        couplings = zip(ising.pairs.tolist(), ising.J.tolist(), strict=True)
        gates += [Gate("ZZ", (i, j), 2.0 * gamma * J) for (i, j), J in couplings]
        gates += [Gate("RX", (qubit,), -2.0 * beta) for qubit in range(ising.qubits)]
    return Circuit(ising.qubits, 0, tuple(gates))


def _worst(job: Job, layout: Ising) -> np.ndarray:
    """(n,) uint8: the bit string of highest cost that a greedy search finds."""
    if isinstance(job.instance, Problem):
        linear = np.where(job.instance.allowed, -job.instance.linear, np.inf)
        against = replace(job.instance, linear=linear, pairwise=-job.instance.pairwise)
        return np.asarray(one_hot(greedy_choice(against)[None], layout)[0])
    bits = np.zeros((1, layout.qubits), np.uint8)
    for qubit in range(layout.qubits):  # a spin after the other to where the energy is higher
        flipped = bits.copy()
        flipped[0, qubit] = 1
        bits = flipped if layout.energies(flipped)[0] > layout.energies(bits)[0] else bits
    return bits[0]
