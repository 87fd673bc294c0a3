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
    _check(own, seen_by, first)
    return cast(tuple[Tensor, Tensor, Tensor], _Attend.apply(own, seen_by, query, first))


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
    _check(own, seen_by, first)
    return cast(Tensor, _Score.apply(own, seen_by, direction, first))


def _check(own: Tensor, seen_by: Tensor, first: Tensor) -> None:
    """The kernels trust that everything fits."""
    require(len(own) == int(first[-1]), "own", tuple(own.shape), f"{int(first[-1])} entities, as first says")
    require(len(seen_by) == len(first) - 1, "seen_by", tuple(seen_by.shape), f"{len(first) - 1} rows, as first says")


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, seen_by: Tensor, query: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, weights = torch.empty_like(own), own.new_empty(len(own))
        mean, most = torch.empty_like(seen_by), torch.empty_like(seen_by)
        _attend(*_arrays(own, seen_by, query, first, codes, weights, mean, most))
        ctx.save_for_backward(codes, weights, query, mean, most, first)
        return codes, mean, most

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        codes, weights, query = ctx.saved_tensors[:3]
        found = torch.empty_like(codes), torch.empty_like(query), torch.empty_like(query)
        _attend_backward(*_arrays(*ctx.saved_tensors, *gradients, *found))
        return *found, None


class _Score(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, seen_by: Tensor, direction: Tensor, first: Tensor) -> Tensor:
        scores = own.new_empty(len(own))
        _score(*_arrays(own, seen_by, direction, first, scores))
        ctx.save_for_backward(own, seen_by, direction, first)
        return scores

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        own, seen_by, direction, first = ctx.saved_tensors
        found = torch.empty_like(own), torch.empty_like(seen_by), torch.empty_like(direction)
        _score_backward(*_arrays(own, seen_by, direction, first, *gradients, *found))
        return *found, None


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    """The tensors' memory."""
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


# Sums may be reordered, so that they use vector registers; everything else is as written.
_kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})


@_kernel
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


@_kernel
def _attend_backward(codes, weights, query, mean, most, first, by_code, by_mean, by_most, by_own, by_seen, by_query):
    rows, width = query.shape
    scale, zero = codes.dtype.type(1.0 / math.sqrt(width)), codes.dtype.type(0.0)
    for n in range(rows):
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
                got = by_code[m, w] + weight * by_mean[n, w] + by_score * query[n, w]
                got += by_most[n, w] if codes[m, w] == most[n, w] else zero
                by_own[m, w] = got if codes[m, w] > zero else zero
            for w in range(width):
                by_seen[n, w] += by_own[m, w]


@_kernel
def _score(own, seen_by, direction, first, scores):
    rows, width = seen_by.shape
    zero = own.dtype.type(0.0)
    for n in range(rows):
        for m in range(first[n], first[n + 1]):
            total = zero
            for w in range(width):
                total += max(own[m, w] + seen_by[n, w], zero) * direction[w]
            scores[m] = total


@_kernel
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
