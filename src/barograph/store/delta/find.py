"""Finding the rows of one id, without reading the files that do not have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from barograph.store.delta.files import choose, read_batches
from barograph.store.delta.ids import hash_ids
from barograph.store.delta.snapshot import DataFile
from barograph.store.delta.table import UNKNOWN, Table


def events(table: Table, id: str, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Iterate over the rows of an id, the newest day first. See `ModelTables.find_events`."""
    now, wanted = table.log.refresh(), hash_ids(pa.array([id], pa.string()))
    if now.version < 0:
        return
    schema = choose(now.schema, None if columns is None else list(dict.fromkeys([*columns, table.id_column])))
    for day in sorted(now.days, reverse=True):
        for file in now.files(day):
            if table.index.known([file], wanted).any():
                yield from _rows(table, file, schema, id)


def labels(table: Table, id: str, days: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Iterate over the labels of an id, of these days and of those that wait. See `ModelTables.find_labels`."""
    now, wanted = table.log.refresh(), hash_ids(pa.array([id], pa.string()))
    for day in dict.fromkeys([*days, UNKNOWN]):
        for file in now.files(day):
            if day != UNKNOWN or table.index.known([file], wanted).any():
                yield from _rows(table, file, now.schema, id)


def _rows(table: Table, file: DataFile, schema: pa.Schema, id: str) -> Iterator[pa.RecordBatch]:
    whole = {"start_us": file.low_us, "end_us": file.high_us + 1}
    for batch in read_batches(table.place, file, schema, time_column=table.time_column, **whole):
        found = batch.filter(pc.equal(batch.column(table.id_column), id))
        if found.num_rows:
            yield found
