"""Closed-form probability, per pulse, of every kind of detection: intensity x basis x {right, wrong}.

Weak coherent pulses: Poisson photon numbers, each photon survives with eta = eta_d 10^(-loss/10) and takes the wrong
detector with probability e. How light becomes clicks is the hardware's ``detector_model``:

- "threshold": two detectors that do not count photons, dark counts p_dc/2 each, a double click gives a random bit.
  Exact; this is what pulse-level simulation does.
- "rusca2018": detected L + p_dc, wrong L e + p_dc/2 with L = 1 - exp(-k eta) (Rusca et al. 2018, appendix).
- "lim2014": D = 1 - (1 - 2 p_dc) exp(-k eta), detected D (1 + p_ap), wrong p_dc + e L + p_ap D/2 (Lim et al. 2014,
  section IV; e applied to the light that is detected).

Dead time thins all detections by 1/(1 + R P t), P the click probability of a pulse (Rusca et al. 2018).

Two attacks change the channel, each on its own random share of the pulses and independent of the other:

- intercept-resend on a fraction f: the eavesdropper measures in a random basis and sends on what she saw. Half of the
  time the basis is right; otherwise the photons that she sends on are right half of the time, so that for weak light
  Q = e + f (1/4 - e/2) (4-security).
- photon-number splitting on a fraction b: single photons are blocked; of more she keeps one and sends the rest through
  a channel of just the loss that keeps the signal's gain (at best none, then the gain falls). The decoy's share falls,
  the QBER stays.
"""

import math

import numpy as np

from qdt_env.compiled import batch, phase, rule
from qdt_env.security.qkd.hardware import LIM_MODEL, RUSCA_MODEL, Hardware, hardware_record

# Axes of cell arrays: basis (key, test), intensity (signal, decoy, second decoy), {right, wrong}.
CELLS_SHAPE = (2, 3, 2)
KEY_BASIS, TEST_BASIS = 0, 1
RIGHT, WRONG = 0, 1
_BISECTIONS = 60

Conditions = float | np.ndarray


def intercepted_error(error, intercepted):
    """QBER of an intercept-resend attack on a fraction f of the pulses: Q = e + f (1/4 - e/2) (4-security).

    Half of the time the eavesdropper guesses the basis and passes e on, otherwise she leaves one half.
    Takes scalars and arrays; without annotations, since kernels compile it too.
    """
    return error + intercepted * (0.25 - error / 2.0)


intercepted_error_rule = rule(intercepted_error)


@rule
def arrival_probability(hardware, loss_db):
    """eta: probability that a photon of the source makes a detector click, (0, 1]."""
    return hardware["detector_efficiency"] * 10.0 ** (-0.1 * loss_db)


@rule
def split_clicks(hardware, mass, none, not_right, not_wrong, error):
    """Probabilities (right, wrong) of a component of the light, by the hardware's detector model.

    Args:
        hardware: ``HARDWARE`` record.
        mass: probability of the component itself.
        none: probability of the component with no photon detected.
        not_right, not_wrong: with no photon in the right (wrong) detector.
        error: share of its photons that take the wrong detector.
    """
    dark = hardware["dark_count"]
    light = mass - none
    if hardware["detector_model"] == RUSCA_MODEL:
        detected = light + mass * dark
        wrong = light * error + 0.5 * mass * dark
    elif hardware["detector_model"] == LIM_MODEL:
        clicked = mass - (1.0 - 2.0 * dark) * none
        detected = clicked * (1.0 + hardware["afterpulse"])
        wrong = mass * dark + light * error + 0.5 * hardware["afterpulse"] * clicked
    else:
        quiet = 1.0 - 0.5 * dark
        detected = light + none * (1.0 - quiet * quiet)
        wrong = 0.5 * detected - 0.5 * quiet * (not_wrong - not_right)
    return detected - wrong, wrong


@rule
def _kept_one(intensity, x):
    """Sum over n >= 2 of P(n) x^(n-1), Poisson: what is sent on after one photon was kept."""
    y = intensity * x
    # (e^y - 1 - y)/x loses its digits for small y; the series is exact to 1e-14 there.
    rest = 0.5 * intensity * y * (1.0 + y / 3.0 + y * y / 12.0) if y < 1e-4 else (math.exp(y) - 1.0 - y) / x
    return math.exp(-intensity) * rest


