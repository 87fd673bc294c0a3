"""A leaf has one encoding, whatever arrives in its place; ledgers of any shape verify and prove every step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdt_env.twin.leaf import decode_leaf, encode_leaf
from qdt_env.twin.ledger import Leaf, Ledger, LedgerError, SignatureScheme

NUMBERS = st.integers(0, 2**16 - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
TRUST = st.floats(0, 1, width=32)


def entries(values: st.SearchStrategy) -> st.SearchStrategy:
    """Numbered values, ascending."""
    return st.dictionaries(NUMBERS, values, max_size=6).map(lambda found: tuple(sorted(found.items())))


LEAVES = st.builds(
    Leaf,
    mission=st.binary(min_size=16, max_size=16),
    step=st.integers(0, 2**32 - 1),
    verdicts=st.binary(max_size=40),
    reports=entries(DIGESTS),
    views=entries(DIGESTS),
    trust=entries(TRUST),
    advice=st.one_of(st.just(b""), DIGESTS),
)


class Unsigned:
    """Signs nothing: these tests are about the tree."""

    public_key = b"none"

    def __init__(self, name: str) -> None:
        self.name = name

    def sign(self, message: bytes) -> bytes:
        return b""


TRUSTING = SignatureScheme("none", lambda key, message, signature: True)


def canonical(data: bytes) -> bool:
    """Whether bytes are a leaf; if so, they must be its only encoding."""
    try:
        leaf = decode_leaf(data)
    except LedgerError:
        return False
    assert encode_leaf(leaf) == data
    return True


@given(leaf=LEAVES)
def test_a_leaf_comes_back(leaf: Leaf) -> None:
    data = encode_leaf(leaf)
    assert decode_leaf(data) == leaf
    assert not any(canonical(changed) for changed in (data[:-1], data + b"\0", b"\0" + data, data[1:]))


@given(data=st.binary(max_size=200))
def test_noise_is_no_leaf(data: bytes) -> None:
    assert not canonical(data)
    canonical(b"QL\x01\x00" + data)


@pytest.mark.parametrize("count", [5_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_damaged_leaves_are_refused_or_canonical(count: int) -> None:
    digest = bytes(range(32))
    leaf = Leaf(bytes(16), 7, bytes(6), ((1, digest), (4, digest)), ((2, digest),), ((0, 0.5), (3, 0.25)), digest)
    good, draw = encode_leaf(leaf), np.random.Generator(np.random.Philox(key=count))
    accepted = 0
    for _ in range(count):
        data = bytearray(good)
        for at in draw.integers(0, len(good), int(draw.integers(1, 4))):
            data[at] = int(draw.integers(0, 256)) if draw.random() < 0.5 else data[at] ^ (1 << int(draw.integers(0, 8)))
        if draw.random() < 0.1:
            del data[int(draw.integers(0, len(data))) :]
        accepted += canonical(bytes(data))
    assert 0 < accepted < count


@settings(max_examples=40)
@given(
    steps=st.lists(st.integers(0, 2), min_size=1, max_size=120),
    period=st.integers(1, 40),
    commit_every=st.integers(1, 30),
    validators=st.integers(1, 4),
    draw=st.data(),
)
def test_any_ledger_verifies_and_proves_every_step(
    steps: list[int], period: int, commit_every: int, validators: int, draw: st.DataObject
) -> None:
    """Up to three missions in any interleaving, heads and commits at any pace."""
    signers = [Unsigned(f"validator {k}") for k in range(validators)]
    ledger = Ledger(signers=signers, scheme=TRUSTING, period=period, commit_every=commit_every)
    done = [0, 0, 0]
    for mission in steps:
        ledger.append(Leaf(bytes([mission] * 16), done[mission]))
        done[mission] += 1
        if draw.draw(st.booleans()) and draw.draw(st.booleans()):
            ledger.sign_head()
    ledger.sign_head()
    found = ledger.verify(ledger.header.log_id)
    assert found.ok, found.problem
    assert found.leaves == found.signed == len(steps)
    for mission, count in enumerate(done):
        for step in range(count):
            leaf = ledger.prove(step, bytes([mission] * 16)).verify(ledger.header.log_id, TRUSTING)
            assert (leaf.mission[0], leaf.step) == (mission, step)
    sizes = [size for size, *_ in ledger._store.heads()]
    for first in sizes:
        ledger.prove_consistency(first).verify(ledger.header.log_id, TRUSTING)
    ledger.close()
