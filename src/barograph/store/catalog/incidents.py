"""What people read of alerts and incidents, and what they add: acknowledgements, comments, silences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar  # Any: JSON values

import sqlalchemy as sa

from barograph.alerts.silence import Silence
from barograph.errors import NotFoundError
from barograph.store.catalog import outbox
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.outbox import What
from barograph.store.catalog.schema import alerts, comments, incidents, silences
from barograph.store.catalog.scope import R, Scope, columns_of
from barograph.times import from_microseconds

C = TypeVar("C", sa.Update, sa.Delete)
Place = tuple[int, int, str]  # of an alert or incident in a list: opened_us, model_id, id


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """One alert; `body` is what `Alert.to_dict` says, but for silences.

    `withdrawn`: restated results do not show it any more.
    """

    id: str
    project_id: int
    model_id: int
    state: str
    severity: str
    family: str
    metric: str
    column: str | None
    segment: str | None
    first_us: int
    fired_us: int | None
    resolved_us: int | None
    body: dict[str, Any]
    opened_us: int
    updated_us: int
    withdrawn: bool
    monitor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIncident:
    """One incident; `body` is what `Incident.to_dict` says, but for silences.

    `opened_us` is when the service first knew of it. What is silenced now is in `silenced`. `said_state` is what a
    person said of its state: `state` then follows it, and not the newest evaluation, whose state is in `body`. A chunk
    in breach that begins at `said_from_us` or later takes back that it is resolved (see `handling`).
    """

    id: str
    project_id: int
    model_id: int
    state: str
    severity: str
    family: str
    title: str
    since_us: int
    until_us: int | None
    body: dict[str, Any]
    acknowledged_us: int | None
    acknowledged_by: Actor | None
    opened_us: int
    updated_us: int
    withdrawn: bool
    said_state: str | None = None
    said_us: int | None = None
    said_by: Actor | None = None
    said_reason: str | None = None
    said_from_us: int | None = None
    assigned_to: str | None = None
    assigned_us: int | None = None
    assigned_by: Actor | None = None
    verdict: str | None = None
    verdict_us: int | None = None
    verdict_by: Actor | None = None
    verdict_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What a person wrote to an incident; `edited_us` and `edited_by` tell of the last change of it."""

    id: int
    model_id: int
    incident_id: str
    at_us: int
    author: Actor
    text: str
    edited_us: int | None = None
    edited_by: Actor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSilence:
    """A silence of one model, or of all (`model_id` None). It holds in `[starts_us, ends_us)`."""

    id: int
    project_id: int
    model_id: int | None
    matchers: list[list[str]]
    starts_us: int
    ends_us: int
    reason: str
    created_by: Actor
    created_us: int

    def as_silence(self) -> Silence:
        """Return it in the form in which alerts are matched."""
        return Silence(
            matchers=tuple((label, pattern) for label, pattern in self.matchers),
            reason=self.reason,
            start=from_microseconds(self.starts_us),
            end=from_microseconds(self.ends_us),
        )


def list_alerts(
    scope: Scope,
    *,
    model_id: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    withdrawn: bool | None = False,
    limit: int,
    after: Place | None = None,
) -> list[StoredAlert]:
    """Return up to `limit` alerts, those opened last first, behind `after`. `withdrawn`: None lists both."""
    return _listed(scope, alerts, StoredAlert, model_id, state, severity, withdrawn, limit, after)


def list_incidents(
    scope: Scope,
    *,
    model_id: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    withdrawn: bool | None = False,
    limit: int,
    after: Place | None = None,
) -> list[StoredIncident]:
    """Return up to `limit` incidents, those opened last first, behind `after`. `withdrawn`: None lists both."""
    return _listed(scope, incidents, StoredIncident, model_id, state, severity, withdrawn, limit, after)


