"""Sifted blocks at event and at pulse level: shapes, accounts, what is refused. The laws: tests/statistical."""

from dataclasses import replace

import numpy as np
import pytest

from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.hardware import PRESETS
from qdt_env.security.qkd.pulses import DETECTION, sift_pulses, transmit
from qdt_env.security.qkd.transmission import Adversary, event_level_block, sift

ROBOT = PRESETS["robot100MHz"]


def rng(seed=1):
    return np.random.Generator(np.random.Philox(key=seed))


def block_counts():
    counts = np.zeros(1, COUNTS)
    counts["pulses"] = 1e6
    counts["n"][0] = [[700, 500, 0], [200, 140, 0]]
    counts["m"][0] = [[14, 11, 0], [4, 3, 0]]
    return counts[0]


def test_sifted_bits_have_the_counted_errors():
    block = sift(block_counts(), rng())
    assert block.alice.shape == block.bob.shape == block.known_to_eve.shape == (1200,)
    assert {array.dtype for array in (block.alice, block.bob, block.known_to_eve)} == {np.dtype(np.uint8)}
    assert set(np.unique(block.alice)) == set(np.unique(block.bob)) == {0, 1}
    assert (block.alice != block.bob).sum() == 25
    assert not block.known_to_eve.any()
    assert block.seconds == pytest.approx(0.01) and block.counts == block_counts()
    assert block.hardware is ROBOT


def test_same_generator_same_block():
    for make in (lambda g: sift(block_counts(), g), lambda g: event_level_block(ROBOT, 20.0, g, pulses=1e6)):
        a, b, c = make(rng(3)), make(rng(3)), make(rng(4))
        assert (a.alice == b.alice).all() and (a.bob == b.bob).all() and a.counts == b.counts
        assert len(a.alice) != len(c.alice) or (a.alice != c.alice).any()


def test_blinding_is_invisible_and_knows_all():
    free = event_level_block(ROBOT, 15.0, rng(5), pulses=1e6)
    blinded = event_level_block(ROBOT, 15.0, rng(5), Adversary(blinding=True), pulses=1e6)
    assert blinded.counts == free.counts and (blinded.alice == free.alice).all()
    assert blinded.known_to_eve.all() and not free.known_to_eve.any()
    assert sift_pulses(transmit(ROBOT, 200_000, 15.0, rng(5), Adversary(blinding=True))).known_to_eve.all()


def test_a_block_without_pulses_or_detections_is_empty():
    for block in (event_level_block(ROBOT, 15.0, rng(), pulses=0), sift(np.zeros(1, COUNTS)[0], rng())):
        assert block.alice.size == block.bob.size == 0 and block.seconds == 0.0
    record = transmit(ROBOT, 0, 15.0, rng())
    assert record.detections.shape == (0,) and sift_pulses(record).counts["n"].sum() == 0


def test_a_whole_block_has_about_the_bits_that_were_wanted():
    block = event_level_block("robot100MHz", 15.0, rng())
    assert abs(block.alice.size - 1e5) < 5 * 1e5**0.5
    assert block.seconds == pytest.approx(0.84, abs=0.02)


def test_detections_of_pulses_are_in_order_and_dead_time_keeps_them_apart():
    record = transmit(ROBOT, 300_000, 3.0, rng())
    found = record.detections
    assert found.dtype == DETECTION and record.pulses == 300_000
    assert np.diff(found["pulse"]).min() == 6  # 50 ns at 100 MHz: five pulses missed after each
    assert found["pulse"].min() >= 0 and found["pulse"].max() < 300_000
    for field in ("alice_basis", "bob_basis", "alice", "bob"):
        assert set(np.unique(found[field])) == {0, 1}
    assert set(np.unique(found["intensity"])) == {0, 1}
    awake = transmit(replace(ROBOT, dead_time_s=0.0), 300_000, 3.0, rng())
    assert np.diff(awake.detections["pulse"]).min() == 1


def test_buffers_do_not_show():
    """More detections than one buffer holds: a pulse is not lost or sent twice at its end."""
    bright = replace(
        ROBOT, dead_time_s=0.0, detector_efficiency=1.0, intensities=(5.0, 1.0, 0.0), shares=(0.9, 0.1, 0.0)
    )
    record = transmit(bright, 400_000, 0.0, rng())
    assert len(record.detections) > (1 << 18)
    assert np.diff(record.detections["pulse"]).min() >= 1
    first = transmit(bright, 100_000, 0.0, rng()).detections
    assert (record.detections[: len(first)] == first).all()


def test_sifting_keeps_matching_bases_only():
    record = transmit(ROBOT, 500_000, 5.0, rng())
    found, block = record.detections, sift_pulses(record)
    same = found[found["alice_basis"] == found["bob_basis"]]
    key = same[same["alice_basis"] == 0]
    assert (block.alice == key["alice"]).all() and (block.bob == key["bob"]).all()
    assert block.counts["n"].sum() == len(same) and block.counts["n"][0].sum() == len(block.alice)
    assert block.counts["m"][0].sum() == (block.alice != block.bob).sum()
    assert block.counts["pulses"] == 500_000 and block.seconds == pytest.approx(5e-3)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="intercepted: got 1.5"):
        Adversary(intercepted=1.5)
    with pytest.raises(ValueError, match="pns: got -0.1"):
        Adversary(pns=-0.1)
    with pytest.raises(ValueError, match="detector_model: got 'lim2014'"):
        transmit("lim2014", 10, 1.0, rng())
    with pytest.raises(ValueError, match="pulses: got -1"):
        transmit(ROBOT, -1, 1.0, rng())
    with pytest.raises(ValueError, match="pulses: got inf"):
        event_level_block(replace(ROBOT, dark_count=0.0), 1e6, rng())
    bad = block_counts()
    bad["m"][0, 0] = 701
    with pytest.raises(ValueError, match="counts: got"):
        sift(bad, rng())
