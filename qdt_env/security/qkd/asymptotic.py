"""Secret key rate of a decoy-state BB84 link in the limit of long blocks: what no finite block can exceed.

The decoy bounds without statistical fluctuations. For three intensities they are the weak decoy bounds of Ma, Qi, Zhao
and Lo 2005, "Practical decoy state for quantum key distribution", Phys. Rev. A 72, 012326, equations 34 and 37 and,
with the GLLP rate, equation 42; for two those of Rusca et al. 2018 at delta = 0. Written for themselves in NumPy, so
that the kernels' finite-key bounds have a limit to be checked against.
"""

from dataclasses import replace

import numpy as np

from qdt_env.security.qkd.detection import KEY_BASIS, TEST_BASIS, WRONG, Conditions, cell_probabilities, photon_clicks
from qdt_env.security.qkd.hardware import Hardware, preset_by_name


def binary_entropy(probability: Conditions) -> np.ndarray:
    """Shannon's h(p) in bits, p in [0, 1]; 0 at both ends."""
    p = np.clip(np.asarray(probability, np.float64), 1e-300, 1.0)
    q = np.clip(1.0 - p, 1e-300, 1.0)
    return -p * np.log2(p) - q * np.log2(q)


def ideal_key_fraction(qber: Conditions) -> np.ndarray:
    """Key bits per sifted bit of single-photon BB84, max(0, 1 - 2h(Q)): zero from 11.0 % (Shor and Preskill 2000)."""
    q = np.asarray(qber, np.float64)
    return np.where(q < 0.5, np.maximum(0.0, 1.0 - 2.0 * binary_entropy(np.minimum(q, 0.5))), 0.0)


def _gains(cells: np.ndarray, hardware: Hardware, basis: int) -> tuple[np.ndarray, np.ndarray]:
    """(e^k Q_k, e^k E_k Q_k) by intensity, (..., 3): gains and error gains per pulse of that intensity and basis."""
    k, p = np.array(hardware.intensities), np.array(hardware.shares)
    weight = np.where(p > 0, np.exp(k) / np.where(p > 0, p, 1.0), 0.0)
    return weight * cells[..., basis, :, :].sum(-1), weight * cells[..., basis, :, WRONG]


def _yields(hardware: Hardware, q: np.ndarray, eq: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Y0 at least, Y1 at least, e1 Y1 at most) from the gains of :func:`_gains`."""
    mu1, mu2, mu3 = hardware.intensities
    q1, q2, q3 = q[..., 0], q[..., 1], q[..., 2]
    if hardware.protocol == "two-decoy":
        y0 = np.maximum((mu2 * q3 - mu3 * q2) / (mu2 - mu3), 0.0)
        several = (mu2**2 - mu3**2) / mu1**2 * (q1 - y0)
        y1 = mu1 * (q2 - q3 - several) / (mu1 * (mu2 - mu3) - mu2**2 + mu3**2)
        return y0, np.maximum(y1, 0.0), np.maximum(eq[..., 1] - eq[..., 2], 0.0) / (mu2 - mu3)
    y0 = np.maximum((mu1 * q2 - mu2 * q1) / (mu1 - mu2), 0.0)
    y0_high = 2.0 * np.minimum(eq[..., 0], eq[..., 1])
    y1 = mu1 / (mu2 * (mu1 - mu2)) * (q2 - mu2**2 / mu1**2 * q1 - (mu1**2 - mu2**2) / mu1**2 * y0_high)
    return y0, np.maximum(y1, 0.0), np.maximum(eq[..., 0] - eq[..., 1], 0.0) / (mu1 - mu2)


def _key_per_pulse(
    hardware: Hardware, cells: np.ndarray, y0: np.ndarray, y1: np.ndarray, phase_error: np.ndarray
) -> np.ndarray:
    """tau_0 Y0 + tau_1 Y1 [1 - h(e1)] - f_EC Q h(E), at least 0; bits per pulse."""
    k, p = np.array(hardware.intensities), np.array(hardware.shares)
    tau0, tau1 = float((p * np.exp(-k)).sum()), float((p * np.exp(-k) * k).sum())
    detected, wrong = cells[..., KEY_BASIS, :, :].sum((-1, -2)), cells[..., KEY_BASIS, :, WRONG].sum(-1)
    qber = np.minimum(np.divide(wrong, detected, out=np.full_like(wrong, 0.5), where=detected > 0), 0.5)
    leaked = np.minimum(hardware.correction_efficiency * binary_entropy(qber), 1.0) * detected
    return np.maximum(tau0 * y0 + tau1 * y1 * (1.0 - binary_entropy(phase_error)) - leaked, 0.0)


def secret_key_rate_bit_s(
    preset: str | Hardware, loss_db: Conditions, intercepted: Conditions = 0.0, pns: Conditions = 0.0
) -> np.ndarray:
    """Secret key rate of a link under attack with the preset's settings, blocks of unlimited length.

    Args:
        preset: link hardware, a name in ``PRESETS`` or a :class:`Hardware`.
        loss_db: channel loss without the detector's, >= 0 dB; broadcasts with the others.
        intercepted: fraction of the pulses measured and resent, [0, 1].
        pns: fraction of the pulses on which photon-number splitting is done, [0, 1].

    Returns:
        Secret bits per second, >= 0, float64.

    Raises:
        ValueError: an unknown preset name, a negative loss or a fraction outside [0, 1].
    """
    link = preset_by_name(preset)
    cells = cell_probabilities(link, loss_db, intercepted, pns)
    y0, y1, _ = _yields(link, *_gains(cells, link, KEY_BASIS))
    _, y1_test, error_yield = _yields(link, *_gains(cells, link, TEST_BASIS))
    half = np.full_like(error_yield, 0.5)
    phase_error = np.minimum(np.divide(error_yield, y1_test, out=half, where=y1_test > 0), 0.5)
    return link.pulse_rate_hz * _key_per_pulse(link, cells, y0, y1, phase_error)


def perfect_decoy_rate_bit_s(preset: str | Hardware, loss_db: float) -> float:
    """The rate without an attacker if vacuum and single photons were known exactly: infinitely many decoys.

    Arguments and Raises as in :func:`secret_key_rate_bit_s`.
    """
    link = preset_by_name(preset)
    cells = cell_probabilities(link, loss_db)
    # Dead time thins all detections alike.
    live = cells.sum() / cell_probabilities(replace(link, dead_time_s=0.0), loss_db).sum()
    clicks = np.array([photon_clicks(link, loss_db, photons) for photons in (0, 1)])
    y0, y1 = link.key_basis_probability**2 * live * clicks.sum(1)
    phase_error = clicks[1, WRONG] / clicks[1].sum()
    return float(link.pulse_rate_hz * _key_per_pulse(link, cells, y0, y1, phase_error))
