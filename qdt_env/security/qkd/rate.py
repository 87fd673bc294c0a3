"""Secret key rate of a decoy-state BB84 link in the limit of long blocks.

Ma, Qi, Zhao and Lo 2005, "Practical decoy state for quantum key distribution", Phys. Rev. A 72, 012326: the GLLP rate
with the vacuum + weak decoy bounds on the single photons. Infinite statistics: blocks of finite length give less (the
published finite-key figures stand beside ours in :func:`rate_comparison`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdt_env.compiled import rule
from qdt_env.units import transmittance

Rates = float | np.ndarray
_VACUUM_ERROR = 0.5  # e0: a dark count is right half of the time

# Axes of the tables: channel loss 0 .. 50 dB, intercepted fraction 0 .. 0.5, fraction of single photons blocked 0 .. 1.
LOSS_STEP_DB = np.float32(1.0)
INTERCEPT_STEP = np.float32(0.0125)
PNS_STEP = np.float32(0.1)
TABLE_SHAPE = (51, 41, 11)


@dataclass(frozen=True)
class RatePreset:
    """Source and detectors of one kind of link.

    Attributes:
        name: key in ``PRESETS``.
        pulse_rate_hz: pulses per second, > 0.
        detector_efficiency: eta_d, (0, 1].
        dark_count: p_dc, probability of a count without light per pulse, [0, 1).
        misalignment: e, error rate of detected photons, [0, 0.5).
        dead_time_s: detector dead time, >= 0 s.
        correction_efficiency: f_EC, bits leaked per Shannon bit by error correction, >= 1.
        signal_intensity: mu, mean photons per signal pulse, > decoy_intensity (assumed).
        decoy_intensity: nu, mean photons per weak decoy pulse, > 0 (assumed).
        signal_share, decoy_share: how often each is sent, the rest is vacuum (assumed).
        key_basis_probability: probability of the key basis at either end, (0, 1]; key comes from this basis only.
        published_bit_s: finite-key rate (bit/s) by channel loss (dB), n_Z = 1e5 (4-security).
    """

    name: str
    pulse_rate_hz: float = 100e6
    detector_efficiency: float = 0.5
    dark_count: float = 2e-6
    misalignment: float = 0.02
    dead_time_s: float = 50e-9
    correction_efficiency: float = 1.06
    signal_intensity: float = 0.45
    decoy_intensity: float = 0.1
    signal_share: float = 0.7
    decoy_share: float = 0.2
    key_basis_probability: float = 0.5
    published_bit_s: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a source that the bounds do not hold for."""
        if not self.signal_intensity > self.decoy_intensity > 0:
            raise ValueError(
                f"decoy_intensity: got {self.decoy_intensity}, allowed: above 0 and below {self.signal_intensity}"
            )


# Efficiency, dark counts, misalignment, dead time, f_EC and pulse rate are those of 4-security. Intensities, shares
# and the unbiased basis are assumed; they give its sifted rate (0.27 s for a block of 1e5 at 10 dB).
PRESETS: dict[str, RatePreset] = {
    "robot100MHz": RatePreset(
        "robot100MHz", published_bit_s=((10, 79e3), (15, 25e3), (20, 7.8e3), (25, 2.2e3), (30, 0.5e3))
    ),
    "daylight": RatePreset(
        "daylight", dark_count=5e-5, published_bit_s=((10, 71e3), (15, 17e3), (20, 1.8e3), (25, 0.0), (30, 0.0))
    ),
}


def binary_entropy(probability: Rates) -> np.ndarray:
    """Shannon's h(p) in bits, p in [0, 1]; 0 at both ends."""
    p = np.clip(np.asarray(probability, np.float64), 1e-300, 1.0)
    q = np.clip(1.0 - p, 1e-300, 1.0)
    return -p * np.log2(p) - q * np.log2(q)


