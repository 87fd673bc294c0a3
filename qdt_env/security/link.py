"""One link's key life: keys made and spent, epochs, alarms, starvation, stolen keys, and the trust that follows.

A link is one ``LINK`` record. :func:`reset_link` and :func:`advance_link` write its key fields, once per step and
before the step's messages; ``outcomes.record_outcome`` writes its message counters.
"""

import math

import numpy as np

from qdt_env import random
from qdt_env.compiled import phase, rule
from qdt_env.security.attacks import (
    BLINDING,
    INTERCEPT,
    JAM,
    KEY_COMPROMISE,
    PNS,
    QUANTUM_ADVERSARY,
    attack_is_on,
    target_mask,
)
from qdt_env.security.channel import CHANNEL, ChannelConfig, channel_record, fibre_loss_db, free_space_loss_db
from qdt_env.security.qkd.counts import clear_counts
from qdt_env.security.qkd.detection import intercepted_error_rule
from qdt_env.security.qkd.gather import gather_blocks
from qdt_env.security.suites import HOLD

__all__ = [
    "ALARMS",
    "CHANNEL",
    "LINK",
    "ChannelConfig",
    "advance_link",
    "channel_record",
    "explain_link_trust",
    "fibre_loss_db",
    "free_space_loss_db",
    "link_trust",
    "reset_link",
    "trust_factors",
]

ALARMS = ("none", "qber", "monitor")
NO_ALARM, QBER_ALARM, MONITOR_ALARM = range(3)

# One link. Flags are 0 or 1; shares and rates lie in [0, 1]; counters count messages of this episode.
LINK = np.dtype(
    [
        ("targets", "i4"),  # bit mask over attack kinds that hit this link
        ("pool_bits", "f4"),  # key bits in store, >= 0
        ("qber", "f4"),  # last estimate, [0, 1]
        ("cusum", "f4"),  # accumulated QBER excess, [0, 2 cusum_threshold]
        ("auth_fail_rate", "f4"),  # moving share of arrivals that did not verify
        ("loss_rate", "f4"),  # moving share of sequence gaps
        ("key_bits_spent", "f4"),  # key bits taken from the pool so far
        ("block_share", "f4"),  # how much of a block of detections is gathered, [0, 1]
        ("blocks", "i4"),  # blocks closed so far
        ("epoch", "i4"),  # number of the key epoch
        ("epoch_step", "i4"),  # step of the last rekeying
        ("monitor_until", "i4"),  # step before which a flagged link makes no keys
        ("last_delivered_step", "i4"),  # when the newest accepted message claims to be written; -1: none yet
        ("sent", "i4"),
        ("delivered", "i4"),  # genuine and at once
        ("lost", "i4"),
        ("delayed", "i4"),  # genuine and late, accepted
        ("rejected", "i4"),
        ("no_key", "i4"),
        ("forged", "i4"),  # accepted forgeries
        ("injected_rejected", "i4"),  # injected messages that did not verify
        ("exposed", "i4"),  # messages an attacker can read
        ("alarm", "i1"),  # index of ALARMS
        ("key_ready", "i1"),  # the session has a key that has not expired
        ("key_known", "i1"),  # the attacker holds this epoch's key
        ("compromised", "i1"),  # the static key is stolen
        ("robbed", "i1"),  # the one attempt to steal keys was made
        ("broken", "i1"),  # a quantum adversary opens this suite now
        ("fallback", "i1"),  # the session runs on software keys, the pool being empty
    ],
    align=True,
)

# Draw numbers within the channel and attack streams, apart from the message draws (which start at 0).
_QBER_DRAW = 0x20000
_ATTACK_DRAW = 0x20000
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


@rule
def _strength(link, attack_table, kind, step):
    """Intensity of an attack kind on this link now, 0 when it is absent, off or aimed elsewhere."""
    if link["targets"] & (1 << kind) and attack_is_on(attack_table[kind], step):
        return attack_table[kind]["intensity"]
    return _ZERO


@phase
def reset_link(link, blocks, suite_record, attack_table, channel_record, seed, episode, entity):
    """Write a link's state before step 0: full counters at zero, the initial pool, the first epoch's key.

    Args:
        link: ``LINK`` record, overwritten.
        blocks: (1 + S,) ``COUNTS`` of the link, see ``qkd.gather``; the first is emptied.
        suite_record: ``SUITE`` record of the link's suite.
        attack_table: (17,) ``ATTACK`` records.
        channel_record: ``CHANNEL`` record.
        seed, episode, entity: address of the draws; entity is the link's number.
    """
    clear_counts(blocks[0])
    link["targets"] = target_mask(seed, episode, entity, attack_table)
    link["pool_bits"] = channel_record["initial_pool_bits"] if suite_record["quantum_keys"] else _ZERO
    link["qber"] = channel_record["base_qber"]
    link["cusum"] = _ZERO
    link["auth_fail_rate"] = _ZERO
    link["loss_rate"] = channel_record["natural_loss"]
    link["key_bits_spent"] = _ZERO
    link["block_share"] = _ZERO
    link["blocks"] = 0
    link["epoch"] = -1
    link["epoch_step"] = 0
    link["monitor_until"] = 0
    link["last_delivered_step"] = -1
    link["sent"] = 0
    link["delivered"] = 0
    link["lost"] = 0
    link["delayed"] = 0
    link["rejected"] = 0
    link["no_key"] = 0
    link["forged"] = 0
    link["injected_rejected"] = 0
    link["exposed"] = 0
    link["alarm"] = NO_ALARM
    link["key_ready"] = 0
    link["key_known"] = 0
    link["compromised"] = 0
    link["robbed"] = 0
    link["broken"] = 0
    link["fallback"] = 0
    _rekey(link, suite_record, channel_record, 0)


