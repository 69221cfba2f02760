"""Composing: from an incident as the catalog has it to what a person reads, in the words that the incident has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any  # Any: JSON values

from barograph.alerts.alert import State
from barograph.alerts.breach import Breach
from barograph.alerts.severity import Severity
from barograph.alerts.titles import short
from barograph.alerts.wording import heading, shown
from barograph.delivery.message import Kind, Message
from barograph.delivery.routes import Labels
from barograph.delivery.telling import Audible, Heard
from barograph.store.catalog import changes, results
from barograph.store.catalog.incidents import StoredAlert, StoredIncident, members_of
from barograph.store.catalog.models import Model
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import SeenIncident
from barograph.text.format import listed, number
from barograph.times import DAY_US, from_microseconds

SHORTLY_US = 2 * DAY_US  # before an incident: a change in this time may be its cause
MOST_OTHERS = 50  # that a message names of those that are told with it
POINTS = 500  # that are looked at to find the interval of the worst one
_CAUSES = ("drift", "quality", "concept")


def labels_of(seen: SeenIncident, model: Model, project: str) -> Labels:
    """Return the labels by which routes choose. Of a label that it has not, the value is ""."""
    segments = sorted({member.segment or "" for member in seen.loud or (seen.root,)})
    return {
        "model": [model.name],
        "project": [project],
        "severity": [seen.severity.value],
        "family": [seen.root.family],
        "segment": segments,
        "owner": [owner_of(model)],
    }


def owner_of(model: Model) -> str:
    """Return whose a model is, as its specification says; "" where it does not."""
    return str((model.spec.get("service") or {}).get("owner") or "")


def audible(seen: SeenIncident) -> Audible:
    """Return an incident as far as it matters whether it is told."""
    return Audible(
        state=State(seen.stored.state),
        severity=seen.severity,
        alerts=[
            Heard(id=m.id, severity=Severity(m.severity), silenced_by=m.silenced_by, is_explained=m.is_explained)
            for m in seen.loud
        ],
        silenced_by=seen.silenced_by,
        withdrawn=seen.stored.withdrawn,
        acknowledged=seen.stored.acknowledged_us is not None,
    )


def compose(
    scope: Scope,
    seen: SeenIncident,
    *,
    kind: Kind,
    thread: str,
    is_open: bool,
    labels: Labels,
    url: str,
    now_us: int,
    others: Sequence[SeenIncident] = (),
) -> Message:
    """Return what is said of an incident. `others` are told with it; `url` is where people reach the installation."""
    incident = seen.stored
    members = members_of(scope, incident.model_id, incident.id)
    root = members[0] if members else None
    return Message(
        kind=kind,
        severity=seen.severity.value,
        what=incident.title,
        thread=thread,
        is_open=is_open,
        at=_iso(from_microseconds(now_us)),
        how_bad=_how_bad(scope, incident, root),
        since=_iso(from_microseconds(incident.since_us)),
        until=None if incident.until_us is None else _iso(from_microseconds(incident.until_us)),
        cause=_cause(scope, incident, members[1:]),
        advice=str(incident.body.get("advice") or ""),
        link=f"{url}/incidents/{incident.id}" if url else "",
        incident=incident.id,
        labels=labels,
        others=tuple(_about(other) for other in others[:MOST_OTHERS]),
    )


def breach_of(alert: StoredAlert) -> Breach | None:
    """Return the worst breach of an alert; None of what the service itself says."""
    said: Mapping[str, Any] | None = alert.body.get("worst")
    if said is None:
        return None
    return Breach(
        model=str(alert.body.get("model") or ""),
        monitor=alert.monitor or "",
        metric=alert.metric,
        family=alert.family,
        column=alert.column,
        segment=alert.segment,
        chunk=str(said["chunk"]),
        position=0,
        start=None,
        end=None,
        severity=Severity(alert.severity),
        text=str(said["text"]),
        value=said["value"],
        reference_value=said["reference_value"],
        limit=said["limit"],
        evidence=said["evidence"],
        harm=said["harm"],
        n=said["n"],
    )


def _how_bad(scope: Scope, incident: StoredIncident, root: StoredAlert | None) -> str:
    breach = None if root is None else breach_of(root)
    if root is None or breach is None or breach.value is None:
        allowed = incident.body.get("allowed_minutes")
        return f"Events may stay away for {number(allowed)} minutes at most." if allowed is not None else ""
    rows = results.rows(scope, root.model_id, monitor=breach.monitor, start_us=root.first_us, limit=POINTS)
    worst = next((point for point in rows if point.chunk == breach.chunk), None)
    beside = []
    if worst is not None and worst.lower is not None and worst.upper is not None:
        beside.append(f"95 % interval {shown(worst.lower, breach)} to {shown(worst.upper, breach)}")
    if breach.reference_value is not None:
        beside.append(f"reference {shown(breach.reference_value, breach)}")
    if breach.limit is not None:
        beside.append(f"limit {shown(breach.limit, breach)}")
    text = f"{heading(breach)} {shown(breach.value, breach)}" + (f" ({'; '.join(beside)})" if beside else "")
    harm = incident.body.get("harm")
    return text + (f", estimated harm {number(harm)}" if harm else "") + "."


def _cause(scope: Scope, incident: StoredIncident, others: Sequence[StoredAlert]) -> str:
    """Return what may have caused it: what moved or broke with it, and what people said that they changed then."""
    known = [b for alert in others if alert.family in _CAUSES and (b := breach_of(alert)) is not None]
    known.sort(key=lambda breach: -(breach.harm or 0.0))
    moved = listed(list(dict.fromkeys(short(breach) for breach in known)), most=3, last=" and ")
    start_us, end_us = incident.since_us - SHORTLY_US, incident.since_us + DAY_US
    made = changes.list_changes(scope, model_id=incident.model_id, start_us=start_us, end_us=end_us, limit=1)
    told = [f"{one.kind} {one.title!r} at {from_microseconds(one.at_us):%Y-%m-%d %H:%M} UTC" for one in made]
    return "; ".join(part for part in (moved, *told) if part)


def _about(seen: SeenIncident) -> str:
    model = seen.stored.body.get("model")
    return f"{model}: {seen.stored.title}" if model else seen.stored.title


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
