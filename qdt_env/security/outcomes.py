"""What becomes of one message: the contract that both fidelities of the channel keep.

The statistical fidelity draws the outcome here from the link's state, its suite and the attacks; the wire fidelity
must return the same :class:`MessageOutcome` from real bytes. Deciding (:func:`message_outcome`) and bookkeeping
(:func:`record_outcome`) are apart, so that the decision stays a pure function.
"""

from dataclasses import dataclass

import numpy as np

from qdt_env import random
from qdt_env.compiled import phase, rule
from qdt_env.security.attacks import (
    DELAY,
    DROP,
    JAM,
    MESSAGE_KINDS_MASK,
    MITM,
    N_ATTACK_KINDS,
    REPLAY,
    SPOOF,
    TAMPER,
    attack_is_on,
)
from qdt_env.security.suites import HOLD, TAG_BITS

VERDICTS = ("delivered", "lost", "delayed", "rejected", "no key", "forged")
DELIVERED, LOST, DELAYED, REJECTED, NO_KEY, FORGED = range(6)

CONTENTS = ("genuine", "altered", "old")
GENUINE, ALTERED, OLD = range(3)

_ZERO = np.float32(0.0)


@dataclass(frozen=True)
class MessageOutcome:
    """The fate of one message slot (one sender, one receiver, one step, one direction).

    Attributes:
        verdict: index of ``VERDICTS``. ``FORGED`` means that the receiver accepted something the sender did not send
            now: the ground truth of a successful attack, which the receiver cannot see. ``REJECTED`` is a genuine
            message that was spoiled on the way and did not verify; ``NO_KEY`` was never sent.
        content: index of ``CONTENTS``: what the receiver acts on. Genuine for a verdict of delivered or delayed,
            altered (the attacker's words) or old (a true message of earlier) for forged, else without meaning (0).
        age_steps: how many steps ago the content was written, >= 0; 0 for what is fresh, altered or did not arrive.
            The receiver knows the age of a delayed message, and believes that a forged one is fresh.
        key_bits: key bits taken from the pool for this message, >= 0.
        injected_rejected: 1 if an injected message also came and did not verify, else 0.
    """

    verdict: int
    content: int
    age_steps: int
    key_bits: int
    injected_rejected: int

    @property
    def accepted(self) -> bool:
        """Whether the receiver acts on something."""
        return self.verdict in (DELIVERED, DELAYED, FORGED)


@rule
def _is_open(link):
    """Whether the attacker holds or can compute the session's key."""
    return link["key_known"] == 1 or link["compromised"] == 1 or link["broken"] == 1


@rule
def forgeable(link, suite_record):
    """Whether an attacker can make messages that verify: nothing to verify, or the key is known or broken."""
    return suite_record["authenticated"] == 0 or _is_open(link)


@rule
def readable(link, suite_record):
    """Whether an attacker can read this link's messages now."""
    return suite_record["confidential"] == 0 or _is_open(link)


@rule
def message_key_bits(link, suite_record, channel_record, message_bits):
    """Key bits that a message spends, or -1 when it cannot be sent for want of keys.

    One-time pad: the message's own length and a tag. An empty pool stops it under the policy "hold"; else the message
    goes under software keys and spends nothing.
    """
    if suite_record["one_time_pad"]:
        needed = np.int32(message_bits) + np.int32(TAG_BITS)
        if link["key_ready"] and link["pool_bits"] >= np.float32(needed):
            return needed
        return np.int32(-1) if channel_record["fallback"] == HOLD else np.int32(0)
    return np.int32(0) if link["key_ready"] else np.int32(-1)


