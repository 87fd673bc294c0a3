"""What is handed out beside the flat observation: the true state (privileged) and a robot's belief as a graph."""

import numpy as np

from qdt_env.engine.episodes import Episodes
from qdt_env.physical.state import EMPTY

_ZONE_STATE, _PATIENT_STATE, _ROBOT_STATE = 3, 8, 9


def state_size(episodes: Episodes) -> int:
    """Length of :func:`state_of`."""
    world = episodes.state.world
    return int(
        world.zones.shape[1] * _ZONE_STATE
        + world.passages.shape[1]
        + world.patients.shape[1] * _PATIENT_STATE
        + world.robots.shape[1] * _ROBOT_STATE
        + 1
    )


def state_of(episodes: Episodes, row: int = 0) -> np.ndarray:
    """The truth of one row as float32 in [0, 1]: zones, passages, patients, robots, elapsed share of the mission."""
    world, site = episodes.state.world, episodes.setup.site
    zones, patients, robots = world.zones[row], world.patients[row], world.robots[row]
    x = _unit(site.zones["x_m"])
    y = _unit(site.zones["y_m"])
    storey = _unit(site.zones["storey"].astype(np.float32))
    listed = patients["status"] != EMPTY
    at = np.maximum(patients["zone"], 0)
    parts = [
        np.stack([zones["damage"] / 5.0, zones["smoke"], zones["sensor_alive"]], 1),
        world.passages["condition"][row] / 2.0,
        np.stack(
            [
                patients["status"] / 4.0, patients["rpm0"] / 12.0, np.minimum(patients["clock_min"] / 720.0, 1.0),
                np.clip(patients["work_min"] / 120.0, 0.0, 1.0), patients["kitted"], x[at], y[at], storey[at],
            ],
            1,
        )
        * listed[:, None],
        np.stack(
            [
                robots["alive"], robots["kind"] == 0, robots["kind"] == 1, robots["kind"] == 2, robots["energy"],
                robots["patient"] >= 0, x[robots["zone"]], y[robots["zone"]], storey[robots["zone"]],
            ],
            1,
        ),
        np.array([episodes.state.clock["step"][row] / episodes.scenario.horizon_steps]),
    ]  # fmt: skip
    return np.concatenate([np.asarray(part, np.float32).ravel() for part in parts])


def graph_of(episodes: Episodes, robot: int, row: int = 0) -> dict[str, np.ndarray]:
    """A robot's belief over the building: zones (Z, 6), passages (E, 3), edges (E, 2).

    Zone features: damage, smoke, seen, entrance, depot, own place. Passage features: blocked, slow, length.
    """
    site, belief = episodes.setup.site, episodes.state.belief
    zones, passages = belief.zones[row, robot], belief.passages[row, robot]
    alive = episodes.state.world.robots["alive"][row, robot]
    here = np.zeros(len(zones), np.float32)
    here[episodes.state.world.robots["zone"][row, robot]] = 1.0
    zone_features = np.stack(
        [
            zones["damage"] / 5.0, zones["smoke"] / 100.0, zones["seen"], site.zones["entrance"], site.zones["depot"],
            here,
        ],
        1,
    )  # fmt: skip
    passage_features = np.stack(
        [passages["condition"] == 2, passages["condition"] == 1, np.minimum(site.passages["length_m"] / 30.0, 1.0)], 1
    )
    return {
        "zones": np.asarray(zone_features * alive, np.float32),
        "passages": np.asarray(passage_features * alive, np.float32),
        "edges": np.stack([site.passages["a"], site.passages["b"]], 1).astype(np.int32),
    }


def _unit(values: np.ndarray) -> np.ndarray:
    """Values scaled to [0, 1] over the building."""
    span = float(np.ptp(values))
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)
