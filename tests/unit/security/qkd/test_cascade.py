"""Cascade: it corrects, it counts what it discloses, and it knows nothing else of Alice's bits."""

import numpy as np
import pytest

from qdt_env.random import CHANNEL, words
from qdt_env.security.qkd.cascade import FRAME_BITS, measure_leak, reconcile, shannon_bits
from qdt_env.security.qkd.parities import LEAKED, SHUFFLED_ROWS, word_parity
from qdt_env.security.qkd.passes import CHECKS, QBER_RANGE, block_sizes, correct_frame, scratch


def keys(bits, errors, seed=0):
    """Alice's and Bob's bits with exactly so many errors."""
    rng = np.random.Generator(np.random.Philox(key=[seed, errors]))
    alice = rng.integers(0, 2, bits, dtype=np.uint8)
    bob = alice.copy()
    bob[rng.permutation(bits)[:errors]] ^= 1
    return alice, bob


def corrected_frame(alice, bob, qber, seed=0, searches=1):
    """One frame by the kernel, with everything it leaves behind."""
    her, said, his = scratch(len(alice), block_sizes(qber, len(alice)))
    her.bits[:], his.bits[:] = alice, bob
    done = correct_frame(her, said, his, np.uint64(seed), 0, searches)
    return done, said, his


def asked_sets(said, his, n, seed):
    """(leaked, n) the bits of every parity that was asked, rebuilt from the questions and the public shuffles."""
    sets = np.zeros((int(said.tally[LEAKED]), n), np.uint8)
    for asked, (row, start, level) in zip(sets, said.questions, strict=False):
        order = his.order[row if row < SHUFFLED_ROWS else 0, start : start + (1 << level)]
        bits = order[(order >= 0) & (order < n)] if row else np.arange(start, min(start + (1 << level), n))
        if row >= SHUFFLED_ROWS:
            bits = bits[[in_subset(int(row), int(i), seed) for i in bits]]
        asked[bits] = 1
    return sets


def in_subset(row, i, seed):
    a, b, _, _ = words(np.uint64(seed), 0, row, CHANNEL, 0, i >> 6)
    return bool(((int(a) << 32 | int(b)) >> (i & 63)) & 1)


def null_vectors(matrix):
    """A basis (k, n) of the vectors that have even overlap with every row, by elimination over GF(2)."""
    rows, pivots = matrix.copy(), []
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[len(pivots) :, column]) + len(pivots)
        if len(below) == 0:
            continue
        rows[[len(pivots), below[0]]] = rows[[below[0], len(pivots)]]
        others = np.flatnonzero(rows[:, column])
        others = others[others != len(pivots)]
        rows[others] ^= rows[len(pivots)]
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    free = np.setdiff1d(np.arange(rows.shape[1]), pivots)
    basis = np.zeros((len(free), rows.shape[1]), np.uint8)
    basis[np.arange(len(free)), free] = 1
    basis[:, pivots] = rows[: len(pivots), free].T
    return basis


