"""Evaluation: the same missions in any chunks, order or place, interrupted and gone on with."""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.heuristics import make_policy
from qdt_env.engine.episodes import GameConfig
from qdt_env.engine.metrics import METRICS, NOT_YET
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from training.entries import Entry, parse_entry
from training.evaluate import JOURNAL, Evaluation, Job, Progress, Trial, evaluate, in_process, play_chunk
from training.journal import Record
from training.rollout import run_missions

ENTRIES = tuple(map(parse_entry, ("gain", "nearest", "random+exact")))
SEEDS = range(100, 105)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial({"ward": with_horizon(load_scenario("ward"), 20)}, GameConfig("qkd", "mixed"))


@pytest.fixture(scope="module")
def whole(trial: Trial) -> Evaluation:
    return evaluate(trial, ENTRIES, SEEDS)


def same(one: Evaluation, other: Evaluation) -> bool:
    """Bit by bit; times are measured anew."""
    places = one.metrics.keys()
    equal = [(one.metrics[p][name] == other.metrics[p][name]).all() for p in places for name in METRICS]
    plans = [one.spent[p].get("plans") == other.spent[p].get("plans") for p in places]
    return places == other.metrics.keys() and (one.seeds == other.seeds).all() and all(equal) and all(plans)


def backwards_elsewhere(
    function: Callable[[Job], Record], jobs: Sequence[Job], *, progress: Progress | None = None
) -> Iterator[tuple[int, Record]]:
    """As a cluster does: everything pickled, results in another order."""
    for index in reversed(range(len(jobs))):
        there, job = pickle.loads(pickle.dumps((function, jobs[index])))
        yield index, json.loads(json.dumps(there(job)))


class Interrupted(Exception):
    """The run was killed."""


def stopping_after(jobs_done: int) -> Any:
    def spread(function: Any, jobs: Any, *, progress: Any = None) -> Iterator[tuple[int, Record]]:
        for index, result in in_process(function, jobs):
            if index == jobs_done:
                raise Interrupted
            yield index, result

    return spread


def test_an_evaluation_is_run_missions_by_entry(trial: Trial, whole: Evaluation) -> None:
    for entry in ENTRIES:
        alone = run_missions(trial.scenarios["ward"], trial.game, entry.policy, entry.advisor, SEEDS)
        for name in METRICS:
            assert (whole.metrics["ward", entry.name][name] == alone.metrics[name]).all(), (entry, name)
        plans = 0 if alone.spent is None else alone.spent.plans
        assert whole.spent["ward", entry.name].get("plans", 0) == pytest.approx(plans)
        assert whole.wall_s["ward", entry.name] > 0.0
    assert list(whole.seeds) == list(SEEDS) and whole.entries == ENTRIES


def test_chunks_order_and_place_change_nothing(trial: Trial, whole: Evaluation) -> None:
    assert same(whole, evaluate(trial, ENTRIES, SEEDS, chunk=2, spread=backwards_elsewhere))


def test_an_entrys_changes_are_its_own(trial: Trial) -> None:
    changed = parse_entry("gain@suite=plaintext,trust=off")
    found = evaluate(trial, [Entry("gain"), changed], SEEDS)
    ward = trial.scenarios["ward"]
    blind = replace(ward, twin=replace(ward.twin, trust_on=False))
    alone = run_missions(blind, GameConfig("plaintext", "mixed"), "gain", seeds=SEEDS)
    assert (found.metrics["ward", changed.name]["messages_forged"] == alone.metrics["messages_forged"]).all()
    assert found.metrics["ward", "gain"]["key_bits"].all() and not found.metrics["ward", changed.name]["key_bits"].any()
    assert (found.metrics["ward", "gain"]["patients"] == found.metrics["ward", changed.name]["patients"]).all()


@pytest.mark.parametrize("done", [0, 4])
def test_an_interrupted_run_goes_on_to_the_same_end(trial: Trial, whole: Evaluation, tmp_path: Path, done: int) -> None:
    with pytest.raises(Interrupted):
        evaluate(trial, ENTRIES, SEEDS, chunk=3, out=tmp_path, spread=stopping_after(done))
    journal = tmp_path / JOURNAL
    assert len(journal.read_text().splitlines()) == 1 + done
    with journal.open("ab") as file:
        file.write(b'{"scenario": "ward", "entry": "gain", "see')  # killed in the midst of a line
    played: list[int] = []
    again = evaluate(trial, ENTRIES, SEEDS, chunk=2, out=tmp_path, resume=True, progress=played.append)
    assert same(whole, again)
    kept = [line["seeds"] for line in map(json.loads, journal.read_text().splitlines()[1 : 1 + done])]
    assert played[0] == sum(map(len, kept)) and played[-1] == len(ENTRIES) * len(SEEDS)
    before = journal.read_bytes()
    assert same(whole, evaluate(trial, ENTRIES, SEEDS, out=tmp_path, resume=True, spread=stopping_after(0)))
    assert journal.read_bytes() == before  # nothing was missing, nothing was played


