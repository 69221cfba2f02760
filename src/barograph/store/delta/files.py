"""Rows to data files and back: columns brought into line, cut by day, written once, read by column and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any  # Any: Arrow is untyped
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import InputError, MismatchError, did_you_mean
from barograph.store.delta.durable import storing
from barograph.store.delta.place import Place
from barograph.store.delta.snapshot import DAY, DataFile
from barograph.times import DAY_US, day_of

TIME, TEXT = pa.timestamp("us", "UTC"), pa.string()
BATCH_ROWS = 65_536


def plain(table: pa.Table) -> pa.Table:
    """Return a table with the few types that are kept: text, float64, int64, boolean, and UTC microseconds."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        wanted = _kept_type(column.type)
        if wanted is None:
            raise InputError(f"Column {name!r} is of type {column.type}, which cannot be kept. Send text or numbers.")
        try:
            # Nanoseconds are cut off; nothing else may be lost.
            columns.append(column if column.type == wanted else column.cast(wanted, safe=wanted != TIME))
        except pa.ArrowInvalid as error:
            raise InputError(f"Column {name!r} cannot be kept as {wanted}: {error}.") from error
    return pa.Table.from_arrays(columns, names=table.column_names)


def conform(table: pa.Table, schema: pa.Schema | None) -> tuple[pa.Table, pa.Schema]:
    """Return the rows in the types of a table that may exist already, and its columns with the new ones.

    Raises MismatchError for a column that was text and is a number now (or the like), and for two columns whose names
    differ in capitals alone, which no Delta table can hold.
    """
    fields = {field.name: field for field in schema} if schema is not None else {}
    for name in table.column_names:
        if name not in fields:
            fields[name] = table.schema.field(name)
            continue
        wanted, column = fields[name].type, table.column(name)
        if column.type == wanted:
            continue
        try:
            fitting = column.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise MismatchError(
                f"Column {name!r} of the table holds {wanted}, and {column.type} came that cannot be turned into it: "
                f"{error}. Use another name for the column, or another model."
            ) from error
        table = table.set_column(table.column_names.index(name), name, fitting)
    folded: dict[str, str] = {}
    for name in fields:
        if (other := folded.setdefault(name.casefold(), name)) != name:
            raise MismatchError(f"Columns {other!r} and {name!r} differ in capitals alone. Rename one of them.")
    day = fields.pop(DAY, pa.field(DAY, TEXT))
    return table, pa.schema([*fields.values(), day] if schema is None else list(schema) + _new(schema, fields))


def by_day(times_us: npt.NDArray[np.int64]) -> list[tuple[str, npt.NDArray[np.int64] | None]]:
    """Return each UTC day and the numbers of its rows, in their order; None where all rows are of one day."""
    days = times_us // DAY_US
    if len(days) == 0:
        return []
    if (first := days.min()) == days.max():
        return [(day_of(int(first) * DAY_US), None)]
    order = np.argsort(days, kind="stable")
    starts = np.flatnonzero(np.diff(days[order], prepend=days[order[0]] - 1))
    return [(day_of(int(days[rows[0]]) * DAY_US), rows) for rows in np.split(order, starts[1:])]


def microseconds(column: Any) -> npt.NDArray[np.int64]:
    """Return a time column as numbers. Raises InputError for nulls."""
    if column.null_count:
        raise InputError(f"Every row must have a time. Got {column.null_count} without, of {len(column)}.")
    numbers: npt.NDArray[np.int64] = column.cast(TIME, safe=False).cast(pa.int64()).to_numpy()
    return numbers


def new_file(place: Place, day: str, table: pa.Table, *, time_column: str, once: Sequence[str]) -> DataFile:
    """Write rows of one day as a data file that no version holds yet.

    Columns named in `once` differ from row to row: a dictionary of their values would only cost time.
    """
    times = microseconds(table.column(time_column))
    path = f"{DAY}={day}/part-{uuid4()}.parquet"
    repeating = [f.name for f in table.schema if f.name not in once and (f.type == TEXT or f.name.startswith("_"))]
    size = place.write_parquet(path, table, dictionary=repeating, statistics=[time_column])
    return DataFile(path, day, size, table.num_rows, int(times.min()), int(times.max()), -1)