def get_incident(scope: Scope, incident_id: str, *, model_id: int | None = None) -> StoredIncident | None:
    """Return an incident by its id, the one opened last if two models have the same; None if there is none."""
    statement = scope.pick(incidents, StoredIncident).where(incidents.c.id == incident_id)
    if model_id is not None:
        statement = statement.where(incidents.c.model_id == model_id)
    order = (incidents.c.opened_us.desc(), incidents.c.model_id.desc())
    return scope.record(StoredIncident, statement.order_by(*order).limit(1))


def members_of(scope: Scope, model_id: int, incident_id: str) -> list[StoredAlert]:
    """Return the alerts of an incident that are not withdrawn, the one that it is told by first."""
    mine = (alerts.c.model_id == model_id) & (alerts.c.incident_id == incident_id) & alerts.c.withdrawn.is_(False)
    order = (alerts.c.is_root.desc(), alerts.c.opened_us, alerts.c.id)
    return scope.records(StoredAlert, scope.pick(alerts, StoredAlert).where(mine).order_by(*order))


def acknowledge(scope: Scope, model_id: int, incident_id: str, *, by: Actor | None, now_us: int) -> None:
    """Say that a person has seen to an incident, or with `by` None that nobody has. Raises NotFoundError."""
    change = scope.update(incidents).where(incidents.c.model_id == model_id, incidents.c.id == incident_id)
    values = {"acknowledged_us": None if by is None else now_us, "acknowledged_by": by, "updated_us": now_us}
    if not scope.change(change.values(**values)):
        raise _no_incident(incident_id)
    outbox.add_one(scope, model_id, [incident_id], what=What.ACKNOWLEDGED, now_us=now_us)


def add_comment(scope: Scope, model_id: int, incident_id: str, *, author: Actor, text: str, now_us: int) -> Comment:
    """Add a comment to an incident. Raises NotFoundError."""
    if get_incident(scope, incident_id, model_id=model_id) is None:
        raise _no_incident(incident_id)
    values = {"model_id": model_id, "incident_id": incident_id, "at_us": now_us, "author": author, "text": text}
    return scope.add(Comment, comments, values)


def list_comments(
    scope: Scope, model_id: int, incident_id: str, *, limit: int, after: int | None = None
) -> list[Comment]:
    """Return up to `limit` comments of an incident, oldest first, those with an id above `after`."""
    statement = scope.pick(comments, Comment)
    statement = statement.where(comments.c.model_id == model_id, comments.c.incident_id == incident_id)
    if after is not None:
        statement = statement.where(comments.c.id > after)
    return scope.records(Comment, statement.order_by(comments.c.id).limit(limit))


def edit_comment(
    scope: Scope, model_id: int, incident_id: str, comment_id: int, *, text: str, by: Actor, now_us: int
) -> Comment | None:
    """Change what a comment says, and return it as it is now; None if this incident has none with this id."""
    change = _comment(scope.update(comments), model_id, incident_id, comment_id)
    change = change.values(text=text, edited_us=now_us, edited_by=by)
    return scope.record(Comment, change.returning(*columns_of(comments, Comment)))


def delete_comment(scope: Scope, model_id: int, incident_id: str, comment_id: int) -> bool:
    """Delete a comment of an incident; return whether it was there."""
    return scope.change(_comment(scope.delete(comments), model_id, incident_id, comment_id)) > 0


def add_silence(
    scope: Scope,
    *,
    model_id: int | None,
    matchers: Sequence[tuple[str, str]],
    starts_us: int,
    ends_us: int,
    reason: str,
    created_by: Actor,
    now_us: int,
) -> StoredSilence:
    """Add a silence. Raises SpecError where it does not hold together, NotFoundError for an unknown model."""
    start, end = from_microseconds(starts_us), from_microseconds(ends_us)
    Silence(matchers=tuple(matchers), reason=reason, start=start, end=end)  # checks what it says
    values = {"model_id": model_id, "matchers": [list(pair) for pair in matchers], "reason": reason}
    times = {"starts_us": starts_us, "ends_us": ends_us, "created_us": now_us}
    return scope.add(StoredSilence, silences, {**values, **times, "created_by": created_by})