def ideal_key_fraction(qber: Rates) -> np.ndarray:
    """Key bits per sifted bit of single-photon BB84, max(0, 1 - 2h(Q)): zero from 11.0 % (Shor and Preskill 2000)."""
    q = np.asarray(qber, np.float64)
    return np.where(q < 0.5, np.maximum(0.0, 1.0 - 2.0 * binary_entropy(np.minimum(q, 0.5))), 0.0)


def intercepted_error(error, intercepted):
    """QBER of an intercept-resend attack on a fraction f of the pulses: Q = e + f (1/4 - e/2) (4-security).

    Half of the time the eavesdropper guesses the basis and passes e on, otherwise she leaves one half.
    Takes scalars and arrays; without annotations, since kernels compile it too.
    """
    return error + intercepted * (0.25 - error / 2.0)


intercepted_error_rule = rule(intercepted_error)


def preset_by_name(preset: str | RatePreset) -> RatePreset:
    """A preset, by name or as it is.

    Raises:
        ValueError: no such preset; the message lists the allowed names.
    """
    if isinstance(preset, RatePreset):
        return preset
    if preset not in PRESETS:
        raise ValueError(f"preset: got {preset!r}, allowed: {', '.join(PRESETS)}")
    return PRESETS[preset]


def gain(preset: RatePreset, loss_db: Rates, intensity: float) -> np.ndarray:
    """Probability of a detection per pulse, Q_mu = Y0 + 1 - exp(-eta mu) (Ma et al. 2005), at most 1."""
    eta = preset.detector_efficiency * np.power(10.0, -np.asarray(loss_db, np.float64) / 10.0)
    return np.minimum(1.0, preset.dark_count - np.expm1(-eta * intensity))


def detection_rate_hz(preset: RatePreset, loss_db: Rates) -> np.ndarray:
    """Counts per second over both bases and all intensities, thinned by dead time: R P / (1 + R P t) (Rusca 2018)."""
    vacuum_share = 1.0 - preset.signal_share - preset.decoy_share
    mean_gain = (
        preset.signal_share * gain(preset, loss_db, preset.signal_intensity)
        + preset.decoy_share * gain(preset, loss_db, preset.decoy_intensity)
        + vacuum_share * preset.dark_count
    )
    raw_hz = preset.pulse_rate_hz * mean_gain
    return raw_hz / (1.0 + raw_hz * preset.dead_time_s)


def sifted_rate_bit_s(preset: RatePreset, loss_db: Rates) -> np.ndarray:
    """Sifted bits per second in the key basis."""
    return detection_rate_hz(preset, loss_db) * preset.key_basis_probability**2


def secret_key_rate_bit_s(
    preset: str | RatePreset, loss_db: Rates, intercepted: Rates = 0.0, pns: Rates = 0.0
) -> np.ndarray:
    """Secret key rate of a link under attack.

    R = q {Q1 [1 - h(e1)] - Q_mu f_EC h(E_mu)} (GLLP), Y1 and e1 by the vacuum + weak decoy bounds of Ma et al. 2005:
    Y1 >= mu/(mu nu - nu^2) [Q_nu e^nu - Q_mu e^mu nu^2/mu^2 - (mu^2 - nu^2)/mu^2 Y0], Q1 = Y1 mu e^-mu,
    e1 <= (E_nu Q_nu e^nu - e0 Y0) / (Y1 nu).

    Args:
        preset: link hardware, a name in ``PRESETS`` or a :class:`RatePreset`.
        loss_db: channel loss without the detector's, >= 0 dB; broadcasts with the others.
        intercepted: fraction of the pulses measured and resent, [0, 1].
        pns: fraction by which photon-number splitting lowers the single-photon yield that the decoys show, [0, 1]
            (the attacker keeps the signal gain by multi-photon pulses, so the QBER stays: 4-security).

    Returns:
        Secret bits per second, >= 0, float64.

    Raises:
        ValueError: an unknown preset name.
    """
    link = preset_by_name(preset)
    mu, nu, y0 = link.signal_intensity, link.decoy_intensity, link.dark_count
    error = intercepted_error(link.misalignment, np.asarray(intercepted, np.float64))
    q_mu, q_nu = gain(link, loss_db, mu), gain(link, loss_db, nu)
    e_mu = (_VACUUM_ERROR * y0 + error * (q_mu - y0)) / q_mu
    e_nu = (_VACUUM_ERROR * y0 + error * (q_nu - y0)) / q_nu
    bracket = q_nu * np.exp(nu) - q_mu * np.exp(mu) * nu**2 / mu**2 - (mu**2 - nu**2) / mu**2 * y0
    y1 = np.maximum(0.0, mu / (mu * nu - nu**2) * bracket * (1.0 - np.asarray(pns, np.float64)))
    with np.errstate(divide="ignore", invalid="ignore"):
        e1 = np.where(y1 > 0, (e_nu * q_nu * np.exp(nu) - _VACUUM_ERROR * y0) / (y1 * nu), 0.5)
    single = y1 * mu * np.exp(-mu) * (1.0 - binary_entropy(np.clip(e1, 0.0, 0.5)))
    per_signal = single - q_mu * link.correction_efficiency * binary_entropy(np.minimum(e_mu, 0.5))
    raw_hz = link.pulse_rate_hz * link.signal_share * link.key_basis_probability**2
    alive = 1.0 - detection_rate_hz(link, loss_db) * link.dead_time_s  # = 1 / (1 + R P t)
    return np.maximum(0.0, raw_hz * alive * per_signal)


