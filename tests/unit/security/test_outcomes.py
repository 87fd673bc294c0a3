"""Message outcomes: who falls and who stands, for every suite under every attack of 4-security's table."""

import numpy as np
import pytest

from qdt_env.security.attacks import Attack
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.outcomes import CONTENTS, VERDICTS, MessageOutcome
from qdt_env.security.simulate import simulate_link
from qdt_env.security.suites import SUITE_NAMES

# A full store: a jammed link makes no keys, and here the message rules are under test, not starvation.
CLEAN = ChannelConfig(natural_loss=0.0, initial_pool_bits=1_048_576.0, pool_capacity_bits=1_048_576.0)
AEAD = [name for name in SUITE_NAMES if name != "plaintext"]
STEPS = 60


def run(suite, *attacks, channel=CLEAN, steps=STEPS, **more):
    return simulate_link(suite, attacks, channel=channel, steps=steps, **more)


def only(verdict, run_):
    """Whether every message of the run met this verdict."""
    return np.all(run_.verdicts == VERDICTS.index(verdict))


@pytest.mark.parametrize("suite", SUITE_NAMES)
def test_without_attack_everything_arrives(suite):
    assert only("delivered", run(suite))


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("kind", ["drop", "jam"])
def test_what_is_dropped_or_jammed_is_lost_whatever_the_suite(suite, kind):
    assert only("lost", run(suite, Attack(kind)))


@pytest.mark.parametrize("kind", ["tamper", "mitm"])
def test_replaced_messages_fool_only_those_who_do_not_verify(kind):
    fooled = run("plaintext", Attack(kind))
    assert only("forged", fooled) and np.all(fooled.contents == CONTENTS.index("altered"))
    for suite in AEAD:
        assert only("rejected", run(suite, Attack(kind))), suite


@pytest.mark.parametrize("kind", ["spoof", "replay"])
def test_injected_messages_leave_the_genuine_one_untouched_where_tags_are_checked(kind):
    for suite in AEAD:
        result = run(suite, Attack(kind))
        assert only("delivered", result), suite
        # Nothing is recorded before step 0, so the first step has nothing to replay.
        assert np.all(result.injected_rejected[1:] == 1), suite
        assert result.link["injected_rejected"] == result.injected_rejected.sum()


def test_plaintext_takes_spoofed_words_and_old_ones():
    spoofed = run("plaintext", Attack("spoof"))
    assert only("forged", spoofed) and np.all(spoofed.contents == CONTENTS.index("altered"))
    replayed = run("plaintext", Attack("replay", delay_steps=4))
    assert np.all(replayed.verdicts[1:] == VERDICTS.index("forged"))
    assert np.all(replayed.contents[1:] == CONTENTS.index("old"))
    assert replayed.ages_steps[:7, 0].tolist() == [0, 1, 2, 3, 4, 4, 4]


def test_delay_is_honest_late_or_refused_and_invisible_only_in_plaintext():
    for suite in AEAD:
        late = run(suite, Attack("delay", delay_steps=6))
        assert np.all(late.verdicts[1:] == VERDICTS.index("delayed")), suite
        assert np.all(late.ages_steps[6:] == 6) and np.all(late.contents == 0)
        too_late = run(suite, Attack("delay", delay_steps=7))
        assert np.all(too_late.verdicts[7:] == VERDICTS.index("rejected")), suite
    fooled = run("plaintext", Attack("delay", delay_steps=7))
    assert np.all(fooled.verdicts[1:] == VERDICTS.index("forged"))
    assert np.all(fooled.contents[1:] == CONTENTS.index("old")) and np.all(fooled.ages_steps[7:] == 7)


@pytest.mark.parametrize("suite", AEAD)
@pytest.mark.parametrize("kind", ["delay", "replay"])
def test_moving_recorded_bytes_fails_even_with_a_known_key(suite, kind):
    assert run(suite, Attack("key-compromise"), Attack(kind)).link["forged"] == 0


@pytest.mark.parametrize("kind", ["tamper", "mitm", "spoof"])
def test_key_compromise_psk_falls_for_ever_the_others_recover_within_an_epoch(kind):
    theft = Attack("key-compromise", onset_step=20)
    for suite in AEAD:
        forged = np.flatnonzero(run(suite, theft, Attack(kind)).verdicts[:, 0] == VERDICTS.index("forged"))
        expected = range(20, STEPS) if suite == "psk" else range(20, 24)  # the next rekeying is at step 24
        assert forged.tolist() == list(expected), suite


@pytest.mark.parametrize("kind", ["tamper", "mitm", "spoof"])
def test_quantum_adversary_takes_ecdh_and_no_other_tag(kind):
    quantum = Attack("quantum-adversary", onset_step=20)
    for suite in AEAD:
        forged = np.flatnonzero(run(suite, quantum, Attack(kind)).verdicts[:, 0] == VERDICTS.index("forged"))
        assert forged.tolist() == (list(range(20, STEPS)) if suite == "ecdh" else []), suite


