"""An alert: one monitor in breach, and the only way in which its state changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from math import log
from typing import TYPE_CHECKING, Any, TypeAlias  # Any: JSON values

from barograph.alerts.breach import Breach
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk
from barograph.metrics.facts import worse_by

if TYPE_CHECKING:
    from barograph.alerts.inhibition import Inhibition
    from barograph.alerts.silence import Silence

Labels: TypeAlias = frozenset[tuple[str, str]]
LABELS = ("model", "monitor", "metric", "family", "column", "segment")
TENFOLD = log(10)
ONSET_KNOWN = 32  # chunks after the first in breach: by then its onset is as well known as it will be


class State(StrEnum):
    """Where an alert is."""

    PENDING = "pending"  # in breach, for less than `hold` chunks
    FIRING = "firing"  # in breach for at least `hold` chunks
    RESOLVED = "resolved"  # was firing, and has been calm since


@dataclass(frozen=True, slots=True)
class Moment:
    """A chunk and its place in the order of time, from 0: the only clock that alerts know."""

    position: int
    chunk: Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One monitor in breach on one column and segment. `labels` is its identity; the rest is state.

    `first` and `last` are its first and latest chunks in breach, `breaches` is their number. `worst` is the breach of
    the highest severity, then the greatest harm, then the largest distance from the reference. `calm` counts the chunks
    without a breach since the last, `evaluated` is the place of the latest chunk that it has seen. `onset` is where the
    change may have begun, from the first to the last position, None where that is not estimated.
    """

    labels: Labels
    state: State
    severity: Severity
    first: Moment
    last: Moment
    worst: Breach
    last_breach: Breach
    evaluated: int
    breaches: int = 1
    calm: int = 0
    least_evidence: float | None = None
    onset: tuple[int, int] | None = None
    fired: Moment | None = None
    resolved: Moment | None = None
    silenced_by: tuple[Silence, ...] = ()
    inhibited_by: Inhibition | None = None

    @property
    def id(self) -> str:
        """Return a fingerprint of the identity and the first chunk: it stays the same while the alert lasts."""
        return fingerprint(*self.key, self.first.chunk.key)

    @property
    def key(self) -> tuple[str, ...]:
        """Return the labels in the order of `LABELS`, "" for one that it has not."""
        return key_of(self.last_breach)

    @property
    def until(self) -> int:
        """Return the place of the last chunk that counts as the alert's own, the calm ones before its end included."""
        return self.resolved.position if self.resolved else self.last.position

    @property
    def active_at(self) -> datetime | None:
        """Return when the first chunk in breach began; None for rows without timestamps."""
        return self.first.chunk.start

    @property
    def fired_at(self) -> datetime | None:
        """Return the end of the chunk after which it fired: nobody could know before."""
        return self.fired.chunk.end if self.fired else None

    @property
    def resolved_at(self) -> datetime | None:
        """Return the end of the chunk after which it was resolved."""
        return self.resolved.chunk.end if self.resolved else None

    @property
    def blame(self) -> float | None:
        """Return which part of a loss its column can explain, see `Breach`."""
        return self.last_breach.blame if self.worst.blame is None else self.worst.blame

    @property
    def factor(self) -> float | None:
        """Return how many times as large the numbers of its column have become, see `Breach`."""
        return self.last_breach.factor if self.worst.factor is None else self.worst.factor

    @property
    def swapped_with(self) -> str | None:
        """Return the column that its column has changed places with, see `Breach`."""
        return self.worst.swapped_with or self.last_breach.swapped_with

    @property
    def is_explained(self) -> bool:
        """Return whether another alert explains it."""
        return self.inhibited_by is not None

    @property
    def has_fired(self) -> bool:
        """Return whether it fires or has fired: pending ones tell nobody anything."""
        return self.fired is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, times as datetimes."""
        b = self.last_breach
        return {
            "id": self.id,
            "model": b.model,
            "monitor": b.monitor,
            "metric": b.metric,
            "family": b.family,
            "column": b.column,
            "segment": b.segment,
            "state": self.state.value,
            "severity": self.severity.value,
            "active_at": self.active_at,
            "fired_at": self.fired_at,
            "resolved_at": self.resolved_at,
            "first_chunk": self.first.chunk.key,
            "last_chunk": self.last.chunk.key,
            "chunks_in_breach": self.breaches,
            "last": breach_to_dict(b),
            "worst": breach_to_dict(self.worst),
            "silenced_by": [silence.to_dict() for silence in self.silenced_by],
            "inhibited_by": self.inhibited_by.to_dict() if self.inhibited_by else None,
        }


def breach_to_dict(breach: Breach) -> dict[str, Any]:
    """Return what a breach says beyond the labels of its alert, as plain values."""
    return {
        "chunk": breach.chunk,
        "text": breach.text,
        "value": breach.value,
        "reference_value": breach.reference_value,
        "limit": breach.limit,
        "evidence": breach.evidence,
        "harm": breach.harm,
        "n": breach.n,
        "cells": sorted(breach.cells),
    }


def labels_of(breach: Breach) -> Labels:
    """Return the identity of a breach's alert: those of `LABELS` that it has."""
    return frozenset((name, value) for name, value in zip(LABELS, key_of(breach), strict=True) if value)


