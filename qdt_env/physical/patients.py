"""Patients: the RPM score, its deterioration on the patient's own clock, and who is hurt by the shock.

Sources: Sacco et al. 2005, Acad Emerg Med 12:759-770 (survival by RPM; Delphi deterioration per 30 min); injuries by
damage state from Hazus 6.1; extrication work from RoboCup Rescue.
"""

import math

import numpy as np

from qdt_env import random as draws
from qdt_env.compiled import batch, phase, rule
from qdt_env.physical.state import CARRIED, COLLAPSE, EMPTY, FREE, HANDED_OVER, TRAPPED

# Survival probability by RPM 0..12 (Sacco et al. 2005).
SURVIVAL = np.array([0.052, 0.089, 0.15, 0.23, 0.35, 0.49, 0.63, 0.75, 0.84, 0.90, 0.94, 0.97, 0.98], np.float32)
# RPM after 0, 30, ..., 360 min by initial RPM 0..12 (Delphi panel of Sacco et al. 2005; column 0 is the score itself).
DETERIORATION = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [5, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [6, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0],
        [8, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0],
        [9, 9, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0],
        [10, 10, 9, 9, 8, 8, 7, 6, 6, 5, 5, 4, 4],
        [11, 11, 11, 10, 10, 9, 8, 8, 7, 7, 6, 6, 5],
        [12, 12, 12, 11, 11, 10, 10, 10, 10, 9, 9, 8, 8],
    ],
    np.float32,
)
STEP_MIN = 30.0  # columns of DETERIORATION are this far apart [min]
MAX_RPM = 12.0
GREEN_RPM, YELLOW_RPM = 11.0, 7.0  # lowest RPM of the green and the yellow triage class (severity mapping, assumed)
MAX_OCCUPANTS = 1000  # of one zone; only a bound for the loop
_LAST_COLUMN = DETERIORATION.shape[1] - 1


@rule
def survival(rpm):
    """Survival probability of an RPM score in [0, 12], linear between Sacco's integer scores."""
    x = min(max(rpm, np.float32(0.0)), np.float32(MAX_RPM))
    i = min(int(x), 11)
    f = np.float32(x - i)
    return SURVIVAL[i] + f * (SURVIVAL[i + 1] - SURVIVAL[i])


@rule
def rpm_at(rpm0, clock_min):
    """RPM of a patient who scored the integer ``rpm0`` ``clock_min`` minutes ago: the Delphi row, linear in time."""
    t = min(max(clock_min, np.float32(0.0)) / np.float32(STEP_MIN), np.float32(_LAST_COLUMN))
    j = min(int(t), _LAST_COLUMN - 1)
    f = np.float32(t - j)
    return DETERIORATION[rpm0, j] + f * (DETERIORATION[rpm0, j + 1] - DETERIORATION[rpm0, j])


@rule
def rpm_after(rpm, minutes):
    """RPM expected ``minutes`` after a (real-valued) score ``rpm`` in [0, 12]: linear between the Delphi rows."""
    x = min(max(rpm, np.float32(0.0)), np.float32(MAX_RPM))
    i = min(int(x), 11)
    low = rpm_at(i, minutes)
    return low + np.float32(x - i) * (rpm_at(i + 1, minutes) - low)


@batch
def rpm_after_each(rpm, minutes, later):
    """:func:`rpm_after` for many: fills ``later`` (N,) float32 from ``rpm`` (N,) and ``minutes`` (N,), both float32."""
    for i in range(later.shape[0]):
        later[i] = rpm_after(rpm[i], minutes[i])


@rule
def clock_rate(pace, trapped, smoke, kit_working, cfg):
    """How fast a patient's clock runs: own pace times 1.5 compressed, 2 in dense smoke, 0.3 under a kit (assumed)."""
    rate = pace
    if trapped:
        rate *= cfg.pace_trapped
    if smoke > cfg.dense_smoke:
        rate *= cfg.pace_smoke
    if kit_working:
        rate *= cfg.pace_kit
    return rate


@rule
def clock_at_horizon(clock_min, pace, trapped, kit_left_min, left_min, cfg):
    """The clock at the horizon if nobody helps further; the smoke of the moment is not carried forward."""
    rate = clock_rate(pace, trapped, np.float32(0.0), False, cfg)
    covered = min(kit_left_min, left_min)
    return clock_min + rate * (left_min - covered * (np.float32(1.0) - cfg.pace_kit))


@rule
def triage_class(rpm):
    """0 red (below 7), 1 yellow (7..10), 2 green (11 or more)."""
    return 2 if rpm >= np.float32(GREEN_RPM) else (1 if rpm >= np.float32(YELLOW_RPM) else 0)


