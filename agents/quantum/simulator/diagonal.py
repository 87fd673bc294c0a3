"""Energies of all 2^n bit strings of an Ising model, by doubling."""

import numba
import numpy as np

from agents.quantum.ising import Ising
from agents.quantum.simulator.phases import ELEMENTWISE


def ising_energies(ising: Ising) -> np.ndarray:
    """(2^n,) float64 energies in units of the problem's cost; qubit 0 is the most significant bit.

    Adding a qubit doubles the list: where its bit is 1, the energy differs by -2 (h_q + sum J_qr z_r), and that
    difference is itself a list built by doubling. Two additions per energy instead of n^2.
    """
    qubits = ising.qubits
    couplings = np.zeros((qubits, qubits))
    couplings[ising.pairs[:, 0], ising.pairs[:, 1]] = ising.J
    couplings += couplings.T
    energies = np.empty(1 << qubits)
    energies[0] = ising.offset + ising.h.sum() + ising.J.sum()
    # Least significant bit first.
    _double(energies, ising.h[::-1].copy(), couplings[::-1, ::-1].copy())
    return energies


@numba.njit(**ELEMENTWISE)
def _double(energies, h, couplings):
    for q in range(h.size):
        size = 1 << q
        upper, total = energies[size : 2 * size], 0.0
        for r in range(h.size):
            total += couplings[q, r]
        # All lower qubits at z = +1 and, not being added yet, all higher ones too.
        upper[0] = -2.0 * (h[q] + total)
        for r in range(q):
            step, half = 4.0 * couplings[q, r], 1 << r
            for x in range(np.uint64(half)):
                upper[np.uint64(half) + x] = upper[x] + step
        for x in range(np.uint64(size)):
            upper[x] += energies[x]
