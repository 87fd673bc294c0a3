"""Run cards: one document with what repeats a run: command, arguments, versions, commit, hardware, config, results.

Every ``--json`` file and every ``card.json`` in a run's folder is such a document. ``qdt run --from CARD`` plays it
again and compares the results.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from qdt_env.records import require

CARD = "card.json"
RELATIVE = 1e-9  # results that differ by less are the same: sums in another order differ in the last digits
_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("qdt-env", "numpy", "numba", "scipy", "pettingzoo", "gymnasium", "pennylane", "ortools", "torch")
_PARTS = ("command", "arguments", "versions", "commit", "hardware", "config", "results")
# Results that depend on the day; of a planner at home the modelled latency is the measured one.
_CLOCKS = frozenset({"wall_s", "extraction_s", "modelled_latency_s", "seconds"})


def card(command: str, arguments: Sequence[str], config: dict[str, Any], results: Any) -> dict[str, Any]:
    """The document of a run.

    Args:
        command: of ``qdt``, such as "run".
        arguments: as they were typed.
        config: what the run depends on, with its seeds, as plain data.
        results: numbers, arrays, and dicts and lists of them; NaN becomes None.
    """
    document = (command, list(arguments), versions(), commit(), hardware(), config, results)
    return {name: _plain(part) for name, part in zip(_PARTS, document, strict=True)}


def write_card(path: Path, document: dict[str, Any]) -> None:
    """Write a document as JSON."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_card(path: Path) -> dict[str, Any]:
    """Read a document back.

    Raises:
        ValueError: no such file, or not a run card.
    """
    require(path.is_file(), "card", str(path), f"a {CARD}, or a file that --json wrote")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"card {str(path)!r} is not JSON: {error}") from None
    parts = list(document) if isinstance(document, dict) else []
    lacking = [part for part in _PARTS if part not in parts]
    require(not lacking, "card", str(path), f"a run card; this file lacks {', '.join(lacking)}")
    return dict(document)


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """In which results two documents differ, in words; clock times are left out.

    Args:
        there: the card.
        here: its repetition.
    """
    first, second = dict(_leaves(there["results"])), dict(_leaves(here["results"]))
    found = []
    for name in [*first, *(name for name in second if name not in first)]:
        if name not in first or name not in second:
            found.append(f"{name}: only {'there' if name in first else 'here'}")
        elif not _same(first[name], second[name]):
            found.append(f"{name}: {first[name]!r} there, {second[name]!r} here")
    return found


def other_surroundings(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """In which versions, commit or hardware two documents differ, in words."""
    found = []
    for part in ("versions", "commit", "hardware"):
        first, second = dict(_leaves(there[part])), dict(_leaves(here[part]))
        names = dict.fromkeys([*first, *second])
        found += [
            f"{part} {name}: {first.get(name)} there, {second.get(name)} here".replace(" :", ":")
            for name in names
            if first.get(name) != second.get(name)
        ]
    return found


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter to a result; "absent" for what is not installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def commit(root: Path = _ROOT) -> str:
    """Git commit of the sources, with "+changes" where tracked files differ; "" where they are no checkout."""
    if not (root / ".git").exists():
        return ""
    try:
        number = _git(root, "rev-parse", "HEAD")
        return number + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""  # no git here, or no commit yet


def hardware() -> dict[str, Any]:
    """What the run had: system, processor, cores."""
    return {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()}


def _git(root: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def _processor() -> str:
    """Its name; the machine's kind where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text with its path, such as "metrics.score[3]"."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key not in _CLOCKS:
                yield from _leaves(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for k, entry in enumerate(value):
            yield from _leaves(entry, f"{name}[{k}]")
    else:
        yield name, value


def _same(first: Any, second: Any) -> bool:
    """Equal, or numbers that differ in the last digits only."""
    numbers = (int, float)
    if isinstance(first, numbers) and isinstance(second, numbers):
        return abs(first - second) <= RELATIVE * max(abs(first), abs(second))
    return bool(first == second)


def _plain(value: Any) -> Any:
    """Dicts, lists and numbers only, NaN as None."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and value != value else value
