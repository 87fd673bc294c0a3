"""Explicit vectors of doubles in compiled loops, where the compiler would choose narrower ones or none.

Formulas are Python functions of :class:`Vector`; they run once, while a kernel is compiled, and leave their operations
behind. Eight doubles are one instruction with 512-bit registers and two or four without; LLVM splits them itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WIDTH = 8  # doubles of a vector: a cache line
_DOUBLE, _LANE = ir.DoubleType(), ir.IntType(32)
_FAST = ("contract", "nsz")  # as ELEMENTWISE: fused multiply-add, no reordering


def aligned(rows: int, size: int) -> np.ndarray:
    """Uninitialised float64 (rows, size), beginning at a cache line: vectors across two lines take twice as long."""
    room = np.empty(rows * size + WIDTH)
    start = -(room.__array_interface__["data"][0] // room.itemsize) % WIDTH
    return room[start : start + rows * size].reshape(rows, size)


class Vector:
    """Doubles side by side in a function being compiled."""

    def __init__(self, builder: Any, value: Any) -> None:
        self._builder, self._value, self._kind = builder, value, value.type

    @classmethod
    def load(cls, builder: Any, pointer: Any) -> "Vector":
        """The numbers from an address on, which need not be aligned to the vector."""
        return cls(builder, builder.load(pointer, align=8))

    @classmethod
    def all(cls, builder: Any, number: Any, width: int) -> "Vector":
        """One number in every lane."""
        nothing = ir.Constant(ir.VectorType(_DOUBLE, width), ir.Undefined)
        first = builder.insert_element(nothing, number, ir.Constant(_LANE, 0))
        return cls(builder, builder.shuffle_vector(first, nothing, _lanes([0] * width)))

    def store(self, pointer: Any) -> None:
        """Write the numbers from an address on."""
        self._builder.store(self._value, pointer, align=8)

    def exchanged(self, distance: int) -> "Vector":
        """Lane i holds what lane i XOR distance held."""
        order = _lanes([i ^ distance for i in range(self._kind.count)])
        return Vector(self._builder, self._builder.shuffle_vector(self._value, self._value, order))

    def signed(self, distance: int) -> "Vector":
        """Negated in the lanes whose number has the bit ``distance``."""
        signs = [-1.0 if i & distance else 1.0 for i in range(self._kind.count)]
        return self._with("fmul", ir.Constant(self._kind, signs))

    def total(self) -> Any:
        """Sum of the lanes, as an LLVM double."""
        total, distance = self, self._kind.count // 2
        while distance:
            total, distance = total + total.exchanged(distance), distance // 2
        return self._builder.extract_element(total._value, ir.Constant(_LANE, 0))

    def __add__(self, other: "Vector | float") -> "Vector":
        return self._with("fadd", self._operand(other))

    def __sub__(self, other: "Vector | float") -> "Vector":
        return self._with("fsub", self._operand(other))

    def __rsub__(self, other: float) -> "Vector":
        return Vector(self._builder, self._operand(other))._with("fsub", self._value)

    def __mul__(self, other: "Vector | float") -> "Vector":
        return self._with("fmul", self._operand(other))

    __radd__, __rmul__ = __add__, __mul__

    def _operand(self, other: "Vector | float") -> Any:
        return other._value if isinstance(other, Vector) else ir.Constant(self._kind, [other] * self._kind.count)

    def _with(self, operation: str, operand: Any) -> "Vector":
        return Vector(self._builder, getattr(self._builder, operation)(self._value, operand, flags=_FAST))


def _lanes(numbers: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_LANE, len(numbers)), numbers)


def vectorised(
    function: Callable[..., tuple[Sequence[Sequence[Vector]], Vector | None]], rows: int = 1, width: int = WIDTH
) -> Any:
    """An operation for compiled code: op(planes, start, stride, to, to_start, to_stride, scalars) -> float64.

    Args:
        function: called as function(scalars, *planes) with ``rows`` vectors of each plane, those that begin at start,
            start + stride, ...; returns as many for each plane of ``to``, and a vector whose sum over lanes is the
            operation's result (None: 0).
        rows: vectors of each plane.
        width: doubles of a vector.

    Returns:
        The operation; planes and to are tuples of float64 arrays, which may be the same, scalars a tuple of float64.
    """

    @intrinsic
    def operation(_, planes, start, stride, to, to_start, to_stride, scalars):
        def generate(context, builder, signature, arguments):
            def pointers(k: int) -> list[list[Any]]:
                arrays = zip(signature.args[k], cgutils.unpack_tuple(builder, arguments[k]), strict=True)
                proxies = [cgutils.create_struct_proxy(kind)(context, builder, value=array) for kind, array in arrays]
                return [_rows(builder, proxy.data, offsets, width) for proxy in proxies]

            offsets = _offsets(builder, arguments[1], arguments[2], rows)
            loaded = [[Vector.load(builder, pointer) for pointer in plane] for plane in pointers(0)]
            numbers = [Vector.all(builder, number, width) for number in cgutils.unpack_tuple(builder, arguments[6])]
            stored, summed = function(numbers, *loaded)
            offsets = _offsets(builder, arguments[4], arguments[5], rows)
            for vectors, plane in zip(stored, pointers(3), strict=True):
                for vector, pointer in zip(vectors, plane, strict=True):
                    vector.store(pointer)
            return ir.Constant(_DOUBLE, 0.0) if summed is None else summed.total()

        index = types.intp
        return types.float64(planes, index, index, to, index, index, scalars), generate

    return operation


def _offsets(builder: Any, start: Any, stride: Any, rows: int) -> list[Any]:
    return [builder.add(start, builder.mul(stride, ir.Constant(start.type, row))) for row in range(rows)]


def _rows(builder: Any, data: Any, offsets: list[Any], width: int) -> list[Any]:
    """Pointers to vectors at offsets from an array's first number."""
    kind = ir.VectorType(_DOUBLE, width).as_pointer()
    return [builder.bitcast(builder.gep(data, [offset]), kind) for offset in offsets]
