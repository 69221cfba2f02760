"""Events and labels as Arrow: all checks on whole columns; only rejected rows are looked at one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import InputError
from barograph.ingest.arrow_columns import Batch, Column, read_batch
from barograph.ingest.common_names import under_own_names
from barograph.ingest.decoded import Decoded, assemble, label_doubts, score_doubts, whole_doubts
from barograph.ingest.expand import Body
from barograph.ingest.layouts import LABEL_BYTES, EventLayout, LabelLayout, class_texts
from barograph.ingest.memory import Reserve
from barograph.store.batches import Kind, Part, to_payload
from barograph.store.layout import CONTEXT, ID, LABEL, LABEL_TIMESTAMP, NUMBER, TEXT, TIME

ARROW = "application/vnd.apache.arrow.stream"


def decode_arrow_events(body: Body, layout: EventLayout, *, now_us: int, reserve: Reserve) -> Decoded:
    """Return the events of an Arrow IPC stream."""
    batch = read_batch(body, layout.limits, reserve, layout.objects, layout.rules)
    if layout.names.keys() & batch.columns.keys():
        batch.columns = under_own_names(batch.columns, layout.names)
    n = batch.rows
    id_name, time_name = layout.fields[0].name, layout.fields[1].name
    ids = batch.ids(id_name)
    now = pa.array(np.full(n, now_us, np.int64)).view(TIME)
    if layout.receipt and time_name not in batch.columns:
        arrays = [ids, now]
    else:
        times = batch.times(time_name, layout.schema, now_us, needed=not layout.receipt)
        arrays = [ids, pc.coalesce(times, now) if layout.receipt else times]
    for column in layout.fields[2 : layout.kept]:
        if column.name not in batch.columns:
            arrays.append(pa.nulls(n, NUMBER if column.kind == "number" else TEXT))
        elif column.kind == "number":
            arrays.append(batch.numbers(column.name))
        else:
            arrays.append(batch.texts(column.name, presence=column.kind == "embedding"))
    known = {f.name for f in layout.fields}
    others = [name for name in batch.columns if name not in known]
    arrays += [now, batch.extra(others)]
    labels = None
    if layout.label is not None and layout.fields[layout.label].name in batch.columns:
        at = layout.label_time
        time = layout.fields[at].name if at is not None else None
        labels = _labels(batch, layout.labels, ids, layout.fields[layout.label].name, time, now_us)
    keep = batch.first_of_each(ids)
    table = pa.Table.from_arrays(arrays, schema=layout.arrow)
    parts = _parts("events", table if keep is None else table.filter(pa.array(keep)))
    if labels is not None:
        some = pc.is_valid(labels.column(LABEL))
        parts += _parts("labels", labels.filter(some if keep is None else pc.and_(some, pa.array(keep))))
    taken = n if keep is None else int(np.count_nonzero(keep))
    return assemble(
        "events",
        received=n,
        duplicates=n - taken - len(batch.reasons),
        parts=parts,
        reasons=batch.reasons,
        texts=batch.row_texts,
        unknown=Counter({name: n for name in others if name != CONTEXT}),
        missing=tuple(f.name for f in layout.fields[2 : layout.kept] if f.name not in batch.columns),
        doubts=(
            *score_doubts((layout.fields[2 + i].name, arrays[2 + i]) for i in layout.scores),
            *whole_doubts((layout.fields[2 + i].name, arrays[2 + i]) for i in layout.numbers),
            *(() if labels is None else _label_doubts(layout.labels, labels)),
        ),
    )


def decode_arrow_labels(body: Body, layout: LabelLayout, *, now_us: int, reserve: Reserve) -> Decoded:
    """Return the labels of an Arrow IPC stream."""
    batch = read_batch(body, layout.limits, reserve, layout.objects, layout.rules)

    def named(kind: str) -> str | None:
        return next((f.name for f in layout.fields if f.kind == kind and f.name in batch.columns), None)

    id_name, label_name = named("id"), named("text")
    if id_name is None or label_name is None:
        expected = [f.name for f in layout.fields if f.kind == ("text" if id_name else "id")]
        raise InputError(
            f"The body has no column {' or '.join(map(repr, expected))}. Its columns are "
            f"{', '.join(map(repr, list(batch.columns)[:20])) or 'none'}."
        )
    ids = batch.ids(id_name)
    table = _labels(batch, layout, ids, label_name, named("time"), now_us)
    batch.add(pc.is_null(table.column(LABEL)).to_numpy() & ~batch.bad, lambda i: "label: missing")
    good = table.filter(pa.array(~batch.bad)) if batch.reasons else table
    rows = good.select([ID, LABEL, LABEL_TIMESTAMP])
    if len(rows.group_by(rows.column_names).aggregate([])) < len(rows):
        first = rows.append_column("at", pa.array(np.arange(len(rows))))
        at = first.group_by(rows.column_names).aggregate([("at", "min")]).column("at_min")
        good = good.take(at.combine_chunks().sort())
    return assemble(
        "labels",
        received=batch.rows,
        duplicates=len(rows) - len(good),
        parts=_parts("labels", good),
        reasons=batch.reasons,
        texts=batch.row_texts,
        unknown=Counter({c: batch.rows for c in batch.columns if c not in {f.name for f in layout.fields}}),
        missing=(),
        doubts=_label_doubts(layout, good),
    )


def _label_doubts(layout: LabelLayout, labels: pa.Table) -> tuple[str, ...]:
    if layout.numeric:
        return ()
    counts = pc.value_counts(labels.column(LABEL).combine_chunks())
    return label_doubts(
        layout.schema.classes, dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True))
    )


def _labels(batch: Batch, layout: LabelLayout, ids: Column, name: str, time: str | None, now_us: int) -> pa.Table:
    """Return a label row for each row, null where there is no label."""
    if layout.numeric:
        labels = batch.numbers(name)
        if len(labels):  # NaN is how many frames write that there is none
            none = pc.or_kleene(pc.is_nan(labels), pc.is_in(labels, value_set=pa.array(layout.null_numbers, NUMBER)))
            labels = pc.if_else(none, pa.scalar(None, NUMBER), labels)
    else:
        texts = batch.texts(name)
        labels = class_texts(layout, texts)
        sizes = pc.fill_null(pc.binary_length(labels), 0).to_numpy(zero_copy_only=False)
        if (sizes > LABEL_BYTES).any():
            batch.add(sizes > LABEL_BYTES, lambda i: layout.too_long(int(sizes[i])))
    received = pa.array(np.full(batch.rows, now_us, np.int64)).view(TIME)
    known = received
    if time is not None and time in batch.columns:
        known = pc.coalesce(batch.times(time, layout.schema, now_us, needed=False), received)
    return pa.Table.from_arrays([ids, labels, known, received], schema=layout.arrow)


def _parts(kind: Kind, table: pa.Table) -> list[Part]:
    if not table.num_rows:
        return []
    payload = to_payload(table.combine_chunks())
    return [Part(kind=kind, rows=table.num_rows, size=len(payload), content=payload)]