def test_blinding_takes_qkd_keys_and_a_hybrid_stands_on_its_software_parts():
    blind = ChannelConfig(natural_loss=0.0, monitor_probability=0.0)
    for suite in AEAD:
        result = run(suite, Attack("blinding"), Attack("quantum-adversary"), Attack("tamper"), channel=blind)
        assert only("forged" if suite in ("qkd", "qkd-otp", "ecdh") else "rejected", result), suite


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("kind", ["insider", "collusion", "sleeper", "whitewash", "on-off"])
def test_lying_sources_are_no_matter_of_the_link(suite, kind):
    assert only("delivered", run(suite, Attack(kind, intensity=3.0, period_steps=3)))


def test_eavesdropping_starves_the_one_time_pad_first_then_qkd_and_never_the_others():
    poor = ChannelConfig(natural_loss=0.0, initial_pool_bits=4_000.0)
    eavesdropper = Attack("intercept", intensity=0.5)
    first = {
        suite: next(iter(np.flatnonzero(r.verdicts[:, 1] == VERDICTS.index("no key"))), None)
        for suite in SUITE_NAMES
        for r in [run(suite, eavesdropper, channel=poor, steps=200)]
    }
    assert first["qkd-otp"] == 0  # 4,000 bits pay one message of 2,176
    assert first["qkd"] == 90  # 15 epochs of 256 bits, 6 steps each
    assert all(first[suite] is None for suite in ("plaintext", "psk", "ecdh", "pqc", "hybrid"))


@pytest.mark.parametrize("fallback", ["pqc", "hybrid"])
@pytest.mark.parametrize("suite", ["qkd", "qkd-otp"])
def test_starved_links_with_a_fallback_go_on(suite, fallback):
    poor = ChannelConfig(natural_loss=0.0, initial_pool_bits=2_500.0, fallback=fallback)
    result = run(suite, channel=poor, quantum_path_open=False, steps=100)
    assert only("delivered", result)
    assert result.link["fallback"] == 1
    assert result.trust[-1] == pytest.approx(0.9)


def test_one_time_pad_spends_2176_bits_for_each_message_sent_even_if_lost():
    result = run("qkd-otp", Attack("drop"), quantum_path_open=False, steps=10)
    assert np.all(result.key_bits == 2176)
    assert result.link["key_bits_spent"] == 20 * 2176
    assert result.pool_bits[-1] == 1_048_576 - 20 * 2176


def test_injection_reaches_a_link_that_has_no_key_and_is_refused():
    broke = ChannelConfig(natural_loss=0.0, initial_pool_bits=0.0)
    result = run("qkd", Attack("spoof"), channel=broke, quantum_path_open=False)
    assert only("no key", result) and np.all(result.injected_rejected == 1)


def test_jammer_silences_other_attackers_too():
    assert only("lost", run("plaintext", Attack("jam"), Attack("spoof"), Attack("tamper")))


def test_counters_add_up_and_evidence_follows():
    result = run("psk", Attack("tamper", intensity=0.5), Attack("drop", intensity=0.3), steps=300)
    link, counts = result.link, result.counts()
    assert link["sent"] == 600 == sum(counts.values())
    for name, count in counts.items():
        assert link[name.replace(" ", "_")] == count
    assert 0.2 < link["auth_fail_rate"] < 0.8 and 0.05 < link["loss_rate"] < 0.7
    assert result.trust[-1] < 0.7


def test_last_delivered_step_is_what_the_receiver_believes():
    assert run("psk", steps=9).link["last_delivered_step"] == 8
    assert run("psk", Attack("delay", delay_steps=3), steps=9).link["last_delivered_step"] == 5
    assert run("plaintext", Attack("delay", delay_steps=3), steps=9).link["last_delivered_step"] == 8
    assert run("psk", Attack("drop"), steps=9).link["last_delivered_step"] == -1


def test_confidentiality_is_lost_with_the_key_and_never_had_in_plaintext():
    assert run("plaintext").link["exposed"] == 2 * STEPS
    assert run("qkd").link["exposed"] == 0
    assert run("qkd", Attack("key-compromise", onset_step=20)).link["exposed"] == 8
    assert run("psk", Attack("key-compromise", onset_step=20)).link["exposed"] == 2 * (STEPS - 20)


def test_public_outcome_says_whether_the_receiver_acts():
    accepted = [MessageOutcome(code, 0, 0, 0, 0).accepted for code in range(len(VERDICTS))]
    assert accepted == [name in ("delivered", "delayed", "forged") for name in VERDICTS]


@pytest.mark.parametrize(
    ("argument", "value"),
    [("steps", -1), ("loss_db", -0.5), ("loss_db", float("nan")), ("message_bytes", -1), ("dt_s", 0.0)],
)
def test_impossible_runs_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"{argument}: got"):
        simulate_link(**{argument: value})
