"""Keys of a link: distilled from the detections it counted, made when needed, set right in its pool."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from qdt_env.frames import Frame
from qdt_env.security.bb84 import Bb84Source, _credited
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.link_life import LinkLife
from qdt_env.security.qkd.gather import qkd_tables
from qdt_env.security.secure_link import SecureLink
from qdt_env.security.suites import suite_by_name

EMPTY = ChannelConfig(initial_pool_bits=0.0)


def life_with_blocks(channel: ChannelConfig = EMPTY, seed: int = 4, loss_db: float = 15.0) -> LinkLife:
    life = LinkLife(suite_by_name("qkd"), channel, "none", seed, 0, 0)
    for step in range(2):
        life.advance(step, 10.0, loss_db, True)
    return life


def source_of(life: LinkLife, channel: ChannelConfig = EMPTY, seed: int = 4) -> Bb84Source:
    return Bb84Source(channel, life.links, life.blocks, seed, 0, 0)


def test_blocks_are_a_pure_function_of_address_and_counts() -> None:
    first, second = (source_of(life_with_blocks()) for _ in range(2))
    other = source_of(life_with_blocks(seed=5), seed=5)
    keys = [first(0, k) for k in range(3)]
    assert keys == [second(0, k) for k in range(3)] and len(set(keys)) == 3
    assert other(0, 0) != keys[0]


def test_closed_blocks_are_distilled_from_the_counts_of_the_link() -> None:
    life = life_with_blocks()
    source = source_of(life)
    source(0, 0)
    (account,) = source.accounts
    counts = life.blocks[1]
    assert account.sifted == counts["n"][0].sum() and account.errors == counts["m"][0].sum()
    assert account.pulses == counts["pulses"] and account.accepted


def test_the_pool_is_set_right_by_what_a_block_really_gave() -> None:
    life = life_with_blocks()
    before, credited = float(life.pool_bits), _credited(life.blocks[1:2], Frame(qkd_tables("robot100MHz")))
    key = source_of(life)(0, 0)
    assert float(life.pool_bits) == pytest.approx(before + 8 * len(key) - credited, abs=0.5)
    assert abs(8 * len(key) - credited) < 0.05 * credited


def test_the_store_filled_before_the_quake_comes_first() -> None:
    channel = ChannelConfig(initial_pool_bits=40_000.0)
    life = life_with_blocks(channel)
    source = source_of(life, channel)
    made = [8 * len(source(0, k)) for k in range(3)]
    assert made[0] < 40_000 <= made[0] + made[1], "two blocks of before"
    assert source.accounts[2].sifted == life.blocks[1]["n"][0].sum(), "then what the link has closed"


def test_a_secure_link_runs_on_such_keys_unless_told_otherwise() -> None:
    link = SecureLink("robot", "server", suite="qkd", seed=1)
    link.advance()
    assert link.send(b"zone 3").payload == b"zone 3"
    account = link.store.account()
    assert account.added > 15_000 and account.taken >= 256
    assert account.added == account.available + account.taken + account.expired


@pytest.mark.slow
def test_secret_lengths_of_both_fidelities_have_one_distribution() -> None:
    """Proof 2: 300 blocks of each, from links of different seeds; Kolmogorov and Smirnov, p > 1e-6."""
    tables = Frame(qkd_tables("robot100MHz"))
    real, said = [], []
    for seed in range(300):
        life = life_with_blocks(seed=seed)
        real.append(8 * len(source_of(life, seed=seed)(0, 0)))
        said.append(_credited(life_with_blocks(seed=1000 + seed).blocks[1:2], tables))
    assert ks_2samp(real, said).pvalue > 1e-6, (np.mean(real), np.std(real), np.mean(said), np.std(said))
    shifted = np.array(said) + 2 * np.std(said)
    assert ks_2samp(real, shifted).pvalue < 1e-6, "the test can tell: a leak that is not charged would show"
