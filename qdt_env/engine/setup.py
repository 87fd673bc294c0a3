"""Setup: scenario and rules of the game as the records and arrays that kernels read and never write."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdt_env.engine.state import GAME, Setup
from qdt_env.hospital.graph import DOOR, HospitalGraph
from qdt_env.hospital.routing import build_hierarchy
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import PASSAGE_CONDITIONS, ROBOT_KINDS, SITE_PASSAGE, SITE_ZONE, Site
from qdt_env.records import as_record, require, require_flag
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.attacks import Attack, random_threats, threats_by_name
from qdt_env.security.channel import channel_record
from qdt_env.security.qkd.gather import qkd_tables
from qdt_env.security.suites import suite_by_name, suite_table
from qdt_env.spaces import ActionCodec, ObservationLayout
from qdt_env.twin.codec import readings_bytes
from qdt_env.twin.snapshot import expect_crossings
from qdt_env.units import BITS_PER_BYTE

_FIELD_JITTER = 1e-6  # keeps the Cholesky factor of coinciding zones real


CHANNELS = ("statistical", "wire")  # fidelities: outcomes drawn in kernels, or bytes under real ciphers


@dataclass(frozen=True)
class GameConfig:
    """How missions are played and scored.

    Attributes:
        suite: cipher suite of every link, see ``security.suites``.
        threats: preset name, "random" (drawn anew each episode), or attacks.
        control: "task" or "move".
        reward: "team" or "individual".
        perfect_information: beliefs are the truth (an explicit privilege, for upper bounds).
        channel: "statistical" (outcomes of messages by rule, in kernels) or "wire" (bytes under real keys and ciphers).
    """

    suite: str = "qkd"
    threats: Any = "none"
    control: str = "task"
    reward: str = "team"
    perfect_information: bool = False
    channel: str = "statistical"

    def __post_init__(self) -> None:
        """Reject unknown names.

        Raises:
            ValueError: naming the parameter, what was given and what is allowed.
        """
        suite_by_name(self.suite)
        if not isinstance(self.threats, str) or self.threats != "random":
            threats_by_name(self.threats)
        require_flag(self.perfect_information, "perfect_information")
        require(self.channel in CHANNELS, "channel", self.channel, f"one of {', '.join(CHANNELS)}")
        require(self.control in ("task", "move"), "control", self.control, "'task' or 'move'")
        require(self.reward in ("team", "individual"), "reward", self.reward, "'team' or 'individual'")

    def attacks(self, seed: int, episode: int) -> tuple[Attack, ...]:
        """The attacks of one episode."""
        return random_threats(seed, episode) if self.threats == "random" else threats_by_name(self.threats)


def build_setup(scenario: ScenarioConfig, game: GameConfig, layout: ObservationLayout, codec: ActionCodec) -> Setup:
    """Everything the kernels read and never write."""
    site = build_site(scenario.building, scenario.team, scenario.physical, scenario.channel.fibre_fixed_db,
                      scenario.channel.fibre_db_km)  # fmt: skip
    rota_zones, rota_turns = sensor_rota(scenario.building, scenario.sensor_period_steps)
    return Setup(
        game=_game_record(scenario, game, site, rota_turns),
        physical=as_record(scenario.physical),
        twin=as_record(scenario.twin),
        channel=channel_record(scenario.channel),
        suites=suite_table(),
        qkd=qkd_tables(scenario.channel.preset),
        site=site,
        rota_zones=rota_zones,
        rota_turns=rota_turns,
        hierarchy=build_hierarchy(scenario.building),
        crossing_s=crossing_table(site, scenario.physical),
        outlook=outlook_table(),
        layout=layout.record(codec.n),
    )


def crossing_table(site: Site, physical: PhysicalConfig) -> np.ndarray:
    """Seconds that each robot kind expects each passage to take in each condition, float32 (kinds, conditions, E)."""
    table = np.empty((len(ROBOT_KINDS), len(PASSAGE_CONDITIONS), site.passages.size), np.float32)
    kinds, lengths = (np.ascontiguousarray(site.passages[name]) for name in ("kind", "length_m"))
    for kind, condition in np.ndindex(*table.shape[:2]):
        everywhere = np.full(site.passages.size, condition, np.int8)
        expect_crossings(kind, kinds, lengths, everywhere, as_record(physical)[0], table[kind, condition])
    return table


@functools.cache
def outlook_table() -> np.ndarray:
    """Survival expected after 0..360 min (columns) for an RPM of 0, 0.25, ..., 12 now (rows), float32 (49, 361)."""
    return np.array(
        [
            [survival(rpm_after(np.float32(rpm), np.float32(t))) for t in range(361)]
            for rpm in np.arange(0, 12.25, 0.25)
        ],
        np.float32,
    )


@functools.lru_cache(maxsize=16)
def demand_field(graph: HospitalGraph, correlation_m: float) -> np.ndarray:
    """Cholesky factor (Z, Z) of the demand's correlation between zones."""
    gaps = np.linalg.norm(graph.position_m[:, None] - graph.position_m[None], axis=2)
    correlation = np.exp(-gaps / correlation_m) + _FIELD_JITTER * np.eye(graph.n_zones)
    return np.linalg.cholesky(correlation).astype(np.float32)


