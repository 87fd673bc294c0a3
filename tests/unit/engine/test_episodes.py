"""Whole episodes: what is conserved, what a reward is, and that the same seed gives the same episode in any batch."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from qdt_env.engine.episodes import Episodes, GameConfig, _announce_compilation
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_at
from qdt_env.physical.state import CARRIED, EMPTY, FREE, HANDED_OVER, TRAPPED
from qdt_env.scenario import ScenarioConfig, load_scenario

STEPS = 180
# A shaking building: aftershocks in most episodes, fires, collapses under the robots.
SHAKING = PhysicalConfig(magnitude_gap=4.2, aftershock_pga_g=0.6, ignition=0.05, collapse_probability=0.3)
LEGAL = {
    EMPTY: {EMPTY},
    TRAPPED: {TRAPPED, FREE, CARRIED},
    FREE: {FREE, CARRIED, TRAPPED},
    CARRIED: {CARRIED, FREE, HANDED_OVER, TRAPPED},
    HANDED_OVER: {HANDED_OVER},
}


@pytest.fixture(scope="module")
def ward() -> ScenarioConfig:
    """One storey, three robots, 180 steps."""
    return load_scenario("ward")


@pytest.fixture(scope="module")
def shaking_ward(ward: ScenarioConfig) -> ScenarioConfig:
    """The same ward with many aftershocks and fires."""
    return replace(ward, physical=SHAKING)


def start(scenario: ScenarioConfig, rows: int, threads: int = 1, first_seed: int = 0, **game: Any) -> Episodes:
    """``rows`` fresh episodes, row b under seed first_seed + b."""
    episodes = Episodes(scenario, GameConfig(**game), rows, threads)
    episodes.reset(np.arange(rows), first_seed + np.arange(rows), np.zeros(rows, np.int64))
    return episodes


class RandomWorker:
    """Draws an allowed action for every robot without a task and lets the others go on; each row has its own draws."""

    def __init__(self, rows: int, first_seed: int = 0) -> None:
        self.rngs = [np.random.default_rng(1000 + first_seed + b) for b in range(rows)]

    def act(self, episodes: Episodes) -> np.ndarray[Any, Any]:
        mask = episodes.out.mask
        draws = np.stack([rng.random(mask.shape[1:]) for rng in self.rngs]) * mask
        draws[:, :, [0, -1]] *= 1e-3  # to go on with nothing, or to wait, only for want of anything else
        actions = draws.argmax(axis=2)
        return np.where(episodes.state.belief.minds["task"] > 0, 0, actions).astype(np.int32)


def wait(episodes: Episodes) -> np.ndarray[Any, Any]:
    """Everybody waits."""
    return np.full(episodes.out.mask.shape[:2], episodes.codec.wait, np.int32)


def rpm_now(episodes: Episodes) -> np.ndarray[Any, Any]:
    """True RPM of every slot, (B, P)."""
    patients = episodes.state.world.patients
    return np.array([[rpm_at(int(p["rpm0"]), p["clock_min"]) for p in row] for row in patients])


def leaves(state: Any, name: str = "") -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Every array of nested named tuples with its path."""
    for field in state._fields:
        value = getattr(state, field)
        if hasattr(value, "_fields"):
            yield from leaves(value, f"{name}{field}.")
        else:
            yield f"{name}{field}", value


def assert_rows_equal(first: Episodes, second: Episodes, row_of: dict[int, int]) -> None:
    """Bit by bit: row a of ``first`` is row b of ``second`` for every a -> b."""
    for side in ("state", "out"):
        for (name, one), (_, two) in zip(leaves(getattr(first, side)), leaves(getattr(second, side)), strict=True):
            for a, b in row_of.items():
                assert one[a].tobytes() == two[b].tobytes(), f"{side}.{name}"


GAMES = [
    {"suite": "qkd", "threats": "none", "perfect_information": True},
    {"suite": "qkd", "threats": "mixed"},
    {"suite": "plaintext", "threats": "tamper+replay+drop"},
    {"suite": "psk", "threats": "delay"},
    {"suite": "qkd", "threats": "none", "control": "move", "perfect_information": True},
    {"suite": "hybrid", "threats": "random", "control": "move"},
]
GAME_IDS = ["-".join(map(str, game.values())) for game in GAMES]


