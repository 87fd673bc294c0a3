"""What an episode came to: lives, triage, security, robots, as plain numbers."""

import math
from typing import Any

import numpy as np

from qdt_env.compiled import batch
from qdt_env.engine.state import NO_ROOM, Setup, State
from qdt_env.physical.patients import rpm_at, triage_class
from qdt_env.physical.state import EMPTY, HANDED_OVER
from qdt_env.security.link import LINK

Array = np.ndarray[Any, Any]

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
    """Metrics of the episode in ``row`` as it stands, see :func:`metrics_of`."""
    return {name: float(values[0]) for name, values in metrics_of(setup, state, np.array([row])).items()}


def metrics_of(setup: Setup, state: State, rows: Array) -> dict[str, Array]:
    """Metrics of the episodes in ``rows`` (n,) as they stand, float64 (n,) each; keys are ``METRICS``.

    ``score`` is (E - E_none) / (E_instant - E_none), 0 where the denominator is not positive. ``rsl21`` is RoboCup
    Rescue's N_alive exp(-5 (1 - HP/HPmax)) with HP the RPM and the living taken as those with an RPM above 0.
    ``overtriage`` and ``undertriage`` are the shares of the seen whose believed class is too urgent or too mild.
    """
    clock, patients, links = state.clock[rows], state.world.patients[rows], state.channel.links[rows]
    listed = patients["status"] != EMPTY
    dt_s = float(setup.physical[0]["dt_s"])
    scale = clock["e_instant"] - clock["e_none"]
    metrics: dict[str, Array] = {
        "score": np.divide(clock["potential"], scale, out=np.zeros(len(rows)), where=scale > NO_ROOM),
        "lives_saved": clock["potential"],
        "survivors": clock["e_now"],
        "survivors_none": clock["e_none"],
        "survivors_instant": clock["e_instant"],
        "return": clock["potential"] - clock["cost"],
        "patients": clock["listed"],
        "handed_over": (patients["status"] == HANDED_OVER).sum(1),
        "dead_at_once": clock["dead"],
        "find_median_min": _median_min(patients["found_step"], listed, dt_s),
        "treat_median_min": _median_min(patients["treated_step"], listed, dt_s),
        "handover_median_min": _median_min(patients["handover_step"], listed, dt_s),
        "robots_lost": clock["lost"],
        "key_bits": links["key_bits_spent"].sum(1, dtype=np.float64),
        **_triage(state, rows, dt_s),
        **{f"messages_{name}": links[name].sum(1) for name in _COUNTED if name in (LINK.names or ())},
    }
    return {name: np.asarray(metrics[name] if name in metrics else clock[name], np.float64) for name in METRICS}


def _median_min(steps: Array, listed: Array, dt_s: float) -> Array:
    """Median time of what happened (step >= 0) to the listed, by row, in minutes since the start."""
    happened = listed & (steps >= 0)
    ordered = np.sort(np.where(happened, steps, np.inf), axis=1)
    n = happened.sum(1)
    middle = np.stack([np.maximum(n - 1, 0) // 2, np.minimum(n // 2, steps.shape[1] - 1)], 1)
    median = np.take_along_axis(ordered, middle, 1).mean(1)
    return np.where(n > 0, median * dt_s / 60.0, NOT_YET)


def _triage(state: State, rows: Array, dt_s: float) -> dict[str, Array]:
    """Share of the true reds (at the start) treated within 60 min, how the twin classes the seen, and RSL21."""
    patients, known = state.world.patients[rows], state.twin.patients[rows]
    rpm, tag_error = np.zeros(patients.shape), np.zeros(patients.shape, np.int8)
    judge_patients(patients, known, rpm, tag_error)
    treated, red = patients["treated_step"], (patients["status"] != EMPTY) & (patients["red"] == 1)
    in_time = red & (treated >= 0) & (treated * dt_s <= 3600.0)
    n, reds = (patients["status"] != EMPTY).sum(1), red.sum(1)
    seen = ((patients["status"] != EMPTY) & (patients["status"] != HANDED_OVER) & (known["known"] == 1)).sum(1)
    health = _share(rpm.sum(1), _MAX_RPM * n, 0.0)
    return {
        "reds": reds,
        "reds_treated_60min": _share(in_time.sum(1), reds, NOT_YET),
        "overtriage": _share((tag_error < 0).sum(1), seen, NOT_YET),
        "undertriage": _share((tag_error > 0).sum(1), seen, NOT_YET),
        "rsl21": (rpm > 0).sum(1) * np.array([math.exp(-5.0 * (1.0 - share)) for share in health]),
    }


def _share(part: Array, whole: Array, of_nothing: float) -> Array:
    """``part / whole``, and ``of_nothing`` where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), of_nothing), where=whole > 0)


@batch
def judge_patients(patients, known, rpm, tag_error):
    """What the listed patients' numbers mean.

    Args:
        patients, known: (n, P) the truth and the twin's picture.
        rpm: (n, P) float64, written: RPM now, at handover for those handed over.
        tag_error: (n, P) int8, written: the twin's class of a seen patient less the true one now (below 0: too urgent).
    """
    for b in range(patients.shape[0]):
        for i in range(patients.shape[1]):
            p = patients[b, i]
            if p.status == EMPTY:
                continue
            rpm[b, i] = p.rpm_handover if p.status == HANDED_OVER else rpm_at(p.rpm0, p.clock_min)
            if known[b, i].known == 1 and p.status != HANDED_OVER:
                tag_error[b, i] = triage_class(known[b, i].rpm) - triage_class(rpm[b, i])
