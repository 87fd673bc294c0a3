"""Many instances of one shape with the same angles at once: a lane of the processor for each.

Small states leave a processor's vector units half empty and a call's overhead dominant. Here amplitude x of several
instances lie side by side, so that every rotation is one vector operation over them and a call serves them all. Each
instance undergoes the same operations in the same order as alone: the results are the same to the last bit.
"""

from collections.abc import Sequence

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.simulator.phases import mean_of
from agents.quantum.simulator.simulation import Simulation, StateVector, check_angles

_AMPLITUDES = 1 << 12  # of all lanes together: 32 KiB a plane
_FEWEST, _MOST = 8, 64  # lanes


class Batch:
    """Simulations that share basis and mixer, side by side.

    Args:
        simulations: of one ansatz on problems of one shape, or of Ising energies on as many qubits; at least one.

    Raises:
        PlanningError: none given, or their bases or mixers differ.
    """

    def __init__(self, simulations: Sequence[StateVector]) -> None:
        if not simulations:
            raise PlanningError("batch: no simulation given")
        self._simulations = list(simulations)
        first = self._simulations[0]
        for k, other in enumerate(self._simulations):
            if other.states != first.states or not other.mixer.same_as(first.mixer):
                raise PlanningError(f"batch: simulation {k} has another basis or mixer than simulation 0")
        self._states = first.states
        lanes = min(_MOST, _AMPLITUDES // self._states)
        self._lanes = lanes if lanes >= _FEWEST and len(self._simulations) > 1 else 1
        self._mixer = first.mixer.in_lanes(self._lanes) if self._lanes > 1 else None
        self._turns = [] if self._mixer is None else [self._side_by_side(part) for part in self._parts()]

    def _parts(self) -> list[list[StateVector]]:
        return [self._simulations[k : k + self._lanes] for k in range(0, len(self._simulations), self._lanes)]

    def _side_by_side(self, part: list[StateVector]) -> np.ndarray:
        """(N x lanes,) turns; the lanes beyond the last instance repeat it."""
        filled = [*part, *[part[-1]] * (self._lanes - len(part))]
        return np.stack([simulation.turns for simulation in filled], axis=1).reshape(-1)

    def probabilities(self, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """(B, N) float64 probabilities; arguments and errors as :meth:`Simulation.probabilities`."""
        if self._mixer is None:
            return np.stack([simulation.probabilities(gammas, betas) for simulation in self._simulations])
        rows = []
        for re, im in self._final(gammas, betas):
            re *= re
            im *= im
            re += im
            rows.append(re.T)
        return np.concatenate(rows)[: len(self._simulations)]

    def expectations(self, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """(B,) float64 mean costs; arguments and errors as :meth:`Simulation.expectation`."""
        if self._mixer is None:
            return np.array([simulation.expectation(gammas, betas) for simulation in self._simulations])
        values = []
        for part, (re, im) in zip(self._parts(), self._final(gammas, betas), strict=True):
            rows = np.ascontiguousarray(re.T), np.ascontiguousarray(im.T)
            values += [mean_of(rows[0][k], rows[1][k], simulation.costs) for k, simulation in enumerate(part)]
        return np.array(values)

    def _final(self, gammas: np.ndarray, betas: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Final planes (N, lanes) of each part."""
        assert self._mixer is not None
        gammas, betas = check_angles(gammas, betas)
        planes = []
        for turns in self._turns:
            re, im = self._mixer.start(self._states)
            self._mixer.evolve(re, im, turns, gammas, betas, turns[:0])
            planes.append((re.reshape(self._states, -1), im.reshape(self._states, -1)))
        return planes


def simulate_batch(problems: Sequence[Problem], ansatz: str, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Probabilities of many problems of one shape under one schedule.

    Args:
        problems: of the same groups, allowed options and rules; at least one.
        ansatz: one of :data:`agents.quantum.simulator.ANSAETZE`.
        gammas: (p,) cost angles [rad per standard deviation of each problem's own costs].
        betas: (p,) mixer angles [rad].

    Returns:
        (B, N) float64, each row what :meth:`Simulation.probabilities` gives.

    Raises:
        PlanningError: as :class:`Simulation` and :class:`Batch`.
    """
    return Batch([Simulation(problem, ansatz) for problem in problems]).probabilities(gammas, betas)
