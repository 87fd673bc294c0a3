"""Same seed, same episode: in any row of any batch, on any number of threads, through either face, in one world."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from agents.heuristics import make_policy
from qdt_env import hospital_rescue_v0
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.physical.state import EMPTY
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.attacks import THREATS
from qdt_env.security.suites import SUITE_NAMES
from qdt_env.spaces import ROBOT_INFO

Array = np.ndarray[Any, Any]
Load = Callable[[str], ScenarioConfig]
GAMES: list[dict[str, Any]] = [
    {"suite": "qkd", "threats": "mixed"},
    {"suite": "plaintext", "threats": "random", "control": "move"},
    {"suite": "hybrid", "threats": "delay+tamper", "reward": "individual"},
]
SEEDS = 2**40 + np.arange(256)


def begin(scenario: ScenarioConfig, seeds: Array, threads: int = 1, episode: int = 0, **game: Any) -> Episodes:
    """One fresh row per seed."""
    episodes = Episodes(scenario, GameConfig(**game), len(seeds), threads)
    episodes.reset(np.arange(len(seeds)), seeds, np.full(len(seeds), episode))
    return episodes


def draw_actions(mask: Array, seeds: Array, step: int) -> Array:
    """Random legal actions (B, R), each a function of seed, step, robot and mask alone; mostly "continue"."""
    robots, actions = mask.shape[1:]
    x = seeds.astype(np.uint64)[:, None, None] + np.uint64(1_000_003 * step)
    x = x * np.uint64(robots * actions) + np.arange(robots * actions, dtype=np.uint64).reshape(robots, actions)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # splitmix64's finaliser
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    score = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * mask
    go_on = (score[:, :, -1:] % 10 >= 3) & (mask[:, :, :1] == 1)
    return np.where(go_on[:, :, 0], 0, score.argmax(2)).astype(np.int32)


def leaves(fields: Any, path: str = "") -> Iterator[tuple[str, Array]]:
    """Every array of nested named tuples."""
    for name in fields._fields:
        value = getattr(fields, name)
        if hasattr(value, "_fields"):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def assert_row(one: Episodes, a: int, other: Episodes, b: int, where: str) -> None:
    """Row ``a`` of one is row ``b`` of the other, bit by bit: outputs and the whole state."""
    for side in ("out", "state"):
        for (path, x), (_, y) in zip(leaves(getattr(one, side)), leaves(getattr(other, side)), strict=True):
            assert x[a].tobytes() == y[b].tobytes(), f"{where}: {side}.{path} of rows {a} and {b} differ"


@pytest.mark.parametrize("game", GAMES, ids=lambda game: "-".join(map(str, game.values())))
def test_one_row_is_any_row_of_256_on_one_thread_and_two(scenario_named: Load, game: dict[str, Any]) -> None:
    scenario = scenario_named("shaking")
    one, two = begin(scenario, SEEDS, 1, **game), begin(scenario, SEEDS, 2, **game)
    rows = (0, 1, 77, 127, 128, 255)  # 127 and 128 lie at the threads' border
    alone = {row: begin(scenario, SEEDS[row : row + 1], **game) for row in rows}
    for step in range(scenario.horizon_steps):
        actions = draw_actions(one.out.mask, SEEDS, step)
        one.step(actions)
        two.step(actions)
        for row, episodes in alone.items():
            episodes.step(draw_actions(episodes.out.mask, SEEDS[row : row + 1], step))
            if step % 10 == 0 or step == scenario.horizon_steps - 1:
                assert_row(episodes, 0, one, row, f"step {step}")
        if step % 60 == 0 or step == scenario.horizon_steps - 1:
            for (path, x), (_, y) in zip(leaves(one.state), leaves(two.state), strict=True):
                assert x.tobytes() == y.tobytes(), f"step {step}: {path} differs between one thread and two"
            for (path, x), (_, y) in zip(leaves(one.out), leaves(two.out), strict=True):
                assert x.tobytes() == y.tobytes(), f"step {step}: {path} differs between one thread and two"
    assert (one.state.clock["over"] == 1).all() and one.state.clock["lost"].sum() > 0
    assert len({row.tobytes() for row in one.state.world.robots}) > 200, (
        "the episodes hardly differ: nothing was tested"
    )


@pytest.mark.parametrize("game", GAMES, ids=lambda game: "-".join(map(str, game.values())))
def test_the_pettingzoo_face_is_a_row(scenario_named: Load, game: dict[str, Any]) -> None:
    scenario, seeds = scenario_named("shaking"), SEEDS[:5]
    rows = begin(scenario, seeds, episode=2, **game)
    env = hospital_rescue_v0.parallel_env(scenario, **game, keep_dead=True)
    leaver = hospital_rescue_v0.parallel_env(scenario, **game)
    row, seed = 3, int(seeds[3])
    observations, infos = env.reset(seed=seed, options={"episode": 2})
    leaver.reset(seed=seed, options={"episode": 2})
    for step in range(scenario.horizon_steps):
        for r, agent in enumerate(env.possible_agents):
            assert observations[agent]["observation"].tobytes() == rows.out.observation[row, r].tobytes()
            assert observations[agent]["action_mask"].tobytes() == rows.out.mask[row, r].tobytes()
            assert [infos[agent][name] for name in ROBOT_INFO] == rows.out.info[row, r].tolist()
        actions = draw_actions(rows.out.mask, seeds, step)
        lost_before = rows.out.terminated[row].copy()
        rows.step(actions)
        chosen = dict(zip(env.possible_agents, actions[row].tolist(), strict=True))
        observations, rewards, _, truncations, infos = env.step(chosen)
        assert list(rewards.values()) == rows.out.reward[row].tolist()
        there = list(leaver.agents)
        assert there == [agent for agent, lost in zip(env.possible_agents, lost_before, strict=True) if not lost]
        seen, _, terminations, _, _ = leaver.step(chosen)
        for r, agent in enumerate(env.possible_agents):
            if agent in there:
                assert seen[agent]["observation"].tobytes() == rows.out.observation[row, r].tobytes()
                if leaver.agents:
                    assert terminations[agent] == (rows.out.terminated[row, r] == 1)
        if not env.agents:
            break
    assert rows.state.clock["over"][row] == 1
    assert all(truncations.values()) == bool(rows.out.truncated[row])
    assert env.metrics() == rows.metrics(row)


WORLD_FIELDS = {
    "zones": ("demand", "damage", "burning", "sensor_alive", "smoke"),
    "passages": ("draw", "condition"),
    "patients": ("pace", "clock_none_min", "expected_none", "home", "census", "rpm0", "trapped_none"),
}
AT_START = {
    "zones": ("kits", "occupants"),
    "passages": ("clear_min",),
    "patients": ("clock_min", "work_min", "zone", "status", "expected"),
    "robots": ("zone", "energy", "kind", "kits", "alive"),
}

START_FIELDS = {part: WORLD_FIELDS.get(part, ()) + names for part, names in AT_START.items()}


def world_of(episodes: Episodes, fields: dict[str, tuple[str, ...]]) -> dict[str, Array]:
    """Copies of named fields of the world; those of patients for the listed only."""
    world = episodes.state.world
    listed = world.patients["status"] != EMPTY
    return {
        f"{part}.{name}": np.where(listed, getattr(world, part)[name], 0)
        if part == "patients"
        else getattr(world, part)[name].copy()
        for part, names in fields.items()
        for name in names
    }


def assert_same_world(one: dict[str, Array], other: dict[str, Array], where: str) -> None:
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=f"{where}: {name}")


# Every suite once under "mixed", every threat once under each of two suites.
CONDITIONS = [*product(SUITE_NAMES, ["mixed"]), *product(["plaintext", "qkd"], [*THREATS, "random"])]
ROWS = 12


@pytest.fixture(scope="module")
def undisturbed(scenario_named: Load) -> list[dict[str, Array]]:
    """The shaking ward's worlds, by step, while all robots wait and nobody attacks."""
    episodes = begin(scenario_named("shaking"), SEEDS[:ROWS], suite="psk", threats="none")
    history = [world_of(episodes, START_FIELDS)]
    wait = np.full(episodes.out.mask.shape[:2], episodes.codec.wait, np.int32)
    while not (episodes.state.clock["over"] == 1).all():
        episodes.step(wait)
        history.append(world_of(episodes, WORLD_FIELDS))
    assert episodes.state.clock["aftershocks"].min() >= 0 and episodes.state.clock["aftershocks"].sum() > ROWS
    assert (history[0]["zones.damage"] != history[-1]["zones.damage"]).any(), "no aftershock did any damage"
    assert (history[-1]["zones.smoke"] > 0).any()
    return history


