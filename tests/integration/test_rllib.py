"""RLlib trains on a cluster of two nodes, and its masked policy never takes a forbidden action."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.physical.config import PhysicalConfig
from qdt_env.scenario import load_scenario

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

# Robots are lost and leave their episode early, which RLlib must take.
SHAKING = PhysicalConfig(
    magnitude_gap=4.2, aftershock_pga_g=0.6, ignition=0.05, collapse_probability=0.3, lost_probability=1.0
)


@pytest.mark.filterwarnings("default")  # Ray's and RLlib's own are theirs; ours are looked for below
def test_three_iterations_on_two_nodes_without_a_warning_of_ours(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.rllib import train_with_rllib

    monkeypatch.chdir(tmp_path)
    shaking = replace(load_scenario("ward"), physical=SHAKING)
    seen: list[int] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = train_with_rllib(
            3,
            address=cluster.address,
            runners=2,
            steps=400,
            scenario=shaking,
            threats="mixed",
            max_cycles=60,
            progress=lambda one: seen.append(one.number),
            checkpoint="runs/policy",
        )
    ours = [str(w.message) for w in caught if Path(w.filename).is_relative_to(ROOT)]
    assert ours == []
    assert seen == [one.number for one in done] == [1, 2, 3]
    steps = [one.agent_steps for one in done]
    assert 0 < steps[0] < steps[1] < steps[2] < 3 * 3 * 500, "3 robots, some lost"
    assert all(np.isfinite(one.mean_return) for one in done)
    assert (tmp_path / "runs" / "policy" / "rllib_checkpoint.json").is_file()


def test_the_module_gives_forbidden_actions_no_probability_and_no_gradient() -> None:
    pytest.importorskip("ray.rllib", reason="needs the extra 'ray'")
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    from qdt_env import hospital_rescue_v0
    from training.rllib import MaskedModule

    env = hospital_rescue_v0.parallel_env(action_mask="rllib")
    seen, _ = env.reset(seed=0)
    one = seen["robot_0"]
    module = MaskedModule(
        observation_space=env.observation_space("robot_0"),
        action_space=env.action_space("robot_0"),
        model_config={"hidden": 16},
    )
    batch = {"obs": {key: torch.from_numpy(value)[None] for key, value in one.items()}}
    for forward in (module.forward_exploration, module.forward_inference, module.forward_train):
        logits = forward(batch)["action_dist_inputs"]
        chances = torch.softmax(logits, -1)[0]
        assert (chances[one["action_mask"] == 0] == 0.0).all() and (chances[one["action_mask"] == 1] > 0.0).all()
    torch.log_softmax(logits, -1)[0, int(one["action_mask"].argmax())].backward()
    last = module.policy[-1].weight.grad
    assert (last[one["action_mask"] == 0] == 0.0).all() and torch.isfinite(last).all()
    assert module.compute_values(batch).shape == (1,)


def test_an_iteration_in_which_no_runner_sent_anything_is_told_too() -> None:
    pytest.importorskip("ray.rllib", reason="needs the extra 'ray'")
    from training.rllib import _iteration

    empty = _iteration(2, {"time_this_iter_s": 60.0}, 1200)
    assert (empty.number, empty.agent_steps, empty.wall_s) == (2, 1200, 60.0) and np.isnan(empty.mean_return)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "castle"], "scenario='castle' is not allowed: one of ward, clinic, hospital"),
        (["--suite", "rot13"], "rot13"),
        (["--iterations", "0"], "iterations=0 is not allowed: 1 or more"),
        (["--steps", "many"], "'--steps': given many: "),
        (["--steps", "1"], "steps=1 is not allowed: 64 or more"),
        (["--seed", "-1"], "seed=-1 is not allowed: 0 to "),
        (["--checkpoint", "here.txt/policy"], "checkpoint: got 'here.txt/policy', allowed is a folder that can be"),
        (["--checkpoint", "tape://policy"], "checkpoint: got 'tape://policy', allowed is a folder that can be"),
        (["--colour", "red"], "--colour (see: python -m training.rllib --help)"),
    ],
)
def test_a_mistake_is_one_clear_line_before_anything_is_trained(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    pytest.importorskip("ray.rllib", reason="needs the extra 'ray'")
    from training import rllib
    from training.cli.main import exit_code

    monkeypatch.chdir(tmp_path)
    Path("here.txt").write_text("mine", "utf-8")
    monkeypatch.setattr(rllib, "joined", None)
    assert exit_code(rllib.app, "python -m training.rllib", arguments) == 2
    out, error = capsys.readouterr()
    assert error.startswith("error: ") and len(error.strip().splitlines()) == 1 and out == "" and words in error
    assert [path.name for path in tmp_path.iterdir()] == ["here.txt"]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_place_that_can_be_written_is_left_as_it_was(scheme: str, tmp_path: Path) -> None:
    pytest.importorskip("ray.rllib", reason="needs the extra 'ray'")
    from training.rllib import writable_place

    folder = tmp_path / "of mine" if not scheme else tmp_path / "mine"
    assert writable_place(f"{scheme}{folder}") == f"{scheme}{folder}"
    assert folder.is_dir() and not any(folder.iterdir())
