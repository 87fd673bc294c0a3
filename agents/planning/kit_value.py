"""What a kit is worth: survival at the horizon gained by a slower clock and by fluids before the patient is freed.

A kit that is given slows the patient's clock while it works (3-physical: to .3 for 30 minutes), and one that works when
a trapped patient is freed spares the crush syndrome's clock time. Counted as if nobody hands the patient over, which is
the triage family's business; only extrications that the caller names are foreseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.planning.outlook import survival_after, waiting_patients
from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.state import LEGGED, TRAPPED
from qdt_env.units import SECONDS_PER_MINUTE, minutes

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot


@dataclass(frozen=True, eq=False)
class Kits:
    """Times and clocks of C legged robots and K patients in need of a kit, all in minutes from now."""

    crew: np.ndarray  # (C,) int64 robots
    depot: np.ndarray  # (C,) int64 zone where each fills up first, -1 with kits on board
    patients: np.ndarray  # (K,) int64 patient slots
    zones: np.ndarray  # (K,) int64 their zones
    arrive_min: np.ndarray  # (C, K) float64 until a first kit is there, inf where unreachable
    freed_min: np.ndarray  # (K,) float64, 0 who is free, inf where nobody is digging
    rpm: np.ndarray  # (K,) float32 in [0, 12]
    left_min: float  # until the horizon
    energy_min: np.ndarray  # (C,) float64 of motion left in the battery
    least_min: float  # one step: no delivery is shorter
    config: PhysicalConfig


def outlook_on_kits(
    snapshot: "TwinSnapshot",
    crew: np.ndarray,
    depot: np.ndarray,
    to_depot_min: np.ndarray,
    freed_min: Mapping[int, float],
    *,
    minimum_trust: float,
    unseen: bool,
    config: PhysicalConfig,
) -> Kits:
    """The outlook of a crew (C,) that first goes to its depots (C,) on every patient without a kit."""
    patients = waiting_patients(snapshot, minimum_trust, unseen)
    patients = patients[~snapshot.patient_kitted[patients]]
    zones = snapshot.patient_zone[patients].astype(np.int64)
    arrive_min = np.zeros((crew.size, patients.size))
    for c, robot in enumerate(crew.tolist()):
        away_s = snapshot.travel_time_s(robot) if depot[c] < 0 else snapshot.times_from_s(int(depot[c]), LEGGED)
        arrive_min[c] = to_depot_min[c] + away_s[zones] / SECONDS_PER_MINUTE
    trapped = snapshot.patient_status[patients] == TRAPPED
    known = np.array([freed_min.get(int(patient), np.inf) for patient in patients])
    return Kits(
        crew=crew,
        depot=depot,
        patients=patients,
        zones=zones,
        arrive_min=arrive_min,
        freed_min=np.where(trapped, known, 0.0),
        rpm=snapshot.patient_rpm[patients].astype(np.float32),
        left_min=minutes(max(0, snapshot.horizon_steps - snapshot.step) * snapshot.dt_s),
        energy_min=snapshot.robot_energy[crew].astype(np.float64) * config.endurance_min[LEGGED],
        least_min=minutes(snapshot.dt_s),
        config=config,
    )


def kit_rate(kits: Kits, c: int, k: int, arrive_min: float | None = None) -> float:
    """Survival that robot c's kit gains patient k, per minute until it is there; by default going there straight away.

    0 where it comes after the horizon or the battery does not last.
    """
    arrive_min = float(kits.arrive_min[c, k]) if arrive_min is None else arrive_min
    if not arrive_min < kits.left_min or arrive_min > kits.energy_min[c]:
        return 0.0
    clock_min = trapped_clock_min(kits, k, 0.0, kits.left_min)
    spared_min = (1.0 - kits.config.pace_kit) * trapped_clock_min(
        kits, k, arrive_min, min(arrive_min + kits.config.kit_min, kits.left_min)
    )
    freed_min = float(kits.freed_min[k])
    if 0.0 < freed_min < kits.left_min:
        clock_min += kits.config.crush_min
        if arrive_min <= freed_min < arrive_min + kits.config.kit_min:
            spared_min += kits.config.crush_min
    rpm = np.float32(kits.rpm[k])
    gain = survival_after(rpm, clock_min - spared_min) - survival_after(rpm, clock_min)
    return max(0.0, gain) / max(arrive_min, kits.least_min)


def trapped_clock_min(kits: Kits, k: int, begin_min: float, end_min: float) -> float:
    """How far patient k's clock runs in a time span without a kit: faster until the patient is freed."""
    compressed_min = max(0.0, min(end_min, float(kits.freed_min[k])) - begin_min)
    return end_min - begin_min + (kits.config.pace_trapped - 1.0) * compressed_min