@pytest.mark.parametrize("game", GAMES, ids=GAME_IDS)
@pytest.mark.parametrize("shaking", [False, True], ids=["quiet", "shaking"])
def test_invariants_of_every_step(
    ward: ScenarioConfig, shaking_ward: ScenarioConfig, shaking: bool, game: dict[str, Any]
) -> None:
    rows = 24
    episodes = start(shaking_ward if shaking else ward, rows, **game)
    worker = RandomWorker(rows)
    world, clock = episodes.state.world, episodes.state.clock
    zones = world.zones.shape[1]
    patients_before, rpm_before = world.patients.copy(), rpm_now(episodes)
    damage_before = world.zones["damage"].copy()
    kits_before = world.zones["kits"].sum(1, dtype=int) + world.robots["kits"].sum(1, dtype=int)
    returns = np.zeros(rows)
    moves = 0
    for step in range(STEPS):
        running = clock["over"] == 0
        episodes.step(worker.act(episodes))
        returns += np.where(running, episodes.out.reward[:, 0].astype(float), 0.0)
        patients, robots = world.patients, world.robots
        status = patients["status"]

        for b in range(rows):
            inside = (status[b] >= TRAPPED) & (status[b] <= CARRIED)
            counted = np.bincount(patients["zone"][b][inside], minlength=zones)
            assert (counted == world.zones["occupants"][b]).all(), (step, b)

        given = (patients["kit_until"] != patients_before["kit_until"]).sum(1)
        kits = world.zones["kits"].sum(1, dtype=int) + robots["kits"].sum(1, dtype=int)
        assert (world.zones["kits"] >= 0).all() and (robots["kits"] >= 0).all()
        assert (kits_before - kits == given)[running].all()
        kits_before = kits

        assert (robots["energy"] >= 0).all() and (robots["energy"] <= 1).all()
        for before, after in zip(patients_before["status"].ravel().tolist(), status.ravel().tolist(), strict=True):
            assert after in LEGAL[before]
        moves += int((patients_before["status"] != status).sum())

        carried = status == CARRIED
        assert ((patients["carrier"] >= 0) == carried).all()
        for b, i in zip(*np.nonzero(carried), strict=True):
            carrier = robots[b, patients["carrier"][b, i]]
            assert carrier["patient"] == i and carrier["alive"] == 1 and carrier["zone"] == patients["zone"][b, i]
        assert ((robots["patient"] >= 0).sum(1) == carried.sum(1)).all()

        assert (world.zones["damage"] >= damage_before).all()
        damage_before = world.zones["damage"].copy()
        rpm = rpm_now(episodes)
        assert (rpm <= rpm_before).all()
        rpm_before = rpm
        gone = patients_before["status"] == HANDED_OVER
        for field in ("clock_min", "rpm_handover", "zone", "status", "handover_step", "expected"):
            assert (patients[field][gone] == patients_before[field][gone]).all()
        patients_before = patients.copy()

        observation, mask = episodes.out.observation, episodes.out.mask
        assert np.isfinite(observation).all()
        assert observation.min() >= -1.0 and observation.max() <= 1.0
        assert mask.dtype == np.int8 and ((mask == 0) | (mask == 1)).all() and mask.any(axis=2).all()
        assert (clock["e_now"] <= clock["e_instant"] + 1e-6).all()
    assert moves > 0
    # The rewards of an episode add up to lives saved minus costs: float32 rewards, 180 of them, each below 8 lives.
    expected = clock["e_now"] - clock["e_none"] - clock["cost"]
    np.testing.assert_allclose(returns, expected, rtol=0, atol=STEPS * 8 * 2.0**-24)
    assert (clock["potential"] == clock["e_now"] - clock["e_none"]).all()
    assert clock["masked_actions"].sum() == 0


@pytest.mark.parametrize("perfect", [False, True])
def test_doing_nothing_saves_nobody_and_harms_nobody(shaking_ward: ScenarioConfig, perfect: bool) -> None:
    episodes = start(shaking_ward, 48, suite="plaintext", threats="tamper", perfect_information=perfect)
    cost_before = np.zeros(48)
    for _ in range(STEPS):
        episodes.step(wait(episodes))
        clock = episodes.state.clock
        assert (clock["e_now"] == clock["e_none"]).all()
        assert (clock["potential"] == 0.0).all()
        np.testing.assert_array_equal(
            episodes.out.reward, np.float32(cost_before - clock["cost"])[:, None].repeat(3, axis=1)
        )
        cost_before = clock["cost"].copy()
    assert clock["aftershocks"].sum() > 48 and (episodes.state.world.zones["burning"] == 1).any()
    assert 0.0 < clock["cost"].min() and clock["cost"].max() < 3 * 0.001
    assert (clock["over"] == 1).all() and (clock["step"] == STEPS).all() and (episodes.out.truncated == 1).all()