def key_of(breach: Breach) -> tuple[str, ...]:
    """Return the labels of a breach's alert in the order of `LABELS`, "" for one that it has not."""
    return (breach.model, breach.monitor, breach.metric, breach.family, breach.column or "", breach.segment or "")


def fingerprint(*parts: str) -> str:
    """Return twelve hexadecimal digits that stand for `parts`.

    >>> fingerprint("flights", "2013-10") == fingerprint("flights", "2013-10") != fingerprint("flights2013-10")
    True
    """
    return sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def badness(breach: Breach) -> tuple[int, float, float, float]:
    """Return what orders the breaches of one monitor: severity, harm, how much worse than the reference, evidence."""
    center = breach.limit if breach.reference_value is None else breach.reference_value
    distance = 0.0 if breach.value is None else worse_by(breach.value, center or 0.0, breach.metric, breach.family)
    return breach.severity.rank, breach.harm or 0.0, distance, breach.evidence or 0.0


def exceedance(breach: Breach) -> float:
    """Return how far the value is beyond its limit, in distances of the limit from the reference; 0 if unknown.

    Where there is no such distance, the limit itself is the unit. Comparable between metrics.
    """
    if breach.value is None or breach.limit is None:
        return 0.0
    unit = abs(breach.limit - (breach.reference_value or 0.0)) or abs(breach.limit) or 1.0
    return abs(breach.value - breach.limit) / unit


def step(
    alert: Alert | None,
    breach: Breach | None,
    *,
    now: Moment,
    hold: int = 0,
    quiet: int = 2,
    evidence: float | None = None,
    defined: bool = True,
) -> Alert | None:
    """Return the alert after one chunk, or None if there is none: it never began, or ended without ever firing.

    It fires in the first chunk in breach that is at least `hold` chunks after the first one. It is resolved after
    `quiet` (at least one) chunks in a row without breach, and such a chunk is quiet only when its `evidence` (log
    e-value), where that is known, is below a tenth of the least that it had in breach. A chunk that could not be judged
    (`defined` is False) changes nothing. A resolved alert that is in breach again is a new one. A chunk that the alert
    has already seen never counts twice.

    >>> from barograph.alerts.breach import Breach
    >>> def at(i): return Moment(i, Chunk(key=f"day {i}"))
    >>> b = Breach(model="m", monitor="quality.row_count", metric="row_count", family="quality", column=None,
    ...            segment=None, chunk="day 0", position=0, start=None, end=None, severity=Severity.CRITICAL,
    ...            text="no rows came")
    >>> alert = step(None, b, now=at(0), hold=1)
    >>> alert.state.value, step(alert, b, now=at(1), hold=1).state.value, step(alert, None, now=at(1), hold=1)
    ('pending', 'firing', None)
    """
    if alert is None or (alert.state is State.RESOLVED and breach is not None and now.position > alert.evaluated):
        return None if breach is None else _begin(breach, now, hold)
    if now.position <= alert.evaluated:
        return alert
    if breach is not None:
        return _go_on(alert, breach, now, hold)
    if not defined or alert.state is State.RESOLVED:
        return alert
    if alert.state is State.PENDING:
        return None
    if evidence is not None and alert.least_evidence is not None and evidence > alert.least_evidence - TENFOLD:
        return replace(alert, calm=0, evaluated=now.position)
    if alert.calm + 1 < quiet:
        return replace(alert, calm=alert.calm + 1, evaluated=now.position)
    return replace(alert, state=State.RESOLVED, calm=alert.calm + 1, resolved=now, evaluated=now.position)


def _begin(breach: Breach, now: Moment, hold: int) -> Alert:
    return Alert(
        labels=labels_of(breach),
        state=State.PENDING if hold > 0 else State.FIRING,
        severity=breach.severity,
        first=now,
        last=now,
        worst=breach,
        last_breach=breach,
        evaluated=now.position,
        least_evidence=breach.evidence,
        onset=breach.onset,
        fired=None if hold > 0 else now,
    )


def _go_on(alert: Alert, breach: Breach, now: Moment, hold: int) -> Alert:
    fires = alert.state is State.PENDING and now.position - alert.first.position >= hold
    known = [e for e in (alert.least_evidence, breach.evidence) if e is not None]
    is_early = now.position - alert.first.position < ONSET_KNOWN or alert.onset is None
    return replace(
        alert,
        state=State.FIRING if fires else alert.state,
        fired=now if fires else alert.fired,
        severity=alert.severity if breach.severity is alert.severity else max(alert.severity, breach.severity),
        last=now,
        last_breach=breach,
        worst=breach if badness(breach) > badness(alert.worst) else alert.worst,
        breaches=alert.breaches + 1,
        calm=0,
        evaluated=now.position,
        least_evidence=min(known, default=None),
        onset=(breach.onset or alert.onset) if is_early else alert.onset,
    )
