"""Deduplication: whether an incident is told now, and the named reason for it or against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol  # Any: silences of memory or of a catalog

from barograph.alerts.alert import State
from barograph.alerts.severity import Severity

AGAIN_AFTER = timedelta(days=1)


class Why(StrEnum):
    """Why an incident is told, or not. Each reason belongs to one of the two."""

    NEW = "it is new"
    WORSE = "it is graver than what was told"
    GREW = "more is affected than what was told"
    BACK = "it was told as resolved and is back"
    REMINDER = "it still fires and was told long ago"
    RESOLVED = "it is resolved"

    UNCHANGED = "nothing has changed since it was told"
    SILENCED = "it is silenced"
    TOO_MILD = "it is below the severity that is told"
    NEVER_TOLD = "it was resolved before anybody was told"

    @property
    def tells(self) -> bool:
        """Return whether this is a reason to tell."""
        return self in (Why.NEW, Why.WORSE, Why.GREW, Why.BACK, Why.REMINDER, Why.RESOLVED)


class Member(Protocol):
    """An alert of an incident, in memory or in a catalog, as far as it matters who has heard of it."""

    @property
    def id(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def silenced_by(self) -> Sequence[Any]: ...
    @property
    def is_explained(self) -> bool: ...


class Tellable(Protocol):
    """An incident, in memory or in a catalog, as far as it matters whether it is told."""

    @property
    def state(self) -> State: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def silenced_by(self) -> Sequence[Any]: ...
    @property
    def alerts(self) -> Sequence[Member]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people last heard of an incident. `alerts` are the ids of those that they heard of by then."""

    at: datetime
    severity: Severity
    state: State
    alerts: frozenset[str]


def why(
    incident: Tellable,
    told: Told | None,
    *,
    now: datetime,
    least: Severity = Severity.WARNING,
    again_after: timedelta | None = AGAIN_AFTER,
) -> Why:
    """Return the reason to tell an incident now, or not to; `told` is what was told of it, None if nothing was.

    Incidents below `least` wake nobody. One that goes on is told again when it is graver, when an alert of at least
    that severity has joined it which nothing explains, or `again_after` (None: never) the last time. Who was told of
    an incident hears that it is resolved, also while it is silenced.

    >>> from datetime import UTC
    >>> from barograph.alerts.breach import Breach
    >>> from barograph.alerts.lifecycle import watch
    >>> from barograph.chunks import Chunk
    >>> breach = Breach(model="m", monitor="quality.row_count", metric="row_count", family="quality", column=None,
    ...                 segment=None, chunk="day 0", position=0, start=None, end=None, severity=Severity.CRITICAL,
    ...                 text="no rows came")
    >>> _, (incident,) = watch([breach], [Chunk(key="day 0")])
    >>> noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    >>> why(incident, None, now=noon).value
    'it is new'
    >>> why(incident, tell(incident, None, now=noon), now=noon + timedelta(hours=1)).value
    'nothing has changed since it was told'
    """
    if incident.state is State.RESOLVED:
        if told is None:
            return Why.SILENCED if incident.silenced_by else Why.NEVER_TOLD
        return Why.UNCHANGED if told.state is State.RESOLVED else Why.RESOLVED
    if incident.silenced_by:
        return Why.SILENCED
    if incident.severity < least:
        return Why.TOO_MILD
    if told is None:
        return Why.NEW
    if told.state is State.RESOLVED:
        return Why.BACK
    if incident.severity > told.severity:
        return Why.WORSE
    if not _heard(incident, least) <= told.alerts:
        return Why.GREW
    if again_after is not None and now - told.at >= again_after:
        return Why.REMINDER
    return Why.UNCHANGED


def tell(incident: Tellable, told: Told | None, *, now: datetime, least: Severity = Severity.WARNING) -> Told:
    """Return what people know once `incident` has been told at `now`. What they heard of is never forgotten."""
    before = told.alerts if told else frozenset()
    return Told(at=now, severity=incident.severity, state=incident.state, alerts=before | _heard(incident, least))


def _heard(incident: Tellable, least: Severity) -> frozenset[str]:
    return frozenset(
        alert.id
        for alert in incident.alerts
        if alert.severity >= least and not alert.silenced_by and not alert.is_explained
    )