@rule
def _rekey(link, suite_record, channel_record, step):
    """Give the session its next key when the epoch is over, or as soon as a starved link has bits again."""
    due = step - link["epoch_step"] >= channel_record["epoch_steps"] or not link["key_ready"]
    wants_pool = suite_record["quantum_keys"] and not suite_record["one_time_pad"]
    starved = wants_pool and (link["key_ready"] == 0 or link["fallback"] == 1)
    if not (due or starved):
        return
    needed = np.float32(suite_record["key_bits_per_epoch"])
    if wants_pool and link["pool_bits"] >= needed:
        link["pool_bits"] -= needed
        link["key_bits_spent"] += needed
        link["fallback"] = 0
    elif wants_pool:
        if not due:
            return  # a link on software keys, in the midst of their epoch: it looks again next step
        may_go_on = suite_record["goes_on_without_qkd"] or channel_record["fallback"] != HOLD
        link["fallback"] = 1 if may_go_on else 0
        if not may_go_on:
            link["key_ready"] = 0  # the old key has expired: using it on would widen what one theft opens
            return
    link["key_ready"] = 1
    link["epoch"] += 1
    link["epoch_step"] = step
    link["key_known"] = link["compromised"]


@rule
def _estimate_qber(link, channel_record, intercepted, seed, episode, step, entity):
    """Measure the QBER of a sample of this step, with its sampling error, and run the one-sided CUSUM (Page 1954).

    Model: the misalignment Q0 and what interception adds. Dark counts are left out, so this QBER does not grow with the
    loss; key rates and the errors that Cascade corrects come from the whole channel (``cells``).
    """
    true_qber = intercepted_error_rule(channel_record["base_qber"], intercepted)
    sigma = math.sqrt(true_qber * (_ONE - true_qber) / channel_record["qber_sample_bits"])
    noise = random.normal(seed, episode, step, random.CHANNEL, entity, _QBER_DRAW)
    link["qber"] = min(max(true_qber + np.float32(sigma) * noise, _ZERO), _ONE)
    excess = link["qber"] - channel_record["base_qber"] - channel_record["cusum_drift"]
    # Bounded above, so that the alarm falls again in bounded time once the eavesdropper has gone.
    ceiling = np.float32(2.0) * channel_record["cusum_threshold"]
    link["cusum"] = min(max(link["cusum"] + excess, _ZERO), ceiling)


@rule
def _make_keys(link, blocks, cells, attack_table, channel_record, tables, loss_db, dt_s, seed, episode, step, entity):
    """One step of QKD over an open path: the QBER, and blocks of detections whose key goes into the pool."""
    intercepted = _strength(link, attack_table, INTERCEPT, step)
    _estimate_qber(link, channel_record, intercepted, seed, episode, step, entity)
    if step < link["monitor_until"]:
        return
    blocked = _strength(link, attack_table, PNS, step)
    working = _ONE - _strength(link, attack_table, JAM, step)
    room = channel_record["pool_capacity_bits"]
    gather_blocks(
        link, blocks, cells, tables, loss_db, intercepted, blocked, working, dt_s, room, seed, episode, step, entity
    )


@rule
def _suffer_blinding(link, suite_record, channel_record, intensity, seed, episode, step, entity):
    """Blinded detectors give the attacker the epoch's QKD key; a flag of the monitor drops all bits they ever made."""
    known, flagged, _, _ = random.uniform4(seed, episode, step, random.ATTACK, entity, _ATTACK_DRAW + 1)
    if step >= link["monitor_until"] and flagged < channel_record["monitor_probability"]:
        link["monitor_until"] = step + channel_record["monitor_hold_steps"]
        link["alarm"] = MONITOR_ALARM
        link["pool_bits"] = _ZERO
        link["key_ready"] = 0
        _rekey(link, suite_record, channel_record, step)
    elif known < intensity and link["epoch_step"] == step and link["fallback"] == 0 and link["key_ready"] == 1:
        # A hybrid session also needs the two software parts, which blinding does not give.
        link["key_known"] = 0 if suite_record["goes_on_without_qkd"] else 1


