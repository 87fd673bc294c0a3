"""Packed entities: who is there, attention and scores beside the same in plain tensor operations."""

import math

import pytest

torch = pytest.importorskip("torch", reason="learned policies need PyTorch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from agents.entities import Present, attend, present, score  # noqa: E402

WIDTH = 5


def table(rows: list[list[bool]]) -> torch.Tensor:
    """A table of who is there, (N, 4) bool."""
    return torch.tensor(rows, dtype=torch.bool).reshape(len(rows), 4)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal float64 with a gradient."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def attend_plainly(
    own: torch.Tensor, seen_by: torch.Tensor, query: torch.Tensor, who: Present
) -> tuple[torch.Tensor, ...]:
    """As :func:`attend`, row by row."""
    codes = torch.relu(own + seen_by[who.row])
    means, maxima = [], []
    for n in range(len(seen_by)):
        mine = codes[who.first[n] : who.first[n + 1]]
        weights = torch.softmax(mine @ query[n] / math.sqrt(WIDTH), 0)
        means.append((weights[:, None] * mine).sum(0))
        maxima.append(mine.amax(0) if len(mine) else torch.zeros(WIDTH, dtype=own.dtype))
    return codes, torch.stack(means), torch.stack(maxima)


def test_those_who_are_there_come_in_order_of_rows_and_slots() -> None:
    who = present(table([[False, True, False, True], [False] * 4, [True, False, False, False]]))
    assert who.row.tolist() == [0, 0, 2] and who.slot.tolist() == [1, 3, 0] and who.first.tolist() == [0, 2, 2, 3]
    assert who.of(torch.arange(12).reshape(3, 4)).tolist() == [1, 3, 8]
    nobody = present(table([]))
    assert nobody.row.numel() == 0 and nobody.first.tolist() == [0]


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=6), st.integers(0, 99))
def test_attention_and_scores_are_those_of_plain_operations(rows: list[list[bool]], seed: int) -> None:
    who = present(table(rows))
    own, seen_by, query = (numbers(n, WIDTH, seed=seed + k) for k, n in enumerate((len(who.row), len(rows), len(rows))))
    if rows:
        attended = attend(own, seen_by, query, who.first)
        for found, plain in zip(attended, attend_plainly(own, seen_by, query, who), strict=True):
            assert torch.allclose(found, plain, rtol=1e-12, atol=1e-12)
    direction = numbers(WIDTH, seed=seed + 9)
    plain = torch.relu(own + seen_by[who.row]) @ direction
    assert torch.allclose(score(own, seen_by, direction, who.first), plain, rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    who = present(
        table([[True, True, False, True], [False] * 4, [False, True, True, False], [True, False, True, False]])
    )
    own, seen_by, query, direction = numbers(7, WIDTH), numbers(4, WIDTH), numbers(4, WIDTH), numbers(WIDTH)
    assert torch.autograd.gradcheck(lambda *a: attend(*a, who.first), (own, seen_by, query))
    assert torch.autograd.gradcheck(lambda *a: score(*a, who.first), (own, seen_by, direction))


def test_those_who_look_alike_get_one_gradient_of_the_maximum_together() -> None:
    """Unseen patients of a zone are the same numbers; moved together, all of them, they move the maximum once."""
    who = present(table([[True, True, False, True], [False] * 4, [False, True, True, False]]))
    own, seen_by, query = numbers(5, WIDTH), numbers(3, WIDTH), numbers(3, WIDTH)
    with torch.no_grad():
        own[1], own[4] = own[0], own[3]
    found, plain = (
        torch.autograd.grad(sum((one * one).sum() for one in pooled), (own, seen_by, query))
        for pooled in (attend(own, seen_by, query, who.first), attend_plainly(own, seen_by, query, who))
    )
    for one, other in zip(found[1:], plain[1:], strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)
    for alike in ([0, 1], [2], [3, 4]):  # which of them gets it is open
        assert torch.allclose(found[0][alike].sum(0), plain[0][alike].sum(0), rtol=1e-12, atol=1e-12)


def test_a_constant_added_to_all_of_a_rows_logits_does_not_overflow() -> None:
    who = present(table([[True, True, False, False]]))
    own = torch.full((2, WIDTH), 1e4)
    codes, mean, most = attend(own, torch.zeros(1, WIDTH), torch.full((1, WIDTH), 1e4), who.first)
    assert torch.equal(mean, codes[:1]) and torch.equal(most, codes[:1])


def test_what_is_not_contiguous_is_read_right() -> None:
    who = present(table([[True, True, False, False], [True, False, False, False]]))
    own, seen_by, direction = numbers(WIDTH, 3).T, numbers(WIDTH, 2).T, numbers(2 * WIDTH)[::2]
    plain = torch.relu(own + seen_by[who.row]) @ direction
    assert torch.allclose(score(own, seen_by, direction, who.first), plain)


def test_sizes_that_do_not_fit_are_refused() -> None:
    who = present(table([[True, True, False, False]]))
    with pytest.raises(ValueError, match=r"own=\(3, 5\) is not allowed: 2 entities"):
        attend(numbers(3, WIDTH), numbers(1, WIDTH), numbers(1, WIDTH), who.first)
    with pytest.raises(ValueError, match=r"seen_by=\(2, 5\) is not allowed: 1 rows"):
        score(numbers(2, WIDTH), numbers(2, WIDTH), numbers(WIDTH), who.first)
