"""Every example of docs/extend.md is short, runs, shows what it claims, and stands on the page as it is."""

import ast
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("extend_*.py"))
WHAT = {"attack", "building", "planner", "policy", "reward", "sensor", "suite"}


def load(name: str) -> dict:
    return runpy.run_path(str(ROOT / "examples" / f"extend_{name}.py"))


def test_there_is_one_of_each_and_all_are_short():
    assert {path.stem.removeprefix("extend_") for path in EXAMPLES} == WHAT
    assert all(len(path.read_text("utf-8").splitlines()) <= 60 for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_they_are_named_on_the_page_with_their_first_words(path):
    page = (ROOT / "docs" / "extend.md").read_text("utf-8")
    words = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert f"(../examples/{path.name})" in page and words


def test_an_attack_is_accepted_without_cryptography_and_rejected_with_it():
    play = load("attack")["play"]
    plain, quantum = play("plaintext"), play("qkd")
    assert plain["forged"] == quantum["rejected"] > 0 and "forged" not in quantum
    assert plain["delivered"] == quantum["delivered"] > 0


def test_a_suite_opens_what_it_sealed_and_refuses_the_rest(capsys):
    runpy.run_path(str(ROOT / "examples" / "extend_suite.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == ["b'zone 12: smoke'", "refused: unverified"]


def test_a_planner_lies_between_greedy_and_exact():
    above = load("planner")["ratios"](("greedy", "exact"))
    assert above["exact"] == 0.0 <= above["swap two"] <= above["greedy"] and above["swap two"] < above["greedy"]


def test_a_policy_plays_and_its_rank_prefers_the_seen():
    import numpy as np

    example = load("policy")
    found = example["scores"]("certain", np.arange(2, dtype=np.uint64))
    assert found.shape == (2,) and np.isfinite(found).all()


def test_a_reward_charges_old_views_only():
    from qdt_env import hospital_rescue_v0

    example = load("reward")
    totals = {}
    for threats in ("none", "drop+jam"):
        for wrap in (lambda env: env, example["FreshViews"]):
            env = wrap(hospital_rescue_v0.parallel_env(threats=threats, max_cycles=40))
            totals.setdefault(threats, []).append(example["play"](env, seed=3))
    assert totals["none"][0] == pytest.approx(totals["none"][1])
    assert totals["drop+jam"][0] > totals["drop+jam"][1] + 0.01


def test_a_building_survives_its_file(tmp_path):
    from qdt_env.hospital import load_building, save_building

    example = load("building")
    building = example["field_hospital"]()
    save_building(building, tmp_path / "field.json")
    assert load_building(tmp_path / "field.json").digest() == building.digest()
    assert building.n_zones == 14 and len(building.entrances) == 2 and len(building.depots) == 1
    assert example["scenario_of"](building).horizon_steps == 120


@pytest.mark.slow
def test_sensors_change_the_picture():
    found = load("sensor")["errors"](range(4))
    assert found["lidar on robots"] < found["as they are"] < found["blind robots"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WHAT - {"suite", "sensor"}))
def test_they_run_as_scripts(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["example"])
    runpy.run_path(str(ROOT / "examples" / f"extend_{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.strip()
