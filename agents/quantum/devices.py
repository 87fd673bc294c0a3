"""PennyLane devices by name, with errors that say what is missing. PennyLane is loaded when a device is made."""

from typing import Any

from agents.planning.problem import PlanningError


def make_device(name: str, wires: int) -> Any:
    """A PennyLane device.

    Args:
        name: of any device that PennyLane or a plugin knows.
        wires: number of qubits, >= 1.

    Raises:
        PlanningError: PennyLane or the plugin is not installed, or nobody knows the device.
    """
    try:
        import pennylane as qml
    except ImportError as error:
        raise PlanningError("PennyLane is not installed; install the extra 'quantum'") from error
    try:
        return qml.device(name, wires=wires)
    except (qml.exceptions.DeviceError, ImportError) as error:
        raise PlanningError(f"device {name!r}: {error}") from error
