"""Agreement of the three levels: closed-form cells, event-level bits, pulse-level physics. Fixed seeds, p > 1e-6."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from qdt_env.security.qkd.detection import cell_probabilities, known_shares
from qdt_env.security.qkd.hardware import PRESETS, hardware_record
from qdt_env.security.qkd.pulses import sift_pulses, transmit
from qdt_env.security.qkd.transmission import Adversary, event_level_block

P_FLOOR = 1e-6
ROBOT = PRESETS["robot100MHz"]
AWAKE = replace(ROBOT, dead_time_s=0.0)
PULSES = 1_000_000
SEEDS = 16
ADVERSARIES = {
    "none": Adversary(),
    "intercept": Adversary(intercepted=0.3),
    "splitting": Adversary(pns=0.5),
    "both": Adversary(intercepted=0.2, pns=0.3),
}


def rng(seed):
    return np.random.Generator(np.random.Philox(key=seed))


def by_cell(counts):
    """(8,) detections: basis x intensity x {right, wrong}, the intensity that is not sent left out."""
    return np.stack([counts["n"] - counts["m"], counts["m"]], -1)[:, :2].ravel()


def p_values(cells, blocks):
    """Chi-square of each block's nine counts (no detection in matching bases is the ninth) against the cells."""
    share = cells[:, :2].ravel()
    share = np.append(share, 1 - share.sum())
    found = []
    for block in blocks:
        seen = by_cell(block.counts)
        pulses = float(block.counts["pulses"])
        found.append(stats.chisquare(np.append(seen, pulses - seen.sum()), share * pulses).pvalue)
    return np.array(found)


def pooled_p(cells, blocks):
    """The same for all blocks together: sees what is too small to show in one."""
    share = cells[:, :2].ravel()
    seen, pulses = sum(by_cell(block.counts) for block in blocks), sum(float(b.counts["pulses"]) for b in blocks)
    share = np.append(share, 1 - share.sum())
    return stats.chisquare(np.append(seen, pulses - seen.sum()), share * pulses).pvalue


@cache
def pulse_blocks(name):
    """16 seeds x 1e6 pulses at 10 dB, pulse by pulse."""
    return [sift_pulses(transmit(AWAKE, PULSES, 10.0, rng(100 + i), ADVERSARIES[name])) for i in range(SEEDS)]


@pytest.mark.parametrize("name", list(ADVERSARIES))
def test_pulses_agree_with_the_closed_form(name):
    """Agreement proof 1, pulse level: 16 seeds x 1e6 pulses at 10 dB; p uniform, and the sum of all seeds agrees."""
    adversary = ADVERSARIES[name]
    cells = cell_probabilities(AWAKE, 10.0, adversary.intercepted, adversary.pns)
    found = p_values(cells, pulse_blocks(name))
    assert found.min() > P_FLOOR / SEEDS
    assert stats.kstest(found, "uniform").pvalue > P_FLOOR
    assert pooled_p(cells, pulse_blocks(name)) > P_FLOOR


@pytest.mark.parametrize("name", list(ADVERSARIES))
def test_events_agree_with_the_closed_form(name):
    """Agreement proof 1, event level: 400 seeds x 1e6 pulses at 10 dB."""
    adversary = ADVERSARIES[name]
    blocks = [event_level_block(AWAKE, 10.0, rng(1000 + i), adversary, PULSES) for i in range(400)]
    found = p_values(cell_probabilities(AWAKE, 10.0, adversary.intercepted, adversary.pns), blocks)
    assert found.min() > P_FLOOR / 400
    assert stats.kstest(found, "uniform").pvalue > P_FLOOR


@pytest.mark.parametrize(
    "planted",
    [
        {"misalignment": 0.024},
        {"detector_efficiency": 0.52},
        {"dark_count": 1e-4},
        {"shares": (0.33, 0.67, 0.0)},
        {"intensities": (0.35, 0.12, 0.0)},
        {"key_basis_probability": 0.65},
    ],
    ids=lambda planted: next(iter(planted)),
)
def test_the_agreement_can_fail(planted):
    """A closed form with one number off by a few parts in a hundred (dark counts, misalignment: more) is caught."""
    assert pooled_p(cell_probabilities(replace(AWAKE, **planted), 10.0), pulse_blocks("none")) < P_FLOOR


