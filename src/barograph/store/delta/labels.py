"""Labels into their table: an append-only ledger, each row beside the day of its event once that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any  # Any: Arrow arrays are untyped

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.errors import InputError
from barograph.store.delta.entries import Change
from barograph.store.delta.files import conform, plain, read_table
from barograph.store.delta.filing import Filed, check_batch
from barograph.store.delta.ids import Hashes, hash_ids
from barograph.store.delta.snapshot import DAY, DataFile, Snapshot
from barograph.store.delta.table import UNKNOWN, Table, commit_planned

ID, SEQUENCE = "id", "_sequence"
ROW_BITS = 24  # of a sequence: the row within its commit; above them, the table's version
ADOPTED_AT_ONCE = 500_000  # rows of waiting labels read for one commit


@dataclass(frozen=True, slots=True)
class Adopted:
    """Labels whose event had come. `days` are those of the events, sorted."""

    version: int
    rows: int
    days: tuple[str, ...]


def locate(events: Table, ids: Any) -> pa.Array:
    """Return the newest day on which each id was filed, null for ids that are not there."""
    codes, days = _days_of(events, hash_ids(ids))
    indices = pa.array(codes, pa.int32(), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(days, pa.string())).cast(pa.string())


def file_labels(events: Table, labels: Table, table: pa.Table, *, writer: str, sequence: int) -> Filed:
    """Append labels, unless a batch of `writer` up to `sequence` is filed. See `ModelTables.file_labels`."""
    check_batch(table, (ID, "label", labels.time_column), writer, sequence)
    if table.num_rows >= 2**ROW_BITS:
        raise InputError(f"At most {2**ROW_BITS - 1} labels are filed at once. Got {table.num_rows}.")
    now = labels.log.refresh()
    if now.version >= 0 and labels.log.filed(writer) >= sequence:
        return Filed(now.version, 0, 0, (), repeated=True)
    rows = plain(table.drop_columns([name for name in (DAY, SEQUENCE) if name in table.column_names]))
    rows = rows.append_column(SEQUENCE, pa.nulls(rows.num_rows, pa.int64()))
    rows, schema = conform(rows, now.schema)
    labels.log.ensure(schema)
    codes, days = _days_of(events, hash_ids(rows.column(ID)))
    place = rows.column_names.index(SEQUENCE)
    repeated = False

    def plan(before: Snapshot) -> Change | None:
        nonlocal repeated
        if repeated := labels.log.filed(writer) >= sequence:
            return None
        # Versions are never used twice, so these numbers only grow, whoever files.
        numbers = (before.version + 1 << ROW_BITS) + np.arange(rows.num_rows, dtype=np.int64)
        numbered = rows.set_column(place, SEQUENCE, pa.array(numbers))
        adds = tuple(_write_by_day(labels, numbered, codes, days))
        return Change(operation="WRITE", adds=adds, writer=writer, sequence=sequence)

    after, change = commit_planned(labels, plan)
    if change is None:
        return Filed(after.version, 0, 0, (), repeated=True)
    return Filed(after.version, rows.num_rows, 0, tuple(sorted(file.day for file in change.adds)))


def adopt(events: Table, labels: Table, ids: Any | None) -> Adopted:
    """Move labels from the unknown day to that of their event. See `ModelTables.adopt`."""
    wanted = None if ids is None else hash_ids(ids)
    moved, found = 0, set[str]()
    tried: set[str] = set()
    while True:
        days: list[str] = []
        rows = 0

        def plan(before: Snapshot) -> Change | None:
            nonlocal days, rows
            waiting = [file for file in before.files(UNKNOWN) if file.path not in tried]
            for some in _batches(events, labels, waiting, wanted):
                table = read_table(labels.place, some, before.schema)
                codes, known_days = _days_of(events, hash_ids(table.column(ID)))
                tried.update(file.path for file in some)
                if (codes >= 0).any():
                    adds = tuple(_write_by_day(labels, table, codes, known_days))
                    tried.update(file.path for file in adds)
                    days, rows = [file.day for file in adds if file.day != UNKNOWN], int((codes >= 0).sum())
                    return Change(operation="ADOPT", adds=adds, removes=tuple(some), new=False)
            return None

        after, change = commit_planned(labels, plan)
        if change is None:
            return Adopted(after.version, moved, tuple(sorted(found)))
        moved += rows
        found.update(days)


def _batches(events: Table, labels: Table, waiting: list[DataFile], wanted: Hashes | None) -> list[list[DataFile]]:
    """Group waiting files to be read together; those without a wanted id, or one whose event came, are left out."""
    batches: list[list[DataFile]] = []
    for file in waiting:
        if wanted is not None and not labels.index.known([file], wanted).any():
            continue
        if wanted is None and (_days_of(events, labels.index.hashes(file))[0] < 0).all():
            continue
        if not batches or sum(f.rows for f in batches[-1]) + file.rows > ADOPTED_AT_ONCE:
            batches.append([])
        batches[-1].append(file)
    return batches


def _days_of(events: Table, hashes: Hashes) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return for each row the position of its event's day, newest first, or -1; and the days."""
    codes = np.full(len(hashes.rows), -1, np.int32)
    now = events.log.refresh()
    days = sorted(now.days, reverse=True)
    left = hashes
    for position, day in enumerate(days):
        if not len(left.rows):
            break
        known = events.index.known(now.files(day), left)
        if known.any():
            codes[left.rows[known]] = position
            left = left.keep(~known)
    return codes, days


def _write_by_day(labels: Table, rows: pa.Table, codes: npt.NDArray[np.int32], days: list[str]) -> list[DataFile]:
    columns = rows.drop_columns([DAY]) if DAY in rows.column_names else rows
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-2)) if len(codes) else np.empty(0, np.int64)
    files = []
    for numbers in np.split(order, starts[1:]) if len(codes) else []:
        code = int(codes[numbers[0]])
        files.append(labels.write(UNKNOWN if code < 0 else days[code], columns.take(numbers)))
    return files
