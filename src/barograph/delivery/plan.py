"""A plan: who would be told of an incident, and when, if it fired now and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from barograph.alerts.severity import Severity
from barograph.delivery.hours import quiet_until
from barograph.delivery.routes import Labels, Route, Target, targets
from barograph.spec.file import seconds_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who is told by a route at a time, and why then; nobody (`at` None), and why not."""

    path: str
    receivers: Sequence[str]
    at: datetime | None
    why: str


def plan(routes: Sequence[Route], labels: Labels, *, now: datetime) -> list[Step]:
    """Return what happens if an incident with these labels fires now, goes on, and nobody acknowledges it.

    >>> from datetime import UTC
    >>> route = Route(receivers=("mail",), wait="5m")
    >>> [step.why for step in plan([route], {"severity": ["critical"]}, now=datetime(2024, 1, 1, tzinfo=UTC))]
    ['5m after it fires', 'again each 1d while it fires and nobody has acknowledged it']
    """
    severity = Severity(labels["severity"][0])
    return [step for target in targets(routes, labels) for step in _steps(target, severity, now)]


def _steps(target: Target, severity: Severity, now: datetime) -> Iterator[Step]:
    if severity < target.least:
        why = f"people are told from {target.least.value} on"
        yield Step(path=target.path, receivers=target.receivers, at=None, why=why)
        return
    wait = timedelta(seconds=target.wait_s)
    at, quiet = _heard(target, severity, now + wait)
    why = f"{_span(target.wait_s)} after it fires" if target.wait_s else "at once"
    yield Step(path=target.path, receivers=target.receivers, at=at, why=quiet or why)
    for escalation in target.escalate:
        later, quiet = _heard(target, severity, at + timedelta(seconds=seconds_of(escalation.after)))
        why = f"{escalation.after} later, if nobody has acknowledged it"
        yield Step(path=target.path, receivers=escalation.receivers, at=later, why=quiet or why)
    if target.repeat_s is not None:
        again, quiet = _heard(target, severity, at + timedelta(seconds=target.repeat_s))
        why = f"again each {_span(target.repeat_s)} while it fires and nobody has acknowledged it"
        yield Step(path=target.path, receivers=target.receivers, at=again, why=quiet or why)


def _heard(target: Target, severity: Severity, at: datetime) -> tuple[datetime, str]:
    quiet = quiet_until(target.quiet, severity, at)
    return (at, "") if quiet is None else (quiet, "when the quiet hours end")


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"