def test_an_eavesdropper_who_is_forgotten_is_caught():
    """Without the term for interception, or with a half where a quarter belongs, the closed form is red."""
    for closed in (cell_probabilities(AWAKE, 10.0), cell_probabilities(replace(AWAKE, misalignment=0.164), 10.0)):
        assert pooled_p(closed, pulse_blocks("intercept")) < P_FLOOR


def test_dead_time_costs_what_the_closed_form_says():
    """1e7 pulses at 10 dB: the total within five sigma, the shares of the cells multinomial given the total."""
    counts = sift_pulses(transmit(ROBOT, 10_000_000, 10.0, rng(7))).counts
    cells = cell_probabilities(ROBOT, 10.0)
    seen, share = by_cell(counts), cells[:, :2].ravel()
    expected = 1e7 * share.sum()
    assert abs(seen.sum() - expected) < 5 * expected**0.5
    assert stats.chisquare(seen, share / share.sum() * seen.sum()).pvalue > P_FLOOR
    assert abs(1e7 * cell_probabilities(AWAKE, 10.0).sum() - seen.sum()) > 8 * expected**0.5


@pytest.mark.parametrize("name", ["intercept", "splitting", "both"])
def test_what_the_eavesdropper_knows_is_the_same_at_both_levels(name):
    """8e6 pulses at 10 dB: known and unknown, right and wrong bits, pulse level against the closed form and events."""
    adversary = ADVERSARIES[name]
    pulse = sift_pulses(transmit(AWAKE, 8_000_000, 10.0, rng(31), adversary))
    event = event_level_block(AWAKE, 10.0, rng(32), adversary, 8_000_000)
    table = [
        np.bincount(2 * (block.alice != block.bob) + block.known_to_eve, minlength=4).tolist()
        for block in (pulse, event)
    ]
    assert stats.chi2_contingency(table).pvalue > P_FLOOR
    known = np.zeros((3, 2))
    known_shares(known, hardware_record(AWAKE)[0], 10.0, adversary.intercepted, adversary.pns)
    cells = cell_probabilities(AWAKE, 10.0, adversary.intercepted, adversary.pns)[0]
    share = float((cells * known).sum() / cells.sum())
    assert stats.binomtest(int(pulse.known_to_eve.sum()), pulse.alice.size, share).pvalue > P_FLOOR


def test_bits_are_fair_and_errors_lie_anywhere():
    """1e6 sifted bits: ones, runs of Alice's bits, and the places of errors, in 100 equal parts."""
    block = event_level_block(replace(ROBOT, block_bits=1e6), 15.0, rng(41), Adversary(intercepted=0.1))
    n = block.alice.size
    assert stats.binomtest(int(block.alice.sum()), n, 0.5).pvalue > P_FLOOR
    assert stats.binomtest(int((block.alice[1:] != block.alice[:-1]).sum()), n - 1, 0.5).pvalue > P_FLOOR
    wrong = block.alice != block.bob
    for places in (np.flatnonzero(wrong), np.flatnonzero(block.known_to_eve)):
        seen = np.histogram(places, bins=100, range=(0, n))[0]
        assert stats.chisquare(seen).pvalue > P_FLOOR
    assert stats.chi2_contingency(np.histogram2d(wrong[1:], wrong[:-1], bins=2)[0]).pvalue > P_FLOOR
    assert stats.chi2_contingency(np.histogram2d(wrong, block.alice, bins=2)[0]).pvalue > P_FLOOR


def test_photon_number_splitting_shows_in_the_decoys_and_not_in_the_qber():
    """1e7 pulses at 20 dB: the signal's gain and QBER stay, the decoy's gain falls by a quarter or more."""
    free = sift_pulses(transmit(AWAKE, 10_000_000, 20.0, rng(51)))
    split = sift_pulses(transmit(AWAKE, 10_000_000, 20.0, rng(52), Adversary(pns=0.5)))
    signal = [block.counts["n"][:, 0].sum() for block in (free, split)]
    decoy = [block.counts["n"][:, 1].sum() for block in (free, split)]
    errors = [[block.counts["m"].sum(), block.counts["n"].sum() - block.counts["m"].sum()] for block in (free, split)]
    assert stats.binomtest(int(signal[0]), int(sum(signal)), 0.5).pvalue > P_FLOOR
    assert stats.chi2_contingency(errors).pvalue > P_FLOOR
    assert decoy[1] < 0.75 * decoy[0]
