"""Training runs on disk: resumed ones equal those that were never interrupted; foreign and damaged ones are refused."""

import csv
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the trainer needs PyTorch")

from agents.learned import all_finite, load_network  # noqa: E402
from agents.networks import NetworkConfig  # noqa: E402
from training.checkpoints import CHECKPOINT, CURVE, POLICY  # noqa: E402
from training.ppo import Diverged, Learner, PpoConfig  # noqa: E402
from training.run import MissionMix, train_run  # noqa: E402

MIX = MissionMix(rows=4, max_cycles=30)
CONFIG = PpoConfig(iterations=4, imitated=1, repeats=2, epochs=2, minibatches=2, network=NetworkConfig(8, 16))
TIMES = ("seconds",)


def curve(folder: Path) -> list[dict[str, str]]:
    """The figures but for the times."""
    with (folder / CURVE).open() as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


class Stop(Exception):
    """Raised to interrupt a run."""


def interrupted(folder: Path, after: int, save_every_s: float) -> None:
    """A run that is cut off in the middle of its work."""

    def stop(number: int, line: dict[str, float]) -> None:
        del line
        if number > after:
            raise Stop

    with pytest.raises(Stop):
        train_run(folder, MIX, CONFIG, save_every_s=save_every_s, progress=stop)


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = train_run(tmp_path / "whole", MIX, CONFIG)
    interrupted(tmp_path / "cut", after=2, save_every_s=0.0)
    assert len(curve(tmp_path / "cut")) == 3  # one line more than the checkpoint knows
    with (tmp_path / "cut" / CURVE).open("a") as file:
        file.write("3,half a li")
    resumed = train_run(tmp_path / "cut", MIX, CONFIG, resume=True)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole") and len(curve(tmp_path / "whole")) == 4
    one, other = load_network(whole)[0].state_dict(), load_network(resumed)[0].state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_has_come_so_far_already_stops_at_once(tmp_path: Path) -> None:
    train_run(tmp_path, MIX, CONFIG, stop_after=2)
    assert len(curve(tmp_path)) == 2
    for number in (1, 2):
        train_run(tmp_path, MIX, CONFIG, resume=True, stop_after=number)
        assert len(curve(tmp_path)) == 2
    train_run(tmp_path, MIX, CONFIG, resume=True, stop_after=3)
    assert len(curve(tmp_path)) == 3


def test_more_threads_change_nothing_but_the_time(tmp_path: Path) -> None:
    one, other = (train_run(tmp_path / str(threads), MIX, CONFIG, threads=threads) for threads in (1, 2))
    assert curve(tmp_path / "1") == curve(tmp_path / "2")
    states = [load_network(path)[0].state_dict() for path in (one, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


TRAINING = """
import sys
from pathlib import Path
from tests.unit.training.test_run import CONFIG, MIX
from training.run import train_run
train_run(Path(sys.argv[1]), MIX, CONFIG, save_every_s=0.0)
"""


def test_a_run_killed_without_warning_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = train_run(tmp_path / "whole", MIX, CONFIG)
    killed = subprocess.Popen([sys.executable, "-c", TRAINING, str(tmp_path / "cut")], cwd=Path(__file__).parents[3])
    until = time.monotonic() + 300.0
    while not (tmp_path / "cut" / CHECKPOINT).exists() and killed.poll() is None:
        assert time.monotonic() < until, "no checkpoint in five minutes"
        time.sleep(0.005)
    killed.kill()
    assert killed.wait() == -9, "the run ended before it was killed"
    resumed = train_run(tmp_path / "cut", MIX, CONFIG, resume=True)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    one, other = load_network(whole)[0].state_dict(), load_network(resumed)[0].state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_is_interrupted_in_a_batch_keeps_the_whole_ones_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_run(tmp_path / "whole", MIX, CONFIG)
    step, steps = Learner._step, 2 * CONFIG.epochs * CONFIG.minibatches + 1

    def interrupted(learner: Learner, *rest: Any) -> dict[str, float]:
        """The first gradient step of the third batch is made, and then somebody presses Ctrl-C."""
        nonlocal steps
        steps -= 1
        found = step(learner, *rest)
        if steps == 0:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Learner, "_step", interrupted)
        train_run(tmp_path / "cut", MIX, CONFIG)
    assert load_network(tmp_path / "cut" / POLICY)[1]["iteration"] == 2 == len(curve(tmp_path / "cut"))
    assert curve(tmp_path / "cut")[-1]["missions"] == "8.0"
    resumed = train_run(tmp_path / "cut", MIX, CONFIG, resume=True)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    one, other = load_network(whole)[0].state_dict(), load_network(resumed)[0].state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_diverges_stops_and_keeps_what_was_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Diverged, match=r"batch 1: .*lower one of .*entropy \(1e\+39\).*; nothing is kept"):
        train_run(tmp_path / "first", MIX, replace(CONFIG, imitated=0, entropy=1e39))
    assert not (tmp_path / "first" / CHECKPOINT).exists() and not (tmp_path / "first" / POLICY).exists()
    policy_loss = Learner._policy_loss

    def broken(learner: Learner, *rest: Any, **given: Any) -> Any:
        loss, figures = policy_loss(learner, *rest, **given)
        return loss * float("nan" if learner.iteration == 2 else 1.0), figures

    monkeypatch.setattr(Learner, "_policy_loss", broken)
    with pytest.raises(Diverged, match=r"batch 3: .*; batch 2, the last good one, is kept in '.*later'"):
        train_run(tmp_path / "later", MIX, CONFIG)
    network, card = load_network(tmp_path / "later" / POLICY)
    assert card["iteration"] == 2 and all(map(all_finite, network.parameters()))


