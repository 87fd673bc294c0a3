"""Every row of the vector environment is an episode of the PettingZoo face, bit by bit; a dispatcher's too."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from qdt_env import hospital_rescue_v0
from qdt_env.gym_env import HospitalRescueEnv
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.spaces import ROBOT_INFO
from qdt_env.vector_env import Condition, RescueVectorEnv

Array = np.ndarray[Any, Any]
Load = Callable[[str], ScenarioConfig]
MODES = list(AutoresetMode)
SEEDS = [2**63 + 5, 11, 12, 7]
GRAPH = {"zones": 0, "passages": 0, "edges": -1, "patient_zones": -1}  # and what stands where there is nothing


def draw_actions(mask: Array, rng: np.random.Generator) -> Array:
    """Random legal actions (B, R), mostly "continue"."""
    drawn = (rng.random(mask.shape) * mask).argmax(2)
    return np.where(rng.random(drawn.shape) < 0.6, np.where(mask[:, :, 0] == 1, 0, drawn), drawn)


class Faces:
    """A PettingZoo env beside every row, stepped along."""

    def __init__(self, conditions: list[Condition], **game: Any) -> None:
        self.envs = [
            hospital_rescue_v0.parallel_env(
                c.scenario, suite=c.suite, threats=c.threats, building_seed=c.building_seed, keep_dead=True, **game
            )
            for c in conditions
        ]
        self.lost = [set[str]() for _ in self.envs]
        self.started = 0

    def reset(self, b: int, seed: int | None = None, **options: int) -> tuple[dict[str, Any], dict[str, Any]]:
        self.lost[b] = set()
        self.started += 1
        return self.envs[b].reset(seed, options)

    def assert_row(
        self, env: RescueVectorEnv, b: int, seen: tuple[dict[str, Any], dict[str, Any]], obs: Any, infos: dict[str, Any]
    ) -> None:
        """Row ``b`` of observations and infos is what the face showed."""
        face = self.envs[b]
        for r, agent in enumerate(face.possible_agents):
            ours, theirs = obs["observation"][b, r], seen[0][agent]["observation"]
            for block in face.layout.blocks:
                rows = face.layout.blocks[block].rows
                mine = env.layout.slice(ours, block)
                assert mine[:rows].tobytes() == face.layout.slice(theirs, block).tobytes(), (b, agent, block)
                assert not mine[rows:].any(), "room for another building's passages is not empty"
            assert obs["action_mask"][b, r].tobytes() == seen[0][agent]["action_mask"].tobytes()
            assert {*obs} == {*seen[0][agent]}
            for name, nothing in GRAPH.items():
                if name in obs:
                    mine, theirs = obs[name][b] if name == "edges" else obs[name][b, r], seen[0][agent][name]
                    assert mine[: len(theirs)].tobytes() == theirs.tobytes(), (b, agent, name)
                    assert (mine[len(theirs) :] == nothing).all(), "room for another building is not empty"
            assert [infos[name][b, r] for name in ROBOT_INFO] == [seen[1][agent][name] for name in ROBOT_INFO]
        assert infos["alive"][b].tolist() == face.alive.tolist()

    def step(self, b: int, actions: Array) -> tuple[tuple[dict[str, Any], dict[str, Any]], list[float], Array, Array]:
        """What the face shows, its rewards, and terminations and truncations as the rows define them."""
        face = self.envs[b]
        before = ~face.alive
        seen, rewards, _, truncated, infos = face.step(dict(zip(face.possible_agents, actions.tolist(), strict=True)))
        came = np.array(list(truncated.values())) & ~before
        lost = np.array([face._episodes.out.terminated[0, r] == 1 for r in range(len(face.possible_agents))])
        return (seen, infos), list(rewards.values()), lost & ~came, came


def play_beside(env: RescueVectorEnv, faces: Faces, seeds: list[int], steps: int) -> dict[str, int]:
    """Step rows and faces with the same actions; compare all they return; returns how often what happened."""
    mode, rng = env.metadata["autoreset_mode"], np.random.default_rng(3)
    obs, infos = env.reset(seed=seeds, options={"episode": 4})
    for b, seed in enumerate(seeds):
        faces.assert_row(env, b, faces.reset(b, seed, episode=4), obs, infos)
    over, seen = np.zeros(len(seeds), bool), {"ended": 0, "lost": 0, "truncated": 0, "terminated rows": 0}
    for _ in range(steps):
        actions = draw_actions(obs["action_mask"], rng)
        obs, rewards, terminations, truncations, infos = env.step(actions)
        done = (terminations | truncations).all(1)
        for b in range(len(seeds)):
            if over[b]:
                assert mode is AutoresetMode.NEXT_STEP and not rewards[b].any() and not terminations[b].any()
                assert not truncations[b].any()
                faces.assert_row(env, b, faces.reset(b), obs, infos)
                continue
            shown, reward, terminated, truncated = faces.step(b, actions[b])
            assert rewards[b].tolist() == reward
            assert (terminations[b] == terminated).all() and (truncations[b] == truncated).all()
            assert done[b] == (not faces.envs[b].agents)
            if done[b]:
                final = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
                assert final["_metrics"][b]
                metrics = {name: float(values[b]) for name, values in final["metrics"].items()}
                assert metrics == faces.envs[b].metrics()
            if done[b] and mode is AutoresetMode.SAME_STEP:
                assert infos["_final_obs"][b] and infos["_final_info"][b]
                last = {name: np.repeat(one[None], len(seeds), 0) for name, one in infos["final_obs"][b].items()}
                faces.assert_row(env, b, shown, last, infos["final_info"])
                shown = faces.reset(b)
            faces.assert_row(env, b, shown, obs, infos)
        seen["ended"] += int(done.sum())
        seen["truncated"] += int(truncations.sum())
        seen["lost"] += int((terminations & ~done[:, None]).any(1).sum())
        seen["terminated rows"] += int(terminations.all(1).sum())
        over = done if mode is AutoresetMode.NEXT_STEP else np.zeros(len(seeds), bool)
        if mode is AutoresetMode.DISABLED and done.any():
            obs, infos = env.reset(options={"reset_mask": done})
            for b in np.flatnonzero(done):
                faces.assert_row(env, int(b), faces.reset(int(b)), obs, infos)
    return seen


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    "game",
    [{"control": "task"}, {"control": "move", "reward": "individual"}, {"observation": "graph", "control": "task"}],
    ids=str,
)
def test_rows_are_the_pettingzoo_face(scenario_named: Load, mode: AutoresetMode, game: dict[str, Any]) -> None:
    """Robots are lost, rows end by the horizon and by the loss of all, and begin again, under every autoreset mode."""
    shaking = scenario_named("shaking")
    conditions = [Condition(shaking, "hybrid", "delay+tamper")] * 4
    kinds: dict[str, Any] = {"max_cycles": 60, **game}
    env = RescueVectorEnv(4, conditions=conditions, autoreset_mode=mode, threads=2, **kinds)
    seen = play_beside(env, Faces(conditions, **kinds), SEEDS, 200)
    assert seen["ended"] >= 8 and seen["truncated"] > 0 and seen["lost"] > 0, seen


def test_all_robots_lost_end_a_row(scenario_named: Load) -> None:
    shaking = scenario_named("shaking")
    one = replace(shaking, team=("tracked",))
    conditions = [Condition(one, "psk", "none")] * 6
    env = RescueVectorEnv(6, conditions=conditions, autoreset_mode="SameStep")
    seen = play_beside(env, Faces(conditions), list(range(6)), 200)
    assert seen["terminated rows"] > 0, seen


def test_a_robot_lost_in_the_last_step_is_truncated_as_the_others_are(scenario_named: Load) -> None:
    """Missions are cut at the very step at which a robot is lost: no mission ends half terminated, half truncated."""
    shaking = scenario_named("shaking")
    long = RescueVectorEnv(24, shaking, autoreset_mode="Disabled")
    rng, record = np.random.default_rng(0), []
    obs, _ = long.reset(seed=100)
    terminations = np.zeros((24, 3), bool)
    while not terminations.any():
        record.append(draw_actions(obs["action_mask"], rng))
        obs, _, terminations, truncations, _ = long.step(record[-1])
        assert not truncations.any(), "no robot was lost before the horizon"
    env = RescueVectorEnv(24, shaking, max_cycles=len(record), autoreset_mode="Disabled")
    env.reset(seed=100)
    for actions in record:
        _, _, flags, ends, infos = env.step(actions)
    assert terminations.any() and not flags.any() and ends.all()
    assert infos["_metrics"].all() and infos["metrics"]["robots_lost"].sum() == terminations.sum()


def test_rows_may_differ_in_building_suite_and_threats(scenario_named: Load) -> None:
    """Two generated wards of different zone degrees, a shaken one between them, six suites, several threats."""
    shaking = replace(scenario_named("shaking"), patients=24)
    conditions = [
        Condition("ward", "qkd", "none"), Condition("ward", "plaintext", "replay"),
        Condition("ward", "psk", "random"), Condition(shaking, "ecdh", "mixed"), Condition(shaking, "pqc", "delay"),
        Condition("ward", "qkd-otp", "insider", building_seed=1), Condition("ward", "qkd", "random", building_seed=1),
    ]  # fmt: skip
    degrees = {load_scenario("ward", building_seed=seed).building.max_degree for seed in (0, 1)}
    assert len(degrees) == 2
    kinds: dict[str, Any] = {"max_cycles": 40, "observation": "graph"}
    env = RescueVectorEnv(7, conditions=conditions, **kinds)
    assert env.conditions == tuple(conditions)
    seen = play_beside(env, Faces(conditions, **kinds), list(range(20, 27)), 90)
    assert seen["ended"] >= 14, seen


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_share_rows_of_several_buildings_and_change_nothing(threads: int) -> None:
    """Stretches of threads and of buildings cut each other everywhere; with 8 threads some have no row at all."""
    conditions = [Condition("ward", "qkd", "mixed", building_seed=seed) for seed in range(3)]
    one, other = (RescueVectorEnv(7, conditions=conditions, max_cycles=30, threads=n) for n in (1, threads))
    rng = np.random.default_rng(0)
    seen, shared = one.reset(seed=3), other.reset(seed=3)
    for _ in range(40):
        assert data_equivalence(seen, shared, exact=True)
        actions = draw_actions(seen[0]["action_mask"], rng)
        seen, shared = one.step(actions), other.step(actions)


@pytest.mark.slow
def test_wire_rows_are_the_pettingzoo_face() -> None:
    """Under real ciphers, one engine for each suite."""
    conditions = [
        Condition("ward", "psk", "tamper"),
        Condition("ward", "psk", "none"),
        Condition("ward", "qkd", "mixed"),
    ]
    env = RescueVectorEnv(3, conditions=conditions, max_cycles=4, channel="wire")
    seen = play_beside(env, Faces(conditions, max_cycles=4, channel="wire"), [1, 2, 3], 7)
    assert seen["ended"] == 3, seen


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.value)
@pytest.mark.parametrize("action_mask", ["obs", "info"])
def test_a_dispatchers_rows_are_gymnasiums_sync_vector_env(mode: AutoresetMode, action_mask: str) -> None:
    """Everything that Gymnasium's own vectorisation of the single env returns, `_key` masks of full keys apart."""
    kinds: dict[str, Any] = {"threats": "mixed", "max_cycles": 12, "action_mask": action_mask}
    ours = gymnasium.make_vec(
        "qdt_env:HospitalRescue-v0", 3, vectorization_mode="vector_entry_point", autoreset_mode=mode, **kinds
    )
    sync = SyncVectorEnv([lambda: HospitalRescueEnv("ward", **kinds)] * 3, autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] is mode and ours.num_envs == 3
    for space in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, space) == getattr(sync, space), space
    (obs, infos), (other, others) = ours.reset(seed=5), sync.reset(seed=5)
    assert data_equivalence(obs, other, exact=True)
    ours.action_space.seed(1)
    ends = 0
    for _ in range(40):
        actions = ours.action_space.sample()
        obs, rewards, terminations, truncations, infos = ours.step(actions)
        other, *scalars, others = sync.step(actions)
        assert obs in ours.observation_space and data_equivalence(obs, other, exact=True)
        for one, two in zip((rewards, terminations, truncations), scalars, strict=True):
            assert one.dtype == two.dtype and (one == two).all()
        assert_infos(infos, others)
        ends += int(truncations.sum())
    assert ends == 9
    ours.close()
    sync.close()


def assert_infos(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """All of theirs is in ours: presence masks where keys come and go, values where they are present."""
    for key, value in theirs.items():
        if key.startswith("_"):
            assert key not in ours or (ours[key] == value).all(), key
        elif isinstance(value, dict):
            assert_infos(ours[key], value)
        elif key == "final_obs":
            for one, two in zip(ours[key], value, strict=True):
                assert (one is None) == (two is None) and (one is None or data_equivalence(one, two, exact=True))
        else:
            assert (ours[key] == value).all(), key