def test_policies_and_seeds_may_be_added(trial: Trial, whole: Evaluation, tmp_path: Path) -> None:
    first = evaluate(trial, ENTRIES[:2], SEEDS[:4], out=tmp_path)
    assert same(whole, evaluate(trial, ENTRIES, SEEDS, out=tmp_path, resume=True))
    lines = [json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines()[1:]]
    assert sum(len(line["seeds"]) for line in lines) == len(ENTRIES) * len(SEEDS)
    fewer = evaluate(trial, ENTRIES[:2], SEEDS[:4], out=tmp_path, resume=True)
    assert same(first, fewer)


def test_another_game_is_not_gone_on_with(trial: Trial, tmp_path: Path) -> None:
    evaluate(trial, ENTRIES[:1], SEEDS[:1], out=tmp_path)
    with pytest.raises(ValueError, match="another configuration: suite is 'qkd' there and 'psk' here"):
        evaluate(replace(trial, game=GameConfig("psk", "mixed")), ENTRIES[:1], SEEDS[:1], out=tmp_path, resume=True)
    longer = Trial({"ward": load_scenario("ward")}, trial.game)
    with pytest.raises(ValueError, match="another configuration: scenarios is"):
        evaluate(longer, ENTRIES[:1], SEEDS[:1], out=tmp_path, resume=True)
    told = replace(trial, settings={"every_steps": 9})
    with pytest.raises(ValueError, match="another configuration: advisor_settings is"):
        evaluate(told, ENTRIES[:1], SEEDS[:1], out=tmp_path, resume=True)
    with pytest.raises(ValueError, match="holds results already"):
        evaluate(trial, ENTRIES[:1], SEEDS[:1], out=tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda record: record["metrics"].pop("score"), "metric score: got None, allowed is 2 numbers"),
        (lambda record: record["metrics"]["score"].pop(), r"metric score: got \[.*\], allowed is 2 numbers"),
        (lambda record: record["metrics"].update(score=["a", 1.0]), r"metric score: got \['a', 1.0\], allowed is 2"),
        (lambda record: record.pop("seeds"), "seeds: got None, allowed is a list"),
    ],
)
def test_a_line_that_lacks_something_is_named(
    trial: Trial, tmp_path: Path, damage: Callable[[Record], object], words: str
) -> None:
    evaluate(trial, ENTRIES[:1], SEEDS[:4], chunk=2, out=tmp_path)
    path = tmp_path / JOURNAL
    lines = path.read_text().splitlines(keepends=True)
    record = json.loads(lines[2])
    damage(record)
    path.write_text("".join(lines[:2]) + json.dumps(record) + "\n")
    with pytest.raises(ValueError, match=rf"missions\.jsonl: line 3 is damaged: {words}.*; delete the line"):
        evaluate(trial, ENTRIES[:1], SEEDS[:4], out=tmp_path, resume=True)
    path.write_text("".join(lines[:2]))
    evaluate(trial, ENTRIES[:1], SEEDS[:4], out=tmp_path, resume=True)


def test_settings_reach_the_advisor(trial: Trial) -> None:
    often, seldom = (evaluate(replace(trial, settings={"every_steps": steps}), ENTRIES[2:], SEEDS) for steps in (1, 20))
    assert often.spent["ward", "random+exact"]["plans"] > seldom.spent["ward", "random+exact"]["plans"] > 0


def test_everybody_has_played_before_anybody_plays_on(trial: Trial, tmp_path: Path) -> None:
    evaluate(trial, ENTRIES[:2], SEEDS, chunk=3, out=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines()[1:]]
    assert [(line["entry"], line["seeds"][0]) for line in lines] == [
        (name, first) for first in (100, 103) for name in ("gain", "nearest")
    ]


def test_a_lost_chunk_is_not_passed_over(trial: Trial) -> None:
    def losing(function: Any, jobs: Any, *, progress: Any = None) -> Iterator[tuple[int, Record]]:
        yield from list(in_process(function, jobs))[1:]

    with pytest.raises(RuntimeError, match="1 of 2 chunks were played without a result"):
        evaluate(trial, ENTRIES[:2], SEEDS[:2], spread=losing)


class FromFile:
    """Waits if its file says so, else plays the heuristic: stands in for a learned policy."""

    def __init__(self, path: str, layout: Any, codec: Any) -> None:
        kind = Path(path).read_text() if path.endswith(".safetensors") else path
        self.policy = make_policy(kind, layout, codec)
        self.name, self.perfect_information, self.act = path, False, self.policy.act


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("training.rollout.make_policy", FromFile)
    path = tmp_path / "p.safetensors"
    path.write_text("gain")
    return path


