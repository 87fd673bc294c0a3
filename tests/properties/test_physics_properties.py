"""Properties of the physical rules, for any argument in their domain."""

import math

import networkx as nx
import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from qdt_env.engine.setup import build_site
from qdt_env.frames import Frame
from qdt_env.hospital import generate_building
from qdt_env.hospital.graph import PASSAGE_KINDS
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import clock_at_horizon, clock_rate, rpm_after, rpm_at, survival
from qdt_env.physical.robots import crossing_time_s
from qdt_env.physical.smoke import spread_smoke
from qdt_env.physical.state import BLOCKED, OPEN, SLOW, empty_world
from qdt_env.physical.structure import damage_state, passage_condition
from qdt_env.records import as_record
from qdt_env.twin.config import TwinConfig
from qdt_env.twin.trust import chi2_3_cdf, trust_score

F = np.float32
CFG = as_record(PhysicalConfig())[0]
TWIN = as_record(TwinConfig())[0]
RPM = st.floats(0, 12, width=32)
MINUTES = st.floats(0, 1000, width=32)
UNIT = st.floats(0, 1, width=32)
EPSILON = 1e-5  # float32 rounding of scores up to 12

WARD = generate_building("ward", 0)
SITE = build_site(WARD, ("tracked",), PhysicalConfig(), 3.0, 0.2)
SITE_FRAME = Frame(SITE)
ZONES, PASSAGES = WARD.n_zones, WARD.n_passages


@given(st.integers(0, 12), MINUTES, MINUTES)
def test_nobody_recovers_alone(rpm0: int, one: float, two: float) -> None:
    early, late = sorted((one, two))
    assert 0.0 <= rpm_at(rpm0, F(late)) <= rpm_at(rpm0, F(early)) <= rpm0


@given(RPM, RPM, MINUTES)
def test_who_is_better_stays_no_worse(one: float, two: float, minutes: float) -> None:
    low, high = sorted((one, two))
    assert rpm_after(F(low), F(minutes)) <= rpm_after(F(high), F(minutes)) + EPSILON
    assert survival(F(low)) <= survival(F(high)) + EPSILON
    assert 0.052 - EPSILON <= survival(F(low)) <= 0.98 + EPSILON


@given(st.integers(0, 12), MINUTES)
def test_whole_scores_follow_the_table_itself(rpm0: int, minutes: float) -> None:
    assert rpm_after(F(rpm0), F(minutes)) == rpm_at(rpm0, F(minutes))


@given(st.floats(0.5, 2, width=32), st.booleans(), st.floats(0, 60, width=32), st.integers(1, 200), MINUTES)
def test_projection_equals_stepping(pace: float, trapped: bool, kit_min: float, steps: int, clock: float) -> None:
    """The clock run step by step, with the kit for its time, arrives where the projection said."""
    dt = 1 / 6
    kit_steps = int(kit_min / dt)
    stepped = float(clock)
    for k in range(steps):
        stepped += dt * float(clock_rate(F(pace), trapped, F(0), k < kit_steps, CFG))
    projected = clock_at_horizon(F(clock), F(pace), trapped, F(kit_steps * dt), F(steps * dt), CFG)
    assert math.isclose(stepped, projected, rel_tol=1e-5, abs_tol=1e-4)


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0.1, 1), st.floats(0.1, 1))
def test_more_shaking_and_more_weakness_never_help(one: float, two: float, f1: float, f2: float) -> None:
    (low, high), (weak, strong) = sorted((one, two)), sorted((f1, f2))
    assert damage_state(low, strong, CFG) <= damage_state(high, strong, CFG) <= damage_state(high, weak, CFG)


@given(st.integers(0, 2**24 - 1).map(lambda k: k / 2**24), st.integers(0, 4))
def test_more_damage_never_opens_a_passage(draw: float, damage: int) -> None:
    assert passage_condition(F(draw), damage, CFG) <= passage_condition(F(draw), damage + 1, CFG)


@given(st.integers(0, 2), st.integers(0, len(PASSAGE_KINDS) - 1), st.floats(0.125, 100, width=32), st.booleans())
def test_crossing_takes_longer_in_rubble_and_for_ever_when_blocked(
    kind: int, passage: int, length: float, carrying: bool
) -> None:
    times = [crossing_time_s(kind, passage, F(length), c, carrying, CFG) for c in (OPEN, SLOW, BLOCKED)]
    assert times[0] > 0 and math.isinf(times[2])
    assert math.isinf(times[0]) or math.isclose(times[1], times[0] / 0.4, rel_tol=1e-5)
    assert times[0] <= crossing_time_s(kind, passage, F(length), OPEN, True, CFG)