def test_several_mixes_are_played_in_turn_and_resumed_in_turn(tmp_path: Path) -> None:
    small = MissionMix("clinic", rows=2, max_cycles=10)
    config = replace(CONFIG, imitated=2)
    whole = train_run(tmp_path / "whole", [MIX, small], config)
    steps = [float(line["agent_steps"]) for line in curve(tmp_path / "whole")]
    ward, clinic = (len(mix.scenarios()[0].team) * mix.rows * (mix.max_cycles or 0) for mix in (MIX, small))
    assert np.diff([0.0, *steps]).tolist() == [ward, clinic, ward, clinic]
    assert [float(line["missions"]) for line in curve(tmp_path / "whole")] == [4.0, 6.0, 10.0, 12.0]
    train_run(tmp_path / "cut", [MIX, small], config, stop_after=3)
    resumed = train_run(tmp_path / "cut", [MIX, small], config, resume=True)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    (one, card), other = load_network(whole), load_network(resumed)[0].state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.state_dict().items())
    assert [mix["scenario"] for mix in card["missions"]] == ["ward", "clinic"]
    with pytest.raises(ValueError, match="advisor='greedy' is not allowed: None"):
        train_run(tmp_path / "odd", [MIX, replace(small, advisor="greedy")], config)
    with pytest.raises(ValueError, match="mixes"):
        train_run(tmp_path / "none", [], config)
    with pytest.raises(ValueError, match="missions.1.rows there 2, here 4"):
        train_run(tmp_path / "cut", [MIX, replace(small, rows=4)], config, resume=True)


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    first = train_run(tmp_path / "first", MIX, replace(CONFIG, iterations=1))
    short = replace(CONFIG, iterations=2, imitated=0)
    whole = train_run(tmp_path / "whole", MIX, short, start=str(first))
    anew = train_run(tmp_path / "anew", MIX, short)
    one, other = load_network(whole)[0].state_dict(), load_network(anew)[0].state_dict()
    assert not all(torch.equal(one[name], other[name]) for name in one)
    learner = Learner(short)
    learner.start_from(load_network(first)[0])
    assert all(
        torch.equal(value, load_network(first)[0].state_dict()[n]) for n, value in learner.policy.state_dict().items()
    )
    steadfast = replace(short.network, reconsiders=not short.network.reconsiders)
    Learner(replace(short, network=steadfast)).start_from(load_network(first)[0])
    with pytest.raises(ValueError, match="start there .*first.*, here None"):
        train_run(tmp_path / "whole", MIX, short, resume=True)
    with pytest.raises(ValueError, match="width 8, not 16"):
        train_run(tmp_path / "other", MIX, replace(short, network=NetworkConfig(16, 16)), start=str(first))
    with pytest.raises(ValueError, match="a .safetensors file: this is a folder"):
        load_network(tmp_path)
    with pytest.raises(ValueError, match="existing .safetensors file"):
        train_run(tmp_path / "none", MIX, short, start=str(tmp_path / "none.safetensors"))
    first.unlink()
    train_run(tmp_path / "whole", MIX, short, start=str(first), resume=True)


