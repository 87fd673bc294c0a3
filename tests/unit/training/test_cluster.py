"""What is said where Ray or its cluster is not there; tests/integration/test_cluster.py plays on one."""

import sys

import pytest

from training import rollout
from training.cli.main import main
from training.cluster import ClusterError, in_process, joined, spread


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"Ray is not installed: pip install 'qdt-env\[ray\]'"):
        spread(str, [1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at address='127.0.0.1:1'"),
        ("no.such.host.invalid:6379", "no Ray cluster answers at address='no.such.host.invalid:6379'"),
        ("127.0.0.1", "address='127.0.0.1' is not allowed: HOST:PORT"),
        ("127.0.0.1:port", "is not allowed: HOST:PORT"),
        ("ray://127.0.0.1:99999", "no Ray cluster answers at"),
    ],
)
def test_an_address_where_nobody_listens_is_known_at_once(address: str, said: str) -> None:
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    with pytest.raises(ValueError, match=said):
        spread(str, [1], address=address)


@pytest.mark.slow
def test_auto_without_a_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
    if ray.is_initialized():
        pytest.skip("this process is in a cluster already")

    def nobody(**kwargs: object) -> None:
        assert kwargs["address"] == "auto"
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", nobody)
    with pytest.raises(ClusterError, match="no Ray cluster could be joined at address='auto': Could not find any"):
        joined("auto")


def test_missions_take_no_more_threads_than_their_process_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for given, cores in (("1", 1), ("3", 3), ("99", 8), ("0", 1), ("", 8), ("2,1", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert rollout.cores() == cores, given
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert rollout.cores() == 8


def test_jobs_in_this_process_come_in_turn() -> None:
    done: list[int] = []
    assert list(in_process(str, [3, 4], progress=done.append)) == [(0, "3"), (1, "4")] and done == [1, 2]


@pytest.mark.parametrize("command", ["advice", "security"])
def test_an_address_needs_the_flag_and_the_flag_needs_ray(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["bench", command, "--scenario", "ward", "--ray-address", "there:6379"]) == 2
    assert "--ray-address='there:6379' is not allowed: together with --ray" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["bench", command, "--scenario", "ward", "--ray"]) == 2
    assert "Ray is not installed: pip install 'qdt-env[ray]'" in capsys.readouterr().err
