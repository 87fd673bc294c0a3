"""QAOA on a QPU that others share: masked before it leaves, carried over a secured channel, scored again at home.

Nothing that comes back is believed. Every bit string is unmasked, decoded and scored by :meth:`Problem.cost`; claimed
costs are not looked at; the answer counts only where it is no worse than the greedy one found at home beforehand. So a
QPU that fails, lies or is impersonated costs time and keys, never a worse plan.

Only circuits that are run once go there. VQE and Grover adaptive search ask for circuit after circuit, each depending
on the last answer, and would pay the queue for each.
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from agents.planning.classical import GreedyPlanner, greedy_choice
from agents.planning.placed import PlacedPlan
from agents.planning.problem import Budget, Planner, PlanningError, Problem
from agents.planning.registry import make_planner
from agents.planning.validation import check_choice, check_whole
from agents.quantum.circuits import circuit_seconds
from agents.quantum.cloud import serve
from agents.quantum.courier import Courier, Remote, RequestChannel
from agents.quantum.ising import Ising, encode, one_hot_qubits, penalised, penalty_ising
from agents.quantum.job import ANSAETZE, MAX_DEPTH, MAX_SHOTS, Job, JobError, pack_job, read_answer
from agents.quantum.masking import ChoiceMask, SpinMask, mask_ising, mask_problem
from agents.quantum.oversize import fit_register
from agents.quantum.parameters import ramp_for
from agents.quantum.qaoa import QAOAPlanner
from agents.quantum.qpu import Qpu, as_qpu


@dataclass(frozen=True)
class RemotePlanner:
    """QAOA on a remote QPU as a planner.

    Attributes:
        qpu: a :class:`Qpu`, or the name of a preset.
        ansatz: one of ``ANSAETZE``, or "auto": "swap" where options are distinct and open to all, else "xy-ring".
        depth: layers p, in [1, 256].
        shots: samples unless the budget says otherwise, in [1, 65536].
        courier: the way there and back; a quiet one unless :meth:`bound` gives another.

    Raises:
        PlanningError: a setting out of range.
    """

    qpu: Qpu | str = "heron"
    ansatz: str = "auto"
    depth: int = 8
    shots: int = 256
    courier: Courier = field(default_factory=lambda: Courier(None), repr=False, compare=False)
    name: str = "qpu"

    def __post_init__(self) -> None:
        check_choice("qpu planner ansatz", self.ansatz, ("auto", *ANSAETZE))
        check_whole("qpu planner depth", self.depth, 1, MAX_DEPTH)
        check_whole("qpu planner shots", self.shots, 1, MAX_SHOTS)
        as_qpu(self.qpu)

    @property
    def machine(self) -> Qpu:
        """The QPU."""
        return as_qpu(self.qpu)

    def bound(self, courier: Courier) -> "RemotePlanner":
        """The same planner, its requests going by ``courier``."""
        return replace(self, courier=courier)

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> PlacedPlan:
        """Ask the QPU; the best answer, or the greedy one where none is better or none comes."""
        started_s = time.perf_counter()
        floor = greedy_choice(problem)
        fitted, _ = fit_register(problem, self.name, "shrink", self.machine.max_qubits)
        if one_hot_qubits(fitted) == 0:
            return self._plan(problem, floor, started_s, budget, _Asked(note="nothing to decide: no request"))
        shots = self.shots if budget.shots is None else int(budget.shots)
        asked = self._ask(fitted, shots, rng)
        note = asked.note
        choice = floor
        if asked.choices is not None:
            costs = problem.costs(asked.choices)
            best = int(np.argmin(costs)) if costs.size else -1
            value = float(costs[best]) if costs.size else np.inf
            at_home = problem.cost(floor)
            note += "; no feasible shot" if not np.isfinite(value) else ""
            if value <= at_home:
                choice = asked.choices[best]
            note += "; greedy answer kept" if value > at_home else ""
        if fitted.allowed.sum() < problem.allowed.sum():
            note += f"; {int(fitted.allowed.sum())} of {int(problem.allowed.sum())} options sent"
        return self._plan(problem, choice, started_s, budget, replace(asked, note=note.lstrip("; ")))

    def _ask(self, problem: Problem, shots: int, rng: np.random.Generator) -> "_Asked":
        """Send the masked instance and read what comes back."""
        ansatz = self._ansatz(problem)
        gammas, betas = ramp_for(problem, ansatz, self.depth)
        circuit_s = circuit_seconds(problem, ansatz, self.depth, self.machine.calibration)
        instance: Problem | Ising
        mask: ChoiceMask | SpinMask
        if ansatz == "penalty-x":
            instance, mask = mask_ising(penalty_ising(problem), rng)
            layout = encode(penalised(problem))
            gammas = gammas / np.sqrt(np.sum(instance.h**2) + np.sum(instance.J**2))
        else:
            instance, mask = mask_problem(problem, rng)
            layout = encode(penalised(instance))
        number = int(rng.integers(2**32))
        request = pack_job(Job(number, ansatz, gammas, betas, shots, instance))
        latency = self.machine.latency(shots, circuit_s, rng)
        far_side = np.random.default_rng(rng.integers(2**63))  # so that its draws do not depend on who else draws
        exchange = self.courier.exchange(request, lambda received: serve(received, self.machine, far_side))
        patience_s = self.machine.patience_s
        asked = _Asked(
            latency_s=min(latency.total_s, patience_s),
            shots=shots,
            requests=1,
            failures=1,
            key_bits=exchange.key_bits,
            message_bytes=exchange.message_bytes,
        )
        if latency.total_s > patience_s:
            return replace(asked, note=f"no answer within {patience_s:g} s; greedy answer")
        if exchange.answer is None:
            return replace(asked, latency_s=patience_s, note=f"no answer: {exchange.note}; greedy answer")
        try:
            bits = read_answer(exchange.answer, number, layout.qubits, shots).bits
        except JobError as error:
            return replace(asked, note=f"{error}; greedy answer")
        if isinstance(mask, SpinMask):
            bits = mask.bits(bits)
        choices, valid = layout.decode(np.unique(bits, axis=0))
        if isinstance(mask, ChoiceMask):
            choices = mask.choices(choices[valid])
        else:
            choices = choices[valid]
        note = f"{layout.qubits} qubits, {ansatz}, p={self.depth}, {shots} shots on {self.machine.name}"
        return replace(asked, choices=choices, failures=0, note=note)

    def _ansatz(self, problem: Problem) -> str:
        """The ansatz for a problem; the swap mixer's circuit needs every option open to every group."""
        if self.ansatz != "auto":
            return self.ansatz
        swappable = problem.distinct and bool(problem.allowed.all()) and not problem.shareable.any()
        return "swap" if swappable else "xy-ring"

    def _plan(
        self, problem: Problem, choice: np.ndarray, started_s: float, budget: Budget, asked: "_Asked"
    ) -> PlacedPlan:
        value = problem.cost(choice)
        wall_s = time.perf_counter() - started_s
        note = asked.note
        if budget.time_s is not None and wall_s > budget.time_s:
            note += f"; time budget {budget.time_s:g} s exceeded: a request is not interrupted"
        return PlacedPlan(
            choice=np.asarray(choice, np.int64),
            value=value,
            optimum=None,
            feasible=bool(np.isfinite(value)),
            evaluations=asked.requests,
            shots=asked.shots,
            wall_s=wall_s,
            modelled_latency_s=asked.latency_s if asked.requests else wall_s,
            planner=self.name,
            note=note,
            where=self.machine.name if asked.requests else "local",
            requests=asked.requests,
            failures=asked.failures,
            key_bits=asked.key_bits,
            message_bytes=asked.message_bytes,
        )


