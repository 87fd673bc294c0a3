"""What must hold for every script of attacks, suite and channel."""

import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.security.attacks import ATTACK_KINDS, SOURCE_KINDS_MASK, Attack
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.outcomes import DELAYED, DELIVERED, FORGED, NO_KEY
from qdt_env.security.simulate import simulate_link
from qdt_env.security.suites import FALLBACKS, SUITE_NAMES, suite_by_name


@st.composite
def attacks(draw, kinds=ATTACK_KINDS):
    """An adversary's script: some kinds, each with valid fields."""
    chosen = draw(st.lists(st.sampled_from(kinds), unique=True, max_size=5))
    share = st.floats(0.0, 1.0, width=32)
    return [
        Attack(
            kind,
            onset_step=draw(st.integers(0, 30)),
            intensity=draw(share) * (100 if (1 << ATTACK_KINDS.index(kind)) & SOURCE_KINDS_MASK else 1),
            targets=draw(share),
            last_step=draw(st.none() | st.integers(30, 60)),
            period_steps=draw(st.integers(1, 9)),
            delay_steps=draw(st.integers(1, 20)),
        )
        for kind in chosen
    ]


channels = st.builds(
    ChannelConfig,
    fallback=st.sampled_from(FALLBACKS),
    initial_pool_bits=st.floats(0.0, 9_000.0),
    epoch_steps=st.integers(1, 12),
    natural_loss=st.floats(0.0, 0.9),
    monitor_probability=st.floats(0.0, 1.0),
    max_age_steps=st.integers(0, 12),
)
seeds = st.integers(0, 2**64 - 1)
names = st.sampled_from(SUITE_NAMES)


@settings(max_examples=150, deadline=None)
@given(names, attacks(), channels, seeds, st.floats(0.0, 60.0), st.booleans())
def test_every_run_keeps_its_ranges_and_its_accounts(suite, script, channel, seed, loss_db, path_open):
    run = simulate_link(
        suite, script, channel=channel, steps=50, seed=seed, loss_db=loss_db, quantum_path_open=path_open
    )
    link = run.link
    assert link["sent"] == 100 == sum(run.counts().values())
    assert np.all((run.verdicts >= 0) & (run.verdicts <= FORGED)) and np.all((run.contents >= 0) & (run.contents <= 2))
    assert np.all((run.trust >= 0) & (run.trust <= 1))
    assert np.all((run.pool_bits >= 0) & (run.pool_bits <= channel.pool_capacity_bits))
    assert np.all((run.qber >= 0) & (run.qber <= 1))
    assert 0 <= link["auth_fail_rate"] <= 1 and 0 <= link["loss_rate"] <= 1
    assert 0 <= link["exposed"] <= link["sent"]
    steps = np.arange(50)[:, None]
    assert np.all((run.ages_steps >= 0) & (run.ages_steps <= steps))
    assert np.all((run.verdicts == DELAYED) <= (run.ages_steps <= channel.max_age_steps))
    assert np.all((run.contents > 0) <= (run.verdicts == FORGED))
    assert np.all((run.verdicts == FORGED) <= (run.contents > 0))
    assert np.all((run.verdicts == NO_KEY) <= (run.key_bits == 0))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SUITE_NAMES[1:]),
    attacks([k for k in ATTACK_KINDS if k not in ("key-compromise", "quantum-adversary", "blinding")]),
    channels,
    seeds,
)
def test_no_forgery_is_accepted_under_a_tag_whose_key_is_safe(suite, script, channel, seed):
    run = simulate_link(suite, script, channel=channel, steps=50, seed=seed)
    assert run.link["forged"] == 0 and run.link["exposed"] == 0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["qkd", "qkd-otp", "hybrid"]), channels, seeds)
def test_without_a_quantum_path_no_key_bit_appears_or_vanishes(suite, channel, seed):
    run = simulate_link(suite, channel=channel, steps=50, seed=seed, quantum_path_open=False)
    start = np.float32(channel.initial_pool_bits)
    assert run.link["pool_bits"] + run.link["key_bits_spent"] == np.float32(start) or np.isclose(
        run.link["pool_bits"] + run.link["key_bits_spent"], start, rtol=1e-6
    )
    per_epoch = suite_by_name(suite).key_bits_per_epoch
    spent = run.link["key_bits_spent"] - run.key_bits.sum()
    assert spent == (0 if per_epoch == 0 else per_epoch * round(float(spent) / per_epoch))


@settings(max_examples=40, deadline=None)
@given(names, attacks(), seeds)
def test_same_seed_same_run_and_an_idle_attack_changes_nothing(suite, script, seed):
    first = simulate_link(suite, script, steps=30, seed=seed)
    again = simulate_link(suite, script, steps=30, seed=seed)
    assert np.array_equal(first.verdicts, again.verdicts) and first.link == again.link
    quiet = simulate_link(suite, steps=30, seed=seed)
    later = [Attack(a.kind, 1000, a.intensity, a.targets, None, a.period_steps, a.delay_steps) for a in script]
    idle = simulate_link(suite, later, steps=30, seed=seed)
    assert np.array_equal(quiet.verdicts, idle.verdicts) and np.array_equal(quiet.pool_bits, idle.pool_bits)


@settings(max_examples=40, deadline=None)
@given(names, attacks(["tamper", "mitm", "delay"]), seeds)
def test_attacks_leave_the_natural_losses_where_they_were(suite, script, seed):
    """Common random numbers: what gets lost by itself is the same with and without an attacker."""
    channel = ChannelConfig(natural_loss=0.3)
    quiet = simulate_link(suite, steps=40, seed=seed, channel=channel)
    attacked = simulate_link(suite, script, steps=40, seed=seed, channel=channel)
    lost = quiet.verdicts != DELIVERED
    assert np.array_equal(quiet.verdicts[lost], attacked.verdicts[lost])


def test_security_stands_alone():
    """A fresh interpreter that uses a link has loaded of the project only what the layer may use."""
    code = (
        "import sys, qdt_env.security as s; s.suite_by_name('qkd');"
        "print(*(m for m in sys.modules if m.startswith('qdt_env.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[1] for name in out.split()}
    assert loaded <= {"security", "compiled", "random", "units", "frames"}
