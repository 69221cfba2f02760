"""Alerts and incidents: what fires, what did, and what people say of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON values

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from barograph.server.api_models import After, Answer, Asked, CallerOf, Limit, Page, Said, ServiceOf, page
from barograph.server.catalog_lookup import audited, model_named, names_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import not_found
from barograph.store.catalog import incidents as stored
from barograph.store.catalog.incidents import Comment, Place, StoredAlert, StoredIncident
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import (
    Mute,
    SeenAlert,
    SeenIncident,
    list_seen_alerts,
    list_seen_incidents,
    see_incidents,
)
from barograph.times import from_microseconds

router = APIRouter(tags=["incidents"])
_COMMENTS = 1000  # that an answer holds
AlertState = Literal["pending", "firing", "resolved"]
IncidentState = Literal["firing", "resolved"]
Severity = Literal["notice", "warning", "critical"]
Withdrawn = Annotated[
    bool | None, Query(description="false: without what restated results do not show any more; true: only that.")
]
Silenced = Annotated[bool | None, Query(description="false: without what is silenced now; true: only that.")]
Incident = Annotated[str, Path(max_length=200)]


class MuteAnswer(Answer):
    """Why nobody hears of something now."""

    id: int | None = Field(description="Of the silence; null: the model is paused or retired.")
    reason: str
    ends_at: datetime | None = Field(description="Null: it has no end.")


class AlertAnswer(Answer):
    """One monitor in breach on one segment."""

    id: str
    model: str
    state: AlertState
    severity: Severity
    family: str
    metric: str
    column: str | None
    segment: str | None
    first_at: datetime = Field(description="The start of the first chunk in breach.")
    fired_at: datetime | None
    resolved_at: datetime | None
    withdrawn: bool = Field(description="Restated results do not show it any more.")
    silenced_by: list[MuteAnswer] = Field(description="What mutes it now: it is listed, and counts nowhere.")
    opened_at: datetime = Field(description="When the service first knew of it.")
    updated_at: datetime
    body: dict[str, Any] = Field(description="Everything else that is known of it.")


class IncidentAnswer(Answer):
    """Alerts that are one trouble, told as one."""

    id: str
    model: str
    state: IncidentState
    severity: Severity = Field(description="Of its gravest alert that is not silenced; of all, if all are.")
    family: str
    title: str = Field(examples=["ROC AUC fell from 0.725 to 0.540 in the week of 2024-05-13"])
    since: datetime
    until: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    withdrawn: bool
    silenced_by: list[MuteAnswer] = Field(
        description="What mutes it now, if none of its alerts is heard: it is listed, and counts nowhere."
    )
    opened_at: datetime
    updated_at: datetime
    body: dict[str, Any] = Field(description="Advice, the alerts that belong to it, columns, segments, harm.")


class CommentAnswer(Answer):
    """What a person wrote."""

    id: int
    at: datetime
    author: str
    text: str


class IncidentDetail(IncidentAnswer):
    """An incident with what people wrote to it, the oldest first."""

    comments: list[CommentAnswer]


class AlertsPage(Page[AlertAnswer]):
    """Alerts, those that were opened last first."""


class IncidentsPage(Page[IncidentAnswer]):
    """Incidents, those that were opened last first."""


class CommentAsked(Asked):
    """What to write to an incident."""

    text: Said = Field(min_length=1, max_length=10_000)


class AcknowledgeAsked(Asked):
    """Whether somebody has seen to it."""

    acknowledged: bool = Field(default=True, description="false takes it back.")


@router.get("/v1/alerts", operation_id="list_alerts", summary="List alerts")
def list_alerts(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    model: str | None = None,
    state: AlertState | None = None,
    severity: Severity | None = None,
    withdrawn: Withdrawn = False,
    silenced: Silenced = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> AlertsPage:
    """List alerts of the project, those that were opened last first."""
    with service.read(caller) as scope:
        rows = list_seen_alerts(
            scope,
            now_us=service.now_us(),
            silenced=silenced,
            model_id=None if model is None else model_named(scope, model).id,
            state=state,
            severity=severity,
            withdrawn=withdrawn,
            limit=limit + 1,
            after=_after(after),
        )
        names = names_of(scope, [row.stored.model_id for row in rows])
    kept, following = page(request, rows, limit, lambda a: _place(a.stored))
    return AlertsPage(items=[_alert(row, names) for row in kept], next=following)


@router.get("/v1/incidents", operation_id="list_incidents", summary="List incidents")
def list_incidents(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    model: str | None = None,
    state: IncidentState | None = None,
    severity: Severity | None = None,
    withdrawn: Withdrawn = False,
    silenced: Silenced = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> IncidentsPage:
    """List incidents of the project, those that were opened last first."""
    with service.read(caller) as scope:
        rows = list_seen_incidents(
            scope,
            now_us=service.now_us(),
            silenced=silenced,
            model_id=None if model is None else model_named(scope, model).id,
            state=state,
            severity=severity,
            withdrawn=withdrawn,
            limit=limit + 1,
            after=_after(after),
        )
        names = names_of(scope, [row.stored.model_id for row in rows])
    kept, following = page(request, rows, limit, lambda i: _place(i.stored))
    return IncidentsPage(items=[_incident(row, names) for row in kept], next=following)


@router.get("/v1/incidents/{incident}", operation_id="get_incident", summary="Get an incident with its comments")
def get_incident(incident: Incident, service: ServiceOf, caller: CallerOf) -> IncidentDetail:
    """Get an incident with its comments."""
    with service.read(caller) as scope:
        return _detail(scope, _found(scope, incident), now_us=service.now_us())


@router.post(
    "/v1/incidents/{incident}/acknowledge", operation_id="acknowledge_incident", summary="Say that it is seen to"
)
def acknowledge(
    incident: Incident, service: ServiceOf, caller: CallerOf, asked: AcknowledgeAsked | None = None
) -> IncidentDetail:
    """Say that somebody has seen to an incident, or take that back. Without a body, it is said."""
    asked = asked or AcknowledgeAsked()
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = _found(scope, incident)
        by = caller.name if asked.acknowledged else None
        stored.acknowledge(scope, found.model_id, found.id, by=by, now_us=now_us)
        audited(scope, caller, "acknowledge incident", found.id, asked.model_dump(), now_us=now_us)
        return _detail(scope, _found(scope, incident), now_us=now_us)


@router.post(
    "/v1/incidents/{incident}/comments",
    operation_id="comment_incident",
    summary="Write to an incident",
    status_code=201,
)
def comment(incident: Incident, asked: CommentAsked, service: ServiceOf, caller: CallerOf) -> CommentAnswer:
    """Write a comment to an incident."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = _found(scope, incident)
        added = stored.add_comment(scope, found.model_id, found.id, author=caller.name, text=asked.text, now_us=now_us)
        audited(scope, caller, "comment incident", found.id, {"comment": added.id}, now_us=now_us)
    return _comment(added)


