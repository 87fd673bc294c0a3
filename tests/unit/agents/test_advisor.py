"""Advice: when it is asked for, when it is seen, followed and dropped; the wrapper in every mode of the environment."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from agents.advice import NO_ADVICE, Advisor
from agents.advisor import ADVICE_FEATURES, AdvisorPolicy, AdvisorWrapper
from agents.heuristics import make_policy
from agents.planning import PlanningError, make_planner
from qdt_env import hospital_rescue_v0
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.state import FREE, TRACKED, TRAPPED
from qdt_env.scenario import load_scenario, with_horizon
from qdt_env.spaces import ActionCodec

CODEC = ActionCodec("task", 3, 2)
ASK = np.array([True, True])
NOBODY = np.zeros(2, bool)


def picture(task: tuple[int, int] = (0, 0), **changes: Any) -> Any:
    """Two tracked robots and three patients, each robot near one of the first two."""
    travel_s = np.array([[60.0, 600.0, 900.0], [600.0, 60.0, 900.0]], np.float32)
    fields = {
        "step": 0, "dt_s": 10.0, "horizon_steps": 720, "physical": PhysicalConfig(),
        "patient_zone": np.arange(3), "patient_status": np.full(3, FREE, np.int8),
        "patient_rpm": np.full(3, 7.0, np.float32), "patient_work_min": np.zeros(3, np.float32),
        "patient_trust": np.ones(3, np.float32), "patient_known": np.ones(3, bool),
        "patient_kitted": np.zeros(3, bool), "zone_damage": np.zeros(3, np.int8),
        "robot_kind": np.full(2, TRACKED, np.int8), "robot_energy": np.ones(2, np.float32),
        "robot_alive": np.ones(2, bool), "robot_task": np.array(task, np.int32),
        "robot_patient": np.full(2, -1, np.int32),
        "travel_time_s": lambda robot: travel_s[robot], "exit_time_s": lambda robot: np.full(3, 60.0, np.float32),
    }  # fmt: skip
    return SimpleNamespace(**fields | changes)


def advisor(**settings: Any) -> Advisor:
    return Advisor(make_planner("exact"), CODEC, **settings)


def test_each_robot_is_sent_to_its_own_patient() -> None:
    one = advisor()
    advice = one.consult(ASK, picture)
    assert advice.patient.tolist() == [0, 1] and advice.action.tolist() == [1, 2]
    assert advice.age_steps.tolist() == [0, 0] and (advice.value > 0.0).all()
    record = one.spent.records[0]
    assert (record.robots, one.spent.plans) == (2, 1) and record.cost < 0.0 and one.spent.extraction_s > 0.0
    assert advice.value.sum() == pytest.approx(-60.0 * record.cost, rel=1e-5)


def test_the_usual_time_of_a_plan_is_not_that_of_the_first() -> None:
    one = advisor()
    assert one.spent.usual_ms == 0.0
    one.consult(ASK, picture)
    one.spent.records[:] = [replace(one.spent.records[0], wall_s=wall_s) for wall_s in (4.0, 0.001, 0.003)]
    assert one.spent.usual_ms == pytest.approx(3.0)


def test_plans_are_made_when_a_robot_begins_to_ask_and_at_the_cadence() -> None:
    one = advisor(every_steps=4)
    plans = []
    for asking in ([1, 0], [1, 0], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1], [0, 0], [0, 0], [0, 1]):
        one.consult(np.array(asking, bool), picture)
        plans.append(one.spent.plans)
    assert plans == [1, 1, 2, 2, 2, 2, 3, 3, 3, 4]


def test_advice_stays_what_it_was_when_it_was_given() -> None:
    one = advisor()
    first = one.consult(ASK, picture)
    given = first.patient.copy()
    with pytest.raises(ValueError, match="read-only"):
        first.patient[0] = NO_ADVICE
    for _ in range(3):
        one.consult(NOBODY, picture)
    one.drop(0)
    assert one.consult(NOBODY, picture).patient[0] == NO_ADVICE
    np.testing.assert_array_equal(first.patient, given)
    assert first.age_steps.tolist() == [0, 0]


def test_a_skipped_step_is_one_in_which_nobody_asked() -> None:
    asked, skipped = advisor(), advisor()
    for one in (asked, skipped):
        one.consult(ASK, picture)
        assert one.quiet
    for _ in range(4):
        asked.consult(NOBODY, picture)
        skipped.skip()
    told = [one.consult(np.array([True, False]), picture) for one in (asked, skipped)]
    for name in ("patient", "action", "age_steps", "value"):
        np.testing.assert_array_equal(getattr(told[0], name), getattr(told[1], name))
    assert [len(one.spent.records) for one in (asked, skipped)] == [2, 2]
    late = advisor(delay_steps=3)
    late.consult(ASK, picture)
    assert not late.quiet  # a plan is under way
    assert not Advisor(make_planner("greedy"), ActionCodec("move", 3, 4)).quiet  # robots are guided at every zone


def test_delayed_advice_comes_later_and_older() -> None:
    one = advisor(delay_steps=2)
    seen = []
    for asking in (ASK, NOBODY, NOBODY, NOBODY):
        advice = one.consult(asking, picture)
        seen.append((advice.patient.tolist(), advice.age_steps.tolist(), one.waiting))
    assert seen == [
        ([-1, -1], [0, 0], True),
        ([-1, -1], [0, 0], True),
        ([0, 1], [2, 2], False),
        ([0, 1], [3, 3], False),
    ]


def test_robots_at_work_keep_their_patient_and_nobody_doubles_them() -> None:
    advice = advisor().consult(np.array([True, False]), lambda: picture(task=(0, CODEC.patient(0))))
    assert advice.patient.tolist() == [1, NO_ADVICE]


def test_a_robot_at_work_can_be_assisted() -> None:
    dig = {"patient_status": np.array([TRAPPED, 0, 0], np.int8), "patient_work_min": np.array([60.0, 0, 0], np.float32)}
    advice = advisor().consult(np.array([True, False]), lambda: picture(task=(0, CODEC.patient(0)), **dig))
    assert advice.patient.tolist() == [0, NO_ADVICE]


def test_services_carriers_and_the_silent_get_no_advice() -> None:
    for changes in (
        {"task": (CODEC.service("recharge"), 0)},
        {"robot_patient": np.array([2, -1], np.int32)},
        {"robot_alive": np.array([False, True])},
    ):
        assert advisor().consult(ASK, lambda c=changes: picture(**c)).patient.tolist() == [NO_ADVICE, 1]


def test_reset_forgets_and_nobody_left_is_no_plan() -> None:
    one = advisor()
    one.consult(ASK, picture)
    one.reset(3)
    assert one.consult(NOBODY, picture).patient.tolist() == [NO_ADVICE] * 2
    rescued = {"patient_status": np.full(3, 4, np.int8)}
    assert one.consult(ASK, lambda: picture(**rescued)).patient.tolist() == [NO_ADVICE] * 2
    assert one.spent.plans == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"every_steps": 0}, "advisor every_steps: must be >= 1, got 0"),
        ({"delay_steps": -1}, "advisor delay_steps: must be >= 0, got -1"),
        ({"max_options": 0}, "advisor max_options"),
        ({"minimum_trust": 1.5}, "advisor minimum_trust"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanningError, match=words):
        advisor(**settings)


# The policy


def policy_on_ward(delay_steps: int = 0, suite: str = "qkd") -> tuple[Episodes, AdvisorPolicy]:
    episodes = Episodes(with_horizon(load_scenario("ward"), 120), GameConfig(suite, "mixed"), episodes=3)
    episodes.reset(np.arange(3), np.arange(3), np.zeros(3, np.int64))
    advisors = [Advisor(make_planner("exact"), episodes.codec, delay_steps=delay_steps) for _ in range(3)]
    base = make_policy("gain", episodes.layout, episodes.codec)
    return episodes, AdvisorPolicy(advisors, base, episodes.layout, episodes.codec, episodes.snapshot)


@pytest.mark.parametrize("delay_steps", [0, 2])
def test_actions_are_allowed_and_patients_are_shared_by_plan_only(delay_steps: int) -> None:
    episodes, policy = policy_on_ward(delay_steps)
    rng = np.random.default_rng(0)
    followed = 0
    for _ in range(120):
        before = episodes.out.observation.copy(), episodes.out.mask.copy()
        actions = policy.act(episodes.out.observation, episodes.out.mask, rng)
        assert (episodes.out.observation == before[0]).all() and (episodes.out.mask == before[1]).all()
        assert np.take_along_axis(episodes.out.mask, actions[..., None], 2).all()
        followed += int(((actions > 0) & (actions <= episodes.layout.patients)).sum())
        episodes.step(actions)
    assert followed > 10 and policy.name == "gain+exact"


def scripted(policy: AdvisorPolicy, episodes: Episodes, action: list[int]) -> np.ndarray:
    """Actions of row 0 when the advisor says ``action`` for every row."""
    advice = SimpleNamespace(action=np.array(action, np.int32))
    for one in policy.advisors:
        one.consult = lambda asking, snapshot: advice  # type: ignore[method-assign,assignment]
        one.drop = lambda robot: None  # type: ignore[method-assign]
    return policy.act(episodes.out.observation, episodes.out.mask, np.random.default_rng(0))[0]


def test_advice_is_followed_where_it_is_possible_and_heard() -> None:
    episodes, policy = policy_on_ward()
    last = int(np.flatnonzero(episodes.out.mask[0, 0, 1 : 1 + episodes.layout.patients])[-1]) + 1
    heard = episodes.layout.feature(episodes.out.observation, "channel", "last_delivered")
    heard[:] = 1.0
    alone = scripted(policy, episodes, [NO_ADVICE] * 3)
    assert alone[0] != last
    assert scripted(policy, episodes, [last, NO_ADVICE, NO_ADVICE])[0] == last
    # robot 1 is told to take what robot 0 would have taken: robot 0 leaves it alone
    told = scripted(policy, episodes, [NO_ADVICE, int(alone[0]), NO_ADVICE])
    assert told[1] == alone[0] and told[0] != alone[0]
    heard[0, 0] = 0.0
    assert scripted(policy, episodes, [last, NO_ADVICE, NO_ADVICE])[0] == alone[0]
    heard[0, 0] = 1.0
    episodes.out.mask[0, 0, last] = 0
    assert scripted(policy, episodes, [last, NO_ADVICE, NO_ADVICE])[0] == alone[0]


def test_a_policy_that_follows_needs_task_control() -> None:
    episodes, policy = policy_on_ward()
    with pytest.raises(ValueError, match="control='move' is not allowed"):
        AdvisorPolicy([], policy.base, episodes.layout, ActionCodec("move", 3, 2), episodes.snapshot)


# The wrapper


def wrapped(planner: str = "exact", **settings: Any) -> AdvisorWrapper:
    settings = {"max_cycles": 60, "threats": "mixed"} | settings
    return AdvisorWrapper(hospital_rescue_v0.parallel_env(**settings), planner, 3)


@pytest.mark.parametrize("action_mask", ["obs", "info", "rllib", "none"])
@pytest.mark.parametrize(("control", "observation"), [("task", "flat"), ("task", "graph"), ("move", "flat")])
def test_the_wrapped_environment_conforms(action_mask: str, control: str, observation: str) -> None:
    env = wrapped(action_mask=action_mask, control=control, observation=observation)
    parallel_api_test(env, num_cycles=70)
    assert env.observation_space("robot_0") is env.observation_space("robot_0")
    assert env.budget.plans > 0
    observations, _ = env.reset(seed=4)
    for _ in range(59):
        assert all(env.observation_space(a).contains(o) for a, o in observations.items())
        observations, *_ = env.step({a: env.action_space(a).sample() for a in env.agents})


@pytest.mark.parametrize("planner", ["exact", "random"])
def test_the_same_seed_gives_the_same_advice(planner: str) -> None:
    parallel_seed_test(lambda: wrapped(planner))
    runs = [episode(wrapped(planner), seed=9) for _ in range(2)]
    assert (runs[0] == runs[1]).all()
    env = wrapped(planner)
    episode(env, seed=2)
    assert (episode(env, seed=9) == runs[0]).all()
    assert (episode(env, seed=9)[:, : env.unwrapped.layout.size] == plain(seed=9)).all()


def episode(env: Any, seed: int) -> np.ndarray:
    """All flat observations of an episode of allowed actions chosen by rule."""
    observations, _ = env.reset(seed=seed)
    seen = []
    while env.agents:
        seen += [observations[a]["observation"] for a in env.agents]
        actions = {a: int(np.flatnonzero(observations[a]["action_mask"])[1]) for a in env.agents}
        observations, *_ = env.step(actions)
    return np.array(seen)


def plain(seed: int) -> np.ndarray:
    return episode(hospital_rescue_v0.parallel_env(max_cycles=60, threats="mixed"), seed)


def test_the_block_says_what_the_advice_is() -> None:
    env = wrapped(scenario="clinic", max_cycles=None)
    assert tuple(env.layout.blocks)[-1] == "advice" and env.layout.size == env.unwrapped.layout.size + 16
    given = 0
    for seed in range(2):
        observations, _ = env.reset(seed=seed)
        for _ in range(12):
            given += sum(check_block(env, agent, observations[agent]) for agent in env.agents)
            observations, *_ = env.step({agent: 0 for agent in env.agents})
    assert given > 20
    assert env.budget.to_dict()["plans"] == env.budget.plans > 0


def check_block(env: AdvisorWrapper, agent: str, observation: Any) -> int:
    """1 where the robot has advice, and the block describes it; 0 where it has none, and the block is empty."""
    r, flat = int(agent[-1]), observation["observation"]
    block = dict(zip(ADVICE_FEATURES, env.layout.slice(flat, "advice")[0].tolist(), strict=True))
    if not block["given"]:
        assert not any(block.values())
        return 0
    slot, age = int(env.advice.patient[r]), int(env.advice.age_steps[r])
    assert observation["action_mask"][env.advice.action[r]] == 1
    assert block["slot"] == pytest.approx((slot + 1) / env.layout.patients)
    patient = [value for name, value in block.items() if name.startswith("patient_")]
    assert patient == pytest.approx(env.layout.slice(flat, "tasks")[slot].tolist())
    assert block["age"] == pytest.approx(age / (age + 60.0)) and block["value"] > 0.0
    return 1


def test_only_an_environment_with_a_twin_can_be_wrapped() -> None:
    class Other:
        unwrapped = object()

    with pytest.raises(ValueError, match="env="):
        AdvisorWrapper(Other())
    with pytest.raises(PlanningError, match="unknown planner 'oracle'"):
        wrapped("oracle")


# Asynchronous plans


class Slow:
    """A planner that gives each plan a modelled latency and the robots the choices it is told to."""

    name = "slow"

    def __init__(self, latencies: list[float], crossed: bool = False) -> None:
        self.latencies, self.crossed = list(latencies), crossed

    def plan(self, problem: Any, budget: Any, rng: Any) -> Any:
        best = make_planner("exact").plan(problem, budget, rng)
        choice = best.choice[::-1].copy() if self.crossed else best.choice
        return replace(best, choice=choice, modelled_latency_s=self.latencies.pop(0), planner=self.name)


def slow(latencies: list[float], crossed: bool = False, **settings: Any) -> Advisor:
    return Advisor(Slow(latencies, crossed), CODEC, delay_steps=None, **settings)


def test_a_plan_comes_when_its_latency_has_passed() -> None:
    one = slow([25.0])
    seen = []
    for asking in (ASK, NOBODY, NOBODY, NOBODY, NOBODY):
        advice = one.consult(asking, picture)
        seen.append((advice.patient.tolist(), advice.age_steps.tolist(), one.waiting))
    none = ([-1, -1], [0, 0], True)
    assert seen == [none, none, none, ([0, 1], [3, 3], False), ([0, 1], [4, 4], False)]
    assert one.spent.records[0].delay_steps == 3 and one.spent.records[0].modelled_latency_s == 25.0


def test_a_plan_under_way_does_not_hold_up_newer_ones_and_never_follows_them() -> None:
    """The first plan takes five steps, the second, from a newer snapshot, one: the first comes too late to count."""
    one = slow([50.0, 10.0], crossed=True)
    one.consult(ASK, picture)
    one.planner.crossed = False  # type: ignore[attr-defined]
    one.consult(NOBODY, picture)
    ages = []
    for asking in (ASK, NOBODY, NOBODY, NOBODY, NOBODY):
        advice = one.consult(asking, picture)
        ages.append((advice.patient.tolist(), advice.age_steps.tolist()))
    assert ages == [
        ([-1, -1], [0, 0]),
        ([0, 1], [1, 1]),
        ([0, 1], [2, 2]),
        ([0, 1], [3, 3]),  # here the first plan arrives
        ([0, 1], [4, 4]),
    ]
    assert one.spent.plans == 2 and not one.waiting


def test_interim_advice_stands_in_and_the_plan_takes_over() -> None:
    one = slow([20.0], crossed=True, interim=make_planner("greedy"))
    first = one.consult(ASK, picture)
    assert first.patient.tolist() == [0, 1] and not one.waiting
    assert [record.planner for record in one.spent.records] == ["greedy", "slow"]
    one.drop(0)  # robot 0 follows; robot 1 did not hear
    assert one.consult(np.array([False, True]), picture).patient.tolist() == [NO_ADVICE, 1]
    assert not one.redirected.any()
    last = one.consult(np.array([False, True]), picture)
    assert last.patient.tolist() == [1, 0] and last.age_steps.tolist() == [2, 2]
    assert one.redirected.tolist() == [True, False]
    one.consult(NOBODY, picture)
    assert not one.redirected.any()


def test_a_plan_that_agrees_with_the_interim_advice_turns_nobody_round() -> None:
    one = slow([20.0], interim=make_planner("greedy"))
    one.consult(ASK, picture)
    one.drop(0)
    for _ in range(2):
        one.consult(NOBODY, picture)
        assert not one.redirected.any()


def test_robots_with_interim_advice_do_not_wait() -> None:
    episodes, policy = policy_on_ward(delay_steps=3)
    interim = policy_on_ward(delay_steps=3)[1]
    for one in interim.advisors:
        one.interim = make_planner("greedy")
    arguments = episodes.out.observation, episodes.out.mask, np.random.default_rng(0)
    waiting, going = policy.act(*arguments), interim.act(*arguments)
    tracked = episodes.layout.feature(episodes.out.observation, "self", "tracked")[..., 0] > 0.5
    heard = episodes.layout.feature(episodes.out.observation, "channel", "last_delivered")[..., 0] > 0.5
    assert (waiting[tracked & heard] == episodes.codec.wait).all()
    assert (going[tracked & heard] != episodes.codec.wait).all() and (tracked & heard).any()


def test_an_advisor_with_a_qpu_logs_requests_keys_and_places() -> None:
    env = AdvisorWrapper(
        hospital_rescue_v0.parallel_env(max_cycles=40, threats="none", suite="qkd-otp"), "qaoa", 6, "heron"
    )
    episode(env, seed=3)
    spent = env.budget.to_dict()
    assert spent["plans_heron"] >= 1 and spent["plans_local"] >= 1
    assert spent["requests"] >= 1 and spent["key_bits"] > spent["message_bytes"] > 0
    sent = [record for record in env.budget.records if record.requests]
    assert all(record.delay_steps >= 1 and record.modelled_latency_s > 1.0 for record in sent)
    assert (episode(env, seed=3) == episode(env, seed=3)).all()
    with pytest.raises(PlanningError, match="planner 'exact' does not run on a QPU; allowed: qaoa, qpu"):
        AdvisorWrapper(hospital_rescue_v0.parallel_env(), "exact", qpu="heron")