@pytest.mark.parametrize(("suite", "threats"), CONDITIONS)
def test_quake_patients_and_aftershocks_are_the_same_under_every_suite_and_threat(
    scenario_named: Load, undisturbed: list[dict[str, Array]], suite: str, threats: str
) -> None:
    episodes = begin(scenario_named("shaking"), SEEDS[:ROWS], suite=suite, threats=threats)
    assert_same_world(world_of(episodes, START_FIELDS), undisturbed[0], "at the start")
    wait = np.full(episodes.out.mask.shape[:2], episodes.codec.wait, np.int32)
    for step in range(1, len(undisturbed)):
        episodes.step(wait)
        if step % 5 == 0:
            assert_same_world(world_of(episodes, WORLD_FIELDS), undisturbed[step], f"after step {step}")


@pytest.mark.parametrize("perfect", [False, True])
@pytest.mark.parametrize("name", ["random", "nearest", "gain"])
def test_the_quake_is_the_same_whatever_the_robots_do(
    scenario_named: Load, undisturbed: list[dict[str, Array]], name: str, perfect: bool
) -> None:
    """Damage, fires and each patient's lot without help, at every step; policies clear passages and move patients."""
    episodes = begin(scenario_named("shaking"), SEEDS[:ROWS], suite="psk", threats="none", perfect_information=perfect)
    policy = make_policy(f"perfect-{name}" if perfect else name, episodes.layout, episodes.codec)
    rng = np.random.default_rng(0)
    assert_same_world(world_of(episodes, START_FIELDS), undisturbed[0], "at the start")
    for step in range(1, len(undisturbed)):
        running = episodes.state.clock["over"] == 0
        episodes.step(policy.act(episodes.out.observation, episodes.out.mask, rng))
        world = world_of(episodes, WORLD_FIELDS)
        for field in (
            "zones.demand",
            "zones.damage",
            "zones.burning",
            "zones.sensor_alive",
            "patients.rpm0",
            "patients.pace",
        ):
            np.testing.assert_array_equal(
                world[field][running], undisturbed[step][field][running], err_msg=f"after step {step}: {field}"
            )
    assert (episodes.state.clock["decisions"] > 0).all()
