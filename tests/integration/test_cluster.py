"""Jobs over a Ray cluster of two nodes, one of which is killed, give what one process gives."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from training.advice_study import advice_study, planner_lines
from training.cluster import AHEAD, joined, spread
from training.rollout import run_missions
from training.security_matrix import play_matrix


def scores_of(job: tuple[ScenarioConfig, str, list[int]]) -> tuple[int, list[float]]:
    """A job: the node that played it (the process that started this one), and the scores of the missions."""
    scenario, policy, seeds = job
    missions = run_missions(scenario, GameConfig("qkd", "mixed"), policy, seeds=seeds)
    return os.getppid(), missions.metrics["score"].tolist()


def naps(job: int) -> int:
    """A job that takes a moment; the node that took it."""
    time.sleep(0.5)
    return os.getppid()


def fails_at_three(job: int) -> int:
    if job == 3:
        raise LookupError("no such ward")
    return job


def leaves_a_mark(job: tuple[str, int]) -> None:
    folder, number = job
    (Path(folder) / str(number)).touch()
    time.sleep(0.1)


@pytest.mark.slow
def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(cluster: Any) -> None:
    ward = load_scenario("ward")
    jobs = [(ward, policy, [seed, seed + 1]) for policy in ("gain", "nearest") for seed in range(0, 24, 2)]
    (second,) = cluster.worker_nodes
    awake = any(len({node for _, node in spread(naps, range(6), address=cluster.address)}) > 1 for _ in range(30))
    assert awake, "both nodes take jobs"
    done: list[int] = []
    killed_after = 0
    found: dict[int, list[float]] = {}
    nodes = set()
    for index, (node, scores) in spread(scores_of, jobs, address=cluster.address, progress=done.append):
        assert index not in found
        found[index] = scores
        nodes.add(node)
        if len(nodes) > 1 and len(found) >= 4 and not killed_after:
            killed_after = len(found)
            cluster.remove_node(second, allow_graceful=False)
    assert sorted(found) == list(range(len(jobs))) and done == list(range(1, len(jobs) + 1))
    assert 4 <= killed_after < len(jobs) - 3, "killed while it had work"
    for index, job in enumerate(jobs):
        np.testing.assert_array_equal(found[index], scores_of(job)[1])


@pytest.mark.slow
def test_what_a_job_raises_comes_out_with_its_number(cluster: Any) -> None:
    with pytest.raises(LookupError, match="no such ward") as raised:
        list(spread(fails_at_three, range(6), address=cluster.address))
    assert raised.value.__notes__ == ["in job 3"]
    assert sorted(spread(fails_at_three, range(3))) == [(0, 0), (1, 1), (2, 2)]
    assert list(spread(fails_at_three, [])) == []


@pytest.mark.slow
def test_who_stops_early_leaves_the_rest_unbegun(cluster: Any, tmp_path: Path) -> None:
    results = spread(leaves_a_mark, [(str(tmp_path), number) for number in range(60)], address=cluster.address)
    next(results)
    results.close()
    begun = -1
    while begun < len(list(tmp_path.iterdir())):  # what the cluster held by then runs to its end
        begun = len(list(tmp_path.iterdir()))
        time.sleep(1.0)
    assert 1 <= begun <= 1 + AHEAD * 3, "two nodes have three cores"


@pytest.mark.slow
def test_studies_over_the_cluster_are_those_of_one_process(cluster: Any) -> None:
    joined(cluster.address)
    ward = with_horizon(load_scenario("ward"), 40)
    lines = planner_lines(("none", "greedy", "exact"))
    here, there = (advice_study(ward, lines, range(3), spread=way) for way in (None, spread))
    assert [one.line.name for one in here] == [one.line.name for one in there]
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.spent.get("plans") == other.spent.get("plans")
    names = ("qkd", "plaintext"), ("tamper",)
    alone, spread_out = (play_matrix(ward, *names, seeds=range(3), spread=way) for way in (None, spread))
    assert alone.cells.keys() == spread_out.cells.keys()
    for key, cell in alone.cells.items():
        np.testing.assert_array_equal(cell.forged, spread_out.cells[key].forged)
        np.testing.assert_array_equal(cell.metrics["score"], spread_out.cells[key].metrics["score"])
