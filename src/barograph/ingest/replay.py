"""Rejected rows, decoded once more: what was wrong with them may be right with the schema of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # Any: JSON values

from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.json_rows import NDJSON
from barograph.ingest.layouts import event_layout, label_layout
from barograph.ingest.limits import limits_of
from barograph.spec.plain import schema_from_plain
from barograph.store.catalog.quarantine import Quarantined
from barograph.store.settings import Settings
from barograph.store.spool import Batch


def replay_rows(
    settings: Settings,
    project_id: int,
    model_id: int,
    schema: Mapping[str, Any],
    rows: Sequence[Quarantined],
    *,
    now_us: int,
) -> tuple[list[Batch], list[int]]:
    """Return what can be kept now, as batches for the spool, and the ids of its rows.

    A row that was longer than the quarantine keeps was cut, and is rejected again.
    """
    limits, known = limits_of(settings), schema_from_plain(schema)
    batches, good = [], []
    for kind in ("events", "labels"):
        mine = [row for row in rows if row.kind == kind and row.row]
        if not mine:
            continue
        body = b"\n".join(" ".join(row.row.splitlines()).encode() for row in mine)
        decoded = (
            decode_events(body, NDJSON, event_layout(known, limits), now_us=now_us)
            if kind == "events"
            else decode_labels(body, NDJSON, label_layout(known, limits), now_us=now_us)
        )
        bad = {rejected.index for rejected in decoded.rejected}
        good += [row.id for i, row in enumerate(mine) if i not in bad]
        batches += [
            Batch(
                project_id=project_id,
                model_id=model_id,
                kind=part.kind,
                rows=part.rows,
                payload=part.payload(),
                received_us=now_us,
            )
            for part in decoded.parts
            if part.kind != "rejected"
        ]
    return batches, good
