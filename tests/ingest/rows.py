"""What the tests of ingest share: a schema, rows that fit it, and bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from barograph.ingest.decode import Decoded
from barograph.spec.schema import ColumnType, Schema
from barograph.store.batches import from_payload
from barograph.tasks import Task

JSON, NDJSON = "application/json", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
NOW = 1_750_000_000_000_000  # 2025-06-15T15:06:40Z

SCHEMA = Schema(
    task=Task.BINARY,
    features={"amount": ColumnType.NUMERIC, "colour": ColumnType.CATEGORICAL, "known": ColumnType.BOOLEAN},
    id="event_id",
    timestamp="timestamp",
    label="label",
    label_timestamp="labelled",
    scores={"1": "score"},
    classes=("0", "1"),
)


def event(i: int, **more: Any) -> dict[str, Any]:
    row = {"event_id": f"e{i}", "timestamp": "2025-06-01T10:00:00Z", "amount": i / 2, "colour": "red", "known": True}
    return {**row, "score": 0.25, **more}


def events(n: int, **more: Any) -> list[dict[str, Any]]:
    return [event(i, **more) for i in range(n)]


def body(rows: Sequence[Any], content_type: str) -> bytes:
    """Return rows as a body; every value of an Arrow column has one type."""
    if content_type == JSON:
        return json.dumps(rows).encode()
    if content_type == NDJSON:
        return "\n".join(map(json.dumps, rows)).encode()
    names = dict.fromkeys(name for row in rows for name in row)
    return stream(pa.table({name: pa.array([row.get(name) for row in rows]) for name in names}))


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


def kept(decoded: Decoded, kind: str = "events") -> pa.Table:
    """Return the rows of a kind as they would come out of the spool."""
    tables = [from_payload(part.payload()) for part in decoded.parts if part.kind == kind]
    assert len(tables) <= 1
    if tables:
        tables[0].validate(full=True)
    return tables[0] if tables else pa.table({})


def reasons(decoded: Decoded) -> Mapping[int, str]:
    return {r.index: "; ".join(r.reasons) for r in decoded.rejected}
