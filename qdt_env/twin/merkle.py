"""The Merkle tree of a transparency log: RFC 9162, section 2.1 (the tree of RFC 6962, with the newer verification).

Leaf hash SHA-256(00 || data), node hash SHA-256(01 || left || right); a tree of n > 1 leaves splits at the largest
power of two below n. :class:`MerkleTree` keeps the hash of every complete subtree, 64 bytes a leaf, so that appending
costs O(log n) hashes (two on average) and a root or a proof for any earlier size O(log^2 n) at most.
"""

import hashlib
from collections.abc import Iterable, Sequence

from qdt_env.records import require

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "MerkleTree",
    "ProofError",
    "leaf_hash",
    "node_hash",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()  # root of the tree without leaves (RFC 9162, 2.1.1)


class ProofError(ValueError):
    """A proof does not show what it claims."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(00 || data), 32 bytes (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right), 32 bytes (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """An append-only Merkle tree in memory.

    Args:
        leaves: data of the first leaves, in order.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]  # level k: hashes of the complete subtrees of 2^k leaves
        self._size = 0
        for data in leaves:
            self.append(data)

    @property
    def size(self) -> int:
        """Number of leaves, >= 0."""
        return self._size

    def append(self, data: bytes) -> bytes:
        """Add a leaf; returns its hash. Its position is ``size - 1``."""
        digest = leaf_hash(data)
        self._levels[0] += digest
        self._size += 1
        complete, level = self._size, 0
        while complete % 2 == 0:  # the new leaf completed a subtree of the next level
            below = self._levels[level]
            level += 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += node_hash(bytes(below[-2 * HASH_BYTES : -HASH_BYTES]), bytes(below[-HASH_BYTES:]))
            complete //= 2
        return digest

    def root(self, size: int | None = None) -> bytes:
        """Merkle tree hash MTH of the first ``size`` leaves, all by default (RFC 9162, 2.1.1).

        Raises:
            ValueError: size outside 0 .. the tree's size.
        """
        size = self._first(size, least=0)
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, position: int, size: int | None = None) -> tuple[bytes, ...]:
        """PATH(position, D_size): that a leaf is in the tree of the first ``size`` leaves (RFC 9162, 2.1.3.1).

        Args:
            position: of the leaf, 0 .. size - 1.
            size: all leaves by default.

        Returns:
            at most ceil(log2 size) hashes, from the leaf upwards.

        Raises:
            ValueError: position or size is outside the tree.
        """
        size = self._first(size, least=1)
        require(0 <= position < size, "position", position, f"0 to {size - 1}")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if position < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        return tuple(reversed(path))

    def consistency_proof(self, first: int, second: int | None = None) -> tuple[bytes, ...]:
        """PROOF(first, D_second): that the tree of ``second`` leaves only appends to that of ``first`` (2.1.4.1).

        Args:
            first: 1 .. second.
            second: all leaves by default.

        Returns:
            at most ceil(log2 second) + 1 hashes; none for ``first == second``.

        Raises:
            ValueError: a size is outside the tree.
        """
        second = self._first(second, least=1)
        require(1 <= first <= second, "first", first, f"1 to {second}")
        if first == second:
            return ()
        path: list[bytes] = []
        start, end = 0, second
        while end != first:  # SUBPROOF, unrolled: descend to the subtree whose right border is that of the first tree
            middle = start + _split(end - start)
            if first <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        if start > 0:  # the verifier knows the first root itself, but not a part of it
            path.append(self._subtree(start, end))
        return tuple(reversed(path))

    def _first(self, size: int | None, least: int) -> int:
        """The size meant, checked."""
        size = self._size if size is None else size
        require(least <= size <= self._size, "size", size, f"{least} to {self._size}, the leaves of the tree")
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]) for a range that the recursion of MTH visits: ``start`` is a multiple of its split."""
        leaves = end - start
        if leaves & (leaves - 1) == 0:
            level = leaves.bit_length() - 1
            at = (start >> level) * HASH_BYTES
            return bytes(self._levels[level][at : at + HASH_BYTES])
        middle = start + _split(leaves)
        return node_hash(self._subtree(start, middle), self._subtree(middle, end))


def _split(leaves: int) -> int:
    """The largest power of two smaller than ``leaves`` >= 2."""
    return 1 << ((leaves - 1).bit_length() - 1)


def verify_inclusion(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is in a tree (RFC 9162, 2.1.3.2).

    Args:
        leaf: leaf hash, 32 bytes.
        position: of the leaf, >= 0.
        size: number of leaves of the tree.
        proof: the hashes of the inclusion proof.
        root: root of the tree, 32 bytes.

    Raises:
        ProofError: the leaf is not shown to be there.
    """
    _check_hashes((leaf, root, *proof))
    if not 0 <= position < size:
        raise ProofError(f"inclusion proof: position {position} is not in a tree of {size} leaves")
    fn, sn, r = position, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise ProofError("inclusion proof: too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("inclusion proof: too short")
    if r != root:
        raise ProofError("inclusion proof: leads to another root")


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """Check that a tree only appends to an earlier one (RFC 9162, 2.1.4.2; equal sizes: equal roots, no hashes).

    Args:
        first, second: numbers of leaves, 1 <= first <= second.
        proof: the hashes of the consistency proof.
        first_root, second_root: the roots, 32 bytes each.

    Raises:
        ProofError: the second tree is not shown to contain the first as its beginning.
    """
    _check_hashes((first_root, second_root, *proof))
    if not 1 <= first <= second:
        raise ProofError(f"consistency proof: sizes {first} and {second}, allowed are 1 <= first <= second")
    if first == second:
        if proof or first_root != second_root:
            raise ProofError("consistency proof: trees of one size with different roots, or hashes left over")
        return
    if not proof:
        raise ProofError("consistency proof: no hashes")
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise ProofError("consistency proof: too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("consistency proof: too short")
    if fr != first_root:
        raise ProofError("consistency proof: leads to another first root")
    if sr != second_root:
        raise ProofError("consistency proof: leads to another second root")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    """Refuse what is no SHA-256 hash."""
    for digest in hashes:
        if not isinstance(digest, bytes) or len(digest) != HASH_BYTES:
            raise ProofError("proof: a hash is not 32 bytes")