@rule
def _unseen(intensity, arrival, split):
    """Probability that no photon of a pulse arrives, whole or after photon-number splitting."""
    if split:
        return math.exp(-intensity) * (1.0 + intensity) + _kept_one(intensity, 1.0 - arrival)
    return math.exp(-intensity * arrival)


@rule
def pulse_clicks(hardware, intensity, arrival, error, split):
    """(right, wrong) probabilities of a weak coherent pulse, with matching bases and without dead time.

    Args:
        hardware: ``HARDWARE`` record.
        intensity: mean photons of the pulse at the source, >= 0.
        arrival: probability that a photon on its way makes a click, [0, 1].
        error: share of the photons that take the wrong detector, [0, 0.5].
        split: whether photon-number splitting is done on the pulse.
    """
    return split_clicks(
        hardware,
        1.0,
        _unseen(intensity, arrival, split),
        _unseen(intensity, arrival * (1.0 - error), split),
        _unseen(intensity, arrival * error, split),
        error,
    )


@phase
def splitting_arrival(hardware, loss_db):
    """Arrival probability of the photons that photon-number splitting sends on, (0, detector_efficiency].

    The one that keeps the signal's gain; the receiver's efficiency where even a channel without loss gives less.
    """
    intensity = hardware["intensities"][0]
    wanted = math.exp(-intensity * arrival_probability(hardware, loss_db))
    low, high = 0.0, hardware["detector_efficiency"]
    if _unseen(intensity, high, True) >= wanted:
        return high
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if _unseen(intensity, middle, True) > wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@phase
def _attacked_clicks(hardware, intensity, arrival, resent, intercepted, pns):
    """(right, wrong) of a pulse and (right, wrong) of it with the bit known to the eavesdropper.

    She knows the bit where she kept or blocked a photon and where she measured one in the right basis; a pulse without
    photons tells her nothing.
    """
    error = hardware["misalignment"]
    empty = math.exp(-intensity)
    empty_right, empty_wrong = split_clicks(hardware, empty, empty, empty, empty, error)
    right, wrong = pulse_clicks(hardware, intensity, arrival, error, False)
    known = 0.5 * intercepted
    known_right, known_wrong = known * (right - empty_right), known * (wrong - empty_wrong)
    if intercepted > 0.0:
        other_right, other_wrong = pulse_clicks(hardware, intensity, arrival, 0.5, False)
        right += known * (other_right - right)
        wrong += known * (other_wrong - wrong)
    if pns > 0.0:
        split_right, split_wrong = pulse_clicks(hardware, intensity, resent, error, True)
        other_right, other_wrong = pulse_clicks(hardware, intensity, resent, 0.5, True)
        split_right += known * (other_right - split_right)
        split_wrong += known * (other_wrong - split_wrong)
        right += pns * (split_right - right)
        wrong += pns * (split_wrong - wrong)
        known_right += pns * (split_right - empty_right - known_right)
        known_wrong += pns * (split_wrong - empty_wrong - known_wrong)
    return right, wrong, known_right, known_wrong


@phase
def detection_cells(cells, hardware, loss_db, intercepted, pns):
    """Fill the probability per pulse of every detection in matching bases.

    Args:
        cells: (2, 3, 2) float64, overwritten: basis (key, test), intensity, {right, wrong}; an intensity that is not
            sent stays 0. Their sum and the probability of no such detection add up to 1.
        hardware: ``HARDWARE`` record.
        loss_db: channel loss without the receiver's, >= 0 dB.
        intercepted: fraction f of the pulses measured and resent, [0, 1].
        pns: fraction b of the pulses on which single photons are blocked and others split, [0, 1].

    Returns:
        The live share 1/(1 + R P t) that dead time leaves, (0, 1]; the cells contain it.
    """
    loss, f, b = float(loss_db), float(intercepted), float(pns)
    arrival = arrival_probability(hardware, loss)
    resent = splitting_arrival(hardware, loss) if b > 0.0 else arrival
    key = hardware["key_basis_probability"]
    clicks = 0.0
    for k in range(3):
        share = hardware["shares"][k]
        right, wrong = 0.0, 0.0
        if share > 0.0:
            right, wrong, _, _ = _attacked_clicks(hardware, hardware["intensities"][k], arrival, resent, f, b)
        clicks += share * (right + wrong)
        cells[KEY_BASIS, k, RIGHT] = key * key * share * right
        cells[KEY_BASIS, k, WRONG] = key * key * share * wrong
        cells[TEST_BASIS, k, RIGHT] = (1.0 - key) * (1.0 - key) * share * right
        cells[TEST_BASIS, k, WRONG] = (1.0 - key) * (1.0 - key) * share * wrong
    live = 1.0 / (1.0 + hardware["pulse_rate_hz"] * clicks * hardware["dead_time_s"])
    for basis in range(2):
        for k in range(3):
            cells[basis, k, RIGHT] *= live
            cells[basis, k, WRONG] *= live
    return live


