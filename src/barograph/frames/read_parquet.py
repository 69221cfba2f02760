"""Rows of Parquet files: one part a row group, text dictionary-encoded where the file has it so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from barograph.frames.combine import Constants, repeated, union
from barograph.frames.rows import BATCH_ROWS, PART_ROWS, Part, Rows, check_schema, reading

# Row groups are streamed through a buffer a column: memory does not grow with the size of a row group.
_BUFFER_BYTES = 2**20
# A text stored plain takes four bytes for its length alone, so less than that a value means a dictionary.
_PLAIN_TEXT_BYTES = 4
# Polars decodes numbers a fifth faster, a few hundredths of a second a million rows of 20 columns; importing it takes
# 0.15 s. It holds all rows of a part at once, which Arrow does not.
_POLARS_ROWS = 4_000_000
_POLARS_BYTES = 2**28
_LARGEST = 2**62  # microseconds, as in `columns.times`
_UNITS = {"milliseconds": 1, "microseconds": 1_000, "nanoseconds": 1_000_000}  # in a millisecond
_WHOLE = "a whole Parquet file"
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetFile:
    """One file whose footer has been read. `columns` are those that it holds itself."""

    path: Path
    metadata: pq.FileMetaData
    schema: pa.Schema
    constants: Constants
    dictionary: tuple[str, ...]  # text columns to read dictionary-encoded


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as Parquet files do."""
    with reading(path, _WHOLE), path.open("rb") as file:
        return file.read(4) == b"PAR1"


def open_file(path: Path, constants: Constants | None = None) -> ParquetFile:
    """Read the footer of a file."""
    with reading(path, _WHOLE):
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
        schema = pa.schema([field for field in schema if not _PANDAS_INDEX.fullmatch(field.name)])
        check_schema(schema, str(path))
        return ParquetFile(
            path=path,
            metadata=metadata,
            schema=schema,
            constants={k: v for k, v in (constants or {}).items() if k not in schema.names},
            dictionary=_encoded(metadata, schema),
        )


def rows_of(files: Sequence[ParquetFile], name: str, schema: pa.Schema | None = None) -> Rows:
    """Return the rows of files, one after the other. Without `schema` it has all columns of all files."""
    parts: list[Part] = []
    first = 0
    for file in files:
        position = 0
        for groups, rows in _gathered(file.metadata):
            reader = _Reader(file, groups, position, rows)
            parts.append(Part(read=reader, rows=rows, first_row=first, time_bounds=reader.time_bounds))
            first, position = first + rows, position + rows
    return Rows(name=name, schema=schema or union(map(_whole_schema, files)), parts=parts, rows=first)


@dataclass(frozen=True, slots=True)
class _Reader:
    file: ParquetFile
    groups: Sequence[int]
    position: int  # of the first row, in the file
    rows: int

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        file = self.file
        own = [c for c in columns if c in file.schema.names]
        added = [c for c in columns if c in file.constants]
        numbers = self._numbers([c for c in own if _is_number(file.schema.field(c).type)])
        with reading(file.path, _WHOLE):
            at = 0
            for batch in self._others([c for c in own if numbers is None or c not in numbers.column_names]):
                if numbers is not None:
                    some = numbers.slice(at, batch.num_rows).combine_chunks()
                    for name, column in zip(some.column_names, some.columns, strict=True):
                        batch = batch.append_column(name, column.chunk(0))
                at += batch.num_rows
                for name in added:
                    batch = batch.append_column(name, repeated(file.constants[name], batch.num_rows))
                yield batch if numbers is None else batch.select([*own, *added])

    def _others(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Read columns by Arrow, or none: batches have as many rows anyway."""
        file = self.file
        with pq.ParquetFile(
            file.path,
            metadata=file.metadata,
            read_dictionary=[c for c in columns if c in file.dictionary],
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,  # which would read whole row groups ahead
        ) as opened:
            yield from opened.iter_batches(BATCH_ROWS, row_groups=list(self.groups), columns=columns, use_threads=False)

    def _numbers(self, columns: list[str]) -> pa.Table | None:
        """Read columns of numbers by Polars, which decodes them faster, where that repays; None: Arrow reads them."""
        if self.file.metadata.num_rows < _POLARS_ROWS or 8 * self.rows * len(columns) > _POLARS_BYTES or not columns:
            return None
        import polars as pl

        try:
            scan = pl.scan_parquet(self.file.path, glob=False, hive_partitioning=False)
            read = scan.select(columns).slice(self.position, self.rows).collect().rechunk().to_arrow()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return None  # what is wrong with the file, Arrow says
        wanted = pa.schema([self.file.schema.field(c) for c in columns])
        return read if read.num_rows == self.rows and read.schema.types == wanted.types else None

    def time_bounds(self, column: str, zone: str) -> tuple[int, int] | None:
        """Return between which moments the times of these row groups lie, if they are timestamps with statistics."""
        metadata, schema = self.file.metadata, self.file.schema
        kind = schema.field(column).type if column in schema.names else pa.null()
        at = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == column]
        if not at or not pa.types.is_timestamp(kind) or (kind.tz is None and zone != "UTC"):
            return None
        unit = _UNITS.get(json.loads(metadata.schema.column(at[0]).logical_type.to_json()).get("timeUnit"))
        every = [metadata.row_group(g).column(at[0]).statistics for g in self.groups]
        if unit is None or not all(s is not None and s.has_min_max and s.null_count == 0 for s in every):
            return None
        low, high = (int(raw) * 1_000 // unit for raw in (min(s.min_raw for s in every), max(s.max_raw for s in every)))
        return (low, high) if -_LARGEST < low <= high < _LARGEST else None


def _is_number(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return kind.unit in ("ms", "us", "ns") and kind.tz in (None, "UTC")
    return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _encoded(metadata: pq.FileMetaData, schema: pa.Schema) -> tuple[str, ...]:
    text = {f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)}
    if not text or not metadata.num_row_groups:
        return ()
    group = metadata.row_group(0)
    chunks = (group.column(i) for i in range(group.num_columns))
    return tuple(
        chunk.path_in_schema
        for chunk in chunks
        if chunk.path_in_schema in text and chunk.total_uncompressed_size < _PLAIN_TEXT_BYTES * chunk.num_values
    )


def _gathered(metadata: pq.FileMetaData) -> Iterator[tuple[list[int], int]]:
    groups: list[int] = []
    rows = 0
    for i in range(metadata.num_row_groups):
        size = metadata.row_group(i).num_rows
        if groups and rows + size > PART_ROWS:
            yield groups, rows
            groups, rows = [], 0
        groups.append(i)
        rows += size
    if groups:
        yield groups, rows


def _whole_schema(file: ParquetFile) -> pa.Schema:
    return pa.schema([*file.schema, *(pa.field(name, value.type) for name, value in file.constants.items())])
