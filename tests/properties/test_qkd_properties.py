"""What must hold for every block of counts, every link and every adversary."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.security.qkd.asymptotic import secret_key_rate_bit_s
from qdt_env.security.qkd.counts import COUNTS, draw_counts, leaked_bits
from qdt_env.security.qkd.detection import cell_probabilities, known_shares
from qdt_env.security.qkd.finite_key import finite_key, key_length
from qdt_env.security.qkd.gather import qkd_tables
from qdt_env.security.qkd.hardware import PRESETS, hardware_record
from qdt_env.security.qkd.table import finite_key_rate
from qdt_env.security.qkd.transmission import Adversary, event_level_block

NAMES = st.sampled_from(list(PRESETS))
SHARE = st.floats(0.0, 1.0)
LOSS_DB = st.floats(0.0, 60.0)
SEEDS = st.integers(0, 2**64 - 1)


@st.composite
def blocks(draw):
    """Any counts, possible or not by physics: detections and not more errors than these."""
    counts = np.zeros(1, COUNTS)
    size = draw(st.sampled_from([10, 1_000, 10**5, 10**9, 10**14]))
    for basis in range(2):
        for k in range(3):
            n = draw(st.integers(0, size))
            counts["n"][0, basis, k], counts["m"][0, basis, k] = n, draw(st.integers(0, n))
    counts["pulses"] = float(counts["n"].sum()) * 10
    return counts[0]


@settings(max_examples=300, deadline=None)
@given(NAMES, blocks(), st.floats(0.0, 1e6))
def test_key_lengths_stay_in_their_ranges_for_any_counts(name, counts, leak):
    length, s0, s1, phi = key_length(counts, hardware_record(name)[0], leak)
    n = int(counts["n"][0].sum())
    assert 0 <= length <= max(n - leak, 0) and length == int(length)
    assert s0 >= 0 and s1 >= 0 and s0 + s1 <= n * (1 + 1e-12) and 0 < phi <= 0.5
    told = finite_key(counts, name, leak)
    assert told.length_bits == length and bool(told.reason) == (length == 0)


@settings(max_examples=150, deadline=None)
@given(NAMES, st.floats(0.0, 30.0), st.floats(3.0, 5.5), SEEDS, st.integers(1, 1000))
def test_more_errors_leaks_or_doubt_never_lengthen_a_key(name, loss_db, digits, seed, more):
    hardware = replace(PRESETS[name], block_bits=10.0**digits, eps_per_bit=False, eps_secret=1e-10)
    counts = event_level_block(hardware, loss_db, np.random.Generator(np.random.Philox(key=seed))).counts
    record = hardware_record(hardware)[0]
    length = key_length(counts, record, 0.0)[0]
    assert key_length(counts, record, float(more))[0] <= length
    sure = hardware_record(replace(hardware, eps_secret=1e-14))[0]
    assert key_length(counts, sure, 0.0)[0] <= length
    worse = counts.copy()
    worse["m"][1, 0 if hardware.protocol == "one-decoy" else 1] += more  # test-basis errors of the intensity in v1
    assert key_length(worse, record, 0.0)[0] <= length


@settings(max_examples=150, deadline=None)
@given(NAMES, LOSS_DB, SHARE, SHARE)
def test_cells_are_probabilities_and_knowledge_is_too(name, loss_db, intercepted, pns):
    cells = cell_probabilities(name, loss_db, intercepted, pns)
    assert np.all(cells >= 0) and cells.sum() < 1
    assert np.all(cells[..., 1] <= cells[..., 0] * (1 + 1e-9) + 1e-15)  # wrong at most as often as right
    known = np.zeros((3, 2))
    known_shares(known, hardware_record(name)[0], loss_db, intercepted, pns)
    assert np.all((known >= 0) & (known <= 1))
    if intercepted == 0 and pns == 0:
        assert not known.any()


@settings(max_examples=100, deadline=None)
@given(NAMES, LOSS_DB, SHARE, SHARE)
def test_no_finite_block_beats_the_limit_and_no_attack_helps(name, loss_db, intercepted, pns):
    rate = finite_key_rate(name, loss_db, intercepted, pns)[0]
    assert rate <= secret_key_rate_bit_s(name, loss_db, intercepted, pns) * (1 + 1e-9)
    assert rate <= finite_key_rate(name, loss_db, 0.0, pns)[0] * (1 + 1e-9)


@settings(max_examples=100, deadline=None)
@given(LOSS_DB, SHARE, SHARE, st.integers(0, 10**12), SEEDS, st.integers(0, 2**24 - 1), st.integers(0, 2**14 - 1))
def test_drawn_counts_are_counts(loss_db, intercepted, pns, pulses, seed, step, index):
    counts = np.zeros(1, COUNTS)[0]
    draw_counts(
        counts, cell_probabilities("daylight", loss_db, intercepted, pns), pulses, np.uint64(seed), 0, step, 0, index
    )
    assert np.all(counts["m"] >= 0) and np.all(counts["m"] <= counts["n"]) and counts["n"].sum() <= pulses
    assert counts["pulses"] == pulses


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_leak_lies_between_shannon_and_everything(errors, n):
    errors = min(errors, n)
    leak = leaked_bits(errors, n, qkd_tables("robot100MHz").leak)
    assert 0 <= leak <= n
    q = errors / n if n else 0.0
    if 0 < q < 0.5:
        assert leak >= min(n, 1.02 * n * (-q * np.log2(q) - (1 - q) * np.log2(1 - q)) - 1e-6)


@settings(max_examples=60, deadline=None)
@given(LOSS_DB, SHARE, SHARE, st.booleans(), SEEDS)
def test_blocks_keep_their_accounts(loss_db, intercepted, pns, blinding, seed):
    rng = np.random.Generator(np.random.Philox(key=seed))
    block = event_level_block("robot100MHz", loss_db, rng, Adversary(intercepted, pns, blinding), pulses=1e6)
    assert len(block.alice) == len(block.bob) == len(block.known_to_eve) == block.counts["n"][0].sum()
    assert (block.alice ^ block.bob).sum() == block.counts["m"][0].sum()
    assert max(block.alice.max(initial=0), block.bob.max(initial=0), block.known_to_eve.max(initial=0)) <= 1