def on_qpu(planner: Planner | str, qpu: Qpu | str | None) -> Planner:
    """The planner with its circuits on a QPU; itself, or the one of that name, without a QPU.

    Args:
        planner: "qaoa" or "qpu", a :class:`RemotePlanner`, or anything where ``qpu`` is None.
        qpu: a QPU or the name of a preset.

    Raises:
        PlanningError: another planner: its circuits depend on earlier answers, or it has none.
    """
    if qpu is None:
        return make_planner(planner) if isinstance(planner, str) else planner
    if isinstance(planner, RemotePlanner):
        return replace(planner, qpu=qpu)
    name = planner if isinstance(planner, str) else planner.name
    if name not in ("qaoa", "qpu"):
        raise PlanningError(f"planner {name!r} does not run on a QPU; allowed: qaoa, qpu")
    if isinstance(planner, QAOAPlanner):
        return RemotePlanner(qpu, planner.ansatz, planner.depth, planner.shots)
    return RemotePlanner(qpu)


def remote_settings(planner: Planner, suite: str, threats: Any) -> dict[str, Any]:
    """Settings of an advisor by what its planner needs; none for one that plans at home.

    A planner that sends requests has its plans come late, greedy ones stand in for them, and its requests are sealed
    under the mission's suite and meet its threats.
    """
    if not isinstance(planner, Remote):
        return {}
    return {"delay_steps": None, "interim": GreedyPlanner(), "channel": RequestChannel(suite, threats)}


@dataclass(frozen=True, eq=False)
class _Asked:
    """What one request brought: choices (N, G) to score, or None, and what it cost."""

    choices: np.ndarray | None = None
    latency_s: float = 0.0
    shots: int = 0
    requests: int = 0
    failures: int = 0
    key_bits: int = 0
    message_bytes: int = 0
    note: str = ""
