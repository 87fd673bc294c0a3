"""One link's key life: epochs, pool, starvation, alarms, stolen keys and trust."""

import math

import numpy as np
import pytest

from qdt_env.frames import Frame
from qdt_env.security import link as links
from qdt_env.security.attacks import Attack, attack_table
from qdt_env.security.channel import ChannelConfig, channel_record
from qdt_env.security.link import ALARMS, LINK, advance_link, explain_link_trust, link_trust, reset_link, trust_factors
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.detection import CELLS_SHAPE
from qdt_env.security.qkd.gather import qkd_tables
from qdt_env.security.simulate import simulate_link
from qdt_env.security.suites import suite_by_name, suite_table

TABLES = Frame(qkd_tables("robot100MHz"))
SUITES = suite_table()


class Life:
    """A link stepped by hand."""

    def __init__(self, suite="qkd", attacks=(), **channel):
        self.suite = SUITES[suite_by_name(suite).code]
        self.attacks = attack_table(attacks)
        self.channel = channel_record(ChannelConfig(**channel))[0]
        self.link = np.zeros(1, LINK)[0]
        self.blocks, self.cells = np.zeros(5, COUNTS), np.zeros(CELLS_SHAPE)
        self.step = 0
        reset_link(self.link, self.blocks, self.suite, self.attacks, self.channel, 5, 0, 0)

    def advance(self, steps=1, path_open=False, loss_db=15.0):
        for _ in range(steps):
            advance_link(
                self.link, self.blocks, self.cells, self.suite, self.attacks, self.channel, TABLES, np.float32(loss_db),
                path_open, np.float32(10), 5, 0, self.step, 0,
            )  # fmt: skip
            self.step += 1
        return self.link


def test_reset_overwrites_everything_of_the_last_episode():
    life = Life()
    fresh = life.link.copy()
    dirty = np.ones(1, LINK)[0]
    reset_link(dirty, life.blocks, life.suite, life.attacks, life.channel, 5, 0, 0)
    assert dirty == fresh


def test_epochs_follow_the_clock_and_cost_256_bits_each():
    life = Life()
    assert life.link["key_bits_spent"] == 256 and life.link["epoch"] == 0
    link = life.advance(19)
    assert link["epoch"] == 3 and link["epoch_step"] == 18
    assert link["key_bits_spent"] == 4 * 256
    assert link["pool_bits"] == 65_536 - 4 * 256


def test_open_path_fills_the_store_block_by_block_and_then_idles():
    life = Life()
    pool = [float(life.advance(1, path_open=True)["pool_bits"]) for _ in range(5)]
    assert life.link["blocks"] == 2 and pool[0] == pool[4], "a store without room for a block asks for none"
    assert 131_072 - 30_000 <= pool[4] <= 131_072


def test_a_block_is_gathered_over_as_many_steps_as_it_takes():
    life = Life(initial_pool_bits=256.0)
    shares = [float(life.advance(1, path_open=True, loss_db=33.0)["block_share"]) for _ in range(12)]
    closed = int(life.link["blocks"])
    assert closed >= 1 and shares[0] < shares[1] < 1.0
    assert life.blocks[1]["n"][0].sum() == pytest.approx(1e5, abs=5 * math.sqrt(1e5)), "a closed block is a whole one"
    assert life.blocks[0]["n"][0].sum() == pytest.approx(1e5 * shares[-1], abs=5 * math.sqrt(1e5))


def test_no_keys_through_a_closed_path_or_a_jammed_one():
    assert Life().advance(1)["pool_bits"] == 65_536 - 256
    assert Life(attacks=[Attack("jam")]).advance(1, path_open=True)["pool_bits"] == 65_536 - 256


def test_software_suites_have_no_pool():
    for suite in ("plaintext", "psk", "ecdh", "pqc"):
        link = Life(suite).advance(13, path_open=True)
        assert link["pool_bits"] == 0 and link["key_bits_spent"] == 0 and link["key_ready"] == 1


def test_starved_qkd_holds_and_comes_back_as_soon_as_there_are_bits():
    life = Life(initial_pool_bits=300.0)
    assert life.advance(6)["key_ready"] == 1
    link = life.advance(1)
    assert link["key_ready"] == 0 and link["fallback"] == 0
    link = life.advance(1, path_open=True)
    assert link["key_ready"] == 1 and link["epoch_step"] == 7


