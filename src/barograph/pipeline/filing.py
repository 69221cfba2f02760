"""Filing: from the spool to the tables of events and labels, and to the quarantine.

A batch is let go of only when what holds its rows is on the disk. Filing the same batches again changes nothing: the
tables remember how far they have filed each spool, and the quarantine where each row was.
"""

from __future__ import annotations

import json

import pyarrow as pa
import structlog

from barograph.errors import FormatError, InputError
from barograph.pipeline.holding import hold
from barograph.pipeline.workshop import Workshop
from barograph.spec.plain import schema_from_plain
from barograph.store.catalog import models, quarantine, states, work
from barograph.store.parts import Kind, from_payload
from barograph.store.spool import Backlog, Spool, Stored

FILING_BYTES = 256 * 2**20  # of one model, in one commit of its table

log = structlog.get_logger(__name__)


def file_waiting(shop: Workshop, spool: Spool, *, now_us: int) -> int:
    """File what waits of each model, the oldest first, and return the number of rows."""
    rows = 0
    for backlog in spool.waiting():
        lease = hold(shop, f"file/{backlog.model_id}/{backlog.kind}", now_us=now_us)
        with lease as held:
            if held is not None:
                rows += _file(shop, spool, backlog, now_us=now_us)
    return rows


def _file(shop: Workshop, spool: Spool, backlog: Backlog, *, now_us: int) -> int:
    project_id, model_id, kind = backlog.project_id, backlog.model_id, backlog.kind
    stored = spool.take(model_id, kind, max_rows=shop.settings.filing_rows, max_bytes=FILING_BYTES)
    if not stored:
        return 0
    through, rows = stored[-1].sequence, sum(s.batch.rows for s in stored)
    with shop.read(project_id) as scope:
        model = models.get_model(scope, model_id)
    if model is None or model.schema is None:
        log.warning("rows of a deleted model let go of", model_id=model_id, rows=rows)
        spool.release(model_id, kind, through=through)
        return rows
    if kind == "rejected":
        _set_apart(shop, spool, project_id, model_id, stored)
    else:
        tables = shop.tables_for(project_id, model_id, schema_from_plain(model.schema))
        table = _whole(shop, spool, project_id, model_id, kind, stored)
        if table is not None:
            file = tables.file_events if kind == "events" else tables.file_labels
            file(table, writer=spool.node, sequence=through)
    with shop.write(project_id) as scope:
        work.mark(scope, model_id, due_us=now_us)
    spool.release(model_id, kind, through=through)
    shop.wake.set()
    return rows


def _whole(
    shop: Workshop, spool: Spool, project_id: int, model_id: int, kind: Kind, stored: list[Stored]
) -> pa.Table | None:
    """Return the rows of all batches; one that cannot be read is set aside, whole, with the reason."""
    tables = []
    for one in stored:
        try:
            tables.append(from_payload(one.batch.payload))
        except (FormatError, InputError) as error:
            log.error("batch set aside", model_id=model_id, sequence=one.sequence, reason=str(error))
            with shop.write(project_id) as scope:
                quarantine.add_poison(
                    scope,
                    model_id,
                    step=f"file {kind}",
                    position=f"{spool.node}:{one.sequence}",
                    reason=str(error),
                    now_us=one.batch.received_us,
                )
    # Batches of different layouts (the schema changed meanwhile) have different columns.
    return pa.concat_tables(tables, promote_options="permissive") if tables else None


def _set_apart(shop: Workshop, spool: Spool, project_id: int, model_id: int, stored: list[Stored]) -> None:
    with shop.write(project_id) as scope:
        for one in stored:
            rows = json.loads(one.batch.payload)
            origin = f"{spool.node}:{one.sequence}"
            added = 0
            for kind in ("events", "labels"):
                added += quarantine.add(
                    scope,
                    model_id,
                    kind,
                    [quarantine.Refused(row["reasons"], row["row"]) for row in rows if row["kind"] == kind],
                    origin=f"{origin}:{kind}",
                    received_us=one.batch.received_us,
                    keep=shop.settings.rejected_rows,
                )
            states.count_rows(scope, model_id, rejected=added)
