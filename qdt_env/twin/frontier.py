"""The right edge of a Merkle tree: enough to append leaves and to know every later root, in O(log n) hashes."""

from collections.abc import Sequence

from qdt_env.records import require
from qdt_env.twin.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash, node_hash

__all__ = ["MerkleFrontier"]


class MerkleFrontier:
    """The complete subtrees that the first n leaves fall into, largest first, as for RFC 9162, section 2.1.

    Whoever starts from a frontier can check the roots of all that is appended after it without the leaves before it.

    Args:
        size: leaves so far, >= 0.
        hashes: of the complete subtrees, 32 bytes each: one for every 1 in the binary form of ``size``.

    Raises:
        ValueError: the number of hashes does not fit the size, or one is not 32 bytes long.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        require(size >= 0, "size", size, "0 or more leaves")
        fits = len(hashes) == size.bit_count() and all(len(one) == HASH_BYTES for one in hashes)
        require(fits, "hashes", len(hashes), f"{size.bit_count()} of 32 bytes for {size} leaves")
        self._size, self._hashes = size, list(hashes)

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Of the complete subtrees, largest first."""
        return tuple(self._hashes)

    def append(self, data: bytes) -> None:
        """Add a leaf."""
        self._hashes.append(leaf_hash(data))
        self._size += 1
        complete = self._size
        while complete % 2 == 0:  # two subtrees of one size have become one
            right = self._hashes.pop()
            self._hashes.append(node_hash(self._hashes.pop(), right))
            complete //= 2

    def root(self) -> bytes:
        """Root of the tree of all leaves so far, 32 bytes."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root
