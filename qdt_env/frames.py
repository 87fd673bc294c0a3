"""Named tuples of arrays, handed to compiled code as one pointer.

A kernel's state is some sixty arrays in named tuples. Passed as they are, Numba would unpack every array at every call:
20 us to enter a kernel from Python, and minutes of compilation, since each call inside passes hundreds of values.
``Frame(state)`` is the same tuple for Python (attributes read through), while compiled code receives the address of a
table with each array's data pointer, shape and strides, and reads ``state.world.robots[b, r]`` from there.

The arrays must stay where they are, which NumPy guarantees as long as the frame holds them.

In compiled code an index into an array of a frame counts from 0: -1 is not the last entry, but outside. Numba's test
for negative indices, at every index of every access, would cost a tenth of a step.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.extending import NativeValue, infer_getattr, lower_builtin, register_model, typeof_impl, unbox
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate
from numba.np.arrayobj import getitem_array_tuple, populate_array, setitem_array
from numba.np.numpy_support import from_dtype

__all__ = ["Frame"]
_WORD = 8  # bytes of one table entry


class FrameType(types.Type):
    """Numba's view of a frame: field names with their array or frame types, each field's place, words of the table."""

    def __init__(self, name: str, fields: tuple[tuple[str, Any, int], ...], words: int) -> None:
        self.fields: dict[str, tuple[Any, int]] = {field: (kind, place) for field, kind, place in fields}
        self.words = words
        super().__init__(f"Frame({name}, {fields})")


class FrameArray(types.Array):
    """An array of a frame, or a view of one, whose indices count from 0."""

    def copy(self, *arguments: Any, **changes: Any) -> "FrameArray":  # type: ignore[override]  # passed on
        """The type of a view: as an array's, and counting from 0 too."""
        view = super().copy(*arguments, **changes)
        return FrameArray(view.dtype, view.ndim, view.layout, readonly=not view.mutable, aligned=view.aligned)


class Frame:
    """A named tuple of C-contiguous arrays (or of further such tuples) with a table of addresses.

    Attributes of the tuple are attributes of the frame. Replacing an array would leave the table behind: none can be.

    Raises:
        TypeError: a field is neither an array nor a named tuple, or an array is not C-contiguous.
    """

    def __init__(self, fields: Any) -> None:
        words, kind = _describe(fields)
        object.__setattr__(self, "_fields", fields)
        object.__setattr__(self, "_table", np.array(words, np.int64))
        object.__setattr__(self, "_address", int(self._table.ctypes.data))
        object.__setattr__(self, "_numba_type_", kind)

    _table: np.ndarray
    _fields: Any

    def __getattr__(self, name: str) -> Any:
        """Fields of the tuple."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._fields, name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies are made anew from copied arrays: an address means nothing elsewhere."""
        return Frame, (self._fields,)

    def __setattr__(self, name: str, value: object) -> None:
        """Frames do not change."""
        raise AttributeError(f"{name!r} cannot be replaced: write into the array instead")


def _describe(fields: Any) -> tuple[list[int], FrameType]:
    """Table words of a named tuple, nested tuples in line, and its type."""
    words: list[int] = []
    described = []
    for name in fields._fields:
        value = getattr(fields, name)
        place = len(words)
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise TypeError(f"{type(fields).__name__}.{name} is not C-contiguous")
            words += [value.ctypes.data, *value.shape, *value.strides]
            kind: Any = FrameArray(from_dtype(value.dtype), value.ndim, "C")
        elif hasattr(value, "_fields"):
            inner, kind = _describe(value)
            words += inner
        else:
            raise TypeError(f"{type(fields).__name__}.{name} is neither an array nor a named tuple: {value!r}")
        described.append((name, kind, place))
    return words, FrameType(type(fields).__name__, tuple(described), len(words))


@typeof_impl.register(Frame)
def _typeof_frame(value: Frame, _: Any) -> FrameType:
    return value._numba_type_


@register_model(FrameType)
class _FrameModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frame: FrameType) -> None:
        super().__init__(manager, frame, ir.IntType(8).as_pointer())

    def from_argument(self, builder: Any, value: Any) -> Any:
        """The table may be read at any time: LLVM then reads it before a loop even where only a branch needs it."""
        if isinstance(value, ir.Argument):
            value.attributes.dereferenceable = self._fe_type.words * _WORD
            value.attributes.align = _WORD
        return super().from_argument(builder, value)


@unbox(FrameType)
def _unbox_frame(frame: FrameType, value: Any, c: Any) -> NativeValue:
    held = c.pyapi.object_getattr_string(value, "_address")
    address = c.pyapi.long_as_longlong(held)
    c.pyapi.decref(held)
    pointer = c.builder.inttoptr(address, ir.IntType(8).as_pointer())
    return NativeValue(pointer, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


@infer_getattr
class _FrameAttribute(AttributeTemplate):
    key = FrameType

    def generic_resolve(self, frame: FrameType, name: str) -> Any:  # type: ignore[override]  # as Numba documents it
        return frame.fields[name][0] if name in frame.fields else None


@lower_getattr_generic(FrameType)
def _frame_getattr(context: Any, builder: Any, frame: FrameType, pointer: Any, name: str) -> Any:
    kind, place = frame.fields[name]
    here = cgutils.gep_inbounds(builder, pointer, place * _WORD)
    if isinstance(kind, FrameType):
        return here
    table = builder.bitcast(here, ir.IntType(64).as_pointer())
    words = [_load_invariant(builder, table, i) for i in range(1 + 2 * kind.ndim)]
    array = context.make_array(kind)(context, builder)
    populate_array(
        array,
        data=builder.inttoptr(words[0], context.get_data_type(kind.dtype).as_pointer()),
        shape=words[1 : 1 + kind.ndim],
        strides=words[1 + kind.ndim :],
        itemsize=context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype))),
        meminfo=None,
    )
    return array._getvalue()


register_model(FrameArray)(models.ArrayModel)


@lower_builtin(operator.getitem, FrameArray, types.Integer)
@lower_builtin(operator.getitem, FrameArray, types.BaseTuple)
def _getitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return getitem_array_tuple(context, builder, *_count_from_zero(context, builder, signature, arguments))


@lower_builtin(operator.setitem, FrameArray, types.Any, types.Any)
def _setitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return setitem_array(context, builder, *_count_from_zero(context, builder, signature, arguments))


def _count_from_zero(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[Any, Any]:
    """An access (array, index, ...) with every integer of the index made unsigned, for which Numba tests nothing."""
    array, index, *value = arguments
    kind = signature.args[1]
    several = isinstance(kind, types.BaseTuple)
    parts = cgutils.unpack_tuple(builder, index) if several else [index]
    kinds = list(kind.types) if several else [kind]
    for i, one in enumerate(kinds):
        if isinstance(one, types.Integer):
            wide: Any = types.intp if one in types.signed_domain else types.uintp
            parts[i] = context.cast(builder, parts[i], one, wide)
            kinds[i] = types.uintp
    unsigned = types.Tuple.from_types(kinds)
    index = context.make_tuple(builder, unsigned, parts)
    kinds_of_all = (signature.args[0], unsigned, *signature.args[2:])
    return signature.replace(args=kinds_of_all), (array, index, *value)


def _load_invariant(builder: Any, table: Any, index: int) -> Any:
    """A word of the table, marked as never changing, so that LLVM reads it once and keeps it out of loops."""
    word = builder.load(cgutils.gep_inbounds(builder, table, index))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word
