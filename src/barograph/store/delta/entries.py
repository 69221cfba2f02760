"""Entries of a Delta log: what we change in a table, as lines of JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # Any: lines of JSON; Arrow schemas are untyped

from deltalake import Schema

from barograph.store.delta.snapshot import DAY, DataFile
from barograph.times import from_microseconds

ENGINE = "barograph"
_READABLE = (-62_135_596_800_000_000, 253_402_300_799_000_000)  # microseconds: the years 1 to 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Files that one version of a table adds and removes.

    `new` says that rows come in or go away; compaction and adoption only move rows that were there. `writer` and
    `sequence` say up to which batch of a spool the table is filed with this change.
    """

    operation: str
    adds: tuple[DataFile, ...] = ()
    removes: tuple[DataFile, ...] = ()
    new: bool = True
    writer: str | None = None
    sequence: int = -1
    note: Mapping[str, Any] = field(default_factory=dict)


def lines_of(change: Change, *, now_us: int, time_column: str) -> bytes:
    """Return a change as an entry of the log."""
    lines: list[dict[str, Any]] = [_info(change.operation, now_us, change.note)]
    for file in change.removes:
        lines.append(
            {
                "remove": {
                    "path": file.path,
                    "deletionTimestamp": now_us // 1000,
                    "dataChange": change.new,
                    "extendedFileMetadata": True,
                    "partitionValues": {DAY: file.day},
                    "size": file.size_bytes,
                }
            }
        )
    for file in change.adds:
        lines.append(
            {
                "add": {
                    "path": file.path,
                    "partitionValues": {DAY: file.day},
                    "size": file.size_bytes,
                    "modificationTime": now_us // 1000,
                    "dataChange": change.new,
                    "stats": stats_of(file, time_column),
                }
            }
        )
    if change.writer is not None:
        lines.append({"txn": {"appId": change.writer, "version": change.sequence, "lastUpdated": now_us // 1000}})
    return _encode(lines)


def lines_of_table(schema: Any, settings: Mapping[str, str], *, now_us: int, identity: str, new: bool) -> bytes:
    """Return the entry that makes a table or, where it is not new, gives it more columns."""
    meta = {
        "id": identity,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": Schema.from_arrow(schema).to_json(),
        "partitionColumns": [DAY],
        "createdTime": now_us // 1000,
        "configuration": dict(settings),
    }
    lines: list[dict[str, Any]] = [_info("CREATE TABLE" if new else "ADD COLUMN", now_us, {})]
    if new:
        lines.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
    return _encode([*lines, {"metaData": meta}])


def actions_of(entry: bytes) -> list[dict[str, Any]]:
    """Return the lines of an entry. Raises ValueError for one that is torn."""
    actions = [json.loads(line) for line in entry.splitlines() if line.strip()]
    if not actions or not all(isinstance(action, dict) for action in actions):
        raise ValueError("not a whole entry")
    return actions


def stats_of(file: DataFile, time_column: str) -> str:
    """Return the statistics that all readers of Delta tables understand: whole milliseconds, rounded outwards."""
    stats: dict[str, Any] = {"numRecords": file.rows}
    if _READABLE[0] <= file.low_us and file.high_us <= _READABLE[1]:
        stats["minValues"] = {time_column: _iso(file.low_us // 1000)}
        stats["maxValues"] = {time_column: _iso(-(-file.high_us // 1000))}
        stats["nullCount"] = {time_column: 0}
    return json.dumps(stats)


def _iso(milliseconds: int) -> str:
    return from_microseconds(milliseconds * 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _info(operation: str, now_us: int, note: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "commitInfo": {
            "timestamp": now_us // 1000,
            "operation": operation,
            "operationParameters": {},
            "engineInfo": ENGINE,
            **({ENGINE: dict(note)} if note else {}),
        }
    }


def _encode(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
