"""Sets of entities of any size, seen by a robot: codes of those that are there, attention, pooling, scores.

The entities of N robots lie packed one after the other, (M, ...), since most slots of an observation are empty; who is
whose is told by a :class:`Present`. Each operation is one compiled pass over the entities with a gradient of its own
(CPU only): as a dozen tensor operations it would cost a dozen passes over padded memory.
"""

import math
from typing import Any, NamedTuple, cast

import numba
import numpy as np
import torch
from torch import Tensor

from qdt_env.records import require


class Present(NamedTuple):
    """Which entities are there, in the order of rows and of slots.

    Attributes:
        row: (M,) int64, whose each is.
        slot: (M,) int64, where it stood.
        first: (N + 1,) int64, where each row's begin, and M.
    """

    row: Tensor
    slot: Tensor
    first: Tensor

    def of(self, values: Tensor) -> Tensor:
        """(M, ...) values of those that are there, of padded ones (N, P, ...)."""
        return values[self.row, self.slot]


def present(there: Tensor) -> Present:
    """Who is there, of a table (N, P) bool."""
    row, slot = torch.nonzero(there, as_tuple=True)
    first = torch.zeros(len(there) + 1, dtype=torch.int64)
    torch.cumsum(there.sum(1), 0, out=first[1:])
    return Present(row, slot, first)


def attend(own: Tensor, seen_by: Tensor, query: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes relu(own + seen_by) of entities, and for each row their mean weighted by attention and their maximum.

    Weights are a softmax over a row's entities of code . query / sqrt(W). A row without entities gets zeros.

    Args:
        own: (M, W) of the entities.
        seen_by: (N, W) of the rows.
        query: (N, W) of the rows.
        first: see :class:`Present`.

    Raises:
        ValueError: another number of entities or of rows than ``first`` tells.

    Returns:
        Codes (M, W), means (N, W) and maxima (N, W).
    """
    if torch.is_grad_enabled():
        return cast(tuple[Tensor, Tensor, Tensor], _Attend.apply(own, seen_by, query, first))
    codes, _, mean, most = _attended(own, seen_by, query, first)
    return codes, mean, most


def score(own: Tensor, seen_by: Tensor, direction: Tensor, first: Tensor) -> Tensor:
    """(M,) relu(own + seen_by) . direction of entities.

    Args:
        own: (M, W) of the entities.
        seen_by: (N, W) of the rows.
        direction: (W,).
        first: see :class:`Present`.

    Raises:
        ValueError: another number of entities or of rows than ``first`` tells.
    """
    if torch.is_grad_enabled():
        return cast(Tensor, _Score.apply(own, seen_by, direction, first))
    return _scored(own, seen_by, direction, first)


def _arrays(own: Tensor, seen_by: Tensor, other: Tensor, first: Tensor, *rest: Tensor) -> list[np.ndarray]:
    """The tensors' memory; entities and rows fit, as the kernels trust.

    Raises:
        ValueError: they do not.
    """
    entities, rows, _, begins, *_ = arrays = _memory(own, seen_by, other, first, *rest)
    require(len(entities) == begins[-1], "own", entities.shape, f"{begins[-1]} entities, as first says")
    require(len(rows) == len(begins) - 1, "seen_by", rows.shape, f"{len(begins) - 1} rows, as first says")
    return arrays


def _memory(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _attended(own: Tensor, seen_by: Tensor, query: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes, attention weights (M,), means and maxima."""
    codes, weights = torch.empty(own.shape, dtype=own.dtype), torch.empty(own.shape[:1], dtype=own.dtype)
    mean, most = torch.empty(query.shape, dtype=own.dtype), torch.empty(query.shape, dtype=own.dtype)
    _attend(*_arrays(own, seen_by, query, first, codes, weights, mean, most))
    return codes, weights, mean, most


def _scored(own: Tensor, seen_by: Tensor, direction: Tensor, first: Tensor) -> Tensor:
    scores = torch.empty(own.shape[:1], dtype=own.dtype)
    _score(*_arrays(own, seen_by, direction, first, scores))
    return scores


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, seen_by: Tensor, query: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, weights, mean, most = _attended(own, seen_by, query, first)
        ctx.save_for_backward(codes, weights, mean, most, query, first)
        return codes, mean, most

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        codes, _, mean, *_ = ctx.saved_tensors
        found = torch.empty_like(codes), torch.empty_like(mean), torch.empty_like(mean)
        _attend_backward(*_memory(*ctx.saved_tensors, *gradients, *found))
        return *found, None


class _Score(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, seen_by: Tensor, direction: Tensor, first: Tensor) -> Tensor:
        ctx.save_for_backward(own, seen_by, direction, first)
        return _scored(own, seen_by, direction, first)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found = [torch.empty(one.shape, dtype=one.dtype) for one in ctx.saved_tensors[:3]]
        _score_backward(*_memory(*ctx.saved_tensors, *gradients, *found))
        return *found, None


# Sums may be reordered, so that they use vector registers; everything else is as written.
kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})


