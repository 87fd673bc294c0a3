"""Grover adaptive search as a planner: ever better thresholds, rotations whose number is drawn at random.

Search register and start are the one-hot states' uniform superposition (W states), so that every shot is a joint
choice; the distinct rule is a penalty. Each round marks the states of integer cost below the best one measured,
applies r rotations and measures. r is uniform below a bound that grows by 8/7 after every failure up to sqrt(N) and
falls back to 1 after a success, because the number of marked states is unknown (Gilliam, Woerner, Gonciulea 2021,
arXiv 1912.04088; bound: Boyer, Brassard, Hoyer, Tapp 1998, quant-ph/9605034; Durr and Hoyer 1996, quant-ph/9607014).

The start is uniform and the oracle exact on integers, so the state after r rotations is known in closed form: marked
states share sin^2((2r + 1) theta), sin^2 theta = M / N, the others share the rest. Drawing from that is the algorithm's
own distribution, to rounding equal to the circuit's (:mod:`agents.quantum.grover_circuit`), and the simulator alone
knows which states are marked: the planner sees measured choices only. No noise is modelled.
"""

import time
from dataclasses import dataclass

import numpy as np

from agents.planning.classical import greedy_choice
from agents.planning.problem import Budget, Plan, Problem
from agents.planning.validation import check_choice, check_number, check_whole
from agents.quantum.closed_form import grover_success
from agents.quantum.grover_circuit import rotation_two_qubit_gates
from agents.quantum.integer_costs import IntegerCosts, integer_costs
from agents.quantum.ising import Ising, encode, penalised
from agents.quantum.oversize import RULES, fit_register
from agents.quantum.qpu import Qpu, as_qpu

MAX_SEARCH_QUBITS = 40  # at most 3^13 one-hot states
MAX_VALUE_QUBITS = 40
_GROWTH = 8.0 / 7.0  # quant-ph/9605034: any factor in (1, 4/3) works; 8/7 is Gilliam et al.'s


@dataclass(frozen=True)
class Search:
    """What a search did, for the plan and for studies of its cost.

    Attributes:
        choices: (shots, G) int64 measured joint choices, in order.
        calls: (shots,) int64 oracle calls spent up to and with each shot.
        ties: states of the same integer cost as the last threshold, itself left out (counted by the simulator).
        stopped: what ended the search.
    """

    choices: np.ndarray
    calls: np.ndarray
    ties: int
    stopped: str


