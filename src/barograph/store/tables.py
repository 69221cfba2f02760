"""The tables of one model: its events and its labels, as Delta tables that other programs can read too.

What is filed has reached the disk when a call returns, and is there once however often it is filed again. Readers see
whole versions: a number that grows by one with each change. Several processes may file, read and tidy at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from barograph.store.clock import wall_clock_us
from barograph.store.delta import erase, filing, find, labels, upkeep
from barograph.store.delta.files import TEXT, TIME, choose, read_batches, read_table
from barograph.store.delta.filing import Filed
from barograph.store.delta.labels import SEQUENCE, Adopted
from barograph.store.delta.snapshot import DAY, data_file
from barograph.store.delta.table import UNKNOWN, Table, open_table
from barograph.store.delta.upkeep import Compacted, Size, Statistics
from barograph.store.layout import ID, LABEL, LABEL_TIMESTAMP, RECEIVED
from barograph.times import DAY_US, start_of_day

__all__ = ["UNKNOWN", "Adopted", "Compacted", "Filed", "ModelTables", "Size", "Statistics", "TableKind"]

TableKind = Literal["events", "labels"]
_NO_LABELS = pa.schema(
    [(ID, TEXT), (LABEL, TEXT), (LABEL_TIMESTAMP, TIME), (RECEIVED, TIME), (SEQUENCE, pa.int64()), (DAY, TEXT)]
)


class ModelTables:
    """Events and labels of one model. Nothing is made or read before it is needed. Safe to use from several threads.

    `root` is a folder or `s3://bucket/prefix`; the tables are `root/project_id/model_id/events` and `…/labels`.
    `id_column` and `time_column` are the model's own names for the event's id and time; they stay for the life of the
    tables. `index_folder` holds what can be made again from the tables. `storage_options` are as in
    `barograph.store.delta.place.open_place`; AWS_* environment variables fill in what they leave out. `clock` returns
    microseconds since 1970 and only dates log entries.

    All methods raise StoreError when the disk is full or the store does not answer: nothing counts as done then, though
    a commit may have gone through, which filing the same batch again finds out.
    """

    def __init__(
        self,
        root: str | Path,
        project_id: int,
        model_id: int,
        *,
        index_folder: Path,
        id_column: str = "event_id",
        time_column: str = "timestamp",
        storage_options: Mapping[str, str] | None = None,
        clock: Callable[[], int] = wall_clock_us,
    ) -> None:
        self.id_column, self.time_column = id_column, time_column
        options = dict(storage_options) if storage_options is not None else None
        parts = (str(project_id), str(model_id))
        self._clock = clock
        self._events = open_table(
            str(root),
            (*parts, "events"),
            options=options,
            index_folder=index_folder,
            id_column=id_column,
            time_column=time_column,
            order_column=time_column,
            every_day_indexed=True,
            clock=clock,
        )
        self._labels = open_table(
            str(root),
            (*parts, "labels"),
            options=options,
            index_folder=index_folder,
            id_column=ID,
            time_column=RECEIVED,
            order_column=SEQUENCE,
            every_day_indexed=False,
            clock=clock,
        )

    def file_events(self, table: pa.Table, *, writer: str, sequence: int) -> Filed:
        """Append events, each id once a UTC day, and only if no batch of `writer` up to `sequence` is filed yet.

        Columns that the table lacks are added to it; columns that the batch lacks are null. A column `_day` is made
        here, from the time column. Of rows with the same id and day, the first one ever filed counts. Raises InputError
        for null ids or times, MismatchError for columns that cannot be brought to the table's types.
        """
        return filing.file_events(self._events, table, writer=writer, sequence=sequence)

    def file_labels(self, table: pa.Table, *, writer: str, sequence: int) -> Filed:
        """Append labels (id, label, label_timestamp, _received) under the same promise; repeated rows are kept.

        Each gets the `_day` of its event, `UNKNOWN` while there is none, and a `_sequence` that is larger than that of
        all labels filed before: the table's version times 2**24 plus the row. Of an id that came on several days, the
        newest day counts.
        """
        return labels.file_labels(self._events, self._labels, table, writer=writer, sequence=sequence)

    def locate(self, ids: pa.Array) -> pa.Array:
        """Return the newest day on which each id was filed, as text; null for ids that were not."""
        return labels.locate(self._events, ids)

    def adopt(self, ids: pa.Array) -> Adopted:
        """Move waiting labels of these ids to the day of their event. Cheap when none waits.

        Labels that are filed between the event's arrival and this call by another thread may be missed: `adopt_unknown`
        finds them, and is to be called from time to time.
        """
        return labels.adopt(self._events, self._labels, ids)

    def adopt_unknown(self) -> Adopted:
        """Move all waiting labels whose event has come to its day. Reads all waiting labels."""
        return labels.adopt(self._events, self._labels, None)

    def version(self, kind: TableKind) -> int:
        """Return the newest version of a table, -1 where there is none. It will still be there after power loss."""
        return self._table(kind).log.refresh().version

    def schema(self, kind: TableKind) -> pa.Schema | None:
        """Return the columns of a table now, `_day` among them, or None where there is no table."""
        return self._table(kind).log.refresh().schema

    def added(
        self,
        kind: TableKind,
        since: int,
        *,
        until: int | None = None,
        limit: int | None = None,
        columns: Sequence[str] | pa.Schema | None = None,
    ) -> Iterator[tuple[int, pa.Table]]:
        """Iterate over the versions after `since` (to `until`, inclusive) that added rows, with these rows, in order.

        Compaction, adoption and retention add nothing. Ends after the version with which `limit` rows are reached.
        Raises StoreError when versions or files after `since` were tidied away.
        """
        table = self._table(kind)
        now = table.log.refresh()
        last = now.version if until is None else min(until, now.version)
        rows = 0
        for version, actions in table.log.entries(since, last):
            adds = [action["add"] for action in actions if "add" in action]
            files = [
                data_file(add, str(add["partitionValues"][DAY]), version, table.time_column)
                for add in adds
                if add["dataChange"]
            ]
            if files:
                found = read_table(table.place, files, choose(now.schema, columns))
                yield version, found
                rows += found.num_rows
                if limit is not None and rows >= limit:
                    return

    def changed_days(
        self, kind: TableKind, since: int, *, until: int | None = None
    ) -> Iterator[tuple[int, frozenset[str]]]:
        """Iterate over the versions after `since` that changed the rows of some days, with these days.

        Appends, adoption and retention change days; compaction does not. Reads the log alone. `UNKNOWN` may be among
        the days.
        """
        table = self._table(kind)
        newest = table.log.refresh().version
        return upkeep.changed_days(table, since, newest if until is None else min(until, newest))

    def rows_filed(self, kind: TableKind, since: int, *, until: int) -> int:
        """Return how many rows were filed in the versions after `since` (to `until`, inclusive).

        Compaction, adoption and retention file nothing. Reads the log alone.
        """
        return upkeep.rows_filed(self._table(kind), since, until)

    def newest_filed_us(self, kind: TableKind, since: int, *, until: int) -> int | None:
        """Return the latest time of the rows that were filed in the versions after `since` (to `until`, inclusive).

        That is when the newest label came, or of what time the newest event is; None if none were filed. Reads the log
        alone.
        """
        return upkeep.newest_filed_us(self._table(kind), since, until)

    def events_between(
        self,
        start_us: int,
        end_us: int,
        *,
        version: int | None = None,
        columns: Sequence[str] | pa.Schema | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Iterate over the events with a time in `[start_us, end_us)` as of a version (default: now), day by day.

        Within a day, files come as they were added; rows are in no order. With a schema for `columns`, batches have
        exactly its columns, null where the table has none. Raises MismatchError for unknown names, StoreError for a
        version whose files were vacuumed.
        """
        now, files = self._events.log.files_at(version)
        if now.version < 0:
            return
        first, last = start_us // DAY_US, (end_us - 1) // DAY_US
        schema = choose(now.schema, columns)
        for file in files:
            if file.high_us < start_us or file.low_us >= end_us or not _between(file.day, first, last):
                continue
            yield from read_batches(
                self._events.place,
                file,
                schema,
                time_column=self._events.time_column,
                start_us=start_us,
                end_us=end_us,
            )

    def find_events(self, id: str, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Iterate over the events of an id, the newest day first: at most one a UTC day. Reads only files that have it.

        `columns` are those to read, all by default.
        """
        return find.events(self._events, id, columns=columns)

    def find_labels(self, id: str, days: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Iterate over the labels of an id beside the events of these days, and those that wait for their event."""
        return find.labels(self._labels, id, days)

    def labels_of_days(
        self, days: Sequence[str], *, version: int | None = None, columns: Sequence[str] | pa.Schema | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Iterate over all labels beside the events of some days, as of a version (default: now), in no order.

        A label of an id comes as often as it was filed; the one with the largest `_sequence` was filed last.
        """
        now, files = self._labels.log.files_at(version)
        schema = choose(now.schema or _NO_LABELS, columns)
        wanted = set(days)
        for file in files:
            if file.day in wanted:
                yield from read_batches(
                    self._labels.place,
                    file,
                    schema,
                    time_column=self._labels.time_column,
                    start_us=file.low_us,
                    end_us=file.high_us + 1,
                )

    def compact(self, kind: TableKind, *, until_version: int, most_rows: int = 4_000_000) -> Compacted:
        """Join small files of a day into larger ones, sorted by time (labels: by `_sequence`).

        Only files that were there at `until_version`, up to which all readers of `added` have come, are joined, and
        about `most_rows` rows at once. Safe beside filing.
        """
        return upkeep.compact(self._table(kind), until_version=until_version, most_rows=most_rows)

    def drop_days(self, before_day: str) -> tuple[int, int]:
        """Remove events and labels of the days before `YYYY-MM-DD`; return how many of each.

        Labels that have waited for their event since before that day go too. Files stay until `vacuum`.
        """
        before_us = start_of_day(before_day)
        return (
            upkeep.drop_days(self._events, before_day=before_day, before_us=before_us),
            upkeep.drop_days(self._labels, before_day=before_day, before_us=before_us),
        )

    def vacuum(self, kind: TableKind, retention_hours: int, *, keep_version: int | None = None) -> int:
        """Delete data files that no version of the last hours holds, left-overs of broken filing too; return how many.

        Files that versions after `keep_version` added stay, so that `added` can still read them. Fewer hours than a
        filing or a long read may take are unsafe.
        """
        return upkeep.vacuum(self._table(kind), retention_hours=retention_hours, keep_version=keep_version)

    def tidy_log(self, kind: TableKind, *, keep_version: int, keep_hours: float = 1.0) -> int:
        """Write a checkpoint when 100 versions have come since the last, and delete older log entries.

        Entries after `keep_version`, up to which all readers of `added` and `changed_days` have come, stay, and those
        of the last hours, by which running processes keep up. Returns how many files were deleted.
        """
        return upkeep.tidy_log(
            self._table(kind), keep_version=keep_version, keep_hours=keep_hours, now_us=self._clock()
        )

    def times_of(self, kind: TableKind, id: str) -> list[int]:
        """Return the times of all events of an id, or when its labels came, in microseconds."""
        return erase.times_of(self._table(kind), id)

    def erase(self, kind: TableKind, id: str) -> int:
        """Make a version of a table without the rows of an id, and return how many there were.

        Readers of `added` see nothing new; for those of `changed_days`, the days have changed. What older versions
        hold stays until `sweep`.
        """
        return erase.erase_rows(self._table(kind), id)

    def sweep(self, kind: TableKind) -> int:
        """Delete all files that the newest version does not name, whoever may read them, and return how many.

        Nothing that a row held which is gone stays in the folder, nor in the log. Nobody may write to the table
        meanwhile.
        """
        return erase.sweep(self._table(kind))

    def statistics(self, kind: TableKind) -> Statistics:
        """Return files, bytes and rows, in all and by day."""
        return upkeep.statistics(self._table(kind))

    def _table(self, kind: TableKind) -> Table:
        return self._events if kind == "events" else self._labels


def _between(day: str, first: int, last: int) -> bool:
    try:
        number = start_of_day(day) // DAY_US
    except ValueError:
        return True
    return first <= number <= last
