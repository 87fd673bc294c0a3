"""What a link is built of: source, receiver, protocol and security parameters, and the named presets.

A preset's intensities, shares and basis bias are fixed, while published rates are often optimised for each loss. They
are what :func:`~qdt_env.security.qkd.settings.optimise` finds at one loss for the preset's block length, rounded: 25 dB
for robot100MHz, 17 dB for daylight, 26 dB for rusca2018, 20 dB (100 km) for lim2014.
"""

from dataclasses import dataclass

import numpy as np

PROTOCOLS = ("one-decoy", "two-decoy")
DETECTOR_MODELS = ("threshold", "rusca2018", "lim2014")
ONE_DECOY, TWO_DECOY = range(2)
THRESHOLD_MODEL, RUSCA_MODEL, LIM_MODEL = range(3)


@dataclass(frozen=True)
class Hardware:
    """One kind of BB84 link with decoy states.

    Attributes:
        name: key in ``PRESETS``.
        protocol: "one-decoy" (Rusca et al. 2018) or "two-decoy" (Lim et al. 2014); decides the key length bound.
        detector_model: how light becomes clicks, see :mod:`qdt_env.security.qkd.detection`.
        pulse_rate_hz: pulses per second, > 0.
        detector_efficiency: eta_d with the receiver's optics, (0, 1].
        dark_count: p_dc, clicks without light per pulse, both detectors together, [0, 0.1] (model "lim2014": of each).
        afterpulse: p_ap, clicks that follow a click per click, [0, 1); model "lim2014" only.
        misalignment: e, share of the photons that take the wrong detector, [0, 0.5).
        dead_time_s: receiver dead time after a click, >= 0 s.
        correction_efficiency: f_EC, bits leaked per Shannon bit by error correction in theory, >= 1.
        intensities: (3,) mu_1 > mu_2 (> mu_3), mean photons per pulse; the third is of "two-decoy" only, else 0.
        shares: (3,) how often each intensity is sent, sum 1; the third is 0 for "one-decoy".
        key_basis_probability: p_Z, probability of the key basis at either end, (0, 1).
        block_bits: n_Z, key-basis detections of a block, >= 1.
        eps_secret: eps_sec, how far the key may be from perfectly secret, (0, 1); see ``eps_per_bit``.
        eps_correct: eps_cor, probability that the two keys differ unnoticed, (0, 1).
        eps_per_bit: ``eps_secret`` counts per bit of key: eps_sec = eps_secret x l (Lim et al. 2014).
        expected_bit_s: finite-key rate (bit/s) by channel loss (dB) at n_Z = 1e5, optimised per loss, of our first
            version (4-security).

    Raises:
        ValueError: a field is out of range; the message names it, what was given and what is allowed.
    """

    name: str
    protocol: str = "one-decoy"
    detector_model: str = "threshold"
    pulse_rate_hz: float = 100e6
    detector_efficiency: float = 0.5
    dark_count: float = 2e-6
    afterpulse: float = 0.0
    misalignment: float = 0.02
    dead_time_s: float = 50e-9
    correction_efficiency: float = 1.06
    intensities: tuple[float, float, float] = (0.35, 0.11, 0.0)
    shares: tuple[float, float, float] = (0.32, 0.68, 0.0)
    key_basis_probability: float = 0.64
    block_bits: float = 1e5
    eps_secret: float = 1e-9
    eps_correct: float = 1e-15
    eps_per_bit: bool = False
    expected_bit_s: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the bounds do not hold for."""
        self._check("protocol", self.protocol in PROTOCOLS, ", ".join(PROTOCOLS))
        self._check("detector_model", self.detector_model in DETECTOR_MODELS, ", ".join(DETECTOR_MODELS))
        self._check("pulse_rate_hz", self.pulse_rate_hz > 0, "more than 0")
        self._check("detector_efficiency", 0 < self.detector_efficiency <= 1, "(0, 1]")
        self._check("dark_count", 0 <= self.dark_count <= 0.1, "[0, 0.1]")
        self._check("afterpulse", 0 <= self.afterpulse < 1, "[0, 1)")
        self._check("misalignment", 0 <= self.misalignment < 0.5, "[0, 0.5)")
        self._check("dead_time_s", self.dead_time_s >= 0, "0 or more")
        self._check("correction_efficiency", self.correction_efficiency >= 1, "1 or more")
        self._check("key_basis_probability", 0 < self.key_basis_probability < 1, "(0, 1)")
        self._check("block_bits", self.block_bits >= 1, "1 or more")
        self._check("eps_secret", 0 < self.eps_secret < 1, "(0, 1)")
        self._check("eps_correct", 0 < self.eps_correct < 1, "(0, 1)")
        self._check_source()

    def _check_source(self) -> None:
        """Intensities fall, shares are probabilities, and the bounds' denominators are positive."""
        (mu1, mu2, mu3), shares = self.intensities, self.shares
        used = 2 if self.protocol == "one-decoy" else 3
        self._check("shares", all(share > 0 for share in shares[:used]), f"more than 0 for {used} intensities")
        self._check("shares", abs(sum(shares) - 1) < 1e-9 and not any(shares[used:]), f"{used} shares of sum 1")
        if used == 2:
            self._check("intensities", mu1 > mu2 > 0 == mu3, "mu_1 > mu_2 > 0 and mu_3 = 0 with one decoy")
        else:
            self._check("intensities", mu1 > mu2 + mu3 and mu2 > mu3 >= 0, "mu_1 > mu_2 + mu_3 and mu_2 > mu_3 >= 0")

    def _check(self, field: str, holds: bool, allowed: str) -> None:
        """Raise the one error format of this class."""
        if not holds:
            raise ValueError(f"{field}: got {getattr(self, field)!r}, allowed: {allowed}")


