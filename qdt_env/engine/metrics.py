"""What an episode came to: lives, triage, security, robots, as plain numbers."""

import math
from typing import Any

import numpy as np

from qdt_env.engine.state import Setup, State
from qdt_env.physical.patients import rpm_at, triage_class
from qdt_env.physical.state import EMPTY, HANDED_OVER
from qdt_env.security.link import LINK

_COUNTED = ("sent", "delivered", "lost", "delayed", "rejected", "no_key", "forged", "injected_rejected", "exposed")
_MAX_RPM = 12.0
METRICS = (
    "score", "lives_saved", "survivors", "survivors_none", "survivors_instant", "return", "patients", "handed_over",
    "unlisted", "dead_at_once", "reds", "reds_treated_60min", "find_median_min", "treat_median_min",
    "handover_median_min", "overtriage", "undertriage", "rsl21", "robots_lost", "aftershocks", "decisions",
    "stale_decisions", "deceived_decisions", "masked_actions", *(f"messages_{name}" for name in _COUNTED), "key_bits",
)  # fmt: skip
NOT_YET = -1.0  # value of every metric before the episode is over, and of a median or share of nothing


def episode_metrics(setup: Setup, state: State, row: int = 0) -> dict[str, float]:
    """Metrics of the episode in ``row`` as it stands; keys are ``METRICS``.

    ``score`` is (E - E_none) / (E_instant - E_none), 0 where the denominator is not positive. ``rsl21`` is RoboCup
    Rescue's N_alive exp(-5 (1 - HP/HPmax)) with HP the RPM and the living taken as those with an RPM above 0.
    ``overtriage`` and ``undertriage`` are the shares of the seen whose believed class is too urgent or too mild.
    """
    clock = state.clock[row]
    patients = state.world.patients[row]
    listed = patients[patients["status"] != EMPTY]
    seconds = float(setup.physical[0]["dt_s"])
    scale = clock["e_instant"] - clock["e_none"]
    links = state.channel.links[row]
    found = listed["found_step"]
    metrics: dict[str, float] = {
        "score": float(clock["potential"] / scale) if scale > 1e-9 else 0.0,
        "lives_saved": float(clock["potential"]),
        "survivors": float(clock["e_now"]),
        "survivors_none": float(clock["e_none"]),
        "survivors_instant": float(clock["e_instant"]),
        "return": float(clock["potential"] - clock["cost"]),
        "patients": float(clock["listed"]),
        "handed_over": float(np.sum(listed["status"] == HANDED_OVER)),
        "unlisted": float(clock["unlisted"]),
        "dead_at_once": float(clock["dead"]),
        "find_median_min": _median_min(found, seconds),
        "treat_median_min": _median_min(listed["treated_step"], seconds),
        "handover_median_min": _median_min(listed["handover_step"], seconds),
        "rsl21": _rsl21(listed),
        "robots_lost": float(clock["lost"]),
        "aftershocks": float(clock["aftershocks"]),
        "key_bits": float(np.sum(links["key_bits_spent"], dtype=np.float64)),
    }
    metrics |= _triage(setup, state, row, seconds)
    metrics |= {n: float(clock[n]) for n in ("decisions", "stale_decisions", "deceived_decisions", "masked_actions")}
    metrics |= {f"messages_{name}": float(np.sum(links[name])) for name in _COUNTED if name in (LINK.names or ())}
    return {name: metrics[name] for name in METRICS}


def _median_min(steps: np.ndarray[Any, Any], dt_s: float) -> float:
    """Median time of what happened (step >= 0), in minutes since the start."""
    happened = steps[steps >= 0]
    return float(np.median(happened)) * dt_s / 60.0 if happened.size else NOT_YET


def _rsl21(listed: np.ndarray[Any, Any]) -> float:
    """RoboCup Rescue's RSL21 score of the listed patients."""
    rpm = _rpm_now(listed)
    if rpm.size == 0:
        return 0.0
    return float(np.sum(rpm > 0)) * math.exp(-5.0 * (1.0 - float(np.sum(rpm)) / (_MAX_RPM * rpm.size)))


def _rpm_now(listed: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """RPM of every listed patient now, at handover for those handed over."""
    now = [rpm_at(int(p["rpm0"]), np.float32(p["clock_min"])) for p in listed]
    handed_over = listed["status"] == HANDED_OVER
    return np.where(handed_over, listed["rpm_handover"], np.array(now, np.float64)) if len(now) else np.zeros(0)


def _triage(setup: Setup, state: State, row: int, dt_s: float) -> dict[str, float]:
    """Share of the true reds (at the start) treated within 60 min, and how the twin's classes of the seen compare."""
    patients = state.world.patients[row]
    listed = np.flatnonzero(patients["status"] != EMPTY)
    start_min = float(setup.physical[0]["start_min"])
    at_start = [triage_class(rpm_at(int(p["rpm0"]), np.float32(start_min * p["pace"]))) for p in patients[listed]]
    reds = listed[np.array(at_start, int) == 0] if listed.size else listed
    treated = patients["treated_step"][reds]
    in_time = (treated >= 0) & (treated * dt_s <= 3600.0)
    truth = _rpm_now(patients[listed])
    known = state.twin.patients[row][listed]
    seen = (known["known"] == 1) & (patients["status"][listed] != HANDED_OVER)
    true_class = np.array([triage_class(x) for x in truth[seen]], int)
    tag = np.array([triage_class(x) for x in known["rpm"][seen]], int)
    return {
        "reds": float(reds.size),
        "reds_treated_60min": float(np.mean(in_time)) if reds.size else NOT_YET,
        "overtriage": float(np.mean(tag < true_class)) if tag.size else NOT_YET,
        "undertriage": float(np.mean(tag > true_class)) if tag.size else NOT_YET,
    }
