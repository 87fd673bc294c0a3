"""Episodes: B missions of one scenario in lockstep, as arrays. Every face of the environment stands on this."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdt_env.engine.metrics import episode_metrics
from qdt_env.engine.state import GAME, Output, Setup, State, empty_state
from qdt_env.engine.step import reset_rows, step_rows
from qdt_env.frames import Frame
from qdt_env.hospital.graph import DOOR, HospitalGraph
from qdt_env.hospital.routing import build_hierarchy
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, rpm_at, survival
from qdt_env.physical.state import ROBOT_KINDS, SITE_PASSAGE, SITE_ZONE, Site
from qdt_env.records import as_record, require
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.attacks import DELAY, REPLAY, Attack, attack_table, random_threats, threats_by_name
from qdt_env.security.channel import channel_record
from qdt_env.security.qkd.rate import rate_table
from qdt_env.security.suites import suite_by_name, suite_table
from qdt_env.spaces import ROBOT_INFO, ActionCodec, ObservationLayout
from qdt_env.twin.snapshot import TwinSnapshot
from qdt_env.units import BITS_PER_BYTE

_SILENT_S = 600.0  # a robot that has not reported for this long counts as lost for planners (assumed)
_FIELD_JITTER = 1e-6  # keeps the Cholesky factor of coinciding zones real


@dataclass(frozen=True)
class GameConfig:
    """How missions are played and scored.

    Attributes:
        suite: cipher suite of every link, see ``security.suites``.
        threats: preset name, "random" (drawn anew each episode), or attacks.
        control: "task" or "move".
        reward: "team" or "individual".
        perfect_information: beliefs are the truth (an explicit privilege, for upper bounds).
    """

    suite: str = "qkd"
    threats: Any = "none"
    control: str = "task"
    reward: str = "team"
    perfect_information: bool = False

    def __post_init__(self) -> None:
        """Reject unknown names.

        Raises:
            ValueError: naming the parameter, what was given and what is allowed.
        """
        suite_by_name(self.suite)
        if self.threats != "random":
            threats_by_name(self.threats)
        require(self.control in ("task", "move"), "control", self.control, "'task' or 'move'")
        require(self.reward in ("team", "individual"), "reward", self.reward, "'team' or 'individual'")

    def attacks(self, seed: int, episode: int) -> tuple[Attack, ...]:
        """The attacks of one episode."""
        return random_threats(seed, episode) if self.threats == "random" else threats_by_name(self.threats)


class Episodes:
    """B episodes of one scenario, reset and stepped by compiled kernels.

    Attributes:
        scenario, game: what is played.
        codec, layout: action numbers and observation offsets.
        setup: the immutable side of the kernels' arguments.
        state: the episodes' state, named tuples of arrays (B, ...). Privileged: policies never see it.
        out: observation (B, R, F), mask (B, R, A), info (B, R, K), reward (B, R), terminated (B, R), truncated (B,).
    """

    def __init__(self, scenario: ScenarioConfig, game: GameConfig, episodes: int = 1, threads: int = 1) -> None:
        """Allocate ``episodes`` rows; ``threads`` >= 1 share each step, with the same results."""
        require(episodes >= 1, "episodes", episodes, "1 or more")
        require(threads >= 1, "threads", threads, "1 or more")
        self.scenario, self.game = scenario, game
        robots, slots = len(scenario.team), scenario.building.max_degree
        self.codec = ActionCodec(game.control, scenario.patient_slots, slots)
        self.layout = ObservationLayout(scenario.patient_slots, slots, robots)
        self.setup = build_setup(scenario, game, self.layout, self.codec)
        self.state: State = empty_state(episodes, self.setup, scenario.patient_slots, self._history_steps())
        self.out = Output(
            observation=np.zeros((episodes, robots, self.layout.size), np.float32),
            mask=np.zeros((episodes, robots, self.codec.n), np.int8),
            info=np.zeros((episodes, robots, len(ROBOT_INFO)), np.float32),
            reward=np.zeros((episodes, robots), np.float32),
            terminated=np.zeros((episodes, robots), np.int8),
            truncated=np.zeros(episodes, np.int8),
        )
        self._frames = Frame(self.setup), Frame(self.state), Frame(self.out)
        self._suite = suite_by_name(game.suite).code
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        _announce_compilation()

    @property
    def n(self) -> int:
        """Number of rows B."""
        return int(self.state.clock.shape[0])

    def _history_steps(self) -> int:
        """How far attackers look back: 1 (nothing) unless they delay or replay."""
        if self.game.threats == "random":
            return 16
        looking_back = [a.delay_steps for a in threats_by_name(self.game.threats) if a.code in (DELAY, REPLAY)]
        return max(looking_back, default=0) + 1

    def reset(self, rows: np.ndarray, seeds: np.ndarray, episode_numbers: np.ndarray) -> None:
        """Start fresh episodes in ``rows``.

        Args:
            rows: (n,) row indices.
            seeds: (n,) seeds, 0 .. 2^64-1; equal seeds and episode numbers give equal buildings, quakes and patients.
            episode_numbers: (n,) which episode under the seed, 0 .. 2^32-1.
        """
        rows = np.asarray(rows, np.int64)
        for row, seed, number in zip(rows, seeds, episode_numbers, strict=True):
            self.state.channel.attacks[row] = attack_table(self.game.attacks(int(seed), int(number)))
        reset_rows(
            rows,
            np.asarray(seeds, np.uint64),
            np.asarray(episode_numbers, np.int64),
            np.full(len(rows), self._suite, np.int64),
            *self._frames,
        )

    def step(self, actions: np.ndarray) -> None:
        """Advance every row that is not over.

        Args:
            actions: (B, R) int32, each in 0 .. A-1 (not checked here: the faces do).
        """
        if self._pool is None:
            step_rows(0, self.n, actions, *self._frames)
            return
        cuts = np.linspace(0, self.n, self._threads + 1).astype(int)
        work = [
            self._pool.submit(step_rows, int(a), int(b), actions, *self._frames)
            for a, b in zip(cuts[:-1], cuts[1:], strict=True)
        ]
        for part in work:
            part.result()

    def snapshot(self, row: int = 0) -> TwinSnapshot:
        """The twin's picture of row ``row`` for planners (the truth, marked so, under perfect information)."""
        step = int(self.state.clock["step"][row])
        known = self._true_estimates(row) if self.game.perfect_information else self._twin_estimates(row, step)
        return TwinSnapshot(
            step=step,
            dt_s=self.scenario.physical.dt_s,
            horizon_steps=self.scenario.horizon_steps,
            privileged=self.game.perfect_information,
            building=self.scenario.building,
            hierarchy=self.setup.hierarchy,
            physical=self.scenario.physical,
            robot_kind=self.state.world.robots["kind"][row].copy(),
            **known,
        )

    def _twin_estimates(self, row: int, step: int) -> dict[str, np.ndarray]:
        """The snapshot's arrays from the twin."""
        patients, robots = self.state.twin.patients[row], self.state.twin.robots[row]
        passages, zones = self.state.twin.passages[row], self.state.twin.zones[row]
        age_min = (step - patients["rpm_step"]) * self.scenario.physical.dt_s / 60.0
        rpm = [rpm_after(np.float32(x), np.float32(t)) for x, t in zip(patients["rpm"], age_min, strict=True)]
        return {
            "patient_status": patients["status"].copy(),
            "patient_zone": patients["zone"].astype(np.int32),
            "patient_rpm": np.array(rpm, np.float32),
            "patient_rpm_sd": np.sqrt(patients["var"]),
            "patient_work_min": patients["work_min"].copy(),
            "patient_trust": patients["trust"].copy(),
            "patient_age_steps": (step - np.maximum(patients["step"], 0)).astype(np.int32),
            "patient_known": patients["known"] == 1,
            "patient_kitted": patients["kitted"] == 1,
            "robot_zone": robots["zone"].astype(np.int32),
            "robot_energy": robots["energy"].copy(),
            "robot_alive": step - robots["step"] < _SILENT_S / self.scenario.physical.dt_s,
            "robot_task": robots["task"].astype(np.int32),
            "robot_patient": robots["patient"].astype(np.int32),
            "robot_kits": robots["kits"].copy(),
            "robot_trust": robots["trust"].copy(),
            "passage_condition": passages["condition"].copy(),
            "passage_age_steps": (step - np.maximum(passages["step"], 0)).astype(np.int32),
            "zone_damage": zones["damage"].copy(),
            "zone_smoke": zones["smoke"] / np.float32(100.0),
            "zone_seen": zones["seen"] == 1,
        }

    def _true_estimates(self, row: int) -> dict[str, np.ndarray]:
        """The snapshot's arrays from the truth: a privilege."""
        patients, robots = self.state.world.patients[row], self.state.world.robots[row]
        rpm = [rpm_at(int(p["rpm0"]), np.float32(p["clock_min"])) for p in patients]
        now = np.zeros(len(patients), np.int32)
        return {
            "patient_status": patients["status"].copy(),
            "patient_zone": patients["zone"].astype(np.int32),
            "patient_rpm": np.array(rpm, np.float32),
            "patient_rpm_sd": np.full(len(patients), 1e-3, np.float32),
            "patient_work_min": patients["work_min"].copy(),
            "patient_trust": np.ones(len(patients), np.float32),
            "patient_age_steps": now,
            "patient_known": patients["status"] > 0,
            "patient_kitted": patients["kitted"] == 1,
            "robot_zone": robots["zone"].astype(np.int32),
            "robot_energy": robots["energy"].copy(),
            "robot_alive": robots["alive"] == 1,
            "robot_task": self.state.belief.minds["task"][row].astype(np.int32),
            "robot_patient": robots["patient"].astype(np.int32),
            "robot_kits": robots["kits"].copy(),
            "robot_trust": np.ones(len(robots), np.float32),
            "passage_condition": self.state.world.passages["condition"][row].copy(),
            "passage_age_steps": np.zeros(self.scenario.building.n_passages, np.int32),
            "zone_damage": self.state.world.zones["damage"][row].copy(),
            "zone_smoke": self.state.world.zones["smoke"][row].copy(),
            "zone_seen": np.ones(self.scenario.building.n_zones, bool),
        }

    def metrics(self, row: int = 0) -> dict[str, float]:
        """Metrics of the episode in ``row`` as it stands, see ``engine.metrics``."""
        return episode_metrics(self.setup, self.state, row)


