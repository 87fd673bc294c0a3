"""The anti-replay window: which counters of an epoch have been accepted already.

Source: RFC 6479, "IPsec Anti-Replay Algorithm without Bit Shifting": a ring of bitmap blocks, of which one is always
kept spare, so that moving the window on clears whole blocks and shifts nothing.
"""

BLOCK_BITS = 64
BLOCKS = 16
WINDOW = (BLOCKS - 1) * BLOCK_BITS  # 960: how far behind the newest counter a late frame may be


class ReplayWindow:
    """Accepted counters of one direction and epoch, in constant memory (16 blocks of 64 bits).

    Use it in two halves: :meth:`is_fresh` before a frame is verified (cheap refusal), :meth:`mark` only after it has
    been authenticated. Marking earlier would let anybody push the window on with made-up counters.
    """

    __slots__ = ("_blocks", "_top")

    def __init__(self) -> None:
        self._blocks = [0] * BLOCKS
        self._top = -1  # highest counter accepted

    def is_fresh(self, counter: int) -> bool:
        """Whether ``counter`` (>= 0) has neither been accepted nor fallen out of the window."""
        if counter > self._top:
            return True
        if self._top - counter >= WINDOW:
            return False
        return not self._blocks[(counter >> 6) % BLOCKS] >> (counter & 63) & 1

    def mark(self, counter: int) -> None:
        """Remember an authenticated ``counter``.

        Raises:
            ValueError: it is not fresh; an authenticated frame must never be marked twice.
        """
        if not self.is_fresh(counter):
            raise ValueError(f"counter: got {counter}, which was accepted before or is older than the window")
        block = counter >> 6
        if counter > self._top:
            top_block = self._top >> 6  # -1 before the first frame
            if block != top_block:
                for passed in range(top_block + 1, min(block, top_block + BLOCKS) + 1):
                    self._blocks[passed % BLOCKS] = 0
            self._top = counter
        self._blocks[block % BLOCKS] |= 1 << (counter & 63)
