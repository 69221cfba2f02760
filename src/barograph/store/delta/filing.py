"""Events into their table, each id once a day however often it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.errors import InputError
from barograph.store.delta.entries import Change
from barograph.store.delta.files import by_day, conform, microseconds, plain
from barograph.store.delta.ids import Hashes, hash_ids, without_repeated
from barograph.store.delta.snapshot import DAY, DataFile, Snapshot
from barograph.store.delta.table import Table, commit_planned

WRITING = 4  # files written at once: most of the time is waiting for the disk


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of some rows. `repeated`: the batch was filed before, and nothing was written now."""

    version: int  # of the table, in which all of them are
    rows: int  # that were added
    duplicates: int  # that were left out: their ids were there before
    days: tuple[str, ...]  # that have new rows, sorted
    repeated: bool = False


@dataclass(slots=True)
class _Part:
    """The rows of one day on their way: what is left of them, and the file that holds it."""

    day: str
    rows: pa.Table
    hashes: Hashes
    compared: set[str] = field(default_factory=set)  # paths of files whose ids are left out already
    file: DataFile | None = None


def file_events(events: Table, table: pa.Table, *, writer: str, sequence: int) -> Filed:
    """Append events, unless a batch of `writer` up to `sequence` is filed. See `ModelTables.file_events`."""
    check_batch(table, (events.id_column, events.time_column), writer, sequence)
    now = events.log.refresh()
    if now.version >= 0 and events.log.filed(writer) >= sequence:
        return Filed(now.version, 0, 0, (), repeated=True)
    rows = plain(table.drop_columns([DAY]) if DAY in table.column_names else table)
    rows, schema = conform(rows, now.schema)
    now = events.log.ensure(schema)
    parts = _parts(rows, events)
    repeated = False

    def plan(before: Snapshot) -> Change | None:
        nonlocal repeated
        if repeated := events.log.filed(writer) >= sequence:
            return None
        write_all(events, [part for part in parts if _leave_out_known(events, before, part)])
        adds = tuple(part.file for part in parts if part.file is not None)
        return Change(operation="WRITE", adds=adds, writer=writer, sequence=sequence)

    after, _ = commit_planned(events, plan)
    if repeated:
        return Filed(after.version, 0, 0, (), repeated=True)
    kept = sum(part.rows.num_rows for part in parts)
    days = tuple(sorted(part.day for part in parts if part.file is not None))
    return Filed(after.version, kept, table.num_rows - kept, days)


def check_batch(table: pa.Table, needed: Sequence[str], writer: str, sequence: int) -> None:
    """Raise InputError for rows without a needed column, or a writer or sequence that cannot be kept."""
    for name in needed:
        if name not in table.column_names:
            raise InputError(f"Rows to file must have a column {name!r}. Got {table.column_names}.")
    if not writer or not 0 <= sequence < 2**63:
        raise InputError(f"A batch has a writer and a sequence of 0 or more. Got {writer!r} and {sequence!r}.")


def write_all(table: Table, parts: Sequence[_Part]) -> None:
    """Write the file of each part that has rows."""

    def write(part: _Part) -> None:
        part.file = table.write(part.day, part.rows, part.hashes) if part.rows.num_rows else None

    if len(parts) < 2:
        for part in parts:
            write(part)
        return
    with ThreadPoolExecutor(WRITING) as pool:
        for _ in pool.map(write, parts):
            pass


def _parts(rows: pa.Table, events: Table) -> list[_Part]:
    """Cut rows by day, and leave out those whose id came before in the same batch and day: the first one counts."""
    parts = []
    for day, numbers in by_day(microseconds(rows.column(events.time_column))):
        of_day = rows if numbers is None else rows.take(numbers)
        hashes = hash_ids(of_day.column(events.id_column))
        part = _Part(day, of_day, hashes)
        _keep(part, without_repeated(hashes))
        parts.append(part)
    return parts


def _leave_out_known(events: Table, before: Snapshot, part: _Part) -> bool:
    """Leave out ids that the table holds on the part's day; return whether its file must be written (again)."""
    new = [file for file in before.files(part.day) if file.path not in part.compared]
    part.compared.update(file.path for file in new)
    known = events.index.known(new, part.hashes)
    if known.any():
        _keep(part, part.hashes.keep(~known))
        part.file = None
    return part.file is None


def _keep(part: _Part, kept: Hashes) -> None:
    if len(kept.rows) == part.rows.num_rows:
        return
    mask: npt.NDArray[np.bool_] = np.zeros(part.rows.num_rows, np.bool_)
    mask[kept.rows] = True
    numbers = np.cumsum(mask) - 1
    part.rows = part.rows.filter(pa.array(mask))
    part.hashes = Hashes(kept.high, kept.low, numbers[kept.rows])