@rule
def _suffer_key_attacks(link, suite_record, attack_table, channel_record, seed, episode, step, entity):
    """Blinding, theft of keys and a quantum adversary, after the step's rekeying."""
    blinding = _strength(link, attack_table, BLINDING, step)
    if blinding > _ZERO and suite_record["quantum_keys"]:
        _suffer_blinding(link, suite_record, channel_record, blinding, seed, episode, step, entity)
    theft = _strength(link, attack_table, KEY_COMPROMISE, step)
    if theft > _ZERO and link["robbed"] == 0 and suite_record["authenticated"]:
        link["robbed"] = 1
        if random.uniform(seed, episode, step, random.ATTACK, entity, _ATTACK_DRAW) < theft:
            link["key_known"] = link["key_ready"]
            link["compromised"] = suite_record["static_key"]
    quantum = suite_record["falls_to_quantum"] and _strength(link, attack_table, QUANTUM_ADVERSARY, step) > _ZERO
    if quantum and link["broken"] == 0:
        link["exposed"] = link["sent"] - link["no_key"]  # recorded traffic opens too: harvest now, decrypt later
    link["broken"] = 1 if quantum else 0


@phase
def advance_link(
    link,
    blocks,
    cells,
    suite_record,
    attack_table,
    channel_record,
    tables,
    loss_db,
    quantum_path_open,
    dt_s,
    seed,
    episode,
    step,
    entity,
):
    """One step of a link's key life, before the step's messages; a pure function of its arguments and the link.

    Args:
        link: ``LINK`` record, changed: pool, QBER, CUSUM, alarm, epoch, key flags.
        blocks: (1 + S,) ``COUNTS``: the block being gathered, then the last closed ones (``qkd.gather``), changed.
        cells: (2, 3, 2) float64 scratch.
        suite_record: ``SUITE`` record.
        attack_table: (17,) ``ATTACK`` records.
        channel_record: ``CHANNEL`` record.
        tables: frame of ``qkd.gather.QkdTables``.
        loss_db: loss of the quantum path now, >= 0 dB.
        quantum_path_open: whether photons get through (line of sight, near a gateway, fibre whole).
        dt_s: length of the step, > 0 s.
        seed, episode, step, entity: address of the draws; entity is the link's number.
    """
    if suite_record["quantum_keys"]:
        if quantum_path_open:
            _make_keys(
                link,
                blocks,
                cells,
                attack_table,
                channel_record,
                tables,
                loss_db,
                dt_s,
                seed,
                episode,
                step,
                entity,
            )
        if step < link["monitor_until"]:
            link["alarm"] = MONITOR_ALARM
        else:
            link["alarm"] = QBER_ALARM if link["cusum"] > channel_record["cusum_threshold"] else NO_ALARM
    _rekey(link, suite_record, channel_record, step)
    if link["targets"] != 0:
        _suffer_key_attacks(link, suite_record, attack_table, channel_record, seed, episode, step, entity)


@rule
def trust_factors(link, suite_record, channel_record):
    """The four factors of a link's trust, each in [0, 1]: g_key, h_Q, h_auth, h_loss (4-security, "Trust").

    h_Q = clip((Q_max - Q) / (Q_max - Q0), 0, 1) while keys come from QKD, else 1; a hybrid link is never trusted less
    for its QBER than its software keys alone would be (assumed). h_auth and h_loss fall linearly with the moving
    shares of failed verifications and of sequence gaps beyond the natural ones (assumed).
    """
    on_qkd = suite_record["quantum_keys"] and link["fallback"] == 0
    g_key = suite_record["grade"] if not link["fallback"] else channel_record["fallback_grade"]
    h_q = _ONE
    if on_qkd:
        span = channel_record["max_qber"] - channel_record["base_qber"]
        h_q = min(max((channel_record["max_qber"] - link["qber"]) / span, _ZERO), _ONE)
        if suite_record["goes_on_without_qkd"]:
            h_q = max(h_q, channel_record["fallback_grade"] / g_key)
    h_auth = _ONE - channel_record["auth_weight"] * link["auth_fail_rate"]
    natural = channel_record["natural_loss"]
    excess_loss = min(max((link["loss_rate"] - natural) / (_ONE - natural), _ZERO), _ONE)
    h_loss = _ONE - channel_record["loss_weight"] * excess_loss
    return g_key, h_q, h_auth, h_loss


@rule
def link_trust(link, suite_record, channel_record):
    """Trust in what a link delivers: C = g_key h_Q h_auth h_loss, float32 in [0, 1]."""
    g_key, h_q, h_auth, h_loss = trust_factors(link, suite_record, channel_record)
    return g_key * h_q * h_auth * h_loss


def explain_link_trust(link: np.void, suite_record: np.void, channel_record: np.void) -> dict[str, float]:
    """Why a link's trust is what it is: -log of each factor, >= 0, infinite for a factor of 0; C = exp(-sum).

    Keys are key_grade, qber, authentication, loss.
    """
    names = ("key_grade", "qber", "authentication", "loss")
    factors = trust_factors(link, suite_record, channel_record)
    return {n: math.log(1.0 / f) if f > 0 else math.inf for n, f in zip(names, factors, strict=True)}
