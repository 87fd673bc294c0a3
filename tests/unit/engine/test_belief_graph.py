"""What a graph observation holds: the robot's belief, its own place, and nothing once the robot is lost."""

from typing import Any

import numpy as np
import pytest

from qdt_env import hospital_rescue_v0
from qdt_env.graph_layout import GRAPH_PASSAGE_FEATURES, GRAPH_ZONE_FEATURES, GraphLayout
from qdt_env.physical.state import BLOCKED, SLOW
from qdt_env.vector_env import Condition, RescueVectorEnv

WAIT = np.full((2, 3), 30)


def played(steps: int = 12, **kinds: Any) -> tuple[RescueVectorEnv, dict[str, np.ndarray]]:
    """Two wards after some steps of waiting, under tampering."""
    env = RescueVectorEnv(2, observation="graph", threats="tamper", suite="plaintext", **kinds)
    env.reset(seed=3)
    for _ in range(steps):
        seen = env.step(WAIT)[0]
    return env, seen


def test_every_feature_is_the_belief() -> None:
    env, seen = played()
    (engine,) = env._mixture.engines
    belief, site = engine.state.belief, engine.setup.site
    zones = dict(zip(GRAPH_ZONE_FEATURES, np.moveaxis(seen["zones"], -1, 0), strict=True))
    passages = dict(zip(GRAPH_PASSAGE_FEATURES, np.moveaxis(seen["passages"], -1, 0), strict=True))
    assert (zones["damage"] == belief.zones["damage"].astype(np.float32) / np.float32(5)).all()
    assert (zones["smoke"] == belief.zones["smoke"].astype(np.float32) / np.float32(100)).all()
    assert (zones["seen"] == belief.zones["seen"]).all() and zones["seen"].any()
    assert (zones["entrance"] == site.zones["entrance"]).all() and (zones["depot"] == site.zones["depot"]).all()
    assert (zones["here"].argmax(-1) == engine.state.world.robots["zone"]).all() and (zones["here"].sum(-1) == 1).all()
    assert (passages["blocked"] == (belief.passages["condition"] == BLOCKED)).all() and passages["blocked"].any()
    assert (passages["slow"] == (belief.passages["condition"] == SLOW)).all()
    assert np.allclose(passages["length"], np.minimum(site.passages["length_m"] / 30.0, 1.0))
    is_open = env.layout.feature(seen["observation"], "tasks", "open") == 1.0
    assert (seen["patient_zones"] == np.where(is_open, belief.patients["zone"], -1)).all()
    assert (seen["patient_zones"] >= 0).any()
    assert (seen["edges"] == np.stack([site.passages["a"], site.passages["b"]], 1)).all()


def test_spaces_hold_and_copies_are_copies() -> None:
    for kinds in ({}, {"action_mask": "info"}):
        env, seen = played(2, **kinds)
        assert seen in env.observation_space
        assert {name: part[0] for name, part in seen.items()} in env.single_observation_space
        assert ("action_mask" in seen) == (kinds == {})
    kept = {name: part.copy() for name, part in seen.items()}
    env.step(WAIT)
    assert all((kept[name] == part).all() for name, part in seen.items())
    with pytest.raises(ValueError, match="read-only"):
        seen["edges"][0, 0, 0] = 1
    shared = RescueVectorEnv(2, observation="graph", copy=False)
    assert np.shares_memory(shared.reset(seed=1)[0]["zones"], shared.step(WAIT)[0]["zones"])
    with pytest.raises(ValueError, match="observation='tree' is not allowed: 'flat' or 'graph'"):
        RescueVectorEnv(observation="tree")


def test_a_flat_observation_makes_no_graph() -> None:
    env = RescueVectorEnv(2)
    env.reset(seed=1)
    env.step(WAIT)
    assert env._mixture._graphs is None and "edges" not in vars(env._mixture)


def test_a_layout_joins_what_the_keys_show() -> None:
    """Every block of the joined vector is the array that was joined; a second call overwrites the first's array."""
    env = RescueVectorEnv(2, conditions=[Condition(), Condition(building_seed=1)], observation="graph")
    first = env.reset(seed=3)[0]
    layout = GraphLayout(env.layout, first["zones"].shape[2], first["passages"].shape[2])
    joined = layout.join(first)
    again = env.step(WAIT)[0]
    assert layout.join(again, joined) is joined and joined.shape == (2, 3, layout.size) and joined.dtype == np.float32
    for name in env.layout.blocks:
        assert (layout.slice(joined, name) == env.layout.slice(again["observation"], name)).all()
    assert (layout.slice(joined, "zones") == again["zones"]).all()
    assert (layout.slice(joined, "ways") == again["passages"]).all()
    assert (layout.slice(joined, "edges") == again["edges"][:, None]).all()
    assert (layout.slice(joined, "patient_zones")[..., 0] == again["patient_zones"]).all()
    assert layout.size == env.layout.size + sum(block.stop - block.start for block in [*layout.blocks.values()][7:])


def test_a_lost_robot_has_no_map() -> None:
    env = hospital_rescue_v0.parallel_env(observation="graph", keep_dead=True)
    env.reset(seed=1)
    env._episodes.state.world.robots["alive"][0, 1] = 0
    shown = env._observations(env.agents)
    for agent, there in (("robot_0", True), ("robot_1", False)):
        assert shown[agent]["zones"].any() == there and shown[agent]["passages"].any() == there
        assert (shown[agent]["patient_zones"] >= 0).any() == there