def test_a_finished_run_can_be_resumed_and_does_nothing(tmp_path: Path) -> None:
    first = train_run(tmp_path, MIX, replace(CONFIG, iterations=1, imitated=0))
    before = first.read_bytes(), (tmp_path / CURVE).read_bytes()
    train_run(tmp_path, MIX, replace(CONFIG, iterations=1, imitated=0), resume=True)
    assert (first.read_bytes(), (tmp_path / CURVE).read_bytes()) == before


def test_a_run_is_not_overwritten_by_mistake_nor_mixed_with_another(tmp_path: Path) -> None:
    small = replace(CONFIG, iterations=1, imitated=0)
    train_run(tmp_path, MIX, small)
    with pytest.raises(ValueError, match="--resume"):
        train_run(tmp_path, MIX, small)
    with pytest.raises(ValueError, match="learning_rate there 0.001, here 0.01"):
        train_run(tmp_path, MIX, replace(small, learning_rate=0.01), resume=True)
    with pytest.raises(ValueError, match="missions.0.suite there 'qkd', here 'psk'"):
        train_run(tmp_path, replace(MIX, suite="psk"), small, resume=True)
    (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or of another kind: put an earlier copy there, or begin anew"):
        train_run(tmp_path, MIX, small, resume=True)
    with pytest.raises(ValueError, match="no checkpoint"):
        train_run(tmp_path / "new", MIX, small, resume=True)
    assert not (tmp_path / "new").exists()


def test_the_time_limit_saves_what_was_reached(tmp_path: Path) -> None:
    train_run(tmp_path, MIX, CONFIG, minutes=0.0)
    assert len(curve(tmp_path)) == 1 and (tmp_path / POLICY).is_file() and (tmp_path / CHECKPOINT).is_file()


@pytest.mark.parametrize(
    ("change", "named"),
    [({"buildings": 0}, "buildings"), ({"rows": 3, "buildings": 4}, "rows"),
     ({"scenario": "clinic.json", "buildings": 2}, "buildings")],
)  # fmt: skip
def test_mixes_that_cannot_be_laid_out_are_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(MIX, **change)


@pytest.mark.parametrize(
    ("config", "given", "words"),
    [
        ({"network": replace(CONFIG.network, without=("foo",))}, {}, "without='foo' is not allowed: .*a block of"),
        ({}, {"teacher": "clever"}, "policy='clever' is not allowed: one of wait"),
        ({}, {"start": "learned"}, "start='learned' is not allowed: None where a teacher is imitated"),
        ({"imitated": 0}, {"start": "gain"}, "got 'gain' .*--imitate gain.*, allowed is one of learned-ward, learned"),
        ({"imitated": 0}, {"start": "exact"}, "got 'exact', allowed is one of learned-ward, learned, or a .safe"),
        ({"imitated": 0, "network": NetworkConfig(memory=True)}, {"start": "learned"}, "memory False, not True, all"),
        ({}, {"minutes": float("nan")}, "minutes=nan"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(
    tmp_path: Path, config: dict[str, Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        train_run(tmp_path / "new", MIX, replace(CONFIG, **config), **given)
    assert not (tmp_path / "new").exists()


def test_rows_must_hold_whole_groups(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows=4.*multiple of 3"):
        train_run(tmp_path, MIX, replace(CONFIG, repeats=3))


def test_buildings_of_several_sizes_share_their_slots() -> None:
    mix = MissionMix(buildings=3, rows=6, threats=("none", "mixed"), max_cycles=5)
    env = mix.make_env()
    assert len({one.patient_slots for one in mix.scenarios()}) == 1
    assert [(c.scenario.building.digest(), c.threats) for c in env.conditions] == [
        (one.building.digest(), threats) for one in mix.scenarios() for threats in mix.threats
    ]
