"""Measuring on a shared machine: CPU time of the own thread, and a loop that tells how fast the core is just now.

Other processes take the core away (which wall time shows and the thread's CPU time does not) and slow down what runs on
it (a core's halves, caches and memory are shared), which both show. So every chunk of measured work is followed by a
fixed amount of other work: independent Philox draws, each with two look-ups in a table of 256 KiB. Their quotient,
*draws per unit of work*, depends less on the others than either time. (A chain of dependent draws hardly feels who
shares the core and was no help.) Of the chunks of a repeat the calmest third is used, those with the fastest draws.
Draws times the seconds of a draw on the quiet core are what the work would cost there.
"""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import numba
import numpy as np

from qdt_env.random import words

_DRAWS = 20_000  # about a third of a millisecond
_TABLE = 2**16
_CALMEST = 3  # of so many chunks one is used
_QUIET = 0.1  # the core counts as quiet at this quantile of all calibrations


class Sample(NamedTuple):
    """One chunk of work: its amount, its CPU and wall time [s], and CPU seconds of a Philox draw right after it."""

    work: float
    cpu_s: float
    wall_s: float
    draw_s: float


@numba.njit(error_model="numpy")
def _draw(n: int, table: np.ndarray) -> int:
    """``n`` independent draws, each with two look-ups."""
    total = np.uint32(0)
    last = np.uint32(table.shape[0] - 1)
    for i in range(n):
        a, b, c, d = words(np.uint64(7), 0, i, 6, 0, 0)
        total += table[a & last] ^ table[b & last] ^ c ^ d
    return total


class Calibration:
    """Philox draws, timed again and again between the measurements."""

    def __init__(self) -> None:
        """Compile the loop."""
        self._table = np.arange(_TABLE, dtype=np.uint32)
        _draw(1, self._table)
        self.seen_s: list[float] = []

    def draw_s(self) -> float:
        """CPU seconds of one draw with its look-ups now."""
        start = time.thread_time()
        _draw(_DRAWS, self._table)
        self.seen_s.append((time.thread_time() - start) / _DRAWS)
        return self.seen_s[-1]

    @property
    def quiet_s(self) -> float:
        """CPU seconds of one draw while the core was at its fastest (a low quantile of all calibrations)."""
        return float(np.quantile(self.seen_s, _QUIET))

    def summary(self) -> dict[str, float]:
        """Nanoseconds of a draw over the whole run: median, quartiles, quiet."""
        low, middle, high = quantiles(self.seen_s, n=4) if len(self.seen_s) > 1 else 3 * self.seen_s
        return {
            "draw_ns": middle * 1e9,
            "draw_ns_low": low * 1e9,
            "draw_ns_high": high * 1e9,
            "draw_ns_quiet": self.quiet_s * 1e9,
            "calibrations": len(self.seen_s),
        }


class Stopwatch:
    """Times chunks of work made of several stretches, each followed by a calibration when the chunk ends."""

    def __init__(self, calibration: Calibration) -> None:
        """Start with an empty chunk."""
        self._calibration = calibration
        self.samples: list[Sample] = []
        self._cpu_s = self._wall_s = self._work = 0.0

    def time(self, call: Callable[..., Any], *arguments: Any, work: float) -> None:
        """Add a call that does ``work`` to the chunk."""
        wall, cpu = time.perf_counter(), time.thread_time()
        call(*arguments)
        self._cpu_s += time.thread_time() - cpu
        self._wall_s += time.perf_counter() - wall
        self._work += work

    @property
    def pending_s(self) -> float:
        """CPU seconds in the chunk so far."""
        return self._cpu_s

    def end_chunk(self) -> None:
        """Close the chunk with a calibration."""
        if self._work > 0:
            self.samples.append(Sample(self._work, self._cpu_s, self._wall_s, self._calibration.draw_s()))
        self._cpu_s = self._wall_s = self._work = 0.0


def rates(repeats: list[list[Sample]], quiet_s: float) -> dict[str, float]:
    """Work per second from repeats of the same series of chunks.

    Args:
        repeats: the chunks of each repeat.
        quiet_s: CPU seconds of a draw on the quiet core.

    Returns:
        ``work`` of all repeats; ``per_cpu_s`` and ``per_wall_s``: medians of the repeats, with the lowest and highest
        repeat; ``draws``: Philox draws that a unit of work costs, median; ``per_quiet_s``: work per second at the quiet
        core's speed.
    """
    by_cpu = [_total(chunks, "work") / _total(chunks, "cpu_s") for chunks in repeats]
    by_wall = [_total(chunks, "work") / _total(chunks, "wall_s") for chunks in repeats]
    draws = [draws_of(chunks) for chunks in repeats]
    return {
        "work": sum(_total(chunks, "work") for chunks in repeats),
        "repeats": len(repeats),
        "per_cpu_s": median(by_cpu),
        "per_cpu_s_low": min(by_cpu),
        "per_cpu_s_high": max(by_cpu),
        "per_wall_s": median(by_wall),
        "per_quiet_s": 1.0 / (median(draws) * quiet_s),
        "draws": median(draws),
    }


def draws_of(chunks: list[Sample]) -> float:
    """Draws that a unit of work costs, over the calmest chunks of one repeat."""
    calmest = sorted(chunks, key=lambda chunk: chunk.draw_s)[: max(len(chunks) // _CALMEST, 1)]
    return sum(chunk.cpu_s / chunk.draw_s for chunk in calmest) / _total(calmest, "work")


def _total(chunks: list[Sample], field: str) -> float:
    """Sum of a field."""
    return float(sum(getattr(chunk, field) for chunk in chunks))


def copy_bytes_s(megabytes: int, repeats: int = 9) -> float:
    """Memory bandwidth of one core: bytes read and written by a copy far larger than the caches, per CPU second."""
    source = np.ones(megabytes * 2**20 // 8)
    target = np.empty_like(source)
    np.copyto(target, source)  # touch the pages
    seen = []
    for _ in range(repeats):
        start = time.thread_time()
        np.copyto(target, source)
        seen.append(time.thread_time() - start)
    return 2.0 * source.nbytes / median(seen)


def machine() -> dict[str, Any]:
    """What the benchmark ran on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {"processor": model, "cores": numba.config.NUMBA_NUM_THREADS, "load": _load(), "system": platform.system()}


def _load() -> float | None:
    """Processes wanting a core, mean of the last minute; None where the system does not say."""
    loadavg = Path("/proc/loadavg")
    return float(loadavg.read_text(encoding="utf-8").split()[0]) if loadavg.is_file() else None
