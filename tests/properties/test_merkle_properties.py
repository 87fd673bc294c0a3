"""Merkle tree: every size to 200, every pair, against the recursive definitions; every planted fault is refused."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdt_env.twin.merkle import MerkleTree, ProofError, leaf_hash, verify_consistency, verify_inclusion

LARGEST = 200
DATA = [f"leaf {k}".encode() for k in range(LARGEST)]
TREE = MerkleTree(DATA)
HASHES = [leaf_hash(data) for data in DATA]


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def tree_hash(data: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, as written."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = split(len(data))
    return hashlib.sha256(b"\x01" + tree_hash(data[:k]) + tree_hash(data[k:])).digest()


def path(m: int, data: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1, as written."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*path(m, data[:k]), tree_hash(data[k:])]
    return [*path(m - k, data[k:]), tree_hash(data[:k])]


def subproof(m: int, data: list[bytes], known: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1, as written."""
    if m == len(data):
        return [] if known else [tree_hash(data)]
    k = split(len(data))
    if m <= k:
        return [*subproof(m, data[:k], known), tree_hash(data[k:])]
    return [*subproof(m - k, data[k:], False), tree_hash(data[:k])]


ROOTS = [tree_hash(DATA[:n]) for n in range(LARGEST + 1)]


def refused(check, *arguments) -> bool:
    try:
        check(*arguments)
    except ProofError:
        return True
    return False


def test_roots_of_every_size() -> None:
    growing = MerkleTree()
    for n in range(LARGEST + 1):
        assert growing.root() == TREE.root(n) == ROOTS[n]
        if n < LARGEST:
            assert growing.append(DATA[n]) == HASHES[n]


def test_every_leaf_of_every_size_is_proved() -> None:
    for n in range(1, LARGEST + 1):
        for k in range(n):
            proof = TREE.inclusion_proof(k, n)
            assert len(proof) <= (n - 1).bit_length()
            verify_inclusion(HASHES[k], k, n, proof, ROOTS[n])


def test_every_pair_of_sizes_is_proved_consistent() -> None:
    for n in range(1, LARGEST + 1):
        for m in range(1, n + 1):
            proof = TREE.consistency_proof(m, n)
            assert len(proof) <= (n - 1).bit_length() + 1
            verify_consistency(m, n, proof, ROOTS[m], ROOTS[n])


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 13, 32, 33])
def test_proofs_are_those_of_the_definitions(n: int) -> None:
    for k in range(n):
        assert list(TREE.inclusion_proof(k, n)) == path(k, DATA[:n])
        assert list(TREE.consistency_proof(k + 1, n)) == subproof(k + 1, DATA[:n], True)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11, 16])
def test_a_leaf_is_proved_nowhere_else(n: int) -> None:
    for k in range(n):
        proof = TREE.inclusion_proof(k, n)
        for other in range(-1, 2 * n + 2):
            assert other == k or refused(verify_inclusion, HASHES[k], other, n, proof, ROOTS[n])
            assert other == k or other >= n or refused(verify_inclusion, HASHES[other], k, n, proof, ROOTS[n])
        for size in range(20):
            # a proof may fit a tree of another size, but never under that tree's own root
            assert size == n or refused(verify_inclusion, HASHES[k], k, size, proof, ROOTS[size])


@pytest.mark.parametrize("n", [2, 3, 5, 8, 11, 16])
def test_a_history_is_consistent_with_no_other(n: int) -> None:
    for m in range(1, n):
        proof = TREE.consistency_proof(m, n)
        assert refused(verify_consistency, m, n, proof, ROOTS[n], ROOTS[m])
        assert refused(verify_consistency, n, m, proof, ROOTS[n], ROOTS[m])
        for other in range(20):
            assert other == m or refused(verify_consistency, m, n, proof, ROOTS[other], ROOTS[n])
            assert other == n or refused(verify_consistency, m, n, proof, ROOTS[m], ROOTS[other])
        rewritten = MerkleTree([b"rewritten", *DATA[1:n]])
        assert refused(verify_consistency, m, n, rewritten.consistency_proof(m, n), ROOTS[m], rewritten.root())


