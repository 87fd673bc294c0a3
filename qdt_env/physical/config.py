"""Parameters of the physical layer: every number with its unit and its source, or "assumed".

Sources: Hazus 6.1 tables as collected in NHERI-SimCenter DamageAndLossModelLibrary; Reasenberg and Jones 1989, Science
243:1173; Sacco et al. 2005, Acad Emerg Med 12:759-770; Kahn et al. 2009, Ann Emerg Med 54:424-430; RoboCup Rescue
(RCRS) kobe configuration. Robot speeds and endurance are assumed within published ranges (Spot: 1.6 m/s at most, 14 kg,
about 90 min).
"""

from dataclasses import dataclass, fields

import numpy as np

from qdt_env.records import require


@dataclass(frozen=True)
class PhysicalConfig:
    """Named parameters of structure, smoke, patients, robots and sensors."""

    # time
    dt_s: float = 10.0  # length of a step [s]
    start_min: float = 60.0  # time of the first step after the main shock [min]
    # structure: Hazus S1L low-code
    pga_g: float = 0.7  # site peak ground acceleration of the main shock [g]
    pga_median_g: tuple[float, ...] = (0.12, 0.17, 0.30, 0.48)  # Slight..Complete, S1L low-code (Hazus) [g]
    demand_sigma: float = 0.4  # log-demand field, takes the place of Hazus' beta (assumed equal)
    correlation_m: float = 10.0  # correlation length of the field (assumed) [m]
    collapse_share: float = 0.18  # worst share of the field that collapses where Complete (assumed)
    # aftershocks: Reasenberg-Jones
    rj_a: float = -1.67
    rj_b: float = 0.91
    rj_p: float = 1.08
    rj_c_day: float = 0.05
    magnitude_gap: float = 2.0  # main shock minus the smallest aftershock that counts (assumed)
    aftershock_pga_g: float = 0.12  # median site PGA of an aftershock (assumed) [g]
    aftershock_sigma: float = 0.6  # its log-normal spread (assumed)
    # medians of a zone already damaged times this, by state None..Collapse (assumed)
    weakened: tuple[float, ...] = (1.0, 1.0, 0.95, 0.85, 0.70, 0.70)
    collapse_probability: float = 0.08  # of a zone shaken beyond its Complete median by an aftershock (Hazus S1L)
    # passages, by the worse of the two zones, None..Collapse (assumed)
    blocked_share: tuple[float, ...] = (0.0, 0.02, 0.05, 0.15, 0.35, 0.8)
    slow_share: tuple[float, ...] = (0.0, 0.05, 0.15, 0.35, 0.5, 0.2)
    slow_factor: float = 0.4  # speed in a slow passage (assumed)
    clear_median_min: float = 10.0  # robot-minutes to clear a blocked passage (assumed)
    clear_sigma: float = 0.5
    # smoke
    smoke_open_per_s: float = 0.01  # exchange through an opening (assumed) [1/s]
    smoke_door_per_s: float = 0.001  # through a closed door (assumed) [1/s]
    ignition: float = 1e-3  # probability per Extensive-or-worse zone at each shock (assumed)
    dense_smoke: float = 0.3  # concentration above which patients deteriorate faster (assumed) [0..1]
    # patients
    area_per_person_m2: float = 9.3  # occupancy (Hazus: 100 sq ft) [m2]
    # share of the occupants with injury severities 1..4, by damage state None..Collapse (Hazus; severity 4 is dead)
    injury_share: tuple[tuple[float, ...], ...] = (
        (0.0, 0.0, 0.0, 0.0),
        (0.0005, 0.0, 0.0, 0.0),
        (0.002, 0.00025, 0.0, 0.0),
        (0.01, 0.001, 0.00001, 0.00001),
        (0.05, 0.01, 0.0001, 0.0001),
        (0.40, 0.20, 0.05, 0.10),
    )
    pace_sigma: float = 0.2  # log-normal spread of a patient's clock (assumed)
    pace_trapped: float = 1.5  # clock factor while compressed (assumed)
    pace_smoke: float = 2.0  # in dense smoke (assumed)
    pace_kit: float = 0.3  # under a fluid or oxygen kit (assumed)
    kit_min: float = 30.0  # how long a kit works (assumed) [min]
    crush_min: float = 30.0  # clock jump when freed without fluids first: crush syndrome (assumed) [min]
    work_min: tuple[float, ...] = (20.0, 35.0, 70.0)  # extrication, one of three equally often (RCRS steel) [robot-min]
    work_sigma: float = 0.3  # log-normal spread (assumed)
    diggers: int = 2  # robots that can share one extrication
    moved_probability: float = 0.25  # a walking patient tried to leave, see ``neighbour_ward``; most stay (assumed)
    # robots, by kind: legged, tracked, aerial
    speed_m_s: tuple[float, ...] = (0.8, 0.5, 1.5)
    stair_speed_m_s: tuple[float, ...] = (0.3, 0.15, 1.5)  # an aerial robot flies up the stair (assumed)
    carry_speed_m_s: float = 0.5
    carry_stair_speed_m_s: float = 0.15  # (assumed: as tracked)
    endurance_min: tuple[float, ...] = (90.0, 120.0, 20.0)
    idle_share: float = 0.1  # battery use standing still, share of the use in motion or work (assumed)
    recharge_min: float = 5.0  # battery swap at an entrance, empty to full (assumed) [min]
    kit_capacity: tuple[float, ...] = (4.0, 0.0, 0.0)  # kits of 3.5 kg in 14 kg of payload (kit mass assumed)
    depot_kits: int = 40  # stock of a depot (assumed)
    lost_probability: float = 0.5  # a collapse of its zone destroys a robot (assumed)
    # sensors
    sensor_period_s: float = 60.0  # fixed zone sensors report this often [s]
    sensor_death: float = 0.5  # a fixed sensor dies with its collapsing zone (assumed)
    sensor_sigma: tuple[float, ...] = (0.5, 0.05, 0.5)  # damage [states], smoke [0..1], occupied beds (assumed)
    robot_sigma: tuple[float, ...] = (0.25, 0.03, 0.25)  # the same for a robot in the zone (assumed)
    rpm_sigma: float = 0.5  # of an RPM reading with the right tag (assumed)
    overtriage: float = 79.0 / 146.0  # share of non-red tagged one class too urgent (Kahn 2009)
    undertriage: float = 3.0 / 28.0  # share of non-green tagged one class too mild (Kahn 2009)
    triage_period_s: float = 180.0  # a robot beside a patient reads again this often (assumed) [s]
    # costs in lives, small against one
    cost_robot_lost: float = 0.05
    cost_full_charge: float = 0.001

    def __post_init__(self) -> None:
        """Reject what the formulas cannot take.

        Raises:
            ValueError: naming the field, what was given and what is allowed.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            require(bool(np.all(np.isfinite(value))), field.name, value, "finite numbers")
            if field.name != "rj_a":
                require(bool(np.all(np.asarray(value) >= 0)), field.name, value, "numbers >= 0")
        for name in (
            "dt_s",
            "correlation_m",
            "area_per_person_m2",
            "sensor_period_s",
            "recharge_min",
            "rj_c_day",
            "carry_speed_m_s",
            "carry_stair_speed_m_s",
            "slow_factor",
            "clear_median_min",
        ):
            require(getattr(self, name) > 0, name, getattr(self, name), "a number > 0")
        require(self.kit_min * 60.0 / self.dt_s <= 2000, "kit_min", self.kit_min, "at most 2000 steps")
        for name, length in _LENGTHS.items():
            require(len(getattr(self, name)) == length, name, getattr(self, name), f"{length} numbers")
        require(np.shape(self.injury_share) == (6, 4), "injury_share", self.injury_share, "6 rows of 4 shares")
        require(float(np.sum(self.injury_share, axis=1).max()) <= 1.0, "injury_share", self.injury_share, "sums <= 1")
        for name in _SHARES:
            require(bool(np.max(getattr(self, name)) <= 1.0), name, getattr(self, name), "numbers in [0, 1]")
        for name in ("speed_m_s", "stair_speed_m_s", "endurance_min"):
            require(min(getattr(self, name)) > 0, name, getattr(self, name), "numbers > 0")


_LENGTHS = {
    "pga_median_g": 4,
    "weakened": 6,
    "blocked_share": 6,
    "slow_share": 6,
    "work_min": 3,
    "speed_m_s": 3,
    "stair_speed_m_s": 3,
    "endurance_min": 3,
    "kit_capacity": 3,
    "sensor_sigma": 3,
    "robot_sigma": 3,
}
_SHARES = (
    "collapse_share",
    "collapse_probability",
    "blocked_share",
    "slow_share",
    "slow_factor",
    "ignition",
    "moved_probability",
    "idle_share",
    "lost_probability",
    "sensor_death",
    "overtriage",
    "undertriage",
)
