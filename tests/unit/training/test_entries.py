"""Who is evaluated: names read and written, changes made for one entry alone, mistakes named beforehand."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import load_scenario
from training.entries import Entry, applied, check_entry, checkpoint_digest, parse_entry, scenario_digest

GAME = GameConfig("qkd", "mixed")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("gain", Entry("gain")),
        ("gain+exact", Entry("gain", "exact")),
        ("gain@suite=psk,trust=off", Entry("gain", changes=(("suite", "psk"), ("trust", "off")))),
        ("gain+qaoa@threats=tamper+jam", Entry("gain", "qaoa", (("threats", "tamper+jam"),))),
        ("gain+exact@hide=ages+team", Entry("gain", "exact", (("hide", "ages+team"),))),
        ("runs/a+b/p.safetensors", Entry("runs/a+b/p.safetensors")),
        ("runs/a@home/p.safetensors", Entry("runs/a@home/p.safetensors")),
        ("runs/p.safetensors+exact@suite=psk", Entry("runs/p.safetensors", "exact", (("suite", "psk"),))),
    ],
)
def test_a_name_is_read_and_written_back(text: str, entry: Entry) -> None:
    assert parse_entry(text) == entry and entry.name == text


def test_a_label_is_short() -> None:
    assert parse_entry("runs/2026/mine/best.safetensors+exact").label == "mine/best+exact"
    assert parse_entry("best.safetensors").label == "best"
    assert parse_entry("gain@suite=psk").label == "gain@suite=psk"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gain+oracle", "advisor='oracle' is not allowed: one of none, random"),
        ("", "policy='' is not allowed"),
        ("+exact", r"policy='\+exact' is not allowed"),
        ("gain@colour=red", "policy='gain@colour=red' is not allowed: behind @ one or more of suite, threats"),
        ("gain@suite=psk,fast", "policy='gain@suite=psk,fast' is not allowed"),
        ("gain@trust=maybe", "trust='maybe' is not allowed: on or off"),
    ],
)
def test_a_name_that_means_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_entry(text)


@pytest.mark.parametrize(
    ("text", "game", "words"),
    [
        ("clever", GAME, "policy='clever' is not allowed"),
        ("wait+exact", GAME, "advisor='exact' is not allowed: 'none' with policy 'wait'"),
        ("gain@suite=rot13", GAME, "rot13"),
        ("gain@threats=dragons", GAME, "dragons"),
        ("gain@hide=weather", GAME, "hide='weather' is not allowed: trust or ages, a block of self"),
        ("gain", GameConfig(control="move"), "control='move' is not allowed for policy 'gain'"),
        ("random+exact", GameConfig(control="move"), "control='move' is not allowed: 'task'"),
    ],
)
def test_what_cannot_play_is_refused_beforehand(text: str, game: GameConfig, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_entry(parse_entry(text), load_scenario("ward"), game)


def test_changes_are_made_and_nothing_else_is() -> None:
    ward = load_scenario("ward")
    scenario, game = applied(parse_entry("gain@suite=psk,trust=off,channel=wire"), ward, GAME)
    assert game == replace(GAME, suite="psk", channel="wire")
    assert not scenario.twin.trust_on and replace(scenario, twin=ward.twin) == ward
    assert applied(parse_entry("gain@trust=on"), ward, GAME) == (ward, GAME)
    hiding = parse_entry("gain@hide=trust+tasks.rpm")
    assert applied(hiding, ward, GAME) == (ward, GAME)
    assert hiding.hidden == ("trust", "tasks.rpm")
    assert parse_entry("gain").hidden == ()


def test_a_checkpoint_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    assert checkpoint_digest(str(path)) == checkpoint_digest("gain") == ""
    path.write_bytes(b"first")
    assert checkpoint_digest(str(path)) == hashlib.sha256(b"first").hexdigest()


def test_the_digest_knows_building_and_parameters() -> None:
    ward = load_scenario("ward")
    digest = scenario_digest(ward)
    assert scenario_digest(replace(ward, name="other")) == digest == scenario_digest(load_scenario("ward"))
    assert scenario_digest(load_scenario("ward", building_seed=1)) != digest
    assert scenario_digest(replace(ward, stale_s=61.0)) != digest
    assert scenario_digest(replace(ward, twin=replace(ward.twin, trust_on=False))) != digest