def choose(schema: pa.Schema, columns: Sequence[str] | pa.Schema | None) -> pa.Schema:
    """Return the columns to read: all, some by name, or exactly those of a schema (null where the table has none)."""
    if columns is None:
        return schema
    if isinstance(columns, pa.Schema):
        return columns
    for name in columns:
        if name not in schema.names:
            raise MismatchError(f"The table has no column {name!r}.{did_you_mean(name, schema.names)}")
    return pa.schema([schema.field(name) for name in columns])


def read_batches(
    place: Place, file: DataFile, schema: pa.Schema, *, time_column: str, start_us: int, end_us: int
) -> Iterator[pa.RecordBatch]:
    """Iterate over the rows of a file with a time in `[start_us, end_us)`, in the columns of a schema."""
    cut = file.low_us < start_us or file.high_us >= end_us
    with _reading(place, file), place.open_parquet(file.name) as parquet:
        there = set(parquet.schema_arrow.names)
        wanted = [name for name in schema.names if name in there]
        needed = [*wanted, time_column] if cut and time_column not in wanted else wanted
        groups = _row_groups(parquet, time_column, start_us, end_us) if cut else list(range(parquet.num_row_groups))
        # Arrow loses the number of rows of a batch without columns.
        for batch in parquet.iter_batches(BATCH_ROWS, row_groups=groups, columns=needed or [time_column]):
            if cut:
                times = batch.column(time_column).cast(pa.int64())
                batch = batch.filter(pc.and_(pc.greater_equal(times, start_us), pc.less(times, end_us)))
            if batch.num_rows:
                yield _shape(batch, schema, file.day)


def read_table(place: Place, files: Sequence[DataFile], schema: pa.Schema) -> pa.Table:
    """Return all rows of some files, in the columns of a schema."""
    parts = []
    for file in files:
        with _reading(place, file), place.open_parquet(file.name) as parquet:
            names = parquet.schema_arrow.names
            there = set(names)
            table = parquet.read([name for name in schema.names if name in there] or names[:1])
        parts.append(_shape(table, schema, file.day))
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _shape(rows: Any, schema: pa.Schema, day: str) -> Any:
    """Return a table or batch in the columns of a schema: the day put back, absent columns null."""
    columns, there = [], set(rows.schema.names)
    for field in schema:
        if field.name == DAY:
            columns.append(pa.repeat(pa.scalar(day, TEXT), rows.num_rows))
        elif field.name in there:
            column = rows.column(field.name)
            columns.append(column if column.type == field.type else column.cast(field.type))
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return type(rows).from_arrays(columns, schema=schema)


def _row_groups(parquet: Any, time_column: str, start_us: int, end_us: int) -> list[int]:
    position = parquet.schema_arrow.names.index(time_column)
    groups = []
    for number in range(parquet.num_row_groups):
        stats = parquet.metadata.row_group(number).column(position).statistics
        # Raw: a time after the year 9999 is no datetime.
        if stats is not None and stats.has_min_max and (stats.max_raw < start_us or stats.min_raw >= end_us):
            continue
        groups.append(number)
    return groups


def _reading(place: Place, file: DataFile) -> AbstractContextManager[None]:
    return storing("read", f"{place.url}/{file.name}", "If it was vacuumed, ask for a newer version of the table.")


def _new(schema: pa.Schema, fields: dict[str, pa.Field]) -> list[pa.Field]:
    there = set(schema.names)
    return [field for name, field in fields.items() if name not in there]


def _kept_type(type: pa.DataType) -> pa.DataType | None:
    if pa.types.is_dictionary(type):
        type = type.value_type
    if pa.types.is_null(type) or pa.types.is_string(type) or pa.types.is_large_string(type):
        return TEXT
    if pa.types.is_string_view(type):
        return TEXT
    if pa.types.is_floating(type):
        return pa.float64()
    if pa.types.is_integer(type):
        return pa.int64()
    if pa.types.is_timestamp(type):
        return TIME
    return type if pa.types.is_boolean(type) else None