@kernel
def _attend(own, seen_by, query, first, codes, weights, mean, most):
    rows, width = seen_by.shape
    scale, zero = own.dtype.type(1.0 / math.sqrt(width)), own.dtype.type(0.0)
    for n in range(rows):
        mean[n] = most[n] = 0.0
        highest = own.dtype.type(-np.inf)
        for m in range(first[n], first[n + 1]):
            for w in range(width):
                codes[m, w] = max(own[m, w] + seen_by[n, w], zero)
            along = zero
            for w in range(width):
                along += codes[m, w] * query[n, w]
            for w in range(width):
                most[n, w] = max(most[n, w], codes[m, w])
            weights[m] = along * scale
            highest = max(highest, weights[m])
        total = zero
        for m in range(first[n], first[n + 1]):
            weights[m] = math.exp(weights[m] - highest)
            total += weights[m]
        for m in range(first[n], first[n + 1]):
            weights[m] /= total
            for w in range(width):
                mean[n, w] += weights[m] * codes[m, w]


@kernel
def _attend_backward(codes, weights, mean, most, query, first, by_code, by_mean, by_most, by_own, by_seen, by_query):
    rows, width = query.shape
    scale, zero = codes.dtype.type(1.0 / math.sqrt(width)), codes.dtype.type(0.0)
    left = np.empty(width, codes.dtype)  # of equal maxima, as of patients who look alike, the first gets the gradient
    for n in range(rows):
        left[:] = by_most[n]
        by_seen[n] = by_query[n] = 0.0
        usual = zero  # what the weights get on average, which a softmax subtracts
        for w in range(width):
            usual += mean[n, w] * by_mean[n, w]
        for m in range(first[n], first[n + 1]):
            along = zero
            for w in range(width):
                along += codes[m, w] * by_mean[n, w]
            weight, by_score = weights[m], scale * weights[m] * (along - usual)
            for w in range(width):
                by_query[n, w] += by_score * codes[m, w]
            for w in range(width):
                taken = left[w] if codes[m, w] == most[n, w] else zero
                left[w] -= taken
                got = by_code[m, w] + weight * by_mean[n, w] + by_score * query[n, w] + taken
                by_own[m, w] = got if codes[m, w] > zero else zero
            for w in range(width):
                by_seen[n, w] += by_own[m, w]


@kernel
def _score(own, seen_by, direction, first, scores):
    rows, width = seen_by.shape
    zero = own.dtype.type(0.0)
    for n in range(rows):
        for m in range(first[n], first[n + 1]):
            total = zero
            for w in range(width):
                total += max(own[m, w] + seen_by[n, w], zero) * direction[w]
            scores[m] = total


@kernel
def _score_backward(own, seen_by, direction, first, by_score, by_own, by_seen, by_direction):
    rows, width = seen_by.shape
    zero = own.dtype.type(0.0)
    by_direction[:] = 0.0
    for n in range(rows):
        by_seen[n] = 0.0
        for m in range(first[n], first[n + 1]):
            got = by_score[m]
            for w in range(width):
                by_direction[w] += got * max(own[m, w] + seen_by[n, w], zero)
            for w in range(width):
                by_own[m, w] = got * direction[w] if own[m, w] + seen_by[n, w] > zero else zero
            for w in range(width):
                by_seen[n, w] += by_own[m, w]
