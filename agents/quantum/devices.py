"""PennyLane devices by name, with errors that say what is missing. PennyLane is loaded when a device is made."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from agents.planning.problem import PlanningError

MAX_WIRES = 24  # 2^24 complex amplitudes are 256 MiB
MAX_MIXED_WIRES = 12  # 4^12 complex entries are 256 MiB
_NOISE = 0.25  # how far off a device may be that does run gates


def make_device(name: str, wires: int, seed: int | None = None) -> Any:
    """A PennyLane device.

    Args:
        name: of any device that PennyLane or a plugin knows.
        wires: number of qubits, >= 1.
        seed: of the device's sampler, where it takes one.

    Raises:
        PlanningError: PennyLane or the plugin is not installed, nobody knows the device, or more wires than a
            simulation of it holds.
    """
    try:
        import pennylane as qml
    except ImportError as error:
        raise PlanningError("PennyLane is not installed; install the extra 'quantum'") from error
    limit = MAX_MIXED_WIRES if name == "default.mixed" else MAX_WIRES
    if wires > limit:
        raise PlanningError(f"pennylane device {name!r}: {wires} wires needed, ancillas included, allowed are {limit}")
    with device_errors(name), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the plugins' own making
        return qml.device(name, wires=wires, **({} if seed is None else {"seed": seed}))


def check_device(name: str) -> None:
    """Refuse a device that cannot be made, or does not run gates on qubits.

    Raises:
        PlanningError: as :func:`make_device`, or what the device says to two gates.
    """
    device = make_device(name, 2)
    import pennylane as qml

    def bell() -> Any:
        qml.RY(np.pi / 2.0, wires=0)
        qml.CNOT(wires=[0, 1])
        return qml.probs(wires=range(2))

    with device_errors(name), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a device lacks it says once more as an error
        found = np.asarray(qml.QNode(bell, device, interface=None, diff_method=None)())
    if not np.abs(found - [0.5, 0.0, 0.0, 0.5]).max() < _NOISE:
        raise PlanningError(f"pennylane device {name!r}: a Bell pair is read with probabilities {found.round(3)}")


@contextmanager
def device_errors(name: str) -> Iterator[None]:
    """What PennyLane and its devices raise when a device cannot be made or run, as PlanningError."""
    from pennylane import exceptions

    known = (exceptions.DeviceError, exceptions.QuantumFunctionError, exceptions.WireError, ImportError, MemoryError)
    try:
        yield
    except known as error:
        raise PlanningError(f"pennylane device {name!r}: {error}") from error
