"""Draws of the physical layer have the distributions that the design states.

Every test fixes its seeds, states its number of draws and fails where the tail probability is below 1e-6. So a true
model fails one test in a million, and these seeds were not chosen.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from qdt_env import random
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.frames import Frame
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import triage_class
from qdt_env.physical.sensors import read_zone, triage_rpm
from qdt_env.physical.state import BLOCKED, COLLAPSE, COMPLETE, EMPTY, EXTENSIVE, SLOW, TRAPPED, empty_world
from qdt_env.physical.structure import aftershock_rate_per_day
from qdt_env.records import as_record
from qdt_env.scenario import ScenarioConfig, load_scenario

TAIL = 1e-6
CONFIG = PhysicalConfig()
ROWS = 1500


@pytest.fixture(scope="module")
def ward() -> ScenarioConfig:
    """The ward with room for everybody."""
    return replace(load_scenario("ward"), patients=256)


def fresh(scenario: ScenarioConfig, rows: int = ROWS, **game: Any) -> Episodes:
    """``rows`` fresh episodes, seeds 0, 1, ..."""
    episodes = Episodes(scenario, GameConfig(suite="psk", **game), rows)
    episodes.reset(np.arange(rows), np.arange(rows), np.zeros(rows, np.int64))
    return episodes


@pytest.fixture(scope="module")
def shocked(ward: ScenarioConfig) -> Episodes:
    """1,500 wards after the default shock."""
    return fresh(ward)


def assert_count(count: int, n: int, p: float) -> None:
    """A binomial count is not in the 1e-6 tails."""
    assert stats.binomtest(int(count), int(n), p).pvalue > TAIL, (count, n, p)


def assert_poisson(count: int, mean: float) -> None:
    """A Poisson count is not in the 1e-6 tails."""
    tail = min(stats.poisson.cdf(count, mean), stats.poisson.sf(count - 1, mean))
    assert 2 * tail > TAIL, (count, mean)


def draw(rule: Any, n: int, stream: int = random.POLICY) -> np.ndarray[Any, Any]:
    """n rows of four draws, by entity and step."""
    return np.array([rule(11, 0, i % 64, stream, i // 64, 0) for i in range(n)])


def test_uniforms_are_uniform_and_independent() -> None:
    """n = 4 x 20,000."""
    u = draw(random.uniform4, 20_000)
    assert u.min() >= 0.0 and u.max() < 1.0
    for k in range(4):
        assert stats.kstest(u[:, k], "uniform").pvalue > TAIL
        assert stats.kstest(u[1:, k] - u[:-1, k], stats.triang(0.5, -1, 2).cdf).pvalue > TAIL  # one draw and the next
        for j in range(k):
            assert stats.pearsonr(u[:, k], u[:, j]).pvalue > TAIL
    counts, _, _ = np.histogram2d(u[:, 0], u[:, 1], bins=16, range=[[0, 1], [0, 1]])
    assert stats.chisquare(counts.ravel()).pvalue > TAIL


def test_neighbouring_addresses_are_independent() -> None:
    """Seed, episode, step, stream, entity and index, each moved by one: n = 6 x 4,000 pairs."""
    base = (3, 5, 7, random.QUAKE, 11, 13)
    for place in range(6):
        pairs = []
        for i in range(4000):
            address = list(base)
            address[place if place != 4 else 5] += 2 * i if place != 3 else 0
            address[4] += 2 * i if place == 3 else 0
            other = list(address)
            other[place] += 1
            pairs.append((random.uniform(*address), random.uniform(*other)))
        one, two = np.array(pairs).T
        assert stats.pearsonr(one, two).pvalue > TAIL, place
        assert stats.kstest(one - two, stats.triang(0.5, -1, 2).cdf).pvalue > TAIL, place


def test_normals_are_standard_normal() -> None:
    """n = 4 x 20,000."""
    z = draw(random.normal4, 20_000, random.ROBOTS)
    assert np.isfinite(z).all()
    for k in range(4):
        assert stats.kstest(z[:, k], "norm").pvalue > TAIL
        for j in range(k):
            assert stats.pearsonr(z[:, k], z[:, j]).pvalue > TAIL
            assert stats.pearsonr(z[:, k] ** 2, z[:, j] ** 2).pvalue > TAIL
    assert abs(z).max() > 3.5


def test_the_demand_field_is_standard_normal_with_ten_metre_correlation(shocked: Episodes) -> None:
    """n = 1,500 fields."""
    demand = shocked.state.world.zones["demand"].astype(float)
    position = np.stack([shocked.setup.site.zones[k] for k in ("x_m", "y_m", "z_m")], axis=1).astype(float)
    for z in range(demand.shape[1]):
        assert stats.kstest(demand[:, z], "norm").pvalue > TAIL
    for a, b in ((0, 1), (2, 9), (5, 20), (22, 23)):
        rho = math.exp(-np.linalg.norm(position[a] - position[b]) / CONFIG.correlation_m)
        seen = stats.pearsonr(demand[:, a], demand[:, b])[0]
        z = (math.atanh(seen) - math.atanh(rho)) * math.sqrt(ROWS - 3)
        assert 2 * stats.norm.sf(abs(z)) > TAIL, (a, b, seen, rho)


def test_damage_follows_the_hazus_fragility_curves(shocked: Episodes) -> None:
    """n = 1,500 shocks for every indoor zone: P(state >= k) = Phi(ln(PGA / median) / 0.4)."""
    damage, indoor = shocked.state.world.zones["damage"], shocked.setup.site.zones["indoor"] == 1
    assert (damage[:, ~indoor] == 0).all()
    for z in np.flatnonzero(indoor):
        for k, median in enumerate(CONFIG.pga_median_g):
            exceeds = stats.norm.cdf(math.log(CONFIG.pga_g / median) / CONFIG.demand_sigma)
            assert_count((damage[:, z] >= k + 1).sum(), ROWS, exceeds)


def test_collapses_are_the_worst_eighteen_percent_of_the_field(shocked: Episodes) -> None:
    damage, demand = shocked.state.world.zones["damage"], shocked.state.world.zones["demand"]
    indoor = np.flatnonzero(shocked.setup.site.zones["indoor"] == 1)
    most = math.floor(CONFIG.collapse_share * indoor.size)
    for b in range(ROWS):
        worst = indoor[np.argsort(demand[b, indoor])[::-1][:most]]
        complete = set(worst[damage[b, worst] >= COMPLETE].tolist())
        assert set(np.flatnonzero(damage[b] == COLLAPSE).tolist()) == complete


def test_occupancy_is_poisson(ward: ScenarioConfig) -> None:
    """Everybody slightly hurt, so that everybody is listed: one per 9.3 m2, n = 1,500 x 22 rooms."""
    everybody = ((1.0, 0.0, 0.0, 0.0),) * 6
    config = PhysicalConfig(injury_share=everybody, moved_probability=0.0, pga_median_g=(1e-6, 0.17, 0.3, 0.48))
    episodes = fresh(replace(ward, physical=config, patients=512))
    assert (episodes.state.clock["unlisted"] == 0).all()
    census = episodes.state.world.patients["census"]
    for z in np.flatnonzero(episodes.setup.site.zones["indoor"] == 1):
        mean = float(episodes.setup.site.zones["area_m2"][z]) / 9.3
        counts = (census == z).sum(axis=1)
        assert_poisson(int(counts.sum()), ROWS * mean)
        # The dispersion index of Poisson counts is chi-square with n - 1 degrees of freedom over n - 1.
        index = ((counts - counts.mean()) ** 2).sum() / counts.mean()
        assert 2 * min(stats.chi2.cdf(index, ROWS - 1), stats.chi2.sf(index, ROWS - 1)) > TAIL, z


def test_injury_shares_are_those_of_hazus(shocked: Episodes) -> None:
    """Counts of each severity in each damage state are Poisson with mean people x share (thinning)."""
    world, area = shocked.state.world, shocked.setup.site.zones["area_m2"].astype(float)
    assert (shocked.state.clock["unlisted"] == 0).all()
    listed = world.patients["status"] != EMPTY
    damage = np.take_along_axis(world.zones["damage"], np.maximum(world.patients["census"], 0).astype(int), axis=1)
    rpm0 = world.patients["rpm0"]
    severity = np.where(rpm0 >= 11, 1, np.where(rpm0 >= 7, 2, 3))
    dead = 0.0
    for state in range(1, 6):
        people = (
            float((area[None] * (world.zones["damage"] == state)).sum()) / shocked.scenario.physical.area_per_person_m2
        )
        dead += people * CONFIG.injury_share[state][3]
        for level in (2, 1):
            expected = people * CONFIG.injury_share[state][level - 1]
            assert_poisson(int((listed & (damage == state) & (severity == level)).sum()), expected)
        expected = people * CONFIG.injury_share[state][2]
        assert_poisson(int((listed & (damage == state) & (severity == 3)).sum()), expected)
    assert_poisson(int(shocked.state.clock["dead"].sum()), dead)


def test_start_values_of_the_hurt(shocked: Episodes) -> None:
    """RPM by severity uniform over the mapping, pace log-normal, trapped only where it collapsed, work of the RCRS."""
    world = shocked.state.world
    patients = world.patients[world.patients["status"] != EMPTY]
    n = patients.size
    assert n > 5000
    assert stats.kstest(np.log(patients["pace"]) / CONFIG.pace_sigma, "norm").pvalue > TAIL
    for scores in ((11, 12), (7, 8, 9, 10)):
        counts = [(patients["rpm0"] == score).sum() for score in scores]
        assert stats.chisquare(counts).pvalue > TAIL
    assert set(np.unique(patients["rpm0"]).tolist()) == set(range(3, 13))
    damage = np.take_along_axis(world.zones["damage"], np.maximum(world.patients["census"], 0).astype(int), axis=1)
    damage = damage[world.patients["status"] != EMPTY]
    trapped = patients["status"] == TRAPPED
    assert (trapped == ((damage == COLLAPSE) & (patients["rpm0"] <= 10))).all()
    assert (patients["work_min"][~trapped] == 0).all() and (patients["census"] >= 0).all()
    mixture = [stats.lognorm(CONFIG.work_sigma, scale=m) for m in CONFIG.work_min]
    kolmogorov = stats.kstest(patients["work_min"][trapped], lambda x: np.mean([m.cdf(x) for m in mixture], axis=0))
    assert kolmogorov.pvalue > TAIL
    moved = patients["zone"] != patients["census"]
    assert 0 < moved.sum() and (patients["rpm0"][moved] >= 11).all()
    walking = (patients["rpm0"] >= 11).sum()  # at most a quarter: those who would leave the ward stay
    assert (
        stats.binomtest(int(moved.sum()), int(walking), CONFIG.moved_probability, alternative="greater").pvalue > TAIL
    )


def test_passage_conditions_have_their_shares(shocked: Episodes) -> None:
    """n = 1,500 x 26 passages by the worse of their zones."""
    world, site = shocked.state.world, shocked.setup.site
    damage = world.zones["damage"]
    worse = np.maximum(damage[:, site.passages["a"]], damage[:, site.passages["b"]])
    condition = world.passages["condition"]
    for state in range(6):
        here = condition[worse == state]
        assert_count((here == BLOCKED).sum(), max(here.size, 1), CONFIG.blocked_share[state])
        assert_count((here == SLOW).sum(), max(here.size, 1), CONFIG.slow_share[state])
    minutes = world.passages["clear_min"].ravel()
    standard = np.log(minutes / CONFIG.clear_median_min) / CONFIG.clear_sigma
    assert stats.kstest(standard, "norm").pvalue > TAIL


def test_fires_and_dead_sensors(ward: ScenarioConfig) -> None:
    """n = 1,500 shocks with ignition raised to 10 %."""
    zones = fresh(replace(ward, physical=PhysicalConfig(ignition=0.1))).state.world.zones
    heavy, collapsed = zones["damage"] >= EXTENSIVE, zones["damage"] == COLLAPSE
    assert_count((zones["burning"][heavy] == 1).sum(), heavy.sum(), 0.1)
    assert (zones["burning"][~heavy] == 0).all() and (zones["sensor_alive"][~collapsed] == 1).all()
    assert_count((zones["sensor_alive"][collapsed] == 0).sum(), collapsed.sum(), CONFIG.sensor_death)


def test_aftershocks_come_at_the_reasenberg_jones_rate(ward: ScenarioConfig) -> None:
    """n = 400 missions of 180 steps with a gap of 3.5 magnitudes: counts against the integral over the missions."""
    config = PhysicalConfig(magnitude_gap=3.5)
    rows, steps = 400, 180
    episodes = fresh(replace(ward, physical=config, patients=8), rows)
    wait = np.full((rows, 3), episodes.codec.wait, np.int32)
    when = np.zeros(steps)
    for step in range(steps):
        before = episodes.state.clock["aftershocks"].copy()
        episodes.step(wait)
        when[step] = (episodes.state.clock["aftershocks"] - before).sum()
    days = (3600 + 10 * np.arange(steps)) / 86400
    parameters = 3.5, config.rj_a, config.rj_b, config.rj_p, config.rj_c_day
    rate = np.array([aftershock_rate_per_day(t, *parameters) for t in days])
    chance = 1 - np.exp(-rate * 10 / 86400)
    z = (when.sum() - rows * chance.sum()) / math.sqrt(rows * (chance * (1 - chance)).sum())
    assert 2 * stats.norm.sf(abs(z)) > TAIL
    thirds = when.reshape(3, -1).sum(1), rows * chance.reshape(3, -1).sum(1)
    assert stats.chisquare(thirds[0], thirds[1] * thirds[0].sum() / thirds[1].sum()).pvalue > TAIL
    a, b, p, c = config.rj_a, config.rj_b, config.rj_p, config.rj_c_day
    start, end = 1 / 24, 1.5 / 24
    integral = 10 ** (a + b * 3.5) * ((end + c) ** (1 - p) - (start + c) ** (1 - p)) / (1 - p)
    assert (rate * 10 / 86400).sum() == pytest.approx(integral, rel=1e-3)  # rates at the beginning of each step


def test_every_zone_can_catch_fire_in_an_aftershock(ward: ScenarioConfig) -> None:
    """Zone 0 burns as often as the others: its draw must not be the draw of the shock's strength.

    n = 1,500 aftershocks, of which the quarter beyond 0.3 g makes every room Extensive or worse.
    """
    config = PhysicalConfig(
        pga_g=1e-6, demand_sigma=0.0, rj_a=30.0, aftershock_pga_g=0.2, ignition=0.1, collapse_probability=0.0
    )
    episodes = fresh(replace(ward, physical=config, patients=8))
    assert (episodes.state.world.zones["burning"] == 0).all()
    episodes.step(np.full((ROWS, 3), episodes.codec.wait, np.int32))
    assert (episodes.state.clock["aftershocks"] == 1).all()
    zones = episodes.state.world.zones
    strong = stats.norm.sf(math.log(0.30 / 0.2) / config.aftershock_sigma)
    for z in np.flatnonzero(episodes.setup.site.zones["indoor"] == 1):
        heavy = zones["damage"][:, z] >= EXTENSIVE
        assert_count(heavy.sum(), ROWS, strong)
        assert_count((zones["burning"][heavy, z] == 1).sum(), heavy.sum(), 0.1)


def test_a_collapse_destroys_half_of_the_robots_inside(ward: ScenarioConfig) -> None:
    """n = 600 x 3 robots in rooms that all collapse."""
    config = PhysicalConfig(pga_g=1e-6, rj_a=30.0, aftershock_pga_g=50.0, collapse_probability=1.0)
    rows = 600
    episodes = fresh(replace(ward, physical=config, patients=8), rows)
    rooms = np.flatnonzero(episodes.setup.site.zones["indoor"] == 1)[:3]
    episodes.state.world.robots["zone"][:] = rooms
    episodes.step(np.full((rows, 3), episodes.codec.wait, np.int32))
    alive = episodes.state.world.robots["alive"]
    assert_count((alive == 0).sum(), 3 * rows, CONFIG.lost_probability)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert_count((alive[:, a] == alive[:, b]).sum(), rows, 0.5)
    assert (episodes.state.clock["lost"] == (alive == 0).sum(1)).all()


@pytest.mark.parametrize(("rpm0", "over", "under"), [(12, True, False), (9, True, True), (5, False, True)])
def test_triage_errs_as_kahn_measured(rpm0: int, over: bool, under: bool) -> None:
    """n = 4 robots x 3,000 patients: 79 of 146 non-red one class too urgent, 3 of 28 non-green one class too mild."""
    world = empty_world(1, 1, 1, 3000, 4)
    world.patients["rpm0"] = rpm0
    config = as_record(replace(CONFIG, rpm_sigma=0.0))[0]
    frame = Frame(world)
    rpm = np.array([[triage_rpm(0, i, r, frame, config, 5, 0) for r in range(4)] for i in range(3000)])
    again = np.array([[triage_rpm(0, i, r, frame, config, 5, 0) for r in range(4)] for i in range(50)])
    assert (rpm[:50] == again).all()
    tag = np.vectorize(triage_class)(rpm.astype(np.float32))
    truth = triage_class(np.float32(rpm0))
    for k, (wrong, rate) in enumerate(((-1, CONFIG.overtriage), (1, CONFIG.undertriage))):
        count = int((tag == truth + wrong).sum())
        if (over, under)[k]:
            assert_count(count, tag.size, rate)
            shifts = np.unique(rpm[tag == truth + wrong] - np.float32(rpm0))
            assert shifts.size == 1
        else:
            assert count == 0
    assert (abs(tag - truth) <= 1).all()
    if over:  # eyes differ: two robots err independently
        both = ((tag[:, 0] < truth) & (tag[:, 1] < truth)).sum()
        assert_count(both, 3000, CONFIG.overtriage**2)


def test_sensor_noise_has_the_stated_size() -> None:
    """n = 5,000 readings of one zone."""
    world = empty_world(1, 1, 1, 1, 1)
    world.zones["damage"], world.zones["smoke"], world.zones["occupants"] = 3, 0.25, 7
    frame = Frame(world)
    sigma = np.array(CONFIG.sensor_sigma, np.float32)
    readings = np.array([read_zone(0, 0, frame, sigma, 6, 0, step, 0) for step in range(5000)])
    for k, (truth, size) in enumerate(zip((3, 0.25, 7), CONFIG.sensor_sigma, strict=True)):
        assert stats.kstest((readings[:, k] - truth) / size, "norm").pvalue > TAIL
        for j in range(k):
            assert stats.pearsonr(readings[:, k], readings[:, j]).pvalue > TAIL
