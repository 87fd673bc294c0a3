"""Expected figures of what comes after the photons: error correction, health tests of a QRNG, one-time pads."""

from functools import partial

import numpy as np

from qdt_env.security.qkd.cascade import reconcile, shannon_bits
from qdt_env.security.qrng import proportion_cutoff, repetition_cutoff
from qdt_env.security.suites import suite_by_name
from training.validation import DERIVED, OWN, Check

_OURS, _STANDARD = "our first version", "SP 800-90B, 4.4"
_FRAME_BITS, _FRAMES = 2**14, 100
# What a first version of our Cascade leaked at n = 2^14, and SP 800-90B's cutoffs at alpha = 2^-20, W = 1024.
_EFFICIENCIES = ((0.01, 1.037), (0.03, 1.036), (0.05, 1.039), (0.08, 1.055), (0.10, 1.055))
_CUTOFFS = ((0.5, 41, 793), (0.6, 35, 748), (0.8, 26, 664), (0.9, 24, 625), (1.0, 21, 589))


def cascade_efficiency(qber: float, frames: int = _FRAMES) -> float:
    """f_EC: bits leaked by our Cascade over Shannon's, over ``frames`` frames of 2^14 bits; NaN if one stays wrong."""
    rng = np.random.Generator(np.random.Philox(key=[7, int(1e4 * qber)]))
    leaked = shannon = 0.0
    for frame in range(frames):
        alice = rng.integers(0, 2, _FRAME_BITS, dtype=np.uint8)
        errors = (rng.random(_FRAME_BITS) < qber).astype(np.uint8)
        done = reconcile(alice, alice ^ errors, qber, frame)
        if not np.array_equal(done.corrected, alice):
            return float("nan")
        leaked += done.leaked_bits
        shannon += shannon_bits(qber, _FRAME_BITS)
    return leaked / shannon


def distillation_checks() -> list[Check]:
    """The figures, in the order they are shown."""
    checks = [
        Check(f"Cascade f_EC at {100 * qber:g} %, n = 2^14", _OURS, (1.0, most), 0.005,
              partial(cascade_efficiency, qber), note=f"at most that; {_FRAMES} frames each", origin=OWN)
        for qber, most in _EFFICIENCIES
    ]  # fmt: skip
    for entropy, repetitions, proportion in _CUTOFFS:
        checks += [
            Check(f"repetition cutoff, H = {entropy:g}", _STANDARD, repetitions, 0, partial(repetition_cutoff, entropy),
                  origin=DERIVED),
            Check(f"proportion cutoff, H = {entropy:g}", _STANDARD, proportion, 0, partial(proportion_cutoff, entropy),
                  origin=DERIVED),
        ]  # fmt: skip
    pad = partial(suite_by_name("qkd-otp").key_bits_per_message, 256)
    return [*checks, Check("key bits of a padded message, 256 B", _OURS, 2176, 0, pad, "bit", origin=OWN)]
