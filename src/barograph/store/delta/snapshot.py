"""What a table is at one version: the log of changes, folded. Pure: entries go in as parsed JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from json import loads
from typing import Any  # Any: what a log says of a file is of any type; Arrow schemas are untyped
from urllib.parse import unquote

import pyarrow as pa
from deltalake import Schema

from barograph.errors import StoreError
from barograph.times import to_microseconds

DAY = "_day"
ID_SETTING, TIME_SETTING = "barograph.id", "barograph.time"  # kept in the table's own settings
EVER = (-(2**63), 2**63 - 1)  # microseconds: of a file that does not say
REMEMBERED = 20_000  # removed files, so that versions since then are known without reading the log

Action = Mapping[str, Any]  # one line of an entry: {"add": {…}}


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a table. `low_us` and `high_us` bound its times, both inclusive."""

    path: str  # as the log writes it
    day: str
    size_bytes: int
    rows: int
    low_us: int
    high_us: int
    added: int  # the version that added it, or the first that this process knows

    @property
    def name(self) -> str:
        """Return the file's name from the table's folder on."""
        return unquote(self.path)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The table at a version; -1 where there is no table. `base` is the version from which on all changes are known."""

    version: int = -1
    base: int = -1
    identity: str = ""  # the table's own id, which stays when columns are added
    schema: Any = None
    settings: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, Mapping[str, DataFile]] = field(default_factory=dict)
    removed: tuple[tuple[DataFile, int], ...] = ()  # and the version that removed it
    writers: Mapping[str, int] = field(default_factory=dict)  # the last sequence of each writer, filed since `base`

    def files(self, day: str | None = None) -> Iterator[DataFile]:
        """Iterate over the files of a day or of all, in the order of days."""
        for each in sorted(self.days) if day is None else [day]:
            yield from self.days.get(each, {}).values()

    def holds(self, file: DataFile) -> bool:
        """Return whether a file is part of the table."""
        return file.path in self.days.get(file.day, {})

    def at(self, version: int) -> list[DataFile]:
        """Return the files of an earlier version that is not below `base`."""
        assert self.base <= version <= self.version
        files = [file for file in self.files() if file.added <= version]
        gone = [file for file, removed in self.removed if file.added <= version < removed]
        return sorted(files + gone, key=lambda file: (file.day, file.added))


def apply_entry(snapshot: Snapshot, actions: Iterable[Action]) -> Snapshot:
    """Return the table after the next entry of its log. The days that do not change are shared, not copied."""
    version = snapshot.version + 1
    days, changed = dict(snapshot.days), set()
    removed = list(snapshot.removed)
    identity, schema, settings, writers = snapshot.identity, snapshot.schema, snapshot.settings, snapshot.writers
    # An entry may speak of a file before it speaks of the table.
    for action in actions:
        if meta := action.get("metaData"):
            identity, schema, settings = meta["id"], schema_of(meta["schemaString"]), dict(meta["configuration"])
        elif protocol := action.get("protocol"):
            check_protocol(protocol["minReaderVersion"], protocol["minWriterVersion"])
        elif transaction := action.get("txn"):
            writers = {**writers, transaction["appId"]: int(transaction["version"])}
    for action in actions:
        change = action.get("add") or action.get("remove")
        if not change:
            continue
        day = str((change.get("partitionValues") or {}).get(DAY) or _day_in(change["path"]))
        if day not in changed:
            changed.add(day)
            days[day] = dict(days.get(day, {}))
        of_day: dict[str, DataFile] = days[day]  # type: ignore[assignment]  # copied above
        if "add" in action:
            of_day[change["path"]] = data_file(change, day, version, settings.get(TIME_SETTING, ""))
        elif change["path"] in of_day:
            removed.append((of_day.pop(change["path"]), version))
    base = snapshot.base if snapshot.version >= 0 else version
    if len(removed) > REMEMBERED:
        removed, base = [], version
    return replace(
        snapshot,
        version=version,
        base=base,
        identity=identity,
        schema=schema,
        settings=settings,
        days={day: files for day, files in days.items() if files},
        removed=tuple(removed) if removed else (),
        writers=writers,
    )


def data_file(add: Action, day: str, version: int, time_column: str) -> DataFile:
    """Return what the log says of an added file."""
    stats = loads(add["stats"]) if add.get("stats") else {}
    low, high = (stats.get(name, {}).get(time_column) for name in ("minValues", "maxValues"))
    return DataFile(
        path=add["path"],
        day=day,
        size_bytes=int(add["size"]),
        rows=int(stats.get("numRecords", 0)),
        low_us=to_microseconds(datetime.fromisoformat(low)) if low else EVER[0],
        high_us=to_microseconds(datetime.fromisoformat(high)) if high else EVER[1],
        added=version,
    )


def schema_of(text: str) -> Any:
    """Return the Arrow schema that a log's JSON describes."""
    return pa.schema(Schema.from_json(text).to_arrow())


def check_protocol(reader: int, writer: int) -> None:
    """Raise StoreError when another program gave the table a feature that is not understood here."""
    if reader > 1 or writer > 2:
        raise StoreError(
            f"The table needs a reader of version {reader} and a writer of version {writer}, and barograph is 1 and 2. "
            "Another program changed it: rewrite the table without deletion vectors, column mapping and the like."
        )


def _day_in(path: str) -> str:
    return next((p.removeprefix(f"{DAY}=") for p in unquote(path).split("/") if p.startswith(f"{DAY}=")), "")
