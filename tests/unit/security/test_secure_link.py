"""SecureLink as a library: its interface, its accounts, and living in another's record."""

import subprocess
import sys

import numpy as np
import pytest

from qdt_env.security.attacks import Attack, attack_table, threats_by_name
from qdt_env.security.channel import ChannelConfig, channel_record
from qdt_env.security.durable_keystore import DurableKeyStore
from qdt_env.security.identity import Party
from qdt_env.security.keystore import KeyStore, KeyUnavailable
from qdt_env.security.link import LINK, reset_link
from qdt_env.security.link_life import MOST_MESSAGES
from qdt_env.security.outcomes import VERDICTS, MessageOutcome
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.secure_link import DOWNLINK, UPLINK, SecureLink
from qdt_env.security.suites import SUITE_NAMES, suite_table

QUIET = ChannelConfig(natural_loss=0.0)


@pytest.mark.parametrize("suite", SUITE_NAMES)
def test_messages_of_any_length_arrive(suite):
    link = SecureLink("robot", "server", suite, QUIET)
    for payload in (b"", b"x", bytes(700), bytes(65_536 if suite != "qkd-otp" else 2_000)):
        for direction in (UPLINK, DOWNLINK):
            got = link.send(payload, direction)
            assert (got.name, got.payload, got.written_step, got.accepted) == ("delivered", payload, 0, True)
    assert link.link["sent"] == 8 == link.link["delivered"]
    assert 0 < link.trust <= 1 and link.step == 0


def test_the_first_message_begins_step_0():
    link = SecureLink("robot", "server", channel=QUIET)
    assert link.step == -1
    link.send(b"x")
    assert link.step == 0
    link.advance()
    assert link.step == 1


def test_a_delivery_in_the_terms_of_both_fidelities():
    got = SecureLink("robot", "server", "qkd-otp", QUIET).send(b"twelve bytes")
    assert got.outcome == MessageOutcome(0, 0, 0, 8 * 12 + 128, 0) and got.outcome.accepted
    assert VERDICTS[got.verdict] == "delivered" and got.overheard is None and got.detail == ""


def test_same_seed_same_verdicts_whatever_the_payload_and_the_keys():
    script = [Attack("tamper", intensity=0.4), Attack("drop", intensity=0.3), Attack("spoof", intensity=0.3)]

    def verdicts(text, seed=3, **more):
        link = SecureLink("robot", "server", "psk", None, script, seed=seed, **more)
        out = []
        for _ in range(40):
            link.advance()
            out.append((link.send(text).outcome, link.send(text, DOWNLINK).outcome))
        return out

    assert verdicts(b"one") == verdicts(b"another") != verdicts(b"one", seed=4)
    assert verdicts(b"one") != verdicts(b"one", entity=1) != verdicts(b"one", episode=1)


def test_several_messages_in_one_step_are_drawn_apart():
    link = SecureLink("robot", "server", "psk", ChannelConfig(natural_loss=0.5), seed=8)
    link.advance()
    names = [link.send(b"x").name for _ in range(40)]
    assert {"delivered", "lost"} == set(names)
    again = SecureLink("robot", "server", "psk", ChannelConfig(natural_loss=0.5), seed=8)
    again.advance()
    mixed = []
    for _ in range(40):  # the other direction between does not change this one's
        again.send(b"y", DOWNLINK)
        mixed.append(again.send(b"x").name)
    assert mixed == names
    link._numbers[UPLINK] = MOST_MESSAGES
    with pytest.raises(ValueError, match="messages: got 16385"):
        link.send(b"x")


def test_the_attackers_words():
    link = SecureLink("robot", "server", "plaintext", QUIET, Attack("tamper"), forge=lambda words: b"not " + words)
    got = link.send(b"safe")
    assert (got.name, got.payload, got.overheard) == ("forged", b"not safe", b"safe")


def test_a_stolen_key_reads_and_forges_until_the_next_epoch():
    script = [Attack("key-compromise", onset_step=2), Attack("tamper", onset_step=2)]
    link = SecureLink("robot", "server", "qkd", QUIET, script, forge=lambda _: b"lies")
    seen = []
    for _ in range(8):
        link.advance()
        got = link.send(b"truth")
        seen.append((got.name, got.payload, got.overheard))
    assert seen[:2] == [("delivered", b"truth", None)] * 2
    assert seen[2:6] == [("forged", b"lies", b"truth")] * 4
    assert seen[6:] == [("rejected", None, None)] * 2


