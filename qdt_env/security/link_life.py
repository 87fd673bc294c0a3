"""A ``LINK`` record handled from Python: the wire fidelity's side of the rules that both fidelities share.

Key life, thefts and evidence are those of ``link`` and ``outcomes``; records go into the kernels as arrays of one,
which costs a tenth of handing over the records themselves.
"""

from functools import cache

import numpy as np

from qdt_env.compiled import batch, phase
from qdt_env.random import SEEDS, whole_number
from qdt_env.security.adversary import message_strikes
from qdt_env.security.attacks import DELAY, MESSAGE_KINDS_MASK, REPLAY, Threats, attack_table, threats_by_name
from qdt_env.security.channel import ChannelConfig, channel_record
from qdt_env.security.link import LINK, advance_link, link_trust, reset_link
from qdt_env.security.outcomes import forgeable, record_outcome
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.detection import CELLS_SHAPE
from qdt_env.security.qkd.gather import qkd_frame
from qdt_env.security.suites import Suite, suite_table

_READY, _FALLBACK, _EPOCH, _MONITOR, _OPEN, _SPENT, _TARGETS, _STRIKES = range(8)
SURVEY_ENTRIES = _STRIKES + 2  # of a survey with one message each way
_BLOCK = 8  # messages per direction whose strikes are drawn at once
BLOCKS_REMEMBERED = 32  # closed blocks whose bits may still be asked for; a store of 128 kbit holds six
MOST_MESSAGES = 2**14  # per step and direction: their draws must stay within the message draws


@batch
def _reset(links, suites, attacks, channels, blocks, seed, episode, entity):
    """The link before step 0."""
    reset_link(links[0], blocks, suites[0], attacks, channels[0], seed, episode, entity)


@batch
def _advance(
    links, suites, attacks, channels, blocks, cells, tables, loss_db, path_open, dt_s, seed, episode, step, entity
):
    """One step of key life; arguments as of ``advance_link``."""
    advance_link(
        links[0], blocks, cells, suites[0], attacks, channels[0], tables, loss_db, path_open, dt_s, seed, episode,
        step, entity,
    )  # fmt: skip


@phase
def survey_link(link, suite_record, attacks, channel_record, seed, episode, step, entity, first, state):
    """What the wire needs to know of a link advanced to ``step``, and who strikes messages ``first`` and following.

    Args:
        link: ``LINK`` record.
        suite_record, attacks, channel_record: its suite, the attack table (17,), its parameters.
        seed, episode, step, entity: address of the draws.
        first: number of the first message.
        state: (``SURVEY_ENTRIES`` or more,) int64, written; each two entries more are one more message each way.
    """
    state[_READY] = link["key_ready"]
    state[_FALLBACK] = link["fallback"]
    state[_EPOCH] = link["epoch"]
    state[_MONITOR] = link["monitor_until"]
    state[_OPEN] = suite_record["authenticated"] == 1 and forgeable(link, suite_record)
    state[_SPENT] = np.int64(link["key_bits_spent"])
    state[_TARGETS] = link["targets"] & MESSAGE_KINDS_MASK
    for i in range(state.shape[0] - _STRIKES):
        index = 2 * first + i
        state[_STRIKES + i] = message_strikes(link, attacks, channel_record, seed, episode, step, entity, index)


@batch
def _survey(links, suites, attacks, channels, seed, episode, step, entity, first, state):
    """:func:`survey_link` of the only link."""
    survey_link(links[0], suites[0], attacks, channels[0], seed, episode, step, entity, first, state)


@batch
def _record(links, suites, channels, verdict, content, age_steps, key_bits, injected_rejected, step):
    """One outcome into the link."""
    record_outcome(links[0], suites[0], channels[0], verdict, content, age_steps, key_bits, injected_rejected, step)


_suites = cache(suite_table)  # only read
_channel = cache(channel_record)


