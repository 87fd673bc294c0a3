"""Hand-written policies on hand-written observations: the rank, one robot per patient, batteries, roles, masks."""

import numpy as np
import pytest

from agents.heuristics import POLICY_NAMES, GreedyPolicy, make_policy, minutes, rank_gain
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario, with_horizon
from qdt_env.spaces import TRAVEL_SCALE_S, ActionCodec, ObservationLayout

PATIENTS, ROBOTS = 4, 3
LAYOUT = ObservationLayout(PATIENTS, 2, ROBOTS)
CODEC = ActionCodec("task", PATIENTS, 2)
KINDS = {"legged": 0, "tracked": 1, "aerial": 2}


class Scene:
    """Observations (1, R, F) and masks (1, R, A) of tracked robots before four open patients, to be changed."""

    def __init__(self, kinds: tuple[str, ...] = ("tracked",) * ROBOTS) -> None:
        self.observation = np.zeros((1, ROBOTS, LAYOUT.size), np.float32)
        self.mask = np.zeros((1, ROBOTS, CODEC.n), np.int8)
        self.mask[..., [0, CODEC.wait]] = 1
        self.mask[..., 1 : 1 + PATIENTS] = 1
        for r, kind in enumerate(kinds):
            self.own(kind)[0, r] = 1.0
        self.own("energy")[:] = 1.0
        for name, value in (("open", 1), ("known", 1), ("rpm", 0.5), ("survival_now", 0.6)):
            self.task(name)[:] = value
        self.task("survival_at_handover")[:] = 0.5
        self.task("survival_if_left")[:] = 0.3
        self.set_minutes("travel", [5.0, 6.0, 7.0, 8.0])
        self.set_minutes("handover", [10.0] * 4)

    def own(self, name: str) -> np.ndarray:
        return LAYOUT.feature(self.observation, "self", name)[..., 0]

    def task(self, name: str) -> np.ndarray:
        return LAYOUT.feature(self.observation, "tasks", name)

    def set_minutes(self, name: str, values: list[float]) -> None:
        seconds = np.array(values) * 60.0
        self.task(name)[:] = seconds / (seconds + TRAVEL_SCALE_S)

    def act(self, name: str) -> list[int]:
        return make_policy(name, LAYOUT, CODEC).act(self.observation, self.mask, np.random.default_rng(0))[0].tolist()


def test_minutes_undo_the_squashing() -> None:
    seconds = np.array([0.0, 60.0, 600.0, 7200.0])
    assert minutes(seconds / (seconds + TRAVEL_SCALE_S)) == pytest.approx(seconds / 60.0)
    assert minutes(np.array([1.0]))[0] > 1e5


def test_nearest_first_and_nobody_twice() -> None:
    assert Scene().act("nearest") == [1, 2, 3]


def test_most_critical_first_then_nearer() -> None:
    scene = Scene()
    scene.task("rpm")[:] = np.array([0.5, 0.2, 0.5, 0.1])
    assert scene.act("critical") == [4, 2, 1]


def test_gain_per_minute() -> None:
    scene = Scene()
    scene.task("survival_at_handover")[:] = np.array([0.4, 0.9, 0.5, 0.31])
    scene.set_minutes("handover", [2.0, 30.0, 20.0, 10.0])
    # .1/2 = .05, .6/30 = .02, .2/20 = .01, .01/10 = .001
    assert scene.act("gain") == [1, 2, 3]


def test_claimed_patients_are_left_to_the_claimer() -> None:
    scene = Scene()
    scene.task("claimed")[..., 0] = 0.5
    assert scene.act("nearest") == [2, 3, 4]


def test_the_busy_go_on_and_the_carrying_carry_on() -> None:
    scene = Scene()
    scene.own("busy")[0, 0] = 1.0
    scene.own("carrying")[0, 1] = 1.0
    scene.mask[0, 1, 1 : 1 + PATIENTS] = [0, 0, 0, 1]
    assert scene.act("nearest")[:2] == [0, 4]


def test_an_empty_battery_comes_first() -> None:
    scene = Scene()
    scene.own("energy")[0, 1] = 0.05
    scene.mask[0, :, CODEC.service("recharge")] = 1
    assert scene.act("gain")[1] == CODEC.service("recharge")


def test_roles_without_patients() -> None:
    scene = Scene(("tracked", "legged", "aerial"))
    scene.mask[..., 1 : 1 + PATIENTS] = 0
    for service in ("scout", "recharge"):
        scene.mask[..., CODEC.service(service)] = 1
    scene.mask[0, 1, CODEC.service("kit")] = 1
    assert scene.act("gain") == [CODEC.service("scout"), CODEC.service("kit"), CODEC.service("scout")]


def test_aerial_robots_look_for_the_unseen() -> None:
    scene = Scene(("aerial",) * 3)
    scene.task("known")[..., [0, 1, 3]] = 1.0
    scene.task("known")[..., 2] = 0.0
    assert scene.act("gain")[0] == 3


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_a_whole_mission_stays_within_the_mask(name: str) -> None:
    game = GameConfig("qkd", "mixed", perfect_information=name.startswith("perfect-"))
    episodes = Episodes(with_horizon(load_scenario("ward"), 80), game, episodes=3)
    policy = make_policy(name, episodes.layout, episodes.codec)
    assert policy.name == name and policy.perfect_information == name.startswith("perfect-")
    episodes.reset(np.arange(3), np.arange(3), np.zeros(3, np.int64))
    rng = np.random.default_rng(0)
    for _ in range(80):
        actions = policy.act(episodes.out.observation, episodes.out.mask, rng)
        assert actions.dtype == np.int32
        assert np.take_along_axis(episodes.out.mask, actions[..., None], 2).all()
        episodes.step(actions)


def test_names_and_controls_are_checked() -> None:
    with pytest.raises(ValueError, match="policy='best' is not allowed: one of wait"):
        make_policy("best", LAYOUT, CODEC)
    with pytest.raises(ValueError, match="control='move' is not allowed for policy 'gain'"):
        GreedyPolicy(rank_gain, "gain", LAYOUT, ActionCodec("move", PATIENTS, 2))
