"""Events and labels as JSON: ids, times and labels checked, and what is good put into columns, or kept as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias  # Any: JSON values

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.ingest.decoded import (
    Decoded,
    assemble,
    label_doubts,
    latest,
    note,
    read_id,
    score_doubts,
    text_reason,
    time_format,
    time_reason,
    whole_doubts,
)
from barograph.ingest.expand import Body
from barograph.ingest.json_rows import JsonRows, present_names, read_json, row_texts
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.limits import EXACT, FEW, FIRST_US, ID_LENGTH
from barograph.ingest.memory import Reserve
from barograph.ingest.sensitive_json import treated_body
from barograph.ingest.values import moments, number_array, time_array
from barograph.spec.schema import Schema
from barograph.store.batches import Part, PendingRows, Row, to_payload
from barograph.store.layout import TEXT, TIME

Times: TypeAlias = Sequence[int] | npt.NDArray[np.int64]


def decode_json_events(body: Body, layout: EventLayout, *, content_type: str, now_us: int, reserve: Reserve) -> Decoded:
    """Return the events of a JSON or NDJSON body."""
    body, withheld = treated_body(body, content_type, layout, reserve)
    found = read_json(body, content_type, layout, reserve)
    found.reasons.update((i, (why,)) for i, why in withheld.items())
    rows = found.rows
    check = _Check(found)
    ids = check.ids([row[0] for row in rows], layout.fields[0].name)
    read_times = check.few_times if len(rows) <= FEW else check.many_times
    raw = [row[1] for row in rows]
    times = read_times(raw, layout.fields[1].name, layout.schema, now_us, needed=not layout.receipt)
    if layout.receipt:
        given = [now_us if _blank(value) else int(time) for value, time in zip(raw, times, strict=True)]
        times = np.array(given, np.int64) if isinstance(times, np.ndarray) else given
    labels = _inner_labels(layout, rows, ids, check, now_us)
    values = list(zip(*rows, strict=True))[2 : layout.kept] or [()] * (layout.kept - 2)
    for j in layout.embeddings:
        values[j] = tuple(_embedding(value) for value in values[j])
    columns = layout.columns(values) if len(rows) > FEW else None
    if columns is not None:
        check.many_texts(layout, columns)
    elif len(body) > layout.limits.text_bytes:
        check.few_texts(layout, values)
    keep = check.first_of_each(ids)
    parts = []
    if len(keep):
        content: bytes | PendingRows
        if columns is None:
            content = PendingRows(_lines(found, ids, times, values, keep, now_us), layout.payload)
        else:
            content = to_payload(_table(layout, found, ids, times, columns, keep, now_us))
        size = len(content) if isinstance(content, bytes) else len(body)
        parts.append(Part(kind="events", rows=len(keep), size=size, content=content))
    if labels:
        kept = set(keep)
        parts += _label_parts(layout.labels, [label for i, label in labels if i in kept], len(body))
    return assemble(
        "events",
        received=found.count,
        duplicates=len(rows) - len(keep) - len(check.bad),
        parts=parts,
        reasons=found.reasons,
        texts=partial(row_texts, body, content_type, layout),
        unknown=found.unknown,
        missing=_missing(layout, values, body, content_type, found.present),
        doubts=(
            *_doubts(layout, values, columns),
            *_label_doubts(layout.labels, (label for _, label in labels)),
        ),
    )


def decode_json_labels(body: Body, layout: LabelLayout, *, content_type: str, now_us: int, reserve: Reserve) -> Decoded:
    """Return the labels of a JSON or NDJSON body."""
    body, withheld = treated_body(body, content_type, layout, reserve)
    found = read_json(body, content_type, layout, reserve)
    found.reasons.update((i, (why,)) for i, why in withheld.items())
    check = _Check(found)
    places = [[i for i, f in enumerate(layout.fields) if f.kind == kind] for kind in ("id", "text", "time")]

    def first(row: tuple[Any, ...], where: Sequence[int]) -> Any:
        return next((row[i] for i in where if row[i] is not None), None)

    raw_ids, raw_labels, raw_times = ([first(row, where) for row in found.rows] for where in places)
    ids = check.ids(raw_ids, "id")
    read_times = check.few_times if len(ids) <= FEW else check.many_times
    times = read_times(raw_times, "label_timestamp", layout.schema, now_us, needed=False)
    labels = []
    for i, value in enumerate(raw_labels):
        label = None
        try:
            label = layout.value(value)
            if label is None:
                check.add(i, "label: missing")
        except ValueError as error:
            check.add(i, str(error))
        labels.append(label)
    rows = [
        (ids[i], labels[i], now_us if _blank(raw_times[i]) else int(times[i]), now_us)
        for i in range(len(ids))
        if i not in check.bad
    ]
    kept = list(dict.fromkeys(rows))  # a later label of the same id is a correction: only the same label is no news
    return assemble(
        "labels",
        received=found.count,
        duplicates=len(rows) - len(kept),
        parts=_label_parts(layout, kept, len(body)),
        reasons=found.reasons,
        texts=partial(row_texts, body, content_type, layout),
        unknown=found.unknown,
        missing=(),
        doubts=_label_doubts(layout, kept),
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """What is wrong with which rows, by position in `found.rows`."""

    found: JsonRows

    @property
    def bad(self) -> set[int]:
        return self.found.bad

    def add(self, i: int, reason: str) -> None:
        self.bad.add(i)
        index = i if self.found.index is None else self.found.index[i]
        note(self.found.reasons, index, reason)

    def ids(self, values: list[Any], name: str) -> list[str]:
        odd = [i for i, v in enumerate(values) if type(v) is not str or not 0 < len(v) <= ID_LENGTH]
        for i in odd:
            try:
                values[i] = read_id(values[i], name)
            except ValueError as error:
                self.add(i, str(error))
                values[i] = ""
        return values

    def few_times(self, values: Sequence[Any], name: str, schema: Schema, now_us: int, *, needed: bool = True) -> Times:
        times, last = moments(values, schema.timezone, time_format(schema, name)), latest(now_us)
        out = []
        for i, time in enumerate(times):
            if (time is None or not FIRST_US <= time <= last) and (needed or not _blank(values[i])):
                self.add(i, time_reason(values[i], time is not None, time or 0, name))
            out.append(time or 0)
        return out

    def many_times(
        self, values: Sequence[Any], name: str, schema: Schema, now_us: int, *, needed: bool = True
    ) -> Times:
        times, known = time_array(values, schema.timezone, time_format(schema, name))
        for i in np.flatnonzero(~known | (times < FIRST_US) | (times > latest(now_us))).tolist():
            if needed or not _blank(values[i]):
                self.add(i, time_reason(values[i], bool(known[i]), int(times[i]), name))
        return times

    def few_texts(self, layout: EventLayout, values: Sequence[Sequence[Any]]) -> None:
        most = layout.limits.text_bytes
        for column, of_column in zip(layout.fields[2 : layout.kept], values, strict=True):
            for i, value in enumerate(of_column):
                if isinstance(value, str) and len(value) * 4 > most and (size := len(value.encode())) > most:
                    self.add(i, text_reason(column.name, size, most))

    def many_texts(self, layout: EventLayout, columns: Sequence[pa.Array]) -> None:
        most = layout.limits.text_bytes
        for column, array in zip(layout.fields[2 : layout.kept], columns, strict=True):
            if array.type == TEXT and array.nbytes > most:
                sizes = pc.fill_null(pc.binary_length(array), 0).to_numpy()
                for i in np.flatnonzero(sizes > most).tolist():
                    self.add(i, text_reason(column.name, int(sizes[i]), most))

    def first_of_each(self, ids: Sequence[str]) -> Sequence[int]:
        """Return the positions of the rows that are taken: good, and the first with their id."""
        if not self.bad and len(set(ids)) == len(ids):
            return range(len(ids))
        first: dict[str, int] = {}
        for i, value in enumerate(ids):
            if i not in self.bad:
                first.setdefault(value, i)
        return list(first.values())


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _embedding(value: msgspec.Raw | None) -> str | None:
    text = b"null" if value is None else bytes(value)
    return None if text == b"null" else text.decode("utf-8", "backslashreplace")


def _inner_labels(
    layout: EventLayout, rows: Sequence[tuple[Any, ...]], ids: Sequence[str], check: _Check, now_us: int
) -> list[tuple[int, Row]]:
    """Return the labels inside events, with the position of their event."""
    if layout.label is None:
        return []
    at, at_time = layout.label, layout.label_time
    labelled = [i for i, row in enumerate(rows) if row[at] is not None]
    times: dict[int, int] = {}
    if at_time is not None:
        timed = [i for i in labelled if not _blank(rows[i][at_time])]
        format = time_format(layout.schema, layout.fields[at_time].name)
        found = moments([rows[i][at_time] for i in timed], layout.schema.timezone, format)
        for i, time in zip(timed, found, strict=True):
            if time is None or not FIRST_US <= time <= latest(now_us):
                name = layout.fields[at_time].name
                check.add(i, time_reason(rows[i][at_time], time is not None, time or 0, name))
            times[i] = time or 0
    labels: list[tuple[int, Row]] = []
    for i in labelled:
        try:
            label = layout.labels.value(rows[i][at])
        except ValueError as error:
            check.add(i, str(error))
        else:
            if label is not None:
                labels.append((i, (ids[i], label, times.get(i, now_us), now_us)))
    return labels


def _lines(
    found: JsonRows,
    ids: Sequence[str],
    times: Times,
    values: Sequence[Sequence[Any]],
    keep: Sequence[int],
    now_us: int,
) -> list[Row]:
    extra = found.extra or [None] * len(ids)
    rows = zip(ids, times, *values, [now_us] * len(ids), extra, strict=True)
    if len(keep) == len(ids):
        return list(rows)
    kept = set(keep)
    return [row for i, row in enumerate(rows) if i in kept]


def _table(
    layout: EventLayout,
    found: JsonRows,
    ids: Sequence[str],
    times: Times,
    columns: Sequence[pa.Array],
    keep: Sequence[int],
    now_us: int,
) -> pa.Table:
    extra = pa.nulls(len(ids), TEXT) if found.extra is None else pa.array(found.extra, TEXT)
    received = pa.array(np.full(len(ids), now_us, np.int64)).view(TIME)
    arrays = [pa.array(ids, TEXT), pa.array(times, pa.int64()).view(TIME), *columns, received, extra]
    table = pa.Table.from_arrays(arrays, schema=layout.arrow)
    return table if len(keep) == len(ids) else table.take(pa.array(keep, pa.int64()))


def _label_parts(layout: LabelLayout, rows: Sequence[Row], size: int) -> list[Part]:
    if not rows:
        return []
    if len(rows) <= FEW:
        return [Part(kind="labels", rows=len(rows), size=size, content=PendingRows(rows, layout.payload))]
    payload = layout.payload(rows)
    return [Part(kind="labels", rows=len(rows), size=len(payload), content=payload)]


def _doubts(
    layout: EventLayout, values: Sequence[Sequence[Any]], columns: Sequence[pa.Array] | None
) -> tuple[str, ...]:
    if columns is not None:
        named = [(field.name, column) for field, column in zip(layout.fields[2:], columns, strict=False)]
        return score_doubts(named[i] for i in layout.scores) + whole_doubts(named[i] for i in layout.numbers)
    odd = [i for i in layout.scores if any(v is not None and not 0.0 <= v <= 1.0 for v in values[i])]
    large = [i for i in layout.numbers if any(v is not None and not -EXACT < v < EXACT for v in values[i])]
    if not odd and not large:
        return ()

    def columns_at(where: list[int]) -> list[tuple[str, pa.Array]]:
        return [(layout.fields[2 + i].name, number_array(values[i])) for i in where]

    return score_doubts(columns_at(odd)) + whole_doubts(columns_at(large))


def _label_doubts(layout: LabelLayout, rows: Iterable[Row]) -> tuple[str, ...]:
    classes = layout.schema.classes
    return label_doubts(classes, Counter(row[1] for row in rows)) if classes else ()


def _missing(
    layout: EventLayout, values: Sequence[Sequence[Any]], body: Body, content_type: str, present: set[str] | None
) -> tuple[str, ...]:
    """Return the columns that no row has, be it as null."""
    if not len(values) or not len(values[0]):
        return ()
    without = [
        column
        for column, of_column in zip(layout.fields[2 : layout.kept], values, strict=True)
        if of_column[0] is None and all(value is None for value in of_column)
    ]
    if present is None:
        # Looking through the text is quick, and enough where it has no such name; not every name is that of a field.
        escaped = b"\\u" in body
        doubtful = {column.name for column in without if escaped or any(key in body for key in column.keys)}
        present = present_names(body, content_type, layout, doubtful) if doubtful else set()
    return tuple(column.name for column in without if column.name not in present)
