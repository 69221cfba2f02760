"""Telling: whether a receiver hears of an incident now, and when that is asked again. The clock is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from barograph.alerts.alert import State
from barograph.alerts.dedupe import Member, Tellable, Told, Why, why
from barograph.alerts.severity import Severity
from barograph.delivery.hours import quiet_until
from barograph.delivery.message import Kind
from barograph.delivery.routes import Target

LOOK_AGAIN = timedelta(minutes=1)  # at what is silenced: a silence can be ended or changed at any time

_KINDS: Mapping[Why, Kind] = {
    Why.NEW: Kind.NEW,
    Why.WORSE: Kind.WORSE,
    Why.GREW: Kind.GREW,
    Why.BACK: Kind.BACK,
    Why.REMINDER: Kind.REMINDER,
    Why.RESOLVED: Kind.RESOLVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audible:
    """An incident of the catalog, as it is told."""

    state: State
    severity: Severity
    alerts: Sequence[Member]
    silenced_by: Sequence[object] = ()
    withdrawn: bool = False
    acknowledged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An alert of the catalog. See `alerts.dedupe.Member`."""

    id: str
    severity: Severity
    silenced_by: Sequence[object]
    is_explained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is done now. `kind` None: nobody is told, `reason` says why. `again` is when to ask again; None: not before
    something happens. `ends`: nothing will ever be told of it, or all has been.
    """

    kind: Kind | None
    reason: str
    again: datetime | None = None
    ends: bool = False


def decide(incident: Tellable, told: Told | None, *, target: Target, step: int, now: datetime) -> Decision:
    """Return whether a receiver is told now. `step` 0 is the route's own receivers, 1 the first escalation.

    What is over is told at any time to those who were told of it; all else not in quiet hours. Who has acknowledged an
    incident is not reminded of it, and nobody else is called.
    """
    acknowledged = bool(getattr(incident, "acknowledged", False))
    repeat = None if target.repeat_s is None or acknowledged else timedelta(seconds=target.repeat_s)
    reason = why(incident, told, now=now, least=target.least, again_after=repeat)
    if step and told is None and acknowledged and incident.state is State.FIRING:
        return Decision(kind=None, reason="somebody has acknowledged it")
    if reason.tells:
        if reason is not Why.RESOLVED:
            quiet = quiet_until(target.quiet, incident.severity, now)
            if quiet is not None:
                return Decision(kind=None, reason=f"quiet hours until {quiet:%Y-%m-%d %H:%M} UTC", again=quiet)
        kind = _KINDS[reason]
        if kind is Kind.RESOLVED and getattr(incident, "withdrawn", False):
            kind = Kind.WITHDRAWN
        if kind is Kind.NEW and step:
            kind = Kind.ESCALATED
        ends = kind in (Kind.RESOLVED, Kind.WITHDRAWN)
        again = now + repeat if repeat is not None and not ends else None
        return Decision(kind=kind, reason=reason.value, again=again)
    if reason is Why.NEVER_TOLD or (reason is Why.SILENCED and incident.state is State.RESOLVED):
        return Decision(kind=None, reason=reason.value, ends=True)
    if reason is Why.SILENCED:
        return Decision(kind=None, reason=reason.value, again=now + LOOK_AGAIN)
    again = None
    if reason is Why.UNCHANGED and told is not None and told.state is State.FIRING and repeat is not None:
        again = told.at + repeat
    return Decision(kind=None, reason=reason.value, again=again)
