"""The columns of an Arrow body, read as ids, times, numbers and texts; what is wrong is kept by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, TypeAlias  # Any: values and arrays of any type

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.errors import InputError, TooLarge
from barograph.frames.columns import as_text, numbers, times
from barograph.frames.nested import flat_columns
from barograph.ingest.arrow_stream import read_stream
from barograph.ingest.decoded import Reasons, latest, note, text_reason, time_format, time_reason
from barograph.ingest.expand import Body
from barograph.ingest.limits import FIRST_US, ID_LENGTH, MAX_CELLS, REJECTED_BYTES, Limits
from barograph.ingest.memory import Reserve
from barograph.ingest.rejected import shown
from barograph.ingest.sensitive import Rules
from barograph.spec.schema import Schema
from barograph.store.layout import NUMBER, TEXT, TIME

Mask: TypeAlias = npt.NDArray[np.bool_]
Column: TypeAlias = "pa.Array[Any]"
_MAX_NESTED_VALUES = MAX_CELLS // 10  # of a column of lists, which become Python objects
_TEXTS = frozenset(kind.id for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()))
_VIEWS = frozenset(kind.id for kind in (pa.string_view(), pa.binary_view()))
_USUAL = _TEXTS | {kind.id for kind in (pa.float64(), pa.float32(), pa.int64(), pa.int32(), pa.bool_())}
_SCALARS = (pt.is_null, pt.is_boolean, pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_temporal)
_BLOCK_ROWS = 256  # that become Python objects at a time


def read_batch(
    body: Body, limits: Limits, reserve: Reserve, objects: frozenset[str] = frozenset(), rules: Rules | None = None
) -> Batch:
    """Return the columns of an Arrow IPC stream, those inside structs and maps called `objects` one by one.

    Those that are sensitive by `rules` are treated.

    Raises like `read_stream`.
    """
    table = read_stream(body, limits, reserve)
    batch = Batch(limits, table.num_rows, {}, np.zeros(table.num_rows, np.bool_))
    for whole in table.column_names:
        with _reading(whole, table.column(whole).type):
            for name, array in flat_columns(whole, _one_array(table.column(whole)), objects=objects):
                if name in batch.columns:
                    raise InputError(f"The body has more than one column named {name!r}, with those in objects.")
                if len(batch.columns) >= limits.body_columns or len(batch.columns) * table.num_rows > MAX_CELLS:
                    raise TooLarge(f"Column {whole!r} has too many keys for so many rows. Send fewer rows at once.")
                batch.columns[name] = batch.without_views(array)
    if rules is not None:
        batch.columns = dict(rules.columns_of(batch.columns))
    return batch


@dataclass(slots=True)
class Batch:
    """The columns of a body, and what is wrong with which of its rows."""

    limits: Limits
    rows: int
    columns: dict[str, Column]
    bad: Mask
    reasons: Reasons = field(default_factory=dict)
    expanded: int = 0  # bytes of text so far

    def without_views(self, array: Column) -> Column:
        """Return a column with plain texts for views, which may refer to the same bytes any number of times."""
        if array.type.id in _USUAL:
            return array
        if isinstance(array, pa.ExtensionArray):
            return self.without_views(array.storage)
        if pt.is_dictionary(array.type):
            if not _is_view(array.type.value_type):
                return array
            return pa.DictionaryArray.from_arrays(array.indices, self.without_views(array.dictionary))
        if not _is_view(array.type):
            return array
        validity, buffer, *data = array.buffers()
        views = np.frombuffer(buffer, np.int32, 4 * (array.offset + len(array))).reshape(-1, 4)
        if array.null_count:
            # Under a null a view may be anything, also in a valid array, and a cast reads it all the same.
            nulls = np.flatnonzero(pc.is_null(array).to_numpy(zero_copy_only=False)) + array.offset
            views = views.copy()
            views[nulls] = 0
            buffers = [validity, pa.py_buffer(views), *data]
            array = pa.Array.from_buffers(array.type, len(array), buffers, array.null_count, array.offset)
        self._expand(int(views[array.offset :, 0].sum(dtype=np.int64)))  # the first 4 of 16 bytes are the length
        return array.cast(pa.large_string() if pt.is_string_view(array.type) else pa.large_binary())

    def add(self, mask: Mask, reason: Callable[[int], str]) -> None:
        """Reject rows; `reason` is asked for each."""
        where = np.flatnonzero(mask)
        if len(where):
            self.bad |= mask
            for i in where.tolist():
                note(self.reasons, i, reason(i))

    def ids(self, name: str) -> Column:
        if name not in self.columns:
            raise InputError(
                f"The body has no column {name!r}, which holds the ids. Its columns are "
                f"{', '.join(map(repr, list(self.columns)[:20])) or 'none'}."
            )
        array = self.columns[name]
        kind = _value_type(array)
        if pt.is_boolean(kind) or pt.is_temporal(kind):
            raise InputError(f"Column {name!r} holds the ids: expected text or whole numbers, got {kind}.")
        ids = self.texts(name)
        lengths = pc.utf8_length(ids)
        if ids.null_count or (len(ids) and (pc.min(lengths).as_py() < 1 or pc.max(lengths).as_py() > ID_LENGTH)):
            sizes = pc.fill_null(lengths, 0).to_numpy()
            self.add((sizes == 0) & ~self.bad, lambda i: f"{name}: missing")
            self.add(sizes > ID_LENGTH, lambda i: f"{name}: expected at most {ID_LENGTH} characters, got {sizes[i]:,}")
        return ids

    def times(self, name: str, schema: Schema, now_us: int, *, needed: bool = True) -> Column:
        """Return a column of times; null where there is none."""
        if name not in self.columns:
            raise InputError(f"The body has no column {name!r}, which holds the timestamps. Add it.")
        array = self._scalar(name)
        if _is_text(_value_type(array)):
            self._check_text_sizes(name, array)
        with _reading(name, array.type):
            microseconds, null, wrong = times(array, schema.timezone, time_format(schema, name))
        missing = np.zeros(self.rows, np.bool_) if null is None else null
        known = np.ones(self.rows, np.bool_) if wrong is None else ~wrong
        off = ~known | (microseconds < FIRST_US) | (microseconds > latest(now_us))
        off = off | missing if needed else off & ~missing
        if off.any():
            self.add(off, lambda i: time_reason(_python_value(array, i), bool(known[i]), int(microseconds[i]), name))
        return pa.array(microseconds, pa.int64(), mask=missing if missing.any() else None).view(TIME)

    def numbers(self, name: str) -> Column:
        array = self._scalar(name)
        if array.type == NUMBER:
            return array
        if _is_text(_value_type(array)):
            self._check_text_sizes(name, array)
        with _reading(name, array.type):
            values, null, wrong = numbers(array)
        if wrong is not None:
            self.add(wrong, lambda i: f"{name}: expected a number, got {shown(_python_value(array, i))}")
        return pa.array(values, NUMBER, mask=null, from_pandas=False)

    def texts(self, name: str, *, presence: bool = False) -> Column:
        """Return a column as text; of a list its JSON, of an embedding (`presence`) too."""
        if presence and pt.is_nested(self.columns[name].type):
            _check_plain(name, self.columns[name])
            values = (row[name] for row in _python_rows({name: self.columns[name]}))
            return pa.array([None if v is None else _json(v) for v in values], pa.binary()).cast(TEXT)
        array = self._scalar(name)
        if _is_text(_value_type(array)):
            array = self._check_text_sizes(name, array)
        with _reading(name, array.type):
            return as_text(array)

    def extra(self, names: Sequence[str]) -> Column:
        """Return the values of columns that the schema does not know as the JSON text of an object a row."""
        if not names:
            return pa.nulls(self.rows, TEXT)
        for name in names:
            _check_plain(name, self.columns[name])
            if _is_text(_value_type(self.columns[name])):
                self._check_text_sizes(name, self.columns[name])
        texts = [_json(row) for row in _python_rows({name: self.columns[name] for name in names})]
        most = self.limits.text_bytes
        too_long = np.array([len(text) > most for text in texts], np.bool_)
        self.add(too_long, lambda i: f"fields that the schema does not know take more than {most:,} bytes")
        return pa.array([b"" if len(text) > most else text for text in texts], pa.binary()).cast(TEXT)

    def first_of_each(self, ids: Column) -> Mask | None:
        """Return which rows are taken: the good ones that are the first with their id. None: all."""
        if not self.reasons and pc.count_distinct(ids).as_py() == self.rows:
            return None
        good = np.flatnonzero(~self.bad)
        codes = pc.dictionary_encode(ids.take(pa.array(good))).indices.to_numpy()
        keep = np.zeros(self.rows, np.bool_)
        keep[good[np.unique(codes, return_index=True)[1]]] = True
        return keep

    def row_texts(self, where: Sequence[int]) -> Iterator[bytes]:
        """Yield some rows as JSON, cut at 4 KiB; nothing of them where no column has single values."""
        shown_columns = {name: array for name, array in self.columns.items() if _is_scalar(_value_type(array))}
        if not shown_columns:
            return repeat(b"", len(where))
        return (_json(row)[:REJECTED_BYTES] for row in _python_rows(shown_columns, where))

    def _scalar(self, name: str) -> Column:
        array = self.columns[name]
        if not _is_scalar(_value_type(array)):
            raise InputError(f"Column {name!r} has type {array.type}: expected text, numbers, truth values or times.")
        return array

    def _check_text_sizes(self, name: str, array: Column) -> Column:
        """Reject rows with too long texts, and return the column without those of a dictionary."""
        most = self.limits.text_bytes
        if not isinstance(array, pa.DictionaryArray):
            if array.nbytes > most:
                sizes = _text_sizes(array)
                self.add(sizes > most, lambda i: text_reason(name, int(sizes[i]), most))
            return array
        of_values = _text_sizes(array.dictionary)
        at = pc.fill_null(array.indices.cast(pa.int64()), len(of_values)).to_numpy()
        of_rows = np.append(of_values, 0)[at]
        too_long = of_rows > most
        if too_long.any():
            self.add(too_long, lambda i: text_reason(name, int(of_rows[i]), most))
            values = pc.if_else(pa.array(of_values <= most), array.dictionary, pa.scalar(None, array.dictionary.type))
            array = self.columns[name] = pa.DictionaryArray.from_arrays(array.indices, values)
        self._expand(int(of_rows[~too_long].sum()))  # what many rows share is copied for each
        return array

    def _expand(self, size: int) -> None:
        self.expanded += size
        if self.expanded > self.limits.expanded_bytes:
            raise TooLarge(
                f"The texts of the body take more than {self.limits.expanded_bytes:,} bytes. Send fewer rows at once."
            )


def _one_array(column: pa.ChunkedArray[Any]) -> Column:
    if column.num_chunks == 1:
        return column.chunk(0)
    if pt.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # some versions keep chunks
        return pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], column.type)
    return combined


def _value_type(array: Column) -> pa.DataType:
    return array.type.value_type if pt.is_dictionary(array.type) else array.type


def _is_text(kind: pa.DataType) -> bool:
    return kind.id in _TEXTS


def _is_scalar(kind: pa.DataType) -> bool:
    return kind.id in _USUAL or any(is_kind(kind) for is_kind in _SCALARS)


def _is_view(kind: pa.DataType) -> bool:
    return kind.id in _VIEWS


def _text_sizes(array: Column) -> npt.NDArray[np.int64]:
    """Return the bytes of each text, 0 for null."""
    sizes: npt.NDArray[np.int64] = pc.fill_null(pc.binary_length(array), 0).to_numpy().astype(np.int64)
    return sizes


def _check_plain(name: str, array: Column) -> None:
    """Refuse a column that could become far more Python objects than it has bytes, or that has none."""

    def count(part: Column) -> int:
        kind = part.type
        if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
            values: int = len(part.values)
            return values + count(part.values)
        if pt.is_struct(kind):
            fields: int = kind.num_fields
            return len(part) * fields + sum(count(part.field(i)) for i in range(fields))
        if not _is_scalar(kind):
            raise InputError(
                f"Column {name!r} has type {array.type}, which cannot be read. Leave it out, or send text."
            )
        return len(part)

    if not _is_scalar(_value_type(array)) and (values := count(array)) > _MAX_NESTED_VALUES:
        raise TooLarge(
            f"Column {name!r} holds {values:,} values in lists; at most {_MAX_NESTED_VALUES:,} may come. "
            "Leave it out, or send fewer rows at once."
        )


def _python_rows(columns: dict[str, Column], rows: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
    """Yield rows as Python objects, few at a time."""
    n = len(next(iter(columns.values()))) if rows is None else len(rows)
    for start in range(0, n, _BLOCK_ROWS):
        values = []
        for name, array in columns.items():
            if rows is None:
                part = array.slice(start, _BLOCK_ROWS)
            else:
                part = array.take(pa.array(rows[start : start + _BLOCK_ROWS], pa.int64()))
            with _reading(name, array.type):
                values.append(_readable(part).to_pylist())
        for row in zip(*values, strict=True):
            yield dict(zip(columns, row, strict=True))


def _python_value(array: Column, i: int) -> Any:
    return _readable(array.slice(i, 1)).to_pylist()[0]


def _readable(array: Column) -> Column:
    """Return times and decimals as text: Python has no time after 9999, and no decimal with more digits than stated."""
    kind = array.type
    if pt.is_timestamp(kind):
        return array.view(pa.timestamp(kind.unit)).cast(TEXT)
    if pt.is_duration(kind):
        return array.view(pa.int64())
    return array.cast(TEXT) if pt.is_temporal(kind) or pt.is_decimal(kind) else array


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


@contextmanager
def _reading(name: str, kind: pa.DataType) -> Iterator[None]:
    """Turn what Arrow and Python say of values that they cannot convert into an error that names the column."""
    try:
        yield
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        detail = str(error).strip().split("\n")[0]
        raise InputError(
            f"Column {name!r} of type {kind} cannot be read: {detail}. Send it as text or numbers."
        ) from error
