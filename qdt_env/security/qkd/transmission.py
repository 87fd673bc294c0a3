"""BB84 as bits: a block of sifted key from its detection counts, or pulse by pulse from the source to the detectors.

- Event level, :func:`sift` and :func:`event_level_block`: for independent pulses the detected bits are exchangeable, so
  random bits with the counted errors at random places have exactly the law of a pulse-by-pulse simulation.
- Pulse level, :func:`transmit` and :func:`sift_pulses`: photon numbers, losses, detectors, dead time and the
  eavesdropper for every pulse; for audits of the closed forms and for photon-number splitting. It knows the "threshold"
  detectors; dead time blinds the receiver for a whole number of pulses after each click, so that counts fluctuate a
  little less than the independent pulses of the closed form (same mean; at most by R P t, some percent at 10 dB).

The eavesdropper of both is an :class:`Adversary`; what she knows is ground truth for scoring and for nobody's decision.
"""

from dataclasses import dataclass, field

import numpy as np
from numba import uint32

from qdt_env import random
from qdt_env.compiled import batch, phase, rule
from qdt_env.security.qkd.counts import COUNTS, draw_counts, pulses_for, uniform53
from qdt_env.security.qkd.detection import (
    KEY_BASIS,
    arrival_probability,
    cell_probabilities,
    check_conditions,
    known_shares,
    splitting_arrival,
)
from qdt_env.security.qkd.hardware import Hardware, hardware_record, preset_by_name

_MOST_PHOTONS = 60  # of a pulse; the next would come once in 1e80 pulses of two photons
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
class Adversary:
    """What an eavesdropper does to the quantum channel.

    Attributes:
        intercepted: fraction f of the pulses measured in a random basis and resent, [0, 1].
        pns: fraction of the pulses on which photon-number splitting is done, [0, 1].
        blinding: she controls the detectors by bright light and knows every bit; counts stay as they are. Outside
            what BB84 can notice.

    Raises:
        ValueError: a fraction outside [0, 1].
    """

    intercepted: float = 0.0
    pns: float = 0.0
    blinding: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no fraction."""
        check_conditions(0.0, self.intercepted, self.pns)


NO_EAVESDROPPER = Adversary()


@dataclass(frozen=True)
class SiftedBlock:
    """Key-basis bits of a block at both ends, before anything is corrected.

    Attributes:
        alice: (n_Z,) uint8, bits sent, 0 or 1.
        bob: (n_Z,) uint8, bits seen, 0 or 1; m_Z of them differ.
        counts: ``COUNTS`` record, 0-dimensional.
        known_to_eve: (n_Z,) uint8, 1 where the adversary knows Alice's bit. Ground truth.
        seconds: time the pulses took, >= 0 s.
        hardware: source, receiver and security parameters.
    """

    alice: np.ndarray
    bob: np.ndarray
    counts: np.void
    known_to_eve: np.ndarray
    seconds: float
    hardware: Hardware


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
    adversary: Adversary = field(default=NO_EAVESDROPPER)


def sift(
    counts: np.ndarray | np.void,
    rng: np.random.Generator,
    hardware: str | Hardware = "robot100MHz",
    loss_db: float = 15.0,
    adversary: Adversary = NO_EAVESDROPPER,
) -> SiftedBlock:
    """The sifted bits of a block with given counts: random bits, errors and the eavesdropper's luck at random places.

    Args:
        counts: ``COUNTS`` record.
        rng: source of the bits; a simulation's, not of real keys.
        hardware: a name in ``PRESETS`` or a :class:`Hardware`.
        loss_db: loss of the channel, >= 0 dB; it matters only for how much an adversary knows.
        adversary: who was on the line when the counts came about.

    Raises:
        ValueError: counts that cannot be, an unknown preset or a negative loss.
    """
    check_conditions(loss_db, 0.0, 0.0)
    chosen = preset_by_name(hardware)
    n, m = np.array(counts["n"][KEY_BASIS], np.int64), np.array(counts["m"][KEY_BASIS], np.int64)
    if np.any(m < 0) or np.any(m > n):
        raise ValueError(f"counts: got n={n.tolist()}, m={m.tolist()}, allowed: 0 <= m <= n")
    sizes = np.stack([n - m, m], axis=1).ravel()  # intensity x {right, wrong}
    kind = np.repeat(np.arange(6, dtype=np.uint8), sizes)
    rng.shuffle(kind)
    alice = np.unpackbits(np.frombuffer(rng.bytes(kind.size // 8 + 1), np.uint8), count=kind.size)
    known = np.full(kind.size, adversary.blinding, np.uint8)
    if (adversary.intercepted or adversary.pns) and not adversary.blinding:
        shares = np.zeros((3, 2))
        known_shares(shares, hardware_record(chosen)[0], loss_db, adversary.intercepted, adversary.pns)
        known = (rng.random(kind.size) < shares.ravel()[kind]).astype(np.uint8)
    kept = np.array(counts, COUNTS).reshape(1)[0]
    return SiftedBlock(alice, alice ^ (kind & 1), kept, known, float(kept["pulses"]) / chosen.pulse_rate_hz, chosen)


def event_level_block(
    hardware: str | Hardware,
    loss_db: float,
    rng: np.random.Generator,
    adversary: Adversary = NO_EAVESDROPPER,
    pulses: float | None = None,
) -> SiftedBlock:
    """One block: exact counts, then bits.

    Args:
        hardware: a name in ``PRESETS`` or a :class:`Hardware`.
        loss_db: loss of the channel, >= 0 dB.
        rng: source of all chance.
        adversary: who is on the line.
        pulses: how many, whole; None: as many as bring the hardware's ``block_bits`` on average.

    Raises:
        ValueError: an unknown preset, a negative loss, or no light to fill a block with.
    """
    chosen = preset_by_name(hardware)
    cells = cell_probabilities(chosen, loss_db, adversary.intercepted, adversary.pns)
    wanted = pulses_for(chosen.block_bits, cells) if pulses is None else float(pulses)
    if not 0 <= wanted < 2**53:
        raise ValueError(f"pulses: got {wanted}, allowed: 0 .. 2^53 (the loss may be too high to fill a block)")
    counts = np.zeros(1, COUNTS)
    draw_counts(counts[0], cells, wanted, rng.integers(2**64, dtype=np.uint64), 0, 0, 0, 0)
    return sift(counts[0], rng, chosen, loss_db, adversary)


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
