"""Frequencies of the statistical channel: fixed seeds, stated n, exact tails with p > 1e-6."""

import numpy as np
import pytest
from scipy import stats

from qdt_env.security import attacks
from qdt_env.security.attacks import Attack, link_is_target
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.outcomes import VERDICTS
from qdt_env.security.simulate import simulate_link
from qdt_env.security.suites import SUITE_NAMES

P_FLOOR = 1e-6
STEPS = 10_000
N = 2 * STEPS  # messages per run
LOSS = 0.03
CHANNEL = ChannelConfig(natural_loss=LOSS, pool_capacity_bits=1e9, initial_pool_bits=1e8)
AUTHENTICATED = SUITE_NAMES[1:]


def verdict_shares(suite, kind, p):
    """Probability of each verdict by the rules of 4-security, for one attack that strikes with probability p."""
    arrives = 1.0 - LOSS
    shares = dict.fromkeys(VERDICTS, 0.0)
    plain = suite == "plaintext"
    if kind in ("jam", "drop"):
        shares["delivered"], shares["lost"] = arrives * (1 - p), LOSS + arrives * p
    elif kind in ("tamper", "mitm"):
        shares["delivered"], shares["lost"] = arrives * (1 - p), LOSS
        shares["forged" if plain else "rejected"] = arrives * p
    elif kind == "delay":
        shares["delivered"], shares["lost"] = arrives * (1 - p), LOSS
        shares["forged" if plain else "delayed"] = arrives * p
    else:  # spoof, replay: injected beside the genuine message, lost or not
        hidden = p if plain else 0.0
        shares["delivered"], shares["lost"], shares["forged"] = arrives * (1 - hidden), LOSS * (1 - hidden), hidden
    return np.array(list(shares.values()))


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("kind", ["jam", "drop", "tamper", "mitm", "delay", "spoof", "replay"])
def test_verdict_frequencies(suite, kind):
    p = 0.37
    # Onset 1: nothing older than the episode exists at step 0, so delay and replay act differently there.
    script = Attack(kind, onset_step=1, intensity=p, delay_steps=1)
    run = simulate_link(suite, script, channel=CHANNEL, steps=STEPS + 1, seed=11)
    counts = np.bincount(run.verdicts[1:].ravel(), minlength=len(VERDICTS))
    expected = N * verdict_shares(suite, kind, p)
    assert np.all(counts[expected == 0] == 0), "a verdict that the rules exclude"
    possible = expected > 0
    assert stats.chisquare(counts[possible], expected[possible]).pvalue > P_FLOOR
    if kind in ("spoof", "replay") and suite != "plaintext":
        refused = int(run.injected_rejected[1:].sum())
        assert stats.binomtest(refused, N, p).pvalue > P_FLOOR


@pytest.mark.parametrize("suite", SUITE_NAMES)
def test_natural_loss_frequency(suite):
    run = simulate_link(suite, channel=CHANNEL, steps=STEPS, seed=12)
    assert run.counts()["lost"] + run.counts()["delivered"] == N
    assert stats.binomtest(run.counts()["lost"], N, LOSS).pvalue > P_FLOOR


def test_two_attacks_strike_independently():
    script = [Attack("drop", intensity=0.3), Attack("tamper", intensity=0.4), Attack("spoof", intensity=0.2)]
    run = simulate_link("psk", script, channel=ChannelConfig(natural_loss=0.0), steps=STEPS, seed=13)
    cells = np.bincount((run.verdicts * 2 + run.injected_rejected).ravel(), minlength=12)
    lost, rejected, delivered = 0.3, 0.7 * 0.4, 0.7 * 0.6
    order = [("delivered", delivered), ("lost", lost), ("rejected", rejected)]
    seen = [cells[VERDICTS.index(name) * 2 + injected] for name, _ in order for injected in (0, 1)]
    expected = [N * share * q for _, share in order for q in (0.8, 0.2)]
    assert stats.chisquare(seen, expected).pvalue > P_FLOOR


@pytest.mark.parametrize(("natural_loss", "dropped"), [(0.5, 0.0), (0.0, 0.5)])
def test_up_and_downlink_are_independent_and_messages_are_not_correlated_in_time(natural_loss, dropped):
    """n = 10,000 pairs of verdicts: uplink x downlink, and each with the next step; by nature and by an attacker."""
    channel = ChannelConfig(natural_loss=natural_loss)
    run = simulate_link("psk", Attack("drop", intensity=dropped), channel=channel, steps=STEPS, seed=14)
    lost = run.verdicts == VERDICTS.index("lost")
    for first, second in ((lost[:, 0], lost[:, 1]), (lost[:-1, 0], lost[1:, 0]), (lost[:-1, 1], lost[1:, 0])):
        table = np.histogram2d(first, second, bins=2)[0]
        assert stats.chi2_contingency(table, correction=False).pvalue > P_FLOOR


def test_share_of_targeted_links():
    """n = 10,000 links per kind; each kind draws for itself."""
    hit = {
        kind: np.array([link_is_target(21, 0, e, kind, np.float32(0.25)) for e in range(10_000)])
        for kind in (attacks.TAMPER, attacks.JAM, attacks.INSIDER)
    }
    for drawn in hit.values():
        assert stats.binomtest(int(drawn.sum()), 10_000, 0.25).pvalue > P_FLOOR
    table = np.histogram2d(hit[attacks.TAMPER], hit[attacks.JAM], bins=2)[0]
    assert stats.chi2_contingency(table, correction=False).pvalue > P_FLOOR


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_qber_estimate_has_the_sampling_error_of_its_block(share):
    """n = 3,000 blocks of 100,000 bits: normal about Q = e + f (1/4 - e/2) with variance Q(1-Q)/n_Z."""
    run = simulate_link("qkd", Attack("intercept", intensity=share), steps=3_000, seed=15)
    q = 0.02 + share * 0.24
    z = (run.qber.astype(np.float64) - q) / np.sqrt(q * (1 - q) / 1e5)
    assert stats.kstest(z, "norm").pvalue > P_FLOOR


def test_alarm_is_quiet_without_and_quick_with_an_eavesdropper():
    """n = 50,000 quiet steps, no alarm; at f = 2 % an alarm within 5 steps, 200 times of 200."""
    assert simulate_link("qkd", steps=50_000, seed=16).alarm.max() == 0
    script = Attack("intercept", onset_step=10, intensity=0.02)
    for episode in range(200):
        alarm = simulate_link("qkd", script, steps=15, seed=17, episode=episode).alarm
        assert alarm[:10].max() == 0 and alarm[14] == 1


def test_monitor_flags_blinding_at_its_rate():
    """n = 4,000 links: the first flag comes at step 0 with probability p_mon."""
    channel = ChannelConfig(monitor_probability=0.2)
    flagged = sum(
        int(simulate_link("qkd", Attack("blinding"), channel=channel, steps=1, seed=18, entity=e).alarm[0] == 2)
        for e in range(4_000)
    )
    assert stats.binomtest(flagged, 4_000, 0.2).pvalue > P_FLOOR


def test_theft_succeeds_at_its_rate_and_is_tried_once():
    """n = 4,000 links."""
    script = Attack("key-compromise", onset_step=2, intensity=0.3)
    stolen = sum(int(simulate_link("psk", script, steps=8, seed=19, entity=e).key_known[-1]) for e in range(4_000))
    assert stats.binomtest(stolen, 4_000, 0.3).pvalue > P_FLOOR
