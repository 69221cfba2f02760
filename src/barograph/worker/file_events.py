"""Filing: from the spool to the tables of events and labels, and to the quarantine.

A batch is let go of only when what holds its rows is on the disk. Filing the same batches again changes nothing: the
tables remember how far they have filed each spool, and the quarantine where each row was.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import FormatError, InputError, MismatchError
from barograph.logs import logger
from barograph.spec.plain import schema_from_plain
from barograph.store.batches import Kind, from_payload
from barograph.store.catalog import models, quarantine, states, work
from barograph.store.catalog.models import Model
from barograph.store.delta.durable import make_folder, replace_with, storing, sync
from barograph.store.model_files import poison_folder
from barograph.store.spool import Backlog, Spool, Stored
from barograph.worker.context import WorkerContext
from barograph.worker.lease_guard import hold
from barograph.worker.requests import FILING

FILING_BYTES = 256 * 2**20  # of one model, in one commit of its table
REJECTED_BYTES = 16 * 2**20  # of rejected rows, which become objects, at a time

log = logger(__name__)


def file_waiting(ctx: WorkerContext, spool: Spool, *, now_us: int) -> int:
    """File what waits of each model, the oldest first, and return the number of rows."""
    rows = 0
    for backlog in spool.waiting():
        lease = hold(ctx, f"file/{backlog.model_id}/{backlog.kind}", now_us=now_us)
        with lease as held:
            if held is not None:
                rows += _file(ctx, spool, backlog, now_us=now_us)
    return rows


def file_all(ctx: WorkerContext, spool: Spool, model_id: int, *, now_us: int) -> int:
    """File all of a model that came by now, and return the number of rows. The caller holds the leases of filing it."""
    rows = 0
    while waiting := [b for b in spool.waiting() if b.model_id == model_id and b.oldest_us <= now_us]:
        ctx.check()
        rows += sum(_file(ctx, spool, backlog, now_us=now_us) for backlog in waiting)
    return rows


def _file(ctx: WorkerContext, spool: Spool, backlog: Backlog, *, now_us: int) -> int:
    project_id, model_id, kind = backlog.project_id, backlog.model_id, backlog.kind
    most = REJECTED_BYTES if kind == "rejected" else FILING_BYTES
    stored = spool.take(model_id, kind, max_rows=ctx.settings.filing_rows, max_bytes=most)
    if not stored:
        return 0
    through, rows = stored[-1].sequence, sum(s.batch.rows for s in stored)
    with ctx.read(project_id) as scope:
        model = models.get_model(scope, model_id)
    if model is None or model.schema is None:
        log.warning("rows of a deleted model let go of", model_id=model_id, rows=rows)
        spool.release(model_id, kind, through=through)
        return rows
    if kind == "rejected":
        _set_apart(ctx, spool, project_id, model_id, stored)
    else:
        _to_table(ctx, spool, model, kind, stored)
    with ctx.write(project_id) as scope:
        work.mark(scope, model_id, due_us=now_us)
    spool.release(model_id, kind, through=through)
    ctx.wake.set()
    return rows


def _to_table(ctx: WorkerContext, spool: Spool, model: Model, kind: Kind, stored: list[Stored]) -> None:
    """File batches as one; if that cannot be, one by one, and those that cannot be filed are set aside."""
    assert model.schema is not None  # the caller has looked
    tables = ctx.tables_for(model.project_id, model.id, schema_from_plain(model.schema))
    file = tables.file_events if kind == "events" else tables.file_labels
    try:
        # Batches of different layouts (the schema changed meanwhile) have different columns.
        whole = pa.concat_tables([from_payload(one.batch.payload) for one in stored], promote_options="permissive")
        file(whole, writer=spool.node, sequence=stored[-1].sequence)
    except (FormatError, InputError, MismatchError, pa.ArrowException) as error:
        if len(stored) > 1:
            for one in stored:
                _to_table(ctx, spool, model, kind, [one])
        else:
            _set_aside(ctx, spool, model, kind, stored[0], str(error))


def _set_aside(ctx: WorkerContext, spool: Spool, model: Model, kind: Kind, one: Stored, reason: str) -> None:
    """Keep a batch that cannot be filed, as it is, in the model's folder of `poison`, and say so."""
    path = poison_folder(ctx.settings, model.id) / f"{spool.node}-{one.sequence}-{kind}.arrow"
    log.error("batch set aside", model=model.name, path=str(path), reason=reason)
    with storing("write", path):
        make_folder(path.parent)
        replace_with(path, [one.batch.payload], synced=True)
        sync(path.parent)
    with ctx.write(model.project_id) as scope:
        quarantine.add_poison(
            scope, model.id, step=f"{FILING}{kind}", position=str(path), reason=reason, now_us=one.batch.received_us
        )


def _set_apart(ctx: WorkerContext, spool: Spool, project_id: int, model_id: int, stored: list[Stored]) -> None:
    with ctx.write(project_id) as scope:
        for one in stored:
            rows = from_payload(one.batch.payload)
            origin = f"{spool.node}:{one.sequence}"
            added = 0
            for kind in ("events", "labels"):
                mine = rows.filter(pc.equal(rows.column("kind"), kind)).select(["reasons", "row"])
                added += quarantine.add(
                    scope,
                    model_id,
                    kind,
                    [quarantine.Refused(**row) for row in mine.to_pylist()],
                    origin=f"{origin}:{kind}",
                    received_us=one.batch.received_us,
                    keep=ctx.settings.rejected_rows,
                )
            states.count_rows(scope, model_id, rejected=added)
