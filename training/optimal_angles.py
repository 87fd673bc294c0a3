"""Angles that maximise QAOA on 3-, 4- and 5-regular trees and on the infinite Sherrington-Kirkpatrick model.

The published "fixed angles" (arXiv 2107.00677) and optimal parameters (arXiv 1910.08187, 2110.14206) are by definition
these maxima, so they are found again instead of being copied: ``python -m training.optimal_angles`` writes them to
``agents/quantum/data/optimal_angles.json``. Depth p + 1 starts from the interpolated angles of depth p (INTERP: Zhou,
Wang, Choi, Pichler, Lukin 2020, arXiv 1812.01041) and climbs by L-BFGS; p = 1 starts from the closed form of the
triangle-free p = 1 maximum (Wang, Hadfield, Jiang, Rieffel 2018, arXiv 1706.02998). Nine minutes of one core.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from agents.quantum.maxcut import tree_cut_fraction
from agents.quantum.optimal_angles import ANGLES_FILE
from agents.quantum.sherrington_kirkpatrick import infinite_size_energy

Objective = Callable[[np.ndarray, np.ndarray], float]
_STEP = 1e-6  # rad; the error of forward differences near the maximum, some 1e-6, moves the value by less than 1e-10
_DEEPEST = {"regular-3": 11, "regular-4": 1, "regular-5": 1, "sherrington-kirkpatrick": 12}


def objectives() -> dict[str, tuple[Objective, float]]:
    """By name, the value to maximise (gammas, betas) and the gamma to start from at p = 1 [rad]."""
    found: dict[str, tuple[Objective, float]] = {
        f"regular-{degree}": (partial(tree_cut_fraction, degree), float(np.arctan(1.0 / np.sqrt(degree - 1.0))))
        for degree in (3, 4, 5)
    }
    return {**found, "sherrington-kirkpatrick": (infinite_size_energy, 0.5)}


def interpolated(angles: np.ndarray) -> np.ndarray:
    """(p + 1,) angles between those of depth p, as INTERP places them."""
    depth = angles.size
    k = np.arange(depth + 1)
    before, here = np.concatenate([[0.0], angles]), np.concatenate([angles, [0.0]])
    return np.asarray((k * before + (depth - k) * here) / depth)


def maximise(objective: Objective, gammas: np.ndarray, betas: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Climb from these angles; the value at the top and its angles."""
    depth = gammas.size

    def loss(angles: np.ndarray) -> float:
        return -objective(angles[:depth], angles[depth:])

    options = {"maxiter": 100 if depth < 9 else 20, "ftol": 1e-11, "gtol": 1e-6, "eps": _STEP}
    found = minimize(loss, np.concatenate([gammas, betas]), method="L-BFGS-B", options=options)
    return -float(found.fun), found.x[:depth], found.x[depth:]


def main() -> None:
    """Find all angles and write the file; progress goes to stderr."""
    table: dict[str, dict[str, dict[str, object]]] = {}
    for name, (objective, gamma) in objectives().items():
        gammas, betas = np.array([gamma]), np.array([np.pi / 8.0])
        table[name] = {}
        for depth in range(1, _DEEPEST[name] + 1):
            if depth > 1:
                gammas, betas = interpolated(gammas), interpolated(betas)
            value, gammas, betas = maximise(objective, gammas, betas)
            print(f"{name} p={depth}: {value:.9f}", file=sys.stderr, flush=True)
            table[name][str(depth)] = {
                "value": round(value, 10),
                "gammas": [round(float(angle), 8) for angle in gammas],
                "betas": [round(float(angle), 8) for angle in betas],
            }
    source = (
        "maximised by python -m training.optimal_angles; units rad; conventions in agents/quantum/optimal_angles.py"
    )
    Path(ANGLES_FILE).write_text(json.dumps({"source": source, "angles": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