def _found(scope: Scope, incident: str) -> StoredIncident:
    found = stored.get_incident(scope, incident)
    if found is None:
        raise not_found("incident", incident)
    return found


def _after(text: str | None) -> Place | None:
    if text is None:
        return None
    opened_us, model_id, id = read_cursor(text, (int, int, str))
    return int(opened_us or 0), int(model_id or 0), str(id)


def _place(row: StoredAlert | StoredIncident) -> Place:
    return row.opened_us, row.model_id, row.id


def _detail(scope: Scope, incident: StoredIncident, *, now_us: int) -> IncidentDetail:
    comments = stored.list_comments(scope, incident.model_id, incident.id, limit=_COMMENTS)
    names = names_of(scope, [incident.model_id])
    (seen,) = see_incidents(scope, [incident], now_us=now_us)
    return IncidentDetail(**_incident(seen, names).model_dump(), comments=[_comment(comment) for comment in comments])


def _comment(comment: Comment) -> CommentAnswer:
    return CommentAnswer(id=comment.id, at=from_microseconds(comment.at_us), author=comment.author, text=comment.text)


def _mutes(mutes: Sequence[Mute]) -> list[dict[str, Any]]:
    return [{"id": mute.id, "reason": mute.reason, "ends_at": from_microseconds(mute.ends_us)} for mute in mutes]


def _incident(seen: SeenIncident, names: dict[int, str]) -> IncidentAnswer:
    incident = seen.stored
    return IncidentAnswer.model_validate(
        {
            "id": incident.id,
            "model": names[incident.model_id],
            "state": incident.state,
            "severity": seen.severity.value,
            "family": incident.family,
            "title": incident.title,
            "since": from_microseconds(incident.since_us),
            "until": from_microseconds(incident.until_us),
            "acknowledged_at": from_microseconds(incident.acknowledged_us),
            "acknowledged_by": incident.acknowledged_by,
            "withdrawn": incident.withdrawn,
            "silenced_by": _mutes(seen.silenced_by),
            "opened_at": from_microseconds(incident.opened_us),
            "updated_at": from_microseconds(incident.updated_us),
            "body": incident.body,
        }
    )


def _alert(seen: SeenAlert, names: dict[int, str]) -> AlertAnswer:
    alert = seen.stored
    return AlertAnswer.model_validate(
        {
            "id": alert.id,
            "model": names[alert.model_id],
            "state": alert.state,
            "severity": alert.severity,
            "family": alert.family,
            "metric": alert.metric,
            "column": alert.column,
            "segment": alert.segment,
            "first_at": from_microseconds(alert.first_us),
            "fired_at": from_microseconds(alert.fired_us),
            "resolved_at": from_microseconds(alert.resolved_us),
            "withdrawn": alert.withdrawn,
            "silenced_by": _mutes(seen.silenced_by),
            "opened_at": from_microseconds(alert.opened_us),
            "updated_at": from_microseconds(alert.updated_us),
            "body": alert.body,
        }
    )
