"""Incidents: what a person is told, one for one trouble."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any  # JSON values

from barograph.alerts.alert import Alert, State, exceedance, fingerprint
from barograph.alerts.grouping import troubles
from barograph.alerts.inhibition import ENOUGH, PERFORMANCE, Inhibition, explained, root_reason
from barograph.alerts.levels import NO_LEVELS, Levels
from barograph.alerts.severity import Severity
from barograph.alerts.silence import Silence, heard
from barograph.alerts.titles import advice, first_of, title
from barograph.chunks import Chunk
from barograph.metrics.broken import Broken
from barograph.metrics.facts import foretells

_FAMILIES = ("performance", "foretold", "estimation", "concept")  # what is told of first, in one trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts that are one trouble. `root` is the one that it is told by, `explains` are all others, gravest first.

    `since` is the key of the first chunk in breach, `until` that of the last; `until` is None while it fires. `last` is
    the key of the newest chunk in breach, and `last_at` its start, also while it fires.
    `severity` is that of its gravest alert that is not silenced. `harm` is the greatest that is known, in the unit of
    the model's main metric, None if none is. `silenced_by` holds the silences if all of it is silenced: it is listed
    last and wakes nobody.
    """

    id: str
    model: str
    severity: Severity
    state: State
    title: str
    advice: str
    since: str
    since_at: datetime | None
    until: str | None
    until_at: datetime | None
    last: str
    last_at: datetime | None
    first_position: int
    last_position: int
    root: Alert
    explains: tuple[Alert, ...]
    columns: tuple[str, ...]
    segments: tuple[str, ...]
    harm: float | None
    silenced_by: tuple[Silence, ...] = ()

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Return the root and all that it explains."""
        return (self.root, *self.explains)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, times as datetimes. Alerts are named by their ids."""
        return {
            "id": self.id,
            "model": self.model,
            "severity": self.severity.value,
            "state": self.state.value,
            "title": self.title,
            "advice": self.advice,
            "since": self.since,
            "since_at": self.since_at,
            "until": self.until,
            "until_at": self.until_at,
            "last": self.last,
            "last_at": self.last_at,
            "root": self.root.id,
            "explains": [alert.id for alert in self.explains],
            "columns": list(self.columns),
            "segments": list(self.segments),
            "harm": self.harm,
            "silenced_by": [silence.to_dict() for silence in self.silenced_by],
        }


def group(
    alerts: Sequence[Alert], chunks: Sequence[Chunk], *, outputs: Collection[str] = (), levels: Levels = NO_LEVELS
) -> tuple[list[Alert], list[Incident]]:
    """Return the alerts, with those marked that another explains, and the incidents, the gravest first.

    Alerts that have not fired are no part of an incident. Incidents are ordered by severity, harm, size of the
    exceedance, and time; silenced ones come last. `levels` are what was measured in these chunks, where that is known:
    titles tell averages from them.
    """
    marked = list(alerts)
    models: defaultdict[str, list[int]] = defaultdict(list)
    for i, alert in enumerate(alerts):
        if alert.has_fired:
            models[alert.last_breach.model].append(i)
    incidents = []
    for places in models.values():
        fired = [alerts[i] for i in places]
        causes = explained(fired, outputs=outputs)
        groups = troubles(fired, causes, outputs=outputs)
        graver = [_span([fired[i] for i in members]) for members in groups if _is_grave(fired, members)]
        for i, cause in causes.items():
            reason = root_reason(fired[cause])
            if reason is not None and fired[i].severity is not Severity.CRITICAL:  # harm is never hidden
                marked[places[i]] = replace(fired[i], inhibited_by=Inhibition(reason, fired[cause].id))
        for members in groups:
            first, last = _span([fired[i] for i in members])
            beside = any(begin <= last and first <= end for begin, end in graver)
            incidents.append(_incident([marked[places[i]] for i in members], chunks, outputs, levels, beside=beside))
    return marked, sorted(incidents, key=_order)


def worst(incidents: Iterable[Incident]) -> Severity | None:
    """Return the highest severity of what is not silenced, None if there is nothing."""
    return max((incident.severity for incident in incidents if not incident.silenced_by), default=None)


def _order(incident: Incident) -> tuple[Any, ...]:
    return (
        bool(incident.silenced_by),
        -incident.severity.rank,
        -(incident.harm or 0.0),
        -exceedance(incident.root.worst),
        incident.first_position,
        incident.id,
    )


def _is_grave(alerts: Sequence[Alert], members: Sequence[int]) -> bool:
    """Return whether something is critical, or performance is known to be worse: nothing at that time is harmless."""

    def grave(alert: Alert) -> bool:
        of_all = alert.last_breach.family in PERFORMANCE and alert.last_breach.segment is None
        worse = of_all and alert.severity is not Severity.NOTICE
        return (worse or alert.severity is Severity.CRITICAL) and not alert.silenced_by

    return any(grave(alerts[i]) for i in members)


def _span(alerts: Sequence[Alert]) -> tuple[int, float]:
    """Return the first and the last position of alerts; without end while one of them fires."""
    firing = any(alert.state is State.FIRING for alert in alerts)
    return min(a.first.position for a in alerts), inf if firing else max(a.last.position for a in alerts)


def _incident(
    members: Sequence[Alert], chunks: Sequence[Chunk], outputs: Collection[str], levels: Levels, *, beside: bool
) -> Incident:
    in_order = sorted(members, key=_prominence)
    root, others = in_order[0], in_order[1:]
    loud = heard(root, in_order)
    counted = loud or members
    first = first_of(members)
    last = max((a.last for a in members), key=lambda moment: moment.position)
    firing = any(a.state is State.FIRING for a in members)
    columns = dict.fromkeys(a.last_breach.column for a in in_order if a.last_breach.column is not None)
    segments = dict.fromkeys(a.last_breach.segment for a in in_order if a.last_breach.segment is not None)
    severity = max(a.severity for a in counted)
    return Incident(
        id=fingerprint(first.last_breach.model, first.first.chunk.key, *first.key),
        model=root.last_breach.model,
        severity=severity,
        state=State.FIRING if firing else State.RESOLVED,
        title=title(root, others, chunks, outputs=outputs, beside=beside, levels=levels),
        advice=advice(root, others, outputs=outputs, beside=beside),
        since=first.first.chunk.key,
        since_at=first.first.chunk.start,
        until=None if firing else last.chunk.key,
        until_at=None if firing else last.chunk.end,
        last=last.chunk.key,
        last_at=last.chunk.start,
        first_position=first.first.position,
        last_position=last.position,
        root=root,
        explains=tuple(others),
        columns=tuple(columns),
        segments=tuple(segments),
        harm=max((a.worst.harm for a in counted if a.worst.harm is not None), default=None),
        silenced_by=() if loud else tuple(dict.fromkeys(s for a in members for s in a.silenced_by)),
    )


def _prominence(alert: Alert) -> tuple[Any, ...]:
    """Return what orders the alerts of one incident: causes, then the gravest, realised performance first."""
    breach, reason = alert.worst, root_reason(alert)
    if alert.severity is Severity.NOTICE and alert.blame is not None and alert.blame < ENOUGH:
        reason = None  # it is known not to be the cause
    family = "foretold" if foretells(breach.metric, breach.family) else breach.family
    return (
        alert.inhibited_by is not None,
        list(Broken).index(reason) if reason else len(Broken),
        -alert.severity.rank,
        _FAMILIES.index(family) if family in _FAMILIES else len(_FAMILIES),
        breach.segment is not None,
        -(breach.harm or 0.0),
        -exceedance(breach),
        alert.first.position,
        alert.key,
    )
