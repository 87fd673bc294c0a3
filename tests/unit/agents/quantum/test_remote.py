"""QAOA on a shared QPU: whatever it answers, the plan is no worse than the one found at home."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planning import Budget, PlanningError, Problem
from agents.planning.classical import ExactPlanner, GreedyPlanner
from agents.quantum.calibrations import IDEAL, Noise
from agents.quantum.cloud import circuit_of, serve
from agents.quantum.courier import Courier, RequestChannel
from agents.quantum.ising import encode, penalty_ising
from agents.quantum.job import Job, JobError, pack_job, read_answer, read_job
from agents.quantum.masking import mask_ising
from agents.quantum.parameters import ramp_for
from agents.quantum.qpu import BEHAVIOURS, make_qpu
from agents.quantum.remote import RemotePlanner
from agents.quantum.simulator import IsingSimulation
from agents.quantum.trajectories import circuit_probabilities
from tests.unit.agents.quantum.test_masking import problem

ANSAETZE = ("penalty-x", "xy-ring", "grover", "swap")


def greedy(one: Problem) -> float:
    return GreedyPlanner().plan(one, Budget(), np.random.default_rng(0)).value


@pytest.mark.parametrize("ansatz", ANSAETZE)
def test_an_honest_quiet_qpu_finds_the_optimum_of_a_small_problem(ansatz: str) -> None:
    qpu = make_qpu("ideal", max_qubits=12)
    planner = RemotePlanner(qpu, ansatz, shots=2000)
    for seed in range(3):
        one = problem(seed, distinct=ansatz == "swap", plain=ansatz == "swap")
        plan = planner.plan(one, Budget(), np.random.default_rng(seed))
        assert plan.value == pytest.approx(ExactPlanner().plan(one, Budget(), np.random.default_rng(0)).value)
        assert (plan.where, plan.requests, plan.failures, plan.shots) == ("ideal", 1, 0, 2000)
        assert plan.value == one.cost(plan.choice) and f"{ansatz}, p=8" in plan.note


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 4),
    options=st.integers(2, 4),
    distinct=st.booleans(),
    behaviour=st.sampled_from(BEHAVIOURS),
    ansatz=st.sampled_from(("auto", "penalty-x", "grover")),
    failure_rate=st.sampled_from((0.0, 0.5)),
    channel=st.sampled_from((None, RequestChannel("plaintext", "tamper"), RequestChannel("qkd", "mixed"))),
)
def test_no_qpu_makes_a_plan_worse_than_greedy(
    seed: int,
    groups: int,
    options: int,
    distinct: bool,
    behaviour: str,
    ansatz: str,
    failure_rate: float,
    channel: RequestChannel | None,
) -> None:
    distinct &= options >= groups
    one = problem(seed, groups, options, distinct, plain=distinct and ansatz != "penalty-x" and groups * options <= 12)
    ansatz = "auto" if distinct and ansatz == "grover" and groups * options > 12 else ansatz
    qpu = make_qpu("ideal", max_qubits=12, failure_rate=failure_rate, behaviour=behaviour)
    courier = Courier(channel, seed)
    courier.follow(10, 10.0)
    planner = RemotePlanner(qpu, ansatz, depth=2, shots=20, courier=courier)
    plan = planner.plan(one, Budget(), np.random.default_rng(seed))
    assert plan.feasible and plan.value == one.cost(plan.choice)
    assert plan.value <= greedy(one) + 1e-12


def test_what_a_liar_answers_is_worse_than_what_is_used() -> None:
    """The floor is what holds: the answers themselves are bad, and the claims false."""
    sent: list[bytes] = []

    class Tap(Courier):
        def exchange(self, request, serve):  # type: ignore[no-untyped-def]
            sent.append(request)
            return super().exchange(request, serve)

    one = problem(3, 3, 4)
    qpu = make_qpu("ideal", behaviour="inflated")
    plan = RemotePlanner(qpu, shots=5, courier=Tap(None)).plan(one, Budget(), np.random.default_rng(0))
    job = read_job(sent[0])
    answer = serve(sent[0], qpu, np.random.default_rng(0))
    assert answer is not None
    told = read_answer(answer, job.number, 11, 5)
    assert isinstance(job.instance, Problem) and told.claimed == -1e30
    assert plan.value == pytest.approx(greedy(one)) and "greedy answer kept" in plan.note
    honest = serve(sent[0], make_qpu("ideal"), np.random.default_rng(0))
    assert honest is not None and read_answer(honest, job.number, 11, 5).claimed > told.claimed


def test_the_request_names_no_patient() -> None:
    sent: list[bytes] = []

    class Tap(Courier):
        def exchange(self, request, serve):  # type: ignore[no-untyped-def]
            sent.append(request)
            return super().exchange(request, serve)

    one = problem(1)
    RemotePlanner("ideal", courier=Tap(None)).plan(one, Budget(), np.random.default_rng(0))
    for number in [*one.group_ids.tolist(), *one.option_ids.tolist()]:
        for width in (2, 4, 8):
            assert int(number).to_bytes(width, "big") not in sent[0]
    assert b"triage" not in sent[0] and len(sent[0]) < 1000


def test_without_an_answer_the_greedy_plan_comes_after_the_patience() -> None:
    one = problem(2)
    mute = make_qpu("heron", failure_rate=1.0, patience_s=60.0)
    plan = RemotePlanner(mute).plan(one, Budget(), np.random.default_rng(0))
    assert (plan.failures, plan.modelled_latency_s, plan.value) == (1, 60.0, greedy(one))
    slow = make_qpu("heron", queue_median_s=1e6, patience_s=60.0)
    plan = RemotePlanner(slow).plan(one, Budget(), np.random.default_rng(0))
    assert plan.failures == 1 and "no answer within 60 s" in plan.note


def test_keys_are_counted_and_their_want_is_no_answer() -> None:
    one = problem(2)
    courier = Courier(RequestChannel("qkd-otp"), seed=0)
    courier.follow(0, 10.0)
    planner = RemotePlanner("ideal", shots=64, courier=courier)
    plans = [planner.plan(one, Budget(), np.random.default_rng(seed)) for seed in range(60)]
    first = plans[0]
    assert first.failures == 0 and first.key_bits > 8 * first.message_bytes
    assert any("no key" in plan.note for plan in plans)


def test_a_problem_without_a_choice_is_not_sent() -> None:
    plan = RemotePlanner("heron").plan(Problem.from_costs(np.zeros((2, 1))), Budget(), np.random.default_rng(0))
    assert (plan.requests, plan.where, plan.shots) == (0, "local", 0)


def test_more_than_the_qpu_holds_is_cut_to_what_it_holds() -> None:
    one = problem(0, 5, 6)
    plan = RemotePlanner(make_qpu("ideal", max_qubits=8)).plan(one, Budget(), np.random.default_rng(0))
    assert plan.failures == 0 and "options sent" in plan.note and plan.value <= greedy(one)


def test_a_request_that_the_qpu_cannot_read_or_hold_gets_no_answer() -> None:
    rng = np.random.default_rng(0)
    assert serve(b"nonsense", make_qpu("ideal"), rng) is None
    with pytest.raises(JobError):
        read_job(b"nonsense")


def test_settings_are_checked() -> None:
    with pytest.raises(PlanningError, match="must be one of auto, penalty-x, xy-ring, grover, swap, got 'ring'"):
        RemotePlanner("ideal", "ring")
    with pytest.raises(PlanningError, match="unknown qpu 'eagle'"):
        RemotePlanner("eagle")
    with pytest.raises(PlanningError, match="qpu planner shots: must be an integer in \\[1, 65536\\], got 0"):
        RemotePlanner("ideal", shots=0)


@pytest.mark.parametrize("ansatz", ["penalty-x", "xy-ring"])
def test_a_noisy_qpu_finds_the_optimum_less_often(ansatz: str) -> None:
    """Share of optimal shots, ideal and with twenty times the published two-qubit errors; 4000 shots each."""
    one = problem(3, 2, 4, plain=True)
    gammas, betas = ramp_for(one, ansatz, 8)
    if ansatz == "penalty-x":
        ising, mask = mask_ising(penalty_ising(one), np.random.default_rng(0))
        gammas = gammas / np.sqrt(np.sum(ising.h**2) + np.sum(ising.J**2))
        request = pack_job(Job(1, ansatz, gammas, betas, 4000, ising))
    else:
        request = pack_job(Job(1, ansatz, gammas, betas, 4000, one))
    best = ExactPlanner().plan(one, Budget(), np.random.default_rng(0)).choice
    found = []
    for infidelity in (0.0, 0.03):
        noisy = replace(IDEAL, infidelity_2q=infidelity)
        answer = serve(request, make_qpu("ideal", calibration=noisy, noisy=True), np.random.default_rng(1))
        assert answer is not None
        bits = read_answer(answer, 1, 8, 4000).bits
        bits = mask.bits(bits) if ansatz == "penalty-x" else bits
        choices, valid = encode(one).decode(bits)
        found.append(int((valid & (choices == best).all(axis=1)).sum()))
    # Of two binomials of 4000 the difference has a standard deviation below sqrt(2 * 1000); 5 of them, p < 3e-7.
    assert found[0] - found[1] > 5 * np.sqrt(2000)


def test_the_gate_list_of_a_gauged_job_is_its_simulation() -> None:
    ising, _ = mask_ising(penalty_ising(problem(3, 2, 4)), np.random.default_rng(0))
    job = Job(1, "penalty-x", np.array([0.2, 0.5]), np.array([0.6, 0.3]), 1, ising)
    gates = circuit_probabilities(circuit_of(job), Noise(), trajectories=1, rng=np.random.default_rng(0))
    exact = IsingSimulation(ising).probabilities(job.gammas, job.betas)
    assert np.abs(gates - exact).max() < 1e-10
