"""Networks with advice as their input: they read the block as it is written, and play as they were trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learned policies need PyTorch")

from agents.advice_held import with_advice  # noqa: E402
from agents.heuristics import make_policy  # noqa: E402
from agents.learned import LearnedPolicy, load_network, save_policy  # noqa: E402
from agents.networks import NetworkConfig, TeamPolicy  # noqa: E402
from agents.sight import ALONG, read  # noqa: E402
from qdt_env.engine.episodes import GameConfig  # noqa: E402
from qdt_env.scenario import load_scenario, with_horizon  # noqa: E402
from qdt_env.vector_env import Condition, RescueVectorEnv  # noqa: E402
from training.advised import AdvisedTask  # noqa: E402
from training.checkpoints import POLICY  # noqa: E402
from training.entries import check_entry, parse_entry  # noqa: E402
from training.ppo import PpoConfig  # noqa: E402
from training.rollout import POLICY_STREAM, RowStreams, run_missions  # noqa: E402
from training.run import MissionMix, train_run  # noqa: E402

STEPS, SEEDS = 180, [5, 6, 7]
GAME = GameConfig("qkd", "mixed")
WARD = with_horizon(load_scenario("ward"), STEPS)
CONFIG = PpoConfig(iterations=2, repeats=2, epochs=1, minibatches=1, network=NetworkConfig(8, 16))


def batch() -> AdvisedTask:
    env = RescueVectorEnv(3, conditions=[Condition(WARD, "qkd", "mixed")], autoreset_mode="Disabled")
    return AdvisedTask(env, "exact", unseen=True)


def saved(folder: Path, advised: bool) -> Path:
    """A policy's file; its weights are large enough to tell inputs apart."""
    torch.manual_seed(1)
    network = TeamPolicy(NetworkConfig(8, 16), advised)
    with torch.no_grad():
        network.patient.weight.mul_(100.0)
        network.others.weight.mul_(100.0)
        if advised:
            network.eyes.tasks.own.weight[:, -1] = 50.0  # the mark of the advised patient decides
            network.patient.weight.abs_()
    path = folder / f"{'advised' if advised else 'plain'}.safetensors"
    save_policy(path, network, {})
    return path


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved(tmp_path_factory.mktemp("policies"), advised=True))


def test_the_network_reads_the_block_as_the_wrapper_writes_it() -> None:
    env, given = batch(), 0
    seen, _ = env.reset(seed=SEEDS)
    rule = make_policy("nearest", env.layout, env.codec)
    for _ in range(STEPS):
        observation, held = seen["observation"], env._held
        sight = read(env.layout, torch.from_numpy(observation.reshape(9, -1)), torch.zeros(9, 24), advised=True)
        there = sight.own[:, -ALONG - 2 : -ALONG]
        named = torch.zeros(9, 24).index_put((sight.open.row, sight.open.slot), sight.patients[:, -1])
        shown = env.layout.feature(observation, "advice", "given")[..., 0].reshape(9) > 0.5
        patient, age = held.patient.reshape(9), held.age_steps.reshape(9)
        assert np.array_equal(there[:, 0].numpy() > 0.5, shown)
        assert np.allclose(there[shown, 1].numpy(), age[shown] / (age[shown] + 60.0))
        assert np.array_equal(named.argmax(1).numpy()[shown], patient[shown])
        assert np.array_equal(named.sum(1).numpy(), shown.astype(float))
        given += int(shown.sum())
        seen, *_ = env.step(rule.act(observation, seen["action_mask"], np.random.default_rng(0)))
    assert given > 20


def test_a_mission_is_played_with_the_observations_of_training(advised: str) -> None:
    missions = run_missions(WARD, GAME, advised, "exact", SEEDS, unseen=True)
    env = batch()
    policy = LearnedPolicy(load_network(Path(advised))[0], env.layout, env.codec, "advised")
    rng = RowStreams([np.random.default_rng([seed, POLICY_STREAM]) for seed in SEEDS])
    seen, _ = env.reset(seed=SEEDS)
    for _ in range(STEPS):
        seen, *_ = env.step(policy.act(seen["observation"], seen["action_mask"], rng))
    for name, values in env.metrics().items():
        assert np.array_equal(missions.metrics[name], values), name
    assert missions.spent is not None and missions.spent.plans == sum(one.plans for one in env.spent) > 0


def test_advice_is_input_and_not_an_order(advised: str) -> None:
    seeds = range(20, 28)

    def end(advisor: str, *hidden: str) -> np.ndarray:
        return run_missions(WARD, GAME, advised, advisor, seeds, hidden=hidden, unseen=True).episodes.out.observation

    blind = end("exact", "advice")
    assert not np.array_equal(end("exact"), blind)
    assert np.array_equal(end("nearest", "advice"), blind)  # what is hidden cannot matter


def test_a_network_without_advice_follows_the_advisor(tmp_path: Path) -> None:
    plain = str(saved(tmp_path, advised=False))
    seeds = range(20)  # small missions: in some of them both ways end alike
    follows = run_missions(WARD, GAME, plain, "exact", seeds, unseen=True)
    alone = run_missions(WARD, GAME, plain, seeds=seeds)
    assert follows.spent is not None and follows.spent.plans > 0
    assert not np.array_equal(follows.episodes.out.observation, alone.episodes.out.observation)


def test_a_network_that_wants_advice_is_not_played_without(advised: str) -> None:
    words = "one trained without advice, or add an advisor"
    with pytest.raises(ValueError, match=words):
        run_missions(WARD, GAME, advised, seeds=SEEDS)
    with pytest.raises(ValueError, match=words):
        check_entry(parse_entry(advised), WARD, GAME)
    check_entry(parse_entry(f"{advised}+greedy@hide=advice+ages"), WARD, GAME)
    with pytest.raises(ValueError, match="hide='advice' is not allowed"):
        check_entry(parse_entry("gain+greedy@hide=advice"), WARD, GAME)


@pytest.mark.parametrize("algorithm", ["mappo", "ippo"])
def test_a_run_with_advice_trains_and_names_its_advisor(tmp_path: Path, algorithm: str) -> None:
    mix = MissionMix(rows=4, max_cycles=30, advisor="greedy")
    config = replace(CONFIG, algorithm=algorithm)
    path = train_run(tmp_path, mix, config, minutes=0.0)  # cut off after an iteration, then gone on with
    train_run(tmp_path, mix, config, resume=True)
    network, card = load_network(path)
    assert path.name == POLICY and network.advised and card["missions"][0]["advisor"] == "greedy"
    assert with_advice(RescueVectorEnv(1).layout).size == mix.make_env().layout.size
    with pytest.raises(ValueError, match="missions.0.advisor there 'greedy', here None"):
        train_run(tmp_path, replace(mix, advisor=None), config, resume=True)


def test_an_unknown_advisor_is_named() -> None:
    with pytest.raises(ValueError, match="advisor='oracle' is not allowed: one of random"):
        MissionMix(advisor="oracle")
