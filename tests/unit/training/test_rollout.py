"""Missions: a seed's result does not depend on the batch, advisors are counted, wrong names are refused."""

from typing import Any

import numpy as np
import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.metrics import METRICS
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from training.rollout import RowStreams, advisor_names, run_missions

GAME = GameConfig("qkd", "mixed")


@pytest.fixture(scope="module")
def short_ward() -> ScenarioConfig:
    return with_horizon(load_scenario("ward"), 50)


@pytest.mark.parametrize(
    ("policy", "advisor"), [("gain", "none"), ("random", "none"), ("random", "random"), ("gain", "exact")]
)
def test_a_seeds_mission_is_the_same_alone_and_in_company(
    short_ward: ScenarioConfig, policy: str, advisor: str
) -> None:
    many = run_missions(short_ward, GAME, policy, advisor, [5, 6, 7, 8, 9, 10, 11, 12])
    alone = run_missions(short_ward, GAME, policy, advisor, [7])
    assert tuple(many.metrics) == METRICS
    for name in METRICS:
        assert many.metrics[name][2] == alone.metrics[name][0], name
    assert (many.episodes.out.observation[2] == alone.episodes.out.observation[0]).all()


def test_policies_meet_the_same_quake(short_ward: ScenarioConfig) -> None:
    nearest, gain = (run_missions(short_ward, GAME, policy, seeds=range(4)) for policy in ("nearest", "gain"))
    for name in ("patients", "survivors_none", "survivors_instant", "aftershocks"):
        assert (nearest.metrics[name] == gain.metrics[name]).all()


def test_perfect_policies_play_with_perfect_information(short_ward: ScenarioConfig) -> None:
    assert run_missions(short_ward, GAME, "perfect-gain", seeds=[1]).game.perfect_information
    assert not run_missions(short_ward, GAME, "gain", seeds=[1]).game.perfect_information


def test_the_budget_is_the_sum_of_the_plans(short_ward: ScenarioConfig) -> None:
    steps: list[int] = []
    missions = run_missions(short_ward, GAME, "gain", "exact", range(3), progress=steps.append)
    assert steps == list(range(1, 51))
    spent = missions.spent
    assert spent is not None and spent.plans >= 3
    assert spent.total("evaluations") == sum(record.evaluations for record in spent.records) > 0
    assert spent.to_dict()["plans"] == spent.plans and spent.to_dict()["shots"] == 0.0
    assert all(record.cost <= 0.0 and record.wall_s >= 0.0 for record in spent.records)
    assert run_missions(short_ward, GAME, "gain", seeds=[1]).spent is None


def test_qaoa_advises_and_reports_its_shots(short_ward: ScenarioConfig) -> None:
    pytest.importorskip("pennylane")
    spent = run_missions(short_ward, GAME, "gain", "qaoa", range(2)).spent
    assert spent is not None
    circuits = [record for record in spent.records if record.shots]
    assert circuits and all(r.evaluations == 1 and r.modelled_latency_s > 0.0 for r in circuits)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"policy": "clever"}, "policy='clever' is not allowed: one of wait, random"),
        ({"advisor": "oracle"}, "advisor='oracle' is not allowed: one of none, random"),
        ({"policy": "wait", "advisor": "exact"}, "advisor='exact' is not allowed"),
        ({"seeds": []}, "seeds=0 is not allowed"),
        ({"advisor": "exact", "every_steps": 0}, "advisor every_steps: must be >= 1, got 0"),
    ],
)
def test_what_cannot_be_played_is_refused(short_ward: ScenarioConfig, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run_missions(short_ward, GAME, **{"policy": "gain", "seeds": [1]} | arguments)


def test_row_streams_do_not_interact() -> None:
    def streams(*seeds: int) -> RowStreams:
        return RowStreams([np.random.default_rng(seed) for seed in seeds])

    assert (streams(1, 2, 3).random((3, 4))[1] == streams(2).random((1, 4))[0]).all()
    with pytest.raises(ValueError, match="one row per stream"):
        streams(1, 2).random(7)


def test_every_planner_is_an_advisor() -> None:
    assert advisor_names()[0] == "none" and {"linear", "exact", "qaoa"} <= set(advisor_names())


def test_requests_of_a_remote_planner_are_late_sealed_and_counted(short_ward: ScenarioConfig) -> None:
    game = GameConfig("qkd-otp", "none")
    missions = [run_missions(short_ward, game, "gain", "qaoa", seeds, qpu="heron") for seeds in (range(3), [1])]
    spent = missions[0].spent
    assert spent is not None and spent.total("key_bits") > 0 and spent.places.keys() >= {"heron", "local"}
    assert all(record.delay_steps >= 1 for record in spent.records if record.requests)
    for name in METRICS:
        assert missions[0].metrics[name][1] == missions[1].metrics[name][0], name
    offload = run_missions(short_ward, game, "gain", "offload", [1]).spent
    assert offload is not None
    decided = [record.note for record in offload.records if record.planner == "offload"]
    assert decided and all("due in 10 s" in note for note in decided)
