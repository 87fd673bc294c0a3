"""Frozen config dataclasses as NumPy records, so that kernels read the same named parameters as people."""

from dataclasses import fields
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

_SCALARS = {int: np.int32, float: np.float32, bool: np.int8}


def record_dtype(config: Any) -> np.dtype:
    """The dtype of ``config``'s numeric fields, by annotation.

    int -> int32, float -> float32, bool -> int8, tuple of numbers -> float32 sub-array. Fields of other types (names,
    paths) stay out: kernels do not read them.
    """
    hints = get_type_hints(config.__class__)
    described: list[Any] = []
    for field in fields(config):
        value = getattr(config, field.name)
        if hints[field.name] in _SCALARS:
            described.append((field.name, _SCALARS[hints[field.name]]))
        elif isinstance(value, tuple) and value and not isinstance(value[0], str):
            described.append((field.name, np.float32, np.shape(value)))
    return np.dtype(described, align=True)


def as_record(config: Any) -> np.ndarray:
    """One record, shape (1,), with the numeric fields of a frozen config dataclass; see :func:`record_dtype`.

    Raises:
        ValueError: naming the field that holds a list or an array where a tuple belongs.
    """
    try:
        return _filled(config).copy()
    except TypeError:  # it cannot be hashed
        for field in fields(config):
            value = getattr(config, field.name)
            require(value.__hash__ is not None, field.name, value, "a tuple")
        raise


@cache  # every snapshot of a twin asks for the record of the same config
def _filled(config: Any) -> np.ndarray:
    record = np.zeros(1, record_dtype(config))
    for name in record.dtype.names or ():
        record[name][0] = getattr(config, name)
    return record


def require(condition: bool, parameter: str, given: object, allowed: str) -> None:
    """Raise a ValueError that names the parameter, what was given and what is allowed, unless ``condition``."""
    if not condition:
        raise ValueError(f"{parameter}={given!r} is not allowed: {allowed}")


def require_flag(value: object, parameter: str) -> None:
    """Raise a ValueError unless ``value`` is a bool: any text would count as true."""
    require(isinstance(value, bool | np.bool_), parameter, value, "True or False")


def require_begun(begun: bool, method: str) -> None:
    """Raise a ValueError where a method needs an episode and none has begun."""
    if not begun:
        raise ValueError(f"{method}() before reset() is not allowed: call reset() first")


def path_of(value: Any, parameter: str) -> Path:
    """An argument that names a file.

    Raises:
        ValueError: it is no path.
    """
    require(isinstance(value, str | PathLike) and str(value) != "", parameter, value, "the path of a file")
    return Path(value)


def why_no_file(path: Path) -> str:
    """What to say of a path where a file is needed and none is."""
    return "is a folder, allowed is a file" if path.is_dir() else "does not exist"