@rule
def poisson(mean, u):
    """A Poisson draw by inversion of one uniform, at most MAX_OCCUPANTS."""
    k = 0
    p = math.exp(-np.float64(mean))  # of a hall it is 0 in single precision
    total = p
    while u > total and k < MAX_OCCUPANTS:
        k += 1
        p *= mean / k
        total += p
    return k


@phase
def hurt_patients(b, cfg, site, world, seed, episode):
    """Fill the patient slots: Poisson occupancy, Hazus injuries, RPM, trapping, bed census.

    Severity 4 is dead at once and takes no slot. Slots are in census order, so they say nothing of how anyone is.

    Returns:
        (listed, unlisted, dead): patients in slots, patients beyond the last slot, killed at once.
    """
    patients = world.patients
    capacity = patients.shape[1]
    listed, unlisted, dead = 0, 0, 0
    for z in range(site.zones.shape[0]):
        damage = world.zones[b, z].damage
        if site.zones[z].indoor == 0 or damage == 0:
            continue
        one = cfg.injury_share[damage, 0]
        two = one + cfg.injury_share[damage, 1]
        three = two + cfg.injury_share[damage, 2]
        u = draws.uniform(seed, episode, 0, draws.PATIENTS, z, 0)
        for person in range(poisson(site.zones[z].area_m2 / cfg.area_per_person_m2, u)):
            hurt, rpm_draw, work_draw, move_draw = draws.uniform4(seed, episode, 0, draws.PATIENTS, z, 1 + 2 * person)
            if hurt >= three:
                if hurt < three + cfg.injury_share[damage, 3]:
                    dead += 1
                continue
            if listed == capacity:
                unlisted += 1
                continue
            severity = 1 if hurt < one else (2 if hurt < two else 3)
            pace_z, work_z, _, _ = draws.normal4(seed, episode, 0, draws.PATIENTS, z, 2 + 2 * person)
            p = patients[b, listed]
            if severity == 1:
                p.rpm0 = 11 + int(rpm_draw * np.float32(2.0))
            elif severity == 2:
                p.rpm0 = 7 + int(rpm_draw * np.float32(4.0))
            else:
                p.rpm0 = 3 + int(rpm_draw * np.float32(4.0))
            p.pace = math.exp(cfg.pace_sigma * pace_z)
            p.census = z
            p.zone = z
            p.status = FREE
            p.trapped_none = 0
            p.work_min = np.float32(0.0)
            if damage == COLLAPSE and severity >= 2:
                p.status = TRAPPED
                p.trapped_none = 1
                p.work_min = cfg.work_min[int(work_draw * np.float32(3.0))] * math.exp(cfg.work_sigma * work_z)
            elif move_draw < cfg.moved_probability and severity == 1:
                p.zone = neighbour_ward(site, z, move_draw / cfg.moved_probability)
            p.home = p.zone
            admit(b, cfg, world, p)
            listed += 1
    for i in range(listed, capacity):
        patients[b, i].status = EMPTY
        patients[b, i].zone = -1
        patients[b, i].census = -1
        patients[b, i].carrier = -1
        patients[b, i].rpm_handover = np.float32(-1.0)
        patients[b, i].found_step = -1
        patients[b, i].treated_step = -1
        patients[b, i].handover_step = -1
    return listed, unlisted, dead


@rule
def neighbour_ward(site, z, u):
    """The zone at the place ``u`` of the table of neighbours, or ``z`` itself where nothing or no indoor zone stands.

    Every zone has as many places as the one with the most passages, so most of them are empty.
    """
    slot = min(int(u * site.neighbours.shape[1]), site.neighbours.shape[1] - 1)
    n = site.neighbours[z, slot]
    if n >= 0 and site.zones[n].indoor == 1:
        return n
    return z


@rule
def admit(b, cfg, world, p):
    """Start values of a patient's bookkeeping, the clock at the time the episode starts."""
    p.carrier = -1
    p.kit_until = 0
    p.kitted = 0
    p.diggers = 0
    p.changed = 0
    p.found_step = -1
    p.treated_step = -1
    p.handover_step = -1
    p.rpm_handover = np.float32(-1.0)
    p.clock_min = cfg.start_min * clock_rate(p.pace, p.status == TRAPPED, np.float32(0.0), False, cfg)
    p.clock_none_min = p.clock_min
    p.red = triage_class(rpm_at(p.rpm0, p.clock_min)) == 0
    world.zones[b, p.zone].occupants += 1


