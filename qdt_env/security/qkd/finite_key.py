"""How many secret bits a block of detections is worth: the finite-key bounds of decoy-state BB84.

- "two-decoy": Lim, Curty, Walenta, Xu and Zbinden 2014, "Concise security bounds for practical decoy-state quantum key
  distribution", Phys. Rev. A 89, 022307, equations 1 to 5.
- "one-decoy": Rusca, Boaron, Gruenenfelder, Martin and Zbinden 2018, "Finite-key analysis for the 1-decoy state QKD
  protocol", Appl. Phys. Lett. 112, 171104; the bound on the vacuum with the factor e^k/p_k that its printed equation
  A18 lacks (4-security).

Notation: K the key basis, T the test basis; mu_k intensities, p_k shares; n_k, m_k detections and errors of a basis by
intensity, n and m their sums; tau_j = sum_k p_k exp(-k) k^j / j!; b = 21 (Lim) or 19 (Rusca), the number of error
terms; delta(x) = sqrt((x/2) ln(b/eps_sec)); n_k+- = (e^k/p_k)(n_k +- delta(n)), m_k+- alike with delta(m), at least 0.
s0, s1: detections of vacuum and single photons, v1: errors of single photons in the test basis.

    l = floor(s0 + s1 (1 - h(phi)) - lambda_EC - 6 log2(b/eps_sec) - log2(2/eps_cor)), key only if l > 0
    phi = v1/s1T + gamma(eps_sec, v1/s1T, s1T, s1K)

One implementation serves kernels and Python: :func:`key_length` and :func:`finite_key`.
"""

import math
from dataclasses import dataclass

import numpy as np

from qdt_env.compiled import batch, phase, rule
from qdt_env.security.qkd.hardware import ONE_DECOY, Hardware, hardware_record, preset_by_name

_TERMS_ONE_DECOY, _TERMS_TWO_DECOY = 19.0, 21.0
_KEY, _TEST = 0, 1
_ROUNDS = 8  # of eps_sec = kappa l: the length depends on it by a logarithm, so it settles at once


@rule
def binary_entropy(p):
    """Shannon's h(p) in bits; 0 outside (0, 1)."""
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return -p * math.log2(p) - (1.0 - p) * math.log2(1.0 - p)


@rule
def deviation(count, log_term):
    """delta(x) = sqrt((x/2) ln(b/eps_sec)): Hoeffding's bound on a count of ``count`` trials."""
    return math.sqrt(0.5 * count * log_term)


@rule
def sampling_gap(eps, x, c, d, terms):
    """gamma(a, x, c, d): how far the phase error may exceed the sampled error rate x (Lim et al. 2014, eq. 5).

    sqrt[(c+d)(1-x)x / (c d ln2) log2((c+d) / (c d (1-x) x) b^2/a^2)] for c test and d key bits, a = ``eps``,
    b = ``terms``. Without a single error the sample is given one half, since gamma(0) would promise too much.
    """
    share = min(max(x, 0.5 / c), 0.5)
    variance = (c + d) * (1.0 - share) * share / (c * d)
    spread = (c + d) / (c * d * (1.0 - share) * share) * (terms / eps) ** 2
    return math.sqrt(variance / math.log(2.0) * math.log2(spread))


@rule
def _weight(intensity, share):
    """e^k / p_k, 0 for an intensity that is not sent."""
    return math.exp(intensity) / share if share > 0.0 else 0.0


@rule
def _photon_shares(hardware):
    """(tau_0, tau_1): probability that a pulse holds no photon, one photon."""
    tau0, tau1 = 0.0, 0.0
    for k in range(3):
        empty = hardware["shares"][k] * math.exp(-hardware["intensities"][k])
        tau0 += empty
        tau1 += empty * hardware["intensities"][k]
    return tau0, tau1


@phase
def _two_decoy(n, m, basis, hardware, log_term):
    """(s0, s1, v1) of one basis by Lim et al. 2014, equations 2, 3 and 4."""
    mu1, mu2, mu3 = hardware["intensities"][0], hardware["intensities"][1], hardware["intensities"][2]
    w1 = _weight(mu1, hardware["shares"][0])
    w2 = _weight(mu2, hardware["shares"][1])
    w3 = _weight(mu3, hardware["shares"][2])
    tau0, tau1 = _photon_shares(hardware)
    dn = deviation(float(n[basis, 0] + n[basis, 1] + n[basis, 2]), log_term)
    dm = deviation(float(m[basis, 0] + m[basis, 1] + m[basis, 2]), log_term)
    n1_high, n2_high, n3_high = w1 * (n[basis, 0] + dn), w2 * (n[basis, 1] + dn), w3 * (n[basis, 2] + dn)
    n2_low, n3_low = max(w2 * (n[basis, 1] - dn), 0.0), max(w3 * (n[basis, 2] - dn), 0.0)
    s0 = max(tau0 * (mu2 * n3_low - mu3 * n2_high) / (mu2 - mu3), 0.0)
    several = (mu2 * mu2 - mu3 * mu3) / (mu1 * mu1) * (n1_high - s0 / tau0)
    s1 = tau1 * mu1 * (n2_low - n3_high - several) / (mu1 * (mu2 - mu3) - mu2 * mu2 + mu3 * mu3)
    v1 = tau1 * (w2 * (m[basis, 1] + dm) - max(w3 * (m[basis, 2] - dm), 0.0)) / (mu2 - mu3)
    return s0, max(s1, 0.0), max(v1, 0.0)