@dataclass(frozen=True)
class GroverPlanner:
    """Grover adaptive search; the best feasible choice ever measured is the answer.

    The plan's evaluations are oracle calls, one a rotation. The optimum is never proven: where it is found, nothing
    marks it as such, and the search goes on until its budget is spent.

    Attributes:
        value_qubits: m, in [2, 40]: costs are told apart in steps of their range over about 2^(m-1).
        calls_per_root: oracle calls unless the budget says otherwise, times sqrt(N), > 0; finding the optimum takes
            some 3 sqrt(N) on average.
        shots: measurements unless the budget says otherwise, >= 1.
        max_qubits: largest search register, in [2, 40]; value qubits come on top.
        oversize: for larger problems, "shrink" (see :func:`agents.quantum.oversize.shrink`) or "refuse".
        penalty_factor: penalty for breaking the distinct rule, in ranges of the cost; >= 1 keeps the optimum lowest.
        modelled_on: QPU, or the name of a preset, whose times make the modelled latency: one session, a circuit for
            every shot, the two-qubit gates of a rotation one after the other (:mod:`agents.quantum.qpu`).

    Raises:
        PlanningError: a setting out of range.
    """

    value_qubits: int = 12
    calls_per_root: float = 9.0
    shots: int = 256
    max_qubits: int = 20
    oversize: str = "shrink"
    penalty_factor: float = 1.0
    modelled_on: Qpu | str = "heron"
    name: str = "gas"

    def __post_init__(self) -> None:
        check_whole("gas shots", self.shots, 1)
        for setting, largest in (("value_qubits", MAX_VALUE_QUBITS), ("max_qubits", MAX_SEARCH_QUBITS)):
            check_whole(f"gas {setting}", getattr(self, setting), 2, largest)
        check_choice("gas oversize", self.oversize, RULES)
        check_number("gas calls_per_root", self.calls_per_root, above=True)
        check_number("gas penalty_factor", self.penalty_factor)
        as_qpu(self.modelled_on)

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """Search until the budget is spent and return the best feasible choice measured, greedy where there was none.

        Raises:
            PlanningError: the problem needs more than ``max_qubits`` and ``oversize`` is "refuse", or the value qubits
                cannot tell its costs apart.
        """
        started_s = time.perf_counter()
        fitted, notes = fit_register(problem, "gas", self.oversize, self.max_qubits)
        ising = encode(penalised(fitted, self.penalty_factor))
        if ising.qubits == 0:
            notes = [*notes, "nothing to decide: no circuit"]
            return self._plan(problem, ising.fixed, started_s, 0, 0, 0, notes, budget)
        costs = integer_costs(ising, self.value_qubits)
        found = self.search(ising, costs, budget, rng)
        distinct_choices = np.unique(found.choices, axis=0)
        values = problem.costs(distinct_choices)
        best = int(np.argmin(values))
        notes += [
            f"{ising.qubits} + {self.value_qubits} qubits, {found.calls[-1]} oracle calls over {costs.states} states",
            f"costs in steps of {costs.unit:.3g}: {found.ties} other states tie with the best there",
            found.stopped,
        ]
        choice = distinct_choices[best]
        if not np.isfinite(values[best]):
            choice, notes = greedy_choice(problem), [*notes, "no feasible shot; greedy answer"]
        calls, shots = int(found.calls[-1]), len(found.choices)
        gates = calls * rotation_two_qubit_gates(costs)
        return self._plan(problem, choice, started_s, calls, shots, gates, notes, budget)

    def search(self, ising: Ising, costs: IntegerCosts, budget: Budget, rng: np.random.Generator) -> Search:
        """Measure, mark what is below, rotate, measure, until calls, shots or time are spent.

        A drawn number of rotations that the remaining calls do not cover ends the search.
        """
        started_s = time.perf_counter()
        values = costs.values()
        root = float(np.sqrt(costs.states))
        call_limit = int(np.ceil(self.calls_per_root * root)) if budget.evaluations is None else budget.evaluations
        shot_limit = self.shots if budget.shots is None else budget.shots
        measured, spent = [int(rng.integers(costs.states))], [0]  # the first shot: no rotation
        threshold, bound, stopped = int(values[measured[0]]), 1.0, ""
        marked = np.flatnonzero(values < threshold)
        while not stopped:
            rotations = int(rng.integers(int(np.ceil(bound))))
            if len(measured) >= shot_limit:
                stopped = f"stopped after {shot_limit} shots"
            elif spent[-1] + rotations > call_limit:
                stopped = f"stopped by the limit of {call_limit} oracle calls"
            elif budget.time_s is not None and time.perf_counter() - started_s > budget.time_s:
                stopped = f"time budget {budget.time_s:g} s spent"
            else:
                state = measure(marked, rotations, values.size, rng)
                measured.append(state)
                spent.append(spent[-1] + rotations)
                if values[state] < threshold:
                    threshold, bound = int(values[state]), 1.0
                    marked = np.flatnonzero(values < threshold)
                else:
                    bound = min(_GROWTH * bound, root)
        ties = int(np.count_nonzero(values == threshold)) - 1
        choices = _choices(ising, np.array(measured))
        return Search(choices=choices, calls=np.array(spent, dtype=np.int64), ties=ties, stopped=stopped)

    def _plan(
        self,
        problem: Problem,
        choice: np.ndarray,
        started_s: float,
        calls: int,
        shots: int,
        two_qubit_gates: int,
        notes: list[str],
        budget: Budget,
    ) -> Plan:
        value = problem.cost(choice)
        wall_s = time.perf_counter() - started_s
        notes = [*notes, *budget.lateness(wall_s, notes)]
        modelled_s = wall_s
        if shots:
            qpu = as_qpu(self.modelled_on)
            circuit_s = two_qubit_gates * qpu.calibration.gate_2q_s / shots
            modelled_s = qpu.expected_latency_s(shots, circuit_s, circuits=shots)
        return Plan(
            choice=choice,
            value=value,
            optimum=None,
            feasible=bool(np.isfinite(value)),
            evaluations=calls,
            shots=shots,
            wall_s=wall_s,
            modelled_latency_s=modelled_s,
            planner=self.name,
            note="; ".join(notes),
        )


def rotated_probabilities(marked: np.ndarray, rotations: int) -> np.ndarray:
    """(N,) float64 probabilities of the start's states after r rotations; marked (N,) bool."""
    count, states = int(np.count_nonzero(marked)), marked.size
    success = grover_success(count, states, rotations)
    rest = (1.0 - success) / max(states - count, 1)
    return np.where(marked, success / max(count, 1), rest)


def measure(marked: np.ndarray, rotations: int, states: int, rng: np.random.Generator) -> int:
    """One measurement after r rotations: which states share the marked part is decided first, then which of them."""
    below = rng.random() < grover_success(marked.size, states, rotations)
    if below and marked.size:
        return int(marked[rng.integers(marked.size)])
    # The unmarked states are those that skip the marked indices, which come sorted.
    rank = int(rng.integers(states - marked.size))
    return int(rank + np.searchsorted(marked - np.arange(marked.size), rank, side="right"))


def _choices(ising: Ising, states: np.ndarray) -> np.ndarray:
    """(M, G) int64 joint choices of one-hot states by number, first register slowest."""
    choices = np.tile(ising.fixed, (len(states), 1))
    starts = np.cumsum([0, *ising.registers])
    for start, digit in zip(starts, np.unravel_index(states, ising.registers), strict=False):
        choices[:, ising.qubit_group[start]] = ising.qubit_option[start + digit]
    return choices
