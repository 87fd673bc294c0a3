"""How the numeric kernels are compiled: one place for the Numba options.

``rule`` marks a small pure scalar function (a formula with a source), ``phase`` a loop over the entities of one
episode, ``batch`` the entry points called from Python, which release the GIL so that threads can share a batch.
In compiled code there is no allocation, no Python object and no exception, so the same source can be compiled for a
GPU; ``_nrt=False`` holds to it (and saves the reference counting of array arguments).
Set ``NUMBA_DISABLE_JIT=1`` to step through the kernels in a debugger.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba

_NO_KERNELS = {"viewer", "testing", "hospital_rescue_v0.py"}  # editing these costs no compilation

Compiler = Callable[[Callable[..., Any]], Any]

_OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False}
rule: Compiler = numba.njit(forceinline=True, **_OPTIONS)
phase: Compiler = numba.njit(**_OPTIONS)
batch: Compiler = numba.njit(nogil=True, **_OPTIONS)


def drop_stale_kernels(package: Path) -> None:
    """Forget kernels cached on disk when any source of the package has changed since.

    Numba compares only the file a kernel stands in, not the files of the rules it calls; without this an edited rule
    would go unnoticed by the kernels built on it.
    """
    sources = [path for path in sorted(package.rglob("*.py")) if not _NO_KERNELS.intersection(path.parts[-2:])]
    now = hashlib.sha256()
    for source in sources:
        stat = source.stat()
        now.update(f"{source.relative_to(package)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    stamp = package / "__pycache__" / "kernels.stamp"
    with suppress(OSError):  # a read-only installation cannot be edited either
        if stamp.is_file() and stamp.read_text() == now.hexdigest():
            return
        for kernel in package.rglob("*.nb[ic]"):
            kernel.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(now.hexdigest())


drop_stale_kernels(Path(__file__).parent)