def build_site(
    graph: HospitalGraph, team: tuple[str, ...], physical: PhysicalConfig, fibre_fixed_db: float, fibre_db_km: float
) -> Site:
    """The building as kernel arrays; the server stands at the first entrance."""
    zones = np.zeros(graph.n_zones, SITE_ZONE)
    zones["x_m"], zones["y_m"], zones["z_m"] = graph.position_m.T
    zones["area_m2"] = graph.area_m2
    zones["gateway"] = graph.zone_gateway
    zones["storey"] = graph.storey
    zones["kind"] = graph.zone_kind
    zones["indoor"] = graph.indoor
    zones["entrance"][graph.entrances] = 1
    zones["depot"][graph.depots] = 1
    server_m = graph.position_m[graph.entrances[0]]
    zones["fibre_db"] = fibre_fixed_db + fibre_db_km * np.abs(graph.position_m - server_m).sum(1) / 1000.0
    passages = np.zeros(graph.n_passages, SITE_PASSAGE)
    passages["a"], passages["b"] = graph.passage_zones.T
    passages["kind"] = graph.passage_kind
    passages["length_m"] = graph.length_m
    is_door = graph.passage_kind == DOOR
    passages["exchange_per_s"] = np.where(is_door, physical.smoke_door_per_s, physical.smoke_open_per_s)
    return Site(
        zones=zones,
        passages=passages,
        neighbours=np.array(graph.neighbour_zone, np.int32),
        neighbour_passages=np.array(graph.neighbour_passage, np.int32),
        entrances=np.array(graph.entrances, np.int32),
        depots=np.array(graph.depots, np.int32),
        gateways=np.array(graph.gateways, np.int32),
        field=demand_field(graph, physical.correlation_m),
        team=np.array([ROBOT_KINDS.index(kind) for kind in team], np.int32),
    )


def sensor_rota(graph: HospitalGraph, period_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(zones (Z,), start of each turn (G*period+1,)): every sensor reports once a period, a share at each step."""
    zones = np.arange(graph.n_zones)
    turns = np.asarray(graph.zone_gateway) * period_steps + (-zones) % period_steps
    firsts = np.searchsorted(np.sort(turns), np.arange(len(graph.gateways) * period_steps + 1))
    return np.argsort(turns, kind="stable").astype(np.int32), firsts.astype(np.int32)


def most_due(rota_turns: np.ndarray) -> int:
    """Most readings that any gateway sends in one message: the room in all of them, so that lengths tell nothing."""
    return int(np.diff(rota_turns).max())


def _game_record(scenario: ScenarioConfig, game: GameConfig, site: Site, rota_turns: np.ndarray) -> np.ndarray:
    """The GAME record of a scenario."""
    steps = 1.0 / scenario.physical.dt_s
    record = np.zeros(1, GAME)
    for name, value in {
        "horizon_steps": scenario.horizon_steps,
        "control": ("task", "move").index(game.control),
        "sensor_period_steps": scenario.sensor_period_steps,
        "report_bits": scenario.report_bytes * BITS_PER_BYTE,
        "view_bits": scenario.view_bytes * BITS_PER_BYTE,
        "gateway_bits": readings_bytes(most_due(rota_turns)) * BITS_PER_BYTE,
        "own_eyes_steps": round(scenario.own_eyes_s * steps),
        "stale_steps": round(scenario.stale_s * steps),
        "quantum_range_m": scenario.quantum_range_m,
        "low_x_m": site.zones["x_m"].min(),
        "low_y_m": site.zones["y_m"].min(),
        "extent_x_m": max(float(np.ptp(site.zones["x_m"])), 1.0),
        "extent_y_m": max(float(np.ptp(site.zones["y_m"])), 1.0),
        "storeys": max(scenario.building.n_storeys - 1, 1),
        "perfect": game.perfect_information,
        "individual": game.reward == "individual",
    }.items():
        record[0][name] = value
    return record
