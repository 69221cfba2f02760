"""Alerts and incidents of a model, made to say what its newest evaluation says."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal  # Any: JSON values, and values of rows

import sqlalchemy as sa

from barograph.alerts.alert import Alert, State
from barograph.alerts.incident import Incident
from barograph.errors import NotFoundError
from barograph.store.catalog.column_types import storable, to_json
from barograph.store.catalog.handling import NOTHING_SAID, hold_to
from barograph.store.catalog.schema import alerts, comments, incidents, models
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.stable_ids import Lasting, lasting_ids
from barograph.times import to_microseconds

OPERATIONS = "operations"  # the family of what the service itself says of a model: no events come, work fails

_KEPT = ("opened_us", "acknowledged_us", "acknowledged_by")  # what a later write leaves as it is
_KEY = ("model_id", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsIncident:
    """An incident that the service itself makes, with one alert of the same id."""

    id: str
    state: Literal["firing", "resolved"]
    severity: str
    metric: str
    title: str
    since_us: int
    until_us: int | None = None
    body: Mapping[str, Any]


def write_alerts(
    scope: Scope,
    model_id: int,
    given: Sequence[Alert],
    grouped: Sequence[Incident],
    *,
    since_us: int,
    now_us: int,
) -> list[str]:
    """Make the alerts and incidents of a model those of an evaluation of its chunks from `since_us` on.

    What is stored of these chunks and is not among them any more was restated away: it becomes resolved and
    `withdrawn`; where only its beginning was, it keeps its id (`lasting`). What began before `since_us`, and what the
    service itself said, stays as it is. Returns the ids of the incidents that fire and did not before: those to tell
    of. What was over and fires again is to be seen to again. What people said of a state holds (`handling`). Raises
    NotFoundError for an unknown model.
    """
    _lock(scope, model_id)
    t = alerts.c
    known = _live(scope, alerts, model_id, since_us, t.id, t.family, t.metric, t.column, t.segment, *_span(alerts))
    i = incidents.c
    told = _live(scope, incidents, model_id, since_us, i.id, i.body, i.acknowledged_us)
    ids = lasting_ids(given, grouped, known, told)
    part_of = {
        alert.id: (ids.incident(incident.id), alert is incident.root)
        for incident in grouped
        for alert in incident.alerts
    }
    rows = [_alert_row(model_id, alert, ids, part_of.get(alert.id, (None, False)), now_us) for alert in given]
    _write(scope, alerts, model_id, rows)
    _withdraw(scope, alerts, model_id, {row["id"] for row in rows}, since_us, now_us)

    rows = [_incident_row(model_id, incident, ids, now_us) for incident in grouped]
    rows = hold_to(scope, model_id, rows, {ids.incident(one.id): to_microseconds(one.last_at) for one in grouped})
    before = _write(scope, incidents, model_id, rows)
    _withdraw(scope, incidents, model_id, {row["id"] for row in rows}, since_us, now_us)
    firing = [row["id"] for row in rows if row["state"] == State.FIRING.value]
    again = [id for id in firing if before.get(id) == State.RESOLVED.value]
    _open_anew(scope, model_id, again)
    return [id for id in firing if id not in before or id in again]


def write_operations(scope: Scope, model_id: int, incident: OperationsIncident, *, now_us: int) -> bool:
    """Add or change an incident that the service itself makes; return whether it fires and did not before.

    Raises NotFoundError for an unknown model.
    """
    _lock(scope, model_id)
    common = {
        "model_id": model_id,
        "id": incident.id,
        "state": incident.state,
        "severity": incident.severity,
        "family": OPERATIONS,
        "body": {**incident.body, "state": incident.state},
        "opened_us": now_us,
        "updated_us": now_us,
        "withdrawn": False,
    }
    alert = {
        **common,
        "metric": incident.metric,
        "column": None,
        "segment": None,
        "first_us": incident.since_us,
        "fired_us": incident.since_us,
        "resolved_us": incident.until_us,
        "monitor": f"{OPERATIONS}.{incident.metric}",
        "incident_id": incident.id,
        "is_root": True,
        "is_explained": False,
    }
    _write(scope, alerts, model_id, [alert])
    told = {"title": incident.title, "since_us": incident.since_us, "until_us": incident.until_us}
    row = {**common, **told, "acknowledged_us": None, "acknowledged_by": None}
    (row,) = hold_to(scope, model_id, [row], {})
    before = _write(scope, incidents, model_id, [row])
    return bool(row["state"] == State.FIRING.value and before.get(incident.id) != State.FIRING.value)


def firing_operations(scope: Scope, model_id: int, metric: str) -> list[tuple[str, int]]:
    """Return id and begin (in microseconds) of what the service itself says of a model, and what fires, by a metric."""
    c = alerts.c
    here = (c.model_id == model_id) & (c.family == OPERATIONS) & (c.metric == metric) & (c.state == State.FIRING.value)
    return [(row[0], row[1]) for row in scope.rows(scope.select(alerts, c.id, c.first_us).where(here))]


def forget_alerts(scope: Scope, model_id: int, *, before_us: int | None) -> int:
    """Delete alerts and incidents that were over by a time, with what people said of them; None: all of the model.

    Return how many incidents there were.
    """
    over = sa.true() if before_us is None else incidents.c.until_us <= before_us
    old = scope.select(incidents, incidents.c.id).where(incidents.c.model_id == model_id, over)
    ids = [row[0] for row in scope.rows(old)]
    scope.change(scope.delete(comments).where(comments.c.model_id == model_id, comments.c.incident_id.in_(ids)))
    over = sa.true() if before_us is None else alerts.c.resolved_us <= before_us
    scope.change(scope.delete(alerts).where(alerts.c.model_id == model_id, over))
    return scope.change(scope.delete(incidents).where(incidents.c.model_id == model_id, incidents.c.id.in_(ids)))


def _lock(scope: Scope, model_id: int) -> None:
    """Let one write of a model's alerts end before the next; on SQLite there is only one writer."""
    locked = scope.select(models, models.c.id).where(models.c.id == model_id).with_for_update()
    if scope.value(locked) is None:
        raise NotFoundError(f"This project has no model with the id {model_id}.")