def test_saving_people_scores_between_nothing_and_one(ward: ScenarioConfig) -> None:
    rows = 64
    episodes = start(ward, rows, perfect_information=True)
    worker = RandomWorker(rows)
    for _ in range(STEPS):
        episodes.step(worker.act(episodes))
    clock = episodes.state.clock
    room = clock["e_instant"] - clock["e_none"]
    score = clock["potential"][room > 1e-9] / room[room > 1e-9]
    assert score.mean() > 0.0 and score.max() <= 1.0
    handed_over = (episodes.state.world.patients["status"] == HANDED_OVER).sum()
    assert handed_over > rows / 4


@pytest.mark.parametrize("game", GAMES, ids=GAME_IDS)
def test_any_row_of_any_batch_on_any_number_of_threads(shaking_ward: ScenarioConfig, game: dict[str, Any]) -> None:
    batch, threaded = start(shaking_ward, 64, **game), start(shaking_ward, 64, threads=2, **game)
    alone = {b: start(shaking_ward, 1, first_seed=b, **game) for b in (0, 31, 63)}
    workers = {"batch": RandomWorker(64), "threaded": RandomWorker(64)}
    single = {b: RandomWorker(1, first_seed=b) for b in alone}
    for step in range(STEPS):
        batch.step(workers["batch"].act(batch))
        threaded.step(workers["threaded"].act(threaded))
        for b, episodes in alone.items():
            episodes.step(single[b].act(episodes))
        if step % 20 == 0 or step == STEPS - 1:
            assert_rows_equal(batch, threaded, {b: b for b in range(64)})
            for b, episodes in alone.items():
                assert_rows_equal(episodes, batch, {0: b})


def test_reds_are_the_red_of_the_start_by_the_patients_own_clocks(shaking_ward: ScenarioConfig) -> None:
    """Half an hour later more are red, and the metric still speaks of the start; the trapped aged faster before it."""
    rows = 64
    episodes = start(shaking_ward, rows, suite="psk")
    patients = episodes.state.world.patients
    red = (rpm_now(episodes) < 7.0) & (patients["status"] != EMPTY)
    by_pace = np.array([[rpm_at(int(p["rpm0"]), np.float32(60.0) * p["pace"]) for p in row] for row in patients])
    assert (red & (by_pace >= 7.0) & (patients["status"] == TRAPPED)).any()  # these were once forgotten
    for _ in range(180):
        episodes.step(wait(episodes))
    reds = [episodes.metrics(b)["reds"] for b in range(rows)]
    assert reds == red.sum(1).tolist() and ((rpm_now(episodes) < 7.0) & (patients["status"] != EMPTY)).sum() > red.sum()


