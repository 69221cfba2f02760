"""Between numpy and Arrow by way of their buffers.

`pyarrow.array` and `to_numpy` import pandas wherever it is installed, which takes longer than a small check.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any  # Any: numbers of any type

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt


def arrow_numbers(values: npt.NDArray[Any]) -> pa.Array[Any]:
    """Return numbers or truth values as an Arrow array without nulls; numbers are not copied.

    >>> arrow_numbers(np.array([2, 3])).to_pylist(), arrow_numbers(np.array([True, False])).to_pylist()
    ([2, 3], [True, False])
    """
    values = np.ascontiguousarray(values)
    if values.dtype == np.bool_:
        bits = np.packbits(values, bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def arrow_texts(values: Sequence[str | None]) -> pa.Array[Any]:
    """Return texts as an Arrow array.

    >>> arrow_texts(["a", None, "", "äö"]).to_pylist()
    ['a', None, '', 'äö']
    """
    encoded = [(value or "").encode() for value in values]
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.array([len(text) for text in encoded], np.int64), out=ends[1:])
    present = np.packbits(np.array([value is not None for value in values], np.bool_), bitorder="little")
    buffers = [pa.py_buffer(present), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    large: pa.Array[Any] = pa.Array.from_buffers(pa.large_string(), len(values), buffers)
    return large.cast(pa.string())


def numpy_of(array: pa.Array[Any], *, null: float | bool | None = None) -> npt.NDArray[Any]:
    """Return numbers or truth values as numpy, `null` standing for nulls; not copied where there are none.

    A null float is NaN where nothing is said. Raises ValueError for nulls of another type that nothing stands for.

    >>> numpy_of(arrow_numbers(np.array([2.5, 3.0]))).tolist(), numpy_of(pa.array([True, None]), null=False).tolist()
    ([2.5, 3.0], [True, False])
    """
    if not array.null_count:
        return _values(array)
    if null is None:
        if not pt.is_floating(array.type):
            raise ValueError(f"Nulls of {array.type} have no value in numpy.")
        null = math.nan
    buffers = array.buffers()
    present = pa.Array.from_buffers(array.type, len(array), [None, *buffers[1:]], offset=array.offset)
    return np.where(_values(pc.is_null(array)), np.asarray(null, _values(present).dtype), _values(present))


def _values(array: pa.Array[Any]) -> npt.NDArray[Any]:
    if pt.is_boolean(array.type):
        return np.from_dlpack(pc.cast(array, pa.uint8())).view(np.bool_)
    return np.from_dlpack(array)


NO_TEXT = arrow_texts([""])[0]  # what texts are compared with: a text of Python would be made one, which imports pandas


def no_rows(schema: pa.Schema) -> pa.Table:
    """Return the table of these columns that has no rows."""
    return pa.table([pa.nulls(0, field.type) for field in schema], schema=schema)