def _write(scope: Scope, table: sa.Table, model_id: int, rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Insert or change rows; those that say the same as before stay untouched.

    Return the states that were there, by id; "withdrawn" for what was.
    """
    stored = _stored(scope, table, model_id, [row["id"] for row in rows])
    compared = [name for name in (rows[0] if rows else ()) if name not in (*_KEPT, *_KEY, "updated_us")]
    changed = [row for row in rows if row["id"] not in stored or _differs(row, stored[row["id"]], compared)]
    scope.upsert(table, changed, key=_KEY, replace=(*compared, "updated_us"))
    return {name: "withdrawn" if row["withdrawn"] else row["state"] for name, row in stored.items()}


def _stored(scope: Scope, table: sa.Table, model_id: int, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    statement = scope.select(table).where(table.c.model_id == model_id, table.c.id.in_(ids))
    return {row._mapping["id"]: dict(row._mapping) for row in scope.rows(statement)}


def _differs(row: Mapping[str, Any], stored: Mapping[str, Any], names: Collection[str]) -> bool:
    return any(_as_stored(row[name]) != stored[name] for name in names)


def _as_stored(value: Any) -> Any:  # Any: the value of a column, of any kind
    if isinstance(value, str):
        return storable(value)
    return json.loads(to_json(value)) if isinstance(value, dict) else value


def _withdraw(scope: Scope, table: sa.Table, model_id: int, ids: Collection[str], since_us: int, now_us: int) -> None:
    gone = [row[0] for row in _live(scope, table, model_id, since_us, table.c.id) if row[0] not in ids]
    if gone:
        _, ended = _span(table)
        change = scope.update(table).where(table.c.model_id == model_id, table.c.id.in_(gone))
        values = {"state": "resolved", "withdrawn": True, "updated_us": now_us}
        scope.change(change.values({**values, ended.name: sa.func.coalesce(ended, now_us)}))


def _open_anew(scope: Scope, model_id: int, ids: Sequence[str]) -> None:
    if ids:
        these = (incidents.c.model_id == model_id) & incidents.c.id.in_(ids)
        scope.change(
            scope.update(incidents).where(these).values(acknowledged_us=None, acknowledged_by=None, **NOTHING_SAID)
        )


def _live(
    scope: Scope, table: sa.Table, model_id: int, since_us: int, *columns: sa.ColumnElement[Any]
) -> list[tuple[Any, ...]]:
    """Return what evaluations said of chunks from `since_us` on, and have not withdrawn."""
    began, _ = _span(table)
    here = (table.c.model_id == model_id) & (began >= since_us) & (table.c.family != OPERATIONS)
    return [tuple(row) for row in scope.rows(scope.select(table, *columns).where(here, table.c.withdrawn.is_(False)))]


def _span(table: sa.Table) -> tuple[sa.Column[Any], sa.Column[Any]]:
    c = table.c
    return (c.first_us, c.resolved_us) if table is alerts else (c.since_us, c.until_us)


def _alert_row(
    model_id: int, alert: Alert, ids: Lasting, part_of: tuple[str | None, bool], now_us: int
) -> dict[str, Any]:
    said = alert.last_breach
    first = to_microseconds(alert.active_at)
    return {
        "model_id": model_id,
        "id": ids.alert(alert.id),
        "state": alert.state.value,
        "severity": alert.severity.value,
        "family": said.family,
        "metric": said.metric,
        "column": said.column,
        "segment": said.segment,
        "first_us": now_us if first is None else first,
        "fired_us": to_microseconds(alert.fired_at),
        "resolved_us": to_microseconds(alert.resolved_at),
        "body": ids.alert_body(alert),
        "opened_us": now_us,
        "updated_us": now_us,
        "withdrawn": False,
        "monitor": said.monitor,
        "incident_id": part_of[0],
        "is_root": part_of[1],
        "is_explained": alert.is_explained,
    }


def _incident_row(model_id: int, incident: Incident, ids: Lasting, now_us: int) -> dict[str, Any]:
    since = to_microseconds(incident.since_at)
    return {
        "model_id": model_id,
        "id": ids.incident(incident.id),
        "state": incident.state.value,
        "severity": incident.severity.value,
        "family": incident.root.last_breach.family,
        "title": incident.title,
        "since_us": now_us if since is None else since,
        "until_us": to_microseconds(incident.until_at),
        "body": ids.incident_body(incident),
        "acknowledged_us": None,
        "acknowledged_by": None,
        "opened_us": now_us,
        "updated_us": now_us,
        "withdrawn": False,
    }