def build_setup(scenario: ScenarioConfig, game: GameConfig, layout: ObservationLayout, codec: ActionCodec) -> Setup:
    """Everything the kernels read and never write."""
    site = build_site(scenario.building, scenario.team, scenario.physical, scenario.channel.fibre_fixed_db,
                      scenario.channel.fibre_db_km)  # fmt: skip
    return Setup(
        game=_game_record(scenario, game, site),
        physical=as_record(scenario.physical),
        twin=as_record(scenario.twin),
        channel=channel_record(scenario.channel),
        suites=suite_table(),
        rates=rate_table(scenario.channel.preset),
        site=site,
        hierarchy=build_hierarchy(scenario.building),
        outlook=outlook_table(),
        layout=layout.record(codec.n),
    )


def outlook_table() -> np.ndarray:
    """Survival expected after 0..360 min (columns) for an RPM of 0, 0.25, ..., 12 now (rows), float32 (49, 361)."""
    return np.array(
        [[survival(rpm_after(np.float32(rpm), np.float32(t))) for t in range(361)] for rpm in np.arange(0, 12.25, 0.25)],
        np.float32,
    )


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
    gaps = np.linalg.norm(graph.position_m[:, None] - graph.position_m[None], axis=2)
    correlation = np.exp(-gaps / physical.correlation_m) + _FIELD_JITTER * np.eye(graph.n_zones)
    return Site(
        zones=zones,
        passages=passages,
        neighbours=np.array(graph.neighbour_zone, np.int32),
        neighbour_passages=np.array(graph.neighbour_passage, np.int32),
        entrances=np.array(graph.entrances, np.int32),
        depots=np.array(graph.depots, np.int32),
        gateways=np.array(graph.gateways, np.int32),
        field=np.linalg.cholesky(correlation).astype(np.float32),
        team=np.array([ROBOT_KINDS.index(kind) for kind in team], np.int32),
    )


def _game_record(scenario: ScenarioConfig, game: GameConfig, site: Site) -> np.ndarray:
    """The GAME record of a scenario."""
    steps = 1.0 / scenario.physical.dt_s
    record = np.zeros(1, GAME)
    for name, value in {
        "horizon_steps": scenario.horizon_steps,
        "control": ("task", "move").index(game.control),
        "sensor_period_steps": scenario.sensor_period_steps,
        "report_bits": scenario.report_bytes * BITS_PER_BYTE,
        "view_bits": scenario.view_bytes * BITS_PER_BYTE,
        "reading_bits": scenario.reading_bytes * BITS_PER_BYTE,
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


def _announce_compilation() -> None:
    """Say so when the kernels are not on disk yet: compiling them takes a while and must not look like a hang."""
    if not step_rows.signatures and not any(Path(step_rows.stats.cache_path).glob("step.step_rows-*.nbc")):
        print("Compiling the kernels, once per installation: about a minute ...", file=sys.stderr, flush=True)
