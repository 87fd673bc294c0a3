"""Angles of QAOA that are best on whole ensembles: regular trees and the infinite Sherrington-Kirkpatrick model.

Layer k applies exp(-i gamma_k C) and then exp(-i beta_k sum X). For "regular-D" C is the number of cut edges, which is
maximised (arXiv 2107.00677 calls these fixed angles); for "sherrington-kirkpatrick" C = n^(-1/2) sum J_ij Z_i Z_j and
C is maximised too (arXiv 1910.08187; large-degree MaxCut of 2110.14206). Made by ``python -m training.optimal_angles``.
"""

import json
from pathlib import Path

import numpy as np

from agents.planning.problem import PlanningError

ANGLES_FILE = Path(__file__).parent / "data" / "optimal_angles.json"


def optimal_angles(ensemble: str, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Gammas (p,) and betas (p,) float64 [rad].

    Args:
        ensemble: "regular-3" (p <= 11), "regular-4", "regular-5" (p = 1) or "sherrington-kirkpatrick" (p <= 12).
        depth: number of layers p.

    Raises:
        PlanningError: no angles are kept for this ensemble and depth.
    """
    table = json.loads(ANGLES_FILE.read_text())["angles"]
    found = table.get(ensemble, {}).get(str(depth))
    if found is None:
        kept = "; ".join(f"{name}: p = 1..{len(depths)}" for name, depths in table.items())
        raise PlanningError(f"no angles for {ensemble!r} at depth {depth}; kept are {kept}")
    return np.array(found["gammas"]), np.array(found["betas"])
