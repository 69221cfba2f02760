"""Rows of Parquet files: one part a row group, text dictionary-encoded where the file has it so."""

from __future__ import annotations

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
        for groups, rows in _gathered(file.metadata):
            parts.append(Part(read=_Reader(file, groups), rows=rows, first_row=first))
            first += rows
    return Rows(name=name, schema=schema or union(map(_whole_schema, files)), parts=parts, rows=first)


@dataclass(frozen=True, slots=True)
class _Reader:
    file: ParquetFile
    groups: Sequence[int]

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        file = self.file
        own = [c for c in columns if c in file.schema.names]
        added = [c for c in columns if c in file.constants]
        with (
            reading(file.path, _WHOLE),
            pq.ParquetFile(
                file.path,
                metadata=file.metadata,
                read_dictionary=[c for c in own if c in file.dictionary],
                buffer_size=_BUFFER_BYTES,
                pre_buffer=False,  # which would read whole row groups ahead
            ) as opened,
        ):
            batches = opened.iter_batches(BATCH_ROWS, row_groups=list(self.groups), columns=own, use_threads=False)
            for batch in batches:
                for column in added:
                    batch = batch.append_column(column, repeated(file.constants[column], batch.num_rows))
                yield batch


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