@phase
def _one_decoy(n, m, basis, hardware, log_term):
    """(s0, s1, v1) of one basis by Rusca et al. 2018, equations A17 to A22."""
    mu1, mu2 = hardware["intensities"][0], hardware["intensities"][1]
    w1, w2 = _weight(mu1, hardware["shares"][0]), _weight(mu2, hardware["shares"][1])
    tau0, tau1 = _photon_shares(hardware)
    dn = deviation(float(n[basis, 0] + n[basis, 1]), log_term)
    dm = deviation(float(m[basis, 0] + m[basis, 1]), log_term)
    n1_high, n2_low = w1 * (n[basis, 0] + dn), max(w2 * (n[basis, 1] - dn), 0.0)
    fewest = min(w1 * (m[basis, 0] + dm), w2 * (m[basis, 1] + dm))
    s0_high = 2.0 * (tau0 * fewest + dn)  # half of the vacuum's clicks are errors
    s0 = max(tau0 * (mu1 * n2_low - mu2 * n1_high) / (mu1 - mu2), 0.0)
    several = (mu2 * mu2 * n1_high + (mu1 * mu1 - mu2 * mu2) * s0_high / tau0) / (mu1 * mu1)
    s1 = tau1 * mu1 / (mu2 * (mu1 - mu2)) * (n2_low - several)
    v1 = tau1 * (w1 * (m[basis, 0] + dm) - max(w2 * (m[basis, 1] - dm), 0.0)) / (mu1 - mu2)
    return s0, max(s1, 0.0), max(v1, 0.0)


@phase
def _bits(n, m, hardware, leaked_bits, eps_secret):
    """(l unrounded, s0, s1, phi, s1 in T, v1) for given eps_sec; l <= 0: no key."""
    one_decoy = hardware["protocol"] == ONE_DECOY
    terms = _TERMS_ONE_DECOY if one_decoy else _TERMS_TWO_DECOY
    log_term = math.log(terms / eps_secret)
    if one_decoy:
        s0, s1, _ = _one_decoy(n, m, _KEY, hardware, log_term)
        _, s1_test, v1 = _one_decoy(n, m, _TEST, hardware, log_term)
    else:
        s0, s1, _ = _two_decoy(n, m, _KEY, hardware, log_term)
        _, s1_test, v1 = _two_decoy(n, m, _TEST, hardware, log_term)
    # Strange counts can push a lower bound past all there is; what is counted bounds it too.
    seen = float(n[_KEY, 0] + n[_KEY, 1] + n[_KEY, 2])
    s0 = min(s0, seen)
    s1 = min(s1, seen - s0)
    s1_test = min(s1_test, float(n[_TEST, 0] + n[_TEST, 1] + n[_TEST, 2]))
    phi = 0.5
    if s1 > 0.0 and s1_test > 0.0 and v1 < 0.5 * s1_test:
        phi = min(v1 / s1_test + sampling_gap(eps_secret, v1 / s1_test, s1_test, s1, terms), 0.5)
    paid = leaked_bits + 6.0 * math.log2(terms / eps_secret) + math.log2(2.0 / hardware["eps_correct"])
    return s0 + s1 * (1.0 - binary_entropy(phi)) - paid, s0, s1, phi, s1_test, v1


@phase
def secret_bits(n, m, hardware, leaked_bits):
    """The bound before rounding and before the gate, so that theory and optimisers may use mean counts.

    Args:
        n, m: (2, 3) detections and errors, whole or mean numbers: basis (key, test) x intensity.
        hardware: ``HARDWARE`` record.
        leaked_bits: lambda_EC, bits given away by error correction, >= 0.

    Returns:
        (l, s0, s1, phi, s1 of the test basis, v1, eps_sec); l <= 0 means no key.
    """
    if not hardware["eps_per_bit"]:
        result = _bits(n, m, hardware, leaked_bits, hardware["eps_secret"])
        return result[0], result[1], result[2], result[3], result[4], result[5], hardware["eps_secret"]
    length = float(n[_KEY, 0] + n[_KEY, 1] + n[_KEY, 2])
    eps, result = 0.0, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for _ in range(_ROUNDS):  # falls to the longest key that pays for itself
        eps = min(hardware["eps_secret"] * max(length, 1.0), 0.5)  # beyond, the key is too long to be secret
        result = _bits(n, m, hardware, leaked_bits, eps)
        length = result[0]
    return result[0], result[1], result[2], result[3], result[4], result[5], eps


