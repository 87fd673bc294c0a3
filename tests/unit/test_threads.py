"""Work shared by threads: everything is done once, in order of the jobs, the caller takes part and nobody is left."""

import copy
import pickle
import threading
import time
from functools import partial

import pytest

from qdt_env.threads import Threads


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_job_is_done_and_answers_in_its_place(number: int, count: int) -> None:
    threads = Threads(number)
    for _ in range(3):  # threads are used again
        assert threads.do([partial(pow, k, 2) for k in range(count)]) == [k * k for k in range(count)]


def test_the_caller_works_too_and_no_more_threads_than_were_asked_for() -> None:
    meeting = threading.Barrier(3)  # only three at once can pass

    def who() -> int:
        meeting.wait(30)
        return threading.get_ident()

    for _ in range(5):
        first, *others = Threads(3).do([who] * 3)
        assert first == threading.get_ident() and len({first, *others}) == 3
    assert len(set(Threads(2).do([threading.get_ident] * 20))) == 2


@pytest.mark.parametrize("guilty", [0, 1])
def test_an_error_comes_to_the_caller_when_nothing_runs_any_more(guilty: int) -> None:
    done = []

    def fail() -> None:
        raise ArithmeticError("of a job")

    def work() -> None:
        time.sleep(0.05)
        done.append(True)

    jobs = [work, work]
    jobs[guilty] = fail
    threads = Threads(2)
    with pytest.raises(ArithmeticError, match="of a job"):
        threads.do(jobs)
    assert done == [True]
    assert threads.do([list, dict]) == [[], {}]


def test_stretches_are_as_equal_as_can_be() -> None:
    assert Threads(2).parts(5) == [(0, 3), (3, 5)]
    assert Threads(3).parts(2) == [(0, 1), (1, 2), (2, 2)]
    for number in range(1, 6):
        for count in range(12):
            parts = Threads(number).parts(count)
            assert [k for first, last in parts for k in range(first, last)] == list(range(count))
            lengths = [last - first for first, last in parts]
            assert len(parts) == number and max(lengths) - min(lengths) <= 1 and lengths[0] == max(lengths)


def test_copies_have_threads_of_their_own() -> None:
    threads = Threads(2)
    for other in (copy.deepcopy(threads), pickle.loads(pickle.dumps(threads))):
        assert other.number == 2 and other.do([int, float]) == [0, 0.0]


def test_fewer_threads_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"threads=0 is not allowed: 1 or more"):
        Threads(0)
