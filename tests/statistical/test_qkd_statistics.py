"""Counts of detections against the distributions they are drawn from: fixed seeds, stated n, p > 1e-6."""

import numpy as np
import pytest
from scipy import stats

from qdt_env.compiled import batch
from qdt_env.security.qkd.counts import COUNTS, draw_binomial, draw_counts
from qdt_env.security.qkd.detection import cell_probabilities

P_FLOOR = 1e-6


@batch
def _binomials(out, n, p, seed):
    """One number per step."""
    for step in range(out.shape[0]):
        out[step] = draw_binomial(n, p, seed, 0, step, 0, 0)


@batch
def _blocks(blocks, cells, pulses, seed, entity, parts):
    """One block per step, drawn in so many parts."""
    for step in range(blocks.shape[0]):
        for part in range(parts):
            draw_counts(blocks[step], cells, pulses, seed, 0, step, entity, part)


def binomials(n, p, size, seed=3):
    out = np.zeros(size)
    _binomials(out, float(n), p, seed)
    return out


def pooled_chi2(values, law, most_cells=40):
    """Chi-square of whole numbers against a distribution, in about equally likely cells."""
    edges = np.unique(law.ppf(np.linspace(0, 1, most_cells + 1)[1:-1]))
    cdf = np.concatenate([[0.0], law.cdf(edges), [1.0]])
    share = np.diff(cdf)
    seen = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(share))
    keep = share * len(values) > 5
    seen, share = np.append(seen[keep], seen[~keep].sum()), np.append(share[keep], share[~keep].sum())
    return stats.chisquare(*((seen, share * len(values)) if share[-1] > 0 else (seen[:-1], share[:-1] * len(values))))


@pytest.mark.parametrize(
    ("n", "p"),
    [
        (3, 0.4), (20, 0.5), (50, 0.1), (25, 0.39), (25, 0.41), (100, 0.0999), (100, 0.1001), (40, 0.75), (1000, 0.995),
        (1e4, 1e-4), (1e6, 5e-5), (1e5, 0.3), (1e8, 7e-4), (1e12, 3e-9), (1e13, 1e-12), (2**52, 1e-10),
    ],
)  # fmt: skip
def test_binomial_draws_are_binomial(n, p):
    """Draws: 200,000 each, both algorithms and the border between them (np = 10)."""
    values = binomials(n, p, 200_000)
    assert pooled_chi2(values, stats.binom(n, p)).pvalue > P_FLOOR


def test_the_binomial_test_can_fail():
    """A mean off by one part in a thousand at n p = 1e4, and the normal approximation at n p = 12, are caught."""
    assert pooled_chi2(binomials(1e8, 1.001e-4, 200_000), stats.binom(1e8, 1e-4)).pvalue < P_FLOOR
    rounded = np.round(np.random.Generator(np.random.Philox(1)).normal(12, np.sqrt(12 * 0.88), 200_000))
    assert pooled_chi2(rounded, stats.binom(100, 0.12)).pvalue < P_FLOOR


@pytest.mark.parametrize(("loss_db", "intercepted", "pns"), [(10.0, 0.0, 0.0), (25.0, 0.1, 0.0), (20.0, 0.0, 0.5)])
def test_block_counts_are_multinomial(loss_db, intercepted, pns):
    """Blocks: 20,000 of 1e6 pulses. Every block's chi-square over its cells is chi-square distributed."""
    cells = cell_probabilities("robot100MHz", loss_db, intercepted, pns)
    blocks = np.zeros(20_000, COUNTS)
    _blocks(blocks, cells, 1e6, 5, 0, 1)
    right, wrong = (blocks["n"] - blocks["m"])[:, :, :2], blocks["m"][:, :, :2]
    seen = np.stack([right, wrong], -1).reshape(len(blocks), 8).astype(float)
    seen = np.column_stack([seen, 1e6 - seen.sum(1)])
    share = np.append(cells[:, :2].ravel(), 1 - cells.sum())
    total = stats.chisquare(seen.sum(0), share * 1e6 * len(blocks))
    assert total.pvalue > P_FLOOR
    centred = (seen - share * 1e6)[:, :-1]
    inverse = np.linalg.inv(1e6 * (np.diag(share[:-1]) - np.outer(share[:-1], share[:-1])))
    distance = np.einsum("bi,ij,bj->b", centred, inverse, centred)
    # Rare cells (mean of a few wrong bits) make it not quite chi-square: compare its mean, which is exactly 8.
    error = distance.std() / np.sqrt(len(blocks))
    assert abs(distance.mean() - 8.0) / error < 5.0


def test_parts_of_a_block_add_up_to_the_whole():
    """Blocks: 20,000 drawn in five parts of 2e5 pulses against 20,000 in one of 1e6: the same distribution."""
    cells = cell_probabilities("robot100MHz", 15.0)
    whole, parts = np.zeros(20_000, COUNTS), np.zeros(20_000, COUNTS)
    _blocks(whole, cells, 1e6, 6, 0, 1)
    _blocks(parts, cells, 2e5, 6, 1, 5)
    assert (whole["pulses"] == parts["pulses"]).all()
    for field in ("n", "m"):
        a, b = whole[field].sum((1, 2)), parts[field].sum((1, 2))
        assert stats.ttest_ind(a, b).pvalue > P_FLOOR
        assert stats.levene(a, b).pvalue > P_FLOOR
        assert stats.ks_2samp(a, b).pvalue > P_FLOOR


def test_parts_steps_and_links_are_independent():
    """Blocks: 20,000 pairs, neighbouring in step, part or link: no correlation of their detections."""
    cells = cell_probabilities("robot100MHz", 15.0)
    one, other = np.zeros(20_000, COUNTS), np.zeros(20_000, COUNTS)
    _blocks(one, cells, 1e6, 7, 0, 1)
    _blocks(other, cells, 1e6, 7, 1, 1)
    first, second = one["n"].sum((1, 2)), other["n"].sum((1, 2))
    two = np.zeros(20_000, COUNTS)
    _blocks(two, cells, 1e6, 7, 0, 2)
    for a, b in ((first[:-1], first[1:]), (first, second), (first, two["n"].sum((1, 2)) - first)):
        assert stats.pearsonr(a, b).pvalue > P_FLOOR
    assert stats.pearsonr(one["n"][:, 0, 0], one["n"][:, 1, 1]).pvalue > P_FLOOR