@rule
def message_outcome(link, suite_record, attack_table, channel_record, message_bits, seed, episode, step, entity, index):
    """Decide one message's fate, writing nothing.

    Args:
        link: ``LINK`` record, advanced to this step.
        suite_record: ``SUITE`` record.
        attack_table: (17,) ``ATTACK`` records.
        channel_record: ``CHANNEL`` record.
        message_bits: length of the payload in bits, >= 0.
        seed, episode, step, entity, index: address of the draws; entity is the link's number, index the message's
            number within the step (0 uplink, 1 downlink), below 2^15.

    Returns:
        (verdict, content, age_steps, key_bits, injected_rejected), int32 each, as in :class:`MessageOutcome`.
    """
    key_bits = message_key_bits(link, suite_record, channel_record, message_bits)
    verdict = np.int32(DELIVERED)
    if key_bits < 0:
        verdict, key_bits = np.int32(NO_KEY), np.int32(0)
    elif random.uniform(seed, episode, step, random.CHANNEL, entity, index) < channel_record["natural_loss"]:
        verdict = np.int32(LOST)
    if link["targets"] & MESSAGE_KINDS_MASK == 0:
        return verdict, np.int32(GENUINE), np.int32(0), key_bits, np.int32(0)
    return _attacked_outcome(
        link, suite_record, attack_table, channel_record, verdict, key_bits, seed, episode, step, entity, index
    )


@rule
def _message_attacks(link, attack_table, step):
    """Bit mask of the message attacks that hit this link now."""
    active = np.int32(0)
    for kind in range(MITM, N_ATTACK_KINDS):
        bit = np.int32(1 << kind)
        if link["targets"] & MESSAGE_KINDS_MASK & bit and attack_is_on(attack_table[kind], step):
            active |= bit
    return active


@rule
def _strikes(active, attack_table, kind, draw):
    """Whether an active attack hits this message: one Bernoulli(intensity) draw."""
    return (active & (1 << kind)) != 0 and draw < attack_table[kind]["intensity"]


@rule
def _interfered(verdict, authenticated, forgeable_now, max_age_steps, held_steps, replaced, dropped, delayed):
    """Fate of the genuine message between the two ends: (verdict, content, age_steps).

    A message that is dropped cannot be altered, and one that is replaced is replaced whether late or not.
    """
    if verdict != DELIVERED:
        return verdict, np.int32(GENUINE), np.int32(0)
    if dropped:
        return np.int32(LOST), np.int32(GENUINE), np.int32(0)
    if replaced:
        if forgeable_now:
            return np.int32(FORGED), np.int32(ALTERED), np.int32(0)
        return np.int32(REJECTED), np.int32(GENUINE), np.int32(0)
    if not delayed:
        return verdict, np.int32(GENUINE), np.int32(0)
    if held_steps == 0:
        return np.int32(LOST), np.int32(GENUINE), np.int32(0)  # step 0: the message is still held, none before it
    if not authenticated:
        return np.int32(FORGED), np.int32(OLD), np.int32(held_steps)  # with a rewritten time stamp it looks fresh
    if held_steps > max_age_steps:
        return np.int32(REJECTED), np.int32(GENUINE), np.int32(0)
    return np.int32(DELAYED), np.int32(GENUINE), np.int32(held_steps)


