"""Expectations of QAOA and Grover search that have a closed form: what simulators are checked against."""

import numpy as np


def depth_one_ising(h: np.ndarray, J: np.ndarray, gamma: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Means of Z_i and Z_i Z_j after one QAOA layer on an Ising energy with fields.

    The state is exp(-i beta sum X) exp(-i gamma C) |+>, C = sum_i h_i Z_i + sum_{i<j} J_ij Z_i Z_j. In the Heisenberg
    picture the mixer turns Z into cos 2beta Z + sin 2beta Y, and the mean of a product of Y's in the phased |+> is that
    of sines and cosines of independent random spins (Ozaeta, van Dam, McMahon 2022, arXiv 2012.03421):

        <Z_i> = sin 2b sin 2g h_i prod_k cos 2g J_ik
        <Z_i Z_j> = 1/2 sin 4b sin 2g J_ij [cos 2g h_i prod_k cos 2g J_ik + the same with i and j swapped]
                    + 1/2 sin^2 2b [cos 2g(h_i - h_j) prod_k cos 2g(J_ik - J_jk)
                                    - cos 2g(h_i + h_j) prod_k cos 2g(J_ik + J_jk)],

    k over all spins but i (first line) and all but i and j (the others).

    Args:
        h: (n,) float64 fields.
        J: (n, n) float64 couplings, symmetric, zero on the diagonal.
        gamma: cost angle [rad per unit of energy].
        beta: mixer angle [rad].

    Returns:
        (n,) float64 means of Z_i and (n, n) float64 means of Z_i Z_j, ones on the diagonal; each in [-1, 1].
    """
    n, phase = h.size, 2.0 * gamma
    cosines = np.cos(phase * J)  # ones on the diagonal
    means = np.sin(2.0 * beta) * np.sin(phase * h) * cosines.prod(axis=1)
    pairs = np.eye(n)
    for i in range(n):
        for j in range(i + 1, n):
            others = np.arange(n)[(np.arange(n) != i) & (np.arange(n) != j)]
            single = np.cos(phase * h[i]) * cosines[i, others].prod() + np.cos(phase * h[j]) * cosines[j, others].prod()
            minus = np.cos(phase * (h[i] - h[j])) * np.cos(phase * (J[i, others] - J[j, others])).prod()
            plus = np.cos(phase * (h[i] + h[j])) * np.cos(phase * (J[i, others] + J[j, others])).prod()
            value = 0.5 * np.sin(4.0 * beta) * np.sin(phase * J[i, j]) * single
            pairs[i, j] = pairs[j, i] = value + 0.5 * np.sin(2.0 * beta) ** 2 * (minus - plus)
    return means, pairs


def grover_success(marked: int, states: int, rotations: int) -> float:
    """Probability sin^2((2r + 1) theta) of a marked state after r Grover rotations, sin^2 theta = marked / states.

    Source: Boyer, Brassard, Hoyer, Tapp 1998, Fortschr. Phys. 46:493 (quant-ph/9605034), section 3.
    """
    theta = np.arcsin(np.sqrt(marked / states))
    return float(np.sin((2 * rotations + 1) * theta) ** 2)