def rate_table(preset: str | RatePreset = "robot100MHz") -> np.ndarray:
    """Key rates for the kernels: float32, bit/s, ``TABLE_SHAPE`` = (loss_db, intercepted, pns) on the module's grid."""
    losses, intercepts, blocked = TABLE_SHAPE
    loss_db = np.arange(losses)[:, None, None] * float(LOSS_STEP_DB)
    intercepted = np.arange(intercepts)[None, :, None] * float(INTERCEPT_STEP)
    pns = np.arange(blocked)[None, None, :] * float(PNS_STEP)
    return secret_key_rate_bit_s(preset, loss_db, intercepted, pns).astype(np.float32)


@rule
def _cell(value, step, size):
    """Grid cell and fraction within it, clamped to an axis of ``size`` points."""
    place = min(max(np.float32(value) / step, np.float32(0.0)), np.float32(size - 1))
    cell = min(int(place), size - 2)
    return cell, place - np.float32(cell)


@rule
def _mixed(low, high, share):
    """Linear interpolation."""
    return low + share * (high - low)


@rule
def key_rate(table, loss_db, intercepted, pns=0.0):
    """Secret key rate in bit/s, float32, trilinear in a :func:`rate_table`; arguments are clamped to its grid.

    Beyond 50 dB the rate is that of 50 dB (zero for the presets).
    """
    i, u = _cell(loss_db, LOSS_STEP_DB, table.shape[0])
    j, v = _cell(intercepted, INTERCEPT_STEP, table.shape[1])
    k, w = _cell(pns, PNS_STEP, table.shape[2])
    near = _mixed(
        _mixed(table[i, j, k], table[i, j, k + 1], w), _mixed(table[i, j + 1, k], table[i, j + 1, k + 1], w), v
    )
    i += 1
    far = _mixed(
        _mixed(table[i, j, k], table[i, j, k + 1], w), _mixed(table[i, j + 1, k], table[i, j + 1, k + 1], w), v
    )
    return _mixed(near, far, u)


def rate_comparison(names: Sequence[str] = tuple(PRESETS)) -> str:
    """Our asymptotic rates beside the published finite-key ones, as a table of text."""
    lines = ["preset        loss_db  transmittance  asymptotic_bit_s  published_finite_key_bit_s"]
    for name in names:
        for loss_db, published in preset_by_name(name).published_bit_s:
            ours = float(secret_key_rate_bit_s(name, loss_db))
            lines.append(f"{name:12s} {loss_db:8.0f} {transmittance(loss_db):14.1e} {ours:17.0f} {published:27.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(rate_comparison())