@given(st.floats(0, 50, width=32), st.floats(0, 200, width=32), st.integers(0, 30_000))
def test_trust_lies_between_nothing_and_one_and_fades_to_one_half(r: float, s: float, age: int) -> None:
    now, later = trust_score(F(r), F(s), age, TWIN), trust_score(F(r), F(s), age + 7, TWIN)
    assert 0.0 <= now <= 1.0
    assert abs(later - 0.5) <= abs(now - 0.5) + 1e-7
    assert (now - 0.5) * (r - s) >= -1e-6


@given(st.floats(0, 1e3), st.floats(0, 1e3))
def test_the_distribution_function_rises(one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert -1e-15 <= chi2_3_cdf(low) <= chi2_3_cdf(high) + 1e-15 <= 1.0 + 2e-15  # rounding of the difference near 0


@given(
    st.lists(UNIT, min_size=ZONES, max_size=ZONES),
    st.lists(st.sampled_from([OPEN, SLOW, BLOCKED]), min_size=PASSAGES, max_size=PASSAGES),
    st.integers(0, 3),
)
def test_smoke_is_conserved_bounded_and_evens_out(smoke: list[float], conditions: list[int], burning: int) -> None:
    """Without a fire the sum stays; nothing leaves [0, 1]; the extremes of what is joined never drift apart."""
    world = empty_world(1, ZONES, PASSAGES, 1, 1)
    world.zones["smoke"][0] = smoke
    world.passages["condition"][0] = conditions
    world.zones["burning"][0, :burning] = 1
    frame = Frame(world)
    joined = nx.Graph()
    joined.add_nodes_from(range(ZONES))
    joined.add_edges_from(
        (int(a), int(b)) for (a, b), c in zip(WARD.passage_zones, conditions, strict=True) if c != BLOCKED
    )
    groups = [list(group) for group in nx.connected_components(joined)]
    fires = set(range(burning))
    for _ in range(5):
        before = world.zones["smoke"][0].astype(float).copy()
        before[:burning] = 1.0
        spread_smoke(0, CFG, SITE_FRAME, frame)
        after = world.zones["smoke"][0].astype(float)
        assert (after >= 0).all() and (after <= 1).all() and (after[:burning] == 1).all()
        assert (world.zones["inflow"] == 0).all()
        for group in groups:
            if not fires.intersection(group):
                assert math.isclose(after[group].sum(), before[group].sum(), rel_tol=0, abs_tol=1e-5)
            assert after[group].max() <= before[group].max() + 1e-6
            assert after[group].min() >= before[group].min() - 1e-6


def test_smoke_follows_the_exchange_equation() -> None:
    """One step between two zones, by hand: s_i += dt g (s_j - s_i) for as many substeps as the building needs."""
    world = empty_world(1, ZONES, PASSAGES, 1, 1)
    world.passages["condition"][0] = BLOCKED
    world.passages["condition"][0, 0] = OPEN
    a, b = (int(z) for z in WARD.passage_zones[0])
    world.zones["smoke"][0, a] = 0.8
    spread_smoke(0, CFG, SITE_FRAME, Frame(world))
    exchange = float(SITE.passages["exchange_per_s"][0])
    substeps = math.ceil(10 * 0.01 * WARD.max_degree)
    difference = 0.8 * (1 - 2 * exchange * 10 / substeps) ** substeps
    assert math.isclose(world.zones["smoke"][0, a] - world.zones["smoke"][0, b], difference, rel_tol=1e-5)


@given(st.floats(0.05, 1.0), st.floats(0.0, 0.2))
def test_smoke_does_not_overshoot_when_doors_leak_more_than_openings(door: float, opening: float) -> None:
    """The substeps must follow the largest exchange of the building, whichever kind of passage has it."""
    assume(door > opening)
    config = PhysicalConfig(smoke_door_per_s=door, smoke_open_per_s=opening)
    site = build_site(WARD, ("tracked",), config, 3.0, 0.2)
    world = empty_world(1, ZONES, PASSAGES, 1, 1)
    world.zones["smoke"][0, ::2] = 1.0
    for _ in range(3):
        before = world.zones["smoke"][0].sum(dtype=float)
        spread_smoke(0, as_record(config)[0], Frame(site), Frame(world))
        assert math.isclose(world.zones["smoke"][0].sum(dtype=float), before, abs_tol=1e-4)
