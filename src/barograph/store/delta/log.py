"""The log of one table: what the table is now, and how a change becomes its next version, once and durably.

On a disk, entries are written here: a change costs the same however many files the table has, and is on the disk before
anyone can see it. On object storage delta-rs puts them, under the condition that no one else was first.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any  # Any: lines of JSON; delta-rs and Arrow are untyped
from uuid import uuid4

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from barograph.errors import StoreError
from barograph.store.delta.durable import make_folder, replace_with, storing, sync, write_new
from barograph.store.delta.entries import Change, actions_of, lines_of, lines_of_table, stats_of
from barograph.store.delta.place import Place
from barograph.store.delta.recover import LOG_FOLDER, recover
from barograph.store.delta.snapshot import (
    DAY,
    EVER,
    DataFile,
    Snapshot,
    apply_entry,
    check_protocol,
)
from barograph.times import to_microseconds

LOOK_AGAIN_SECONDS = 600.0  # after so long without looking, entries may have been tidied away meanwhile
_NO_HOOKS = {"create_checkpoint": False, "cleanup_expired_logs": False}


def entry_name(version: int) -> str:
    """Return the name of a version's entry from the table's folder on."""
    return f"{LOG_FOLDER}/{version:020d}.json"


def version_in(name: str) -> int:
    """Return the version whose entry or checkpoint a file of the log is, or -1 for other files."""
    found = re.fullmatch(r"(\d{20})(\.json|\.checkpoint.*\.parquet)", name.removeprefix(f"{LOG_FOLDER}/"))
    return int(found[1]) if found else -1


class DeltaLog:
    """The newest known version of a table. Safe to use from several threads, and beside other processes."""

    def __init__(self, place: Place, *, settings: dict[str, str], marker: Path, clock: Callable[[], int]) -> None:
        self._place, self._settings, self._marker, self._clock = place, settings, marker, clock
        self._lock = threading.RLock()
        self._snapshot = Snapshot()
        self._loaded: Any = None  # the DeltaTable that the snapshot began with: knows writers of long ago
        self._putting: Any = None  # the DeltaTable through which changes go to object storage
        self._looked = -LOOK_AGAIN_SECONDS

    def refresh(self) -> Snapshot:
        """Return the table as it is now. Everything in it has reached the disk."""
        with self._lock:
            if monotonic() - self._looked >= LOOK_AGAIN_SECONDS and self._behind():
                self._load()
            self._looked = monotonic()
            before = self._snapshot.version
            while (entry := self._place.read(entry_name(self._snapshot.version + 1))) is not None:
                self._apply(entry)
            if self._snapshot.version > before:
                self._promise()
            return self._snapshot

    def filed(self, writer: str) -> int:
        """Return the last sequence of a writer that is filed, or -1."""
        with self._lock:
            if writer not in self._snapshot.writers and self._loaded is not None:
                with storing("use", self._place.url):
                    try:
                        found = self._loaded.transaction_version(writer)
                    except DeltaError:  # its part of the log was tidied away meanwhile
                        self._load()
                        self.refresh()
                        found = self._loaded.transaction_version(writer)
                return self._snapshot.writers.get(writer, -1 if found is None else int(found))
            return self._snapshot.writers.get(writer, -1)

    def ensure(self, schema: pa.Schema) -> Snapshot:
        """Return the table after it was made, or given the columns that it lacks. `schema` holds all of its columns."""
        with self._lock:
            for _ in range(20):
                now = self.refresh()
                if now.version >= 0:
                    with storing("add columns to", self._place.url):
                        schema = pa.unify_schemas([now.schema, schema])  # fails where another gave them other types
                    if len(schema) == len(now.schema):
                        return now
                self._put_table(now, schema)
        raise StoreError(f"Too many others change the columns of {self._place.url!r} at once. Try again later.")

    def commit(self, before: Snapshot, change: Change) -> Snapshot | None:
        """Make a change the next version after `before`; return the table then, or None where another was first."""
        with self._lock:
            now_us, version = self._clock(), before.version + 1
            if self._place.folder:
                path = self._place.folder / entry_name(version)
                entry = lines_of(change, now_us=now_us, time_column=self._settings["barograph.time"])
                with storing("write", path):
                    first = write_new(path, entry)
            else:
                first = self._put(before, change, now_us)
            after = self.refresh()
            if not first:
                if after.version < version:
                    self._looked = -LOOK_AGAIN_SECONDS  # others are far ahead: their entries were tidied away
                return None
            if after.version < version or self._tidied_beyond(version):
                self._looked = -LOOK_AGAIN_SECONDS
                raise StoreError(f"The log of {self._place.url!r} was tidied during a commit. Nothing of it counts.")
            return after

    def files_at(self, version: int | None) -> tuple[Snapshot, list[DataFile]]:
        """Return the files of a version, and a snapshot with the newest columns."""
        now = self.refresh()
        if version is None or version == now.version:
            return now, list(now.files())
        if version > now.version:
            raise StoreError(f"{self._place.url!r} has no version {version} yet: the newest is {now.version}.")
        if version < 0:
            return now, []
        if version >= now.base:
            return now, now.at(version)
        return now, list(self._open(version)[0].files())

    def entries(self, since: int, until: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Iterate over the entries after a version. Raises StoreError for those that were tidied away."""
        for version in range(since + 1, until + 1):
            entry = self._place.read(entry_name(version))
            if entry is None:
                raise StoreError(
                    f"Version {version} of {self._place.url!r} was tidied away before it was read. "
                    "Read the whole table instead, as of a version, and go on from there."
                )
            yield version, actions_of(entry)

    def checkpoint(self) -> int:
        """Write a checkpoint of the newest version, from which readers begin; return that version."""
        with storing("use", self._place.url):
            table = DeltaTable(self._place.url, storage_options=dict(self._place.options) or None)
            table.create_checkpoint()
        version = int(table.version())
        if self._place.folder:
            log = self._place.folder / LOG_FOLDER
            with storing("sync", log):
                for path in [*log.glob(f"{version:020d}.checkpoint*.parquet"), log / "_last_checkpoint", log]:
                    sync(path)
        return version

    def last_checkpoint(self) -> int:
        """Return the version of the last checkpoint, or -1."""
        pointer = self._place.read(f"{LOG_FOLDER}/_last_checkpoint")
        try:
            return int(json.loads(pointer)["version"]) if pointer else -1
        except (ValueError, KeyError) as error:
            raise StoreError(f"The last checkpoint of {self._place.url!r} cannot be read: {error}.") from error

    def _behind(self) -> bool:
        """Return whether to begin anew: nothing is known yet, or there is a checkpoint of a later version."""
        return self._snapshot.version < 0 or self._tidied_beyond(self._snapshot.version)

    def _tidied_beyond(self, version: int) -> bool:
        return self.last_checkpoint() > version and self._place.read(entry_name(version + 1)) is None

    def _apply(self, entry: bytes) -> None:
        try:
            actions = actions_of(entry)
        except ValueError as error:
            version = self._snapshot.version + 1
            raise StoreError(
                f"Entry {version} of the log of {self._place.url!r} is torn. Start again to repair."
            ) from error
        self._snapshot = apply_entry(self._snapshot, actions)

    def _load(self) -> None:
        if self._place.folder:
            recover(self._place.folder, synced=self._synced())
        if all(version_in(found.name) < 0 for found in self._place.list(LOG_FOLDER)):
            return  # delta-rs does not tell "no table" from "cannot be read" everywhere
        self._snapshot, self._loaded = self._open(None)
        self._promise()

    def _open(self, version: int | None) -> tuple[Snapshot, Any]:
        with storing("use", self._place.url):
            options = dict(self._place.options) or None
            table = DeltaTable(self._place.url, version=version, storage_options=options)
            protocol, meta = table.protocol(), table.metadata()
            check_protocol(protocol.min_reader_version, protocol.min_writer_version)
            schema = pa.schema(table.schema().to_arrow())
            adds = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        at, time = int(table.version()), meta.configuration.get("barograph.time", "")
        days: dict[str, dict[str, DataFile]] = {}
        for add in adds:
            low, high = (add.get(f"{side}.{time}") for side in ("min", "max"))
            file = DataFile(
                path=add["path"],
                day=str(add.get(f"partition.{DAY}")),
                size_bytes=add["size_bytes"],
                rows=add["num_records"] or 0,
                low_us=to_microseconds(low) if low else EVER[0],
                high_us=to_microseconds(high) if high else EVER[1],
                added=at,
            )
            days.setdefault(file.day, {})[file.path] = file
        found = Snapshot(at, at, str(meta.id), schema, meta.configuration, days)
        return found, table

    def _put_table(self, before: Snapshot, schema: pa.Schema) -> None:
        """Write the entry that makes the table or adds columns. Where another was first, nothing happens."""
        try:
            delta_schema = DeltaSchema.from_arrow(schema)
        except Exception as error:  # delta-rs raises the base class itself
            raise StoreError(f"These columns cannot be kept in {self._place.url!r}: {error}") from error
        if self._place.folder:
            path = self._place.folder / entry_name(before.version + 1)
            settings = before.settings or self._settings
            identity = before.identity or str(uuid4())
            entry = lines_of_table(schema, settings, now_us=self._clock(), identity=identity, new=before.version < 0)
            with storing("write", path):
                make_folder(path.parent)
                write_new(path, entry)
            return
        options = dict(self._place.options)
        with storing("use", self._place.url):
            try:
                if before.version < 0:
                    DeltaTable.create(
                        self._place.url,
                        delta_schema,
                        partition_by=[DAY],
                        configuration=self._settings,
                        storage_options=options,
                        raise_if_key_not_exists=False,
                    )
                elif (table := self._delta()).version() == before.version:
                    fields = [field for field in delta_schema.fields if field.name not in before.schema.names]
                    table.alter.add_columns(
                        fields,
                        commit_properties=CommitProperties(max_commit_retries=0),
                        post_commithook_properties=PostCommitHookProperties(**_NO_HOOKS),
                    )
            except CommitFailedError:
                return
            except DeltaError as error:
                if "exist" not in str(error).lower():
                    raise

    def _put(self, before: Snapshot, change: Change, now_us: int) -> bool:
        time, table = self._settings["barograph.time"], self._delta()
        if table.version() != before.version:
            return False
        actions = [
            RemoveAction(f.path, change.new, now_us // 1000, f.size_bytes, {DAY: f.day}) for f in change.removes
        ] + [
            AddAction(f.path, f.size_bytes, {DAY: f.day}, now_us // 1000, change.new, stats_of(f, time))
            for f in change.adds
        ]
        transactions = [Transaction(change.writer, change.sequence)] if change.writer is not None else None
        note = {"barograph": {"operation": change.operation, **change.note}}
        with storing("use", self._place.url):
            try:
                table.create_write_transaction(
                    actions,
                    "append",
                    before.schema,
                    [DAY],
                    commit_properties=CommitProperties(note, max_commit_retries=0, app_transactions=transactions),
                    post_commithook_properties=PostCommitHookProperties(**_NO_HOOKS),
                )
            except CommitFailedError:
                return False  # or it was ours, and the answer was lost: whoever called looks for its files
        return True

    def _delta(self) -> Any:
        with storing("use", self._place.url):
            if self._putting is None:
                self._putting = DeltaTable(self._place.url, storage_options=dict(self._place.options))
            else:
                self._putting.update_incremental()
        return self._putting

    def _promise(self) -> None:
        """Wait until the names of new entries are on the disk, whoever wrote them, and remember it."""
        if not self._place.folder:
            return
        with storing("sync", self._place.folder):
            sync(self._place.folder / LOG_FOLDER)
        try:
            make_folder(self._marker.parent)
            replace_with(self._marker, [str(self._snapshot.version).encode()], synced=False)
        except OSError:
            return  # an older number only means that more is looked at after the next start

    def _synced(self) -> int:
        try:
            return int(self._marker.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return -1
