"""Threads that share work with their caller."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from qdt_env.records import require

Result = TypeVar("Result")


class Threads:
    """So many threads, the caller's own among them: it works too, instead of waiting for all the others.

    For work of a millisecond that is more than one thread saved. A caller that only waits is often given work on the
    core that it has just left, so that the others run there one after the other and the second core idles.
    """

    def __init__(self, number: int) -> None:
        """``number`` threads; they start when they are first needed.

        Raises:
            ValueError: no whole number, or fewer than 1.
        """
        require(isinstance(number, int) and number >= 1, "threads", number, "1 or more")
        self.number = number
        self._others = ThreadPoolExecutor(number - 1) if number > 1 else None

    def __reduce__(self) -> tuple[type["Threads"], tuple[int]]:
        """A copy has threads of its own."""
        return Threads, (self.number,)

    def parts(self, count: int) -> list[tuple[int, int]]:
        """First and last + 1 of ``count`` things in equal stretches, one a thread; none is longer than the first."""
        cuts = [-(-count * k // self.number) for k in range(self.number + 1)]
        return list(zip(cuts, cuts[1:], strict=False))

    def do(self, jobs: Sequence[Callable[[], Result]]) -> list[Result]:
        """Do all jobs, in equal stretches, the first stretch here; returns what they return, in their order.

        Raises:
            Exception: what a job raises, of several that do the first in order; nothing runs any more then.
        """
        if self._others is None:
            return _one_by_one(jobs)
        own, *rest = (jobs[first:last] for first, last in self.parts(len(jobs)))
        given = [self._others.submit(_one_by_one, part) for part in rest if part]
        try:
            done = _one_by_one(own)
        finally:
            wait(given)  # they may write where the caller does
        return done + [result for part in given for result in part.result()]


def _one_by_one(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    return [job() for job in jobs]
