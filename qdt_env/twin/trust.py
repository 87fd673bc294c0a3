"""Trust in a source: how well its readings agree with the others' (4-security, "Trust").

D = sum (z - zhat)^2 / (sigma^2 + P) over the M parts of a reading, F = chi2_M cdf(D). Agreement (F < 0.95) feeds the
positive evidence r, surprise the negative evidence s; what the others know little about (iota small) counts little.
"""

import math

import numpy as np

from qdt_env.compiled import rule


@rule
def chi2_3_cdf(d):
    """Chi-square distribution function with 3 degrees of freedom: erf(sqrt(d/2)) - sqrt(2 d / pi) exp(-d/2)."""
    if d <= 0.0:
        return 0.0
    return math.erf(math.sqrt(0.5 * d)) - math.sqrt(2.0 * d / math.pi) * math.exp(-0.5 * d)


@rule
def information(peer_var, reading_var):
    """Information iota = 1 / (1 + P / sigma^2), in [0, 1]: how much the others can tell about this reading."""
    return 1.0 / (1.0 + peer_var / reading_var)


@rule
def credit(source, surprise, iota, step, cfg):
    """Add one piece of evidence to a source record (fields positive, negative, evidence_step).

    Args:
        source: record of the source, written.
        surprise: F in [0, 1].
        iota: information of the peers in [0, 1].
        step: current step.
        cfg: TwinConfig record.
    """
    good = iota if surprise < cfg.accept_quantile else 0.0
    over = (surprise - cfg.accept_quantile) / (1.0 - cfg.accept_quantile)
    bad = cfg.negative_weight * iota * min(max(over, 0.0), 1.0)
    source.positive = cfg.positive_decay * source.positive + good
    source.negative = cfg.negative_decay * source.negative + bad
    source.evidence_step = step


@rule
def trust_score(positive, negative, age_steps, cfg):
    """S = b + u/2 in [0, 1] from evidence r, s that is ``age_steps`` old; 1 when trust is switched off.

    n = r + s + 2; b = r/n e^(-age/tau), d = s/n e^(-age/tau), u = 1 - b - d (Josang's opinion with ageing).
    """
    if cfg.trust_on == 0:
        return np.float32(1.0)
    if positive + negative == np.float32(0.0):
        return np.float32(0.5)  # no evidence: u = 1 at any age
    fade = math.exp(-age_steps / cfg.age_steps)
    n = positive + negative + np.float32(2.0)
    b = positive / n * fade
    d = negative / n * fade
    return np.float32(b + 0.5 * (1.0 - b - d))


@rule
def fusion_weight(trust, link_trust, cfg):
    """Weight S C of a source's readings, zero where S is below ``least_trust``; 1 when trust is switched off."""
    if cfg.trust_on == 0:
        return np.float32(1.0)
    return trust * link_trust if trust >= cfg.least_trust else np.float32(0.0)