@pytest.mark.parametrize(("bits", "qber"), [(64, 0.05), (1_000, 0.02), (16_384, 0.01), (16_385, 0.11), (40_000, 0.06)])
def test_bob_ends_with_alices_bits(bits, qber):
    errors = round(bits * qber)
    alice, bob = keys(bits, errors)
    done = reconcile(alice, bob, qber, seed=1)
    assert np.array_equal(done.corrected, alice)
    assert done.corrections == errors and done.hopeless_frames == 0
    assert done.frames == -(-bits // FRAME_BITS)
    assert done.leaked_bits == len(done.answers) and set(np.unique(done.answers)) <= {0, 1}


def test_the_same_inputs_give_the_same_transcript_and_another_seed_another():
    alice, bob = keys(5_000, 150)
    first, again, other = (reconcile(alice, bob, 0.03, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.answers, again.answers) and first.rounds == again.rounds
    assert not np.array_equal(first.answers, other.answers)


def test_inputs_are_left_as_they_are():
    alice, bob = keys(2_000, 60)
    before = alice.copy(), bob.copy()
    reconcile(alice, bob, 0.03, seed=0)
    assert np.array_equal(alice, before[0]) and np.array_equal(bob, before[1])


@pytest.mark.parametrize("searches", [1, 16])
def test_every_answer_is_the_parity_of_what_was_asked_and_holds_for_bob_in_the_end(searches):
    alice, bob = keys(3_000, 150)
    done, said, his = corrected_frame(alice, bob, 0.05, seed=5, searches=searches)
    sets = asked_sets(said, his, len(alice), 5)
    answers = said.answers[: len(sets)]
    assert done and len(sets) > CHECKS
    assert np.array_equal((sets.astype(np.int64) @ alice) % 2, answers)
    assert np.array_equal((sets.astype(np.int64) @ his.bits) % 2, answers)


@pytest.mark.parametrize("searches", [1, 16])
def test_bob_learns_of_alice_nothing_but_the_answers(searches):
    """Another Alice, whose bits differ but give the same answers, leads Bob to do exactly the same."""
    alice, bob = keys(600, 30)
    _, said, his = corrected_frame(alice, bob, 0.05, seed=9, searches=searches)
    hidden = null_vectors(asked_sets(said, his, len(alice), 9))
    assert len(hidden) >= len(alice) - said.tally[LEAKED] > 100
    for combination in (hidden[0], hidden[-1], np.bitwise_xor.reduce(hidden)):
        _, said_too, his_too = corrected_frame(alice ^ combination, bob, 0.05, seed=9, searches=searches)
        assert np.array_equal(said_too.tally, said.tally)
        asked = int(said.tally[LEAKED])
        assert np.array_equal(said_too.questions[:asked], said.questions[:asked])
        assert np.array_equal(said_too.answers[:asked], said.answers[:asked])
        assert np.array_equal(his_too.bits, his.bits)


def test_almost_no_answer_could_have_been_foretold():
    """Parities that follow from earlier ones would be leakage for nothing: nearly all asked sets are independent."""
    asked, foretold = 0, 0
    for seed in range(6):
        alice, bob = keys(1_500, 150, seed)
        _, said, his = corrected_frame(alice, bob, 0.1, seed=seed)
        sets = asked_sets(said, his, len(alice), seed)
        asked += len(sets)
        foretold += len(sets) - (len(alice) - len(null_vectors(sets)))
    assert foretold <= 0.005 * asked


def test_equal_keys_cost_only_the_parities_of_the_blocks():
    alice, _ = keys(FRAME_BITS, 0)
    done = reconcile(alice, alice.copy(), 0.01, seed=0)
    assert np.array_equal(done.corrected, alice) and done.corrections == 0
    blocks = FRAME_BITS // 2**7
    assert blocks + CHECKS < done.leaked_bits < 3 * blocks + CHECKS
    assert done.rounds == SHUFFLED_ROWS + 1


@pytest.mark.parametrize("believed", [0.01, 0.02, 0.08, 0.12])
def test_a_wrong_estimate_of_the_error_rate_costs_parities_and_nothing_else(believed):
    alice, bob = keys(FRAME_BITS, round(0.04 * FRAME_BITS))
    done = reconcile(alice, bob, believed, seed=3)
    assert np.array_equal(done.corrected, alice)
    best = reconcile(alice, bob, 0.04, seed=3).leaked_bits
    assert best < done.leaked_bits < 1.5 * best


def test_errors_in_one_stretch_are_found_too():
    alice, _ = keys(FRAME_BITS, 0)
    bob = alice.copy()
    bob[5_000:5_600] ^= 1
    assert np.array_equal(reconcile(alice, bob, 600 / FRAME_BITS, seed=3).corrected, alice)


def test_keys_without_relation_are_given_up():
    """Half of the bits wrong: Alice would disclose all she has; the frames end, and say so."""
    alice, bob = keys(20_000, 10_000)
    done = reconcile(alice, bob, 0.25, seed=0)
    assert done.hopeless_frames == done.frames == 2
    assert done.leaked_bits <= 20_000 and not np.array_equal(done.corrected, alice)


def test_searches_side_by_side_save_rounds_for_some_leakage():
    alice, bob = keys(50_000, 1_500)
    one = reconcile(alice, bob, 0.03, seed=4, frame_bits=2**16, searches=1)
    many = reconcile(alice, bob, 0.03, seed=4, frame_bits=2**16, searches=64)
    assert np.array_equal(one.corrected, alice) and np.array_equal(many.corrected, alice)
    assert many.rounds < one.rounds / 3
    assert one.leaked_bits < many.leaked_bits < 1.03 * one.leaked_bits


def test_block_sizes_are_the_formulas():
    sizes = block_sizes(0.05, FRAME_BITS)
    assert 2**sizes.first == 16  # 1 / Q = 20, between 2^4 and 2^5 in the logarithm
    wrong = [0.05 * (1 - 0.9 ** (s - 1)) / (1 + 0.9**s) for s in (2, 4, 8, 16)]
    assert sizes.second == (0, *(round(np.log2(2 / p)) for p in wrong))
    assert 2**sizes.third == 2048  # 80 / Q = 1,600
    assert block_sizes(1e-4, 64).first == 5  # never more than half of the frame


def test_posterior_of_a_bit_in_an_even_block():
    """The formula that lays out pass 2, against counting: bits wrong among even blocks of s."""
    s, q = 8, 0.1
    rng = np.random.Generator(np.random.Philox(key=3))
    errors = rng.random((200_000, s)) < q
    even = errors[errors.sum(axis=1) % 2 == 0]
    expected = q * (1 - 0.8 ** (s - 1)) / (1 + 0.8**s)
    z = (even.mean() - expected) / np.sqrt(expected / even.size * 2)  # errors come in pairs
    assert abs(z) < 5


def test_leak_table_is_near_shannons_limit():
    table = measure_leak([0.02, 0.05], bits=20_000, blocks=4)
    assert table.shape == (2, 3) and table[:, 0] == pytest.approx([0.02, 0.05])
    assert np.all((table[:, 1] > 1.0) & (table[:, 1] < 1.1)) and np.all(table[:, 2] < 0.05)
    assert np.array_equal(table, measure_leak([0.02, 0.05], bits=20_000, blocks=4))


def test_shannon_bits_at_known_points():
    assert shannon_bits(0.5, 100) == 100.0
    assert shannon_bits(0.11, 1_000) == pytest.approx(499.9, abs=0.1)


def test_word_parity_counts_all_bits():
    for word in (0, 1, 3, 1 << 63, (1 << 64) - 1, 0x8000_0001_0000_0100):
        assert word_parity(np.uint64(word)) == word.bit_count() % 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"qber": 0.0}, "qber: got 0.0, allowed"),
        ({"qber": QBER_RANGE[1] + 0.01}, "qber: got 0.26"),
        ({"bob": np.zeros(99, np.uint8)}, "bob: got 99 bits, allowed: as many as alice, 100"),
        ({"alice": np.zeros(100)}, r"alice: got float64 of shape \(100,\)"),
        ({"bob": np.full(100, 2, np.uint8)}, "bob: got uint8"),
        ({"frame_bits": 63}, "frame_bits: got 63"),
        ({"searches": 0}, "searches: got 0"),
        ({"alice": np.zeros(9, np.uint8), "bob": np.zeros(9, np.uint8)}, "alice: got 9 bits, allowed: 64 or more"),
    ],
)
def test_wrong_arguments_are_refused_by_name(changed, message):
    alice, bob = keys(100, 5)
    arguments = {"alice": alice, "bob": bob, "qber": 0.05, "seed": 0, **changed}
    with pytest.raises(ValueError, match=message):
        reconcile(**arguments)
