"""Ablations: each variant lacks its part and nothing else; runs are put together mission by mission."""

from pathlib import Path

import numpy as np
import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.metrics import NOT_YET
from qdt_env.scenario import load_scenario
from training.ablation_study import (
    FULL,
    UNSEEN_BUILDING,
    by_variant,
    held_out,
    hiding_players,
    run_differences,
    variants,
)
from training.comparison import contests
from training.entries import Entry, parse_entry
from training.evaluate import Evaluation

NAMES = ["full", "without advice", "without trust", "without ages", "plaintext"]
PLAYERS = {"full": [Entry("a0"), Entry("a1")], "without trust": [Entry("b0"), Entry("b1")]}


def evaluation(scores: dict[str, list[float]], overtriage: dict[str, list[float]]) -> Evaluation:
    n = len(scores["a0"])
    places = [("ward", name) for name in scores]
    metrics = {
        ("ward", name): {"score": np.array(scores[name]), "overtriage": np.array(overtriage[name])} for name in scores
    }
    rest = ("lives_saved", "survivors", "handed_over", "reds_treated_60min", "undertriage", "robots_lost",
            "stale_decisions", "deceived_decisions", "messages_rejected", "messages_forged", "messages_exposed",
            "key_bits")  # fmt: skip
    for place in places:
        metrics[place] |= {name: np.zeros(n) for name in rest}
    spent = {("ward", name): {"plans": 4.0} if name == "a0" else {} for name in scores}
    entries = tuple(Entry(name) for name in scores)
    return Evaluation(("ward",), entries, np.arange(n), metrics, spent, dict.fromkeys(places, 2.0))


FOUND = evaluation(
    {"a0": [1.0, 2.0, 3.0], "a1": [3.0, 4.0, 7.0], "b0": [0.0, 1.0, 2.0], "b1": [0.0, 1.0, 4.0]},
    {"a0": [0.5, NOT_YET, 0.0], "a1": [0.1, 0.2, 0.4], "b0": [0.0] * 3, "b1": [0.0] * 3},
)


def test_variants_lack_what_there_is() -> None:
    assert [one.name for one in variants("greedy", "qkd")] == NAMES
    assert [one.name for one in variants(None, "qkd")] == ["full", "without trust", "without ages", "plaintext"]
    assert [one.name for one in variants("greedy", "plaintext")] == NAMES[:-1]
    entries = [one.entry("p.safetensors", "greedy").name for one in variants("greedy", "qkd")]
    assert entries == ["p.safetensors+greedy", "p.safetensors", *["p.safetensors+greedy"] * 2,
                       "p.safetensors+greedy@suite=plaintext"]  # fmt: skip


def test_training_runs_are_averaged_mission_by_mission() -> None:
    named = by_variant(FOUND, PLAYERS)
    assert [entry.name for entry in named.entries] == ["full", "without trust"]
    assert named.metrics["ward", "full"]["score"].tolist() == [2.0, 3.0, 5.0]
    assert named.metrics["ward", "full"]["overtriage"].tolist() == [0.3, NOT_YET, 0.2]
    assert named.spent["ward", "full"] == {"plans": 2.0} and named.wall_s["ward", "full"] == 2.0
    (against,) = contests(named)
    assert against.score.mean == pytest.approx(-2.0) and against.difference["overtriage"].n == 2


def test_the_runs_own_differences_stand_beside_their_mean() -> None:
    (found,) = run_differences(FOUND, PLAYERS)
    assert (found.variant, found.scope) == ("without trust", "ward")
    assert [one.mean for one in found.by_run] == pytest.approx([-1.0, -3.0])
    assert found.over_runs.mean == pytest.approx(-2.0)
    reach = 12.7062047 * np.std([-1.0, -3.0], ddof=1) / np.sqrt(2)  # Student's quantile for one degree of freedom
    assert found.over_runs.low == pytest.approx(-2.0 - reach) and found.to_dict()["over_runs"]["n"] == 2


def test_parts_are_hidden_from_a_policy_that_stays_as_it_is() -> None:
    ward, game = load_scenario("ward"), GameConfig("qkd", "mixed")

    def names(text: str, given: GameConfig = game) -> list[str]:
        return [runs[0].name for runs in hiding_players(parse_entry(text), ward, given).values()]

    assert names("gain") == ["gain", "gain@hide=trust", "gain@hide=ages", "gain@suite=plaintext"]
    assert names("gain+exact@suite=psk,hide=team") == [
        "gain+exact@suite=psk,hide=team", "gain@suite=psk,hide=team", "gain+exact@suite=psk,hide=team+trust",
        "gain+exact@suite=psk,hide=team+ages", "gain+exact@suite=plaintext,hide=team",
    ]  # fmt: skip
    assert names("gain", GameConfig("plaintext", "mixed"))[-1] == "gain@hide=ages"
    with pytest.raises(ValueError, match="policy='clever'"):
        names("clever")


def test_advice_is_hidden_from_a_network_that_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="learned policies need PyTorch")
    from agents.learned import save_policy
    from agents.networks import NetworkConfig, TeamPolicy

    path = tmp_path / "p.safetensors"
    save_policy(path, TeamPolicy(NetworkConfig(8, 16), advised=True), {})
    players = hiding_players(parse_entry(f"{path}+greedy"), load_scenario("ward"), GameConfig("qkd", "mixed"))
    assert list(players) == NAMES and players["without advice"][0].name == f"{path}+greedy@hide=advice"


def test_a_variant_is_trained_as_the_whole_one_but_for_its_part() -> None:
    pytest.importorskip("torch", reason="the trainer needs PyTorch")
    from training.ablation_training import varied_config, varied_mix
    from training.ppo import PpoConfig
    from training.run import MissionMix

    mix, config = MissionMix(advisor="greedy"), PpoConfig(objective="score")
    for variant in variants("greedy", "qkd"):
        changed_mix, changed = varied_mix(mix, variant), varied_config(config, variant, mix)
        differing = {name for name in vars(mix) if getattr(mix, name) != getattr(changed_mix, name)}
        assert differing == {"without advice": {"advisor"}, "plaintext": {"suite"}}.get(variant.name, set())
        hidden = {"without trust": 4, "without ages": 4}.get(variant.name, 0)
        assert len(changed.network.without) == hidden
        assert (changed == config) == (not hidden)
    assert varied_config(config, variants("greedy", "qkd")[2], MissionMix()).network.without == (
        "tasks.trust", "channel.link_trust", "channel.source_trust",
    )  # fmt: skip
    assert varied_config(config, FULL, mix) == config


def test_held_out_missions_include_a_building_that_nobody_trained_on() -> None:
    found = held_out("ward")
    assert list(found) == ["ward", "ward (new building)"]
    new = load_scenario("ward", building_seed=UNSEEN_BUILDING).building.digest()
    assert found["ward (new building)"].building.digest() == new != found["ward"].building.digest()
