"""Jobs over the machines of a Ray cluster: the same results as in one process, whichever machines are lost.

A cluster is one ``ray start --head`` and a ``ray start --address HOST:6379`` on every other machine, each with this
package and its data at the same version. A job is a picklable value, its function one that a worker can import. What a
job gives depends on the job alone, so a lost machine's jobs are simply run again.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from socket import create_connection
from typing import Any, Protocol, TypeVar

from qdt_env.records import require

RETRIES = 8  # of a job whose machine or process was lost; a job that ends processes by itself stops there
AHEAD = 2  # jobs handed to the cluster for each of its cores, so that none waits for the next
REACH_S = 10.0  # to answer at the address

Job = TypeVar("Job")
Result = TypeVar("Result")


class Spread(Protocol):
    """A way to run jobs: (index of the job, its result), each once, in any order."""

    def __call__(
        self, function: Callable[[Job], Result], jobs: Sequence[Job], *, progress: Callable[[int], None] | None = None
    ) -> Iterator[tuple[int, Result]]:
        """Run ``function`` on every job; ``progress`` is called with the number of jobs done."""
        ...


class ClusterError(ValueError):
    """Ray or the cluster is not there; the message says what to do."""


def in_process(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[int, Result]]:
    """The same as :func:`spread`, one job after the other in this process."""
    for index, job in enumerate(jobs):
        result = function(job)
        if progress is not None:
            progress(index + 1)
        yield index, result


def spread(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    address: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Run ``function`` on every job over a Ray cluster, one core to a job.

    Args:
        function: takes one job; importable by the workers, or defined in the main script.
        jobs: picklable.
        address: "HOST:6379" of the head node, "auto" for the cluster that runs on this machine; None for the one that
            this process has joined already, else the one in the environment's RAY_ADDRESS, else a new one on this
            machine alone.
        progress: called after each job with the number of jobs done.

    Returns:
        An iterator of (index of the job, its result), each job once, in the order in which they end. When it is closed,
        or a job raises, what the cluster holds by then, at most ``AHEAD`` jobs a core, still runs; no more is begun.

    Raises:
        ClusterError: Ray is not installed, or nobody answers at the address; from the iterator, where a job was lost
            again and again.
        Exception: from the iterator, what a job raised, with the job's number in a note.
    """
    return _results(joined(address), function, jobs, progress)


def joined(address: str | None = None) -> Any:
    """The module ``ray``, with this process in the cluster at ``address``; see :func:`spread`.

    Raises:
        ClusterError: Ray is not installed, or nobody answers at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise ClusterError("Ray is not installed: pip install 'qdt-env[ray]'") from error
    if ray.is_initialized():
        return ray
    if address not in (None, "auto", "local"):
        _check_reachable(str(address))
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise ClusterError(f"no Ray cluster could be joined at address={address!r}: {error}") from error
    return ray


def _results(
    ray: Any, function: Callable[[Job], Result], jobs: Sequence[Job], progress: Callable[[int], None] | None
) -> Iterator[tuple[int, Result]]:
    """Hand Ray a few jobs ahead of its cores and wait for each; whoever stops early leaves the rest unbegun.

    Nothing is cancelled: Ray aborts this whole process when a job ends in the moment it is cancelled (seen with 2.60:
    "Tried to complete task that was not pending").
    """
    run = ray.remote(num_cpus=1, max_retries=RETRIES)(function)
    coming, waiting = iter(enumerate(jobs)), dict[Any, int]()
    for done in range(1, len(jobs) + 1):
        ahead = max(1, AHEAD * int(ray.cluster_resources().get("CPU", 0)))  # nodes come and go
        for index, job in islice(coming, max(0, ahead - len(waiting))):
            waiting[run.remote(job)] = index
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        index = waiting.pop(ready)
        result = _result(ray, ready, index)
        if progress is not None:
            progress(done)
        yield index, result


def _result(ray: Any, ready: Any, index: int) -> Any:
    """The result of a job that has ended.

    Raises:
        ClusterError: its process was lost ``RETRIES`` times.
        Exception: what the job raised.
    """
    try:
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, Exception) else error
        cause.add_note(f"in job {index}")
        raise cause from None
    except ray.exceptions.RayError as error:
        raise ClusterError(f"job {index} was lost {RETRIES + 1} times: {error}") from error


def _check_reachable(address: str) -> None:
    """Ray tries an address for minutes; a machine that does not listen is known at once.

    Raises:
        ClusterError: the address has no port, or nobody listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    require(bool(host) and port.isdecimal(), "address", address, "HOST:PORT, such as 192.168.1.2:6379, or auto")
    try:
        create_connection((host, int(port)), REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster answers at address={address!r}: {error}") from error
