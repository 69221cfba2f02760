"""What became of one event: whether it waits to be filed, is filed, counted or rejected, and whether its label came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal  # Any: values of an event

import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import StoreError
from barograph.ingest.rejected import rows_of
from barograph.store.batches import from_payload
from barograph.store.catalog import profiles, quarantine
from barograph.store.catalog.models import Model
from barograph.store.catalog.scope import Scope
from barograph.store.layout import DAY, EXTRA, ID, LABEL, LABEL_TIMESTAMP, RECEIVED
from barograph.store.model_tables import tables_of
from barograph.store.settings import Settings
from barograph.store.spool import Spool, Stored
from barograph.store.tables import UNKNOWN, ModelTables
from barograph.times import day_of, from_microseconds, to_microseconds

SEARCHED_BYTES = 64 * 2**20  # of what waits to be filed
MOST = 100  # rejected rows, and labels, that are told of

EventState = Literal["waiting", "filed", "counted"]
LabelState = Literal["waiting", "filed", "without event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvent:
    """One event of the id: there can be one a UTC day.

    `waiting`: acknowledged, on the disk, to be filed; `filed`: in the table; `counted`: in the profiles, too.
    """

    state: EventState
    day: str
    timestamp: datetime
    received_at: datetime
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLabel:
    """One label of the id; of several of one event, the one that came last counts."""

    state: LabelState
    label: str | float | None
    label_timestamp: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRejected:
    """A row of the id that was not taken; `replayed_at` says when it was after all."""

    kind: str
    reasons: list[str]
    received_at: datetime
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """All that is known of an id. `whole` is False where more waits to be filed than was searched."""

    events: tuple[FoundEvent, ...]
    labels: tuple[FoundLabel, ...]
    rejected: tuple[FoundRejected, ...]
    whole: bool

    def __bool__(self) -> bool:
        return bool(self.events or self.labels or self.rejected)


def whereabouts(scope: Scope, settings: Settings, spool: Spool, model: Model, id: str) -> Whereabouts:
    """Find what became of the event with this id, and of its labels.

    The spool is searched before the tables: what is filed meanwhile is then found twice rather than not at all, and
    told once. Only the spool of this machine is searched. The model must have a schema.
    """
    assert model.schema is not None
    waiting, whole = spool.search(model.id, most_bytes=SEARCHED_BYTES)
    tables, _ = tables_of(settings, model)
    uncounted = _uncounted(scope, tables, model, id, tables.id_column)
    events: dict[str, FoundEvent] = {}
    for batch in tables.find_events(id):
        for row in batch.to_pylist():
            state: EventState = "filed" if row[DAY] in uncounted else "counted"
            events.setdefault(row[DAY], _event(row, tables.time_column, row[DAY], state))
    for row in _waiting(waiting, "events", tables.id_column, id):
        day = day_of(to_microseconds(row[tables.time_column]))
        events.setdefault(day, _event(row, tables.time_column, day, "waiting"))
    filed = [_label(row) for batch in tables.find_labels(id, sorted(events)) for row in batch.to_pylist()]
    seen = {(label.label, label.label_timestamp, label.received_at) for label in filed}
    coming = [_label({**row, DAY: None}) for row in _waiting(waiting, "labels", ID, id)]
    labels = [*filed, *(x for x in coming if (x.label, x.label_timestamp, x.received_at) not in seen)]
    return Whereabouts(
        events=tuple(events[day] for day in sorted(events, reverse=True)),
        labels=tuple(sorted(labels, key=lambda label: label.received_at, reverse=True)[:MOST]),
        rejected=tuple(
            [*_waiting_rejected(waiting, tables.id_column, id), *_rejected(scope, model.id, tables.id_column, id)][
                :MOST
            ]
        ),
        whole=whole,
    )


def _uncounted(scope: Scope, tables: ModelTables, model: Model, id: str, id_column: str) -> set[str]:
    """Return the days of events of this id that are filed and not in the profiles of the active reference."""
    if model.reference_id is None:
        return set()
    position = profiles.get_position(scope, model.id, model.reference_id)
    try:
        added = tables.added("events", position.events_version, columns=[id_column, DAY])
        return {
            day
            for _, table in added
            for day in table.filter(pc.equal(table.column(id_column), id)).column(DAY).to_pylist()
        }
    except StoreError:  # tidied away: then another process has counted it meanwhile
        return set()


def _waiting(stored: Sequence[Stored], kind: str, id_column: str, id: str) -> Iterator[dict[str, Any]]:
    for one in stored:
        if one.batch.kind != kind:
            continue
        table: pa.Table = from_payload(one.batch.payload)
        if id_column not in table.column_names:
            continue  # of an earlier schema: it is to be refused when it is filed
        yield from table.filter(pc.equal(table.column(id_column), id)).to_pylist()


def _event(row: dict[str, Any], timestamp: str, day: str, state: EventState) -> FoundEvent:
    extra = json.loads(row[EXTRA]) if row.get(EXTRA) else {}
    values = {name: value for name, value in row.items() if name not in (DAY, RECEIVED, EXTRA) and value is not None}
    return FoundEvent(
        state=state, day=day, timestamp=row[timestamp], received_at=row[RECEIVED], values={**values, **extra}
    )


def _label(row: dict[str, Any]) -> FoundLabel:
    state: LabelState = "waiting" if row[DAY] is None else "without event" if row[DAY] == UNKNOWN else "filed"
    return FoundLabel(state=state, label=row[LABEL], label_timestamp=row[LABEL_TIMESTAMP], received_at=row[RECEIVED])


def _rejected(scope: Scope, model_id: int, id_column: str, id: str) -> Iterator[FoundRejected]:
    # As it may stand in the row: as it is, or with escapes of JSON.
    texts = {id, *(json.dumps(id, ensure_ascii=ascii)[1:-1] for ascii in (True, False))}
    for row in quarantine.rows_with(scope, model_id, texts, limit=MOST):
        if _is_of(row.row, id_column if row.kind == "events" else ID, id):
            yield FoundRejected(
                kind=row.kind,
                reasons=row.reasons,
                received_at=from_microseconds(row.received_us),
                replayed_at=from_microseconds(row.replayed_us),
            )


def _waiting_rejected(stored: Sequence[Stored], id_column: str, id: str) -> Iterator[FoundRejected]:
    for one in stored:
        if one.batch.kind != "rejected":
            continue
        for row in rows_of(one.batch.payload):
            if _is_of(row["row"], id_column if row["kind"] == "events" else ID, id):
                yield FoundRejected(
                    kind=row["kind"],
                    reasons=row["reasons"],
                    received_at=from_microseconds(one.batch.received_us),
                    replayed_at=None,
                )


def _is_of(text: str, id_column: str, id: str) -> bool:
    """Return whether a row, which may have been cut, is of an id."""
    if id not in text and json.dumps(id)[1:-1] not in text:
        return False
    try:
        row = json.loads(text)
    except ValueError:  # cut, or no JSON: that the id stands right behind its name is all that can be seen
        names = [json.dumps(name, ensure_ascii=ascii) for name in (id_column,) for ascii in (True, False)]
        values = [json.dumps(id, ensure_ascii=ascii) for ascii in (True, False)]
        plain = "".join(text.split())
        return any(f"{name}:{''.join(value.split())}" in plain for name in names for value in values)
    return isinstance(row, dict) and str(row.get(id_column)) == id
