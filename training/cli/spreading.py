"""``--ray``: where the jobs of a study run. Ray is loaded only where it is asked for."""

import functools
from typing import Annotated

import typer

from qdt_env.records import require
from training.cluster import Spread, in_process, spread

RayFlag = Annotated[bool, typer.Option("--ray", help="Spread the missions over a Ray cluster.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", help="The cluster's address; without, the one in RAY_ADDRESS, or one on this machine alone."
    ),
]


def chosen_spread(ray: bool, address: str | None) -> Spread:
    """How to run jobs: here, or on the cluster.

    Args:
        ray: whether a cluster is asked for.
        address: of its head; see :func:`training.cluster.spread`.

    Raises:
        ValueError: an address without ``ray``.
    """
    require(ray or address is None, "--ray-address", address, "together with --ray")
    return functools.partial(spread, address=address) if ray else in_process
