"""Rows that can be read only once, kept in temporary files for as long as somebody may read them."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from barograph.errors import InputError
from barograph.frames.combine import one_after_the_other
from barograph.frames.read_arrow import open_arrow
from barograph.frames.rows import BATCH_ROWS, Part, Rows, check_names


class Folder:
    """A temporary folder that is gone with the last who refers to it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="barograph-"))
        self._end = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Reader:
    part: Part
    folder: Folder  # which stays as long as this may be read

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self.part.read(columns)


def within(rows: Rows, folder: Folder, *, name: str) -> Rows:
    """Return rows that were read from files in a temporary folder, which they keep."""
    return replace(rows, name=name, parts=[replace(part, read=_Reader(part, folder)) for part in rows.parts])


def kept_rows(batches: Iterable[pa.RecordBatch], *, name: str) -> Rows:
    """Return rows that come in batches, the types of whose columns may differ.

    Raises InputError where there are none, and what reading raises.
    """
    folder = Folder()
    opened: list[Rows] = []
    schema: pa.Schema | None = None
    writer: pa.RecordBatchFileWriter | None = None
    rows = 0

    def end() -> None:
        nonlocal writer, rows
        if writer is not None:
            writer.close()
            found = open_arrow(folder.path / f"{len(opened)}.arrow")
            opened.append(replace(found, rows=rows, parts=[replace(part, rows=rows) for part in found.parts]))
            writer, rows = None, 0

    try:
        for batch in batches:
            if schema is None:
                check_names(batch.schema.names, repr(name))
            if writer is None or (batch.num_rows and batch.schema != schema):
                end()
                schema = batch.schema
                writer = pa.ipc.new_file(str(folder.path / f"{len(opened)}.arrow"), schema)
            if batch.num_rows:
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    writer.write_batch(batch.slice(start, BATCH_ROWS))
                rows += batch.num_rows
        end()
    finally:
        if writer is not None:
            writer.close()
    filled = [one for one in opened if one.rows] or opened[-1:]
    if not filled:
        raise InputError(f"{name!r} has no rows and no columns.")
    return within(one_after_the_other(filled, name), folder, name=name)
