"""How the numeric kernels are compiled: one place for the Numba options.

``rule`` marks a small pure scalar function (a formula with a source), ``phase`` a loop over the entities of one
episode, ``batch`` the entry points called from Python, which release the GIL so that threads can share a batch.
In compiled code there is no allocation, no Python object and no exception, so the same source can be compiled for a
GPU; ``_nrt=False`` holds to it (and saves the reference counting of array arguments).
"""

import json
import re
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
    """Forget the kernels cached on disk of every module whose source, or that of a module it imports, has changed.

    Numba compares only the file a kernel stands in, not the files of the rules it calls; without this an edited rule
    would go unnoticed by the kernels built on it.
    """
    sources = [path for path in sorted(package.rglob("*.py")) if not _NO_KERNELS.intersection(path.parts[-2:])]
    now = {_module(path, package): _state(path) for path in sources}
    stamp = package / "__pycache__" / "kernels.json"
    with suppress(OSError):  # a read-only installation cannot be edited either
        then = json.loads(stamp.read_text()) if stamp.is_file() else {}
        if then == now:
            return
        stale = {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}
        imports = {_module(path, package): _imports(path) for path in sources}
        while grown := {name for name in imports if name not in stale and imports[name] & stale}:
            stale |= grown
        for path in sources:
            if _module(path, package) in stale:
                for kernel in (path.parent / "__pycache__").glob(f"{path.stem}.*.nb[ic]"):
                    kernel.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(json.dumps(now))


def _module(path: Path, package: Path) -> str:
    """Dotted name of a source file."""
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def _state(path: Path) -> list[int]:
    """What changes when a file does."""
    return [path.stat().st_size, path.stat().st_mtime_ns]


def _imports(path: Path) -> set[str]:
    """Modules named in a file's import statements, and their packages' names joined to what is imported from them."""
    found = set()
    for module, listed, line in re.findall(
        r"^ *from (qdt_env[\w.]*) import (?:\(([^)]*)\)|([^\n(]*))", path.read_text("utf-8"), re.MULTILINE
    ):
        names = re.findall(r"(\w+)(?: as \w+)? *(?:,|$)", re.sub(r"#.*", "", listed or line), re.MULTILINE)
        found |= {module} | {f"{module}.{name}" for name in names}
    return found


drop_stale_kernels(Path(__file__).parent)