@phase
def run_clocks(b, cfg, world, step, steps_left):
    """Advance every patient's clock, helped and unhelped, by one step and project both to the horizon.

    Args:
        b: episode.
        cfg: PhysicalConfig record.
        world: the world; patients are written.
        step: current step.
        steps_left: steps from the end of this one to the horizon.
    """
    dt_min = cfg.dt_s / np.float32(60.0)
    left_min = np.float32(steps_left) * dt_min
    for i in range(world.patients.shape[1]):
        p = world.patients[b, i]
        if p.status == EMPTY:
            break
        smoke_home = world.zones[b, p.home].smoke
        p.clock_none_min += dt_min * clock_rate(p.pace, p.trapped_none == 1, smoke_home, False, cfg)
        smoke = np.float32(0.0)
        if p.status != HANDED_OVER:
            smoke = world.zones[b, p.zone].smoke
            p.clock_min += dt_min * clock_rate(p.pace, p.status == TRAPPED, smoke, step < p.kit_until, cfg)
        if p.changed == 1 or smoke > cfg.dense_smoke or smoke_home > cfg.dense_smoke:
            p.changed = 0
            project(p, step, left_min, dt_min, cfg)


@rule
def project(p, step, left_min, dt_min, cfg):
    """Expected survival at the horizon, helped so far and never helped.

    Outside dense smoke the clocks run as projected, so both stay what they are until somebody helps or a zone falls.
    """
    end_none = clock_at_horizon(p.clock_none_min, p.pace, p.trapped_none == 1, np.float32(0.0), left_min, cfg)
    p.expected_none = survival(rpm_at(p.rpm0, end_none))
    if p.status == HANDED_OVER:
        return
    kit_left_min = np.float32(max(p.kit_until - step - 1, 0)) * dt_min
    p.expected = survival(
        rpm_at(p.rpm0, clock_at_horizon(p.clock_min, p.pace, p.status == TRAPPED, kit_left_min, left_min, cfg))
    )


@phase
def project_start(b, cfg, world, horizon_steps):
    """Expected survival of every patient at reset, without help; helped and unhelped agree there.

    Returns:
        (e_none, e_instant): expected survivors if nobody helps, and if all were handed over at once.
    """
    e_none, e_instant = np.float32(0.0), np.float32(0.0)
    left_min = np.float32(horizon_steps) * cfg.dt_s / np.float32(60.0)
    for i in range(world.patients.shape[1]):
        p = world.patients[b, i]
        if p.status == EMPTY:
            break
        end = clock_at_horizon(p.clock_min, p.pace, p.status == TRAPPED, np.float32(0.0), left_min, cfg)
        p.expected = survival(rpm_at(p.rpm0, end))
        p.expected_none = p.expected
        e_none += p.expected
        e_instant += survival(rpm_at(p.rpm0, p.clock_min))
    return e_none, e_instant


@phase
def trap_in_collapse(b, cfg, world, zone, seed, episode, step):
    """An aftershock collapsed ``zone``: those inside are trapped, with fresh extrication work (assumed)."""
    for i in range(world.patients.shape[1]):
        p = world.patients[b, i]
        if p.status == EMPTY:
            break
        if p.home == zone:
            p.trapped_none = 1
            p.changed = 1
        if p.zone == zone and p.status == FREE:
            work_draw, _, _, _ = draws.uniform4(seed, episode, step, draws.AFTERSHOCK, i, 2)
            work_z = draws.normal(seed, episode, step, draws.AFTERSHOCK, i, 3)
            p.status = TRAPPED
            p.changed = 1
            p.work_min = cfg.work_min[int(work_draw * np.float32(3.0))] * math.exp(cfg.work_sigma * work_z)


@rule
def free_patient(p, step, cfg):
    """Extrication done. Without fluids beforehand the crush syndrome costs clock time (assumed)."""
    p.status = FREE
    p.changed = 1
    p.work_min = np.float32(0.0)
    if step >= p.kit_until:
        p.clock_min += cfg.crush_min


@rule
def carried_or_free(p):
    """Whether the patient can be moved: not trapped, not handed over."""
    return p.status == FREE or p.status == CARRIED


def vital_signs(rpm: float) -> dict[str, tuple[int, str]]:
    """Respiration, pulse and motor codes (0..4 each) and their published ranges for an RPM score.

    The score is the sum of the three codes; of all splits the most even one is shown, motor response failing first.

    Args:
        rpm: score in [0, 12], rounded.

    Returns:
        {"respiration": (code, range per min), "pulse": (...), "motor": (...)}.

    Raises:
        ValueError: rpm outside [0, 12].
    """
    if not 0 <= rpm <= MAX_RPM:
        raise ValueError(f"rpm={rpm!r} is not allowed: a score in [0, 12]")
    total = round(rpm)
    codes = [(total + k) // 3 for k in (2, 1, 0)]
    coding = (
        ("respiration", ("0", "1-9", "36+", "25-35", "10-24")),
        ("pulse", ("0", "1-40", "41-60", "121+", "61-120")),
        ("motor", ("none", "extends/flexes", "withdraws", "localizes", "obeys")),
    )
    return {sign: (code, text[code]) for (sign, text), code in zip(coding, codes, strict=True)}
