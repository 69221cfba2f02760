"""One id out of a table, and out of everything that its earlier versions have left in the folder."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any  # Any: Arrow arrays are untyped; lines of JSON
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from barograph.store.delta.durable import storing
from barograph.store.delta.entries import Change
from barograph.store.delta.files import microseconds, read_table
from barograph.store.delta.ids import hash_ids
from barograph.store.delta.log import version_in
from barograph.store.delta.recover import LOG_FOLDER
from barograph.store.delta.snapshot import DAY, DataFile, Snapshot
from barograph.store.delta.table import UNKNOWN, Table, commit_planned


def times_of(table: Table, id: str) -> list[int]:
    """Return the times of all rows of an id, in microseconds; of labels, when they came."""
    now = table.log.refresh()
    found: list[int] = []
    for file in _holding(table, now, id):
        schema = pa.schema([now.schema.field(table.id_column), now.schema.field(table.time_column)])
        rows = read_table(table.place, [file], schema)
        found += microseconds(rows.filter(_is(rows.column(table.id_column), id)).column(table.time_column)).tolist()
    return found


def erase_rows(table: Table, id: str) -> int:
    """Make a version of the table without the rows of an id, and return how many there were.

    The files that held them are written anew without them; `sweep` deletes the old ones. Nobody who reads what was
    added since a version sees the rows that stay as new ones.
    """
    if table.log.refresh().version < 0:
        return 0

    def plan(now: Snapshot) -> Change | None:
        old = _holding(table, now, id)
        if not old:
            return None
        adds = []
        for file in old:
            rows = read_table(table.place, [file], pa.schema([f for f in now.schema if f.name != DAY]))
            rows = rows.filter(pc.invert(_is(rows.column(table.id_column), id)))
            if rows.num_rows:
                adds.append(table.write(file.day, rows))
        return Change(operation="ERASE", adds=tuple(adds), removes=tuple(old), new=False)

    _, change = commit_planned(table, plan)
    if change is None:
        return 0
    return sum(file.rows for file in change.removes) - sum(file.rows for file in change.adds)


def sweep(table: Table) -> int:
    """Delete every file that the newest version does not name, and what the log says of their rows.

    Return how many files were deleted. Nobody may write to the table meanwhile. A reader of an older version is told
    that it is gone; one that only follows the log finds all entries, without the least and largest values.
    """
    if table.log.refresh().version < 0:
        return 0
    newest = table.log.checkpoint()
    now = table.log.refresh()
    living = {file.name for file in now.files()}
    found = table.place.list()
    dead = [file.name for file in found if file.name.startswith(f"{DAY}=") and file.name not in living]
    old = [f.name for f in found if ".checkpoint" in f.name and 0 <= version_in(f.name) < newest]
    deleted = table.place.delete(dead)
    table.place.delete(old)
    for file in found:
        if file.name.startswith(f"{LOG_FOLDER}/") and file.name.endswith(".json") and version_in(file.name) >= 0:
            _without_values(table, file.name, living)
    table.index.forget(now.files())
    return deleted


def _holding(table: Table, now: Snapshot, id: str) -> list[DataFile]:
    """Return the files that hold an id."""
    wanted = hash_ids(pa.array([id]))
    files = []
    for file in now.files():
        if (table.every_day_indexed or file.day == UNKNOWN) and not table.index.known([file], wanted).any():
            continue
        with storing("read", f"{table.place.url}/{file.name}"), table.place.open_parquet(file.name) as parquet:
            groups = range(parquet.num_row_groups)
            if any(_has(parquet.read_row_group(i, [table.id_column]).column(0), id) for i in groups):
                files.append(file)
    return files


def _has(ids: Any, id: str) -> bool:
    return bool(np.any(_is(ids, id).to_numpy(zero_copy_only=False)))


def _is(ids: Any, id: str) -> Any:
    equal = pc.fill_null(pc.equal(ids, pa.scalar(id, ids.type)), False)
    return equal.combine_chunks() if isinstance(equal, pa.ChunkedArray) else equal


def _without_values(table: Table, name: str, living: set[str]) -> None:
    """Write an entry anew without the values of files that are gone."""
    entry = table.place.read(name)
    if entry is None:
        return
    lines: list[dict[str, Any]] = [json.loads(line) for line in entry.splitlines() if line.strip()]
    changed = [_forget_values(line["add"], living) for line in lines if "add" in line]
    if not any(changed):
        return
    table.place.replace(name, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode())


def _forget_values(add: dict[str, Any], living: Collection[str]) -> bool:
    if unquote(add["path"]) in living or not add.get("stats"):
        return False
    stats = json.loads(add["stats"])
    kept = {name: value for name, value in stats.items() if name not in ("minValues", "maxValues", "nullCount")}
    add["stats"] = json.dumps(kept)
    return len(kept) < len(stats)
