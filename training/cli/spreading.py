"""``--ray``: where the chunks of an evaluation run. Ray is loaded only where it is asked for."""

import functools
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from qdt_env.records import require
from training.evaluate import Spread, in_process

RayFlag = Annotated[bool, typer.Option("--ray", help="Spread the missions over a Ray cluster.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", help="The cluster's address; without, the one this machine is in, or one of its own."
    ),
]


def chosen_spread(ray: bool, address: str | None) -> Spread:
    """How to run jobs: here, or on the cluster.

    Args:
        ray: whether a cluster is asked for.
        address: of its head; None for what ``training.cluster`` takes by itself.

    Raises:
        ValueError: an address without ``ray``, or Ray is not installed.
    """
    require(ray or address is None, "--ray-address", address, "together with --ray")
    if not ray:
        return in_process
    require(find_spec("ray") is not None, "--ray", ray, "with the package ray installed: pip install 'qdt-env[ray]'")
    spread: Any = import_module("training.cluster").spread
    chosen: Spread = spread if address is None else functools.partial(spread, address=address)
    return chosen
