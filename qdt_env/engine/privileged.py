"""What only a centralised critic or an upper bound may see."""

from dataclasses import dataclass

import numpy as np

from qdt_env.compiled import batch, rule
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
    site = episodes.setup.site.zones
    place = np.stack([_unit(site[name].astype(np.float32)) for name in ("x_m", "y_m", "storey")], 1)
    room = np.array([layout.zones, layout.passages, layout.patients], np.int64)
    write_states(float(episodes.scenario.horizon_steps), place, room, episodes.frame, state)
    return state


@batch
def write_states(horizon_steps, place, room, state, out):
    """Write the true state of every row.

    Args:
        horizon_steps: length of the mission.
        place: (Z, 3) float32 x, y and storey of the zones in [0, 1].
        room: (3,) zones, passages and patients that there is room for.
        state: the engine's tuple.
        out: (B, S) float32, zeros, written.
    """
    world = state.world
    for b in range(out.shape[0]):
        at = 0
        for z in range(world.zones.shape[1]):
            write_zone(world.zones[b, z], out[b, at + z * _ZONE_STATE :])
        at += room[0] * _ZONE_STATE
        for e in range(world.passages.shape[1]):
            out[b, at + e] = world.passages[b, e].condition / np.float32(2.0)
        at += room[1]
        for i in range(world.patients.shape[1]):
            if world.patients[b, i].status != EMPTY:
                write_patient(world.patients[b, i], place, out[b, at + i * _PATIENT_STATE :])
        at += room[2] * _PATIENT_STATE
        for r in range(world.robots.shape[1]):
            write_robot(world.robots[b, r], place, out[b, at + r * _ROBOT_STATE :])
        out[b, out.shape[1] - 1] = state.clock[b].step / horizon_steps


@rule
def write_zone(zone, row):
    """Damage, smoke, whether the sensor works."""
    row[0] = zone.damage / np.float32(5.0)
    row[1] = zone.smoke
    row[2] = zone.sensor_alive


@rule
def write_patient(patient, place, row):
    """Status, RPM at the start, clock, work left, kit, place."""
    row[0] = patient.status / np.float32(4.0)
    row[1] = patient.rpm0 / np.float32(12.0)
    row[2] = min(patient.clock_min / np.float32(720.0), np.float32(1.0))
    row[3] = min(max(patient.work_min / np.float32(120.0), np.float32(0.0)), np.float32(1.0))
    row[4] = patient.kitted
    for k in range(3):
        row[5 + k] = place[max(patient.zone, 0), k]


@rule
def write_robot(robot, place, row):
    """Alive, kind, energy, carrying, place."""
    row[0] = robot.alive
    for kind in range(3):
        row[1 + kind] = np.float32(1.0) if robot.kind == kind else np.float32(0.0)
    row[4] = robot.energy
    row[5] = np.float32(1.0) if robot.patient >= 0 else np.float32(0.0)
    for k in range(3):
        row[6 + k] = place[robot.zone, k]


def _unit(values: np.ndarray) -> np.ndarray:
    """Values scaled to [0, 1] over the building."""
    span = float(np.ptp(values))
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)
