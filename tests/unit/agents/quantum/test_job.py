"""The job as bytes: what goes in comes out, and no bytes do more than raise JobError."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planning import PlanningError, Problem
from agents.quantum.ising import Ising, encode
from agents.quantum.job import Answer, Job, JobError, pack_answer, pack_job, read_answer, read_job
from tests.unit.agents.quantum.test_masking import problem


def job(instance: Problem | Ising, ansatz: str, shots: int = 100) -> Job:
    return Job(7, ansatz, np.array([0.1, 0.2]), np.array([0.4, 0.3]), shots, instance)


@pytest.mark.parametrize("distinct", [False, True])
def test_a_request_of_choices_comes_out_as_it_went_in(distinct: bool) -> None:
    sent = job(problem(0, distinct=distinct), "xy-ring")
    got = read_job(pack_job(sent))
    assert (got.number, got.ansatz, got.shots) == (7, "xy-ring", 100)
    assert (got.gammas == sent.gammas).all() and (got.betas == sent.betas).all()
    assert isinstance(got.instance, Problem) and isinstance(sent.instance, Problem)
    assert got.instance.distinct == distinct
    np.testing.assert_allclose(got.instance.linear, sent.instance.linear, rtol=1e-6)
    np.testing.assert_allclose(got.instance.pairwise, sent.instance.pairwise, rtol=1e-6)


def test_a_request_of_spins_comes_out_as_it_went_in() -> None:
    ising = encode(problem(0))
    got = read_job(pack_job(job(ising, "penalty-x")))
    assert isinstance(got.instance, Ising) and (got.instance.pairs == ising.pairs).all()
    np.testing.assert_allclose(got.instance.h, ising.h, rtol=1e-6)
    np.testing.assert_allclose(got.instance.J, ising.J, rtol=1e-6)


@pytest.mark.parametrize("shots", [1, 65_536])
def test_an_answer_comes_out_as_it_went_in(shots: int) -> None:
    bits = np.random.default_rng(0).integers(0, 2, (shots, 13), dtype=np.uint8)
    got = read_answer(pack_answer(Answer(7, bits, -1.5)), 7, 13, shots)
    assert (got.bits == bits).all() and got.claimed == -1.5


@pytest.mark.parametrize(
    ("number", "qubits", "shots", "words"),
    [(8, 13, 5, "answer: to request 7, not 8"), (7, 12, 5, "5 shots of 13"), (7, 13, 4, "expected up to 4")],
)
def test_an_answer_to_something_else_is_refused(number: int, qubits: int, shots: int, words: str) -> None:
    data = pack_answer(Answer(7, np.zeros((5, 13), np.uint8), 0.0))
    with pytest.raises(JobError, match=words):
        read_answer(data, number, qubits, shots)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_a_job_or_an_error(data: st.DataObject) -> None:
    instance, ansatz = data.draw(st.sampled_from([(problem(0), "xy-ring"), (encode(problem(0)), "penalty-x")]))
    good = bytearray(pack_job(job(instance, ansatz)))
    for at in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=4)):
        good[at] = data.draw(st.integers(0, 255))
    damaged = bytes(good[: data.draw(st.integers(0, len(good)))]) + data.draw(st.binary(max_size=8))
    for read in (read_job, lambda bytes_: read_answer(bytes_, 7, 11, 100)):
        try:
            read(damaged)
        except JobError:
            pass


@given(st.binary(max_size=200))
def test_any_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(JobError):
        read_job(data)
    with pytest.raises(JobError):
        read_answer(data, 0, 1, 1)


def test_what_the_format_does_not_hold_is_refused_before_it_is_sent() -> None:
    with pytest.raises(PlanningError, match="request groups: got 33, allowed: 1 to 32"):
        pack_job(job(Problem.from_costs(np.zeros((33, 2))), "grover"))
    with pytest.raises(PlanningError, match="request shots: got 65537"):
        pack_job(job(problem(0), "grover", 65_537))