def test_hashes_beyond_the_root_are_refused() -> None:
    """A leaf that is the right child of the root must not pass as the only leaf of a tree with that root."""
    assert refused(verify_inclusion, HASHES[2], 0, 1, (ROOTS[2],), ROOTS[3])
    assert refused(verify_inclusion, HASHES[4], 0, 1, (ROOTS[4],), ROOTS[5])
    assert refused(verify_consistency, 1, 2, (HASHES[1], HASHES[2]), ROOTS[1], ROOTS[3])
    left = TREE.consistency_proof(3, 4)  # one level more on both sides: what verifies without "if sn == 0"
    roots = [hashlib.sha256(b"\x01" + ROOTS[4] + ROOTS[n]).digest() for n in (3, 4)]
    assert refused(verify_consistency, 3, 4, (*left, ROOTS[4]), *roots)


def damage(draw: st.DataObject, proof: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A proof with one bit flipped, or a hash dropped, doubled, inserted, cut short or swapped with its neighbour."""
    hashes = list(proof)
    kind = draw.draw(st.sampled_from(["flip", "drop", "double", "insert", "cut", "swap"]))
    at = draw.draw(st.integers(0, len(hashes) - 1))
    if kind == "flip":
        bit = draw.draw(st.integers(0, 255))
        hashes[at] = bytes(byte ^ ((1 << bit % 8) if j == bit // 8 else 0) for j, byte in enumerate(hashes[at]))
    elif kind == "drop":
        del hashes[at]
    elif kind == "double":
        hashes.insert(at, hashes[at])
    elif kind == "insert":
        hashes.insert(draw.draw(st.integers(0, len(hashes))), draw.draw(st.binary(min_size=32, max_size=32)))
    elif kind == "cut":
        hashes[at] = hashes[at][: draw.draw(st.integers(0, 31))]
    else:
        hashes[at], hashes[at - 1] = hashes[at - 1], hashes[at]
    return tuple(hashes)


@given(draw=st.data(), n=st.integers(2, LARGEST))
def test_damaged_proofs_are_refused(draw: st.DataObject, n: int) -> None:
    k = draw.draw(st.integers(0, n - 1))
    proof = TREE.inclusion_proof(k, n)
    damaged = damage(draw, proof)
    assert damaged == proof or refused(verify_inclusion, HASHES[k], k, n, damaged, ROOTS[n])
    m = draw.draw(st.integers(1, n - 1))
    proof = TREE.consistency_proof(m, n)
    damaged = damage(draw, proof)
    assert damaged == proof or refused(verify_consistency, m, n, damaged, ROOTS[m], ROOTS[n])


def test_every_flipped_bit_is_refused() -> None:
    k, m, n = 20, 22, 45
    for proof, check, arguments in (
        (TREE.inclusion_proof(k, n), verify_inclusion, (HASHES[k], k, n, ROOTS[n])),
        (TREE.consistency_proof(m, n), verify_consistency, (m, n, ROOTS[m], ROOTS[n])),
    ):
        for at, digest in enumerate(proof):
            for bit in range(256):
                flipped = bytearray(digest)
                flipped[bit // 8] ^= 1 << bit % 8
                broken = (*proof[:at], bytes(flipped), *proof[at + 1 :])
                if check is verify_inclusion:
                    assert refused(check, *arguments[:3], broken, arguments[3])
                else:
                    assert refused(check, *arguments[:2], broken, *arguments[2:])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TREE.root(LARGEST + 1), "size=201 is not allowed: 0 to 200"),
        (lambda: TREE.root(-1), "size=-1"),
        (lambda: TREE.inclusion_proof(5, 5), "position=5 is not allowed: 0 to 4"),
        (lambda: TREE.inclusion_proof(-1, 5), "position=-1"),
        (lambda: MerkleTree().inclusion_proof(0), "size=0 is not allowed: 1 to 0"),
        (lambda: TREE.consistency_proof(0), "first=0 is not allowed: 1 to 200"),
        (lambda: TREE.consistency_proof(9, 8), "first=9 is not allowed: 1 to 8"),
    ],
)
def test_what_is_not_in_the_tree_cannot_be_proved(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