@pytest.mark.parametrize(("suite", "fallback"), [("qkd", "pqc"), ("qkd", "hybrid"), ("hybrid", "hold")])
def test_starved_link_goes_on_with_software_keys_and_returns_to_qkd(suite, fallback):
    life = Life(suite, initial_pool_bits=300.0, fallback=fallback)
    link = life.advance(10)
    assert (link["key_ready"], link["fallback"]) == (1, 1)
    assert link["key_bits_spent"] == 256
    link = life.advance(1, path_open=True)
    assert (link["key_ready"], link["fallback"]) == (1, 0)


def test_qber_estimate_shows_the_interception_and_raises_the_alarm():
    quiet = simulate_link("qkd", steps=720)
    assert ALARMS[quiet.alarm.max()] == "none"
    watched = simulate_link("qkd", Attack("intercept", onset_step=50, intensity=0.1, last_step=99), steps=200)
    assert watched.qber[50:100].mean() == pytest.approx(0.02 + 0.1 * 0.24, abs=3e-4)
    assert watched.alarm[:50].max() == 0
    assert np.all(watched.alarm[51:100] == links.QBER_ALARM)
    assert np.all(watched.alarm[120:] == 0)  # falls once the eavesdropper has gone


def test_photon_number_splitting_costs_key_and_leaves_the_qber():
    split = simulate_link("qkd", Attack("pns", intensity=0.3), steps=2, loss_db=25.0, channel=ChannelConfig())
    clean = simulate_link("qkd", steps=2, loss_db=25.0)
    assert split.pool_bits[0] < clean.pool_bits[0]
    assert np.array_equal(split.qber, clean.qber)


def test_theft_opens_one_epoch_of_qkd_and_all_of_psk():
    theft = Attack("key-compromise", onset_step=8)
    known = simulate_link("qkd", theft, steps=60).key_known
    assert np.flatnonzero(known).tolist() == list(range(8, 12))
    known = simulate_link("psk", theft, steps=60).key_known
    assert np.flatnonzero(known).tolist() == list(range(8, 60))


def test_blinding_gives_the_key_until_the_monitor_flags_it_then_the_pool_is_dropped():
    unwatched = simulate_link("qkd", Attack("blinding"), steps=60, channel=ChannelConfig(monitor_probability=0.0))
    assert np.all(unwatched.key_known == 1) and unwatched.alarm.max() == 0
    flagged = simulate_link("qkd", Attack("blinding"), steps=60, channel=ChannelConfig(monitor_probability=1.0))
    assert np.all(flagged.key_known == 0) and np.all(flagged.alarm[1:] == links.MONITOR_ALARM)
    assert flagged.pool_bits[0] == 0 and flagged.counts()["no key"] > 0


def test_recorded_ecdh_traffic_opens_when_the_quantum_adversary_comes():
    before = simulate_link("ecdh", Attack("quantum-adversary", onset_step=40), steps=40)
    after = simulate_link("ecdh", Attack("quantum-adversary", onset_step=40), steps=41)
    assert before.link["exposed"] == 0
    assert after.link["exposed"] == after.link["sent"] == 82


def test_trust_is_the_product_of_its_factors():
    life = Life("qkd")
    life.link["qber"] = 0.065
    life.link["auth_fail_rate"] = 0.5
    life.link["loss_rate"] = 0.505
    g_key, h_q, h_auth, h_loss = trust_factors(life.link, life.suite, life.channel)
    assert (g_key, h_q, h_auth, h_loss) == pytest.approx((0.97, 0.5, 0.75, 0.75), rel=1e-5)
    trust = link_trust(life.link, life.suite, life.channel)
    assert trust == pytest.approx(0.97 * 0.5 * 0.75 * 0.75, rel=1e-5)
    why = explain_link_trust(life.link, life.suite, life.channel)
    assert math.exp(-sum(why.values())) == pytest.approx(trust, rel=1e-5)
    assert max(why, key=why.__getitem__) == "qber"


def test_trust_of_a_link_past_the_qber_limit_is_zero_but_a_hybrid_keeps_its_software_keys():
    for suite, expected in (("qkd", 0.0), ("hybrid", 0.9), ("pqc", 0.9)):
        life = Life(suite)
        life.link["qber"] = 0.2
        assert link_trust(life.link, life.suite, life.channel) == pytest.approx(expected)
    life = Life("qkd")
    life.link["qber"] = 0.2
    assert explain_link_trust(life.link, life.suite, life.channel)["qber"] == math.inf


def test_a_link_on_fallback_is_trusted_as_its_software_keys():
    life = Life("qkd", fallback="pqc")
    life.link["fallback"], life.link["qber"] = 1, 0.2
    assert link_trust(life.link, life.suite, life.channel) == pytest.approx(0.9)