@phase
def key_length(counts, hardware, leaked_bits):
    """Secret key length of a block: the gate is l > 0, never a threshold on the QBER.

    Args:
        counts: ``COUNTS`` record of the block.
        hardware: ``HARDWARE`` record.
        leaked_bits: lambda_EC, bits given away by error correction, >= 0.

    Returns:
        (l, s0, s1, phi): whole secret bits, >= 0; vacuum and single-photon detections in the key basis, lower bounds
        >= 0; upper bound on the phase error rate, (0, 0.5].
    """
    length, s0, s1, phi, _, _, _ = secret_bits(counts["n"], counts["m"], hardware, leaked_bits)
    return max(math.floor(length), 0.0), s0, s1, phi


@batch
def _secret_bits_of(n, m, hardware, leaked_bits):
    """:func:`secret_bits` for Python."""
    return secret_bits(n, m, hardware, leaked_bits)


@dataclass(frozen=True)
class FiniteKey:
    """What a block is worth and why; all counts in detections, all lengths in bits.

    Attributes:
        protocol: "one-decoy" or "two-decoy".
        sifted_bits: n, detections in the key basis, >= 0.
        errors: m, of these wrong, >= 0.
        qber: m/n, [0, 1]; 0 without detections.
        vacuum: s0, at least so many came from pulses without photons, >= 0.
        single: s1, at least so many from single photons, >= 0.
        single_test: the same in the test basis, >= 0.
        single_test_errors: v1, at most so many of these are wrong, >= 0.
        phase_error: phi, upper bound on the phase error rate of the single photons of the key basis, (0, 0.5].
        leaked_bits: lambda_EC, >= 0.
        security_bits: 6 log2(b/eps_sec) + log2(2/eps_cor), the price of being sure, > 0.
        eps_secret: eps_sec of this key, (0, 1).
        eps_correct: eps_cor, (0, 1).
        length_bits: l, >= 0; 0 means no key.
        reason: "" for a key, else why there is none.
    """

    protocol: str
    sifted_bits: int
    errors: int
    qber: float
    vacuum: float
    single: float
    single_test: float
    single_test_errors: float
    phase_error: float
    leaked_bits: float
    security_bits: float
    eps_secret: float
    eps_correct: float
    length_bits: int
    reason: str


def finite_key(counts: np.ndarray | np.void, hardware: str | Hardware, leaked_bits: float | None = None) -> FiniteKey:
    """The key length of a block with every bound that leads to it.

    Args:
        counts: ``COUNTS`` record.
        hardware: a name in ``PRESETS`` or a :class:`Hardware`.
        leaked_bits: lambda_EC; None for f_EC n h(Q) with the hardware's ``correction_efficiency``.

    Raises:
        ValueError: negative counts, more errors than detections, negative leaked_bits or an unknown preset.
    """
    chosen = preset_by_name(hardware)
    n, m = np.array(counts["n"], np.int64).reshape(2, 3), np.array(counts["m"], np.int64).reshape(2, 3)
    if np.any(m < 0) or np.any(m > n):
        raise ValueError(f"counts: got n={n.tolist()}, m={m.tolist()}, allowed: 0 <= m <= n")
    sifted, errors = int(n[_KEY].sum()), int(m[_KEY].sum())
    qber = errors / sifted if sifted else 0.0
    leak = chosen.correction_efficiency * sifted * binary_entropy(qber) if leaked_bits is None else float(leaked_bits)
    if not leak >= 0:
        raise ValueError(f"leaked_bits: got {leaked_bits!r}, allowed: 0 or more")
    length, s0, s1, phi, s1_test, v1, eps = _secret_bits_of(n, m, hardware_record(chosen)[0], leak)
    terms = _TERMS_ONE_DECOY if chosen.protocol == "one-decoy" else _TERMS_TWO_DECOY
    return FiniteKey(
        protocol=chosen.protocol,
        sifted_bits=sifted,
        errors=errors,
        qber=qber,
        vacuum=s0,
        single=s1,
        single_test=s1_test,
        single_test_errors=v1,
        phase_error=phi,
        leaked_bits=leak,
        security_bits=6.0 * math.log2(terms / eps) + math.log2(2.0 / chosen.eps_correct),
        eps_secret=eps,
        eps_correct=chosen.eps_correct,
        length_bits=max(math.floor(length), 0),
        reason=_reason(length, s1, s1_test, phi),
    )


def _reason(length: float, single: float, single_test: float, phase_error: float) -> str:
    """Why there is no key, or nothing."""
    if length >= 1.0:
        return ""
    if single <= 0 or single_test <= 0:
        return "no single photons can be shown to have arrived"
    if phase_error >= 0.5:
        return "the phase error may be one half"
    return "error correction and security cost more bits than the single photons give"