class LinkLife:
    """One link's record, the rules that move it on, and what they say now.

    Args:
        suite, channel: of the link.
        threats: as in ``attacks.threats_by_name``, or a ready attack table of shape (17,), dtype ``ATTACK``.
        seed, episode, entity: address of all draws; entity is the link's number.
        record: array of shape (1,), dtype ``LINK``, which its owner has reset; None for one of its own.
        blocks: (1 + S,) ``COUNTS`` that go with the record (``qkd.gather``); None for ones of its own.

    Attributes:
        ready: whether the session has a key.
        on_software: whether the epoch's key was made without QKD.
        epoch: number of the key epoch; -1 before the first.
        monitor_until: step before which a flagged link makes no keys.
        is_open: whether the attacker holds or can compute the keys of a suite that has some.
        spent_bits: key bits charged so far.
        targeted: whether attacks on messages aim at this link.
        delay_steps, replay_steps: how far back the attacker reaches, >= 0.
        links: (1,) the ``LINK`` record.
        blocks: (1 + S,) ``COUNTS``: the block of detections being gathered, then the last S closed ones.

    Raises:
        ValueError: a record or an attack table of another shape or type, an unknown threat, a seed out of range.
    """

    def __init__(
        self,
        suite: Suite,
        channel: ChannelConfig,
        threats: Threats | np.ndarray,
        seed: int,
        episode: int,
        entity: int,
        record: np.ndarray | None = None,
        blocks: np.ndarray | None = None,
    ) -> None:
        attacks = threats if isinstance(threats, np.ndarray) else attack_table(threats_by_name(threats))
        links = np.zeros(1, LINK) if record is None else record
        if not isinstance(links, np.ndarray) or links.shape != (1,) or links.dtype != LINK:
            raise ValueError("record: allowed: an array of shape (1,) and dtype LINK, such as links[b, r : r + 1]")
        self.links = links
        self.blocks = np.zeros(1 + BLOCKS_REMEMBERED, COUNTS) if blocks is None else blocks
        self._records = (links, _suites()[suite.code : suite.code + 1], attacks, _channel(channel))
        self._cells = np.zeros(CELLS_SHAPE)
        self._address = np.uint64(whole_number(seed, "seed", SEEDS)), episode
        self._entity = entity
        self._tables = qkd_frame(channel.preset)
        self._pool = links["pool_bits"]
        self._state = np.zeros(_STRIKES + 2 * _BLOCK, np.int64)
        self._step, self._first = -1, 0
        self.delay_steps, self.replay_steps = (int(attacks[kind]["delay_steps"]) for kind in (DELAY, REPLAY))
        if record is None:
            _reset(*self._records, self.blocks, *self._address, entity)

    @property
    def record(self) -> np.void:
        """The ``LINK`` record itself."""
        return self._records[0][0]

    @property
    def pool_bits(self) -> float:
        """Key bits that may be spent now."""
        return self._pool[0]

    @property
    def trust(self) -> float:
        """C of the link, [0, 1]."""
        links, suites, _, channels = self._records
        return float(link_trust(links[0], suites[0], channels[0]))

    def advance(self, step: int, dt_s: float, loss_db: float, path_open: bool) -> None:
        """One step of key life; arguments as of ``SecureLink.advance``."""
        path = np.float32(loss_db), path_open, np.float32(dt_s)
        _advance(*self._records, self.blocks, self._cells, self._tables, *path, *self._address, step, self._entity)

    def survey(self, step: int, found: list[int] | None = None) -> None:
        """Read the record, which was advanced to ``step``, into the attributes.

        Args:
            step: the step.
            found: what :func:`survey_link` wrote from message 0 on, where the record's owner has called it already.
        """
        self._step = step
        if found is None:
            state = self._read(0)
        else:
            state, self._first, self._strikes = found, 0, found[_STRIKES:]
        self.ready = state[_READY] == 1
        self.on_software = state[_FALLBACK] == 1
        self.epoch = state[_EPOCH]
        self.monitor_until = state[_MONITOR]
        self.is_open = state[_OPEN] == 1
        self.spent_bits = state[_SPENT]
        self.targeted = state[_TARGETS] != 0

    def strikes(self, direction: int, number: int) -> int:
        """Bit mask of what hits message ``number`` (0, 1, ...) of this step in a direction, as ``message_strikes``.

        Raises:
            ValueError: more messages than have draws of their own.
        """
        if number >= MOST_MESSAGES:
            raise ValueError(f"messages: got {number + 1} in one step and direction, allowed: {MOST_MESSAGES}")
        place = 2 * (number - self._first) + direction
        if not 0 <= place < len(self._strikes):
            self._read(number - number % _BLOCK)
            place = 2 * (number - self._first) + direction
        return self._strikes[place]

    def keep(self, verdict: int, content: int, age_steps: int, key_bits: int, injected_rejected: int) -> None:
        """Write one outcome into the record."""
        links, suites, _, channels = self._records
        _record(links, suites, channels, verdict, content, age_steps, key_bits, injected_rejected, self._step)

    def _read(self, first: int) -> list[int]:
        """Survey with the strikes of messages ``first`` and following."""
        _survey(*self._records, *self._address, self._step, self._entity, first, self._state)
        state = self._state.tolist()
        self._first, self._strikes = first, state[_STRIKES:]
        return state