def test_a_refusal_says_why():
    link = SecureLink("robot", "server", "qkd", QUIET, [Attack("tamper"), Attack("spoof")])
    detail = link.send(b"x").detail
    assert "injected frame refused: unverified" in detail and detail.endswith("AES-GCM tag does not verify")


def test_the_wiretap_hears_every_frame():
    heard = []
    link = SecureLink(
        "robot", "server", "psk", QUIET, Attack("spoof"), wiretap=lambda data, way: heard.append((way, len(data)))
    )
    link.send(b"abc", DOWNLINK)
    assert heard == [(DOWNLINK, 30 + 3 + 16)] * 2


def test_a_link_lives_in_the_record_of_its_owner():
    """As an engine does it: the owner resets and advances the record, the link follows."""
    links = np.zeros((2, 3), LINK)
    channel = channel_record(QUIET)[0]
    table = attack_table(threats_by_name("tamper"))
    reset_link(links[1, 2], np.zeros(2, COUNTS), suite_table()[4], table, channel, np.uint64(9), 0, 2)
    link = SecureLink("robot", "server", "qkd", QUIET, table, seed=9, entity=2, record=links[1, 2:3])
    for step in (0, 1, 4):
        link.follow(step)
        link.send(b"x")
    assert links[1, 2]["sent"] == 3
    assert links[0, 0]["sent"] == 0 and link.step == 4
    with pytest.raises(ValueError, match="step: got 4"):
        link.follow(4)


def test_key_bits_come_from_the_source_as_the_record_charges_them():
    asked = []

    def source(link, block):
        asked.append((link, block))
        return b"" if block % 2 else bytes([block]) * 100

    link = SecureLink("robot", "server", "qkd", QUIET, entity=7, key_source=source)
    for _ in range(40):
        link.advance()
    assert link.store.account().taken == link.link["key_bits_spent"] == 7 * 256
    assert asked == [(7, block) for block in range(len(asked))] and len(asked) >= 3


def test_a_source_that_makes_no_key_is_given_up():
    with pytest.raises(KeyUnavailable, match="link 0"):
        SecureLink("robot", "server", "qkd", QUIET, key_source=lambda link, block: b"").advance()
    full = KeyStore(capacity_bits=128)
    with pytest.raises(KeyUnavailable):
        SecureLink("robot", "server", "qkd", QUIET, store=full).advance()


def test_a_durable_store_feeds_a_link(tmp_path):
    store = DurableKeyStore(tmp_path / "keys.db")
    link = SecureLink("robot", "server", "qkd-otp", QUIET, store=store)
    for _ in range(3):
        assert link.send(b"reading").accepted
    spent = store.account().taken
    store.close()
    again = DurableKeyStore(tmp_path / "keys.db")
    assert again.account().taken == spent == 3 * (56 + 128)
    again.close()


def test_a_monitor_flag_throws_the_stored_bits_away():
    channel = ChannelConfig(natural_loss=0.0, monitor_probability=1.0)
    link = SecureLink("robot", "server", "qkd", channel, Attack("blinding", onset_step=3))
    for _ in range(3):
        link.advance()
        assert link.send(b"x").accepted
    assert link.store.available_bits > 0
    link.advance()
    assert link.send(b"x").name == "no key" and link.store.available_bits == 0
    account = link.store.account()
    assert account.expired > 0 and account.added == account.taken + account.expired


def test_parties_are_shared_between_links():
    server = Party("server")
    links = [SecureLink(f"robot {i}", server, "pqc", QUIET, entity=i) for i in range(2)]
    assert all(link.send(b"x").accepted for link in links)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"suite": "qdk"}, "suite"),
        ({"threats": "tampering"}, "threats"),
        ({"record": np.zeros(2, LINK)}, "record"),
        ({"record": np.zeros(1)}, "record"),
        ({"a": ""}, "name"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        SecureLink(**{"a": "robot", "b": "server"} | arguments)


def test_wrong_calls_are_refused_by_name():
    link = SecureLink("robot", "server")
    for call, message in (
        (lambda: link.send(b"", 2), "direction: got 2"),
        (lambda: link.send(bytes(65_537)), "payload: got 65537"),
        (lambda: link.advance(dt_s=0.0), "dt_s"),
        (lambda: link.advance(loss_db=-1.0), "loss_db"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert link.step == -1


def test_the_statistical_channel_does_not_need_the_cryptography_package():
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from qdt_env.security import simulate_link; simulate_link('qkd', steps=1)\n"
        "import qdt_env.security.secure_link"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