# The numbers of Hardware for the kernels, same names and units; protocol and detector_model are indices.
HARDWARE = np.dtype(
    [
        ("pulse_rate_hz", "f8"),
        ("detector_efficiency", "f8"),
        ("dark_count", "f8"),
        ("afterpulse", "f8"),
        ("misalignment", "f8"),
        ("dead_time_s", "f8"),
        ("correction_efficiency", "f8"),
        ("intensities", "f8", (3,)),
        ("shares", "f8", (3,)),
        ("key_basis_probability", "f8"),
        ("block_bits", "f8"),
        ("eps_secret", "f8"),
        ("eps_correct", "f8"),
        ("protocol", "i4"),
        ("detector_model", "i4"),
        ("eps_per_bit", "i4"),
    ],
    align=True,
)

# Efficiency, dark counts, misalignment, dead time, f_EC, pulse rate and expected rates of the first two: 4-security.
# Rusca et al. 2018 and Lim et al. 2014 (fibre .2 dB/km; its pulse rate is assumed, since it counts bits per pulse).
PRESETS: dict[str, Hardware] = {
    "robot100MHz": Hardware(
        "robot100MHz", expected_bit_s=((10, 79e3), (15, 25e3), (20, 7.8e3), (25, 2.2e3), (30, 0.5e3))
    ),
    "daylight": Hardware(
        "daylight",
        dark_count=5e-5,
        intensities=(0.36, 0.117, 0.0),
        shares=(0.33, 0.67, 0.0),
        key_basis_probability=0.58,
        expected_bit_s=((10, 71e3), (15, 17e3), (20, 1.8e3), (25, 0.0), (30, 0.0)),
    ),
    "rusca2018": Hardware(
        "rusca2018",
        detector_model="rusca2018",
        pulse_rate_hz=1e9,
        dark_count=1e-8,
        misalignment=0.01,
        dead_time_s=100e-9,
        correction_efficiency=1.16,
        intensities=(0.49, 0.152, 0.0),
        shares=(0.69, 0.31, 0.0),
        key_basis_probability=0.887,
        block_bits=1e7,
    ),
    "lim2014": Hardware(
        "lim2014",
        protocol="two-decoy",
        detector_model="lim2014",
        pulse_rate_hz=1e9,
        detector_efficiency=0.1,
        dark_count=6e-7,
        afterpulse=0.04,
        misalignment=0.005,
        dead_time_s=0.0,
        correction_efficiency=1.16,
        intensities=(0.431, 0.209, 2e-4),
        shares=(0.4, 0.465, 0.135),
        key_basis_probability=0.866,
        block_bits=1e7,
        eps_secret=1e-15,
        eps_correct=1e-15,
        eps_per_bit=True,
    ),
}


def preset_by_name(preset: str | Hardware) -> Hardware:
    """A preset, by name or as it is.

    Raises:
        ValueError: no such preset; the message lists the allowed names.
    """
    if isinstance(preset, Hardware):
        return preset
    if preset not in PRESETS:
        raise ValueError(f"preset: got {preset!r}, allowed: {', '.join(PRESETS)}")
    return PRESETS[preset]


def hardware_record(hardware: str | Hardware) -> np.ndarray:
    """The hardware as numbers: shape (1,), dtype ``HARDWARE``; kernels take element 0."""
    chosen = preset_by_name(hardware)
    record = np.zeros(1, HARDWARE)
    for field in HARDWARE.names or ():
        if field not in ("protocol", "detector_model"):
            record[field] = getattr(chosen, field)
    record["protocol"] = PROTOCOLS.index(chosen.protocol)
    record["detector_model"] = DETECTOR_MODELS.index(chosen.detector_model)
    return record