@phase
def _attacked_outcome(
    link, suite_record, attack_table, channel_record, verdict, key_bits, seed, episode, step, entity, index
):
    """The outcome on a link that message attacks aim at; arguments and result as in :func:`message_outcome`.

    A jammer silences everybody, other attackers too. An injected message comes whether or not the genuine one does;
    where it verifies it is what the receiver acts on.
    """
    none = np.int32(0)
    active = _message_attacks(link, attack_table, step)
    if active == 0:
        return verdict, np.int32(GENUINE), none, key_bits, none
    jam, drop, delay, tamper = random.uniform4(seed, episode, step, random.ATTACK, entity, 2 * index)
    mitm, spoof, replay, _ = random.uniform4(seed, episode, step, random.ATTACK, entity, 2 * index + 1)
    if _strikes(active, attack_table, JAM, jam):
        return (verdict if verdict == NO_KEY else np.int32(LOST)), np.int32(GENUINE), none, key_bits, none
    forgeable_now = forgeable(link, suite_record)
    verdict, content, age_steps = _interfered(
        verdict,
        suite_record["authenticated"],
        forgeable_now,
        channel_record["max_age_steps"],
        min(attack_table[DELAY]["delay_steps"], step),  # nothing is older than the episode
        _strikes(active, attack_table, TAMPER, tamper) or _strikes(active, attack_table, MITM, mitm),
        _strikes(active, attack_table, DROP, drop),
        _strikes(active, attack_table, DELAY, delay),
    )
    spoofed = _strikes(active, attack_table, SPOOF, spoof)
    recorded_steps = min(attack_table[REPLAY]["delay_steps"], step)
    replayed = _strikes(active, attack_table, REPLAY, replay) and recorded_steps > 0
    if spoofed and forgeable_now and verdict != NO_KEY:  # a receiver without a key opens nothing
        return np.int32(FORGED), np.int32(ALTERED), none, key_bits, none
    # Whoever replays or delays moves recorded bytes: the window and the time stamp stop that even under a known key.
    # (Making a new message with a known key is what spoof and tamper do.)
    if replayed and not suite_record["authenticated"]:
        return np.int32(FORGED), np.int32(OLD), np.int32(recorded_steps), key_bits, none
    return verdict, content, age_steps, key_bits, np.int32(1) if (spoofed or replayed) else none


@rule
def _moved_average(average, rate, event):
    """Exponentially weighted moving average after one more observation."""
    return average + rate * ((np.float32(1.0) if event else _ZERO) - average)


@rule
def record_outcome(link, suite_record, channel_record, verdict, content, age_steps, key_bits, injected_rejected, step):
    """Write one outcome into the link: counters, evidence, and the pool. The only writer of these fields.

    Args:
        link: ``LINK`` record, changed.
        suite_record: ``SUITE`` record.
        channel_record: ``CHANNEL`` record.
        verdict, content, age_steps, key_bits, injected_rejected: as returned by :func:`message_outcome`.
        step: step of the message.
    """
    link["sent"] += 1
    if verdict == DELIVERED:
        link["delivered"] += 1
    elif verdict == LOST:
        link["lost"] += 1
    elif verdict == DELAYED:
        link["delayed"] += 1
    elif verdict == REJECTED:
        link["rejected"] += 1
    elif verdict == NO_KEY:
        link["no_key"] += 1
    else:
        link["forged"] += 1
    if verdict == DELIVERED or verdict == FORGED:
        link["last_delivered_step"] = step
    elif verdict == DELAYED:
        link["last_delivered_step"] = max(link["last_delivered_step"], step - age_steps)
    link["injected_rejected"] += injected_rejected
    if verdict != NO_KEY and readable(link, suite_record):
        link["exposed"] += 1
    link["pool_bits"] = max(link["pool_bits"] - np.float32(key_bits), _ZERO)
    link["key_bits_spent"] += np.float32(key_bits)
    if suite_record["one_time_pad"] and verdict != NO_KEY:
        link["fallback"] = 1 if key_bits == 0 else 0
    _weigh_evidence(link, channel_record, verdict, injected_rejected)


@rule
def _weigh_evidence(link, channel_record, verdict, injected_rejected):
    """What the receiver learns about the link: a gap for a loss, a failed tag for what did not verify."""
    if verdict == NO_KEY and injected_rejected == 0:
        return  # nothing was sent, so nothing is missing
    rate = channel_record["evidence_rate"]
    if verdict != NO_KEY:
        link["loss_rate"] = _moved_average(link["loss_rate"], rate, verdict == LOST)
    if verdict != LOST or injected_rejected == 1:
        failed = verdict == REJECTED or injected_rejected == 1
        link["auth_fail_rate"] = _moved_average(link["auth_fail_rate"], rate, failed)
