"""How the numeric kernels are compiled: one place for the Numba options.

``rule`` marks a small pure scalar function (a formula with a source), ``phase`` a loop over the entities of one
episode, ``batch`` the entry points called from Python, which release the GIL so that threads can share a batch.
In compiled code there is no allocation, no Python object and no exception, so the same source can be compiled for a GPU.
Set ``NUMBA_DISABLE_JIT=1`` to step through the kernels in a debugger.
"""

from collections.abc import Callable
from typing import Any

import numba

Compiler = Callable[[Callable[..., Any]], Any]

rule: Compiler = numba.njit(cache=True, error_model="numpy", forceinline=True)
phase: Compiler = numba.njit(cache=True, error_model="numpy")
batch: Compiler = numba.njit(cache=True, error_model="numpy", nogil=True)
