"""Jobs over a Ray cluster of two nodes, one of which is killed, give what one process gives."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.cluster import spread
from training.rollout import run_missions

ROOT = Path(__file__).resolve().parents[2]


def scores_of(job: tuple[ScenarioConfig, str, list[int]]) -> tuple[int, list[float]]:
    """A job: the process that played it, and the scores of the missions."""
    scenario, policy, seeds = job
    missions = run_missions(scenario, GameConfig("qkd", "mixed"), policy, seeds=seeds)
    return os.getpid(), missions.metrics["score"].tolist()


def naps(job: int) -> int:
    """A job that takes a moment; the process that took it."""
    time.sleep(0.5)
    return os.getpid()


def fails_at_three(job: int) -> int:
    if job == 3:
        raise LookupError("no such ward")
    return job


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each on this machine, this process joined to the head."""
    ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(
        address=made.address,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}},
    )
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.slow
def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(cluster: Any) -> None:
    ward = load_scenario("ward")
    jobs = [(ward, policy, [seed, seed + 1]) for policy in ("gain", "nearest") for seed in range(0, 24, 2)]
    (second,) = cluster.worker_nodes
    awake = any(len({process for _, process in spread(naps, range(4))}) > 1 for _ in range(30))
    assert awake, "both nodes take jobs"
    done: list[int] = []
    killed_after = 0
    found: dict[int, list[float]] = {}
    processes = set()
    for index, (process, scores) in spread(scores_of, jobs, progress=done.append):
        assert index not in found
        found[index] = scores
        processes.add(process)
        if len(processes) > 1 and len(found) >= 4 and not killed_after:
            killed_after = len(found)
            cluster.remove_node(second, allow_graceful=False)
    assert sorted(found) == list(range(len(jobs))) and done == list(range(1, len(jobs) + 1))
    assert 4 <= killed_after < len(jobs) - 2 and os.getpid() not in processes
    for index, job in enumerate(jobs):
        np.testing.assert_array_equal(found[index], scores_of(job)[1])


@pytest.mark.slow
def test_what_a_job_raises_comes_out_with_its_number(cluster: Any) -> None:
    with pytest.raises(LookupError, match="no such ward") as raised:
        list(spread(fails_at_three, range(6)))
    assert raised.value.__notes__ == ["in job 3"]
    assert sorted(spread(fails_at_three, range(3))) == [(0, 0), (1, 1), (2, 2)]
    assert list(spread(fails_at_three, [])) == []
