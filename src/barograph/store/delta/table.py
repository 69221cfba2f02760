"""One table with its log and its index of ids, and how a planned change becomes a version of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from barograph.errors import MismatchError, StoreError
from barograph.store.delta.entries import Change
from barograph.store.delta.files import new_file
from barograph.store.delta.ids import Hashes, IdIndex, hash_ids
from barograph.store.delta.log import DeltaLog
from barograph.store.delta.place import Place, open_place
from barograph.store.delta.snapshot import ID_SETTING, TIME_SETTING, DataFile, Snapshot

UNKNOWN = "unknown"  # the day of labels whose event has not come
CONFLICTS = 100  # times that others may be first, one after the other


@dataclass(frozen=True, slots=True)
class Table:
    """Events or labels of one model. `order_column` is how rows lie in compacted files."""

    place: Place
    log: DeltaLog
    index: IdIndex
    id_column: str
    time_column: str
    order_column: str
    every_day_indexed: bool  # of labels, only those that wait for their event

    def write(self, day: str, rows: pa.Table, hashes: Hashes | None = None) -> DataFile:
        """Write rows as a data file, and their ids beside it. No version holds it yet."""
        once = (self.id_column, self.order_column)
        file = new_file(self.place, day, rows, time_column=self.time_column, once=once)
        if self.every_day_indexed or day == UNKNOWN:
            self.index.write(file.name, hashes or hash_ids(rows.column(self.id_column)))
        return file


def open_table(
    root: str,
    parts: tuple[str, ...],
    *,
    options: dict[str, str] | None,
    index_folder: Path,
    id_column: str,
    time_column: str,
    order_column: str,
    every_day_indexed: bool,
    clock: Callable[[], int],
) -> Table:
    """Return the table in `root/part/…`, which need not exist yet. Nothing is read before it is needed."""
    place = open_place(root, *parts, options=options)
    folder = index_folder.joinpath(*parts)
    settings = {
        ID_SETTING: id_column,
        TIME_SETTING: time_column,
        # Entries are tidied by us alone, when all that read them have.
        "delta.enableExpiredLogCleanup": "false",
        "delta.deletedFileRetentionDuration": "interval 24 hours",
    }
    log = DeltaLog(place, settings=settings, marker=folder / "synced", clock=clock)
    index = IdIndex(folder, place, id_column=id_column)
    return Table(place, log, index, id_column, time_column, order_column, every_day_indexed)


def commit_planned(table: Table, plan: Callable[[Snapshot], Change | None]) -> tuple[Snapshot, Change | None]:
    """Make the change that `plan` returns for the newest version the next one; return the table then, and the change.

    Where another was first, it is planned anew; files that were written to take the place of others serve again as
    long as those are still there. A plan of None ends it.
    """
    change: Change | None = None
    for _ in range(CONFLICTS):
        before = table.log.refresh()
        check_settings(table, before)
        if change is None or not change.removes or not all(before.holds(file) for file in change.removes):
            change = plan(before)
        if change is None:
            return before, None
        after = table.log.commit(before, change)
        if after is None and change.adds:
            # Object storage may have taken the entry although its answer was lost.
            now = table.log.refresh()
            after = now if all(now.holds(file) for file in change.adds) else None
        if after is not None:
            return after, change
    raise StoreError(f"{CONFLICTS} times, another changed {table.place.url!r} at the same moment. Try again later.")


def check_settings(table: Table, now: Snapshot) -> None:
    """Raise MismatchError when the table was made for another id or time column."""
    if now.version < 0:
        return
    for what, setting, wanted in (("id", ID_SETTING, table.id_column), ("time", TIME_SETTING, table.time_column)):
        if (found := now.settings.get(setting)) != wanted:
            raise MismatchError(
                f"{table.place.url!r} was made with the {what} column {found!r}, and now it is {wanted!r}. "
                "Events of one model keep the names of these columns; use another model for the new ones."
            )