def test_resetting_a_used_row_equals_a_fresh_one(shaking_ward: ScenarioConfig) -> None:
    """Nothing of the episode before is left: not in the observations, not in the truth of any later step."""
    game = {"suite": "plaintext", "threats": "mixed"}
    used, fresh = start(shaking_ward, 8, first_seed=50, **game), start(shaking_ward, 8, first_seed=7, **game)
    worker = RandomWorker(8)
    for _ in range(STEPS // 2):
        used.step(worker.act(used))
    used.reset(np.arange(8), 7 + np.arange(8), np.zeros(8, np.int64))
    one, two = RandomWorker(8), RandomWorker(8)
    for _ in range(60):
        for name in ("observation", "mask", "reward", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(used.out, name), getattr(fresh.out, name))
        for name in ("zones", "passages", "robots"):
            assert getattr(used.state.world, name).tobytes() == getattr(fresh.state.world, name).tobytes()
        listed = fresh.state.world.patients["status"] != EMPTY
        assert (used.state.world.patients[listed] == fresh.state.world.patients[listed]).all()
        assert used.state.clock.tobytes() == fresh.state.clock.tobytes()
        assert used.state.channel.links.tobytes() == fresh.state.channel.links.tobytes()
        used.step(one.act(used))
        fresh.step(two.act(fresh))


def test_resetting_one_row_leaves_the_others(ward: ScenarioConfig) -> None:
    episodes, untouched = start(ward, 4), start(ward, 4)
    for _ in range(10):
        episodes.step(wait(episodes))
        untouched.step(wait(untouched))
    episodes.reset(np.array([2]), np.array([99]), np.array([5]))
    assert_rows_equal(episodes, untouched, {0: 0, 1: 1, 3: 3})
    assert episodes.state.clock["step"].tolist() == [10, 10, 0, 10]
    other = Episodes(ward, GameConfig(), 1)
    other.reset(np.array([0]), np.array([99]), np.array([5]))
    assert episodes.out.observation[2].tobytes() == other.out.observation[0].tobytes()


def test_episode_numbers_and_seeds_give_other_worlds(ward: ScenarioConfig) -> None:
    episodes = Episodes(ward, GameConfig(), 4)
    episodes.reset(np.arange(4), np.array([1, 1, 2, 2**64 - 1], np.uint64), np.array([0, 1, 0, 2**32 - 1]))
    demands = {row.tobytes() for row in episodes.state.world.zones["demand"]}
    assert len(demands) == 4


def test_the_world_does_not_depend_on_suite_threats_policy_or_control(shaking_ward: ScenarioConfig) -> None:
    """Comparisons are paired: the quake, its aftershocks and the patients are functions of the seed alone."""
    plain = start(shaking_ward, 16, suite="qkd", threats="none")
    others = [
        start(shaking_ward, 16, suite="plaintext", threats="tamper"),
        start(shaking_ward, 16, suite="hybrid", threats="random"),
        start(shaking_ward, 16, suite="qkd-otp", threats="jam+insider", control="move"),
        start(shaking_ward, 16, suite="psk", threats="key-compromise", perfect_information=True),
    ]
    for other in others:
        for name in ("zones", "passages", "patients"):
            assert getattr(other.state.world, name).tobytes() == getattr(plain.state.world, name).tobytes(), name
    workers = [RandomWorker(16, first_seed=1000 * k) for k in range(len(others))]
    listed = plain.state.world.patients["status"] != EMPTY
    for _ in range(STEPS):
        plain.step(wait(plain))
        for other, worker in zip(others, workers, strict=True):
            other.step(worker.act(other))
            alive = other.state.clock["over"] == 0
            for field in ("demand", "damage", "burning", "sensor_alive"):
                one, two = other.state.world.zones[field], plain.state.world.zones[field]
                assert (one[alive] == two[alive]).all(), field
            for field in ("pace", "rpm0", "home", "census", "trapped_none"):
                one, two = other.state.world.patients[field], plain.state.world.patients[field]
                assert (one[listed & alive[:, None]] == two[listed & alive[:, None]]).all(), field
            assert (other.state.clock["aftershocks"][alive] == plain.state.clock["aftershocks"][alive]).all()


@pytest.mark.parametrize("control", ["task", "move"])
def test_an_action_outside_the_mask_means_continue_and_is_counted(ward: ScenarioConfig, control: str) -> None:
    naughty, obedient = (start(ward, 8, control=control) for _ in range(2))
    workers = RandomWorker(8), RandomWorker(8)
    masked = np.zeros((8, 3), int)
    rng = np.random.default_rng(4)
    for step in range(60):
        wanted = workers[0].act(naughty)
        assert (wanted == workers[1].act(obedient)).all()
        if step % 3 == 2:
            forbidden = (rng.random(naughty.out.mask.shape) * (1 - naughty.out.mask)).argmax(axis=2)
            is_forbidden = np.take_along_axis(naughty.out.mask, forbidden[..., None], 2)[..., 0] == 0
            masked += is_forbidden
            naughty.step(np.where(is_forbidden, forbidden, 0).astype(np.int32))
            obedient.step(np.zeros((8, 3), np.int32))
        else:
            naughty.step(wanted)
            obedient.step(wanted)
        assert naughty.out.observation.tobytes() == obedient.out.observation.tobytes()
        assert naughty.state.world.robots.tobytes() == obedient.state.world.robots.tobytes()
        assert naughty.out.mask.tobytes() == obedient.out.mask.tobytes()
    assert masked.sum() > 100
    assert (naughty.state.clock["masked_actions"] == masked.sum(1)).all()
    assert (naughty.state.belief.minds["masked_actions"] == masked).all()
    assert (obedient.state.clock["masked_actions"] == 0).all()


def test_perfect_information_is_the_truth_at_every_step(shaking_ward: ScenarioConfig) -> None:
    episodes = start(shaking_ward, 16, suite="plaintext", threats="tamper+insider", perfect_information=True)
    worker = RandomWorker(16)
    for _ in range(STEPS):
        world, belief = episodes.state.world, episodes.state.belief
        running = episodes.state.clock["over"] == 0
        listed = np.repeat((world.patients["status"] != EMPTY)[:, None], 3, axis=1) & running[:, None, None]
        for field in ("zone", "status", "kitted"):
            believed = belief.patients[field]
            truth = np.broadcast_to(world.patients[field][:, None], believed.shape)
            assert (believed[listed] == truth[listed]).all(), field
        rpm = np.broadcast_to(rpm_now(episodes)[:, None], listed.shape)
        np.testing.assert_array_equal(belief.patients["rpm"][listed], rpm[listed])
        assert (belief.passages["condition"] == world.passages["condition"][:, None])[running].all()
        assert (belief.zones["damage"] == world.zones["damage"][:, None])[running].all()
        assert (belief.team["zone"] == world.robots["zone"][:, None])[running].all()
        episodes.step(worker.act(episodes))
    assert episodes.state.channel.links["forged"].sum() > 0


def test_an_episode_that_is_over_stays_as_it_is_and_pays_no_more(ward: ScenarioConfig) -> None:
    """A batch goes on while one row is over: its last reward must not be paid again at every step."""
    episodes = start(ward, 2)
    episodes.state.world.robots["energy"][0] = 1e-6
    episodes.step(wait(episodes))
    assert episodes.state.clock["over"].tolist() == [1, 0]
    assert (episodes.out.terminated[0] == 1).all() and episodes.out.truncated[0] == 0
    assert (episodes.out.reward[0] < -0.1).all()  # three robots lost
    frozen = {name: array[0].tobytes() for name, array in leaves(episodes.state)}
    episodes.step(wait(episodes))
    assert {name: array[0].tobytes() for name, array in leaves(episodes.state)} == frozen
    assert (episodes.out.reward[0] == 0.0).all()


def test_a_lost_robot_sees_zeros_may_only_wait_and_costs_once(ward: ScenarioConfig) -> None:
    episodes = start(ward, 1)
    episodes.state.world.robots["energy"][0, 1] = 1e-6
    total = 0.0
    for _ in range(5):
        episodes.step(wait(episodes))
        total += float(episodes.out.reward[0, 0])
        assert (episodes.out.observation[0, 1] == 0).all()
        assert episodes.out.mask[0, 1].tolist() == [0] * (episodes.codec.n - 1) + [1]
        assert episodes.out.terminated[0].tolist() == [0, 1, 0]
    assert episodes.state.clock["lost"][0] == 1
    assert -0.051 < total < -0.05


def test_the_individual_reward_goes_to_the_robot_that_hands_over(ward: ScenarioConfig) -> None:
    rows = 48
    team, single = (start(ward, rows, perfect_information=True, reward=r) for r in ("team", "individual"))
    workers = RandomWorker(rows), RandomWorker(rows)
    handed_over = 0
    for step in range(STEPS):
        team.step(workers[0].act(team))
        single.step(workers[1].act(single))
        assert team.state.world.patients.tobytes() == single.state.world.patients.tobytes()
        now = single.state.world.patients["handover_step"] == step
        handed_over += int(now.sum())
        paid = single.out.reward > 0.01
        assert (paid.sum(1) <= now.sum(1)).all()
        assert (paid & (single.state.world.orders["verb"] != 5) == 0).all()  # 5: hand over
    assert handed_over > rows / 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("suite", "rot13"), ("threats", "gremlins"), ("control", "fly"), ("reward", "money")],
)
def test_unknown_names_are_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=value):
        GameConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("episodes", 0), ("threads", 0)])
def test_impossible_sizes_are_refused(ward: ScenarioConfig, field: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{field}=0"):
        Episodes(ward, GameConfig(), **{field: value})


def test_compiling_is_announced_once_and_only_where_nothing_is_stored(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("QDT_COMPILING_ANNOUNCED", "")

    def kernel(name: str) -> Mock:
        return Mock(signatures=[], stats=Mock(cache_path=str(tmp_path)), py_func=Mock(__name__=name))

    (tmp_path / "phases.stored-12.py311.1.nbc").touch()
    _announce_compilation(kernel("stored"))
    assert capsys.readouterr().err == ""
    for name in ("wire", "statistical"):
        _announce_compilation(kernel(name))
    assert capsys.readouterr().err.count("Compiling the kernels") == 1
    assert os.environ["QDT_COMPILING_ANNOUNCED"], "processes started from here are silent too"
