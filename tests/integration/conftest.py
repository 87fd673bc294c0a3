"""A Ray cluster on this machine, for the tests that spread work."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes, of one and of two cores; nobody has joined yet."""
    ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # the nodes pass it on to the processes that take the jobs, which import this folder's functions
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=2)
        yield made
        ray.shutdown()
        made.shutdown()
