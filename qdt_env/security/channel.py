"""What a channel is made of: its named parameters, and how much light gets through.

Every number is a field of :class:`ChannelConfig` with its unit and its source, or "assumed".
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from qdt_env.compiled import rule
from qdt_env.security.qkd.hardware import PRESETS
from qdt_env.security.suites import FALLBACKS, SUITES, fallback_code


@dataclass(frozen=True)
class ChannelConfig:
    """Parameters of all links of an environment.

    Attributes:
        preset: QKD hardware, a key of ``qkd.hardware.PRESETS``.
        fallback: what a starved qkd or qkd-otp link does, one of ``FALLBACKS``.
        pool_capacity_bits: key bits a link's store holds, >= initial_pool_bits (assumed: 128 kbit, 512 epochs).
        initial_pool_bits: key bits stored before the quake, >= 0 (assumed).
        epoch_steps: steps between two rekeyings, >= 1 (assumed: one minute at 10 s a step).
        natural_loss: probability that the radio or fibre loses a message, [0, 1) (assumed).
        base_qber: Q0, the QBER that is monitored without an eavesdropper, [0, 0.5) (4-security, robot100MHz); without
            dark counts, and the same under other presets.
        max_qber: Q_max, at which the link's trust reaches zero, (base_qber, 0.5] (zero of 1-2h(Q), 11 %).
        qber_sample_bits: sifted bits compared per step to estimate the QBER, >= 1 (one block n_Z, 4-security).
        cusum_drift: excess of the QBER that the detector forgives per step, >= 0 (assumed: 2.3 sigma of one block).
        cusum_threshold: accumulated excess at which the alarm rises, > 0 (assumed: 9 sigma of one block).
        monitor_probability: p_mon, per step, that a blinding attack is flagged, [0, 1] (assumed).
        monitor_hold_steps: steps for which a flagged link makes no keys, >= 1 (assumed).
        max_age_steps: oldest authenticated message that is still accepted, in steps, >= 0 (assumed: one minute).
        evidence_rate: weight of the newest message in the failure and loss averages, (0, 1] (assumed).
        auth_weight: how far a link that fails every verification loses h_auth, [0, 1] (assumed: an attacker must not
            be able to silence an honest link's verified readings by injecting rubbish).
        loss_weight: how far a link that loses every message loses h_loss, [0, 1] (assumed).
        fibre_db_km: fibre attenuation, >= 0 dB/km (0.2, ITU-T G.652 at 1550 nm).
        fibre_fixed_db: connectors and receiver optics of a fibre link, >= 0 dB (assumed).
        free_space_fixed_db: transmitter and receiver optics, filters, pointing, >= 0 dB (assumed).
        transmitter_aperture_m: beam diameter at the sender, > 0 m (assumed: handheld optics).
        receiver_aperture_m: telescope diameter, > 0 m (assumed).
        divergence_mrad: full divergence of the beam, >= 0 mrad (assumed).
        smoke_db_m: attenuation of dense smoke (density 1), >= 0 dB/m (assumed).

    Raises:
        ValueError: a field is out of its range; the message names the field, what was given and what is allowed.
    """

    preset: str = "robot100MHz"
    fallback: str = "hold"
    pool_capacity_bits: float = 131_072.0
    initial_pool_bits: float = 65_536.0
    epoch_steps: int = 6
    natural_loss: float = 0.01
    base_qber: float = 0.02
    max_qber: float = 0.11
    qber_sample_bits: int = 100_000
    cusum_drift: float = 0.001
    cusum_threshold: float = 0.004
    monitor_probability: float = 0.05
    monitor_hold_steps: int = 12
    max_age_steps: int = 6
    evidence_rate: float = 0.1
    auth_weight: float = 0.5
    loss_weight: float = 0.5
    fibre_db_km: float = 0.2
    fibre_fixed_db: float = 10.0
    free_space_fixed_db: float = 12.0
    transmitter_aperture_m: float = 0.025
    receiver_aperture_m: float = 0.05
    divergence_mrad: float = 1.0
    smoke_db_m: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        self._check("preset", self.preset in PRESETS, ", ".join(PRESETS))
        self._check("fallback", self.fallback in FALLBACKS, ", ".join(FALLBACKS))
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (float, int):
                self._check(field.name, math.isfinite(value), "a finite number")
                self._check(field.name, value >= 0, "0 or more")
        for name in ("natural_loss", "monitor_probability", "evidence_rate", "auth_weight", "loss_weight"):
            self._check(name, getattr(self, name) <= 1, "at most 1")
        for name in ("epoch_steps", "qber_sample_bits", "monitor_hold_steps"):
            self._check(name, getattr(self, name) >= 1, "1 or more")
        for name in ("cusum_threshold", "evidence_rate", "transmitter_aperture_m", "receiver_aperture_m"):
            self._check(name, getattr(self, name) > 0, "more than 0")
        self._check("natural_loss", self.natural_loss < 1, "[0, 1)")
        self._check("base_qber", self.base_qber < self.max_qber, f"[0, max_qber={self.max_qber})")
        self._check("max_qber", self.max_qber <= 0.5, "(base_qber, 0.5]")
        capacity = self.pool_capacity_bits
        self._check("initial_pool_bits", self.initial_pool_bits <= capacity, f"[0, pool_capacity_bits={capacity}]")

    def _check(self, field: str, holds: bool, allowed: str) -> None:
        """Raise the one error format of this class."""
        if not holds:
            raise ValueError(f"channel {field}: got {getattr(self, field)!r}, allowed: {allowed}")


# The numbers of ChannelConfig for the kernels, same names and units; fallback is an index of FALLBACKS, fallback_grade
# the key grade of a link that runs on software keys, in [0, 1].
CHANNEL = np.dtype(
    [
        ("pool_capacity_bits", "f4"),
        ("initial_pool_bits", "f4"),
        ("natural_loss", "f4"),
        ("base_qber", "f4"),
        ("max_qber", "f4"),
        ("qber_sample_bits", "f4"),
        ("cusum_drift", "f4"),
        ("cusum_threshold", "f4"),
        ("monitor_probability", "f4"),
        ("evidence_rate", "f4"),
        ("auth_weight", "f4"),
        ("loss_weight", "f4"),
        ("fibre_db_km", "f4"),
        ("fibre_fixed_db", "f4"),
        ("free_space_fixed_db", "f4"),
        ("transmitter_aperture_m", "f4"),
        ("receiver_aperture_m", "f4"),
        ("divergence_mrad", "f4"),
        ("smoke_db_m", "f4"),
        ("fallback_grade", "f4"),
        ("epoch_steps", "i4"),
        ("monitor_hold_steps", "i4"),
        ("max_age_steps", "i4"),
        ("fallback", "i4"),
    ],
    align=True,
)


def channel_record(config: ChannelConfig | None = None) -> np.ndarray:
    """The parameters as numbers: shape (1,), dtype ``CHANNEL``; kernels take element 0. Default: all defaults."""
    config = ChannelConfig() if config is None else config
    record = np.zeros(1, CHANNEL)
    for name in record.dtype.names or ():
        if name not in ("fallback", "fallback_grade"):
            record[name] = getattr(config, name)
    record["fallback"] = fallback_code(config.fallback)
    record["fallback_grade"] = SUITES["pqc"].grade
    return record


@rule
def fibre_loss_db(channel_record, length_m):
    """Loss of a fibre link in dB: fixed part + attenuation x length; ``length_m`` >= 0 in metres."""
    return channel_record["fibre_fixed_db"] + channel_record["fibre_db_km"] * length_m * np.float32(1e-3)


@rule
def free_space_loss_db(channel_record, distance_m, smoke):
    """Loss of a free-space link in dB.

    Geometric: the beam widens to D_t + divergence x distance, the telescope catches (D_r / width)^2 of it, at most
    all (uniform beam, no turbulence: assumed for distances within a building); smoke absorbs by Beer and Lambert.

    Args:
        channel_record: ``CHANNEL`` record.
        distance_m: >= 0, metres.
        smoke: mean smoke density along the path, [0, 1].
    """
    widening_m = channel_record["divergence_mrad"] * np.float32(1e-3) * distance_m
    width_m = channel_record["transmitter_aperture_m"] + widening_m
    geometric_db = np.float32(20.0) * math.log10(width_m / channel_record["receiver_aperture_m"])
    absorbed_db = channel_record["smoke_db_m"] * smoke * distance_m
    return np.float32(channel_record["free_space_fixed_db"] + max(np.float32(0.0), geometric_db) + absorbed_db)
