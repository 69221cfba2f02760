"""What keeps a table quick and small: many files into few, old days out, dead files and old log entries away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from barograph.store.delta.durable import storing
from barograph.store.delta.entries import Change
from barograph.store.delta.files import read_table
from barograph.store.delta.log import version_in
from barograph.store.delta.recover import LOG_FOLDER
from barograph.store.delta.snapshot import DAY, EVER, DataFile, Snapshot, data_file
from barograph.store.delta.table import UNKNOWN, Table, commit_planned
from barograph.times import HOUR_US

TARGET_CELLS = 16_000_000  # rows times columns of a compacted file: about 128 MB while it is sorted
TARGET_ROWS = 1_000_000  # of a table with few columns: texts take more than numbers
FEWEST = 8  # small files of a day that are worth compacting
CHECKPOINT_EVERY = 100  # versions
TEMPORARY_US = 24 * HOUR_US  # after which a half-written file of the log is surely left over


@dataclass(frozen=True, slots=True)
class Compacted:
    """How many files became how many, and the rows in them."""

    version: int
    files_before: int
    files_after: int
    rows: int


@dataclass(frozen=True, slots=True)
class Size:
    """Files, bytes and rows of a table or of one of its days."""

    files: int
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """How large a table is at a version, in all and by day."""

    version: int
    total: Size
    days: Mapping[str, Size]


def compact(table: Table, *, until_version: int, most_rows: int, fewest: int = FEWEST) -> Compacted:
    """Join small files of a day that were there at a version. See `ModelTables.compact`."""
    now = table.log.refresh()
    before = after = rows = 0
    if until_version < 0 or now.version < 0:
        return Compacted(now.version, 0, 0, 0)
    _, files = table.log.files_at(min(until_version, now.version))
    target = max(1, min(TARGET_ROWS, TARGET_CELLS // len(now.schema)))
    for group in _groups([file for file in files if now.holds(file)], target, fewest):
        if rows and rows + sum(file.rows for file in group) > most_rows:
            break

        def plan(now: Snapshot, group: Sequence[DataFile] = group) -> Change | None:
            if not all(now.holds(file) for file in group):
                return None
            joined = read_table(table.place, group, pa.schema([f for f in now.schema if f.name != DAY]))
            add = table.write(group[0].day, joined.sort_by(table.order_column))
            return Change(operation="OPTIMIZE", adds=(add,), removes=tuple(group), new=False)

        now, change = commit_planned(table, plan)
        if change is not None:
            before, after = before + len(change.removes), after + len(change.adds)
            rows += sum(file.rows for file in change.adds)
    return Compacted(now.version, before, after, rows)


def drop_days(table: Table, *, before_day: str, before_us: int) -> int:
    """Remove the days before one, and labels that have waited for their event since before; return the rows."""
    if table.log.refresh().version < 0:
        return 0

    def plan(now: Snapshot) -> Change | None:
        old = [file for file in now.files() if file.day < before_day and file.day != UNKNOWN]
        old += [file for file in now.files(UNKNOWN) if file.high_us < before_us]
        return Change(operation="DELETE", removes=tuple(old)) if old else None

    _, change = commit_planned(table, plan)
    return sum(file.rows for file in change.removes) if change else 0


def vacuum(table: Table, *, retention_hours: int, keep_version: int | None) -> int:
    """Delete files that no version of the last hours holds. See `ModelTables.vacuum`."""
    now = table.log.refresh()
    if now.version < 0:
        return 0
    unread: set[str] = set()
    if keep_version is not None:
        for _, actions in table.log.entries(keep_version, now.version):
            unread.update(unquote(action["add"]["path"]) for action in actions if "add" in action)
    with storing("vacuum", table.place.url):
        delta = DeltaTable(table.place.url, storage_options=dict(table.place.options) or None)
        dead = delta.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True)
    names = [unquote(name) for name in dead if name.startswith(f"{DAY}=") and name.endswith(".parquet")]
    now = table.log.refresh()
    living = {file.name for file in now.files()}
    deleted = table.place.delete(name for name in names if name not in unread and name not in living)
    table.index.forget(now.files())
    return deleted


def tidy_log(table: Table, *, keep_version: int, keep_hours: float, now_us: int) -> int:
    """Write a checkpoint when one is due, and delete entries before it. See `ModelTables.tidy_log`."""
    now = table.log.refresh()
    if now.version < 0:
        return 0
    if now.version - table.log.last_checkpoint() >= CHECKPOINT_EVERY:
        table.log.checkpoint()
    cutoff = now_us - int(keep_hours * HOUR_US)
    found = sorted(table.place.list(LOG_FOLDER), key=lambda file: file.name)
    versions = {file.name: version_in(file.name) for file in found}
    last = min(keep_version, now.version, table.log.last_checkpoint())
    floor = max((v for name, v in versions.items() if ".checkpoint" in name and v <= last), default=-1)
    old = []
    for file in found:
        version = versions[file.name]
        # Only what came before all that stays: a reader never sees a hole.
        if 0 <= version < floor:
            if file.modified_us >= cutoff:
                break
            old.append(file.name)
    old += [f.name for f in found if versions[f.name] < 0 and "/." in f.name and f.modified_us < now_us - TEMPORARY_US]
    return table.place.delete(old)


def statistics(table: Table) -> Statistics:
    """Return how large a table is now."""
    now = table.log.refresh()
    days = {day: _size(list(files.values())) for day, files in sorted(now.days.items())}
    return Statistics(now.version, _size(list(now.files())), days)


def changed_days(table: Table, since: int, until: int) -> Iterator[tuple[int, frozenset[str]]]:
    """Iterate over versions that changed which rows a day has, and these days. See `ModelTables.changed_days`."""
    for version, actions in table.log.entries(since, until):
        operations = {_operation(action["commitInfo"]) for action in actions if "commitInfo" in action}
        if "OPTIMIZE" in operations:
            continue
        changes = [action.get("add") or action.get("remove") for action in actions]
        days = {str(change["partitionValues"][DAY]) for change in changes if change and change.get("partitionValues")}
        if days:
            yield version, frozenset(days)


def rows_filed(table: Table, since: int, until: int) -> int:
    """Return how many rows filing added in the versions after one. See `ModelTables.rows_filed`."""
    rows = 0
    for version, actions in table.log.entries(since, until):
        if "WRITE" in {_operation(action["commitInfo"]) for action in actions if "commitInfo" in action}:
            adds = [action["add"] for action in actions if "add" in action]
            rows += sum(data_file(add, "", version, table.time_column).rows for add in adds)
    return rows


def newest_filed_us(table: Table, since: int, until: int) -> int | None:
    """Return the latest time of rows that filing added in the versions after one. See `ModelTables.newest_filed_us`."""
    newest = None
    for version, actions in table.log.entries(since, until):
        if "WRITE" in {_operation(action["commitInfo"]) for action in actions if "commitInfo" in action}:
            files = [data_file(action["add"], "", version, table.time_column) for action in actions if "add" in action]
            times = [file.high_us for file in files if file.high_us < EVER[1]]  # what has no statistics is of any time
            newest = max([*times, *([] if newest is None else [newest])], default=None)
    return newest


def _groups(files: Sequence[DataFile], target: int, fewest: int) -> Iterator[list[DataFile]]:
    """Group small files of a day, in the order of time, so that each group makes one file of about `target` rows."""
    days: dict[str, list[DataFile]] = {}
    for file in files:
        if file.rows * 2 <= target:
            days.setdefault(file.day, []).append(file)
    for day in sorted(days):
        small = sorted(days[day], key=lambda file: (file.low_us, file.path))
        if len(small) < fewest:
            continue
        group: list[DataFile] = []
        for file in small:
            if group and sum(f.rows for f in group) + file.rows > target:
                if len(group) > 1:
                    yield group
                group = []
            group.append(file)
        if len(group) > 1:
            yield group


def _operation(info: Mapping[str, object]) -> str:
    ours = info.get("barograph")
    return str(ours.get("operation") if isinstance(ours, dict) else info.get("operation"))


def _size(files: Sequence[DataFile]) -> Size:
    return Size(len(files), sum(f.size_bytes for f in files), sum(f.rows for f in files))
