"""BB84 as bits, at event level: a block of sifted key from its detection counts.

For independent pulses the detected bits are exchangeable: random bits with the counted errors at random places have
exactly the law of a simulation pulse by pulse, which :mod:`qdt_env.security.qkd.pulses` does for audits.
What an :class:`Adversary` knows of the bits is ground truth for scoring, and for nobody's decision.
"""

from dataclasses import dataclass

import numpy as np

from qdt_env.security.qkd.counts import COUNTS, draw_counts, pulses_for
from qdt_env.security.qkd.detection import (
    KEY_BASIS,
    cell_probabilities,
    check_conditions,
    known_shares,
)
from qdt_env.security.qkd.hardware import Hardware, hardware_record, preset_by_name


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
    size = int(n.sum())
    alice = np.unpackbits(np.frombuffer(rng.bytes(size // 8 + 1), np.uint8), count=size)
    known = np.full(size, adversary.blinding, np.uint8)
    if (adversary.intercepted or adversary.pns) and not adversary.blinding:
        kind = np.repeat(np.arange(6, dtype=np.uint8), np.stack([n - m, m], axis=1).ravel())
        rng.shuffle(kind)  # intensity x {right, wrong}: what she knows of a bit depends on both
        shares = np.zeros((3, 2))
        known_shares(shares, hardware_record(chosen)[0], loss_db, adversary.intercepted, adversary.pns)
        known = (rng.random(size) < shares.ravel()[kind]).astype(np.uint8)
        wrong = kind & 1
    else:
        wrong = np.zeros(size, np.uint8)
        wrong[rng.choice(size, int(m.sum()), replace=False, shuffle=False)] = 1
    kept = np.array(counts, COUNTS).reshape(1)[0]
    return SiftedBlock(alice, alice ^ wrong, kept, known, float(kept["pulses"]) / chosen.pulse_rate_hz, chosen)


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