@phase
def known_shares(known, hardware, loss_db, intercepted, pns):
    """Fill the probability that the eavesdropper knows a detected bit: (3, 2), intensity x {right, wrong}, [0, 1].

    Arguments as in :func:`detection_cells`; the same in both bases.
    """
    loss, f, b = float(loss_db), float(intercepted), float(pns)
    arrival = arrival_probability(hardware, loss)
    resent = splitting_arrival(hardware, loss) if b > 0.0 else arrival
    for k in range(3):
        known[k, RIGHT], known[k, WRONG] = 0.0, 0.0
        if hardware["shares"][k] > 0.0:
            right, wrong, known_right, known_wrong = _attacked_clicks(
                hardware, hardware["intensities"][k], arrival, resent, f, b
            )
            known[k, RIGHT] = min(max(known_right / right, 0.0), 1.0) if right > 0.0 else 0.0
            known[k, WRONG] = min(max(known_wrong / wrong, 0.0), 1.0) if wrong > 0.0 else 0.0


@batch
def _fill_cells(cells, hardware, loss_db, intercepted, pns):
    """One set of cells per condition."""
    for i in range(cells.shape[0]):
        detection_cells(cells[i], hardware, loss_db[i], intercepted[i], pns[i])


def check_conditions(loss_db: Conditions, intercepted: Conditions, pns: Conditions) -> None:
    """Refuse a link that cannot be.

    Raises:
        ValueError: a negative or infinite loss, or a fraction outside [0, 1].
    """
    if not np.all(np.isfinite(loss_db) & (np.asarray(loss_db) >= 0)):
        raise ValueError(f"loss_db: got {loss_db!r}, allowed: 0 or more, finite")
    for name, value in (("intercepted", intercepted), ("pns", pns)):
        if not np.all((np.asarray(value) >= 0) & (np.asarray(value) <= 1)):
            raise ValueError(f"{name}: got {value!r}, allowed: [0, 1]")


def cell_probabilities(
    hardware: str | Hardware, loss_db: Conditions, intercepted: Conditions = 0.0, pns: Conditions = 0.0
) -> np.ndarray:
    """Probability per pulse of every detection in matching bases, dead time included.

    Args:
        hardware: a name in ``PRESETS`` or a :class:`Hardware`.
        loss_db: channel loss without the receiver's, >= 0 dB; broadcasts with the others.
        intercepted: fraction of the pulses measured and resent, [0, 1].
        pns: fraction of the pulses on which photon-number splitting is done, [0, 1].

    Returns:
        (..., 2, 3, 2) float64 in [0, 1]: basis (key, test), intensity, {right, wrong}.

    Raises:
        ValueError: an unknown preset, a negative loss or a fraction outside [0, 1].
    """
    check_conditions(loss_db, intercepted, pns)
    loss, f, b = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (loss_db, intercepted, pns)))
    cells = np.zeros((loss.size, *CELLS_SHAPE))
    _fill_cells(cells, hardware_record(hardware)[0], loss.ravel(), f.ravel(), b.ravel())
    return cells.reshape(*loss.shape, *CELLS_SHAPE)


def photon_clicks(hardware: str | Hardware, loss_db: float, photons: int) -> np.ndarray:
    """(right, wrong) probabilities of a pulse that holds just ``photons`` photons: shape (2,), float64, [0, 1].

    Without an attacker, with matching bases and without dead time. Raises ValueError for an unknown preset.
    """
    record = hardware_record(hardware)[0]
    arrival, error = arrival_probability(record, loss_db), float(record["misalignment"])
    unseen = [(1.0 - arrival * share) ** photons for share in (1.0, 1.0 - error, error)]
    return np.array(split_clicks(record, 1.0, *unseen, error))
