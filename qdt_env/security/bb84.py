"""Key material of a link in the wire fidelity: every block is distilled from the detections that the link counted.

Blocks are made when their bits are needed, not before: a store that is never emptied costs nothing. The counts are
those of ``qkd.gather``, drawn exactly; given them the bits are exchangeable, so that making the bits later changes
nothing. A block's true length is known only then, and the link's pool is set right by the difference.
"""

from collections import deque

import numpy as np

from qdt_env.compiled import batch
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.qkd.block import BlockAccount, KeyBlock, distil
from qdt_env.security.qkd.gather import block_key, qkd_frame
from qdt_env.security.qkd.hardware import preset_by_name
from qdt_env.security.qkd.transmission import event_level_block, sift
from qdt_env.units import BITS_PER_BYTE

STORED_LOSS_DB = 10.0  # of the link that filled the store before the quake (assumed: a docked robot, a whole fibre)
ACCOUNTS_KEPT = 64
_STREAM = 0xBB84  # keeps these draws apart from all others under the same seed


@batch
def _credited(counts, tables):
    """What ``qkd.gather`` credited for a closed block, in bits; ``counts`` (1,)."""
    return block_key(counts[0], tables)


class Bb84Source:
    """Makes the key blocks of one link, one call per block; a pure function of seed, episode, link and counts.

    The first blocks are those that filled the store before the quake, the others those that the link has closed since.
    Where a block fails, one more of before stands in.

    Args:
        channel: parameters; preset, initial_pool_bits and pool_capacity_bits are used.
        links: (1,) ``LINK``: how many blocks are closed; its pool is corrected.
        blocks: (1 + S,) ``COUNTS`` of the link, see ``qkd.gather``.
        seed, episode, entity: address of the draws; entity is the link's number.

    Attributes:
        accounts: what the last blocks cost and gave, oldest first.
    """

    def __init__(
        self, channel: ChannelConfig, links: np.ndarray, blocks: np.ndarray, seed: int, episode: int, entity: int
    ) -> None:
        self._hardware = preset_by_name(channel.preset)
        self._tables = qkd_frame(channel.preset)
        self._links, self._blocks = links, blocks
        self._stored_bits, self._capacity_bits = channel.initial_pool_bits, channel.pool_capacity_bits
        self._address = seed, episode, entity
        self._closed = 0
        self.accounts: deque[BlockAccount] = deque(maxlen=ACCOUNTS_KEPT)

    def __call__(self, link: int, number: int) -> bytes:
        """The key of the link's next block, empty if it gave none; ``number`` is new in every call."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([_STREAM, *self._address, number])))
        if self._stored_bits > 0.0 or self._closed >= self._links["blocks"][0]:
            block = distil(event_level_block(self._hardware, STORED_LOSS_DB, rng), rng)
            self._stored_bits -= block.account.length_bits
        else:
            block = self._next_closed(rng)
        self.accounts.append(block.account)
        return block.key

    def _next_closed(self, rng: np.random.Generator) -> KeyBlock:
        """The oldest closed block that is not made yet; sets the pool right."""
        slot = 1 + self._closed % (len(self._blocks) - 1)
        self._closed += 1
        counts = self._blocks[slot : slot + 1]
        block = distil(sift(counts[0], rng, self._hardware), rng)
        gained = BITS_PER_BYTE * len(block.key) - _credited(counts, self._tables)
        pool = self._links["pool_bits"]
        pool[0] = min(max(pool[0] + gained, 0.0), self._capacity_bits)
        return block
