"""One ansatz on one problem, exactly: costs once, then any number of parameter sets."""

import math
from typing import Protocol

import numpy as np

from agents.planning.problem import PlanningError, Problem
from agents.quantum.ising import Ising, encode, one_hot_qubits, penalised, penalty_ising
from agents.quantum.simulator.diagonal import ising_energies
from agents.quantum.simulator.enumeration import feasible_choices, product_costs
from agents.quantum.simulator.hypercube import TransverseField
from agents.quantum.simulator.pairs import ring_factors
from agents.quantum.simulator.swaps import swap_factors
from agents.quantum.simulator.uniform import UniformReflection
from agents.quantum.simulator.vectors import aligned

ANSAETZE = ("penalty-x", "xy-ring", "grover", "swap")
MAX_STATES = 1 << 24  # 24 bytes a state: 400 MB, and twice that for a gradient


class Mixer(Protocol):
    """Phase and mixer layers on the real and imaginary planes of N amplitudes."""

    @property
    def nbytes(self) -> int:
        """Memory of the mixer's tables."""

    def start(self, states: int) -> tuple[np.ndarray, np.ndarray]:
        """The planes (N,) of the mixer's ground state; all lanes' together, where there are lanes."""

    def same_as(self, other: "Mixer") -> bool:
        """Whether another mixer does the same."""

    def in_lanes(self, lanes: int) -> "Mixer | None":
        """The mixer on amplitudes of so many instances side by side; None where that would not be faster."""

    def evolve(
        self,
        re: np.ndarray,
        im: np.ndarray,
        turns: np.ndarray,
        gammas: np.ndarray,
        betas: np.ndarray,
        observable: np.ndarray,
    ) -> float:
        """Apply all layers in place; the mean of the observable (N,), 0 where it is empty."""

    def slopes(
        self,
        re: np.ndarray,
        im: np.ndarray,
        left_re: np.ndarray,
        left_im: np.ndarray,
        turns: np.ndarray,
        gammas: np.ndarray,
        betas: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run state and left state back to the start; the derivatives by gamma (p,) and beta (p,)."""


class StateVector:
    """Costs on a basis and a mixer: what all simulations share.

    Attributes:
        costs: (N,) float64 cost of each basis state, read-only.
        spread: standard deviation of the costs over the basis states, >= 0.
        turns: (N,) float64, full turns of each amplitude's phase for gamma = 1.
        mixer: what follows the phase in each layer.
    """

    def __init__(self, costs: np.ndarray, mixer: Mixer, scale: float | None) -> None:
        costs.flags.writeable = False
        self.costs, self.mixer = costs, mixer
        self.spread = float(costs.std())
        unit = self.spread if scale is None else scale
        # Equal costs leave rounding noise as their spread.
        level = unit > 1e-14 * max(float(costs.max()), -float(costs.min()))
        self.turns = aligned(1, costs.size)[0]
        self.turns[:] = (costs - costs.mean()) / (2.0 * np.pi * unit) if level else 0.0

    @property
    def states(self) -> int:
        """Number of basis states N."""
        return int(self.costs.size)

    @property
    def nbytes(self) -> int:
        """Memory held between calls; a call adds 16 bytes a state, a gradient 32."""
        return int(self.costs.nbytes + self.turns.nbytes + self.mixer.nbytes)

    def probabilities(self, gammas: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Probabilities of the basis states.

        Args:
            gammas: (p,) cost angles, p >= 0.
            betas: (p,) mixer angles [rad].

        Returns:
            (N,) float64.

        Raises:
            PlanningError: the angles are not two finite vectors of one length.
        """
        re, im, _ = self._final(*check_angles(gammas, betas), self.costs[:0])
        re *= re
        im *= im
        re += im
        return re

    def expectation(self, gammas: np.ndarray, betas: np.ndarray) -> float:
        """Mean cost of the final state, in cost units. Arguments as :meth:`probabilities`."""
        return self._final(*check_angles(gammas, betas), self.costs)[2]

    def gradient(
        self, gammas: np.ndarray, betas: np.ndarray, observable: np.ndarray | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Mean of a diagonal observable and its derivatives, by the adjoint method: as costly as a few expectations.

        Args:
            gammas: (p,) cost angles.
            betas: (p,) mixer angles [rad].
            observable: (N,) value of each basis state; the costs if None, an indicator of the optima gives P(optimum).

        Returns:
            The mean, its derivatives by gamma (p,) and by beta (p,).

        Raises:
            PlanningError: angles or observable do not fit.
        """
        gammas, betas = check_angles(gammas, betas)
        observable = self.costs if observable is None else np.ascontiguousarray(observable, dtype=np.float64)
        if observable.shape != self.costs.shape:
            raise PlanningError(f"observable: expected shape {self.costs.shape}, got {observable.shape}")
        re, im, value = self._final(gammas, betas, observable)
        left = aligned(2, self.states)
        np.multiply(observable, re, out=left[0])
        np.multiply(observable, im, out=left[1])
        return value, *self.mixer.slopes(re, im, left[0], left[1], self.turns, gammas, betas)

    def _final(
        self, gammas: np.ndarray, betas: np.ndarray, observable: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        re, im = self.mixer.start(self.states)
        return re, im, self.mixer.evolve(re, im, self.turns, gammas, betas, observable)


class IsingSimulation(StateVector):
    """The textbook QAOA of any Ising energy on all 2^n bit strings; qubit 0 is the most significant bit.

    Here gamma is in radians per unit of energy: layer k applies exp(-i gamma_k E) and exp(i beta_k sum X).

    Args:
        ising: energies; its registers are not used.
        max_states: most bit strings allowed.

    Raises:
        PlanningError: more than ``max_states`` bit strings.
    """

    def __init__(self, ising: Ising, *, max_states: int = MAX_STATES) -> None:
        _check_qubits(ising.qubits, max_states)
        super().__init__(ising_energies(ising), TransverseField(ising.qubits), 1.0)


class Simulation(StateVector):
    """One ansatz on one problem; gammas are in radians per standard deviation of the cost over the basis states.

    Layer k applies exp(-i gamma_k C / spread) and the mixer with beta_k. The basis is all bit strings for
    "penalty-x" (:func:`agents.quantum.ising.penalty_ising`), the allowed joint choices for "xy-ring" (a distinct
    rule becomes a penalty), and the feasible joint choices for "grover" and "swap"; choices are in lexicographic order,
    the first group slowest.

    Args:
        problem: what to decide.
        ansatz: one of :data:`ANSAETZE`.
        penalty_factor: penalties in ranges of the cost, for "penalty-x" and "xy-ring".
        max_states: most basis states allowed.

    Attributes:
        ansatz: its name.
        qubits: qubits of the one-hot encoding that the ansatz stands for.

    Raises:
        PlanningError: unknown ansatz, "swap" without a distinct rule, or more than ``max_states`` basis states.
    """

    def __init__(
        self, problem: Problem, ansatz: str, *, penalty_factor: float = 1.0, max_states: int = MAX_STATES
    ) -> None:
        if ansatz not in ANSAETZE:
            raise PlanningError(f"ansatz {ansatz!r}: allowed are {', '.join(ANSAETZE)}")
        if ansatz == "swap" and not problem.distinct:
            raise PlanningError("ansatz 'swap': the problem has no distinct rule; use 'xy-ring' or 'grover'")
        self.ansatz, self.problem = ansatz, problem
        self._ising = encode(penalised(problem, penalty_factor))
        self.qubits = self._ising.qubits
        self._choices: np.ndarray | None = None
        costs, mixer = self._basis_costs(penalty_factor, max_states)
        super().__init__(costs, mixer, None)

    def _basis_costs(self, penalty_factor: float, max_states: int) -> tuple[np.ndarray, Mixer]:
        if self.ansatz == "penalty-x":
            _check_qubits(self.qubits, max_states)
            return ising_energies(penalty_ising(self.problem, penalty_factor)), TransverseField(self.qubits)
        if self.ansatz == "xy-ring" or not self.problem.distinct:
            costs = product_costs(penalised(self.problem, penalty_factor), max_states)
            mixer = ring_factors(self._ising.registers) if self.ansatz == "xy-ring" else UniformReflection()
            return costs, mixer
        self._choices, costs = feasible_choices(self.problem, max_states)
        return costs, UniformReflection() if self.ansatz == "grover" else swap_factors(self.problem, self._choices)

    def decode(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint choices of basis states.

        Args:
            states: (M,) int, indices of basis states, in [0, N).

        Returns:
            Choices (M, G) int64, and (M,) bool whether the state is one-hot (where not, the row is meaningless).
            A broken distinct rule is left to :meth:`Problem.costs`.

        Raises:
            PlanningError: a state outside [0, N).
        """
        states = np.asarray(states, dtype=np.int64).reshape(-1)
        if states.size and (states.min() < 0 or states.max() >= self.states):
            raise PlanningError(f"decode: basis states must be in [0, {self.states}), got {states}")
        if self._choices is not None:
            return self._choices[states].astype(np.int64), np.ones(states.size, dtype=bool)
        if self.ansatz == "penalty-x":
            shifts = np.arange(self.qubits - 1, -1, -1)
            return self._ising.decode((states[:, None] >> shifts) & 1)
        choices, rest = np.empty((states.size, self.problem.groups), dtype=np.int64), states
        for g in range(self.problem.groups - 1, -1, -1):
            menu = np.flatnonzero(self.problem.allowed[g])
            choices[:, g] = menu[rest % menu.size]
            rest = rest // menu.size
        return choices, np.ones(states.size, dtype=bool)

    def basis(self) -> np.ndarray:
        """(N,) int64 index of each basis state among the 2^n one-hot strings, qubit 0 the most significant bit.

        Raises:
            PlanningError: more than 62 qubits.
        """
        if self.qubits > 62:
            raise PlanningError(f"basis: {self.qubits} qubits do not fit an int64 index; allowed are 62")
        if self.ansatz == "penalty-x":
            return np.arange(self.states)
        choices, _ = self.decode(np.arange(self.states))
        value = np.zeros((self.problem.groups, self.problem.options), dtype=np.int64)
        value[self._ising.qubit_group, self._ising.qubit_option] = 1 << np.arange(self.qubits - 1, -1, -1)
        return np.asarray(value[np.arange(self.problem.groups), choices].sum(axis=1))


def _check_qubits(qubits: int, max_states: int) -> None:
    if qubits > 62 or 1 << qubits > max_states:
        raise PlanningError(f"simulation: {qubits} qubits have 2^{qubits} states; max_states = {max_states}")


def check_angles(gammas: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The angles as float64 vectors, checked."""
    pair = np.ascontiguousarray(gammas, dtype=np.float64), np.ascontiguousarray(betas, dtype=np.float64)
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape:
        raise PlanningError(f"angles: gammas {pair[0].shape} and betas {pair[1].shape} must be vectors of one length")
    if not (np.isfinite(pair[0]).all() and np.isfinite(pair[1]).all()):
        raise PlanningError(f"angles: must be finite, got gammas {pair[0]} and betas {pair[1]}")
    return pair


def basis_states(problem: Problem, ansatz: str) -> int:
    """Number of basis states of an ansatz, before anything is built.

    Exact but for a distinct problem with options that are shareable or not allowed under "grover" and "swap": there it
    is an upper bound.
    """
    if ansatz == "penalty-x":
        return 1 << one_hot_qubits(problem)
    if ansatz != "xy-ring" and problem.distinct and problem.allowed.all() and not problem.shareable.any():
        return math.perm(problem.options, problem.groups)
    return problem.states
