"""BB84 pulse by pulse: photon numbers, losses, detectors, dead time and the eavesdropper, each by its own chance.

For audits of the closed forms (:mod:`qdt_env.security.qkd.detection`) and for photon-number splitting as it happens;
ten to twenty million pulses a second. It knows the "threshold" detectors. Dead time blinds the receiver for a whole
number of pulses after each click: the mean is that of the closed form, counts fluctuate a little less (by some R P t).
"""

from dataclasses import dataclass

import numpy as np
from numba import uint32

from qdt_env import random
from qdt_env.compiled import batch, phase, rule
from qdt_env.security.qkd.counts import COUNTS, uniform53
from qdt_env.security.qkd.detection import KEY_BASIS, arrival_probability, check_conditions, splitting_arrival
from qdt_env.security.qkd.hardware import Hardware, hardware_record, preset_by_name
from qdt_env.security.qkd.transmission import NO_EAVESDROPPER, Adversary, SiftedBlock

_MOST_PHOTONS = 60  # of a pulse; more come once in 1e60 pulses of two photons on average
_BUFFER = 1 << 18
_CHOICES, _ATTACKS, _PHOTONS = 1, 2, 3  # draw groups of a pulse, after the first

# A click of the receiver. Bases: 0 key, 1 test; bits and flags 0 or 1.
DETECTION = np.dtype(
    [
        ("pulse", "i8"),  # number of the pulse, >= 0
        ("intensity", "i1"),  # 0 signal, 1 decoy, 2 second decoy
        ("alice_basis", "i1"),
        ("bob_basis", "i1"),
        ("alice", "i1"),  # the bit sent
        ("bob", "i1"),  # the bit seen
        ("known", "i1"),  # the eavesdropper knows the bit sent
    ],
    align=True,
)


@dataclass(frozen=True)
class PulseRecord:
    """What a pulse-level transmission left.

    Attributes:
        detections: (N,) ``DETECTION`` records in order of their pulses, matching bases or not.
        pulses: pulses sent, >= 0.
        hardware: source and receiver.
        adversary: who was on the line.
    """

    detections: np.ndarray
    pulses: int
    hardware: Hardware
    adversary: Adversary


@rule
def _below(word, probability):
    """Whether a random word falls below a probability, to 2^-32."""
    return float(word) < probability * 4294967296.0


@rule
def _photons_of(intensity, word):
    """Photon number of a weak coherent pulse: the Poisson quantile at a random word."""
    u = (float(word) + 0.5) / 4294967296.0
    term = np.exp(-intensity)
    photons = 0
    while u > term and photons < _MOST_PHOTONS:
        u -= term
        photons += 1
        term *= intensity / photons
    return photons


@rule
def _words(seed, pulse, group):
    """Four random words about a pulse."""
    high, low = pulse >> 32, uint32(pulse & 0xFFFFFFFF)
    return random.words(seed, 0, high, random.CHANNEL, group, low)


