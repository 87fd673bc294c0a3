"""What helping a patient is worth, by the twin's belief: times, clocks and survival gained per minute.

**Assumed of the patient.** The clock runs at the population's mean pace, faster while trapped; being freed costs the
crush syndrome's clock time, as if no fluids are given first. Smoke and kits are not foreseen.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qdt_env.physical.config import PhysicalConfig
from qdt_env.physical.patients import rpm_after, survival
from qdt_env.physical.state import COLLAPSE, FREE, TRACKED, TRAPPED
from qdt_env.units import SECONDS_PER_MINUTE, minutes

if TYPE_CHECKING:
    from qdt_env.twin.snapshot import TwinSnapshot


@dataclass(frozen=True, eq=False)
class Outlook:
    """Times and clocks of G robots and K patients, all in minutes from now."""

    patients: np.ndarray  # (K,) int64 patient slots
    arrive_min: np.ndarray  # (G, K) float64, inf where unreachable
    exit_min: np.ndarray  # (G, K) float64, from the patient to an entrance carrying
    work_min: np.ndarray  # (K,) float64 robot-minutes of extrication left, 0 when free
    rpm: np.ndarray  # (K,) float32 in [0, 12]
    unaided: np.ndarray  # (K,) float64 survival at the horizon without help, in [0, 1]
    left_min: float  # until the horizon
    energy_min: np.ndarray  # (G,) float64 of work or motion left in the battery
    least_min: float  # one step: no task is shorter
    pace_trapped: float  # clock factor
    crush_min: float  # clock jump when freed


def waiting_patients(snapshot: "TwinSnapshot", minimum_trust: float, unseen: bool) -> np.ndarray:
    """(K,) int64 slots of those believed waiting and trusted enough; ``unseen``: also whom nobody has seen."""
    waiting = (snapshot.patient_status == TRAPPED) | (snapshot.patient_status == FREE)
    known = (snapshot.patient_known | unseen) & waiting & (snapshot.patient_zone >= 0)
    return np.flatnonzero(known & (snapshot.patient_trust >= minimum_trust))


def foresee(
    snapshot: "TwinSnapshot", crew: np.ndarray, minimum_trust: float, unseen: bool, config: PhysicalConfig
) -> Outlook:
    """The outlook of a crew (G,) of robots on every patient believed waiting and trusted enough."""
    patients = waiting_patients(snapshot, minimum_trust, unseen)
    zones = snapshot.patient_zone[patients]
    arrive_s = [snapshot.travel_time_s(int(robot))[zones] for robot in crew]
    exit_s = [snapshot.exit_time_s(int(robot))[zones] for robot in crew]
    trapped = snapshot.patient_status[patients] == TRAPPED
    work_min = np.where(trapped, snapshot.patient_work_min[patients], 0.0)
    if unseen:  # whoever lies unseen in a zone believed collapsed is expected to be buried
        buried = ~snapshot.patient_known[patients] & (snapshot.zone_damage[zones] == COLLAPSE)
        trapped = trapped | buried
        work_min = np.where(buried, np.mean(config.work_min), work_min)
    rpm = snapshot.patient_rpm[patients].astype(np.float32)
    left_min = minutes(max(0, snapshot.horizon_steps - snapshot.step) * snapshot.dt_s)
    pace = np.where(trapped, config.pace_trapped, 1.0)
    shape = (crew.size, patients.size)
    return Outlook(
        patients=patients,
        arrive_min=np.asarray(arrive_s, dtype=np.float64).reshape(shape) / SECONDS_PER_MINUTE,
        exit_min=np.asarray(exit_s, dtype=np.float64).reshape(shape) / SECONDS_PER_MINUTE,
        work_min=work_min,
        rpm=rpm,
        unaided=np.array([survival_after(r, p * left_min) for r, p in zip(rpm, pace, strict=True)]),
        left_min=left_min,
        energy_min=snapshot.robot_energy[crew].astype(np.float64) * config.endurance_min[TRACKED],
        least_min=minutes(snapshot.dt_s),
        pace_trapped=config.pace_trapped,
        crush_min=config.crush_min,
    )


def survival_after(rpm: np.float32, clock_min: float) -> float:
    """Survival in [0, 1] of who has ``rpm`` now once the patient's clock has run for ``clock_min`` minutes."""
    return float(survival(rpm_after(rpm, np.float32(clock_min))))


def survival_gain(outlook: Outlook, k: int, freed_min: float, handover_min: float) -> float:
    """Survival gained by freeing patient k at ``freed_min`` and handing it over at ``handover_min``; >= 0."""
    if not handover_min <= outlook.left_min:  # also where a time is inf or nan
        return 0.0
    clock_min = handover_min
    if outlook.work_min[k] > 0.0:
        clock_min = outlook.pace_trapped * freed_min + outlook.crush_min + handover_min - freed_min
    return max(0.0, survival_after(outlook.rpm[k], clock_min) - float(outlook.unaided[k]))


def lead_value(outlook: Outlook, g: int, k: int, arrive_min: float | None = None) -> tuple[float, float, float]:
    """Gain per minute, gain and minutes of robot g taking patient k alone, by default going there straight away."""
    arrive_min = float(outlook.arrive_min[g, k]) if arrive_min is None else arrive_min
    freed_min = arrive_min + float(outlook.work_min[k])
    handover_min = max(freed_min + float(outlook.exit_min[g, k]), outlook.least_min)
    gain = survival_gain(outlook, k, freed_min, handover_min) if handover_min <= outlook.energy_min[g] else 0.0
    return gain / handover_min, gain, handover_min


def assistance_value(outlook: Outlook, g: int, h: int, k: int) -> float:
    """What robot h assisting robot g with patient k adds, per minute of h; >= 0, 0 for a patient already free.

    Both work from their arrival on: the work left when the second arrives is done at twice the pace.
    """
    work_min = float(outlook.work_min[k])
    first, second = sorted((float(outlook.arrive_min[g, k]), float(outlook.arrive_min[h, k])))
    if work_min <= 0.0 or not np.isfinite(second):
        return 0.0
    freed_min = first + work_min if second >= first + work_min else 0.5 * (work_min + first + second)
    taken_min = max(freed_min, float(outlook.arrive_min[g, k]))  # the lead has to be there to carry
    handover_min = max(taken_min + float(outlook.exit_min[g, k]), outlook.least_min)
    busy_min = max(freed_min, float(outlook.arrive_min[h, k]), outlook.least_min)
    if handover_min > outlook.energy_min[g] or busy_min > outlook.energy_min[h]:
        return 0.0
    rate_alone, gain_alone, alone_min = lead_value(outlook, g, k)
    gained = survival_gain(outlook, k, freed_min, handover_min) - gain_alone
    saved = rate_alone * (alone_min - handover_min) if rate_alone > 0.0 else 0.0
    return max(0.0, gained + saved) / busy_min


def shortlist(value: np.ndarray, reachable: np.ndarray, max_options: int) -> np.ndarray:
    """Indices of the patients to offer: by the best rank that any robot gives them, then by value.

    Args:
        value: (G, K) worth of each patient to each robot.
        reachable: (G, K) bool.
        max_options: how many at most.
    """
    if not value.size:
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(-value, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(value.shape[1]), value.shape), axis=1)
    rank = np.where(reachable, rank, value.shape[1]).min(axis=0)
    by_merit = np.lexsort((-value.max(axis=0), rank))
    return by_merit[reachable[:, by_merit].any(axis=0)][:max_options]