def test_a_new_checkpoint_under_the_same_path_is_played_anew(trial: Trial, tmp_path: Path, checkpoint: Path) -> None:
    entries, out = [Entry("gain"), Entry(str(checkpoint))], tmp_path / "kept"
    first = evaluate(trial, entries, SEEDS[:2], out=out)
    lives = [first.metrics["ward", entry.name]["survivors"] for entry in entries]
    assert (lives[0] == lives[1]).all() and len(first.digests[str(checkpoint)]) == 64
    checkpoint.write_text("wait")
    second = evaluate(trial, entries, SEEDS[:2], out=out, resume=True)
    assert not second.metrics["ward", str(checkpoint)]["decisions"].any()
    assert len((out / JOURNAL).read_text().splitlines()) == 4
    checkpoint.write_text("gain")
    assert same(first, evaluate(trial, entries, SEEDS[:2], out=out, resume=True, spread=stopping_after(0)))


def test_a_checkpoint_is_found_from_where_a_worker_stands(
    trial: Trial, tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(function: Any, jobs: Any, *, progress: Any = None) -> Iterator[tuple[int, Record]]:
        monkeypatch.chdir("/")
        yield from in_process(function, jobs)

    monkeypatch.chdir(tmp_path)
    found = evaluate(trial, [Entry(checkpoint.name)], SEEDS[:1], spread=elsewhere)
    assert found.metrics["ward", checkpoint.name]["decisions"].all()


def test_a_checkpoint_that_changes_meanwhile_is_not_mixed_with_itself(
    trial: Trial, tmp_path: Path, checkpoint: Path
) -> None:
    def rewritten(done: int) -> None:
        if done:
            checkpoint.write_text("wait")

    entry, out = Entry(str(checkpoint)), tmp_path / "kept"
    with pytest.raises(ValueError, match="a checkpoint that stays as it is"):
        evaluate(trial, [entry], SEEDS[:2], chunk=1, out=out, progress=rewritten)
    assert len((out / JOURNAL).read_text().splitlines()) == 2


def test_a_chunk_is_plain_data(trial: Trial) -> None:
    result = play_chunk(Job(trial.scenarios["ward"], trial.game, "gain", "none", (1, 2)))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert tuple(result["metrics"]) == METRICS and result["spent"] == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entries": []}, r"policies=\[\] is not allowed"),
        ({"entries": [Entry("gain"), Entry("gain")]}, "all different"),
        ({"entries": [Entry("gain"), Entry("clever")]}, "policy='clever' is not allowed"),
        ({"seeds": []}, "seeds=0 is not allowed"),
        ({"seeds": [1, 1]}, "seeds=2 is not allowed: one or more, all different"),
        ({"seeds": [-1]}, r"seeds\[0\]=-1 is not allowed: a whole number in 0..2\^64-1"),
        ({"chunk": 0}, "chunk=0 is not allowed"),
        ({"resume": True}, "resume=True is not allowed: only with a folder"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_is_played(
    trial: Trial, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate(trial, **{"entries": ENTRIES, "seeds": SEEDS, "spread": stopping_after(0)} | change)


def test_missions_without_the_measured_are_left_out() -> None:
    def metrics(*reds: float) -> dict[str, np.ndarray]:
        return {"reds_treated_60min": np.array(reds), "return": np.full(3, NOT_YET)}

    first, second = Entry("gain"), Entry("nearest")
    found = Evaluation(
        ("a", "b"),
        (first, second),
        np.arange(3, dtype=np.uint64),
        {("a", "gain"): metrics(1.0, NOT_YET, 0.5), ("a", "nearest"): metrics(0.0, 1.0, NOT_YET),
         ("b", "gain"): metrics(*[NOT_YET] * 3), ("b", "nearest"): metrics(1.0, 1.0, 1.0)},
        {},
        {},
    )  # fmt: skip
    assert [list(part) for part in found.samples(first, "reds_treated_60min")] == [[1.0, 0.5]]
    assert [part.tolist() for part in found.pairs(first, second, "reds_treated_60min")] == [[[1.0], [0.0]]]
    assert found.samples(first, "reds_treated_60min", ["b"]) == []
    assert list(found.samples(first, "return", ["a"])[0]) == [NOT_YET] * 3  # there -1 is a number like others


def test_a_scenario_config_travels(trial: Trial) -> None:
    scenario = trial.scenarios["ward"]
    there: ScenarioConfig = pickle.loads(pickle.dumps(scenario))
    assert there.building.digest() == scenario.building.digest() and there.twin == scenario.twin
