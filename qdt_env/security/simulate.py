"""One link on its own, over many steps: for notebooks, security studies and tests. No robots, no twin.

``simulate_link(suite="qkd", threats="tamper")`` runs the same rules that the environment's engine runs.
"""

from dataclasses import dataclass

import numpy as np

from qdt_env.compiled import batch
from qdt_env.frames import Frame
from qdt_env.random import SEEDS, whole_number
from qdt_env.security.attacks import Threats, attack_table, threats_by_name
from qdt_env.security.channel import ChannelConfig, channel_record
from qdt_env.security.link import LINK, advance_link, link_trust, reset_link
from qdt_env.security.outcomes import VERDICTS, message_outcome, record_outcome
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.detection import CELLS_SHAPE
from qdt_env.security.qkd.gather import qkd_tables
from qdt_env.security.suites import suite_by_name, suite_table

MESSAGES_PER_STEP = 2  # uplink, downlink


@dataclass(frozen=True)
class LinkRun:
    """What happened on one link; T steps, two messages (uplink, downlink) per step.

    Attributes:
        link: the ``LINK`` record after the last step, 0-dimensional.
        verdicts: (T, 2) int32, indices of ``VERDICTS``.
        contents: (T, 2) int32, indices of ``CONTENTS``.
        ages_steps: (T, 2) int32, steps, >= 0.
        key_bits: (T, 2) int32, bits, >= 0.
        injected_rejected: (T, 2) int32, 0 or 1.
        pool_bits: (T,) float32, bits in store after the step, >= 0.
        qber: (T,) float32, estimate, [0, 1].
        alarm: (T,) int32, indices of ``link.ALARMS``.
        key_known: (T,) int32, 1 while the attacker can forge by a known key of the epoch.
        trust: (T,) float32, C of the link, [0, 1].
    """

    link: np.ndarray
    verdicts: np.ndarray
    contents: np.ndarray
    ages_steps: np.ndarray
    key_bits: np.ndarray
    injected_rejected: np.ndarray
    pool_bits: np.ndarray
    qber: np.ndarray
    alarm: np.ndarray
    key_known: np.ndarray
    trust: np.ndarray

    def counts(self) -> dict[str, int]:
        """Messages by verdict."""
        tally = np.bincount(self.verdicts.ravel(), minlength=len(VERDICTS))
        return {name: int(number) for name, number in zip(VERDICTS, tally, strict=True)}


@batch
def _run(
    link, blocks, cells, suite, attacks, channel, tables, loss_db, path_open, dt_s, bits, seed, episode, entity,
    messages, states,
):  # fmt: skip
    """Advance the link and send its messages, T steps long; fills ``messages`` (T, 2, 5) and ``states`` (T, 5)."""
    reset_link(link, blocks, suite, attacks, channel, seed, episode, entity)
    for step in range(messages.shape[0]):
        advance_link(
            link, blocks, cells, suite, attacks, channel, tables, loss_db, path_open, dt_s, seed, episode, step, entity
        )
        for index in range(MESSAGES_PER_STEP):
            verdict, content, age, key_bits, injected = message_outcome(
                link, suite, attacks, channel, bits, seed, episode, step, entity, index
            )
            record_outcome(link, suite, channel, verdict, content, age, key_bits, injected, step)
            messages[step, index, 0] = verdict
            messages[step, index, 1] = content
            messages[step, index, 2] = age
            messages[step, index, 3] = key_bits
            messages[step, index, 4] = injected
        states[step, 0] = link["pool_bits"]
        states[step, 1] = link["qber"]
        states[step, 2] = link["alarm"]
        states[step, 3] = link["key_known"]
        states[step, 4] = link_trust(link, suite, channel)


def simulate_link(
    suite: str = "qkd",
    threats: Threats = "none",
    *,
    channel: ChannelConfig | None = None,
    steps: int = 720,
    loss_db: float = 15.0,
    quantum_path_open: bool = True,
    dt_s: float = 10.0,
    message_bytes: int = 256,
    seed: int = 0,
    episode: int = 0,
    entity: int = 0,
) -> LinkRun:
    """Run one link under attack; a pure function of its arguments.

    Args:
        suite: one of ``SUITE_NAMES``.
        threats: as in :func:`qdt_env.security.attacks.threats_by_name`.
        channel: parameters, by default all defaults.
        steps: how many steps, >= 0.
        loss_db: constant loss of the quantum path, >= 0 dB.
        quantum_path_open: whether the link can make keys at all.
        dt_s: length of a step, > 0 s.
        message_bytes: length of every message, >= 0 bytes.
        seed, episode, entity: address of all draws; entity is the link's number.

    Raises:
        ValueError: an unknown suite or threat, a seed out of range, a negative length or a step of no duration.
    """
    for name, value, least in (("steps", steps, 0), ("loss_db", loss_db, 0), ("message_bytes", message_bytes, 0)):
        if not value >= least:
            raise ValueError(f"{name}: got {value!r}, allowed: {least} or more")
    if not dt_s > 0:
        raise ValueError(f"dt_s: got {dt_s!r}, allowed: more than 0")
    config = ChannelConfig() if channel is None else channel
    link = np.zeros(1, LINK)
    messages = np.zeros((steps, MESSAGES_PER_STEP, 5), np.int32)
    states = np.zeros((steps, 5), np.float32)
    _run(
        link[0],
        np.zeros(2, COUNTS),
        np.zeros(CELLS_SHAPE),
        suite_table()[suite_by_name(suite).code],
        attack_table(threats_by_name(threats)),
        channel_record(config)[0],
        Frame(qkd_tables(config.preset)),
        np.float32(loss_db),
        quantum_path_open,
        np.float32(dt_s),
        8 * message_bytes,
        np.uint64(whole_number(seed, "seed", SEEDS)),
        episode,
        entity,
        messages,
        states,
    )
    return LinkRun(
        link[0],
        verdicts=messages[:, :, 0],
        contents=messages[:, :, 1],
        ages_steps=messages[:, :, 2],
        key_bits=messages[:, :, 3],
        injected_rejected=messages[:, :, 4],
        pool_bits=states[:, 0],
        qber=states[:, 1],
        alarm=states[:, 2].astype(np.int32),
        key_known=states[:, 3].astype(np.int32),
        trust=states[:, 4],
    )
