"""Alerts and incidents: what fires, what did, and what people say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON values

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from barograph.alerts.nearby import NearChange, near_onset, told_of
from barograph.chunks import TimeChunks
from barograph.server.api_models import After, Answer, Asked, CallerOf, Limit, Page, ServiceOf, page
from barograph.server.catalog_lookup import audited, model_named, names_of, rules_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import not_found
from barograph.server.traces import example_traces
from barograph.store.catalog import incidents as stored
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.changes import Change, ChangeKind, list_changes
from barograph.store.catalog.handling import Verdict
from barograph.store.catalog.incidents import Comment, Place, StoredAlert, StoredIncident
from barograph.store.catalog.models import get_model
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import (
    Mute,
    SeenAlert,
    SeenIncident,
    list_seen_alerts,
    list_seen_incidents,
    see_incidents,
)
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["incidents"])
_COMMENTS = 1000  # that an answer holds
_NEAR = 10  # changes, too
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


class SaidAnswer(Answer):
    """What a person said of an incident's state. It holds until a later chunk is in breach, or another is said."""

    state: IncidentState
    at: datetime
    by: Actor
    reason: str | None


class AssignmentAnswer(Answer):
    """Who sees to an incident."""

    to: str
    at: datetime
    by: Actor


class VerdictAnswer(Answer):
    """Whether an incident was real."""

    verdict: Verdict
    at: datetime
    by: Actor
    reason: str | None


class NearChangeAnswer(Answer):
    """A change near an incident's onset."""

    id: int
    at: datetime
    kind: ChangeKind
    title: str
    version: str | None


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
    state: IncidentState = Field(description="What holds: what a person said, or what was found.")
    found: IncidentState = Field(description="What the newest evaluation found.")
    said: SaidAnswer | None = Field(description="What a person said of its state; null if nobody did.")
    severity: Severity = Field(description="Of its gravest alert that is not silenced; of all, if all are.")
    family: str
    title: str = Field(examples=["ROC AUC fell from 0.725 to 0.540 in the week of 2024-05-13"])
    text: str = Field(description="The title, what to do first, and what was changed near its onset.")
    since: datetime = Field(description="The start of its first chunk in breach, its onset.")
    since_chunk: str | None = Field(description="That chunk, as the title names it.", examples=["2024-05-13"])
    until: datetime | None
    until_chunk: str | None = Field(description="Its last chunk in breach; null while it fires.")
    changes: list[NearChangeAnswer] = Field(
        description="Changes near its onset, the newest first, at most ten: in its first chunk, or as long as two "
        "chunks before it (at least a day)."
    )
    acknowledged_at: datetime | None
    acknowledged_by: Actor | None
    assigned: AssignmentAnswer | None
    verdict: VerdictAnswer | None
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
    author: Actor
    text: str
    edited_at: datetime | None
    edited_by: Actor | None


class IncidentDetail(IncidentAnswer):
    """An incident with what people wrote to it, the oldest first."""

    comments: list[CommentAnswer]


class TraceAnswer(Answer):
    """A trace of an event of the incident; `url` leads to it, if BAROGRAPH_TRACE_URL says where traces are."""

    event: str = Field(description="The id of the event.")
    at: datetime
    trace_id: str
    span_id: str | None
    error: str | None = Field(description="What the event failed with.")
    url: str | None


class IncidentShown(IncidentDetail):
    """An incident with what people wrote to it, and examples of what it is made of."""

    traces: list[TraceAnswer] = Field(description="Of its first chunk, in its segment; those with errors first.")


class AlertsPage(Page[AlertAnswer]):
    """Alerts, those that were opened last first."""


class IncidentsPage(Page[IncidentAnswer]):
    """Incidents, those that were opened last first."""


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
        kept, following = page(request, rows, limit, lambda i: _place(i.stored))
        return IncidentsPage(items=_incidents(scope, kept), next=following)


@router.get("/v1/incidents/{incident}", operation_id="get_incident", summary="Get an incident with its comments")
def get_incident(incident: Incident, service: ServiceOf, caller: CallerOf) -> IncidentShown:
    """Get an incident with its comments, and traces of some of its events where these name any."""
    with service.read(caller) as scope:
        found = incident_with(scope, incident)
        detail = detail_of(scope, found, now_us=service.now_us())
        model, members = get_model(scope, found.model_id), stored.members_of(scope, found.model_id, found.id)
    segment = members[0].segment if members else None
    traces = [] if model is None else example_traces(service.settings, model, found, segment)
    told = [
        TraceAnswer(at=from_microseconds(t.at_us), **{k: v for k, v in asdict(t).items() if k != "at_us"})
        for t in traces
    ]
    return IncidentShown(**detail.model_dump(), traces=told)


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
        found = incident_with(scope, incident)
        by = caller.actor if asked.acknowledged else None
        stored.acknowledge(scope, found.model_id, found.id, by=by, now_us=now_us)
        audited(scope, caller, "acknowledge incident", found.id, asked.model_dump(), now_us=now_us)
        return detail_of(scope, incident_with(scope, incident), now_us=now_us)


