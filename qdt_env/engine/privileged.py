"""What only a centralised critic or an upper bound may see, and a robot's belief as a graph."""

from dataclasses import dataclass

import numpy as np

from qdt_env.engine.episodes import Episodes
from qdt_env.physical.state import EMPTY

_ZONE_STATE, _PATIENT_STATE, _ROBOT_STATE = 3, 8, 9


@dataclass(frozen=True)
class StateLayout:
    """Room in a state vector: zones, passages, patients and robots, in that order, and the elapsed share last.

    Attributes:
        zones, passages, patients, robots: how many of each there is room for; a smaller building leaves zeros.
    """

    zones: int
    passages: int
    patients: int
    robots: int

    @property
    def size(self) -> int:
        """Length S of the state."""
        return (
            self.zones * _ZONE_STATE + self.passages + self.patients * _PATIENT_STATE + self.robots * _ROBOT_STATE + 1
        )

    def covering(self, other: "StateLayout") -> "StateLayout":
        """Room for both."""
        return StateLayout(*(max(a, b) for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def state_layout(episodes: Episodes) -> StateLayout:
    """Room for exactly the scenario of ``episodes``."""
    world = episodes.state.world
    return StateLayout(*(part.shape[1] for part in (world.zones, world.passages, world.patients, world.robots)))


def state_of(episodes: Episodes, layout: StateLayout | None = None) -> np.ndarray:
    """The truth of every row: zones, passages, patients, robots, elapsed share of the mission.

    Args:
        episodes: B rows.
        layout: room in the vectors; None for what the scenario needs.

    Returns:
        (B, S) float32 in [0, 1], fresh.
    """
    layout = layout or state_layout(episodes)
    state = np.zeros((episodes.n, layout.size), np.float32)
    start = 0
    for part, room, features in (
        (_zones, layout.zones, _ZONE_STATE),
        (_passages, layout.passages, 1),
        (_patients, layout.patients, _PATIENT_STATE),
        (_robots, layout.robots, _ROBOT_STATE),
    ):
        block = state[:, start : start + room * features].reshape(episodes.n, room, features)
        for feature, values in enumerate(part(episodes)):
            block[:, : values.shape[1], feature] = values
        start += room * features
    state[:, -1] = episodes.state.clock["step"] / episodes.scenario.horizon_steps
    return state


def _zones(episodes: Episodes) -> tuple[np.ndarray, ...]:
    """Features (B, Z) of zones."""
    zones = episodes.state.world.zones
    return zones["damage"] / 5.0, zones["smoke"], zones["sensor_alive"]


def _passages(episodes: Episodes) -> tuple[np.ndarray, ...]:
    """The feature (B, E) of passages."""
    return (episodes.state.world.passages["condition"] / 2.0,)


def _patients(episodes: Episodes) -> tuple[np.ndarray, ...]:
    """Features (B, P) of patients, 0 in slots without one."""
    patients = episodes.state.world.patients
    listed = patients["status"] != EMPTY
    features = (
        patients["status"] / 4.0, patients["rpm0"] / 12.0, np.minimum(patients["clock_min"] / 720.0, 1.0),
        np.clip(patients["work_min"] / 120.0, 0.0, 1.0), patients["kitted"],
        *_place(episodes, np.maximum(patients["zone"], 0)),
    )  # fmt: skip
    return tuple(feature * listed for feature in features)


def _robots(episodes: Episodes) -> tuple[np.ndarray, ...]:
    """Features (B, R) of robots."""
    robots = episodes.state.world.robots
    return (
        robots["alive"], robots["kind"] == 0, robots["kind"] == 1, robots["kind"] == 2, robots["energy"],
        robots["patient"] >= 0, *_place(episodes, robots["zone"]),
    )  # fmt: skip


def _place(episodes: Episodes, zone: np.ndarray) -> tuple[np.ndarray, ...]:
    """x, y and storey of zones, each scaled to [0, 1] over the building."""
    site = episodes.setup.site.zones
    return tuple(_unit(site[name].astype(np.float32))[zone] for name in ("x_m", "y_m", "storey"))


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