@phase
def _arriving(seed, pulse, photons, arrival):
    """How many of a pulse's photons arrive, each by its own chance."""
    arrived = 0
    for i in range(photons):
        if i % 4 == 0:
            a, b, c, d = _words(seed, pulse, _PHOTONS + i // 4)
        word = a if i % 4 == 0 else (b if i % 4 == 1 else (c if i % 4 == 2 else d))
        arrived += _below(word, arrival)
    return arrived


@phase
def _clicked(seed, pulse, arrived, state_bit, error):
    """Which detectors the arriving photons hit: (detector 0, detector 1)."""
    zero, one = False, False
    for i in range(arrived):
        word, _, _, _ = _words(seed, pulse, _PHOTONS + _MOST_PHOTONS + i)
        if _below(word, error) != (state_bit == 1):
            one = True
        else:
            zero = True
    return zero, one


@phase
def _dark_clicks(u, dark):
    """Dark counts of both detectors, each with probability p_dc/2, from one uniform."""
    each = 0.5 * dark
    alone = each * (1.0 - each)
    both = u < each * each
    return both or each * each <= u < each * each + alone, both or each * each + alone <= u < each * each + 2.0 * alone


@phase
def _transmit_pulse(out, seed, pulse, hardware, arrival, resent, intercepted, pns):
    """One pulse; fills the record and says whether the receiver clicked."""
    choose, number, high, low = _words(seed, pulse, 0)
    intensity = 0
    if not _below(choose, hardware["shares"][0]):
        intensity = 1 if _below(choose, hardware["shares"][0] + hardware["shares"][1]) else 2
    photons = _photons_of(hardware["intensities"][intensity], number)
    split, measured, eve_basis, eve_bit = False, False, 0, 0
    if pns > 0.0 or intercepted > 0.0:
        a, b, c, _ = _words(seed, pulse, _ATTACKS)
        split, measured = _below(a, pns) and photons > 0, _below(b, intercepted) and photons > 0
        eve_basis, eve_bit = c & 1, (c >> 1) & 1
    arrived = _arriving(seed, pulse, photons - 1 if split else photons, resent if split else arrival)
    dark0, dark1 = _dark_clicks(uniform53(high, low), hardware["dark_count"])
    if arrived == 0 and not (dark0 or dark1):
        return False
    x, y, bits, _ = _words(seed, pulse, _CHOICES)
    alice_basis = 0 if _below(x, hardware["key_basis_probability"]) else 1
    bob_basis = 0 if _below(y, hardware["key_basis_probability"]) else 1
    alice, tie = bits & 1, (bits >> 1) & 1
    state_basis, state_bit, known = alice_basis, alice, split
    if measured:
        known = known or eve_basis == alice_basis
        state_bit = alice if eve_basis == alice_basis else eve_bit
        state_basis = eve_basis
    error = hardware["misalignment"] if state_basis == bob_basis else 0.5
    zero, one = _clicked(seed, pulse, arrived, state_bit, error)
    zero, one = zero or dark0, one or dark1
    out["pulse"] = pulse
    out["intensity"] = intensity
    out["alice_basis"] = alice_basis
    out["bob_basis"] = bob_basis
    out["alice"] = alice
    out["bob"] = tie if zero and one else (1 if one else 0)
    out["known"] = known
    return True


@batch
def _transmit(out, seed, first, last, blind_until, blind_pulses, hardware, arrival, resent, intercepted, pns):
    """Pulses from ``first`` until ``last`` or until ``out`` is full; (records filled, next pulse, blind until)."""
    filled = 0
    for pulse in range(first, last):
        if pulse < blind_until:
            continue
        if filled == out.shape[0]:
            return filled, pulse, blind_until
        if _transmit_pulse(out[filled], seed, pulse, hardware, arrival, resent, intercepted, pns):
            filled += 1
            blind_until = pulse + 1 + blind_pulses
    return filled, last, blind_until


def transmit(
    hardware: str | Hardware,
    pulses: int,
    loss_db: float,
    rng: np.random.Generator,
    adversary: Adversary = NO_EAVESDROPPER,
) -> PulseRecord:
    """Send pulses one by one.

    Args:
        hardware: a name in ``PRESETS`` or a :class:`Hardware`, with "threshold" detectors.
        pulses: how many, 0 .. 2^56.
        loss_db: loss of the channel, >= 0 dB.
        rng: gives the 64-bit seed of the draws.
        adversary: who is on the line.

    Raises:
        ValueError: an unknown preset, other detectors, a negative loss or number of pulses.
    """
    check_conditions(loss_db, 0.0, 0.0)
    chosen = preset_by_name(hardware)
    if chosen.detector_model != "threshold":
        raise ValueError(f"detector_model: got {chosen.detector_model!r}, allowed: 'threshold' at pulse level")
    if not 0 <= pulses <= 2**56:
        raise ValueError(f"pulses: got {pulses}, allowed: 0 .. 2^56")
    record = hardware_record(chosen)[0]
    arrival, resent = arrival_probability(record, loss_db), splitting_arrival(record, loss_db)
    blind_pulses = int(chosen.dead_time_s * chosen.pulse_rate_hz * (1.0 + 1e-12))
    seed, pulse, blind_until, parts = rng.integers(2**64, dtype=np.uint64), 0, 0, []
    while pulse < pulses:
        part = np.zeros(min(_BUFFER, pulses - pulse), DETECTION)
        filled, pulse, blind_until = _transmit(
            part, seed, pulse, pulses, blind_until, blind_pulses, record, arrival, resent, adversary.intercepted,
            adversary.pns,
        )  # fmt: skip
        parts.append(part[:filled])
    detections = np.concatenate(parts) if parts else np.zeros(0, DETECTION)
    if adversary.blinding:
        detections["known"] = 1
    return PulseRecord(detections, int(pulses), chosen, adversary)


def sift_pulses(record: PulseRecord) -> SiftedBlock:
    """Keep the detections in matching bases: the key basis gives bits, both give counts."""
    found = record.detections
    same = found[found["alice_basis"] == found["bob_basis"]]
    wrong = (same["alice"] != same["bob"]).astype(np.int64)
    cell = same["alice_basis"].astype(np.int64) * 3 + same["intensity"]
    counts = np.zeros(1, COUNTS)
    counts["pulses"] = record.pulses
    counts["n"][0] = np.bincount(cell, minlength=6).reshape(2, 3)
    counts["m"][0] = np.bincount(cell, weights=wrong, minlength=6).astype(np.int64).reshape(2, 3)
    key = same[same["alice_basis"] == KEY_BASIS]
    bits = {name: key[name].astype(np.uint8) for name in ("alice", "bob", "known")}
    seconds = record.pulses / record.hardware.pulse_rate_hz
    return SiftedBlock(bits["alice"], bits["bob"], counts[0], bits["known"], seconds, record.hardware)