def incident_with(scope: Scope, incident: str) -> StoredIncident:
    """Return the incident with an id; raise Problem if there is none."""
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


def detail_of(scope: Scope, incident: StoredIncident, *, now_us: int) -> IncidentDetail:
    """Return an incident as the API tells it."""
    comments = stored.list_comments(scope, incident.model_id, incident.id, limit=_COMMENTS)
    (told,) = _incidents(scope, see_incidents(scope, [incident], now_us=now_us))
    return IncidentDetail(**told.model_dump(), comments=[comment_answer(comment) for comment in comments])


def comment_answer(comment: Comment) -> CommentAnswer:
    """Return a comment as the API tells it."""
    return CommentAnswer(
        id=comment.id,
        at=from_microseconds(comment.at_us),
        author=comment.author,
        text=comment.text,
        edited_at=from_microseconds(comment.edited_us),
        edited_by=comment.edited_by,
    )


def _mutes(mutes: Sequence[Mute]) -> list[dict[str, Any]]:
    return [{"id": mute.id, "reason": mute.reason, "ends_at": from_microseconds(mute.ends_us)} for mute in mutes]


def _incidents(scope: Scope, seen: Sequence[SeenIncident]) -> list[IncidentAnswer]:
    rules = rules_of(scope, [one.stored.model_id for one in seen])
    names = names_of(scope, rules)
    return [_incident(one, names, _near(scope, one.stored, rules[one.stored.model_id])) for one in seen]


def _near(scope: Scope, incident: StoredIncident, rule: TimeChunks) -> list[Change]:
    """Return the changes near an incident's onset, the newest first."""
    since = from_microseconds(incident.since_us)
    start, end = near_onset(since, rule.next(since))
    start_us, end_us = to_microseconds(start), to_microseconds(end)
    return list_changes(scope, model_id=incident.model_id, start_us=start_us, end_us=end_us, limit=_NEAR)


def _incident(seen: SeenIncident, names: Mapping[int, str], near: Sequence[Change]) -> IncidentAnswer:
    incident = seen.stored
    body = incident.body
    changes = [
        NearChangeAnswer(id=c.id, at=from_microseconds(c.at_us), kind=c.kind, title=c.title, version=c.version)
        for c in near
    ]
    told = told_of([NearChange(at=c.at, kind=c.kind, title=c.title) for c in changes])
    title = incident.title.rstrip(".")
    return IncidentAnswer.model_validate(
        {
            "id": incident.id,
            "model": names[incident.model_id],
            "state": incident.state,
            "found": body.get("state", incident.state),
            "said": _said(incident.said_us, incident.said_by, state=incident.said_state, reason=incident.said_reason),
            "severity": seen.severity.value,
            "family": incident.family,
            "title": incident.title,
            "text": " ".join(part for part in (f"{title[:1].upper()}{title[1:]}.", body.get("advice"), told) if part),
            "since": from_microseconds(incident.since_us),
            "since_chunk": body.get("since"),
            "until": from_microseconds(incident.until_us),
            "until_chunk": body.get("until"),
            "changes": changes,
            "acknowledged_at": from_microseconds(incident.acknowledged_us),
            "acknowledged_by": incident.acknowledged_by,
            "assigned": _said(incident.assigned_us, incident.assigned_by, to=incident.assigned_to),
            "verdict": _said(
                incident.verdict_us, incident.verdict_by, verdict=incident.verdict, reason=incident.verdict_reason
            ),
            "withdrawn": incident.withdrawn,
            "silenced_by": _mutes(seen.silenced_by),
            "opened_at": from_microseconds(incident.opened_us),
            "updated_at": from_microseconds(incident.updated_us),
            "body": body,
        }
    )


def _said(at_us: int | None, by: Actor | None, **what: str | None) -> dict[str, Any] | None:
    """Return what a person said; None if nobody did, or it was taken back."""
    if next(iter(what.values())) is None:
        return None
    return {**what, "at": from_microseconds(at_us), "by": by}


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
