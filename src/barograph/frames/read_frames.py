"""Rows of frames in memory: Arrow, Polars, pandas and what hands out Arrow data. Columns are converted part by part."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any  # Any: frames and series of libraries that may not be installed

import numpy as np
import pyarrow as pa

from barograph.errors import InputError
from barograph.frames.rows import BATCH_ROWS, Part, Rows, check_names, cut
from barograph.spec.running import INDEX

NAME = "frame"
_UNMERGED = (pa.BaseExtensionType, pa.ListType, pa.LargeListType, pa.StructType)  # categories that Arrow cannot merge
_ACCEPTED = (
    "a Polars, pandas or pyarrow frame, record batches, a path to Parquet, CSV or Delta, or a frame of another "
    "library that hands out Arrow data (`__arrow_c_stream__`), as those of DuckDB, Ibis and narwhals do"
)


def open_frame(source: Any) -> Rows:
    """Return the rows of a frame. Only lazy frames of Polars stay lazy; other lazy ones are read into memory."""
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    elif isinstance(source, pa.RecordBatchReader):
        source = source.read_all()
    elif isinstance(source, list | tuple) and source and all(isinstance(b, pa.RecordBatch) for b in source):
        source = pa.Table.from_batches(source)
    if isinstance(source, pa.Table):
        return _of_table(source)
    if (pl := sys.modules.get("polars")) and isinstance(source, pl.DataFrame):
        return _of_polars(source)
    if pl and isinstance(source, pl.LazyFrame):
        return _of_lazy(source)
    if (pd := sys.modules.get("pandas")) and isinstance(source, pd.DataFrame):
        return _of_pandas(source)
    if hasattr(source, "__arrow_c_stream__"):
        return _of_table(pa.RecordBatchReader.from_stream(source).read_all())
    raise InputError(f"Rows must be {_ACCEPTED}. Got {type(source).__module__}.{type(source).__name__}.")


def _in_memory(
    schema: pa.Schema, rows: int, read: Callable[[int, int, Sequence[str]], Iterator[pa.RecordBatch]]
) -> Rows:
    check_names(schema.names, "The frame")
    parts = [Part(read=partial(read, start, length), rows=length, first_row=start) for start, length in cut(rows)]
    return Rows(name=NAME, schema=schema, parts=parts, rows=rows)


# Arrow


def _of_table(table: pa.Table) -> Rows:
    for i, field in enumerate(table.schema):
        kind = field.type
        if pa.types.is_dictionary(kind) and isinstance(kind.value_type, _UNMERGED):
            table = table.set_column(i, field.name, _with_text_categories(table.column(i)))
    return _in_memory(table.schema, table.num_rows, partial(_table_batches, table))


def _with_text_categories(column: Any) -> pa.ChunkedArray[Any]:
    """Return encoded categories that Arrow cannot merge, such as intervals, as their texts."""
    chunks = []
    for chunk in column.chunks:
        values = chunk.dictionary
        # Of an extension, such as a period, its storage says less than what its library makes of it.
        plain = list(values.to_pandas()) if isinstance(values, pa.ExtensionArray) else values.to_pylist()
        texts = pa.array([None if v is None else str(v) for v in plain], pa.string())
        chunks.append(texts.take(chunk.indices))
    return pa.chunked_array(chunks, pa.string())


def _table_batches(table: pa.Table, start: int, length: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    own = [c for c in columns if c in table.column_names]
    if not own:
        yield _rows_alone(length)
        return
    yield from table.select(own).slice(start, length).to_batches(max_chunksize=BATCH_ROWS)


def _rows_alone(rows: int) -> pa.RecordBatch:
    return pa.record_batch({"rows": np.zeros(rows, np.bool_)}).select([])


# Polars


def _of_polars(frame: Any) -> Rows:
    frame = frame.with_columns(_portable(frame.schema))
    return _in_memory(frame.head(0).to_arrow().schema, frame.height, partial(_polars_batches, frame))


def _portable(schema: Any) -> list[Any]:
    """Return expressions for the columns that Arrow cannot hold as they are."""
    import polars as pl

    if unknown := [name for name, kind in schema.items() if kind == pl.Object]:
        raise InputError(f"Columns {unknown} hold Python objects. Turn them into text or numbers, or drop them.")
    wide = [kind for name in ("Int128", "UInt128") if (kind := getattr(pl, name, None)) is not None]
    return [pl.col(name).cast(pl.Float64) for name, kind in schema.items() if kind in wide]


def _polars_batches(frame: Any, start: int, length: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    own = [c for c in columns if c in frame.columns]
    if own:
        yield from _table_batches(frame.select(own).slice(start, length).to_arrow(), 0, length, own)
    else:
        yield _rows_alone(length)


def _of_lazy(frame: Any) -> Rows:
    import polars as pl

    if not hasattr(frame, "collect_batches"):  # Polars before 1.34
        return _of_polars(frame.collect())
    try:
        frame = frame.with_columns(_portable(frame.collect_schema()))
        empty = frame.collect_schema().to_frame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"The lazy frame has no schema: {error}") from error
    names: list[str] = empty.columns
    check_names(names, "The frame")

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        own = [c for c in columns if c in names]
        try:
            for piece in frame.select(own or names[:1]).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
                yield from _polars_batches(piece, 0, piece.height, own)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"The lazy frame cannot be collected: {error}") from error

    return Rows(name=NAME, schema=empty.to_arrow().schema, parts=[Part(read=read, first_row=0)])


# pandas


def _of_pandas(frame: Any) -> Rows:
    frame, index = _with_time_index(frame)
    names = [str(column) for column in frame.columns]
    check_names(names, "The frame")
    types = [_arrow_type(frame.iloc[:, i]) for i in range(len(names))]

    def read(start: int, length: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        own = [c for c in columns if c in places]
        arrays = [_pandas_array(frame.iloc[start : start + length, places[c]], types[places[c]]) for c in own]
        yield pa.record_batch(arrays, names=own) if own else _rows_alone(length)

    places = {name: i for i, name in enumerate(names)}
    fields = [pa.field(n, t, metadata={INDEX: b""} if n == index else None) for n, t in zip(names, types, strict=True)]
    return _in_memory(pa.schema(fields), len(frame), read)


def _with_time_index(frame: Any) -> tuple[Any, str | None]:
    """Return the frame with its index as a column, and the name of that, if it is one of times; else as it is."""
    import pandas as pd

    index = frame.index
    for level in range(index.nlevels):
        values = index.get_level_values(level)
        if isinstance(values, pd.PeriodIndex):
            values = values.to_timestamp()
        if isinstance(values, pd.DatetimeIndex):
            name = str(values.name) if values.name is not None else "timestamp"
            if name in map(str, frame.columns):
                return frame, None
            with_time = frame.reset_index(drop=True)  # a copy of the columns' references, not of their values
            with_time[name] = values.to_numpy() if values.tz is None else values
            return with_time, name
    return frame, None


def _arrow_type(series: Any) -> pa.DataType:
    """Return the type that all of a column can have: text where its values are of several types."""
    import pandas as pd

    if series.dtype != object:
        return _pandas_array(series.iloc[:0], None).type
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "string":  # the usual case, told without a conversion
        return pa.string()
    if kind in {"mixed", "mixed-integer"} and not _is_nested(series):
        return pa.string()
    try:
        found = pa.array(series, type=pa.float64() if kind == "mixed-integer-float" else None, from_pandas=True).type
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.string()
    if pa.types.is_timestamp(found) and found.tz and any(v.tzinfo is None for v in series.dropna()):
        return pa.string()  # Arrow would take local times for UTC
    return found


def _is_nested(series: Any) -> bool:
    present = series.dropna()
    return len(present) > 0 and isinstance(present.iloc[0], list | tuple | dict | np.ndarray)


def _pandas_array(series: Any, wanted: pa.DataType | None) -> pa.Array[Any]:
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype) and not _is_plain(series.dtype.categories):
        series = series.cat.rename_categories([str(category) for category in series.dtype.categories])
    if isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    try:
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
            array = pa.array(series.to_numpy())  # not copied, and NaN stays NaN
        else:
            array = pa.array(series, type=wanted if series.dtype == object else None, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        array = _as_text(series)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):  # periods and intervals
        array = _as_text(series)
    return array


def _is_plain(categories: Any) -> bool:
    """Return whether Arrow can merge dictionaries of these categories: not of intervals, periods, tuples."""
    import pandas as pd

    if isinstance(categories, pd.IntervalIndex | pd.PeriodIndex | pd.MultiIndex):
        return False
    return not (len(categories) and isinstance(categories[0], list | tuple | dict | np.ndarray))


def _as_text(series: Any) -> pa.StringArray:
    missing = series.isna().to_numpy()
    return pa.array(["" if m else str(v) for v, m in zip(series, missing, strict=True)], pa.string(), mask=missing)
