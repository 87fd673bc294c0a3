"""The frontier gives the roots of the whole tree."""

import pytest

from qdt_env.twin.frontier import MerkleFrontier
from qdt_env.twin.merkle import EMPTY_ROOT, MerkleTree


def test_roots_are_those_of_the_tree_from_any_size_on() -> None:
    tree = MerkleTree()
    frontier = MerkleFrontier()
    assert frontier.root() == EMPTY_ROOT
    kept = []
    for k in range(70):
        kept.append((frontier.size, frontier.hashes))
        tree.append(bytes([k]))
        frontier.append(bytes([k]))
        assert frontier.root() == tree.root() and frontier.size == tree.size
    for size, hashes in kept:
        later = MerkleFrontier(size, hashes)
        for k in range(size, 70):
            later.append(bytes([k]))
        assert later.root() == tree.root()


@pytest.mark.parametrize(("size", "hashes"), [(-1, ()), (3, (bytes(32),)), (1, (bytes(31),)), (0, (bytes(32),))])
def test_what_is_no_frontier_is_refused(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="is not allowed"):
        MerkleFrontier(size, hashes)