def get_silence(scope: Scope, silence_id: int) -> StoredSilence | None:
    """Return a silence; None if there is none."""
    return scope.record(StoredSilence, scope.pick(silences, StoredSilence).where(silences.c.id == silence_id))


def list_silences(
    scope: Scope,
    *,
    model_id: int | None = None,
    at_us: int | None = None,
    limit: int,
    after: int | None = None,
) -> list[StoredSilence]:
    """Return up to `limit` silences, newest first, those with an id below `after`.

    With `model_id` those that concern this model, also those of all models; with `at_us` those that hold then.
    """
    statement = scope.pick(silences, StoredSilence)
    if model_id is not None:
        statement = statement.where(silences.c.model_id.is_(None) | (silences.c.model_id == model_id))
    if at_us is not None:
        statement = statement.where(silences.c.starts_us <= at_us, silences.c.ends_us > at_us)
    if after is not None:
        statement = statement.where(silences.c.id < after)
    return scope.records(StoredSilence, statement.order_by(silences.c.id.desc()).limit(limit))


def change_silence(
    scope: Scope,
    silence_id: int,
    *,
    matchers: Sequence[tuple[str, str]] | None = None,
    starts_us: int | None = None,
    ends_us: int | None = None,
    reason: str | None = None,
) -> StoredSilence | None:
    """Change what is given, and return the silence as it is now; None if there is none.

    Raises SpecError where it would not hold together.
    """
    old = get_silence(scope, silence_id)
    if old is None:
        return None
    new = replace(
        old,
        matchers=old.matchers if matchers is None else [list(pair) for pair in matchers],
        starts_us=old.starts_us if starts_us is None else starts_us,
        ends_us=old.ends_us if ends_us is None else ends_us,
        reason=old.reason if reason is None else reason,
    )
    new.as_silence()  # checks what it says
    values = {"matchers": new.matchers, "starts_us": new.starts_us, "ends_us": new.ends_us, "reason": new.reason}
    scope.change(scope.update(silences).where(silences.c.id == silence_id).values(**values))
    return new


def end_silence(scope: Scope, silence_id: int, *, now_us: int) -> bool:
    """End a silence now; one that has not begun is taken away. Return whether it is there. It stays in the past."""
    this = silences.c.id == silence_id
    if scope.change(scope.delete(silences).where(this, silences.c.starts_us >= now_us)):
        return True
    earlier = sa.case((silences.c.ends_us < now_us, silences.c.ends_us), else_=now_us)
    return scope.change(scope.update(silences).where(this).values(ends_us=earlier)) > 0


def _listed(
    scope: Scope,
    table: sa.Table,
    kind: type[R],
    model_id: int | None,
    state: str | None,
    severity: str | None,
    withdrawn: bool | None,
    limit: int,
    after: Place | None,
) -> list[R]:
    statement = scope.pick(table, kind)
    for column, value in ((table.c.model_id, model_id), (table.c.state, state), (table.c.severity, severity)):
        if value is not None:
            statement = statement.where(column == value)
    if withdrawn is not None:
        statement = statement.where(table.c.withdrawn.is_(withdrawn))
    key = (table.c.opened_us, table.c.model_id, table.c.id)
    if after is not None:
        statement = statement.where(sa.tuple_(*key) < sa.tuple_(*map(sa.literal, after)))
    return scope.records(kind, statement.order_by(*(column.desc() for column in key)).limit(limit))


def _comment(change: C, model_id: int, incident_id: str, comment_id: int) -> C:
    c = comments.c
    return change.where(c.model_id == model_id, c.incident_id == incident_id, c.id == comment_id)


def _no_incident(incident_id: str) -> NotFoundError:
    return NotFoundError(f"This model has no incident {incident_id!r}.")
