"""The learner's arithmetic: advantages along decisions, ends, the seed's luck, normalisation, and refused settings."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the trainer needs PyTorch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from agents.learned import Actor  # noqa: E402
from agents.networks import NetworkConfig, TeamPolicy  # noqa: E402
from agents.policies import make_policy  # noqa: E402
from qdt_env.spaces import CONTINUE  # noqa: E402
from tests.learning.tasks import Trust, Turns  # noqa: E402
from training import ppo  # noqa: E402
from training.collect import Rollout, Teacher, advantages, play_missions, sequences_of  # noqa: E402
from training.ppo import MOST_SEED, Learner, PpoConfig, ReturnScale, train, without_luck  # noqa: E402
from training.run import MissionMix  # noqa: E402


def rollout_of(steps: list[list[int]], reward: np.ndarray, end: list[int], lost: list[bool]) -> Rollout:
    """One row; robot r decides at ``steps[r]``; ``reward`` (T,) for all robots."""
    robots = len(steps)
    pairs = sorted((t, r) for r, times in enumerate(steps) for t in times)
    step, robot = (np.array(column) for column in zip(*pairs, strict=True))
    n = len(pairs)
    return Rollout(
        observation=np.zeros((n, 1), np.float32), mask=np.ones((n, 2), np.int8), chosen=np.zeros((n, 1), np.float32),
        action=np.zeros(n, np.int64), log_probability=np.zeros(n, np.float32), row=np.zeros(n, np.int64), robot=robot,
        step=step, context=np.zeros((n, 1), np.float32), sequences=sequences_of(robot),
        reward=np.repeat(reward[:, None, None], robots, 2), end_step=np.array([end]),
        end_context=np.zeros((1, robots, 1), np.float32), lost=np.array([lost]), metrics={}, agent_steps=0,
    )  # fmt: skip


def slow_advantages(
    rollout: Rollout, values: np.ndarray, end_values: np.ndarray, discount: float, trace: float
) -> np.ndarray:
    """The definition, decision by decision and step by step."""
    found = np.zeros(len(values))
    for r in range(rollout.end_step.shape[1]):
        own = [i for i in range(len(values)) if rollout.robot[i] == r]
        after, value_after, advantage_after = rollout.end_step[0, r], end_values[0, r], 0.0
        for i in reversed(own):
            t = rollout.step[i]
            gained = sum(discount ** (u - t) * rollout.reward[u, 0, r] for u in range(t, after))
            factor = discount ** (after - t)
            advantage_after = gained + factor * value_after - values[i] + factor * trace * advantage_after
            found[i], after, value_after = advantage_after, t, values[i]
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_advantages_are_those_of_the_definition(data: st.DataObject) -> None:
    horizon = data.draw(st.integers(3, 12))
    times = st.lists(st.integers(0, horizon - 1), min_size=1, unique=True).map(sorted)
    steps = data.draw(st.lists(times, min_size=1, max_size=3))
    end = [data.draw(st.integers(own[-1] + 1, horizon)) for own in steps]
    lost = [one < horizon for one in end]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rollout = rollout_of(steps, rng.normal(size=horizon), end, lost)
    values, end_values = rng.normal(size=len(rollout.step)), rng.normal(size=(1, len(steps)))
    discount, trace = data.draw(st.sampled_from([1.0, 0.9])), data.draw(st.sampled_from([0.0, 0.9, 1.0]))
    fast = advantages(rollout, values, end_values, discount, trace)
    assert np.allclose(fast, slow_advantages(rollout, values, end_values, discount, trace), atol=1e-12)


@pytest.mark.parametrize("discount", [0.99, 0.9, 0.1])
def test_advantages_of_long_missions_are_as_exact_as_those_of_short_ones(discount: float) -> None:
    """discount^720 is 1e-33 at 0.9 and 0 at 0.1: nothing may be divided by it."""
    rng = np.random.default_rng(1)
    rollout = rollout_of([list(range(0, 720, 7))], rng.normal(size=720), [720], [False])
    values, end_values = rng.normal(size=len(rollout.step)), np.array([[0.5]])
    fast = advantages(rollout, values, end_values, discount, 0.9)
    assert np.allclose(fast, slow_advantages(rollout, values, end_values, discount, 0.9), atol=1e-11)


def test_with_a_decision_at_every_step_it_is_the_usual_gae() -> None:
    reward, values = np.array([0.0, 1.0, 0.5, 2.0]), np.array([0.3, -0.2, 0.7, 0.1])
    rollout = rollout_of([[0, 1, 2, 3]], reward, [4], [False])
    after, expected = 0.0, []
    for t in reversed(range(4)):
        following = values[t + 1] if t < 3 else 0.25
        after = reward[t] + 0.9 * following - values[t] + 0.9 * 0.8 * after
        expected.insert(0, after)
    assert np.allclose(advantages(rollout, values, np.array([[0.25]]), 0.9, 0.8), expected)


@pytest.mark.parametrize(
    ("algorithm", "bootstrap", "counted"),
    [("mappo", False, [True, False]), ("mappo", True, [True, True]),
     ("ippo", False, [False, False]), ("ippo", True, [False, True])],
)  # fmt: skip
def test_what_follows_a_robots_end_counts_where_it_should(algorithm: str, bootstrap: bool, counted: list[bool]) -> None:
    """Robot 0 is lost, robot 1 plays to the horizon: the team goes on, a lost robot does not, the horizon is an end."""
    task = Turns(4)
    task.reset(seed=range(4))
    learner = Learner(PpoConfig(algorithm=algorithm, bootstrap=bootstrap))
    learner.scale.update(np.array([1.0, 2.0]))  # what a fresh critic says of anything
    size = task.layout.size + (task.state().shape[1] if algorithm == "mappo" else 0)
    rollout = replace(
        rollout_of([[0], [0]], np.ones(2), [1, 2], [True, False]),
        end_context=np.random.default_rng(0).random((1, 2, size), np.float32),
    )
    assert (learner._end_values(task, rollout)[0] != 0.0).tolist() == counted


def test_nothing_follows_for_a_team_that_loses_its_last_robot() -> None:
    task = Turns(4)
    task.reset(seed=range(4))
    context = np.random.default_rng(0).random((1, 2, task.state().shape[1] + task.layout.size), np.float32)
    rollout = replace(rollout_of([[0], [0]], np.ones(2), [1, 2], [True, True]), end_context=context)
    learner = Learner(PpoConfig())
    assert not learner._end_values(task, rollout).any(), "a fresh critic has no opinion to learn from"
    learner.scale.update(np.array([1.0, 2.0]))
    assert (learner._end_values(task, rollout)[0] != 0.0).tolist() == [True, False]


def test_luck_is_what_a_seed_gives_all_its_rows() -> None:
    reward = np.array([[1.0, 3.0, 10.0, 14.0], [0.0, 0.0, 4.0, 2.0]])[..., None]
    assert without_luck(reward, 2)[..., 0].tolist() == [[-1.0, 1.0, -2.0, 2.0], [0.0, 0.0, 1.0, -1.0]]


def test_returns_are_normalised_without_a_bias_towards_the_start() -> None:
    scale = ReturnScale()
    assert scale.mean_and_deviation == (0.0, 1.0)
    scale.update(np.array([4.0, 8.0]))
    assert scale.mean_and_deviation == pytest.approx((6.0, 2.0))


@pytest.mark.parametrize(
    ("name", "value"),
    [("algorithm", "dqn"), ("objective", "fun"), ("iterations", 0), ("imitated", 101), ("learning_rate", 0.0),
     ("discount", 1.1), ("trace", -0.1), ("entropy", -1.0), ("repeats", 0), ("clip", 0.0),
     ("learning_rate", 1e30), ("learning_rate", np.nan), ("entropy", np.inf), ("max_gradient", np.inf),
     ("seed", -1), ("seed", MOST_SEED + 1), ("seed", 0.5)],
)  # fmt: skip
def test_settings_that_cannot_work_are_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{name}={value!r} is not allowed")):
        PpoConfig(**{name: value})


@pytest.mark.parametrize("memory", [False, True])
def test_replayed_decisions_have_the_probability_that_they_were_drawn_with(memory: bool) -> None:
    """The first passes of an update start at a probability ratio of exactly 1, memory included."""
    task = Turns(8)
    config = PpoConfig(iterations=2, seed=3, network=replace(PpoConfig().network, memory=memory, commits=False))
    learner = Learner(config)
    rollout, _ = next(train([task], learner))
    fresh = Learner(config).policy
    arrays = (torch.from_numpy(a) for a in (rollout.observation, rollout.mask, rollout.chosen, rollout.sequences))
    logits = fresh.replay(task.layout, *arrays)
    taken = torch.log_softmax(logits, -1).gather(1, torch.from_numpy(rollout.action)[:, None])[:, 0]
    assert torch.allclose(taken, torch.from_numpy(rollout.log_probability), atol=1e-6)


@pytest.mark.parametrize("memory", [False, True])
def test_a_step_is_the_same_in_one_piece_and_in_many(memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    for cached in (1 << 30, 1):
        monkeypatch.setattr(ppo, "CACHED", cached)
        learner = Learner(PpoConfig(iterations=1, epochs=1, minibatches=1, network=NetworkConfig(8, 16, memory=memory)))
        env = Trust(8)
        ((_, figures),) = train([env], learner)
        steps.append((learner.policy.state_dict(), figures))
    (one, some), (many, others) = steps
    assert all(torch.allclose(one[name], many[name], atol=1e-6) for name in one)
    assert some == pytest.approx(others, rel=1e-4, abs=1e-6)


def test_the_largest_seed_plays() -> None:
    task = Trust(8)
    next(train([task], Learner(PpoConfig(iterations=1, seed=MOST_SEED))))


def test_rows_that_share_a_seed_play_the_same_mission() -> None:
    task = Trust(8)
    learner = Learner(PpoConfig(iterations=1, repeats=4))
    seen: list[list[int]] = []
    reset = task.reset
    task.reset = lambda *, seed=None: seen.append(seed) or reset(seed=seed)  # type: ignore[method-assign]
    next(train([task], learner))
    assert len(set(seen[0])) == 2 and seen[0] == sorted(seen[0]) and min(seen[0]) >= 1 << 40


def test_tasks_in_turn_keep_scales_of_their_own() -> None:
    tasks = [Trust(8), Turns(8)]
    learner = Learner(PpoConfig(iterations=2, network=replace(PpoConfig().network, commits=False)), tasks=2)
    for _ in train(tasks, learner):
        assert [float(one.weight) > 0.0 for one in learner.scales] == [True, learner.iteration == 2]
    with pytest.raises(ValueError, match="tasks=1 is not allowed: 2"):
        next(train(tasks[:1], Learner(PpoConfig(iterations=1), tasks=2)))


def test_imitation_needs_a_teacher() -> None:
    with pytest.raises(ValueError, match="imitated"):
        next(train([Trust(8)], Learner(PpoConfig(iterations=2, imitated=1))))


def test_a_policy_that_knows_something_is_changed_gently_at_first() -> None:
    config = PpoConfig(iterations=8, imitated=2, warm_up=3, learning_rate=0.01)
    rates = []
    learner = Learner(config)
    task = Trust(8)
    wait = SimpleNamespace(act=lambda observation, mask, rng: np.full(mask.shape[:2], task.codec.wait, np.int32))
    for _ in train([task], learner, lambda env: wait):  # type: ignore[arg-type, return-value]
        rates.append(learner.optimiser.param_groups[0]["lr"] / (0.01 * (1.0 - 0.9 * len(rates) / 8)))
    assert rates == pytest.approx([1.0, 1.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(("rank", "replans"), [("gain", False), ("gain-replan", True)])
def test_a_teacher_s_second_thoughts_are_noted_too(rank: str, replans: bool) -> None:
    env = MissionMix("clinic", rows=2, max_cycles=240).make_env()
    actor = Actor(TeamPolicy(NetworkConfig(8, 16)), env.layout, env.codec, 2)
    teacher = Teacher(make_policy(rank, env.layout, env.codec), actor, np.random.default_rng(0))
    rollout = play_missions(env, teacher.decide, [5, 6], central=False)
    busy = env.layout.feature(rollout.observation, "self", "busy")[:, 0] > 0.5
    assert busy.any() == replans and not busy.all()
    assert (rollout.mask[np.arange(busy.size), rollout.action] == 1).all() and (rollout.action != CONTINUE).all()


def test_an_episode_is_played_whole_and_counted() -> None:
    task = Turns(4)
    task.reset(seed=range(4))

    def all_wait(observation: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list]:
        return np.full(mask.shape[:2], mask.shape[2] - 1), []

    with pytest.raises(ValueError, match="no decision"):
        play_missions(task, all_wait, range(4), central=True)
