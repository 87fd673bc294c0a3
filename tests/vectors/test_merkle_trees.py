"""The Merkle tree against the reference trees of Certificate Transparency and the example of RFC 9162, section 2.1.5.

Leaves, roots and proofs are those of the test data of the certificate-transparency project, as kept in
github.com/transparency-dev/merkle (testonly/constants.go, testonly/reference_test.go, proof/verify_test.go).
"""

import pytest

from qdt_env.twin.merkle import EMPTY_ROOT, MerkleTree, leaf_hash, node_hash, verify_consistency, verify_inclusion

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
NODE_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
LEAF_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
NODE_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
NODE_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"

INCLUSION = [  # position, size, proof
    (0, 1, ()),
    (0, 2, (LEAF_1,)),
    (1, 2, (ROOTS[1],)),
    (2, 3, (ROOTS[2],)),
    (1, 5, (ROOTS[1], NODE_2_3, LEAF_4)),
    (0, 8, (LEAF_1, NODE_2_3, NODE_4_7)),
    (5, 8, (LEAF_4, NODE_6_7, ROOTS[4])),
]
CONSISTENCY = [  # first, second, proof
    (1, 1, ()),
    (1, 8, (LEAF_1, NODE_2_3, NODE_4_7)),
    (2, 5, (NODE_2_3, LEAF_4)),
    (6, 7, (NODE_4_5, LEAF_6, ROOTS[4])),
    (6, 8, (NODE_4_5, NODE_6_7, ROOTS[4])),
]


def as_hex(proof: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(digest.hex() for digest in proof)


def test_roots_of_every_size() -> None:
    tree = MerkleTree()
    assert tree.root() == EMPTY_ROOT == bytes.fromhex(ROOTS[0])
    for size, data in enumerate(LEAVES, 1):
        tree.append(data)
        assert tree.root().hex() == ROOTS[size]
    assert [tree.root(size).hex() for size in range(9)] == list(ROOTS), "roots of earlier sizes, from the full tree"


@pytest.mark.parametrize(("position", "size", "proof"), INCLUSION)
def test_published_inclusion_proofs(position: int, size: int, proof: tuple[str, ...]) -> None:
    tree = MerkleTree(LEAVES)
    assert as_hex(tree.inclusion_proof(position, size)) == proof
    path = tuple(bytes.fromhex(text) for text in proof)
    verify_inclusion(leaf_hash(LEAVES[position]), position, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "second", "proof"), CONSISTENCY)
def test_published_consistency_proofs(first: int, second: int, proof: tuple[str, ...]) -> None:
    tree = MerkleTree(LEAVES)
    assert as_hex(tree.consistency_proof(first, second)) == proof
    path = tuple(bytes.fromhex(text) for text in proof)
    verify_consistency(first, second, path, bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second]))


def test_the_seven_leaf_example_of_rfc_9162() -> None:
    """Section 2.1.5: inclusion proofs of d0, d3, d4, d6 and consistency proofs from 3, 4, 6 leaves to 7."""
    a, b, c, d, e, f, j = (leaf_hash(data) for data in LEAVES[:7])
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, last = node_hash(g, h), node_hash(i, j)
    tree = MerkleTree(LEAVES[:7])
    assert tree.root() == node_hash(k, last)
    assert tree.inclusion_proof(0) == (b, h, last)
    assert tree.inclusion_proof(3) == (c, g, last)
    assert tree.inclusion_proof(4) == (f, j, k)
    assert tree.inclusion_proof(6) == (i, k)
    assert tree.consistency_proof(3) == (c, d, g, last)
    assert tree.consistency_proof(4) == (last,)
    assert tree.consistency_proof(6) == (i, j, k)
