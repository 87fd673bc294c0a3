"""The anti-replay window against a plain set, and at its edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdt_env.security.replay import BLOCK_BITS, BLOCKS, WINDOW, ReplayWindow


def test_dimensions_of_rfc_6479():
    assert (BLOCKS, BLOCK_BITS, WINDOW) == (16, 64, 960)


class NaiveWindow:
    """The definition: everything accepted is kept for ever."""

    def __init__(self):
        self.accepted = set()

    def is_fresh(self, counter):
        top = max(self.accepted, default=-1)
        return counter not in self.accepted and counter > top - WINDOW

    def mark(self, counter):
        self.accepted.add(counter)


jumps = st.one_of(st.integers(-5, 5), st.integers(-1100, 1100), st.integers(-70, 200), st.just(2**40))


@given(st.lists(jumps, max_size=150))
def test_equals_the_definition(steps):
    window, naive = ReplayWindow(), NaiveWindow()
    counter = 0
    for step in steps:
        counter = max(counter + step, 0)
        assert window.is_fresh(counter) == naive.is_fresh(counter)
        if window.is_fresh(counter):
            window.mark(counter)
            naive.mark(counter)


def test_edges_of_the_window():
    window = ReplayWindow()
    window.mark(5_000)
    assert window.is_fresh(5_000 - WINDOW + 1) and not window.is_fresh(5_000 - WINDOW)
    window.mark(5_000 - WINDOW + 1)
    assert not window.is_fresh(5_000 - WINDOW + 1)


def test_checking_alone_changes_nothing():
    window = ReplayWindow()
    assert window.is_fresh(2**64 - 1) and window.is_fresh(0)
    window.mark(0)
    assert window.is_fresh(1) and not window.is_fresh(0)


def test_marking_twice_is_an_error():
    window = ReplayWindow()
    window.mark(3)
    with pytest.raises(ValueError, match="3"):
        window.mark(3)


def test_a_long_jump_forgets_no_newer_and_keeps_no_older_marks():
    window = ReplayWindow()
    for counter in range(1_000):
        window.mark(counter)
    window.mark(10_000_000)
    assert all(window.is_fresh(counter) for counter in range(10_000_000 - WINDOW + 1, 10_000_000))
    window.mark(2**64 - 1)
    assert not window.is_fresh(2**64 - 1)
